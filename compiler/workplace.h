/* The folder NAME.mica-tmp beside an output, in which a compilation makes its files, and from which finished
 * ones move to their names. It belongs to one process at a time. */
#ifndef MICA_COMPILER_WORKPLACE_H
#define MICA_COMPILER_WORKPLACE_H

#include "mica/status.h"

enum { WORKPLACE_PATH_BYTES = 4096 };

typedef struct workplace {
    char directory[WORKPLACE_PATH_BYTES]; /* with a slash in it; empty: there is none */
    int lock;
} workplace;

/* Makes the folder, waits for another compilation that has it (said on stderr unless quiet), and removes what
 * one that was killed left there. Fails when interrupted. Released by workplace_close. */
bool workplace_open(workplace *w, const char *output, bool quiet, mica_status *st);

/* out := the path of a file in the folder. */
bool workplace_path(const workplace *w, const char *file, char out[WORKPLACE_PATH_BYTES], mica_status *st);

/* Removes the folder with all its files. A zeroed workplace is fine. */
void workplace_close(workplace *w);

#endif
