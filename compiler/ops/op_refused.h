/* Operators that cannot be proven as they are, and why. */
#ifndef MICA_COMPILER_OPS_OP_REFUSED_H
#define MICA_COMPILER_OPS_OP_REFUSED_H

/* What is wrong with an operator (its domain before its name unless it is the default one), and what its user
 * can do; NULL if it is not in the table: then it is supported, or only not supported yet. */
const char *op_refusal(const char *op);

#endif
