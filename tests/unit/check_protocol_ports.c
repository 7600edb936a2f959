/* Provers that lie about what the statement does not show: digests of other tensors, swapped items, cells
 * outside an input's range or valid box, digests that do not belong to the columns. Each lie is told as
 * consistently as it can be, by the real prover, and is rejected where it contradicts something. */
#define MICA_CHEAT
#include "base/parallel.h"
#include "protocol/leaves_count_prove.c"
#include "protocol/ports_prove.c"
#include "protocol/prove_prove.c"

#include <check.h>

#include "circuit_samples.h"
#include "suite.h"

#define BATCH 3

/* Positions in plan.port of the sample "ports". */
enum { PORT_INPUT, PORT_SUM, PORT_WITNESS, PORT_NUMBER, PORT_PUBLIC_INPUT, PORTS };

typedef struct lie {
    const char *what;
    void (*item)(void *ctx, uint32_t port, uint32_t item, m31 *cells);
    void (*digests)(void *ctx, mica_statement *s);
    uint32_t port;
    mica_verdict_code reason;
} lie;

static const lie *told;
static m31 *kept;
static size_t kept_cells;

/* --- lies about items: the digest is that of the altered tensor --- */

static void change_cell(void *ctx, uint32_t port, uint32_t item, m31 *cells) {
    (void)ctx;
    if (port == told->port && item == 1)
        cells[0] = m31_add(cells[0], 1);
}

static void change_all(void *ctx, uint32_t port, uint32_t item, m31 *cells) {
    (void)ctx;
    for (unsigned i = 0; port == told->port && item == 0 && i < 3; i++)
        cells[i] = i + 5;
}

/* [3,5] in 4 x 8: cell 7 is beyond the last column. */
static void change_padding(void *ctx, uint32_t port, uint32_t item, m31 *cells) {
    (void)ctx;
    if (port == told->port && item == 2)
        cells[7] = 1;
}

/* Item 1 becomes item 0: both digests are equal. */
static void repeat_item(void *ctx, uint32_t port, uint32_t item, m31 *cells) {
    (void)ctx;
    if (port != told->port)
        return;
    if (item == 0)
        kept = cells;
    if (item == 1)
        memcpy(cells, kept, kept_cells * sizeof *cells);
}

/* --- lies about digests: the columns are those of the true tensor --- */

static uint8_t *digests_of(mica_statement *s) {
    static const uint32_t output[PORTS] = {0, 0, 1, 4, 6};
    return told->port == PORT_INPUT ? s->input_digest[0] : s->output_digest[output[told->port]];
}

static void swap_digests(void *ctx, mica_statement *s) {
    uint8_t *d = digests_of(s), x[MICA_DIGEST_BYTES];
    (void)ctx;
    memcpy(x, d, sizeof x);
    memcpy(d, d + MICA_DIGEST_BYTES, sizeof x);
    memcpy(d + MICA_DIGEST_BYTES, x, sizeof x);
}

static void other_digest(void *ctx, mica_statement *s) {
    (void)ctx;
    digests_of(s)[9] ^= 16;
}

/* The digests of an input and an output of one shape, exchanged: every column opened is one of another group.
 */
static void exchange_ports(void *ctx, mica_statement *s) {
    (void)ctx;
    for (size_t i = 0; i < (size_t)BATCH * MICA_DIGEST_BYTES; i++) {
        const uint8_t x = s->input_digest[0][i];
        s->input_digest[0][i] = s->output_digest[0][i];
        s->output_digest[0][i] = x;
    }
}

static void no_digest(void *ctx, mica_statement *s) {
    (void)ctx;
    memset(digests_of(s), 0, MICA_DIGEST_BYTES);
}

