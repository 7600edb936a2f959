/* Einsum. */
#include <string.h>

#include "ops/einsum.h"
#include "ops/op_rules.h"

#define NO_LABEL     0xff
#define MAX_PRODUCTS 0x1p34

/* Labels by letter, and of the axes that an ellipsis stands for, counted from the last. */
typedef struct naming {
    einsum *e;
    uint8_t letter[128], dots[GRAPH_MAX_RANK];
    unsigned most_dots, uses[128];
} naming;

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static uint8_t label_of(naming *k, uint8_t *slot) {
    if (*slot == NO_LABEL && k->e->n_labels < EINSUM_LABELS)
        *slot = (uint8_t)k->e->n_labels++;
    return *slot;
}

/* The axes of one term, up to a comma, an arrow or the end; *count of them, the ellipsis standing for `dots`
 * axes, or for as many as make `rank`. NULL if the term is malformed. */
static const char *read_term(naming *k, const char *s, unsigned rank, bool is_output, uint8_t *axis,
                             unsigned *count) {
    unsigned letters = 0, dots = 0, ellipses = 0;
    for (const char *p = s; *p && *p != ',' && *p != '-'; p++)
        letters += is_letter(*p);
    if (!is_output && letters > rank)
        return NULL;
    dots = is_output ? k->most_dots : rank - letters;
    *count = 0;
    for (; *s && *s != ',' && *s != '-'; s++) {
        if (*s == ' ')
            continue;
        const bool ellipsis = s[0] == '.' && s[1] == '.' && s[2] == '.' && ellipses++ == 0;
        const unsigned add = ellipsis ? dots : 1;
        if ((!ellipsis && !is_letter(*s)) || *count + add > GRAPH_MAX_RANK)
            return NULL;
        for (unsigned i = 0; i < add; i++)
            axis[(*count)++] = label_of(k, ellipsis ? &k->dots[dots - 1 - i] : &k->letter[(unsigned char)*s]);
        if (!ellipsis && !is_output)
            k->uses[(unsigned char)*s]++;
        s += ellipsis ? 2 : 0;
    }
    if (!is_output && ellipses && dots > k->most_dots)
        k->most_dots = dots;
    return s;
}

/* Without an arrow the output has the ellipsis, then every letter that occurs once, in alphabetical order. */
static bool implied_output(naming *k) {
    einsum *e = k->e;
    for (unsigned i = k->most_dots; i-- > 0;)
        e->out[e->out_rank++] = k->dots[i];
    for (unsigned c = 0; c < 128; c++) {
        if (k->uses[c] != 1)
            continue;
        if (e->out_rank == GRAPH_MAX_RANK)
            return false;
        e->out[e->out_rank++] = k->letter[c];
    }
    return true;
}

static bool read_equation(naming *k, const graph *g, const graph_node *n, const char *s) {
    einsum *e = k->e;
    for (unsigned i = 0; i < n->n_in; i++) {
        const unsigned rank = op_in(g, n, i)->rank;
        s = read_term(k, s, rank, false, e->in[i], &e->rank[i]);
        if (!s || e->rank[i] != rank || (i + 1 < n->n_in && *s++ != ','))
            return false;
    }
    if (!*s)
        return implied_output(k);
    if (s[0] != '-' || s[1] != '>')
        return false;
    s = read_term(k, s + 2, 0, true, e->out, &e->out_rank);
    return s && !*s;
}

/* The labels' sizes; 1 stretches to the others. */
static bool read_sizes(einsum *e, const graph *g, const graph_node *n, mica_status *st) {
    for (unsigned i = 0; i < e->n_in; i++) {
        for (unsigned a = 0; a < e->rank[i]; a++) {
            const unsigned label = e->in[i][a];
            const int64_t dim = op_in(g, n, i)->dim[a];
            if (e->read[label] && e->dim[label] != 1 && dim != 1 && e->dim[label] != dim)
                return op_fail(g, n, st, MICA_ERR_FORMAT, "a label of sizes %lld and %lld",
                               (long long)e->dim[label], (long long)dim);
            if (!e->read[label] || e->dim[label] == 1)
                e->dim[label] = dim;
            e->read[label] |= 1u << i;
        }
    }
    return true;
}

