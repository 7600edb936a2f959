#include "audit.h"

#include "driver.h"
#include "graph/digest.h"
#include "vk_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Verifier parameters that are compared. */
typedef struct side {
    const mica_vk *vk;
    const uint8_t *bytes;
    size_t size;
} side;

static bool starts_with(const char *key, const char *prefix) {
    return strncmp(key, prefix, strlen(prefix)) == 0;
}

/* The first line with this key, or an empty text. */
static void record_value(const mica_record *r, const char *key, char out[AUDIT_WORDS]) {
    mica_record_line line;
    out[0] = 0;
    for (size_t at = 0; mica_record_next(r, &at, &line);) {
        if (strcmp(line.key, key) == 0) {
            (void)snprintf(out, AUDIT_WORDS, "%.*s", (int)line.size, line.value); /* size <= 2^24 */
            return;
        }
    }
}

/* All options on one line. */
static void option_words(const mica_record *r, char out[AUDIT_WORDS]) {
    mica_record_line line;
    size_t n = 0;
    out[0] = 0;
    for (size_t at = 0; mica_record_next(r, &at, &line) && n < AUDIT_WORDS - 1;) {
        if (!starts_with(line.key, OPTIONS_RECORD_PREFIX))
            continue;
        const int k = snprintf(out + n, AUDIT_WORDS - n, "%s--%s %.*s", n ? " " : "",
                               line.key + strlen(OPTIONS_RECORD_PREFIX), (int)line.size, line.value);
        n = k > 0 ? n + (size_t)k : AUDIT_WORDS;
    }
}

/* Compares the lines whose key starts with `prefix` in order; *a and *b are left at the first that differ. */
static bool same_lines(const mica_record *ra, const mica_record *rb, const char *prefix, mica_record_line *a,
                       mica_record_line *b) {
    size_t at_a = 0, at_b = 0;
    for (;;) {
        bool more_a, more_b;
        while ((more_a = mica_record_next(ra, &at_a, a)) && !starts_with(a->key, prefix))
            ;
        while ((more_b = mica_record_next(rb, &at_b, b)) && !starts_with(b->key, prefix))
            ;
        if (!more_a)
            *a = (mica_record_line){.key = "", .value = ""};
        if (!more_b)
            *b = (mica_record_line){.key = "", .value = ""};
        if (!more_a && !more_b)
            return true;
        if (strcmp(a->key, b->key) != 0 || a->size != b->size || memcmp(a->value, b->value, a->size) != 0)
            return false;
    }
}

static void check_value(audit_check *c, const char *what, const char *key, const side *had,
                        const side *made) {
    c->what = what;
    record_value(&had->vk->record, key, c->recorded);
    record_value(&made->vk->record, key, c->found);
    c->same = strcmp(c->recorded, c->found) == 0;
}

static void check_options(audit_check *c, const side *had, const side *made) {
    mica_record_line a, b;
    c->what = "options";
    option_words(&had->vk->record, c->recorded);
    option_words(&made->vk->record, c->found);
    c->same = same_lines(&had->vk->record, &made->vk->record, OPTIONS_RECORD_PREFIX, &a, &b);
}

static void check_ranges(audit_check *c, const side *had, const side *made) {
    static const char *const keys[] = {"input", "range"};
    mica_record_line a, b;
    c->what = "calibrated ranges";
    c->same = true;
    for (size_t i = 0; c->same && i < sizeof keys / sizeof *keys; i++) {
        c->same = same_lines(&had->vk->record, &made->vk->record, keys[i], &a, &b);
        (void)snprintf(c->recorded, AUDIT_WORDS, "%.*s", c->same ? 0 : (int)a.size, a.value);
        (void)snprintf(c->found, AUDIT_WORDS, "%.*s", c->same ? 0 : (int)b.size, b.value);
    }
}

static bool circuit_words(char out[AUDIT_WORDS], const mica_circuit *c, uint8_t **bytes, size_t *size,
                          mica_status *st) {
    uint8_t digest[DIGEST_BYTES];
    char hex[DIGEST_HEX];
    digest_hash *h = digest_begin("mica circuit v1", st);
    if (!h)
        return false;
    if (!mica_circuit_write(c, bytes, size, st)) {
        digest_end(h, NULL);
        return false;
    }
    digest_bytes(h, *bytes, *size);
    digest_end(h, digest);
    digest_hex(digest, hex);
    (void)snprintf(out, AUDIT_WORDS, "%.16s..., %u tensors, %u layers, batches up to %u", hex, c->n_tensors,
                   c->n_layers, c->max_batch);
    return true;
}

