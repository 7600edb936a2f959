/* Structural rules of a circuit. What is checked here is what prover and verifier later rely on without
 * checking again: every index in range, acyclic, sizes bounded, every committed cell bound by a lookup.
 * Integer ranges (no-wrap) are checked by circuit_ranges.c. */
#include "circuit/circuit_validate.h"

#include <stdlib.h>
#include <string.h>

#include "circuit/circuit_ranges.h"
#include "circuit/circuit_shapes.h"

typedef struct checker {
    const mica_circuit *c;
    mica_status *st;
    bool *read;       /* tensor is an operand, an entry, a multiplicity or an output */
    bool *bound;      /* its cells are bound by a lookup, padding included */
    int8_t *digits;   /* bits of the smallest range table that it is looked up in; -1: in none */
    uint32_t indices; /* of circuit.index that factors have used */
    bool all_weights; /* must be read */
} checker;

static bool bad_tensor(checker *k, uint32_t t, const char *what) {
    const mica_circuit *c = k->c;
    const uint32_t layer = t < c->n_tensors ? c->tensor[t].layer : 0;
    return mica_fail(k->st, MICA_ERR_FORMAT, "circuit: tensor %u (layer '%s'): %s", t,
                     layer < c->n_layers ? c->layer[layer].name : "?", what);
}

static bool check_tensor(checker *k, uint32_t t, uint32_t *defs) {
    const mica_circuit *c = k->c;
    const mica_tensor *x = &c->tensor[t];
    if (x->layer >= c->n_layers)
        return bad_tensor(k, t, "its layer does not exist");
    for (unsigned i = 0; i < x->rank; i++) {
        if (x->dim[i] < 1 || x->dim[i] > 1u << MICA_MAX_BITS)
            return bad_tensor(k, t, "an axis is empty or too long");
    }
    if (mica_tensor_bits(x, c->max_batch) > MICA_MAX_BITS)
        return bad_tensor(k, t, "more than 2^30 padded cells");
    if (x->lo > 0 || x->hi < 0 || x->lo == INT32_MIN || x->hi == INT32_MAX)
        return bad_tensor(k, t, "its range does not contain zero or exceeds the field");
    uint32_t want = 0, have = 0;
    switch (x->kind) {
    case MICA_TENSOR_INPUT:
        if (!x->batched)
            return bad_tensor(k, t, "an input is batched");
        break;
    case MICA_TENSOR_WEIGHT:
        if (x->batched)
            return bad_tensor(k, t, "a weight is not batched");
        break;
    case MICA_TENSOR_WITNESS:
        break;
    case MICA_TENSOR_LINEAR:
        want = defs[0]++;
        have = c->n_linear;
        break;
    case MICA_TENSOR_CONTRACT:
        want = defs[1]++;
        have = c->n_contract;
        break;
    case MICA_TENSOR_PLACEMENT:
        want = defs[2]++;
        have = c->n_placement;
        break;
    }
    if (x->def != want || (x->kind >= MICA_TENSOR_LINEAR && want >= have))
        return bad_tensor(k, t, "definitions are not numbered in order");
    return true;
}

/* Operand `o` of tensor t seen through `v` in a domain of `n` axes (or labels) of sizes dim. */
static bool check_view(checker *k, uint32_t t, uint32_t o, const mica_view *v, const uint32_t *dim,
                       unsigned n, bool allow_sum) {
    const mica_circuit *c = k->c;
    if (o >= t)
        return bad_tensor(k, t, "an operand does not precede it");
    const mica_tensor *x = &c->tensor[o];
    k->read[o] = true;
    bool used[MICA_MAX_LABELS] = {false};
    for (unsigned i = 0; i < MICA_MAX_RANK; i++) {
        const int32_t a = v->axis[i];
        if (i >= x->rank) {
            if (a != 0)
                return bad_tensor(k, t, "a view speaks of axes that its operand does not have");
        } else if (a >= 0) {
            if ((uint32_t)a >= n || used[a] || dim[a] != x->dim[i])
                return bad_tensor(k, t, "an operand's axis follows an axis of another size, or one twice");
            used[a] = true;
        } else if (a == MICA_VIEW_SUM) {
            if (!allow_sum)
                return bad_tensor(k, t, "a contraction sums an operand's axis outside its labels");
        } else if (MICA_VIEW_AT_INDEX(a) >= x->dim[i]) {
            return bad_tensor(k, t, "a view takes an index outside its axis");
        }
    }
    return true;
}

