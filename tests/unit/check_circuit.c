/* The rules of a circuit: canonical bytes, one broken circuit for every structural rule and every rule on
 * ranges, and hostile verifier parameters. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "circuit_samples.h"

enum { GEMM, LINEAR_ONLY, CONV, ELEMENTWISE, LISTED, PORTS }; /* indices of samples[] */

static mica_tensor *tensor_of(kit *k, mica_tensor_kind kind, unsigned n) {
    for (uint32_t t = 0; t < k->c.n_tensors; t++) {
        if (k->tensor[t].kind == kind && n-- == 0)
            return &k->tensor[t];
    }
    abort();
}

static mica_linear *linear_of(kit *k, unsigned n) {
    return &k->linear[tensor_of(k, MICA_TENSOR_LINEAR, n)->def];
}

/* --- one broken rule each; the circuits and the orders of their tensors are those of circuit_samples.h ---
 */

static void layer_missing(kit *k) {
    k->tensor[0].layer = 1;
}
static void axis_empty(kit *k) {
    k->tensor[0].dim[0] = 0;
}
static void axis_too_long(kit *k) {
    k->tensor[0].dim[0] = (1u << 30) + 1;
}
static void too_many_cells(kit *k) {
    k->tensor[0].dim[0] = 1u << 28; /* times a batch of 8 */
}
static void range_above_zero(kit *k) {
    k->tensor[0].lo = 1;
}
static void range_beyond_field(kit *k) {
    k->tensor[0].hi = INT32_MAX;
}
static void input_not_batched(kit *k) {
    k->tensor[0].batched = false;
}
static void weight_batched(kit *k) {
    tensor_of(k, MICA_TENSOR_WEIGHT, 0)->batched = true;
}
static void def_out_of_order(kit *k) {
    tensor_of(k, MICA_TENSOR_LINEAR, 0)->def = 1;
}
static void def_on_input(kit *k) {
    k->tensor[0].def = 1;
}
static void def_missing(kit *k) {
    k->c.n_contract = 0;
}
static void def_unused(kit *k) {
    k->c.n_placement++;
}
static void term_unused(kit *k) {
    k->c.n_terms++;
}
static void operand_of_linear_too_new(kit *k) {
    k->term[0].tensor = k->c.n_tensors - 1;
}
static void operand_of_contract_too_new(kit *k) {
    k->contract[0].b = k->c.n_tensors;
}
static void operand_of_placement_too_new(kit *k) {
    k->placement[0].src = UINT32_MAX;
}
static void view_too_long(kit *k) {
    k->term[0].view.axis[7] = 1;
}
static void view_of_other_size(kit *k) {
    k->contract[0].a_view = (mica_view){{1, 0}};
}
static void view_twice(kit *k) {
    k->contract[0].a_view = (mica_view){{0, 0}};
}
static void view_beyond_domain(kit *k) {
    k->term[0].view.axis[0] = 1;
}
static void contract_sums(kit *k) {
    k->contract[0].a_view.axis[1] = MICA_VIEW_SUM;
}
static void view_at_outside(kit *k) {
    k->term[0].view.axis[0] = MICA_VIEW_AT(3);
}
static void terms_overlap(kit *k) {
    linear_of(k, 1)->first_term = 0;
}
static void terms_run_out(kit *k) {
    linear_of(k, 1)->n_terms = UINT32_MAX;
}
static void boxes_run_out(kit *k) {
    linear_of(k, 1)->n_boxes = 77;
}
static void form_empty(kit *k) {
    linear_of(k, 0)->n_terms = 0;
}
static void shift_too_large(kit *k) {
    linear_of(k, 1)->shift = 31;
}
static void coefficient_zero(kit *k) {
    k->term[0].coef = 0;
}
static void coefficient_p(kit *k) {
    k->term[0].coef = -INT32_MAX;
}
static void linear_drops_batch(kit *k) {
    tensor_of(k, MICA_TENSOR_LINEAR, 0)->batched = false;
}
static void box_empty(kit *k) {
    k->box[0].lo[0] = k->box[0].hi[0];
}
static void box_too_large(kit *k) {
    k->box[0].hi[0]++;
}
static void box_of_other_rank(kit *k) {
    k->box[0].hi[5] = 1;
}
static void box_beyond_field(kit *k) {
    k->box[0].coef = INT32_MIN;
}
static void labels_none(kit *k) {
    k->contract[0].n_labels = 0;
}
static void label_empty(kit *k) {
    k->contract[0].label_dim[1] = 0;
}
static void labels_too_many_cells(kit *k) {
    mica_contract *d = &k->contract[0];
    for (d->n_labels = 2; d->n_labels < 5; d->n_labels++)
        d->label_dim[d->n_labels] = 1u << 30;
}
static void out_label_missing(kit *k) {
    k->contract[0].out_label[0] = 2;
}
static void out_label_of_other_size(kit *k) {
    k->contract[0].out_label[0] = 1;
}
static void out_label_twice(kit *k) {
    k->contract[0].out_label[1] = k->contract[0].out_label[0];
}
static void out_label_beyond_rank(kit *k) {
    k->contract[0].out_label[3] = 1;
}
static void label_in_one_place(kit *k) {
    k->contract[0].label_dim[2] = 4;
    k->contract[0].n_labels = 3;
}
static void contract_not_batched(kit *k) {
    tensor_of(k, MICA_TENSOR_CONTRACT, 0)->batched = false;
}
static void contract_of_contract(kit *k) {
    const mica_tensor *x = tensor_of(k, MICA_TENSOR_CONTRACT, 0);
    const uint32_t acc = (uint32_t)(x - k->tensor);
    (void)kit_contract(k, true, 0, 0, (uint32_t[]){x->dim[0], 0},
                       (mica_contract){.n_labels = 1, .label_dim = {x->dim[0]}, .a = acc, .b = acc});
}
static void factor_axis_twice(kit *k) {
    k->placement[0].factor[2].out_axis[0] = 1;
}
static void factor_axis_missing(kit *k) {
    k->placement[0].factor[0].out_axis[0] = 7;
}
static void factor_too_many_rows(kit *k) {
    mica_tensor *x = tensor_of(k, MICA_TENSOR_PLACEMENT, 0);
    x->dim[1] = 1u << 23;
    x->dim[3] = 4;
    x->dim[0] = x->dim[2] = x->dim[4] = 1;
    k->c.max_batch = 1;
    k->placement[0].factor[0] = k->placement[0].factor[1]; /* first, before the pass-through axes are seen */
}
static void factor_source_twice(kit *k) {
    k->placement[0].factor[2].src_axis[0] = 1;
}
static void factor_source_missing(kit *k) {
    k->placement[0].factor[0].src_axis[0] = 3;
}
static void factor_too_many_cells(kit *k) {
    k->tensor[0].dim[1] = (1u << 24) + 1;
    k->tensor[0].dim[0] = k->tensor[0].dim[2] = 1;
    k->c.max_batch = 1;
}
static void factor_stride(kit *k) {
    mica_tensor *x = tensor_of(k, MICA_TENSOR_PLACEMENT, 0);
    x->dim[1] = 1u << 12;
    k->placement[0].factor[1].out_stride[0] = INT32_MIN;
}
static void factor_norm(kit *k) {
    k->placement[0].factor[1].norm = (1u << 20) + 1;
}
static void factor_count_axis(kit *k) {
    k->placement[0].factor[1].norm = 6;
    k->placement[0].factor[1].count_axis = 2;
}
static void list_out_of_order(kit *k) {
    k->placement[0].factor[1].first_index = 0;
}
static void list_too_short(kit *k) {
    k->placement[0].factor[0].n_indices = 3;
}
static void list_beyond_array(kit *k) {
    k->c.n_indices = 9;
}
static void list_unused(kit *k) {
    k->c.n_indices++;
}
static void list_beyond_source(kit *k) {
    k->index[0] = 3;
}
static void list_and_strides(kit *k) {
    k->placement[0].factor[1].out_stride[1] = 1;
}
static void list_and_offset(kit *k) {
    k->placement[0].factor[0].offset = -1;
}
static void list_and_norm(kit *k) {
    k->placement[0].factor[0].norm = 1;
}
static void list_empty(kit *k) {
    k->placement[2].factor[0].first_index = 22;
}
static void factor_count_alone(kit *k) {
    k->placement[0].factor[1].count_axis = 1;
}
static void placement_of_contract(kit *k) {
    k->placement[1].src = (uint32_t)(tensor_of(k, MICA_TENSOR_CONTRACT, 0) - k->tensor);
}
static void placement_not_batched(kit *k) {
    tensor_of(k, MICA_TENSOR_PLACEMENT, 0)->batched = false;
}
static void placement_leaves_axis(kit *k) {
    k->placement[0].n_factors = 2;
}
static void lookup_without_table(kit *k) {
    k->lookup[0].table = k->c.n_tables;
}
static void lookup_without_layer(kit *k) {
    k->lookup[0].layer = 1;
}
static void lookup_too_narrow(kit *k) {
    k->lookup[k->c.n_lookups - 1].n_entries = 1;
}
static void lookup_of_two_shapes(kit *k) {
    k->lookup[k->c.n_lookups - 1].entry[1] = 0;
}
static void lookup_of_nothing(kit *k) {
    k->lookup[0].entry[0] = k->c.n_tensors;
}
static void table_malformed(kit *k) {
    k->table[0].def.lo_key = 3;
}
static void multiplicities_missing(kit *k) {
    k->table[0].multiplicity = k->c.n_tensors;
}
static void multiplicities_of_other_size(kit *k) {
    k->tensor[k->table[0].multiplicity].dim[0]--;
}
static void multiplicities_shared(kit *k) {
    k->table[1].def = k->table[0].def;
    k->table[1].multiplicity = k->table[0].multiplicity;
}
static void multiplicities_batched(kit *k) {
    k->tensor[k->table[0].multiplicity].batched = true;
}
static void port_without_tensor(kit *k) {
    k->output[0].tensor = k->c.n_tensors;
}
static void output_not_batched(kit *k) {
    k->output[0].tensor = k->table[0].multiplicity;
}
static void port_shape_empty(kit *k) {
    k->output[0].onnx_dim[0] = 0;
}
static void port_shape(kit *k) {
    k->output[0].onnx_dim[0]++;
}
static void port_order(kit *k) {
    k->input[0].axis_order[0] = k->input[0].axis_order[1];
}
static void port_scale_negative(kit *k) {
    k->input[0].mantissa = -1;
}
static void port_scale_large(kit *k) {
    k->input[0].exponent = 201;
}
static void no_output(kit *k) {
    k->c.n_outputs = 0;
}
static void input_without_port(kit *k) {
    k->c.n_inputs = 0;
}
static void inputs_swapped(kit *k) {
    k->input[0].tensor = 1;
    k->input[1].tensor = 0;
}
static void input_port_twice(kit *k) {
    k->input[1] = k->input[0];
    k->c.n_inputs = 2;
}
/* The forms of digits of the sample "ports": input 0 has two, input 2 one. */
static mica_linear *form_of_input(kit *k, uint32_t i) {
    return &k->linear[k->tensor[k->input[i].tensor].def];
}
static void digit_unchecked(kit *k) { /* a private input whose cells no range table bounds */
    const uint32_t digit = k->term[form_of_input(k, 2)->first_term].tensor;
    for (uint32_t i = 0; i < k->c.n_lookups; i++)
        k->lookup[i].entry[0] = k->lookup[i].entry[0] == digit ? digit - 2 : k->lookup[i].entry[0];
}
static void digit_in_larger_table(kit *k) {
    k->lookup[0].table = 1;
}
static void digit_of_other_weight(kit *k) {
    k->term[form_of_input(k, 0)->first_term + 1].coef = 16;
}
static void digit_twice(kit *k) {
    const uint32_t first = form_of_input(k, 0)->first_term;
    k->term[first + 1].tensor = k->term[first].tensor;
}
static void digit_transposed(kit *k) {
    k->term[form_of_input(k, 2)->first_term].view.axis[1] = MICA_VIEW_AT(0);
}
static void input_range_wide(kit *k) {
    k->tensor[k->input[2].tensor].hi++;
}
static void input_least_value_partial(kit *k) {
    k->box[form_of_input(k, 0)->first_box].hi[1]--;
}
static void input_of_another_kind(kit *k) {
    k->input[0].tensor = k->term[form_of_input(k, 0)->first_term].tensor;
}
static void input_form_made_public(kit *k) {
    k->input[0].visibility = MICA_PUBLIC;
}
static void input_values_made_private(kit *k) {
    k->input[1].visibility = MICA_PRIVATE;
}
static void digests_too_many(kit *k) {
    k->c.max_batch = 52; /* of 5 ports */
}

