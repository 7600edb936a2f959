/* mica_prover_prove: the prover's walk along the plan. Counterpart of verify.c; same order, no checks. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/parallel.h"
#include "contract/contract_prove.h"
#include "hash/pow_prove.h"
#include "logup/logup.h"
#include "pcs/pcs.h"
#include "placement/placement_partial_prove.h"
#include "placement/placement_prove.h"
#include "protocol/leaves_prove.h"
#include "protocol/ports_prove.h"
#include "protocol/proof_size.h"
#include "protocol/protocol_cheat.h"
#include "protocol/prover.h"

const char *mica_phase_name(mica_phase phase) {
    static const char *const name[MICA_PHASES] = {"forward",  "witness", "commit",  "lookups",
                                                  "sumcheck", "opening", "grinding"};
    return phase < MICA_PHASES ? name[phase] : "?";
}

typedef struct proving {
    mica_prover *p;
    walk w;
    tensor_store store;
    m31 **cells; /* [n_tensors] */
    m31 *witness;
    mica_channel ch;
    mica_status *st;
    contract_tables *tables; /* [n_claims]: of claims on contractions, until their stratum */
    bool *known;             /* [n_claims]: w.value holds the claim's value */
    pcs_committed *group;    /* [n_groups] */
    mica_prove_stats stats;
    double since;  /* when the present phase began */
    double ground; /* what pow_grind_seconds said then */
    mica_progress_fn progress;
    void *progress_ctx;
} proving;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Ends a phase: books its time, that of grinding in it apart, and reports progress. `done` is the share of
 * the whole that lies behind. */
static void end_phase(proving *g, mica_phase phase, double done) {
    const double t = now(), ground = pow_grind_seconds(), grinding = ground - g->ground;
    g->stats.seconds[phase] += t - g->since - grinding;
    g->stats.seconds[MICA_PHASE_GRINDING] += grinding;
    g->since = t;
    g->ground = ground;
    if (g->progress)
        g->progress(g->progress_ctx, phase, done);
}

/* --- memory --- */

/* Witness tensors lie in the committed matrix at their slots, all others in arrays of their own. */
static bool allocate_cells(proving *g) {
    const plan *p = &g->p->plan;
    const mica_circuit *c = p->circuit;
    g->cells = arena_alloc(&g->p->arena, c->n_tensors + 1, sizeof *g->cells, g->st);
    if (!g->cells)
        return false;
    memset(g->cells, 0, c->n_tensors * sizeof *g->cells);
    if (p->witness_group >= 0) {
        const unsigned vars = p->witness.shape.row_vars + p->witness.shape.col_vars;
        g->witness = prover_zeroed_cells(g->p, (size_t)1 << vars, g->st);
        if (!g->witness)
            return false;
        for (uint32_t i = 0; i < p->witness.n_slots; i++)
            g->cells[p->witness.slot[i].tensor] = g->witness + p->witness.slot[i].offset;
    }
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        const mica_tensor_kind kind = c->tensor[t].kind;
        if (kind == MICA_TENSOR_WEIGHT || kind == MICA_TENSOR_WITNESS || !mica_tensor_is_materialised(c, t))
            continue;
        g->cells[t] =
            prover_zeroed_cells(g->p, (size_t)1 << mica_tensor_bits(&c->tensor[t], p->batch), g->st);
        if (!g->cells[t])
            return false;
    }
    return true;
}

size_t prover_address_space(const plan *p) {
    const mica_circuit *c = p->circuit;
    size_t cells = 0, tables = 0;
    unsigned counts = 0;
    for (uint32_t t = 0; t < c->n_tensors; t++)
        cells += (size_t)1 << mica_tensor_bits(&c->tensor[t], p->batch);
    for (uint32_t i = 0; i < p->n_instances; i++)
        tables += (size_t)8 * sizeof(qm31) << p->instance[i].vars;
    size_t need = cells * (sizeof(m31) + 4 * sizeof(qm31)) + tables;
    need += p->lookup_bits ? leaves_workspace(p, LOGUP_ALL_KEPT) : 0;
    for (uint32_t i = 0; i < c->n_tables; i++) /* multiplicities are counted by each worker, table by table */
        counts = c->table[i].def.bits > counts ? c->table[i].def.bits : counts;
    need += parallel_workers() * (sizeof(int32_t) << counts);
    if (p->witness_group >= 0)
        need += pcs_commit_workspace(&p->witness.shape, true);
    if (p->n_groups)
        need += pcs_open_workspace(&p->pcs, p->n_openings);
    need += ports_workspace(p) + p->n_groups * sizeof(pcs_committed);
    need += ((size_t)p->n_claims + p->n_openings) *
            (sizeof(qm31) * (PCS_MAX_VARS + 4) + sizeof(contract_tables) + 512);
    return need + ((size_t)64 << 20);
}

