#include "circuit/circuit_ranges.h"

#include <stdlib.h>
#include <string.h>

#include "circuit/circuit_shapes.h"

#define FIELD_P  ((int64_t)0x7fffffff)
#define SATURATE ((int64_t)1 << 60)

static int64_t clamp_wide(__int128 x) {
    return x > SATURATE ? SATURATE : x < -SATURATE ? -SATURATE : (int64_t)x;
}

static int_range range_scale(int_range r, int64_t by) {
    const int64_t x = clamp_wide((__int128)r.lo * by), y = clamp_wide((__int128)r.hi * by);
    return by >= 0 ? (int_range){x, y} : (int_range){y, x};
}

static int_range range_add(int_range a, int_range b) {
    return (int_range){clamp_wide((__int128)a.lo + b.lo), clamp_wide((__int128)a.hi + b.hi)};
}

static int_range range_meet(int_range a, int_range b) {
    return (int_range){a.lo > b.lo ? a.lo : b.lo, a.hi < b.hi ? a.hi : b.hi};
}

static int_range range_hull(int_range a, int_range b) {
    return (int_range){a.lo < b.lo ? a.lo : b.lo, a.hi > b.hi ? a.hi : b.hi};
}

static bool range_inside(int_range a, int_range b) {
    return a.lo >= b.lo && a.hi <= b.hi;
}

static int_range declared(const mica_tensor *x) {
    return (int_range){x->lo, x->hi};
}

static int_range term_range(const mica_circuit *c, const mica_term *m) {
    const mica_tensor *x = &c->tensor[m->tensor];
    int64_t cells = 1; /* <= 2^30 */
    for (unsigned i = 0; i < x->rank; i++) {
        if (m->view.axis[i] == MICA_VIEW_SUM)
            cells *= x->dim[i];
    }
    return range_scale(range_scale(declared(x), m->coef), cells);
}

static int_range box_range(const mica_box *b) {
    return b->coef < 0 ? (int_range){b->coef, 0} : (int_range){0, b->coef};
}

/* Whether box b is the whole of D of a tensor x: then its constant is on every cell of D. */
static bool box_is_full(const mica_box *b, const mica_tensor *x) {
    for (unsigned i = 0; i < x->rank; i++) {
        if (b->lo[i] != 0 || b->hi[i] != x->dim[i])
            return false;
    }
    return true;
}

/* Range of 2^shift * v of a LINEAR, i.e. of the sum of its terms and boxes, from its operands' declared
 * ranges. Boxes that cover all of D are constants on the cells of D; the zeros of the padding come on top. */
static int_range sum_range_exact(const mica_circuit *c, uint32_t t) {
    const mica_linear *l = &c->linear[c->tensor[t].def];
    int_range r = {0, 0};
    for (uint32_t i = 0; i < l->n_terms; i++)
        r = range_add(r, term_range(c, &c->term[l->first_term + i]));
    for (uint32_t i = 0; i < l->n_boxes; i++) {
        const mica_box *b = &c->box[l->first_box + i];
        const int_range whole = {b->coef, b->coef};
        r = range_add(r, box_is_full(b, &c->tensor[t]) ? whole : box_range(b));
    }
    return range_hull(r, (int_range){0, 0});
}

int_range circuit_table_column(const mica_table_def *def, unsigned entry) {
    const int64_t rows = (int64_t)1 << def->bits;
    if (entry == 0)
        return (int_range){def->lo_key, def->lo_key + rows - 1};
    if (def->kind == MICA_TABLE_RELU)
        return (int_range){0, def->lo_key + rows - 1 > 0 ? def->lo_key + rows - 1 : 0};
    return (int_range){def->lo_value, def->hi_value};
}

/* --- m = max(a, b), written as (a - b, m - b) in the RELU table: the range of m is the hull of those of a
 * and b --- */

/* A linear form as a sum of (coef, tensor, view) and of boxes, merged so that equal parts cancel. */
typedef struct form {
    mica_term term[64];
    mica_box box[64];
    unsigned n_terms, n_boxes;
    bool overflow;
} form;

