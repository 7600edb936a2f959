/* The prover's fraction tree. Layer k, 0 <= k < bits, holds the children of its nodes as four tables p0 q0 p1
 * q1 (index 0: even child, 1: odd child) over the first n of 2^k nodes; the nodes beyond n have the children
 * 0/1, 0/1 and take no memory. The tables of the last layer are not stored: they are read from the leaves.
 */
#ifndef MICA_LOGUP_FRACTION_LAYER_H
#define MICA_LOGUP_FRACTION_LAYER_H

#include "base/arena.h"
#include "field/qvec.h"
#include "logup/logup.h"
#include "logup/logup_schedule.h"

/* Nodes that are worked on at a time; even. The buffers of a few tables of this length stay in the inner
 * caches. */
#define FRACTION_CHUNK_BITS 8
#define FRACTION_CHUNK      ((size_t)1 << FRACTION_CHUNK_BITS)
/* Chunks per thread from which waking it pays off. */
#define FRACTION_GRAIN ((size_t)16)

typedef struct fraction_leaves {
    const m31 *p;
    qvec q;
    size_t count;
} fraction_leaves;

/* The numerators of a chunk of nodes, where all children have the same: lookups count 1 each, and what
 * binding variables makes of them is again one value for whole chunks. */
typedef struct fraction_numerator {
    bool constant;
    qm31 value;
} fraction_numerator;

typedef struct fraction_layer {
    qvec t[LOGUP_VALUES];
    size_t n;
    const fraction_leaves *leaves; /* last layer: where its tables are read from; otherwise NULL */
    /* [chunk]: where constant, the tables' numerators are not set. NULL: nowhere. */
    fraction_numerator *numerator;
} fraction_layer;

/* Children of some nodes: views of tables. */
typedef struct fraction_nodes {
    qvec t[LOGUP_VALUES];
    fraction_numerator numerator; /* if constant, t[LOGUP_P0] and t[LOGUP_P1] are memory not yet set */
} fraction_nodes;

/* One chunk of four tables, on a worker's stack. */
typedef struct fraction_buffer {
    _Alignas(64) m31 word[LOGUP_VALUES * QM31_DEGREE * FRACTION_CHUNK];
} fraction_buffer;

/* Children of nodes [first, first + n) of `layer`, n <= FRACTION_CHUNK, first + n <= layer->n, all of one
 * chunk: a view of its tables, or of `buffer`, loaded from the leaves. */
fraction_nodes fraction_children(const fraction_layer *layer, size_t first, size_t n,
                                 fraction_buffer *buffer);
/* The same of a layer that is read from leaves, copied out into tables that start at node `first`. */
fraction_nodes fraction_load_leaves(const fraction_leaves *leaves, size_t first, size_t n,
                                    const qvec to[LOGUP_VALUES]);
/* Sets the numerators of n nodes in memory if they are constant. */
void fraction_write_numerators(fraction_nodes *nodes, size_t n);

/* Four tables of n entries. */
bool fraction_tables_alloc(qvec t[LOGUP_VALUES], size_t n, mica_arena *arena, mica_status *st);
size_t fraction_tables_bytes(size_t n);

/* Builds layer[0..bits) over the leaves; the layers nearer to the root are allocated later. */
bool fraction_tree_build(fraction_layer *layer, unsigned bits, const fraction_leaves *leaves,
                         mica_arena *arena, mica_status *st);
size_t fraction_tree_bytes(size_t count, unsigned bits);

#endif
