/* The layered circuit: the integer program that a proof speaks about.
 *
 * The compiler builds a circuit, serialises it into the verifier parameters (vk), and the prover and the
 * verifier read it back. It has tensors, four relations and tables, and nothing else:
 *
 *   LINEAR     v = 2^-shift * ( sum_j coef_j * T_j(view_j) + sum_k box_k )      claims split, no sumcheck
 *   CONTRACT   v[out] = sum over contracted labels of A[...] * B[...]            one product sumcheck
 *   PLACEMENT  v[out] = sum over src of M[out, src] * x[src], M public, sparse   one sumcheck
 *   lookup     (entry_0, ..., entry_{k-1})[cell] is a row of a table, for every cell of a domain
 *
 * Axes. A tensor has `rank` axes of sizes dim[0..rank), outermost first. A batched tensor has one more axis,
 * the batch, outermost of all and of size B (the batch size of the statement); it is never listed in dim.
 * Each axis is padded to a power of two. The flat index of a cell is row-major over the padded axes, so bit 0
 * of the flat index is bit 0 of the last axis. D, the valid box, is the set of cells with every index below
 * its size. Every tensor is zero outside D, by proof (docs/protocol.md, "Padding").
 *
 * Order. Tensors refer only to tensors of smaller id, so a circuit is acyclic by construction.
 */
#ifndef MICA_CIRCUIT_H
#define MICA_CIRCUIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mica/status.h"
#include "mica/table.h"

#define MICA_MAX_RANK    8  /* axes of a tensor, the batch axis not counted */
#define MICA_MAX_LABELS  12 /* labels of a contraction */
#define MICA_MAX_ENTRIES 3  /* length of a lookup tuple; shorter ones are extended by zeros */
#define MICA_MAX_BITS    30 /* log2 of the padded size of a tensor, batch included */
#define MICA_MAX_TENSORS (1u << 20)
#define MICA_NAME_BYTES  64  /* names in a circuit, terminating zero included */
#define MICA_MAX_DIGESTS 256 /* committed ports times the largest batch */

typedef enum mica_tensor_kind {
    MICA_TENSOR_INPUT,    /* a public input: in the statement; batched */
    MICA_TENSOR_WEIGHT,   /* committed once, at compile time; not batched */
    MICA_TENSOR_WITNESS,  /* committed per proof: outputs of non-linear steps, remainders, multiplicities */
    MICA_TENSOR_LINEAR,   /* virtual: def indexes circuit.linear */
    MICA_TENSOR_CONTRACT, /* virtual: def indexes circuit.contract */
    MICA_TENSOR_PLACEMENT /* virtual: def indexes circuit.placement */
} mica_tensor_kind;

typedef struct mica_tensor {
    mica_tensor_kind kind;
    bool batched;
    uint8_t rank;                /* 0 for a scalar (per batch item, if batched) */
    uint32_t dim[MICA_MAX_RANK]; /* valid sizes, >= 1 */
    int32_t lo, hi;              /* proven range of every cell, padding zeros included: lo <= 0 <= hi */
    uint32_t layer;              /* index into circuit.layer, for messages and generated code */
    uint32_t def;                /* index of the definition of a virtual tensor, 0 otherwise */
} mica_tensor;

/* How the axes of an operand follow the axes of a domain. Entry i speaks of axis i of the operand:
 *   a >= 0                 the operand's axis i runs with axis (or label) a of the domain; sizes are equal
 *   MICA_VIEW_SUM          the operand is summed over axis i
 *   MICA_VIEW_AT(c)        the operand is taken at index c of axis i
 * A domain axis that no entry follows is a broadcast: the term is repeated over its valid indices. The batch
 * axis of a batched operand runs with the batch axis of the domain, which must then be batched too. */
typedef struct mica_view {
    int32_t axis[MICA_MAX_RANK];
} mica_view;
#define MICA_VIEW_SUM         (-1)
#define MICA_VIEW_AT(c)       (-2 - (int32_t)(c))
#define MICA_VIEW_IS_AT(a)    ((a) <= -2)
#define MICA_VIEW_AT_INDEX(a) ((uint32_t)(-2 - (a)))

typedef struct mica_term {
    uint32_t tensor;
    int32_t coef; /* not zero, |coef| < p */
    mica_view view;
} mica_term;

