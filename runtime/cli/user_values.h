/* Between the user's files and the integers of a statement. */
#ifndef MICA_CLI_USER_VALUES_H
#define MICA_CLI_USER_VALUES_H

#include "cli/saturation.h"
#include "io/tensor_file.h"
#include "mica/statement.h"

/* The items of all arguments for ports [n] of a kind, `stem` being "input" or "output". */
bool user_items_read(tensor_items *t, const mica_port *port, uint32_t n, const char *stem,
                     const char *const *args, size_t n_args, mica_status *st);

/* What the user supplied, and what of it lies outside the ranges. */
typedef struct user_inputs {
    tensor_items items;
    saturation *port;   /* [n_inputs] */
    uint64_t saturated; /* values of all inputs that were moved to the end of a range */
} user_inputs;

/* A statement whose inputs are the items of all arguments, in order (io/tensor_file.h); the batch size is
 * their number. */
bool user_statement_create(mica_statement *s, const mica_circuit *c, const char *const *args, size_t n_args,
                           user_inputs *user, mica_status *st);
void user_inputs_free(user_inputs *user);

/* How supplied values differ from the cells of a statement. */
typedef struct user_difference {
    bool differs;
    char detail[256];
    uint64_t saturated;
} user_difference;

/* Compares the items of the arguments with the statement's ports (inputs or outputs), committed ones by their
 * digests; a private one cannot be compared, which is an error. A supplied input
 * outside the range is compared as the prover takes it, saturated; a supplied output outside the range
 * differs. */
bool user_compare(user_difference *d, const mica_circuit *c, const mica_statement *s, bool outputs,
                  const char *const *args, size_t n_args, mica_status *st);

#endif
