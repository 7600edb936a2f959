/* A workspace: one block of memory, temporaries by mark and reset. The only allocator of the prover's
 * protocol code. */
#ifndef MICA_BASE_ARENA_H
#define MICA_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mica/status.h"

typedef struct mica_arena {
    uint8_t *base;
    size_t size, used, peak;
} mica_arena;

/* Reserves `size` bytes of zeroed, lazily backed memory. */
bool arena_create(mica_arena *a, size_t size, mica_status *st);
/* The same without memory behind it, to learn by `peak` what a sequence of allocations takes: any access to a
 * block stops the process. */
bool arena_create_unbacked(mica_arena *a, size_t size, mica_status *st);
void arena_destroy(mica_arena *a);

/* 64-byte aligned, not cleared after reuse. NULL and a recorded error when the workspace is too small. */
void *arena_alloc(mica_arena *a, size_t count, size_t element, mica_status *st);

static inline size_t arena_mark(const mica_arena *a) {
    return a->used;
}
static inline void arena_reset(mica_arena *a, size_t mark) {
    a->used = mark;
}

#endif
