#include "protocol/walk.h"

#include "format/statement_pieces.h"
#include "poly/mle.h"

static void absorb_piece(void *to, const void *bytes, size_t size) {
    transcript_item_add(to, bytes, size);
}

void walk_begin(walk *w) {
    const mica_circuit *c = w->plan->circuit;
    const mica_statement *s = w->statement;
    transcript_item item;
    transcript_absorb(&w->ch->transcript, TAG_VK, w->vk->digest, MICA_DIGEST_BYTES);
    transcript_item_begin(&item, &w->ch->transcript, TAG_STATEMENT,
                          mica_statement_bytes(c, s->batch, s->nonce_size));
    statement_pieces(s, c, absorb_piece, &item);
    transcript_item_end(&item);
}

void walk_lookup_challenges(walk *w) {
    qm31 x[2];
    channel_challenge(w->ch, TAG_LOOKUP, x, 2);
    w->alpha = x[0];
    w->beta = x[1];
}

void walk_point(walk *w, const plan_event *e) {
    if (e->count)
        channel_challenge(w->ch, TAG_OUTPUT_POINT, w->challenge + e->first, e->count);
}

void walk_batch(walk *w, const plan_event *e) {
    channel_challenge(w->ch, TAG_BATCH_LAMBDA, w->lambda, e->n_claims);
}

uint32_t walk_max_batch_claims(const plan *p) {
    uint32_t most = 0;
    for (uint32_t i = 0; i < p->n_events; i++)
        most = p->event[i].n_claims > most ? p->event[i].n_claims : most;
    return most;
}

qm31 walk_coord(const walk *w, plan_coord c) {
    switch (c) {
    case COORD_ZERO:
        return qm31_zero();
    case COORD_ONE:
        return qm31_one();
    case COORD_HALF:
        return qm31_from_m31(M31_HALF);
    default:
        return w->challenge[c - COORD_FIRST];
    }
}

void walk_claim_point(const walk *w, uint32_t claim, qm31 *point) {
    const plan_claim *k = &w->plan->claim[claim];
    const unsigned bits = mica_tensor_bits(&w->plan->circuit->tensor[k->tensor], w->plan->batch);
    for (unsigned i = 0; i < bits; i++)
        point[i] = walk_coord(w, w->plan->coord[k->point + i]);
}

pcs_claim walk_opening(const walk *w, uint32_t i, qm31 point[PCS_MAX_VARS]) {
    const plan *p = w->plan;
    const plan_opening *o = &p->opening[i];
    walk_claim_point(w, o->claim, point);
    if (o->item != PLAN_NONE) /* the group is the item: its variables come first in the point */
        return (pcs_claim){o->group, point, w->item[o->item]};
    const layout *l = (int)o->group == p->weight_group ? &p->weights : &p->witness;
    const layout_slot *s = layout_find(l, p->claim[o->claim].tensor);
    const unsigned vars = p->pcs.group[o->group].row_vars + p->pcs.group[o->group].col_vars;
    for (unsigned j = s->bits; j < vars; j++)
        point[j] = s->offset >> j & 1 ? qm31_one() : qm31_zero();
    return (pcs_claim){o->group, point, w->value[o->claim]};
}

qm31 walk_box(const walk *w, const mica_tensor *x, const qm31 *point, unsigned axes, const uint32_t *lo,
              const uint32_t *hi) {
    qm31 product = qm31_one();
    for (unsigned i = 0; i < x->rank; i++) {
        if (!(axes & 1u << i))
            continue;
        const qm31 *z = point + plan_axis_var(x, i);
        const unsigned bits = mica_log2_ceil(x->dim[i]);
        qm31 inside = mle_less_than(z, bits, hi ? hi[i] : x->dim[i]);
        if (lo)
            inside = qm31_sub(inside, mle_less_than(z, bits, lo[i]));
        product = qm31_mul(product, inside);
    }
    if (x->batched && (axes & 1u << x->rank))
        product = qm31_mul(product, mle_less_than(point + plan_axis_var(x, x->rank),
                                                  mica_log2_ceil(w->plan->batch), w->plan->batch));
    return product;
}

