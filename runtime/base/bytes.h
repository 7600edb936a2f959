/* Little-endian reading and writing of the binary formats (docs/formats.md). */
#ifndef MICA_BASE_BYTES_H
#define MICA_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Reads hostile bytes. After the first short read `failed` is set and every further read returns zero. */
typedef struct byte_reader {
    const uint8_t *at;
    size_t left;
    bool failed;
} byte_reader;

uint8_t read_u8(byte_reader *r);
uint32_t read_u32(byte_reader *r);
int32_t read_i32(byte_reader *r);
uint64_t read_u64(byte_reader *r);
void read_bytes(byte_reader *r, void *out, size_t size);

/* Whether a field of `size` bytes is text: no control characters, because names are shown on terminals, and
 * zeros from its end to the end of the field, of which there is at least one. */
bool text_field_valid(const char *text, size_t size);

/* Grows by malloc; the owner frees `data`. After a failed allocation `failed` is set and writes are dropped.
 */
typedef struct byte_writer {
    uint8_t *data;
    size_t size, capacity;
    bool failed;
} byte_writer;

void write_u8(byte_writer *w, uint8_t x);
void write_u32(byte_writer *w, uint32_t x);
void write_i32(byte_writer *w, int32_t x);
void write_u64(byte_writer *w, uint64_t x);
void write_bytes(byte_writer *w, const void *bytes, size_t size);

static inline void store_u32(uint8_t *out, uint32_t x) {
    out[0] = (uint8_t)x;
    out[1] = (uint8_t)(x >> 8);
    out[2] = (uint8_t)(x >> 16);
    out[3] = (uint8_t)(x >> 24);
}
static inline uint32_t load_u32(const uint8_t *in) {
    return (uint32_t)in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}
/* n words, one after another; x and out, x and in do not overlap. */
static inline void store_u32s(uint8_t *out, const uint32_t *x, size_t n) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (n)
        memcpy(out, x, 4 * n);
#else
    for (size_t i = 0; i < n; i++)
        store_u32(out + 4 * i, x[i]);
#endif
}
static inline void load_u32s(uint32_t *x, const uint8_t *in, size_t n) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (n)
        memcpy(x, in, 4 * n);
#else
    for (size_t i = 0; i < n; i++)
        x[i] = load_u32(in + 4 * i);
#endif
}
static inline void store_u64(uint8_t *out, uint64_t x) {
    store_u32(out, (uint32_t)x);
    store_u32(out + 4, (uint32_t)(x >> 32));
}
static inline uint64_t load_u64(const uint8_t *in) {
    return (uint64_t)load_u32(in) | (uint64_t)load_u32(in + 4) << 32;
}

#endif
