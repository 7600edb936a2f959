/* The slow oracle: every relation evaluated by its definition in mica/circuit.h, every value checked against
 * its declared range and every lookup against its table. */
#include "program/program.h"

#include "mica/statement.h"

#include <stdlib.h>
#include <string.h>

#include "program/cells.h"
#include "program/contract_sums.h"
#include "program/linear_sums.h"
#include "program/placement_rows.h"

typedef struct machine {
    const program *p;
    int32_t **value;
    int32_t **table; /* values per table, NULL for ranges */
    bool checked;    /* everything, so that nothing is left to trust */
    mica_status *st;
} machine;

static bool out_of_range(machine *m, uint32_t t, int64_t value) {
    const mica_tensor *x = &m->p->circuit.tensor[t];
    return mica_fail(m->st, MICA_ERR_RANGE,
                     "layer '%s': tensor %u holds %lld outside its proven range [%d, %d]",
                     m->p->circuit.layer[x->layer].name, t, (long long)value, x->lo, x->hi);
}

static bool store(machine *m, uint32_t t, size_t at, int64_t value) {
    const mica_tensor *x = &m->p->circuit.tensor[t];
    if (value < x->lo || value > x->hi)
        return out_of_range(m, t, value);
    m->value[t][at] = (int32_t)value;
    return true;
}

/* --- relations --- */

static bool run_linear(machine *m, uint32_t t) {
    const mica_tensor *x = &m->p->circuit.tensor[t];
    const int64_t unit = INT64_C(1) << m->p->circuit.linear[x->def].shift;
    linear_sums l;
    size_t stride[MICA_MAX_RANK];
    uint32_t index[MICA_MAX_RANK] = {0};
    bool ok = linear_sums_create(&l, &m->p->circuit, m->value, t, NULL, 0, m->st);
    if (!ok)
        return false;
    cells_strides(x, stride);
    do {
        const size_t at = cells_offset(index, stride, cells_outer(x));
        linear_sums_row(&l, index);
        for (uint32_t i = 0; ok && i < cells_row(x); i++) {
            if (l.sum[i] % unit != 0)
                ok = mica_fail(m->st, MICA_ERR_INTERNAL, "tensor %u: a shifted form is not divisible by %lld",
                               t, (long long)unit);
            else
                ok = store(m, t, at + i, l.sum[i] / unit);
        }
    } while (ok && cells_next(index, x->dim, cells_outer(x)));
    linear_sums_free(&l);
    return ok;
}

/* Offsets of an operand along the contracted labels, the last one fastest. */
static size_t *contracted_offsets(const cells_access *x, const unsigned *label, const uint32_t *dim,
                                  unsigned n, size_t count) {
    size_t *at = malloc((count + 1) * sizeof *at), steps[MICA_MAX_LABELS];
    uint32_t k[MICA_MAX_LABELS] = {0};
    for (unsigned i = 0; i < n; i++)
        steps[i] = x->step[label[i]];
    for (size_t i = 0; at && i < count; i++) {
        at[i] = cells_offset(k, steps, n);
        (void)cells_next(k, dim, n);
    }
    return at;
}

/* One contraction as blocks: its last axes, which one operand follows cell by cell and the other not at all,
 * are the block's width, a further axis of the other operand its rows; the rest is counted through. */
typedef struct contraction {
    const mica_tensor *x;
    size_t a_step[MICA_MAX_RANK], b_step[MICA_MAX_RANK], stride[MICA_MAX_RANK]; /* per axis of x */
    contract_block block;
    unsigned outer; /* axes in front of the width */
    int row;        /* axis of the rows, or -1 */
} contraction;

static void choose_width(contraction *c) {
    c->block.width = 1;
    c->outer = c->x->rank;
    while (c->outer > 0 && c->a_step[c->outer - 1] == 0 &&
           c->b_step[c->outer - 1] == c->stride[c->outer - 1]) {
        c->outer--;
        c->block.width = c->stride[c->outer] << mica_log2_ceil(c->x->dim[c->outer]);
    }
}

static void swap_operands(contraction *c) {
    for (unsigned i = 0; i < MICA_MAX_RANK; i++) {
        const size_t a_step = c->a_step[i];
        c->a_step[i] = c->b_step[i];
        c->b_step[i] = a_step;
    }
    const contract_block b = c->block;
    c->block.a = b.b;
    c->block.b = b.a;
    c->block.a_at = b.b_at;
    c->block.b_at = b.a_at;
}

