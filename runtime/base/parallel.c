#if defined(__linux__)
#define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "base/parallel.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/require.h"
#include "mica/layer.h"

#define MAX_WORKERS ((unsigned)PARALLEL_MAX_WORKERS)
/* How often a waiting thread looks before it sleeps: some 50 microseconds. A proof has hundreds of jobs, most
 * of them shorter than the wake-up of a thread whose core has gone idle. */
#define SPINS 1500u

/* One call of parallel_for: range w is [w * step, min((w + 1) * step, n)). */
typedef struct job {
    parallel_fn fn;
    void *ctx;
    size_t n, step;
    unsigned ranges;
} job;

/* The caller is worker 0; thread i of the pool is worker i + 1. `owner` is held by the one caller that uses
 * the pool; `lock` guards the fields below it. Of the atomic ones, those that wake a thread up are set under
 * the lock, so that nobody who sleeps misses them. */
static struct {
    pthread_mutex_t owner, lock;
    pthread_cond_t start, done, passed;
    pthread_t thread[MAX_WORKERS - 1];
    unsigned threads;               /* running */
    unsigned workers;               /* configured, 0: not yet known */
    job work;                       /* of the owner, and of the workers that have a range of it */
    atomic_uint spins;              /* 0 if there are more workers than cores */
    atomic_uint pending;            /* threads that have not finished the current job */
    atomic_bool ready[MAX_WORKERS]; /* worker w has a range to run */
    atomic_bool waiting;            /* the owner is about to sleep, or sleeps */
    atomic_bool stop;
    atomic_uint arrived;  /* members of the team that wait at the barrier */
    atomic_uint barriers; /* that the team has passed */
} pool = {.owner = PTHREAD_MUTEX_INITIALIZER,
          .lock = PTHREAD_MUTEX_INITIALIZER,
          .start = PTHREAD_COND_INITIALIZER,
          .done = PTHREAD_COND_INITIALIZER,
          .passed = PTHREAD_COND_INITIALIZER};

/* Which worker this thread is and whether it is inside a job: a nested call keeps the number, so that state
 * kept per worker is never shared. */
static _Thread_local unsigned this_worker;
static _Thread_local bool inside;

static void run_range(const job *work, unsigned worker) {
    const size_t begin = work->step * worker;
    const size_t left = work->n - begin;
    inside = true;
    work->fn(work->ctx, begin, begin + (left < work->step ? left : work->step), worker);
    inside = false;
}

