/* A program: a circuit, the order in which its cells are computed, and the weights. The lowering builds it,
 * the interpreter runs it (the slow oracle), the emitter turns it into C.
 */
#ifndef MICA_COMPILER_PROGRAM_H
#define MICA_COMPILER_PROGRAM_H

#include "mica/circuit.h"

typedef enum step_kind {
    /* tensor[0] := its definition (LINEAR with shift 0, CONTRACT or PLACEMENT). */
    STEP_EVALUATE,
    /* tensor[0] is a LINEAR h with shift s >= 0 whose remainder terms are tensor[2..2+n_limbs), low limb
     * first, together the s low bits of A = (sum of the other terms and boxes): limbs := bits of A, h := A >>
     * s (arithmetic). tensor[1], if not UINT32_MAX: y := value of table `table` at h. */
    STEP_REQUANTISE,
    /* tensor[1] := value of table `table` at tensor[0]. */
    STEP_LOOKUP,
    /* tensor[0] := max(a, b), with tensor[1] = LINEAR a - b and tensor[2] = LINEAR tensor[0] - b, both
     * computed too; lookup (tensor[1], tensor[2]) in a RELU table. b := the terms of tensor[2] other than
     * tensor[0], negated. */
    STEP_MAX,
    /* tensor[0] p := floor((2^(k+1) e + S) / (2 S)), e = tensor[1], S = tensor[2] (LINEAR, broadcast over the
     * last axis), k = param; Softmax's quotient. */
    STEP_DIVIDE,
    /* tensor[0] := floor(e / S), e = tensor[1] >= 0, S = tensor[2] > 0; all of one shape. */
    STEP_QUOTIENT,
    /* tensor[0] := floor(sqrt(V)), V = tensor[1] >= 0, of the same shape. */
    STEP_ROOT,
    /* tensor[0] over [lead..., K, n], or [lead..., n] for K = 1: row r is 1 at the place of the r-th largest
     * cell of the row of tensor[1], over [lead..., n], and 0 elsewhere; of equal cells the first is the
     * larger. */
    STEP_TOP
} step_kind;

#define STEP_MAX_TENSORS 8
typedef struct step {
    step_kind kind;
    uint32_t layer; /* circuit.layer */
    uint32_t n_limbs;
    uint32_t table; /* circuit.table, or UINT32_MAX */
    uint32_t param;
    uint32_t tensor[STEP_MAX_TENSORS]; /* unused ones are UINT32_MAX */
} step;

/* Whether every tensor of the step but the first is an operand. */
static inline bool program_step_reads(const step *s) {
    return s->kind == STEP_DIVIDE || s->kind == STEP_QUOTIENT || s->kind == STEP_ROOT || s->kind == STEP_TOP;
}

/* What a generated function's heading says about its layer. */
typedef struct layer_note {
    char node[MICA_NAME_BYTES]; /* ONNX node name */
    char op[64];                /* ONNX operators, e.g. "Conv + Relu" */
    char shapes[160];           /* "[1,28,28] * [8,1,5,5] -> [8,28,28]" */
    int64_t acc_lo, acc_hi;     /* proven range of the accumulator, bias and rounding included; 0,0 if none */
    uint64_t macs;              /* multiply-accumulates per item */
} layer_note;

typedef struct program {
    mica_circuit circuit;
    step *step;
    uint32_t n_steps;
    layer_note *note; /* circuit.n_layers entries */
    int32_t **weight; /* per tensor id: valid cells row-major (no padding) for WEIGHT tensors, else NULL */
} program;

void program_free(program *p);

/* interpret.c: runs all steps by the definitions, for one batch item. value[t]: padded cells of one item of
 * each tensor, allocated by the caller for every tensor (CONTRACT and PLACEMENT too) and zeroed; inputs and
 * weights are filled in. Fails with MICA_ERR_RANGE if a value leaves its proven range. */
bool program_interpret(const program *p, int32_t **value, mica_status *st);
/* The same values in less time: what steps have computed is neither computed again by its definition nor
 * looked up again. */
bool program_evaluate(const program *p, int32_t **value, mica_status *st);

/* program_dump.c: readable text of circuit, steps and notes (not weights), and back. */
bool program_dump(const program *p, const char *path, mica_status *st);
bool program_parse(program *p, const char *path, mica_status *st);

#endif
