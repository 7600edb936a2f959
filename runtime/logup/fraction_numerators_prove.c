/* Numerators of the last layer: constants where a chunk is nothing but lookups, memory elsewhere. */
#include <string.h>

#include "base/parallel.h"
#include "logup/fraction_layer.h"

#define SPARE 2 /* slots for what fraction_numerators_settle writes */

static size_t chunks_of(size_t count) {
    return (count - 1) / (2 * FRACTION_CHUNK) + 1;
}

static size_t end_of_segment(const logup_leaves *leaves, size_t i) {
    return i + 1 < leaves->n_segments ? leaves->segment[i + 1].first : leaves->count;
}

/* Sets chunk[..].constant, unless chunk is NULL; returns how many are not. */
static size_t find_constant(const logup_leaves *leaves, bool whole, fraction_numerator *chunk) {
    const size_t n = chunks_of(leaves->count), size = 2 * FRACTION_CHUNK;
    size_t varying = n;
    for (size_t c = 0; chunk && c < n; c++)
        chunk[c] = (fraction_numerator){.constant = false};
    for (size_t i = 0; whole && i < leaves->n_segments;) {
        size_t last = i; /* neighbours of ones are one */
        while (last + 1 < leaves->n_segments && !leaves->segment[i].p && !leaves->segment[last + 1].p)
            last++;
        const size_t end = end_of_segment(leaves, last);
        if (!leaves->segment[i].p) {
            for (size_t c = (leaves->segment[i].first + size - 1) / size; (c + 1) * size <= end; c++) {
                if (chunk)
                    chunk[c] = (fraction_numerator){.constant = true, .value = qm31_one()};
                varying--;
            }
        }
        i = last + 1;
    }
    return varying;
}

/* Numerators of leaves [first, end) of segment i into its chunk's slot, which begins with leaf `base`. */
static void fill_part(const logup_leaves *leaves, size_t i, size_t first, size_t end, size_t base,
                      m31 *slot) {
    const logup_segment *s = &leaves->segment[i];
    for (size_t leaf = first; leaf < end; leaf++) {
        m31 *child = slot + (leaf & 1) * QM31_DEGREE * FRACTION_CHUNK;
        child[(leaf - base) / 2] = s->p ? s->p[leaf - s->first] : 1;
    }
}

static void fill_slots(const logup_leaves *leaves, fraction_numerators *p) {
    const size_t size = 2 * FRACTION_CHUNK;
    size_t i = 0;
    for (size_t c = 0; c < chunks_of(leaves->count); c++) {
        const size_t base = c * size, end = leaves->count - base < size ? leaves->count : base + size;
        if (p->chunk[c].constant)
            continue;
        p->chunk[c].slot = p->n_slots++;
        m31 *slot = p->pool + (size_t)p->chunk[c].slot * FRACTION_SLOT;
        memset(slot, 0, FRACTION_SLOT * sizeof *slot);
        while (end_of_segment(leaves, i) <= base)
            i++;
        for (size_t at = base, j = i; at < end; j++) {
            const size_t stop = end_of_segment(leaves, j) < end ? end_of_segment(leaves, j) : end;
            fill_part(leaves, j, at, stop, base, slot);
            at = stop;
        }
    }
}

bool fraction_numerators_make(fraction_numerators *p, const logup_leaves *leaves, bool whole,
                              mica_arena *arena, mica_status *st) {
    *p = (fraction_numerators){.chunk = arena_alloc(arena, chunks_of(leaves->count), sizeof *p->chunk, st)};
    if (!p->chunk)
        return false;
    const size_t slots = find_constant(leaves, whole, p->chunk) + SPARE;
    p->pool = arena_alloc(arena, slots * FRACTION_SLOT, sizeof *p->pool, st);
    if (!p->pool)
        return false;
    fill_slots(leaves, p);
    return true;
}

size_t fraction_numerators_bytes(const logup_leaves *leaves, bool whole) {
    const size_t slots = find_constant(leaves, whole, NULL) + SPARE;
    return chunks_of(leaves->count) * sizeof(fraction_numerator) + slots * FRACTION_SLOT * sizeof(m31) +
           (size_t)2 * 64;
}

void fraction_numerators_settle(fraction_numerators *p, size_t n) {
    for (size_t first = 0; first < n; first += FRACTION_CHUNK) {
        fraction_numerator *c = &p->chunk[first >> FRACTION_CHUNK_BITS];
        if (!c->constant)
            continue;
        c->slot = p->n_slots++;
        for (size_t j = 0; j < 2; j++) {
            m31 *child = p->pool + (size_t)c->slot * FRACTION_SLOT + j * QM31_DEGREE * FRACTION_CHUNK;
            for (size_t i = 0; i < FRACTION_CHUNK; i++)
                qvec_set((qvec){child, FRACTION_CHUNK}, i, c->value);
        }
        c->constant = false;
    }
}
