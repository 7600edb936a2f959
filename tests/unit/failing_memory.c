#include "failing_memory.h"

#include <check.h>
#include <stddef.h>
#include <sys/mman.h>

static bool armed;
static unsigned count, refuse_at;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);

static bool refused(void) {
    return armed && count++ == refuse_at;
}

void *__wrap_malloc(size_t size) {
    return refused() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size) {
    return refused() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size) {
    return refused() ? NULL : __real_realloc(p, size);
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
    return refused() ? MAP_FAILED : __real_mmap(at, size, protection, flags, fd, offset);
}

unsigned memory_runs_out(memory_operation *operation, void *ctx, unsigned codes) {
    for (refuse_at = 0;; refuse_at++) {
        mica_status st = {0};
        count = 0;
        armed = true;
        const bool ok = operation(ctx, &st);
        armed = false;
        if (count <= refuse_at) {
            ck_assert_msg(ok, "failed although no allocation was refused: %s", st.message);
            return refuse_at;
        }
        ck_assert_msg(!ok, "succeeded although allocation %u was refused", refuse_at);
        ck_assert_msg(codes >> st.code & 1 && st.message[0], "allocation %u: code %d, '%s'", refuse_at,
                      (int)st.code, st.message);
    }
}
