#include "lowering/lowering_window.h"

#include <stdlib.h>
#include <string.h>

#define MAX_LISTED (1 << 24) /* rows of one factor (mica/circuit.h) */

/* First spatial axis of the node's input, batch axis left out; the channel axis precedes it. */
static unsigned first_spatial(const lowering *l, const graph_node *n) {
    return l->g->value[n->in[0]].batched ? 1 : 2;
}

static void pass_axis(mica_placement *p, patches *out, axis_list *list, unsigned from, uint32_t dim) {
    if (p->n_factors == MICA_MAX_RANK || out->rank == MICA_MAX_RANK)
        return; /* no room: the placement then leaves an axis out, which the circuit's validation refuses */
    mica_factor *f = &p->factor[p->n_factors++];
    f->n_out = f->n_src = 1;
    f->out_axis[0] = (uint8_t)out->rank;
    f->out_stride[0] = 1;
    f->src_axis[0] = (uint8_t)from;
    axis_list_push(list, out->rank);
    out->dim[out->rank++] = dim;
}

static void pass_list(mica_placement *p, patches *out, axis_list *to, const axis_list *from,
                      const uint32_t *dim) {
    for (unsigned i = 0; i < from->n; i++)
        pass_axis(p, out, to, from->axis[i], dim[from->axis[i]]);
}

/* Channel axes as (groups, rest): a prefix of the list if one has the right size, otherwise one factor that
 * splits. */
static void split_channel(mica_placement *p, patches *out, const axis_list *c, const uint32_t *dim,
                          uint32_t groups) {
    uint64_t size = 1;
    unsigned prefix = 0;
    while (prefix < c->n && size < groups)
        size *= dim[c->axis[prefix++]];
    if (size == groups) {
        for (unsigned i = 0; i < c->n; i++)
            pass_axis(p, out, &out->channel[i >= prefix], c->axis[i], dim[c->axis[i]]);
        return;
    }
    const uint32_t rest = (uint32_t)(axis_list_size(c, dim) / groups);
    mica_factor *f = &p->factor[p->n_factors++];
    f->n_out = 2; /* both parts are longer than 1, or the prefix would have fitted */
    f->out_axis[0] = (uint8_t)out->rank;
    f->out_stride[0] = (int32_t)rest;
    f->out_axis[1] = (uint8_t)(out->rank + 1);
    f->out_stride[1] = 1;
    f->n_src = c->n;
    memcpy(f->src_axis, c->axis, c->n);
    axis_list_push(&out->channel[0], out->rank);
    out->dim[out->rank++] = groups;
    axis_list_push(&out->channel[1], out->rank);
    out->dim[out->rank++] = rest;
}

static uint32_t least_common_multiple(uint32_t a, uint32_t b) {
    uint32_t x = a, y = b;
    while (y) {
        const uint32_t r = x % y;
        x = y;
        y = r;
    }
    return a / x * b;
}

uint32_t lowering_window_norm(const op_window *w, unsigned d) {
    uint32_t norm = 1;
    bool border = false;
    for (int64_t o = 0; o < w->out[d]; o++) {
        uint32_t count = 0;
        for (int64_t k = 0; k < w->kernel[d]; k++) {
            const int64_t at = o * w->stride[d] + k * w->dilation[d] - w->pad_begin[d];
            count += at >= 0 && at < w->in[d];
        }
        border |= count != w->kernel[d];
        norm = least_common_multiple(norm, count ? count : 1);
    }
    return border ? norm : 0;
}

static void add_tap_axes(const op_window *w, patches *out) {
    for (unsigned d = 0; d < w->n; d++) {
        out->tap[d] = -1;
        if (w->kernel[d] > 1) {
            out->tap[d] = (int)out->rank;
            out->dim[out->rank++] = (uint32_t)w->kernel[d];
        }
    }
    for (unsigned d = 0; d < w->n; d++) {
        out->position[d] = -1;
        if (w->out[d] > 1) {
            out->position[d] = (int)out->rank;
            out->dim[out->rank++] = (uint32_t)w->out[d];
        }
    }
}

static void window_factor(mica_placement *p, const op_window *w, unsigned d, const patches *out,
                          const axis_list *src, uint32_t norm) {
    mica_factor *f = &p->factor[p->n_factors];
    f->offset = (int32_t)(w->transposed ? w->pad_begin[d] : -w->pad_begin[d]);
    f->norm = norm;
    if (out->tap[d] >= 0) {
        f->out_axis[f->n_out] = (uint8_t)out->tap[d];
        f->out_stride[f->n_out++] = (int32_t)(w->transposed ? -w->dilation[d] : w->dilation[d]);
    }
    if (out->position[d] >= 0) {
        f->out_axis[f->n_out] = (uint8_t)out->position[d];
        f->out_stride[f->n_out++] = w->transposed ? 1 : (int32_t)w->stride[d];
    }
    f->n_src = src->n;
    memcpy(f->src_axis, src->axis, src->n);
    if (f->n_out + f->n_src > 0 || f->offset != 0)
        p->n_factors++;
    else
        memset(f, 0, sizeof *f);
}

/* A factor divides by no stride: the source of each tap and position is listed. With one source cell, no
 * division is needed: it is read where the numerator is 0. */
