#include "poly/eq_prove.h"

#include "base/parallel.h"
#include "simd/kernels.h"

/* Elements per thread from which waking it pays off; a multiple of every vector width. */
#define GRAIN ((size_t)1 << 11)

typedef struct extension {
    qvec lo, hi;
    qm31 z;
} extension;

static void extend_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const extension *e = ctx;
    (void)worker;
    kernels()->eq_extend(qvec_from(e->lo, begin), qvec_from(e->hi, begin), e->z, end - begin);
}

void eq_table_build(qvec out, const qm31 *z, unsigned n, qm31 scale) {
    qvec_set(out, 0, scale);
    for (unsigned j = 0; j < n; j++) {
        const size_t half = (size_t)1 << j;
        extension e = {out, qvec_from(out, half), z[j]};
        parallel_for(half, GRAIN, extend_range, &e);
    }
}
