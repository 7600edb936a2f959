/* Templates: whole C files from which code is generated (templates/ in the source tree).
 *
 * A template compiles alone. Between the markers example and end it defines every placeholder with an example
 * value; between the markers body and end stands what is copied, with each placeholder replaced as a whole
 * identifier.
 *
 *     [@example]            [@ ] stands for a C comment that starts with @
 *     #define STRIDE 32
 *     [@end]
 *     [@body]
 *     sum += x[BASE[@each axis] + INDEX * STRIDE[@end]];
 *     [@end]
 *
 * each NAME ... end repeats its content once per item of list NAME, with the item's values visible before the
 * outer ones; lists nest. insert NAME copies text that other templates produced; include NAME stands for the
 * body of NAME.c, which has placeholders and lists of its own. A placeholder without a value, or a value
 * without a placeholder, is an error: a template and the code that fills it cannot drift apart.
 */
#ifndef MICA_COMPILER_EMIT_TEMPLATE_H
#define MICA_COMPILER_EMIT_TEMPLATE_H

#include "emit/text.h"

typedef struct scope scope;

scope *scope_create(pool *p);
/* NAME := the formatted value: an identifier, a number, an operator, or words of a comment. */
void scope_set(scope *s, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
void scope_insert(scope *s, const char *name, const char *bytes);
/* A new item at the end of a list. */
scope *scope_item(scope *s, const char *list);

typedef struct template_set {
    const char *directory;
    struct template_file *file;
    pool *pool;
    bool including; /* the template being read is included by another */
} template_set;

/* Appends the body of template `name` (without ".c") to out. Templates are read once per set. */
bool template_render(template_set *set, const char *name, const scope *s, text *out, mica_status *st);

/* Lays out generated C: indents by braces and nested loops, drops neutral elements such as "* 1" and "0 +",
 * and never leaves two blank lines in a row. */
void template_tidy(const char *bytes, text *out);

#endif
