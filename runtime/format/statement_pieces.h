/* A statement's bytes without a copy of them all. */
#ifndef MICA_FORMAT_STATEMENT_PIECES_H
#define MICA_FORMAT_STATEMENT_PIECES_H

#include "mica/statement.h"

/* Takes `size` bytes, which are gone afterwards. */
typedef void statement_take(void *to, const void *bytes, size_t size);

/* Hands what mica_statement_write writes to `take`, piece by piece. */
void statement_pieces(const mica_statement *s, const mica_circuit *c, statement_take *take, void *to);

#endif
