#include "lowering/builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUANTISE_BITS                                                                                      \
    30 /* shift + table bits of a requantisation: the identity's sides differ by less than p */

void builder_create(builder *b, mica_status *st) {
    memset(b, 0, sizeof *b);
    b->st = st;
}

void builder_free(builder *b) {
    program_free(&b->p);
    free(b->table_shift);
    memset(b, 0, sizeof *b);
}

/* Room for one more element behind `array`, which holds n; new memory is zeroed. On failure the array is as
 * before and the error is recorded. */
static void *grow(builder *b, void *array, unsigned cap, uint32_t n, size_t element) {
    if (n < b->capacity[cap])
        return array;
    const uint32_t room = b->capacity[cap] ? 2 * b->capacity[cap] : 16;
    void *p = n < MICA_MAX_TENSORS * 16u ? realloc(array, room * element) : NULL;
    if (!p) {
        (void)mica_fail(b->st, MICA_ERR_MEMORY, "out of memory for a circuit");
        return array;
    }
    memset((char *)p + n * element, 0, (room - n) * element);
    b->capacity[cap] = room;
    return p;
}
#define RESERVE(b, cap, array, n)                                                                            \
    ((array) = grow(b, array, cap, n, sizeof *(array)), (b)->st->code == MICA_OK)

static void copy_text(char *out, size_t size, const char *text) {
    (void)snprintf(out, size, "%s", text ? text : "");
}

uint32_t builder_layer(builder *b, const char *name, const char *op) {
    mica_circuit *c = &b->p.circuit;
    if (!RESERVE(b, CAP_LAYER, c->layer, c->n_layers) || !RESERVE(b, CAP_NOTE, b->p.note, c->n_layers))
        return NO_INDEX;
    copy_text(c->layer[c->n_layers].name, sizeof c->layer[0].name, name);
    copy_text(c->layer[c->n_layers].op, sizeof c->layer[0].op, op);
    copy_text(b->p.note[c->n_layers].node, sizeof b->p.note[0].node, name);
    copy_text(b->p.note[c->n_layers].op, sizeof b->p.note[0].op, op);
    b->layer = c->n_layers;
    return c->n_layers++;
}

static void append_text(char *out, size_t size, const char *text) {
    const size_t used = strlen(out);
    (void)snprintf(out + used, size - used, " + %s", text);
}

void builder_fuse_op(builder *b, uint32_t layer, const char *op) {
    append_text(b->p.circuit.layer[layer].op, sizeof b->p.circuit.layer[0].op, op);
    append_text(b->p.note[layer].op, sizeof b->p.note[0].op, op);
}

/* --- tensors --- */

static uint32_t add_tensor(builder *b, mica_tensor_kind kind, bool batched, unsigned rank,
                           const uint32_t *dim, bound range) {
    mica_circuit *c = &b->p.circuit;
    if (c->n_tensors >= MICA_MAX_TENSORS) {
        (void)mica_fail(b->st, MICA_ERR_LIMIT, "the circuit has more than %u tensors", MICA_MAX_TENSORS);
        return NO_INDEX;
    }
    range = bound_hull(range, (bound){0, 0});
    if (range.lo < -INT32_MAX + 1 || range.hi > INT32_MAX - 1 || range.hi - range.lo >= INT32_MAX) {
        (void)mica_fail(
            b->st, MICA_ERR_RANGE,
            "layer '%s': an intermediate value can reach [%lld, %lld]; ranges must be narrower than 2^31 - 1",
            b->layer < c->n_layers ? c->layer[b->layer].name : "?", (long long)range.lo, (long long)range.hi);
        return NO_INDEX;
    }
    if (!RESERVE(b, CAP_TENSOR, c->tensor, c->n_tensors) ||
        !RESERVE(b, CAP_WEIGHT, b->p.weight, c->n_tensors))
        return NO_INDEX;
    mica_tensor *x = &c->tensor[c->n_tensors];
    memset(x, 0, sizeof *x);
    x->kind = kind;
    x->batched = batched;
    x->rank = (uint8_t)rank;
    for (unsigned i = 0; i < rank; i++)
        x->dim[i] = dim[i];
    x->lo = (int32_t)range.lo;
    x->hi = (int32_t)range.hi;
    x->layer = b->layer;
    return c->n_tensors++;
}

uint32_t builder_input(builder *b, unsigned rank, const uint32_t *dim, bound range) {
    return add_tensor(b, MICA_TENSOR_INPUT, true, rank, dim, range);
}

