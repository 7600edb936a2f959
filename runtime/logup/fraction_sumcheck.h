/* The prover's sumcheck of one layer of the fraction tree (logup/logup.h). */
#ifndef MICA_LOGUP_FRACTION_SUMCHECK_H
#define MICA_LOGUP_FRACTION_SUMCHECK_H

#include "logup/fraction_layer.h"

/* Layer k >= 1, its claims at r[0..k), combined by lambda. Runs the k rounds; x[0..k) becomes the point and
 * value the four tables' evaluations there. The layer's tables are used up. */
bool fraction_sumcheck_prove(mica_channel *ch, const fraction_layer *layer, unsigned k, const qm31 *r,
                             qm31 lambda, qm31 *x, qm31 value[LOGUP_VALUES], mica_arena *arena,
                             mica_status *st);
/* Bytes of arena for a layer of n nodes. */
size_t fraction_sumcheck_bytes(size_t n);

#endif