static void form_clear(form *f) {
    f->n_terms = f->n_boxes = 0;
    f->overflow = false;
}

static void form_add_term(form *f, const mica_term *m, int32_t sign) {
    if (f->overflow)
        return;
    for (unsigned i = 0; i < f->n_terms; i++) {
        if (f->term[i].tensor == m->tensor && memcmp(&f->term[i].view, &m->view, sizeof m->view) == 0) {
            const int64_t sum = (int64_t)f->term[i].coef + (int64_t)sign * m->coef;
            f->overflow |= sum > INT32_MAX || sum < -INT32_MAX;
            f->term[i].coef = (int32_t)(f->overflow ? 0 : sum);
            return;
        }
    }
    if (f->n_terms == 64) {
        f->overflow = true;
        return;
    }
    f->term[f->n_terms] = *m;
    f->term[f->n_terms++].coef = sign * m->coef;
}

static void form_add_box(form *f, const mica_box *b, int32_t sign) {
    if (f->overflow)
        return;
    for (unsigned i = 0; i < f->n_boxes; i++) {
        if (memcmp(f->box[i].lo, b->lo, sizeof b->lo) == 0 &&
            memcmp(f->box[i].hi, b->hi, sizeof b->hi) == 0) {
            const int64_t sum = (int64_t)f->box[i].coef + (int64_t)sign * b->coef;
            f->overflow |= sum > INT32_MAX || sum < -INT32_MAX;
            f->box[i].coef = (int32_t)(f->overflow ? 0 : sum);
            return;
        }
    }
    if (f->n_boxes == 64) {
        f->overflow = true;
        return;
    }
    f->box[f->n_boxes] = *b;
    f->box[f->n_boxes++].coef = sign * b->coef;
}

static void form_add(form *f, const mica_circuit *c, uint32_t t, int32_t sign) {
    const mica_linear *l = &c->linear[c->tensor[t].def];
    f->overflow |= l->shift != 0 || l->n_terms > 64 || l->n_boxes > 64;
    for (uint32_t i = 0; i < l->n_terms && !f->overflow; i++)
        form_add_term(f, &c->term[l->first_term + i], sign);
    for (uint32_t i = 0; i < l->n_boxes && !f->overflow; i++)
        form_add_box(f, &c->box[l->first_box + i], sign);
}

/* Whether the cells of factor f, seen through view v from domain axis j (the only axis of f that runs), are
 * zero for every index outside [lo, hi). */
static bool factor_zero_outside(const mica_factor *f, const mica_tensor *placed, const mica_tensor *src,
                                const mica_view *v, unsigned running, uint32_t lo, uint32_t hi) {
    int64_t base = f->offset, cells = 1;
    for (unsigned i = 0; i < f->n_out; i++) {
        const int32_t a = v->axis[f->out_axis[i]];
        if (i != running && MICA_VIEW_IS_AT(a))
            base += (int64_t)f->out_stride[i] * MICA_VIEW_AT_INDEX(a);
    }
    for (unsigned i = 0; i < f->n_src; i++)
        cells *= src->dim[f->src_axis[i]];
    int64_t first, end;
    circuit_valid_interval(base, f->out_stride[running], cells, placed->dim[f->out_axis[running]], &first,
                           &end);
    return first == end || (first >= lo && end <= hi);
}

/* Whether term m is zero on every cell of the domain outside box b: m is a tap of a placement whose valid
 * indices along each axis lie within the box. */
