/* Shape, Size, Range, ConstantOfShape, EyeLike: values that no element of the network decides. Cast: elements
 * that stay, under another type. */
#include "graph/onnx_types.h"
#include "ops/op_move.h"

#define MAX_EYE ((size_t)1 << 28)

static graph_value type_of(int onnx_dtype) {
    return (graph_value){.dtype = onnx_type_float(onnx_dtype) ? DTYPE_FLOAT : DTYPE_INT,
                         .onnx_dtype = onnx_dtype};
}

/* --- Shape, Size: constants as soon as shapes are known --- */

static bool set_integers(op_context *c, const graph_node *n, const int64_t *v, size_t count, uint32_t rank,
                         mica_status *st) {
    const graph_value type = type_of(ONNX_INT64);
    const int64_t dim[1] = {(int64_t)count};
    int64_t *integer = graph_alloc(c->g, count, sizeof *integer, st);
    if (!integer || !op_set_output(c, n, &type, rank, dim, false, st))
        return false;
    for (size_t i = 0; i < count; i++)
        integer[i] = v[i];
    c->g->value[n->out[0]].integer = integer;
    return true;
}

static int64_t clamp(int64_t x, int64_t lo, int64_t hi) {
    return x < lo ? lo : x > hi ? hi : x;
}

/* The axes [first, end) that Shape tells. */
static void shape_range(const graph_node *n, const graph_value *x, int64_t *first, int64_t *end) {
    const int64_t rank = x->rank, a = graph_attr_int(n, "start", 0), b = graph_attr_int(n, "end", rank);
    *first = clamp(a < 0 ? a + rank : a, 0, rank);
    *end = clamp(b < 0 ? b + rank : b, *first, rank);
}

bool infer_shape(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    int64_t dim[GRAPH_MAX_RANK] = {0}, first, end;
    shape_range(n, x, &first, &end);
    for (int64_t i = first; i < end; i++)
        dim[i - first] = x->dim[i];
    return set_integers(c, n, dim, (size_t)(end - first), 1, st);
}

bool eval_shape(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0);
    int64_t first, end;
    (void)st;
    shape_range(a->n, x, &first, &end);
    for (int64_t i = first; i < end; i++)
        a->out[0][i - first] = (double)x->dim[i];
    return true;
}

bool infer_size(op_context *c, const graph_node *n, mica_status *st) {
    const int64_t elements = (int64_t)graph_elements(op_in(c->g, n, 0));
    return set_integers(c, n, &elements, 1, 0, st);
}

bool eval_size(const op_args *a, mica_status *st) {
    (void)st;
    a->out[0][0] = (double)graph_elements(op_in(a->g, a->n, 0));
    return true;
}

/* --- Range --- */

static bool range_parts(const graph *g, const graph_node *n, double *part, mica_status *st) {
    for (uint32_t i = 0; i < 3; i++) {
        const graph_value *v = op_in(g, n, i);
        if (!graph_is_const(v))
            return op_fail_varying(g, n, i, OP_DECIDES_SHAPE, st);
        if (graph_elements(v) != 1)
            return op_fail(g, n, st, MICA_ERR_FORMAT, "input %u is not one number", i);
        part[i] = v->real ? v->real[0] : (double)v->integer[0];
    }
    return part[2] != 0 || op_fail(g, n, st, MICA_ERR_FORMAT, "the step is zero");
}

bool infer_range(op_context *c, const graph_node *n, mica_status *st) {
    double part[3] = {0, 0, 1};
    if (!op_same_types(c->g, n, st) || !range_parts(c->g, n, part, st))
        return false;
    const double steps = (part[1] - part[0]) / part[2];
    if (!(steps < (double)GRAPH_MAX_ELEMENTS))
        return op_fail(c->g, n, st, MICA_ERR_LIMIT, "the range has too many elements");
    int64_t count = steps > 0 ? (int64_t)steps : 0;
    count += steps > (double)count;
    return op_set_output(c, n, op_in(c->g, n, 0), 1, &count, false, st);
}

bool eval_range(const op_args *a, mica_status *st) {
    (void)st;
    for (int64_t i = 0; i < op_out(a->g, a->n, 0)->dim[0]; i++)
        a->out[0][i] = a->in[0][0] + (double)i * a->in[2][0];
    return true;
}

/* --- ConstantOfShape, EyeLike --- */

bool infer_constantofshape(op_context *c, const graph_node *n, mica_status *st) {
    const graph_attr *a = graph_attr_find(n, "value");
    const graph_value zero = type_of(ONNX_FLOAT), *type = &zero;
    op_ints shape;
    if (!op_int_list(c->g, n, 0, NULL, &shape, st))
        return false;
    if (shape.n > GRAPH_MAX_RANK)
        return op_fail(c->g, n, st, MICA_ERR_LIMIT, "more than %d dimensions", GRAPH_MAX_RANK);
    if (a && (a->tensor == GRAPH_NO_VALUE || graph_elements(&c->g->value[a->tensor]) != 1))
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "the value is not a tensor of one element");
    if (a)
        type = &c->g->value[a->tensor];
    return op_set_output(c, n, type, (uint32_t)shape.n, shape.v, false, st);
}

