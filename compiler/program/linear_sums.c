#include "program/linear_sums.h"

#include <stdlib.h>
#include <string.h>

#include "program/cells.h"

bool linear_sums_create(linear_sums *l, const mica_circuit *c, int32_t *const *value, uint32_t t,
                        const uint32_t *left_out, uint32_t n_left_out, mica_status *st) {
    const mica_linear *d = &c->linear[c->tensor[t].def];
    *l = (linear_sums){.c = c, .value = value, .x = &c->tensor[t]};
    l->access = calloc((size_t)d->n_terms + 1, sizeof *l->access);
    l->left_out = calloc((size_t)d->n_terms + 1, sizeof *l->left_out);
    l->sum = malloc(cells_row(l->x) * sizeof *l->sum);
    if (!l->access || !l->left_out || !l->sum) {
        linear_sums_free(l);
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory in the interpreter");
    }
    for (uint32_t i = 0; i < d->n_terms; i++) {
        const mica_term *m = &c->term[d->first_term + i];
        l->access[i] = cells_access_of(&c->tensor[m->tensor], &m->view);
        for (uint32_t j = 0; j < n_left_out; j++)
            l->left_out[i] |= m->tensor == left_out[j];
    }
    return true;
}

void linear_sums_free(linear_sums *l) {
    free(l->access);
    free(l->left_out);
    free(l->sum);
}

static int64_t summed_axes(const int32_t *cells, const cells_access *a) {
    uint32_t k[MICA_MAX_RANK] = {0};
    int64_t sum = 0;
    do
        sum += cells[cells_offset(k, a->sum_step, a->n_sum)];
    while (cells_next(k, a->sum_dim, a->n_sum));
    return sum;
}

static void add_term(linear_sums *l, const mica_term *m, const cells_access *a, const uint32_t *index) {
    const unsigned outer = cells_outer(l->x);
    const size_t step = l->x->rank ? a->step[outer] : 0;
    const uint32_t n = cells_row(l->x);
    const int32_t *cells = l->value[m->tensor] + a->fixed + cells_offset(index, a->step, outer);
    const int64_t coef = m->coef;
    if (step == 0) { /* one number for the whole row */
        const int64_t number = coef * (a->n_sum ? summed_axes(cells, a) : cells[0]);
        for (uint32_t i = 0; i < n; i++)
            l->sum[i] += number;
    } else if (a->n_sum) {
        for (uint32_t i = 0; i < n; i++)
            l->sum[i] += coef * summed_axes(cells + i * step, a);
    } else if (step == 1) {
        for (uint32_t i = 0; i < n; i++)
            l->sum[i] += coef * cells[i];
    } else {
        for (uint32_t i = 0; i < n; i++)
            l->sum[i] += coef * cells[i * step];
    }
}

static void add_box(linear_sums *l, const mica_box *b, const uint32_t *index) {
    const unsigned outer = cells_outer(l->x);
    for (unsigned i = 0; i < outer; i++)
        if (index[i] < b->lo[i] || index[i] >= b->hi[i])
            return;
    const uint32_t end = l->x->rank ? b->hi[outer] : 1;
    for (uint32_t i = l->x->rank ? b->lo[outer] : 0; i < end; i++)
        l->sum[i] += b->coef;
}

void linear_sums_row(linear_sums *l, const uint32_t *index) {
    const mica_linear *d = &l->c->linear[l->x->def];
    memset(l->sum, 0, cells_row(l->x) * sizeof *l->sum);
    for (uint32_t i = 0; i < d->n_terms; i++)
        if (!l->left_out[i])
            add_term(l, &l->c->term[d->first_term + i], &l->access[i], index);
    for (uint32_t i = 0; i < d->n_boxes; i++)
        add_box(l, &l->c->box[d->first_box + i], index);
}
