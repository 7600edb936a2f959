/* Graph inputs that become constants before shapes are inferred, and the batch axis of those that stay. */
#include <stdio.h>
#include <string.h>

#include "graph/onnx_types.h"
#include "graph/passes.h"
#include "graph/shapes.h"

#define EXACT_INTEGERS 0x1p53 /* doubles below it hold every integer */

void graph_find_batch(graph *g) {
    g->batched = g->n_inputs > 0;
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        const graph_value *v = &g->value[g->input[i]];
        g->batched &= v->rank >= 2 && (v->dim[0] == 1 || v->dim[0] == -1);
    }
}

static bool fail_unknown(const graph *g, const char *name, mica_status *st) {
    char list[600];
    size_t used = 0;
    list[0] = 0;
    for (uint32_t i = 0; i < g->n_inputs && used + 80 < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s'%.60s'", used ? ", " : "",
                                 g->value[g->input[i]].name);
    return mica_fail(st, MICA_ERR_USAGE, "--const %.100s: the model has no input of that name; it has %s",
                     name, used ? list : "none");
}

static const graph_free_dim *free_dim_of(const graph *g, uint32_t value, uint32_t axis) {
    for (uint32_t i = 0; i < g->n_free_dims; i++)
        if (g->free_dim[i].value == value && g->free_dim[i].axis == axis)
            return &g->free_dim[i];
    return NULL;
}

/* Whether the input can only be one element, whatever its rank. */
static bool holds_one(const graph_value *v) {
    bool one = true;
    for (uint32_t i = 0; i < v->rank; i++)
        one &= v->dim[i] == 1 || v->dim[i] == -1;
    return one;
}

/* Gives the input the data's shape and binds the names of its free dimensions. */
static bool take_shape(graph *g, uint32_t value, uint32_t rank, const int64_t *dim, uint64_t elements,
                       mica_status *st) {
    graph_value *v = &g->value[value];
    const bool one = elements == 1 && holds_one(v);
    if (rank != v->rank && !one)
        return mica_fail(st, MICA_ERR_USAGE, "--const %.100s: the input has %u dimensions, the data has %u",
                         v->name, v->rank, rank);
    for (uint32_t i = 0; i < v->rank; i++) {
        const int64_t size = one ? 1 : dim[i];
        const graph_free_dim *d = free_dim_of(g, value, i);
        if (v->dim[i] >= 0 && v->dim[i] != size)
            return mica_fail(st, MICA_ERR_USAGE,
                             "--const %.100s: dimension %u of the input is %lld, of the data %lld", v->name,
                             i, (long long)v->dim[i], (long long)size);
        if (d && size > 0 && !graph_bind_free(g, d, size, st))
            return false;
        v->dim[i] = size;
    }
    return true;
}

static bool holds_integer(const graph_value *v, double x) {
    const unsigned bits = v->onnx_dtype == ONNX_BOOL ? 1 : onnx_type_bits(v->onnx_dtype);
    const bool negative = onnx_type_signed(v->onnx_dtype);
    const double all = bits < 63 ? (double)(UINT64_C(1) << bits) : 2 * EXACT_INTEGERS;
    const double lo = negative ? -all / 2 : 0, hi = negative ? all / 2 : all;
    return x >= lo && x < hi && x >= -EXACT_INTEGERS && x <= EXACT_INTEGERS && x == (double)(int64_t)x;
}

static bool take_elements(graph *g, graph_value *v, const double *element, uint64_t n, mica_status *st) {
    const bool integers = v->dtype == DTYPE_INT;
    double *real = integers ? NULL : graph_alloc(g, (size_t)n + 1, sizeof *real, st);
    int64_t *integer = integers ? graph_alloc(g, (size_t)n + 1, sizeof *integer, st) : NULL;
    if (!real && !integer)
        return false;
    for (uint64_t i = 0; i < n; i++) {
        if (integers && !holds_integer(v, element[i]))
            return mica_fail(st, MICA_ERR_USAGE, "--const %.100s: element %llu is %.17g; the input holds %s",
                             v->name, (unsigned long long)i, element[i], onnx_type_name(v->onnx_dtype));
        if (integers)
            integer[i] = (int64_t)element[i];
        else
            real[i] = element[i];
    }
    v->real = real;
    v->integer = integer;
    return true;
}

static void forget_input(graph *g, uint32_t index) {
    const uint32_t value = g->input[index];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < g->n_free_dims; i++)
        if (g->free_dim[i].value != value)
            g->free_dim[kept++] = g->free_dim[i];
    g->n_free_dims = kept;
    g->n_inputs--;
    memmove(&g->input[index], &g->input[index + 1], (g->n_inputs - index) * sizeof *g->input);
}

bool graph_freeze_empty_inputs(graph *g, mica_status *st) {
    const double nothing = 0;
    for (uint32_t i = 0; i < g->n_inputs;) {
        const graph_value v = g->value[g->input[i]];
        bool empty = false, known = true;
        for (uint32_t d = 0; d < v.rank; d++) {
            empty |= v.dim[d] == 0;
            known &= v.dim[d] >= 0;
        }
        if (empty && known) {
            if (!graph_freeze_input(g, v.name, v.rank, v.dim, &nothing, st))
                return false;
            g->n_empty_inputs++;
        } else {
            i++;
        }
    }
    return true;
}

bool graph_freeze_input(graph *g, const char *name, uint32_t rank, const int64_t *dim, const double *element,
                        mica_status *st) {
    uint32_t index = 0;
    uint64_t n = 1;
    while (index < g->n_inputs && strcmp(g->value[g->input[index]].name, name) != 0)
        index++;
    if (index == g->n_inputs)
        return fail_unknown(g, name, st);
    for (uint32_t i = 0; i < rank; i++)
        n *= (uint64_t)dim[i]; /* of a tensor in memory */
    if (!take_shape(g, g->input[index], rank, dim, n, st) ||
        !take_elements(g, &g->value[g->input[index]], element, n, st))
        return false;
    forget_input(g, index);
    graph_find_batch(g);
    return true;
}
