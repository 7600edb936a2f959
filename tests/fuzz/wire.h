/* Mutations of protobuf messages that keep lengths right, so that changes reach what lies behind the parser.
 */
#ifndef MICA_TESTS_FUZZ_WIRE_H
#define MICA_TESTS_FUZZ_WIRE_H

#include <stddef.h>
#include <stdint.h>

/* Changes the message in place and returns its new size, at most max_size: one field somewhere in the tree of
 * messages is removed, repeated, moved or given another value. Bytes that are no message are mutated as
 * bytes. */
size_t wire_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed);

#endif
