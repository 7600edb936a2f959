#include "circuit_mutate.h"

#include <string.h>

#include "fuzz.h"

static uint32_t pick(uint64_t *random, uint32_t n) {
    return n ? fuzz_random(random) % n : 0;
}

/* Near the old value, small, or near a power of two. */
static uint32_t other(uint32_t old, uint64_t *random) {
    switch (pick(random, 4)) {
    case 0:
        return old + 1;
    case 1:
        return old - 1;
    case 2:
        return pick(random, 9);
    default:
        return (1u << pick(random, 32)) + pick(random, 3) - 1;
    }
}

static int32_t other_signed(int32_t old, uint64_t *random) {
    const int32_t x = (int32_t)other((uint32_t)old, random);
    return pick(random, 2) && x != INT32_MIN ? -x : x;
}

static void replace(uint32_t *x, uint32_t n, uint32_t from, uint32_t to) {
    for (uint32_t i = 0; i < n; i++)
        x[i] = x[i] == from ? to : x[i];
}

/* Every axis of one size gets another. */
static void resize(mica_circuit *c, uint64_t *random) {
    const mica_tensor *x = &c->tensor[pick(random, c->n_tensors)];
    if (x->rank == 0)
        return;
    const uint32_t from = x->dim[pick(random, x->rank)], to = other(from, random);
    for (uint32_t i = 0; i < c->n_tensors; i++)
        replace(c->tensor[i].dim, c->tensor[i].rank, from, to);
    for (uint32_t i = 0; i < c->n_contract; i++)
        replace(c->contract[i].label_dim, c->contract[i].n_labels, from, to);
    for (uint32_t i = 0; i < c->n_boxes; i++)
        replace(c->box[i].hi, MICA_MAX_RANK, from, to);
    for (uint32_t i = 0; i < c->n_inputs; i++)
        replace(c->input[i].onnx_dim, c->input[i].onnx_rank, from, to);
    for (uint32_t i = 0; i < c->n_outputs; i++)
        replace(c->output[i].onnx_dim, c->output[i].onnx_rank, from, to);
}

static void change_tensor(mica_circuit *c, uint64_t *random) {
    mica_tensor *x = &c->tensor[pick(random, c->n_tensors)];
    switch (pick(random, 4)) {
    case 0:
        x->lo = -(int32_t)(other((uint32_t) - (int64_t)x->lo, random) & INT32_MAX);
        return;
    case 1:
        x->hi = (int32_t)(other((uint32_t)x->hi, random) & INT32_MAX);
        return;
    case 2: /* whatever the relations ask for */
        x->lo = -(1 << pick(random, 31));
        x->hi = -x->lo - 1;
        return;
    default:
        x->batched = !x->batched;
        return;
    }
}

static void change_view(mica_view *v, uint64_t *random) {
    int32_t *axis = &v->axis[pick(random, MICA_MAX_RANK)];
    *axis = pick(random, 2) ? (int32_t)pick(random, 5) - 4 : other_signed(*axis, random);
    if (pick(random, 2)) { /* two axes change places */
        const unsigned i = pick(random, 4), j = pick(random, 4);
        const int32_t t = v->axis[i];
        v->axis[i] = v->axis[j];
        v->axis[j] = t;
    }
}

static void change_linear(mica_circuit *c, uint64_t *random) {
    if (c->n_linear && pick(random, 4) == 0) {
        mica_linear *l = &c->linear[pick(random, c->n_linear)];
        l->shift = (uint8_t)pick(random, MICA_MAX_BITS + 1);
    } else if (c->n_boxes && pick(random, 3) == 0) {
        mica_box *b = &c->box[pick(random, c->n_boxes)];
        uint32_t *side = (pick(random, 2) ? b->lo : b->hi) + pick(random, 4);
        b->coef = pick(random, 2) ? other_signed(b->coef, random) : b->coef;
        *side = pick(random, 2) ? other(*side, random) : *side;
    } else if (c->n_terms) {
        mica_term *m = &c->term[pick(random, c->n_terms)];
        if (pick(random, 2))
            m->coef = other_signed(m->coef, random);
        else if (pick(random, 2))
            m->tensor = pick(random, c->n_tensors);
        else
            change_view(&m->view, random);
    }
}

