#include "certificate/certificate_builder.h"

#include <stdlib.h>
#include <string.h>

#define FIELD_HALF ((1 << 30) - 1) /* (p - 1) / 2: every cell of the field has a representative in +- it */
#define WIDE       ((int64_t)1 << 60)

void cert_builder_begin(cert_builder *b, mica_circuit *c, unsigned digit, mica_status *st) {
    memset(b, 0, sizeof *b);
    b->c = c;
    b->digit = digit;
    b->st = st;
    memset(b->range_table, 0xff, sizeof b->range_table);
    memset(b->clamp_table, 0xff, sizeof b->clamp_table);
}

/* Room for one more element behind `array`, which holds n; on failure the array is as before. */
static void *grow(cert_builder *b, void *array, unsigned which, uint32_t n, size_t element) {
    if (n < b->room[which])
        return array;
    const uint32_t room = b->room[which] ? 2 * b->room[which] : 64;
    void *p = n < 16 * MICA_MAX_TENSORS ? realloc(array, room * element) : NULL;
    if (!p) {
        (void)mica_fail(b->st, MICA_ERR_MEMORY, "out of memory for a weight certificate");
        return array;
    }
    b->room[which] = room;
    return p;
}
#define RESERVE(b, which, array, n)                                                                          \
    ((array) = grow(b, array, which, n, sizeof *(array)), (b)->st->code == MICA_OK)

static uint32_t add_tensor(cert_builder *b, mica_tensor_kind kind, unsigned rank, const uint32_t *dim,
                           int_range range) {
    mica_circuit *c = b->c;
    const uint32_t t = c->n_tensors;
    if (t >= MICA_MAX_TENSORS) {
        (void)mica_fail(b->st, MICA_ERR_LIMIT, "a weight certificate of more than %u tensors",
                        MICA_MAX_TENSORS);
        return CERT_NONE;
    }
    if (!RESERVE(b, ROOM_TENSOR, c->tensor, t) || !RESERVE(b, ROOM_RULE, b->rule, t) ||
        !RESERVE(b, ROOM_RANGE, b->range, t))
        return CERT_NONE;
    c->tensor[t] = (mica_tensor){.kind = kind, .rank = (uint8_t)rank, .layer = b->layer};
    memcpy(c->tensor[t].dim, dim, rank * sizeof *dim);
    b->rule[t] = (certificate_rule){0};
    b->range[t] = range;
    c->n_tensors++;
    return t;
}

uint32_t cert_weight(cert_builder *b, const mica_tensor *of_model) {
    b->layer = of_model->layer;
    return add_tensor(b, MICA_TENSOR_WEIGHT, of_model->rank, of_model->dim,
                      (int_range){-FIELD_HALF, FIELD_HALF});
}

uint32_t cert_witness(cert_builder *b, certificate_rule rule) {
    const mica_tensor x = b->c->tensor[rule.source];
    const uint32_t t = add_tensor(b, MICA_TENSOR_WITNESS, x.rank, x.dim, (int_range){-WIDE, WIDE});
    if (t != CERT_NONE)
        b->rule[t] = rule;
    return t;
}

/* --- forms --- */

cert_form cert_form_like(const cert_builder *b, uint32_t t, int64_t constant) {
    const mica_tensor *x = &b->c->tensor[t];
    cert_form f = {.rank = x->rank, .constant = constant};
    memcpy(f.dim, x->dim, sizeof f.dim);
    return f;
}

void cert_form_add_view(cert_form *f, uint32_t t, int64_t coef, mica_view view) {
    f->term[f->n++] = (mica_term){t, (int32_t)coef, view}; /* |coef| < p: the header */
}

void cert_form_add(cert_form *f, const cert_builder *b, uint32_t t, int64_t coef) {
    mica_view view = {{0}};
    for (unsigned i = 0; i < b->c->tensor[t].rank; i++)
        view.axis[i] = (int32_t)i;
    cert_form_add_view(f, t, coef, view);
}

/* Ranges are below 2^31 and sums run over 2^30 cells at most; coefficients are below 2^31. */
static int64_t scaled(int64_t x, int64_t coef, int64_t cells) {
    const __int128 y = (__int128)x * coef * cells;
    return y > WIDE ? WIDE : y < -WIDE ? -WIDE : (int64_t)y;
}

static int_range term_range(const cert_builder *b, const mica_term *m) {
    const mica_tensor *x = &b->c->tensor[m->tensor];
    const int_range r = b->range[m->tensor];
    int64_t cells = 1;
    for (unsigned i = 0; i < x->rank; i++)
        cells *= m->view.axis[i] == MICA_VIEW_SUM ? x->dim[i] : 1;
    const int64_t u = scaled(r.lo, m->coef, cells), v = scaled(r.hi, m->coef, cells);
    return m->coef > 0 ? (int_range){u, v} : (int_range){v, u};
}