static void tensor_unread(kit *k) {
    const uint32_t t = kit_input(k, 0, 1, (uint32_t[]){2, 0});
    (void)t;
}
static void witness_unbound(kit *k) { /* a lookup that reads it as a sum binds no cell */
    const uint32_t m = kit_witness(k, true, 0, 3, (uint32_t[]){3, 0});
    const uint32_t h = kit_linear(k, m, 0, 0, 15);
    kit_term(k, m, 1, (mica_view){{MICA_VIEW_SUM}});
    kit_lookup(k, kit_table(k, (mica_table_def){.kind = MICA_TABLE_RANGE, .bits = 4}), h, KIT_END);
}
static void witness_cancelled(kit *k) { /* m - m binds nothing */
    const uint32_t m = kit_witness(k, true, 0, 3, (uint32_t[]){3, 0});
    const uint32_t h = kit_linear(k, m, 0, -3, 3);
    kit_term(k, m, 1, kit_identity(k, m));
    kit_term(k, m, -1, kit_identity(k, m));
    kit_lookup(k, kit_table(k, (mica_table_def){.kind = MICA_TABLE_RANGE, .bits = 4}), h, KIT_END);
}
static void batch_none(kit *k) {
    k->c.max_batch = 0;
}
static void batch_too_large(kit *k) {
    k->c.max_batch = (1u << 20) + 1;
}
static void too_many_tensors(kit *k) {
    k->c.n_tensors = MICA_MAX_TENSORS + 1;
}