static bool tap_zero_outside(const mica_circuit *c, const mica_term *m, const mica_box *b,
                             const mica_tensor *domain) {
    const mica_tensor *placed = &c->tensor[m->tensor];
    if (placed->kind != MICA_TENSOR_PLACEMENT)
        return false;
    const mica_placement *p = &c->placement[placed->def];
    unsigned narrow = 0; /* domain axes that the box narrows and no factor has accounted for */
    for (unsigned j = 0; j < domain->rank; j++) {
        if (b->lo[j] != 0 || b->hi[j] != domain->dim[j])
            narrow |= 1u << j;
    }
    for (unsigned i = 0; i < p->n_factors; i++) {
        const mica_factor *f = &p->factor[i];
        unsigned runs = f->n_indices ? 2 : 0, running = 0; /* lists are not searched */
        for (unsigned k = 0; k < f->n_out; k++) {
            const int32_t a = m->view.axis[f->out_axis[k]];
            if (!MICA_VIEW_IS_AT(a)) {
                runs++;
                running = k;
            }
        }
        if (runs != 1)
            continue;
        const int32_t j = m->view.axis[f->out_axis[running]];
        if (j >= 0 && (narrow & 1u << j) &&
            factor_zero_outside(f, placed, &c->tensor[p->src], &m->view, running, b->lo[j], b->hi[j]))
            narrow &= ~(1u << j);
    }
    return narrow == 0;
}

/* Range of a form over the cells of a domain. The form of a window that overlaps the border is a tap plus "k
 * on D, -k on the part where the tap is inside": its value is the tap or k, never their sum. */
static int_range form_range(const form *f, const mica_circuit *c, const mica_tensor *domain) {
    int_range r = {0, 0};
    const mica_term *only = NULL;
    unsigned terms = 0, wholes = 0, parts = 0;
    for (unsigned i = 0; i < f->n_terms; i++) {
        if (f->term[i].coef) {
            r = range_add(r, term_range(c, &f->term[i]));
            only = &f->term[i];
            terms++;
        }
    }
    int64_t whole = 0;
    const mica_box *part = NULL;
    for (unsigned i = 0; i < f->n_boxes; i++) {
        if (f->box[i].coef && box_is_full(&f->box[i], domain)) {
            whole = f->box[i].coef;
            wholes++;
        } else if (f->box[i].coef) {
            part = &f->box[i];
            parts++;
        }
    }
    if (terms == 1 && wholes == 1 && parts == 1 && whole == -(int64_t)part->coef &&
        tap_zero_outside(c, only, part, domain))
        return range_hull(r, (int_range){whole, whole});
    for (unsigned i = 0; i < f->n_boxes; i++)
        r = range_add(r, box_range(&f->box[i]));
    return r;
}

/* Takes the term of the newest tensor out of f. The tensor must be a WITNESS with coefficient -1, read cell
 * by cell and nowhere else in f: then f determines each of its cells from older tensors. */
static bool form_take_newest(form *f, const mica_circuit *c, const mica_tensor *domain, uint32_t *m) {
    unsigned newest = 0, times = 0;
    if (f->overflow || f->n_terms == 0)
        return false;
    for (unsigned i = 0; i < f->n_terms; i++) {
        if (f->term[i].tensor > f->term[newest].tensor)
            newest = i;
    }
    *m = f->term[newest].tensor;
    for (unsigned i = 0; i < f->n_terms; i++)
        times += f->term[i].tensor == *m;
    if (times != 1 || f->term[newest].coef != -1 || c->tensor[*m].kind != MICA_TENSOR_WITNESS ||
        !circuit_is_cellwise(c, &f->term[newest], domain))
        return false;
    f->term[newest].coef = 0;
    return true;
}

/* Whether f, after cancellation, reads only tensors older than m. */
static bool form_precedes(const form *f, uint32_t m) {
    for (unsigned i = 0; i < f->n_terms; i++) {
        if (f->term[i].coef && f->term[i].tensor >= m)
            return false;
    }
    return !f->overflow;
}

/* If lookup l is a maximum, sets *m and its range. Modulo p, m = b + relu(a - b) = max(a, b), and a - b is
 * below p by the check on the lookup; a and b must not depend on m, or the lookup would allow several m. */
