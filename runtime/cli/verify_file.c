#include "cli/verify_file.h"

#include <stdlib.h>
#include <string.h>

#include "cli/certificate_show.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "cli/user_values.h"
#include "io/whole_file.h"

#define MAX_PROOF_FILE ((size_t)1 << 30)

/* A proof file being judged. */
typedef struct judged {
    const mica_vk *vk;
    const char *path;
    const verify_request *request;
    uint8_t *file;
    size_t size, statement_bytes;
    bool has_statement;
    mica_statement statement;
    mica_verdict verdict;
    mica_report report;
    double seconds;
    uint64_t saturated;
    char difference[256]; /* from what the verifier knows; empty if none */
    certificate_judged certificate;
    bool certificate_rejected; /* difference says why */
} judged;

static bool check_nonce(judged *j, mica_status *st) {
    uint8_t nonce[MICA_MAX_NONCE_BYTES];
    uint32_t size;
    if (!j->request->nonce)
        return true;
    if (!show_parse_nonce(j->request->nonce, nonce, &size, st))
        return false;
    if (size != j->statement.nonce_size || memcmp(nonce, j->statement.nonce, size) != 0)
        (void)snprintf(j->difference, sizeof j->difference,
                       "the proof was made for another nonce, or for none");
    return true;
}

/* The caller's expectation of the parameters, which the digest in the proof binds. */
static void check_model_id(judged *j) {
    const char *wanted = j->request->model_id;
    if (wanted && strcmp(wanted, j->vk->model_id) != 0)
        (void)snprintf(j->difference, sizeof j->difference,
                       "the verifier parameters are those of model \"%s\", not of \"%.100s\"",
                       j->vk->model_id, wanted);
}

/* Another model's proof is told from a damaged one: the digest stands in the statement. */
static void check_digest(judged *j) {
    if (memcmp(j->statement.vk_digest, j->vk->digest, MICA_DIGEST_BYTES) != 0)
        (void)snprintf(j->difference, sizeof j->difference,
                       "the proof was made for another model (vk digest)");
}

static bool check_values(judged *j, bool outputs, mica_status *st) {
    const mica_arguments *list = outputs ? &j->request->output : &j->request->input;
    user_difference d;
    if (j->difference[0])
        return true;
    if (!user_compare(&d, &j->vk->circuit, &j->statement, outputs, list->item, list->n, st))
        return false;
    if (d.differs)
        (void)snprintf(j->difference, sizeof j->difference, "%s", d.detail);
    j->saturated += d.saturated;
    return true;
}

/* The parameters' certificate, once the proof holds. */
static bool check_certificate(judged *j, mica_status *st) {
    const char *path = j->request->certificate;
    const mica_verdict *v = &j->certificate.verdict;
    if (!path || j->verdict.code != MICA_ACCEPT || j->difference[0])
        return true;
    if (!certificate_judge(&j->certificate, j->vk, path, j->request->min_security_bits, st))
        return false;
    j->certificate_rejected = v->code != MICA_ACCEPT;
    if (j->certificate_rejected)
        (void)snprintf(j->difference, sizeof j->difference, "the weight certificate is rejected: %s: %s",
                       mica_verdict_name(v->code), v->detail);
    return true;
}

/* True if a decision was reached; it is acceptance exactly if the verdict is and no difference was found. */
static bool judge(judged *j, mica_status *st) {
    const mica_verify_options options = {.min_security_bits = j->request->min_security_bits};
    if (!whole_file_read(j->path, MAX_PROOF_FILE, &j->file, &j->size, st))
        return false;
    if (!mica_statement_read(&j->statement, &j->vk->circuit, j->file, j->size, &j->statement_bytes, st,
                             &j->verdict)) {
        if (st->code != MICA_OK && st->code != MICA_ERR_MEMORY) {
            mica_status named = {0};
            (void)mica_fail(&named, st->code, "%s: %.800s", j->path, st->message);
            *st = named;
        }
        return st->code == MICA_OK;
    }
    j->has_statement = true;
    check_digest(j);
    check_model_id(j);
    if (!check_nonce(j, st) || !check_values(j, false, st) || !check_values(j, true, st))
        return false;
    double start = progress_now();
    (void)mica_verify(j->vk, &j->statement, j->file + j->statement_bytes, j->size - j->statement_bytes,
                      &options, &j->verdict, st);
    j->seconds = progress_now() - start;
    return st->code == MICA_OK && mica_report_make(j->vk, j->statement.batch, &j->report, st) &&
           check_certificate(j, st);
}

static bool accepted(const judged *j) {
    return j->verdict.code == MICA_ACCEPT && !j->difference[0];
}

static const char *layer_name(const judged *j) {
    const mica_circuit *c = &j->vk->circuit;
    return j->verdict.layer < c->n_layers ? c->layer[j->verdict.layer].name : NULL;
}