/* --- ranges --- */

static void range_too_narrow(kit *k) { /* the sum of accumulator and bias */
    tensor_of(k, MICA_TENSOR_LINEAR, 0)->hi = 5299;
}
static void value_range_too_narrow(kit *k) {
    k->tensor[k->output[0].tensor].hi = 62;
}
static void remainder_too_narrow(kit *k) {
    tensor_of(k, MICA_TENSOR_WITNESS, 2)->hi = 30; /* its table has 32 rows */
}
static void range_of_field_size(kit *k) {
    k->tensor[0].lo = -(1 << 30);
    k->tensor[0].hi = 1 << 30;
}
static void product_too_large(kit *k) { /* 30 * 40 does not fit */
    tensor_of(k, MICA_TENSOR_CONTRACT, 0)->hi = 1199;
}
static void placement_norm_too_large(kit *k) { /* 6 * 100 does not fit */
    tensor_of(k, MICA_TENSOR_PLACEMENT, 0)->lo = -599;
}
static void requantisation_wraps(kit *k) { /* 2^10 keys times 2^21 reach p */
    linear_of(k, 1)->shift = 22;
}
static void sum_wraps(kit *k) { /* p times an accumulator, in a lookup */
    k->term[linear_of(k, 1)->first_term].coef = 1 << 20;
}
static void shift_without_lookup(kit *k) {
    linear_of(k, 0)->shift = 1;
}
static void lookups_wrap(kit *k) {
    const uint32_t table = kit_table(k, (mica_table_def){.kind = MICA_TABLE_RANGE, .bits = 4});
    const uint32_t y = kit_witness(k, true, 0, 15, (uint32_t[]){1u << 27, 0});
    k->c.max_batch = 8;
    kit_lookup(k, table, y, KIT_END);
    kit_lookup(k, table, y, KIT_END);
}

