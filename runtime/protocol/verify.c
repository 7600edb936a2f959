/* mica_verify: the checks, in the order of the plan. The prover's counterpart is prove_prove.c. */
#include "mica/verify.h"

#include <stdlib.h>
#include <string.h>

#include "contract/contract_verify.h"
#include "linear/linear_verify.h"
#include "logup/logup.h"
#include "placement/placement_verify.h"
#include "protocol/budget.h"
#include "protocol/leaves_verify.h"
#include "protocol/verify_memory.h"
#include "protocol/walk.h"
#include "sumcheck/batch_verify.h"

typedef struct verifier {
    walk w;
    mica_verdict *verdict;
    uint8_t root[PCS_MAX_GROUPS][MERKLE_DIGEST];
} verifier;

static bool check_values(const mica_circuit *c, const mica_port *port, const int32_t *value, uint32_t batch,
                         mica_verdict *verdict) {
    const mica_tensor *x = &c->tensor[port->tensor];
    const uint64_t cells = port->visibility == MICA_PUBLIC ? mica_port_cells(c, port) * batch : 0;
    const int32_t lo = x->lo, hi = x->hi;
    unsigned outside = 0;
    /* Without branches first: there are many values, and almost always all are inside. */
    for (uint64_t i = 0; i < cells; i++)
        outside |= (unsigned)(value[i] < lo) | (unsigned)(value[i] > hi);
    for (uint64_t i = 0; outside && i < cells; i++) {
        if (value[i] < lo || value[i] > hi)
            return mica_reject(verdict, MICA_REJECT_STATEMENT, x->layer, UINT32_MAX,
                               "'%s': value %lld is outside [%d, %d]", port->name, (long long)value[i], x->lo,
                               x->hi);
    }
    return true;
}

/* Public values are canonical integers of their tensor's range: y and y + p cannot both pass. */
static bool check_statement(const mica_vk *vk, const mica_statement *s, mica_verdict *verdict) {
    const mica_circuit *c = &vk->circuit;
    if (memcmp(s->vk_digest, vk->digest, MICA_DIGEST_BYTES) != 0)
        return mica_reject(verdict, MICA_REJECT_STATEMENT, UINT32_MAX, UINT32_MAX,
                           "the proof was made for other verifier parameters");
    if (s->batch < 1 || s->batch > c->max_batch || s->nonce_size > MICA_MAX_NONCE_BYTES)
        return mica_reject(verdict, MICA_REJECT_STATEMENT, UINT32_MAX, UINT32_MAX,
                           "batch size or nonce is outside what the parameters allow");
    for (uint32_t i = 0; i < c->n_inputs; i++) {
        if (!check_values(c, &c->input[i], s->input[i], s->batch, verdict))
            return false;
    }
    for (uint32_t i = 0; i < c->n_outputs; i++) {
        if (!check_values(c, &c->output[i], s->output[i], s->batch, verdict))
            return false;
    }
    return true;
}

static bool read_lookups(verifier *v) {
    walk *w = &v->w;
    const plan *p = w->plan;
    uint64_t nonce;
    if (p->witness_group >= 0 &&
        !channel_bytes(w->ch, TAG_WITNESS_ROOT, v->root[p->witness_group], MERKLE_DIGEST))
        return false;
    if (p->lookup_bits == 0)
        return true;
    if (!channel_pow(w->ch, p->lookup_pow_bits, &nonce))
        return false;
    walk_lookup_challenges(w);
    return logup_reduce(w->ch, p->lookup_bits, w->challenge, &w->leaf_p, &w->leaf_q);
}

/* Values of new claims: read from the proof, or evaluated from the statement. */
static bool read_claims(verifier *v, const plan_event *e) {
    walk *w = &v->w;
    for (uint32_t i = e->first; i < e->first + e->count; i++) {
        const plan_claim *k = &w->plan->claim[i];
        bool ok = true;
        switch (k->source) {
        case CLAIM_SENT:
            ok = channel_qm31(w->ch, TAG_CLAIMS, &w->value[i], 1);
            break;
        case CLAIM_PUBLIC:
            ok = walk_input_value(w, i, &w->value[i]);
            break;
        case CLAIM_OUTPUT:
            ok = walk_output_value(w, i, &w->value[i]);
            break;
        case CLAIM_COMMITTED:
            for (uint32_t j = 0; ok && j < w->plan->batch; j++)
                ok = channel_qm31(w->ch, TAG_CLAIMS, &w->item[k->port * w->plan->batch + j], 1);
            w->value[i] = ok ? walk_committed_value(w, i) : qm31_zero();
            break;
        }
        if (!ok)
            return false;
        qm31 input;
        if (k->source != CLAIM_PUBLIC && w->plan->circuit->tensor[k->tensor].kind == MICA_TENSOR_INPUT &&
            (!walk_input_value(w, i, &input) || !qm31_eq(input, w->value[i])))
            return mica_reject(v->verdict, MICA_REJECT_PUBLIC, w->plan->circuit->tensor[k->tensor].layer,
                               UINT32_MAX, "an output that is an input differs from it");
    }
    return true;
}

static bool check_event(verifier *v, const plan_event *e) {
    switch (e->kind) {
    case EVENT_SEND:
        return read_claims(v, e);
    case EVENT_LEAVES:
        return leaves_verify(&v->w, v->verdict);
    case EVENT_LINEAR:
        return linear_verify(&v->w, e, v->verdict);
    case EVENT_POINT:
        walk_point(&v->w, e);
        return true;
    case EVENT_CONTRACT:
    case EVENT_PLACEMENT:
        return batch_reduce(&v->w, e);
    case EVENT_FINAL: {
        const plan_event *batch = &v->w.plan->event[e->first];
        return batch->kind == EVENT_CONTRACT ? contract_verify(&v->w, batch, v->verdict)
                                             : placement_verify(&v->w, batch, v->verdict);
    }
    }
    return false;
}

