/* Operators that move elements. Which inputs hold them is all that tells them apart here. */
#include <string.h>

#include "lowering/lowering_move.h"
#include "ops/ops.h"

#define MOVES(symbol, inputs)                                                                                \
    bool lower_##symbol(struct lowering *l, const graph_node *n, mica_status *st) {                          \
        return lowering_move(l, n, inputs, st);                                                              \
    }
#define INPUT(i) (1u << (i))

MOVES(slice, INPUT(0))
MOVES(split, INPUT(0))
MOVES(pad, INPUT(0))
MOVES(expand, INPUT(0))
MOVES(tile, INPUT(0))
MOVES(trilu, INPUT(0))
MOVES(centercroppad, INPUT(0))
MOVES(reversesequence, INPUT(0))

/* --- blocks: axes that are split and joined elsewhere --- */

static void append_list(axis_list *to, const axis_list *from) {
    for (unsigned i = 0; i < from->n; i++)
        axis_list_push(to, from->axis[i]);
}

/* The input seen with shape `dim`; axis i of the result, lead axes apart, is made of the axes part[i] of that
 * shape, NONE where it has fewer. */
#define NONE 0xff
static bool lower_blocks(lowering *l, const graph_node *n, unsigned lead, int64_t *dim,
                         const uint8_t part[3][3], mica_status *st) {
    qvalue x;
    layout axes = {.rank = (uint8_t)(lead + 3)};
    if (!lowering_operand(l, n->in[0], &x, st) || !lowering_layer(l, n, st) ||
        !lowering_replace_axes(l, &x, lead + 5, dim, st))
        return false;
    for (unsigned i = 0; i < lead; i++)
        axes.of[i] = x.axes.of[i];
    for (unsigned i = 0; i < 3; i++)
        for (unsigned j = 0; j < 3 && part[i][j] != NONE; j++)
            append_list(&axes.of[lead + i], &x.axes.of[lead + part[i][j]]);
    return lowering_set_tensor(l, n, x.tensor, &axes, x.scale, x.origin);
}

bool lower_depthtospace(struct lowering *l, const graph_node *n, mica_status *st) {
    static const uint8_t depth_first[3][3] = {{2, NONE}, {3, 0, NONE}, {4, 1, NONE}},
                         channel_first[3][3] = {{0, NONE}, {3, 1, NONE}, {4, 2, NONE}};
    const graph_value *x = &l->g->value[n->in[0]];
    const int64_t b = graph_attr_int(n, "blocksize", 1), c = x->dim[1] / (b * b);
    const bool dcr = !strcmp(graph_attr_string(n, "mode", "DCR"), "DCR");
    const unsigned lead = x->batched ? 0 : 1;
    int64_t dim[6] = {x->dim[0]};
    const int64_t split[5] = {dcr ? b : c, b, dcr ? c : b, x->dim[2], x->dim[3]};
    memcpy(dim + lead, split, sizeof split);
    return lower_blocks(l, n, lead, dim, dcr ? depth_first : channel_first, st);
}

bool lower_spacetodepth(struct lowering *l, const graph_node *n, mica_status *st) {
    static const uint8_t depth_first[3][3] = {{2, 4, 0}, {1, NONE}, {3, NONE}},
                         channel_first[3][3] = {{0, 2, 4}, {1, NONE}, {3, NONE}};
    const bool dcr = !strcmp(graph_attr_string(n, "mode", "DCR"), "DCR");
    const graph_value *x = &l->g->value[n->in[0]];
    const int64_t b = graph_attr_int(n, "blocksize", 1);
    const unsigned lead = x->batched ? 0 : 1;
    int64_t dim[6] = {x->dim[0]};
    const int64_t split[5] = {x->dim[1], x->dim[2] / b, b, x->dim[3] / b, b};
    memcpy(dim + lead, split, sizeof split);
    return lower_blocks(l, n, lead, dim, dcr ? depth_first : channel_first, st);
}
