/* The prover's leaves with hooks for lies; linked in place of the library's. */
#define MICA_CHEAT
#include "protocol/leaves_count_prove.c"
