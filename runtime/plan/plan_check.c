/* Properties of a finished plan. The builder has them by construction: a claim on a virtual tensor is made
 * before the stratum of its tensor (assign_stages), and a LINEAR claim is expanded by the settle that
 * follows. They are tested again here because soundness hangs on them: a claim that nothing reduces is a lie
 * for free. */
#include <stdlib.h>
#include <string.h>

#include "plan/plan_internal.h"

/* --- claims --- */

typedef struct tally {
    uint8_t sent, reduced; /* how often; 2: more than once */
} tally;

static void bump(uint8_t *times) {
    *times = (uint8_t)(*times < 2 ? *times + 1 : 2);
}

/* Only a claim that has been made by then counts as reduced. */
static void reduce(tally *t) {
    if (t->sent)
        bump(&t->reduced);
}

static void count_event(const plan *p, const plan_event *e, tally *of) {
    switch (e->kind) {
    case EVENT_SEND:
        for (uint32_t i = 0; i < e->count; i++)
            bump(&of[e->first + i].sent);
        return;
    case EVENT_LINEAR:
        reduce(&of[e->first]);
        return;
    case EVENT_CONTRACT:
    case EVENT_PLACEMENT:
        for (uint32_t i = e->first; i < e->first + e->count; i++) {
            const plan_instance *k = &p->instance[i];
            for (uint32_t j = 0; j < k->n_claims; j++)
                reduce(&of[p->link[k->first_claim + j]]);
        }
        return;
    case EVENT_LEAVES:
    case EVENT_POINT:
    case EVENT_FINAL:
        return;
    }
}

/* Claims on INPUT tensors are evaluated by the verifier and reduce to nothing. */
static bool is_settled(const plan *p, uint32_t claim, tally t) {
    const bool input = p->circuit->tensor[p->claim[claim].tensor].kind == MICA_TENSOR_INPUT;
    return t.sent == 1 && t.reduced == (input ? 0 : 1) && (p->claim[claim].source != CLAIM_SENT || !input) &&
           (p->claim[claim].source != CLAIM_PUBLIC || input);
}

/* Whether claim i is that of the next public output, or of the next committed port. */
static bool port_in_order(const plan *p, uint32_t i, uint32_t *outputs, uint32_t *ports) {
    const mica_circuit *c = p->circuit;
    const plan_claim *k = &p->claim[i];
    if (k->source == CLAIM_OUTPUT) {
        while (*outputs < c->n_outputs && c->output[*outputs].visibility != MICA_PUBLIC)
            ++*outputs;
        return *outputs < c->n_outputs && k->port == *outputs && k->tensor == c->output[(*outputs)++].tensor;
    }
    if (k->source == CLAIM_COMMITTED) {
        const plan_port *port = &p->port[*ports];
        return *ports < p->n_ports && k->port == (*ports)++ && port->claim == i &&
               k->tensor == (port->is_input ? c->input : c->output)[port->index].tensor;
    }
    return true;
}

static uint32_t count_ports(const mica_circuit *c, mica_visibility which, bool inputs) {
    uint32_t n = 0;
    for (uint32_t i = 0; inputs && i < c->n_inputs; i++)
        n += c->input[i].visibility == which;
    for (uint32_t i = 0; i < c->n_outputs; i++)
        n += c->output[i].visibility == which;
    return n;
}

static bool claims_settled(const plan *p, tally *of) {
    uint32_t outputs = 0, ports = 0, shown = 0, items = 0;
    for (uint32_t i = 0; i < p->n_events; i++)
        count_event(p, &p->event[i], of);
    for (uint32_t i = 0; i < p->n_openings; i++) {
        if (p->opening[i].item == PLAN_NONE)
            reduce(&of[p->opening[i].claim]);
        else if (p->opening[i].item != items || p->opening[i].claim != p->port[items++ / p->batch].claim)
            return false;
    }
    for (uint32_t i = 0; i < p->n_claims; i++) {
        if (!is_settled(p, i, of[i]) || !port_in_order(p, i, &outputs, &ports))
            return false;
        shown += p->claim[i].source == CLAIM_OUTPUT;
    }
    return shown == count_ports(p->circuit, MICA_PUBLIC, false) && ports == p->n_ports &&
           ports == count_ports(p->circuit, MICA_COMMITTED, true) && items == ports * p->batch;
}

