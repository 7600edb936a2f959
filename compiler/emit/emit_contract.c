/* Contractions: matrix products, convolutions, elementwise products. A contraction becomes one loop nest over
 * its labels; the innermost loop runs where neighbouring cells are neighbours in memory. */
#include "emit/panels.h"

#include <string.h>

enum { LEFT = 1, RIGHT = 2 };

/* A contraction as the templates see it. op[LEFT] is the operand that differs between the rows computed
 * together. */
typedef struct contraction {
    operand *op[3]; /* result, left, right */
    nest loops;
    unsigned inner;
    bool dots; /* the innermost loop is contracted */
    int block; /* loop whose iterations are computed `rows` at a time, or -1 */
    unsigned rows;
} contraction;

static bool is_out(const contraction *k, unsigned i) {
    return k->op[0]->stride[i] != 0;
}

static bool in_window(const operand *op, unsigned i) {
    for (unsigned w = 0; w < op->n_windows; w++) {
        if (op->window[w].stride[i] != 0)
            return true;
    }
    return false;
}

static void swap_sides(contraction *k) {
    operand *left = k->op[LEFT];
    k->op[LEFT] = k->op[RIGHT];
    k->op[RIGHT] = left;
}

/* How well loop i serves as the innermost one: its length where memory is walked in unit steps, less
 * otherwise. */
static uint64_t merit(const contraction *k, unsigned i, bool windows) {
    unsigned strided = 0;
    for (unsigned j = 0; j < 3; j++)
        strided += k->op[j]->stride[i] != 0 && k->op[j]->stride[i] != 1;
    if (windows && !is_out(k, i))
        return 0; /* only a row of the result can slide */
    const uint64_t vectors = k->loops.dim[i] < 16 ? k->loops.dim[i] : 16 + k->loops.dim[i] / 16;
    return 1 + (vectors * 2 + (uint64_t)is_out(k, i)) * 64 / (1 + 8 * strided);
}

static void choose_inner(contraction *k, bool windows) {
    uint64_t best = 0;
    for (unsigned i = 0; i < k->loops.n; i++) {
        const uint64_t m = merit(k, i, windows);
        if (m > best) {
            best = m;
            k->inner = i;
        }
    }
    k->dots = !is_out(k, k->inner);
}

/* Chooses a loop of the result along which one operand stands still, so that its cells are loaded once for
 * several rows, and makes that operand the right one. */
static void choose_block(contraction *k) {
    static const unsigned sizes[] = {4, 6, 5, 3, 2, 7};
    k->block = -1;
    k->rows = 1;
    for (unsigned s = 0; s < sizeof sizes / sizeof *sizes && k->block < 0; s++) {
        for (unsigned i = 0; i < k->loops.n && k->block < 0; i++) {
            const operand *a = k->op[LEFT], *b = k->op[RIGHT];
            if (i == k->inner || !is_out(k, i) || k->loops.dim[i] % sizes[s] != 0 || in_window(b, i))
                continue;
            if (a->stride[i] == 0 && a->n_windows == 0 && b->n_windows == 0 &&
                (k->dots || b->stride[k->inner] == 0)) {
                swap_sides(k);
            } else if (b->stride[i] != 0 || (!k->dots && a->stride[k->inner] != 0)) {
                continue;
            }
            k->block = (int)i;
            k->rows = sizes[s];
        }
    }
}

static const char *loop_prefix(const contraction *k, unsigned i) {
    return is_out(k, i) ? "i" : "k";
}

/* One item (INDEX, STRIDE) per loop but the innermost that moves by `stride`. */
static void bind_outer_strides(scope *s, const char *list, const contraction *k, const int64_t *stride) {
    for (unsigned i = 0; i < k->loops.n; i++) {
        if (i == k->inner || stride[i] == 0)
            continue;
        scope *item = scope_item(s, list);
        scope_set(item, "INDEX", "%s%u", loop_prefix(k, i), k->loops.axis[i]);
        scope_set(item, "STRIDE", "%lld", (long long)stride[i]);
    }
}

static void bind_out_loop(scope *root, const contraction *k, unsigned i, bool outermost) {
    const unsigned by = (int)i == k->block ? k->rows : 1;
    scope *item = scope_item(root, "outer");
    scope_set(item, "INDEX", "i%u", k->loops.axis[i]);
    scope_set(item, "STEP", "%u", by);
    if (outermost) {
        bind_split(root, k->loops.dim[i], by);
        bind_split_loop(item, "BEGIN", "END");
    } else {
        scope_set(item, "BEGIN", "0");
        scope_set(item, "END", "%u", k->loops.dim[i]);
    }
}

static void bind_outer_loops(scope *root, const contraction *k) {
    bool any = false;
    for (unsigned i = 0; i < k->loops.n; i++) {
        if (i == k->inner)
            continue;
        if (is_out(k, i)) {
            bind_out_loop(root, k, i, !any);
            any = true;
            continue;
        }
        scope *item = scope_item(root, "contracted");
        scope_set(item, "K", "k%u", k->loops.axis[i]);
        scope_set(item, "K_DIM", "%u", k->loops.dim[i]);
    }
    if (!any) {
        bind_once(root, "outer", "INDEX", "BEGIN", "END");
        scope_set(root, "STEP", "1");
    }
}

static void bind_rows(scope *root, const contraction *k) {
    for (unsigned r = 0; r < k->rows; r++) {
        scope *row = scope_item(root, "row");
        const int64_t out = k->block < 0 ? 0 : k->op[0]->stride[k->block] * r;
        const int64_t left = k->block < 0 ? 0 : k->op[LEFT]->stride[k->block] * r;
        scope_set(row, k->dots ? "SUM" : "ROW", k->dots ? "sum%u" : "row%u", r);
        scope_set(row, k->dots ? "CELL_BASE" : "ROW_BASE", "%lld", (long long)(k->op[0]->base + out));
        scope_set(row, "SCALAR", "a%u", r);
        scope_set(row, "SCALAR_BASE", "%lld", (long long)(k->op[LEFT]->base + left));
    }
}