bool walk_public_eval(const walk *w, const mica_tensor *x, const int32_t *values, const qm31 *point,
                      qm31 *out) {
    const size_t mark = arena_mark(w->arena);
    const unsigned axes = x->rank + 1u; /* the batch axis first */
    uint64_t dim[MICA_MAX_RANK + 1];
    qm31 *eq[MICA_MAX_RANK + 1];
    for (unsigned i = 0; i < axes; i++) {
        const unsigned axis = i == 0 ? x->rank : i - 1;
        dim[i] = i == 0 ? (x->batched ? w->plan->batch : 1) : x->dim[axis];
        const unsigned bits = mica_log2_ceil(dim[i]);
        eq[i] = arena_alloc(w->arena, (size_t)1 << bits, sizeof(qm31), w->st);
        if (!eq[i])
            return false;
        mle_eq_table(point + plan_axis_var(x, axis), bits, eq[i]);
    }
    /* The innermost axis as a dot product, the others as an odometer. */
    const uint64_t inner = dim[axes - 1];
    uint64_t index[MICA_MAX_RANK + 1] = {0}, outer = 1;
    for (unsigned i = 0; i + 1 < axes; i++)
        outer *= dim[i];
    qm31 sum = qm31_zero();
    for (uint64_t o = 0; o < outer; o++, values += inner) {
        qm31 row = mle_dot_i32(eq[axes - 1], values, inner);
        for (unsigned i = 0; i + 1 < axes; i++)
            row = dim[i] > 1 ? qm31_mul(row, eq[i][index[i]]) : row; /* eq of no variables is 1 */
        sum = qm31_add(sum, row);
        for (unsigned i = axes - 1; i-- > 0 && ++index[i] == dim[i];)
            index[i] = 0;
    }
    arena_reset(w->arena, mark);
    *out = sum;
    return true;
}

static bool port_value(const walk *w, uint32_t claim, uint32_t tensor, const int32_t *values, qm31 *out) {
    qm31 point[MICA_MAX_BITS];
    walk_claim_point(w, claim, point);
    return walk_public_eval(w, &w->plan->circuit->tensor[tensor], values, point, out);
}

bool walk_input_value(const walk *w, uint32_t claim, qm31 *out) {
    const mica_circuit *c = w->plan->circuit;
    const uint32_t tensor = w->plan->claim[claim].tensor;
    for (uint32_t i = 0; i < c->n_inputs; i++) {
        if (c->input[i].tensor == tensor)
            return port_value(w, claim, tensor, w->statement->input[i], out);
    }
    return mica_fail(w->st, MICA_ERR_INTERNAL, "a public claim on a tensor that is no input");
}

bool walk_output_value(const walk *w, uint32_t claim, qm31 *out) {
    const plan_claim *k = &w->plan->claim[claim];
    return port_value(w, claim, k->tensor, w->statement->output[k->port], out);
}

qm31 walk_committed_value(const walk *w, uint32_t claim) {
    const plan *p = w->plan;
    const plan_claim *k = &p->claim[claim];
    const mica_tensor *x = &p->circuit->tensor[k->tensor];
    const plan_coord *batch = p->coord + k->point + mica_item_bits(x);
    qm31 sum = qm31_zero();
    for (uint32_t i = 0; i < p->batch; i++) {
        qm31 part = w->item[k->port * p->batch + i];
        for (unsigned v = 0; v < mica_log2_ceil(p->batch); v++) {
            const qm31 z = walk_coord(w, batch[v]);
            part = qm31_mul(part, i >> v & 1 ? z : qm31_sub(qm31_one(), z));
        }
        sum = qm31_add(sum, part);
    }
    return sum;
}
