#include "report/report_graph.h"

#include <stdlib.h>
#include <string.h>

/* --- edges between layers, and from layers to outputs (numbered after the layers) --- */

typedef struct edge_list {
    report_edge *item;
    size_t n, capacity;
    const mica_circuit *circuit;
    mica_status *status;
} edge_list;

/* Layer or output `to` reads the tensor. Weights belong to whoever reads them. */
static bool add_edge(edge_list *l, uint32_t tensor, uint32_t to) {
    const mica_tensor *x = &l->circuit->tensor[tensor];
    if (x->kind == MICA_TENSOR_WEIGHT || x->layer >= to)
        return true;
    if (l->n == l->capacity) {
        const size_t wanted = l->capacity ? 2 * l->capacity : 256;
        report_edge *grown = realloc(l->item, wanted * sizeof *grown);
        if (!grown)
            return mica_fail(l->status, MICA_ERR_MEMORY, "out of memory for the report");
        l->item = grown;
        l->capacity = wanted;
    }
    l->item[l->n++] = (report_edge){x->layer, to};
    return true;
}

static bool add_definition(edge_list *l, uint32_t t) {
    const mica_circuit *c = l->circuit;
    const mica_tensor *x = &c->tensor[t];
    bool ok = true;
    if (x->kind == MICA_TENSOR_LINEAR) {
        const mica_linear *d = &c->linear[x->def];
        for (uint32_t i = 0; ok && i < d->n_terms; i++)
            ok = add_edge(l, c->term[d->first_term + i].tensor, x->layer);
    } else if (x->kind == MICA_TENSOR_CONTRACT) {
        ok = add_edge(l, c->contract[x->def].a, x->layer) && add_edge(l, c->contract[x->def].b, x->layer);
    } else if (x->kind == MICA_TENSOR_PLACEMENT) {
        ok = add_edge(l, c->placement[x->def].src, x->layer);
    }
    return ok;
}

static int compare_edges(const void *a, const void *b) {
    const report_edge *x = a, *y = b;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    return (x->from > y->from) - (x->from < y->from);
}

static void sort_unique(edge_list *l) {
    size_t kept = 0;
    if (l->n == 0)
        return;
    qsort(l->item, l->n, sizeof *l->item, compare_edges);
    for (size_t i = 0; i < l->n; i++) {
        if (kept == 0 || compare_edges(&l->item[kept - 1], &l->item[i]) != 0)
            l->item[kept++] = l->item[i];
    }
    l->n = kept;
}

static bool collect(edge_list *l, const program *p) {
    const mica_circuit *c = l->circuit;
    bool ok = true;
    for (uint32_t t = 0; ok && t < c->n_tensors; t++)
        ok = add_definition(l, t);
    /* what is computed from values, not defined by them: lookups, maxima, quotients */
    for (uint32_t i = 0; ok && i < p->n_steps; i++) {
        for (unsigned k = 0; ok && k < STEP_MAX_TENSORS; k++) {
            const uint32_t t = p->step[i].tensor[k];
            ok = t == UINT32_MAX || add_edge(l, t, p->step[i].layer);
        }
    }
    for (uint32_t i = 0; ok && i < c->n_outputs; i++)
        ok = add_edge(l, c->output[i].tensor, c->n_layers + i);
    if (ok)
        sort_unique(l);
    return ok;
}

/* --- rows and lanes --- */

/* Numbers the layers that have an edge and the outputs; the edges then speak of rows. */
static bool make_rows(report_graph *g, const mica_circuit *c, mica_status *st) {
    const uint32_t n = c->n_layers + c->n_outputs;
    uint32_t *row_of = malloc((n + 1u) * sizeof *row_of);
    g->row = calloc(n + 1u, sizeof *g->row);
    if (!row_of || !g->row) {
        free(row_of);
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for the report");
    }
    memset(row_of, 0, (n + 1u) * sizeof *row_of);
    for (uint32_t e = 0; e < g->n_edges; e++)
        row_of[g->edge[e].from] = row_of[g->edge[e].to] = 1;
    for (uint32_t i = 0; i < n; i++) {
        const bool is_output = i >= c->n_layers;
        if (!row_of[i] && !is_output)
            continue;
        row_of[i] = g->n_rows;
        g->row[g->n_rows++] = (report_row){is_output, is_output ? i - c->n_layers : i, 0};
    }
    for (uint32_t e = 0; e < g->n_edges; e++)
        g->edge[e] = (report_edge){row_of[g->edge[e].from], row_of[g->edge[e].to]};
    free(row_of);
    return true;
}

/* The lane of row r: that of an edge which ends here, so that chains stay straight, else the first free one.
 * busy[lane]: last row that needs it; last[row]: last row that reads it. */
static uint32_t choose_lane(const report_graph *g, uint32_t r, uint32_t first_edge, const uint32_t *last,
                            const uint32_t *busy) {
    uint32_t lane = UINT32_MAX;
    for (uint32_t e = first_edge; e < g->n_edges && g->edge[e].to == r; e++) {
        const uint32_t from = g->edge[e].from;
        if (last[from] == r && g->row[from].lane < lane)
            lane = g->row[from].lane;
    }
    if (lane != UINT32_MAX)
        return lane;
    for (lane = 0; lane < g->n_lanes && busy[lane] > r; lane++)
        ;
    return lane;
}

static bool assign_lanes(report_graph *g, mica_status *st) {
    uint32_t *last = calloc(2 * ((size_t)g->n_rows + 1), sizeof *last);
    if (!last)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for the report");
    uint32_t *busy = last + g->n_rows + 1;
    for (uint32_t e = 0; e < g->n_edges; e++)
        last[g->edge[e].from] = g->edge[e].to; /* the edges are sorted by `to` */
    for (uint32_t r = 0, e = 0; r < g->n_rows; r++) {
        const uint32_t lane = choose_lane(g, r, e, last, busy);
        g->row[r].lane = lane;
        busy[lane] = last[r] > r ? last[r] : r + 1;
        g->n_lanes = lane + 1 > g->n_lanes ? lane + 1 : g->n_lanes;
        while (e < g->n_edges && g->edge[e].to == r)
            e++;
    }
    free(last);
    return true;
}

void report_graph_free(report_graph *g) {
    free(g->row);
    free(g->edge);
    memset(g, 0, sizeof *g);
}

bool report_graph_make(report_graph *g, const program *p, mica_status *st) {
    edge_list l = {.circuit = &p->circuit, .status = st};
    memset(g, 0, sizeof *g);
    bool ok = collect(&l, p);
    g->edge = l.item;
    g->n_edges = (uint32_t)l.n;
    ok = ok && make_rows(g, &p->circuit, st) && assign_lanes(g, st);
    if (!ok)
        report_graph_free(g);
    return ok;
}
