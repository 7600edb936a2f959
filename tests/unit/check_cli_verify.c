/* A proof file against what its verifier knows: exit codes, and what is said of every difference. */
#define _GNU_SOURCE
#include "cli/verify_file.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "circuit_samples.h"
#include "cli/user_values.h"
#include "io/whole_file.h"
#include "mica/certificate.h"
#include "suite.h"

enum { ACCEPTED = 0, REJECTED = 1, UNDECIDED = 2 };
enum { SEED = 5 };
enum { DIGEST_AT = 12 }; /* of the parameters, in a proof file */

static char folder[] = "/tmp/mica-verify-XXXXXX";
static char proof_path[64], values_path[64];

typedef struct instance {
    kit k;
    uint8_t *file;
    size_t size;
    mica_statement s; /* as the file shows it */
} instance;

static void save(const instance *i) {
    mica_status st = {0};
    ck_assert_msg(whole_file_write(proof_path, i->file, i->size, &st), "%s", st.message);
}

static void begin_seeded(instance *i, void (*build)(kit *), uint32_t batch, uint64_t seed) {
    mica_status st = {0};
    mica_verdict v = {0};
    size_t used;
    build(&i->k);
    ck_assert(kit_finish(&i->k, 40));
    ck_assert_msg(kit_prove(&i->k, batch, seed, &i->file, &i->size, &st), "%s", st.message);
    ck_assert(mica_statement_read(&i->s, &i->k.c, i->file, i->size, &used, &st, &v));
    save(i);
}

static void begin(instance *i, void (*build)(kit *), uint32_t batch) {
    begin_seeded(i, build, batch, SEED);
}

static void end(instance *i) {
    mica_statement_free(&i->s, &i->k.c);
    free(i->file);
    kit_free(&i->k);
}

/* Verifies the saved file and expects the exit code and, in what is printed, the words. */
static void expect(const instance *i, verify_request request, int code, const char *words) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (!request.min_security_bits)
        request.min_security_bits = 40;
    const int got = mica_verify_file(&i->k.vk, proof_path, &request, out);
    (void)fclose(out);
    ck_assert_msg(got == code && (!words || strstr(text, words)), "exit code %d, expected %d '%s':\n%s", got,
                  code, words ? words : "", text);
    free(text);
}

/* {KEY: [[...], ...]}: n lists of `count` reals each. */
static const char *save_lists(const char *key, const double *value, uint32_t n, uint64_t count) {
    char *text = NULL;
    size_t size = 0;
    mica_status st = {0};
    FILE *out = open_memstream(&text, &size);
    (void)fprintf(out, "{\"%s\": [", key);
    for (uint64_t j = 0; j < n * count; j++)
        (void)fprintf(out, "%s%.17g%s",
                      j % count ? ", "
                      : j       ? ", ["
                                : "[",
                      value[j], (j + 1) % count ? "" : "]");
    (void)fprintf(out, "]}");
    (void)fclose(out);
    ck_assert_msg(whole_file_write(values_path, text, size, &st), "%s", st.message);
    free(text);
    return values_path;
}

static const char *save_values(const char *key, const double *value, uint64_t count) {
    return save_lists(key, value, 1, count);
}

/* The values that kit_prove has drawn for its inputs, one item of 1 / 1 scale. */
static void drawn_values(const kit *k, double *value) {
    uint64_t seed = SEED;
    for (uint32_t i = 0; i < k->c.n_inputs; i++) {
        const mica_tensor *x = &k->tensor[k->input[i].tensor];
        for (uint64_t j = mica_port_cells(&k->c, &k->input[i]); j > 0; j--)
            *value++ = x->lo + (int32_t)(kit_random(&seed) % (uint32_t)(x->hi - x->lo + 1));
    }
}

