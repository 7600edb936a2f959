/* ONNX file to graph: models, their graphs and nodes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/onnx_types.h"
#include "graph/passes.h"
#include "import/onnx_importer.h"
#include "import/onnx_parse.h"
#include "ops/op_versions.h"
#include "ops/ops.h"

#define MIN_OPSET 1 /* below 7: operators that did not change since (op_versions.h) */
#define MAX_OPSET 21

/* --- Nodes --- */

static bool name_node(importer *im, const Onnx__NodeProto *p, size_t index, graph_node *n) {
    bool standard = import_default_domain(p->domain);
    char text[IMPORT_MAX_NAME];
    if (!p->op_type || !*p->op_type)
        return mica_fail(im->st, MICA_ERR_FORMAT, "node %zu has no operator", index);
    if (standard && !im->standard_domain)
        return mica_fail(im->st, MICA_ERR_FORMAT,
                         "node %zu (%.60s): the model declares no opset of the default domain", index,
                         p->op_type);
    int length =
        snprintf(text, sizeof text, "%s%s%s", standard ? "" : p->domain, standard ? "" : ".", p->op_type);
    if (length < 0 || (size_t)length >= sizeof text)
        return mica_fail(im->st, MICA_ERR_LIMIT, "node %zu: the operator's name is too long", index);
    if (standard && im->g->opset < op_since(p->op_type))
        return mica_fail(im->st, MICA_ERR_UNSUPPORTED,
                         "node %zu (%.60s): opset %lld; this operator is supported from opset %lld", index,
                         p->op_type, (long long)im->g->opset, (long long)op_since(p->op_type));
    n->op = import_name(im, text);
    n->kind = strncmp(text, "mica.", 5) != 0 ? op_find(text) : OP_UNSUPPORTED; /* the compiler's own */
    if (p->name && *p->name) {
        n->name = import_name(im, p->name);
    } else {
        (void)snprintf(text, sizeof text, "%.60s_%zu", p->op_type, index);
        n->name = import_name(im, text);
    }
    return n->name && n->op;
}

/* Why a node's input has no value: it comes later in the file, or not at all. */
static bool fail_unknown_input(const importer *im, const Onnx__GraphProto *p, const graph_node *n,
                               const char *name) {
    for (size_t j = 0; j < p->n_node; j++)
        for (size_t i = 0; i < p->node[j]->n_output; i++)
            if (!strcmp(p->node[j]->output[i], name))
                return mica_fail(
                    im->st, MICA_ERR_FORMAT,
                    "node '%.100s' (%.60s) reads '%.200s' before it is computed: the nodes are not in "
                    "topological order",
                    n->name, n->op, name);
    return mica_fail(im->st, MICA_ERR_FORMAT, "node '%.100s' (%.60s) reads '%.200s', which nothing computes",
                     n->name, n->op, name);
}

static bool read_inputs(importer *im, const Onnx__GraphProto *graph_proto, const Onnx__NodeProto *p,
                        graph_node *n) {
    n->in = graph_alloc(im->g, p->n_input, sizeof *n->in, im->st);
    if (!n->in)
        return false;
    for (size_t i = 0; i < p->n_input; i++) {
        n->in[i] = GRAPH_NO_VALUE;
        if (!*p->input[i])
            continue;
        n->in[i] = import_find(im, p->input[i]);
        if (n->in[i] == NAME_MAP_NONE)
            return fail_unknown_input(im, graph_proto, n, p->input[i]);
        n->n_in = (uint32_t)i + 1; /* trailing absent inputs are not counted */
    }
    return true;
}

static bool read_outputs(importer *im, const Onnx__NodeProto *p, graph_node *n) {
    char what[200];
    (void)snprintf(what, sizeof what, "node '%.100s' (%.60s)", n->name, n->op);
    n->n_out = (uint32_t)p->n_output;
    n->out = graph_alloc(im->g, p->n_output, sizeof *n->out, im->st);
    if (!n->out)
        return false;
    for (size_t i = 0; i < p->n_output; i++) {
        graph_value v = {.producer = im->body ? UINT32_MAX : im->g->n_nodes};
        n->out[i] = GRAPH_NO_VALUE;
        if (!*p->output[i])
            continue;
        n->out[i] = import_value(im, &v, p->output[i], what);
        if (n->out[i] == UINT32_MAX)
            return false;
    }
    return true;
}

