#include "ops/ops.h"

op_lower_fn *const op_lowerings[OP_KINDS] = {
#define X(kind, symbol, type, fewest, most) [OP_##kind] = lower_##symbol,
    MICA_OPS(X)
#undef X
};
