/* What the parts of the ONNX import share: onnx_import.c (models, nodes), onnx_attr.c (names, tensors,
 * attributes). They alone see protobuf. Everything in the file is hostile: names, counts, nesting and sizes
 * are checked before they are used. */
#ifndef MICA_COMPILER_ONNX_IMPORTER_H
#define MICA_COMPILER_ONNX_IMPORTER_H

#include "graph/digest.h"
#include "graph/graph.h"
#include "graph/passes.h"
#include "import/name_map.h"
#include "onnx.pb-c.h"

#define IMPORT_MAX_NAME  4096 /* bytes of a name */
#define IMPORT_MAX_DEPTH 8    /* subgraphs within subgraphs */

typedef struct importer {
    graph *g;
    const char *path;
    name_map values; /* of this graph; those of the graphs around it are found through `outer` */
    const struct importer *outer;
    graph_body *body;    /* that nodes are added to; NULL: to the graph itself */
    unsigned depth;      /* graphs around this one */
    digest_hash *digest; /* of all files that the model consists of */
    const dim_binding *dims;
    size_t n_dims;
    bool standard_domain; /* the model declares an opset of the default domain */
    mica_status *st;
} importer;

/* A copy in the graph's pool. Control characters are refused, so that names can go to terminals and files as
 * they are. */
const char *import_name(importer *im, const char *s);
bool import_default_domain(const char *domain);
/* Adds a value under a name that must be new in this graph; UINT32_MAX after an error. */
uint32_t import_value(importer *im, graph_value *v, const char *name, const char *what);
/* The value of that name in this graph or one around it, or NAME_MAP_NONE. */
uint32_t import_find(const importer *im, const char *name);
bool import_tensor(importer *im, const Onnx__TensorProto *p, graph_value *v);
bool import_attrs(importer *im, const Onnx__NodeProto *p, graph_node *n);
/* A subgraph, in the pool; NULL after an error. onnx_import.c */
graph_body *import_body(importer *im, const Onnx__GraphProto *p);

#endif
