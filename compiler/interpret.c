/* The slow oracle: every relation evaluated by its definition in mica/circuit.h, every value checked against
 * its declared range and every lookup against its table. */
#include "program.h"

#include "mica/statement.h"

#include <stdlib.h>
#include <string.h>

#include "contract_sums.h"

typedef struct machine {
    const program *p;
    int32_t **value;
    int32_t **table; /* values per table, NULL for ranges */
    mica_status *st;
} machine;

/* Strides of the padded axes of x. */
static void strides(const mica_tensor *x, size_t *stride) {
    size_t s = 1;
    for (unsigned i = x->rank; i-- > 0;) {
        stride[i] = s;
        s <<= mica_log2_ceil(x->dim[i]);
    }
}

/* Steps index over dim[0..n), last one fastest; false after the last. n = 0 has one index. */
static bool next_index(uint32_t *index, const uint32_t *dim, unsigned n) {
    for (unsigned i = n; i-- > 0;) {
        if (++index[i] < dim[i])
            return true;
        index[i] = 0;
    }
    return false;
}

static size_t offset_of(const uint32_t *index, const size_t *stride, unsigned n) {
    size_t at = 0;
    for (unsigned i = 0; i < n; i++)
        at += index[i] * stride[i];
    return at;
}

/* How an operand's offset follows a domain's index: offset = fixed + sum index[i] * step[i], plus summed
 * axes. */
typedef struct access {
    size_t fixed;
    size_t step[MICA_MAX_LABELS];
    unsigned n_sum;
    uint32_t sum_dim[MICA_MAX_RANK];
    size_t sum_step[MICA_MAX_RANK];
} access;

static access access_of(const mica_tensor *x, const mica_view *v) {
    access a = {0};
    size_t stride[MICA_MAX_RANK];
    strides(x, stride);
    for (unsigned i = 0; i < x->rank; i++) {
        if (v->axis[i] >= 0) {
            a.step[v->axis[i]] = stride[i];
        } else if (v->axis[i] == MICA_VIEW_SUM) {
            a.sum_dim[a.n_sum] = x->dim[i];
            a.sum_step[a.n_sum++] = stride[i];
        } else {
            a.fixed += stride[i] * MICA_VIEW_AT_INDEX(v->axis[i]);
        }
    }
    return a;
}

static int64_t read_term(const int32_t *cells, const access *a, const uint32_t *index, unsigned rank) {
    const size_t at = a->fixed + offset_of(index, a->step, rank);
    uint32_t k[MICA_MAX_RANK] = {0};
    int64_t sum = 0;
    do
        sum += cells[at + offset_of(k, a->sum_step, a->n_sum)];
    while (next_index(k, a->sum_dim, a->n_sum));
    return sum;
}

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

/* The sum of terms and boxes of LINEAR t at one cell, the terms for which skip[] is set left out. */
static int64_t linear_at(const machine *m, uint32_t t, const access *a, const bool *skip,
                         const uint32_t *index) {
    const mica_circuit *c = &m->p->circuit;
    const mica_tensor *x = &c->tensor[t];
    const mica_linear *l = &c->linear[x->def];
    int64_t sum = 0;
    for (uint32_t i = 0; i < l->n_terms; i++) {
        const mica_term *term = &c->term[l->first_term + i];
        if (!skip || !skip[i])
            sum += term->coef * read_term(m->value[term->tensor], &a[i], index, x->rank);
    }
    for (uint32_t i = 0; i < l->n_boxes; i++) {
        const mica_box *b = &c->box[l->first_box + i];
        bool inside = true;
        for (unsigned j = 0; j < x->rank; j++)
            inside &= index[j] >= b->lo[j] && index[j] < b->hi[j];
        sum += inside ? b->coef : 0;
    }
    return sum;
}

/* Accesses of the terms of LINEAR t; the caller frees. */
static access *linear_accesses(machine *m, uint32_t t) {
    const mica_circuit *c = &m->p->circuit;
    const mica_linear *l = &c->linear[c->tensor[t].def];
    access *a = calloc((size_t)l->n_terms + 1, sizeof *a);
    if (!a) {
        (void)mica_fail(m->st, MICA_ERR_MEMORY, "out of memory in the interpreter");
        return NULL;
    }
    for (uint32_t i = 0; i < l->n_terms; i++)
        a[i] = access_of(&c->tensor[c->term[l->first_term + i].tensor], &c->term[l->first_term + i].view);
    return a;
}