static bool maximum_range(const mica_circuit *c, const mica_lookup *l, uint32_t *m, int_range *range) {
    if (c->table[l->table].def.kind != MICA_TABLE_RELU || c->tensor[l->entry[0]].kind != MICA_TENSOR_LINEAR ||
        c->tensor[l->entry[1]].kind != MICA_TENSOR_LINEAR)
        return false;
    const mica_tensor *domain = &c->tensor[l->entry[0]];
    form b, a;
    form_clear(&b);
    form_clear(&a);
    form_add(&b, c, l->entry[1], -1); /* b - m */
    if (!form_take_newest(&b, c, domain, m))
        return false;
    form_add(&a, c, l->entry[0], 1); /* a - b */
    for (unsigned i = 0; i < b.n_terms; i++) {
        if (b.term[i].coef)
            form_add_term(&a, &b.term[i], 1);
    }
    for (unsigned i = 0; i < b.n_boxes; i++)
        form_add_box(&a, &b.box[i], 1);
    if (!form_precedes(&a, *m) || !form_precedes(&b, *m))
        return false;
    *range = range_hull(form_range(&a, c, domain), form_range(&b, c, domain));
    *range = range_hull(*range, (int_range){0, 0});
    return true;
}

/* --- checks --- */

static bool fail_range(const mica_circuit *c, uint32_t t, const char *what, int_range r, mica_status *st) {
    return mica_fail(st, MICA_ERR_RANGE, "circuit: tensor %u (layer '%s'): %s [%lld, %lld]", t,
                     c->layer[c->tensor[t].layer].name, what, (long long)r.lo, (long long)r.hi);
}

/* Per tensor: what its lookups say of its cells, and the range of the sum whose 2^-shift-th part it is (the
 * declared range of a tensor that is no form). */
typedef struct tensor_ranges {
    int_range implied, sum;
} tensor_ranges;

static void derive_ranges(const mica_circuit *c, tensor_ranges *of) {
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        const bool linear = c->tensor[t].kind == MICA_TENSOR_LINEAR;
        of[t].implied = (int_range){-SATURATE, SATURATE};
        of[t].sum = linear ? sum_range_exact(c, t) : declared(&c->tensor[t]);
    }
    for (uint32_t i = 0; i < c->n_lookups; i++) {
        const mica_lookup *l = &c->lookup[i];
        for (unsigned j = 0; j < l->n_entries; j++) {
            const int_range column =
                range_hull(circuit_table_column(&c->table[l->table].def, j), (int_range){0, 0});
            of[l->entry[j]].implied = range_meet(of[l->entry[j]].implied, column);
        }
        uint32_t m;
        int_range r;
        if (maximum_range(c, l, &m, &r))
            of[m].implied = range_meet(of[m].implied, r);
    }
    for (uint32_t i = 0; i < c->n_tables; i++)
        of[c->table[i].multiplicity].implied = declared(&c->tensor[c->table[i].multiplicity]);
}

int_range circuit_product_range(const mica_circuit *c, uint32_t t) {
    const mica_tensor *x = &c->tensor[t];
    const mica_contract *d = &c->contract[x->def];
    const int_range a = declared(&c->tensor[d->a]), b = declared(&c->tensor[d->b]);
    int_range r = range_hull(range_scale(b, a.lo), range_scale(b, a.hi));
    int64_t count = 1;
    for (unsigned i = 0; i < d->n_labels; i++) {
        bool out = false;
        for (unsigned j = 0; j < x->rank; j++)
            out |= d->out_label[j] == i;
        if (!out)
            count = clamp_wide((__int128)count * d->label_dim[i]);
    }
    return range_scale(r, count);
}