/* --- work --- */

#define WORK_RELATION ((uint64_t)2 * MICA_MAX_BITS) /* a box's indicators: 2 multiplications per variable */
#define WORK_ROW      16                            /* of a row of a placement */
#define WORK_VALUE    40                            /* of a row of a table: 200 ns for the slowest kind */
#define WORK_OPENING  8192 /* a claim's form on the clear message of at most 2^12 elements */

static uint64_t cells_of(const plan *p, const mica_tensor *x) {
    uint64_t n = x->batched ? p->batch : 1; /* the product is at most 2^30: circuit_validate */
    for (unsigned i = 0; i < x->rank; i++)
        n *= x->dim[i];
    return n;
}

/* Rows of a placement's factors and eq tables of its axes, for one claim. */
static uint64_t placement_work(const mica_circuit *c, uint32_t t) {
    const mica_placement *d = &c->placement[c->tensor[t].def];
    uint64_t work = 0;
    for (unsigned i = 0; i < d->n_factors; i++) {
        const mica_factor *f = &d->factor[i];
        uint64_t rows = 1, cells = 1; /* at most 2^24 each: circuit_validate */
        for (unsigned j = 0; j < f->n_out; j++)
            rows *= c->tensor[t].dim[f->out_axis[j]];
        for (unsigned j = 0; j < f->n_src; j++)
            cells *= c->tensor[d->src].dim[f->src_axis[j]];
        if (!plan_factor_is_pass(c, t, f))
            work += rows * WORK_ROW + 2 * cells;
    }
    return work;
}

static uint64_t event_work(const plan *p, const plan_event *e) {
    const mica_circuit *c = p->circuit;
    uint64_t work = WORK_RELATION;
    if (e->kind == EVENT_LINEAR) {
        const mica_linear *l = &c->linear[c->tensor[p->claim[e->first].tensor].def];
        work += ((uint64_t)l->n_terms + l->n_boxes) * WORK_RELATION;
    } else if (e->kind == EVENT_PLACEMENT) {
        for (uint32_t i = e->first; i < e->first + e->count; i++)
            work += p->instance[i].n_claims * placement_work(c, p->instance[i].tensor);
    }
    return work;
}

static uint64_t claim_work(const plan *p, const plan_claim *k) {
    const mica_circuit *c = p->circuit;
    const mica_tensor *x = &c->tensor[k->tensor];
    uint64_t work = WORK_RELATION;
    if (k->source == CLAIM_OUTPUT)
        work += 2 * cells_of(p, x);
    if (k->source == CLAIM_COMMITTED)
        work += (uint64_t)p->batch * WORK_RELATION;
    if (x->kind == MICA_TENSOR_INPUT)
        work += 2 * cells_of(p, x) + c->n_inputs;
    return work;
}

/* Openings are compared with each other's columns (pcs_classes) and looked up among the slots. */
static uint64_t opening_work(const plan *p) {
    const uint64_t n = p->n_openings;
    return n * (WORK_OPENING + 2 * n + p->weights.n_slots + p->witness.n_slots);
}

static bool work_is_bounded(const plan *p, uint64_t work, mica_status *st) {
    const mica_circuit *c = p->circuit;
    bool ok = plan_spend(&work, opening_work(p), st);
    for (uint32_t i = 0; ok && i < c->n_tables; i++)
        ok = plan_spend(&work, (uint64_t)WORK_VALUE << c->table[i].def.bits, st);
    for (uint32_t i = 0; ok && i < p->n_claims; i++)
        ok = plan_spend(&work, claim_work(p, &p->claim[i]), st);
    for (uint32_t i = 0; ok && i < p->n_events; i++)
        ok = plan_spend(&work, event_work(p, &p->event[i]), st);
    return ok;
}

bool plan_check(const plan *p, uint64_t work, mica_status *st) {
    if (!work_is_bounded(p, work, st))
        return false;
    tally *of = calloc((size_t)p->n_claims + 1, sizeof *of);
    if (!of)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for a plan");
    const bool ok = claims_settled(p, of);
    free(of);
    return ok || mica_fail(st, MICA_ERR_INTERNAL, "a plan leaves a claim open");
}
