/* info */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/show.h"
#include "mica/verify.h"

static const char usage[] = "usage: info [--batch B] [--json]\n";

static void show_text(const mica_vk *vk, const mica_report *r, uint32_t batch) {
    const mica_circuit *c = &vk->circuit;
    char digest[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)], root[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)];
    (void)printf("model \"%s\", compiled by mica %s, runtime %s, vk format %u, proof format %u\n",
                 vk->model_id, vk->compiler_version, MICA_VERSION, MICA_VK_VERSION, MICA_PROOF_VERSION);
    (void)printf("vk digest   %s\n", show_hex(digest, vk->digest, MICA_DIGEST_BYTES));
    (void)printf("weight root %s\n", show_hex(root, vk->weight_root, MICA_DIGEST_BYTES));
    for (uint32_t k = 0; k < c->n_inputs; k++)
        show_port(stdout, "input", c, &c->input[k]);
    for (uint32_t k = 0; k < c->n_outputs; k++)
        show_port(stdout, "output", c, &c->output[k]);
    (void)printf("batches up to %u; for a batch of %u:\n", c->max_batch, batch);
    (void)printf("  %llu witness cells, %llu weights, %llu lookups, %llu table rows, %u strata\n",
                 (unsigned long long)r->witness_cells, (unsigned long long)r->weight_cells,
                 (unsigned long long)r->lookups, (unsigned long long)r->table_rows, r->strata);
    (void)printf("  proof about %.1f kB (at most %.1f kB), prover's workspace %.1f MB\n",
                 (double)r->proof_bytes_expected / 1000, (double)r->proof_bytes_max / 1000,
                 (double)r->prover_memory_bytes / 1e6);
    (void)printf("  security: %.1f bits proven (target %u), the least of\n", r->proven_bits,
                 vk->security_bits);
    for (unsigned i = 0; i < r->n_lines; i++)
        (void)printf("    %7.1f  %s\n", r->line[i].bits, r->line[i].what);
    (void)printf("%s\n%s\n", show_privacy_note, show_weights_note);
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

static bool show_as_json(const mica_vk *vk, const mica_report *r, uint32_t batch) {
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
    return show_json(stdout, o);
}

static bool run(const char *batch_text, bool json, const mica_model *model, mica_status *st) {
    mica_vk vk;
    mica_report report;
    uint32_t batch = 1;
    if (!mica_vk_read(&vk, model->vk, model->vk_size, st))
        return false;
    bool ok = !batch_text || cli_number(&batch, batch_text, 1, vk.circuit.max_batch, "--batch", st);
    ok = ok && mica_report_make(&vk, batch, &report, st);
    if (ok && json)
        ok = show_as_json(&vk, &report, batch) ||
             mica_fail(st, MICA_ERR_IO, "the result could not be written");
    else if (ok)
        show_text(&vk, &report, batch);
    mica_vk_free(&vk);
    return ok;
}

int cli_run_info(int argc, char **argv, const mica_model *model) {
    static const struct option options[] = {{"batch", required_argument, NULL, 'b'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *batch = NULL;
    bool json = false;
    mica_status st = {0};
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (c == 'b')
            batch = optarg;
        else if (c == 'j')
            json = true;
        else if (c == 'h')
            return fputs(usage, stdout) < 0 ? 2 : 0;
        else
            return cli_usage(usage);
    }
    if (optind < argc)
        return cli_usage(usage);
    return run(batch, json, model, &st) ? 0 : cli_error(&st);
}
