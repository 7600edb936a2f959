/* Contractions as products of 16-bit matrices, from the plan of panels.c. */
#include "emit/panels.h"

static const char *prefix(const panels *k, unsigned i) {
    return k->role[i] == ROLE_DEPTH ? "k" : "i";
}

/* One item (INDEX, STRIDE) per loop that moves by `stride`, but for loop `except`. */
static void bind_moves(scope *s, const char *list, const panels *k, const int64_t *stride, unsigned except) {
    for (unsigned i = 0; i < k->loops.n; i++) {
        if (i == except || stride[i] == 0)
            continue;
        scope *item = scope_item(s, list);
        scope_set(item, "INDEX", "%s%u", prefix(k, i), k->loops.axis[i]);
        scope_set(item, "STRIDE", "%lld", (long long)stride[i]);
    }
}

/* Distance in the matrices between neighbours along each loop of `role`, row-major with loop `last` fastest.
 */
static void matrix_strides(const panels *k, panel_role role, unsigned last, int64_t stride[NEST_MAX]) {
    int64_t s = k->loops.dim[last];
    for (unsigned i = k->loops.n; i-- > 0;) {
        stride[i] = 0;
        if (k->role[i] != role || i == last)
            continue;
        stride[i] = s;
        s *= k->loops.dim[i];
    }
    stride[last] = 1;
}

static unsigned last_depth_loop(const panels *k) {
    unsigned last = 0;
    for (unsigned i = 0; i < k->loops.n; i++)
        last = k->role[i] == ROLE_DEPTH ? i : last;
    return last;
}

/* Loops of `role` but `except`, as items (index, dim) of `list`. */
static void bind_role_loops(scope *s, const char *list, const panels *k, panel_role role, unsigned except,
                            const char *index, const char *dim) {
    for (unsigned i = 0; i < k->loops.n; i++) {
        if (i == except || k->role[i] != role)
            continue;
        scope *item = scope_item(s, list);
        scope_set(item, index, "%s%u", prefix(k, i), k->loops.axis[i]);
        scope_set(item, dim, "%u", k->loops.dim[i]);
    }
}

/* FROM and TO of a loop of columns: the chunk's, or all of it. */
static void bind_bounds(scope *s, const panels *k, unsigned i, const char *from, const char *to) {
    const bool part = i == k->chunked && k->chunk < k->loops.dim[i];
    scope_set(s, from, part ? "begin" : "0");
    if (part)
        scope_set(s, to, "end");
    else
        scope_set(s, to, "%u", k->loops.dim[i]);
}

static void bind_columns(scope *root, const panels *k) {
    int64_t span[NEST_MAX];
    matrix_strides(k, ROLE_COLUMN, k->inner, span);
    for (unsigned i = 0; i < k->loops.n; i++) {
        if (k->role[i] != ROLE_COLUMN || i == k->inner)
            continue;
        scope *loop = scope_item(root, "column"), *at = scope_item(root, "column_at");
        scope_set(loop, "COLUMN", "i%u", k->loops.axis[i]);
        bind_bounds(loop, k, i, "COLUMN_FROM", "COLUMN_TO");
        scope_set(at, "INDEX", "i%u", k->loops.axis[i]);
        scope_set(at, "SPAN", "%lld", (long long)span[i]);
    }
    scope_set(root, "CHUNK_DIM", "%u", k->loops.dim[k->chunked]);
    scope_set(root, "CHUNK", "%u", k->chunk);
    scope_set(root, "CHUNK_SPAN", "%lld", (long long)span[k->chunked]);
    if (k->chunk < k->loops.dim[k->chunked])
        (void)scope_item(root, "several_chunks");
    scope_set(root, "INNER", "n");
    bind_bounds(root, k, k->inner, "INNER_FROM", "INNER_TO");
    scope_set(root, "COLUMNS", "%u", k->columns);
}

