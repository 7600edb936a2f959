/* The values of a lowering: layers, the results that operators record, and the operands that they read. */
#include "lowering/lowering.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lowering/requantise.h"

int64_t round_away(double x) {
    return (int64_t)(x < 0 ? x - 0.5 : x + 0.5);
}

bool(lowering_fail)(const lowering *l, const graph_node *n, mica_status *st, mica_code code,
                    const char *format, ...) {
    char text[512], where[400];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return mica_fail(st, code, "%s: %s", graph_describe(l->g, n, where, sizeof where), text);
}

bool lowering_too_many_axes(const lowering *l, const graph_node *n, mica_status *st) {
    return lowering_fail(l, n, st, MICA_ERR_LIMIT, "more than %d axes", MICA_MAX_RANK);
}

bool lowering_too_many_terms(const lowering *l, const graph_node *n, mica_status *st) {
    return lowering_fail(l, n, st, MICA_ERR_LIMIT, "too many terms in one sum");
}

bool lowering_exact_scale(double *scale) {
    mica_dyadic d;
    if (!mica_dyadic_from_double(&d, *scale) || d.mantissa <= 0)
        return false;
    *scale = mica_dyadic_to_double(d);
    return true;
}

/* --- layers --- */

static void append_shape(char *out, size_t size, const graph_value *v) {
    int64_t dim[GRAPH_MAX_RANK];
    const unsigned rank = layout_dims(v, dim);
    size_t used = strlen(out);
    (void)snprintf(out + used, size - used, "[");
    for (unsigned i = 0; i < rank; i++) {
        used = strlen(out);
        (void)snprintf(out + used, size - used, i ? ",%lld" : "%lld", (long long)dim[i]);
    }
    used = strlen(out);
    (void)snprintf(out + used, size - used, "]");
}

static void append_text(char *out, size_t size, const char *text) {
    const size_t used = strlen(out);
    (void)snprintf(out + used, size - used, "%s", text);
}

bool lowering_layer(lowering *l, const graph_node *n, mica_status *st) {
    (void)st;
    if (builder_layer(&l->b, n->name, n->op) == NO_INDEX)
        return false;
    char *shapes = l->b.p.note[l->b.layer].shapes;
    const size_t size = sizeof l->b.p.note[0].shapes;
    for (uint32_t i = 0; i < n->n_in; i++) {
        if (n->in[i] == GRAPH_NO_VALUE)
            continue;
        append_text(shapes, size, i ? " * " : "");
        append_shape(shapes, size, &l->g->value[n->in[i]]);
    }
    append_text(shapes, size, " -> ");
    append_shape(shapes, size, &l->g->value[n->out[0]]);
    return true;
}

/* --- values --- */

