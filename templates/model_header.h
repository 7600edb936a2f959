/* The model's header. */

/*@example*/
#define GUARD         LENET_H
#define RUN_MODEL     lenet_run
#define MODEL_DATA    lenet_model
#define SCRATCH_NAME  LENET_SCRATCH_BYTES
#define SCRATCH_BYTES 4096
/*@end*/
/*@body*/
#ifndef GUARD
#define GUARD

#include "mica/model.h"

/* Bytes of mica_frame.scratch that RUN_MODEL needs. */
#define SCRATCH_NAME SCRATCH_BYTES

/* Computes the cells of one batch item, layer by layer. */
void RUN_MODEL(const mica_frame *frame);

/* Circuit, weights and RUN_MODEL, for mica/prove.h. */
extern const mica_model MODEL_DATA;

#endif
/*@end*/
