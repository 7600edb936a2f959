/* Sums of products, in the form of machines without SSE2. */
#define MICA_PLAIN_SUMS
#include "qm31_sum_cases.h"
