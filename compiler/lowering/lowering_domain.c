#include "lowering/lowering_domain.h"

#include <stdlib.h>
#include <string.h>

#include "lowering/lowering_move.h"
#include "lowering/lowering_operand.h"

void domain_create(domain *d, unsigned onnx_rank) {
    memset(d, 0, sizeof *d);
    d->axes.rank = (uint8_t)onnx_rank;
}

/* ONNX axis i of the domain in an operand of other rank: aligned at the last one; empty where it broadcasts.
 */
static axis_list aligned_list(const layout *axes, unsigned rank, unsigned i) {
    const int at = (int)axes->rank - (int)(rank - i);
    return at >= 0 ? axes->of[at] : (axis_list){0};
}

bool domain_join(domain *d, const layout *axes, const uint32_t *dim, unsigned rank, uint8_t *map) {
    bool fresh[MICA_MAX_RANK] = {false};
    unsigned added = 0;
    memset(map, NO_AXIS, MICA_MAX_RANK);
    for (unsigned i = 0; i < d->axes.rank; i++) {
        const axis_list x = d->axes.of[i], y = aligned_list(axes, d->axes.rank, i);
        if (x.n && y.n && !axis_list_same_split(&x, d->dim, &y, dim))
            return false;
        for (unsigned j = 0; j < y.n; j++) {
            if (x.n)
                map[y.axis[j]] = x.axis[j];
            else
                fresh[y.axis[j]] = true;
        }
        added += x.n ? 0 : y.n;
    }
    if (d->rank + added > MICA_MAX_RANK)
        return false;
    for (unsigned i = 0; i < rank; i++)
        if (fresh[i]) {
            map[i] = (uint8_t)d->rank;
            d->dim[d->rank++] = dim[i];
        }
    for (unsigned i = 0; i < d->axes.rank; i++) {
        const axis_list y = aligned_list(axes, d->axes.rank, i);
        for (unsigned j = 0; d->axes.of[i].n < y.n && j < y.n; j++)
            axis_list_push(&d->axes.of[i], map[y.axis[j]]);
    }
    return true;
}

bool domain_join_constant(domain *d, const graph_value *c) {
    for (unsigned i = 0; i < c->rank; i++) {
        const int at = (int)d->axes.rank - (int)(c->rank - i);
        if (c->dim[i] == 1 || at < 0 || d->axes.of[at].n)
            continue;
        if (d->rank == MICA_MAX_RANK)
            return false;
        axis_list_push(&d->axes.of[at], d->rank);
        d->dim[d->rank++] = (uint32_t)c->dim[i];
    }
    return true;
}

double *lowering_constant(const lowering *l, uint32_t v, mica_status *st) {
    const graph_value *c = &l->g->value[v];
    const uint64_t n = graph_elements(c);
    double *x = calloc(n + 1, sizeof *x);
    if (!x) {
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
        return NULL;
    }
    for (uint64_t i = 0; i < n; i++)
        x[i] = c->real ? c->real[i] : (double)c->integer[i];
    return x;
}

unsigned lowering_result_rank(const lowering *l, const graph_node *n) {
    int64_t dim[GRAPH_MAX_RANK];
    return layout_dims(&l->g->value[n->out[0]], dim);
}

form lowering_tensor_form(const lowering *l, uint32_t t) {
    const mica_tensor *x = &lowering_tensors(l)[t];
    form f;
    form_create(&f, x->batched, x->rank, x->dim);
    (void)form_add_tensor(&f, lowering_tensors(l), t, 1); /* an empty form has room */
    return f;
}

/* --- operands --- */

bool operand_tensor(lowering *l, uint32_t v, operand_mode mode, qvalue *q, mica_status *st) {
    return (mode.plain ? lowering_plain_operand : lowering_operand)(l, v, q, st);
}

bool operand_get(lowering *l, uint32_t v, operand_mode mode, operand *o, mica_status *st) {
    if (!mode.narrow && !mode.plain && !(mode.settled && l->small[v].ready))
        return lowering_form(l, v, &o->f, &o->q, st);
    if (!operand_tensor(l, v, mode, &o->q, st))
        return false;
    o->f = lowering_tensor_form(l, o->q.tensor);
    return true;
}

