/* The options of a command as a table: the command line is parsed by it and the usage is printed from it.
 * Shared by prover executables and the subcommands of `mica`. Part of libmica-cli. */
#ifndef MICA_ARGUMENTS_H
#define MICA_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "mica/status.h"

/* Arguments of an option that may be repeated, in the order given; the texts are the caller's. */
typedef struct mica_arguments {
    const char **item; /* [n] */
    size_t n;
} mica_arguments;

/* What an option's field is: bool, uint32_t, const char * or mica_arguments. */
typedef enum mica_option_kind {
    MICA_OPTION_FLAG,
    MICA_OPTION_NUMBER,
    MICA_OPTION_TEXT,
    MICA_OPTION_LIST
} mica_option_kind;

typedef struct mica_option {
    const char *name; /* without the leading "--" */
    char letter;      /* of the short form; 0: none */
    mica_option_kind kind;
    size_t field;         /* offset in the caller's request */
    uint32_t low, high;   /* of a number, both included */
    const char *argument; /* what the usage calls the argument; NULL for flags */
    const char *help;     /* one line of the usage */
    unsigned group;       /* the caller's own */
} mica_option;

/* Every command's --help. */
#define MICA_OPTION_HELP(type, help_field)                                                                   \
    { "help", 'h', MICA_OPTION_FLAG, offsetof(type, help_field), 0, 0, NULL, "print this", 0 }

/* A command and all that its usage says. */
typedef struct mica_command {
    const char *name;  /* as messages call it: "mica verify" */
    const char *usage; /* what precedes the list of options, whole lines */
    const mica_option *option;
    size_t n_options;
    const char *notes; /* what follows the list, whole lines; NULL: nothing */
} mica_command;

/* Sets the fields of `request`, which the caller has filled with defaults, from argv[1..argc). Options stand
 * in any order; what is no option ends up in argv[*operands..argc), its order kept. Errors are
 * MICA_ERR_USAGE, or MICA_ERR_MEMORY. In either case mica_arguments_free releases the lists. */
bool mica_arguments_parse(const mica_command *command, void *request, int argc, char **argv, int *operands,
                          mica_status *st);

/* Sets one option's field, as the parser does it; argument is ignored for flags. */
bool mica_arguments_set(const mica_option *option, void *request, const char *argument, mica_status *st);

/* Appends to a list. */
bool mica_arguments_add(mica_arguments *list, const char *argument, mica_status *st);

/* Releases the memory of all lists that the command's options fill. */
void mica_arguments_free(const mica_command *command, void *request);

/* Prints the usage: its head, the options, the notes. */
void mica_arguments_usage(const mica_command *command, FILE *out);

/* A decimal number in [low, high]; `option` names it in the message ("--batch"). */
bool mica_arguments_number(uint32_t *out, const char *text, uint32_t low, uint32_t high, const char *option,
                           mica_status *st);

#endif
