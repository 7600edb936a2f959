#include "interrupt.h"

#include <signal.h>
#include <string.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { N_SIGNALS = sizeof signals / sizeof *signals };

static struct sigaction before[N_SIGNALS];
static bool held;
static volatile sig_atomic_t noted;

static void note(int number) {
    noted = number;
}

void interrupt_hold(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action); /* no SA_RESTART: waiting for the C compiler must end */
    action.sa_handler = note;
    (void)sigemptyset(&action.sa_mask);
    for (unsigned i = 0; i < N_SIGNALS; i++) {
        (void)sigaction(signals[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN)
            (void)sigaction(signals[i], &action, NULL);
    }
    held = true;
}

bool interrupt_noted(void) {
    return noted != 0;
}

void interrupt_release(void) {
    if (!held)
        return;
    for (unsigned i = 0; i < N_SIGNALS; i++)
        (void)sigaction(signals[i], &before[i], NULL);
    held = false;
    if (noted)
        (void)raise(noted);
    noted = 0;
}
