/* A prover that lies in its messages, not in its integers: round polynomials, claims, the witness root, the
 * challenges it answers to. Adaptive lies are carried on: at every later step the prover chooses its next
 * claims such that the verifier's check of that step holds, until the lie stands in claims on commitments,
 * where only the opening can refute it. Every lie is told in every place where it can be told. */
#define MICA_CHEAT
#include "contract/contract_verify.c"
#include "linear/linear_verify.c"
#include "placement/placement_verify.c"
#include "protocol/leaves_count_prove.c"
#include "protocol/prove_prove.c"
#include "sumcheck/batch_prove.c"

#include <check.h>
#include <stdio.h>

#include "circuit_samples.h"
#include "hash/blake2s.h"
#include "suite.h"

typedef enum lie_kind {
    LIE_ROUND,       /* one coefficient of a round polynomial, the sum kept */
    LIE_DROP,        /* a claim left out of its batch */
    LIE_PRODUCT,     /* a contraction's operands t a and b / t */
    LIE_FINGERPRINT, /* a lookup's entries changed, their fingerprint kept */
    LIE_LINEAR,      /* a linear form's terms changed, their sum kept */
    LIE_SWAP,        /* two claims exchanged */
    LIE_CLAIM,       /* one claim changed, and nothing else */
    LIE_ROOT,        /* another root than that of the witness that is opened */
    LIE_CHALLENGES,  /* alpha and beta exchanged */
    LIE_STATEMENT,   /* one output that is shown changed before everything */
    LIE_KINDS
} lie_kind;

static const char *const kind_name[LIE_KINDS] = {
    "round polynomial", "dropped claim", "product kept", "fingerprint kept",  "linear sum kept",
    "swapped claims",   "one claim",     "witness root", "lookup challenges", "shown output"};

typedef struct liar {
    lie_kind kind;
    unsigned target;     /* the lie is told at the target-th opportunity, counted from 0 */
    unsigned met;        /* opportunities so far */
    bool told, adaptive; /* adaptive: later claims are chosen to agree */
    bool exposed;        /* a check of the walk could not be satisfied */
    uint32_t claim[2];   /* claims that hold the lie itself: not taken back by a repair */
    /* the transcript before each EVENT_SEND, and how many of them came before the lie */
    uint8_t state[64][BLAKE2S_BYTES];
    unsigned states, states_before;
} liar;

static bool is_my_turn(liar *l) {
    if (l->told || l->met++ != l->target)
        return false;
    l->told = true;
    l->states_before = l->states;
    return true;
}

static qm31 some_value(void) {
    return (qm31){{12345, 6789, 1011121314, 15}};
}

/* --- the verifier's equations as residuals --- */

static qm31 linear_residual(const walk *w, const plan_event *e) {
    const mica_circuit *c = w->plan->circuit;
    const mica_tensor *x = &c->tensor[w->plan->claim[e->first].tensor];
    const mica_linear *l = &c->linear[x->def];
    qm31 point[MICA_MAX_BITS], sum = qm31_zero();
    walk_claim_point(w, e->first, point);
    for (uint32_t i = 0; i < l->n_terms; i++)
        sum = qm31_add(sum, qm31_mul(term_weight(w, x, point, &c->term[l->first_term + i]),
                                     w->value[w->plan->link[e->link + i]]));
    for (uint32_t i = 0; i < l->n_boxes; i++) {
        const mica_box *b = &c->box[l->first_box + i];
        sum = qm31_add(sum, qm31_mul_i32(walk_box(w, x, point, (2u << x->rank) - 1, b->lo, b->hi), b->coef));
    }
    return qm31_sub(sum, qm31_mul_m31(w->value[e->first], m31_pow(2, l->shift)));
}

