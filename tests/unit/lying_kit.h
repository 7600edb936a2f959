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
    int32_t **row; /* of each table of p */
    uint32_t step, tensor, cell;
    int32_t by;
    uint32_t item, items;          /* told in this item of the batch; items computed so far */
    void (*tell)(int32_t **value); /* what is done instead of adding `by` to a cell, unless NULL */
    bool told;                     /* the lie was told in this run */
    /* what the lie breaks, by the definitions of tables and relations alone: what the verifier has to find */
    uint32_t broken, layer;                      /* lookups without a row, and the layer of the first */
    uint32_t definitions, definition, elsewhere; /* virtual tensors that are not what they are defined as, the
                                                    last, and how many are not of the layer of `tensor` */
} lie;

#define WIDE (INT32_C(1) << 28) /* products of two such cells, added up 2^6 times, stay below 2^63 */

/* The tensors of the program with no bounds on what follows from a lie by an equation: on virtual tensors,
 * and on maxima, of which the lookup is an entry. The ranges of other witnesses are those of limbs and
 * tables. */
static inline mica_tensor *without_bounds(const program *p) {
    mica_tensor *wide = malloc(p->circuit.n_tensors * sizeof *wide);
    for (uint32_t t = 0; t < p->circuit.n_tensors; t++) {
        wide[t] = p->circuit.tensor[t];
        if (wide[t].kind != MICA_TENSOR_WITNESS && wide[t].kind != MICA_TENSOR_WEIGHT) {
            wide[t].lo = wide[t].lo < -WIDE ? wide[t].lo : -WIDE;
            wide[t].hi = wide[t].hi > WIDE ? wide[t].hi : WIDE;
        }
    }
    for (uint32_t s = 0; s < p->n_steps; s++) {
        if (p->step[s].kind == STEP_MAX) {
            wide[p->step[s].tensor[0]].lo = -WIDE;
            wide[p->step[s].tensor[0]].hi = WIDE;
        }
    }
    return wide;
}

/* Runs one step; false if it ended early. A prover that has lied keeps every equation that it still can: no
 * range stops it, so that nothing is broken but where it lied, and lookups of what follows. */
static inline bool run_step_alone(const step *s, int32_t **value) {
    program part = *lie.p;
    mica_status ignored = {0};
    part.step = (step *)s;
    part.n_steps = 1;
    part.circuit.n_lookups = 0; /* they are found_broken's */
    part.circuit.n_tables = s->table == UINT32_MAX ? 0 : s->table + 1;
    part.circuit.tensor = without_bounds(lie.p);
    const bool ok = program_interpret(&part, value, &ignored);
    free(part.circuit.tensor);
    return ok;
}

static inline bool in_box(const mica_tensor *x, uint32_t cell) {
    for (unsigned i = x->rank; i-- > 0; cell >>= mica_log2_ceil(x->dim[i])) {
        if ((cell & ((1u << mica_log2_ceil(x->dim[i])) - 1)) >= x->dim[i])
            return false;
    }
    return true;
}

static inline bool has_rows(const mica_lookup *u, int32_t *const *value) {
    const mica_circuit *c = &lie.p->circuit;
    const mica_tensor *x = &c->tensor[u->entry[0]];
    const mica_table_def *def = &c->table[u->table].def;
    bool ok = true;
    for (uint32_t cell = 0; cell < 1u << mica_item_bits(x); cell++) {
        const int64_t key = (int64_t)value[u->entry[0]][cell] - def->lo_key;
        ok &= !in_box(x, cell) || (key >= 0 && key < INT64_C(1) << def->bits &&
                                   (u->n_entries == 1 || value[u->entry[1]][cell] == lie.row[u->table][key]));
    }
    return ok;
}

/* Whether a virtual tensor is what its definition says of the others. */
static inline bool is_as_defined(uint32_t t, int32_t **value) {
    const size_t cells = (size_t)1 << mica_item_bits(&lie.p->circuit.tensor[t]);
    const step again = {.kind = STEP_EVALUATE, .table = UINT32_MAX, .tensor = {t}};
    int32_t *const claimed = value[t];
    value[t] = calloc(cells, sizeof *claimed);
    const bool same =
        run_step_alone(&again, value) && memcmp(value[t], claimed, cells * sizeof *claimed) == 0;
    free(value[t]);
    value[t] = claimed;
    return same;
}

static inline void find_broken(int32_t **value) {
    const mica_circuit *c = &lie.p->circuit;
    lie.broken = lie.definitions = lie.elsewhere = 0;
    lie.layer = lie.definition = UINT32_MAX;
    for (uint32_t i = c->n_lookups; i-- > 0;)
        if (!has_rows(&c->lookup[i], value)) {
            lie.broken++;
            lie.layer = c->lookup[i].layer;
        }
    for (uint32_t t = 0; t < c->n_tensors; t++)
        if (c->tensor[t].kind >= MICA_TENSOR_LINEAR && !is_as_defined(t, value)) {
            lie.definitions++;
            lie.definition = t;
            lie.elsewhere += c->tensor[t].layer != c->tensor[lie.tensor].layer;
        }
}

