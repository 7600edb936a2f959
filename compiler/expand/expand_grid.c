/* AffineGrid: a product with a constant. GridSample: along every axis a row of weights for each place of the
 * grid, which the position's distance from every cell decides; then one contraction for each axis. A constant
 * grid is a list of cells and weights.
 */
#include <stdlib.h>
#include <string.h>

#include "expand/expand.h"
#include "ops/grid.h"
#include "ops/op_move.h"

#define WIDER 2 /* cells beyond either end that a cubic kernel may read */

/* --- AffineGrid --- */

uint32_t expand_affinegrid(expander *x) {
    const graph_value y = *op_out(x->g, &x->node, 0);
    const bool aligned = graph_attr_int(&x->node, "align_corners", 0) != 0;
    int64_t size[GRAPH_MAX_RANK], at[GRAPH_MAX_RANK] = {0};
    uint32_t axes;
    if (!affine_sizes(x->g, &x->node, size, &axes, x->st))
        return GRAPH_NO_VALUE;
    const int64_t dim[2] = {op_product(size, axes), axes + 1};
    double *base = graph_alloc(x->g, (size_t)(dim[0] * dim[1]), sizeof *base, x->st);
    if (!base)
        return GRAPH_NO_VALUE;
    for (int64_t i = 0; i < dim[0]; i++) {
        affine_place(size, axes, aligned, at, base + i * dim[1]);
        (void)op_next_index(at, size, axes);
    }
    const uint32_t places = expand_reals(x, 2, dim, base);
    expand_text(x, "equation", "nik,pk->npi");
    const uint32_t grid = expand_op2(x, "Einsum", x->node.in[0], places);
    const uint32_t shape = expand_list(x, y.rank, y.dim);
    expand_last(x);
    return expand_op2(x, "Reshape", grid, shape);
}

/* --- GridSample with a grid that arrives at run time --- */

static uint32_t shifted(expander *x, uint32_t v, double by) {
    return by == 0 ? v : expand_op2(x, "Add", v, expand_number(x, by));
}

/* least + |span - (v - least) mod 2 span| turned over: there and back again. */
static uint32_t reflected(expander *x, const grid_sampling *p, uint32_t d, uint32_t v) {
    const double span = grid_span(p, d), least = grid_least(p);
    if (span == 0)
        return expand_op2(x, "Mul", v, expand_number(x, 0));
    const uint32_t t = expand_op2(x, "Mod", shifted(x, v, -least), expand_number(x, 2 * span));
    const uint32_t back = expand_op1(x, "Abs", shifted(x, t, -span));
    return expand_op2(x, "Sub", expand_number(x, least + span), back);
}

/* The position of every place along axis d, as [n, places, 1]. */
static uint32_t positions(expander *x, const grid_sampling *p, uint32_t d, uint32_t grid) {
    const int64_t component = p->n - 1 - d;
    expand_int(x, "axis", 2);
    uint32_t v = expand_op2(x, "Gather", grid, expand_list(x, 1, &component));
    v = expand_op2(x, "Mul", v, expand_number(x, grid_factor(p, d)));
    v = shifted(x, v, grid_offset(p, d));
    if (p->mode == GRID_NEAREST)
        v = expand_op1(x, "Round", v);
    if (p->padding == GRID_REFLECTION)
        v = reflected(x, p, d, v);
    if (p->padding != GRID_ZEROS && p->mode != GRID_CUBIC) {
        const uint32_t least = expand_number(x, 0), most = expand_number(x, (double)p->in[d] - 1);
        v = expand_op2(x, "Min", expand_op2(x, "Max", v, least), most);
    } else if (p->padding == GRID_BORDER) { /* beyond that, all that is read is the border */
        const uint32_t least = expand_number(x, -1), most = expand_number(x, (double)p->in[d]);
        v = expand_op2(x, "Min", expand_op2(x, "Max", v, least), most);
    }
    return v;
}

/* Keys' kernel with parameter -3/4 at distance d: (3 u^3 - 3 u^2) / 4 - 2 v^3, u = max(2 - d, 0), v = max(1 -
 * d, 0). */
static uint32_t cubic_weights(expander *x, uint32_t d) {
    const uint32_t u = expand_op1(x, "Relu", expand_op2(x, "Sub", expand_number(x, 2), d)),
                   v = expand_op1(x, "Relu", expand_op2(x, "Sub", expand_number(x, 1), d));
    const uint32_t outer = expand_op2(x, "Mul", expand_op2(x, "Mul", u, u), shifted(x, u, -1));
    const uint32_t inner = expand_op2(x, "Mul", expand_op2(x, "Mul", v, v), v);
    return expand_op2(x, "Sub", expand_op2(x, "Mul", outer, expand_number(x, 0.75)),
                      expand_op2(x, "Mul", inner, expand_number(x, 2)));
}

/* Weights [n, places, cells] of the cells first, first + 1, ... of axis d. */
static uint32_t weights(expander *x, const grid_sampling *p, uint32_t d, uint32_t grid, int64_t first,
                        int64_t cells) {
    const int64_t dim[3] = {1, 1, cells};
    double *cell = graph_alloc(x->g, (size_t)cells, sizeof *cell, x->st);
    if (!cell)
        return GRAPH_NO_VALUE;
    for (int64_t i = 0; i < cells; i++)
        cell[i] = (double)(first + i);
    const uint32_t at = positions(x, p, d, grid), places = expand_reals(x, 3, dim, cell);
    const uint32_t gap = expand_op1(x, "Abs", expand_op2(x, "Sub", at, places));
    return p->mode == GRID_CUBIC ? cubic_weights(x, gap)
                                 : expand_op1(x, "Relu", expand_op2(x, "Sub", expand_number(x, 1), gap));
}

