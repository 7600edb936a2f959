/* DFT, STFT, and the windows that frames are weighted with. */
#include <string.h>

#include "graph/onnx_types.h"
#include "ops/op_move.h"
#include "ops/spectrum.h"
#include "reference/float_math.h"

#define PI         0x1.921fb54442d18p+1
#define MAX_LENGTH (1 << 16) /* of a transform: its matrix has the square */

/* An optional input that holds one integer, a constant. */
static bool read_number(const graph *g, const graph_node *n, uint32_t input, int64_t *x, bool *given,
                        mica_status *st) {
    const graph_value *v = op_in(g, n, input);
    *given = v != NULL;
    if (!v)
        return true;
    if (!v->integer || graph_elements(v) != 1)
        return op_fail(g, n, st, MICA_ERR_UNSUPPORTED, "input %u is not one constant integer", input);
    *x = v->integer[0];
    return true;
}

/* --- DFT --- */

static bool read_axis(spectrum *s, const graph *g, const graph_node *n, mica_status *st) {
    const int64_t rank = op_in(g, n, 0)->rank;
    int64_t axis = -2;
    bool given;
    if (g->opset < 20)
        axis = graph_attr_int(n, "axis", 1);
    else if (!read_number(g, n, 2, &axis, &given, st))
        return false;
    axis += axis < 0 ? rank : 0;
    s->axis = (uint32_t)axis;
    return (rank >= 2 && axis >= 0 && axis < rank - 1) ||
           op_fail(g, n, st, MICA_ERR_FORMAT, "the axis is none of the samples'");
}

bool spectrum_read(spectrum *s, const graph *g, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(g, n, 0);
    bool given;
    memset(s, 0, sizeof *s);
    s->inverse = graph_attr_int(n, "inverse", 0) != 0;
    s->half = graph_attr_int(n, "onesided", 0) != 0;
    if (!read_axis(s, g, n, st))
        return false;
    s->samples = x->dim[s->axis];
    s->length = s->inverse && s->half ? 2 * (s->samples - 1) : s->samples;
    if (!read_number(g, n, 1, &s->length, &given, st))
        return false;
    s->parts_in = (uint32_t)x->dim[x->rank - 1];
    if (x->dim[x->rank - 1] < 1 || x->dim[x->rank - 1] > 2 || (s->half && !s->inverse && s->parts_in != 1))
        return op_fail(g, n, st, MICA_ERR_FORMAT, "the last axis holds the parts of a number: 1, or 2");
    if (s->length < 1 || s->length > MAX_LENGTH || s->samples < 1 || s->samples > MAX_LENGTH)
        return op_fail(g, n, st, MICA_ERR_LIMIT, "transforms of 1 to %d samples are supported", MAX_LENGTH);
    s->bins = s->half && !s->inverse ? s->length / 2 + 1 : s->length;
    s->parts_out = s->half && s->inverse ? 1 : 2;
    return true;
}

double spectrum_weight(const spectrum *s, int64_t o, uint32_t p, int64_t i, uint32_t q) {
    const bool to_real = s->inverse && s->half;
    if (i >= (to_real ? s->length / 2 + 1 : s->length))
        return 0;
    const double angle = 2 * PI * (double)(o * i % s->length) / (double)s->length;
    const double sine = s->inverse ? fm_sin(angle) : -fm_sin(angle); /* e^(+-i angle) = cos + i sine */
    const double w = p == q ? fm_cos(angle) : p == 1 ? sine : -sine;
    if (!s->inverse)
        return w;
    /* The other half of a real signal's spectrum is this one's mirror image. */
    const bool single = i == 0 || 2 * i == s->length;
    return w / (double)s->length * (to_real && !single ? 2 : 1);
}

bool infer_dft(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    int64_t dim[GRAPH_MAX_RANK];
    spectrum s;
    if (x->dtype != DTYPE_FLOAT)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the input holds integers");
    if (!spectrum_read(&s, c->g, n, st))
        return false;
    if (x->batched && s.axis == 0)
        return op_mixes_batch(c);
    memcpy(dim, x->dim, x->rank * sizeof *dim);
    dim[s.axis] = s.bins;
    dim[x->rank - 1] = s.parts_out;
    return op_set_output(c, n, x, x->rank, dim, x->batched, st);
}

/* One line: x[i * stride + q], y[o * stride_out + p]. */
static void transform(const spectrum *s, const double *x, size_t stride, double *y, size_t stride_out) {
    for (int64_t o = 0; o < s->bins; o++)
        for (uint32_t p = 0; p < s->parts_out; p++) {
            double sum = 0;
            for (int64_t i = 0; i < s->samples; i++)
                for (uint32_t q = 0; q < s->parts_in; q++)
                    sum += spectrum_weight(s, o, p, i, q) * x[(size_t)i * stride + q];
            y[(size_t)o * stride_out + p] = sum;
        }
}

bool eval_dft(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    spectrum s;
    if (!spectrum_read(&s, a->g, a->n, st))
        return false;
    const size_t outer = (size_t)op_product(x->dim, s.axis),
                 inner = (size_t)op_product(x->dim + s.axis + 1, x->rank - s.axis - 2);
    for (size_t k = 0; k < outer; k++)
        for (size_t j = 0; j < inner; j++)
            transform(&s, a->in[0] + (k * (size_t)s.samples * inner + j) * s.parts_in, inner * s.parts_in,
                      a->out[0] + (k * (size_t)s.bins * inner + j) * s.parts_out, inner * s.parts_out);
    return true;
}

