/* The record that goes into the verifier parameters (docs/formats.md, "Record"). */
#include "driver.h"
#include "graph/digest.h"
#include "mica/float_model.h"

#include <stdio.h>
#include <string.h>

/* What was read, as it was read: names and shapes of the inputs, then every sample. */
static bool digest_samples(const graph *g, const sample_set *s, uint8_t out[DIGEST_BYTES], mica_status *st) {
    digest_hash *h = digest_begin("mica samples v1", st);
    if (!h)
        return false;
    digest_u32(h, g->n_inputs);
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        const graph_value *v = &g->value[g->input[i]];
        const char *name = v->name ? v->name : "";
        digest_u32(h, (uint32_t)strlen(name));
        digest_bytes(h, name, strlen(name));
        digest_u32(h, v->rank);
        for (uint32_t d = 0; d < v->rank; d++)
            digest_u64(h, (uint64_t)v->dim[d]);
    }
    digest_u64(h, s->n);
    for (uint32_t k = 0; k < s->n; k++) {
        for (uint32_t i = 0; i < g->n_inputs; i++) {
            const uint64_t n = graph_elements(&g->value[g->input[i]]);
            for (uint64_t j = 0; j < n; j++) {
                uint64_t bits;
                memcpy(&bits, &s->sample[k][i][j], sizeof bits);
                digest_u64(h, bits);
            }
        }
    }
    digest_end(h, out);
    return true;
}

static bool add_digest(mica_record *r, const char *key, const uint8_t digest[DIGEST_BYTES], mica_status *st) {
    char hex[DIGEST_HEX];
    digest_hex(digest, hex);
    return mica_record_add(r, key, hex, st);
}

static bool add_float(mica_record *r, const compilation *c, mica_status *st) {
    uint8_t digest[DIGEST_BYTES];
    mica_float_digest(c->float_bytes, c->float_size, digest);
    return add_digest(r, "float-model", digest, st);
}

static bool add_samples(mica_record *r, const compilation *c, const sample_set *s, mica_status *st) {
    uint8_t digest[DIGEST_BYTES];
    char number[16];
    (void)snprintf(number, sizeof number, "%u", s->n);
    if (s->n == 0)
        return mica_record_add(r, "calibration", "none", st) && mica_record_add(r, "samples", number, st);
    return digest_samples(&c->graph, s, digest, st) && add_digest(r, "calibration", digest, st) &&
           mica_record_add(r, "samples", number, st);
}

static bool add_range(mica_record *r, const char *key, const compilation *c, uint32_t v, mica_status *st) {
    char line[4096];
    const char *name = c->graph.value[v].name;
    (void)snprintf(line, sizeof line, "%.9g %.9g %s", c->calibration.lo[v], c->calibration.hi[v],
                   name ? name : "");
    return mica_record_add(r, key, line, st);
}

static bool add_ranges(mica_record *r, const compilation *c, mica_status *st) {
    const graph *g = &c->graph;
    for (uint32_t i = 0; i < g->n_inputs; i++) {
        if (!add_range(r, "input", c, g->input[i], st))
            return false;
    }
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const uint32_t v = g->node[i].out[0];
        if (!g->node[i].removed && !graph_is_const(&g->value[v]) && !add_range(r, "range", c, v, st))
            return false;
    }
    return true;
}

bool make_record(mica_record *r, const compilation *c, const sample_set *samples, mica_status *st) {
    compile_request said = *c->request;
    said.model_id = c->vk.model_id; /* also where it was taken from the output's name */
    return mica_record_add(r, "mica", MICA_VERSION, st) && add_digest(r, "model", c->graph.digest, st) &&
           add_float(r, c, st) && add_samples(r, c, samples, st) && options_record(&said, r, st) &&
           add_ranges(r, c, st);
}
