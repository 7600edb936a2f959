/* The lookup argument against a slow prover written from the equations of logup/logup.h over full tables:
 * equal bytes, true final claims, and what happens to provers that cheat. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "base/parallel.h"
#include "logup/logup.h"
#include "logup_kit.h"
#include "poly/mle.h"
#include "suite.h"

#define MAX_PROOF (16 * LOGUP_MAX_BITS * (LOGUP_MAX_BITS + 3))

/* --- running the protocol --- */

typedef struct outcome {
    bool ok;
    qm31 rho[LOGUP_MAX_BITS], p, q;
    mica_verdict verdict;
    mica_status status;
    transcript transcript;
    size_t size;
} outcome;

/* Leaves as the prover takes them: denominators by parity, runs of numerators 1 as segments without memory.
 */
typedef struct prover_leaves {
    logup_leaves l;
    logup_segment *segment;
    mica_arena arena;
} prover_leaves;

static prover_leaves make_leaves(const instance *in) {
    enum { SHORTEST = 5 };
    prover_leaves k = {.segment = malloc((in->count + 1) * sizeof *k.segment)};
    const size_t half = (in->count + 1) / 2;
    mica_status st = {0};
    size_t n = 0;
    ck_assert(arena_create(&k.arena, 1024 + 32 * (half + 16), &st));
    k.l = (logup_leaves){.count = in->count, .segment = k.segment};
    for (size_t j = 0; j < 2; j++)
        k.l.q[j] = qvec_alloc(&k.arena, half, &st);
    for (size_t i = 0; i < in->count; i++)
        qvec_set(k.l.q[i & 1], i / 2, qvec_get(in->q, i));
    for (size_t i = 0, end; i < in->count; i = end) {
        for (end = i; end < in->count && in->p[end] == 1; end++) {
        }
        if (end - i >= SHORTEST) {
            k.segment[n++] = (logup_segment){i, NULL};
            continue;
        }
        end = end > i ? end : i + 1;
        if (n == 0 || !k.segment[n - 1].p)
            k.segment[n++] = (logup_segment){i, in->p + i};
    }
    k.l.n_segments = n;
    return k;
}

static void free_leaves(prover_leaves *k) {
    free(k->segment);
    arena_destroy(&k->arena);
}

/* logup_write_fn: copies denominators out of an instance's. */
static void write_leaves(const void *ctx, size_t first, size_t n, const qvec q[2]) {
    const instance *in = ctx;
    ck_assert(first % 2 == 0 && first + n <= in->count);
    for (size_t i = 0; i < n; i++)
        qvec_set(q[i & 1], i / 2, qvec_get(in->q, first + i));
}

static outcome run_prover_as(const instance *in, logup_thrift thrift, uint8_t *proof) {
    outcome o = {0};
    mica_arena arena;
    mica_channel ch;
    prover_leaves k = make_leaves(in);
    if (thrift >= LOGUP_LEAVES_AGAIN) {
        k.l.q[0].p = k.l.q[1].p = NULL;
        k.l.write = write_leaves;
        k.l.write_ctx = in;
    }
    ck_assert(arena_create(&arena, logup_prove_workspace(&k.l, in->bits, thrift), &o.status));
    channel_init_write(&ch, proof, MAX_PROOF);
    o.ok = logup_prove(&ch, &k.l, in->bits, thrift, o.rho, &o.p, &o.q, &arena, &o.status);
    free_leaves(&k);
    ck_assert_uint_eq(arena_mark(&arena), 0);
    o.transcript = ch.transcript;
    o.size = ch.out_size;
    arena_destroy(&arena);
    return o;
}

/* The proof is the same whatever is kept. */
static outcome run_prover(const instance *in, uint8_t *proof) {
    static uint8_t again[MAX_PROOF];
    const outcome o = run_prover_as(in, LOGUP_ALL_KEPT, proof);
    for (logup_thrift thrift = LOGUP_ALL_KEPT + 1; thrift <= LOGUP_LEAVES_AGAIN; thrift++) {
        const outcome other = run_prover_as(in, thrift, again);
        ck_assert(other.ok == o.ok && other.status.code == o.status.code);
        if (!o.ok)
            continue;
        ck_assert_uint_eq(other.size, o.size);
        ck_assert_mem_eq(again, proof, o.size);
        ck_assert(qm31_eq(other.p, o.p) && qm31_eq(other.q, o.q));
        ck_assert_mem_eq(other.rho, o.rho, in->bits * sizeof *o.rho);
    }
    return o;
}

