#include "emit/template.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "emit/template_parse.h"

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

/* --- scopes --- */

scope *scope_create(pool *p) {
    scope *s = pool_alloc(p, sizeof *s);
    if (s)
        s->pool = p;
    return s;
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
        binding_add(s->pool, &s->value, name, copy);
}

void scope_insert(scope *s, const char *name, const char *bytes) {
    if (!s)
        return;
    char *copy = pool_string(s->pool, bytes ? bytes : "", bytes ? strlen(bytes) : 0);
    if (copy)
        binding_add(s->pool, &s->insert, name, copy);
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
        } else if (p->kind == PIECE_INCLUDE) {
            if (!render(r, p->inner, s))
                return false;
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