/* The joint domain of operands; *fits is false if they split an axis differently. */
bool operand_join(lowering *l, const graph_node *n, uint32_t count, const uint32_t *v, operand_mode mode,
                  domain *d, bool *fits, mica_status *st) {
    uint8_t map[MICA_MAX_RANK];
    operand o;
    domain_create(d, lowering_result_rank(l, n));
    *fits = true;
    for (uint32_t i = 0; i < count && *fits; i++) {
        if (lowering_is_constant(l, v[i]))
            continue;
        if (!operand_get(l, v[i], mode, &o, st))
            return false;
        d->batched |= o.f.batched;
        *fits = domain_join(d, &o.q.axes, o.f.dim, o.f.rank, map);
    }
    for (uint32_t i = 0; i < count && *fits; i++)
        if (lowering_is_constant(l, v[i]))
            *fits = domain_join_constant(d, &l->g->value[v[i]]);
    return true;
}

bool operand_join_narrow(lowering *l, const graph_node *n, uint32_t count, const uint32_t *v, domain *d,
                         operand_mode *mode, mica_status *st) {
    bool fits;
    *mode = (operand_mode){.narrow = true};
    if (!operand_join(l, n, count, v, *mode, d, &fits, st))
        return false;
    mode->plain = !fits;
    return fits ||
           (operand_join(l, n, count, v, *mode, d, &fits, st) && (fits || lowering_too_many_axes(l, n, st)));
}

bool lowering_constant_form(lowering *l, uint32_t v, const domain *d, double scale, unsigned bits, form *f,
                            mica_status *st) {
    const graph_value *c = &l->g->value[v];
    const double limit = (double)(INT64_C(1) << bits) * scale;
    double *x = lowering_constant(l, v, st);
    if (!x)
        return false;
    for (uint64_t i = 0; i < graph_elements(c); i++)
        x[i] = x[i] > limit ? limit : x[i] < -limit ? -limit : x[i];
    form_create(f, d->batched, d->rank, d->dim);
    const bool ok = lowering_add_constant(l, f, &d->axes, c->rank, c->dim, x, 1 / scale, st);
    free(x);
    return ok;
}

bool operand_map(lowering *l, const graph_node *n, domain *d, const qvalue *q, form *f, mica_status *st) {
    uint8_t map[MICA_MAX_RANK];
    const form own = lowering_tensor_form(l, q->tensor);
    form_create(f, d->batched, d->rank, d->dim);
    return (domain_join(d, &q->axes, own.dim, own.rank, map) &&
            form_add_form(f, lowering_tensors(l), &own, 1, map)) ||
           lowering_too_many_terms(l, n, st);
}

bool lowering_on_domain_at(lowering *l, const graph_node *n, const domain *d, uint32_t v, double scale,
                           form *f, mica_status *st) {
    domain copy = *d;
    qvalue q;
    uint8_t map[MICA_MAX_RANK];
    if (!lowering_operand(l, v, &q, st))
        return false;
    const mica_tensor *x = &lowering_tensors(l)[q.tensor];
    if (!domain_join(&copy, &q.axes, x->dim, x->rank, map) || copy.rank != d->rank) {
        copy = *d;
        if (!lowering_plain_operand(l, v, &q, st))
            return false;
    }
    return (scale == 0 || lowering_at_scale(l, &q, v, scale, st)) && operand_map(l, n, &copy, &q, f, st);
}

bool lowering_on_domain(lowering *l, const graph_node *n, const domain *d, uint32_t v, form *f,
                        mica_status *st) {
    return lowering_on_domain_at(l, n, d, v, 0, f, st);
}

bool lowering_pair(lowering *l, const graph_node *n, domain *d, form *x, form *y, double *scale,
                   uint32_t *widest, mica_status *st) {
    operand_mode mode;
    qvalue q[2];
    if (!operand_join_narrow(l, n, 2, n->in, d, &mode, st))
        return false;
    for (unsigned i = 0; i < 2; i++)
        if (!operand_tensor(l, n->in[i], mode, &q[i], st))
            return false;
    *widest = l->bits[q[0].origin] >= l->bits[q[1].origin] ? q[0].origin : q[1].origin;
    *scale = q[0].scale * q[1].scale;
    return operand_map(l, n, d, &q[0], x, st) && operand_map(l, n, d, &q[1], y, st);
}

bool lowering_joint_domain(lowering *l, const graph_node *n, domain *d, mica_status *st) {
    operand_mode mode;
    return operand_join_narrow(l, n, n->n_in, n->in, d, &mode, st);
}