static outcome run_verifier(unsigned bits, const uint8_t *proof, size_t size) {
    outcome o = {0};
    mica_channel ch;
    channel_init_read(&ch, proof, size, &o.verdict);
    o.ok = logup_reduce(&ch, bits, o.rho, &o.p, &o.q) && channel_end(&ch);
    o.transcript = ch.transcript;
    ck_assert(o.ok == (o.verdict.code == MICA_VERDICT_UNSET));
    return o;
}

static bool claims_hold(const instance *in, const outcome *o) {
    qm31 p, q;
    evaluate(in, o->rho, &p, &q);
    return qm31_eq(p, o->p) && qm31_eq(q, o->q);
}

/* --- the slow prover --- */

/* At (layer, round) a false message is sent; round == layer stands for the values at the end of the layer,
 * and layer 0 for those of the root. Everything after it follows the protocol, except that p0 is chosen to
 * pass each check. */
typedef struct cheat {
    bool active;
    unsigned layer, round;
} cheat;

static qm31 at(const qm31 *t, size_t i, qm31 x, size_t half) {
    return qm31_add(t[i], qm31_mul(x, qm31_sub(t[i + half], t[i])));
}

/* p0 with p0 q1 + p1 q0 + lambda q0 q1 = claim */
static qm31 fitting_p0(const qm31 v[4], qm31 lambda, qm31 claim) {
    const qm31 rest = qm31_mul(v[1], qm31_add(v[2], qm31_mul(lambda, v[3])));
    return qm31_mul(qm31_sub(claim, rest), qm31_inv(v[3]));
}

/* The coefficients of h(X) = sum over i < half of eq(r, i) f(i, X), from its definition. */
static void round_polynomial(qm31 *const t[4], size_t half, unsigned i, const qm31 *r, qm31 lambda,
                             qm31 h[3]) {
    h[0] = h[1] = h[2] = qm31_zero();
    for (size_t n = 0; n < half; n++) {
        const qm31 eq = mle_eq_index(r, i, n);
        qm31 value[3]; /* f at X = 0, 1, 2 */
        for (int x = 0; x < 3; x++) {
            qm31 v[4];
            for (int j = 0; j < 4; j++)
                v[j] = at(t[j], n, qm31_from_m31((m31)x), half);
            value[x] = qm31_add(qm31_add(qm31_mul(v[0], v[3]), qm31_mul(v[2], v[1])),
                                qm31_mul(lambda, qm31_mul(v[1], v[3])));
        }
        const qm31 second = qm31_add(qm31_sub(value[2], qm31_add(value[1], value[1])), value[0]);
        const qm31 c2 = qm31_mul_m31(second, M31_HALF);
        h[0] = qm31_add(h[0], qm31_mul(eq, value[0]));
        h[1] = qm31_add(h[1], qm31_mul(eq, qm31_sub(qm31_sub(value[1], value[0]), c2)));
        h[2] = qm31_add(h[2], qm31_mul(eq, c2));
    }
}

/* h(x), where only h(0) and h(inf) of h are kept and h(1) is what the claim makes it. */
static qm31 implied_value(const qm31 h[3], qm31 claim, qm31 r, qm31 x) {
    const qm31 one_minus_r = qm31_sub(qm31_one(), r);
    const qm31 at_1 = qm31_mul(qm31_sub(claim, qm31_mul(one_minus_r, h[0])), qm31_inv(r));
    const qm31 c1 = qm31_sub(qm31_sub(at_1, h[0]), h[2]);
    return qm31_add(h[0], qm31_mul(x, qm31_add(c1, qm31_mul(x, h[2]))));
}

typedef struct slow_tree {
    qm31 *p[LOGUP_MAX_BITS + 1], *q[LOGUP_MAX_BITS + 1]; /* layer k: 2^k fractions */
} slow_tree;

