#include "code/line_code.h"

#include "base/require.h"
#include "code/circle.h"

/* 1 + 4j < 2^(k+2) <= 2^31. */
m31 line_domain_at(unsigned k, uint32_t j) {
    MICA_REQUIRE(k >= 1 && k <= CIRCLE_LOG_ORDER - 2 && j >> k == 0);
    return circle_pow(circle_of_order(k + 2), 1 + 4 * j).x;
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
