/* Steps that copy or map single cells: lookup, quotient and placement; and the bindings that all steps share.
 */
#include <string.h>

#include "emit/emitter.h"

void bind_cells(emitter *e, scope *s, uint32_t t, const char *name, const char *source, const char *at) {
    scope_set(s, name, "t%u", t);
    if (e->offset[t] == NO_OFFSET) {
        if (source)
            scope_set(s, source, "mica_cells");
        scope_set(s, at, "%u", t);
    } else {
        if (source)
            scope_set(s, source, "mica_scratch");
        scope_set(s, at, "%zu", e->offset[t]);
    }
}

void bind_split(scope *s, uint32_t dim, uint32_t by) {
    scope_set(s, "SPLIT", "%u", dim);
    scope_set(s, "SPLIT_STEP", "%u", by);
}

void bind_split_loop(scope *item, const char *begin, const char *end) {
    scope_set(item, begin, "part_begin");
    scope_set(item, end, "part_end");
}

/* The outermost loop is the one that the parts divide. */
static void bind_loop(scope *item, const char *index, const char *begin, const char *end, const nest *loops,
                      unsigned i) {
    scope_set(item, index, "i%u", loops->axis[i]);
    if (i == 0) {
        bind_split_loop(item, begin, end);
        return;
    }
    scope_set(item, begin, "0");
    scope_set(item, end, "%u", loops->dim[i]);
}

void bind_once(scope *s, const char *list, const char *index, const char *begin, const char *end) {
    scope *item = scope_item(s, list);
    bind_split(s, 1, 1);
    scope_set(item, index, "once");
    bind_split_loop(item, begin, end);
}

void bind_loops(scope *s, const char *list, const nest *loops) {
    if (loops->n == 0) {
        bind_once(s, list, "INDEX", "BEGIN", "END");
        return;
    }
    bind_split(s, loops->dim[0], 1);
    for (unsigned i = 0; i < loops->n; i++)
        bind_loop(scope_item(s, list), "INDEX", "BEGIN", "END", loops, i);
}

void bind_independent_loops(scope *s, const nest *loops) {
    if (loops->n == 0) {
        bind_once(s, "outer", "OUTER", "OUTER_BEGIN", "OUTER_END");
        return;
    }
    bind_split(s, loops->dim[0], 1);
    for (unsigned i = 0; i + 1 < loops->n; i++)
        bind_loop(scope_item(s, "outer"), "OUTER", "OUTER_BEGIN", "OUTER_END", loops, i);
    bind_loop(scope_item(s, "inner"), "INDEX", "BEGIN", "END", loops, loops->n - 1);
}

void bind_strides(scope *s, const char *list, const nest *loops, const int64_t *stride) {
    for (unsigned i = 0; i < loops->n; i++) {
        if (stride[i] == 0)
            continue;
        scope *item = scope_item(s, list);
        scope_set(item, "INDEX", "i%u", loops->axis[i]);
        scope_set(item, "STRIDE", "%lld", (long long)stride[i]);
    }
}

bool emit_lookup(emitter *e, const step *s) {
    const mica_circuit *c = e->circuit;
    const uint32_t x = s->tensor[0], y = s->tensor[1];
    scope *root = scope_create(&e->pool);
    operand op, *list[1] = {&op};
    nest loops;
    operand_identity(&op, c, y);
    nest_create(&loops, c->tensor[y].rank, c->tensor[y].dim);
    nest_simplify(&loops, list, 1, 0, false, NULL);
    bind_cells(e, root, x, "OPERAND", "OPERAND_SOURCE", "OPERAND_AT");
    bind_cells(e, root, y, "RESULT", NULL, "RESULT_AT");
    bind_loops(root, "axis", &loops);
    bind_strides(root, "cell", &loops, op.stride);
    scope_set(root, "TABLE", "table%u", s->table);
    scope_set(root, "TABLE_AT", "%u", s->table);
    scope_set(root, "KEY_OFFSET", "%lld", -(long long)c->table[s->table].def.lo_key);
    scope_set(root, "LAST_ROW", "%u", (1u << c->table[s->table].def.bits) - 1);
    return template_render(&e->templates, "lookup.c", root, &e->steps, e->status);
}

