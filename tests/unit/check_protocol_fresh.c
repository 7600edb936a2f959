/* Nonces of proofs of work are the one choice that a prover has for a given witness. Any that meets its
 * difficulty is accepted, with a proof made for it from there on; what was made for one nonce does not serve
 * another. */
#define pow_grind smallest_nonce
#include "hash/pow_prove.c"
#undef pow_grind

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "circuit_samples.h"
#include "suite.h"

#define NONE        UINT32_MAX
#define OTHERS      4   /* nonces tried in place of the smallest */
#define SPLICES     150 /* places at which two proofs are joined */
#define NONCE_BYTES 8

static uint32_t ground, target;  /* proofs of work so far; the one that is not given its smallest nonce */
static unsigned further;         /* but the nonce so many further on */
static bool elsewhere;           /* that one's work is done on another state */
static uint64_t smallest, given; /* of that one: what it would be, and what it is */

uint64_t pow_grind(const transcript *t, unsigned bits) {
    transcript other = *t;
    uint64_t nonce = smallest_nonce(t, bits);
    if (bits == 0)
        return nonce;
    while (ground == target && elsewhere && transcript_pow_holds(t, bits, nonce)) {
        other.state[0]++;
        nonce = smallest_nonce(&other, bits);
    }
    if (ground == target)
        smallest = nonce;
    for (unsigned i = 0; ground == target && i < further; i++) {
        do
            nonce++;
        while (!transcript_pow_holds(t, bits, nonce));
    }
    if (ground == target)
        given = nonce;
    ground++;
    return nonce;
}

typedef struct bytes {
    uint8_t *at;
    size_t size;
} bytes;

static bytes prove_with(kit *k, uint32_t nonce, unsigned steps) {
    bytes b;
    mica_status st = {0};
    ground = 0;
    target = nonce;
    further = steps;
    ck_assert_msg(kit_prove(k, 2, 31, &b.at, &b.size, &st), "%s", st.message);
    return b;
}

static bool is_accepted(const kit *k, bytes b) {
    mica_status st = {0};
    mica_verdict v;
    const bool ok = kit_verify(k, b.at, b.size, &v, &st);
    ck_assert(ok == (v.code == MICA_ACCEPT));
    return ok;
}

static bool equal(bytes a, bytes b) {
    return a.size == b.size && memcmp(a.at, b.at, a.size) == 0;
}

/* Of the nonce that is the first difference of two proofs, whose low bytes may be equal. */
static size_t nonce_place(const kit *k, bytes a, bytes b) {
    const size_t head = mica_statement_bytes(&k->c, 2, 0);
    size_t i = 0, equal_bytes = 0;
    while (i < a.size && i < b.size && a.at[i] == b.at[i])
        i++;
    while ((smallest >> 8 * equal_bytes & 0xff) == (given >> 8 * equal_bytes & 0xff))
        equal_bytes++; /* they differ */
    ck_assert_uint_ge(i, head + equal_bytes);
    ck_assert_uint_lt(i + NONCE_BYTES, a.size);
    ck_assert(load_u64(a.at + i - equal_bytes) == smallest && load_u64(b.at + i - equal_bytes) == given);
    return i - equal_bytes;
}

/* `a` up to a place, then `b`; rejected unless it is one of the two. */
static unsigned splice(const kit *k, bytes a, bytes b, size_t first) {
    unsigned tried = 0;
    const size_t least = a.size < b.size ? a.size : b.size, step = (least - first) / SPLICES / 4 * 4 + 4;
    bytes c = {malloc(a.size + b.size), b.size};
    for (size_t at = first; at < least; at += step) {
        memcpy(c.at, a.at, at);
        memcpy(c.at + at, b.at + at, b.size - at);
        if (equal(c, a) || equal(c, b)) /* where they differ in the nonce alone */
            continue;
        ck_assert_msg(!is_accepted(k, c), "joined at byte %zu", at);
        tried++;
    }
    free(c.at);
    return tried;
}

START_TEST(other_nonces_make_fresh_proofs) {
    kit k;
    unsigned spliced = 0, alone = 0, covered = 0;
    samples[_i].build(&k);
    ck_assert(kit_finish(&k, 100));
    const bytes own = prove_with(&k, NONE, 0);
    const uint32_t nonces = ground;
    ck_assert_uint_ge(nonces, 1);
    for (uint32_t i = 0; i < nonces; i++) {
        for (unsigned steps = 1; steps <= OTHERS; steps++) {
            const bytes fresh = prove_with(&k, i, steps);
            ck_assert(!equal(own, fresh));
            ck_assert_msg(is_accepted(&k, fresh), "%s: nonce %u, %u further on", samples[_i].name, i, steps);
            const size_t at = nonce_place(&k, own, fresh);
            /* The nonce alone: accepted only if that is the whole of the fresh proof. */
            bytes renewed = {malloc(own.size), own.size};
            memcpy(renewed.at, own.at, own.size);
            memcpy(renewed.at + at, fresh.at + at, NONCE_BYTES);
            ck_assert(is_accepted(&k, renewed) == equal(renewed, fresh));
            alone++;
            covered += equal(renewed, fresh);
            free(renewed.at);
            if (steps == 1)
                spliced += splice(&k, own, fresh, at) + splice(&k, fresh, own, at);
            free(fresh.at);
        }
    }
    (void)printf("%-12s %u nonces; %u replaced alone, %u of them whole proofs; %u splices rejected\n",
                 samples[_i].name, nonces, alone, covered, spliced);
    /* Where all points of the last codeword are opened, any nonce's queries are answered by the old proof. */
    ck_assert(spliced > 0 || covered == alone);
    free(own.at);
    kit_free(&k);
}
END_TEST

/* Work that was done on another state, as that of another proof or of a replay, is none. */
START_TEST(work_for_another_state_is_rejected) {
    kit k;
    mica_status st = {0};
    mica_verdict v;
    samples[_i].build(&k);
    ck_assert(kit_finish(&k, 100));
    const bytes own = prove_with(&k, NONE, 0);
    const uint32_t nonces = ground;
    elsewhere = true;
    for (uint32_t i = 0; i < nonces; i++) {
        const bytes b = prove_with(&k, i, 0);
        ck_assert(!kit_verify(&k, b.at, b.size, &v, &st));
        ck_assert_msg(v.code == MICA_REJECT_POW, "%s, nonce %u: %s", samples[_i].name, i, v.detail);
        free(b.at);
    }
    elsewhere = false;
    free(own.at);
    kit_free(&k);
}
END_TEST

int main(void) {
    Suite *s = suite_create("fresh proofs");
    TCase *t = tcase_create("nonces");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, other_nonces_make_fresh_proofs, 0, SAMPLES);
    tcase_add_loop_test(t, work_for_another_state_is_rejected, 0, SAMPLES);
    suite_add_tcase(s, t);
    return suite_run(s);
}
