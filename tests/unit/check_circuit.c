/* The rules of a circuit's structure: one broken circuit for each. */
#include "circuit_rules.h"
#include "suite.h"

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
};
#define MUTATIONS (int)(sizeof mutations / sizeof *mutations)

START_TEST(refuses_broken_rule) {
    check_mutation(&mutations[_i]);
}
END_TEST

int main(void) {
    Suite *s = suite_create("circuit");
    TCase *t = tcase_create("structure");
    tcase_add_loop_test(t, refuses_broken_rule, 0, MUTATIONS);
    suite_add_tcase(s, t);
    return suite_run(s);
}
