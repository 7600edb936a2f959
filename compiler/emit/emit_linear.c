/* Steps whose cells are sums of terms: LINEAR, requantisation and maximum. */
#include "emit/emitter.h"

#include <stdlib.h>
#include <string.h>

/* One sum: constants and terms, with the interval that contains it and all of its partial sums. */
typedef struct sum {
    const char *name;
    const mica_linear *linear;
    int sign;      /* of the terms and boxes of `linear` */
    operand *term; /* over the result's axes */
    int32_t *coef;
    unsigned n_terms;
    int64_t constant; /* boxes that cover all valid cells */
    bool wide;        /* partial sums may leave 32 bits */
} sum;

static bool is_full_box(const mica_tensor *t, const mica_box *b) {
    for (unsigned i = 0; i < t->rank; i++) {
        if (b->lo[i] != 0 || b->hi[i] != t->dim[i])
            return false;
    }
    return true;
}

/* Interval of coef * (sum of `count` cells of t). Both ends include zero's side, as every range contains
 * zero. */
static void add_interval(const mica_tensor *t, int64_t coef, int64_t count, int64_t *lo, int64_t *hi,
                         bool *wide) {
    const int64_t x = coef * t->lo, y = coef * t->hi;
    *lo += count * (x < y ? x : y);
    *hi += count * (x < y ? y : x);
    *wide = *wide || x < INT32_MIN || x > INT32_MAX || y < INT32_MIN || y > INT32_MAX;
}

/* Fills the sum from the LINEAR tensor v, leaving out the terms on tensors in skip[0..n_skip). */
static bool sum_create(emitter *e, sum *s, const char *name, uint32_t v, int sign, const uint32_t *skip,
                       unsigned n_skip) {
    const mica_circuit *c = e->circuit;
    const mica_linear *l = &c->linear[c->tensor[v].def];
    memset(s, 0, sizeof *s);
    s->name = name;
    s->linear = l;
    s->sign = sign;
    s->term = pool_alloc(&e->pool, (l->n_terms + 1) * sizeof *s->term);
    s->coef = pool_alloc(&e->pool, (l->n_terms + 1) * sizeof *s->coef);
    if (!s->term || !s->coef)
        return false;
    int64_t lo = 0, hi = 0;
    for (uint32_t i = 0; i < l->n_boxes; i++) {
        const mica_box *b = &c->box[l->first_box + i];
        const int64_t coef = sign * (int64_t)b->coef;
        if (is_full_box(&c->tensor[v], b))
            s->constant += coef;
        else
            *(coef < 0 ? &lo : &hi) += coef;
    }
    for (uint32_t i = 0; i < l->n_terms; i++) {
        const mica_term *t = &c->term[l->first_term + i];
        bool skipped = false;
        for (unsigned k = 0; k < n_skip; k++)
            skipped = skipped || skip[k] == t->tensor;
        if (skipped)
            continue;
        operand *op = &s->term[s->n_terms];
        int64_t count = 1;
        operand_view(op, c, t->tensor, &t->view);
        for (unsigned k = 0; k < op->n_sums; k++)
            count *= op->sum_dim[k];
        s->coef[s->n_terms++] = sign * t->coef;
        add_interval(&c->tensor[t->tensor], sign * (int64_t)t->coef, count, &lo, &hi, &s->wide);
    }
    lo += s->constant;
    hi += s->constant;
    s->wide =
        s->wide || lo < INT32_MIN || hi > INT32_MAX || s->constant < INT32_MIN || s->constant > INT32_MAX;
    return true;
}

/* Axes of v that a partial box of l restricts: their loops keep their index. */
static uint32_t restricted_axes(const mica_circuit *c, uint32_t v, const mica_linear *l) {
    uint32_t axes = 0;
    for (uint32_t i = 0; i < l->n_boxes; i++) {
        const mica_box *b = &c->box[l->first_box + i];
        for (unsigned a = 0; a < c->tensor[v].rank; a++) {
            if (b->lo[a] != 0 || b->hi[a] != c->tensor[v].dim[a])
                axes |= 1u << a;
        }
    }
    return axes;
}

static void bind_box(scope *s, const mica_tensor *v, const mica_box *b, int sign) {
    scope_set(s, "COEF", "%lld", (long long)sign * b->coef);
    for (unsigned a = 0; a < v->rank; a++) {
        if (b->lo[a] == 0 && b->hi[a] == v->dim[a])
            continue; /* every axis of size 1 included: a box is not empty */
        scope *inside = scope_item(s, "inside");
        scope_set(inside, "INDEX", "i%u", a);
        scope_set(inside, "FROM", "%u", b->lo[a]);
        scope_set(inside, "TO", "%u", b->hi[a]);
    }
}