static bool check_linear(checker *k, uint32_t t, uint32_t *terms, uint32_t *boxes) {
    const mica_circuit *c = k->c;
    const mica_tensor *x = &c->tensor[t];
    const mica_linear *l = &c->linear[x->def];
    if (l->first_term != *terms || l->n_terms > c->n_terms - *terms || l->first_box != *boxes ||
        l->n_boxes > c->n_boxes - *boxes)
        return bad_tensor(k, t, "terms or boxes are not numbered in order");
    if (l->n_terms + l->n_boxes == 0 || l->shift > MICA_MAX_BITS)
        return bad_tensor(k, t, "a linear form is empty or its shift too large");
    *terms += l->n_terms;
    *boxes += l->n_boxes;
    for (uint32_t i = 0; i < l->n_terms; i++) {
        const mica_term *m = &c->term[l->first_term + i];
        if (m->coef == 0 || m->coef == INT32_MIN || m->coef == INT32_MAX || m->coef == -INT32_MAX)
            return bad_tensor(k, t, "a coefficient is zero in the field");
        if (!check_view(k, t, m->tensor, &m->view, x->dim, x->rank, true))
            return false;
        if (c->tensor[m->tensor].batched && !x->batched)
            return bad_tensor(k, t, "a linear form drops the batch of an operand");
    }
    for (uint32_t i = 0; i < l->n_boxes; i++) {
        const mica_box *b = &c->box[l->first_box + i];
        for (unsigned j = 0; j < MICA_MAX_RANK; j++) {
            if (j < x->rank ? b->lo[j] >= b->hi[j] || b->hi[j] > x->dim[j] : b->lo[j] != 0 || b->hi[j] != 0)
                return bad_tensor(k, t, "a box is empty or leaves the tensor");
        }
        if (b->coef == INT32_MIN)
            return bad_tensor(k, t, "a box's constant exceeds the field");
    }
    return true;
}

/* Operands of contractions and sources of placements are in the prover's memory, or patches of something that
 * is. */
static bool is_readable_operand(const mica_circuit *c, uint32_t t) {
    return c->tensor[t].kind != MICA_TENSOR_CONTRACT;
}

static bool check_contract(checker *k, uint32_t t) {
    const mica_circuit *c = k->c;
    const mica_tensor *x = &c->tensor[t];
    const mica_contract *d = &c->contract[x->def];
    enum { IN_OUT = 1, IN_A = 2, IN_B = 4 };
    unsigned where[MICA_MAX_LABELS] = {0}, bits = 0;
    if (d->n_labels < 1 || d->n_labels > MICA_MAX_LABELS)
        return bad_tensor(k, t, "a contraction has no labels");
    for (unsigned i = 0; i < d->n_labels; i++) {
        if (d->label_dim[i] < 1 || d->label_dim[i] > 1u << MICA_MAX_BITS)
            return bad_tensor(k, t, "a label is empty or too long");
        bits += mica_log2_ceil(d->label_dim[i]);
    }
    if (bits > 62)
        return bad_tensor(k, t, "a contraction spans too many cells");
    for (unsigned i = 0; i < MICA_MAX_RANK; i++) {
        const unsigned label = d->out_label[i];
        if (i >= x->rank
                ? label != 0
                : label >= d->n_labels || (where[label] & IN_OUT) || d->label_dim[label] != x->dim[i])
            return bad_tensor(k, t, "the labels of a contraction's result do not fit its shape");
        if (i < x->rank)
            where[label] |= IN_OUT;
    }
    if (!check_view(k, t, d->a, &d->a_view, d->label_dim, d->n_labels, false) ||
        !check_view(k, t, d->b, &d->b_view, d->label_dim, d->n_labels, false))
        return false;
    const mica_tensor *a = &c->tensor[d->a], *b = &c->tensor[d->b];
    for (unsigned i = 0; i < a->rank; i++) {
        if (d->a_view.axis[i] >= 0)
            where[d->a_view.axis[i]] |= IN_A;
    }
    for (unsigned i = 0; i < b->rank; i++) {
        if (d->b_view.axis[i] >= 0)
            where[d->b_view.axis[i]] |= IN_B;
    }
    for (unsigned i = 0; i < d->n_labels; i++) {
        if (where[i] != (IN_OUT | IN_A) && where[i] != (IN_OUT | IN_B) && where[i] != (IN_A | IN_B) &&
            where[i] != (IN_OUT | IN_A | IN_B))
            return bad_tensor(k, t, "a label is neither free, nor contracted, nor paired");
    }
    if (x->batched != (a->batched || b->batched))
        return bad_tensor(k, t, "a contraction is batched exactly if an operand is");
    if (!is_readable_operand(c, d->a) || !is_readable_operand(c, d->b))
        return bad_tensor(k, t, "a contraction reads a contraction");
    return true;
}

