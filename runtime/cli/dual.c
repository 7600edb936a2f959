#include "cli/dual.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/progress.h"
#include "cli/show.h"
#include "io/whole_file.h"

#define MAX_FLOAT_FILE ((size_t)1 << 34)
#define SHOWN_VALUES   32 /* of one item, as text; JSON holds all */

/* --- the file --- */

/* Path of the file in the executable's folder; the caller frees. */
static char *default_path(const char *file_name, mica_status *st) {
    enum { PATH_BYTES = 4096 };
    char *path = file_name ? calloc(1, PATH_BYTES) : NULL;
    const ssize_t n = path ? readlink("/proc/self/exe", path, PATH_BYTES - 1) : -1;
    char *slash = n > 0 ? strrchr(path, '/') : NULL;
    if (!slash || (size_t)(slash + 1 - path) + strlen(file_name) >= PATH_BYTES) {
        free(path);
        (void)mica_fail(st, MICA_ERR_IO,
                        "no float model is known beside this executable; --float-model FILE names one");
        return NULL;
    }
    memcpy(slash + 1, file_name, strlen(file_name) + 1);
    return path;
}

static bool record_names(const mica_vk *vk, const char *hex) {
    mica_record_line line;
    for (size_t at = 0; mica_record_next(&vk->record, &at, &line);) {
        if (strcmp(line.key, "float-model") == 0)
            return line.size == strlen(hex) && memcmp(line.value, hex, line.size) == 0;
    }
    return false;
}

static mica_float_model *read_model(const mica_vk *vk, const char *path, mica_status *st) {
    uint8_t *bytes, digest[MICA_DIGEST_BYTES];
    char hex[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)];
    size_t size;
    mica_status said = {0};
    if (!whole_file_read(path, MAX_FLOAT_FILE, &bytes, &size, st))
        return NULL;
    mica_float_digest(bytes, size, digest);
    (void)show_hex(hex, digest, sizeof digest);
    mica_float_model *m = NULL;
    if (mica_float_check(bytes, size, &said)) {
        if (record_names(vk, hex))
            m = mica_float_read(bytes, size, &said);
        else
            (void)mica_fail(&said, MICA_ERR_FORMAT,
                            "this is not the float model of these verifier parameters (its digest is %s)",
                            hex);
    }
    free(bytes);
    if (!m)
        (void)mica_fail(st, said.code, "%s: %.800s", path, said.message);
    return m;
}

static bool ports_match(const mica_float_model *m, const mica_circuit *c, mica_status *st) {
    bool same = mica_float_inputs(m) == c->n_inputs && mica_float_outputs(m) == c->n_outputs;
    for (uint32_t k = 0; same && k < c->n_inputs; k++)
        same = mica_float_input_cells(m, k) == mica_port_cells(c, &c->input[k]);
    for (uint32_t k = 0; same && k < c->n_outputs; k++)
        same = mica_float_output_cells(m, k) == mica_port_cells(c, &c->output[k]);
    return same ||
           mica_fail(st, MICA_ERR_FORMAT, "the float model has other inputs or outputs than the circuit");
}

/* --- evaluation --- */

static bool evaluate_item(dual *d, const mica_circuit *c, const tensor_items *inputs, uint32_t item,
                          const double **in, double **out, mica_status *st) {
    for (uint32_t k = 0; k < c->n_inputs; k++)
        in[k] = inputs->value[k] + item * mica_port_cells(c, &c->input[k]);
    for (uint32_t k = 0; k < c->n_outputs; k++)
        out[k] = d->output[k].value + item * mica_port_cells(c, &c->output[k]);
    return mica_float_evaluate(d->model, in, out, st);
}

static bool evaluate(dual *d, const mica_circuit *c, const tensor_items *inputs, uint32_t batch,
                     mica_status *st) {
    const double **in = calloc((size_t)c->n_inputs + 1, sizeof *in);
    double **out = calloc((size_t)c->n_outputs + 1, sizeof *out);
    bool ok = (in && out) || mica_fail(st, MICA_ERR_MEMORY, "out of memory for the float model");
    for (uint32_t i = 0; ok && i < batch; i++)
        ok = evaluate_item(d, c, inputs, i, in, out, st);
    free(in);
    free(out);
    return ok;
}

/* --- comparison --- */

/* The calibrated range of the value that is called `name`. */
static bool recorded_range(const mica_vk *vk, const char *name, double *lo, double *hi) {
    mica_record_line line;
    for (size_t at = 0; mica_record_next(&vk->record, &at, &line);) {
        char *end;
        if (strcmp(line.key, "range") != 0)
            continue;
        *lo = strtod(line.value, &end); /* stops at the line's end at the latest */
        *hi = strtod(end, &end);
        const size_t used = (size_t)(end - line.value) + 1;
        if (used + strlen(name) == line.size && memcmp(line.value + used, name, strlen(name)) == 0)
            return true;
    }
    return false;
}