static void build_slow_tree(slow_tree *t, const instance *in) {
    for (unsigned k = 0; k <= in->bits; k++) {
        t->p[k] = malloc(sizeof(qm31) << k);
        t->q[k] = malloc(sizeof(qm31) << k);
    }
    for (size_t i = 0; i < (size_t)1 << in->bits; i++) {
        t->p[in->bits][i] = qm31_from_m31(i < in->count ? in->p[i] : 0);
        t->q[in->bits][i] = i < in->count ? qvec_get(in->q, i) : qm31_one();
    }
    for (unsigned k = in->bits; k-- > 0;) {
        for (size_t i = 0; i < (size_t)1 << k; i++) {
            const qm31 *p = &t->p[k + 1][2 * i], *q = &t->q[k + 1][2 * i];
            t->p[k][i] = qm31_add(qm31_mul(p[0], q[1]), qm31_mul(p[1], q[0]));
            t->q[k][i] = qm31_mul(q[0], q[1]);
        }
    }
}

static void free_slow_tree(slow_tree *t, unsigned bits) {
    for (unsigned k = 0; k <= bits; k++) {
        free(t->p[k]);
        free(t->q[k]);
    }
}

static qm31 squeeze(mica_channel *ch, transcript_tag tag) {
    qm31 x;
    channel_challenge(ch, tag, &x, 1);
    return x;
}

static qm31 slow_rounds(mica_channel *ch, qm31 *const t[4], unsigned k, const qm31 *r, qm31 lambda,
                        qm31 claim, qm31 *x, const cheat *c) {
    for (unsigned i = k; i-- > 0;) {
        const size_t half = (size_t)1 << i;
        qm31 h[3], message[2];
        round_polynomial(t, half, i, r, lambda, h);
        if (c->active && c->layer == k && c->round == i)
            h[random_u64() & 2] = random_qm31();
        message[0] = h[0];
        message[1] = h[2];
        channel_qm31(ch, TAG_GKR_ROUND, message, 2);
        x[i] = squeeze(ch, TAG_SUMCHECK_POINT);
        claim = implied_value(h, claim, r[i], x[i]);
        for (int j = 0; j < 4; j++) {
            for (size_t n = 0; n < half; n++)
                t[j][n] = at(t[j], n, x[i], half);
        }
    }
    return claim;
}

static void merge(const qm31 v[4], qm31 mu, outcome *o) {
    o->p = qm31_add(v[0], qm31_mul(mu, qm31_sub(v[2], v[0])));
    o->q = qm31_add(v[1], qm31_mul(mu, qm31_sub(v[3], v[1])));
}

static void slow_layer(mica_channel *ch, const slow_tree *tree, unsigned k, outcome *o, const cheat *c) {
    qm31 *t[4], x[LOGUP_MAX_BITS], v[4];
    for (int j = 0; j < 4; j++) {
        t[j] = malloc(sizeof(qm31) << k);
        for (size_t n = 0; n < (size_t)1 << k; n++)
            t[j][n] = (j & 1 ? tree->q : tree->p)[k + 1][2 * n + (size_t)(j / 2)];
    }
    const qm31 lambda = squeeze(ch, TAG_GKR_LAMBDA);
    const qm31 claim = slow_rounds(ch, t, k, o->rho, lambda, qm31_add(o->p, qm31_mul(lambda, o->q)), x, c);
    for (int j = 0; j < 4; j++) {
        v[j] = t[j][0];
        free(t[j]);
    }
    if (c->active && c->layer == k && c->round == k)
        v[1] = random_qm31();
    v[0] = fitting_p0(v, lambda, claim); /* the true value unless somebody cheated */
    channel_qm31(ch, TAG_GKR_VALUES, v, 4);
    o->rho[0] = squeeze(ch, TAG_GKR_MERGE);
    memcpy(o->rho + 1, x, k * sizeof *x);
    merge(v, o->rho[0], o);
}

static outcome run_slow_prover(const instance *in, uint8_t *proof, const cheat *c) {
    outcome o = {.ok = true};
    mica_channel ch;
    channel_init_write(&ch, proof, MAX_PROOF);
    slow_tree tree;
    ck_assert(in->bits >= 1);
    build_slow_tree(&tree, in);
    qm31 v[4] = {tree.p[1][0], tree.q[1][0], tree.p[1][1], tree.q[1][1]};
    if (c->active && c->layer == 0)
        v[3] = random_qm31();
    v[0] = fitting_p0(v, qm31_zero(), qm31_zero());
    channel_qm31(&ch, TAG_GKR_ROOT, v, 4);
    o.rho[0] = squeeze(&ch, TAG_GKR_MERGE);
    merge(v, o.rho[0], &o);
    for (unsigned k = 1; k < in->bits; k++)
        slow_layer(&ch, &tree, k, &o, c);
    free_slow_tree(&tree, in->bits);
    o.transcript = ch.transcript;
    o.size = ch.out_size;
    return o;
}