/* A factor's rows can be enumerated: the verifier does so once per claim, with eq tables of all its axes. */
#define MAX_FACTOR_ROWS (1u << 24)

/* Lists are used once and in order; every index is a cell of the factor's source axes, or none. */
static bool check_list(checker *k, uint32_t t, const mica_factor *f, uint64_t rows, uint64_t cells) {
    const mica_circuit *c = k->c;
    if (f->first_index != k->indices || f->n_indices != rows || f->n_indices > c->n_indices - k->indices)
        return bad_tensor(k, t, "the lists of placements are not numbered in order");
    k->indices += f->n_indices;
    for (uint32_t i = 0; i < f->n_indices; i++) {
        const uint32_t cell = c->index[f->first_index + i];
        if (cell != MICA_NO_CELL && cell >= cells)
            return bad_tensor(k, t, "a placement lists a cell that its source does not have");
    }
    bool zero = f->offset == 0 && f->norm == 0 && f->count_axis == 0;
    for (unsigned i = 0; i < f->n_out; i++)
        zero &= f->out_stride[i] == 0;
    return zero || bad_tensor(k, t, "a placement has both a list and strides");
}

static bool check_factor(checker *k, uint32_t t, const mica_factor *f, const mica_tensor *src,
                         unsigned *seen_out, unsigned *seen_src) {
    const mica_tensor *x = &k->c->tensor[t];
    uint64_t rows = 1, cells = 1;
    int64_t reach = f->offset < 0 ? -(int64_t)f->offset : f->offset;
    for (unsigned i = 0; i < f->n_out; i++) {
        const unsigned a = f->out_axis[i];
        if (a >= x->rank || (*seen_out & 1u << a))
            return bad_tensor(k, t,
                              "a placement names an axis of its result twice or one that does not exist");
        *seen_out |= 1u << a;
        rows *= x->dim[a];
        if (rows > MAX_FACTOR_ROWS)
            return bad_tensor(k, t, "a placement factor has more than 2^24 rows");
        const int64_t s = f->out_stride[i];
        reach += (s < 0 ? -s : s) * (int64_t)x->dim[a];
    }
    for (unsigned i = 0; i < f->n_src; i++) {
        const unsigned a = f->src_axis[i];
        if (a >= src->rank || (*seen_src & 1u << a))
            return bad_tensor(k, t,
                              "a placement names an axis of its source twice or one that does not exist");
        *seen_src |= 1u << a;
        cells *= src->dim[a]; /* <= 2^30 by the source's own bound */
    }
    if (cells > MAX_FACTOR_ROWS)
        return bad_tensor(k, t, "a placement factor reads more than 2^24 cells");
    if (reach >= (int64_t)1 << 40)
        return bad_tensor(k, t, "a placement's strides are too large");
    if (f->norm && (f->count_axis >= f->n_out || f->norm > 1u << 20))
        return bad_tensor(k, t, "a placement's norm is too large or its counted axis does not exist");
    if (!f->norm && f->count_axis)
        return bad_tensor(k, t, "a placement counts an axis without a norm");
    if (f->n_indices)
        return check_list(k, t, f, rows, cells);
    return f->first_index == 0 || bad_tensor(k, t, "a placement names an empty list");
}

