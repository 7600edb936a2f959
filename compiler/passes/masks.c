/* Masks: constants that say "never", as -infinity or -1e9 in front of a softmax, become as large as they need
 * to be and no larger.
 *
 * No integer stands for an infinity, and a value that is 10^9 in some places leaves no steps to the others.
 * Of all values that meet a mask, let M be the largest magnitude on the samples, the mask's own places left
 * out. Then F = 2 M + 16 is beyond all of them, and a softmax gives to what is that far below its row's
 * largest value a weight below e^-16.
 *
 * Infinite constants are masks wherever they are read. Finite ones are only where all that they reach is the
 * input of softmaxes, through sums, selections, maxima, moves and products with numbers of [-1, 1].
 */
#include <math.h>
#include <stdlib.h>

#include "graph/passes.h"
#include "ops/op_rules.h"

#define FAR      1000.0 /* a finite constant of at least this magnitude may be a mask */
#define MARGIN   16.0
#define UNKNOWN  32.0 /* M where there are no samples */
#define UNITY    1.000001
#define FAR_LESS 4 /* masks that are not larger than this many times F stay as they are */

typedef struct masks {
    graph *g;
    bool *mask;   /* per value: a constant to be replaced, as far as known */
    bool *meets;  /* per value: far elements of masks may be in it */
    double least; /* the smallest far magnitude: less is not a mask's */
    double most;  /* M */
    bool bounded; /* factors of masks are in [-1, 1] on the samples */
} masks;

static bool is_far(double x) {
    return x >= FAR || x <= -FAR;
}

static bool has_infinity(const graph_value *v) {
    for (uint64_t i = 0; v->real && i < graph_elements(v); i++)
        if (isinf(v->real[i]))
            return true;
    return false;
}

static bool has_far(const graph_value *v) {
    for (uint64_t i = 0; v->real && i < graph_elements(v); i++)
        if (is_far(v->real[i]))
            return true;
    return false;
}

/* Whether far elements of an input can be far elements of the output. */
static bool passes_on(op_kind kind) {
    switch (kind) {
    case OP_ADD:
    case OP_SUB:
    case OP_SUM:
    case OP_MUL:
    case OP_WHERE:
    case OP_MAX:
    case OP_MIN:
    case OP_NEG:
    case OP_REDUCE_MAX:
    case OP_REDUCE_MIN:
    case OP_CAST:
        return true;
    default:
        return op_moves(kind);
    }
}

static bool reads(const graph_node *n, uint32_t v) {
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i] == v)
            return true;
    return false;
}

static bool reads_marked(const graph_node *n, const bool *marked) {
    for (uint32_t i = 0; i < n->n_in; i++)
        if (n->in[i] != GRAPH_NO_VALUE && marked[n->in[i]])
            return true;
    return false;
}

/* Marks what constant v reaches; nodes are in order. */
static void follow(const masks *m, uint32_t v, bool *reached) {
    reached[v] = true;
    for (uint32_t i = 0; i < m->g->n_nodes; i++) {
        const graph_node *n = &m->g->node[i];
        if (!n->removed && passes_on((op_kind)n->kind) && reads_marked(n, reached))
            reached[n->out[0]] = true;
    }
}

/* Whether all that is reached ends in softmaxes, at least in one. */
static bool ends_in_softmax(const masks *m, const bool *reached) {
    bool any = false;
    for (uint32_t i = 0; i < m->g->n_outputs; i++)
        if (reached[m->g->output[i]])
            return false;
    for (uint32_t i = 0; i < m->g->n_nodes; i++) {
        const graph_node *n = &m->g->node[i];
        if (n->removed || !reads_marked(n, reached) || passes_on((op_kind)n->kind))
            continue;
        if (n->kind != OP_SOFTMAX)
            return false;
        any = true;
    }
    return any;
}

/* Finds the masks, and what they meet. False if there are none. */
static bool find(masks *m, bool *reached) {
    graph *g = m->g;
    bool any = false;
    for (uint32_t v = 0; v < g->n_values; v++) {
        const graph_value *c = &g->value[v];
        bool is_read = false;
        for (uint32_t i = 0; has_far(c) && i < g->n_nodes && !is_read; i++)
            is_read = !g->node[i].removed && reads(&g->node[i], v);
        if (!is_read)
            continue;
        for (uint32_t i = 0; i < g->n_values; i++)
            reached[i] = false;
        follow(m, v, reached);
        if (!has_infinity(c) && !ends_in_softmax(m, reached))
            continue;
        any = m->mask[v] = true;
        for (uint32_t i = 0; i < g->n_values; i++)
            m->meets[i] = m->meets[i] || reached[i];
        for (uint64_t i = 0; i < graph_elements(c); i++)
            if (is_far(c->real[i]) && fabs(c->real[i]) < m->least)
                m->least = fabs(c->real[i]);
    }
    return any;
}

