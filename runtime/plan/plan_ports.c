/* Claims of ports. A shown port's tensor is compared with what the statement shows at a random point: with
 * the extension of public values, or with the tensors that the digests open to. An output that is not shown
 * has a claim all the same, whose value the prover sends, so that the cells that only it depends on are bound
 * like all others. */
#include <stdlib.h>

#include "plan/plan_internal.h"

/* A new claim on a tensor at a fresh point; its value comes from `source`. */
static bool claim_port(builder *b, uint32_t tensor, claim_source source, uint32_t port, uint32_t *claim) {
    plan *p = b->p;
    const uint32_t first_new = p->n_claims;
    const unsigned bits = mica_tensor_bits(&p->circuit->tensor[tensor], p->batch);
    plan_coord point[MICA_MAX_BITS];
    for (unsigned j = 0; j < bits; j++)
        point[j] = COORD_FIRST + p->n_slots + j;
    if (!plan_add_event(b, (plan_event){.kind = EVENT_POINT, .first = p->n_slots, .count = bits}))
        return false;
    p->n_slots += bits;
    /* its own, even where a point without coordinates has a claim */
    if (!plan_add_claim(b, tensor, point, claim))
        return false;
    p->claim[*claim].source = source;
    p->claim[*claim].port = port;
    return plan_settle(b, first_new);
}

static bool claim_committed(builder *b, uint32_t tensor, bool is_input, uint32_t index) {
    plan *p = b->p;
    plan_port *port = &p->port[p->n_ports];
    *port = (plan_port){.is_input = is_input, .index = index};
    p->n_ports++; /* plan_free frees its layout */
    return layout_item(&port->layout, p->circuit, tensor, b->st) &&
           claim_port(b, tensor, CLAIM_COMMITTED, p->n_ports - 1, &port->claim);
}

static bool claim_output(builder *b, uint32_t i) {
    const mica_circuit *c = b->p->circuit;
    const uint32_t tensor = c->output[i].tensor;
    const bool public_input = c->tensor[tensor].kind == MICA_TENSOR_INPUT;
    uint32_t claim;
    switch (c->output[i].visibility) {
    case MICA_PUBLIC:
        return claim_port(b, tensor, CLAIM_OUTPUT, i, &claim);
    case MICA_COMMITTED:
        return claim_committed(b, tensor, false, i);
    case MICA_PRIVATE:
        break;
    }
    return claim_port(b, tensor, public_input ? CLAIM_PUBLIC : CLAIM_SENT, PLAN_NONE, &claim);
}

bool plan_ports(builder *b) {
    plan *p = b->p;
    const mica_circuit *c = p->circuit;
    p->port = calloc((size_t)c->n_inputs + c->n_outputs + 1, sizeof *p->port);
    if (!p->port)
        return mica_fail(b->st, MICA_ERR_MEMORY, "out of memory for a plan");
    for (uint32_t i = 0; i < c->n_inputs; i++) {
        if (c->input[i].visibility == MICA_COMMITTED && !claim_committed(b, c->input[i].tensor, true, i))
            return false;
    }
    for (uint32_t i = 0; i < c->n_outputs; i++) {
        if (!claim_output(b, i))
            return false;
    }
    return true;
}