uint32_t builder_witness(builder *b, bool batched, unsigned rank, const uint32_t *dim, bound range) {
    return add_tensor(b, MICA_TENSOR_WITNESS, batched, rank, dim, range);
}

uint32_t builder_weight(builder *b, unsigned rank, const uint32_t *dim, const int32_t *value) {
    size_t n = 1;
    for (unsigned i = 0; i < rank; i++)
        n *= dim[i];
    bound range = {0, 0};
    for (size_t i = 0; i < n; i++)
        range = bound_hull(range, (bound){value[i], value[i]});
    int32_t *copy = malloc((n + 1) * sizeof *copy);
    if (!copy) {
        (void)mica_fail(b->st, MICA_ERR_MEMORY, "out of memory for weights");
        return NO_INDEX;
    }
    memcpy(copy, value, n * sizeof *copy);
    const uint32_t t = add_tensor(b, MICA_TENSOR_WEIGHT, false, rank, dim, range);
    if (t == NO_INDEX)
        free(copy);
    else
        b->p.weight[t] = copy;
    return t;
}

uint32_t builder_counter(builder *b, uint32_t n) {
    int32_t *q = calloc((size_t)n + 1, sizeof *q);
    if (!q) {
        (void)mica_fail(b->st, MICA_ERR_MEMORY, "out of memory for weights");
        return NO_INDEX;
    }
    for (uint32_t i = 0; i < n; i++)
        q[i] = (int32_t)i;
    const uint32_t t = builder_weight(b, 1, &n, q);
    free(q);
    return t;
}

static bool evaluate(builder *b, uint32_t t) {
    step s = {.kind = STEP_EVALUATE, .layer = b->layer, .table = NO_INDEX};
    memset(s.tensor, 0xff, sizeof s.tensor);
    s.tensor[0] = t;
    return builder_step(b, &s);
}

static bool copy_terms(builder *b, const form *f) {
    mica_circuit *c = &b->p.circuit;
    for (uint32_t i = 0; i < f->n_terms; i++) {
        if (!RESERVE(b, CAP_TERM, c->term, c->n_terms))
            return false;
        c->term[c->n_terms++] = f->term[i];
    }
    for (uint32_t i = 0; i < f->n_boxes; i++) {
        if (!RESERVE(b, CAP_BOX, c->box, c->n_boxes))
            return false;
        c->box[c->n_boxes++] = f->box[i];
    }
    return true;
}

uint32_t builder_linear(builder *b, const form *f, unsigned shift) {
    mica_circuit *c = &b->p.circuit;
    bound range = form_range(f, c->tensor);
    /* Towards zero: only exact multiples occur. */
    range.lo /= INT64_C(1) << shift;
    range.hi /= INT64_C(1) << shift;
    if (f->n_terms + f->n_boxes == 0) { /* identically zero: a box says so */
        form zero = *f;
        zero.n_boxes = 1;
        memset(&zero.box[0], 0, sizeof zero.box[0]);
        memcpy(zero.box[0].hi, f->dim, f->rank * sizeof f->dim[0]);
        return builder_linear(b, &zero, shift);
    }
    if (!RESERVE(b, CAP_LINEAR, c->linear, c->n_linear))
        return NO_INDEX;
    const uint32_t t = add_tensor(b, MICA_TENSOR_LINEAR, f->batched, f->rank, f->dim, range);
    const mica_linear l = {(uint8_t)shift, c->n_terms, f->n_terms, c->n_boxes, f->n_boxes};
    if (t == NO_INDEX || !copy_terms(b, f))
        return NO_INDEX;
    c->tensor[t].def = c->n_linear;
    c->linear[c->n_linear++] = l;
    return t;
}

uint32_t builder_sum(builder *b, const form *f) {
    const uint32_t t = builder_linear(b, f, 0);
    return t != NO_INDEX && evaluate(b, t) ? t : NO_INDEX;
}

uint32_t builder_contract(builder *b, const mica_contract *d, unsigned rank, bound range) {
    mica_circuit *c = &b->p.circuit;
    uint32_t dim[MICA_MAX_RANK] = {0};
    for (unsigned i = 0; i < rank; i++)
        dim[i] = d->label_dim[d->out_label[i]];
    if (!RESERVE(b, CAP_CONTRACT, c->contract, c->n_contract))
        return NO_INDEX;
    const bool batched = c->tensor[d->a].batched || c->tensor[d->b].batched;
    const uint32_t t = add_tensor(b, MICA_TENSOR_CONTRACT, batched, rank, dim, range);
    if (t == NO_INDEX)
        return NO_INDEX;
    c->tensor[t].def = c->n_contract;
    c->contract[c->n_contract++] = *d;
    return evaluate(b, t) ? t : NO_INDEX;
}