/* --- STFT --- */

bool frames_read(frames *f, const graph *g, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(g, n, 0), *window = op_in(g, n, 2);
    bool given;
    memset(f, 0, sizeof *f);
    if (x->rank != 3 || x->dim[2] < 1 || x->dim[2] > 2)
        return op_fail(g, n, st, MICA_ERR_FORMAT, "the signal is not [batch, samples, parts]");
    int64_t length = window ? window->dim[0] : x->dim[1];
    if (!read_number(g, n, 1, &f->step, &given, st) || !read_number(g, n, 3, &length, &given, st))
        return false;
    if (f->step < 1 || length < 1 || length > MAX_LENGTH || length > x->dim[1] ||
        (window && (window->rank != 1 || window->dim[0] != length)))
        return op_fail(g, n, st, MICA_ERR_FORMAT, "frames of %lld samples do not fit", (long long)length);
    f->count = (x->dim[1] - length) / f->step + 1;
    f->s.axis = 1;
    f->s.length = f->s.samples = length;
    f->s.half = graph_attr_int(n, "onesided", 1) != 0;
    f->s.bins = f->s.half ? length / 2 + 1 : length;
    f->s.parts_in = (uint32_t)x->dim[2];
    f->s.parts_out = 2;
    return true;
}

bool infer_stft(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0), *window = op_in(c->g, n, 2);
    frames f;
    if (x->dtype != DTYPE_FLOAT || (window && window->dtype != DTYPE_FLOAT))
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "signal or window holds integers");
    if (window && window->batched)
        return op_mixes_batch(c);
    if (!frames_read(&f, c->g, n, st))
        return false;
    const int64_t dim[4] = {x->dim[0], f.count, f.s.bins, f.s.parts_out};
    return op_set_output(c, n, x, 4, dim, x->batched, st);
}

bool eval_stft(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    const bool weighted = op_in(a->g, a->n, 2) != NULL;
    double *y = a->out[0];
    frames f;
    if (!frames_read(&f, a->g, a->n, st))
        return false;
    for (int64_t b = 0; b < x->dim[0]; b++)
        for (int64_t k = 0; k < f.count; k++)
            for (int64_t o = 0; o < f.s.bins; o++)
                for (uint32_t p = 0; p < 2; p++) {
                    double sum = 0;
                    for (int64_t i = 0; i < f.s.length; i++)
                        for (uint32_t q = 0; q < f.s.parts_in; q++) {
                            const int64_t at = (b * x->dim[1] + k * f.step + i) * x->dim[2] + q;
                            sum += spectrum_weight(&f.s, o, p, i, q) * (weighted ? a->in[2][i] : 1) *
                                   a->in[0][at];
                        }
                    *y++ = sum;
                }
    return true;
}

/* --- windows --- */

static bool infer_window(op_context *c, const graph_node *n, mica_status *st) {
    const int type = (int)graph_attr_int(n, "output_datatype", ONNX_FLOAT);
    const graph_value like = {.dtype = onnx_type_float(type) ? DTYPE_FLOAT : DTYPE_INT, .onnx_dtype = type};
    int64_t size = 0;
    bool given;
    if (!onnx_type_bits(type))
        return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED, "element type %d", type);
    if (!read_number(c->g, n, 0, &size, &given, st))
        return false;
    if (size < 0 || size > GRAPH_MAX_ELEMENTS)
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "a window of %lld samples", (long long)size);
    return op_set_output(c, n, &like, 1, &size, false, st);
}

/* Sum of c[k] cos(2 pi k i / steps). */
static bool eval_window(const op_args *a, double c0, double c1, double c2) {
    const graph_value *y = op_out(a->g, a->n, 0);
    const bool periodic = graph_attr_int(a->n, "periodic", 1) != 0;
    const double steps = (double)(y->dim[0] - (periodic || y->dim[0] == 1 ? 0 : 1));
    for (int64_t i = 0; i < y->dim[0]; i++) {
        const double angle = 2 * PI * (double)i / steps;
        const double w = c0 + c1 * fm_cos(angle) + c2 * fm_cos(2 * angle);
        a->out[0][i] = y->dtype == DTYPE_FLOAT ? w : (double)(int64_t)w;
    }
    return true;
}

bool infer_hannwindow(op_context *c, const graph_node *n, mica_status *st) {
    return infer_window(c, n, st);
}

bool infer_hammingwindow(op_context *c, const graph_node *n, mica_status *st) {
    return infer_window(c, n, st);
}

bool infer_blackmanwindow(op_context *c, const graph_node *n, mica_status *st) {
    return infer_window(c, n, st);
}

bool eval_hannwindow(const op_args *a, mica_status *st) {
    (void)st;
    return eval_window(a, 0.5, -0.5, 0);
}

bool eval_hammingwindow(const op_args *a, mica_status *st) {
    (void)st;
    return eval_window(a, 25.0 / 46, -21.0 / 46, 0);
}

bool eval_blackmanwindow(const op_args *a, mica_status *st) {
    (void)st;
    return eval_window(a, 0.42, -0.5, 0.08);
}
