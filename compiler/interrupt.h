/* SIGINT, SIGTERM and SIGHUP while there is something to clean up: they are noted, the work ends with an
 * error at its next step, and the process ends by the signal once everything is removed. */
#ifndef MICA_COMPILER_INTERRUPT_H
#define MICA_COMPILER_INTERRUPT_H

#include <stdbool.h>

/* From here on the signals are noted only. Signals that the process ignores stay ignored. */
void interrupt_hold(void);
/* True once one was noted. System calls that wait are interrupted by it. */
bool interrupt_noted(void);
/* Ends the process by the noted signal, if any; else the signals act as before interrupt_hold. */
void interrupt_release(void);

#endif
