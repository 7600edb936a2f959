#include "certificate/certificate_prove.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/parallel.h"
#include "certificate/certificate_cheat.h"
#include "certificate/certificate_file.h"
#include "circuit/circuit_shapes.h"
#include "protocol/prover.h"

/* Cells are computed modulo 2^32, where sums are exact; the final ones lie in the declared ranges. */

/* --- cells by themselves --- */

typedef struct cells_job {
    uint32_t *out;
    const uint32_t *in;
    uint32_t coef;
    certificate_rule rule;
} cells_job;

static void add_cells(void *ctx, size_t begin, size_t end, unsigned worker) {
    const cells_job *j = ctx;
    (void)worker;
    for (size_t i = begin; i < end; i++)
        j->out[i] += j->coef * j->in[i];
}

/* Bits [at, at + width) of max(x, 0) or max(-x, 0); x is above -2^31. */
static void take_bits(void *ctx, size_t begin, size_t end, unsigned worker) {
    const cells_job *j = ctx;
    const uint32_t mask = (1u << j->rule.width) - 1; /* width <= CERT_MAX_DIGIT */
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        const uint32_t x = j->rule.negated ? 0 - j->in[i] : j->in[i];
        j->out[i] = x >> 31 ? 0 : x >> j->rule.at & mask;
    }
}

/* --- cells along axes --- */

/* A walk over valid cells: along each axis `count` steps, which move the places read and written. */
typedef struct cell_walk {
    unsigned rank;
    uint32_t count[MICA_MAX_RANK];
    size_t from[MICA_MAX_RANK], to[MICA_MAX_RANK];
    size_t first; /* place read first; the one written first is 0 */
} cell_walk;

/* out[to] += coef * in[from] at every step. */
static void walk_add(const cell_walk *w, uint32_t *out, const uint32_t *in, uint32_t coef) {
    uint32_t index[MICA_MAX_RANK] = {0};
    in += w->first;
    for (;;) {
        *out += coef * *in;
        unsigned i = w->rank;
        while (i-- > 0) {
            in += w->from[i];
            out += w->to[i];
            if (++index[i] < w->count[i])
                break;
            in -= index[i] * w->from[i];
            out -= index[i] * w->to[i];
            index[i] = 0;
        }
        if (i == UINT_MAX)
            return;
    }
}

/* Cells between neighbours along an axis. */
static size_t axis_step(const mica_tensor *x, unsigned axis) {
    unsigned bits = 0;
    for (unsigned i = axis + 1; i < x->rank; i++)
        bits += mica_log2_ceil(x->dim[i]);
    return (size_t)1 << bits;
}

/* Over the cells of operand x that the view shows, to the cells of `out` that they belong to. */
static cell_walk term_walk(const mica_tensor *out, const mica_tensor *x, const mica_view *v) {
    cell_walk w = {.rank = x->rank};
    for (unsigned i = 0; i < x->rank; i++) {
        const int32_t a = v->axis[i];
        w.from[i] = axis_step(x, i);
        w.to[i] = a >= 0 ? axis_step(out, (unsigned)a) : 0;
        w.count[i] = MICA_VIEW_IS_AT(a) ? 1 : x->dim[i];
        w.first += MICA_VIEW_IS_AT(a) ? MICA_VIEW_AT_INDEX(a) * w.from[i] : 0;
    }
    return w;
}

/* Over the valid cells of `out`, reading one and the same number. */
static cell_walk constant_walk(const mica_tensor *out) {
    cell_walk w = {.rank = out->rank};
    for (unsigned i = 0; i < out->rank; i++) {
        w.to[i] = axis_step(out, i);
        w.count[i] = out->dim[i];
    }
    return w;
}

static size_t padded_cells(const mica_tensor *x) {
    return (size_t)1 << mica_item_bits(x);
}

static void evaluate_linear(const mica_circuit *c, uint32_t t, int32_t *const *value) {
    static const uint32_t one = 1;
    const mica_tensor *x = &c->tensor[t];
    const mica_linear *l = &c->linear[x->def];
    uint32_t *out = (uint32_t *)value[t];
    for (uint32_t i = 0; i < l->n_terms; i++) {
        const mica_term *m = &c->term[l->first_term + i];
        cells_job j = {out, (const uint32_t *)value[m->tensor], (uint32_t)m->coef, {0}};
        if (circuit_is_cellwise(c, m, x)) {
            parallel_for(padded_cells(x), 1 << 14, add_cells, &j);
        } else {
            const cell_walk w = term_walk(x, &c->tensor[m->tensor], &m->view);
            walk_add(&w, out, j.in, j.coef);
        }
    }
    if (l->n_boxes) { /* on all of D: cert_linear */
        const cell_walk w = constant_walk(x);
        walk_add(&w, out, &one, (uint32_t)c->box[l->first_box].coef);
    }
}

