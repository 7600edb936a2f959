/* Einsums that no single sum or contraction computes: diagonals are taken, axes of one entry and labels that
 * one operand alone has are removed, and operands multiplied two by two.
 */
#include <string.h>

#include "expand/expand.h"
#include "ops/einsum.h"

/* A value and the label of each of its axes, all different. */
typedef struct term {
    uint32_t value, rank;
    uint8_t label[GRAPH_MAX_RANK];
} term;

bool expand_einsum_applies(const graph *g, const graph_node *n) {
    mica_status ignored = {0};
    einsum e;
    return einsum_read(&e, g, n, &ignored) && !einsum_is_plain(&e, g, n);
}

static uint32_t set_of(const term *t) {
    uint32_t set = 0;
    for (uint32_t a = 0; a < t->rank; a++)
        set |= 1u << t->label[a];
    return set;
}

/* --- diagonals --- */

/* Entries i (1 + d + d^2 + ...) of the axis that `times` axes of size d have become. */
static uint32_t diagonal(expander *x, uint32_t v, int64_t axis, int64_t d, uint32_t times) {
    int64_t step = 0, *index = graph_alloc(x->g, (size_t)d + 1, sizeof *index, x->st);
    if (!index)
        return GRAPH_NO_VALUE;
    for (uint32_t i = 0; i < times; i++)
        step = step * d + 1;
    for (int64_t i = 0; i < d; i++)
        index[i] = i * step;
    const uint32_t list = expand_list(x, (size_t)d, index);
    expand_int(x, "axis", axis);
    return expand_op2(x, "Gather", v, list);
}

/* Operand i with every label once: axes of labels that occur again come last, and become one axis each. */
static bool take_diagonals(expander *x, const einsum *e, unsigned i, term *t) {
    const graph_value v = *op_in(x->g, &x->node, i);
    uint32_t count[EINSUM_LABELS] = {0}, singles = 0, n = 0;
    int64_t perm[GRAPH_MAX_RANK], dim[GRAPH_MAX_RANK];
    *t = (term){.value = x->node.in[i]};
    for (uint32_t a = 0; a < v.rank; a++)
        count[e->in[i][a]]++;
    for (uint32_t a = 0; a < v.rank; a++)
        if (count[e->in[i][a]] == 1) {
            dim[singles] = v.dim[a];
            perm[n++] = a;
            t->label[singles++] = e->in[i][a];
        }
    t->rank = singles;
    for (uint8_t label = 0; label < EINSUM_LABELS; label++) {
        for (uint32_t a = 0; count[label] > 1 && a < v.rank; a++) {
            if (e->in[i][a] != label)
                continue;
            const bool first = t->rank == singles || t->label[t->rank - 1] != label;
            if (first) {
                dim[t->rank] = 1;
                t->label[t->rank++] = label;
            }
            if (v.dim[a] != e->dim[label])
                return op_fail(x->g, &x->node, x->st, MICA_ERR_UNSUPPORTED, "a diagonal of unequal axes");
            dim[t->rank - 1] *= v.dim[a];
            perm[n++] = a;
        }
    }
    if (t->rank == v.rank)
        return true;
    expand_ints(x, "perm", n, perm);
    t->value = expand_reshape(x, expand_op1(x, "Transpose", t->value), t->rank, dim);
    for (uint32_t a = singles; a < t->rank; a++)
        t->value = diagonal(x, t->value, a, e->dim[t->label[a]], count[t->label[a]]);
    return t->value != GRAPH_NO_VALUE;
}

/* --- sums and products --- */

/* t without the axes of `drop`, which have one entry, or are summed. */
static bool drop_axes(expander *x, term *t, uint32_t drop) {
    uint32_t axes = 0, rank = 0;
    for (uint32_t a = 0; a < t->rank; a++)
        axes |= drop & 1u << t->label[a] ? 1u << a : 0;
    if (!axes)
        return true;
    for (uint32_t a = 0; a < t->rank; a++)
        if (!(axes & 1u << a))
            t->label[rank++] = t->label[a];
    t->rank = rank;
    expand_axes(x, axes, false);
    t->value = expand_op1(x, "ReduceSum", t->value);
    return t->value != GRAPH_NO_VALUE;
}

/* Labels of `of` whose axis has one entry where the label has more. */
static uint32_t stretched(const expander *x, const einsum *e, const term *of) {
    uint32_t set = 0;
    for (uint32_t a = 0; a < of->rank; a++)
        if (x->g->value[of->value].dim[a] == 1 && e->dim[of->label[a]] != 1)
            set |= 1u << of->label[a];
    return set;
}

