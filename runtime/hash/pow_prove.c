#include "hash/pow_prove.h"

#include <string.h>
#include <time.h>

#include "base/parallel.h"
#include "base/require.h"
#include "hash/blake2s.h"
#include "simd/kernels.h"

/* Nonces a worker tries between two meetings: about a millisecond, so that little is tried in vain. */
#define STRIDE ((uint64_t)1 << 14)

typedef struct grind_job {
    const uint8_t *state;
    unsigned bits;
    uint32_t h0[8];
    uint64_t first;
    uint64_t found[PARALLEL_MAX_WORKERS]; /* [piece]: its smallest nonce, or UINT64_MAX */
} grind_job;

static void grind_pieces(void *ctx, size_t begin, size_t end, unsigned worker) {
    grind_job *job = ctx;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        job->found[i] =
            kernels()->grind(job->h0, BLAKE2S_BLOCK, job->state, job->bits, job->first + STRIDE * i, STRIDE);
}

static _Thread_local double seconds_spent;

double pow_grind_seconds(void) {
    return seconds_spent;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t grind(const transcript *t, unsigned bits) {
    const unsigned workers = parallel_workers();
    const size_t pieces = workers < PARALLEL_MAX_WORKERS ? workers : PARALLEL_MAX_WORKERS;
    grind_job job = {.state = t->state, .bits = bits, .first = 0};
    blake2s_keyed_state(job.h0, TRANSCRIPT_POW_KEY);
    /* Pieces are consecutive, so the first hit in their order is the smallest nonce whatever the number of
     * workers. */
    for (;; job.first += STRIDE * pieces) {
        parallel_for(pieces, 1, grind_pieces, &job);
        for (size_t i = 0; i < pieces; i++) {
            if (job.found[i] != UINT64_MAX)
                return job.found[i];
        }
    }
}

uint64_t pow_grind(const transcript *t, unsigned bits) {
    MICA_REQUIRE(bits <= 63);
    if (bits == 0)
        return 0;
    const double start = now();
    const uint64_t nonce = grind(t, bits);
    seconds_spent += now() - start;
    return nonce;
}
