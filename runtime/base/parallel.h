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

/* Member `part` of a team of `parts`. */
typedef void (*parallel_member_fn)(void *ctx, unsigned part, unsigned parts);

/* Calls member on all workers at the same time, so that they can wait for one another: a team of
 * parallel_workers(), or of one in a nested call. */
void parallel_team(parallel_member_fn member, void *ctx);
/* Returns when all members of a team of several have called it. */
void parallel_barrier(void);

/* Number of workers: MICA_THREADS if set, else the CPUs that the process may run on; at least 1, at most
 * PARALLEL_MAX_WORKERS. */
unsigned parallel_workers(void);

/* Sets the number of workers (0: the default). Not while parallel_for runs. */
void parallel_set_workers(unsigned n);

#endif
