#include "emit/panels.h"

#include <string.h>

/* Below these sizes copying the operands costs more than it saves. */
enum { FEWEST_ROWS = 8, FEWEST_COLUMNS = 4, LEAST_DEPTH = 8, FEWEST_PRODUCTS = 1 << 12 };
/* A panel of this many 16-bit cells stays in the second-level cache. */
enum { PANEL_CELLS = 1 << 17 };
enum { MOST_COPIED = 1 << 26, COLUMNS_UNIT = 16, ALIGNMENT = 16 };

static bool fits_16_bits(const emitter *e, const operand *op) {
    const mica_tensor *t = &e->circuit->tensor[op->tensor];
    return t->lo >= INT16_MIN && t->hi <= INT16_MAX && op->n_sums == 0;
}

static bool window_moves(const operand *op, unsigned i) {
    for (unsigned w = 0; w < op->n_windows; w++) {
        if (op->window[w].stride[i] != 0)
            return true;
    }
    return false;
}

static bool moves(const operand *op, unsigned i) {
    return op->stride[i] != 0 || window_moves(op, i);
}

static void swap_sides(panels *k) {
    const operand left = k->op[1];
    k->op[1] = k->op[2];
    k->op[2] = left;
}

static uint64_t size_of(const panels *k, panel_role role) {
    uint64_t n = 1;
    for (unsigned i = 0; i < k->loops.n; i++)
        n *= k->role[i] == role ? k->loops.dim[i] : 1;
    return n;
}

static unsigned count_of(const panels *k, panel_role role) {
    unsigned n = 0;
    for (unsigned i = 0; i < k->loops.n; i++)
        n += k->role[i] == role;
    return n;
}

static void assign_roles(panels *k) {
    for (unsigned i = 0; i < k->loops.n; i++) {
        if (k->op[0].stride[i] == 0)
            k->role[i] = ROLE_DEPTH;
        else if (!moves(&k->op[2], i))
            k->role[i] = ROLE_ROW;
        else
            k->role[i] = moves(&k->op[1], i) ? ROLE_PAIRED : ROLE_COLUMN;
    }
}

static bool shape_suits(const panels *k) {
    return count_of(k, ROLE_ROW) == 1 && size_of(k, ROLE_ROW) >= FEWEST_ROWS &&
           count_of(k, ROLE_COLUMN) >= 1 && size_of(k, ROLE_COLUMN) >= FEWEST_COLUMNS &&
           size_of(k, ROLE_DEPTH) >= LEAST_DEPTH;
}

/* The operand with windows is the right one; without windows, the one whose panel is the smaller. */
static bool arrange_sides(panels *k) {
    const bool windows = k->op[1].n_windows + k->op[2].n_windows > 0;
    if (k->op[1].n_windows > 0)
        swap_sides(k);
    if (k->op[1].n_windows > 0)
        return false;
    assign_roles(k);
    if (windows)
        return shape_suits(k);
    if (shape_suits(k) && size_of(k, ROLE_COLUMN) <= size_of(k, ROLE_ROW))
        return true;
    swap_sides(k);
    assign_roles(k);
    if (shape_suits(k))
        return true;
    swap_sides(k);
    assign_roles(k);
    return shape_suits(k);
}

/* Whether loop i can run fastest: at most one window slides along it, forwards. */
static bool can_be_inner(const panels *k, unsigned i) {
    const operand *b = &k->op[2];
    unsigned sliding = 0;
    for (unsigned w = 0; w < b->n_windows; w++) {
        if (b->window[w].stride[i] < 0)
            return false;
        sliding += b->window[w].stride[i] > 0;
    }
    return k->role[i] == ROLE_COLUMN && sliding <= 1;
}

/* The columns' fastest loop: neighbouring cells where there are any, else the last; the slowest: the first of
 * the others. */
static bool choose_loops(panels *k) {
    unsigned n = 0;
    for (unsigned i = 0; i < k->loops.n; i++) {
        if (k->role[i] == ROLE_ROW)
            k->row = i;
        if (!can_be_inner(k, i) || (n > 0 && k->op[2].stride[k->inner] == 1 && k->op[2].stride[i] != 1))
            continue;
        k->inner = i;
        n++;
    }
    k->chunked = k->inner;
    for (unsigned i = k->loops.n; i-- > 0;) {
        if (k->role[i] == ROLE_COLUMN && i != k->inner)
            k->chunked = i;
    }
    return n > 0;
}

static uint64_t padded(uint64_t n, uint64_t unit) {
    return (n + unit - 1) / unit * unit;
}

static bool choose_sizes(panels *k) {
    const uint64_t rows = size_of(k, ROLE_ROW), depth = padded(size_of(k, ROLE_DEPTH), 2);
    const uint64_t dim = k->loops.dim[k->chunked], span = size_of(k, ROLE_COLUMN) / dim;
    uint64_t chunk = PANEL_CELLS / (span * depth); /* both < 2^31 */
    if (k->chunked == k->inner && chunk > COLUMNS_UNIT)
        chunk -= chunk % COLUMNS_UNIT;
    chunk = chunk < 1 ? 1 : chunk > dim ? dim : chunk;
    const uint64_t columns = padded(chunk * span, COLUMNS_UNIT);
    if (rows * depth > MOST_COPIED || columns > MOST_COPIED || columns * depth > MOST_COPIED)
        return false;
    k->rows = (uint32_t)rows;
    k->depth = (uint32_t)size_of(k, ROLE_DEPTH);
    k->padded_depth = (uint32_t)depth;
    k->chunk = (uint32_t)chunk;
    k->columns = (uint32_t)columns;
    k->panel_at = padded(rows * depth / 2, ALIGNMENT);
    k->sums_at = k->panel_at + columns * depth / 2;
    k->cells = k->sums_at + PANEL_BLOCK_ROWS * columns;
    return true;
}

bool panels_plan(panels *k, const emitter *e, const mica_contract *m, uint32_t result) {
    operand *const op[3] = {&k->op[0], &k->op[1], &k->op[2]};
    bool zeros[3];
    uint64_t products = 1;
    memset(k, 0, sizeof *k);
    contract_operands(e, m, result, k->op, zeros);
    nest_create(&k->loops, m->n_labels, m->label_dim);
    nest_simplify(&k->loops, op, 3, 0, false, zeros);
    for (unsigned i = 0; i < k->loops.n; i++)
        products *= products < FEWEST_PRODUCTS ? k->loops.dim[i] : 1;
    return products >= FEWEST_PRODUCTS && fits_16_bits(e, &k->op[1]) && fits_16_bits(e, &k->op[2]) &&
           arrange_sides(k) && choose_loops(k) && choose_sizes(k);
}