bool builder_list(builder *b, mica_factor *f, uint32_t n, const uint32_t *index) {
    mica_circuit *c = &b->p.circuit;
    f->first_index = c->n_indices;
    f->n_indices = n;
    for (uint32_t i = 0; i < n; i++) {
        if (!RESERVE(b, CAP_INDEX, c->index, c->n_indices))
            return false;
        c->index[c->n_indices++] = index[i];
    }
    return true;
}

uint32_t builder_placement(builder *b, const mica_placement *d, unsigned rank, const uint32_t *dim) {
    mica_circuit *c = &b->p.circuit;
    bound range = bound_of(&c->tensor[d->src]);
    for (unsigned i = 0; i < d->n_factors; i++)
        range = bound_scale(range, d->factor[i].norm ? d->factor[i].norm : 1);
    if (!RESERVE(b, CAP_PLACEMENT, c->placement, c->n_placement))
        return NO_INDEX;
    const uint32_t t = add_tensor(b, MICA_TENSOR_PLACEMENT, c->tensor[d->src].batched, rank, dim, range);
    if (t == NO_INDEX)
        return NO_INDEX;
    c->tensor[t].def = c->n_placement;
    c->placement[c->n_placement++] = *d;
    return evaluate(b, t) ? t : NO_INDEX;
}

uint32_t builder_cut(builder *b, uint32_t t, uint32_t size, int32_t first) {
    const mica_tensor x = b->p.circuit.tensor[t];
    mica_placement p = {.src = t, .n_factors = x.rank};
    uint32_t dim[MICA_MAX_RANK] = {0};
    for (uint8_t i = 0; i < x.rank; i++) {
        mica_factor *f = &p.factor[i];
        f->n_out = f->n_src = 1;
        f->out_axis[0] = f->src_axis[0] = i;
        f->out_stride[0] = 1;
        dim[i] = x.dim[i];
    }
    p.factor[x.rank - 1].offset = first;
    dim[x.rank - 1] = size;
    return builder_placement(b, &p, x.rank, dim);
}

/* --- tables and lookups --- */

static bool same_values(const mica_table_def *x, const mica_table_def *y) {
    return x->kind == y->kind && x->in_scale.mantissa == y->in_scale.mantissa &&
           x->in_scale.exponent == y->in_scale.exponent && x->out_scale.mantissa == y->out_scale.mantissa &&
           x->out_scale.exponent == y->out_scale.exponent && x->lo_value == y->lo_value &&
           x->hi_value == y->hi_value && x->param[0].mantissa == y->param[0].mantissa &&
           x->param[0].exponent == y->param[0].exponent && x->param[1].mantissa == y->param[1].mantissa &&
           x->param[1].exponent == y->param[1].exponent;
}

static uint32_t add_table(builder *b, const mica_table_def *def) {
    mica_circuit *c = &b->p.circuit;
    if (!mica_table_validate(def, b->st) || !RESERVE(b, CAP_TABLE, c->table, c->n_tables) ||
        !RESERVE(b, CAP_TABLE_SHIFT, b->table_shift, c->n_tables))
        return NO_INDEX;
    c->table[c->n_tables].def = *def;
    return c->n_tables++;
}

uint32_t builder_table(builder *b, const mica_table_def *def) {
    const mica_circuit *c = &b->p.circuit;
    for (uint32_t i = 0; i < c->n_tables; i++) {
        const mica_table_def *d = &c->table[i].def;
        if (same_values(d, def) && d->bits == def->bits && d->lo_key == def->lo_key) {
            b->table_shift[i] = REQUANTISE_BITS; /* fixed from now on */
            return i;
        }
    }
    const uint32_t t = add_table(b, def);
    if (t != NO_INDEX)
        b->table_shift[t] = REQUANTISE_BITS;
    return t;
}

uint32_t builder_range_table(builder *b, unsigned bits) {
    const mica_table_def def = {.kind = MICA_TABLE_RANGE, .bits = (uint8_t)bits};
    return builder_table(b, &def);
}

/* The table that serves `def` with `shift` as well, or NO_INDEX; *bits: of its keys then. */
static uint32_t find_clamp_table(const builder *b, const mica_table_def *def, unsigned shift,
                                 unsigned *bits) {
    const mica_circuit *c = &b->p.circuit;
    for (uint32_t i = 0; i < c->n_tables; i++) {
        const mica_table_def *d = &c->table[i].def;
        *bits = d->bits > def->bits ? d->bits : def->bits;
        if (same_values(d, def) && d->lo_key < 0 && shift + *bits <= REQUANTISE_BITS &&
            (*bits == d->bits || b->table_shift[i] + *bits <= REQUANTISE_BITS))
            return i;
    }
    return NO_INDEX;
}

