/* Between the user's files and the integers of a statement. */
#ifndef MICA_CLI_USER_VALUES_H
#define MICA_CLI_USER_VALUES_H

#include "io/tensor_file.h"
#include "mica/statement.h"

/* The items of all arguments for ports [n] of a kind, `stem` being "input" or "output". */
bool user_items_read(tensor_items *t, const mica_port *port, uint32_t n, const char *stem,
                     const char *const *args, size_t n_args, mica_status *st);

/* A statement whose inputs are the items of all arguments, in order (io/tensor_file.h); the batch size is
 * their number. *saturated counts the values outside a port's range, which were moved to its end. */
bool user_statement_create(mica_statement *s, const mica_circuit *c, const char *const *args, size_t n_args,
                           uint64_t *saturated, mica_status *st);

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