static bool check_placement(checker *k, uint32_t t) {
    const mica_circuit *c = k->c;
    const mica_tensor *x = &c->tensor[t];
    const mica_placement *p = &c->placement[x->def];
    if (p->src >= t)
        return bad_tensor(k, t, "an operand does not precede it");
    const mica_tensor *src = &c->tensor[p->src];
    k->read[p->src] = true;
    if (!is_readable_operand(c, p->src))
        return bad_tensor(k, t, "a placement reads a contraction");
    if (src->batched != x->batched)
        return bad_tensor(k, t, "a placement passes the batch through");
    unsigned seen_out = 0, seen_src = 0;
    for (unsigned i = 0; i < p->n_factors; i++) {
        if (!check_factor(k, t, &p->factor[i], src, &seen_out, &seen_src))
            return false;
    }
    if (seen_out != (1u << x->rank) - 1 || seen_src != (1u << src->rank) - 1)
        return bad_tensor(k, t, "a placement leaves an axis out");
    return true;
}

/* A lookup forces its entries to be zero outside D. For a LINEAR entry all terms but one are zero there by
 * induction over tensor ids, so a WITNESS that the entry reads cell by cell is zero there too, if it is the
 * newest of the form and the form reads it once (two terms of it could cancel). */
static void bind_entry(checker *k, uint32_t e) {
    const mica_circuit *c = k->c;
    const mica_tensor *x = &c->tensor[e];
    if (k->bound[e])
        return;
    k->read[e] = true;
    k->bound[e] = true;
    if (x->kind != MICA_TENSOR_LINEAR)
        return;
    const mica_linear *l = &c->linear[x->def];
    const mica_term *newest = NULL;
    uint32_t times = 0;
    for (uint32_t i = 0; i < l->n_terms; i++) {
        const mica_term *m = &c->term[l->first_term + i];
        if (!newest || m->tensor > newest->tensor) {
            newest = m;
            times = 0;
        }
        times += m->tensor == newest->tensor;
    }
    if (newest && times == 1 && c->tensor[newest->tensor].kind == MICA_TENSOR_WITNESS &&
        circuit_is_cellwise(c, newest, x))
        k->bound[newest->tensor] = true;
}

static bool check_lookups(checker *k) {
    const mica_circuit *c = k->c;
    for (uint32_t i = 0; i < c->n_lookups; i++) {
        const mica_lookup *l = &c->lookup[i];
        if (l->table >= c->n_tables || l->layer >= c->n_layers)
            return mica_fail(k->st, MICA_ERR_FORMAT,
                             "circuit: lookup %u names a table or layer that does not exist", i);
        if (l->n_entries != mica_table_width(&c->table[l->table].def))
            return mica_fail(k->st, MICA_ERR_FORMAT, "circuit: lookup %u does not fit the width of its table",
                             i);
        for (unsigned j = 0; j < l->n_entries; j++) {
            if (l->entry[j] >= c->n_tensors ||
                !circuit_same_domain(&c->tensor[l->entry[j]], &c->tensor[l->entry[0]]))
                return mica_fail(k->st, MICA_ERR_FORMAT, "circuit: lookup %u has entries of different shapes",
                                 i);
            bind_entry(k, l->entry[j]);
        }
        const mica_table_def *def = &c->table[l->table].def;
        int8_t *digits = &k->digits[l->entry[0]];
        if (def->kind == MICA_TABLE_RANGE && (*digits < 0 || def->bits < *digits))
            *digits = (int8_t)def->bits; /* <= MICA_MAX_TABLE_BITS: check_tables */
    }
    return true;
}

static bool check_tables(checker *k) {
    const mica_circuit *c = k->c;
    for (uint32_t i = 0; i < c->n_tables; i++) {
        const mica_table *t = &c->table[i];
        if (!mica_table_validate(&t->def, k->st))
            return false;
        if (t->multiplicity >= c->n_tensors)
            return mica_fail(k->st, MICA_ERR_FORMAT, "circuit: table %u has no multiplicities", i);
        const mica_tensor *m = &c->tensor[t->multiplicity];
        if (m->kind != MICA_TENSOR_WITNESS || m->batched || m->rank != 1 || m->dim[0] != 1u << t->def.bits ||
            k->read[t->multiplicity])
            return bad_tensor(k, t->multiplicity,
                              "multiplicities do not fit their table, or are used elsewhere");
        k->read[t->multiplicity] = true;
        k->bound[t->multiplicity] = true; /* a power of two: no padding */
    }
    return true;
}