/* A maximum of x and y by hand: d = x - y and r = m - y in the table of max(key, 0). */
typedef struct maximum {
    uint32_t x, y, m, d, r;
    mica_view m_view;
} maximum;

static void build_maximum(kit *k, maximum *o) {
    kit_begin(k, 4);
    o->x = kit_input(k, -9, 20, (uint32_t[]){4, 0});
    o->y = kit_input(k, -30, 10, (uint32_t[]){4, 0});
    const uint32_t table = kit_table(k, (mica_table_def){.kind = MICA_TABLE_RELU, .bits = 7, .lo_key = -64});
    o->m = kit_witness(k, true, -30, 20, (uint32_t[]){4, 0});
    o->m_view = kit_identity(k, o->m);
    o->d = kit_linear(k, o->x, 0, -19, 50);
    kit_term(k, o->x, 1, kit_identity(k, o->x));
    kit_term(k, o->y, -1, kit_identity(k, o->y));
    o->r = kit_linear(k, o->x, 0, 0, 50);
    kit_term(k, o->m, 1, o->m_view);
    kit_term(k, o->y, -1, kit_identity(k, o->y));
    kit_lookup(k, table, o->d, o->r);
    kit_output(k, o->m);
}

static void maximum_narrow(kit *k) {
    maximum o;
    build_maximum(k, &o);
    k->tensor[o.m].hi = 19;
}
/* A lookup that binds the padding of m but not its range. */
static void bind_padding(kit *k, const maximum *o) {
    const uint32_t h = kit_linear(k, o->m, 0, -64, 63);
    kit_term(k, o->x, 1, kit_identity(k, o->x));
    kit_term(k, o->m, 1, kit_identity(k, o->m));
    kit_lookup(k, k->lookup[0].table, h, h);
}
/* m[i] = max(x[i], m[0]): any m[0] >= x[0] will do. */
static void maximum_of_itself(kit *k) {
    maximum o;
    build_maximum(k, &o);
    for (unsigned i = 0; i < 2; i++) {
        mica_term *y = &k->term[k->linear[k->tensor[i ? o.r : o.d].def].first_term + 1];
        y->tensor = o.m;
        y->view = (mica_view){{MICA_VIEW_AT(0)}};
        k->tensor[i ? o.r : o.d].lo = -64;
        k->tensor[i ? o.r : o.d].hi = 63;
    }
    kit_output(k, o.y);
    bind_padding(k, &o);
}
/* Only m[0] is bound by the maximum. */
static void maximum_of_one_cell(kit *k) {
    maximum o;
    build_maximum(k, &o);
    k->term[k->linear[k->tensor[o.r].def].first_term].view = (mica_view){{MICA_VIEW_AT(0)}};
    bind_padding(k, &o);
}
static void maximum_of_twice(kit *k) { /* 2m - y */
    maximum o;
    build_maximum(k, &o);
    k->term[k->linear[k->tensor[o.r].def].first_term].coef = 2;
}

typedef struct mutation {
    void (*apply)(kit *);
    int sample;           /* of circuit_samples.h; -1: apply builds the circuit */
    const char *fragment; /* of the message */
} mutation;

