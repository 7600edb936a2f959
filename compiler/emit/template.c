#include "emit/template.h"

#include "file_read.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEMPLATE_MAX_BYTES = 1 << 20 };

typedef struct binding {
    const char *name, *value;
    struct binding *next;
} binding;

typedef struct item_list {
    const char *name;
    scope *first, *last;
    struct item_list *next;
} item_list;

struct scope {
    pool *pool;
    const scope *outer;
    binding *value, *insert;
    item_list *list;
    scope *next; /* in the outer scope's list */
};

/* A piece of a body: text, a repeated part or an insertion. */
typedef enum piece_kind { PIECE_TEXT, PIECE_EACH, PIECE_INSERT } piece_kind;
typedef struct piece {
    piece_kind kind;
    const char *bytes; /* TEXT */
    size_t size;
    const char *name; /* EACH, INSERT */
    struct piece *inner, *next;
} piece;

typedef struct template_file {
    const char *name;
    binding *placeholder;
    binding *list; /* names of repeated and inserted parts */
    piece *body;
    struct template_file *next;
} template_file;

/* --- scopes --- */

scope *scope_create(pool *p) {
    scope *s = pool_alloc(p, sizeof *s);
    if (s)
        s->pool = p;
    return s;
}

static void bind(pool *p, binding **list, const char *name, const char *value) {
    binding *b = pool_alloc(p, sizeof *b);
    if (!b)
        return;
    b->name = name;
    b->value = value;
    b->next = *list;
    *list = b;
}

void scope_set(scope *s, const char *name, const char *format, ...) {
    char value[512];
    va_list args;
    if (!s)
        return;
    va_start(args, format);
    (void)vsnprintf(value, sizeof value, format, args);
    va_end(args);
    char *copy = pool_string(s->pool, value, strlen(value));
    if (copy)
        bind(s->pool, &s->value, name, copy);
}

void scope_insert(scope *s, const char *name, const char *bytes) {
    if (!s)
        return;
    char *copy = pool_string(s->pool, bytes ? bytes : "", bytes ? strlen(bytes) : 0);
    if (copy)
        bind(s->pool, &s->insert, name, copy);
}

scope *scope_item(scope *s, const char *list) {
    if (!s)
        return NULL;
    item_list *l = s->list;
    while (l && strcmp(l->name, list) != 0)
        l = l->next;
    if (!l) {
        l = pool_alloc(s->pool, sizeof *l);
        if (!l)
            return NULL;
        l->name = list;
        l->next = s->list;
        s->list = l;
    }
    scope *item = scope_create(s->pool);
    if (!item)
        return NULL;
    item->outer = s;
    if (l->last)
        l->last->next = item;
    else
        l->first = item;
    l->last = item;
    return item;
}

static const char *find(const binding *b, const char *name, size_t size) {
    for (; b; b = b->next) {
        if (strlen(b->name) == size && memcmp(b->name, name, size) == 0)
            return b->value;
    }
    return NULL;
}

static const char *scope_find(const scope *s, const char *name, size_t size) {
    for (; s; s = s->outer) {
        const char *value = find(s->value, name, size);
        if (value)
            return value;
    }
    return NULL;
}

/* --- parsing --- */

