#include "wire.h"

#include <stdbool.h>
#include <string.h>

#include "fuzz.h"

#define MAX_FIELDS 4096
#define MAX_VARINT 10
#define MAX_DEPTH  16

/* A field of one message: [begin, value) is the tag and, for bytes, the length; [value, end) the value. */
typedef struct field {
    size_t begin, value, end;
    unsigned type;
} field;

static size_t read_varint(const uint8_t *p, size_t size, uint64_t *x) {
    *x = 0;
    for (size_t i = 0; i < size && i < MAX_VARINT; i++) {
        *x |= (uint64_t)(p[i] & 127) << (7 * i % 64);
        if (p[i] < 128)
            return i + 1;
    }
    return 0;
}

static size_t write_varint(uint8_t *p, uint64_t x) {
    size_t n = 0;
    for (; x > 127; x >>= 7)
        p[n++] = (uint8_t)(x | 128);
    p[n++] = (uint8_t)x;
    return n;
}

/* The fields of a message; 0 if the bytes are none (or there are too many). */
static size_t split(const uint8_t *p, size_t size, field *out) {
    size_t n = 0;
    for (size_t at = 0; at < size; n++) {
        uint64_t tag, length = 0;
        const size_t tag_bytes = read_varint(p + at, size - at, &tag);
        if (n == MAX_FIELDS || !tag_bytes || tag >> 3 == 0 || tag >> 3 > 1u << 16)
            return 0;
        field f = {at, at + tag_bytes, 0, (unsigned)(tag & 7)};
        if (f.type == 0) {
            length = read_varint(p + f.value, size - f.value, &tag);
            if (!length)
                return 0;
        } else if (f.type == 2) {
            const size_t bytes = read_varint(p + f.value, size - f.value, &length);
            if (!bytes)
                return 0;
            f.value += bytes;
        } else if (f.type == 1 || f.type == 5) {
            length = f.type == 1 ? 8 : 4;
        } else {
            return 0;
        }
        if (length > size - f.value)
            return 0;
        f.end = f.value + (size_t)length;
        out[n] = f;
        at = f.end;
    }
    return n;
}

/* Replaces [begin, end) of the message by n bytes; false if they do not fit. */
static bool splice(uint8_t *data, size_t *size, size_t max_size, size_t begin, size_t end,
                   const uint8_t *bytes, size_t n) {
    if (*size - (end - begin) + n > max_size)
        return false;
    memmove(data + begin + n, data + end, *size - end);
    memcpy(data + begin, bytes, n);
    *size = *size - (end - begin) + n;
    return true;
}

static uint64_t interesting(uint64_t old, uint64_t *random) {
    static const uint64_t values[] = {0,          1,         2,          3,         4,        7,
                                      8,          16,        64,         255,       256,      1u << 16,
                                      1u << 24,   1u << 28,  1u << 30,   INT32_MAX, 1u << 31, UINT32_MAX,
                                      1ull << 32, INT64_MAX, 1ull << 63, UINT64_MAX};
    switch (fuzz_random(random) % 4) {
    case 0:
        return old + 1;
    case 1:
        return old - 1;
    case 2:
        return fuzz_random(random) % 20;
    default:
        return values[fuzz_random(random) % (sizeof values / sizeof *values)];
    }
}

static void change_value(uint8_t *data, size_t *size, size_t max_size, const field *f, uint64_t *random);

static void mutate_message(uint8_t *data, size_t *size, size_t max_size, unsigned depth, uint64_t *random) {
    static field fields[MAX_DEPTH + 1][MAX_FIELDS]; /* one list per level: the caller's stays valid */
    field *f = fields[depth];
    const size_t n = depth < MAX_DEPTH ? split(data, *size, f) : 0;
    if (n == 0 || fuzz_random(random) % 64 == 0) {
        *size = LLVMFuzzerMutate(data, *size, max_size);
        return;
    }
    const field a = f[fuzz_random(random) % n], b = f[fuzz_random(random) % n];
    uint8_t *copy;
    switch (fuzz_random(random) % 16) {
    case 0: /* remove */
        (void)splice(data, size, max_size, a.begin, a.end, data, 0);
        return;
    case 1: /* repeat, or move a copy before another field */
    case 2:
        copy = malloc(a.end - a.begin);
        memcpy(copy, data + a.begin, a.end - a.begin);
        (void)splice(data, size, max_size, b.begin, b.begin, copy, a.end - a.begin);
        free(copy);
        return;
    case 3: /* value of one field for another of the same type */
        if (a.type != b.type || a.type == 2)
            break;
        copy = malloc(a.end - a.value);
        memcpy(copy, data + a.value, a.end - a.value);
        (void)splice(data, size, max_size, b.value, b.end, copy, a.end - a.value);
        free(copy);
        return;
    default:
        break;
    }
    if (a.type != 2) {
        change_value(data, size, max_size, &a, random);
        return;
    }
    /* Into the bytes, which are a message more often than not. */
    const size_t room = max_size - *size;
    size_t inner = a.end - a.value;
    copy = malloc(inner + room + 1);
    memcpy(copy, data + a.value, inner);
    mutate_message(copy, &inner, inner + room, depth + 1, random);
    uint8_t head[2 * MAX_VARINT];
    uint64_t tag;
    (void)read_varint(data + a.begin, *size - a.begin, &tag);
    size_t n_head = write_varint(head, tag);
    n_head += write_varint(head + n_head, inner);
    if (*size - (a.end - a.begin) + n_head + inner <= max_size) {
        (void)splice(data, size, max_size, a.begin, a.end, head, n_head);
        (void)splice(data, size, max_size, a.begin + n_head, a.begin + n_head, copy, inner);
    }
    free(copy);
}

static void change_value(uint8_t *data, size_t *size, size_t max_size, const field *f, uint64_t *random) {
    uint8_t bytes[MAX_VARINT];
    uint64_t x;
    if (f->type == 0) {
        (void)read_varint(data + f->value, f->end - f->value, &x);
        const size_t n = write_varint(bytes, interesting(x, random));
        (void)splice(data, size, max_size, f->value, f->end, bytes, n);
    } else {
        (void)LLVMFuzzerMutate(data + f->value, f->end - f->value, f->end - f->value);
    }
}

size_t wire_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
    uint64_t random = seed;
    (void)fuzz_random(&random);
    mutate_message(data, &size, max_size, 0, &random);
    return size;
}