static const mutation mutations[] = {
    {layer_missing, GEMM, "its layer does not exist"},
    {axis_empty, GEMM, "an axis is empty or too long"},
    {axis_too_long, GEMM, "an axis is empty or too long"},
    {too_many_cells, GEMM, "more than 2^30 padded cells"},
    {range_above_zero, GEMM, "does not contain zero or exceeds the field"},
    {range_beyond_field, GEMM, "does not contain zero or exceeds the field"},
    {input_not_batched, GEMM, "an input is batched"},
    {weight_batched, GEMM, "a weight is not batched"},
    {def_out_of_order, GEMM, "definitions are not numbered in order"},
    {def_on_input, GEMM, "definitions are not numbered in order"},
    {def_missing, GEMM, "definitions are not numbered in order"},
    {def_unused, GEMM, "a definition belongs to no tensor"},
    {term_unused, GEMM, "a definition belongs to no tensor"},
    {operand_of_linear_too_new, GEMM, "an operand does not precede it"},
    {operand_of_contract_too_new, GEMM, "an operand does not precede it"},
    {operand_of_placement_too_new, CONV, "an operand does not precede it"},
    {view_too_long, GEMM, "a view speaks of axes that its operand does not have"},
    {view_of_other_size, GEMM, "follows an axis of another size, or one twice"},
    {view_twice, GEMM, "follows an axis of another size, or one twice"},
    {view_beyond_domain, GEMM, "follows an axis of another size, or one twice"},
    {contract_sums, GEMM, "sums an operand's axis outside its labels"},
    {view_at_outside, GEMM, "a view takes an index outside its axis"},
    {terms_overlap, GEMM, "terms or boxes are not numbered in order"},
    {terms_run_out, GEMM, "terms or boxes are not numbered in order"},
    {boxes_run_out, GEMM, "terms or boxes are not numbered in order"},
    {form_empty, GEMM, "a linear form is empty or its shift too large"},
    {shift_too_large, GEMM, "a linear form is empty or its shift too large"},
    {coefficient_zero, GEMM, "a coefficient is zero in the field"},
    {coefficient_p, GEMM, "a coefficient is zero in the field"},
    {linear_drops_batch, GEMM, "a linear form drops the batch of an operand"},
    {box_empty, GEMM, "a box is empty or leaves the tensor"},
    {box_too_large, GEMM, "a box is empty or leaves the tensor"},
    {box_of_other_rank, GEMM, "a box is empty or leaves the tensor"},
    {box_beyond_field, GEMM, "a box's constant exceeds the field"},
    {labels_none, GEMM, "a contraction has no labels"},
    {label_empty, GEMM, "a label is empty or too long"},
    {labels_too_many_cells, GEMM, "a contraction spans too many cells"},
    {out_label_missing, GEMM, "the labels of a contraction's result do not fit"},
    {out_label_of_other_size, GEMM, "the labels of a contraction's result do not fit"},
    {out_label_twice, CONV, "the labels of a contraction's result do not fit"},
    {out_label_beyond_rank, GEMM, "the labels of a contraction's result do not fit"},
    {label_in_one_place, GEMM, "a label is neither free, nor contracted, nor paired"},
    {contract_not_batched, GEMM, "a contraction is batched exactly if an operand is"},
    {contract_of_contract, GEMM, "a contraction reads a contraction"},
    {factor_axis_twice, CONV, "a placement names an axis of its result twice"},
    {factor_axis_missing, CONV, "a placement names an axis of its result twice"},
    {factor_too_many_rows, CONV, "a placement factor has more than 2^24 rows"},
    {factor_source_twice, CONV, "a placement names an axis of its source twice"},
    {factor_source_missing, CONV, "a placement names an axis of its source twice"},
    {factor_too_many_cells, CONV, "a placement factor reads more than 2^24 cells"},
    {factor_stride, CONV, "a placement's strides are too large"},
    {factor_norm, CONV, "a placement's norm is too large"},
    {factor_count_axis, CONV, "a placement's norm is too large"},
    {factor_count_alone, CONV, "a placement counts an axis without a norm"},
    {list_out_of_order, LISTED, "the lists of placements are not numbered in order"},
    {list_too_short, LISTED, "the lists of placements are not numbered in order"},
    {list_beyond_array, LISTED, "the lists of placements are not numbered in order"},
    {list_unused, LISTED, "a definition belongs to no tensor"},
    {list_beyond_source, LISTED, "a placement lists a cell that its source does not have"},
    {list_and_strides, LISTED, "a placement has both a list and strides"},
    {list_and_offset, LISTED, "a placement has both a list and strides"},
    {list_and_norm, LISTED, "a placement has both a list and strides"},
    {list_empty, LISTED, "a placement names an empty list"},
    {placement_of_contract, CONV, "a placement reads a contraction"},
    {placement_not_batched, CONV, "a placement passes the batch through"},
    {placement_leaves_axis, CONV, "a placement leaves an axis out"},
    {lookup_without_table, GEMM, "names a table or layer that does not exist"},
    {lookup_without_layer, GEMM, "names a table or layer that does not exist"},
    {lookup_too_narrow, GEMM, "does not fit the width of its table"},
    {lookup_of_two_shapes, GEMM, "has entries of different shapes"},
    {lookup_of_nothing, GEMM, "has entries of different shapes"},
    {table_malformed, GEMM, "table: the keys"},
    {multiplicities_missing, GEMM, "has no multiplicities"},
    {multiplicities_of_other_size, GEMM, "multiplicities do not fit their table"},
    {multiplicities_shared, GEMM, "multiplicities do not fit their table"},
    {multiplicities_batched, GEMM, "multiplicities do not fit their table"},
    {port_without_tensor, GEMM, "has no tensor"},
    {output_not_batched, GEMM, "an output is not batched"},
    {port_shape_empty, GEMM, "a port's shape is out of range"},
    {port_shape, GEMM, "a port's shape does not fit its tensor"},
    {port_order, CONV, "a port's shape does not fit its tensor"},
    {port_scale_negative, GEMM, "a port's scale is out of range"},
    {port_scale_large, GEMM, "a port's scale is out of range"},
    {no_output, GEMM, "no output"},
    {input_without_port, GEMM, "input tensors and public inputs are not in the same order"},
    {inputs_swapped, ELEMENTWISE, "input tensors and public inputs are not in the same order"},
    {input_port_twice, GEMM, "graph inputs are not in the order of their tensors"},
    {digit_unchecked, PORTS, "do not give its range"},
    {digit_in_larger_table, PORTS, "do not give its range"},
    {digit_of_other_weight, PORTS, "do not give its range"},
    {digit_twice, PORTS, "do not give its range"},
    {digit_transposed, PORTS, "do not give its range"},
    {input_range_wide, PORTS, "do not give its range"},
    {input_least_value_partial, PORTS, "do not give its range"},
    {input_of_another_kind, PORTS, "no batched form of digits"},
    {input_form_made_public, PORTS, "input tensors and public inputs are not in the same order"},
    {input_values_made_private, PORTS, "input tensors and public inputs are not in the same order"},
    {digests_too_many, PORTS, "one proof shows at most"},
    {tensor_unread, GEMM, "nothing reads it"},
    {witness_unbound, GEMM, "no lookup binds its cells"},
    {witness_cancelled, GEMM, "no lookup binds its cells"},
    {batch_none, GEMM, "a count is out of range"},
    {batch_too_large, GEMM, "a count is out of range"},
    {too_many_tensors, GEMM, "a count is out of range"},
    {range_too_narrow, GEMM, "its cells can leave the declared range"},
    {value_range_too_narrow, GEMM, "its cells can leave the declared range"},
    {remainder_too_narrow, GEMM, "its cells can leave the declared range"},
    {range_of_field_size, GEMM, "its range is not below the field's size"},
    {product_too_large, ELEMENTWISE, "its cells can leave the declared range"},
    {placement_norm_too_large, ELEMENTWISE, "its cells can leave the declared range"},
    {requantisation_wraps, GEMM, "could wrap around the field"},
    {sum_wraps, GEMM, "could wrap around the field"},
    {shift_without_lookup, GEMM, "a shifted form enters no lookup"},
    {lookups_wrap, GEMM, "multiplicities could wrap"},
    {maximum_narrow, -1, "its cells can leave the declared range"},
    {maximum_of_itself, -1, "its cells can leave the declared range"},
    {maximum_of_one_cell, -1, "its cells can leave the declared range"},
    {maximum_of_twice, -1, "its cells can leave the declared range"},
};
#define MUTATIONS (int)(sizeof mutations / sizeof *mutations)