static bool check_opening(verifier *v) {
    walk *w = &v->w;
    const plan *p = w->plan;
    if (p->n_groups == 0)
        return true;
    pcs_claim *claim = arena_alloc(w->arena, p->n_openings, sizeof *claim, w->st);
    if (!claim)
        return false;
    for (uint32_t i = 0; i < p->n_openings; i++) {
        const pcs_shape *group = &p->pcs.group[p->opening[i].group];
        qm31 *point = arena_alloc(w->arena, group->row_vars + group->col_vars, sizeof *point, w->st);
        if (!point)
            return false;
        claim[i] = walk_opening(w, i, point);
    }
    return pcs_verify(w->ch, &p->pcs, v->root, claim, p->n_openings, w->arena, w->st);
}

/* walk_public_eval: an eq table per axis. */
static size_t public_eval_workspace(const plan *p, const mica_port *port) {
    const mica_tensor *x = &p->circuit->tensor[port->tensor];
    size_t need = (sizeof(qm31) << mica_log2_ceil(p->batch)) + 64;
    for (unsigned i = 0; i < x->rank; i++)
        need += (sizeof(qm31) << mica_log2_ceil(x->dim[i])) + 64;
    return need;
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

size_t verify_workspace(const plan *p) {
    const mica_circuit *c = p->circuit;
    size_t scratch = larger(placement_verify_workspace(p), leaves_verify_workspace(p));
    for (uint32_t i = 0; i < c->n_inputs; i++)
        scratch = larger(scratch, public_eval_workspace(p, &c->input[i]));
    for (uint32_t i = 0; i < c->n_outputs; i++)
        scratch = larger(scratch, public_eval_workspace(p, &c->output[i]));
    const size_t items = (size_t)p->n_ports * p->batch;
    size_t size =
        scratch + ((size_t)p->n_slots + p->n_claims + items + walk_max_batch_claims(p)) * sizeof(qm31) + 512;
    size += (size_t)p->n_openings * (sizeof(pcs_claim) + PCS_MAX_VARS * sizeof(qm31) + 64) + 64;
    return size + (p->n_groups ? pcs_verify_workspace(&p->pcs, p->n_openings) : 0);
}

/* The roots of the items of committed ports are digests of the statement. */
static void take_digests(verifier *v) {
    const plan *p = v->w.plan;
    const mica_statement *s = v->w.statement;
    for (uint32_t i = 0; i < p->n_ports * p->batch; i++) {
        const plan_port *port = &p->port[i / p->batch];
        const uint8_t *digest = (port->is_input ? s->input_digest : s->output_digest)[port->index];
        memcpy(v->root[p->first_port_group + i], digest + (size_t)(i % p->batch) * MERKLE_DIGEST,
               MERKLE_DIGEST);
    }
}

static bool read_proof(verifier *v) {
    walk *w = &v->w;
    const plan *p = w->plan;
    w->challenge = arena_alloc(w->arena, p->n_slots + 1, sizeof(qm31), w->st);
    w->value = arena_alloc(w->arena, p->n_claims + 1, sizeof(qm31), w->st);
    w->item = arena_alloc(w->arena, (size_t)p->n_ports * p->batch + 1, sizeof(qm31), w->st);
    w->lambda = arena_alloc(w->arena, walk_max_batch_claims(p) + 1, sizeof(qm31), w->st);
    if (!w->challenge || !w->value || !w->item || !w->lambda)
        return false;
    walk_begin(w);
    if (!read_lookups(v))
        return false;
    for (uint32_t i = 0; i < p->n_events; i++) {
        if (!check_event(v, &p->event[i]))
            return false;
    }
    return check_opening(v) && channel_end(w->ch);
}

static bool run(verifier *v, const uint8_t *proof, size_t proof_size) {
    mica_channel ch;
    channel_init_read(&ch, proof, proof_size, v->verdict);
    v->w.ch = &ch;
    const bool ok = read_proof(v);
    v->w.ch = NULL; /* the channel ends here */
    return ok;
}

bool mica_verify(const mica_vk *vk, const mica_statement *s, const uint8_t *proof, size_t proof_size,
                 const mica_verify_options *options, mica_verdict *verdict, mica_status *st) {
    plan p;
    mica_arena arena;
    *verdict = (mica_verdict){.layer = UINT32_MAX, .round = UINT32_MAX};
    if (!check_statement(vk, s, verdict) || !plan_build(&p, vk, s->batch, st))
        return false;
    const uint32_t wanted =
        options && options->min_security_bits ? options->min_security_bits : MICA_DEFAULT_SECURITY_BITS;
    bool ok = budget_meets(&p, wanted, verdict) && arena_create(&arena, verify_workspace(&p), st);
    if (ok) {
        verifier v = {.w = {.plan = &p, .vk = vk, .statement = s, .arena = &arena, .st = st},
                      .verdict = verdict};
        if (p.weight_group >= 0)
            memcpy(v.root[p.weight_group], vk->weight_root, MERKLE_DIGEST);
        take_digests(&v);
        ok = run(&v, proof, proof_size) && st->code == MICA_OK && verdict->code == MICA_VERDICT_UNSET;
        arena_destroy(&arena);
    }
    plan_free(&p);
    if (ok)
        verdict->code = MICA_ACCEPT;
    return ok;
}