static void bind_term(scope *s, const operand *op, int32_t coef, bool wide, const nest *loops) {
    const long long size = llabs((long long)coef);
    scope_set(s, "OPERAND", "t%u", op->tensor);
    scope_set(s, "OP", "%s", coef < 0 ? "-=" : "+=");
    scope_set(s, "COEF", wide && size != 1 ? "%lldLL" : "%lld", size);
    scope_set(s, "BASE", "%lld", (long long)op->base);
    for (unsigned k = 0; k < op->n_sums; k++) {
        scope *over = scope_item(s, "over"), *at = scope_item(s, "at");
        scope_set(over, "K", "k%u", k);
        scope_set(over, "K_DIM", "%u", op->sum_dim[k]);
        scope_set(at, "INDEX", "k%u", k);
        scope_set(at, "STRIDE", "%lld", (long long)op->sum_stride[k]);
    }
    bind_strides(s, "at", loops, op->stride);
}

static void bind_sum(emitter *e, scope *root, const sum *s, uint32_t v, const nest *loops) {
    const mica_circuit *c = e->circuit;
    scope *item = scope_item(root, "sum");
    scope_set(item, "SUM", "%s", s->name);
    scope_set(item, "ACC", "%s", s->wide ? "int64_t" : "int32_t");
    scope_set(item, "CONSTANT", "%lld", (long long)s->constant);
    for (uint32_t i = 0; i < s->linear->n_boxes; i++) {
        const mica_box *b = &c->box[s->linear->first_box + i];
        if (!is_full_box(&c->tensor[v], b))
            bind_box(scope_item(item, "box"), &c->tensor[v], b, s->sign);
    }
    for (unsigned i = 0; i < s->n_terms; i++)
        bind_term(scope_item(item, "term"), &s->term[i], s->coef[i], s->wide, loops);
}

/* Declares each tensor that the sums read, once. */
static void bind_operands(emitter *e, scope *root, const sum *s, unsigned n_sums) {
    for (unsigned j = 0; j < n_sums; j++) {
        for (unsigned i = 0; i < s[j].n_terms; i++) {
            const uint32_t t = s[j].term[i].tensor;
            bool seen = false;
            for (unsigned k = 0; k <= j; k++) {
                for (unsigned m = 0; m < (k < j ? s[k].n_terms : i); m++)
                    seen = seen || s[k].term[m].tensor == t;
            }
            if (!seen)
                bind_cells(e, scope_item(root, "operand"), t, "OPERAND", "OPERAND_SOURCE", "OPERAND_AT");
        }
    }
}

/* Plans the loops over v's cells for the sums, and binds loops, sums and operands. */
static scope *bind_sums(emitter *e, uint32_t v, sum *s, unsigned n_sums) {
    const mica_tensor *t = &e->circuit->tensor[v];
    unsigned n_ops = 1;
    for (unsigned j = 0; j < n_sums; j++)
        n_ops += s[j].n_terms;
    operand cell, **op = pool_alloc(&e->pool, n_ops * sizeof *op);
    scope *root = scope_create(&e->pool);
    if (!op || !root)
        return NULL;
    operand_identity(&cell, e->circuit, v);
    op[0] = &cell;
    n_ops = 1;
    for (unsigned j = 0; j < n_sums; j++) {
        for (unsigned i = 0; i < s[j].n_terms; i++)
            op[n_ops++] = &s[j].term[i];
    }
    nest loops;
    nest_create(&loops, t->rank, t->dim);
    uint32_t keep = 0;
    for (unsigned j = 0; j < n_sums; j++)
        keep |= restricted_axes(e->circuit, v, s[j].linear);
    nest_simplify(&loops, op, n_ops, keep, false, NULL);
    bind_independent_loops(root, &loops);
    bind_strides(root, "cell", &loops, cell.stride);
    for (unsigned j = 0; j < n_sums; j++)
        bind_sum(e, root, &s[j], v, &loops);
    bind_operands(e, root, s, n_sums);
    return root;
}

bool emit_linear(emitter *e, const step *st) {
    const uint32_t v = st->tensor[0];
    const mica_tensor *t = &e->circuit->tensor[v];
    sum s;
    if (!sum_create(e, &s, "sum", v, 1, NULL, 0))
        return false;
    if (s.linear->shift != 0)
        return mica_fail(e->status, MICA_ERR_INTERNAL, "tensor %u: a shifted sum needs a requantisation step",
                         v);
    scope *root = bind_sums(e, v, &s, 1);
    bind_cells(e, root, v, "RESULT", "RESULT_SOURCE", "RESULT_AT");
    scope_set(root, "SUM", "sum");
    scope_set(root, "LO", "%d", t->lo);
    scope_set(root, "HI", "%d", t->hi);
    return template_render(&e->templates, "linear.c", root, &e->steps, e->status);
}