static void choose_rows(contraction *c) {
    c->row = -1;
    for (unsigned i = 0; i < c->outer; i++)
        if (c->b_step[i] == 0 && (c->row < 0 || c->x->dim[i] > c->x->dim[c->row]))
            c->row = (int)i;
    c->block.rows = c->row < 0 ? 1 : c->x->dim[c->row];
    c->block.a_row = c->row < 0 ? 0 : c->a_step[c->row];
    c->block.out_row = c->block.width;
}

/* Checks and stores the sums of one block; its padding holds zeros. */
static bool store_block(machine *m, uint32_t t, const contraction *c, size_t at) {
    const size_t row_stride = c->row < 0 ? 0 : c->stride[c->row];
    for (size_t r = 0; r < c->block.rows; r++)
        for (size_t i = 0; i < c->block.width; i++)
            if (!store(m, t, at + r * row_stride + i, c->block.out[r * c->block.width + i]))
                return false;
    return true;
}

static bool run_blocks(machine *m, uint32_t t, contraction *c) {
    uint32_t index[MICA_MAX_RANK] = {0}, dim[MICA_MAX_RANK];
    const int32_t *a = c->block.a, *b = c->block.b;
    bool ok = true;
    memcpy(dim, c->x->dim, sizeof dim);
    if (c->row >= 0)
        dim[c->row] = 1;
    do {
        c->block.a = a + cells_offset(index, c->a_step, c->outer);
        c->block.b = b + cells_offset(index, c->b_step, c->outer);
        contract_block_run(&c->block);
        ok = store_block(m, t, c, cells_offset(index, c->stride, c->outer));
    } while (ok && cells_next(index, dim, c->outer));
    return ok;
}

static uint64_t magnitude(const mica_tensor *x) {
    return x->hi > -(int64_t)x->lo ? (uint64_t)x->hi : (uint64_t)(-(int64_t)x->lo);
}

static bool run_contract(machine *m, uint32_t t) {
    const mica_circuit *c = &m->p->circuit;
    const mica_contract *d = &c->contract[c->tensor[t].def];
    const cells_access a = cells_access_of(&c->tensor[d->a], &d->a_view),
                       b = cells_access_of(&c->tensor[d->b], &d->b_view);
    contraction k = {.x = &c->tensor[t]};
    uint32_t in_dim[MICA_MAX_LABELS];
    unsigned in_label[MICA_MAX_LABELS], n_in = 0;
    k.block.n = 1;
    for (unsigned i = 0; i < d->n_labels; i++) {
        bool out = false;
        for (unsigned j = 0; j < k.x->rank; j++)
            out |= d->out_label[j] == i;
        if (!out) {
            in_label[n_in] = i;
            in_dim[n_in++] = d->label_dim[i];
            k.block.n *= d->label_dim[i];
        }
    }
    cells_strides(k.x, k.stride);
    for (unsigned i = 0; i < k.x->rank; i++) {
        k.a_step[i] = a.step[d->out_label[i]];
        k.b_step[i] = b.step[d->out_label[i]];
    }
    if ((unsigned __int128)magnitude(&c->tensor[d->a]) * magnitude(&c->tensor[d->b]) * k.block.n >>
        63) /* sums could leave int64_t */
        return out_of_range(m, t, INT64_MAX);
    size_t *a_at = contracted_offsets(&a, in_label, in_dim, n_in, k.block.n);
    size_t *b_at = contracted_offsets(&b, in_label, in_dim, n_in, k.block.n);
    k.block.a = m->value[d->a] + a.fixed;
    k.block.b = m->value[d->b] + b.fixed;
    k.block.a_at = a_at;
    k.block.b_at = b_at;
    choose_width(&k);
    if (k.block.width == 1) {
        swap_operands(&k);
        choose_width(&k);
    }
    choose_rows(&k);
    k.block.out = malloc(k.block.rows * k.block.width * sizeof *k.block.out);
    const bool ok = a_at && b_at && k.block.out
                        ? run_blocks(m, t, &k)
                        : mica_fail(m->st, MICA_ERR_MEMORY, "out of memory in the interpreter");
    free(a_at);
    free(b_at);
    free(k.block.out);
    return ok;
}