uint64_t builder_clamp_table_rows(const builder *b, const mica_table_def *def, unsigned shift) {
    unsigned bits;
    const uint32_t t = find_clamp_table(b, def, shift, &bits);
    const uint64_t rows = UINT64_C(1) << def->bits;
    return t == NO_INDEX ? rows : (UINT64_C(1) << bits) - (UINT64_C(1) << b->p.circuit.table[t].def.bits);
}

uint32_t builder_clamp_table(builder *b, const mica_table_def *def, unsigned shift) {
    unsigned bits;
    uint32_t t = find_clamp_table(b, def, shift, &bits);
    if (t != NO_INDEX) {
        mica_table_def *d = &b->p.circuit.table[t].def;
        d->bits = (uint8_t)bits;
        d->lo_key = -(INT32_C(1) << (bits - 1));
        if (b->table_shift[t] < shift)
            b->table_shift[t] = (uint8_t)shift;
        return t;
    }
    t = add_table(b, def);
    if (t != NO_INDEX)
        b->table_shift[t] = (uint8_t)shift;
    return t;
}

bool builder_lookup(builder *b, uint32_t table, uint32_t key, uint32_t value) {
    mica_circuit *c = &b->p.circuit;
    if (table == NO_INDEX || !RESERVE(b, CAP_LOOKUP, c->lookup, c->n_lookups))
        return false;
    mica_lookup *l = &c->lookup[c->n_lookups++];
    l->table = table;
    l->n_entries = value == NO_INDEX ? 1 : 2;
    l->entry[0] = key;
    l->entry[1] = value == NO_INDEX ? 0 : value;
    l->layer = b->layer;
    return true;
}

/* --- steps, ports, end --- */

bool builder_step(builder *b, const step *s) {
    if (!RESERVE(b, CAP_STEP, b->p.step, b->p.n_steps))
        return false;
    b->p.step[b->p.n_steps++] = *s;
    return true;
}

bool builder_port(builder *b, bool is_input, const mica_port *port) {
    mica_circuit *c = &b->p.circuit;
    if (is_input) {
        if (!RESERVE(b, CAP_INPUT, c->input, c->n_inputs))
            return false;
        c->input[c->n_inputs++] = *port;
    } else {
        if (!RESERVE(b, CAP_OUTPUT, c->output, c->n_outputs))
            return false;
        c->output[c->n_outputs++] = *port;
    }
    return true;
}

/* Steps in the order of their layers, those of one layer as they came. A step reads what its own or an
 * earlier layer computes, so every step still comes after those it depends on. */
static bool order_steps(builder *b) {
    const uint32_t n = b->p.n_steps, n_layers = b->p.circuit.n_layers;
    step *sorted = malloc((n + 1u) * sizeof *sorted);
    uint32_t *next =
        calloc(n_layers + 2u, sizeof *next); /* [layer + 1]: steps of the layer, then their place */
    if (!sorted || !next) {
        free(sorted);
        free(next);
        return mica_fail(b->st, MICA_ERR_MEMORY, "out of memory in the lowering");
    }
    for (uint32_t i = 0; i < n; i++)
        next[b->p.step[i].layer + 1]++;
    for (uint32_t i = 0; i < n_layers; i++)
        next[i + 1] += next[i];
    for (uint32_t i = 0; i < n; i++)
        sorted[next[b->p.step[i].layer]++] = b->p.step[i];
    free(b->p.step);
    free(next);
    b->p.step = sorted;
    return true;
}

bool builder_finish(builder *b, program *p, uint32_t max_batch) {
    mica_circuit *c = &b->p.circuit;
    c->max_batch = max_batch;
    if (!order_steps(b))
        return false;
    if (c->n_tables && builder_layer(b, "tables", "Multiplicities") == NO_INDEX)
        return false;
    for (uint32_t i = 0; i < c->n_tables; i++) {
        const uint32_t rows = UINT32_C(1) << c->table[i].def.bits;
        const uint32_t t = builder_witness(b, false, 1, &rows, (bound){0, INT32_MAX - 1});
        if (t == NO_INDEX)
            return false;
        c->table[i].multiplicity = t;
    }
    *p = b->p;
    memset(&b->p, 0, sizeof b->p);
    return true;
}
