/* Canonical form: Identity and Dropout disappear; per-channel affine steps with constant coefficients
 * (BatchNormalization, Add, Sub, Mul) move into the Conv, Gemm or MatMul before them; Gemm with constant
 * operands has alpha = beta = 1, transB = 0 and, where it can, a vector bias; dead nodes go.
 *
 * A fused node takes over the output value of the node that it absorbs, so that values keep their names.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/passes.h"
#include "ops/op_rules.h"

typedef struct canon {
    graph *g;
    uint32_t *uses; /* per value that existed when the pass began: reads by live nodes and graph outputs */
    uint32_t n_uses;
    mica_status *st;
} canon;

/* --- Uses --- */

static bool count_uses(canon *c) {
    graph *g = c->g;
    c->n_uses = g->n_values;
    c->uses = calloc(c->n_uses ? c->n_uses : 1, sizeof *c->uses);
    if (!c->uses)
        return mica_fail(c->st, MICA_ERR_MEMORY, "out of memory");
    for (uint32_t j = 0; j < g->n_nodes; j++)
        for (uint32_t i = 0; !g->node[j].removed && i < g->node[j].n_in; i++)
            if (g->node[j].in[i] != GRAPH_NO_VALUE)
                c->uses[g->node[j].in[i]]++;
    for (uint32_t k = 0; k < g->n_outputs; k++)
        c->uses[g->output[k]]++;
    return true;
}

static bool is_graph_output(const graph *g, uint32_t value) {
    for (uint32_t k = 0; k < g->n_outputs; k++)
        if (g->output[k] == value)
            return true;
    return false;
}

static void replace_reads(graph *g, uint32_t from, uint32_t to) {
    for (uint32_t j = 0; j < g->n_nodes; j++)
        for (uint32_t i = 0; !g->node[j].removed && i < g->node[j].n_in; i++)
            if (g->node[j].in[i] == from)
                g->node[j].in[i] = to;
}

/* --- Identity and Dropout --- */

static void remove_copy(canon *c, graph_node *n) {
    graph *g = c->g;
    uint32_t in = n->in[0], out = n->out[0];
    n->kind = OP_IDENTITY;
    n->op = op_rules[OP_IDENTITY].name;
    n->n_in = n->n_out = 1;
    if (!is_graph_output(g, out)) {
        n->removed = true;
        replace_reads(g, out, in);
        c->uses[in] += c->uses[out] - 1;
    } else if (g->value[in].producer != UINT32_MAX && !is_graph_output(g, in)) {
        /* The output's name stays: the producer writes it directly. */
        n->removed = true;
        replace_reads(g, in, out);
        c->uses[out] += c->uses[in] - 1;
        g->value[out].producer = g->value[in].producer;
        g->node[g->value[in].producer].out[0] = out;
    } /* else an input or another output is an output under a second name: the copy stays */
}

/* --- Gemm --- */

/* A new constant [dim...] like `type`, its elements zero; *index names it. Invalidates pointers to values. */
static double *add_constant(canon *c, uint32_t type, uint32_t rank, const int64_t *dim, uint32_t *index) {
    graph *g = c->g;
    graph_value v = {.name = g->value[type].name,
                     .dtype = DTYPE_FLOAT,
                     .onnx_dtype = g->value[type].onnx_dtype,
                     .rank = rank};
    memcpy(v.dim, dim, rank * sizeof *dim);
    v.has_shape = true;
    v.producer = UINT32_MAX;
    double *x = graph_alloc(g, (size_t)graph_elements(&v), sizeof *x, c->st);
    v.real = x;
    *index = x ? graph_add_value(g, &v, c->st) : UINT32_MAX;
    return *index == UINT32_MAX ? NULL : x;
}

