#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>

#include "plan/plan_internal.h"

unsigned plan_axis_var(const mica_tensor *x, unsigned axis) {
    unsigned v = 0;
    for (unsigned i = x->rank; i-- > 0 && (axis == x->rank || i > axis);)
        v += mica_log2_ceil(x->dim[i]);
    return v;
}

void plan_label_roles(const mica_circuit *c, uint32_t tensor, label_role role[MICA_MAX_LABELS]) {
    const mica_tensor *x = &c->tensor[tensor];
    const mica_contract *d = &c->contract[x->def];
    memset(role, 0, MICA_MAX_LABELS * sizeof *role);
    for (unsigned i = 0; i < x->rank; i++) {
        role[d->out_label[i]].in_out = true;
        role[d->out_label[i]].out_axis = i;
    }
    for (unsigned i = 0; i < c->tensor[d->a].rank; i++) {
        if (d->a_view.axis[i] >= 0) {
            role[d->a_view.axis[i]].in_a = true;
            role[d->a_view.axis[i]].a_axis = i;
        }
    }
    for (unsigned i = 0; i < c->tensor[d->b].rank; i++) {
        if (d->b_view.axis[i] >= 0) {
            role[d->b_view.axis[i]].in_b = true;
            role[d->b_view.axis[i]].b_axis = i;
        }
    }
}

bool plan_factor_is_pass(const mica_circuit *c, uint32_t tensor, const mica_factor *f) {
    const mica_tensor *x = &c->tensor[tensor];
    const mica_tensor *src = &c->tensor[c->placement[x->def].src];
    return f->n_out == 1 && f->n_src == 1 && f->out_stride[0] == 1 && f->offset == 0 && f->norm == 0 &&
           x->dim[f->out_axis[0]] == src->dim[f->src_axis[0]];
}

/* --- growing arrays --- */

bool plan_spend(uint64_t *work, uint64_t units, mica_status *st) {
    if (units > PLAN_MAX_WORK - *work)
        return mica_fail(st, MICA_ERR_LIMIT, "verifying a proof of this circuit would take too much work");
    *work += units;
    return true;
}

bool plan_grow(void **array, uint32_t *capacity, uint32_t need, size_t element, mica_status *st) {
    if (need <= *capacity)
        return true;
    if (need > PLAN_MAX_ARRAY_BYTES / element)
        return mica_fail(st, MICA_ERR_LIMIT, "the circuit needs too many claims");
    uint32_t larger = *capacity ? *capacity : 64;
    while (larger < need)
        larger *= 2;
    void *grown = realloc(*array, (size_t)larger * element);
    if (!grown)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for a plan");
    *array = grown;
    *capacity = larger;
    return true;
}

bool plan_add_event(builder *b, plan_event e) {
    plan *p = b->p;
    if (!plan_grow((void **)&p->event, &b->event_capacity, p->n_events + 1, sizeof *p->event, b->st))
        return false;
    p->event[p->n_events++] = e;
    return true;
}

bool plan_add_link(builder *b, uint32_t claim) {
    plan *p = b->p;
    if (!plan_grow((void **)&p->link, &b->link_capacity, p->n_links + 1, sizeof *p->link, b->st))
        return false;
    p->link[p->n_links++] = claim;
    return true;
}

bool plan_add_claim(builder *b, uint32_t tensor, const plan_coord *point, uint32_t *claim) {
    plan *p = b->p;
    const mica_tensor *x = &p->circuit->tensor[tensor];
    const unsigned bits = mica_tensor_bits(x, p->batch);
    if (!plan_grow((void **)&p->claim, &b->claim_capacity, p->n_claims + 1, sizeof *p->claim, b->st) ||
        !plan_grow((void **)&p->coord, &b->coord_capacity, p->n_coords + bits + 1, sizeof *p->coord, b->st))
        return false;
    memcpy(p->coord + p->n_coords, point, bits * sizeof *point);
    p->claim[p->n_claims] = (plan_claim){.tensor = tensor,
                                         .point = p->n_coords,
                                         .source = x->kind == MICA_TENSOR_INPUT ? CLAIM_PUBLIC : CLAIM_SENT,
                                         .port = PLAN_NONE,
                                         .next = b->first_claim[tensor]};
    p->n_coords += bits;
    b->first_claim[tensor] = p->n_claims;
    *claim = p->n_claims++;
    return true;
}