/* Bit position of limb t among the remainder's bits: its term in h's sum is -2^position. */
static bool limb_position(const emitter *e, const mica_linear *l, uint32_t t, unsigned *position) {
    for (uint32_t i = 0; i < l->n_terms; i++) {
        const mica_term *term = &e->circuit->term[l->first_term + i];
        if (term->tensor != t)
            continue;
        const int64_t size = -(int64_t)term->coef;
        *position = 0;
        while (*position < 31 && (1LL << *position) < size)
            (*position)++;
        return size == 1LL << *position;
    }
    return false;
}

static bool bind_limbs(emitter *e, scope *root, const step *st, const mica_linear *l) {
    for (unsigned i = 0; i < st->n_limbs; i++) {
        unsigned low = 0, high = l->shift;
        if (!limb_position(e, l, st->tensor[2 + i], &low) ||
            (i + 1 < st->n_limbs && !limb_position(e, l, st->tensor[3 + i], &high)) || high <= low)
            return mica_fail(e->status, MICA_ERR_INTERNAL,
                             "tensor %u: its remainder's limbs are not in order", st->tensor[0]);
        scope *limb = scope_item(root, "limb");
        scope_set(limb, "LIMB", "t%u", st->tensor[2 + i]);
        scope_set(limb, "LIMB_AT", "%u", st->tensor[2 + i]);
        scope_set(limb, "LOW", "%u", low);
        scope_set(limb, "WIDTH", "%u", high - low);
    }
    return true;
}

/* y = table(h), or the clamp that the table holds. */
static void bind_output(emitter *e, scope *root, const step *st) {
    const mica_table_def *def = &e->circuit->table[st->table].def;
    scope *output = scope_item(root, "output");
    scope_set(root, "OUTPUT", "t%u", st->tensor[1]);
    scope_set(output, "OUTPUT_AT", "%u", st->tensor[1]);
    if (mica_table_is_structured(def)) {
        const bool exact = def->kind == MICA_TABLE_RELU;
        const int32_t least =
            exact || (def->kind == MICA_TABLE_RELU_SCALED && def->lo_value < 0) ? 0 : def->lo_value;
        scope *clamp = scope_item(root, "clamp");
        scope_set(clamp, "LEAST", "%d", least);
        scope_set(clamp, "MOST", "%d", exact ? INT32_MAX : def->hi_value);
    } else {
        scope *lookup = scope_item(root, "lookup");
        scope_set(lookup, "TABLE", "table%u", st->table);
        scope_set(lookup, "TABLE_AT", "%u", st->table);
        scope_set(lookup, "KEY_OFFSET", "%lld", -(long long)def->lo_key);
    }
}

bool emit_requantise(emitter *e, const step *st) {
    const uint32_t h = st->tensor[0];
    const mica_tensor *t = &e->circuit->tensor[h];
    sum s;
    if (!sum_create(e, &s, "sum", h, 1, st->tensor + 2, st->n_limbs))
        return false;
    scope *root = bind_sums(e, h, &s, 1);
    if (!root || !bind_limbs(e, root, st, s.linear))
        return false;
    scope_set(root, "SUM", "sum");
    scope_set(root, "HIGH", "t%u", h);
    scope_set(root, "HIGH_AT", "%u", h);
    scope_set(root, "LO", "%d", t->lo);
    scope_set(root, "HI", "%d", t->hi);
    scope_set(root, "BITS", "%s", s.wide ? "mica_bits64" : "mica_bits32");
    scope_set(root, "SHIFT", "%s", s.wide ? "mica_shift64" : "mica_shift32");
    scope_set(root, "DROPPED", "%u", s.linear->shift);
    if (st->tensor[1] != UINT32_MAX)
        bind_output(e, root, st);
    return template_render(&e->templates, "requantise.c", root, &e->steps, e->status);
}

bool emit_max(emitter *e, const step *st) {
    const uint32_t v = st->tensor[0], d = st->tensor[1], positive = st->tensor[2];
    const mica_circuit *c = e->circuit;
    sum s[2];
    if (!sum_create(e, &s[0], "d", d, 1, NULL, 0) || !sum_create(e, &s[1], "b", positive, -1, &v, 1))
        return false;
    scope *root = bind_sums(e, v, s, 2);
    scope_set(root, "MAXIMUM", "t%u", v);
    scope_set(root, "MAXIMUM_AT", "%u", v);
    scope_set(root, "DIFFERENCE", "t%u", d);
    scope_set(root, "DIFFERENCE_AT", "%u", d);
    scope_set(root, "POSITIVE", "t%u", positive);
    scope_set(root, "POSITIVE_AT", "%u", positive);
    scope_set(root, "LO", "%d", c->tensor[v].lo);
    scope_set(root, "HI", "%d", c->tensor[v].hi);
    scope_set(root, "D_LO", "%d", c->tensor[d].lo);
    scope_set(root, "D_HI", "%d", c->tensor[d].hi);
    return template_render(&e->templates, "max.c", root, &e->steps, e->status);
}
