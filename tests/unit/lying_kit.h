/* Lying provers for lowered programs: after one step of the program something that it wrote is changed, the
 * rest is computed from there on, and the real prover completes the proof. */
#ifndef MICA_TESTS_LYING_KIT_H
#define MICA_TESTS_LYING_KIT_H

#include "lowering_kit.h"

#include "mica/prove.h"
#include "mica/verify.h"

/* --- one lie --- */

static struct {
    const program *p;
    uint32_t step, tensor, cell;
    int32_t by;
    void (*tell)(int32_t **value); /* what is done instead of adding `by` to a cell, unless NULL */
    bool told;                     /* the lie was told in this run */
    uint32_t broken, layer;        /* lookups that the lie leaves without a row, and the layer of the first */
} lie;

/* Runs steps [first, last) of the program; a value that leaves its range ends the run, as it would end a
 * prover that checks itself, but the cells stay as they are and the proof goes on. */
static inline void run_steps(uint32_t first, uint32_t last, int32_t **value) {
    program part = *lie.p;
    mica_status ignored = {0};
    part.step += first;
    part.n_steps = last - first;
    if (lie.tell && lie.told) { /* a prover that keeps every equation: no range stops it */
        part.circuit.tensor = malloc(part.circuit.n_tensors * sizeof *part.circuit.tensor);
        for (uint32_t t = 0; t < part.circuit.n_tensors; t++) {
            mica_tensor *x = &part.circuit.tensor[t];
            *x = lie.p->circuit.tensor[t];
            if (x->kind != MICA_TENSOR_WITNESS) { /* the range of a limb is its width */
                x->lo = -INT32_MAX;
                x->hi = INT32_MAX;
            }
        }
    }
    (void)program_interpret(&part, value, &ignored);
    if (part.circuit.tensor != lie.p->circuit.tensor)
        free(part.circuit.tensor);
}

static inline bool has_rows(const mica_lookup *u, int32_t *const *value) {
    const mica_circuit *c = &lie.p->circuit;
    const mica_tensor *x = &c->tensor[u->entry[0]];
    const mica_table_def *def = &c->table[u->table].def;
    int32_t *row = malloc(sizeof *row << def->bits);
    bool ok = true;
    mica_table_fill(def, row);
    for (uint32_t cell = 0; cell < 1u << mica_item_bits(x); cell++) {
        const int64_t key = (int64_t)value[u->entry[0]][cell] - def->lo_key;
        bool inside = true;
        for (unsigned i = x->rank, at = cell; i-- > 0; at >>= mica_log2_ceil(x->dim[i]))
            inside &= (at & ((1u << mica_log2_ceil(x->dim[i])) - 1)) < x->dim[i];
        ok &= !inside || (key >= 0 && key < INT64_C(1) << def->bits &&
                          (u->n_entries == 1 || value[u->entry[1]][cell] == row[key]));
    }
    free(row);
    return ok;
}

/* Which lookups the lie breaks: what the argument has to find. */
static inline void find_broken(int32_t *const *value) {
    const mica_circuit *c = &lie.p->circuit;
    lie.broken = 0;
    lie.layer = UINT32_MAX;
    for (uint32_t i = c->n_lookups; i-- > 0;)
        if (!has_rows(&c->lookup[i], value)) {
            lie.broken++;
            lie.layer = c->lookup[i].layer;
        }
}

static inline void run_with_lie(const mica_frame *f) {
    const mica_circuit *c = &lie.p->circuit;
    int32_t **value = calloc(c->n_tensors, sizeof *value);
    for (uint32_t t = 0; t < c->n_tensors; t++)
        value[t] =
            f->value[t] ? f->value[t] : calloc((size_t)1 << mica_item_bits(&c->tensor[t]), sizeof(int32_t));
    const bool honest = lie.step == lie.p->n_steps;
    run_steps(0, honest ? lie.step : lie.step + 1, value);
    if (!honest) {
        if (lie.tell)
            lie.tell(value);
        else
            value[lie.tensor][lie.cell] += lie.by;
        lie.told = true;
        for (uint32_t s = lie.step + 1; s < lie.p->n_steps; s++)
            run_steps(s, s + 1, value);
        if (lie.tell)
            find_broken(value);
    }
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        if (value[t] != f->value[t])
            free(value[t]);
    }
    free(value);
}

