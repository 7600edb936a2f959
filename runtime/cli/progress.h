/* Progress of a proof on stderr, with the time left, once it has run for a second. */
#ifndef MICA_CLI_PROGRESS_H
#define MICA_CLI_PROGRESS_H

#include <stdbool.h>

#include "mica/prove.h"

typedef struct progress {
    double start, shown; /* seconds of a steady clock; shown: time of the last line, 0 if none */
    bool terminal, quiet;
} progress;

/* Seconds of a clock that never goes back. */
double progress_now(void);

void progress_start(progress *p, bool quiet);
/* A mica_progress_fn; ctx is a progress. On a terminal one line is rewritten; elsewhere a line appears every
 * five seconds. */
void progress_show(void *ctx, mica_phase phase, double done);
void progress_end(progress *p);

#endif