static qm31 final_residual(const walk *w, const plan_event *e) {
    const plan *p = w->plan;
    const qm31 *lambda = w->lambda;
    qm31 sum = qm31_neg(w->final_claim);
    for (uint32_t i = e->first; i < e->first + e->count; i++) {
        const plan_instance *k = &p->instance[i];
        qm31 weight;
        if (e->kind == EVENT_CONTRACT) /* one claim */
            weight = qm31_mul(*lambda, qm31_mul(paired_eq(w, e, k), w->value[k->operand[1]]));
        else
            ck_assert(matrix_weight(w, k, lambda, &weight));
        lambda += k->n_claims;
        weight = qm31_mul(weight, sumcheck_half_power(e->rounds - k->vars));
        sum = qm31_add(sum, qm31_mul(weight, w->value[k->operand[0]]));
    }
    return sum;
}

typedef qm31 (*residual)(const walk *w, const plan_event *e);

/* Changes the value of a claim such that the residual, which is linear in it, vanishes. */
static bool solve_for(walk *w, residual f, const plan_event *e, uint32_t claim) {
    const qm31 old = w->value[claim], at_old = f(w, e);
    w->value[claim] = qm31_add(old, qm31_one());
    const qm31 slope = qm31_sub(f(w, e), at_old);
    w->value[claim] = old;
    if (qm31_is_zero(slope))
        return false;
    w->value[claim] = qm31_sub(old, qm31_mul(at_old, qm31_inv(slope)));
    return qm31_is_zero(f(w, e));
}

static liar *teller; /* of the proof under way */

static bool is_new(const walk *w, const plan_event *send, uint32_t claim) {
    return claim >= send->first && claim < send->first + send->count &&
           w->plan->claim[claim].source == CLAIM_SENT;
}

/* The batch whose final claim the claims of `send` answer, or NULL. */
static const plan_event *batch_before(const walk *w, const plan_event *send) {
    if (send == w->plan->event)
        return NULL;
    const plan_event *e = send - 1;
    return e->kind == EVENT_CONTRACT || e->kind == EVENT_PLACEMENT ? e : NULL;
}

/* A claim that may still be chosen. */
static bool is_open(const walk *w, const plan_event *send, uint32_t claim) {
    return is_new(w, send, claim) && claim != teller->claim[0] && claim != teller->claim[1];
}

static bool repair_final(walk *w, const plan_event *send, const plan_event *batch) {
    if (qm31_is_zero(final_residual(w, batch)))
        return true;
    for (uint32_t i = batch->first; i < batch->first + batch->count; i++) {
        for (unsigned side = 0; side < 2; side++) {
            const uint32_t claim = w->plan->instance[i].operand[side];
            if (claim != PLAN_NONE && is_open(w, send, claim) && solve_for(w, final_residual, batch, claim))
                return true;
        }
    }
    return false;
}

static bool repair_linear(walk *w, const plan_event *send, const plan_event *e) {
    if (qm31_is_zero(linear_residual(w, e)))
        return true;
    for (uint32_t i = 0; i < e->count; i++) {
        const uint32_t claim = w->plan->link[e->link + i];
        if (is_open(w, send, claim) && solve_for(w, linear_residual, e, claim))
            return true;
    }
    return false;
}

/* --- lies --- */

static void lie_in_product(liar *l, walk *w, const plan_event *send, const plan_event *batch) {
    for (uint32_t i = batch->first; i < batch->first + batch->count; i++) {
        const uint32_t *operand = w->plan->instance[i].operand;
        if (is_new(w, send, operand[0]) && is_new(w, send, operand[1]) && operand[0] != operand[1] &&
            is_my_turn(l)) {
            w->value[operand[0]] = qm31_mul(w->value[operand[0]], some_value());
            w->value[operand[1]] = qm31_mul(w->value[operand[1]], qm31_inv(some_value()));
            memcpy(l->claim, operand, sizeof l->claim);
        }
    }
}

static void lie_in_fingerprint(liar *l, walk *w, const plan_event *send) {
    for (uint32_t i = 0; i < w->plan->n_blocks; i++) {
        const plan_block *k = &w->plan->block[i];
        if (k->kind == BLOCK_LOOKUP && w->plan->circuit->lookup[k->index].n_entries == 2 &&
            is_new(w, send, k->claim[0]) && is_new(w, send, k->claim[1]) && is_my_turn(l)) {
            w->value[k->claim[0]] = qm31_add(w->value[k->claim[0]], qm31_mul(w->beta, some_value()));
            w->value[k->claim[1]] = qm31_sub(w->value[k->claim[1]], some_value());
            memcpy(l->claim, k->claim, sizeof l->claim);
        }
    }
}