static const lie lies[] = {
    {"one cell of an input", change_cell, NULL, PORT_INPUT, MICA_REJECT_LINEAR},
    {"one cell of a virtual output", change_cell, NULL, PORT_SUM, MICA_REJECT_LINEAR},
    {"one cell of a witness output", change_cell, NULL, PORT_WITNESS, MICA_REJECT_OPENING},
    {"an output of one cell", change_cell, NULL, PORT_NUMBER, MICA_REJECT_LINEAR},
    {"an output that is a public input", change_cell, NULL, PORT_PUBLIC_INPUT, MICA_REJECT_PUBLIC},
    {"another input", change_all, NULL, PORT_INPUT, MICA_REJECT_LINEAR},
    {"another output", change_all, NULL, PORT_WITNESS, MICA_REJECT_OPENING},
    {"padding of an input", change_padding, NULL, PORT_INPUT, MICA_REJECT_LINEAR},
    {"padding of an output", change_padding, NULL, PORT_WITNESS, MICA_REJECT_OPENING},
    {"an item twice", repeat_item, NULL, PORT_INPUT, MICA_REJECT_LINEAR},
    {"an output's item twice", repeat_item, NULL, PORT_SUM, MICA_REJECT_LINEAR},
    {"digests of two items swapped", NULL, swap_digests, PORT_INPUT, MICA_REJECT_MERKLE},
    {"digests of two outputs' items swapped", NULL, swap_digests, PORT_NUMBER, MICA_REJECT_MERKLE},
    {"another digest", NULL, other_digest, PORT_WITNESS, MICA_REJECT_MERKLE},
    {"columns of the wrong groups", NULL, exchange_ports, PORT_INPUT, MICA_REJECT_MERKLE},
    {"a digest left out", NULL, no_digest, PORT_SUM, MICA_REJECT_MERKLE},
};

static void make(kit *k, void (*build)(kit *)) {
    build(k);
    ck_assert(kit_finish(k, 60));
    kept_cells = (size_t)1 << mica_item_bits(&k->tensor[k->input[0].tensor]);
}

static void check_rejected(kit *k, const char *what, mica_verdict_code reason) {
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    ck_assert_msg(kit_prove(k, BATCH, 3, &file, &size, &st), "%s: %s", what, st.message);
    ck_assert_msg(!kit_verify(k, file, size, &v, &st), "%s: accepted", what);
    ck_assert_msg(v.code == reason, "%s: %s (%s) instead of %s", what, mica_verdict_name(v.code), v.detail,
                  mica_verdict_name(reason));
    free(file);
}

START_TEST(lies_about_items_and_digests) {
    kit k;
    told = &lies[_i];
    const protocol_cheat cheat = {.item = told->item, .digests = told->digests};
    make(&k, build_ports);
    protocol_cheating = &cheat;
    check_rejected(&k, told->what, told->reason);
    protocol_cheating = NULL;
    kit_free(&k);
}
END_TEST

/* --- inputs outside their range or valid box, digits, tensor and digest altered alike --- */

static struct {
    void (*run)(const mica_frame *f);
    const kit *k;
    uint32_t input, digit; /* the digit's position in the input's form */
    uint32_t padded;       /* cell of item 0 */
    int32_t by;
    uint32_t items;
} stray;

static const mica_term *stray_term(void) {
    const kit *k = stray.k;
    return &k->term[k->linear[k->tensor[k->input[stray.input].tensor].def].first_term + stray.digit];
}

static void run_stray(const mica_frame *f) {
    if (stray.items++ == 0) {
        f->value[stray_term()->tensor][stray.padded] += stray.by;
        f->value[stray.k->input[stray.input].tensor][stray.padded] += stray.by * stray_term()->coef;
    }
    stray.run(f);
}

static void commit_stray(void *ctx, uint32_t port, uint32_t item, m31 *cells) {
    (void)ctx;
    if (stray.input == 0 && port == PORT_INPUT && item == 0)
        cells[stray.padded] = m31_add(cells[stray.padded], m31_from_i32(stray.by * stray_term()->coef));
}

/* A committed input [7,9] of one digit of 8 bits; a private one [3,5] of 5 bits. */
static const struct {
    const char *what;
    void (*build)(kit *);
    uint32_t input, digit, padded;
    int32_t by;
} strays[] = {
    {"a committed input above its range", build_digests, 0, 0, 9 - 1, 256},
    {"a committed input below its range", build_digests, 0, 0, 16, -256},
    {"padding of a committed input", build_digests, 0, 0, 9, 1},
    {"the padding's row of a committed input", build_digests, 0, 0, 7 * 16, 3},
    {"a private input above its range", build_ports, 2, 0, 2, 32},
    {"a private input below its range", build_ports, 2, 0, 1, -32},
    {"padding of a private input", build_ports, 2, 0, 15, 1},
};

START_TEST(inputs_outside_their_range) {
    kit k;
    const protocol_cheat cheat = {.item = commit_stray};
    make(&k, strays[_i].build);
    stray.run = k.model.run;
    stray.k = &k;
    stray.input = strays[_i].input;
    stray.digit = strays[_i].digit;
    stray.padded = strays[_i].padded;
    stray.by = strays[_i].by;
    stray.items = 0;
    k.model.run = run_stray;
    parallel_set_workers(1); /* items in their order: the first one strays */
    protocol_cheating = &cheat;
    check_rejected(&k, strays[_i].what, MICA_REJECT_LOGUP_ROOT);
    parallel_set_workers(0);
    protocol_cheating = NULL;
    kit_free(&k);
}
END_TEST

