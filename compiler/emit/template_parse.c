#include "emit/template_parse.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file_read.h"

enum { TEMPLATE_MAX_BYTES = 1 << 20, MAX_NESTING = 8 };

void binding_add(pool *p, binding **list, const char *name, const char *value) {
    binding *b = pool_alloc(p, sizeof *b);
    if (!b)
        return;
    b->name = name;
    b->value = value;
    b->next = *list;
    *list = b;
}

typedef struct parser {
    pool *pool;
    template_set *set;
    template_file *file;
    const char *at, *end;
    mica_status *status;
} parser;

/* Finds the next marker comment; [*from, *to) is the marker with, if it stands alone on its line, the line.
 */
static const char *next_marker(const parser *ps, const char **from, const char **to) {
    const char *m = strstr(ps->at, "/*@");
    const char *close = m && m < ps->end ? strstr(m, "*/") : NULL;
    if (!close)
        return NULL;
    close += 2;
    const char *line = m;
    while (line > ps->at &&
           (line[-1] == ' ' || line[-1] == '\t' || line[-1] == '#')) /* '#': shell comments */
        line--;
    const bool starts_line = line == ps->at || line[-1] == '\n';
    if (starts_line && *close == '\n') {
        *from = line;
        *to = close + 1;
    } else {
        *from = m;
        *to = close;
    }
    return m + 3;
}

static bool marker_is(const char *marker, const char *word) {
    const size_t n = strlen(word);
    return strncmp(marker, word, n) == 0 && (marker[n] == ' ' || marker[n] == '*');
}

static const char *marker_name(parser *ps, const char *marker) {
    while (isalpha((unsigned char)*marker))
        marker++;
    while (*marker == ' ')
        marker++;
    const char *end = marker;
    while (isalnum((unsigned char)*end) || *end == '_')
        end++;
    return pool_string(ps->pool, marker, (size_t)(end - marker));
}

/* Adds a piece behind *tail, which moves behind it. NULL without memory. */
static piece *add_piece(parser *ps, const piece ***tail, piece_kind kind, const char *from, const char *to) {
    piece *p = pool_alloc(ps->pool, sizeof *p);
    if (!p)
        return NULL;
    p->kind = kind;
    p->bytes = from;
    p->size = (size_t)(to - from);
    **tail = p;
    *tail = &p->next;
    return p;
}

/* Adds the names of one list to another. */
static void add_names(parser *ps, binding **to, const binding *from) {
    for (; from; from = from->next)
        binding_add(ps->pool, to, from->name, from->value);
}

/* The body of another template stands in place of the marker, and its placeholders and parts are this one's.
 * An included template includes none. */
static bool include(parser *ps, piece *p, const char *name) {
    char path[64];
    if (ps->set->including)
        return mica_fail(ps->status, MICA_ERR_FORMAT, "template %s: included templates include none",
                         ps->file->name);
    (void)snprintf(path, sizeof path, "%s.c", name);
    ps->set->including = true;
    const template_file *f = template_load(ps->set, path, ps->status);
    ps->set->including = false;
    if (!f)
        return false;
    p->inner = f->body;
    add_names(ps, &ps->file->placeholder, f->placeholder);
    add_names(ps, &ps->file->list, f->list);
    return true;
}

/* Parses up to the marker end that closes the body. */
static bool parse_body(parser *ps) {
    const piece **tail = &ps->file->body, **resume[MAX_NESTING];
    unsigned depth = 0;
    for (;;) {
        const char *from, *to, *marker = next_marker(ps, &from, &to);
        if (!marker)
            return mica_fail(ps->status, MICA_ERR_FORMAT, "template %s: a marker is not closed",
                             ps->file->name);
        if (from > ps->at)
            (void)add_piece(ps, &tail, PIECE_TEXT, ps->at, from);
        ps->at = to;
        if (marker_is(marker, "end")) {
            if (depth == 0)
                return true;
            tail = resume[--depth];
            continue;
        }
        const bool each = marker_is(marker, "each"), insert = marker_is(marker, "insert");
        if (!each && !insert && !marker_is(marker, "include"))
            return mica_fail(ps->status, MICA_ERR_FORMAT, "template %s: unknown marker '%.20s'",
                             ps->file->name, marker);
        const char *name = marker_name(ps, marker);
        piece *p = add_piece(ps, &tail, each ? PIECE_EACH : insert ? PIECE_INSERT : PIECE_INCLUDE, to, to);
        if (!p || !name || depth == MAX_NESTING)
            return mica_fail(ps->status, MICA_ERR_FORMAT, "template %s: nested too deeply", ps->file->name);
        p->name = name;
        if (p->kind == PIECE_INCLUDE) {
            if (!include(ps, p, name))
                return false;
            continue;
        }
        binding_add(ps->pool, &ps->file->list, name, "");
        if (each) {
            resume[depth++] = tail;
            tail = &p->inner;
        }
    }
}

/* Collects the names defined between example and end. */
static bool parse_example(parser *ps) {
    const char *from, *to, *marker = next_marker(ps, &from, &to);
    if (!marker || !marker_is(marker, "end"))
        return mica_fail(ps->status, MICA_ERR_FORMAT, "template %s: the example is not closed",
                         ps->file->name);
    static const char define[] = "#define ";
    for (const char *d = strstr(ps->at, define); d && d < from; d = strstr(d, define)) {
        d += sizeof define - 1;
        const char *end = d;
        while (isalnum((unsigned char)*end) || *end == '_')
            end++;
        const char *name = pool_string(ps->pool, d, (size_t)(end - d));
        if (name)
            binding_add(ps->pool, &ps->file->placeholder, name, "");
    }
    ps->at = to;
    return true;
}

static bool parse_template(template_set *set, template_file *f, const char *bytes, size_t size,
                           mica_status *st) {
    parser ps = {set->pool, set, f, bytes, bytes + size, st};
    for (;;) {
        const char *from, *to, *marker = next_marker(&ps, &from, &to);
        if (!marker)
            return mica_fail(st, MICA_ERR_FORMAT, "template %s has no body", f->name);
        ps.at = to;
        if (marker_is(marker, "body"))
            return parse_body(&ps) && st->code == MICA_OK;
        if (!marker_is(marker, "example"))
            return mica_fail(st, MICA_ERR_FORMAT, "template %s: unexpected marker '%.20s'", f->name, marker);
        if (!parse_example(&ps))
            return false;
    }
}

const template_file *template_load(template_set *set, const char *name, mica_status *st) {
    for (const template_file *f = set->file; f; f = f->next) {
        if (strcmp(f->name, name) == 0)
            return f;
    }
    char path[4096];
    uint8_t *bytes;
    size_t size;
    const int n = snprintf(path, sizeof path, "%s/%s", set->directory, name);
    if (n < 0 || (size_t)n >= sizeof path) {
        mica_fail(st, MICA_ERR_IO, "template path is too long");
        return NULL;
    }
    bytes = file_read(path, 0, FILE_READ_REST, TEMPLATE_MAX_BYTES, &size, st);
    if (!bytes)
        return NULL;
    char *kept = pool_string(set->pool, (const char *)bytes, size);
    free(bytes);
    template_file *f = pool_alloc(set->pool, sizeof *f);
    if (!kept || !f)
        return NULL;
    f->name = pool_string(set->pool, name, strlen(name));
    if (!f->name || !parse_template(set, f, kept, size, st))
        return NULL;
    f->next = set->file;
    set->file = f;
    return f;
}