/* v with the cells that stand for positions beyond axis d. */
static uint32_t widened(expander *x, const grid_sampling *p, uint32_t d, uint32_t v) {
    const int64_t cells = p->in[d] + (int64_t)2 * WIDER;
    int64_t *list = graph_alloc(x->g, (size_t)cells, sizeof *list, x->st);
    if (!list)
        return GRAPH_NO_VALUE;
    for (int64_t i = 0; i < cells; i++)
        list[i] = grid_cell(p, d, i - WIDER);
    expand_int(x, "axis", 2 + d);
    return expand_op2(x, "Gather", v, expand_list(x, (size_t)cells, list));
}

static uint32_t sample_at_run_time(expander *x, const grid_sampling *p) {
    static const char *const first[GRID_AXES] = {"nca,npa->ncp", "ncab,npa->ncpb", "ncabd,npa->ncpbd"};
    static const char *const next[GRID_AXES] = {"", "ncpb,npb->ncp", "ncpbd,npb->ncpd"};
    const graph_value y = *op_out(x->g, &x->node, 0);
    const int64_t dim[3] = {y.dim[0], op_product(p->out, p->n), p->n};
    const uint32_t grid = expand_reshape(x, x->node.in[1], 3, dim);
    const bool wide = p->mode == GRID_CUBIC && p->padding != GRID_ZEROS;
    uint32_t v = x->node.in[0];
    for (uint32_t d = 0; wide && d < p->n; d++)
        v = widened(x, p, d, v);
    for (uint32_t d = 0; d < p->n; d++) {
        const uint32_t w = weights(x, p, d, grid, wide ? -WIDER : 0, p->in[d] + (wide ? 2 * WIDER : 0));
        const char *equation = d == 0 ? first[p->n - 1] : next[p->n - d];
        expand_text(x, "equation", equation);
        v = expand_op2(x, "Einsum", v, w);
    }
    const uint32_t shape = expand_list(x, y.rank, y.dim);
    expand_last(x);
    return expand_op2(x, "Reshape", v, shape);
}

/* --- GridSample with a constant grid --- */

/* Cells and weights [taps, places] of a grid. */
typedef struct listed {
    int64_t taps, places;
    int64_t *cell;
    double *weight;
} listed;

static bool list_cells(expander *x, const grid_sampling *p, const double *grid, listed *l) {
    static const int64_t per_axis[] = {1, 2, 4};
    l->taps = 1;
    for (uint32_t d = 0; d < p->n; d++)
        l->taps *= per_axis[p->mode];
    l->places = op_product(p->out, p->n);
    l->cell = graph_alloc(x->g, (size_t)(l->taps * l->places), sizeof *l->cell, x->st);
    l->weight = graph_alloc(x->g, (size_t)(l->taps * l->places), sizeof *l->weight, x->st);
    for (int64_t o = 0; l->cell && l->weight && o < l->places; o++) {
        int64_t at[GRID_AXES][GRID_TAPS];
        double weight[GRID_AXES][GRID_TAPS];
        for (uint32_t d = 0; d < p->n; d++)
            (void)grid_taps(p, d, grid[o * p->n + p->n - 1 - d], at[d], weight[d]);
        for (int64_t t = 0; t < l->taps; t++) {
            int64_t cell = 0, rest = t;
            double w = 1;
            for (uint32_t d = 0; d < p->n; d++, rest /= per_axis[p->mode]) {
                const int64_t i = rest % per_axis[p->mode];
                w *= at[d][i] < 0 ? 0 : weight[d][i];
                cell = cell * p->in[d] + (at[d][i] < 0 ? 0 : at[d][i]);
            }
            l->cell[t * l->places + o] = cell;
            l->weight[t * l->places + o] = w;
        }
    }
    return l->cell && l->weight;
}

static uint32_t sample_constant(expander *x, const grid_sampling *p) {
    const graph_value v = *op_in(x->g, &x->node, 0), y = *op_out(x->g, &x->node, 0);
    const int64_t flat[3] = {v.dim[0], v.dim[1], op_product(p->in, p->n)};
    listed l;
    if (!list_cells(x, p, op_in(x->g, &x->node, 1)->real, &l))
        return GRAPH_NO_VALUE;
    const int64_t gathered[4] = {v.dim[0], v.dim[1], l.taps, l.places}, dim[2] = {l.taps, l.places};
    const uint32_t plane = expand_reshape(x, x->node.in[0], 3, flat);
    const uint32_t cells = expand_list(x, (size_t)(l.taps * l.places), l.cell),
                   weight = expand_reals(x, 2, dim, l.weight);
    expand_int(x, "axis", 2);
    const uint32_t taps = expand_reshape(x, expand_op2(x, "Gather", plane, cells), 4, gathered);
    expand_text(x, "equation", "nctp,tp->ncp");
    const uint32_t sums = expand_op2(x, "Einsum", taps, weight), shape = expand_list(x, y.rank, y.dim);
    expand_last(x);
    return expand_op2(x, "Reshape", sums, shape);
}

uint32_t expand_gridsample(expander *x) {
    grid_sampling p;
    if (!grid_read(&p, x->g, &x->node, x->st))
        return GRAPH_NO_VALUE;
    const graph_value *grid = op_in(x->g, &x->node, 1);
    return grid->real && grid->dim[0] == 1 ? sample_constant(x, &p) : sample_at_run_time(x, &p);
}
