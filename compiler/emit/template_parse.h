/* Templates as they are parsed; private to template.c and template_parse.c. */
#ifndef MICA_COMPILER_EMIT_TEMPLATE_PARSE_H
#define MICA_COMPILER_EMIT_TEMPLATE_PARSE_H

#include "emit/template.h"

/* A list of names, with a value each where that has a meaning. */
typedef struct binding {
    const char *name, *value;
    struct binding *next;
} binding;

/* Adds a binding in front; without memory nothing happens, as the pool remembers. */
void binding_add(pool *p, binding **list, const char *name, const char *value);

/* A piece of a body: text, a repeated part, an insertion, or the body of another template. */
typedef enum piece_kind { PIECE_TEXT, PIECE_EACH, PIECE_INSERT, PIECE_INCLUDE } piece_kind;
typedef struct piece {
    piece_kind kind;
    const char *bytes; /* TEXT */
    size_t size;
    const char *name;                 /* EACH, INSERT */
    const struct piece *inner, *next; /* inner: EACH, INCLUDE */
} piece;

typedef struct template_file {
    const char *name;
    binding *placeholder; /* those of included templates as well; list likewise */
    binding *list;        /* names of repeated and inserted parts */
    const piece *body;
    struct template_file *next;
} template_file;

/* The template `name` (with its ending), read and parsed once per set; NULL after recording an error. */
const template_file *template_load(template_set *set, const char *name, mica_status *st);

#endif
