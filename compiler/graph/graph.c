#include "graph/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOL_CHUNK_BYTES ((size_t)1 << 16)

/* Blocks are only ever added; small requests share one, large ones get their own. */
typedef struct pool_block {
    struct pool_block *next;
    size_t size, used;
    _Alignas(16) unsigned char data[];
} pool_block;

struct graph_pool {
    pool_block *first; /* the block that small requests are cut from */
    uint32_t value_capacity, node_capacity;
};

bool graph_create(graph *g, mica_status *st) {
    *g = (graph){0};
    g->pool = calloc(1, sizeof *g->pool);
    return g->pool ? true : mica_fail(st, MICA_ERR_MEMORY, "out of memory");
}

void graph_free(graph *g) {
    if (g->pool) {
        for (pool_block *b = g->pool->first, *next; b; b = next) {
            next = b->next;
            free(b);
        }
        free(g->pool);
    }
    free(g->value);
    free(g->node);
    *g = (graph){0};
}

static pool_block *pool_add_block(size_t size) {
    pool_block *b = size <= SIZE_MAX - sizeof *b ? calloc(1, sizeof *b + size) : NULL;
    if (b)
        b->size = size;
    return b;
}

void *graph_alloc(graph *g, size_t count, size_t element, mica_status *st) {
    pool_block *b = g->pool->first;
    size_t bytes;
    if (__builtin_mul_overflow(count, element, &bytes) || bytes > SIZE_MAX / 2) {
        mica_fail(st, MICA_ERR_LIMIT, "%zu elements of %zu bytes exceed the address space", count, element);
        return NULL;
    }
    bytes = (bytes + 15) & ~(size_t)15;
    if (bytes == 0)
        bytes = 16; /* distinct and not NULL: an empty constant is a constant */
    if (!b || b->size - b->used < bytes) {
        bool own_block = bytes > POOL_CHUNK_BYTES / 4;
        b = pool_add_block(own_block ? bytes : POOL_CHUNK_BYTES);
        if (!b) {
            mica_fail(st, MICA_ERR_MEMORY, "out of memory (%zu bytes)", bytes);
            return NULL;
        }
        if (own_block && g->pool->first) { /* keep cutting from the current block */
            b->next = g->pool->first->next;
            g->pool->first->next = b;
        } else {
            b->next = g->pool->first;
            g->pool->first = b;
        }
    }
    void *p = b->data + b->used;
    b->used += bytes;
    return p;
}

/* Room for one more element in a doubling array. */
static bool grow(void **array, uint32_t n, uint32_t *capacity, size_t element, mica_status *st) {
    if (n < *capacity)
        return true;
    if (n >= GRAPH_MAX_ITEMS)
        return mica_fail(st, MICA_ERR_LIMIT, "the graph has more than %d nodes or values", GRAPH_MAX_ITEMS);
    uint32_t wanted = *capacity ? 2 * *capacity : 64;
    void *larger = realloc(*array, wanted * element);
    if (!larger)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory (%u nodes or values)", wanted);
    *array = larger;
    *capacity = wanted;
    return true;
}

uint32_t graph_add_value(graph *g, const graph_value *v, mica_status *st) {
    void *array = g->value;
    bool ok = grow(&array, g->n_values, &g->pool->value_capacity, sizeof *g->value, st);
    g->value = array;
    if (!ok)
        return UINT32_MAX;
    g->value[g->n_values] = *v;
    return g->n_values++;
}

uint32_t graph_add_node(graph *g, const graph_node *n, mica_status *st) {
    void *array = g->node;
    bool ok = grow(&array, g->n_nodes, &g->pool->node_capacity, sizeof *g->node, st);
    g->node = array;
    if (!ok)
        return UINT32_MAX;
    g->node[g->n_nodes] = *n;
    return g->n_nodes++;
}

void graph_set_producers(graph *g, uint32_t first) {
    for (uint32_t j = first; j < g->n_nodes; j++)
        for (uint32_t i = 0; !g->node[j].removed && i < g->node[j].n_out; i++)
            if (g->node[j].out[i] != GRAPH_NO_VALUE)
                g->value[g->node[j].out[i]].producer = j;
}

const graph_attr *graph_attr_find(const graph_node *n, const char *name) {
    for (uint32_t i = 0; i < n->n_attrs; i++)
        if (!strcmp(n->attr[i].name, name))
            return &n->attr[i];
    return NULL;
}

int64_t graph_attr_int(const graph_node *n, const char *name, int64_t otherwise) {
    const graph_attr *a = graph_attr_find(n, name);
    return a && a->type == ATTR_INT ? a->i : otherwise;
}

double graph_attr_float(const graph_node *n, const char *name, double otherwise) {
    const graph_attr *a = graph_attr_find(n, name);
    return a && a->type == ATTR_FLOAT ? a->f : otherwise;
}

const char *graph_attr_string(const graph_node *n, const char *name, const char *otherwise) {
    const graph_attr *a = graph_attr_find(n, name);
    return a && a->type == ATTR_STRING ? a->s : otherwise;
}

/* Appends formatted text to a bounded string; a full buffer stays terminated. */
static void append(char *buffer, size_t size, size_t *used, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void append(char *buffer, size_t size, size_t *used, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(buffer + *used, size - *used, format, args);
    va_end(args);
    if (n > 0)
        *used = (size_t)n < size - *used ? *used + (size_t)n : size - 1;
}

static void append_shape(char *buffer, size_t size, size_t *used, const graph_value *v) {
    append(buffer, size, used, "[");
    for (uint32_t i = 0; i < v->rank; i++)
        append(buffer, size, used, v->dim[i] < 0 ? "%s?" : "%s%lld", i ? "," : "", (long long)v->dim[i]);
    append(buffer, size, used, "]");
}

const char *graph_describe(const graph *g, const graph_node *n, char *buffer, size_t size) {
    enum { SHOWN_INPUTS = 4 };
    size_t used = 0;
    uint32_t shown = 0;
    if (size == 0)
        return "";
    buffer[0] = 0;
    append(buffer, size, &used, "node '%.100s' (%.60s", n->name, n->op);
    for (uint32_t i = 0; i < n->n_in; i++) {
        if (n->in[i] == GRAPH_NO_VALUE || !g->value[n->in[i]].has_shape)
            continue;
        if (shown == SHOWN_INPUTS) {
            append(buffer, size, &used, " * ...");
            break;
        }
        append(buffer, size, &used, shown++ ? " * " : ", ");
        append_shape(buffer, size, &used, &g->value[n->in[i]]);
    }
    append(buffer, size, &used, ")");
    return buffer;
}
