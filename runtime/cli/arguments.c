#include "mica/arguments.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define MOST_OPTIONS 32
#define FIRST_VALUE  256 /* of getopt's values: above every letter */
#define WIDEST       20  /* of an option in the usage that shares its line with the help */

static void *field_of(void *request, const mica_option *o) {
    return (char *)request + o->field;
}

bool mica_arguments_number(uint32_t *out, const char *text, uint32_t low, uint32_t high, const char *option,
                           mica_status *st) {
    char *end;
    errno = 0;
    const unsigned long long x = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || x < low || x > high)
        return mica_fail(st, MICA_ERR_USAGE, "%s %s: expected a number from %u to %u", option, text, low,
                         high);
    *out = (uint32_t)x;
    return true;
}

bool mica_arguments_add(mica_arguments *list, const char *argument, mica_status *st) {
    const char **grown = realloc(list->item, (list->n + 1) * sizeof *grown);
    if (!grown)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory");
    list->item = grown;
    list->item[list->n++] = argument;
    return true;
}

bool mica_arguments_set(const mica_option *option, void *request, const char *argument, mica_status *st) {
    char shown[64];
    void *field = field_of(request, option);
    switch (option->kind) {
    case MICA_OPTION_FLAG:
        *(bool *)field = true;
        return true;
    case MICA_OPTION_NUMBER:
        (void)snprintf(shown, sizeof shown, "--%s", option->name);
        return mica_arguments_number(field, argument, option->low, option->high, shown, st);
    case MICA_OPTION_TEXT:
        *(const char **)field = argument;
        return true;
    case MICA_OPTION_LIST:
        return mica_arguments_add(field, argument, st);
    }
    return false;
}

/* letters: room for two per option and the end. */
static void make_getopt_table(const mica_command *command, struct option *table, char *letters) {
    for (size_t i = 0; i < command->n_options; i++) {
        const mica_option *o = &command->option[i];
        table[i] = (struct option){o->name, o->kind == MICA_OPTION_FLAG ? no_argument : required_argument,
                                   NULL, FIRST_VALUE + (int)i};
        if (o->letter) {
            *letters++ = o->letter;
            if (o->kind != MICA_OPTION_FLAG)
                *letters++ = ':';
        }
    }
    table[command->n_options] = (struct option){0};
    *letters = 0;
}

static const mica_option *option_of(const mica_command *command, int c) {
    if (c >= FIRST_VALUE && (size_t)(c - FIRST_VALUE) < command->n_options)
        return &command->option[c - FIRST_VALUE];
    for (size_t i = 0; i < command->n_options; i++)
        if (command->option[i].letter && command->option[i].letter == c)
            return &command->option[i];
    return NULL;
}

bool mica_arguments_parse(const mica_command *command, void *request, int argc, char **argv, int *operands,
                          mica_status *st) {
    struct option table[MOST_OPTIONS + 1];
    char letters[2 * MOST_OPTIONS + 1];
    int c;
    if (command->n_options > MOST_OPTIONS)
        return mica_fail(st, MICA_ERR_INTERNAL, "a command with more than %d options", MOST_OPTIONS);
    make_getopt_table(command, table, letters);
    optind = 1;
    opterr = 0; /* one message, the caller's */
    while ((c = getopt_long(argc, argv, letters, table, NULL)) != -1) {
        const mica_option *o = option_of(command, c);
        if (!o)
            return mica_fail(st, MICA_ERR_USAGE, "option '%s' is unknown or incomplete; see %s --help",
                             argv[optind - 1], command->name);
        if (!mica_arguments_set(o, request, optarg, st))
            return false;
    }
    *operands = optind;
    return true;
}

void mica_arguments_free(const mica_command *command, void *request) {
    for (size_t i = 0; i < command->n_options; i++) {
        const mica_option *o = &command->option[i];
        if (o->kind != MICA_OPTION_LIST)
            continue;
        mica_arguments *list = field_of(request, o);
        free((void *)list->item);
        *list = (mica_arguments){0};
    }
}

/* "-o, --out NAME" */
static size_t option_words(const mica_option *o, char *out, size_t size) {
    char letter[8] = "";
    if (o->letter)
        (void)snprintf(letter, sizeof letter, "-%c, ", o->letter);
    return (size_t)snprintf(out, size, "%s--%s%s%s", letter, o->name, o->argument ? " " : "",
                            o->argument ? o->argument : "");
}

void mica_arguments_usage(const mica_command *command, FILE *out) {
    char words[64];
    size_t column = 0;
    for (size_t i = 0; i < command->n_options; i++) {
        const size_t n = option_words(&command->option[i], words, sizeof words);
        column = n <= WIDEST && n > column ? n : column;
    }
    (void)fputs(command->usage, out);
    for (size_t i = 0; i < command->n_options; i++) {
        const mica_option *o = &command->option[i];
        if (option_words(o, words, sizeof words) > column)
            (void)fprintf(out, "  %s\n  %*s  %s\n", words, (int)column, "", o->help);
        else
            (void)fprintf(out, "  %-*s  %s\n", (int)column, words, o->help);
    }
    if (command->notes)
        (void)fputs(command->notes, out);
}
