#include "cli/show.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/tensor_file.h"

#define SHOWN_VALUES 32 /* of one item, as text; JSON holds all */

const char show_privacy_note[] = "succinct and binding, not zero-knowledge: the proof may reveal information "
                                 "about weights and intermediate values";
const char show_private_note[] =
    "what is private is undisclosed, not hidden: the proof is about it, does not contain it, and may reveal "
    "information about it";
const char show_weights_note[] =
    "the weights' ranges are proven by the weight certificate (mica verify-params), not by each proof; "
    "without "
    "it the statement is arithmetic modulo 2^31 - 1 for parameters of an untrusted compiler";

const char *show_hex(char *out, const uint8_t *bytes, size_t size) {
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digit[bytes[i] >> 4];
        out[2 * i + 1] = digit[bytes[i] & 15];
    }
    out[2 * size] = 0;
    return out;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool show_parse_nonce(const char *hex, uint8_t *bytes, uint32_t *size, mica_status *st) {
    size_t n = strlen(hex);
    if (n == 0 || n % 2 != 0 || n / 2 > MICA_MAX_NONCE_BYTES)
        return mica_fail(st, MICA_ERR_USAGE, "a nonce has 1 to %d bytes, two hexadecimal digits each",
                         MICA_MAX_NONCE_BYTES);
    for (size_t i = 0; i < n; i += 2) {
        int high = hex_digit(hex[i]), low = hex_digit(hex[i + 1]);
        if (high < 0 || low < 0)
            return mica_fail(st, MICA_ERR_USAGE, "the nonce has a character that is not a hexadecimal digit");
        bytes[i / 2] = (uint8_t)(high * 16 + low);
    }
    *size = (uint32_t)(n / 2);
    return true;
}

static double scale_of(const mica_port *port) {
    return ldexp(port->mantissa, port->exponent);
}

static const char *port_shape(const mica_port *port, char *buffer, size_t size) {
    tensor_spec spec = tensor_spec_of_port(port);
    return tensor_shape_text(buffer, size, spec.dim, spec.rank, spec.batched);
}

void show_port(FILE *out, const char *what, const mica_circuit *c, const mica_port *port) {
    char shape[160];
    const mica_tensor *t = &c->tensor[port->tensor];
    (void)fprintf(out, "%s \"%s\" %s, %s, scale %.9g, integers %d to %d\n", what, port->name,
                  port_shape(port, shape, sizeof shape), mica_visibility_name(port->visibility),
                  scale_of(port), t->lo, t->hi);
}

bool show_has_private(const mica_circuit *c) {
    bool found = false;
    for (uint32_t i = 0; i < c->n_inputs; i++)
        found |= c->input[i].visibility == MICA_PRIVATE;
    for (uint32_t i = 0; i < c->n_outputs; i++)
        found |= c->output[i].visibility == MICA_PRIVATE;
    return found;
}

json_t *show_text_json(const char *text) {
    json_t *j = json_string(text);
    if (j)
        return j;
    char *copy = strdup(text);
    for (char *p = copy; p && *p; p++)
        if ((unsigned char)*p >= 0x80)
            *p = '?';
    j = copy ? json_string(copy) : NULL;
    free(copy);
    return j;
}

json_t *show_port_json(const mica_circuit *c, const mica_port *port) {
    const mica_tensor *t = &c->tensor[port->tensor];
    json_t *shape = json_array();
    for (uint32_t i = 0; i < port->onnx_rank; i++)
        (void)json_array_append_new(shape, json_integer(port->onnx_dim[i]));
    return json_pack("{s:o, s:o, s:f, s:[i,i], s:s}", "name", show_text_json(port->name), "shape", shape,
                     "scale", scale_of(port), "range", t->lo, t->hi, "visibility",
                     mica_visibility_name(port->visibility));
}

json_t *show_notes_json(const mica_circuit *c, bool certified) {
    json_t *notes = json_pack("[s]", show_privacy_note);
    if (!certified)
        (void)json_array_append_new(notes, json_string(show_weights_note));
    if (show_has_private(c))
        (void)json_array_append_new(notes, json_string(show_private_note));
    return notes;
}

/* One item's values in the user's order. The caller frees. */
static double *item_values(const mica_circuit *c, const mica_port *port, const int32_t *cells, uint64_t n,
                           mica_status *st) {
    double *value = malloc((size_t)n * sizeof *value);
    if (!value)
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory for %llu values", (unsigned long long)n);
    else
        mica_port_dequantise(c, port, cells, value);
    return value;
}

/* value = scale * integer was rounded once, so the quotient is within a millionth of the integer. */
static long long integer_of(double value, const mica_port *port) {
    return llround(value / scale_of(port));
}

static void show_item(FILE *out, const mica_port *port, const double *value, uint64_t n) {
    uint64_t shown = n < SHOWN_VALUES ? n : SHOWN_VALUES;
    uint64_t largest = 0;
    (void)fprintf(out, "    real    ");
    for (uint64_t i = 0; i < n; i++)
        largest = value[i] > value[largest] ? i : largest;
    for (uint64_t i = 0; i < shown; i++)
        (void)fprintf(out, " %.6g", value[i]);
    (void)fprintf(out, "%s\n    integer ", shown < n ? " ..." : "");
    for (uint64_t i = 0; i < shown; i++)
        (void)fprintf(out, " %lld", integer_of(value[i], port));
    (void)fprintf(out, "%s\n", shown < n ? " ..." : "");
    if (n > 1)
        (void)fprintf(out, "    largest  %.6g at index %llu of %llu\n", value[largest],
                      (unsigned long long)largest, (unsigned long long)n);
}

