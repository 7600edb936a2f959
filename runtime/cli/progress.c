#include "cli/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

double progress_now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_start(progress *p, bool quiet) {
    p->start = progress_now();
    p->shown = 0;
    p->quiet = quiet;
    p->terminal = isatty(STDERR_FILENO) == 1;
}

void progress_show(void *ctx, mica_phase phase, double done) {
    progress *p = ctx;
    double now = progress_now(), elapsed = now - p->start;
    double pause = p->terminal ? 0.1 : 5;
    if (p->quiet || elapsed < 1 || done <= 0 || now - p->shown < pause)
        return;
    double left = elapsed * (1 - done) / done;
    (void)fprintf(stderr, "%s%s: %.0f %%, %.0f s left%s", p->terminal ? "\r\033[K" : "",
                  mica_phase_name(phase), 100 * done, left, p->terminal ? "" : "\n");
    (void)fflush(stderr);
    p->shown = now;
}

void progress_end(progress *p) {
    if (p->terminal && p->shown > 0)
        (void)fprintf(stderr, "\r\033[K");
}