/* --- tests --- */

static void check_equal(const outcome *a, const outcome *b, unsigned bits) {
    for (unsigned i = 0; i < bits; i++)
        ck_assert(qm31_eq(a->rho[i], b->rho[i]));
    ck_assert(qm31_eq(a->p, b->p) && qm31_eq(a->q, b->q));
    ck_assert(memcmp(&a->transcript, &b->transcript, sizeof a->transcript) == 0);
}

/* Prover, verifier and, up to slow_bits, slow prover agree; the claims left open are true. Frees the
 * instance. */
static void check_instance(instance in, uint64_t seed, unsigned slow_bits) {
    static uint8_t proof[MAX_PROOF], slow_proof[MAX_PROOF];
    const cheat honest = {0};
    const size_t count = in.count;
    const unsigned bits = in.bits;
    const outcome prover = run_prover(&in, proof);
    ck_assert_msg(prover.ok, "seed %llu, %zu leaves, %u bits: %s", (unsigned long long)seed, count, bits,
                  prover.status.message);
    ck_assert_uint_eq(prover.size, logup_proof_bytes(bits));
    const outcome verifier = run_verifier(bits, proof, prover.size);
    ck_assert_msg(verifier.ok, "seed %llu, %zu leaves, %u bits: %s", (unsigned long long)seed, count, bits,
                  verifier.verdict.detail);
    check_equal(&prover, &verifier, bits);
    ck_assert_msg(claims_hold(&in, &verifier), "seed %llu, %zu leaves, %u bits: false claim",
                  (unsigned long long)seed, count, bits);
    if (bits <= slow_bits) {
        const outcome slow = run_slow_prover(&in, slow_proof, &honest);
        ck_assert_uint_eq(slow.size, prover.size);
        ck_assert_msg(memcmp(proof, slow_proof, slow.size) == 0,
                      "seed %llu, %zu leaves, %u bits: bytes differ", (unsigned long long)seed, count, bits);
        check_equal(&prover, &slow, bits);
    }
    free_instance(&in);
}

static void check_round_trip(uint64_t seed, size_t count, unsigned bits) {
    check_instance(make_instance(seed, count, bits), seed, 10);
}

START_TEST(all_small_counts) {
    for (size_t count = 1; count <= 70; count++) {
        for (unsigned bits = 1; bits <= 8; bits++) {
            if (count <= (size_t)1 << bits)
                check_round_trip(1000 * count + bits, count, bits);
        }
    }
}
END_TEST

/* Several chunks, chunks cut by the tail, trees far larger than the leaves; each instruction set, one thread
 * and many. */
START_TEST(large_counts) {
    static const struct {
        size_t count;
        unsigned bits;
    } shapes[] = {{511, 9},   {512, 9},   {513, 10},  {1023, 10}, {1025, 11}, {2047, 11}, {2049, 12},
                  {3333, 12}, {4096, 12}, {4097, 13}, {5001, 13}, {1500, 14}, {1, 14},    {8191, 13}};
    const mica_cpu_level best = mica_cpu_level_get();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        mica_cpu_limit((mica_cpu_level)((unsigned)_i % 3));
        parallel_set_workers(_i < 3 ? 1 : 3);
        check_round_trip(77 + i, shapes[i].count, shapes[i].bits);
    }
    mica_cpu_limit(best);
    parallel_set_workers(0);
}
END_TEST

/* Chunks of constant numerators beside others, in all halves and at the end of the leaves. */
START_TEST(lookups_and_tables) {
    static const struct {
        size_t count;
        unsigned bits;
    } shapes[] = {{2048, 11}, {1500, 11}, {4096, 12}, {3072, 12}, {2560, 12},
                  {8192, 13}, {4609, 13}, {7000, 13}, {5120, 13}, {1100, 12}};
    const mica_cpu_level best = mica_cpu_level_get();
    const size_t i = (size_t)_i % (sizeof shapes / sizeof *shapes);
    mica_cpu_limit((mica_cpu_level)((unsigned)_i % 3));
    parallel_set_workers(_i % 2 ? 1 : 3);
    check_instance(make_lookups((uint64_t)_i, shapes[i].count, shapes[i].bits), (uint64_t)_i, 13);
    mica_cpu_limit(best);
    parallel_set_workers(0);
}
END_TEST

