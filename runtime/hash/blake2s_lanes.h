/* Blake2s on four messages at once, lane i of every vector belonging to message i. Portable: the vectors are
 * those of the compiler, four plain words where the machine has none. */
#ifndef MICA_HASH_BLAKE2S_LANES_H
#define MICA_HASH_BLAKE2S_LANES_H

#include <stdint.h>

#define BLAKE2S_LANES 4

typedef uint32_t blake2s_vec __attribute__((vector_size(4 * BLAKE2S_LANES)));

/* As blake2s_compress, for each lane. */
void blake2s_compress_lanes(blake2s_vec h[8], const blake2s_vec block[16], uint64_t counted, int last);

#endif
