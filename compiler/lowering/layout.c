#include "lowering/layout.h"

#include <string.h>

unsigned layout_dims(const graph_value *v, int64_t *dim) {
    const unsigned skip = v->batched ? 1 : 0;
    for (unsigned i = skip; i < v->rank; i++)
        dim[i - skip] = v->dim[i];
    return v->rank - skip;
}

unsigned layout_plain(layout *l, unsigned rank, const int64_t *dim, uint32_t *tensor_dim) {
    unsigned n = 0;
    memset(l, 0, sizeof *l);
    l->rank = (uint8_t)rank;
    for (unsigned i = 0; i < rank; i++) {
        if (dim[i] > 1) {
            tensor_dim[n] = (uint32_t)dim[i];
            axis_list_push(&l->of[i], n++);
        }
    }
    return n;
}

uint64_t axis_list_size(const axis_list *l, const uint32_t *dim) {
    uint64_t n = 1;
    for (unsigned i = 0; i < l->n; i++)
        n *= dim[l->axis[i]];
    return n;
}

bool axis_list_same_split(const axis_list *a, const uint32_t *a_dim, const axis_list *b,
                          const uint32_t *b_dim) {
    if (a->n != b->n)
        return false;
    for (unsigned i = 0; i < a->n; i++)
        if (a_dim[a->axis[i]] != b_dim[b->axis[i]])
            return false;
    return true;
}

axis_list layout_order(const layout *l) {
    axis_list all = {0};
    for (unsigned i = 0; i < l->rank; i++)
        for (unsigned j = 0; j < l->of[i].n; j++)
            axis_list_push(&all, l->of[i].axis[j]);
    return all;
}

bool layout_regroup(layout *l, const uint32_t *tensor_dim, unsigned rank, const int64_t *dim) {
    const axis_list all = layout_order(l);
    layout r = {.rank = (uint8_t)rank};
    unsigned next = 0;
    for (unsigned i = 0; i < rank; i++) {
        int64_t size = 1;
        while (size < dim[i] && next < all.n) {
            size *= tensor_dim[all.axis[next]];
            axis_list_push(&r.of[i], all.axis[next++]);
        }
        if (size != dim[i])
            return false;
    }
    if (next != all.n) /* only axes of size 1 are left, and those are in no list */
        return false;
    *l = r;
    return true;
}
