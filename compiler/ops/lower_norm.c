/* BatchNormalization that no linear operator has absorbed: y = a[c] x + b[c]. */
#include <stdlib.h>
#include <string.h>

#include "lowering/lowering.h"
#include "ops/op_rules.h"
#include "reference/float_math.h"

/* a = gamma / sqrt(var + eps), b = beta - a mean. */
static bool fold_parameters(lowering *l, const graph_node *n, double *a, double *b, double *bias_max,
                            mica_status *st) {
    const double *p[4];
    for (unsigned i = 0; i < 4; i++) {
        p[i] = l->g->value[n->in[1 + i]].real;
        if (!p[i])
            return op_fail_varying(l->g, n, 1 + i, OP_NEEDS_CONSTANT, st);
    }
    const double epsilon = graph_attr_float(n, "epsilon", 1e-5);
    *bias_max = 0;
    for (uint64_t i = 0; i < graph_elements(&l->g->value[n->in[1]]); i++) {
        a[i] = p[0][i] / __builtin_sqrt(p[3][i] + epsilon);
        b[i] = p[1][i] - a[i] * p[2][i];
        const double magnitude = b[i] < 0 ? -b[i] : b[i];
        *bias_max = magnitude > *bias_max ? magnitude : *bias_max;
    }
    return true;
}

static bool lower_folded(lowering *l, const graph_node *n, double *a, double *b, mica_status *st) {
    qvalue x;
    weighted w;
    memset(&w, 0, sizeof w);
    if (!fold_parameters(l, n, a, b, &w.bias_max, st) || !lowering_operand(l, n->in[0], &x, st) ||
        !lowering_layer(l, n, st))
        return false;
    const mica_tensor *t = &lowering_tensors(l)[x.tensor];
    const unsigned channel = l->g->value[n->in[0]].batched ? 0 : 1;
    for (unsigned i = 0; i < t->rank && i < MICA_MAX_RANK; i++) {
        w.contract.b_view.axis[i] = (int32_t)i;
        w.contract.label_dim[i] = t->dim[i];
        w.contract.out_label[i] = (uint8_t)i;
    }
    w.contract.n_labels = w.out_rank = t->rank;
    w.axes = x.axes;
    for (unsigned i = 0; i < x.axes.of[channel].n; i++) {
        w.w_dim[i] = t->dim[x.axes.of[channel].axis[i]];
        w.contract.a_view.axis[i] = x.axes.of[channel].axis[i];
        w.w_rank++;
    }
    if (w.contract.n_labels == 0) { /* a single number */
        w.contract.n_labels = 1;
        w.contract.label_dim[0] = 1;
        w.w_dim[w.w_rank++] = 1;
        w.out_rank = 1;
    }
    w.w = a;
    form f;
    double scale;
    int64_t dim[GRAPH_MAX_RANK];
    const unsigned rank = x.axes.rank - channel;
    for (unsigned i = 0; i < rank; i++)
        dim[i] = i == 0 ? l->g->value[n->in[1]].dim[0] : 1;
    return lowering_weighted(l, n, &w, &x, &f, &scale, st) &&
           lowering_add_constant(l, &f, &w.axes, rank, dim, b, 1 / scale, st) &&
           lowering_set_sum(l, n, &f, &w.axes, scale, st);
}

bool lower_batchnorm(struct lowering *l, const graph_node *n, mica_status *st) {
    const uint64_t count = graph_elements(&l->g->value[n->in[1]]) + 1;
    double *a = malloc(count * sizeof *a), *b = malloc(count * sizeof *b);
    const bool ok = a && b ? lower_folded(l, n, a, b, st)
                           : mica_fail(st, MICA_ERR_MEMORY, "out of memory in the lowering");
    free(a);
    free(b);
    return ok;
}