static void show_rejection(const judged *j, FILE *out) {
    (void)fprintf(out, "REJECTED %s\n", j->path);
    if (j->difference[0])
        (void)fprintf(out, "%s\n", j->difference);
    if (j->verdict.code == MICA_ACCEPT) {
        (void)fprintf(out, "(the proof itself holds, for the statement that it carries%s)\n",
                      j->certificate_rejected ? ", modulo 2^31 - 1" : "");
        return;
    }
    (void)fprintf(out, "%s: %s", mica_verdict_name(j->verdict.code), j->verdict.detail);
    if (layer_name(j))
        (void)fprintf(out, ", layer \"%s\"", layer_name(j));
    if (j->verdict.round != UINT32_MAX && j->verdict.code != MICA_VERDICT_UNSET)
        (void)fprintf(out, ", round %u", j->verdict.round);
    (void)fprintf(out, "\n");
}

static bool show_acceptance(const judged *j, FILE *out, mica_status *st) {
    char hex[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)];
    (void)fprintf(out, "ACCEPTED %s\n", j->path);
    (void)fprintf(out, "the network fixed by these verifier parameters maps the inputs to the outputs\n");
    (void)fprintf(out, "model \"%s\", digest %s\n", j->vk->model_id,
                  show_hex(hex, j->vk->digest, MICA_DIGEST_BYTES));
    if (!show_statement(out, &j->vk->circuit, &j->statement, st))
        return false;
    if (j->request->input.n > 0)
        (void)fprintf(out, "the inputs are the supplied ones%s\n",
                      j->saturated ? ", with values outside the range saturated" : "");
    if (j->request->output.n > 0)
        (void)fprintf(out, "the outputs are the supplied ones\n");
    (void)fprintf(out, "%.1f bits proven; proof %.1f kB + statement %.1f kB; verified in %.1f ms\n",
                  j->report.proven_bits, (double)(j->size - j->statement_bytes) / 1000,
                  (double)j->statement_bytes / 1000, 1000 * j->seconds);
    if (j->request->certificate) {
        (void)fprintf(out, "the weight certificate %s is accepted, too:\n", j->request->certificate);
        certificate_show_facts(&j->certificate, out);
    }
    (void)fprintf(out, "%s\n", show_privacy_note);
    if (!j->request->certificate)
        (void)fprintf(out, "%s\n", show_weights_note);
    return true;
}

static bool show_result_json(const judged *j, FILE *out, mica_status *st) {
    char hex[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)];
    json_t *o = json_pack("{s:b, s:s, s:o, s:o, s:s}", "accepted", accepted(j), "version", MICA_VERSION,
                          "proof", show_text_json(j->path), "model", show_text_json(j->vk->model_id),
                          "vk_digest", show_hex(hex, j->vk->digest, MICA_DIGEST_BYTES));
    bool ok = true;
    if (accepted(j)) {
        (void)json_object_set_new(o, "proven_bits", json_real(j->report.proven_bits));
        (void)json_object_set_new(o, "proof_bytes", json_integer((json_int_t)(j->size - j->statement_bytes)));
        (void)json_object_set_new(o, "statement_bytes", json_integer((json_int_t)j->statement_bytes));
        (void)json_object_set_new(o, "verify_seconds", json_real(j->seconds));
        (void)json_object_set_new(o, "saturated", json_integer((json_int_t)j->saturated));
        (void)json_object_set_new(o, "notes",
                                  show_notes_json(&j->vk->circuit, j->request->certificate != NULL));
        if (j->request->certificate) {
            json_t *facts = json_object();
            certificate_show_facts_json(&j->certificate, facts);
            (void)json_object_set_new(o, "certificate", facts);
        }
        ok = show_statement_json(o, &j->vk->circuit, &j->statement, st);
    } else {
        const char *layer = layer_name(j);
        (void)json_object_set_new(o, "reason",
                                  json_string(j->certificate_rejected ? "certificate rejected"
                                              : j->difference[0]      ? "statement differs"
                                                                      : mica_verdict_name(j->verdict.code)));
        (void)json_object_set_new(o, "detail",
                                  show_text_json(j->difference[0] ? j->difference : j->verdict.detail));
        (void)json_object_set_new(o, "layer", layer ? show_text_json(layer) : json_null());
    }
    if (!ok)
        json_decref(o);
    return ok && (show_json(out, o) || mica_fail(st, MICA_ERR_IO, "the result could not be written"));
}

int mica_verify_file(const mica_vk *vk, const char *proof_path, const verify_request *request, FILE *out) {
    judged j = {.vk = vk, .path = proof_path, .request = request};
    mica_status st = {0};
    bool ok = judge(&j, &st);
    if (ok && request->json)
        ok = show_result_json(&j, out, &st);
    else if (ok && accepted(&j))
        ok = show_acceptance(&j, out, &st);
    else if (ok)
        show_rejection(&j, out);
    if (!ok)
        (void)fprintf(stderr, "error: %s\n", st.message);
    int code = !ok ? 2 : accepted(&j) ? 0 : 1;
    if (j.has_statement)
        mica_statement_free(&j.statement, &vk->circuit);
    free(j.file);
    return code;
}
