/* Subcommands of a prover executable. Each takes its own arguments (argv[0] is the subcommand) and returns
 * the exit code: 0 done or accepted, 1 rejected, 2 anything else. Private to cli/. */
#ifndef MICA_CLI_CLI_H
#define MICA_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mica/model.h"
#include "mica/status.h"

int cli_run_proof(int argc, char **argv, const mica_model *model);
int cli_run_infer(int argc, char **argv, const mica_model *model);
int cli_run_info(int argc, char **argv, const mica_model *model);
int cli_run_check(int argc, char **argv, const mica_model *model);
int cli_run_digest(int argc, char **argv, const mica_model *model);
int cli_run_bench(int argc, char **argv, const mica_model *model);

/* Prints the error and returns 2. */
int cli_error(const mica_status *st);
/* Prints how the subcommand is used and returns 2. */
int cli_usage(const char *usage);

/* A decimal number in [low, high]. */
bool cli_number(uint32_t *out, const char *text, uint32_t low, uint32_t high, const char *option,
                mica_status *st);

/* Room for one argument list out of argv; filled by push. */
typedef struct cli_args {
    const char **item;
    size_t n;
} cli_args;
bool cli_args_create(cli_args *a, int argc, mica_status *st);
void cli_args_push(cli_args *a, const char *text);
void cli_args_free(cli_args *a);

#endif
