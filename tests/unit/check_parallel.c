/* base/parallel.c: every index exactly once, ranges on grain borders, one worker per range, nested calls
 * inline. */
#include <check.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/parallel.h"
#include "suite.h"

#define MAX_N 5000

typedef struct record {
    size_t n, grain;
    atomic_uint hits[MAX_N];
    atomic_uint used[256]; /* ranges run by each worker */
    atomic_bool bad;       /* an empty range, a worker out of range or a border off the grain */
} record;

static void mark(void *ctx, size_t begin, size_t end, unsigned worker) {
    record *r = ctx;
    if (begin >= end || end > r->n || worker >= parallel_workers() || begin % r->grain ||
        (end != r->n && end % r->grain)) {
        r->bad = true;
        return;
    }
    for (size_t i = begin; i < end; i++)
        r->hits[i]++;
    r->used[worker]++;
}

static record records[2];

static unsigned check_once(record *r, size_t n, size_t grain) {
    unsigned ranges = 0;
    *r = (record){.n = n, .grain = grain};
    parallel_for(n, grain, mark, r);
    ck_assert_msg(!r->bad, "n = %zu, grain = %zu: a bad range", n, grain);
    for (size_t i = 0; i < MAX_N; i++) {
        if (r->hits[i] != (i < n))
            ck_abort_msg("n = %zu, grain = %zu: index %zu ran %u times", n, grain, i, (unsigned)r->hits[i]);
    }
    for (unsigned w = 0; w < 256; w++) {
        if (r->used[w] > 1)
            ck_abort_msg("n = %zu, grain = %zu: worker %u ran twice", n, grain, w);
        ranges += r->used[w];
    }
    return ranges;
}

START_TEST(partition) {
    static const unsigned workers[] = {1, 2, 3, 4, 7, 16};
    static const size_t sizes[] = {0, 1, 2, 3, 15, 16, 17, 100, 1023, 1024, 4999, 5000};
    static const size_t grains[] = {1, 2, 3, 16, 64, 1000, 5000, 6000};
    for (size_t w = 0; w < sizeof workers / sizeof *workers; w++) {
        parallel_set_workers(workers[w]);
        ck_assert_uint_eq(parallel_workers(), workers[w]);
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            for (size_t g = 0; g < sizeof grains / sizeof *grains; g++) {
                const unsigned ranges = check_once(&records[0], sizes[s], grains[g]);
                const size_t n_grains = (sizes[s] + grains[g] - 1) / grains[g];
                ck_assert_uint_le(ranges, workers[w]);
                if (n_grains <= 1 || workers[w] == 1)
                    ck_assert_uint_eq(ranges, sizes[s] > 0);
                else
                    ck_assert_uint_ge(ranges, 2);
            }
        }
    }
    parallel_set_workers(0);
}
END_TEST

/* Changing the number of workers starts and stops threads; none may run a job that is already done. */
START_TEST(resize) {
    for (unsigned round = 0; round < 60; round++) {
        parallel_set_workers(1 + round % 5);
        check_once(&records[0], 1000 + round, 1 + round);
    }
    parallel_set_workers(1000);
    ck_assert_uint_eq(parallel_workers(), 256);
    parallel_set_workers(0);
    ck_assert_uint_ge(parallel_workers(), 1);
}
END_TEST

START_TEST(environment) {
    static const struct {
        const char *text;
        unsigned workers;
    } cases[] = {{"3", 3}, {"1", 1}, {"256", 256}, {"100000", 256}};
    static const char *const ignored[] = {"0", "-2", "x", "3x", "", "99999999999999999999999"};
    unsetenv("MICA_THREADS");
    parallel_set_workers(0);
    const unsigned plain = parallel_workers();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("MICA_THREADS", cases[i].text, 1);
        parallel_set_workers(0);
        ck_assert_uint_eq(parallel_workers(), cases[i].workers);
    }
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        setenv("MICA_THREADS", ignored[i], 1);
        parallel_set_workers(0);
        ck_assert_uint_eq(parallel_workers(), plain);
    }
    unsetenv("MICA_THREADS");
}
END_TEST

typedef struct nest {
    atomic_uint inner_calls, split, foreign_worker;
    atomic_uint total;
} nest;

typedef struct inner_ctx {
    nest *all;
    unsigned outer_worker;
} inner_ctx;