static form *own_form(lowering *l, const form *f, mica_status *st) {
    if (l->n_owned == l->cap_owned) {
        const uint32_t cap = l->cap_owned ? 2 * l->cap_owned : 32;
        form **grown = realloc(l->owned, cap * sizeof(form *));
        if (!grown) {
            (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
            return NULL;
        }
        l->owned = grown;
        l->cap_owned = cap;
    }
    form *copy = malloc(sizeof *copy);
    if (!copy) {
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
        return NULL;
    }
    *copy = *f;
    l->owned[l->n_owned++] = copy;
    return copy;
}

bool lowering_set_sum(lowering *l, const graph_node *n, const form *f, const layout *axes, double scale,
                      mica_status *st) {
    form *sum = own_form(l, f, st);
    l->value[n->out[0]] = (qvalue){.axes = *axes,
                                   .scale = scale,
                                   .tensor = NO_INDEX,
                                   .sum = sum,
                                   .origin = n->out[0],
                                   .layer = l->b.layer,
                                   .ready = true};
    return sum != NULL;
}

bool lowering_set_tensor(lowering *l, const graph_node *n, uint32_t tensor, const layout *axes, double scale,
                         uint32_t origin) {
    l->value[n->out[0]] = (qvalue){.axes = *axes,
                                   .scale = scale,
                                   .tensor = tensor,
                                   .origin = origin,
                                   .layer = l->b.layer,
                                   .ready = true};
    return tensor != NO_INDEX;
}

void lowering_set_alias(lowering *l, const graph_node *n, uint32_t from, const layout *axes) {
    qvalue *out = &l->value[n->out[0]];
    *out = l->value[from];
    out->axes = *axes;
    if (out->tensor == NO_INDEX)
        out->origin = n->out[0];
}

bool lowering_form(lowering *l, uint32_t v, form *f, qvalue *out, mica_status *st) {
    if (!l->value[v].ready)
        return mica_fail(st, MICA_ERR_UNSUPPORTED, "value '%s' is a constant where an activation is expected",
                         l->g->value[v].name ? l->g->value[v].name : "?");
    *out = l->value[v];
    if (out->tensor == NO_INDEX) {
        *f = *out->sum;
        return true;
    }
    const mica_tensor *x = &lowering_tensors(l)[out->tensor];
    form_create(f, x->batched, x->rank, x->dim);
    return form_add_tensor(f, lowering_tensors(l), out->tensor, 1);
}

bool lowering_operand(lowering *l, uint32_t v, qvalue *out, mica_status *st) {
    form f;
    if (!lowering_form(l, v, &f, out, st) || out->tensor != NO_INDEX)
        return st->code == MICA_OK;
    qvalue *small = &l->small[v];
    if (!small->ready) {
        const uint32_t layer = l->b.layer;
        l->b.layer = out->layer;
        *small = *out;
        if (!requantise(l, &f, out->scale, &activation_identity, v, &small->tensor, &small->scale, st)) {
            l->narrow = st->code == MICA_ERR_RANGE ? v : NO_INDEX;
            return false;
        }
        small->sum = NULL;
        small->ready = true;
        l->b.layer = layer;
    }
    *out = *small;
    return true;
}

bool lowering_replace_axes(lowering *l, qvalue *x, unsigned rank, const int64_t *dim, mica_status *st) {
    const mica_tensor *src = &lowering_tensors(l)[x->tensor];
    if (layout_regroup(&x->axes, src->dim, rank, dim))
        return true;
    layout axes;
    uint32_t out_dim[GRAPH_MAX_RANK];
    const unsigned out_rank = layout_plain(&axes, rank, dim, out_dim);
    const axis_list from = layout_order(&x->axes);
    mica_placement p = {.src = x->tensor};
    unsigned i = 0, j = 0, listed = 0;
    while (i < from.n || j < out_rank) { /* one factor per shortest run of axes of equal size */
        mica_factor *f = &p.factor[p.n_factors++];
        uint64_t a = 1, b = 1;
        while (a != b || f->n_out + f->n_src == 0) {
            if (a <= b && i < from.n) {
                f->src_axis[f->n_src++] = from.axis[i];
                listed |= 1u << from.axis[i];
                a *= src->dim[from.axis[i++]];
            } else if (j < out_rank) {
                f->out_axis[f->n_out++] = (uint8_t)j;
                b *= out_dim[j++];
            } else {
                return mica_fail(st, MICA_ERR_INTERNAL, "a reshape changes the number of elements");
            }
        }
        int64_t stride = 1;
        for (unsigned k = f->n_out; k-- > 0;) {
            f->out_stride[k] = (int32_t)stride;
            stride *= out_dim[f->out_axis[k]];
        }
    }
    for (unsigned k = 0; k < src->rank; k++) /* axes of size 1 that no list names */
        if (!(listed & 1u << k)) {
            if (p.n_factors == 0)
                p.n_factors = 1;
            p.factor[0].src_axis[p.factor[0].n_src++] = (uint8_t)k;
        }
    x->tensor = builder_placement(&l->b, &p, out_rank, out_dim);
    x->axes = axes;
    return x->tensor != NO_INDEX;
}

bool lowering_plain_operand(lowering *l, uint32_t v, qvalue *out, mica_status *st) {
    if (!lowering_operand(l, v, out, st))
        return false;
    bool plain = true;
    for (unsigned i = 0; i < out->axes.rank; i++)
        plain &= out->axes.of[i].n <= 1;
    int64_t dim[GRAPH_MAX_RANK];
    const unsigned rank = layout_dims(&l->g->value[v], dim);
    if (plain)
        return true;
    if (l->plain[v].ready) {
        *out = l->plain[v];
        return true;
    }
    /* layout_regroup would keep the split: a fresh tensor is what is asked for. */
    uint32_t out_dim[GRAPH_MAX_RANK];
    layout axes;
    const unsigned out_rank = layout_plain(&axes, rank, dim, out_dim);
    const mica_tensor *src = &lowering_tensors(l)[out->tensor];
    mica_placement p = {.src = out->tensor};
    unsigned listed = 0, next = 0;
    for (unsigned i = 0; i < rank; i++) {
        if (dim[i] == 1)
            continue;
        mica_factor *f = &p.factor[p.n_factors++];
        f->n_out = 1;
        f->out_axis[0] = (uint8_t)next++;
        f->out_stride[0] = 1;
        for (unsigned k = 0; k < out->axes.of[i].n; k++) {
            f->src_axis[f->n_src++] = out->axes.of[i].axis[k];
            listed |= 1u << out->axes.of[i].axis[k];
        }
    }
    for (unsigned k = 0; k < src->rank; k++)
        if (!(listed & 1u << k))
            p.factor[0].src_axis[p.factor[0].n_src++] = (uint8_t)k;
    out->tensor = builder_placement(&l->b, &p, out_rank, out_dim);
    out->axes = axes;
    l->plain[v] = *out;
    return out->tensor != NO_INDEX;
}