/* S as seen from the axes of the quotient: the first ones, of equal sizes; along the others it is broadcast.
 */
static bool divisor_operand(operand *op, const mica_circuit *c, uint32_t p, uint32_t s) {
    const mica_tensor *t = &c->tensor[p], *d = &c->tensor[s];
    mica_view view = {{0}};
    if (d->rank > t->rank)
        return false;
    for (unsigned i = 0; i < d->rank; i++) {
        if (d->dim[i] != t->dim[i])
            return false;
        view.axis[i] = (int32_t)i;
    }
    operand_view(op, c, s, &view);
    return true;
}

bool emit_divide(emitter *e, const step *s) {
    const mica_circuit *c = e->circuit;
    const uint32_t p = s->tensor[0];
    scope *root = scope_create(&e->pool);
    operand cell, divisor, *list[2] = {&cell, &divisor};
    nest loops;
    operand_identity(&cell, c, p);
    if (!divisor_operand(&divisor, c, p, s->tensor[2]))
        return mica_fail(e->status, MICA_ERR_INTERNAL, "tensor %u: the divisor's shape does not fit", p);
    nest_create(&loops, c->tensor[p].rank, c->tensor[p].dim);
    nest_simplify(&loops, list, 2, 0, false, NULL);
    bind_cells(e, root, p, "RESULT", NULL, "RESULT_AT");
    bind_cells(e, root, s->tensor[1], "OPERAND", NULL, "OPERAND_AT");
    bind_cells(e, root, s->tensor[2], "DIVISOR", NULL, "DIVISOR_AT");
    bind_loops(root, "axis", &loops);
    bind_strides(root, "cell", &loops, cell.stride);
    bind_strides(root, "divisor", &loops, divisor.stride);
    scope_set(root, "QUOTIENT_BITS", "%u", s->param);
    scope_set(root, "DIVISOR_HI", "%d", c->tensor[s->tensor[2]].hi);
    scope_set(root, "LO", "%d", c->tensor[p].lo);
    scope_set(root, "HI", "%d", c->tensor[p].hi);
    return template_render(&e->templates, "divide.c", root, &e->steps, e->status);
}

/* What a function of whole cells binds: the result, its first operand and the loops. */
static bool bind_cellwise(emitter *e, scope *root, const step *s) {
    const mica_circuit *c = e->circuit;
    const mica_tensor *x = &c->tensor[s->tensor[0]];
    operand cell, *list[1] = {&cell};
    nest loops;
    for (unsigned k = 1; k < STEP_MAX_TENSORS && s->tensor[k] != UINT32_MAX; k++) {
        const mica_tensor *y = &c->tensor[s->tensor[k]];
        if (y->rank != x->rank || memcmp(y->dim, x->dim, x->rank * sizeof x->dim[0]) != 0)
            return mica_fail(e->status, MICA_ERR_INTERNAL, "tensor %u: an operand's shape does not fit",
                             s->tensor[0]);
    }
    operand_identity(&cell, c, s->tensor[0]);
    nest_create(&loops, x->rank, x->dim);
    nest_simplify(&loops, list, 1, 0, false, NULL);
    bind_cells(e, root, s->tensor[0], "RESULT", NULL, "RESULT_AT");
    bind_cells(e, root, s->tensor[1], "OPERAND", NULL, "OPERAND_AT");
    bind_loops(root, "axis", &loops);
    bind_strides(root, "cell", &loops, cell.stride);
    scope_set(root, "LO", "%d", x->lo);
    scope_set(root, "HI", "%d", x->hi);
    return true;
}

bool emit_quotient(emitter *e, const step *s) {
    scope *root = scope_create(&e->pool);
    if (!bind_cellwise(e, root, s))
        return false;
    bind_cells(e, root, s->tensor[2], "DIVISOR", NULL, "DIVISOR_AT");
    scope_set(root, "OPERAND_HI", "%d", e->circuit->tensor[s->tensor[1]].hi);
    scope_set(root, "DIVISOR_HI", "%d", e->circuit->tensor[s->tensor[2]].hi);
    return template_render(&e->templates, "quotient.c", root, &e->steps, e->status);
}