/* Makes room for a proof of the planned batch. */
static bool reserve(mica_prover *p, mica_status *st) {
    const size_t need = prover_address_space(&p->plan) + prover_forward_bytes(p);
    mica_status said = {0};
    return prover_workspace(p, need, &said) ||
           mica_fail(st, said.code, "a proof of a batch of %u takes up to %zu MB of memory: %.800s",
                     p->plan.batch, (need + 999999) / 1000000, said.message);
}

/* --- witness --- */

/* Signed integers to field elements, in place. */
static void to_field(void *ctx, size_t begin, size_t end, unsigned worker) {
    m31 *cell = ctx;
    (void)worker;
    for (size_t i = begin; i < end; i++) {
        const uint32_t x = cell[i];
        cell[i] = x + (M31_P & (0u - (x >> 31))); /* |value| < p; a negative one is x - 2^32 */
    }
}

static bool make_witness(proving *g, mica_statement *s) {
    const plan *p = &g->p->plan;
    const mica_circuit *c = p->circuit;
    int32_t **value = arena_alloc(&g->p->arena, c->n_tensors + 1, sizeof *value, g->st);
    if (!value)
        return false;
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        value[t] = (int32_t *)g->cells[t];
        if (c->tensor[t].kind == MICA_TENSOR_WEIGHT)
            value[t] = g->p->weights.value[t];
    }
    if (!g->p->forward(g->p, s, value, g->st))
        return false;
    PROTOCOL_CHEAT(statement, s);
    end_phase(g, MICA_PHASE_FORWARD, 0.05);
    if (!leaves_count(p, value, (const int32_t *const *)g->p->table, &g->p->arena, g->st))
        return false;
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        if (g->cells[t])
            parallel_for((size_t)1 << mica_tensor_bits(&c->tensor[t], p->batch), 1 << 14, to_field,
                         g->cells[t]);
    }
    for (uint32_t i = 0; i < p->weights.n_slots; i++)
        g->cells[p->weights.slot[i].tensor] = g->p->weights.matrix + p->weights.slot[i].offset;
    end_phase(g, MICA_PHASE_WITNESS, 0.08);
    return true;
}

/* Before anything is absorbed: the digests are part of the statement. */
static bool commit_ports(proving *g, mica_statement *s) {
    if (!ports_commit(&g->p->plan, s, g->group, !prover_saves(g->p->savings, MICA_SAVE_CODEWORDS),
                      &g->p->arena, g->st))
        return false;
    PROTOCOL_CHEAT(digests, s);
    end_phase(g, MICA_PHASE_COMMIT, 0.1);
    return true;
}

static bool commit_witness(proving *g) {
    const plan *p = &g->p->plan;
    uint8_t root[MERKLE_DIGEST];
    if (p->weight_group >= 0)
        g->group[p->weight_group] = g->p->weights.group;
    if (p->witness_group < 0)
        return true;
    if (!pcs_commit(&g->group[p->witness_group], &p->witness.shape, g->witness,
                    !prover_saves(g->p->savings, MICA_SAVE_CODEWORDS), &g->p->arena, root, g->st))
        return false;
    PROTOCOL_CHEAT(root, root);
    if (!channel_bytes(&g->ch, TAG_WITNESS_ROOT, root, MERKLE_DIGEST))
        return false;
    end_phase(g, MICA_PHASE_COMMIT, 0.2);
    return true;
}

/* --- lookups --- */

static bool prove_lookups(proving *g) {
    const plan *p = &g->p->plan;
    walk *w = &g->w;
    if (p->lookup_bits == 0)
        return true;
    uint64_t nonce = pow_grind(&g->ch.transcript, p->lookup_pow_bits);
    if (!channel_pow(&g->ch, p->lookup_pow_bits, &nonce))
        return false;
    end_phase(g, MICA_PHASE_GRINDING, 0.22);
    walk_lookup_challenges(w);
    PROTOCOL_CHEAT(lookup_challenges, w);
    logup_leaves leaves;
    const size_t mark = arena_mark(&g->p->arena);
    const logup_thrift thrift = prover_lookup_thrift(g->p->savings);
    if (!leaves_build(&g->store, w, (const int32_t *const *)g->p->table, thrift < LOGUP_LEAVES_AGAIN,
                      &leaves) ||
        !logup_prove(&g->ch, &leaves, p->lookup_bits, thrift, w->challenge, &w->leaf_p, &w->leaf_q,
                     &g->p->arena, g->st))
        return false;
    arena_reset(&g->p->arena, mark);
    end_phase(g, MICA_PHASE_LOOKUP, 0.6);
    return true;
}