static bool run_placement(machine *m, uint32_t t) {
    const mica_circuit *c = &m->p->circuit;
    const mica_tensor *x = &c->tensor[t];
    const int32_t *src = m->value[c->placement[x->def].src];
    placement_rows r;
    size_t stride[MICA_MAX_RANK];
    uint32_t index[MICA_MAX_RANK] = {0};
    int64_t *row = malloc(cells_row(x) * sizeof *row);
    if (!row)
        return mica_fail(m->st, MICA_ERR_MEMORY, "out of memory in the interpreter");
    bool ok = placement_rows_create(&r, c, t, m->st);
    cells_strides(x, stride);
    while (ok) {
        const size_t at = cells_offset(index, stride, cells_outer(x));
        placement_rows_read(&r, index, src, row);
        for (uint32_t i = 0; ok && i < cells_row(x); i++)
            ok = store(m, t, at + i, row[i]);
        if (!cells_next(index, x->dim, cells_outer(x)))
            break;
    }
    placement_rows_free(&r);
    free(row);
    return ok;
}

/* --- steps --- */

static bool run_evaluate(machine *m, const step *s) {
    switch (m->p->circuit.tensor[s->tensor[0]].kind) {
    case MICA_TENSOR_LINEAR:
        return run_linear(m, s->tensor[0]);
    case MICA_TENSOR_CONTRACT:
        return run_contract(m, s->tensor[0]);
    case MICA_TENSOR_PLACEMENT:
        return run_placement(m, s->tensor[0]);
    default:
        return mica_fail(m->st, MICA_ERR_INTERNAL, "a step evaluates a tensor that is not virtual");
    }
}

static bool look_up(machine *m, const step *s, uint32_t key, uint32_t to) {
    const mica_circuit *c = &m->p->circuit;
    const mica_tensor *x = &c->tensor[key];
    const mica_table_def *def = &c->table[s->table].def;
    size_t stride[MICA_MAX_RANK];
    cells_strides(x, stride);
    uint32_t index[MICA_MAX_RANK] = {0};
    do {
        const size_t first = cells_offset(index, stride, cells_outer(x));
        for (size_t at = first; at < first + cells_row(x); at++) {
            const int64_t row = (int64_t)m->value[key][at] - def->lo_key;
            if (row < 0 || row >= INT64_C(1) << def->bits)
                return mica_fail(m->st, MICA_ERR_RANGE, "layer '%s': key %d is not a row of table %u",
                                 c->layer[x->layer].name, m->value[key][at], s->table);
            if (!store(m, to, at, m->table[s->table][row]))
                return false;
        }
    } while (cells_next(index, x->dim, cells_outer(x)));
    return true;
}

/* limbs := bits of A, h := A >> shift, at one cell. */
static bool split_cell(machine *m, const step *s, unsigned shift, size_t at, int64_t a) {
    const int64_t low = a & ((INT64_C(1) << shift) - 1);
    int64_t rest = low;
    for (uint32_t i = 0; i < s->n_limbs; i++) {
        const uint32_t limb = s->tensor[2 + i];
        const int64_t size = (int64_t)m->p->circuit.tensor[limb].hi + 1; /* a power of two */
        if (!store(m, limb, at, rest & (size - 1)))
            return false;
        rest /= size;
    }
    return store(m, s->tensor[0], at, (a - low) / (INT64_C(1) << shift));
}

/* A = sum of the terms of h that are not limbs. */
static bool split_limbs(machine *m, const step *s) {
    const mica_circuit *c = &m->p->circuit;
    const mica_tensor *x = &c->tensor[s->tensor[0]];
    linear_sums l;
    size_t stride[MICA_MAX_RANK];
    uint32_t index[MICA_MAX_RANK] = {0};
    bool ok = linear_sums_create(&l, c, m->value, s->tensor[0], &s->tensor[2], s->n_limbs, m->st);
    if (!ok)
        return false;
    cells_strides(x, stride);
    do {
        const size_t at = cells_offset(index, stride, cells_outer(x));
        linear_sums_row(&l, index);
        for (uint32_t i = 0; ok && i < cells_row(x); i++)
            ok = split_cell(m, s, c->linear[x->def].shift, at + i, l.sum[i]);
    } while (ok && cells_next(index, x->dim, cells_outer(x)));
    linear_sums_free(&l);
    return ok;
}

static bool run_requantise(machine *m, const step *s) {
    /* The definition of h, limbs included, must give the same h. */
    return split_limbs(m, s) && (!m->checked || run_linear(m, s->tensor[0])) &&
           (s->tensor[1] == UINT32_MAX || look_up(m, s, s->tensor[0], s->tensor[1]));
}

