/* Lying provers for lowered programs: after one step of the program something that it wrote is changed, the
 * rest is computed from there on, and the real prover completes the proof. */
#ifndef MICA_TESTS_LYING_KIT_H
#define MICA_TESTS_LYING_KIT_H

#include "lowering_kit.h"

#include "mica/prove.h"
#include "mica/verify.h"

/* Of leaves_cheat.c: lookups of the last proof that have failed, and the layer of the first. */
extern unsigned leaves_failed;
extern uint32_t leaves_failed_layer;

/* --- one lie --- */

static struct {
    const program *p;
    uint32_t step, tensor, cell;
    int32_t by;
    uint32_t item, items;          /* told in this item of the batch; items computed so far */
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
    const bool honest = lie.step == lie.p->n_steps || lie.items++ != lie.item;
    const uint32_t before = honest ? lie.p->n_steps : lie.step + 1;
    run_steps(0, before, value);
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

#define MOST_ITEMS 4

typedef struct sealed {
    uint32_t batch; /* 0: 1 */
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
    m->batch = m->batch ? m->batch : 1;
    (void)setenv("MICA_THREADS", "1", 1); /* items in order: a lie has no context of its own */
    const graph *g = &t->g;
    calibration cal;
    const lowering_options options = {.activation_bits = wide == SPLIT  ? 14
                                                         : wide == FINE ? 12
                                                                        : 0,
                                      .weight_bits = wide == SPLIT ? 16 : 0,
                                      .fine = wide == FINE,
                                      .split = wide == SPLIT,
                                      .max_batch = m->batch};
    ck_assert_msg(graph_infer_shapes(&t->g, &st) && graph_fold_constants(&t->g, &st) &&
                      graph_canonicalise(&t->g, &st),
                  "%s", st.message);
    const uint64_t n = graph_elements(&g->value[g->input[0]]);
    m->sample = malloc(m->batch * n * sizeof *m->sample);
    for (uint64_t i = 0; i < m->batch * n; i++)
        m->sample[i] = sample(t, &g->value[g->input[0]], 0);
    ck_assert_uint_le(m->batch, MOST_ITEMS);
    const double *inputs[MOST_ITEMS][1];
    const double *const *samples[MOST_ITEMS];
    for (uint32_t i = 0; i < m->batch; i++) {
        inputs[i][0] = m->sample + i * n;
        samples[i] = inputs[i];
    }
    ck_assert_msg(calibration_collect(&cal, g, samples, m->batch, &st) &&
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
    m->prover = mica_prover_create(&m->model, m->batch, &st);
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
    const mica_port *x = &m->vk.circuit.input[0];
    const size_t cells = (size_t)mica_port_cells(&m->vk.circuit, x);
    ck_assert(mica_statement_create(&s, &m->vk.circuit, m->batch, &st));
    for (uint32_t i = 0; i < m->batch; i++)
        ck_assert(
            mica_port_quantise(&m->vk.circuit, x, m->sample + i * cells, s.input[0] + i * cells, NULL, &st));
    lie.items = 0;
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

/* --- every step, every tensor, some cells --- */

static inline bool in_box(const mica_tensor *x, uint32_t cell) {
    for (unsigned i = x->rank; i-- > 0; cell >>= mica_log2_ceil(x->dim[i])) {
        if ((cell & ((1u << mica_log2_ceil(x->dim[i])) - 1)) >= x->dim[i])
            return false;
    }
    return true;
}

/* Cells that carry no claim: the padding of a virtual tensor that only the statement or placements of valid
 * cells read is not told apart here, so lies are told in the valid box only; check_protocol_cheat has the
 * padding. What items share is computed by each of them, so that the next would undo the lie. */
static inline bool lie_matters(const sealed *m, uint32_t t, uint32_t cell) {
    const mica_tensor *x = &m->p.circuit.tensor[t];
    return mica_tensor_is_materialised(&m->p.circuit, t) && in_box(x, cell) && (x->batched || m->batch == 1);
}

/* A tuple that is not in its table breaks the sum of the lookups, which is checked before definitions are; if
 * all are in their tables, a definition is broken: that of the tensor that was changed, or of one in a later
 * layer that does not follow it. Outputs that leave their range are refused before everything. */
static inline mica_verdict_code expected_reason(const mica_tensor *x) {
    if (leaves_failed)
        return MICA_REJECT_LOGUP_ROOT;
    return x->kind == MICA_TENSOR_PLACEMENT  ? MICA_REJECT_PLACEMENT
           : x->kind == MICA_TENSOR_CONTRACT ? MICA_REJECT_CONTRACT
                                             : MICA_REJECT_LINEAR;
}

static inline void expect_reason(const sealed *m, const char *name, const mica_verdict *v) {
    const mica_tensor *x = &m->p.circuit.tensor[lie.tensor];
    const mica_verdict_code reason = expected_reason(x);
    const uint32_t layer = leaves_failed ? leaves_failed_layer : v->layer;
    if (v->code == MICA_REJECT_STATEMENT)
        return;
    ck_assert_msg(v->code == reason, "%s: step %u, tensor %u, cell %u: expected %s, not %s: %s", name,
                  lie.step, lie.tensor, lie.cell, mica_verdict_name(reason), mica_verdict_name(v->code),
                  v->detail);
    ck_assert_msg(layer >= x->layer && layer != UINT32_MAX,
                  "%s: step %u, tensor %u, cell %u: found in layer %u, told in layer %u", name, lie.step,
                  lie.tensor, lie.cell, layer, x->layer);
}

/* Proofs with a lie about `per_tensor` cells of every tensor that a step writes. */
static inline void try_all(sealed *m, const char *name, uint32_t per_tensor) {
    unsigned tried = 0, reasons[32] = {0};
    mica_verdict v;
    ck_assert_msg(accepted(m, &v), "%s: the honest proof is rejected: %s", name, v.detail);
    for (uint32_t s = 0; s < m->p.n_steps; s++) {
        for (unsigned k = 0; k < STEP_MAX_TENSORS; k++) {
            const uint32_t t = m->p.step[s].tensor[k];
            if (t >= m->p.circuit.n_tensors || m->p.circuit.tensor[t].kind == MICA_TENSOR_INPUT)
                continue;
            const uint32_t cells = 1u << mica_item_bits(&m->p.circuit.tensor[t]);
            for (uint32_t cell = 0; cell < cells; cell += cells / per_tensor + 1) {
                if (!lie_matters(m, t, cell))
                    continue;
                for (int32_t by = -1; by <= 1; by += 2) {
                    lie.step = s;
                    lie.tensor = t;
                    lie.cell = cell;
                    lie.by = by;
                    lie.told = false;
                    ck_assert_msg(!accepted(m, &v), "%s: accepted: step %u, tensor %u, cell %u, by %d", name,
                                  s, t, cell, by);
                    ck_assert(lie.told);
                    expect_reason(m, name, &v);
                    reasons[v.code < 32 ? v.code : 0]++;
                    tried++;
                }
            }
        }
    }
    (void)printf("%-16s %4u lies rejected:", name, tried);
    for (unsigned i = 1; i < 32; i++) {
        if (reasons[i])
            (void)printf(" %s %u", mica_verdict_name((mica_verdict_code)i), reasons[i]);
    }
    (void)printf("\n");
    ck_assert_uint_gt(tried, 0);
}

#endif