bool eval_constantofshape(const op_args *a, mica_status *st) {
    const graph_attr *attr = graph_attr_find(a->n, "value");
    const graph_value *v = attr ? &a->g->value[attr->tensor] : NULL;
    const double x = !v ? 0 : v->real ? v->real[0] : (double)v->integer[0];
    (void)st;
    for (size_t e = 0, n = (size_t)graph_elements(op_out(a->g, a->n, 0)); e < n; e++)
        a->out[0][e] = x;
    return true;
}

static bool on_diagonal(const graph_node *n, const graph_value *y, size_t e) {
    const int64_t k = clamp(graph_attr_int(n, "k", 0), -GRAPH_MAX_ELEMENTS, GRAPH_MAX_ELEMENTS);
    return (int64_t)e % y->dim[1] - (int64_t)e / y->dim[1] == k;
}

/* The input gives the shape only: the output is known whatever the elements are. */
static bool set_eye(graph *g, const graph_node *n, mica_status *st) {
    graph_value *y = &g->value[n->out[0]];
    const size_t elements = (size_t)graph_elements(y);
    if (elements > MAX_EYE)
        return op_fail(g, n, st, MICA_ERR_LIMIT, "a constant of more than 2^28 elements");
    int64_t *integer = y->dtype == DTYPE_INT ? graph_alloc(g, elements, sizeof *integer, st) : NULL;
    double *real = y->dtype == DTYPE_FLOAT ? graph_alloc(g, elements, sizeof *real, st) : NULL;
    if (!integer && !real)
        return false;
    for (size_t e = 0; e < elements; e++) {
        if (integer)
            integer[e] = on_diagonal(n, y, e);
        else
            real[e] = on_diagonal(n, y, e);
    }
    y->integer = integer;
    y->real = real;
    return true;
}

bool infer_eyelike(op_context *c, const graph_node *n, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    const int type = (int)graph_attr_int(n, "dtype", x->onnx_dtype);
    const graph_value like = type_of(type);
    if (x->rank != 2 || !onnx_type_bits(type))
        return op_fail(c->g, n, st, MICA_ERR_FORMAT, "it takes a matrix, and a numeric element type");
    if (x->batched)
        return op_mixes_batch(c);
    const int64_t dim[2] = {x->dim[0], x->dim[1]};
    return op_set_output(c, n, &like, 2, dim, false, st) && set_eye(c->g, n, st);
}

bool eval_eyelike(const op_args *a, mica_status *st) {
    const graph_value *y = op_out(a->g, a->n, 0);
    (void)st;
    for (size_t e = 0, n = (size_t)graph_elements(y); e < n; e++)
        a->out[0][e] = on_diagonal(a->n, y, e);
    return true;
}

/* --- Cast --- */

static bool infer_conversion(op_context *c, const graph_node *n, int type, mica_status *st) {
    const graph_value *x = op_in(c->g, n, 0);
    const graph_value like = type_of(type);
    int64_t dim[GRAPH_MAX_RANK];
    if (!onnx_type_bits(like.onnx_dtype))
        return op_fail(c->g, n, st, MICA_ERR_UNSUPPORTED,
                       "element type %d; supported are floats, integers and bool", like.onnx_dtype);
    for (uint32_t i = 0; i < x->rank; i++)
        dim[i] = x->dim[i];
    return op_set_output(c, n, &like, x->rank, dim, x->batched, st);
}

bool infer_cast(op_context *c, const graph_node *n, mica_status *st) {
    return infer_conversion(c, n, (int)graph_attr_int(n, "to", 0), st);
}

bool infer_castlike(op_context *c, const graph_node *n, mica_status *st) {
    return infer_conversion(c, n, op_in(c->g, n, 1)->onnx_dtype, st);
}

bool eval_castlike(const op_args *a, mica_status *st) {
    return eval_cast(a, st);
}

/* The standard says so of integers, and leaves reals open; its tests wrap those of four bits. */
bool cast_wraps(const graph_value *from, const graph_value *to) {
    return to->dtype == DTYPE_INT && (from->dtype == DTYPE_INT || onnx_type_bits(to->onnx_dtype) == 4);
}

bool eval_cast(const op_args *a, mica_status *st) {
    const graph_value *x = op_in(a->g, a->n, 0), *y = op_out(a->g, a->n, 0);
    for (size_t e = 0, n = (size_t)graph_elements(y); e < n; e++) {
        const double v = a->in[0][e];
        if (y->onnx_dtype == ONNX_BOOL) {
            a->out[0][e] = v != 0;
        } else if (y->dtype == DTYPE_FLOAT) {
            a->out[0][e] = y->onnx_dtype == ONNX_DOUBLE ? v : (double)(float)v;
        } else if (!(v >= -0x1p62 && v <= 0x1p62)) {
            return op_fail(a->g, a->n, st, MICA_ERR_UNSUPPORTED, "%g does not fit an integer", v);
        } else { /* towards zero; integers wrap in their type */
            a->out[0][e] = cast_wraps(x, y) ? (double)onnx_wrap_integer(y->onnx_dtype, (uint64_t)(int64_t)v)
                                            : (double)(int64_t)v;
        }
    }
    return true;
}
