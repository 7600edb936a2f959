/* What proving a program costs, before anything is committed: what the accuracy search weighs against error.
 */
#ifndef MICA_COMPILER_PROGRAM_COST_H
#define MICA_COMPILER_PROGRAM_COST_H

#include "program/program.h"

/* Padded cells for one inference. */
typedef struct program_cost {
    uint64_t witness; /* committed per proof */
    uint64_t weights; /* committed once, opened per proof */
    uint64_t lookups;
    uint64_t table_rows;
    double seconds; /* rough, of proving on two cores; grows with each of the above */
} program_cost;

program_cost program_cost_of(const program *p);

#endif
