/* Subcommands of `mica`; argv[0] is the subcommand. Each returns the exit code. */
#ifndef MICA_COMPILER_CMD_H
#define MICA_COMPILER_CMD_H

#include <stdbool.h>
#include <stdint.h>

#include "graph/passes.h"
#include "mica/arguments.h"

/* 0: compiled; 1: the model cannot be compiled; 2: usage, or a file cannot be read or written. */
int cmd_compile(int argc, char **argv);
/* 0: accepted; 1: rejected; 2: no decision. */
int cmd_verify(int argc, char **argv);
/* 0: accepted; 1: rejected; 2: no decision. */
int cmd_verify_params(int argc, char **argv);
/* 0: printed; 2: usage, a file cannot be read, or values do not fit. */
int cmd_digest(int argc, char **argv);
/* 0: everything is supported; 1: something is not; 2: usage, or the file cannot be read. */
int cmd_inspect(int argc, char **argv);

/* 0: the parameters belong to the model; 1: they do not; 2: no decision, also if the model does not compile.
 */
int cmd_audit(int argc, char **argv);

/* What commands that only read have in common: --help prints the usage; else the operands are taken, and what
 * was asked for is run. `job` is the command's request, filled with defaults. */
typedef struct cmd_frame {
    const mica_command *command; /* has the option "help" */
    /* Takes the n operands and checks what must be given; false with MICA_ERR_USAGE. */
    bool (*take)(void *job, int n, char **operand, mica_status *st);
    /* *code := 0 or 1, the answer, which is printed; false if there is none. */
    bool (*run)(const void *job, int *code, mica_status *st);
} cmd_frame;

/* The exit code: run's answer, or 2 after printing why there is none. Releases the lists of the job. */
int cmd_run(const cmd_frame *f, void *job, int argc, char **argv);

/* Prints the error; 2 for errors of usage and files, else 1. */
int cmd_error(const mica_status *st);

/* *dims := the bindings that texts NAME=SIZE say, said->n of them; released in any case by cmd_dims_free. */
bool cmd_dims(dim_binding **dims, const mica_arguments *said, mica_status *st);
void cmd_dims_free(dim_binding *dims, size_t n);

#endif