/* The constant `coef` on the cells lo[i] <= index_i < hi[i] of every item of the batch. lo = 0, hi = dim is
 * D. */
typedef struct mica_box {
    int32_t coef;
    uint32_t lo[MICA_MAX_RANK], hi[MICA_MAX_RANK];
} mica_box;

/* v = 2^-shift * (sum of terms + sum of boxes). Where shift > 0 the sum is divisible by 2^shift by
 * construction: a committed remainder with a range check is one of the terms. */
typedef struct mica_linear {
    uint8_t shift;
    uint32_t first_term, n_terms; /* into circuit.term */
    uint32_t first_box, n_boxes;  /* into circuit.box */
} mica_linear;

/* v[out] = sum_k A[.] B[.] over an index space of labels. A label is
 *   free        in out and in exactly one operand,
 *   contracted  in both operands and not in out,
 *   paired      in out and in both operands (an elementwise axis: groups, attention heads, products).
 * No other combination is valid. Views of operands refer to labels; MICA_VIEW_SUM is not allowed. The batch
 * is free if one operand is batched and paired if both are; v is batched if either is. */
typedef struct mica_contract {
    uint8_t n_labels;
    uint32_t label_dim[MICA_MAX_LABELS];
    uint8_t out_label[MICA_MAX_RANK]; /* label of axis i of v, all different */
    uint32_t a, b;                    /* operands; weights, if any, are a */
    mica_view a_view, b_view;
} mica_contract;

/* One factor of a placement matrix, tying some axes of v ("out") to some axes of x ("src"):
 *   flat = offset + sum_i out_stride[i] * out_index[i];
 *   if 0 <= flat < product of the src sizes, entry (out, src) is 1 where src, row-major over the valid sizes
 * of src_axis[0..n_src), equals flat; all other entries are 0. With `norm` > 0 the entry is norm / count
 * instead, where count >= 1 is the number of valid cells of v's row: the number of values of
 * out_index[count_axis] for which flat is valid, the other indices being fixed (count divides norm).
 *
 * With `n_indices` > 0 flat is listed instead: the k-th row, row-major over the valid sizes of
 * out_axis[0..n_out), has flat = index[first_index + k] of the circuit, or no entry where that is
 * MICA_NO_CELL. n_indices is then the number of rows, and strides, offset, norm and count_axis are 0. */
#define MICA_NO_CELL UINT32_MAX
typedef struct mica_factor {
    uint8_t n_out, n_src;
    uint8_t out_axis[MICA_MAX_RANK], src_axis[MICA_MAX_RANK];
    int32_t out_stride[MICA_MAX_RANK];
    int32_t offset;
    uint32_t norm;
    uint8_t count_axis;              /* position in out_axis; read only if norm > 0 */
    uint32_t first_index, n_indices; /* into circuit.index */
} mica_factor;

/* v[out] = sum_src prod_f M_f[out_f, src_f] x[src]. Each axis of v and each axis of x belongs to exactly one
 * factor. The batch passes through. A factor with one axis on each side, equal sizes, stride 1, offset 0 and
 * norm 0 is a pass-through and costs nothing. */
typedef struct mica_placement {
    uint32_t src;
    uint8_t n_factors;
    mica_factor factor[MICA_MAX_RANK];
} mica_placement;

/* Every cell of the padded domain (that of entry[0], batch included) is looked up: inside D the tuple
 * (entry_0, entry_1, ...) must be a row of `table`, outside D it must be zero. All entries have the same
 * dims. */
typedef struct mica_lookup {
    uint32_t table; /* index into circuit.table */
    uint8_t n_entries;
    uint32_t entry[MICA_MAX_ENTRIES]; /* tensor ids */
    uint32_t layer;
} mica_lookup;

typedef struct mica_table {
    mica_table_def def;
    uint32_t multiplicity; /* WITNESS tensor, not batched, rank 1, dim = number of rows */
} mica_table;

/* Who learns the integers of a port (docs/protocol.md, "Visibility"). */
typedef enum mica_visibility {
    MICA_PUBLIC,    /* the statement has them */
    MICA_COMMITTED, /* the statement has one digest of them per item of the batch */
    MICA_PRIVATE    /* the statement has nothing of them; the proof may reveal them all the same */
} mica_visibility;

