/* Which relations say that weights are what the no-wrap rule takes them for. Every weight becomes the
 * difference of two numbers that are not negative, w = p - n, p <= hi and n <= -lo: so lo <= w <= hi, and for
 * x in [xl, xh] a sum of w x is at most sum of (xh p - xl n) and at least sum of (xl p - xh n), whichever p
 * and n with these properties the prover chose. */
#include "certificate/certificate_circuit.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "certificate/certificate_builder.h"
#include "circuit/circuit_validate.h"
#include "hash/blake2s.h"

#define CERTIFICATE_KEY "mica certificate v1"

/* Sums may reach it before they are known to be small: with a column of at most 2^30 the sides of a lookup
 * still differ by less than p, which circuit_validate_relations checks with all other rules. */
#define MAX_SPREAD ((int64_t)1 << 30)

/* The parts of a weight tensor, CERT_NONE where they are zero or not needed. */
typedef struct weight_parts {
    uint32_t positive, negative;
} weight_parts;

typedef struct deriver {
    cert_builder *b;
    const mica_circuit *model;
    certificate *k;
    uint32_t *place;    /* [model tensors] the certificate's tensor of a WEIGHT */
    bool *summed;       /* [n_weights] rows of its parts are bounded */
    weight_parts *part; /* [n_weights] */
} deriver;

/* --- numbers that are not negative --- */

/* A number of 2^bits values of the prover's choice, of the shape of `source`: one digit, or a sum of digits.
 */
static uint32_t make_number(cert_builder *b, uint32_t source, bool negated, unsigned bits) {
    cert_form sum = cert_form_like(b, source, 0);
    uint32_t digit = CERT_NONE;
    for (unsigned at = 0; at < bits || at == 0; at += b->digit) {
        const unsigned width = bits - at < b->digit ? bits - at : b->digit;
        digit = cert_witness(b, (certificate_rule){source, negated, (uint8_t)at, (uint8_t)width});
        if (digit == CERT_NONE || !cert_lookup_range(b, digit, width))
            return CERT_NONE;
        cert_form_add(&sum, b, digit, (int64_t)1 << at); /* at < CERT_MAX_BITS: the caller */
    }
    return bits <= b->digit ? digit : cert_linear(b, &sum);
}

static bool bits_fit(cert_builder *b, unsigned bits) {
    return bits <= CERT_MAX_BITS ||
           mica_fail(b->st, MICA_ERR_RANGE, "layer '%s': its weights' range is too wide for a certificate",
                     b->c->layer[b->layer].name);
}

/* Proves that the form is zero on D and elsewhere. */
static bool settle_zero(cert_builder *b, const cert_form *f) {
    const uint32_t zero = cert_linear(b, f);
    return zero != CERT_NONE && cert_lookup_range(b, zero, 0);
}

/* Proves 0 <= x < 2^bits. Returns a tensor that equals x and whose declared range says so. */
static uint32_t settle(cert_builder *b, uint32_t x, unsigned bits) {
    if (bits <= b->digit)
        return cert_lookup_range(b, x, bits) ? x : CERT_NONE;
    const uint32_t number = bits_fit(b, bits) ? make_number(b, x, false, bits) : CERT_NONE;
    if (number == CERT_NONE)
        return CERT_NONE;
    cert_form difference = cert_form_like(b, x, 0);
    cert_form_add(&difference, b, x, 1);
    cert_form_add(&difference, b, number, -1);
    return settle_zero(b, &difference) ? number : CERT_NONE;
}

/* x <= top for x that is known to be in [0, 2^bits), bits those of top. */
static bool settle_top(cert_builder *b, uint32_t x, int64_t top, unsigned bits) {
    if (top + 1 == (int64_t)1 << bits)
        return true;
    cert_form rest = cert_form_like(b, x, top);
    cert_form_add(&rest, b, x, -1);
    const uint32_t r = cert_linear(b, &rest);
    return r != CERT_NONE && settle(b, r, bits) != CERT_NONE;
}

static uint64_t valid_cells(const mica_tensor *x) {
    uint64_t n = 1; /* at most 2^30: circuit_validate */
    for (unsigned i = 0; i < x->rank; i++)
        n *= x->dim[i];
    return n;
}