/* To the graph, or to the subgraph that is being read. */
static bool add_node(importer *im, const graph_node *n) {
    graph_body *b = im->body;
    if (!b)
        return graph_add_node(im->g, n, im->st) != UINT32_MAX;
    if (b->n_nodes == b->capacity) {
        const uint32_t capacity = b->capacity ? 2 * b->capacity : 16;
        graph_node *more =
            capacity <= GRAPH_MAX_ITEMS ? graph_alloc(im->g, capacity, sizeof *more, im->st) : NULL;
        if (!more)
            return mica_fail(im->st, MICA_ERR_LIMIT, "a subgraph has more than %d nodes", GRAPH_MAX_ITEMS);
        if (b->n_nodes)
            memcpy(more, b->node, b->n_nodes * sizeof *more);
        b->node = more;
        b->capacity = capacity;
    }
    b->node[b->n_nodes++] = *n;
    return true;
}

#define MAX_PARTS 4096 /* each part looks at the sizes of all */

/* A node of several outputs becomes one node for each of them that has a name: nodes of the graph have one.
 * The parts are numbered by attributes of their own; what they share is merged again (merge.c). */
static bool add_parts(importer *im, const graph_node *whole) {
    if (whole->n_out > MAX_PARTS)
        return mica_fail(im->st, MICA_ERR_LIMIT, "node '%.100s' (%.60s) has more than %d outputs",
                         whole->name, whole->op, MAX_PARTS);
    for (uint32_t i = 0; i < whole->n_out; i++) {
        graph_node part = *whole;
        if (whole->out[i] == GRAPH_NO_VALUE)
            continue;
        part.out = &whole->out[i];
        part.n_out = 1;
        if (!im->body)
            im->g->value[part.out[0]].producer = im->g->n_nodes;
        if (i == 0 && whole->kind != OP_SPLIT) { /* a node like any other */
            if (!add_node(im, &part))
                return false;
            continue;
        }
        part.n_attrs = whole->n_attrs + 2;
        part.attr = graph_alloc(im->g, part.n_attrs, sizeof *part.attr, im->st);
        if (!part.attr)
            return false;
        /* First, so that they are found before anything of that name in the file. */
        part.attr[0] = (graph_attr){.name = "mica_part", .type = ATTR_INT, .i = i, .tensor = GRAPH_NO_VALUE};
        part.attr[1] =
            (graph_attr){.name = "mica_parts", .type = ATTR_INT, .i = whole->n_out, .tensor = GRAPH_NO_VALUE};
        if (whole->n_attrs)
            memcpy(part.attr + 2, whole->attr, whole->n_attrs * sizeof *part.attr);
        if (!add_node(im, &part))
            return false;
    }
    return true;
}

static bool read_node(importer *im, const Onnx__GraphProto *graph_proto, size_t index) {
    const Onnx__NodeProto *p = graph_proto->node[index];
    graph_node n = {0};
    if (!name_node(im, p, index, &n))
        return false;
    if (p->n_input > GRAPH_MAX_ITEMS || p->n_output > GRAPH_MAX_ITEMS || p->n_attribute > GRAPH_MAX_ITEMS)
        return mica_fail(im->st, MICA_ERR_LIMIT, "node '%.100s' has too many inputs, outputs or attributes",
                         n.name);
    /* Attributes of operators outside the list may hold anything, and nothing reads them. */
    if (!read_inputs(im, graph_proto, p, &n) || (n.kind != OP_UNSUPPORTED && !import_attrs(im, p, &n)) ||
        !read_outputs(im, p, &n))
        return false;
    if (n.kind == OP_SPLIT || (n.n_out > 1 && op_outputs(n.kind) > 1))
        return add_parts(im, &n);
    return add_node(im, &n);
}

/* --- Inputs and outputs --- */

static int64_t bound_size(const importer *im, const char *name) {
    for (size_t i = 0; name && i < im->n_dims; i++)
        if (!strcmp(im->dims[i].name, name))
            return im->dims[i].size;
    return -1;
}

static bool read_free_dim(importer *im, uint32_t value, uint32_t axis, const char *name) {
    graph_free_dim *d = &im->g->free_dim[im->g->n_free_dims++];
    *d = (graph_free_dim){.value = value, .axis = axis};
    if (name && *name)
        d->name = import_name(im, name);
    return d->name || !name || !*name;
}

