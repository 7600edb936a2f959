/* What one step finer would cost, and what it would give: for all values, and for those that lose most. */
#ifndef MICA_COMPILER_ACCURACY_CHANGES_H
#define MICA_COMPILER_ACCURACY_CHANGES_H

#include "accuracy/accuracy_refine.h"

/* Fills report->change. Costs are always known; errors where q->most_trials allows the measurement
 * (`complete`). */
bool accuracy_find_changes(accuracy_search_report *report, const accuracy_trial *taken,
                           const accuracy_units *u, const accuracy_request *q, const float_runs *runs,
                           mica_status *st);

#endif
