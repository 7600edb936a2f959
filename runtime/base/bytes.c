#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

void read_bytes(byte_reader *r, void *out, size_t size) {
    if (r->failed || r->left < size) {
        r->failed = true;
        memset(out, 0, size);
        return;
    }
    if (size)
        memcpy(out, r->at, size);
    r->at += size;
    r->left -= size;
}

bool text_field_valid(const char *text, size_t size) {
    const size_t n = strnlen(text, size);
    for (size_t i = 0; i < n; i++) {
        const uint8_t byte = (uint8_t)text[i];
        if (byte < 0x20 || byte == 0x7f)
            return false;
    }
    for (size_t i = n; i < size; i++) {
        if (text[i])
            return false;
    }
    return n < size;
}

uint8_t read_u8(byte_reader *r) {
    uint8_t x;
    read_bytes(r, &x, 1);
    return x;
}

uint32_t read_u32(byte_reader *r) {
    uint8_t b[4];
    read_bytes(r, b, 4);
    return load_u32(b);
}

int32_t read_i32(byte_reader *r) {
    return (int32_t)read_u32(r);
}

uint64_t read_u64(byte_reader *r) {
    uint8_t b[8];
    read_bytes(r, b, 8);
    return load_u64(b);
}

void write_bytes(byte_writer *w, const void *bytes, size_t size) {
    if (w->failed)
        return;
    if (w->capacity - w->size < size) {
        size_t capacity = w->capacity ? w->capacity : 4096;
        while (capacity - w->size < size)
            capacity *= 2;
        uint8_t *grown = realloc(w->data, capacity);
        if (!grown) {
            w->failed = true;
            return;
        }
        w->data = grown;
        w->capacity = capacity;
    }
    if (size)
        memcpy(w->data + w->size, bytes, size);
    w->size += size;
}

void write_u8(byte_writer *w, uint8_t x) {
    write_bytes(w, &x, 1);
}

void write_u32(byte_writer *w, uint32_t x) {
    uint8_t b[4];
    store_u32(b, x);
    write_bytes(w, b, 4);
}

void write_i32(byte_writer *w, int32_t x) {
    write_u32(w, (uint32_t)x);
}

void write_u64(byte_writer *w, uint64_t x) {
    uint8_t b[8];
    store_u64(b, x);
    write_bytes(w, b, 8);
}