bool emit_root(emitter *e, const step *s) {
    scope *root = scope_create(&e->pool);
    if (!bind_cellwise(e, root, s))
        return false;
    scope_set(root, "OPERAND_HI", "%d", e->circuit->tensor[s->tensor[1]].hi);
    return template_render(&e->templates, "root.c", root, &e->steps, e->status);
}

/* Row by row: the loops run over the leading axes that both tensors have. */
bool emit_top(emitter *e, const step *s) {
    const mica_circuit *c = e->circuit;
    const mica_tensor *hot = &c->tensor[s->tensor[0]], *x = &c->tensor[s->tensor[1]];
    const unsigned lead = x->rank - 1u;
    scope *root = scope_create(&e->pool);
    operand to, from, *list[2] = {&to, &from};
    mica_view view;
    nest loops;
    int64_t stride[MICA_MAX_RANK];
    for (unsigned i = 0; i < MICA_MAX_RANK; i++)
        view.axis[i] = i < lead ? (int32_t)i : MICA_VIEW_AT(0);
    operand_view(&to, c, s->tensor[0], &view);
    operand_view(&from, c, s->tensor[1], &view);
    nest_create(&loops, lead, x->dim);
    nest_simplify(&loops, list, 2, 0, false, NULL);
    tensor_strides(hot, stride);
    bind_cells(e, root, s->tensor[0], "RESULT", NULL, "RESULT_AT");
    bind_cells(e, root, s->tensor[1], "OPERAND", "OPERAND_SOURCE", "OPERAND_AT");
    bind_loops(root, "axis", &loops);
    bind_strides(root, "cell", &loops, to.stride);
    bind_strides(root, "row", &loops, from.stride);
    scope_set(root, "LENGTH", "%u", x->dim[lead]);
    scope_set(root, "RANKS", "%u", hot->rank > x->rank ? hot->dim[lead] : 1);
    scope_set(root, "RANK_STRIDE", "%lld", (long long)stride[lead]);
    return template_render(&e->templates, "top.c", root, &e->steps, e->status);
}

static bool is_pass_through(const mica_factor *f, const mica_tensor *out, const mica_tensor *src) {
    return f->n_out == 1 && f->n_src == 1 && f->offset == 0 && f->norm == 0 && f->out_stride[0] == 1 &&
           out->dim[f->out_axis[0]] == src->dim[f->src_axis[0]];
}

/* flat = offset + sum stride * index, over the axes of the result that have more than one index; `without`
 * leaves out one position of out_axis. */
static void bind_flat(scope *s, const char *list, const mica_factor *f, const mica_tensor *out,
                      unsigned without) {
    for (unsigned i = 0; i < f->n_out; i++) {
        if (i == without || out->dim[f->out_axis[i]] == 1 || f->out_stride[i] == 0)
            continue;
        scope *item = scope_item(s, list);
        scope_set(item, "INDEX", "i%u", f->out_axis[i]);
        scope_set(item, "STRIDE", "%d", f->out_stride[i]);
    }
}

/* Number of the row among the rows of a list: row-major over the result's axes. */
static void bind_row(scope *s, const mica_factor *f, const mica_tensor *out) {
    int64_t rows = 1;
    for (unsigned i = f->n_out; i-- > 0; rows *= out->dim[f->out_axis[i]]) {
        if (out->dim[f->out_axis[i]] == 1)
            continue;
        scope *item = scope_item(s, "row");
        scope_set(item, "INDEX", "i%u", f->out_axis[i]);
        scope_set(item, "STRIDE", "%lld", (long long)rows);
    }
}

/* Whether flat can leave [0, size). */
static bool needs_check(const mica_factor *f, const mica_tensor *out, int64_t size) {
    if (f->n_indices)
        return true;
    int64_t lo = f->offset, hi = lo;
    for (unsigned i = 0; i < f->n_out; i++) {
        const int64_t reach = (int64_t)f->out_stride[i] * (int64_t)(out->dim[f->out_axis[i]] - 1);
        *(reach < 0 ? &lo : &hi) += reach;
    }
    return lo < 0 || hi >= size;
}