static bool check_circuit(audit_check *c, const side *had, const side *made, mica_status *st) {
    uint8_t *a = NULL, *b = NULL;
    size_t n = 0, m = 0;
    c->what = "circuit";
    const bool ok = circuit_words(c->recorded, &had->vk->circuit, &a, &n, st) &&
                    circuit_words(c->found, &made->vk->circuit, &b, &m, st);
    c->same = ok && n == m && memcmp(a, b, n) == 0;
    free(a);
    free(b);
    return ok;
}

static void check_weights(audit_check *c, const side *had, const side *made) {
    const mica_vk *a = had->vk, *b = made->vk;
    c->what = "weight root";
    digest_hex(a->weight_root, c->recorded);
    digest_hex(b->weight_root, c->found);
    c->same = memcmp(a->weight_root, b->weight_root, sizeof a->weight_root) == 0 &&
              a->weight_row_bits == b->weight_row_bits && a->weight_rate_bits == b->weight_rate_bits;
}

/* What of the header is not told by another check. */
static void check_header(audit_check *c, const side *had, const side *made) {
    const mica_vk *a = had->vk, *b = made->vk;
    c->what = "header";
    (void)snprintf(c->recorded, AUDIT_WORDS, "model id \"%s\", %u bits, mica %s", a->model_id,
                   a->security_bits, a->compiler_version);
    (void)snprintf(c->found, AUDIT_WORDS, "model id \"%s\", %u bits, mica %s", b->model_id, b->security_bits,
                   b->compiler_version);
    c->same = strcmp(c->recorded, c->found) == 0;
}

static bool compare(audit_result *r, const side *had, const side *made, mica_status *st) {
    audit_check *c = r->check;
    check_value(c++, "version of mica", "mica", had, made);
    check_value(c++, "model", "model", had, made);
    check_value(c++, "float model", "float-model", had, made);
    check_value(c++, "calibration", "calibration", had, made);
    check_options(c++, had, made);
    check_header(c++, had, made);
    check_ranges(c++, had, made);
    if (!check_circuit(c++, had, made, st))
        return false;
    check_weights(c, had, made);
    r->confirmed = had->size == made->size && memcmp(had->bytes, made->bytes, had->size) == 0;
    memcpy(r->vk_digest, had->vk->digest, sizeof r->vk_digest);
    return true;
}

static bool check_calibration_given(const mica_vk *vk, const char *samples_path, const char *vk_path,
                                    mica_status *st) {
    char recorded[AUDIT_WORDS];
    record_value(&vk->record, "calibration", recorded);
    if (!recorded[0])
        return mica_fail(st, MICA_ERR_FORMAT, "%s has no record of how it was made", vk_path);
    return samples_path || strcmp(recorded, "none") == 0 ||
           mica_fail(st, MICA_ERR_USAGE,
                     "%s was made with calibration samples; --calibration DIR says where they are", vk_path);
}

static bool recompile(audit_result *r, compilation *c, const side *had, mica_status *st) {
    sample_set samples = {0};
    mica_status said = {0};
    bool ok = compile_parameters(c, &samples, &said) ||
              mica_fail(st, said.code, "with the recorded options: %.900s", said.message);
    const side made = {&c->vk, c->vk_bytes, c->vk_size};
    r->n_samples = samples.n;
    ok = ok && compare(r, had, &made, st);
    sample_set_free(&samples);
    return ok;
}

bool audit_run(audit_result *result, const audit_request *what, mica_status *st) {
    mica_vk vk;
    uint8_t *bytes;
    size_t size;
    compilation c;
    compile_request request = {.model = what->model,
                               .calibration = what->samples,
                               .output = what->vk,
                               .given_constant = what->constants,
                               .quiet = true};
    memset(result, 0, sizeof *result);
    memset(&c, 0, sizeof c);
    if (!vk_file_read(&vk, what->vk, &bytes, &size, st))
        return false;
    const side had = {&vk, bytes, size};
    c.request = &request;
    c.name = "";
    const bool ok = check_calibration_given(&vk, what->samples, what->vk, st) &&
                    options_replay(&request, &vk.record, st) && options_finish(&request, st) &&
                    recompile(result, &c, &had, st);
    compilation_free(&c);
    options_free(&request);
    free(bytes);
    mica_vk_free(&vk);
    return ok;
}
