#include "accuracy/accuracy_losses.h"

/* By halving: values ascend. NULL if v has no tensor. */
static const value_error *inner_error(const accuracy *a, uint32_t v) {
    uint32_t first = 0, end = a->n_values;
    while (first < end) {
        const uint32_t middle = first + (end - first) / 2;
        if (a->inner[middle].value < v)
            first = middle + 1;
        else
            end = middle;
    }
    return first < a->n_values && a->inner[first].value == v ? &a->inner[first] : NULL;
}

double accuracy_increase(const accuracy *a, const graph *g, uint32_t i) {
    const value_error *e = &a->inner[i];
    const uint32_t producer = g->value[e->value].producer;
    double before = 0;
    for (uint32_t k = 0; producer != UINT32_MAX && k < g->node[producer].n_in; k++) {
        const value_error *x = inner_error(a, g->node[producer].in[k]);
        before = x && x->mean > before ? x->mean : before;
    }
    return e->mean > before ? e->mean - before : 0;
}

uint32_t accuracy_losses(const accuracy *a, const graph *g, accuracy_loss *worst, uint32_t most) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->n_values; i++) {
        const accuracy_loss x = {&a->inner[i], accuracy_increase(a, g, i)};
        if (x.added <= 0 || (n == most && x.added <= worst[n - 1].added))
            continue;
        uint32_t at = n < most ? n++ : n - 1;
        for (; at > 0 && worst[at - 1].added < x.added; at--)
            worst[at] = worst[at - 1];
        worst[at] = x;
    }
    return n;
}
