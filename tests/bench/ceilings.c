/* What this machine's arithmetic and memory give at most: the runtime's own kernels on operands that stay in
 * the caches, hashing, grinding and reads of memory, by one thread and by several at once. Prints JSON;
 * tests/bench divides the work of a proof's phases by these rates.
 *
 *   bench_ceilings THREADS...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/parallel.h"
#include "hash/blake2s.h"
#include "simd/kernels.h"

#define SECONDS 0.04 /* of one trial */
#define TRIALS  5    /* the fastest counts: others may have been disturbed */

#define CELLS        ((size_t)1024) /* of field elements in one call: 4 KiB a coordinate */
#define ROWS         ((size_t)16)   /* that axpys_m31 adds in one call */
#define HASH_COLUMNS ((size_t)512)
#define HASH_WORDS   ((size_t)32)
#define NODES        ((size_t)256)
#define PRODUCT_ROWS ((size_t)32)
#define PRODUCT_COLS ((size_t)64)
#define DEPTH        ((size_t)256)
#define READ_BYTES   ((size_t)1 << 26) /* of each thread; beyond the caches that cores do not share */
#define GRIND_TRIES  ((uint64_t)1 << 14)

/* Operands of one thread. */
typedef struct bench_room {
    m31 *cells;     /* [ROWS][CELLS] */
    qm31 *scale;    /* [ROWS] */
    qvec a, b;      /* [CELLS] */
    uint8_t *bytes; /* NODES * 64 and as much of results */
    int16_t *left, *right;
    int32_t *out;
    uint64_t *memory; /* READ_BYTES */
    volatile uint64_t sink;
} bench_room;

/* Does one piece of work; returns how much it was, in the units of the rate. */
typedef double work_fn(bench_room *r);

static void keep(bench_room *r, qm31 x) {
    r->sink ^= x.v[0];
}

static double dot_m31(bench_room *r) {
    keep(r, kernels()->dot_m31(r->cells, r->a, CELLS));
    return 4.0 * CELLS;
}

static double axpys_m31(bench_room *r) {
    kernels()->axpys_m31(r->b, r->scale, r->cells, CELLS, ROWS, CELLS);
    return 4.0 * CELLS * ROWS;
}

static double dot(bench_room *r) {
    keep(r, kernels()->dot(r->a, r->b, CELLS));
    return CELLS;
}

static double round_product(bench_room *r) {
    qm31 out[2];
    kernels()->round_product(r->a, qvec_from(r->a, CELLS / 2), r->b, qvec_from(r->b, CELLS / 2), CELLS / 2,
                             out);
    keep(r, out[0]);
    return CELLS;
}

static double butterflies(bench_room *r) {
    kernels()->butterfly(r->cells, r->cells + CELLS, r->cells + 2 * CELLS, 0, CELLS);
    return CELLS;
}

static double multiply_adds(bench_room *r) {
    kernels()->products(r->out, r->left, DEPTH, r->right, PRODUCT_ROWS, PRODUCT_COLS, DEPTH);
    return (double)(PRODUCT_ROWS * PRODUCT_COLS * DEPTH);
}

static void keyed(uint32_t h0[8]) {
    blake2s_keyed_state(h0, "mica bench");
}

static double hash_leaves(bench_room *r) {
    const m31 *word[HASH_WORDS];
    uint32_t h0[8];
    keyed(h0);
    for (size_t i = 0; i < HASH_WORDS; i++)
        word[i] = r->cells + i * HASH_COLUMNS;
    kernels()->hash_columns(h0, BLAKE2S_BLOCK, word, HASH_WORDS, 0, HASH_COLUMNS, r->bytes);
    return (double)(HASH_WORDS * HASH_COLUMNS * sizeof(m31));
}

static double hash_nodes(bench_room *r) {
    uint32_t h0[8], whole[8];
    keyed(h0);
    memset(whole, 0xff, sizeof whole);
    kernels()->hash_nodes(h0, BLAKE2S_BLOCK, whole, r->bytes, NODES, r->bytes + NODES * BLAKE2S_BLOCK);
    return (double)(NODES * BLAKE2S_BLOCK);
}

static double grind(bench_room *r) {
    static const uint8_t state[BLAKE2S_BYTES] = {1};
    uint32_t h0[8];
    keyed(h0);
    r->sink ^= kernels()->grind(h0, BLAKE2S_BLOCK, state, 63, 1, GRIND_TRIES); /* no nonce is found */
    return (double)GRIND_TRIES;
}

