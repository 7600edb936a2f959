/* Finished files of one compilation move to their names together: all of them, or none. */
#ifndef MICA_COMPILER_PUBLISH_H
#define MICA_COMPILER_PUBLISH_H

#include "workplace.h"

enum { PUBLISH_MOST = 32 };

/* One file; `from` is empty where the file `to` of an earlier compilation has to go. */
typedef struct publish_move {
    char from[WORKPLACE_PATH_BYTES], to[WORKPLACE_PATH_BYTES];
    bool absent, done; /* nothing lay there before; it was moved */
} publish_move;

typedef struct publication {
    const workplace *place;
    publish_move *move; /* [PUBLISH_MOST] */
    unsigned n;
} publication;

/* w must outlive the publication. */
bool publish_begin(publication *p, const workplace *w, mica_status *st);
void publish_end(publication *p);

/* `file` of the workplace goes to `to`; or, with `file` NULL, what lies there goes away. */
bool publish_add(publication *p, const char *file, const char *to, mica_status *st);

/* Moves them in order. On failure what lay under the names before is back, and nothing else. */
bool publish_all(publication *p, mica_status *st);

#endif