/* m = b + max(a - b, 0), where b is minus the other terms of r = m - b. */
static bool run_max(machine *m, const step *s) {
    const mica_circuit *c = &m->p->circuit;
    const uint32_t top = s->tensor[0], d = s->tensor[1], r = s->tensor[2];
    const mica_tensor *x = &c->tensor[top];
    linear_sums l;
    size_t stride[MICA_MAX_RANK];
    uint32_t index[MICA_MAX_RANK] = {0};
    bool ok = run_linear(m, d);
    if (!ok || !linear_sums_create(&l, c, m->value, r, &top, 1, m->st))
        return false;
    cells_strides(x, stride);
    do {
        const size_t at = cells_offset(index, stride, cells_outer(x));
        linear_sums_row(&l, index);
        for (uint32_t i = 0; ok && i < cells_row(x); i++) {
            const int64_t diff = m->value[d][at + i];
            ok = store(m, top, at + i, -l.sum[i] + (diff > 0 ? diff : 0));
        }
    } while (ok && cells_next(index, x->dim, cells_outer(x)));
    linear_sums_free(&l);
    return ok && run_linear(m, r);
}

/* p = floor((2^(k+1) e + S) / (2 S)); S is broadcast over e's axes that it lacks, which come last. */
static bool run_divide(machine *m, const step *s) {
    const mica_circuit *c = &m->p->circuit;
    const uint32_t p = s->tensor[0], e = s->tensor[1], sum = s->tensor[2];
    const mica_tensor *x = &c->tensor[e], *y = &c->tensor[sum];
    size_t stride[MICA_MAX_RANK], sum_stride[MICA_MAX_RANK];
    cells_strides(x, stride);
    cells_strides(y, sum_stride);
    uint32_t index[MICA_MAX_RANK] = {0};
    do {
        const size_t at = cells_offset(index, stride, x->rank);
        const int64_t total = m->value[sum][cells_offset(index, sum_stride, y->rank)];
        if (total <= 0)
            return out_of_range(m, sum, total);
        const int64_t numerator = ((int64_t)m->value[e][at] << (s->param + 1)) + total;
        if (!store(m, p, at, numerator / (2 * total)))
            return false;
    } while (cells_next(index, x->dim, x->rank));
    return true;
}

/* tensor[0] := f(tensor[1], tensor[2]), cell by cell; f is negative where it is not defined. */
static bool run_cellwise(machine *m, const step *s, int64_t (*f)(int64_t, int64_t)) {
    const mica_circuit *c = &m->p->circuit;
    const uint32_t e = s->tensor[1], second = s->tensor[2];
    const mica_tensor *x = &c->tensor[s->tensor[0]];
    size_t stride[MICA_MAX_RANK];
    cells_strides(x, stride);
    uint32_t index[MICA_MAX_RANK] = {0};
    do {
        const size_t at = cells_offset(index, stride, x->rank);
        const int64_t y = second == UINT32_MAX ? 0 : m->value[second][at];
        const int64_t r = f(m->value[e][at], y);
        if (r < 0)
            return out_of_range(m, second == UINT32_MAX ? e : second, r);
        if (!store(m, s->tensor[0], at, r))
            return false;
    } while (cells_next(index, x->dim, x->rank));
    return true;
}

static int64_t floor_quotient(int64_t e, int64_t s) {
    return s > 0 && e >= 0 ? e / s : -1;
}

static int64_t floor_root(int64_t v, int64_t unused) {
    int64_t r = 0;
    (void)unused;
    while (v >= 0 && (r + 1) * (r + 1) <= v)
        r++;
    return v >= 0 ? r : -1;
}

/* The place of the largest of x[0..n) after place `last` in the order of STEP_TOP; of all for last < 0. */
static int64_t next_top(const int32_t *x, uint32_t n, int64_t last) {
    int64_t best = -1;
    for (uint32_t i = 0; i < n; i++) {
        const bool later = last < 0 || x[i] < x[last] || (i > last && x[i] == x[last]);
        if (later && (best < 0 || x[i] > x[best]))
            best = i;
    }
    return best;
}

static bool run_top(machine *m, const step *s) {
    const mica_tensor *hot = &m->p->circuit.tensor[s->tensor[0]], *x = &m->p->circuit.tensor[s->tensor[1]];
    const unsigned lead = cells_outer(x);
    const uint32_t n = cells_row(x), ranks = hot->rank > x->rank ? hot->dim[lead] : 1;
    size_t stride[MICA_MAX_RANK], hot_stride[MICA_MAX_RANK];
    uint32_t index[MICA_MAX_RANK] = {0};
    cells_strides(x, stride);
    cells_strides(hot, hot_stride);
    do {
        const int32_t *row = m->value[s->tensor[1]] + cells_offset(index, stride, lead);
        int32_t *to = m->value[s->tensor[0]] + cells_offset(index, hot_stride, lead);
        int64_t at = -1;
        for (uint32_t r = 0; r < ranks; r++) {
            at = next_top(row, n, at);
            for (uint32_t i = 0; i < n; i++)
                to[r * hot_stride[lead] + i] = i == at;
        }
    } while (cells_next(index, x->dim, lead));
    return true;
}

