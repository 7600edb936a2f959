#include "emit/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POOL_BLOCK_BYTES = 1 << 16 };

struct pool_block {
    pool_block *next;
    size_t used, capacity;
    max_align_t data[];
};

void pool_create(pool *p, mica_status *st) {
    p->block = NULL;
    p->status = st;
}

void pool_free(pool *p) {
    while (p->block) {
        pool_block *next = p->block->next;
        free(p->block);
        p->block = next;
    }
}

void *pool_alloc(pool *p, size_t size) {
    const size_t unit = sizeof(max_align_t), need = (size + unit - 1) / unit * unit;
    if (!p->block || p->block->capacity - p->block->used < need) {
        const size_t capacity = need > POOL_BLOCK_BYTES ? need : POOL_BLOCK_BYTES;
        pool_block *b = calloc(1, sizeof *b + capacity);
        if (!b) {
            mica_fail(p->status, MICA_ERR_MEMORY, "out of memory while generating code");
            return NULL;
        }
        b->capacity = capacity;
        b->next = p->block;
        p->block = b;
    }
    void *at = (char *)p->block->data + p->block->used;
    p->block->used += need;
    return at;
}

char *pool_string(pool *p, const char *bytes, size_t size) {
    char *s = pool_alloc(p, size + 1);
    if (s && size)
        memcpy(s, bytes, size);
    return s;
}

void text_create(text *t, mica_status *st) {
    memset(t, 0, sizeof *t);
    t->status = st;
}

void text_free(text *t) {
    free(t->bytes);
    t->bytes = NULL;
    t->size = t->capacity = 0;
}

static bool text_reserve(text *t, size_t more) {
    if (t->capacity - t->size > more)
        return true;
    size_t capacity = t->capacity ? t->capacity : 4096;
    while (capacity - t->size <= more)
        capacity *= 2;
    char *bytes = realloc(t->bytes, capacity);
    if (!bytes)
        return mica_fail(t->status, MICA_ERR_MEMORY, "out of memory while generating code");
    t->bytes = bytes;
    t->capacity = capacity;
    return true;
}

void text_write(text *t, const void *bytes, size_t size) {
    if (!text_reserve(t, size))
        return;
    if (size)
        memcpy(t->bytes + t->size, bytes, size);
    t->size += size;
    t->bytes[t->size] = 0;
}

void text_puts(text *t, const char *s) {
    text_write(t, s, strlen(s));
}

void text_printf(text *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0 || !text_reserve(t, (size_t)n))
        return;
    va_start(args, format);
    (void)vsnprintf(t->bytes + t->size, (size_t)n + 1, format, args);
    va_end(args);
    t->size += (size_t)n;
}

bool file_write(const char *path, const void *bytes, size_t size, mica_status *st) {
    const size_t room = strlen(path) + 32;
    char *temporary = malloc(room);
    if (!temporary)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory");
    (void)snprintf(temporary, room, "%s.%ld.tmp", path, (long)getpid());
    FILE *f = fopen(temporary, "wb");
    bool ok = f != NULL;
    if (ok) {
        ok = fwrite(bytes, 1, size, f) == size;
        ok = fclose(f) == 0 && ok;
        ok = ok && rename(temporary, path) == 0;
        if (!ok) {
            const int error = errno;
            (void)unlink(temporary);
            errno = error;
        }
    }
    if (!ok)
        mica_fail(st, MICA_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    free(temporary);
    return ok;
}