static bool run_linear(machine *m, uint32_t t) {
    const mica_tensor *x = &m->p->circuit.tensor[t];
    const unsigned shift = m->p->circuit.linear[x->def].shift;
    access *a = linear_accesses(m, t);
    if (!a)
        return false;
    size_t stride[MICA_MAX_RANK];
    strides(x, stride);
    uint32_t index[MICA_MAX_RANK] = {0};
    bool ok = true;
    do {
        const int64_t sum = linear_at(m, t, a, NULL, index);
        const int64_t unit = INT64_C(1) << shift;
        if (sum % unit != 0)
            ok = mica_fail(m->st, MICA_ERR_INTERNAL, "tensor %u: a shifted form is not divisible by 2^%u", t,
                           shift);
        else
            ok = store(m, t, offset_of(index, stride, x->rank), sum / unit);
    } while (ok && next_index(index, x->dim, x->rank));
    free(a);
    return ok;
}

/* Offsets of an operand along the contracted labels, the last one fastest. */
static size_t *contracted_offsets(const access *x, const unsigned *label, const uint32_t *dim, unsigned n,
                                  size_t count) {
    size_t *at = malloc((count + 1) * sizeof *at), steps[MICA_MAX_LABELS];
    uint32_t k[MICA_MAX_LABELS] = {0};
    for (unsigned i = 0; i < n; i++)
        steps[i] = x->step[label[i]];
    for (size_t i = 0; at && i < count; i++) {
        at[i] = offset_of(k, steps, n);
        (void)next_index(k, dim, n);
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
        c->block.a = a + offset_of(index, c->a_step, c->outer);
        c->block.b = b + offset_of(index, c->b_step, c->outer);
        contract_block_run(&c->block);
        ok = store_block(m, t, c, offset_of(index, c->stride, c->outer));
    } while (ok && next_index(index, dim, c->outer));
    return ok;
}

static uint64_t magnitude(const mica_tensor *x) {
    return x->hi > -(int64_t)x->lo ? (uint64_t)x->hi : (uint64_t)(-(int64_t)x->lo);
}

