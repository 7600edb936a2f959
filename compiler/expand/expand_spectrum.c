/* DFT and STFT: contractions with a constant. */
#include "expand/expand.h"
#include "ops/spectrum.h"

/* The map as [bins, parts, samples, parts]; window, unless NULL, weights the samples. */
static uint32_t weights(expander *x, const spectrum *s, const double *window) {
    const int64_t dim[4] = {s->bins, s->parts_out, s->samples, s->parts_in};
    double *w = graph_alloc(x->g, (size_t)(dim[0] * dim[1] * dim[2] * dim[3]), sizeof *w, x->st), *to = w;
    if (!w)
        return GRAPH_NO_VALUE;
    for (int64_t o = 0; o < s->bins; o++)
        for (uint32_t p = 0; p < s->parts_out; p++)
            for (int64_t i = 0; i < s->samples; i++)
                for (uint32_t q = 0; q < s->parts_in; q++)
                    *to++ = spectrum_weight(s, o, p, i, q) * (window ? window[i] : 1);
    return expand_reals(x, 4, dim, w);
}

/* Axis `axis` has the label n or o, the last one q or p, others a letter of their own. */
static char *write_axes(char *text, uint32_t rank, uint32_t axis, char along, char part) {
    for (uint32_t i = 0; i < rank; i++)
        *text++ = i == axis ? along : i + 1 == rank ? part : (char)('a' + i);
    return text;
}

uint32_t expand_dft(expander *x) {
    const uint32_t rank = op_in(x->g, &x->node, 0)->rank;
    static const char map[] = ",opnq->";
    char equation[(size_t)2 * GRAPH_MAX_RANK + sizeof map], *s = equation;
    spectrum t;
    if (!spectrum_read(&t, x->g, &x->node, x->st))
        return GRAPH_NO_VALUE;
    s = write_axes(s, rank, t.axis, 'n', 'q');
    for (const char *m = map; *m; m++)
        *s++ = *m;
    *write_axes(s, rank, t.axis, 'o', 'p') = 0;
    const uint32_t w = weights(x, &t, NULL);
    expand_text(x, "equation", equation);
    expand_last(x);
    return expand_op2(x, "Einsum", x->node.in[0], w);
}

/* The frames [batch, frames, samples, parts]. */
static uint32_t cut(expander *x, const frames *f) {
    const graph_value v = *op_in(x->g, &x->node, 0);
    const int64_t dim[4] = {v.dim[0], f->count, f->s.length, v.dim[2]};
    int64_t *at = graph_alloc(x->g, (size_t)(f->count * f->s.length), sizeof *at, x->st);
    if (!at)
        return GRAPH_NO_VALUE;
    for (int64_t k = 0; k < f->count * f->s.length; k++)
        at[k] = k / f->s.length * f->step + k % f->s.length;
    const uint32_t list = expand_list(x, (size_t)(f->count * f->s.length), at);
    expand_int(x, "axis", 1);
    return expand_reshape(x, expand_op2(x, "Gather", x->node.in[0], list), 4, dim);
}

uint32_t expand_stft(expander *x) {
    const graph_value *window = op_in(x->g, &x->node, 2);
    const double *known = window ? window->real : NULL;
    const bool arrives = window && !known;
    frames f;
    if (!frames_read(&f, x->g, &x->node, x->st))
        return GRAPH_NO_VALUE;
    const int64_t dim[2] = {f.s.length, 1};
    uint32_t v = cut(x, &f);
    if (arrives)
        v = expand_op2(x, "Mul", v, expand_reshape(x, x->node.in[2], 2, dim));
    const uint32_t w = weights(x, &f.s, known);
    expand_text(x, "equation", "bfnq,opnq->bfop");
    expand_last(x);
    return expand_op2(x, "Einsum", v, w);
}
