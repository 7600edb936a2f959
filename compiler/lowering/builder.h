/* Growing a program: tensors, relations, lookups, tables, layers, steps and weights.
 *
 * Every function returns the new index, or NO_INDEX after recording an error. Tensors are numbered in the
 * order of creation, and every virtual tensor is computed by exactly one step.
 */
#ifndef MICA_COMPILER_BUILDER_H
#define MICA_COMPILER_BUILDER_H

#include "lowering/form.h"
#include "program/program.h"

#define NO_INDEX UINT32_MAX

enum {
    CAP_TENSOR,
    CAP_WEIGHT,
    CAP_LINEAR,
    CAP_TERM,
    CAP_BOX,
    CAP_CONTRACT,
    CAP_PLACEMENT,
    CAP_INDEX,
    CAP_LOOKUP,
    CAP_TABLE,
    CAP_TABLE_SHIFT,
    CAP_INPUT,
    CAP_OUTPUT,
    CAP_LAYER,
    CAP_NOTE,
    CAP_STEP,
    CAPS
};

typedef struct builder {
    program p;
    mica_status *st;
    uint32_t layer;       /* that new tensors, lookups and steps belong to */
    uint8_t *table_shift; /* per table: the largest shift of a form looked up in it */
    uint32_t capacity[CAPS];
} builder;

void builder_create(builder *b, mica_status *st);
/* Frees what has been built and not handed over. */
void builder_free(builder *b);
/* Adds the tables' multiplicities and hands the program over. */
bool builder_finish(builder *b, program *p, uint32_t max_batch);

uint32_t builder_layer(builder *b, const char *name, const char *op);
/* Appends " + op" to the operators of the layer. */
void builder_fuse_op(builder *b, uint32_t layer, const char *op);

uint32_t builder_input(builder *b, unsigned rank, const uint32_t *dim, bound range);
uint32_t builder_witness(builder *b, bool batched, unsigned rank, const uint32_t *dim, bound range);
/* Copies the integers: valid cells row-major. */
uint32_t builder_weight(builder *b, unsigned rank, const uint32_t *dim, const int32_t *value);
/* The integers 0 .. n - 1 as a weight [n], n < 2^31. */
uint32_t builder_counter(builder *b, uint32_t n);
/* v = 2^-shift * form over the form's domain. The step that computes it is the caller's. */
uint32_t builder_linear(builder *b, const form *f, unsigned shift);
/* v = form, computed by a STEP_EVALUATE. */
uint32_t builder_sum(builder *b, const form *f);
/* The shape follows from the labels; `rank` is the result's. Computed by a STEP_EVALUATE. */
uint32_t builder_contract(builder *b, const mica_contract *c, unsigned rank, bound range);
uint32_t builder_placement(builder *b, const mica_placement *c, unsigned rank, const uint32_t *dim);
/* Cells [first, first + size) of t along its last axis; all its other axes as they are. */
uint32_t builder_cut(builder *b, uint32_t t, uint32_t size, int32_t first);
/* Gives the next placement's factor the list `index`; before builder_placement, factors in order. */
bool builder_list(builder *b, mica_factor *f, uint32_t n, const uint32_t *index);

/* Equal definitions are one table. */
uint32_t builder_table(builder *b, const mica_table_def *def);
uint32_t builder_range_table(builder *b, unsigned bits);
/* As builder_table for a table of signed keys whose values are saturated, looked up by a form with a shift:
 * an existing one that differs in the number of rows only serves if it has enough, or is given more if the
 * no-wrap bound (shift + bits <= 30) of its users allows it. */
uint32_t builder_clamp_table(builder *b, const mica_table_def *def, unsigned shift);
/* Rows that builder_clamp_table would add to the circuit. */
uint64_t builder_clamp_table_rows(const builder *b, const mica_table_def *def, unsigned shift);
/* `value` is NO_INDEX for tables of one column. */
bool builder_lookup(builder *b, uint32_t table, uint32_t key, uint32_t value);

bool builder_step(builder *b, const step *s);
bool builder_port(builder *b, bool is_input, const mica_port *port);

#endif
