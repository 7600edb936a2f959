#include "lowering/form.h"

#include <string.h>

#define COEF_LIMIT  INT64_C(0x7ffffffe) /* |coefficient| < p */
#define BOUND_LIMIT (INT64_C(1) << 61)

static int64_t saturate(__int128 x) {
    return x > BOUND_LIMIT ? BOUND_LIMIT : x < -BOUND_LIMIT ? -BOUND_LIMIT : (int64_t)x;
}

bound bound_add(bound a, bound b) {
    return (bound){saturate((__int128)a.lo + b.lo), saturate((__int128)a.hi + b.hi)};
}

bound bound_scale(bound a, int64_t by) {
    const int64_t x = saturate((__int128)a.lo * by), y = saturate((__int128)a.hi * by);
    return by >= 0 ? (bound){x, y} : (bound){y, x};
}

void form_create(form *f, bool batched, unsigned rank, const uint32_t *dim) {
    memset(f, 0, sizeof *f);
    f->batched = batched;
    f->rank = (uint8_t)rank;
    memcpy(f->dim, dim, rank * sizeof *dim);
}

bool form_add_term(form *f, const mica_tensor *base, uint32_t tensor, int64_t coef, const mica_view *view) {
    mica_term m = {.tensor = tensor};
    memcpy(m.view.axis, view->axis, base[tensor].rank * sizeof view->axis[0]);
    uint32_t i = 0;
    while (i < f->n_terms &&
           (f->term[i].tensor != tensor || memcmp(&f->term[i].view, &m.view, sizeof m.view) != 0))
        i++;
    const int64_t sum = coef + (i < f->n_terms ? f->term[i].coef : 0);
    if ((i == f->n_terms && f->n_terms == FORM_MAX_TERMS) || sum > COEF_LIMIT || sum < -COEF_LIMIT)
        return false;
    if (sum == 0) {
        if (i < f->n_terms) {
            f->n_terms--;
            memmove(&f->term[i], &f->term[i + 1], (f->n_terms - i) * sizeof f->term[0]);
        }
        return true;
    }
    m.coef = (int32_t)sum;
    f->term[i] = m;
    if (i == f->n_terms)
        f->n_terms++;
    return true;
}

bool form_add_tensor(form *f, const mica_tensor *base, uint32_t tensor, int64_t coef) {
    mica_view v = {{0}};
    for (unsigned i = 0; i < base[tensor].rank; i++)
        v.axis[i] = (int32_t)i;
    return form_add_term(f, base, tensor, coef, &v);
}

bool form_add_box(form *f, int64_t coef, const uint32_t *lo, const uint32_t *hi) {
    mica_box b = {0};
    memcpy(b.lo, lo, f->rank * sizeof *lo);
    memcpy(b.hi, hi, f->rank * sizeof *hi);
    uint32_t i = 0;
    while (i < f->n_boxes &&
           (memcmp(f->box[i].lo, b.lo, sizeof b.lo) != 0 || memcmp(f->box[i].hi, b.hi, sizeof b.hi) != 0))
        i++;
    const int64_t sum = coef + (i < f->n_boxes ? f->box[i].coef : 0);
    if ((i == f->n_boxes && f->n_boxes == FORM_MAX_BOXES) || sum > COEF_LIMIT || sum < -COEF_LIMIT)
        return false;
    if (sum == 0) {
        if (i < f->n_boxes) {
            f->n_boxes--;
            memmove(&f->box[i], &f->box[i + 1], (f->n_boxes - i) * sizeof f->box[0]);
        }
        return true;
    }
    b.coef = (int32_t)sum;
    f->box[i] = b;
    if (i == f->n_boxes)
        f->n_boxes++;
    return true;
}

bool form_add_constant(form *f, int64_t coef) {
    const uint32_t zero[MICA_MAX_RANK] = {0};
    return form_add_box(f, coef, zero, f->dim);
}

static bool add_mapped_term(form *f, const mica_tensor *base, const mica_term *m, int64_t coef,
                            const uint8_t *map) {
    mica_view v = m->view;
    for (unsigned i = 0; i < base[m->tensor].rank; i++)
        if (v.axis[i] >= 0)
            v.axis[i] = map[v.axis[i]] == NO_AXIS ? MICA_VIEW_AT(0) : map[v.axis[i]];
    return form_add_term(f, base, m->tensor, coef, &v);
}

static bool add_mapped_box(form *f, const form *g, const mica_box *b, int64_t coef, const uint8_t *map) {
    uint32_t lo[MICA_MAX_RANK] = {0}, hi[MICA_MAX_RANK];
    memcpy(hi, f->dim, sizeof hi);
    for (unsigned i = 0; i < g->rank; i++) {
        if (map[i] != NO_AXIS) {
            lo[map[i]] = b->lo[i];
            hi[map[i]] = b->hi[i];
        }
    }
    return form_add_box(f, coef, lo, hi);
}

bool form_add_form(form *f, const mica_tensor *base, const form *g, int64_t coef, const uint8_t *map) {
    /* |coef| and |term coefficient| < 2^31: the products do not overflow. */
    if (coef > COEF_LIMIT || coef < -COEF_LIMIT)
        return false;
    form sum = *f;
    for (uint32_t i = 0; i < g->n_terms; i++)
        if (!add_mapped_term(&sum, base, &g->term[i], coef * g->term[i].coef, map))
            return false;
    for (uint32_t i = 0; i < g->n_boxes; i++)
        if (!add_mapped_box(&sum, g, &g->box[i], coef * g->box[i].coef, map))
            return false;
    *f = sum;
    return true;
}

static bound term_range(const mica_tensor *base, const mica_term *m) {
    const mica_tensor *x = &base[m->tensor];
    bound r = bound_scale(bound_of(x), m->coef);
    for (unsigned i = 0; i < x->rank; i++)
        if (m->view.axis[i] == MICA_VIEW_SUM)
            r = bound_scale(r, x->dim[i]);
    return r;
}

static bool box_is_full(const form *f, const mica_box *b) {
    for (unsigned i = 0; i < f->rank; i++)
        if (b->lo[i] != 0 || b->hi[i] != f->dim[i])
            return false;
    return true;
}

bound form_range(const form *f, const mica_tensor *base) {
    bound r = {0, 0};
    for (uint32_t i = 0; i < f->n_terms; i++)
        r = bound_add(r, term_range(base, &f->term[i]));
    for (uint32_t i = 0; i < f->n_boxes; i++) {
        const mica_box *b = &f->box[i];
        bound k = {b->coef, b->coef};
        if (!box_is_full(f, b)) /* zero on the rest of the domain */
            k = bound_hull(k, (bound){0, 0});
        r = bound_add(r, k);
    }
    return bound_hull(r, (bound){0, 0});
}

uint64_t form_padded_cells(const form *f) {
    uint64_t n = 1;
    for (unsigned i = 0; i < f->rank; i++)
        n <<= mica_log2_ceil(f->dim[i]);
    return n;
}
