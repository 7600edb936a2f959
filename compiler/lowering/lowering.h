/* From a typed graph to a program: quantisation and lowering.
 *
 * Each graph value becomes a qvalue: integers q with real = scale * q, without zero point. A value that a
 * linear operator has just produced is *pending*: a form (accumulator and bias) over a domain, wide and
 * exact. Whoever reads it decides: an activation requantises it through its own table, a graph output exposes
 * it as it is, an addition extends it, and any other reader gets it requantised once by the identity table.
 */
#ifndef MICA_COMPILER_LOWERING_H
#define MICA_COMPILER_LOWERING_H

#include "accuracy/calibration.h"
#include "graph/graph.h"
#include "lowering/builder.h"
#include "lowering/layout.h"
#include "program/program.h"

/* How finely a value, and the weights behind it, are taken. */
typedef struct lowering_widths {
    uint8_t activation_bits; /* 0: chosen from the number of parameters */
    uint8_t weight_bits;     /* likewise */
    bool fine;               /* no resolution is given up for smaller tables */
    bool split;              /* a product that a bound limits may have weights of two limbs */
    bool clipped;            /* saturates where the options' clipping says, not beyond the largest sample */
} lowering_widths;

typedef struct lowering_options {
    uint32_t activation_bits, weight_bits; /* of all values, as in lowering_widths */
    bool fine, split, clipped;
    const lowering_widths *widths; /* [g->n_values] of each value instead; NULL: as above */
    calibration_clipping clipping;
    uint32_t table_bits; /* 0: chosen from the number of lookups */
    uint32_t max_batch;  /* 0: 1 */
    const mica_visibility *input_visibility,
        *output_visibility; /* per graph input and output; NULL: public */
} lowering_options;

/* Which tensor holds which graph value, for comparisons with the float reference. */
typedef struct value_map {
    uint32_t n;
    uint32_t *value; /* [n] graph values */
    mica_port *port; /* [n] tensor, scale and order of axes, as for an output */
} value_map;

void value_map_free(value_map *m);

/* Lowers the whole graph. The circuit passes mica_circuit_validate or the call fails; where a no-wrap bound
 * fails, weights and then activations of the layer are narrowed first. On success the caller frees *p, and
 * *map unless it is NULL. */
bool lower_graph(program *p, value_map *map, const graph *g, const calibration *cal,
                 const lowering_options *options, mica_status *st);

/* Elements of all constants that operators with weights read. */
uint64_t lowering_parameters(const graph *g);

/* --- for the operators' lowerings (ops/lower_*.c) --- */

typedef struct qvalue {
    layout axes;
    double scale;
    uint32_t tensor; /* NO_INDEX while pending */
    form *sum;       /* while pending; owned by the lowering */
    uint32_t origin; /* graph value whose bits decide the tensor's width */
    uint32_t layer;  /* that produced it */
    bool ready;
} qvalue;

typedef struct lowering {
    const graph *g;
    const calibration *cal;
    lowering_options opt;
    builder b;
    qvalue *value; /* per graph value */
    qvalue *small; /* per graph value: the requantised form of a pending one */
    qvalue *plain; /* per graph value: its copy with one tensor axis per ONNX axis, where one was asked for */
    lowering_widths *width; /* per graph value: what was asked for */
    uint8_t *bits; /* per graph value: log2 of the steps between 0 and the largest calibrated magnitude */
    bool *tight;   /* per graph value: a no-wrap bound of a reader asks for as little head room as possible */
    bool *split;   /* per node: its weights may have two limbs */
    uint32_t
        *joined; /* per node: the sum that takes its accumulator as it is, or NO_INDEX (lowering_join.h) */
    int64_t acc_limit;  /* of accumulators with weights */
    double *want_scale; /* per graph value: scale that a reader asks for, 0 if any will do */
    bool *shown; /* per graph value: it reaches graph outputs, and is only moved on its way (lowering_shown.h)
                  */
    form **owned; /* pending forms */
    uint32_t n_owned, cap_owned;
    uint32_t narrow; /* graph value to narrow after a failed bound; NO_INDEX if none */
} lowering;

/* The magnitude of value v that its steps are counted from: the largest on the samples, or where it is
 * clipped. */
double lowering_magnitude(const lowering *l, uint32_t v);

/* The circuit's tensors; valid until the next builder call. */
static inline const mica_tensor *lowering_tensors(const lowering *l) {
    return l->b.p.circuit.tensor;
}

/* Records "node ...: message". Always returns false. */
bool lowering_fail(const lowering *l, const graph_node *n, mica_status *st, mica_code code,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));
#if defined(__clang_analyzer__) || defined(__CPPCHECK__) /* as for mica_fail */
#define lowering_fail(...) (lowering_fail(__VA_ARGS__), false)
#endif

/* The same for the two limits of a circuit that operators meet. */
bool lowering_too_many_axes(const lowering *l, const graph_node *n, mica_status *st);
bool lowering_too_many_terms(const lowering *l, const graph_node *n, mica_status *st);

/* Starts the layer of node n, with its shapes. */
bool lowering_layer(lowering *l, const graph_node *n, mica_status *st);

/* Graph value v as a tensor of activation width. */
bool lowering_operand(lowering *l, uint32_t v, qvalue *out, mica_status *st);
/* As lowering_operand, with exactly one tensor axis for each ONNX axis longer than 1. */
bool lowering_plain_operand(lowering *l, uint32_t v, qvalue *out, mica_status *st);
/* Graph value v as a form: the pending one, or its tensor. axes and scale of *out are set. */
bool lowering_form(lowering *l, uint32_t v, form *f, qvalue *out, mica_status *st);

/* Results of node n's first output. */
bool lowering_set_sum(lowering *l, const graph_node *n, const form *f, const layout *axes, double scale,
                      mica_status *st);
bool lowering_set_tensor(lowering *l, const graph_node *n, uint32_t tensor, const layout *axes, double scale,
                         uint32_t origin);
/* The output is the input with other axes. */
void lowering_set_alias(lowering *l, const graph_node *n, uint32_t from, const layout *axes);

/* Copies x into a fresh tensor with axes `to` and sizes dim: same cells row-major. */
bool lowering_replace_axes(lowering *l, qvalue *x, unsigned rank, const int64_t *dim, mica_status *st);

/* Adds round(factor * c) to a form, c being a constant of shape dim[0..rank) broadcast to the ONNX axes of
 * `axes`, aligned at the last one. */
bool lowering_add_constant(lowering *l, form *f, const layout *axes, unsigned rank, const int64_t *dim,
                           const double *c, double factor, mica_status *st);

/* A product with a constant: contract.b and both views are set, a is the new weight tensor. */
typedef struct weighted {
    mica_contract contract;
    uint8_t out_rank;
    uint8_t w_rank;
    uint32_t w_dim[MICA_MAX_RANK];
    double *w;           /* row-major over w_dim */
    unsigned contracted; /* bit i: axis i of w is summed */
    layout axes;         /* of the result */
    double bias_max;     /* largest magnitude of what will be added to the result */
    bool exact;          /* w holds integers, taken as they are */
} weighted;

/* Quantises the weights, as narrowly as the no-wrap bound asks, and contracts: *f is the accumulator, *scale
 * its scale. */
bool lowering_weighted(lowering *l, const graph_node *n, const weighted *w, const qvalue *x, form *f,
                       double *scale, mica_status *st);

/* round half away from zero; |x| < 2^62 */
int64_t round_away(double x);

/* Rounds a scale to the nearest dyadic number; false if there is none above 0 in its range. */
bool lowering_exact_scale(double *scale);

#endif