/* B := alpha * B, [K,N] whatever transB said. */
static bool normalise_gemm_weights(canon *c, graph_node *n) {
    const graph_value b = c->g->value[n->in[1]];
    double alpha = graph_attr_float(n, "alpha", 1);
    bool transposed = graph_attr_int(n, "transB", 0) != 0;
    int64_t dim[2] = {b.dim[transposed], b.dim[!transposed]};
    uint32_t index;
    if (!transposed && alpha == 1)
        return true;
    double *x = add_constant(c, n->in[1], 2, dim, &index);
    if (!x)
        return false;
    for (int64_t k = 0; k < dim[0]; k++)
        for (int64_t j = 0; j < dim[1]; j++)
            x[k * dim[1] + j] = alpha * b.real[transposed ? j * dim[0] + k : k * dim[1] + j];
    n->in[1] = index;
    return true;
}

/* C := beta * C, [N] unless its rows differ. */
static bool normalise_gemm_bias(canon *c, graph_node *n, int64_t columns) {
    const graph_value bias = c->g->value[n->in[2]];
    double beta = graph_attr_float(n, "beta", 1);
    bool matrix = bias.rank == 2 && bias.dim[0] != 1;
    uint32_t index;
    if (beta == 1 && (matrix || (bias.rank == 1 && bias.dim[0] == columns)))
        return true;
    double *x = matrix ? add_constant(c, n->in[2], 2, bias.dim, &index)
                       : add_constant(c, n->in[2], 1, &columns, &index);
    if (!x)
        return false;
    size_t elements = (size_t)graph_elements(&c->g->value[index]);
    bool spread = graph_elements(&bias) == 1;
    for (size_t i = 0; i < elements; i++)
        x[i] = beta * bias.real[spread ? 0 : i];
    n->in[2] = index;
    return true;
}

/* Attributes of a normalised Gemm: those that still say something. */
static bool set_gemm_attrs(canon *c, graph_node *n, bool keep_beta) {
    graph_attr *attr = graph_alloc(c->g, 2, sizeof *attr, c->st);
    double beta = graph_attr_float(n, "beta", 1);
    bool trans_a = graph_attr_int(n, "transA", 0) != 0;
    if (!attr)
        return false;
    n->n_attrs = 0;
    if (trans_a)
        attr[n->n_attrs++] =
            (graph_attr){.name = "transA", .type = ATTR_INT, .i = 1, .tensor = GRAPH_NO_VALUE};
    if (keep_beta && beta != 1)
        attr[n->n_attrs++] =
            (graph_attr){.name = "beta", .type = ATTR_FLOAT, .f = beta, .tensor = GRAPH_NO_VALUE};
    n->attr = attr;
    return true;
}

static bool normalise_gemm(canon *c, graph_node *n) {
    graph *g = c->g;
    const graph_value *bias = op_in(g, n, 2);
    bool const_bias = bias && bias->real;
    int64_t columns = g->value[n->out[0]].dim[1];
    if (!g->value[n->in[1]].real || !normalise_gemm_weights(c, n))
        return c->st->code == MICA_OK;
    if (const_bias && graph_attr_float(n, "beta", 1) == 0) {
        n->n_in = 2;
        const_bias = false;
    }
    return (!const_bias || normalise_gemm_bias(c, n, columns)) &&
           set_gemm_attrs(c, n, !const_bias && n->n_in == 3);
}

/* --- Affine steps --- */

/* y = scale*x + shift per channel; scale and shift have n entries and belong to the caller. */
typedef struct affine {
    size_t n;
    double *scale, *shift;
    bool scales, shifts;
} affine;

/* The channel axis of what Conv, Gemm or MatMul computes. */
static uint32_t channel_axis(const graph *g, const graph_node *p) {
    return p->kind == OP_CONV ? 1 : g->value[p->out[0]].rank - 1;
}

/* Whether v, broadcast against `like`, varies along `axis` at most, and does not enlarge it. */
static bool is_per_channel(const graph_value *v, const graph_value *like, uint32_t axis) {
    if (v->rank > like->rank)
        return false;
    for (uint32_t i = 0; i < v->rank; i++) {
        uint32_t at = like->rank - v->rank + i;
        if (v->dim[i] != 1 && (at != axis || v->dim[i] != like->dim[at]))
            return false;
    }
    return true;
}