static bool run_step(machine *m, const step *s) {
    switch (s->kind) {
    case STEP_EVALUATE:
        return run_evaluate(m, s);
    case STEP_REQUANTISE:
        return run_requantise(m, s);
    case STEP_LOOKUP:
        return look_up(m, s, s->tensor[0], s->tensor[1]);
    case STEP_MAX:
        return run_max(m, s);
    case STEP_DIVIDE:
        return run_divide(m, s);
    case STEP_QUOTIENT:
        return run_cellwise(m, s, floor_quotient);
    case STEP_ROOT:
        return run_cellwise(m, s, floor_root);
    case STEP_TOP:
        return run_top(m, s);
    }
    return mica_fail(m->st, MICA_ERR_INTERNAL, "a step of unknown kind");
}

/* --- checks of given values and lookups --- */

static bool check_cells(machine *m, uint32_t t) {
    const mica_tensor *x = &m->p->circuit.tensor[t];
    const size_t n = (size_t)1 << mica_item_bits(x);
    for (size_t i = 0; i < n; i++)
        if (m->value[t][i] < x->lo || m->value[t][i] > x->hi)
            return out_of_range(m, t, m->value[t][i]);
    return true;
}

static bool check_lookup(machine *m, const mica_lookup *l) {
    const mica_circuit *c = &m->p->circuit;
    const mica_tensor *x = &c->tensor[l->entry[0]];
    const mica_table_def *def = &c->table[l->table].def;
    size_t stride[MICA_MAX_RANK];
    cells_strides(x, stride);
    uint32_t index[MICA_MAX_RANK] = {0};
    do {
        const size_t at = cells_offset(index, stride, x->rank);
        const int64_t row = (int64_t)m->value[l->entry[0]][at] - def->lo_key;
        if (row < 0 || row >= INT64_C(1) << def->bits ||
            (l->n_entries > 1 && m->value[l->entry[1]][at] != m->table[l->table][row]))
            return mica_fail(m->st, MICA_ERR_RANGE, "layer '%s': (%d, ...) is not a row of table %u",
                             c->layer[l->layer].name, m->value[l->entry[0]][at], l->table);
    } while (cells_next(index, x->dim, x->rank));
    return true;
}

static bool run_all(machine *m) {
    const program *p = m->p;
    const mica_circuit *c = &p->circuit;
    for (uint32_t t = 0; t < c->n_tensors; t++)
        if (c->tensor[t].kind == MICA_TENSOR_WEIGHT && !check_cells(m, t))
            return false;
    for (uint32_t i = 0; i < c->n_inputs; i++) {
        if (!check_cells(m, c->input[i].tensor))
            return false;
        mica_port_fill_digits(c, &c->input[i], m->value);
    }
    for (uint32_t i = 0; i < p->n_steps; i++)
        if (!run_step(m, &p->step[i]))
            return false;
    for (uint32_t i = 0; m->checked && i < c->n_lookups; i++)
        if (!check_lookup(m, &c->lookup[i]))
            return false;
    return true;
}

static bool fill_tables(machine *m) {
    const mica_circuit *c = &m->p->circuit;
    m->table = calloc((size_t)c->n_tables + 1, sizeof *m->table);
    if (!m->table)
        return mica_fail(m->st, MICA_ERR_MEMORY, "out of memory in the interpreter");
    for (uint32_t i = 0; i < c->n_tables; i++) {
        m->table[i] = malloc(sizeof(int32_t) << c->table[i].def.bits);
        if (!m->table[i])
            return mica_fail(m->st, MICA_ERR_MEMORY, "out of memory in the interpreter");
        mica_table_fill(&c->table[i].def, m->table[i]);
    }
    return true;
}

static bool run_program(const program *p, int32_t **value, bool checked, mica_status *st) {
    machine m = {.p = p, .value = value, .checked = checked, .st = st};
    const bool ok = fill_tables(&m) && run_all(&m);
    for (uint32_t i = 0; m.table && i < p->circuit.n_tables; i++)
        free(m.table[i]);
    free(m.table);
    return ok;
}

bool program_interpret(const program *p, int32_t **value, mica_status *st) {
    return run_program(p, value, true, st);
}

bool program_evaluate(const program *p, int32_t **value, mica_status *st) {
    return run_program(p, value, false, st);
}
