/* Graph inputs that a user makes constants: --const NAME=VALUE. VALUE is
 *   3, [1,2], [[1,2],[3,4]]     a literal: JSON
 *   empty[2,0,4]                a tensor without elements
 *   FILE.npy, FILE.pb, FILE.json   a file; .json holds a literal
 *   digest:HEX                  in records: a tensor that is too large to be told there
 * A binding has a canonical form, which goes into the record of verifier parameters, whatever file it came
 * from: a literal of at most CONSTANT_TOLD elements, or its digest. */
#ifndef MICA_COMPILER_CONSTANTS_H
#define MICA_COMPILER_CONSTANTS_H

#include <stdint.h>

#include "graph/graph.h"

#define CONSTANT_TOLD 64

typedef struct constant_binding {
    char *name, *text; /* text: "NAME=VALUE", canonical */
    uint32_t rank;
    int64_t dim[GRAPH_MAX_RANK]; /* >= 0 */
    uint64_t count;
    double *value; /* [count], row-major, finite */
} constant_binding;

typedef struct constant_set {
    constant_binding *at;
    size_t n;
} constant_set;

/* Where bindings come from: items "NAME=VALUE", and those of `given` in the place of the items of the same
 * name, which there must be. A record's items name no files: an audit is given those of which the record has
 * digests. */
typedef struct constant_source {
    const char *const *item, *const *given;
    size_t n, n_given;
    bool recorded;
} constant_source;

bool constants_read(constant_set *s, const constant_source *from, mica_status *st);
void constants_free(constant_set *s);

/* Freezes the inputs of an imported graph. */
bool constants_freeze(const constant_set *s, graph *g, mica_status *st);

#endif