static void bind_depth(scope *root, const panels *k) {
    const unsigned last = last_depth_loop(k);
    int64_t span[NEST_MAX];
    matrix_strides(k, ROLE_DEPTH, last, span);
    bool outermost =
        true; /* of the loops of depth, which the parts divide, in twos: pairs of rows are whole */
    for (unsigned i = 0; i < k->loops.n; i++) {
        if (k->role[i] != ROLE_DEPTH)
            continue;
        scope *loop = scope_item(root, "depth");
        scope_set(loop, "K", "k%u", k->loops.axis[i]);
        scope_set(loop, "K_BEGIN", outermost ? "depth_begin" : "0");
        if (outermost) {
            scope_set(root, "FIRST_DEPTH", "%u", k->loops.dim[i]);
            scope_set(loop, "K_END", "depth_end");
        } else {
            scope_set(loop, "K_END", "%u", k->loops.dim[i]);
        }
        outermost = false;
        scope *at = scope_item(root, "depth_at");
        scope_set(at, "K", "k%u", k->loops.axis[i]);
        scope_set(at, "K_SPAN", "%lld", (long long)span[i]);
    }
    bind_role_loops(root, "left_depth", k, ROLE_DEPTH, last, "K", "K_DIM");
    bind_moves(root, "left_to", k, span, last);
    scope_set(root, "LEFT_K", "k%u", k->loops.axis[last]);
    scope_set(root, "LEFT_K_DIM", "%u", k->loops.dim[last]);
    scope_set(root, "LEFT_K_STEP", "%lld", (long long)k->op[1].stride[last]);
    scope_set(root, "DEPTH", "%u", k->padded_depth);
    if (k->padded_depth > k->depth)
        scope_set(scope_item(root, "odd"), "LAST_DEPTH", "%u", k->depth);
}

static void bind_rows(scope *root, const panels *k) {
    scope_set(root, "ROW", "i%u", k->loops.axis[k->row]);
    scope_set(root, "N_ROWS", "%u", k->rows);
    scope_set(root, "BLOCK", "%d", PANEL_BLOCK_ROWS);
    scope_set(root, "ROW_STEP", "%lld", (long long)k->op[1].stride[k->row]);
    scope_set(root, "ROW_RESULT", "%lld", (long long)k->op[0].stride[k->row]);
}

static void bind_windows(scope *root, const panels *k) {
    const operand *b = &k->op[2];
    for (unsigned w = 0; w < b->n_windows; w++) {
        const window *win = &b->window[w];
        const bool sliding = win->stride[k->inner] != 0;
        scope *item = scope_item(root, sliding ? "sliding" : "window");
        scope_set(item, "SHIFT", "%lld", (long long)win->shift);
        scope_set(item, "SIZE", "%u", win->size);
        if (sliding)
            scope_set(item, "WINDOW_STEP", "%lld", (long long)win->stride[k->inner]);
        else
            scope_set(item, "POSITION", "at%u", w);
        bind_moves(item, "moves", k, win->stride, k->inner);
    }
    if (b->n_windows > 0)
        (void)scope_item(root, "border");
}

/* The strides of an operand without those of the row, which the template names itself. */
static void bind_operand(scope *root, const char *list, const panels *k, const operand *op, unsigned except) {
    int64_t stride[NEST_MAX];
    for (unsigned i = 0; i < NEST_MAX; i++)
        stride[i] = i == k->row ? 0 : op->stride[i];
    bind_moves(root, list, k, stride, except);
}

bool emit_panels(emitter *e, const panels *k) {
    const mica_circuit *c = e->circuit;
    const mica_tensor *t = &c->tensor[k->op[0].tensor];
    scope *root = scope_create(&e->pool);
    bind_cells(e, root, k->op[0].tensor, "RESULT", NULL, "RESULT_AT");
    bind_cells(e, root, k->op[1].tensor, "LEFT", "LEFT_SOURCE", "LEFT_AT");
    bind_cells(e, root, k->op[2].tensor, "RIGHT", "RIGHT_SOURCE", "RIGHT_AT");
    if (k->op[1].tensor == k->op[2].tensor)
        scope_set(root, "RIGHT", "t%u_right", k->op[2].tensor);
    scope_set(root, "LO", "%d", t->lo);
    scope_set(root, "HI", "%d", t->hi);
    scope_set(root, "ROWS_AT", "%zu", e->panels_at);
    scope_set(root, "PANEL_AT", "%zu", e->panels_at + k->panel_at);
    scope_set(root, "SUMS_AT", "%zu", e->panels_at + k->sums_at);
    scope_set(root, "RESULT_BASE", "%lld", (long long)k->op[0].base);
    scope_set(root, "LEFT_BASE", "%lld", (long long)k->op[1].base);
    scope_set(root, "RIGHT_BASE", "%lld", (long long)k->op[2].base);
    scope_set(root, "RIGHT_STEP", "%lld", (long long)k->op[2].stride[k->inner]);
    scope_set(root, "RESULT_STEP", "%lld", (long long)k->op[0].stride[k->inner]);
    bind_role_loops(root, "paired", k, ROLE_PAIRED, UINT32_MAX, "INDEX", "DIM");
    bind_rows(root, k);
    bind_depth(root, k);
    bind_columns(root, k);
    bind_operand(root, "left_at", k, &k->op[1], last_depth_loop(k));
    bind_operand(root, "right_at", k, &k->op[2], k->inner);
    bind_operand(root, "result_at", k, &k->op[0], k->inner);
    bind_windows(root, k);
    return template_render(&e->templates, "contract_panels.c", root, &e->steps, e->status);
}