static double read_memory(bench_room *r) {
    uint64_t sum[8] = {0};
    for (size_t i = 0; i < READ_BYTES / sizeof(uint64_t); i += 8) {
        for (size_t k = 0; k < 8; k++)
            sum[k] += r->memory[i + k];
    }
    for (size_t k = 0; k < 8; k++)
        r->sink ^= sum[k];
    return (double)READ_BYTES;
}

/* Ways to the same kind of work share a name: the best of them is the ceiling. */
static const struct ceiling {
    const char *name;
    work_fn *fn;
} ceilings[] = {{"m31", dot_m31},
                {"m31", axpys_m31},
                {"qm31", dot},
                {"qm31", round_product},
                {"butterflies", butterflies},
                {"multiply_adds", multiply_adds},
                {"hash_bytes", hash_leaves},
                {"hash_bytes", hash_nodes},
                {"grind_hashes", grind},
                {"memory_bytes", read_memory}};
#define N_CEILINGS (sizeof ceilings / sizeof *ceilings)

static double now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void *room_of(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!p) {
        (void)fprintf(stderr, "bench_ceilings: out of memory\n");
        exit(2);
    }
    memset(p, 1, bytes); /* backed; every word is a canonical field element */
    return p;
}

static void make_room(bench_room *r) {
    const size_t words = ROWS * CELLS > HASH_WORDS * HASH_COLUMNS ? ROWS * CELLS : HASH_WORDS * HASH_COLUMNS;
    r->cells = room_of(words * sizeof *r->cells);
    r->scale = room_of(ROWS * sizeof *r->scale);
    r->a = (qvec){room_of(CELLS * sizeof(qm31)), CELLS};
    r->b = (qvec){room_of(CELLS * sizeof(qm31)), CELLS};
    r->bytes = room_of(2 * NODES * BLAKE2S_BLOCK + HASH_COLUMNS * BLAKE2S_BYTES);
    r->left = room_of(PRODUCT_ROWS * DEPTH * sizeof *r->left);
    r->right = room_of(PRODUCT_COLS * DEPTH * sizeof *r->right);
    r->out = room_of(PRODUCT_ROWS * PRODUCT_COLS * sizeof *r->out);
    r->memory = room_of(READ_BYTES);
}

typedef struct trial {
    bench_room *room; /* [threads] */
    work_fn *fn;
    double rate[PARALLEL_MAX_WORKERS];
} trial;

static void run_trial(void *ctx, size_t begin, size_t end, unsigned worker) {
    trial *t = ctx;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        const double start = now();
        double work = 0, seconds;
        do
            work += t->fn(&t->room[i]);
        while ((seconds = now() - start) < SECONDS);
        t->rate[i] = work / seconds;
    }
}

/* Work per second of all threads together. */
static double rate_of(bench_room *room, unsigned threads, work_fn *fn) {
    double best = 0;
    for (int i = 0; i < TRIALS; i++) {
        trial t = {.room = room, .fn = fn};
        double sum = 0;
        parallel_for(threads, 1, run_trial, &t);
        for (unsigned k = 0; k < threads; k++)
            sum += t.rate[k];
        best = sum > best ? sum : best;
    }
    return best;
}

static void show(bench_room *room, unsigned threads) {
    parallel_set_workers(threads);
    (void)printf("{\"threads\": %u", threads);
    for (size_t i = 0; i < N_CEILINGS;) {
        const char *name = ceilings[i].name;
        double best = 0;
        for (; i < N_CEILINGS && strcmp(ceilings[i].name, name) == 0; i++) {
            const double rate = rate_of(room, threads, ceilings[i].fn);
            best = rate > best ? rate : best;
        }
        (void)printf(", \"%s\": %.6g", name, best);
    }
    (void)printf("}");
}

int main(int argc, char **argv) {
    static bench_room room[PARALLEL_MAX_WORKERS];
    unsigned made = 0;
    if (argc < 2) {
        (void)fprintf(stderr, "usage: bench_ceilings THREADS...\n");
        return 2;
    }
    (void)printf("[");
    for (int i = 1; i < argc; i++) {
        const long threads = strtol(argv[i], NULL, 10);
        if (threads < 1 || threads > PARALLEL_MAX_WORKERS) {
            (void)fprintf(stderr, "bench_ceilings: %s is not between 1 and %d\n", argv[i],
                          PARALLEL_MAX_WORKERS);
            return 2;
        }
        for (; made < (unsigned)threads; made++)
            make_room(&room[made]);
        (void)printf("%s", i > 1 ? ", " : "");
        show(room, (unsigned)threads);
    }
    (void)printf("]\n");
    return 0;
}