/* Proves 0 <= x <= top; as settle. A table of its own pays where it has fewer rows than x has cells. */
static uint32_t settle_exactly(cert_builder *b, uint32_t x, int64_t top) {
    const unsigned bits = cert_bits(top);
    const bool power = top + 1 == (int64_t)1 << bits;
    if (!power && bits <= b->digit && (uint64_t)1 << bits <= valid_cells(&b->c->tensor[x]))
        return cert_lookup_clamp(b, x, (uint32_t)top) ? x : CERT_NONE;
    x = settle(b, x, bits);
    return x != CERT_NONE && settle_top(b, x, top, bits) ? x : CERT_NONE;
}

/* --- weights --- */

/* coef * w + constant */
static uint32_t shifted_weight(cert_builder *b, uint32_t w, int64_t coef, int64_t constant) {
    cert_form f = cert_form_like(b, w, constant);
    cert_form_add(&f, b, w, coef);
    return cert_linear(b, &f);
}

/* p in [0, top] of the prover's choice: max(w, 0) will do. */
static uint32_t choose_positive(cert_builder *b, uint32_t w, int64_t top) {
    const unsigned bits = cert_bits(top);
    if (!bits_fit(b, bits))
        return CERT_NONE;
    if (bits <= b->digit) {
        const uint32_t p = cert_witness(b, (certificate_rule){w, false, 0, (uint8_t)bits});
        return p == CERT_NONE ? CERT_NONE : settle_exactly(b, p, top);
    }
    const uint32_t p = make_number(b, w, false, bits);
    return p != CERT_NONE && settle_top(b, p, top, bits) ? p : CERT_NONE;
}

/* n = p - w, 0 <= n <= top. A wide n is a number of its own: p - w alone, before it is looked up, might be
 * any cell of the field and more. */
static uint32_t derive_negative(cert_builder *b, uint32_t w, uint32_t p, int64_t top) {
    const unsigned bits = cert_bits(top);
    cert_form f = cert_form_like(b, w, 0);
    cert_form_add(&f, b, p, 1);
    cert_form_add(&f, b, w, -1);
    if (bits <= b->digit) {
        const uint32_t n = cert_linear(b, &f);
        return n == CERT_NONE ? CERT_NONE : settle_exactly(b, n, top);
    }
    const uint32_t n = bits_fit(b, bits) ? make_number(b, w, true, bits) : CERT_NONE;
    if (n == CERT_NONE)
        return CERT_NONE;
    cert_form_add(&f, b, n, -1);
    return settle_zero(b, &f) && settle_top(b, n, top, bits) ? n : CERT_NONE;
}

static uint32_t scaled_weight(cert_builder *b, uint32_t w, int64_t coef, int64_t top) {
    const uint32_t x = shifted_weight(b, w, coef, 0);
    return x == CERT_NONE ? CERT_NONE : settle_exactly(b, x, top);
}

/* w = p - n with p in [0, hi] and n in [0, -lo]; a part that must be zero is left out. */
static bool split_weight(cert_builder *b, uint32_t w, const mica_tensor *of_model, weight_parts *part) {
    const int64_t lo = of_model->lo, hi = of_model->hi;
    if (lo == 0) {
        part->positive = scaled_weight(b, w, 1, hi);
        return part->positive != CERT_NONE;
    }
    if (hi == 0) {
        part->negative = scaled_weight(b, w, -1, -lo);
        return part->negative != CERT_NONE;
    }
    part->positive = choose_positive(b, w, hi);
    if (part->positive != CERT_NONE)
        part->negative = derive_negative(b, w, part->positive, -lo);
    return part->negative != CERT_NONE;
}

/* lo <= w <= hi, zero in the padding; the parts where they are asked for. */
static bool derive_weight(deriver *d, uint32_t w) {
    const mica_tensor *x = &d->model->tensor[d->k->weight[w]];
    d->b->layer = x->layer;
    d->part[w] = (weight_parts){CERT_NONE, CERT_NONE};
    if (d->summed[w])
        return split_weight(d->b, w, x, &d->part[w]);
    const uint32_t v = shifted_weight(d->b, w, 1, -(int64_t)x->lo);
    return v != CERT_NONE && settle_exactly(d->b, v, (int64_t)x->hi - x->lo) != CERT_NONE;
}

/* --- rows of contractions --- */