/* The tensor of an input that the statement does not show: a number of digits, each with the range of its
 * table, and a least value. Its padding and its range are then proven, and every value of the range has its
 * digits. */
static bool check_digits(checker *k, uint32_t t) {
    const mica_circuit *c = k->c;
    const mica_tensor *x = &c->tensor[t];
    if (x->kind != MICA_TENSOR_LINEAR || !x->batched)
        return bad_tensor(k, t, "an input that is not public is no batched form of digits");
    const mica_linear *l = &c->linear[x->def];
    const mica_box *b = &c->box[l->first_box];
    bool ok = l->shift == 0 && l->n_terms > 0 && l->n_boxes <= 1;
    for (unsigned i = 0; ok && l->n_boxes && i < x->rank; i++)
        ok = b->lo[i] == 0 && b->hi[i] == x->dim[i];
    int64_t unit = 1; /* < 2^51: at most 2^31 before each step, tables have 2^20 rows */
    for (uint32_t i = 0; ok && i < l->n_terms; i++) {
        const mica_term *m = &c->term[l->first_term + i];
        const int8_t bits = k->digits[m->tensor];
        ok = m->coef == unit && bits >= 0 && c->tensor[m->tensor].kind == MICA_TENSOR_WITNESS &&
             circuit_is_cellwise(c, m, x) && (i == 0 || m->tensor > m[-1].tensor);
        unit <<= ok ? bits : 0;
        ok = ok && unit <= INT32_MAX;
    }
    const int64_t least = ok && l->n_boxes ? b->coef : 0;
    return (ok && x->lo == least && x->hi == least + unit - 1) ||
           bad_tensor(k, t, "the digits of an input that is not public do not give its range");
}

static bool check_port(checker *k, const mica_port *p, bool is_input) {
    const mica_circuit *c = k->c;
    if (p->tensor >= c->n_tensors)
        return mica_fail(k->st, MICA_ERR_FORMAT, "circuit: port '%s' has no tensor", p->name);
    const mica_tensor *x = &c->tensor[p->tensor];
    if (is_input && p->visibility != MICA_PUBLIC && !check_digits(k, p->tensor))
        return false;
    if (is_input ? p->visibility == MICA_PUBLIC && x->kind != MICA_TENSOR_INPUT : !x->batched)
        return bad_tensor(k, p->tensor,
                          is_input ? "a public input is not an INPUT tensor" : "an output is not batched");
    uint64_t onnx = 1, cells = 1;
    unsigned seen = 0;
    for (unsigned i = 0; i < p->onnx_rank; i++) {
        if (p->onnx_dim[i] < 1 || p->onnx_dim[i] > 1u << MICA_MAX_BITS || onnx > 1u << MICA_MAX_BITS)
            return bad_tensor(k, p->tensor, "a port's shape is out of range");
        onnx *= p->onnx_dim[i];
    }
    for (unsigned i = 0; i < x->rank; i++) {
        cells *= x->dim[i];
        seen |= 1u << p->axis_order[i];
    }
    if (onnx != cells || seen != (1u << x->rank) - 1)
        return bad_tensor(k, p->tensor, "a port's shape does not fit its tensor");
    if (p->mantissa <= 0 || p->exponent < -200 || p->exponent > 200)
        return bad_tensor(k, p->tensor, "a port's scale is out of range");
    if (!is_input || p->visibility == MICA_COMMITTED)
        k->read[p->tensor] = true; /* by a claim of its own */
    return true;
}

/* Each committed item is a commitment group of every proof. */
static bool check_digests(checker *k) {
    const mica_circuit *c = k->c;
    uint64_t committed = 0;
    for (uint32_t i = 0; i < c->n_inputs; i++)
        committed += c->input[i].visibility == MICA_COMMITTED;
    for (uint32_t i = 0; i < c->n_outputs; i++)
        committed += c->output[i].visibility == MICA_COMMITTED;
    return committed * c->max_batch <= MICA_MAX_DIGESTS ||
           mica_fail(
               k->st, MICA_ERR_LIMIT,
               "circuit: %llu committed inputs and outputs in batches of %u; one proof shows at most %d "
               "digests",
               (unsigned long long)committed, c->max_batch, MICA_MAX_DIGESTS);
}

