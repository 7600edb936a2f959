#include "base/file_pages.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Whole pages only: what shares one with others may be in use. All of it is advice, which may be refused. */
static void advise(const void *bytes, size_t n, int advice) {
    const long size = sysconf(_SC_PAGESIZE);
    const uintptr_t page = size > 0 ? (uintptr_t)size : 4096, at = (uintptr_t)bytes;
    const uintptr_t first = (at + page - 1) / page * page, end = (at + n) / page * page;
    if (first < end)
        (void)madvise((void *)first, end - first, advice);
}

void file_pages_release(const void *bytes, size_t n) {
#ifdef MADV_DONTNEED
    advise(bytes, n, MADV_DONTNEED);
#endif
}

void file_pages_scattered(const void *bytes, size_t n) {
#ifdef MADV_RANDOM
    advise(bytes, n, MADV_RANDOM);
#endif
#ifdef MADV_NOHUGEPAGE
    advise(bytes, n, MADV_NOHUGEPAGE);
#endif
}