/* A contraction with weights, from the weights' side: sum over the contracted axes of w x, x in [lo, hi]. */
typedef struct product {
    uint32_t weight; /* in the certificate */
    mica_view view;  /* of its axes on those of the rows */
    uint8_t rank;    /* of the rows */
    uint32_t dim[MICA_MAX_RANK];
    int64_t count; /* weights per row */
    int64_t lo, hi;
} product;

static bool is_weight(const mica_circuit *c, uint32_t t) {
    return c->tensor[t].kind == MICA_TENSOR_WEIGHT;
}

/* Whether t is a contraction whose range is the weights' affair; *which tells them from the other operand. */
static bool needs_rows(const mica_circuit *c, uint32_t t, bool *weight_is_a) {
    const mica_tensor *x = &c->tensor[t];
    if (x->kind != MICA_TENSOR_CONTRACT)
        return false;
    const mica_contract *k = &c->contract[x->def];
    *weight_is_a = is_weight(c, k->a);
    if (!*weight_is_a && !is_weight(c, k->b))
        return false;
    const int_range r = circuit_product_range(c, t);
    return r.lo < x->lo || r.hi > x->hi;
}

static product describe_product(const deriver *d, uint32_t t, bool weight_is_a) {
    const mica_circuit *c = d->model;
    const mica_contract *k = &c->contract[c->tensor[t].def];
    const uint32_t w = weight_is_a ? k->a : k->b;
    const mica_view *view = weight_is_a ? &k->a_view : &k->b_view;
    const mica_tensor *weight = &c->tensor[w], *other = &c->tensor[weight_is_a ? k->b : k->a];
    product p = {.weight = d->place[w], .count = 1, .lo = other->lo, .hi = other->hi};
    for (unsigned i = 0; i < weight->rank; i++) {
        const int32_t label = view->axis[i];
        bool kept = false;
        for (unsigned j = 0; j < c->tensor[t].rank; j++)
            kept |= label >= 0 && k->out_label[j] == label;
        if (kept) {
            p.view.axis[i] = p.rank;
            p.dim[p.rank++] = weight->dim[i];
        } else if (label >= 0) {
            p.view.axis[i] = MICA_VIEW_SUM;
            p.count *= weight->dim[i];
        } else {
            p.view.axis[i] = label;
        }
    }
    return p;
}

static cert_form row_form(const product *p, int64_t constant) {
    cert_form f = {.rank = p->rank, .constant = constant};
    memcpy(f.dim, p->dim, sizeof f.dim);
    return f;
}

/* Sums over a row, of one part with a coefficient that is not negative. */
typedef struct row_sum {
    uint32_t part;
    int64_t coef;
} row_sum;

/* The largest value that the declared ranges admit. */
static int64_t largest_sum(const cert_builder *b, const product *p, const row_sum *s, int64_t coef) {
    const __int128 x = (__int128)b->range[s->part].hi * p->count * coef; /* < 2^30 2^30 2^31 */
    return x > INT64_MAX / 4 ? INT64_MAX / 4 : (int64_t)x;
}

/* Where a sum's coefficient takes it beyond MAX_SPREAD: the sum itself is bounded first, by what the row's
 * bound leaves to it. Subtracts its share from *left. */
static bool subtract_sum(cert_builder *b, const product *p, const row_sum *s, int64_t bound, uint32_t *left) {
    cert_form f = row_form(p, 0);
    if (largest_sum(b, p, s, 1) > MAX_SPREAD)
        return mica_fail(b->st, MICA_ERR_LIMIT,
                         "layer '%s': sums of %lld weights of this width are too long for a certificate",
                         b->c->layer[b->layer].name, (long long)p->count);
    cert_form_add_view(&f, s->part, 1, p->view);
    uint32_t sum = cert_linear(b, &f);
    sum = sum == CERT_NONE ? sum : settle(b, sum, cert_bits(bound / s->coef));
    if (sum == CERT_NONE)
        return false;
    f = row_form(p, *left == CERT_NONE ? bound : 0);
    if (*left != CERT_NONE)
        cert_form_add(&f, b, *left, 1);
    cert_form_add(&f, b, sum, -s->coef);
    *left = cert_linear(b, &f);
    *left = *left == CERT_NONE ? *left : settle(b, *left, cert_bits(bound));
    return *left != CERT_NONE;
}

