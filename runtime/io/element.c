#include "io/element.h"

#include <math.h>
#include <string.h>

static uint64_t load(element_type type, const uint8_t *in) {
    uint64_t x = 0;
    for (unsigned i = 0; i < type.bytes; i++)
        x = x << 8 | in[type.big_endian ? i : type.bytes - 1u - i];
    return x;
}

/* sign 1, exponent 5 (bias 15), mantissa 10 */
double element_from_half(uint16_t bits) {
    int exponent = bits >> 10 & 31;
    int mantissa = bits & 1023;
    double magnitude;
    if (exponent == 31)
        magnitude = mantissa ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        magnitude = ldexp(mantissa, -24);
    else
        magnitude = ldexp(mantissa + 1024, exponent - 25);
    return bits & 0x8000 ? -magnitude : magnitude;
}

static double from_float(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return (double)x;
}

static double from_double(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

double element_from_bfloat16(uint16_t bits) {
    return from_float((uint32_t)bits << 16);
}

static double from_signed(uint64_t x, unsigned bytes) {
    switch (bytes) {
    case 1:
        return (int8_t)(uint8_t)x;
    case 2:
        return (int16_t)(uint16_t)x;
    case 4:
        return (int32_t)(uint32_t)x;
    default:
        return (double)(int64_t)x;
    }
}

double element_decode(element_type type, const uint8_t *in) {
    uint64_t x = load(type, in);
    switch (type.kind) {
    case ELEMENT_BOOL:
        return x != 0;
    case ELEMENT_SIGNED:
        return from_signed(x, type.bytes);
    case ELEMENT_UNSIGNED:
        return (double)x;
    case ELEMENT_BFLOAT16:
        return element_from_bfloat16((uint16_t)x);
    case ELEMENT_FLOAT:
        break;
    }
    return type.bytes == 2   ? element_from_half((uint16_t)x)
           : type.bytes == 4 ? from_float((uint32_t)x)
                             : from_double(x);
}