static bool add_box(cert_builder *b, const cert_form *f) {
    mica_circuit *c = b->c;
    mica_box box = {.coef = (int32_t)f->constant};
    if (f->constant == 0)
        return true;
    if (!RESERVE(b, ROOM_BOX, c->box, c->n_boxes))
        return false;
    memcpy(box.hi, f->dim, f->rank * sizeof *f->dim);
    c->box[c->n_boxes++] = box;
    return true;
}

uint32_t cert_linear(cert_builder *b, const cert_form *f) {
    mica_circuit *c = b->c;
    int_range r = {f->constant, f->constant};
    const mica_linear l = {0, c->n_terms, f->n, c->n_boxes, f->constant != 0};
    if (f->constant <= -INT32_MAX || f->constant >= INT32_MAX) {
        (void)mica_fail(b->st, MICA_ERR_RANGE, "layer '%s': its weights' range is too wide for a certificate",
                        c->layer[b->layer].name);
        return CERT_NONE;
    }
    for (unsigned i = 0; i < f->n; i++) {
        const int_range x = term_range(b, &f->term[i]);
        r = (int_range){r.lo + x.lo, r.hi + x.hi};
    }
    r = (int_range){r.lo < 0 ? r.lo : 0, r.hi > 0 ? r.hi : 0};
    const uint32_t t = add_tensor(b, MICA_TENSOR_LINEAR, f->rank, f->dim, r);
    if (t == CERT_NONE || !RESERVE(b, ROOM_LINEAR, c->linear, c->n_linear) || !add_box(b, f))
        return CERT_NONE;
    for (unsigned i = 0; i < f->n; i++) {
        if (!RESERVE(b, ROOM_TERM, c->term, c->n_terms))
            return CERT_NONE;
        c->term[c->n_terms++] = f->term[i];
    }
    c->tensor[t].def = c->n_linear;
    c->linear[c->n_linear++] = l;
    return t;
}

/* --- tables and lookups --- */

static uint32_t add_table(cert_builder *b, const mica_table_def *def) {
    mica_circuit *c = b->c;
    if (!RESERVE(b, ROOM_TABLE, c->table, c->n_tables))
        return CERT_NONE;
    c->table[c->n_tables] = (mica_table){.def = *def};
    return c->n_tables++;
}

/* Every entry is tensor t. */
static bool add_lookup(cert_builder *b, uint32_t table, uint32_t t, int64_t top) {
    mica_circuit *c = b->c;
    if (table == CERT_NONE || !RESERVE(b, ROOM_LOOKUP, c->lookup, c->n_lookups))
        return false;
    mica_lookup l = {.table = table, .layer = b->layer};
    l.n_entries = (uint8_t)mica_table_width(&c->table[table].def);
    for (unsigned i = 0; i < l.n_entries; i++)
        l.entry[i] = t;
    c->lookup[c->n_lookups++] = l;
    int_range *r = &b->range[t];
    *r = (int_range){r->lo > 0 ? r->lo : 0, r->hi < top ? r->hi : top};
    return true;
}

bool cert_lookup_range(cert_builder *b, uint32_t t, unsigned bits) {
    uint32_t *table = &b->range_table[bits];
    if (*table == CERT_NONE)
        *table = add_table(b, &(mica_table_def){.kind = MICA_TABLE_RANGE, .bits = (uint8_t)bits});
    return add_lookup(b, *table, t, ((int64_t)1 << bits) - 1);
}

bool cert_lookup_clamp(cert_builder *b, uint32_t t, uint32_t top) {
    static const mica_dyadic one = {1 << 30, -30};
    uint32_t *table = &b->clamp_table[top];
    if (*table == CERT_NONE)
        *table = add_table(b, &(mica_table_def){.kind = MICA_TABLE_IDENTITY,
                                                .bits = (uint8_t)cert_bits(top),
                                                .in_scale = one,
                                                .out_scale = one,
                                                .hi_value = (int32_t)top});
    return add_lookup(b, *table, t, top);
}

unsigned cert_bits(int64_t x) {
    unsigned n = 0;
    while (n < 62 && (int64_t)1 << n <= x)
        n++;
    return n;
}

/* --- the end --- */

static bool declare(cert_builder *b) {
    mica_circuit *c = b->c;
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        const int_range r = b->range[t];
        if (r.lo <= -INT32_MAX || r.hi >= INT32_MAX)
            return mica_fail(b->st, MICA_ERR_RANGE,
                             "layer '%s': its weights' range is too wide for a certificate",
                             c->layer[c->tensor[t].layer].name);
        c->tensor[t].lo = (int32_t)r.lo;
        c->tensor[t].hi = (int32_t)r.hi;
    }
    return true;
}

bool cert_builder_finish(cert_builder *b) {
    mica_circuit *c = b->c;
    for (uint32_t i = 0; i < c->n_tables; i++) {
        const uint32_t rows = 1u << c->table[i].def.bits;
        b->layer = 0;
        c->table[i].multiplicity =
            add_tensor(b, MICA_TENSOR_WITNESS, 1, &rows, (int_range){0, INT32_MAX - 2});
        if (c->table[i].multiplicity == CERT_NONE)
            return false;
    }
    return declare(b);
}