/* --- what the samples say --- */

static void observe(masks *m, uint32_t v, const double *x) {
    if (m->g->value[v].dtype != DTYPE_FLOAT)
        return;
    for (uint64_t i = 0; x && i < graph_elements(&m->g->value[v]); i++) {
        const double size = fabs(x[i]);
        if (size < m->least / 2 && size > m->most) /* not NaN */
            m->most = size;
    }
}

static const double *elements(const masks *m, double *const *value, uint32_t v) {
    return v == GRAPH_NO_VALUE ? NULL : m->g->value[v].real ? m->g->value[v].real : value[v];
}

/* A product of a mask: the other factor must not make it smaller or larger than it is. */
static void check_factor(masks *m, const graph_node *n, double *const *value) {
    for (uint32_t i = 0; n->kind == OP_MUL && i < 2; i++) {
        const double *x = elements(m, value, n->in[i]);
        if (m->meets[n->in[i]])
            continue;
        for (uint64_t k = 0; x && k < graph_elements(&m->g->value[n->in[i]]); k++)
            m->bounded = m->bounded && fabs(x[k]) <= UNITY;
    }
}

/* An output that holds a mask says so, and cannot. */
static bool check_outputs(const masks *m, double *const *value, mica_status *st) {
    for (uint32_t i = 0; i < m->g->n_outputs; i++) {
        const graph_value *y = &m->g->value[m->g->output[i]];
        const double *x = value[m->g->output[i]];
        for (uint64_t k = 0; x && y->dtype == DTYPE_FLOAT && k < graph_elements(y); k++)
            if (isinf(x[k]))
                return mica_fail(
                    st, MICA_ERR_UNSUPPORTED,
                    "output '%s' is infinite on a calibration sample; no integer can stand for it",
                    y->name ? y->name : "?");
    }
    return true;
}

static bool observe_samples(masks *m, const double *const *const *sample, uint32_t n_samples,
                            mica_status *st) {
    const graph *g = m->g;
    double **value = graph_buffers_create(g, st);
    bool ok = value != NULL;
    for (uint32_t s = 0; ok && s < n_samples; s++) {
        ok = graph_evaluate(g, sample[s], value, st) && check_outputs(m, value, st);
        for (uint32_t i = 0; ok && i < g->n_nodes; i++) {
            const graph_node *n = &g->node[i];
            if (n->removed || !reads_marked(n, m->meets))
                continue;
            check_factor(m, n, value);
            observe(m, n->out[0], elements(m, value, n->out[0]));
            for (uint32_t k = 0; k < n->n_in; k++)
                if (n->in[k] != GRAPH_NO_VALUE)
                    observe(m, n->in[k], elements(m, value, n->in[k]));
        }
    }
    if (value)
        graph_buffers_free(g, value);
    return ok;
}

/* Elements beyond F, or infinite ones only, become F. */
static bool replace(const masks *m, uint32_t v, mica_status *st) {
    graph_value *c = &m->g->value[v];
    const uint64_t n = graph_elements(c);
    const double far = ceil(2 * m->most + MARGIN); /* a whole number survives casts */
    double *x = graph_alloc(m->g, n, sizeof *x, st);
    if (!x)
        return false;
    for (uint64_t i = 0; i < n; i++) {
        const bool mask =
            isinf(c->real[i]) || (m->bounded && is_far(c->real[i]) && fabs(c->real[i]) > FAR_LESS * far);
        x[i] = mask ? copysign(far, c->real[i]) : c->real[i];
    }
    c->real = x;
    return true;
}

bool graph_bound_masks(graph *g, const double *const *const *sample, uint32_t n_samples, mica_status *st) {
    bool *flags = calloc(3 * ((size_t)g->n_values + 1), sizeof *flags);
    masks m = {.g = g, .mask = flags, .least = INFINITY, .bounded = true};
    if (!flags)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for masks");
    m.meets = flags + g->n_values + 1;
    bool ok = true;
    if (find(&m, m.meets + g->n_values + 1)) {
        m.most = n_samples ? 0 : UNKNOWN;
        ok = observe_samples(&m, sample, n_samples, st);
        for (uint32_t v = 0; ok && v < g->n_values; v++) {
            g->value[v].masked = m.meets[v];
            ok = !m.mask[v] || replace(&m, v, st);
        }
    }
    free(flags);
    return ok;
}