/* Proves for every row that the sums times their coefficients are at most `bound`. */
static bool bound_rows(cert_builder *b, const product *p, int64_t bound, const row_sum *sum, unsigned n) {
    int64_t spread = 0;
    for (unsigned i = 0; i < n; i++)
        spread += largest_sum(b, p, &sum[i], sum[i].coef);
    if (spread > MAX_SPREAD) {
        uint32_t left = CERT_NONE;
        for (unsigned i = 0; i < n; i++) {
            if (!subtract_sum(b, p, &sum[i], bound, &left))
                return false;
        }
        return true;
    }
    cert_form f = row_form(p, bound);
    for (unsigned i = 0; i < n; i++)
        cert_form_add_view(&f, sum[i].part, -sum[i].coef, p->view);
    const uint32_t rest = cert_linear(b, &f);
    return rest != CERT_NONE && settle(b, rest, cert_bits(bound)) != CERT_NONE;
}

/* One side of a contraction's range: positive parts times `up` and negative ones times `down`. */
static bool bound_side(deriver *d, const product *p, int64_t bound, int64_t up, int64_t down) {
    const weight_parts *part = &d->part[p->weight];
    row_sum sum[2];
    unsigned n = 0;
    if (part->positive != CERT_NONE && up > 0)
        sum[n++] = (row_sum){part->positive, up};
    if (part->negative != CERT_NONE && down > 0)
        sum[n++] = (row_sum){part->negative, down};
    return n == 0 || bound_rows(d->b, p, bound, sum, n);
}

static bool derive_product(deriver *d, uint32_t t, bool weight_is_a) {
    const mica_tensor *x = &d->model->tensor[t];
    const product p = describe_product(d, t, weight_is_a);
    uint64_t rows = 1;
    for (unsigned i = 0; i < p.rank; i++)
        rows *= p.dim[i];
    d->k->products++;
    d->k->rows += rows;
    d->b->layer = x->layer;
    return bound_side(d, &p, x->hi, p.hi, -p.lo) && bound_side(d, &p, -(int64_t)x->lo, -p.lo, p.hi);
}

/* --- parts --- */

/* summed[w], by the WEIGHT tensors' order: a contraction needs its rows. */
static void mark_summed(const mica_circuit *c, const uint32_t *place, bool *summed) {
    bool is_a;
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        if (needs_rows(c, t, &is_a)) {
            const mica_contract *k = &c->contract[c->tensor[t].def];
            summed[place[is_a ? k->a : k->b]] = true;
        }
    }
}

/* The WEIGHT tensors [*first, *end) of part `part`; returns the number of parts. */
static uint32_t cut(const mica_circuit *c, const bool *summed, uint64_t most, uint32_t part, uint32_t *first,
                    uint32_t *end) {
    uint32_t n = 0, w = 0;
    uint64_t lookups = 0; /* <= 2^31 per tensor, 2^20 tensors */
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        if (!is_weight(c, t))
            continue;
        const uint64_t own = (summed[w] ? (uint64_t)2 : 1) << mica_item_bits(&c->tensor[t]);
        if (n == 0 || lookups + own > most) {
            lookups = 0;
            n++;
        }
        lookups += own;
        if (n - 1 == part) {
            *first = *end > *first ? *first : w;
            *end = w + 1;
        }
        w++;
    }
    return n;
}

bool certificate_parts(const mica_circuit *c, uint64_t most, uint32_t *n_parts, mica_status *st) {
    uint32_t *place = calloc((size_t)c->n_tensors + 1, sizeof *place), first = 0, end = 0, n = 0;
    bool *summed = calloc((size_t)c->n_tensors + 1, sizeof *summed);
    const bool ok =
        (place && summed) || mica_fail(st, MICA_ERR_MEMORY, "out of memory for a weight certificate");
    for (uint32_t t = 0; ok && t < c->n_tensors; t++)
        place[t] = is_weight(c, t) ? n++ : 0;
    if (ok) {
        mark_summed(c, place, summed);
        *n_parts = cut(c, summed, most, 0, &first, &end);
    }
    free(place);
    free(summed);
    return ok &&
           (*n_parts <= CERTIFICATE_MAX_PARTS ||
            mica_fail(st, MICA_ERR_LIMIT, "the weights would need a certificate of %u parts; at most %d",
                      *n_parts, CERTIFICATE_MAX_PARTS));
}

/* --- the whole --- */

static bool list_weights(deriver *d) {
    const mica_circuit *c = d->model;
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        if (!is_weight(c, t))
            continue;
        d->place[t] = cert_weight(d->b, &c->tensor[t]);
        if (d->place[t] == CERT_NONE)
            return false;
        d->k->weight[d->k->n_weights++] = t;
    }
    return true;
}