START_TEST(refuses_broken_rule) {
    const mutation *m = &mutations[_i];
    kit k;
    mica_status st = {0};
    if (m->sample >= 0) {
        samples[m->sample].build(&k);
        ck_assert_msg(mica_circuit_validate(&k.c, &st), "%s: %s", samples[m->sample].name, st.message);
    }
    m->apply(&k);
    ck_assert_msg(!mica_circuit_validate(&k.c, &st), "accepted, should have said '%s'", m->fragment);
    ck_assert_msg(strstr(st.message, m->fragment) != NULL, "'%s' instead of '%s'", st.message, m->fragment);
    ck_assert(st.code == MICA_ERR_FORMAT || st.code == MICA_ERR_RANGE || st.code == MICA_ERR_LIMIT);
    kit_free(&k);
}
END_TEST

START_TEST(accepts_a_maximum) {
    kit k;
    maximum o;
    mica_status st = {0};
    build_maximum(&k, &o);
    ck_assert_msg(mica_circuit_validate(&k.c, &st), "%s", st.message);
}
END_TEST

/* Tables whose rows together exceed what the lookup argument is made for. */
START_TEST(refuses_too_many_rows) {
    enum { TABLES = (1 << 12) + 1 };
    kit k;
    mica_status st = {0};
    build_gemm(&k);
    const uint32_t n = k.c.n_tensors, first = k.c.n_tables;
    k.c.tensor = calloc(n + TABLES, sizeof *k.c.tensor);
    k.c.table = calloc(first + TABLES, sizeof *k.c.table);
    memcpy(k.c.tensor, k.tensor, n * sizeof *k.c.tensor);
    memcpy(k.c.table, k.table, first * sizeof *k.c.table);
    for (uint32_t i = 0; i < TABLES; i++) {
        k.c.tensor[n + i] =
            (mica_tensor){.kind = MICA_TENSOR_WITNESS, .rank = 1, .dim = {1u << 18}, .hi = INT32_MAX - 2};
        k.c.table[first + i] = (mica_table){{.kind = MICA_TABLE_RANGE, .bits = 18}, n + i};
    }
    k.c.n_tensors = n + TABLES;
    k.c.n_tables = first + TABLES;
    ck_assert(!mica_circuit_validate(&k.c, &st));
    ck_assert_int_eq(st.code, MICA_ERR_LIMIT);
    ck_assert_msg(strstr(st.message, "2^30 rows") != NULL, "%s", st.message);
    free(k.c.tensor);
    free(k.c.table);
    kit_free(&k);
}
END_TEST