START_TEST(accepted) {
    instance i;
    begin(&i, build_gemm, 2);
    expect(&i, (verify_request){0}, ACCEPTED, "ACCEPTED");
    expect(&i, (verify_request){0}, ACCEPTED, "item 1");
    expect(&i, (verify_request){.json = true}, ACCEPTED, "\"accepted\":true");
    expect(&i, (verify_request){.model_id = i.k.vk.model_id}, ACCEPTED, "bits proven");
    end(&i);
}
END_TEST

START_TEST(expectations_of_the_caller) {
    instance i;
    begin(&i, build_gemm, 1);
    expect(&i, (verify_request){.model_id = "another"}, REJECTED, "not of \"another\"");
    expect(&i, (verify_request){.nonce = "00ff"}, REJECTED, "another nonce, or for none");
    expect(&i, (verify_request){.nonce = "0"}, UNDECIDED, NULL);
    expect(&i, (verify_request){.nonce = "zz"}, UNDECIDED, NULL);
    expect(&i, (verify_request){.min_security_bits = 256}, REJECTED, "too few bits of security");
    expect(&i, (verify_request){.model_id = "another", .json = true}, REJECTED,
           "\"reason\":\"statement differs\"");
    end(&i);
}
END_TEST

START_TEST(public_values) {
    instance i;
    double x[5], y[3];
    begin(&i, build_gemm, 1);
    const char *item[] = {values_path};
    const mica_arguments given = {.item = item, .n = 1};
    mica_port_dequantise(&i.k.c, &i.k.c.input[0], i.s.input[0], x);
    mica_port_dequantise(&i.k.c, &i.k.c.output[0], i.s.output[0], y);
    (void)save_values("input_data", x, 5);
    expect(&i, (verify_request){.input = given}, ACCEPTED, "the inputs are the supplied ones\n");
    x[3] += x[3] > 0 ? -1 : 1;
    (void)save_values("input_data", x, 5);
    expect(&i, (verify_request){.input = given}, REJECTED,
           "of item 0 is not the supplied one (the proof has");
    expect(&i, (verify_request){.input = given}, REJECTED,
           "(the proof itself holds, for the statement that it carries)");
    expect(&i, (verify_request){.input = given, .json = true}, REJECTED, "\"accepted\":false");
    (void)save_values("output_data", y, 3);
    expect(&i, (verify_request){.output = given}, ACCEPTED, "the outputs are the supplied ones");
    y[0] = 1e9;
    (void)save_values("output_data", y, 3);
    expect(&i, (verify_request){.output = given}, REJECTED, "values that the model cannot give");
    const double many[10] = {0};
    (void)save_values("input_data", many, 10);
    expect(&i, (verify_request){.input = given}, REJECTED,
           "the proof speaks of 1 items, 2 inputs were supplied");
    (void)save_values("input_data", many, 4);
    expect(&i, (verify_request){.input = given}, UNDECIDED, NULL);
    end(&i);
}
END_TEST

/* A value beyond the range is compared as the prover takes it: the bound of the range. */
START_TEST(saturated_values) {
    enum { LO = -50, VALUES = 101 };
    instance i;
    double x[5];
    uint64_t seed = 0, drawn;
    do /* for a first input at the upper bound */
        drawn = ++seed;
    while (kit_random(&drawn) % VALUES != VALUES - 1);
    begin_seeded(&i, build_gemm, 1, seed);
    const char *item[] = {values_path};
    const mica_arguments given = {.item = item, .n = 1};
    for (unsigned j = 0; j < 5; j++)
        x[j] = i.s.input[0][j];
    ck_assert(x[0] == LO + VALUES - 1);
    x[0] = 1e6;
    (void)save_values("input_data", x, 5);
    expect(&i, (verify_request){.input = given}, ACCEPTED,
           "supplied ones, with values outside the range saturated");
    expect(&i, (verify_request){.input = given, .json = true}, ACCEPTED, "\"saturated\":1");
    x[0] = -1e6;
    (void)save_values("input_data", x, 5);
    expect(&i, (verify_request){.input = given}, REJECTED,
           "(the proof has 50 where the supplied value is -50)");
    end(&i);
}
END_TEST

