#include "emit/panels.h"

#include <string.h>

/* Rows shorter than this are copied out: the cost of the window's edges outweighs that of the copy. */
enum { SHORTEST_WINDOW_ROW = 16 };

enum { ALIGNMENT_CELLS = 16 }; /* 64 bytes */

void contract_operands(const emitter *e, const mica_contract *m, uint32_t result, operand op[3],
                       bool zeros[3]) {
    const uint32_t side[2] = {m->a, m->b};
    const mica_view *view[2] = {&m->a_view, &m->b_view};
    mica_view out = {{0}};
    for (unsigned i = 0; i < e->circuit->tensor[result].rank; i++)
        out.axis[i] = m->out_label[i];
    operand_view(&op[0], e->circuit, result, &out);
    zeros[0] = true; /* padding of an accumulator is never read */
    for (unsigned j = 0; j < 2; j++) {
        const bool fused = e->fused[side[j]];
        zeros[j + 1] = !fused;
        if (fused)
            (void)operand_patches(&op[j + 1], e->circuit, side[j], view[j]);
        else
            operand_view(&op[j + 1], e->circuit, side[j], view[j]);
    }
}

/* Whether contraction `result` is a product of 16-bit matrices if it reads placement p through windows. */
static bool suits_panels(emitter *e, const mica_contract *m, uint32_t result, uint32_t p) {
    panels k;
    e->fused[p] = true;
    const bool suits = panels_plan(&k, e, m, result);
    e->fused[p] = false;
    return suits;
}

/* Whether contraction `result` can read placement p in place and gains by it. */
static bool worth_fusing(emitter *e, const mica_contract *m, uint32_t result, uint32_t p,
                         const mica_view *view) {
    operand op, *list[1] = {&op};
    nest loops;
    uint32_t longest = 0;
    if (!operand_patches(&op, e->circuit, p, view))
        return false;
    if (suits_panels(e, m, result, p))
        return true;
    nest_create(&loops, m->n_labels, m->label_dim);
    nest_simplify(&loops, list, 1, UINT32_MAX, false, NULL);
    if (op.n_windows == 0)
        return true;
    /* Each window may cut the innermost loop or skip an iteration of an outer one; one label per window
     * slides. */
    for (unsigned w = 0; w < op.n_windows; w++) {
        for (unsigned i = 0; i < loops.n; i++) {
            if (op.window[w].stride[i] < 0)
                return false;
            if (op.window[w].stride[i] > 0 && loops.dim[i] > longest)
                longest = loops.dim[i];
        }
    }
    return longest >= SHORTEST_WINDOW_ROW;
}

/* A placement is read in place if all of its readers are contractions that can. */
static bool decide_fused(emitter *e, uint32_t p) {
    const mica_circuit *c = e->circuit;
    bool read = false;
    if (c->tensor[p].kind != MICA_TENSOR_PLACEMENT || mica_tensor_is_materialised(c, p))
        return false;
    for (uint32_t i = 0; i < c->n_terms; i++) {
        if (c->term[i].tensor == p)
            return false;
    }
    for (uint32_t i = 0; i < c->n_lookups; i++) {
        for (unsigned k = 0; k < c->lookup[i].n_entries; k++) {
            if (c->lookup[i].entry[k] == p)
                return false;
        }
    }
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        if (c->tensor[t].kind != MICA_TENSOR_CONTRACT)
            continue;
        const mica_contract *m = &c->contract[c->tensor[t].def];
        if (m->a == p && m->b == p)
            return false;
        if ((m->a == p && !worth_fusing(e, m, t, p, &m->a_view)) ||
            (m->b == p && !worth_fusing(e, m, t, p, &m->b_view)))
            return false;
        read = read || m->a == p || m->b == p;
    }
    return read;
}

static void touch(emitter *e, uint32_t t, uint32_t at) {
    if (mica_tensor_is_materialised(e->circuit, t) || e->fused[t])
        return;
    if (at < e->first[t])
        e->first[t] = at;
    if (e->last[t] == UINT32_MAX || at > e->last[t])
        e->last[t] = at;
}

