#include "cli/certificate_show.h"

#include <stdlib.h>

#include "cli/progress.h"
#include "cli/show.h"
#include "io/whole_file.h"

#define MAX_CERTIFICATE_FILE ((size_t)1 << 30)

bool certificate_judge(certificate_judged *j, const mica_vk *vk, const char *path, uint32_t min_security_bits,
                       mica_status *st) {
    const mica_verify_options options = {.min_security_bits = min_security_bits};
    mica_status said = {0};
    uint8_t *file = NULL;
    *j = (certificate_judged){.vk = vk, .path = path};
    if (!whole_file_read(path, MAX_CERTIFICATE_FILE, &file, &j->size, st))
        return false;
    const double start = progress_now();
    (void)mica_certificate_verify(vk, file, j->size, &options, &j->verdict, &said);
    j->seconds = progress_now() - start;
    free(file);
    if (said.code != MICA_OK)
        return mica_fail(st, said.code, "%s: %.800s", path, said.message);
    return mica_certificate_report_make(vk, &j->report, st);
}

static bool accepted(const certificate_judged *j) {
    return j->verdict.code == MICA_ACCEPT;
}

static const char *layer_name(const certificate_judged *j) {
    const mica_circuit *c = &j->vk->circuit;
    return j->verdict.layer < c->n_layers ? c->layer[j->verdict.layer].name : NULL;
}

void certificate_show_facts(const certificate_judged *j, FILE *out) {
    const mica_certificate_report *r = &j->report;
    if (r->tensors == 0) {
        (void)fprintf(out, "there are no weights under these parameters: every accepted proof is a statement "
                           "about integers\n");
        return;
    }
    (void)fprintf(out,
                  "all %llu weights of %u tensors lie in their declared ranges and are zero in padding\n",
                  (unsigned long long)r->weights, r->tensors);
    if (r->products)
        (void)fprintf(out,
                      "all %llu rows of weights in %u products keep their accumulators within the bounds of "
                      "the parameters; those of other products follow from the ranges\n",
                      (unsigned long long)r->rows, r->products);
    else
        (void)fprintf(out, "the bounds of all accumulators follow from these ranges\n");
    (void)fprintf(out, "the commitment to the weights is close to a codeword\n");
    (void)fprintf(out, "every accepted proof under these parameters is a statement about integers\n");
    (void)fprintf(out, "%.1f bits proven; certificate %.1f kB; verified in %.1f ms\n", r->proven_bits,
                  (double)j->size / 1000, 1000 * j->seconds);
}

static void show_acceptance(const certificate_judged *j, FILE *out) {
    char hex[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)];
    (void)fprintf(out, "ACCEPTED %s\n", j->path);
    (void)fprintf(out, "model \"%s\", digest %s\n", j->vk->model_id,
                  show_hex(hex, j->vk->digest, MICA_DIGEST_BYTES));
    certificate_show_facts(j, out);
}

static void show_rejection(const certificate_judged *j, FILE *out) {
    (void)fprintf(out, "REJECTED %s\n%s: %s", j->path, mica_verdict_name(j->verdict.code), j->verdict.detail);
    if (layer_name(j))
        (void)fprintf(out, ", layer \"%s\"", layer_name(j));
    (void)fprintf(out, "\n");
}

static json_t *count(uint64_t n) {
    return json_integer((json_int_t)n);
}

void certificate_show_facts_json(const certificate_judged *j, json_t *object) {
    const mica_certificate_report *r = &j->report;
    (void)json_object_set_new(object, "parts", count(r->parts));
    (void)json_object_set_new(object, "tensors", count(r->tensors));
    (void)json_object_set_new(object, "weights", count(r->weights));
    (void)json_object_set_new(object, "products", count(r->products));
    (void)json_object_set_new(object, "rows", count(r->rows));
    (void)json_object_set_new(object, "proven_bits", r->tensors ? json_real(r->proven_bits) : json_null());
    (void)json_object_set_new(object, "certificate_bytes", count(j->size));
    (void)json_object_set_new(object, "verify_seconds", json_real(j->seconds));
}

static bool show_result_json(const certificate_judged *j, FILE *out) {
    char hex[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)];
    json_t *o = json_pack("{s:b, s:s, s:o, s:o, s:s}", "accepted", accepted(j), "version", MICA_VERSION,
                          "certificate", show_text_json(j->path), "model", show_text_json(j->vk->model_id),
                          "vk_digest", show_hex(hex, j->vk->digest, MICA_DIGEST_BYTES));
    if (accepted(j)) {
        certificate_show_facts_json(j, o);
    } else {
        const char *layer = layer_name(j);
        (void)json_object_set_new(o, "reason", json_string(mica_verdict_name(j->verdict.code)));
        (void)json_object_set_new(o, "detail", show_text_json(j->verdict.detail));
        (void)json_object_set_new(o, "layer", layer ? show_text_json(layer) : json_null());
    }
    return show_json(out, o);
}

int certificate_show(const mica_vk *vk, const char *path, uint32_t min_security_bits, bool json, FILE *out) {
    certificate_judged j;
    mica_status st = {0};
    bool ok = certificate_judge(&j, vk, path, min_security_bits, &st);
    if (ok && json)
        ok = show_result_json(&j, out) || mica_fail(&st, MICA_ERR_IO, "the result could not be written");
    else if (ok && accepted(&j))
        show_acceptance(&j, out);
    else if (ok)
        show_rejection(&j, out);
    if (!ok)
        (void)fprintf(stderr, "error: %s\n", st.message);
    return !ok ? 2 : accepted(&j) ? 0 : 1;
}
