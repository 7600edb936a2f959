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

/* 0: the parameters belong to the model; 1: they do not; 2: no decision. */
int cmd_audit(int argc, char **argv);

/* Prints the error; 2 for errors of usage and files, else 1. */
int cmd_error(const mica_status *st);

/* *dims := the bindings that texts NAME=SIZE say, said->n of them; released in any case by cmd_dims_free. */
bool cmd_dims(dim_binding **dims, const mica_arguments *said, mica_status *st);
void cmd_dims_free(dim_binding *dims, size_t n);

#endif
