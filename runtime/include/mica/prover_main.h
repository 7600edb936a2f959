/* The command line of a prover executable: prove, infer, info, verify, digest, bench. Generated code calls it
 * from main. */
#ifndef MICA_PROVER_MAIN_H
#define MICA_PROVER_MAIN_H

#include "mica/model.h"

/* Exit codes: 0 done or accepted, 1 proof rejected, 2 unreadable input, wrong usage or no decision reached.
 */
int mica_prover_main(int argc, char **argv, const mica_model *model);

#endif
