/* The circle group x^2 + y^2 = 1 over M31, cyclic of order 2^31: (a, b)(c, d) = (ac - bd, ad + bc). */
#ifndef MICA_CODE_CIRCLE_H
#define MICA_CODE_CIRCLE_H

#include "field/m31.h"

typedef struct circle_point {
    m31 x, y;
} circle_point;

/* Of order 2^31: tests/unit/check_line_code.c verifies it. */
#define CIRCLE_GENERATOR ((circle_point){2, 1268011823})
#define CIRCLE_LOG_ORDER 31

static inline circle_point circle_mul(circle_point p, circle_point q) {
    return (circle_point){m31_sub(m31_mul(p.x, q.x), m31_mul(p.y, q.y)),
                          m31_add(m31_mul(p.x, q.y), m31_mul(p.y, q.x))};
}

static inline circle_point circle_pow(circle_point p, uint32_t e) {
    circle_point r = {1, 0};
    for (; e; e >>= 1, p = circle_mul(p, p)) {
        if (e & 1)
            r = circle_mul(r, p);
    }
    return r;
}

/* A point of order 2^j, 0 <= j <= 31; each is the square of the next. */
static inline circle_point circle_of_order(unsigned j) {
    circle_point p = CIRCLE_GENERATOR;
    for (unsigned i = j; i < CIRCLE_LOG_ORDER; i++)
        p = circle_mul(p, p);
    return p;
}

/* T_2(x) = 2x^2 - 1, the x-coordinate of the square of a point with x-coordinate x. */
static inline m31 circle_double_x(m31 x) {
    const m31 square = m31_mul(x, x);
    return m31_sub(m31_add(square, square), 1);
}

#endif