#define FIND_WORK 8 /* of one comparison, which may miss the caches */

/* An existing claim serves where the same was made before: equal coordinates are equal challenges. */
bool plan_find_or_add_claim(builder *b, uint32_t tensor, const plan_coord *point, uint32_t *claim) {
    const plan *p = b->p;
    const unsigned bits = mica_tensor_bits(&p->circuit->tensor[tensor], p->batch);
    uint64_t work = FIND_WORK;
    for (uint32_t i = b->first_claim[tensor]; i != PLAN_NONE; i = p->claim[i].next, work += FIND_WORK) {
        if (memcmp(p->coord + p->claim[i].point, point, bits * sizeof *point) == 0) {
            *claim = i;
            return plan_spend(&b->work, work, b->st);
        }
    }
    return plan_spend(&b->work, work, b->st) && plan_add_claim(b, tensor, point, claim);
}

/* --- points --- */

void plan_put_constant(plan_coord *at, unsigned bits, uint32_t index) {
    for (unsigned i = 0; i < bits; i++)
        at[i] = index >> i & 1 ? COORD_ONE : COORD_ZERO;
}

void plan_copy_batch(const plan *p, plan_coord *to, const mica_tensor *x, const plan_coord *from,
                     const mica_tensor *y) {
    memcpy(to + plan_axis_var(x, x->rank), from + plan_axis_var(y, y->rank),
           mica_log2_ceil(p->batch) * sizeof *to);
}

/* The point at which a term's operand is read for a claim on a LINEAR tensor `x` at `at`. */
static void term_point(const plan *p, const mica_tensor *x, const plan_coord *at, const mica_term *m,
                       plan_coord *out) {
    const mica_tensor *o = &p->circuit->tensor[m->tensor];
    for (unsigned i = 0; i < o->rank; i++) {
        plan_coord *to = out + plan_axis_var(o, i);
        const unsigned bits = mica_log2_ceil(o->dim[i]);
        const int32_t a = m->view.axis[i];
        if (a >= 0)
            memcpy(to, at + plan_axis_var(x, (unsigned)a), bits * sizeof *to);
        else if (a == MICA_VIEW_SUM)
            for (unsigned j = 0; j < bits; j++)
                to[j] = COORD_HALF;
        else
            plan_put_constant(to, bits, MICA_VIEW_AT_INDEX(a));
    }
    if (o->batched)
        plan_copy_batch(p, out, o, at, x);
}

/* --- events --- */

/* Expands all claims on LINEAR tensors from `*cursor` on, sends the new claims' values, then lists the
 * relations. */
bool plan_settle(builder *b, uint32_t first_new) {
    plan *p = b->p;
    const uint32_t from = b->cursor;
    const uint32_t relations = p->n_links;
    plan_coord point[MICA_MAX_BITS];
    for (; b->cursor < p->n_claims; b->cursor++) {
        const uint32_t id = b->cursor;
        const mica_tensor *x = &p->circuit->tensor[p->claim[id].tensor];
        if (x->kind != MICA_TENSOR_LINEAR)
            continue;
        const mica_linear *l = &p->circuit->linear[x->def];
        for (uint32_t i = 0; i < l->n_terms; i++) {
            const mica_term *m = &p->circuit->term[l->first_term + i];
            uint32_t claim;
            term_point(p, x, p->coord + p->claim[id].point, m, point);
            if (!plan_find_or_add_claim(b, m->tensor, point, &claim) || !plan_add_link(b, claim))
                return false;
        }
    }
    if (p->n_claims > first_new &&
        !plan_add_event(
            b, (plan_event){.kind = EVENT_SEND, .first = first_new, .count = p->n_claims - first_new}))
        return false;
    uint32_t link = relations;
    for (uint32_t id = from; id < p->n_claims; id++) {
        const mica_tensor *x = &p->circuit->tensor[p->claim[id].tensor];
        if (x->kind != MICA_TENSOR_LINEAR)
            continue;
        const uint32_t terms = p->circuit->linear[x->def].n_terms;
        if (!plan_add_event(b, (plan_event){.kind = EVENT_LINEAR, .first = id, .count = terms, .link = link}))
            return false;
        link += terms;
    }
    return true;
}