START_TEST(nonzero_sum_is_rejected) {
    static uint8_t proof[MAX_PROOF];
    for (unsigned bits = 1; bits <= 7; bits++) {
        const size_t count = ((size_t)1 << bits) - bits / 3;
        for (int trial = 0; trial < 20; trial++) {
            instance in = make_instance(bits, count, bits);
            random_state = (uint64_t)trial;
            in.p[random_u64() % count] ^= 1u << random_u64() % 30;
            const outcome prover = run_prover(&in, proof);
            ck_assert(prover.ok);
            const outcome verifier = run_verifier(bits, proof, prover.size);
            ck_assert(!verifier.ok);
            ck_assert_int_eq(verifier.verdict.code, MICA_REJECT_LOGUP_ROOT);
            free_instance(&in);
        }
    }
}
END_TEST

START_TEST(zero_denominator_stops_the_prover) {
    static uint8_t proof[MAX_PROOF];
    for (unsigned bits = 1; bits <= 6; bits++) {
        const size_t count = (size_t)1 << bits;
        for (size_t i = 0; i < count; i += bits) {
            instance in = make_instance(bits, count, bits);
            qvec_set(in.q, i, qm31_zero());
            const outcome prover = run_prover(&in, proof);
            ck_assert(!prover.ok && prover.status.code == MICA_ERR_INTERNAL);
            free_instance(&in);
        }
    }
}
END_TEST

/* 0/0 absorbs every other fraction: p = 0 holds for any sum. */
START_TEST(zero_denominator_is_rejected) {
    static uint8_t proof[MAX_PROOF];
    qm31 v[4] = {qm31_zero(), qm31_zero(), qm31_one(), qm31_one()};
    mica_channel ch;
    random_state = 5;
    for (int side = 0; side < 3; side++) {
        qm31 root[4] = {v[0], v[1], random_qm31(), random_qm31()};
        if (side == 1) {
            root[2] = v[0], root[3] = v[1];
            root[0] = random_qm31(), root[1] = random_qm31();
        } else if (side == 2) {
            root[2] = root[3] = qm31_zero();
        }
        channel_init_write(&ch, proof, MAX_PROOF);
        channel_qm31(&ch, TAG_GKR_ROOT, root, 4);
        const outcome o = run_verifier(1, proof, ch.out_size);
        ck_assert(!o.ok);
        ck_assert_int_eq(o.verdict.code, MICA_REJECT_LOGUP_ROOT);
    }
}
END_TEST

