/* Subcommands of a prover executable. Each takes its own arguments (argv[0] is the subcommand) and returns
 * the exit code: 0 done or accepted, 1 rejected, 2 anything else. Private to cli/. */
#ifndef MICA_CLI_CLI_H
#define MICA_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mica/arguments.h"
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
/* Parses a command that takes inputs: those of --input, then the operands, are in `inputs`, which the
 * command's table fills, too. */
bool cli_parse_inputs(const mica_command *command, void *job, mica_arguments *inputs, int argc, char **argv,
                      mica_status *st);
/* Parses a command that takes options only. */
bool cli_parse_alone(const mica_command *command, void *job, int argc, char **argv, mica_status *st);

#endif