static bool evaluate(mica_prover *p, mica_statement *s, int32_t *const *value, mica_status *st) {
    const certificate *k = p->forward_ctx;
    const mica_circuit *c = &k->vk.circuit;
    (void)s;
    (void)st;
    for (uint32_t t = k->n_weights; t < c->n_tensors; t++) {
        if (c->tensor[t].kind == MICA_TENSOR_LINEAR) {
            evaluate_linear(c, t, value);
        } else if (k->rule[t].width) {
            cells_job j = {(uint32_t *)value[t], (const uint32_t *)value[k->rule[t].source], 0, k->rule[t]};
            parallel_for(padded_cells(&c->tensor[t]), 1 << 14, take_bits, &j);
        }
        CERTIFICATE_CHEAT(k, t, value[t]);
    }
    return true;
}

/* --- the proof --- */

/* The prover's view of the same matrix: tensors have other ids in the certificate. */
static bool take_weights(mica_prover *p, const certificate *k, const weight_store *weights, mica_status *st) {
    p->weights = *weights;
    p->weights.value = calloc(k->vk.circuit.n_tensors, sizeof *p->weights.value);
    if (!p->weights.value)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for a weight certificate");
    for (uint32_t w = 0; w < k->n_weights; w++)
        p->weights.value[w] = weights->value[k->weight[w]];
    return true;
}

/* Appends the proof of a part, after its length. */
static bool append_proof(const certificate *k, const weight_store *weights, byte_writer *w, mica_status *st) {
    mica_prover p = {.vk = k->vk, .max_batch = 1, .forward = evaluate, .forward_ctx = k};
    mica_statement s = {.batch = 1};
    uint8_t *proof = NULL;
    size_t n = 0;
    const size_t head = mica_statement_bytes(&k->vk.circuit, 1, 0); /* not stored: it follows from the vk */
    const bool ok = take_weights(&p, k, weights, st) && prover_fill_tables(&p, st) &&
                    mica_prover_prove(&p, &s, &proof, &n, NULL, NULL, NULL, st);
    if (ok) {
        write_u64(w, n - head);
        write_bytes(w, proof + head, n - head);
    }
    free(proof);
    free(p.weights.value);
    prover_release(&p);
    return ok;
}

static bool append_part(const mica_vk *model, uint64_t most, uint32_t part, const weight_store *weights,
                        byte_writer *w, mica_status *st) {
    certificate k;
    if (!certificate_derive(&k, model, most, part, st))
        return false;
    const bool ok = append_proof(&k, weights, w, st);
    certificate_free(&k);
    return ok;
}

bool certificate_make(const mica_vk *model, uint64_t most, const weight_store *weights, uint8_t **file,
                      size_t *size, mica_status *st) {
    uint32_t parts;
    byte_writer w = {0};
    if (!certificate_parts(&model->circuit, most, &parts, st))
        return false;
    write_bytes(&w, MICA_CERTIFICATE_MAGIC, 8);
    write_u32(&w, MICA_CERTIFICATE_VERSION);
    write_bytes(&w, model->digest, MICA_DIGEST_BYTES);
    bool ok = true;
    for (uint32_t i = 0; ok && i < parts; i++)
        ok = append_part(model, most, i, weights, &w, st);
    if (ok && w.failed)
        ok = mica_fail(st, MICA_ERR_MEMORY, "out of memory for a weight certificate");
    if (!ok) {
        free(w.data);
        return false;
    }
    *file = w.data;
    *size = w.size;
    return true;
}

bool mica_certificate_make(const mica_vk *vk, const uint8_t *weights, size_t weights_size, uint8_t **file,
                           size_t *size, mica_status *st) {
    weight_store store;
    const bool ok = weights_load(&store, vk, &(weight_file){weights, weights_size, false}, st) &&
                    certificate_make(vk, CERTIFICATE_PART_LOOKUPS, &store, file, size, st);
    weights_free(&store, vk);
    return ok;
}