static bool needs_list(const op_window *w, unsigned d) {
    return w->transposed && w->stride[d] > 1 && w->in[d] > 1;
}

static bool listed_factor(lowering *l, const graph_node *n, mica_placement *p, const op_window *w, unsigned d,
                          const patches *out, const axis_list *src, mica_status *st) {
    mica_factor *f = &p->factor[p->n_factors++];
    if (out->tap[d] >= 0)
        f->out_axis[f->n_out++] = (uint8_t)out->tap[d];
    if (out->position[d] >= 0)
        f->out_axis[f->n_out++] = (uint8_t)out->position[d];
    f->n_src = src->n;
    memcpy(f->src_axis, src->axis, src->n);
    if (w->out[d] > MAX_LISTED / w->kernel[d])
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "its window has more than %d taps along axis %u",
                             MAX_LISTED, 2 + d);
    const uint32_t rows = (uint32_t)(w->kernel[d] * w->out[d]);
    uint32_t *index = malloc(rows * sizeof *index);
    if (!index)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    for (int64_t row = 0; row < rows; row++) {
        int64_t at;
        const bool reads =
            op_window_source(w, d, row % w->out[d], row / w->out[d], &at) && at >= 0 && at < w->in[d];
        index[row] = reads ? (uint32_t)at : MICA_NO_CELL;
    }
    const bool ok = builder_list(&l->b, f, rows, index);
    free(index);
    return ok;
}

/* Whether the placement moves nothing: x itself serves. */
static bool is_identity(const mica_placement *p, const mica_tensor *x, const patches *out) {
    if (out->rank != x->rank)
        return false;
    for (unsigned i = 0; i < p->n_factors; i++) {
        const mica_factor *f = &p->factor[i];
        if (f->n_out != 1 || f->n_src != 1 || f->out_axis[0] != f->src_axis[0] || f->out_stride[0] != 1 ||
            f->offset != 0 || f->norm || f->n_indices || out->dim[f->out_axis[0]] != x->dim[f->src_axis[0]])
            return false;
    }
    return true;
}

static bool spare_axes(mica_placement *p, const mica_tensor *x) {
    unsigned seen = 0;
    for (unsigned i = 0; i < p->n_factors; i++)
        for (unsigned j = 0; j < p->factor[i].n_src; j++)
            seen |= 1u << p->factor[i].src_axis[j];
    for (unsigned i = 0; i < x->rank; i++) {
        if (seen & 1u << i)
            continue;
        if (p->n_factors == 0)
            p->n_factors = 1;
        p->factor[0].src_axis[p->factor[0].n_src++] = (uint8_t)i; /* of size 1 */
    }
    return true;
}

bool lowering_patches(lowering *l, const graph_node *n, const op_window *w, const qvalue *x, uint32_t groups,
                      uint32_t *norms, patches *out, mica_status *st) {
    const mica_tensor *t = &lowering_tensors(l)[x->tensor];
    const unsigned spatial = first_spatial(l, n);
    mica_placement p = {.src = x->tensor};
    memset(out, 0, sizeof *out);
    unsigned factors = 0, axes = 0;
    for (unsigned i = 0; i < x->axes.rank; i++) {
        factors += x->axes.of[i].n ? x->axes.of[i].n : 1;
        axes += x->axes.of[i].n;
    }
    if (factors > MICA_MAX_RANK || axes + w->n + (groups > 1) > MICA_MAX_RANK)
        return lowering_fail(l, n, st, MICA_ERR_LIMIT, "its window needs more than %d axes", MICA_MAX_RANK);
    if (spatial == 2)
        pass_list(&p, out, &out->lead, &x->axes.of[0], t->dim);
    if (groups > 1)
        split_channel(&p, out, &x->axes.of[spatial - 1], t->dim, groups);
    else
        pass_list(&p, out, &out->channel[1], &x->axes.of[spatial - 1], t->dim);
    add_tap_axes(w, out);
    for (unsigned d = 0; d < w->n; d++) {
        const uint32_t norm = norms ? lowering_window_norm(w, d) : 0;
        if (norms)
            norms[d] = norm;
        if (!needs_list(w, d))
            window_factor(&p, w, d, out, &x->axes.of[spatial + d], norm);
        else if (!listed_factor(l, n, &p, w, d, out, &x->axes.of[spatial + d], st))
            return false;
    }
    if (is_identity(&p, t, out)) {
        out->tensor = x->tensor;
        return true;
    }
    spare_axes(&p, t);
    out->tensor = builder_placement(&l->b, &p, out->rank, out->dim);
    return out->tensor != NO_INDEX;
}

layout lowering_window_axes(const lowering *l, const graph_node *n, const patches *p,
                            const axis_list *channel, const uint8_t *map) {
    int64_t dim[GRAPH_MAX_RANK];
    layout axes = {.rank = (uint8_t)layout_dims(&l->g->value[n->out[0]], dim)};
    const unsigned spatial = first_spatial(l, n);
    if (spatial == 2)
        for (unsigned i = 0; i < p->lead.n; i++)
            axis_list_push(&axes.of[0], map[p->lead.axis[i]]);
    axes.of[spatial - 1] = *channel;
    for (unsigned d = 0; spatial + d < axes.rank; d++)
        if (p->position[d] >= 0)
            axis_list_push(&axes.of[spatial + d], map[p->position[d]]);
    return axes;
}