static int compare_blocks(const void *a, const void *b) {
    const plan_block *x = a, *y = b;
    if (x->bits != y->bits)
        return x->bits > y->bits ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static uint64_t valid_cells(const plan *p, const mica_tensor *x) {
    uint64_t n = x->batched ? p->batch : 1;
    for (unsigned i = 0; i < x->rank; i++)
        n *= x->dim[i];
    return n;
}

/* Stacks the blocks by descending size and makes the claims at the end of the lookup argument. */
static bool plan_lookups(builder *b) {
    plan *p = b->p;
    const mica_circuit *c = p->circuit;
    if (c->n_lookups == 0)
        return c->n_tables == 0 || mica_fail(b->st, MICA_ERR_FORMAT, "a circuit with tables but no lookups");
    p->block = calloc((size_t)c->n_lookups + c->n_tables + 1, sizeof *p->block);
    if (!p->block)
        return mica_fail(b->st, MICA_ERR_MEMORY, "out of memory for a plan");
    for (uint32_t i = 0; i < c->n_lookups; i++) {
        const mica_tensor *x = &c->tensor[c->lookup[i].entry[0]];
        const unsigned bits = mica_tensor_bits(x, p->batch);
        p->block[p->n_blocks++] = (plan_block){.kind = BLOCK_LOOKUP, .index = i, .bits = bits};
        p->zero_lookups += (1ull << bits) - valid_cells(p, x);
    }
    for (uint32_t i = 0; i < c->n_tables; i++)
        p->block[p->n_blocks++] = (plan_block){.kind = BLOCK_TABLE, .index = i, .bits = c->table[i].def.bits};
    p->block[p->n_blocks++] = (plan_block){.kind = BLOCK_ZERO};
    qsort(p->block, p->n_blocks, sizeof *p->block, compare_blocks);
    for (uint32_t i = 0; i < p->n_blocks; i++) {
        p->block[i].first = p->leaves;
        p->leaves += 1ull << p->block[i].bits;
    }
    p->lookup_bits = mica_log2_ceil(p->leaves);
    p->n_slots = p->lookup_bits;
    plan_coord rho[MICA_MAX_BITS];
    for (unsigned i = 0; i < MICA_MAX_BITS; i++)
        rho[i] = COORD_FIRST + i;
    for (uint32_t i = 0; i < p->n_blocks; i++) {
        plan_block *k = &p->block[i];
        if (k->kind == BLOCK_TABLE &&
            !plan_find_or_add_claim(b, c->table[k->index].multiplicity, rho, &k->claim[0]))
            return false;
        for (unsigned j = 0; k->kind == BLOCK_LOOKUP && j < c->lookup[k->index].n_entries; j++) {
            if (!plan_find_or_add_claim(b, c->lookup[k->index].entry[j], rho, &k->claim[j]))
                return false;
        }
    }
    return plan_settle(b, 0) && plan_add_event(b, (plan_event){.kind = EVENT_LEAVES});
}

bool plan_build(plan *p, const mica_vk *vk, uint32_t batch, mica_status *st) {
    memset(p, 0, sizeof *p);
    if (batch < 1 || batch > vk->circuit.max_batch)
        return mica_fail(st, MICA_ERR_LIMIT, "a batch of %u; these parameters allow 1 to %u", batch,
                         vk->circuit.max_batch);
    p->circuit = &vk->circuit;
    p->batch = batch;
    builder b = {
        .p = p, .st = st, .first_claim = malloc(((size_t)vk->circuit.n_tensors + 1) * sizeof(uint32_t))};
    bool ok = b.first_claim != NULL || mica_fail(st, MICA_ERR_MEMORY, "out of memory for a plan");
    if (ok) {
        for (uint32_t t = 0; t < vk->circuit.n_tensors; t++)
            b.first_claim[t] = PLAN_NONE;
        ok = plan_lookups(&b) && plan_ports(&b) && plan_strata(&b) && plan_commitments(p, vk, st) &&
             plan_check(p, b.work, st);
    }
    free(b.first_claim);
    free(b.stage);
    if (!ok)
        plan_free(p);
    return ok;
}

void plan_free(plan *p) {
    free(p->block);
    free(p->claim);
    free(p->coord);
    free(p->event);
    free(p->link);
    free(p->instance);
    free(p->opening);
    for (uint32_t i = 0; i < p->n_ports; i++)
        layout_free(&p->port[i].layout);
    free(p->port);
    layout_free(&p->weights);
    layout_free(&p->witness);
    memset(p, 0, sizeof *p);
}
