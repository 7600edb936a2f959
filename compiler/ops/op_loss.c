/* NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss. */
#include <string.h>

#include "ops/loss.h"
#include "reference/float_math.h"

bool loss_read(loss *l, const graph *g, const graph_node *n, mica_status *st) {
    static const char *const names[] = {"none", "sum", "mean"};
    const graph_value *x = op_in(g, n, 0), *t = op_in(g, n, 1), *w = op_in(g, n, 2);
    const char *reduction = graph_attr_string(n, "reduction", "mean");
    unsigned i = 0;
    while (i < 3 && strcmp(reduction, names[i]) != 0)
        i++;
    l->reduction = (loss_reduction)i;
    l->ignores = graph_attr_find(n, "ignore_index") != NULL;
    l->ignored = graph_attr_int(n, "ignore_index", 0);
    bool fits = i < 3 && x->dtype == DTYPE_FLOAT && t->dtype == DTYPE_INT && x->rank >= 2 &&
                t->rank == x->rank - 1 && t->dim[0] == x->dim[0];
    for (uint32_t k = 1; fits && k < t->rank; k++)
        fits = t->dim[k] == x->dim[k + 1];
    fits = fits && (!w || (w->dtype == DTYPE_FLOAT && w->rank == 1 && w->dim[0] == x->dim[1]));
    if (!fits)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "scores, labels and weights do not fit");
    l->items = x->dim[0];
    l->classes = x->dim[1];
    l->places = 1;
    for (uint32_t k = 2; k < x->rank; k++)
        l->places *= x->dim[k];
    return true;
}

static bool infer_loss(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0), *t = op_in(c->g, n, 1), *w = op_in(c->g, n, 2);
    int64_t dim[GRAPH_MAX_RANK];
    loss l;
    if (!loss_read(&l, c->g, n, st))
        return false;
    if ((x->batched && l.reduction != LOSS_NONE) || x->batched != t->batched || (w && w->batched))
        return op_mixes_batch(c);
    memcpy(dim, t->dim, t->rank * sizeof *dim);
    return op_set_output(c, n, x, l.reduction == LOSS_NONE ? t->rank : 0, dim,
                         x->batched && l.reduction == LOSS_NONE, st);
}

bool infer_nllloss(op_context *c, const graph_node *n, mica_status *st) {
    return infer_loss(c, n, st);
}

/* The second output holds the logarithms of the probabilities. */
bool infer_crossentropy(op_context *c, const graph_node *n, mica_status *st) {
    loss l;
    if (op_part(n) == 0)
        return infer_loss(c, n, st);
    return loss_read(&l, c->g, n, st) && op_set_output_like(c, n, op_in(c->g, n, 0), st);
}

/* ln(sum of e^x) over the classes at one place. */
static double log_sum(const loss *l, const double *x) {
    double most = x[0], sum = 0;
    for (int64_t c = 1; c < l->classes; c++)
        most = x[c * l->places] > most ? x[c * l->places] : most;
    for (int64_t c = 0; c < l->classes; c++)
        sum += fm_exp(x[c * l->places] - most);
    return most + fm_log(sum);
}

/* raw: scores, not logarithms of probabilities. */
static bool eval_loss(const op_args *a, bool raw, mica_status *st) {
    const double *weight = op_in(a->g, a->n, 2) ? a->in[2] : NULL;
    double total = 0, weights = 0;
    loss l;
    if (!loss_read(&l, a->g, a->n, st))
        return false;
    for (int64_t i = 0; i < l.items * l.places; i++) {
        const double *x = a->in[0] + i / l.places * l.classes * l.places + i % l.places, label = a->in[1][i];
        const bool counts =
            label >= 0 && label < (double)l.classes && !(l.ignores && label == (double)l.ignored);
        const double w = !counts ? 0 : weight ? weight[(int64_t)label] : 1;
        const double one = counts ? -w * (x[(int64_t)label * l.places] - (raw ? log_sum(&l, x) : 0)) : 0;
        if (l.reduction == LOSS_NONE)
            a->out[0][i] = one;
        total += one;
        weights += w;
    }
    if (l.reduction != LOSS_NONE)
        a->out[0][0] = l.reduction == LOSS_SUM ? total : total / weights;
    return true;
}

bool eval_nllloss(const op_args *a, mica_status *st) {
    return eval_loss(a, false, st);
}

bool eval_crossentropy(const op_args *a, mica_status *st) {
    loss l;
    if (op_part(a->n) == 0)
        return eval_loss(a, true, st);
    if (!loss_read(&l, a->g, a->n, st))
        return false;
    for (int64_t i = 0; i < l.items * l.places; i++) {
        const int64_t first = i / l.places * l.classes * l.places + i % l.places;
        const double sum = log_sum(&l, a->in[0] + first);
        for (int64_t c = 0; c < l.classes; c++)
            a->out[0][first + c * l.places] = a->in[0][first + c * l.places] - sum;
    }
    return true;
}