/* Every bit of a proof matters: a change is rejected, or leaves a claim that is false. */
START_TEST(changed_bits_are_caught) {
    static uint8_t proof[MAX_PROOF];
    static const struct {
        size_t count;
        unsigned bits;
    } shapes[] = {{2, 1}, {3, 2}, {7, 3}, {9, 5}, {27, 5}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const unsigned bits = shapes[s].bits;
        instance in = make_instance(s, shapes[s].count, bits);
        const size_t size = run_prover(&in, proof).size;
        for (size_t bit = 0; bit < 8 * size; bit++) {
            proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
            const outcome o = run_verifier(bits, proof, size);
            ck_assert_msg(!o.ok || !claims_hold(&in, &o), "shape %zu, bit %zu", s, bit);
            proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        ck_assert(run_verifier(bits, proof, size).ok);
        free_instance(&in);
    }
}
END_TEST

START_TEST(length_is_exact) {
    static uint8_t proof[MAX_PROOF];
    const unsigned bits = 5;
    instance in = make_instance(3, 29, bits);
    const size_t size = run_prover(&in, proof).size;
    for (size_t n = 0; n < size + 40; n++) {
        const outcome o = run_verifier(bits, proof, n);
        ck_assert_int_eq(o.verdict.code, n == size ? MICA_VERDICT_UNSET : MICA_REJECT_MALFORMED);
    }
    free_instance(&in);
}
END_TEST

/* A false value at the end of layer k is rejected there. */
START_TEST(false_values_name_their_layer) {
    static uint8_t proof[MAX_PROOF];
    const unsigned bits = 6;
    instance in = make_instance(4, 50, bits);
    const size_t size = run_prover(&in, proof).size;
    size_t end = 64;
    for (unsigned k = 1; k < bits; k++) {
        end += 32 * k + 64;
        for (int j = 0; j < 4; j++) {
            uint8_t *byte = &proof[end - 64 + 16 * (size_t)j];
            *byte ^= 1;
            const outcome o = run_verifier(bits, proof, size);
            ck_assert_int_eq(o.verdict.code, MICA_REJECT_LOGUP_ROUND);
            ck_assert_uint_eq(o.verdict.round, k);
            *byte ^= 1;
        }
    }
    ck_assert_uint_eq(end, size);
    free_instance(&in);
}
END_TEST

/* A prover that sends one false message and then fits p0 of every layer to the claim passes all checks of the
 * reduction, and is left with a claim on the leaves that is false. */
START_TEST(cheating_leaves_a_false_claim) {
    static uint8_t proof[MAX_PROOF];
    for (unsigned bits = 1; bits <= 6; bits++) {
        instance in = make_instance(bits, ((size_t)1 << bits) - bits / 2, bits);
        for (unsigned layer = 0; layer < bits; layer++) {
            for (unsigned round = 0; round <= layer; round++) {
                const cheat c = {true, layer, round};
                const outcome cheater = run_slow_prover(&in, proof, &c);
                const outcome o = run_verifier(bits, proof, cheater.size);
                ck_assert_msg(o.ok, "bits %u, layer %u, round %u: %s", bits, layer, round, o.verdict.detail);
                check_equal(&cheater, &o, bits);
                ck_assert_msg(!claims_hold(&in, &o), "bits %u, layer %u, round %u", bits, layer, round);
            }
        }
        free_instance(&in);
    }
}
END_TEST

/* So does a prover whose fractions do not sum to zero but whose root says so. */
START_TEST(false_root_leaves_a_false_claim) {
    static uint8_t proof[MAX_PROOF];
    const cheat fitted_root_only = {0};
    for (unsigned bits = 1; bits <= 6; bits++) {
        instance in = make_instance(bits, (size_t)1 << bits, bits);
        in.p[bits] = m31_add(in.p[bits], 1);
        const outcome cheater = run_slow_prover(&in, proof, &fitted_root_only);
        const outcome o = run_verifier(bits, proof, cheater.size);
        ck_assert(o.ok);
        ck_assert(!claims_hold(&in, &o));
        free_instance(&in);
    }
}
END_TEST

START_TEST(small_workspace_is_reported) {
    static uint8_t proof[MAX_PROOF];
    instance in = make_instance(1, 5000, 13);
    mica_status st = {0};
    mica_arena arena;
    mica_channel ch;
    outcome o;
    prover_leaves k = make_leaves(&in);
    ck_assert(arena_create(&arena, logup_prove_workspace(&k.l, 13, LOGUP_ALL_KEPT) / 2, &st));
    channel_init_write(&ch, proof, MAX_PROOF);
    ck_assert(!logup_prove(&ch, &k.l, in.bits, LOGUP_ALL_KEPT, o.rho, &o.p, &o.q, &arena, &st));
    free_leaves(&k);
    ck_assert_int_eq(st.code, MICA_ERR_MEMORY);
    arena_destroy(&arena);
    free_instance(&in);
}
END_TEST

int main(void) {
    Suite *s = suite_create("logup");
    TCase *t = tcase_create("logup");
    tcase_add_test(t, all_small_counts);
    tcase_add_loop_test(t, large_counts, 0, 6);
    tcase_add_loop_test(t, lookups_and_tables, 0, 30);
    tcase_add_test(t, nonzero_sum_is_rejected);
    tcase_add_test(t, zero_denominator_stops_the_prover);
    tcase_add_test(t, zero_denominator_is_rejected);
    tcase_add_test(t, changed_bits_are_caught);
    tcase_add_test(t, length_is_exact);
    tcase_add_test(t, false_values_name_their_layer);
    tcase_add_test(t, cheating_leaves_a_false_claim);
    tcase_add_test(t, false_root_leaves_a_false_claim);
    tcase_add_test(t, small_workspace_is_reported);
    tcase_set_timeout(t, 120);
    suite_add_tcase(s, t);
    return suite_run(s);
}