static bool run_contract(machine *m, uint32_t t) {
    const mica_circuit *c = &m->p->circuit;
    const mica_contract *d = &c->contract[c->tensor[t].def];
    const access a = access_of(&c->tensor[d->a], &d->a_view), b = access_of(&c->tensor[d->b], &d->b_view);
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
    strides(k.x, k.stride);
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

static int64_t factor_flat(const mica_circuit *c, const mica_factor *f, const mica_tensor *x,
                           const uint32_t *index) {
    int64_t flat = f->offset;
    if (f->n_indices) {
        size_t row = 0;
        for (unsigned i = 0; i < f->n_out; i++)
            row = row * x->dim[f->out_axis[i]] + index[f->out_axis[i]];
        const uint32_t cell = c->index[f->first_index + row];
        return cell == MICA_NO_CELL ? -1 : (int64_t)cell;
    }
    for (unsigned i = 0; i < f->n_out; i++)
        flat += (int64_t)f->out_stride[i] * index[f->out_axis[i]];
    return flat;
}

/* Entry and source offset of factor f in the row `index`; false where the entry is zero everywhere. */
static bool factor_entry(const mica_circuit *c, const mica_factor *f, const mica_tensor *x,
                         const mica_tensor *src, const size_t *src_stride, const uint32_t *index, size_t *at,
                         int64_t *entry) {
    int64_t cells = 1;
    for (unsigned i = 0; i < f->n_src; i++)
        cells *= src->dim[f->src_axis[i]];
    int64_t flat = factor_flat(c, f, x, index);
    if (flat < 0 || flat >= cells)
        return false;
    if (f->norm) {
        uint32_t other[MICA_MAX_RANK], count = 0;
        memcpy(other, index, sizeof other);
        const unsigned axis = f->out_axis[f->count_axis];
        for (other[axis] = 0; other[axis] < x->dim[axis]; other[axis]++) {
            const int64_t tap = factor_flat(c, f, x, other);
            count += tap >= 0 && tap < cells;
        }
        *entry *= f->norm / count;
    }
    for (unsigned i = f->n_src; i-- > 0;) {
        const uint32_t dim = src->dim[f->src_axis[i]];
        *at += (size_t)(flat % dim) * src_stride[f->src_axis[i]];
        flat /= dim;
    }
    return true;
}

static bool run_placement(machine *m, uint32_t t) {
    const mica_circuit *c = &m->p->circuit;
    const mica_tensor *x = &c->tensor[t];
    const mica_placement *d = &c->placement[x->def];
    const mica_tensor *src = &c->tensor[d->src];
    size_t stride[MICA_MAX_RANK], src_stride[MICA_MAX_RANK];
    strides(x, stride);
    strides(src, src_stride);
    uint32_t index[MICA_MAX_RANK] = {0};
    do {
        size_t at = 0;
        int64_t entry = 1;
        bool present = true;
        for (unsigned i = 0; present && i < d->n_factors; i++)
            present = factor_entry(c, &d->factor[i], x, src, src_stride, index, &at, &entry);
        if (!store(m, t, offset_of(index, stride, x->rank), present ? entry * m->value[d->src][at] : 0))
            return false;
    } while (next_index(index, x->dim, x->rank));
    return true;
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
    strides(x, stride);
    uint32_t index[MICA_MAX_RANK] = {0};
    do {
        const size_t at = offset_of(index, stride, x->rank);
        const int64_t row = (int64_t)m->value[key][at] - def->lo_key;
        if (row < 0 || row >= INT64_C(1) << def->bits)
            return mica_fail(m->st, MICA_ERR_RANGE, "layer '%s': key %d is not a row of table %u",
                             c->layer[x->layer].name, m->value[key][at], s->table);
        if (!store(m, to, at, m->table[s->table][row]))
            return false;
    } while (next_index(index, x->dim, x->rank));
    return true;
}

/* A = sum of the terms of h that are not limbs; limbs := bits of A, h := A >> s. */
static bool split_limbs(machine *m, const step *s, const access *a, const bool *is_limb) {
    const mica_circuit *c = &m->p->circuit;
    const uint32_t h = s->tensor[0];
    const mica_tensor *x = &c->tensor[h];
    const unsigned shift = c->linear[x->def].shift;
    size_t stride[MICA_MAX_RANK];
    strides(x, stride);
    uint32_t index[MICA_MAX_RANK] = {0};
    do {
        const size_t at = offset_of(index, stride, x->rank);
        const int64_t sum = linear_at(m, h, a, is_limb, index);
        int64_t low = sum & ((INT64_C(1) << shift) - 1);
        for (uint32_t i = 0; i < s->n_limbs; i++) {
            const uint32_t limb = s->tensor[2 + i];
            const int64_t size = (int64_t)c->tensor[limb].hi + 1; /* a power of two */
            if (!store(m, limb, at, low % size))
                return false;
            low /= size;
        }
        if (!store(m, h, at, (sum - (sum & ((INT64_C(1) << shift) - 1))) / (INT64_C(1) << shift)))
            return false;
    } while (next_index(index, x->dim, x->rank));
    return true;
}

static bool run_requantise(machine *m, const step *s) {
    const mica_circuit *c = &m->p->circuit;
    const mica_linear *l = &c->linear[c->tensor[s->tensor[0]].def];
    access *a = linear_accesses(m, s->tensor[0]);
    bool *is_limb = calloc((size_t)l->n_terms + 1, sizeof *is_limb);
    bool ok = a && is_limb;
    if (!ok)
        (void)mica_fail(m->st, MICA_ERR_MEMORY, "out of memory in the interpreter");
    for (uint32_t i = 0; ok && i < l->n_terms; i++)
        for (uint32_t j = 0; j < s->n_limbs; j++)
            is_limb[i] |= c->term[l->first_term + i].tensor == s->tensor[2 + j];
    ok = ok && split_limbs(m, s, a, is_limb);
    free(a);
    free(is_limb);
    /* The definition of h, limbs included, must give the same h. */
    ok = ok && run_linear(m, s->tensor[0]);
    return ok && (s->tensor[1] == UINT32_MAX || look_up(m, s, s->tensor[0], s->tensor[1]));
}

/* m = b + max(a - b, 0), where b is minus the other terms of r = m - b. */
static bool run_max(machine *m, const step *s) {
    const mica_circuit *c = &m->p->circuit;
    const uint32_t top = s->tensor[0], d = s->tensor[1], r = s->tensor[2];
    const mica_tensor *x = &c->tensor[top];
    const mica_linear *l = &c->linear[c->tensor[r].def];
    if (!run_linear(m, d))
        return false;
    access *a = linear_accesses(m, r);
    bool *skip = calloc((size_t)l->n_terms + 1, sizeof *skip);
    bool ok = a && skip;
    if (!ok)
        (void)mica_fail(m->st, MICA_ERR_MEMORY, "out of memory in the interpreter");
    for (uint32_t i = 0; ok && i < l->n_terms; i++)
        skip[i] = c->term[l->first_term + i].tensor == top;
    size_t stride[MICA_MAX_RANK];
    strides(x, stride);
    uint32_t index[MICA_MAX_RANK] = {0};
    while (ok) {
        const size_t at = offset_of(index, stride, x->rank);
        const int64_t b = -linear_at(m, r, a, skip, index);
        const int64_t diff = m->value[d][at];
        ok = store(m, top, at, b + (diff > 0 ? diff : 0));
        if (!next_index(index, x->dim, x->rank))
            break;
    }
    free(a);
    free(skip);
    return ok && run_linear(m, r);
}

/* p = floor((2^(k+1) e + S) / (2 S)); S is broadcast over e's axes that it lacks, which come last. */
static bool run_divide(machine *m, const step *s) {
    const mica_circuit *c = &m->p->circuit;
    const uint32_t p = s->tensor[0], e = s->tensor[1], sum = s->tensor[2];
    const mica_tensor *x = &c->tensor[e], *y = &c->tensor[sum];
    size_t stride[MICA_MAX_RANK], sum_stride[MICA_MAX_RANK];
    strides(x, stride);
    strides(y, sum_stride);
    uint32_t index[MICA_MAX_RANK] = {0};
    do {
        const size_t at = offset_of(index, stride, x->rank);
        const int64_t total = m->value[sum][offset_of(index, sum_stride, y->rank)];
        if (total <= 0)
            return out_of_range(m, sum, total);
        const int64_t numerator = ((int64_t)m->value[e][at] << (s->param + 1)) + total;
        if (!store(m, p, at, numerator / (2 * total)))
            return false;
    } while (next_index(index, x->dim, x->rank));
    return true;
}

/* tensor[0] := f(tensor[1], tensor[2]), cell by cell; f is negative where it is not defined. */
static bool run_cellwise(machine *m, const step *s, int64_t (*f)(int64_t, int64_t)) {
    const mica_circuit *c = &m->p->circuit;
    const uint32_t e = s->tensor[1], second = s->tensor[2];
    const mica_tensor *x = &c->tensor[s->tensor[0]];
    size_t stride[MICA_MAX_RANK];
    strides(x, stride);
    uint32_t index[MICA_MAX_RANK] = {0};
    do {
        const size_t at = offset_of(index, stride, x->rank);
        const int64_t y = second == UINT32_MAX ? 0 : m->value[second][at];
        const int64_t r = f(m->value[e][at], y);
        if (r < 0)
            return out_of_range(m, second == UINT32_MAX ? e : second, r);
        if (!store(m, s->tensor[0], at, r))
            return false;
    } while (next_index(index, x->dim, x->rank));
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
    strides(x, stride);
    uint32_t index[MICA_MAX_RANK] = {0};
    do {
        const size_t at = offset_of(index, stride, x->rank);
        const int64_t row = (int64_t)m->value[l->entry[0]][at] - def->lo_key;
        if (row < 0 || row >= INT64_C(1) << def->bits ||
            (l->n_entries > 1 && m->value[l->entry[1]][at] != m->table[l->table][row]))
            return mica_fail(m->st, MICA_ERR_RANGE, "layer '%s': (%d, ...) is not a row of table %u",
                             c->layer[l->layer].name, m->value[l->entry[0]][at], l->table);
    } while (next_index(index, x->dim, x->rank));
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
    for (uint32_t i = 0; i < c->n_lookups; i++)
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

bool program_interpret(const program *p, int32_t **value, mica_status *st) {
    machine m = {p, value, NULL, st};
    const bool ok = fill_tables(&m) && run_all(&m);
    for (uint32_t i = 0; m.table && i < p->circuit.n_tables; i++)
        free(m.table[i]);
    free(m.table);
    return ok;
}