START_TEST(committed_values) {
    instance i;
    double x[63];
    begin(&i, build_digests, 1);
    const char *item[] = {values_path};
    const mica_arguments given = {.item = item, .n = 1};
    drawn_values(&i.k, x);
    (void)save_values("input_data", x, 63);
    expect(&i, (verify_request){.input = given}, ACCEPTED, "the inputs are the supplied ones");
    x[62] += x[62] > 0 ? -1 : 1;
    (void)save_values("input_data", x, 63);
    expect(&i, (verify_request){.input = given}, REJECTED,
           "of item 0 is not the supplied one: the proof has another digest");
    expect(&i, (verify_request){0}, ACCEPTED, "digest");
    expect(&i, (verify_request){.json = true}, ACCEPTED, "\"digest");
    end(&i);
}
END_TEST

/* Three inputs: committed, public, private. The last cannot be compared, which is no verdict. */
START_TEST(private_values) {
    instance i;
    double x[3 * 15] = {0};
    begin(&i, build_ports, 1);
    const char *item[] = {values_path};
    const mica_arguments given = {.item = item, .n = 1};
    expect(&i, (verify_request){0}, ACCEPTED, "what is private is undisclosed, not hidden");
    expect(&i, (verify_request){.json = true}, ACCEPTED, "what is private is undisclosed");
    drawn_values(&i.k, x);
    (void)save_lists("input_data", x, 3, 15);
    expect(&i, (verify_request){.input = given}, UNDECIDED, NULL);
    x[15] += x[15] > 0 ? -1 : 1;
    (void)save_lists("input_data", x, 3, 15);
    expect(&i, (verify_request){.input = given}, REJECTED, "is not the supplied one");
    end(&i);
}
END_TEST

/* The certificate of the parameters beside the proof: its rejection is one of both. */
START_TEST(with_certificate) {
    instance i;
    uint8_t *certificate;
    size_t size;
    mica_status st = {0};
    begin(&i, build_gemm, 1);
    ck_assert_msg(mica_certificate_make(&i.k.vk, i.k.weights, i.k.weights_size, &certificate, &size, &st),
                  "%s", st.message);
    ck_assert(whole_file_write(values_path, certificate, size, &st));
    expect(&i, (verify_request){.certificate = values_path}, ACCEPTED, "is accepted, too");
    expect(&i, (verify_request){.certificate = values_path, .json = true}, ACCEPTED, "\"certificate\"");
    certificate[size - 1] ^= 1;
    ck_assert(whole_file_write(values_path, certificate, size, &st));
    expect(&i, (verify_request){.certificate = values_path}, REJECTED, "the weight certificate is rejected");
    expect(&i, (verify_request){.certificate = values_path, .json = true}, REJECTED,
           "\"certificate rejected\"");
    certificate[0] ^= 1;
    ck_assert(whole_file_write(values_path, certificate, size, &st));
    expect(&i, (verify_request){.certificate = values_path}, UNDECIDED, NULL);
    expect(&i, (verify_request){.certificate = "/nowhere/at.all"}, UNDECIDED, NULL);
    free(certificate);
    end(&i);
}
END_TEST

