/* What the search of widths found, for programs. */
#ifndef MICA_COMPILER_SUMMARY_SEARCH_H
#define MICA_COMPILER_SUMMARY_SEARCH_H

#include "driver.h"

#include <jansson.h>

/* Target, rungs, what was taken, and what finer widths would cost and give. */
json_t *summary_search_json(const compilation *c);
/* The values at which most precision is lost, the worst first. */
json_t *summary_losses_json(const compilation *c);
/* Calibrated ranges of inputs and of all computed values; "guess" where nothing speaks for one. */
json_t *summary_ranges_json(const compilation *c);

#endif
