/* Models of opsets before 7: an operator is read as it is since opset 7 if its definition did not change in
 * between. */
#ifndef MICA_COMPILER_OPS_OP_VERSIONS_H
#define MICA_COMPILER_OPS_OP_VERSIONS_H

#include <stdint.h>

/* The first opset from which the definition of an operator that opset 7 uses holds; 7 for operators that
 * changed with it or are not in the list. */
int64_t op_since(const char *op);

#endif