/* --- bytes --- */

START_TEST(bytes_are_canonical) {
    kit k;
    mica_circuit c;
    mica_vk vk;
    mica_status st = {0};
    uint8_t *bytes, *again;
    size_t size, size_again;
    samples[_i].build(&k);
    ck_assert(kit_finish(&k, 40));
    ck_assert(mica_circuit_write(&k.c, &bytes, &size, &st));
    ck_assert(mica_circuit_read(&c, bytes, size, &st));
    ck_assert(mica_circuit_validate(&c, &st));
    ck_assert(mica_circuit_write(&c, &again, &size_again, &st));
    ck_assert_uint_eq(size, size_again);
    ck_assert_mem_eq(bytes, again, size);
    for (size_t cut = 0; cut < size; cut++) {
        mica_circuit other;
        mica_status error = {0};
        ck_assert_msg(!mica_circuit_read(&other, bytes, cut, &error), "%zu of %zu bytes", cut, size);
        ck_assert_int_eq(error.code, MICA_ERR_FORMAT);
    }
    mica_circuit_free(&c);
    free(bytes);
    free(again);
    ck_assert(mica_vk_read(&vk, k.vk_bytes, k.vk_size, &st));
    ck_assert_mem_eq(vk.digest, k.vk.digest, sizeof vk.digest);
    ck_assert(mica_vk_write(&vk, &again, &size_again, &st));
    ck_assert_uint_eq(k.vk_size, size_again);
    ck_assert_mem_eq(k.vk_bytes, again, size_again);
    free(again);
    mica_vk_free(&vk);
    for (size_t cut = 0; cut <= k.vk_size; cut++) {
        uint8_t *exact = malloc(k.vk_size + 1); /* a buffer of its own size: overreads are seen */
        mica_status error = {0};
        memcpy(exact, k.vk_bytes, cut);
        exact[cut] = 0;
        if (cut < k.vk_size)
            exact = realloc(exact, cut + 1);
        ck_assert_msg(!mica_vk_read(&vk, exact, cut < k.vk_size ? cut : cut + 1, &error), "%zu of %zu bytes",
                      cut, k.vk_size);
        ck_assert_int_eq(error.code, MICA_ERR_FORMAT);
        free(exact);
    }
    kit_free(&k);
}
END_TEST

/* Names go to terminals as they are. */
START_TEST(refuses_control_characters) {
    enum {
        MODEL_ID = 8 + 4 + 4 + 2 + 32,
        VERSION = MODEL_ID + MICA_NAME_BYTES,
        RECORD = VERSION + 32 + 4,
        LAYER = RECORD + 9 + 8 /* behind "mica kit\n", max_batch and the number of layers */
    };
    static const size_t places[] = {MODEL_ID, VERSION, RECORD + 5, LAYER};
    static const char refused[] = "\x01\n\x1b\x1f\x7f", fine[] = " ~\x80\xff";
    kit k;
    samples[0].build(&k);
    ck_assert(kit_finish(&k, 40));
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        uint8_t *byte = k.vk_bytes + places[i];
        const uint8_t kept = *byte;
        for (const char *c = refused; *c; c++) {
            mica_vk vk;
            mica_status error = {0};
            *byte = (uint8_t)*c;
            ck_assert_msg(!mica_vk_read(&vk, k.vk_bytes, k.vk_size, &error), "byte %d at %zu", *c, places[i]);
            ck_assert_int_eq(error.code, MICA_ERR_FORMAT);
        }
        for (const char *c = fine; *c; c++) {
            mica_vk vk;
            mica_status error = {0};
            *byte = (uint8_t)*c;
            ck_assert_msg(mica_vk_read(&vk, k.vk_bytes, k.vk_size, &error), "byte %d at %zu: %s", *c,
                          places[i], error.message);
            mica_vk_free(&vk);
        }
        *byte = kept;
    }
    kit_free(&k);
}
END_TEST

/* Changes one to three places of vk bytes: bits, bytes, or 32-bit words to values that arithmetic dislikes.
 */
static void mutate(uint8_t *bytes, size_t size, uint64_t *seed) {
    static const uint32_t words[] = {0,           1,           0xffffffffu, 0x80000000u, 0x7fffffffu,
                                     0x7ffffffeu, 0x40000000u, 1u << 20,    1u << 24,    0xfffffffeu};
    const unsigned places = 1 + kit_random(seed) % 3;
    for (unsigned i = 0; i < places; i++) {
        const size_t at = kit_random(seed) % size;
        switch (kit_random(seed) % 3) {
        case 0:
            bytes[at] ^= (uint8_t)(1u << kit_random(seed) % 8);
            break;
        case 1:
            bytes[at] = (uint8_t)kit_random(seed);
            break;
        default: {
            const uint32_t word = words[kit_random(seed) % (sizeof words / sizeof *words)];
            for (unsigned j = 0; j < 4 && at + j < size; j++)
                bytes[at + j] = (uint8_t)(word >> 8 * j);
        }
        }
    }
}

