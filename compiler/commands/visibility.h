/* Who learns the integers of each input and output: from the arguments of --input-visibility and
 * --output-visibility. */
#ifndef MICA_COMPILER_VISIBILITY_H
#define MICA_COMPILER_VISIBILITY_H

#include "commands/options.h"
#include "graph/graph.h"
#include "mica/circuit.h"

/* One visibility per graph input (or output), in order; the caller frees. An argument is a word, which holds
 * for every port that no argument names, or NAME=word; the last of each kind wins. NULL on failure: an
 * unknown word, or a name that the graph does not have. */
mica_visibility *visibility_choose(const mica_arguments *said, const graph *g, bool inputs, mica_status *st);

#endif