static void affine_of_batchnorm(const graph *g, const graph_node *n, affine *a) {
    const double *p[5];
    double epsilon = graph_attr_float(n, "epsilon", (double)1e-5f);
    for (uint32_t i = 1; i < 5; i++)
        p[i] = op_in(g, n, i)->real;
    for (size_t i = 0; i < a->n; i++) {
        a->scale[i] = p[1][i] / sqrt(p[4][i] + epsilon);
        a->shift[i] = p[2][i] - p[3][i] * a->scale[i];
    }
    a->scales = a->shifts = true;
}

/* Add, Sub, Mul with the constant as input 1 - data. */
static void affine_of_arith(const graph *g, const graph_node *n, uint32_t data, affine *a) {
    const graph_value *v = op_in(g, n, 1 - data);
    bool spread = graph_elements(v) == 1, mul = n->kind == OP_MUL;
    bool negate_x = n->kind == OP_SUB && data == 1, negate_c = n->kind == OP_SUB && data == 0;
    for (size_t i = 0; i < a->n; i++) {
        double x = v->real[spread ? 0 : i];
        a->scale[i] = mul ? x : negate_x ? -1 : 1;
        a->shift[i] = mul ? 0 : negate_c ? -x : x;
    }
    a->scales = mul || negate_x;
    a->shifts = !mul;
}

/* The input that an affine step works on, if all others are constants; UINT32_MAX otherwise. */
static uint32_t affine_data_input(const graph *g, const graph_node *n) {
    if (n->kind == OP_BATCHNORM) {
        for (uint32_t i = 1; i < 5; i++)
            if (!op_in(g, n, i)->real)
                return UINT32_MAX;
        return 0;
    }
    if (n->kind != OP_ADD && n->kind != OP_SUB && n->kind != OP_MUL)
        return UINT32_MAX;
    return op_in(g, n, 1)->real ? 0 : op_in(g, n, 0)->real ? 1 : UINT32_MAX;
}

/* The node that can absorb step n: a linear operator with constant weights whose only reader is n. */
static graph_node *affine_producer(const canon *c, const graph_node *n, uint32_t data) {
    graph *g = c->g;
    const graph_value *x = &g->value[n->in[data]];
    graph_node *p = x->producer == UINT32_MAX ? NULL : &g->node[x->producer];
    if (!p || p->removed || c->uses[n->in[data]] != 1)
        return NULL;
    if (p->kind != OP_CONV && p->kind != OP_GEMM && p->kind != OP_MATMUL)
        return NULL;
    const graph_value *w = op_in(g, p, 1), *bias = op_in(g, p, 2);
    if (!w->real || (bias && (!bias->real || bias->rank != 1)))
        return NULL;
    if (p->kind == OP_MATMUL && w->rank != 2) /* each column of the weights must be one channel */
        return NULL;
    uint32_t axis = channel_axis(g, p);
    if (n->kind == OP_BATCHNORM ? axis != 1 : !is_per_channel(op_in(g, n, 1 - data), x, axis))
        return NULL;
    return p;
}

/* A bias can only be added where the operator has one: MatMul of matrices becomes Gemm. */
static bool takes_bias(const graph *g, const graph_node *p) {
    return p->kind != OP_MATMUL || op_in(g, p, 0)->rank == 2;
}

/* Column or output channel o of the weights times scale[o]. */
static bool scale_weights(canon *c, graph_node *p, const affine *a) {
    const graph_value w = c->g->value[p->in[1]];
    size_t elements = (size_t)graph_elements(&w);
    uint32_t index;
    double *x = add_constant(c, p->in[1], w.rank, w.dim, &index);
    if (!x)
        return false;
    for (size_t i = 0; i < elements; i++)
        x[i] = w.real[i] * a->scale[p->kind == OP_CONV ? i / (elements / a->n) : i % a->n];
    p->in[1] = index;
    return true;
}