/* --- claims and strata --- */

static bool claim_value(proving *g, uint32_t id) {
    const plan_claim *k = &g->p->plan.claim[id];
    qm31 point[MICA_MAX_BITS];
    walk_claim_point(&g->w, id, point);
    if (g->p->plan.circuit->tensor[k->tensor].kind == MICA_TENSOR_CONTRACT) {
        if (!contract_tables_make(&g->store, k->tensor, point, &g->tables[id]))
            return false;
        g->w.value[id] = contract_tables_value(&g->tables[id]);
    } else if (!g->known[id] && k->source != CLAIM_COMMITTED &&
               !operand_eval(&g->store, k->tensor, point, &g->w.value[id])) {
        return false;
    }
    if (k->source != CLAIM_COMMITTED)
        return true;
    if (!ports_eval(&g->w, id, g->group))
        return false;
    g->w.value[id] = walk_committed_value(&g->w, id);
    return true;
}

static bool send_claims(proving *g, const plan_event *e) {
    for (uint32_t i = e->first; i < e->first + e->count; i++) {
        if (!claim_value(g, i))
            return false;
    }
    PROTOCOL_CHEAT(claims, &g->w, e);
    for (uint32_t i = e->first; i < e->first + e->count; i++) {
        const plan_claim *k = &g->p->plan.claim[i];
        const uint32_t batch = g->p->plan.batch;
        if (k->source == CLAIM_SENT && !channel_qm31(&g->ch, TAG_CLAIMS, &g->w.value[i], 1))
            return false;
        for (uint32_t j = 0; k->source == CLAIM_COMMITTED && j < batch; j++) {
            if (!channel_qm31(&g->ch, TAG_CLAIMS, &g->w.item[k->port * batch + j], 1))
                return false;
        }
    }
    return true;
}

/* Operands are claimed at the point of the rounds, where binding has left their values. */
static void keep_operand_values(proving *g, const plan_event *e, const batch_summand *summand) {
    for (uint32_t i = 0; i < e->count; i++) {
        const plan_instance *k = &g->p->plan.instance[e->first + i];
        for (unsigned side = 0; side < 2; side++) {
            const uint32_t id = k->operand[side];
            if (id == PLAN_NONE)
                continue;
            /* The first table of a placement holds its factors. */
            g->w.value[id] = qvec_get(summand[i].table[e->kind == EVENT_PLACEMENT ? 1 : side], 0);
            g->known[id] = true;
        }
    }
}

static bool prove_batch(proving *g, const plan_event *e) {
    const plan *p = &g->p->plan;
    const size_t mark = arena_mark(&g->p->arena);
    batch_summand *summand = arena_alloc(&g->p->arena, e->count, sizeof *summand, g->st);
    if (!summand)
        return false;
    walk_batch(&g->w, e);
    const qm31 *lambda = g->w.lambda;
    for (uint32_t i = 0; i < e->count; i++) {
        const plan_instance *k = &p->instance[e->first + i];
        if (e->kind == EVENT_CONTRACT) {
            const uint32_t claim = p->link[k->first_claim];
            summand[i] = contract_instance(&g->tables[claim], g->w.value[claim], *lambda);
        } else if (!placement_instance(&g->store, &g->w, k, lambda, &summand[i])) {
            return false;
        }
        lambda += k->n_claims;
    }
    PROTOCOL_CHEAT(summands, e, summand);
    const bool ok = batch_prove(&g->w, e, summand);
    if (ok)
        keep_operand_values(g, e, summand);
    arena_reset(&g->p->arena, mark);
    return ok;
}

static bool walk_event(proving *g, const plan_event *e) {
    switch (e->kind) {
    case EVENT_SEND:
        return send_claims(g, e);
    case EVENT_POINT:
        walk_point(&g->w, e);
        return true;
    case EVENT_CONTRACT:
    case EVENT_PLACEMENT:
        return prove_batch(g, e);
    case EVENT_LEAVES:
    case EVENT_LINEAR:
    case EVENT_FINAL:
        return true; /* the verifier's checks */
    }
    return false;
}

