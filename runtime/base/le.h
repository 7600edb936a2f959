/* Little-endian words in byte arrays of any alignment. */
#ifndef MICA_BASE_LE_H
#define MICA_BASE_LE_H

#include <stdint.h>

static inline uint32_t load_le32(const uint8_t *b) {
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}
static inline void store_le32(uint8_t *b, uint32_t x) {
    b[0] = (uint8_t)x;
    b[1] = (uint8_t)(x >> 8);
    b[2] = (uint8_t)(x >> 16);
    b[3] = (uint8_t)(x >> 24);
}
static inline void store_le64(uint8_t *b, uint64_t x) {
    store_le32(b, (uint32_t)x);
    store_le32(b + 4, (uint32_t)(x >> 32));
}
static inline uint64_t load_le64(const uint8_t *b) {
    return (uint64_t)load_le32(b) | (uint64_t)load_le32(b + 4) << 32;
}

#endif