static bool read_input_shape(importer *im, const Onnx__TensorShapeProto *shape, uint32_t index) {
    graph_value *v = &im->g->value[index];
    if (shape->n_dim > GRAPH_MAX_RANK)
        return mica_fail(im->st, MICA_ERR_LIMIT,
                         "input '%.200s' has %zu dimensions, at most %d are supported", v->name, shape->n_dim,
                         GRAPH_MAX_RANK);
    v->rank = (uint32_t)shape->n_dim;
    for (uint32_t i = 0; i < v->rank; i++) {
        const Onnx__TensorShapeProto__Dimension *d = shape->dim[i];
        const char *symbol =
            d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM ? d->dim_param : NULL;
        bool fixed =
            d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value >= 0;
        v->dim[i] = fixed ? d->dim_value : bound_size(im, symbol);
        if (v->dim[i] > GRAPH_MAX_ELEMENTS)
            return mica_fail(im->st, MICA_ERR_LIMIT, "input '%.200s': dimension %u is too large", v->name, i);
        if (v->dim[i] < 0 && !read_free_dim(im, index, i, symbol))
            return false;
    }
    v->has_shape = true;
    return true;
}

static bool read_input(importer *im, const Onnx__ValueInfoProto *p) {
    const char *name = p->name ? p->name : "";
    uint32_t known = name_map_get(&im->values, name);
    graph_value v = {.producer = UINT32_MAX};
    if (known != NAME_MAP_NONE && graph_is_const(&im->g->value[known]))
        return true; /* an initialiser that IR versions before 4 had to list here */
    const Onnx__TypeProto__Tensor *t =
        p->type && p->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? p->type->tensor_type : NULL;
    if (!t || !t->shape)
        return mica_fail(im->st, MICA_ERR_UNSUPPORTED, "input '%.200s' is not a tensor of known rank", name);
    v.onnx_dtype = t->has_elem_type ? t->elem_type : 0;
    v.dtype = onnx_type_float(v.onnx_dtype) ? DTYPE_FLOAT : DTYPE_INT;
    if (!onnx_type_bits(v.onnx_dtype))
        return mica_fail(im->st, MICA_ERR_UNSUPPORTED,
                         "input '%.200s' has element type %d; supported are floats, integers and bool", name,
                         v.onnx_dtype);
    uint32_t index = import_value(im, &v, name, "graph inputs");
    if (index == UINT32_MAX)
        return false;
    im->g->input[im->g->n_inputs++] = index;
    return read_input_shape(im, t->shape, index);
}

static bool read_graph_inputs(importer *im, const Onnx__GraphProto *p) {
    graph *g = im->g;
    if (p->n_input > GRAPH_MAX_ITEMS)
        return mica_fail(im->st, MICA_ERR_LIMIT, "the graph has more than %d inputs", GRAPH_MAX_ITEMS);
    g->input = graph_alloc(g, p->n_input, sizeof *g->input, im->st);
    g->free_dim = graph_alloc(g, p->n_input * GRAPH_MAX_RANK, sizeof *g->free_dim, im->st);
    if (!g->input || !g->free_dim)
        return false;
    for (size_t i = 0; i < p->n_input; i++)
        if (!read_input(im, p->input[i]))
            return false;
    graph_find_batch(g);
    return true;
}

static bool read_graph_outputs(importer *im, const Onnx__GraphProto *p) {
    graph *g = im->g;
    if (p->n_output == 0)
        return mica_fail(im->st, MICA_ERR_FORMAT, "the graph has no outputs");
    g->output = graph_alloc(g, p->n_output, sizeof *g->output, im->st);
    if (!g->output)
        return false;
    for (size_t i = 0; i < p->n_output; i++) {
        const char *name = p->output[i]->name ? p->output[i]->name : "";
        uint32_t v = name_map_get(&im->values, name);
        if (v == NAME_MAP_NONE)
            return mica_fail(im->st, MICA_ERR_FORMAT, "nothing computes the output '%.200s'", name);
        for (uint32_t j = 0; j < g->n_outputs; j++)
            if (g->output[j] == v)
                return mica_fail(im->st, MICA_ERR_FORMAT, "the output '%.200s' is listed twice", name);
        g->output[g->n_outputs++] = v;
    }
    return true;
}

static bool read_initialisers(importer *im, const Onnx__GraphProto *p) {
    if (p->n_sparse_initializer)
        return mica_fail(im->st, MICA_ERR_UNSUPPORTED, "sparse initialisers are not supported");
    for (size_t i = 0; i < p->n_initializer; i++) {
        graph_value v = {0};
        if (!import_tensor(im, p->initializer[i], &v) ||
            import_value(im, &v, p->initializer[i]->name, "initialisers") == UINT32_MAX)
            return false;
    }
    return true;
}

