/* Vectors of QM31 as four planes of M31, the layout of the prover's large arrays and of the SIMD kernels. */
#ifndef MICA_FIELD_QVEC_H
#define MICA_FIELD_QVEC_H

#include <stddef.h>

#include "base/arena.h"
#include "field/qm31.h"

/* Coordinate j of element i is p[j * stride + i]. A view: owns nothing. */
typedef struct qvec {
    m31 *p;
    size_t stride;
} qvec;

static inline qm31 qvec_get(qvec v, size_t i) {
    return (qm31){{v.p[i], v.p[v.stride + i], v.p[2 * v.stride + i], v.p[3 * v.stride + i]}};
}
static inline void qvec_set(qvec v, size_t i, qm31 x) {
    v.p[i] = x.v[0];
    v.p[v.stride + i] = x.v[1];
    v.p[2 * v.stride + i] = x.v[2];
    v.p[3 * v.stride + i] = x.v[3];
}
/* The vector that starts at element `first` of v. */
static inline qvec qvec_from(qvec v, size_t first) {
    return (qvec){v.p + first, v.stride};
}
/* n elements, not cleared; p is NULL on failure. The stride is n rounded up to 16 so that planes stay
 * aligned. */
static inline qvec qvec_alloc(mica_arena *a, size_t n, mica_status *st) {
    const size_t stride = (n + 15) & ~(size_t)15;
    return (qvec){arena_alloc(a, stride * QM31_DEGREE, sizeof(m31), st), stride};
}

#endif
