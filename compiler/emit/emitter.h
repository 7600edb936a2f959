/* What the emitter's files share. Each emit_* function renders one step into e->steps. */
#ifndef MICA_COMPILER_EMIT_EMITTER_H
#define MICA_COMPILER_EMIT_EMITTER_H

#include "emit/operand.h"
#include "emit/template.h"
#include "program/program.h"

#define NO_OFFSET SIZE_MAX

typedef struct emitter {
    const program *program;
    const mica_circuit *circuit;
    pool pool;
    template_set templates;
    mica_status *status;
    bool *fused;            /* per tensor: a PLACEMENT that contractions read through windows */
    size_t *offset;         /* per tensor: cells into the workspace, NO_OFFSET if it has none */
    uint32_t *first, *last; /* per tensor of the workspace: steps between which it lives */
    size_t panels_at;       /* cells into the workspace: 16-bit copies of the step that runs (panels.h) */
    size_t scratch_cells;
    text steps; /* of the layer that is being emitted */
} emitter;

/* emit_plan.c: which placements are read in place, and where the others and the accumulators live. */
bool emit_plan(emitter *e);

/* emit_linear.c */
bool emit_linear(emitter *e, const step *s);
bool emit_requantise(emitter *e, const step *s);
bool emit_max(emitter *e, const step *s);
/* emit_cells.c */
bool emit_lookup(emitter *e, const step *s);
bool emit_divide(emitter *e, const step *s);
bool emit_quotient(emitter *e, const step *s);
bool emit_root(emitter *e, const step *s);
bool emit_top(emitter *e, const step *s);
bool emit_placement(emitter *e, const step *s);
/* emit_contract.c */
bool emit_contract(emitter *e, const step *s);

/* Operands of a contraction over its labels: {result, a, b}, a fused placement replaced by its source;
 * zeros[j]: operand j holds zeros, or cells that nothing reads, in its padding. */
void contract_operands(const emitter *e, const mica_contract *m, uint32_t result, operand op[3],
                       bool zeros[3]);

/* --- bindings that several templates share --- */

/* PREFIX, PREFIX_SOURCE and PREFIX_AT of a tensor's cells. */
void bind_cells(emitter *e, scope *s, uint32_t t, const char *name, const char *source, const char *at);
/* The loop that the parts of a frame divide (mica_frame): SPLIT and SPLIT_STEP say its iterations, of which a
 * part runs those from part_begin to part_end. */
void bind_split(scope *s, uint32_t dim, uint32_t by);
void bind_split_loop(scope *item, const char *begin, const char *end);
/* A loop of one iteration, which one part runs, where there is no other. */
void bind_once(scope *s, const char *list, const char *index, const char *begin, const char *end);
/* One item (INDEX, BEGIN, END) of `list` per loop, of which the parts divide the outermost. */
void bind_loops(scope *s, const char *list, const nest *loops);
/* For loops whose innermost one is marked MICA_INDEPENDENT: the others (OUTER, OUTER_BEGIN, OUTER_END) in
 * list "outer", and it (INDEX, BEGIN, END) in list "inner". */
void bind_independent_loops(scope *s, const nest *loops);
/* One item (INDEX, STRIDE) of `list` per loop that moves the operand. */
void bind_strides(scope *s, const char *list, const nest *loops, const int64_t *stride);

#endif