static bool check_ports(checker *k) {
    const mica_circuit *c = k->c;
    uint32_t inputs = 0;
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        if (c->tensor[t].kind == MICA_TENSOR_INPUT) {
            while (inputs < c->n_inputs && c->input[inputs].visibility != MICA_PUBLIC)
                inputs++;
            if (inputs >= c->n_inputs || c->input[inputs].tensor != t)
                return bad_tensor(k, t, "input tensors and public inputs are not in the same order");
            inputs++;
        }
    }
    for (uint32_t i = 0; i < c->n_inputs; i++) {
        if (!check_port(k, &c->input[i], true))
            return false;
        if (i && c->input[i].tensor <= c->input[i - 1].tensor)
            return bad_tensor(k, c->input[i].tensor, "graph inputs are not in the order of their tensors");
    }
    for (uint32_t i = 0; i < c->n_outputs; i++) {
        if (!check_port(k, &c->output[i], false))
            return false;
    }
    return true;
}

static bool check_all(checker *k) {
    const mica_circuit *c = k->c;
    uint32_t defs[3] = {0}, terms = 0, boxes = 0;
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        if (!check_tensor(k, t, defs))
            return false;
        bool ok = true;
        if (c->tensor[t].kind == MICA_TENSOR_LINEAR)
            ok = check_linear(k, t, &terms, &boxes);
        else if (c->tensor[t].kind == MICA_TENSOR_CONTRACT)
            ok = check_contract(k, t);
        else if (c->tensor[t].kind == MICA_TENSOR_PLACEMENT)
            ok = check_placement(k, t);
        if (!ok)
            return false;
    }
    if (defs[0] != c->n_linear || defs[1] != c->n_contract || defs[2] != c->n_placement ||
        terms != c->n_terms || boxes != c->n_boxes || k->indices != c->n_indices)
        return mica_fail(k->st, MICA_ERR_FORMAT, "circuit: a definition belongs to no tensor");
    if (!check_tables(k) || !check_lookups(k) || !check_ports(k) || !check_digests(k))
        return false;
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        if (!k->read[t] && (k->all_weights || c->tensor[t].kind != MICA_TENSOR_WEIGHT))
            return bad_tensor(k, t, "nothing reads it: its cells would carry no claim");
        if (c->tensor[t].kind == MICA_TENSOR_WITNESS && !k->bound[t])
            return bad_tensor(k, t, "no lookup binds its cells");
    }
    return circuit_check_ranges(c, k->st);
}

static bool validate(const mica_circuit *c, bool all_weights, mica_status *st) {
    if (c->n_tensors == 0 || c->n_tensors > MICA_MAX_TENSORS || c->n_layers == 0 ||
        c->n_lookups > MICA_MAX_TENSORS || c->n_tables > MICA_MAX_TENSORS || c->max_batch < 1 ||
        c->max_batch > 1u << 20)
        return mica_fail(st, MICA_ERR_FORMAT, "circuit: a count is out of range");
    checker k = {c, st,         calloc(c->n_tensors, 1), calloc(c->n_tensors, 1), malloc(c->n_tensors),
                 0, all_weights};
    bool ok =
        (k.read && k.bound && k.digits) || mica_fail(st, MICA_ERR_MEMORY, "out of memory for a circuit");
    if (ok)
        memset(k.digits, -1, c->n_tensors);
    ok = ok && check_all(&k);
    free(k.read);
    free(k.bound);
    free(k.digits);
    return ok;
}

bool mica_circuit_validate(const mica_circuit *c, mica_status *st) {
    return (c->n_outputs > 0 || mica_fail(st, MICA_ERR_FORMAT, "circuit: no output")) &&
           validate(c, true, st);
}

bool circuit_validate_relations(const mica_circuit *c, mica_status *st) {
    return validate(c, false, st);
}