/* --- Subgraphs --- */

static bool read_body(importer *im, const Onnx__GraphProto *p) {
    graph_body *b = im->body;
    if (p->n_input > GRAPH_MAX_ITEMS || p->n_output > GRAPH_MAX_ITEMS)
        return mica_fail(im->st, MICA_ERR_LIMIT, "a subgraph has too many inputs or outputs");
    b->in = graph_alloc(im->g, p->n_input, sizeof *b->in, im->st);
    b->out = graph_alloc(im->g, p->n_output, sizeof *b->out, im->st);
    if (!b->in || !b->out || !read_initialisers(im, p))
        return false;
    for (size_t i = 0; i < p->n_input; i++) {
        graph_value v = {.producer = UINT32_MAX};
        b->in[b->n_in] =
            import_value(im, &v, p->input[i]->name ? p->input[i]->name : "", "inputs of a subgraph");
        if (b->in[b->n_in++] == UINT32_MAX)
            return false;
    }
    for (size_t i = 0; i < p->n_node; i++)
        if (!read_node(im, p, i))
            return false;
    for (size_t i = 0; i < p->n_output; i++) {
        const char *name = p->output[i]->name ? p->output[i]->name : "";
        b->out[b->n_out] = import_find(im, name);
        if (b->out[b->n_out++] == NAME_MAP_NONE)
            return mica_fail(im->st, MICA_ERR_FORMAT, "nothing computes the output '%.200s' of a subgraph",
                             name);
    }
    return true;
}

graph_body *import_body(importer *im, const Onnx__GraphProto *p) {
    importer inner = *im;
    graph_body *b = graph_alloc(im->g, 1, sizeof *b, im->st);
    if (!b)
        return NULL;
    if (im->depth == IMPORT_MAX_DEPTH) {
        (void)mica_fail(im->st, MICA_ERR_LIMIT, "more than %d subgraphs within one another",
                        IMPORT_MAX_DEPTH);
        return NULL;
    }
    inner.values = (name_map){0};
    inner.outer = im;
    inner.body = b;
    inner.depth = im->depth + 1;
    b->first_value = im->g->n_values;
    const bool ok = read_body(&inner, p);
    b->end_value = im->g->n_values;
    name_map_free(&inner.values);
    return ok ? b : NULL;
}

/* --- Model --- */

static bool read_opset(importer *im, const Onnx__ModelProto *m) {
    for (size_t i = 0; i < m->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *o = m->opset_import[i];
        if (!import_default_domain(o->domain))
            continue;
        if (im->standard_domain && o->version != im->g->opset)
            return mica_fail(im->st, MICA_ERR_FORMAT, "the model declares two opsets of the default domain");
        if (o->version < MIN_OPSET || o->version > MAX_OPSET)
            return mica_fail(im->st, MICA_ERR_UNSUPPORTED, "opset %lld; supported are %d to %d",
                             (long long)o->version, MIN_OPSET, MAX_OPSET);
        im->g->opset = o->version;
        im->standard_domain = true;
    }
    if (!im->standard_domain) /* that of the operators of which those of other domains are made */
        im->g->opset = MAX_OPSET;
    return true;
}

static bool read_model(importer *im, const Onnx__ModelProto *m) {
    const Onnx__GraphProto *p = m->graph;
    im->g->name = import_name(im, p->name);
    im->g->file = import_name(im, im->path);
    if (!im->g->name || !im->g->file || !read_opset(im, m) || !read_initialisers(im, p) ||
        !read_graph_inputs(im, p))
        return false;
    for (size_t i = 0; i < p->n_node; i++)
        if (!read_node(im, p, i))
            return false;
    return read_graph_outputs(im, p);
}

bool onnx_import(graph *g, const char *path, const dim_binding *dims, size_t n_dims, mica_status *st) {
    importer im = {.g = g, .path = path, .dims = dims, .n_dims = n_dims, .st = st};
    Onnx__ModelProto *m;
    if (!graph_create(g, st))
        return false;
    im.digest = digest_begin("mica model v1", st);
    m = im.digest ? model_read(path, im.digest, st) : NULL;
    bool ok = m && read_model(&im, m);
    digest_end(im.digest, g->digest);
    model_free(m);
    name_map_free(&im.values);
    if (!ok)
        graph_free(g);
    return ok;
}
