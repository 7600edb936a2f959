#include "driver.h"

#include "io/tensor_file.h"

#include <stdlib.h>
#include <string.h>

typedef struct sample_storage {
    tensor_items items;
    const double **input;         /* [n][n_inputs] */
    const double *const **sample; /* [n] */
} sample_storage;

/* What the file says of an input; a batch axis is left out. */
static tensor_spec spec_of_input(const graph_value *v) {
    tensor_spec spec = {.name = v->name ? v->name : "", .batched = v->batched};
    for (uint32_t i = v->batched ? 1 : 0; i < v->rank; i++)
        spec.dim[spec.rank++] = v->dim[i] > 0 ? v->dim[i] : -1;
    return spec;
}

static bool bind_inputs(graph *g, const tensor_items *items, mica_status *st) {
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        const graph_value *v = &g->value[g->input[i]];
        const tensor_spec *spec = &items->spec[i];
        int64_t dim[GRAPH_MAX_RANK] = {1};
        const uint32_t first = v->batched ? 1 : 0;
        for (uint32_t d = 0; d < spec->rank; d++)
            dim[first + d] = spec->dim[d];
        if (!graph_bind_input(g, i, v->rank, dim, st))
            return false;
    }
    return true;
}

static bool index_samples(sample_set *s, sample_storage *store, uint32_t n_inputs, mica_status *st) {
    s->n = (uint32_t)store->items.items;
    store->input = calloc((size_t)s->n * n_inputs + 1, sizeof *store->input);
    store->sample = calloc((size_t)s->n + 1, sizeof *store->sample);
    if (!store->input || !store->sample)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for the calibration samples");
    for (uint32_t k = 0; k < s->n; k++) {
        for (uint32_t i = 0; i < n_inputs; i++)
            store->input[(size_t)k * n_inputs + i] =
                store->items.value[i] + (size_t)k * tensor_spec_cells(&store->items.spec[i]);
        store->sample[k] = store->input + (size_t)k * n_inputs;
    }
    s->sample = store->sample;
    return true;
}

bool sample_set_read(sample_set *s, graph *g, const char *path, mica_status *st) {
    memset(s, 0, sizeof *s);
    if (!path)
        return true;
    tensor_spec *spec = calloc(g->n_inputs + 1u, sizeof *spec);
    sample_storage *store = calloc(1, sizeof *store);
    if (!spec || !store) {
        free(spec);
        free(store);
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for the calibration samples");
    }
    for (uint32_t i = 0; i < g->n_inputs; i++)
        spec[i] = spec_of_input(&g->value[g->input[i]]);
    bool ok = calibration_read(&store->items, spec, g->n_inputs, path, st);
    if (ok) {
        s->storage = store;
        ok = bind_inputs(g, &store->items, st) && index_samples(s, store, g->n_inputs, st);
        if (!ok)
            sample_set_free(s);
    } else {
        free(store);
    }
    free(spec);
    return ok;
}

void sample_set_free(sample_set *s) {
    sample_storage *store = s->storage;
    if (store) {
        tensor_items_free(&store->items);
        free(store->input);
        free(store->sample);
        free(store);
    }
    memset(s, 0, sizeof *s);
}