static char *write_labels(char *s, const term *t) {
    for (uint32_t a = 0; a < t->rank; a++)
        *s++ = (char)('a' + t->label[a]);
    return s;
}

/* The equation of one operand, or of two, and a result. */
static void write_equation(char *s, const term *a, const term *b, const term *y) {
    s = write_labels(s, a);
    if (b) {
        *s++ = ',';
        s = write_labels(s, b);
    }
    *s++ = '-';
    *s++ = '>';
    *write_labels(s, y) = 0;
}

/* The labels of `all`: the output's in its order, then the others of `keep`. */
static bool result_labels(expander *x, const einsum *e, uint32_t all, uint32_t keep, term *y) {
    *y = (term){.value = GRAPH_NO_VALUE};
    for (unsigned i = 0; i < e->out_rank; i++)
        if (all & 1u << e->out[i])
            y->label[y->rank++] = e->out[i];
    for (uint8_t label = 0; label < EINSUM_LABELS; label++) {
        if (e->kept[label] || !(all & keep & 1u << label))
            continue;
        if (y->rank == GRAPH_MAX_RANK)
            return op_fail(x->g, &x->node, x->st, MICA_ERR_LIMIT, "a product of more than %d axes",
                           GRAPH_MAX_RANK);
        y->label[y->rank++] = label;
    }
    return true;
}

/* The product of two values of one element each, of y's rank. */
static uint32_t multiply_numbers(expander *x, uint32_t a, uint32_t b, const term *y, bool last) {
    const int64_t dim[GRAPH_MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    a = expand_reshape(x, a, y->rank, dim);
    b = expand_reshape(x, b, y->rank, dim);
    if (last)
        expand_last(x);
    return expand_op2(x, "Mul", a, b);
}

/* a := a b, summed over the labels outside of `keep`. */
static bool multiply(expander *x, const einsum *e, term *a, term *b, uint32_t keep, bool last) {
    char equation[3 * GRAPH_MAX_RANK + 4];
    uint64_t cells = 1;
    term y;
    if (!drop_axes(x, a, set_of(a) & ~keep & ~set_of(b)) || !drop_axes(x, b, set_of(b) & ~keep & ~set_of(a)))
        return false;
    const uint32_t all = set_of(a) | set_of(b);
    if (!result_labels(x, e, all, keep, &y))
        return false;
    for (uint32_t label = 0; label < EINSUM_LABELS; label++)
        cells *= all & 1u << label ? (uint64_t)e->dim[label] : 1;
    write_equation(equation, a, b, &y);
    if (cells == 1) {
        y.value = multiply_numbers(x, a->value, b->value, &y, last);
    } else {
        if (last)
            expand_last(x);
        expand_text(x, "equation", equation);
        y.value = expand_op2(x, "Einsum", a->value, b->value);
    }
    *a = y;
    return y.value != GRAPH_NO_VALUE;
}

/* The output of one operand. */
static uint32_t sum_one(expander *x, const einsum *e, const term *t) {
    char equation[3 * GRAPH_MAX_RANK + 4];
    term y;
    if (!result_labels(x, e, set_of(t), 0, &y))
        return GRAPH_NO_VALUE;
    write_equation(equation, t, NULL, &y);
    expand_last(x);
    expand_text(x, "equation", equation);
    return expand_op1(x, "Einsum", t->value);
}

/* Labels that the operands from `first` on, or the output, have. */
static uint32_t labels_from(const einsum *e, unsigned first) {
    uint32_t set = 0;
    for (uint32_t label = 0; label < EINSUM_LABELS; label++)
        if (e->kept[label] || e->read[label] >> first)
            set |= 1u << label;
    return set;
}

uint32_t expand_einsum(expander *x) {
    einsum e;
    term product = {.value = GRAPH_NO_VALUE}, next; /* there is a term: einsum_read */
    if (!einsum_read(&e, x->g, &x->node, x->st))
        return GRAPH_NO_VALUE;
    for (unsigned i = 0; i < e.n_in; i++) {
        term *t = i ? &next : &product;
        if (!take_diagonals(x, &e, i, t) || !drop_axes(x, t, stretched(x, &e, t)) ||
            (i && !multiply(x, &e, &product, &next, labels_from(&e, i + 1), i + 1 == e.n_in)))
            return GRAPH_NO_VALUE;
    }
    return e.n_in == 1 ? sum_one(x, &e, &product) : product.value;
}
