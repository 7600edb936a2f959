/* Numeric element types of the tensor files, decoded to double. Private to io/. */
#ifndef MICA_IO_ELEMENT_H
#define MICA_IO_ELEMENT_H

#include <stdbool.h>
#include <stdint.h>

typedef enum element_kind {
    ELEMENT_BOOL,
    ELEMENT_SIGNED,
    ELEMENT_UNSIGNED,
    ELEMENT_FLOAT,   /* IEEE 754: 2, 4 or 8 bytes */
    ELEMENT_BFLOAT16 /* 2 bytes */
} element_kind;

typedef struct element_type {
    element_kind kind;
    uint8_t bytes; /* 1, 2, 4 or 8 */
    bool big_endian;
} element_type;

/* 64-bit integers beyond 2^53 are rounded to the nearest double. */
double element_decode(element_type type, const uint8_t *in);

double element_from_half(uint16_t bits);
double element_from_bfloat16(uint16_t bits);

#endif