static bool compare_output(dual_output *o, const mica_vk *vk, const mica_port *port, const int32_t *cells,
                           uint32_t batch, mica_status *st) {
    const uint64_t n = mica_port_cells(&vk->circuit, port);
    double *real = malloc((size_t)n * sizeof *real), sum = 0;
    if (!real)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for %llu values", (unsigned long long)n);
    o->recorded = recorded_range(vk, port->name, &o->lo, &o->hi);
    for (uint32_t item = 0; item < batch; item++) {
        mica_port_dequantise(&vk->circuit, port, cells + item * n, real);
        for (uint64_t i = 0; i < n; i++) {
            const double x = o->value[item * n + i], difference = fabs(x - real[i]);
            sum += difference;
            o->largest = difference > o->largest ? difference : o->largest;
            if (!o->recorded && ((item == 0 && i == 0) || x < o->lo))
                o->lo = x;
            if (!o->recorded && ((item == 0 && i == 0) || x > o->hi))
                o->hi = x;
        }
    }
    o->mean = sum / ((double)n * batch);
    free(real);
    return true;
}

static bool create(dual *d, const mica_circuit *c, uint32_t batch, mica_status *st) {
    d->output = calloc((size_t)c->n_outputs + 1, sizeof *d->output);
    bool ok = d->output != NULL;
    d->n_outputs = ok ? c->n_outputs : 0;
    for (uint32_t k = 0; ok && k < c->n_outputs; k++) {
        d->output[k].value =
            calloc((size_t)(mica_port_cells(c, &c->output[k]) * batch) + 1, sizeof *d->output[k].value);
        ok = d->output[k].value != NULL;
    }
    return ok || mica_fail(st, MICA_ERR_MEMORY, "out of memory for the float results");
}

bool dual_open(dual *d, const mica_vk *vk, const dual_request *request, const char *file_name,
               mica_status *st) {
    memset(d, 0, sizeof *d);
    if (!dual_wanted(request))
        return true;
    char *beside = request->path ? NULL : default_path(file_name, st);
    const char *path = request->path ? request->path : beside;
    d->model = path ? read_model(vk, path, st) : NULL;
    free(beside);
    return d->model && ports_match(d->model, &vk->circuit, st);
}

bool dual_run(dual *d, const mica_vk *vk, const mica_statement *s, const tensor_items *inputs,
              mica_status *st) {
    const mica_circuit *c = &vk->circuit;
    if (!d->model)
        return true;
    const double start = progress_now();
    bool ok = create(d, c, s->batch, st) && evaluate(d, c, inputs, s->batch, st);
    d->seconds = progress_now() - start;
    for (uint32_t k = 0; ok && k < c->n_outputs; k++)
        ok = compare_output(&d->output[k], vk, &c->output[k], s->output[k], s->batch, st);
    return ok;
}

void dual_free(dual *d) {
    for (uint32_t k = 0; k < d->n_outputs; k++)
        free(d->output[k].value);
    free(d->output);
    mica_float_free(d->model);
    memset(d, 0, sizeof *d);
}

/* --- display --- */

/* In percent of the output's range; of 1 if that is a point. */
static double percent(const dual_output *o, double difference) {
    return 100 * difference / (o->hi > o->lo ? o->hi - o->lo : 1);
}

static void show_item(FILE *out, const double *value, uint64_t n) {
    (void)fprintf(out, "    float   ");
    for (uint64_t i = 0; i < n && i < SHOWN_VALUES; i++)
        (void)fprintf(out, " %.6g", value[i]);
    (void)fprintf(out, "%s\n", n > SHOWN_VALUES ? " ..." : "");
}

void dual_show(FILE *out, const dual *d, const mica_circuit *c, uint32_t batch) {
    (void)fprintf(out, "float results of the original graph (no part of the proof), %.3f s\n", d->seconds);
    for (uint32_t k = 0; k < c->n_outputs; k++) {
        const dual_output *o = &d->output[k];
        const uint64_t n = mica_port_cells(c, &c->output[k]);
        (void)fprintf(out, "output \"%s\"\n", c->output[k].name);
        for (uint32_t i = 0; i < batch; i++)
            show_item(out, o->value + i * n, n);
        (void)fprintf(
            out,
            "    the integers differ by at most %.6g (%.4f %%), on average %.6g (%.4f %%), of the %s range "
            "[%.6g, %.6g]\n",
            o->largest, percent(o, o->largest), o->mean, percent(o, o->mean),
            o->recorded ? "calibrated" : "float values'", o->lo, o->hi);
    }
}

/* JSON has no infinities. */
static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *output_json(const dual_output *o, const mica_port *port, uint64_t n, uint32_t batch) {
    json_t *items = json_array();
    for (uint32_t i = 0; i < batch; i++) {
        json_t *item = json_array();
        for (uint64_t j = 0; j < n; j++)
            (void)json_array_append_new(item, number(o->value[i * n + j]));
        (void)json_array_append_new(items, item);
    }
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:[o,o], s:b}", "name", show_text_json(port->name),
                     "values", items, "largest_difference", number(o->largest), "mean_difference",
                     number(o->mean), "largest_percent", number(percent(o, o->largest)), "mean_percent",
                     number(percent(o, o->mean)), "range", number(o->lo), number(o->hi),
                     "range_is_calibrated", o->recorded);
}

void dual_add_json(json_t *object, const dual *d, const mica_circuit *c, uint32_t batch) {
    json_t *outputs = json_array();
    for (uint32_t k = 0; k < c->n_outputs; k++)
        (void)json_array_append_new(
            outputs, output_json(&d->output[k], &c->output[k], mica_port_cells(c, &c->output[k]), batch));
    (void)json_object_set_new(object, "float",
                              json_pack("{s:f, s:o}", "seconds", d->seconds, "outputs", outputs));
}