static void pause_core(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* False if the pool stops instead. */
static bool wait_for_range(unsigned worker) {
    atomic_bool *ready = &pool.ready[worker];
    for (unsigned i = atomic_load(&pool.spins); i > 0 && !atomic_load(&pool.stop); i--) {
        if (atomic_load(ready))
            return true;
        pause_core();
    }
    pthread_mutex_lock(&pool.lock);
    while (!atomic_load(ready) && !atomic_load(&pool.stop))
        pthread_cond_wait(&pool.start, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
    return atomic_load(ready);
}

static void *pool_thread(void *arg) {
    const unsigned worker = (unsigned)(uintptr_t)arg;
    this_worker = worker;
    while (wait_for_range(worker)) {
        atomic_store(&pool.ready[worker], false);
        const job work = pool.work; /* stays until `pending` is 0 */
        run_range(&work, worker);
        /* The owner says that it waits before it looks a last time: one of the two sees the other. */
        if (atomic_fetch_sub(&pool.pending, 1) == 1 && atomic_load(&pool.waiting)) {
            pthread_mutex_lock(&pool.lock);
            pthread_cond_signal(&pool.done);
            pthread_mutex_unlock(&pool.lock);
        }
    }
    return NULL;
}

/* Those that this process may run on. */
static long cores(void) {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return CPU_COUNT(&set);
#endif
    return sysconf(_SC_NPROCESSORS_ONLN);
}

static unsigned default_workers(void) {
    const char *text = getenv("MICA_THREADS");
    long n = 0;
    if (text) {
        char *end;
        errno = 0;
        n = strtol(text, &end, 10);
        if (errno || end == text || *end)
            n = 0;
    }
    if (n < 1)
        n = cores();
    if (n < 1)
        return 1;
    return n > (long)MAX_WORKERS ? MAX_WORKERS : (unsigned)n;
}

/* The number of workers; the lock is held. */
static unsigned workers_locked(void) {
    if (pool.workers == 0)
        pool.workers = default_workers();
    return pool.workers;
}

unsigned parallel_workers(void) {
    pthread_mutex_lock(&pool.lock);
    const unsigned n = workers_locked();
    pthread_mutex_unlock(&pool.lock);
    return n;
}

/* Signals are for the threads of the caller: those of the pool block them all. */
static bool start_thread(unsigned worker) {
    sigset_t all, before;
    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return false;
    const bool started =
        pthread_create(&pool.thread[worker - 1], NULL, pool_thread, (void *)(uintptr_t)worker) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* Starts the missing threads and returns how many workers there are. A thread that cannot be started leaves
 * fewer workers, never work undone. The pool is owned. */
static unsigned start_threads(void) {
    pthread_mutex_lock(&pool.lock);
    const unsigned wanted = workers_locked() - 1;
    if (pool.threads < wanted)
        atomic_store(&pool.spins, cores() > (long)wanted ? SPINS : 0u);
    while (pool.threads < wanted && start_thread(pool.threads + 1))
        pool.threads++;
    const unsigned workers = (pool.threads < wanted ? pool.threads : wanted) + 1;
    pthread_mutex_unlock(&pool.lock);
    return workers;
}

static void stop_threads(void) {
    pthread_mutex_lock(&pool.lock);
    atomic_store(&pool.stop, true);
    pthread_cond_broadcast(&pool.start);
    pthread_mutex_unlock(&pool.lock);
    for (unsigned i = 0; i < pool.threads; i++)
        pthread_join(pool.thread[i], NULL);
    pthread_mutex_lock(&pool.lock);
    pool.threads = 0;
    atomic_store(&pool.stop, false);
    pthread_mutex_unlock(&pool.lock);
}

void parallel_set_workers(unsigned n) {
    pthread_mutex_lock(&pool.owner);
    stop_threads();
    pthread_mutex_lock(&pool.lock);
    pool.workers = n > MAX_WORKERS ? MAX_WORKERS : n;
    pthread_mutex_unlock(&pool.lock);
    pthread_mutex_unlock(&pool.owner);
}

/* Ranges of equally many grains, the last one shorter; at most `workers` of them, none empty. */
static job split(size_t n, size_t grain, parallel_fn fn, void *ctx, unsigned workers) {
    const size_t grains = (n - 1) / grain + 1;
    const size_t per_range = (grains - 1) / workers + 1;
    const unsigned ranges = (unsigned)((grains - 1) / per_range + 1);
    return (job){fn, ctx, n, ranges == 1 ? n : per_range * grain, ranges};
}

static void run_on_pool(const job *work) {
    pthread_mutex_lock(&pool.lock);
    pool.work = *work;
    atomic_store(&pool.pending, work->ranges - 1);
    for (unsigned w = 1; w < work->ranges; w++)
        atomic_store(&pool.ready[w], true);
    pthread_cond_broadcast(&pool.start);
    pthread_mutex_unlock(&pool.lock);

    run_range(work, 0);
    for (unsigned i = atomic_load(&pool.spins); i > 0 && atomic_load(&pool.pending); i--)
        pause_core();
    if (!atomic_load(&pool.pending))
        return;
    pthread_mutex_lock(&pool.lock);
    atomic_store(&pool.waiting, true);
    while (atomic_load(&pool.pending))
        pthread_cond_wait(&pool.done, &pool.lock);
    atomic_store(&pool.waiting, false);
    pthread_mutex_unlock(&pool.lock);
}

void parallel_for(size_t n, size_t grain, parallel_fn fn, void *ctx) {
    if (grain == 0)
        grain = 1;
    if (n == 0)
        return;
    /* A second caller outside the pool finds it owned and works alone rather than waiting. */
    if (n <= grain || inside || pthread_mutex_trylock(&pool.owner) != 0) {
        fn(ctx, 0, n, this_worker);
        return;
    }
    const job work = split(n, grain, fn, ctx, start_threads());
    if (work.ranges == 1)
        fn(ctx, 0, n, 0);
    else
        run_on_pool(&work);
    pthread_mutex_unlock(&pool.owner);
}

/* --- teams --- */

typedef struct team {
    parallel_member_fn member;
    void *ctx;
    unsigned parts;
} team;

static void run_member(void *ctx, size_t begin, size_t end, unsigned worker) {
    const team *t = ctx;
    (void)end;
    (void)worker;
    t->member(t->ctx, (unsigned)begin, t->parts);
}

void parallel_team(parallel_member_fn member, void *ctx) {
    team t = {member, ctx, 1};
    if (inside || pthread_mutex_trylock(&pool.owner) != 0) {
        member(ctx, 0, 1);
        return;
    }
    t.parts = start_threads();
    const job work = {run_member, &t, t.parts, 1, t.parts}; /* a range of one for every worker that runs */
    if (t.parts == 1)
        member(ctx, 0, 1);
    else
        run_on_pool(&work);
    pthread_mutex_unlock(&pool.owner);
}

void parallel_barrier(void) {
    MICA_REQUIRE(inside);
    const unsigned passed = atomic_load(&pool.barriers);
    if (atomic_fetch_add(&pool.arrived, 1) + 1 == pool.work.ranges) {
        atomic_store(&pool.arrived, 0u);
        pthread_mutex_lock(&pool.lock);
        atomic_fetch_add(&pool.barriers, 1);
        pthread_cond_broadcast(&pool.passed);
        pthread_mutex_unlock(&pool.lock);
        return;
    }
    for (unsigned i = atomic_load(&pool.spins); i > 0; i--) {
        if (atomic_load(&pool.barriers) != passed)
            return;
        pause_core();
    }
    pthread_mutex_lock(&pool.lock);
    while (atomic_load(&pool.barriers) == passed)
        pthread_cond_wait(&pool.passed, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
}

/* Of generated code. */
void mica_barrier(void) {
    parallel_barrier();
}