static void show_digests(FILE *out, const uint8_t *digest, uint32_t batch) {
    char hex[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)];
    for (uint32_t item = 0; digest && item < batch; item++)
        (void)fprintf(out, "    digest   %s\n",
                      show_hex(hex, digest + (size_t)item * MICA_DIGEST_BYTES, MICA_DIGEST_BYTES));
}

static bool show_output(FILE *out, const mica_circuit *c, const mica_port *port, const int32_t *cells,
                        const uint8_t *digest, uint32_t batch, mica_status *st) {
    uint64_t n = mica_port_cells(c, port);
    show_port(out, "output", c, port);
    show_digests(out, digest, batch);
    for (uint32_t item = 0; cells && item < batch; item++) {
        double *value = item_values(c, port, cells + item * n, n, st);
        if (!value)
            return false;
        if (batch > 1)
            (void)fprintf(out, "  item %u\n", item);
        show_item(out, port, value, n);
        free(value);
    }
    return true;
}

bool show_statement(FILE *out, const mica_circuit *c, const mica_statement *s, mica_status *st) {
    char hex[SHOW_HEX_BYTES(MICA_MAX_NONCE_BYTES)];
    (void)fprintf(out, "batch %u, nonce %s\n", s->batch,
                  s->nonce_size ? show_hex(hex, s->nonce, s->nonce_size) : "none");
    for (uint32_t k = 0; k < c->n_inputs; k++) {
        show_port(out, "input", c, &c->input[k]);
        show_digests(out, s->input_digest[k], s->batch);
    }
    for (uint32_t k = 0; k < c->n_outputs; k++)
        if (!show_output(out, c, &c->output[k], s->output[k], s->output_digest[k], s->batch, st))
            return false;
    if (show_has_private(c))
        (void)fprintf(out, "%s\n", show_private_note);
    return true;
}

/* The values of one port: reals and integers per item, and all reals in one flat list (may be NULL). */
static bool port_values_json(json_t *object, json_t *flat, const mica_circuit *c, const mica_port *port,
                             const int32_t *cells, uint32_t batch, mica_status *st) {
    uint64_t n = mica_port_cells(c, port);
    json_t *reals = json_array(), *integers = json_array();
    (void)json_object_set_new(object, "values", reals);
    (void)json_object_set_new(object, "integers", integers);
    for (uint32_t item = 0; item < batch; item++) {
        double *value = item_values(c, port, cells + item * n, n, st);
        if (!value)
            return false;
        json_t *item_reals = json_array(), *item_integers = json_array();
        for (uint64_t i = 0; i < n; i++) {
            json_t *x = json_real(value[i]);
            (void)json_array_append_new(item_integers, json_integer(integer_of(value[i], port)));
            (void)json_array_append(item_reals, x);
            (void)json_array_append_new(flat, x);
        }
        free(value);
        (void)json_array_append_new(reals, item_reals);
        (void)json_array_append_new(integers, item_integers);
    }
    return true;
}

static json_t *digests_json(const uint8_t *digest, uint32_t batch) {
    char hex[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)];
    json_t *list = json_array();
    for (uint32_t item = 0; item < batch; item++)
        (void)json_array_append_new(
            list, json_string(show_hex(hex, digest + (size_t)item * MICA_DIGEST_BYTES, MICA_DIGEST_BYTES)));
    return list;
}

static bool ports_json(json_t *object, const char *stem, const mica_circuit *c, const mica_port *port,
                       uint32_t n_ports, int32_t *const *cells, uint8_t *const *digest, uint32_t batch,
                       mica_status *st) {
    char key[32];
    json_t *list = json_array(), *data = json_array();
    (void)snprintf(key, sizeof key, "%ss", stem);
    (void)json_object_set_new(object, key, list);
    (void)snprintf(key, sizeof key, "%s_data", stem);
    (void)json_object_set_new(object, key, data);
    for (uint32_t k = 0; k < n_ports; k++) {
        json_t *one = show_port_json(c, &port[k]), *flat = json_array();
        (void)json_array_append_new(list, one);
        (void)json_array_append_new(data, flat);
        if (digest[k])
            (void)json_object_set_new(one, "digests", digests_json(digest[k], batch));
        if (!cells[k]) {
            (void)json_object_set_new(one, "values", json_null());
            (void)json_object_set_new(one, "integers", json_null());
        } else if (!port_values_json(one, flat, c, &port[k], cells[k], batch, st)) {
            return false;
        }
    }
    return true;
}

bool show_statement_json(json_t *object, const mica_circuit *c, const mica_statement *s, mica_status *st) {
    char hex[SHOW_HEX_BYTES(MICA_MAX_NONCE_BYTES)];
    (void)json_object_set_new(object, "batch", json_integer(s->batch));
    (void)json_object_set_new(object, "nonce", json_string(show_hex(hex, s->nonce, s->nonce_size)));
    return ports_json(object, "input", c, c->input, c->n_inputs, s->input, s->input_digest, s->batch, st) &&
           ports_json(object, "output", c, c->output, c->n_outputs, s->output, s->output_digest, s->batch,
                      st);
}

bool show_json(FILE *out, json_t *object) {
    /* 12 digits give every value back exactly when it is quantised again: integers stay below 2^31 < 10^10 */
    bool ok = object && json_dumpf(object, out, JSON_COMPACT | JSON_REAL_PRECISION(12)) == 0;
    json_decref(object);
    return ok && fputc('\n', out) != EOF;
}