typedef struct parser {
    pool *pool;
    const char *file, *at, *end;
    binding **list;
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

static piece **add_piece(parser *ps, piece **tail, piece_kind kind, const char *from, const char *to) {
    piece *p = pool_alloc(ps->pool, sizeof *p);
    if (!p)
        return tail;
    p->kind = kind;
    p->bytes = from;
    p->size = (size_t)(to - from);
    *tail = p;
    return &p->next;
}

enum { MAX_NESTING = 8 };

/* Parses up to the marker end that closes the body. */
static bool parse_body(parser *ps, piece **body) {
    piece **tail = body, **resume[MAX_NESTING];
    unsigned depth = 0;
    for (;;) {
        const char *from, *to, *marker = next_marker(ps, &from, &to);
        if (!marker)
            return mica_fail(ps->status, MICA_ERR_FORMAT, "template %s: a marker is not closed", ps->file);
        if (from > ps->at)
            tail = add_piece(ps, tail, PIECE_TEXT, ps->at, from);
        ps->at = to;
        if (marker_is(marker, "end")) {
            if (depth == 0)
                return true;
            tail = resume[--depth];
        } else if (marker_is(marker, "each") || marker_is(marker, "insert")) {
            const bool each = marker_is(marker, "each");
            piece **next = add_piece(ps, tail, each ? PIECE_EACH : PIECE_INSERT, to, to);
            if (!*tail || depth == MAX_NESTING)
                return mica_fail(ps->status, MICA_ERR_FORMAT, "template %s: nested too deeply", ps->file);
            (*tail)->name = marker_name(ps, marker);
            if ((*tail)->name)
                bind(ps->pool, ps->list, (*tail)->name, "");
            if (each) {
                resume[depth++] = next;
                tail = &(*tail)->inner;
            } else {
                tail = next;
            }
        } else {
            return mica_fail(ps->status, MICA_ERR_FORMAT, "template %s: unknown marker '%.20s'", ps->file,
                             marker);
        }
    }
}

/* Collects the names defined between example and end. */
static bool parse_example(parser *ps, binding **names) {
    const char *from, *to, *marker = next_marker(ps, &from, &to);
    if (!marker || !marker_is(marker, "end"))
        return mica_fail(ps->status, MICA_ERR_FORMAT, "template %s: the example is not closed", ps->file);
    static const char define[] = "#define ";
    for (const char *d = strstr(ps->at, define); d && d < from; d = strstr(d, define)) {
        d += sizeof define - 1;
        const char *end = d;
        while (isalnum((unsigned char)*end) || *end == '_')
            end++;
        const char *name = pool_string(ps->pool, d, (size_t)(end - d));
        if (name)
            bind(ps->pool, names, name, "");
    }
    ps->at = to;
    return true;
}

static bool parse_template(template_file *f, const char *bytes, size_t size, pool *memory, mica_status *st) {
    parser ps = {memory, f->name, bytes, bytes + size, &f->list, st};
    for (;;) {
        const char *from, *to, *marker = next_marker(&ps, &from, &to);
        if (!marker)
            return mica_fail(st, MICA_ERR_FORMAT, "template %s has no body", f->name);
        ps.at = to;
        if (marker_is(marker, "body"))
            return parse_body(&ps, &f->body) && st->code == MICA_OK;
        if (!marker_is(marker, "example"))
            return mica_fail(st, MICA_ERR_FORMAT, "template %s: unexpected marker '%.20s'", f->name, marker);
        if (!parse_example(&ps, &f->placeholder))
            return false;
    }
}

static const template_file *template_load(template_set *set, const char *name, mica_status *st) {
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
    if (!f->name || !parse_template(f, kept, size, set->pool, st))
        return NULL;
    f->next = set->file;
    set->file = f;
    return f;
}

/* --- rendering --- */

typedef struct renderer {
    const template_file *file;
    text *out;
    mica_status *status;
} renderer;

static bool is_identifier_byte(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

static bool render_text(const renderer *r, const piece *p, const scope *s) {
    const char *at = p->bytes, *end = p->bytes + p->size;
    while (at < end) {
        const char *word = at;
        while (at < end && is_identifier_byte(*at))
            at++;
        if (at == word) {
            text_write(r->out, at++, 1);
            continue;
        }
        const size_t size = (size_t)(at - word);
        if (!find(r->file->placeholder, word, size)) {
            text_write(r->out, word, size);
            continue;
        }
        const char *value = scope_find(s, word, size);
        if (!value)
            return mica_fail(r->status, MICA_ERR_INTERNAL, "template %s: no value for %.*s", r->file->name,
                             (int)size, word);
        text_puts(r->out, value);
    }
    return true;
}

/* Every value and list of a scope must belong to a placeholder or part of the template. */
static bool check_scope(const renderer *r, const scope *s) {
    for (const binding *b = s->value; b; b = b->next) {
        if (!find(r->file->placeholder, b->name, strlen(b->name)))
            return mica_fail(r->status, MICA_ERR_INTERNAL, "template %s has no placeholder %s", r->file->name,
                             b->name);
    }
    for (const item_list *l = s->list; l; l = l->next) {
        if (!find(r->file->list, l->name, strlen(l->name)))
            return mica_fail(r->status, MICA_ERR_INTERNAL, "template %s has no part %s", r->file->name,
                             l->name);
    }
    return true;
}

static const scope *first_item(const scope *s, const char *list) {
    for (; s; s = s->outer) {
        for (const item_list *l = s->list; l; l = l->next) {
            if (strcmp(l->name, list) == 0)
                return l->first;
        }
    }
    return NULL;
}

static const char *find_insert(const scope *s, const char *name) {
    const char *bytes = NULL;
    for (; s && !bytes; s = s->outer)
        bytes = find(s->insert, name, strlen(name));
    return bytes;
}

static bool render(const renderer *r, const piece *p, const scope *s) {
    for (; p; p = p->next) {
        if (p->kind == PIECE_TEXT) {
            if (!render_text(r, p, s))
                return false;
        } else if (p->kind == PIECE_INSERT) {
            const char *bytes = find_insert(s, p->name);
            if (!bytes)
                return mica_fail(r->status, MICA_ERR_INTERNAL, "template %s: nothing to insert for %s",
                                 r->file->name, p->name);
            text_puts(r->out, bytes);
        } else {
            for (const scope *item = first_item(s, p->name); item; item = item->next) {
                if (!check_scope(r, item) || !render(r, p->inner, item))
                    return false;
            }
        }
    }
    return true;
}

bool template_render(template_set *set, const char *name, const scope *s, text *out, mica_status *st) {
    if (st->code != MICA_OK || !s)
        return false;
    const template_file *file = template_load(set, name, st);
    const renderer r = {file, out, st};
    return file && check_scope(&r, s) && render(&r, file->body, s) && st->code == MICA_OK;
}