static void change_contract(mica_circuit *c, uint64_t *random) {
    if (!c->n_contract)
        return;
    mica_contract *d = &c->contract[pick(random, c->n_contract)];
    if (pick(random, 3) == 0)
        *(pick(random, 2) ? &d->a : &d->b) = pick(random, c->n_tensors);
    else if (pick(random, 2))
        change_view(pick(random, 2) ? &d->a_view : &d->b_view, random);
    else
        d->out_label[pick(random, 4)] = (uint8_t)pick(random, MICA_MAX_LABELS);
}

static void change_placement(mica_circuit *c, uint64_t *random) {
    if (!c->n_placement)
        return;
    mica_placement *p = &c->placement[pick(random, c->n_placement)];
    mica_factor *f = &p->factor[pick(random, p->n_factors)];
    int32_t *stride = &f->out_stride[pick(random, f->n_out)];
    switch (pick(random, 5)) {
    case 0:
        *stride = other_signed(*stride, random);
        return;
    case 1:
        f->offset = other_signed(f->offset, random);
        return;
    case 2:
        f->norm = pick(random, 2) ? 720 : other(f->norm, random);
        return;
    case 3:
        f->count_axis = (uint8_t)pick(random, MICA_MAX_RANK);
        return;
    default:
        p->src = pick(random, c->n_tensors);
        return;
    }
}

static void change_lookup(mica_circuit *c, uint64_t *random) {
    if (c->n_tables && pick(random, 2)) {
        mica_table *t = &c->table[pick(random, c->n_tables)];
        mica_tensor *m = &c->tensor[t->multiplicity % c->n_tensors];
        switch (pick(random, 4)) {
        case 0: /* rows, with all that follows from their number */
            t->def.bits = (uint8_t)pick(random, MICA_MAX_TABLE_BITS + 1);
            t->def.lo_key = t->def.lo_key ? -(1 << t->def.bits >> 1) : 0;
            m->dim[0] = 1u << t->def.bits;
            return;
        case 1:
            t->def.kind = (mica_table_kind)pick(random, MICA_TABLE_KINDS);
            return;
        case 2:
            t->def.in_scale.exponent = (int32_t)pick(random, 200) - 100;
            t->def.out_scale.exponent = (int32_t)pick(random, 200) - 100;
            return;
        default:
            t->def.lo_value = other_signed(t->def.lo_value, random);
            t->def.hi_value = other_signed(t->def.hi_value, random);
            return;
        }
    }
    if (c->n_lookups) {
        mica_lookup *l = &c->lookup[pick(random, c->n_lookups)];
        if (pick(random, 2))
            l->table = pick(random, c->n_tables);
        else
            l->entry[pick(random, 2)] = pick(random, c->n_tensors);
    }
}

static void change_port(mica_circuit *c, uint64_t *random) {
    const bool in = pick(random, 4) == 0;
    const uint32_t n = in ? c->n_inputs : c->n_outputs;
    if (n == 0)
        return;
    mica_port *p = &(in ? c->input : c->output)[pick(random, n)];
    switch (pick(random, 5)) {
    case 0: { /* another tensor, with its shape */
        p->tensor = pick(random, c->n_tensors);
        const mica_tensor *x = &c->tensor[p->tensor];
        p->onnx_rank = x->rank;
        memcpy(p->onnx_dim, x->dim, sizeof p->onnx_dim);
        for (unsigned i = 0; i < MICA_MAX_RANK; i++)
            p->axis_order[i] = i < x->rank ? (uint8_t)i : 0;
        return;
    }
    case 1:
        p->exponent = other_signed(p->exponent, random);
        return;
    case 3:
        p->visibility = (mica_visibility)pick(random, 3);
        return;
    case 2:
        p->axis_order[pick(random, 3)] = (uint8_t)pick(random, 4);
        return;
    default:
        c->n_outputs -= c->n_outputs > 1;
        return;
    }
}

void circuit_mutate(mica_circuit *c, uint64_t *random) {
    static void (*const changes[])(mica_circuit *, uint64_t *) = {
        resize, change_tensor, change_linear, change_contract, change_placement, change_lookup, change_port};
    const uint32_t which = pick(random, 2 + sizeof changes / sizeof *changes);
    if (c->n_tensors == 0)
        return;
    if (which < sizeof changes / sizeof *changes)
        changes[which](c, random);
    else if (which % 2)
        resize(c, random);
    else
        c->max_batch = other(c->max_batch, random);
}