static void inner(void *ctx, size_t begin, size_t end, unsigned worker) {
    inner_ctx *c = ctx;
    c->all->inner_calls++;
    c->all->split += begin != 0 || end != 100;
    c->all->foreign_worker += worker != c->outer_worker;
    c->all->total += (unsigned)(end - begin);
}

static void outer(void *ctx, size_t begin, size_t end, unsigned worker) {
    inner_ctx c = {ctx, worker};
    for (size_t i = begin; i < end; i++)
        parallel_for(100, 1, inner, &c);
}

START_TEST(nested) {
    nest all = {0};
    parallel_set_workers(4);
    parallel_for(40, 1, outer, &all);
    ck_assert_uint_eq(all.inner_calls, 40);
    ck_assert_uint_eq(all.total, 4000);
    ck_assert_uint_eq(all.split, 0);
    ck_assert_uint_eq(all.foreign_worker, 0);
    parallel_set_workers(0);
}
END_TEST

static void *caller(void *arg) {
    record *r = arg;
    for (unsigned round = 0; round < 200; round++)
        parallel_for(r->n, r->grain, mark, r);
    return NULL;
}

/* Two threads of the program call at the same time: one owns the pool, the other works alone, nothing is
 * lost. */
START_TEST(two_callers) {
    pthread_t thread[2];
    parallel_set_workers(3);
    for (unsigned i = 0; i < 2; i++) {
        records[i] = (record){.n = 2000 + i, .grain = 10};
        ck_assert_int_eq(pthread_create(&thread[i], NULL, caller, &records[i]), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
        ck_assert(!records[i].bad);
        for (size_t j = 0; j < MAX_N; j++) {
            if (records[i].hits[j] != (j < records[i].n ? 200 : 0))
                ck_abort_msg("caller %u: index %zu ran %u times", i, j, (unsigned)records[i].hits[j]);
        }
    }
    parallel_set_workers(0);
}
END_TEST

/* --- teams --- */

#define ROUNDS 2000

typedef struct relay {
    atomic_uint parts; /* of the team */
    atomic_uint cell[16][2];
    atomic_bool bad;
} relay;

/* Every round each member writes its own cell and, behind the barrier, reads those of the others. */
static void run_relay(void *ctx, unsigned part, unsigned parts) {
    relay *r = ctx;
    atomic_store(&r->parts, parts);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        atomic_store_explicit(&r->cell[part][round % 2], round, memory_order_relaxed);
        if (parts > 1)
            parallel_barrier();
        for (unsigned i = 0; i < parts; i++) {
            if (atomic_load_explicit(&r->cell[i][round % 2], memory_order_relaxed) != round)
                r->bad = true;
        }
    }
}

START_TEST(members_wait_for_one_another) {
    static const unsigned workers[] = {1, 2, 3, 7};
    for (size_t w = 0; w < sizeof workers / sizeof *workers; w++) {
        relay r = {.bad = false};
        parallel_set_workers(workers[w]);
        parallel_team(run_relay, &r);
        ck_assert_uint_eq(r.parts, workers[w]);
        ck_assert(!r.bad);
    }
}
END_TEST

static void count_parts(void *ctx, unsigned part, unsigned parts) {
    atomic_uint *most = ctx;
    if (part == 0 && parts > *most)
        *most = parts;
}

static void nested_team(void *ctx, size_t begin, size_t end, unsigned worker) {
    (void)begin;
    (void)end;
    (void)worker;
    parallel_team(count_parts, ctx);
}

START_TEST(a_nested_team_has_one_member) {
    atomic_uint most = 0;
    parallel_set_workers(3);
    parallel_for(3, 1, nested_team, &most);
    ck_assert_uint_eq(most, 1);
    parallel_team(count_parts, &most);
    ck_assert_uint_eq(most, 3);
}
END_TEST

int main(void) {
    Suite *s = suite_create("parallel");
    TCase *t = tcase_create("parallel");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, partition);
    tcase_add_test(t, resize);
    tcase_add_test(t, environment);
    tcase_add_test(t, nested);
    tcase_add_test(t, two_callers);
    tcase_add_test(t, members_wait_for_one_another);
    tcase_add_test(t, a_nested_team_has_one_member);
    suite_add_tcase(s, t);
    return suite_run(s);
}
