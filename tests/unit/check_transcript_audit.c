/* Prover and verifier absorb and squeeze the same items in the same order with the same states, and every
 * challenge comes after what docs/transcript.md says it must depend on. */
#define MICA_AUDIT
#include "hash/transcript.c"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "circuit_samples.h"
#include "mica/certificate.h"
#include "suite.h"

#define MAX_ITEMS 20000

typedef struct item {
    bool challenge;
    transcript_tag tag;
    size_t n;
    uint8_t state[32];
} item;

typedef struct record {
    item at[MAX_ITEMS];
    size_t n;
} record;

static record prover, verifier, *recording;

static void note(bool challenge, transcript_tag tag, size_t n, const uint8_t state[32]) {
    ck_assert_uint_lt(recording->n, MAX_ITEMS);
    item *i = &recording->at[recording->n++];
    *i = (item){.challenge = challenge, .tag = tag, .n = n};
    memcpy(i->state, state, sizeof i->state);
}

/* --- names and the table --- */

static const char *const names[] = {[TAG_VK] = "VK",
                                    [TAG_STATEMENT] = "STATEMENT",
                                    [TAG_WITNESS_ROOT] = "WITNESS_ROOT",
                                    [TAG_POW] = "POW",
                                    [TAG_LOOKUP] = "LOOKUP",
                                    [TAG_GKR_ROOT] = "GKR_ROOT",
                                    [TAG_GKR_ROUND] = "GKR_ROUND",
                                    [TAG_GKR_VALUES] = "GKR_VALUES",
                                    [TAG_GKR_LAMBDA] = "GKR_LAMBDA",
                                    [TAG_GKR_MERGE] = "GKR_MERGE",
                                    [TAG_CLAIMS] = "CLAIMS",
                                    [TAG_OUTPUT_POINT] = "OUTPUT_POINT",
                                    [TAG_BATCH_LAMBDA] = "BATCH_LAMBDA",
                                    [TAG_SUMCHECK_ROUND] = "SUMCHECK_ROUND",
                                    [TAG_SUMCHECK_POINT] = "SUMCHECK_POINT",
                                    [TAG_OPEN_GAMMA] = "OPEN_GAMMA",
                                    [TAG_OPEN_ROUND] = "OPEN_ROUND",
                                    [TAG_OPEN_POINT] = "OPEN_POINT",
                                    [TAG_OPEN_ROOT] = "OPEN_ROOT",
                                    [TAG_OPEN_MESSAGE] = "OPEN_MESSAGE",
                                    [TAG_OPEN_QUERY] = "OPEN_QUERY"};
#define N_TAGS (sizeof names / sizeof *names)

typedef struct rule {
    uint32_t every, since, after; /* sets of tags */
    bool present;
} rule;

static rule rules[N_TAGS];

static uint32_t tag_set(char *words) {
    uint32_t set = 0;
    for (char *w = strtok(words, " "); w; w = strtok(NULL, " ")) {
        size_t t = 1;
        while (t < N_TAGS && strcmp(names[t], w) != 0)
            t++;
        ck_assert_msg(t < N_TAGS || strcmp(w, "-") == 0, "docs/transcript.md names an unknown tag '%s'", w);
        if (t < N_TAGS)
            set |= 1u << t;
    }
    return set;
}

static void read_table(void) {
    FILE *f = fopen(MICA_DOCS "/transcript.md", "r");
    char line[512], cell[4][256];
    unsigned rows = 0;
    ck_assert(f != NULL);
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "| %255[A-Z_] | %255[^|]| %255[^|]| %255[^|]|", cell[0], cell[1], cell[2],
                   cell[3]) != 4)
            continue;
        const uint32_t set = tag_set(cell[0]);
        ck_assert(set != 0);
        rules[__builtin_ctz(set)] = (rule){tag_set(cell[1]), tag_set(cell[2]), tag_set(cell[3]), true};
        rows++;
    }
    (void)fclose(f);
    ck_assert_uint_eq(rows, 9);
}

/* --- checks --- */

/* What is wrong with the order of a record; empty if nothing. */
static const char *broken_rule(const record *r) {
    static char what[128];
    uint32_t seen = 0, fresh = 0, drawn = 0;
    size_t last_of[N_TAGS] = {0};
    for (size_t i = 0; i < r->n; i++)
        last_of[r->at[i].tag] = i;
    for (size_t i = 0; i < r->n; i++) {
        const item *x = &r->at[i];
        if (x->challenge) {
            const rule *k = &rules[x->tag];
            if (!k->present)
                return "a challenge without a rule";
            for (size_t t = 1; t < N_TAGS && !(drawn >> x->tag & 1); t++) {
                if (k->every >> t & 1 && last_of[t] > i) {
                    (void)snprintf(what, sizeof what, "%s is drawn before the last %s", names[x->tag],
                                   names[t]);
                    return what;
                }
            }
            if ((k->since && !(fresh & k->since)) || (k->after && !(seen & k->after))) {
                (void)snprintf(what, sizeof what, "%s comes without what it must follow", names[x->tag]);
                return what;
            }
            drawn |= 1u << x->tag;
            fresh = 0;
        } else {
            fresh |= 1u << x->tag;
        }
        seen |= 1u << x->tag;
    }
    return "";
}

