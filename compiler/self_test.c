#include "driver.h"

#include "emit/spawn.h"
#include "file_read.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };
static const uint64_t largest_proof = UINT64_C(1) << 30;

/* {"input_data": [[...], ...]}; without samples every element is 0.5, inside the guessed range. */
static bool write_input(const compilation *c, const sample_set *samples, const char *path, mica_status *st) {
    text json;
    text_create(&json, st);
    text_puts(&json, "{\"input_data\": [");
    for (uint32_t i = 0; i < c->graph.n_inputs; i++) {
        const uint64_t n = graph_elements(&c->graph.value[c->graph.input[i]]);
        text_puts(&json, i ? ", [" : "[");
        for (uint64_t j = 0; j < n; j++)
            text_printf(&json, j ? ",%.17g" : "%.17g", samples->n ? samples->sample[0][i][j] : 0.5);
        text_puts(&json, "]");
    }
    text_puts(&json, "]}\n");
    const bool ok = st->code == MICA_OK && file_write(path, json.bytes, json.size, st);
    text_free(&json);
    return ok;
}

static bool verify_proof(const compilation *c, const uint8_t *file, size_t size, mica_status *st) {
    mica_statement s;
    mica_verdict verdict = {0};
    const mica_verify_options options = {c->request->security_bits};
    size_t used = 0;
    bool accepted = false;
    if (mica_statement_read(&s, &c->vk.circuit, file, size, &used, st, &verdict)) {
        accepted = mica_verify(&c->vk, &s, file + used, size - used, &options, &verdict, st);
        mica_statement_free(&s, &c->vk.circuit);
    }
    return accepted || mica_fail(st, MICA_ERR_INTERNAL, "self-test: the proof was rejected: %s %s",
                                 mica_verdict_name(verdict.code), verdict.detail);
}

/* What `prove --json` says of its cost. */
static bool read_cost(self_test_result *result, const text *said, mica_status *st) {
    json_t *o = json_loadb(said->bytes ? said->bytes : "", said->size, 0, NULL);
    const json_t *phases = json_object_get(o, "phases");
    result->seconds = json_number_value(json_object_get(o, "seconds"));
    result->proof_bytes = (uint64_t)json_integer_value(json_object_get(o, "proof_bytes"));
    for (int i = 0; i < MICA_PHASES; i++)
        result->phase[i] = json_number_value(json_object_get(phases, mica_phase_name((mica_phase)i)));
    result->ran = phases != NULL;
    json_decref(o);
    return result->ran ||
           mica_fail(st, MICA_ERR_INTERNAL, "self-test: the prover did not say what its proof cost");
}

static bool run_prover(self_test_result *result, const char *executable, const char *input, const char *proof,
                       mica_status *st) {
    const char *const argv[] = {executable, "prove", "--quiet", "--json", "-o", proof, input, NULL};
    text said;
    int code = 0;
    text_create(&said, st);
    bool ok = spawn_run(argv, NULL, &said, &code, st);
    if (ok && code != 0)
        ok = mica_fail(st, MICA_ERR_INTERNAL, "self-test: the prover ended with exit code %d: %.500s", code,
                       said.bytes ? said.bytes : "");
    ok = ok && read_cost(result, &said, st);
    text_free(&said);
    return ok;
}

bool self_test(const compilation *c, const sample_set *samples, const char *directory, const char *executable,
               self_test_result *result, mica_status *st) {
    char input[PATH_BYTES], proof[PATH_BYTES];
    size_t size = 0;
    uint8_t *file = NULL;
    (void)snprintf(input, sizeof input, "%.4000s/self-test.json", directory);
    (void)snprintf(proof, sizeof proof, "%.4000s/self-test.proof", directory);
    bool ok = write_input(c, samples, input, st) && run_prover(result, executable, input, proof, st);
    if (ok) {
        file = file_read(proof, 0, FILE_READ_REST, largest_proof, &size, st);
        ok = file && verify_proof(c, file, size, st);
    }
    free(file);
    (void)unlink(input);
    (void)unlink(proof);
    return ok;
}