/* A graph input or output. real = scale * integer, scale = mantissa * 2^exponent exactly.
 *
 * The tensor of a public input is an INPUT. That of another input is a LINEAR x of digits,
 *   x = lo + sum_j 2^(b_0 + ... + b_{j-1}) digit_j,
 * where digit_j is a WITNESS of x's shape that is looked up in the range table of b_j bits. Its declared
 * range is exactly what the digits give, [lo, lo + 2^(sum of b_j) - 1]. */
typedef struct mica_port {
    char name[MICA_NAME_BYTES];
    uint32_t tensor;
    int32_t mantissa;
    int32_t exponent;
    uint8_t onnx_rank;                 /* shape shown to the user, batch axis left out */
    uint32_t onnx_dim[MICA_MAX_RANK];  /* its product equals the number of valid cells per item */
    uint8_t axis_order[MICA_MAX_RANK]; /* row-major order of the user's values over the tensor's axes: the
                                          j-th slowest axis is axis_order[j] */
    bool onnx_batched;                 /* the ONNX tensor has a leading batch dimension */
    mica_visibility visibility;
    bool
        exact; /* values outside the range are refused, not saturated: indices. No meaning for the relation */
} mica_port;

/* For messages, reports and generated code; no meaning for the relation. */
typedef struct mica_layer {
    char name[MICA_NAME_BYTES]; /* ONNX node name or output name */
    char op[32];                /* ONNX operator, or "Requantise", ... */
} mica_layer;

typedef struct mica_circuit {
    uint32_t n_tensors, n_linear, n_terms, n_boxes, n_contract, n_placement, n_indices, n_lookups, n_tables,
        n_inputs, n_outputs, n_layers;
    mica_tensor *tensor;
    mica_linear *linear;
    mica_term *term;
    mica_box *box;
    mica_contract *contract;
    mica_placement *placement;
    uint32_t *index; /* of factors with a list */
    mica_lookup *lookup;
    mica_table *table;
    mica_port *input,
        *output; /* an output's tensor is any kind but WEIGHT; each carries a claim of its own */
    mica_layer *layer;
    uint32_t max_batch; /* 1 <= B <= max_batch */
} mica_circuit;

/* "public", "committed" or "private"; never NULL. */
const char *mica_visibility_name(mica_visibility v);

/* Releases all arrays and clears *c; a zeroed circuit is fine. */
void mica_circuit_free(mica_circuit *c);

/* Checks every structural rule above, that each INPUT, WEIGHT and WITNESS tensor is read, that each WITNESS
 * cell is bound in the padding, and the no-wrap rule for each LINEAR and lookup from the declared ranges of
 * its operands. On failure the status names the first offending tensor, its layer and the bound. */
bool mica_circuit_validate(const mica_circuit *c, mica_status *st);

/* Canonical bytes of a circuit (docs/formats.md). The caller frees *bytes. */
bool mica_circuit_write(const mica_circuit *c, uint8_t **bytes, size_t *size, mica_status *st);
/* Reads hostile bytes; allocates at most a small multiple of size. The result is structurally sound only
 * after mica_circuit_validate. */
bool mica_circuit_read(mica_circuit *c, const uint8_t *bytes, size_t size, mica_status *st);

/* Whether generated code keeps the cells of tensor t in memory for the prover: every INPUT, WEIGHT, WITNESS
 * and LINEAR tensor, and a PLACEMENT that another PLACEMENT reads. CONTRACT tensors exist only while a step
 * runs; operands of CONTRACT and sources of PLACEMENT are materialised or (CONTRACT only) a PLACEMENT of
 * something materialised. */
bool mica_tensor_is_materialised(const mica_circuit *c, uint32_t t);

/* ceil(log2(n)), n >= 1. */
static inline unsigned mica_log2_ceil(uint64_t n) {
    unsigned b = 0;
    while ((1ull << b) < n)
        b++;
    return b;
}

/* log2 of the padded size of one item of tensor t. */
static inline unsigned mica_item_bits(const mica_tensor *t) {
    unsigned b = 0;
    for (unsigned i = 0; i < t->rank; i++)
        b += mica_log2_ceil(t->dim[i]);
    return b;
}

/* log2 of the padded size of tensor t for a batch of B. */
static inline unsigned mica_tensor_bits(const mica_tensor *t, uint32_t batch) {
    return mica_item_bits(t) + (t->batched ? mica_log2_ceil(batch) : 0);
}

#endif
