/* AffineGrid and GridSample. */
#include <math.h>
#include <string.h>

#include "ops/grid.h"
#include "ops/op_move.h"
#include "reference/float_math.h"

#define KEYS (-0.75) /* the parameter of Keys' kernel */
#define FAR  0x1p40  /* positions beyond it are taken there */

/* --- AffineGrid --- */

bool affine_sizes(const graph *g, const graph_node *n, int64_t *size, uint32_t *axes, mica_status *st) {
    const graph_value *theta = op_in(g, n, 0);
    op_ints list;
    if (!op_int_list(g, n, 1, NULL, &list, st))
        return false;
    bool ok = (list.n == 4 || list.n == 5) && theta->dtype == DTYPE_FLOAT && theta->rank == 3;
    *axes = ok ? (uint32_t)list.n - 2 : 0;
    ok = ok && theta->dim[0] == list.v[0] && theta->dim[1] == *axes && theta->dim[2] == *axes + 1;
    for (uint32_t i = 0; ok && i < *axes; i++) {
        size[i] = list.v[2 + i];
        ok = size[i] >= 1 && size[i] < GRAPH_MAX_ELEMENTS;
    }
    return ok || op_fail(g, n, st, MICA_ERR_FORMAT, "theta and size do not fit");
}

bool infer_affinegrid(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *theta = op_in(c->g, n, 0);
    int64_t size[GRAPH_MAX_RANK], dim[GRAPH_MAX_RANK];
    uint32_t axes;
    if (!affine_sizes(c->g, n, size, &axes, st))
        return false;
    dim[0] = theta->dim[0];
    memcpy(dim + 1, size, axes * sizeof *size);
    dim[1 + axes] = axes;
    return op_set_output(c, n, theta, 2 + axes, dim, theta->batched, st);
}

void affine_place(const int64_t *size, uint32_t axes, bool aligned, const int64_t *at, double *place) {
    for (uint32_t i = axes; i-- > 0;) {
        const double o = (double)at[i], n = (double)size[i];
        *place++ = !aligned ? (2 * o + 1) / n - 1 : size[i] > 1 ? 2 * o / (n - 1) - 1 : -1;
    }
    *place = 1;
}

bool eval_affinegrid(const op_args *a, mica_status *st) {
    const bool aligned = graph_attr_int(a->n, "align_corners", 0) != 0;
    int64_t size[GRAPH_MAX_RANK], at[GRAPH_MAX_RANK] = {0};
    double *y = a->out[0];
    uint32_t axes;
    if (!affine_sizes(a->g, a->n, size, &axes, st))
        return false;
    for (int64_t item = 0; item < op_in(a->g, a->n, 0)->dim[0]; item++) {
        const double *theta = a->in[0] + (size_t)item * axes * (axes + 1);
        do {
            double place[GRID_AXES + 1];
            affine_place(size, axes, aligned, at, place);
            for (uint32_t i = 0; i < axes; i++) {
                double sum = 0;
                for (uint32_t k = 0; k <= axes; k++)
                    sum += theta[i * (axes + 1) + k] * place[k];
                *y++ = sum;
            }
        } while (op_next_index(at, size, axes));
    }
    return true;
}

/* --- GridSample: what the node says --- */

static bool read_words(grid_sampling *p, const graph *g, const graph_node *n, mica_status *st) {
    static const char *const modes[] = {"nearest", "linear", "cubic", "nearest", "bilinear", "bicubic"};
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    const char *mode = graph_attr_string(n, "mode", "linear"),
               *padding = graph_attr_string(n, "padding_mode", "zeros");
    unsigned i = 0, k = 0;
    while (i < 6 && strcmp(mode, modes[i]) != 0)
        i++;
    while (k < 3 && strcmp(padding, paddings[k]) != 0)
        k++;
    p->mode = (grid_mode)(i % 3);
    p->padding = (grid_padding)k;
    p->aligned = graph_attr_int(n, "align_corners", 0) != 0;
    return (i < 6 && k < 3) ||
           op_fail(g, n, st, MICA_ERR_FORMAT, "mode '%.40s' with '%.40s' is unknown", mode, padding);
}

bool grid_read(grid_sampling *p, const graph *g, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(g, n, 0), *grid = op_in(g, n, 1);
    memset(p, 0, sizeof *p);
    if (!read_words(p, g, n, st))
        return false;
    if (x->rank < 3 || x->rank > 2 + GRID_AXES || grid->rank != x->rank || grid->dim[0] != x->dim[0] ||
        grid->dim[grid->rank - 1] != (int64_t)x->rank - 2)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "input and grid do not fit; 1 to %d axes are sampled",
                       GRID_AXES);
    p->n = x->rank - 2;
    for (uint32_t d = 0; d < p->n; d++) {
        p->in[d] = x->dim[2 + d];
        p->out[d] = grid->dim[1 + d];
        if (p->in[d] < 1)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "axis %u is empty", 2 + d);
    }
    return true;
}