static void lie_in_linear(liar *l, walk *w, const plan_event *send, const plan_event *e) {
    for (uint32_t i = 0; i + 1 < e->count; i++) {
        const uint32_t a = w->plan->link[e->link + i], b = w->plan->link[e->link + i + 1];
        if (is_new(w, send, a) && is_new(w, send, b) && a != b && is_my_turn(l)) {
            w->value[a] = qm31_add(w->value[a], some_value());
            (void)solve_for(w, linear_residual, e, b);
            l->claim[0] = a;
            l->claim[1] = b;
        }
    }
}

static void lie_about_claims(liar *l, walk *w, const plan_event *send) {
    for (uint32_t i = send->first; i < send->first + send->count; i++) {
        if (!is_new(w, send, i))
            continue;
        if (l->kind == LIE_CLAIM && is_my_turn(l)) {
            w->value[i] = qm31_add(w->value[i], some_value());
            l->claim[0] = i;
        } else if (l->kind == LIE_SWAP && is_new(w, send, i + 1) && !qm31_eq(w->value[i], w->value[i + 1]) &&
                   is_my_turn(l)) {
            const qm31 x = w->value[i];
            w->value[i] = w->value[i + 1];
            w->value[i + 1] = x;
        }
    }
}

static void on_claims(void *ctx, walk *w, const plan_event *send) {
    liar *l = ctx;
    const plan_event *batch = batch_before(w, send), *last = w->plan->event + w->plan->n_events;
    ck_assert_uint_lt(l->states, 64);
    memcpy(l->state[l->states++], w->ch->transcript.state, sizeof l->state[0]);
    if (l->kind == LIE_PRODUCT && batch && batch->kind == EVENT_CONTRACT)
        lie_in_product(l, w, send, batch);
    if (l->kind == LIE_FINGERPRINT && !batch)
        lie_in_fingerprint(l, w, send);
    lie_about_claims(l, w, send);
    for (uint32_t i = send->first; i < send->first + send->count && l->kind == LIE_STATEMENT; i++) {
        if (w->plan->claim[i].source == CLAIM_OUTPUT) /* as the verifier sees it */
            ck_assert(walk_output_value(w, i, &w->value[i]));
    }
    if (l->adaptive && l->told && batch)
        l->exposed |= !repair_final(w, send, batch);
    for (const plan_event *e = send + 1; e < last && e->kind == EVENT_LINEAR; e++) {
        if (l->adaptive && l->told)
            l->exposed |= !repair_linear(w, send, e);
        if (l->kind == LIE_LINEAR)
            lie_in_linear(l, w, send, e);
    }
    /* A repair can break what an earlier one mended. */
    for (const plan_event *e = send + 1; e < last && e->kind == EVENT_LINEAR; e++)
        l->exposed |= !qm31_is_zero(linear_residual(w, e));
    l->exposed |= batch && !qm31_is_zero(final_residual(w, batch));
}

static void on_round(void *ctx, const plan_event *e, unsigned left, qm31 *message) {
    liar *l = ctx;
    (void)left;
    for (unsigned i = 0; i < e->degree && l->kind == LIE_ROUND; i++) {
        if (is_my_turn(l))
            message[i] = qm31_add(message[i], some_value());
    }
}

static void on_summands(void *ctx, const plan_event *e, batch_summand *summand) {
    liar *l = ctx;
    for (uint32_t i = 0; i < e->count && l->kind == LIE_DROP; i++) {
        if (!is_my_turn(l))
            continue;
        if (!l->adaptive) /* otherwise the running claim is the verifier's */
            summand[i].claim = qm31_zero();
        for (size_t j = 0; j < (size_t)1 << summand[i].vars; j++)
            qvec_set(summand[i].table[0], j, qm31_zero());
    }
}

static void on_root(void *ctx, uint8_t root[MERKLE_DIGEST]) {
    liar *l = ctx;
    if (l->kind == LIE_ROOT && is_my_turn(l))
        root[7] ^= 4;
}

