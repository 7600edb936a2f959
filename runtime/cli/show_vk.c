#include "cli/show_vk.h"

#include <stdlib.h>
#include <string.h>

#include "cli/show.h"

/* Lines of the record, as they stand; `range` lines are many. */
static void show_record(FILE *out, const mica_record *record, bool ranges) {
    mica_record_line line;
    unsigned left_out = 0;
    (void)fprintf(out, "record of how the parameters were made:\n");
    for (size_t at = 0; mica_record_next(record, &at, &line);) {
        if (ranges || strcmp(line.key, "range") != 0)
            (void)fprintf(out, "  %-24s %.*s\n", line.key, (int)line.size, line.value); /* size <= 2^24 */
        else
            left_out++;
    }
    if (left_out > 0)
        (void)fprintf(out, "  and the calibrated ranges of %u values (mica inspect NAME.vk)\n", left_out);
}

void show_vk(FILE *out, const mica_vk *vk, const mica_report *r, uint32_t batch, bool ranges) {
    const mica_circuit *c = &vk->circuit;
    char digest[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)], root[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)];
    (void)fprintf(out, "model \"%s\", compiled by mica %s, runtime %s, vk format %u, proof format %u\n",
                  vk->model_id, vk->compiler_version, MICA_VERSION, MICA_VK_VERSION, MICA_PROOF_VERSION);
    (void)fprintf(out, "vk digest   %s\n", show_hex(digest, vk->digest, MICA_DIGEST_BYTES));
    (void)fprintf(out, "weight root %s\n", show_hex(root, vk->weight_root, MICA_DIGEST_BYTES));
    for (uint32_t k = 0; k < c->n_inputs; k++)
        show_port(out, "input", c, &c->input[k]);
    for (uint32_t k = 0; k < c->n_outputs; k++)
        show_port(out, "output", c, &c->output[k]);
    (void)fprintf(out, "batches up to %u; for a batch of %u:\n", c->max_batch, batch);
    (void)fprintf(out, "  %llu witness cells, %llu weights, %llu lookups, %llu table rows, %u strata\n",
                  (unsigned long long)r->witness_cells, (unsigned long long)r->weight_cells,
                  (unsigned long long)r->lookups, (unsigned long long)r->table_rows, r->strata);
    (void)fprintf(out, "  proof about %.1f kB (at most %.1f kB), prover's memory %.1f MB\n",
                  (double)r->proof_bytes_expected / 1000, (double)r->proof_bytes_max / 1000,
                  (double)r->prover_memory_bytes / 1e6);
    (void)fprintf(out, "  security: %.1f bits proven (target %u), the least of\n", r->proven_bits,
                  vk->security_bits);
    for (unsigned i = 0; i < r->n_lines; i++)
        (void)fprintf(out, "    %7.1f  %s\n", r->line[i].bits, r->line[i].what);
    show_record(out, &vk->record, ranges);
    (void)fprintf(out, "%s\n%s\n", show_privacy_note, show_weights_note);
    if (show_has_private(c))
        (void)fprintf(out, "%s\n", show_private_note);
}

static json_t *ports_json(const mica_circuit *c, const mica_port *port, uint32_t n) {
    json_t *list = json_array();
    for (uint32_t k = 0; k < n; k++)
        (void)json_array_append_new(list, show_port_json(c, &port[k]));
    return list;
}

static json_t *budget_json(const mica_report *r) {
    json_t *list = json_array();
    for (unsigned i = 0; i < r->n_lines; i++)
        (void)json_array_append_new(
            list, json_pack("{s:s, s:f}", "what", r->line[i].what, "bits", r->line[i].bits));
    return list;
}

/* {key: [value, ...]} */
static json_t *record_json(const mica_record *record) {
    json_t *o = json_object();
    mica_record_line line;
    for (size_t at = 0; mica_record_next(record, &at, &line);) {
        char *value = strndup(line.value, line.size);
        json_t *list = json_object_get(o, line.key);
        if (!list) {
            list = json_array();
            (void)json_object_set_new(o, line.key, list);
        }
        (void)json_array_append_new(list, value ? show_text_json(value) : NULL);
        free(value);
    }
    return o;
}

bool show_vk_json(FILE *out, const mica_vk *vk, const mica_report *r, uint32_t batch) {
    const mica_circuit *c = &vk->circuit;
    char digest[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)], root[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)];
    json_t *o = json_pack(
        "{s:o, s:o, s:s, s:i, s:i, s:s, s:s, s:I, s:I, s:i, s:f}", "model", show_text_json(vk->model_id),
        "compiler_version", show_text_json(vk->compiler_version), "runtime_version", MICA_VERSION,
        "vk_version", MICA_VK_VERSION, "proof_version", MICA_PROOF_VERSION, "vk_digest",
        show_hex(digest, vk->digest, MICA_DIGEST_BYTES), "weight_root",
        show_hex(root, vk->weight_root, MICA_DIGEST_BYTES), "max_batch", (json_int_t)c->max_batch, "batch",
        (json_int_t)batch, "security_target", (int)vk->security_bits, "proven_bits", r->proven_bits);
    (void)json_object_set_new(o, "inputs", ports_json(c, c->input, c->n_inputs));
    (void)json_object_set_new(o, "outputs", ports_json(c, c->output, c->n_outputs));
    (void)json_object_set_new(o, "budget", budget_json(r));
    (void)json_object_set_new(o, "witness_cells", json_integer((json_int_t)r->witness_cells));
    (void)json_object_set_new(o, "weight_cells", json_integer((json_int_t)r->weight_cells));
    (void)json_object_set_new(o, "lookups", json_integer((json_int_t)r->lookups));
    (void)json_object_set_new(o, "table_rows", json_integer((json_int_t)r->table_rows));
    (void)json_object_set_new(o, "proof_bytes_expected", json_integer((json_int_t)r->proof_bytes_expected));
    (void)json_object_set_new(o, "proof_bytes_max", json_integer((json_int_t)r->proof_bytes_max));
    (void)json_object_set_new(o, "prover_memory_bytes", json_integer((json_int_t)r->prover_memory_bytes));
    (void)json_object_set_new(o, "record", record_json(&vk->record));
    return show_json(out, o);
}
