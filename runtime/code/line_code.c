#include "code/line_code.h"

#include "base/require.h"

/* 1 + 4j < 2^(k+2) <= 2^31. */
m31 line_domain_at(unsigned k, uint32_t j) {
    MICA_REQUIRE(k >= 1 && k <= CIRCLE_LOG_ORDER - 2 && j >> k == 0);
    return circle_pow(circle_of_order(k + 2), 1 + 4 * j).x;
}

void line_domain_begin(line_domain *d, unsigned k) {
    MICA_REQUIRE(k >= 1 && k <= CIRCLE_LOG_ORDER - 2);
    d->k = k;
    d->first = circle_of_order(k + 2);
    circle_point p = circle_of_order(k);
    for (unsigned i = 0; i < k; i++, p = circle_mul(p, p))
        d->step[i] = p;
}

m31 line_domain_point(const line_domain *d, uint32_t j) {
    MICA_REQUIRE(j >> d->k == 0);
    circle_point p = d->first;
    for (unsigned i = 0; j; i++, j >>= 1) {
        if (j & 1)
            p = circle_mul(p, d->step[i]);
    }
    return p.x;
}

void line_functional(m31 x, unsigned b, m31 *t) {
    for (unsigned j = 0; j < b; j++, x = circle_double_x(x))
        t[j] = x;
}

qm31 line_functional_at(const m31 *t, unsigned b, const qm31 *z) {
    qm31 product = qm31_one();
    for (unsigned j = 0; j < b; j++) {
        const qm31 factor = qm31_add(qm31_one(), qm31_mul_m31(z[j], m31_sub(t[j], 1)));
        product = qm31_mul(product, factor);
    }
    return product;
}