/* --- what outsiders compute is what proofs show --- */

START_TEST(digests_are_those_of_the_values) {
    kit k;
    uint8_t *file, digest[MICA_DIGEST_BYTES];
    size_t size, used;
    mica_status st = {0};
    mica_verdict v = {0};
    mica_statement s;
    uint64_t seed = 3;
    make(&k, build_ports);
    ck_assert(kit_prove(&k, BATCH, 3, &file, &size, &st));
    ck_assert(mica_statement_read(&s, &k.c, file, size, &used, &st, &v));
    ck_assert(s.input[0] == NULL && s.input[2] == NULL && s.output[0] == NULL && s.output[3] == NULL);
    ck_assert(s.input[1] && s.output[2] && s.input_digest[0] && !s.input_digest[2] && !s.output_digest[3]);
    const uint64_t n = mica_port_cells(&k.c, &k.input[0]);
    const mica_tensor *x = &k.tensor[k.input[0].tensor];
    for (uint32_t item = 0; item < BATCH; item++) { /* the input that kit_prove draws first */
        int32_t cells[15] = {0};
        for (uint64_t j = 0; j < n; j++)
            cells[j] = x->lo + (int32_t)(kit_random(&seed) % (uint32_t)(x->hi - x->lo + 1));
        ck_assert(mica_port_digest(&k.c, &k.input[0], cells, digest, &st));
        ck_assert_mem_eq(digest, s.input_digest[0] + (size_t)item * MICA_DIGEST_BYTES, sizeof digest);
    }
    for (uint32_t item = 0; item < BATCH; item++) { /* output 2 shows the witness behind output 1's digest */
        ck_assert(mica_port_digest(&k.c, &k.output[1], s.output[2] + item * n, digest, &st));
        ck_assert_mem_eq(digest, s.output_digest[1] + (size_t)item * MICA_DIGEST_BYTES, sizeof digest);
    }
    mica_statement_free(&s, &k.c);
    free(file);
    kit_free(&k);
}
END_TEST

/* Values under the same digest are the same in two proofs, whatever stands beside them in the batch. */
START_TEST(digests_do_not_depend_on_the_batch) {
    kit k;
    mica_status st = {0};
    mica_verdict v = {0};
    uint8_t first[MICA_DIGEST_BYTES];
    make(&k, build_ports);
    for (uint32_t batch = 1; batch <= BATCH; batch++) {
        uint8_t *file;
        size_t size, used;
        mica_statement s;
        ck_assert(kit_prove(&k, batch, 3, &file, &size, &st)); /* item 0 of the first input is the same */
        ck_assert(mica_statement_read(&s, &k.c, file, size, &used, &st, &v));
        if (batch == 1)
            memcpy(first, s.input_digest[0], sizeof first);
        ck_assert_mem_eq(first, s.input_digest[0], sizeof first);
        mica_statement_free(&s, &k.c);
        free(file);
    }
    kit_free(&k);
}
END_TEST

/* A statement without one of its digests is none. */
START_TEST(missing_digests_are_noticed) {
    kit k;
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    make(&k, build_ports);
    ck_assert(kit_prove(&k, 1, 3, &file, &size, &st));
    const size_t head = mica_statement_bytes(&k.c, 1, 0), at = head - MICA_DIGEST_BYTES;
    ck_assert(kit_verify(&k, file, size, &v, &st));
    memmove(file + at, file + head, size - head); /* the last digest */
    ck_assert(!kit_verify(&k, file, size - MICA_DIGEST_BYTES, &v, &st));
    ck_assert_int_ne(v.code, MICA_VERDICT_UNSET);
    ck_assert(!kit_verify(&k, file, at, &v, &st));
    ck_assert_int_eq(v.code, MICA_REJECT_MALFORMED);
    free(file);
    kit_free(&k);
}
END_TEST

int main(void) {
    Suite *s = suite_create("inputs and outputs that are not shown");
    TCase *t = tcase_create("ports");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, lies_about_items_and_digests, 0, (int)(sizeof lies / sizeof *lies));
    tcase_add_loop_test(t, inputs_outside_their_range, 0, (int)(sizeof strays / sizeof *strays));
    tcase_add_test(t, digests_are_those_of_the_values);
    tcase_add_test(t, digests_do_not_depend_on_the_batch);
    tcase_add_test(t, missing_digests_are_noticed);
    suite_add_tcase(s, t);
    return suite_run(s);
}
