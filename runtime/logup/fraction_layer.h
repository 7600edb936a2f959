/* The prover's fraction tree. Layer k, 0 <= k < bits, holds the children of its nodes as four tables p0 q0 p1
 * q1 (index 0: even child, 1: odd child) over the first n of 2^k nodes; the nodes beyond n have the children
 * 0/1, 0/1 and take no memory. The last layer's denominators are the leaves' own, its numerators are
 * constants but for chunks of nodes that tables have a part in. Any layer can be made from the leaves,
 * whether those are in memory or not.
 */
#ifndef MICA_LOGUP_FRACTION_LAYER_H
#define MICA_LOGUP_FRACTION_LAYER_H

#include "base/arena.h"
#include "field/qvec.h"
#include "logup/logup.h"
#include "logup/logup_schedule.h"

/* Nodes that are worked on at a time; even. A few tables of this length stay in the inner caches. */
#define FRACTION_CHUNK_BITS 8
#define FRACTION_CHUNK      ((size_t)1 << FRACTION_CHUNK_BITS)
/* Chunks per thread from which waking it pays off. */
#define FRACTION_GRAIN ((size_t)4)

/* The numerators of a chunk of nodes, where all children have the same: lookups count 1 each, and what
 * binding variables makes of them is again one value for whole chunks. */
typedef struct fraction_numerator {
    bool constant;
    uint32_t slot; /* of those that are not: where they are in the pool */
    qm31 value;
} fraction_numerator;

/* Numerators of the last layer, by chunks. */
typedef struct fraction_numerators {
    fraction_numerator *chunk;
    m31 *pool; /* FRACTION_SLOT words for each slot: children 0, then children 1 */
    uint32_t n_slots;
} fraction_numerators;

#define FRACTION_SLOT (FRACTION_CHUNK * 2 * QM31_DEGREE)

typedef struct fraction_layer {
    qvec t[LOGUP_VALUES];
    size_t n;
    fraction_numerators *numerators; /* last layer: instead of t[LOGUP_P0] and t[LOGUP_P1]; otherwise NULL */
} fraction_layer;

/* Numerators of one chunk, on a worker's stack. */
typedef struct fraction_buffer {
    _Alignas(64) m31 word[FRACTION_SLOT];
} fraction_buffer;

/* Children of some nodes: views of tables. */
typedef struct fraction_nodes {
    qvec t[LOGUP_VALUES];
    fraction_numerator numerator; /* if constant, t[LOGUP_P0] and t[LOGUP_P1] are nowhere */
} fraction_nodes;

/* Children of nodes from `first` on, as far as their chunk goes. */
fraction_nodes fraction_children(const fraction_layer *layer, size_t first);
/* Of those in the last layer, the numerators; the denominators are left to be filled in. */
fraction_nodes fraction_numerators_of(const fraction_numerators *p, size_t first);
/* Puts constant numerators of n nodes, n <= FRACTION_CHUNK, into the buffer. */
void fraction_write_numerators(fraction_nodes *nodes, size_t n, fraction_buffer *buffer);

/* Numerators of the leaves; where `whole` is false none are kept as constants. */
bool fraction_numerators_make(fraction_numerators *p, const logup_leaves *leaves, bool whole,
                              mica_arena *arena, mica_status *st);
size_t fraction_numerators_bytes(const logup_leaves *leaves, bool whole);
/* Numerators of all chunks into the pool: of two at most. */
void fraction_numerators_settle(fraction_numerators *p, size_t n);

/* What layers are made from. */
typedef struct fraction_source {
    const logup_leaves *leaves;
    fraction_numerators *numerators; /* as they are made: binding variables of the last layer changes them */
    unsigned bits;
} fraction_source;

/* Nodes of layer k that are real. */
size_t fraction_layer_size(const fraction_source *s, unsigned k);
/* Makes layer k; of the last one the leaves' denominators are used as they are, if they are in memory. */
bool fraction_layer_make(fraction_layer *layer, const fraction_source *s, unsigned k, mica_arena *arena,
                         mica_status *st);
size_t fraction_layer_bytes(size_t count, unsigned bits, unsigned k, bool leaves_kept);

/* Makes layer `top` and those above it: layer[0..top]. */
bool fraction_tree_build(fraction_layer *layer, const fraction_source *s, unsigned top, mica_arena *arena,
                         mica_status *st);
size_t fraction_tree_bytes(size_t count, unsigned bits, unsigned top, bool leaves_kept);

#endif