/* Before each draw, back to the last round or combination: a root or message, then only work and other draws.
 */
static void check_queries(const char *name, const record *r) {
    for (size_t i = 0; i < r->n; i++) {
        if (r->at[i].tag != TAG_OPEN_QUERY)
            continue;
        size_t j = i;
        while (j > 0 && (r->at[j - 1].tag == TAG_OPEN_QUERY || r->at[j - 1].tag == TAG_POW))
            j--;
        ck_assert_msg(j > 0 && (r->at[j - 1].tag == TAG_OPEN_ROOT || r->at[j - 1].tag == TAG_OPEN_MESSAGE),
                      "%s: queries are drawn before the fold that they test", name);
    }
}

static void check_head(const char *name, const record *r) {
    ck_assert_msg(r->n > 2 && r->at[0].tag == TAG_VK && r->at[1].tag == TAG_STATEMENT,
                  "%s: the statement is not first", name);
    ck_assert(!r->at[0].challenge && !r->at[1].challenge);
}

START_TEST(records_agree_and_obey_the_table) {
    kit k;
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    read_table();
    samples[_i].build(&k);
    ck_assert(kit_finish(&k, 60));
    for (uint32_t batch = 1; batch <= 3; batch += 2) {
        prover.n = verifier.n = 0;
        transcript_audit = note;
        recording = &prover;
        ck_assert(kit_prove(&k, batch, 4, &file, &size, &st));
        recording = &verifier;
        ck_assert(kit_verify(&k, file, size, &v, &st));
        transcript_audit = NULL;
        ck_assert_uint_eq(prover.n, verifier.n);
        ck_assert_msg(memcmp(prover.at, verifier.at, prover.n * sizeof *prover.at) == 0,
                      "%s: prover and verifier differ", samples[_i].name);
        check_head(samples[_i].name, &verifier);
        ck_assert_str_eq(broken_rule(&verifier), "");
        check_queries(samples[_i].name, &verifier);
        free(file);
    }
    kit_free(&k);
}
END_TEST

/* The proof of a weight certificate has a transcript of its own, by the same table. */
START_TEST(certificates_obey_the_table) {
    const mica_verify_options options = {.min_security_bits = 60};
    kit k;
    mica_vk vk;
    mica_certificate_report report;
    uint8_t *file = NULL;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    read_table();
    samples[_i].build(&k);
    ck_assert(kit_finish(&k, 60) && mica_vk_read(&vk, k.vk_bytes, k.vk_size, &st));
    ck_assert(mica_certificate_report_make(&vk, &report, &st));
    ck_assert_uint_le(report.parts, 1);
    prover.n = verifier.n = 0;
    transcript_audit = note;
    recording = &prover;
    ck_assert_msg(mica_certificate_make(&vk, k.weights, k.weights_size, &file, &size, &st), "%s", st.message);
    recording = &verifier;
    ck_assert(mica_certificate_verify(&vk, file, size, &options, &v, &st));
    transcript_audit = NULL;
    if (report.parts) {
        ck_assert_uint_eq(prover.n, verifier.n);
        ck_assert_msg(memcmp(prover.at, verifier.at, prover.n * sizeof *prover.at) == 0,
                      "%s: prover and verifier differ", samples[_i].name);
        check_head(samples[_i].name, &verifier);
        ck_assert_str_eq(broken_rule(&verifier), "");
        check_queries(samples[_i].name, &verifier);
    } else {
        ck_assert_uint_eq(prover.n + verifier.n, 0);
    }
    free(file);
    mica_vk_free(&vk);
    kit_free(&k);
}
END_TEST

/* The checks themselves notice a schedule that is wrong. */
START_TEST(wrong_schedules_are_noticed) {
    static const transcript_tag early[] = {TAG_LOOKUP, TAG_BATCH_LAMBDA, TAG_OPEN_GAMMA};
    read_table();
    record *r = calloc(1, sizeof *r);
    r->at[r->n++] = (item){.tag = TAG_VK};
    r->at[r->n++] = (item){.tag = TAG_STATEMENT};
    r->at[r->n++] = (item){.tag = TAG_CLAIMS};
    r->at[r->n++] = (item){.challenge = true, .tag = early[_i]};
    r->at[r->n++] = (item){.tag = TAG_WITNESS_ROOT}; /* after a challenge that must depend on it */
    ck_assert_str_ne(broken_rule(r), "");
    free(r);
}
END_TEST

int main(void) {
    Suite *s = suite_create("transcript audit");
    TCase *t = tcase_create("audit");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, records_agree_and_obey_the_table, 0, SAMPLES);
    tcase_add_loop_test(t, certificates_obey_the_table, 0, SAMPLES);
    tcase_add_loop_test(t, wrong_schedules_are_noticed, 0, 3);
    suite_add_tcase(s, t);
    return suite_run(s);
}