static void on_challenges(void *ctx, walk *w) {
    liar *l = ctx;
    if (l->kind != LIE_CHALLENGES || !is_my_turn(l))
        return;
    const qm31 x = w->alpha;
    w->alpha = w->beta;
    w->beta = x;
}

static const mica_circuit *of_statement;

static void on_statement(void *ctx, mica_statement *s) {
    liar *l = ctx;
    for (uint32_t i = 0; i < of_statement->n_outputs && l->kind == LIE_STATEMENT; i++) {
        const mica_tensor *x = &of_statement->tensor[of_statement->output[i].tensor];
        if (of_statement->output[i].visibility != MICA_PRIVATE && is_my_turn(l))
            s->output[i][0] += s->output[i][0] < x->hi ? 1 : -1;
    }
}

/* --- trials --- */

typedef struct score {
    unsigned lies, adaptive;
    unsigned reason[32];
} score;

/* One proof with one lie; false if there was no opportunity left to tell it. */
static bool try_lie(kit *k, const char *name, liar *l, score *s) {
    const protocol_cheat cheat = {.ctx = l,
                                  .statement = on_statement,
                                  .root = on_root,
                                  .lookup_challenges = on_challenges,
                                  .claims = on_claims,
                                  .summands = on_summands,
                                  .round = on_round};
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    of_statement = &k->c;
    protocol_cheating = &cheat;
    teller = l;
    const bool proved = kit_prove(k, k->c.max_batch < 3 ? k->c.max_batch : 3, 77, &file, &size, &st);
    protocol_cheating = NULL;
    ck_assert_msg(proved, "%s, %s %u: %s", name, kind_name[l->kind], l->target, st.message);
    const bool accepted = kit_verify(k, file, size, &v, &st);
    free(file);
    if (!l->told) {
        ck_assert_msg(accepted, "%s: an honest proof: %s", name, v.detail);
        return false;
    }
    ck_assert_msg(!accepted, "%s, %s %u (adaptive %d): accepted", name, kind_name[l->kind], l->target,
                  l->adaptive);
    ck_assert_msg(v.code >= MICA_REJECT_LOGUP_ROOT && v.code <= MICA_REJECT_OPENING,
                  "%s, %s %u: rejected for a reason that has nothing to do with the lie: %s", name,
                  kind_name[l->kind], l->target, v.detail);
    /* Only the opening is left to refute a lie that satisfies every check before it. */
    if (l->adaptive && !l->exposed)
        ck_assert_msg(v.code == MICA_REJECT_OPENING || v.code == MICA_REJECT_LOGUP_LEAF ||
                          v.code == MICA_REJECT_PUBLIC, /* an output that is an input */
                      "%s, %s %u: %s (%s)", name, kind_name[l->kind], l->target, mica_verdict_name(v.code),
                      v.detail);
    s->lies++;
    s->adaptive += l->adaptive;
    s->reason[v.code < 32 ? v.code : 31]++;
    return true;
}

static void print_score(const char *name, const score *s) {
    (void)printf("%-12s %4u lies, %u adaptive;", name, s->lies, s->adaptive);
    for (unsigned i = 0; i < 32; i++) {
        if (s->reason[i])
            (void)printf(" %s %u", mica_verdict_name((mica_verdict_code)i), s->reason[i]);
    }
    (void)printf("\n");
}

static bool can_adapt(lie_kind kind) {
    return (kind <= LIE_CLAIM && kind != LIE_SWAP) || kind == LIE_STATEMENT;
}

START_TEST(lies_in_messages) {
    kit k;
    score s = {0};
    samples[_i].build(&k);
    ck_assert(kit_finish(&k, 40));
    for (lie_kind kind = 0; kind < LIE_KINDS; kind++) {
        for (unsigned adaptive = 0; adaptive <= can_adapt(kind); adaptive++) {
            liar l;
            unsigned target = 0;
            do
                l = (liar){
                    .kind = kind, .target = target++, .adaptive = adaptive, .claim = {PLAN_NONE, PLAN_NONE}};
            while (try_lie(&k, samples[_i].name, &l, &s));
        }
    }
    print_score(samples[_i].name, &s);
    ck_assert_uint_gt(s.reason[MICA_REJECT_OPENING], 0);
    kit_free(&k);
}
END_TEST

