/* Comparisons, logic and Where on quantised values: exact for integers, and for the integers that stand for
 * reals.
 *
 * A comparison is a step function of a difference, one lookup (and limbs where the difference is wide). Truth
 * values are 0 and 1: And is [a + b >= 2], Or is [a + b >= 1], Xor [a - b >= 1] + [b - a >= 1], Not 1 - a.
 */
#include <stdlib.h>

#include "lowering/lowering_domain.h"
#include "lowering/range.h"
#include "lowering/requantise.h"
#include "ops/ops.h"

/* *t := [sign_a a + sign_b b + offset >= 1], over the joint domain. */
static bool threshold(lowering *l, const graph_node *n, int sign_a, int sign_b, int64_t offset, uint32_t *t,
                      layout *axes, mica_status *st) {
    const addend terms[2] = {{n->in[0], sign_a, true}, {n->in[1], sign_b, true}};
    form f;
    double scale;
    if (!lowering_linear(l, n, 2, terms, &f, axes, &scale, st))
        return false;
    if (!form_add_constant(&f, offset))
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "too many terms in one sum");
    return step_function(l, &f, t, st);
}

static bool lower_threshold(lowering *l, const graph_node *n, int sign_a, int sign_b, int64_t offset,
                            mica_status *st) {
    uint32_t t = NO_INDEX;
    layout axes;
    return threshold(l, n, sign_a, sign_b, offset, &t, &axes, st) &&
           lowering_set_tensor(l, n, t, &axes, 1, n->out[0]);
}

/* a > b is a - b >= 1; a >= b is a - b + 1 >= 1. */
bool lower_greater(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_threshold(l, n, 1, -1, 0, st);
}

bool lower_greater_equal(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_threshold(l, n, 1, -1, 1, st);
}

bool lower_less(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_threshold(l, n, -1, 1, 0, st);
}

bool lower_less_equal(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_threshold(l, n, -1, 1, 1, st);
}

bool lower_and(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_threshold(l, n, 1, 1, -1, st);
}

bool lower_or(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_threshold(l, n, 1, 1, 0, st);
}

/* constant + sign [a > b] + sign [b > a] */
static bool lower_either(lowering *l, const graph_node *n, int64_t constant, int64_t sign, mica_status *st) {
    uint32_t above = NO_INDEX, below = NO_INDEX;
    layout axes;
    if (!threshold(l, n, 1, -1, 0, &above, &axes, st) || !threshold(l, n, -1, 1, 0, &below, &axes, st))
        return false;
    const mica_tensor *x = &lowering_tensors(l)[above];
    form f;
    form_create(&f, x->batched, x->rank, x->dim);
    if (!form_add_tensor(&f, lowering_tensors(l), above, sign) ||
        !form_add_tensor(&f, lowering_tensors(l), below, sign) || !form_add_constant(&f, constant))
        return mica_fail(st, MICA_ERR_INTERNAL, "a sum of two truth values has too many terms");
    return lowering_set_tensor(l, n, builder_sum(&l->b, &f), &axes, 1, n->out[0]);
}

bool lower_equal(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_either(l, n, 1, -1, st);
}

bool lower_xor(struct lowering *l, const graph_node *n, mica_status *st) {
    return lower_either(l, n, 0, 1, st);
}

bool lower_not(struct lowering *l, const graph_node *n, mica_status *st) {
    const addend a = {n->in[0], -1, false};
    form f;
    layout axes;
    double scale;
    return lowering_linear(l, n, 1, &a, &f, &axes, &scale, st) &&
           (form_add_constant(&f, 1) ||
            lowering_fail(l, n, st, MICA_ERR_LIMIT, "too many terms in one sum")) &&
           lowering_set_sum(l, n, &f, &axes, 1, st);
}

/* --- Where: y + condition (x - y) --- */

static bool condition_form(lowering *l, const graph_node *n, const domain *d, form *f, mica_status *st) {
    const graph_value *c = &l->g->value[n->in[0]];
    if (!graph_is_const(c))
        return lowering_on_domain(l, n, d, n->in[0], f, st);
    double *x = lowering_constant(l, n->in[0], st);
    form_create(f, d->batched, d->rank, d->dim);
    const bool ok = x && lowering_add_constant(l, f, &d->axes, c->rank, c->dim, x, 1, st);
    free(x);
    return ok;
}

bool lower_where(struct lowering *l, const graph_node *n, mica_status *st) {
    static const uint8_t same_axes[MICA_MAX_RANK] = {0, 1, 2, 3, 4, 5, 6, 7};
    aligned a;
    form f[2], condition;
    uint32_t t;
    if (!lowering_align(l, n, 1, &a, f, st) || !condition_form(l, n, &a.d, &condition, st))
        return false;
    form difference = f[0];
    if (!form_add_form(&difference, lowering_tensors(l), &f[1], -1, same_axes))
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "too many terms in one sum");
    if (!lowering_product(l, n, &condition, &difference, &t, st)) {
        l->narrow = n->out[0];
        return false;
    }
    const form chosen = lowering_tensor_form(l, t);
    if (f[1].rank == 0) /* the product of two single numbers has an axis of size 1 */
        form_create(&difference, chosen.batched, chosen.rank, chosen.dim);
    else
        form_create(&difference, f[1].batched, f[1].rank, f[1].dim);
    if (!form_add_form(&difference, lowering_tensors(l), &f[1], 1, same_axes) ||
        !form_add_form(&difference, lowering_tensors(l), &chosen, 1, same_axes))
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "too many terms in one sum");
    return lowering_set_tensor(l, n, builder_sum(&l->b, &difference), &a.d.axes, a.scale, n->out[0]);
}