bool einsum_read(einsum *e, const graph *g, const graph_node *n, mica_status *st) {
    naming k = {.e = e};
    memset(e, 0, sizeof *e);
    memset(k.letter, NO_LABEL, sizeof k.letter);
    memset(k.dots, NO_LABEL, sizeof k.dots);
    e->n_in = n->n_in;
    if (n->n_in > EINSUM_OPERANDS)
        return op_fail(g, n, st, MICA_ERR_UNSUPPORTED, "%u operands; at most %d are supported", n->n_in,
                       EINSUM_OPERANDS);
    const char *equation = graph_attr_string(n, "equation", "");
    if (!read_equation(&k, g, n, equation))
        return op_fail(g, n, st, MICA_ERR_FORMAT, "the equation '%.100s' does not fit the operands",
                       equation);
    if (!read_sizes(e, g, n, st))
        return false;
    for (unsigned a = 0; a < e->out_rank; a++) {
        if (!e->read[e->out[a]] || e->kept[e->out[a]])
            return op_fail(g, n, st, MICA_ERR_FORMAT, "the output has a label twice, or one of no operand");
        e->kept[e->out[a]] = true;
    }
    return true;
}

bool einsum_is_plain(const einsum *e, const graph *g, const graph_node *n) {
    if (e->n_in > 2)
        return false;
    bool plain = e->n_in == 1;
    for (unsigned i = 0; i < e->n_in; i++) {
        unsigned seen = 0;
        for (unsigned a = 0; a < e->rank[i]; a++) {
            const unsigned label = e->in[i][a];
            if (seen >> label & 1 || op_in(g, n, i)->dim[a] != e->dim[label])
                return false;
            seen |= 1u << label;
            plain |= e->dim[label] > 1; /* a product of single numbers is none */
            if (e->n_in == 2 && !e->kept[label] && e->read[label] != 3)
                return false;
        }
    }
    return plain;
}

bool infer_einsum(op_context *c, const graph_node *n, mica_status *st) {
    int64_t dim[GRAPH_MAX_RANK];
    bool batched = false;
    double work = 1;
    einsum e;
    if (!op_same_types(c->g, n, st) || !einsum_read(&e, c->g, n, st))
        return false;
    for (unsigned a = 0; a < e.out_rank; a++)
        dim[a] = e.dim[e.out[a]];
    for (unsigned i = 0; i < e.n_labels; i++)
        work *= (double)e.dim[i];
    if (work > MAX_PRODUCTS)
        return op_fail(c->g, n, st, MICA_ERR_LIMIT, "more than 2^34 products");
    for (unsigned i = 0; i < e.n_in; i++)
        batched |= op_in(c->g, n, i)->batched;
    /* The batch's label is the output's first, and the first of the operands that have it. */
    for (unsigned i = 0; batched && i < e.n_in; i++) {
        const bool is_batched = op_in(c->g, n, i)->batched;
        const unsigned label = e.out_rank ? e.out[0] : EINSUM_LABELS;
        if (e.out_rank == 0 || is_batched != (e.read[label] >> i & 1) || (is_batched && e.in[i][0] != label))
            return op_mixes_batch(c);
        for (unsigned a = 1; is_batched && a < e.rank[i]; a++)
            if (e.in[i][a] == label)
                return op_mixes_batch(c);
    }
    return op_set_output(c, n, op_in(c->g, n, 0), e.out_rank, dim, batched, st);
}

/* Strides of every label in an operand of shape dim[0..rank), or in the output; 0 where it has none. The axes
 * of a label that occurs twice run together. */
static void label_strides(const uint8_t *axis, unsigned rank, const int64_t *dim, size_t *stride) {
    size_t step = 1;
    memset(stride, 0, (size_t)EINSUM_LABELS * sizeof *stride);
    for (unsigned a = rank; a-- > 0;) {
        stride[axis[a]] += dim[a] == 1 ? 0 : step;
        step *= (size_t)dim[a];
    }
}

bool eval_einsum(const op_args *a, mica_status *st) {
    size_t stride[EINSUM_OPERANDS + 1][EINSUM_LABELS];
    int64_t index[EINSUM_LABELS] = {0};
    einsum e;
    if (!einsum_read(&e, a->g, a->n, st))
        return false;
    const graph_value *y = op_out(a->g, a->n, 0);
    for (unsigned i = 0; i < e.n_in; i++)
        label_strides(e.in[i], e.rank[i], op_in(a->g, a->n, i)->dim, stride[i]);
    label_strides(e.out, e.out_rank, y->dim, stride[e.n_in]);
    memset(a->out[0], 0, (size_t)graph_elements(y) * sizeof(double));
    for (unsigned i = 0; i < e.n_labels; i++)
        if (e.dim[i] == 0)
            return true;
    do {
        double product = 1;
        size_t to = 0;
        for (unsigned i = 0; i <= e.n_in; i++) {
            size_t at = 0;
            for (unsigned k = 0; k < e.n_labels; k++)
                at += (size_t)index[k] * stride[i][k];
            product *= i < e.n_in ? a->in[i][at] : 1;
            to = at;
        }
        a->out[0][to] += product;
    } while (op_next_index(index, e.dim, e.n_labels));
    return true;
}