static bool in_part(const certificate *k, uint32_t w) {
    return w >= k->first && w < k->end;
}

static bool derive(deriver *d, uint64_t most, uint32_t part) {
    certificate *k = d->k;
    const mica_circuit *c = d->model;
    bool is_a;
    if (!list_weights(d))
        return false;
    mark_summed(c, d->place, d->summed);
    (void)cut(c, d->summed, most, part, &k->first, &k->end);
    for (uint32_t w = k->first; w < k->end; w++) {
        k->cells += valid_cells(&c->tensor[k->weight[w]]);
        if (!derive_weight(d, w))
            return false;
    }
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        if (!needs_rows(c, t, &is_a))
            continue;
        const mica_contract *x = &c->contract[c->tensor[t].def];
        if (in_part(k, d->place[is_a ? x->a : x->b]) && !derive_product(d, t, is_a))
            return false;
    }
    return cert_builder_finish(d->b);
}

/* Tables may have as many rows as there are weights. */
static unsigned digit_bits(const mica_circuit *model) {
    uint64_t cells = 0;
    for (uint32_t t = 0; t < model->n_tensors; t++)
        cells += is_weight(model, t) ? valid_cells(&model->tensor[t]) : 0;
    unsigned bits = CERT_MIN_DIGIT;
    while (bits < CERT_MAX_DIGIT && (uint64_t)2 << bits <= cells)
        bits++;
    return bits;
}

static bool make_circuit(certificate *k, const mica_circuit *model, uint64_t most, uint32_t part,
                         cert_builder *b, mica_status *st) {
    const uint32_t n = model->n_tensors;
    mica_circuit *c = &k->vk.circuit;
    cert_builder_begin(b, c, digit_bits(model), st);
    c->max_batch = 1;
    c->layer = malloc(model->n_layers * sizeof *c->layer);
    k->weight = malloc((size_t)n * sizeof *k->weight);
    deriver d = {b,
                 model,
                 k,
                 malloc((size_t)n * sizeof *d.place),
                 calloc(n, sizeof *d.summed),
                 malloc((size_t)n * sizeof *d.part)};
    bool ok = (c->layer && k->weight && d.place && d.summed && d.part) ||
              mica_fail(st, MICA_ERR_MEMORY, "out of memory for a weight certificate");
    if (ok) {
        memcpy(c->layer, model->layer, model->n_layers * sizeof *c->layer);
        c->n_layers = model->n_layers;
        ok = derive(&d, most, part);
    }
    free(d.place);
    free(d.summed);
    free(d.part);
    k->rule = b->rule;
    free(b->range);
    return ok && circuit_validate_relations(c, st);
}

/* The digest that the certificate's transcript starts with: no other proof's does. */
static bool make_digest(certificate *k, const mica_vk *model, mica_status *st) {
    uint8_t *bytes;
    size_t size;
    blake2s h;
    if (!mica_circuit_write(&k->vk.circuit, &bytes, &size, st))
        return false;
    blake2s_init(&h, CERTIFICATE_KEY);
    blake2s_update(&h, model->digest, MICA_DIGEST_BYTES);
    blake2s_update(&h, bytes, size);
    blake2s_final(&h, k->vk.digest);
    free(bytes);
    return true;
}

bool certificate_derive(certificate *k, const mica_vk *model, uint64_t most, uint32_t part, mica_status *st) {
    memset(k, 0, sizeof *k);
    k->vk.security_bits = model->security_bits;
    k->vk.weight_row_bits = model->weight_row_bits;
    k->vk.weight_rate_bits = model->weight_rate_bits;
    memcpy(k->vk.weight_root, model->weight_root, MICA_DIGEST_BYTES);
    cert_builder *b = malloc(sizeof *b);
    const bool ok = b ? make_circuit(k, &model->circuit, most, part, b, st) && make_digest(k, model, st)
                      : mica_fail(st, MICA_ERR_MEMORY, "out of memory for a weight certificate");
    free(b);
    if (!ok)
        certificate_free(k);
    return ok;
}

void certificate_free(certificate *k) {
    mica_vk_free(&k->vk);
    free(k->weight);
    free(k->rule);
    memset(k, 0, sizeof *k);
}
