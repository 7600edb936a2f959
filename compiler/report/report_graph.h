/* The drawing of a circuit: one row per layer, edges along lanes to the left of the rows. */
#ifndef MICA_COMPILER_REPORT_GRAPH_H
#define MICA_COMPILER_REPORT_GRAPH_H

#include "program/program.h"

typedef struct report_row {
    bool is_output; /* else a layer */
    uint32_t index; /* of circuit.output or circuit.layer */
    uint32_t lane;
} report_row;

/* Row `to` reads a tensor of row `from`, from < to. */
typedef struct report_edge {
    uint32_t from, to;
} report_edge;

/* Rows stand in the order of the layers, then the outputs; every row reads earlier ones only. A row keeps its
 * lane until the last row that reads it, so that an edge runs down its own lane and meets no other row. */
typedef struct report_graph {
    uint32_t n_rows, n_edges, n_lanes;
    report_row *row;
    report_edge *edge; /* sorted by `to`, then `from` */
} report_graph;

/* Layers that read nothing and are read by none (the tables' multiplicities) have no row. */
bool report_graph_make(report_graph *g, const program *p, mica_status *st);
void report_graph_free(report_graph *g);

#endif
