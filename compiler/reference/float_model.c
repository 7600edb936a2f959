#include "mica/float_model.h"

#include <stdlib.h>
#include <string.h>

#include "graph/digest.h"
#include "graph/passes.h"
#include "reference/float_file.h"

struct mica_float_model {
    graph graph;
    double **value; /* buffers of graph_evaluate */
};

void mica_float_digest(const uint8_t *bytes, size_t size, uint8_t digest[32]) {
    digest_of("mica float v1", bytes, size, digest);
}

mica_float_model *mica_float_read(const uint8_t *bytes, size_t size, mica_status *st) {
    mica_float_model *m = calloc(1, sizeof *m);
    if (!m) {
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory for the float model");
        return NULL;
    }
    if (!float_file_read(&m->graph, bytes, size, st)) {
        free(m);
        return NULL;
    }
    m->value = graph_infer_shapes(&m->graph, st) ? graph_buffers_create(&m->graph, st) : NULL;
    if (!m->value) {
        mica_float_free(m);
        return NULL;
    }
    return m;
}

void mica_float_free(mica_float_model *m) {
    if (m) {
        graph_buffers_free(&m->graph, m->value);
        graph_free(&m->graph);
    }
    free(m);
}

uint32_t mica_float_inputs(const mica_float_model *m) {
    return m->graph.n_inputs;
}

uint32_t mica_float_outputs(const mica_float_model *m) {
    return m->graph.n_outputs;
}

uint64_t mica_float_input_cells(const mica_float_model *m, uint32_t k) {
    return graph_elements(&m->graph.value[m->graph.input[k]]);
}

uint64_t mica_float_output_cells(const mica_float_model *m, uint32_t k) {
    return graph_elements(&m->graph.value[m->graph.output[k]]);
}

bool mica_float_evaluate(mica_float_model *m, const double *const *input, double *const *output,
                         mica_status *st) {
    const graph *g = &m->graph;
    if (!graph_evaluate(g, input, m->value, st))
        return false;
    for (uint32_t k = 0; k < g->n_outputs; k++) {
        const graph_value *v = &g->value[g->output[k]];
        const uint64_t n = graph_elements(v);
        for (uint64_t i = 0; i < n; i++)
            output[k][i] = v->real      ? v->real[i]
                           : v->integer ? (double)v->integer[i]
                                        : m->value[g->output[k]][i];
    }
    return true;
}