static inline void run_with_lie(const mica_frame *f) {
    const mica_circuit *c = &lie.p->circuit;
    int32_t **value = calloc(c->n_tensors, sizeof *value);
    for (uint32_t t = 0; t < c->n_tensors; t++)
        value[t] =
            f->value[t] ? f->value[t] : calloc((size_t)1 << mica_item_bits(&c->tensor[t]), sizeof(int32_t));
    const bool honest = lie.step == lie.p->n_steps || lie.items++ != lie.item;
    if (honest) {
        mica_status st = {0};
        ck_assert_msg(program_interpret(lie.p, value, &st), "%s", st.message);
    } else {
        for (uint32_t s = 0; s < lie.p->n_steps; s++) {
            (void)run_step_alone(&lie.p->step[s], value);
            if (s == lie.step && lie.tell)
                lie.tell(value);
            else if (s == lie.step)
                value[lie.tensor][lie.cell] += lie.by;
        }
        lie.told = true;
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
    m->model = (mica_model){m->bytes,     m->size, m->weights, m->weights_size, 64,
                            run_with_lie, NULL,    NULL,       false,           false};
    lie.p = &m->p;
    lie.row = calloc(m->p.circuit.n_tables, sizeof *lie.row);
    for (uint32_t i = 0; i < m->p.circuit.n_tables; i++) {
        lie.row[i] = malloc(sizeof **lie.row << m->p.circuit.table[i].def.bits);
        mica_table_fill(&m->p.circuit.table[i].def, lie.row[i]);
    }
    lie.step = m->p.n_steps;
    m->prover = mica_prover_create(&m->model, m->batch, &st);
    ck_assert_msg(m->prover != NULL, "%s", st.message);
}

static inline void unseal(sealed *m) {
    mica_prover_free(m->prover);
    for (uint32_t i = 0; i < m->p.circuit.n_tables; i++)
        free(lie.row[i]);
    free(lie.row);
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

/* Cells that carry no claim: the padding of a virtual tensor that only the statement or placements of valid
 * cells read is not told apart here, so lies are told in the valid box only; check_protocol_cheat has the
 * padding. What items share is computed by each of them, so that the next would undo the lie. */
static inline bool lie_matters(const sealed *m, uint32_t t, uint32_t cell) {
    const mica_tensor *x = &m->p.circuit.tensor[t];
    return mica_tensor_is_materialised(&m->p.circuit, t) && in_box(x, cell) && (x->batched || m->batch == 1);
}

static inline mica_verdict_code reason_of(const mica_tensor *x) {
    return x->kind == MICA_TENSOR_PLACEMENT  ? MICA_REJECT_PLACEMENT
           : x->kind == MICA_TENSOR_CONTRACT ? MICA_REJECT_CONTRACT
                                             : MICA_REJECT_LINEAR;
}

/* Some lookup or definition of the layer in which the lie was told is broken, and no definition elsewhere: a
 * lie is tied where it is told. What follows from it may leave tables of later layers (an index that is
 * none), and the sum of the lookups is checked before definitions are. Outputs that leave their range are
 * refused before everything. */
static inline void expect_reason(const sealed *m, const char *name, const mica_verdict *v) {
    const mica_circuit *c = &m->p.circuit;
    const uint32_t layer = c->tensor[lie.tensor].layer;
    const bool defined = lie.definitions == 0;
    const uint32_t found = defined ? lie.layer : c->tensor[lie.definition].layer;
    ck_assert_msg(found == layer && lie.elsewhere == 0,
                  "%s: step %u, tensor %u, cell %u: told in layer %u, tied in layer %u, by %u definitions of "
                  "other layers",
                  name, lie.step, lie.tensor, lie.cell, layer, found, lie.elsewhere);
    if (v->code == MICA_REJECT_STATEMENT)
        return;
    const mica_verdict_code reason =
        lie.broken ? MICA_REJECT_LOGUP_ROOT : reason_of(&c->tensor[lie.definition]);
    ck_assert_msg(v->code == reason, "%s: step %u, tensor %u, cell %u: expected %s, not %s: %s", name,
                  lie.step, lie.tensor, lie.cell, mica_verdict_name(reason), mica_verdict_name(v->code),
                  v->detail);
    const uint32_t said = lie.broken ? leaves_failed_layer : v->layer;
    ck_assert_msg(said == (lie.broken ? lie.layer : layer),
                  "%s: step %u, tensor %u, cell %u: found in layer %u, told in layer %u", name, lie.step,
                  lie.tensor, lie.cell, said, layer);
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
