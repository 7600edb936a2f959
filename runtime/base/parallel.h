/* One pool of threads for the whole process, static partition of index ranges. */
#ifndef MICA_BASE_PARALLEL_H
#define MICA_BASE_PARALLEL_H

#include <stddef.h>

#define PARALLEL_MAX_WORKERS 256

/* Works on indices [begin, end) as worker `worker` of parallel_workers(). */
typedef void (*parallel_fn)(void *ctx, size_t begin, size_t end, unsigned worker);

/* Splits [0, n) into at most parallel_workers() contiguous ranges, each a multiple of `grain` but the last,
 * and returns when all are done. Runs inline when n <= grain, in a nested call, or with one worker. */
void parallel_for(size_t n, size_t grain, parallel_fn fn, void *ctx);

/* Number of workers: MICA_THREADS if set, else the online CPUs; at least 1, at most
 * PARALLEL_MAX_WORKERS. */
unsigned parallel_workers(void);

/* Sets the number of workers (0: the default). Not while parallel_for runs. */
void parallel_set_workers(unsigned n);

#endif
