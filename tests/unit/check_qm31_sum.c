/* Sums of products, in the form that this machine has. */
#include "qm31_sum_cases.h"
