#include "base/arena.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT ((size_t)64)
/* Below this size huge pages would cost more memory than they save in page faults. */
#define HUGE_PAGES_FROM ((size_t)8 << 20)

#ifndef MAP_ANONYMOUS
#define MAP_ANONYMOUS MAP_ANON
#endif
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

static size_t round_up(size_t bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static bool map(mica_arena *a, size_t size, int access, mica_status *st) {
    *a = (mica_arena){0};
    if (size > SIZE_MAX / 2)
        return mica_fail(st, MICA_ERR_MEMORY, "cannot reserve a workspace of %zu bytes", size);
    size = round_up(size ? size : 1); /* mmap refuses an empty mapping */
    void *base = mmap(NULL, size, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        return mica_fail(st, MICA_ERR_MEMORY, "cannot reserve a workspace of %zu bytes: %s", size,
                         strerror(errno));
    a->base = base;
    a->size = size;
    return true;
}

bool arena_create(mica_arena *a, size_t size, mica_status *st) {
    if (!map(a, size, PROT_READ | PROT_WRITE, st))
        return false;
#ifdef MADV_HUGEPAGE
    if (a->size >= HUGE_PAGES_FROM)
        (void)madvise(a->base, a->size, MADV_HUGEPAGE); /* advice only: a refusal changes nothing */
#endif
    return true;
}

bool arena_create_unbacked(mica_arena *a, size_t size, mica_status *st) {
    return map(a, size, PROT_NONE, st);
}

void arena_destroy(mica_arena *a) {
    if (a->base)
        (void)munmap(a->base, a->size);
    *a = (mica_arena){0};
}

void *arena_alloc(mica_arena *a, size_t count, size_t element, mica_status *st) {
    const size_t left = a->size - a->used;
    size_t bytes;
    if (__builtin_mul_overflow(count, element, &bytes) || bytes > left) {
        mica_fail(st, MICA_ERR_MEMORY,
                  "workspace too small: %zu of %zu bytes are in use and %zu times %zu are needed", a->used,
                  a->size, count, element);
        return NULL;
    }
    void *block = a->base + a->used;
    a->used += round_up(bytes); /* bytes <= left, and left is a multiple of the alignment */
    if (a->peak < a->used)
        a->peak = a->used;
    return block;
}