/* A proof made for other parameters, its digest replaced by theirs: everything after it must fail. */
static bool proof_passes(const mica_vk *vk, uint8_t *file, size_t size) {
    mica_statement s;
    mica_status st = {0};
    mica_verdict v = {0};
    size_t used;
    const mica_verify_options options = {.min_security_bits = 1};
    memcpy(file + 12, vk->digest, MICA_DIGEST_BYTES); /* after magic and version */
    if (!mica_statement_read(&s, &vk->circuit, file, size, &used, &st, &v))
        return false;
    const bool passes = mica_verify(vk, &s, file + used, size - used, &options, &v, &st);
    ck_assert(passes || v.code != MICA_ACCEPT);
    ck_assert_msg(passes || v.code != MICA_VERDICT_UNSET || st.code != MICA_OK, "no decision and no reason");
    mica_statement_free(&s, &vk->circuit);
    return passes;
}

static unsigned rounds(void) {
    const char *n = getenv("MICA_TEST_MUTATIONS");
    return n ? (unsigned)strtoul(n, NULL, 10) : 20000;
}

START_TEST(survives_hostile_parameters) {
    kit k;
    uint8_t *file;
    size_t size;
    uint64_t seed = 1234 + (uint64_t)_i;
    mica_status st = {0};
    unsigned read = 0, planned = 0;
    samples[_i].build(&k);
    ck_assert(kit_finish(&k, 40));
    ck_assert(kit_prove(&k, 2, 5, &file, &size, &st));
    uint8_t *bytes = malloc(k.vk_size);
    for (unsigned i = 0; i < rounds(); i++) {
        mica_vk vk;
        mica_report report;
        mica_status error = {0}, limit = {0};
        memcpy(bytes, k.vk_bytes, k.vk_size);
        mutate(bytes, k.vk_size, &seed);
        if (!mica_vk_read(&vk, bytes, k.vk_size, &error)) {
            ck_assert(error.code != MICA_OK && error.code != MICA_ERR_INTERNAL);
            continue;
        }
        read++;
        planned += mica_report_make(&vk, 1 + i % vk.circuit.max_batch % 9, &report, &limit);
        ck_assert_msg(limit.code != MICA_ERR_INTERNAL, "%s, mutation %u: %s", samples[_i].name, i,
                      limit.message);
        ck_assert_msg(proof_passes(&vk, file, size) == (memcmp(bytes, k.vk_bytes, k.vk_size) == 0),
                      "%s, mutation %u", samples[_i].name, i);
        mica_vk_free(&vk);
    }
    (void)printf("%-12s %u mutations, %u read, %u planned\n", samples[_i].name, rounds(), read, planned);
    free(bytes);
    free(file);
    kit_free(&k);
}
END_TEST

/* Statement and proof bytes under the right parameters. */
START_TEST(survives_hostile_proofs) {
    kit k;
    uint8_t *file;
    size_t size;
    uint64_t seed = 4321 + (uint64_t)_i;
    mica_status st = {0};
    samples[_i].build(&k);
    ck_assert(kit_finish(&k, 40));
    ck_assert(kit_prove(&k, 2, 5, &file, &size, &st));
    uint8_t *bytes = malloc(size);
    for (unsigned i = 0; i < rounds() / 5; i++) {
        mica_verdict v;
        mica_status error = {0};
        memcpy(bytes, file, size);
        mutate(bytes, i % 2 ? size : 96, &seed); /* the statement's header as often as the rest */
        const size_t n = i % 5 ? size : kit_random(&seed) % size;
        const bool same = n == size && memcmp(bytes, file, size) == 0;
        ck_assert_msg(kit_verify(&k, bytes, n, &v, &error) == same, "%s, mutation %u", samples[_i].name, i);
        ck_assert(same || v.code != MICA_ACCEPT);
    }
    free(bytes);
    free(file);
    kit_free(&k);
}
END_TEST

int main(void) {
    Suite *s = suite_create("circuit");
    TCase *t = tcase_create("rules");
    tcase_add_loop_test(t, refuses_broken_rule, 0, MUTATIONS);
    tcase_add_test(t, accepts_a_maximum);
    tcase_add_test(t, refuses_too_many_rows);
    suite_add_tcase(s, t);
    TCase *b = tcase_create("bytes");
    tcase_set_timeout(b, 600);
    tcase_add_loop_test(b, bytes_are_canonical, 0, SAMPLES);
    tcase_add_test(b, refuses_control_characters);
    tcase_add_loop_test(b, survives_hostile_parameters, 0, SAMPLES);
    tcase_add_loop_test(b, survives_hostile_proofs, 0, SAMPLES);
    suite_add_tcase(s, b);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    const int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