START_TEST(damaged_files) {
    instance i;
    begin(&i, build_gemm, 1);
    i.file[i.size - 1] ^= 1;
    save(&i);
    expect(&i, (verify_request){0}, REJECTED, "REJECTED");
    expect(&i, (verify_request){.json = true}, REJECTED, "\"layer\":null");
    i.file[i.size - 1] ^= 1;
    i.file[DIGEST_AT] ^= 1;
    save(&i);
    expect(&i, (verify_request){0}, REJECTED, "made for another model (vk digest)");
    expect(&i, (verify_request){0}, REJECTED, "statement not admissible");
    i.file[DIGEST_AT] ^= 1;
    i.size -= 1;
    save(&i);
    expect(&i, (verify_request){0}, REJECTED, "malformed proof: proof ends early");
    i.size = 20;
    save(&i);
    expect(&i, (verify_request){0}, REJECTED, "the statement is truncated");
    expect(&i, (verify_request){.json = true}, REJECTED, "\"reason\":\"malformed proof\"");
    i.file[0] ^= 1;
    save(&i);
    expect(&i, (verify_request){0}, UNDECIDED, NULL);
    ck_assert_int_eq(unlink(proof_path), 0);
    expect(&i, (verify_request){0}, UNDECIDED, NULL);
    end(&i);
}
END_TEST

/* A statement of a value that the model cannot take names the layer. */
START_TEST(rejections_name_the_layer) {
    instance i;
    begin(&i, build_gemm, 1);
    uint8_t *value = memmem(i.file, i.size, i.s.input[0], 5 * sizeof(int32_t));
    ck_assert_ptr_nonnull(value);
    memcpy(value, &(int32_t){i.k.tensor[i.k.input[0].tensor].hi + 1}, sizeof(int32_t));
    save(&i);
    char layer[100];
    (void)snprintf(layer, sizeof layer, "is outside [-50, 50], layer \"%s\"", i.k.c.layer[0].name);
    expect(&i, (verify_request){0}, REJECTED, layer);
    (void)snprintf(layer, sizeof layer, "\"layer\":\"%s\"", i.k.c.layer[0].name);
    expect(&i, (verify_request){.json = true}, REJECTED, layer);
    end(&i);
}
END_TEST

static void expect_no_statement(const kit *k, mica_code code, const char *words) {
    const char *item[] = {values_path};
    mica_statement s;
    user_inputs user;
    mica_status st = {0};
    ck_assert(!user_statement_create(&s, &k->c, item, 1, &user, &st));
    ck_assert_msg(st.code == code && strstr(st.message, words), "code %d, %s", (int)st.code, st.message);
    ck_assert_ptr_null(user.items.value);
}

START_TEST(values_that_no_statement_takes) {
    enum { CELLS = 5, BATCH = 50 };
    double x[CELLS * (BATCH + 1)] = {0};
    kit k;
    build_gemm(&k);
    k.input[0].exact = true;
    ck_assert(kit_finish(&k, 40));
    (void)save_values("input_data", x, (size_t)CELLS * (k.c.max_batch + 1));
    expect_no_statement(&k, MICA_ERR_LIMIT, "inputs in one batch; this model was compiled for at most");
    x[2] = 51;
    (void)save_values("input_data", x, CELLS);
    expect_no_statement(&k, MICA_ERR_RANGE, "value 2 is 51, but an index is in [-50, 50]");
    kit_free(&k);
}
END_TEST

int main(void) {
    if (!mkdtemp(folder))
        return EXIT_FAILURE;
    (void)snprintf(proof_path, sizeof proof_path, "%s/proof.bin", folder);
    (void)snprintf(values_path, sizeof values_path, "%s/values.json", folder);
    Suite *s = suite_create("verify");
    TCase *t = tcase_create("verify");
    tcase_add_test(t, accepted);
    tcase_add_test(t, expectations_of_the_caller);
    tcase_add_test(t, public_values);
    tcase_add_test(t, saturated_values);
    tcase_add_test(t, committed_values);
    tcase_add_test(t, private_values);
    tcase_add_test(t, with_certificate);
    tcase_add_test(t, damaged_files);
    tcase_add_test(t, rejections_name_the_layer);
    tcase_add_test(t, values_that_no_statement_takes);
    suite_add_tcase(s, t);
    const int code = suite_run(s);
    (void)unlink(proof_path);
    (void)unlink(values_path);
    (void)rmdir(folder);
    return code;
}