static void bind_inner(scope *root, const contraction *k) {
    const int64_t left = k->op[LEFT]->stride[k->inner];
    scope_set(root, "INNER", "n");
    scope_set(root, "INNER_DIM", "%u", k->loops.dim[k->inner]);
    scope_set(root, "RIGHT_STEP", "%lld", (long long)k->op[RIGHT]->stride[k->inner]);
    if (k->dots) {
        scope_set(root, "LEFT_STEP", "%lld", (long long)left);
        return;
    }
    scope_set(root, "ROW_STEP", "%lld", (long long)k->op[0]->stride[k->inner]);
    if (left != 0) {
        scope *item = scope_item(root, "left_inner");
        scope_set(item, "INNER", "n");
        scope_set(item, "LEFT_STEP", "%lld", (long long)left);
    }
}

/* The innermost loop runs over the whole row, or where the window that slides along it is inside. */
static void bind_windows(scope *root, const contraction *k) {
    const operand *b = k->op[RIGHT];
    bool sliding = false;
    for (unsigned w = 0; w < b->n_windows; w++) {
        const window *win = &b->window[w];
        const bool slides = win->stride[k->inner] != 0;
        sliding |= slides;
        scope *item = scope_item(root, slides ? "sliding" : "window");
        scope_set(item, "SHIFT", "%lld", (long long)win->shift);
        scope_set(item, "SIZE", "%u", win->size);
        if (slides)
            scope_set(item, "WINDOW_STEP", "%lld", (long long)win->stride[k->inner]);
        else
            scope_set(item, "POSITION", "at%u", w);
        bind_outer_strides(item, "moves", k, win->stride);
    }
    if (sliding) {
        scope_set(root, "INNER_FROM", "first");
        scope_set(root, "INNER_TO", "end");
    } else {
        scope_set(root, "INNER_FROM", "0");
        scope_set(root, "INNER_TO", "%u", k->loops.dim[k->inner]);
    }
}

/* An operand with windows goes to the right; two of them, or two windows along the innermost loop, are not
 * fused. */
static bool arrange_windows(contraction *k) {
    if (k->op[LEFT]->n_windows > 0)
        swap_sides(k);
    unsigned sliding = 0;
    for (unsigned w = 0; w < k->op[RIGHT]->n_windows; w++)
        sliding += k->op[RIGHT]->window[w].stride[k->inner] != 0;
    return k->op[LEFT]->n_windows == 0 && sliding <= 1 && !(in_window(k->op[RIGHT], k->inner) && k->dots);
}

/* A contraction without any loop still has an innermost one, of one iteration. */
static void ensure_loop(contraction *k) {
    if (k->loops.n > 0)
        return;
    k->loops.n = 1;
    k->loops.dim[0] = 1;
    k->loops.axis[0] = 0;
    for (unsigned j = 0; j < 3; j++)
        k->op[j]->stride[0] = 0;
}

bool emit_contract(emitter *e, const step *s) {
    const mica_circuit *c = e->circuit;
    const uint32_t v = s->tensor[0];
    const mica_contract *m = &c->contract[c->tensor[v].def];
    operand op[3];
    bool zeros[3];
    panels matrices;
    if (panels_plan(&matrices, e, m, v))
        return emit_panels(e, &matrices);
    contraction k = {{&op[0], &op[1], &op[2]}, {0}, 0, false, -1, 1};
    contract_operands(e, m, v, op, zeros);
    nest_create(&k.loops, m->n_labels, m->label_dim);
    nest_simplify(&k.loops, k.op, 3, 0, true, zeros);
    ensure_loop(&k);
    const bool windows = op[1].n_windows + op[2].n_windows > 0;
    choose_inner(&k, windows);
    if (!arrange_windows(&k))
        return mica_fail(e->status, MICA_ERR_INTERNAL, "tensor %u: windows on both operands", v);
    choose_block(&k);
    if (k.block < 0 && !windows && k.op[RIGHT]->stride[k.inner] == 0)
        swap_sides(&k);
    scope *root = scope_create(&e->pool);
    bind_cells(e, root, v, "RESULT", NULL, "RESULT_AT");
    bind_cells(e, root, k.op[LEFT]->tensor, "LEFT", "LEFT_SOURCE", "LEFT_AT");
    bind_cells(e, root, k.op[RIGHT]->tensor, "RIGHT", "RIGHT_SOURCE", "RIGHT_AT");
    if (k.op[LEFT]->tensor == k.op[RIGHT]->tensor)
        scope_set(root, "RIGHT", "t%u_right", k.op[RIGHT]->tensor);
    scope_set(root, "LO", "%d", c->tensor[v].lo);
    scope_set(root, "HI", "%d", c->tensor[v].hi);
    scope_set(root, "RIGHT_BASE", "%lld", (long long)k.op[RIGHT]->base);
    bind_outer_loops(root, &k);
    bind_outer_strides(root, "row_at", &k, k.op[0]->stride);
    bind_outer_strides(root, "left_at", &k, k.op[LEFT]->stride);
    bind_outer_strides(root, "right_at", &k, k.op[RIGHT]->stride);
    bind_rows(root, &k);
    bind_inner(root, &k);
    if (!k.dots)
        bind_windows(root, &k);
    return template_render(&e->templates, k.dots ? "contract_dots.c" : "contract_rows.c", root, &e->steps,
                           e->status);
}