/* Whatever the prover sends, and the statement, changes every challenge that comes later. Challenges follow
 * from the transcript's state, which is compared with that of the honest proof. */
START_TEST(challenges_follow_messages) {
    static const lie_kind kinds[] = {LIE_STATEMENT, LIE_ROOT, LIE_CLAIM, LIE_ROUND};
    kit k;
    score s = {0};
    liar honest = {.kind = LIE_CLAIM, .target = UINT32_MAX, .claim = {PLAN_NONE, PLAN_NONE}};
    unsigned compared = 0;
    samples[_i].build(&k);
    ck_assert(kit_finish(&k, 40));
    ck_assert(!try_lie(&k, samples[_i].name, &honest, &s));
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        for (unsigned target = 0;; target++) {
            liar l = {.kind = kinds[i], .target = target, .claim = {PLAN_NONE, PLAN_NONE}};
            if (!try_lie(&k, samples[_i].name, &l, &s))
                break;
            ck_assert_uint_eq(l.states, honest.states);
            for (unsigned j = 0; j < l.states; j++) {
                const bool same = memcmp(l.state[j], honest.state[j], sizeof l.state[j]) == 0;
                ck_assert_msg(same == (j < l.states_before), "%s, %s %u: state %u of %u", samples[_i].name,
                              kind_name[l.kind], target, j, l.states);
                compared += !same;
            }
        }
    }
    ck_assert_uint_gt(compared, 0);
    kit_free(&k);
    /* parameters that differ in nothing but a name */
    liar renamed = honest;
    renamed.states = renamed.met = 0;
    samples[_i].build(&k);
    k.layer[0].name[0] ^= 1;
    ck_assert(kit_finish(&k, 40));
    ck_assert(!try_lie(&k, samples[_i].name, &renamed, &s));
    for (unsigned j = 0; j < honest.states; j++)
        ck_assert_mem_ne(renamed.state[j], honest.state[j], sizeof honest.state[j]);
    kit_free(&k);
}
END_TEST

/* Two output ports on one tensor of one cell, which a batch of one reads at a point without coordinates: each
 * must have a claim of its own. */
static void build_twin_outputs(kit *k) {
    kit_begin(k, 2);
    const uint32_t x = kit_input(k, -20, 20, (uint32_t[]){1, 0});
    const uint32_t sum = kit_linear(k, x, 0, -60, 60);
    kit_term(k, x, 3, kit_identity(k, x));
    kit_step_add(k, KIT_EVALUATE, 0, sum, KIT_END, KIT_END);
    const uint32_t y = kit_requantise(k, sum, 2, 6, MICA_TABLE_IDENTITY, 1.0, -20, 20);
    kit_output(k, y);
    kit_output(k, y);
    kit_output(k, sum);
}

START_TEST(every_output_has_a_claim) {
    kit k;
    score s = {0};
    liar l;
    build_twin_outputs(&k);
    k.c.max_batch = (uint32_t)_i;
    ck_assert(kit_finish(&k, 40));
    for (unsigned adaptive = 0; adaptive <= 1; adaptive++) {
        unsigned target = 0;
        do
            l = (liar){.kind = LIE_STATEMENT,
                       .target = target++,
                       .adaptive = adaptive,
                       .claim = {PLAN_NONE, PLAN_NONE}};
        while (try_lie(&k, "twin outputs", &l, &s));
    }
    ck_assert_uint_eq(s.lies, 2 * k.c.n_outputs);
    print_score("twin outputs", &s);
    kit_free(&k);
}
END_TEST

int main(void) {
    Suite *s = suite_create("lying messages");
    TCase *t = tcase_create("lies");
    tcase_set_timeout(t, 600);
    tcase_add_loop_test(t, lies_in_messages, 0, SAMPLES);
    tcase_add_loop_test(t, challenges_follow_messages, 0, SAMPLES);
    tcase_add_loop_test(t, every_output_has_a_claim, 1, 3);
    suite_add_tcase(s, t);
    return suite_run(s);
}
