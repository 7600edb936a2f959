/* What one requantisation chooses: shift, table, saturation, and whether the table is read in two stages.
 * Private to requantise.c and requantise_plan.c. */
#ifndef MICA_COMPILER_REQUANTISE_PLAN_H
#define MICA_COMPILER_REQUANTISE_PLAN_H

#include "lowering/range.h"
#include "lowering/requantise.h"

typedef struct requantise_plan {
    unsigned shift, bits; /* s and c */
    double step;          /* real size of one unit of h */
    double out_scale;
    int32_t lo_value, hi_value;
    bool exact; /* y = h: no table needed */
    /* In two stages, if low > 0: h = 2^low g + l, and h' = 2^low clamp(g, lo_high, hi_high) + l is the key of
     * the table, of the `bits` that are left; high_bits are those of g. */
    unsigned low, high_bits;
    double needed; /* the saturation must not be below, in units of y */
    int32_t lo_high, hi_high;
} requantise_plan;

/* f with the given scale and range, through activation act, as graph value v. Records an error and returns
 * false if no choice fits the field. */
bool requantise_plan_make(lowering *l, const form *f, double scale, bound r, const activation *act,
                          uint32_t v, requantise_plan *p, mica_status *st);

/* The definition of the plan's table; false if a scale or parameter of it is out of range. */
bool requantise_plan_table(const requantise_plan *p, const activation *act, mica_table_def *def);

/* Table bits above which a table costs more than the lookups it serves. */
unsigned requantise_soft_bits(const lowering *l, const form *f);

/* Bits of a table whose keys are the values of range r, and 0, after a shift. */
unsigned requantise_key_bits(bound r, unsigned shift);

/* Range r with the rounding term where there is a shift. */
bound requantise_rounded(bound r, unsigned shift);

#endif