bool infer_gridsample(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0), *grid = op_in(c->g, n, 1);
    int64_t dim[GRAPH_MAX_RANK];
    grid_sampling p;
    if (!op_all_float(c->g, n, st) || !grid_read(&p, c->g, n, st))
        return false;
    if (grid->batched && !x->batched)
        return op_mixes_batch(c);
    dim[0] = x->dim[0];
    dim[1] = x->dim[1];
    memcpy(dim + 2, p.out, p.n * sizeof *dim);
    return op_set_output(c, n, x, x->rank, dim, x->batched, st);
}

/* --- positions --- */

double grid_factor(const grid_sampling *p, uint32_t d) {
    return ((double)p->in[d] - (p->aligned ? 1 : 0)) / 2;
}

double grid_offset(const grid_sampling *p, uint32_t d) {
    return ((double)p->in[d] - 1) / 2;
}

double grid_least(const grid_sampling *p) {
    return p->aligned ? 0 : -0.5;
}

double grid_span(const grid_sampling *p, uint32_t d) {
    return (double)p->in[d] - (p->aligned ? 1 : 0);
}

/* There and back again between least and least + span. */
static double reflect(const grid_sampling *p, uint32_t d, double x) {
    const double span = grid_span(p, d), from = x - grid_least(p);
    if (span == 0)
        return 0;
    const double t = from - 2 * span * fm_floor(from / (2 * span));
    return grid_least(p) + (t > span ? 2 * span - t : t);
}

int64_t grid_cell(const grid_sampling *p, uint32_t d, int64_t at) {
    const int64_t last = p->in[d] - 1;
    if (at >= 0 && at <= last)
        return at;
    if (p->padding == GRID_ZEROS)
        return -1;
    if (p->padding == GRID_REFLECTION)
        at = (int64_t)reflect(p, d, (double)at);
    return at < 0 ? 0 : at > last ? last : at;
}

/* Where a position beyond the axis is taken, before cells are read. */
static double inside(const grid_sampling *p, uint32_t d, double x) {
    const double least = grid_least(p), most = least + grid_span(p, d), last = (double)p->in[d] - 1;
    if (x >= least && x <= most)
        return x;
    if (p->padding == GRID_REFLECTION)
        return reflect(p, d, x);
    if (p->padding == GRID_BORDER)
        return x < 0 ? 0 : x > last ? last : x;
    return x < -FAR ? -FAR : x > FAR ? FAR : x;
}

static double keys(double d) {
    if (d < 1)
        return ((KEYS + 2) * d - (KEYS + 3)) * d * d + 1;
    return d < 2 ? ((KEYS * d - 5 * KEYS) * d + 8 * KEYS) * d - 4 * KEYS : 0;
}

unsigned grid_taps(const grid_sampling *p, uint32_t d, double x, int64_t *at, double *weight) {
    const unsigned taps = p->mode == GRID_NEAREST ? 1 : p->mode == GRID_LINEAR ? 2 : GRID_TAPS;
    double position = grid_factor(p, d) * x + grid_offset(p, d);
    if (p->mode == GRID_NEAREST)
        position = fm_round_even(position);
    position = inside(p, d, position);
    const double below = fm_floor(position);
    const int64_t first = (int64_t)below - (p->mode == GRID_CUBIC ? 1 : 0);
    for (unsigned i = 0; i < taps; i++) {
        const double gap = fabs(position - (double)(first + i));
        at[i] = grid_cell(p, d, first + i);
        weight[i] = p->mode == GRID_NEAREST ? 1 : p->mode == GRID_LINEAR ? 1 - gap : keys(gap);
    }
    return taps;
}

/* --- the reference --- */

typedef struct sampled {
    unsigned n[GRID_AXES];
    int64_t at[GRID_AXES][GRID_TAPS];
    double weight[GRID_AXES][GRID_TAPS];
} sampled;

/* Sum over the taps of axes d.., from cell `at` of the axes before. */
static double sum_taps(const grid_sampling *p, const sampled *s, const double *x, uint32_t d, int64_t at) {
    double sum = 0;
    if (d == p->n)
        return x[at];
    for (unsigned i = 0; i < s->n[d]; i++)
        if (s->at[d][i] >= 0 && s->weight[d][i] != 0)
            sum += s->weight[d][i] * sum_taps(p, s, x, d + 1, at * p->in[d] + s->at[d][i]);
    return sum;
}

bool eval_gridsample(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    grid_sampling p;
    if (!grid_read(&p, a->g, a->n, st))
        return false;
    const size_t plane = (size_t)op_product(p.in, p.n), places = (size_t)op_product(p.out, p.n);
    const size_t channels = (size_t)x->dim[1];
    for (size_t item = 0; item < (size_t)x->dim[0]; item++)
        for (size_t o = 0; o < places; o++) {
            const double *place = a->in[1] + (item * places + o) * p.n;
            sampled s;
            for (uint32_t d = 0; d < p.n; d++)
                s.n[d] = grid_taps(&p, d, place[p.n - 1 - d], s.at[d], s.weight[d]);
            for (size_t c = 0; c < channels; c++)
                a->out[0][(item * channels + c) * places + o] =
                    sum_taps(&p, &s, a->in[0] + (item * channels + c) * plane, 0, 0);
        }
    return true;
}
