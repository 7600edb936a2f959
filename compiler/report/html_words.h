/* Text and numbers of a page: everything that comes from a file is made harmless here. */
#ifndef MICA_COMPILER_HTML_WORDS_H
#define MICA_COMPILER_HTML_WORDS_H

#include "emit/template.h"

/* Sets a placeholder to `size` bytes that may come from anyone: markup is escaped, and bytes that are not
 * UTF-8, control characters and characters that reorder or hide text become U+FFFD. Long text ends in an
 * ellipsis. The result is safe as text and inside quoted attributes. */
void html_set_bytes(scope *s, const char *name, const char *words, size_t size);
/* Likewise, zero-terminated; NULL is empty. */
void html_set_words(scope *s, const char *name, const char *words);

/* "12.3 MB" */
void html_set_size(scope *s, const char *name, double bytes);
/* "1,234,567" */
void html_set_count(scope *s, const char *name, uint64_t n);
/* "240 ms", "1.2 s" */
void html_set_seconds(scope *s, const char *name, double seconds);
/* A share as a percentage with two significant digits: "0.12 %". */
void html_set_percent(scope *s, const char *name, double share);

#endif