/* --- models --- */

typedef struct sealed {
    program p;
    mica_vk vk;
    uint8_t *bytes, *weights;
    size_t size, weights_size;
    double *sample;
    mica_prover *prover;
    mica_model model;
} sealed;

/* What a case asks of the lowering. */
typedef enum widths {
    AS_IT_COMES,
    FINE, /* no resolution given up: requantisation in two stages */
    SPLIT /* weights of two limbs */
} widths;

static inline void seal(sealed *m, net *t, widths wide) {
    mica_status st = {0};
    const graph *g = &t->g;
    calibration cal;
    const lowering_options options = {.activation_bits = wide == SPLIT  ? 14
                                                         : wide == FINE ? 12
                                                                        : 0,
                                      .weight_bits = wide == SPLIT ? 16 : 0,
                                      .fine = wide == FINE,
                                      .split = wide == SPLIT,
                                      .max_batch = 1};
    ck_assert_msg(graph_infer_shapes(&t->g, &st) && graph_fold_constants(&t->g, &st) &&
                      graph_canonicalise(&t->g, &st),
                  "%s", st.message);
    const uint64_t n = graph_elements(&g->value[g->input[0]]);
    m->sample = malloc(n * sizeof *m->sample);
    for (uint64_t i = 0; i < n; i++)
        m->sample[i] = sample(t, &g->value[g->input[0]], 0);
    const double *inputs[1] = {m->sample};
    const double *const *samples[1] = {inputs};
    ck_assert_msg(calibration_collect(&cal, g, samples, 1, &st) &&
                      lower_graph(&m->p, NULL, g, &cal, &options, &st),
                  "%s", st.message);
    calibration_free(&cal);
    ck_assert(wide != SPLIT || m->p.circuit.n_contract > 2); /* of two products */
    m->vk = (mica_vk){.circuit = m->p.circuit, .security_bits = 40};
    ck_assert_msg(mica_weights_commit(&m->vk, (const int32_t *const *)m->p.weight, &m->weights,
                                      &m->weights_size, &st) &&
                      mica_vk_write(&m->vk, &m->bytes, &m->size, &st),
                  "%s", st.message);
    m->model = (mica_model){m->bytes, m->size, m->weights, m->weights_size, 64, run_with_lie, NULL, NULL};
    lie.p = &m->p;
    lie.step = m->p.n_steps;
    m->prover = mica_prover_create(&m->model, 1, &st);
    ck_assert_msg(m->prover != NULL, "%s", st.message);
}

static inline void unseal(sealed *m) {
    mica_prover_free(m->prover);
    program_free(&m->p);
    free(m->bytes);
    free(m->weights);
    free(m->sample);
}

/* Proves with the present lie and verifies. */
static inline bool accepted(sealed *m, mica_verdict *v) {
    mica_status st = {0};
    mica_statement s;
    uint8_t *file = NULL;
    size_t size, used;
    const mica_verify_options options = {.min_security_bits = 40};
    ck_assert(mica_statement_create(&s, &m->vk.circuit, 1, &st));
    ck_assert(mica_port_quantise(&m->vk.circuit, &m->vk.circuit.input[0], m->sample, s.input[0], NULL, &st));
    ck_assert_msg(mica_prover_prove(m->prover, &s, &file, &size, NULL, NULL, NULL, &st), "%s", st.message);
    mica_statement_free(&s, &m->vk.circuit);
    *v = (mica_verdict){0};
    ck_assert(mica_statement_read(&s, &m->vk.circuit, file, size, &used, &st, v));
    const bool ok = mica_verify(&m->vk, &s, file + used, size - used, &options, v, &st);
    ck_assert_msg(ok || v->code != MICA_VERDICT_UNSET, "no decision: %s", st.message);
    mica_statement_free(&s, &m->vk.circuit);
    free(file);
    return ok;
}

#endif
