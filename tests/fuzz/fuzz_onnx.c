/* An ONNX file through the compiler's front end: import, shapes, folding, canonical form; and the report on
 * it. */
#include "commands/inspect.h"
#include "fuzz.h"
#include "graph/passes.h"
#include "wire.h"

static FILE *nowhere;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    nowhere = fopen("/dev/null", "w");
    FUZZ_CHECK(nowhere != NULL);
    return 0;
}

static void check_graph(const graph *g) {
    char text[320];
    for (uint32_t j = 0; j < g->n_nodes; j++) {
        const graph_node *n = &g->node[j];
        FUZZ_CHECK(n->removed || graph_describe(g, n, text, sizeof text)[0]);
        for (uint32_t i = 0; !n->removed && i < n->n_in; i++)
            FUZZ_CHECK(n->in[i] == GRAPH_NO_VALUE ||
                       (n->in[i] < g->n_values && g->value[n->in[i]].has_shape));
        FUZZ_CHECK(n->removed || (n->out[0] < g->n_values && g->value[n->out[0]].has_shape));
    }
}

static void compile(const char *path, bool bind) {
    const dim_binding dims[] = {{"N", 2}, {"M", 3}};
    mica_status st = {0};
    graph g;
    bool ok = onnx_import(&g, path, dims + 1, 1, &st);
    fuzz_check_status(ok, &st);
    if (!ok)
        return;
    for (uint32_t i = 0; bind && i < g.n_inputs; i++) {
        const graph_value *v = &g.value[g.input[i]];
        int64_t dim[GRAPH_MAX_RANK];
        mica_status own = {0};
        for (uint32_t d = 0; d < v->rank; d++)
            dim[d] = v->dim[d] < 0 ? 2 + (int64_t)d : v->dim[d];
        fuzz_check_status(graph_bind_input(&g, i, v->rank, dim, &own), &own);
    }
    ok = graph_infer_shapes(&g, &st) && graph_fold_constants(&g, &st) && graph_canonicalise(&g, &st);
    fuzz_check_status(ok, &st);
    if (ok)
        check_graph(&g);
    graph_free(&g);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *path = fuzz_file(data, size);
    mica_status st = {0};
    compile(path, size % 4 < 2);
    fuzz_check_status(mica_inspect(path, NULL, 0, size % 2 == 0, nowhere, NULL, &st), &st);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    return wire_mutate(data, size, max_size, seed);
}
