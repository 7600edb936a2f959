#include "sumcheck/batch_prove.h"

#include "base/parallel.h"
#include "protocol/protocol_cheat.h"
#include "simd/kernels.h"
#include "sumcheck/sumcheck.h"

#define GRAIN 512 /* table elements per worker below which a round runs inline */

/* One round of one summand, split over the workers. */
typedef struct round_job {
    const batch_summand *s;
    size_t half;
    qm31 r;
    qm31 (*out)[SUMCHECK_MAX_DEGREE]; /* per worker */
} round_job;

static void round_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const round_job *j = ctx;
    qvec lo[3] = {{0}}, hi[3] = {{0}}; /* of a product of two only the first two */
    for (unsigned i = 0; i < j->s->n_tables; i++) {
        lo[i] = qvec_from(j->s->table[i], begin);
        hi[i] = qvec_from(j->s->table[i], begin + j->half);
    }
    qm31 out[SUMCHECK_MAX_DEGREE] = {qm31_zero(), qm31_zero(), qm31_zero()};
    if (j->s->n_tables == 2)
        kernels()->round_product(lo[0], hi[0], lo[1], hi[1], end - begin, out);
    else
        kernels()->round_eq_product(lo[2], hi[2], lo[0], hi[0], lo[1], hi[1], end - begin, out);
    for (unsigned i = 0; i < SUMCHECK_MAX_DEGREE; i++)
        j->out[worker][i] = qm31_add(j->out[worker][i], out[i]);
}

static void fold_range(void *ctx, size_t begin, size_t end, unsigned worker) {
    const round_job *j = ctx;
    (void)worker;
    for (unsigned i = 0; i < j->s->n_tables; i++)
        kernels()->fold(qvec_from(j->s->table[i], begin), qvec_from(j->s->table[i], begin + j->half), j->r,
                        end - begin);
}

/* g(0), g(inf) and g(-1) of the tables of a summand with `left` variables to bind. */
static void table_message(batch_summand *s, unsigned left) {
    qm31 out[PARALLEL_MAX_WORKERS][SUMCHECK_MAX_DEGREE];
    const unsigned workers = parallel_workers();
    for (unsigned i = 0; i < workers; i++)
        out[i][0] = out[i][1] = out[i][2] = qm31_zero();
    round_job j = {.s = s, .half = (size_t)1 << (left - 1), .out = out};
    parallel_for(j.half, GRAIN, round_range, &j);
    for (unsigned k = 0; k < SUMCHECK_MAX_DEGREE; k++) {
        s->message[k] = out[0][k];
        for (unsigned i = 1; i < workers; i++)
            s->message[k] = qm31_add(s->message[k], out[i][k]);
    }
}

/* The summand's share of the round polynomial, scaled by 2^-lack for the variables that it lacks. Before it
 * joins it is constant: half of what is left of its claim. */
static void summand_message(batch_summand *s, unsigned left, unsigned lack, unsigned degree) {
    if (s->vars < left) {
        s->message[0] = s->message[2] = qm31_mul_m31(s->claim, M31_HALF);
        s->message[1] = qm31_zero();
        return;
    }
    const qm31 scale = qm31_mul(s->scale, sumcheck_half_power(lack));
    table_message(s, left);
    for (unsigned k = 0; k < SUMCHECK_MAX_DEGREE; k++)
        s->message[k] = qm31_mul(s->message[k], scale);
    if (s->n_tables == 2 && degree == 3) {
        /* g = g0 + c1 X + c2 X^2 has no cubic term; c1 = g(1) - g0 - c2 and g(-1) = g0 - c1 + c2. */
        const qm31 g0 = s->message[0], c2 = s->message[1];
        const qm31 c1 = qm31_sub(qm31_sub(qm31_sub(s->claim, g0), g0), c2);
        s->message[1] = qm31_zero();
        s->message[2] = qm31_add(qm31_sub(g0, c1), c2);
    }
}

static void bind_summand(batch_summand *s, unsigned left, unsigned degree, qm31 r) {
    s->claim = sumcheck_round_value(s->message, degree, s->claim, r);
    if (s->vars < left)
        return;
    round_job j = {.s = s, .half = (size_t)1 << (left - 1), .r = r};
    parallel_for(j.half, GRAIN, fold_range, &j);
}

bool batch_prove(walk *w, const plan_event *e, batch_summand *summand) {
    qm31 claim = qm31_zero();
    for (uint32_t i = 0; i < e->count; i++)
        claim = qm31_add(claim, summand[i].claim);
    for (unsigned left = e->rounds; left > 0; left--) {
        qm31 message[SUMCHECK_MAX_DEGREE] = {qm31_zero(), qm31_zero(), qm31_zero()}, r;
        for (uint32_t i = 0; i < e->count; i++) {
            summand_message(&summand[i], left, e->rounds - summand[i].vars, e->degree);
            for (unsigned k = 0; k < SUMCHECK_MAX_DEGREE; k++)
                message[k] = qm31_add(message[k], summand[i].message[k]);
        }
        PROTOCOL_CHEAT(round, e, left, message);
        if (!sumcheck_round(w->ch, message, e->degree, &claim, &r))
            return false;
        w->challenge[e->slot + left - 1] = r;
        for (uint32_t i = 0; i < e->count; i++)
            bind_summand(&summand[i], left, e->degree, r);
    }
    w->final_claim = claim;
    return true;
}
