#include "publish.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool publish_begin(publication *p, const workplace *w, mica_status *st) {
    *p = (publication){w, calloc(PUBLISH_MOST, sizeof *p->move), 0};
    return p->move || mica_fail(st, MICA_ERR_MEMORY, "out of memory");
}

void publish_end(publication *p) {
    free(p->move);
    *p = (publication){0};
}

bool publish_add(publication *p, const char *file, const char *to, mica_status *st) {
    if (p->n == PUBLISH_MOST)
        return mica_fail(st, MICA_ERR_INTERNAL, "more than %d files in one compilation", PUBLISH_MOST);
    publish_move *m = &p->move[p->n];
    const int n = snprintf(m->to, sizeof m->to, "%s", to);
    if (n < 0 || (size_t)n >= sizeof m->to)
        return mica_fail(st, MICA_ERR_IO, "%.800s: path is too long", to);
    if (file && !workplace_path(p->place, file, m->from, st))
        return false;
    p->n++;
    return true;
}

/* Where the file that a move replaces has a second name until all moves are done. */
static bool older_path(const publication *p, unsigned i, char out[WORKPLACE_PATH_BYTES], mica_status *st) {
    char file[32];
    (void)snprintf(file, sizeof file, "older-%u", i);
    return workplace_path(p->place, file, out, st);
}

/* File systems without hard links keep no older file; there a move that fails leaves the new ones before it.
 */
static bool keep_older(publication *p, mica_status *st) {
    char older[WORKPLACE_PATH_BYTES];
    for (unsigned i = 0; i < p->n; i++) {
        struct stat info;
        const char *to = p->move[i].to;
        if (!older_path(p, i, older, st))
            return false;
        if (lstat(to, &info) == 0 && S_ISDIR(info.st_mode))
            return mica_fail(st, MICA_ERR_IO, "%s: is a folder", to);
        p->move[i].absent = link(to, older) != 0 && errno == ENOENT;
    }
    return true;
}

static void roll_back(const publication *p) {
    char older[WORKPLACE_PATH_BYTES];
    mica_status ignored = {0};
    for (unsigned i = p->n; i-- > 0;) {
        if (p->move[i].done && p->move[i].absent)
            (void)unlink(p->move[i].to);
        else if (p->move[i].done && older_path(p, i, older, &ignored))
            (void)rename(older, p->move[i].to);
    }
}

static bool move(publish_move *m, mica_status *st) {
    if (m->from[0] ? rename(m->from, m->to) != 0 : unlink(m->to) != 0 && errno != ENOENT)
        return mica_fail(st, MICA_ERR_IO, "%s: %s", m->to, strerror(errno));
    m->done = true;
    return true;
}

bool publish_all(publication *p, mica_status *st) {
    if (!keep_older(p, st))
        return false;
    for (unsigned i = 0; i < p->n; i++) {
        if (!move(&p->move[i], st)) {
            roll_back(p);
            return false;
        }
    }
    return true;
}