static void bind_factor(scope *root, unsigned k, const mica_factor *f, const mica_tensor *out,
                        const mica_tensor *src) {
    int64_t src_stride[MICA_MAX_RANK], size = 1;
    tensor_strides(src, src_stride);
    for (unsigned i = f->n_src; i-- > 0;) {
        const uint32_t dim = src->dim[f->src_axis[i]];
        scope *digit = dim == 1 ? NULL : scope_item(root, f->n_src == 1 ? "direct" : "split");
        scope_set(digit, "FLAT", "at%u", k);
        scope_set(digit, "SRC_STRIDE", "%lld", (long long)src_stride[f->src_axis[i]]);
        if (f->n_src > 1) {
            scope_set(digit, "DIVIDE_BY", "%lld", (long long)size);
            scope_set(digit, "SRC_DIM", "%u", dim);
        }
        size *= dim;
    }
    const bool check = needs_check(f, out, size);
    if (f->n_indices) {
        scope *listed = scope_item(root, "listed");
        scope_set(listed, "LISTED_FLAT", "at%u", k);
        scope_set(listed, "FIRST", "%u", f->first_index);
        bind_row(listed, f, out);
    } else if (check || size > 1) {
        scope *factor = scope_item(root, "factor");
        scope_set(factor, "FLAT", "at%u", k);
        scope_set(factor, "OFFSET", "%d", f->offset);
        bind_flat(factor, "flat", f, out, UINT32_MAX);
    }
    if (check) {
        scope *checked = scope_item(root, "checked");
        scope_set(checked, "CHECKED", "at%u", k);
        scope_set(checked, "SIZE", "%lld", (long long)size);
    }
    if (f->norm > 0) {
        scope *mean = scope_item(root, "mean");
        scope_set(mean, "NORM", "%u", f->norm);
        scope_set(mean, "OFFSET", "%d", f->offset);
        scope_set(mean, "COUNT_STRIDE", "%d", f->out_stride[f->count_axis]);
        scope_set(mean, "COUNT_DIM", "%u", out->dim[f->out_axis[f->count_axis]]);
        scope_set(mean, "SIZE", "%lld", (long long)size);
        bind_flat(mean, "fixed", f, out, f->count_axis);
    }
}

/* Whether a loop reads the cells outside the tensor's shape, as zeros: those of contractions may
 * (nest_simplify). */
static bool padding_is_read(const mica_circuit *c, uint32_t v) {
    bool read = false;
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        if (c->tensor[t].kind == MICA_TENSOR_CONTRACT) {
            const mica_contract *m = &c->contract[c->tensor[t].def];
            read = read || m->a == v || m->b == v;
        }
    }
    return read;
}

bool emit_placement(emitter *e, const step *s) {
    const mica_circuit *c = e->circuit;
    const uint32_t v = s->tensor[0];
    const mica_tensor *out = &c->tensor[v];
    const mica_placement *m = &c->placement[out->def];
    const mica_tensor *src = &c->tensor[m->src];
    int64_t src_stride[MICA_MAX_RANK];
    scope *root = scope_create(&e->pool);
    operand cell, *list[1] = {&cell};
    nest loops;
    if (e->fused[v])
        return true;
    operand_identity(&cell, c, v);
    nest_create(&loops, out->rank, out->dim);
    nest_simplify(&loops, list, 1, UINT32_MAX, false, NULL);
    tensor_strides(src, src_stride);
    bind_cells(e, root, v, "RESULT", "RESULT_SOURCE", "RESULT_AT");
    bind_cells(e, root, m->src, "SOURCE_CELLS", NULL, "SOURCE_AT");
    bind_independent_loops(root, &loops);
    bind_strides(root, "cell", &loops, cell.stride);
    if (e->offset[v] != NO_OFFSET && padding_is_read(c, v))
        scope_set(scope_item(root, "clear"), "ALL_CELLS", "%lu", 1ul << mica_item_bits(out));
    for (unsigned k = 0; k < m->n_factors; k++) {
        const mica_factor *f = &m->factor[k];
        if (!is_pass_through(f, out, src)) {
            bind_factor(root, k, f, out, src);
        } else if (out->dim[f->out_axis[0]] > 1) {
            scope *passed = scope_item(root, "passed");
            scope_set(passed, "INDEX", "i%u", f->out_axis[0]);
            scope_set(passed, "STRIDE", "%lld", (long long)src_stride[f->src_axis[0]]);
        }
    }
    return template_render(&e->templates, "placement.c", root, &e->steps, e->status);
}