static void touch_linear(emitter *e, uint32_t t, uint32_t at) {
    const mica_linear *l = &e->circuit->linear[e->circuit->tensor[t].def];
    for (uint32_t i = 0; i < l->n_terms; i++)
        touch(e, e->circuit->term[l->first_term + i].tensor, at);
}

static void touch_definition(emitter *e, uint32_t t, uint32_t at) {
    const mica_circuit *c = e->circuit;
    touch(e, t, at);
    if (c->tensor[t].kind == MICA_TENSOR_LINEAR)
        touch_linear(e, t, at);
    if (c->tensor[t].kind == MICA_TENSOR_CONTRACT) {
        touch(e, c->contract[c->tensor[t].def].a, at);
        touch(e, c->contract[c->tensor[t].def].b, at);
    }
}

static void find_lifetimes(emitter *e) {
    for (uint32_t i = 0; i < e->program->n_steps; i++) {
        const step *s = &e->program->step[i];
        for (unsigned k = 0; k < STEP_MAX_TENSORS; k++) {
            if (s->tensor[k] != UINT32_MAX)
                touch_definition(e, s->tensor[k], i);
        }
    }
}

/* First fit over the tensors that are placed already and alive at the same time. */
static size_t first_fit(const emitter *e, uint32_t t, size_t size) {
    size_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (uint32_t u = 0; u < e->circuit->n_tensors; u++) {
            if (u == t || e->offset[u] == NO_OFFSET || e->last[u] < e->first[t] || e->first[u] > e->last[t])
                continue;
            const size_t end = e->offset[u] + ((size_t)1 << mica_item_bits(&e->circuit->tensor[u]));
            if (e->offset[u] < at + size && at < end) {
                at = (end + ALIGNMENT_CELLS - 1) / ALIGNMENT_CELLS * ALIGNMENT_CELLS;
                moved = true;
            }
        }
    }
    return at;
}

/* The 16-bit copies of contractions share the end of the workspace: only one contraction runs at a time. */
static void plan_panels(emitter *e) {
    e->panels_at = (e->scratch_cells + ALIGNMENT_CELLS - 1) / ALIGNMENT_CELLS * ALIGNMENT_CELLS;
    for (uint32_t t = 0; t < e->circuit->n_tensors; t++) {
        const mica_tensor *x = &e->circuit->tensor[t];
        panels k;
        if (x->kind == MICA_TENSOR_CONTRACT && panels_plan(&k, e, &e->circuit->contract[x->def], t) &&
            e->panels_at + k.cells > e->scratch_cells)
            e->scratch_cells = e->panels_at + k.cells;
    }
}

bool emit_plan(emitter *e) {
    const uint32_t n = e->circuit->n_tensors;
    e->fused = pool_alloc(&e->pool, n * sizeof *e->fused);
    e->offset = pool_alloc(&e->pool, n * sizeof *e->offset);
    e->first = pool_alloc(&e->pool, n * sizeof *e->first);
    e->last = pool_alloc(&e->pool, n * sizeof *e->last);
    if (e->status->code != MICA_OK)
        return false;
    for (uint32_t t = 0; t < n; t++) {
        e->fused[t] = decide_fused(e, t);
        e->offset[t] = NO_OFFSET;
        e->first[t] = e->last[t] = UINT32_MAX;
    }
    find_lifetimes(e);
    for (uint32_t t = 0; t < n; t++) {
        if (e->last[t] == UINT32_MAX)
            continue;
        const size_t size = (size_t)1 << mica_item_bits(&e->circuit->tensor[t]);
        e->offset[t] = first_fit(e, t, size);
        if (e->offset[t] + size > e->scratch_cells)
            e->scratch_cells = e->offset[t] + size;
    }
    plan_panels(e);
    return true;
}