/* --- opening --- */

static bool open_claims(proving *g) {
    const plan *p = &g->p->plan;
    if (p->n_groups == 0)
        return true;
    pcs_claim *claim = arena_alloc(&g->p->arena, p->n_openings, sizeof *claim, g->st);
    if (!claim)
        return false;
    for (uint32_t i = 0; i < p->n_openings; i++) {
        qm31 *point = arena_alloc(&g->p->arena, PCS_MAX_VARS, sizeof *point, g->st);
        if (!point)
            return false;
        claim[i] = walk_opening(&g->w, i, point);
    }
    return pcs_open(&g->ch, &p->pcs, g->group, claim, p->n_openings, &g->p->arena, g->st);
}

static bool run(proving *g, mica_statement *s) {
    const plan *p = &g->p->plan;
    walk *w = &g->w;
    w->challenge = arena_alloc(&g->p->arena, p->n_slots + 1, sizeof(qm31), g->st);
    w->value = arena_alloc(&g->p->arena, p->n_claims + 1, sizeof(qm31), g->st);
    w->item = arena_alloc(&g->p->arena, (size_t)p->n_ports * p->batch + 1, sizeof(qm31), g->st);
    w->lambda = arena_alloc(&g->p->arena, walk_max_batch_claims(p) + 1, sizeof(qm31), g->st);
    g->group = arena_alloc(&g->p->arena, p->n_groups + 1, sizeof *g->group, g->st);
    g->tables = arena_alloc(&g->p->arena, p->n_claims + 1, sizeof *g->tables, g->st);
    g->known = arena_alloc(&g->p->arena, p->n_claims + 1, sizeof *g->known, g->st);
    if (!w->challenge || !w->value || !w->item || !w->lambda || !g->group || !g->tables || !g->known ||
        !allocate_cells(g))
        return false;
    memset(g->known, 0, p->n_claims * sizeof *g->known);
    g->store =
        (tensor_store){p, g->cells, g->p->weights.matrix, g->p->weights.narrow, &g->p->arena, g->st, false};
    if (!make_witness(g, s) || !commit_ports(g, s))
        return false;
    walk_begin(w);
    if (!commit_witness(g) || !prove_lookups(g))
        return false;
    const size_t mark =
        arena_mark(&g->p->arena); /* tables of contractions stay until all strata are proven */
    for (uint32_t i = 0; i < p->n_events; i++) {
        if (!walk_event(g, &p->event[i]))
            return false;
    }
    arena_reset(&g->p->arena, mark);
    end_phase(g, MICA_PHASE_SUMCHECK, 0.8);
    const bool ok = open_claims(g);
    weights_let_go(&g->p->weights);
    end_phase(g, MICA_PHASE_OPENING, 1);
    return ok;
}

bool mica_prover_prove(mica_prover *p, mica_statement *s, uint8_t **file, size_t *size,
                       mica_prove_stats *stats, mica_progress_fn progress, void *progress_ctx,
                       mica_status *st) {
    if (!prover_plan(p, s->batch, st))
        return false;
    size_t expected;
    const mica_circuit *c = &p->vk.circuit;
    const size_t head = mica_statement_bytes(c, s->batch, s->nonce_size),
                 capacity = proof_bytes(&p->plan, &expected);
    uint8_t *out = malloc(head + capacity);
    if (!out)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for a proof");
    memcpy(s->vk_digest, p->vk.digest, MICA_DIGEST_BYTES);
    proving g = {.p = p,
                 .st = st,
                 .since = now(),
                 .ground = pow_grind_seconds(),
                 .progress = progress,
                 .progress_ctx = progress_ctx};
    g.w = (walk){.plan = &p->plan, .vk = &p->vk, .statement = s, .ch = &g.ch, .arena = &p->arena, .st = st};
    channel_init_write(&g.ch, out + head, capacity);
    bool ok = reserve(p, st) && run(&g, s);
    g.stats.workspace_peak = p->arena.peak;
    if (ok && g.ch.overflow)
        ok = mica_fail(st, MICA_ERR_INTERNAL, "the proof is larger than its bound of %zu bytes", capacity);
    if (!ok) {
        free(out);
        return mica_fail(st, MICA_ERR_INTERNAL, "the proof could not be completed");
    }
    mica_statement_write(s, c, out);
    if (stats)
        *stats = g.stats;
    *file = out;
    *size = head + g.ch.out_size;
    return true;
}