static bool shift_bias(canon *c, graph_node *p, const affine *a) {
    const graph_value *old = op_in(c->g, p, 2);
    const double *bias = old ? old->real : NULL;
    int64_t dim = (int64_t)a->n;
    uint32_t *in = graph_alloc(c->g, 3, sizeof *in, c->st), index;
    double *x = in ? add_constant(c, p->in[1], 1, &dim, &index) : NULL;
    if (!x)
        return false;
    for (size_t i = 0; i < a->n; i++)
        x[i] = (bias ? bias[i] * a->scale[i] : 0) + a->shift[i];
    memcpy(in, p->in, 2 * sizeof *in);
    in[2] = index;
    p->in = in;
    p->n_in = 3;
    if (p->kind == OP_MATMUL) {
        p->kind = OP_GEMM;
        p->op = op_rules[OP_GEMM].name;
    }
    return true;
}

static bool absorb(canon *c, graph_node *p, graph_node *n, uint32_t data, affine *a) {
    graph *g = c->g;
    if (n->kind == OP_BATCHNORM)
        affine_of_batchnorm(g, n, a);
    else
        affine_of_arith(g, n, data, a);
    bool biased = op_in(g, p, 2) != NULL;
    if ((a->shifts || biased) && !takes_bias(g, p))
        return true;
    if ((a->scales && !scale_weights(c, p, a)) || ((a->shifts || biased) && !shift_bias(c, p, a)))
        return false;
    uint32_t out = n->out[0];
    g->value[out].producer = g->value[n->in[data]].producer;
    p->out[0] = out;
    n->removed = true;
    return true;
}

static bool fuse_affine(canon *c, graph_node *n) {
    uint32_t data = affine_data_input(c->g, n);
    graph_node *p = data == UINT32_MAX ? NULL : affine_producer(c, n, data);
    if (!p)
        return true;
    affine a = {.n = (size_t)c->g->value[p->out[0]].dim[channel_axis(c->g, p)]};
    if (a.n == 0)
        return true;
    a.scale = calloc(a.n, sizeof *a.scale);
    a.shift = calloc(a.n, sizeof *a.shift);
    bool ok =
        a.scale && a.shift ? absorb(c, p, n, data, &a) : mica_fail(c->st, MICA_ERR_MEMORY, "out of memory");
    free(a.scale);
    free(a.shift);
    return ok;
}

/* --- Dead nodes --- */

static bool remove_dead(canon *c) {
    graph *g = c->g;
    bool *needed = calloc(g->n_values ? g->n_values : 1, sizeof *needed);
    if (!needed)
        return mica_fail(c->st, MICA_ERR_MEMORY, "out of memory");
    for (uint32_t k = 0; k < g->n_outputs; k++)
        needed[g->output[k]] = true;
    for (uint32_t j = g->n_nodes; j-- > 0;) {
        graph_node *n = &g->node[j];
        n->removed |= !needed[n->out[0]]; /* further outputs are never used */
        for (uint32_t i = 0; !n->removed && i < n->n_in; i++)
            if (n->in[i] != GRAPH_NO_VALUE)
                needed[n->in[i]] = true;
    }
    free(needed);
    return true;
}

bool graph_canonicalise(graph *g, mica_status *st) {
    canon c = {.g = g, .st = st};
    bool ok = remove_dead(&c) && graph_recognise(g, st) && graph_expand(g, st) &&
              graph_fold_constants(g, st) && /* expansions have parts that are constant */
              graph_merge(g, st) && count_uses(&c);
    for (uint32_t j = 0; ok && j < g->n_nodes; j++) {
        graph_node *n = &g->node[j];
        if (n->removed)
            continue;
        if (n->kind == OP_IDENTITY || n->kind == OP_DROPOUT)
            remove_copy(&c, n);
        else if (n->kind == OP_GEMM)
            ok = normalise_gemm(&c, n);
        else
            ok = fuse_affine(&c, n);
    }
    free(c.uses);
    return ok && remove_dead(&c);
}