/* Range of tensor t from its definition; wide if it is taken as given. */
static int_range defined_range(const mica_circuit *c, uint32_t t, const tensor_ranges *of) {
    const mica_tensor *x = &c->tensor[t];
    switch (x->kind) {
    case MICA_TENSOR_INPUT:
    case MICA_TENSOR_WEIGHT:
        return declared(x);
    case MICA_TENSOR_WITNESS:
        return of[t].implied;
    case MICA_TENSOR_LINEAR: {
        const int_range r = of[t].sum;
        const int64_t unit = (int64_t)1 << c->linear[x->def].shift;
        /* Division rounds towards zero: exact multiples only occur. */
        return range_meet((int_range){r.lo / unit, r.hi / unit}, of[t].implied);
    }
    case MICA_TENSOR_CONTRACT: {
        const mica_contract *d = &c->contract[x->def];
        if (c->tensor[d->a].kind == MICA_TENSOR_WEIGHT || c->tensor[d->b].kind == MICA_TENSOR_WEIGHT)
            return declared(x);
        return circuit_product_range(c, t);
    }
    case MICA_TENSOR_PLACEMENT: {
        const mica_placement *p = &c->placement[x->def];
        int_range r = declared(&c->tensor[p->src]);
        for (unsigned i = 0; i < p->n_factors; i++)
            r = range_scale(r, p->factor[i].norm ? p->factor[i].norm : 1);
        return r;
    }
    }
    return (int_range){-SATURATE, SATURATE};
}

static bool check_lookup_identities(const mica_circuit *c, const tensor_ranges *of, mica_status *st) {
    for (uint32_t i = 0; i < c->n_lookups; i++) {
        const mica_lookup *l = &c->lookup[i];
        for (unsigned j = 0; j < l->n_entries; j++) {
            const mica_tensor *x = &c->tensor[l->entry[j]];
            const unsigned shift = x->kind == MICA_TENSOR_LINEAR ? c->linear[x->def].shift : 0;
            const int_range sum = of[l->entry[j]].sum;
            const int_range column =
                range_hull(circuit_table_column(&c->table[l->table].def, j), (int_range){0, 0});
            const int_range lhs = range_scale(column, (int64_t)1 << shift);
            const int_range gap = {lhs.lo - sum.hi, lhs.hi - sum.lo};
            if (gap.lo <= -FIELD_P || gap.hi >= FIELD_P)
                return fail_range(c, l->entry[j],
                                  "a lookup could wrap around the field: the identity's sides differ by", gap,
                                  st);
        }
    }
    return true;
}

/* Every table is looked up fewer than p times, so that its multiplicities do not wrap. With the bound on rows
 * the lookup argument has fewer than 2^32 leaves. */
#define MAX_TABLE_ROWS ((uint64_t)1 << 30)

static bool check_lookup_counts(const mica_circuit *c, mica_status *st) {
    uint64_t total = 0, rows = 0;
    for (uint32_t i = 0; i < c->n_tables; i++)
        rows += (uint64_t)1 << c->table[i].def.bits;
    if (rows > MAX_TABLE_ROWS)
        return mica_fail(st, MICA_ERR_LIMIT, "circuit: tables of more than 2^30 rows in all");
    for (uint32_t i = 0; i < c->n_lookups; i++)
        total += (uint64_t)1 << mica_tensor_bits(&c->tensor[c->lookup[i].entry[0]], c->max_batch);
    return total < (uint64_t)FIELD_P ||
           mica_fail(st, MICA_ERR_RANGE, "circuit: 2^31 or more lookups; multiplicities could wrap");
}

bool circuit_check_ranges(const mica_circuit *c, mica_status *st) {
    tensor_ranges *of = calloc((size_t)c->n_tensors + 1, sizeof *of);
    if (!of)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for a circuit");
    derive_ranges(c, of);
    bool ok = check_lookup_identities(c, of, st) && check_lookup_counts(c, st);
    for (uint32_t t = 0; ok && t < c->n_tensors; t++) {
        const mica_tensor *x = &c->tensor[t];
        const int_range r = range_hull(defined_range(c, t, of), (int_range){0, 0});
        if (x->kind == MICA_TENSOR_LINEAR && c->linear[x->def].shift && of[t].implied.hi == SATURATE)
            ok = fail_range(c, t, "a shifted form enters no lookup; its quotient is free in", r, st);
        else if (!range_inside(r, declared(x)))
            ok = fail_range(c, t, "its cells can leave the declared range and reach", r, st);
        else if ((int64_t)x->hi - x->lo >= FIELD_P)
            ok = fail_range(c, t, "its range is not below the field's size:", declared(x), st);
    }
    free(of);
    return ok;
}
