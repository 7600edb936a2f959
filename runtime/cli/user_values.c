#include "cli/user_values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mica/prove.h"

bool user_items_read(tensor_items *t, const mica_port *port, uint32_t n, const char *stem,
                     const char *const *args, size_t n_args, mica_status *st) {
    tensor_spec *spec = calloc(n ? n : 1, sizeof *spec);
    if (!spec)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for %u %ss", n, stem);
    for (uint32_t k = 0; k < n; k++)
        spec[k] = tensor_spec_of_port(&port[k]);
    bool ok = tensor_items_read(t, spec, n, stem, args, n_args, st);
    free(spec);
    return ok;
}

static bool quantise_inputs(mica_statement *s, const mica_circuit *c, user_inputs *user, mica_status *st) {
    for (uint32_t k = 0; k < c->n_inputs; k++) {
        uint64_t cells = mica_port_cells(c, &c->input[k]);
        for (uint64_t i = 0; i < user->items.items; i++) {
            const double *value = user->items.value[k] + i * cells;
            uint64_t outside = 0;
            if (!mica_port_quantise(c, &c->input[k], value, s->input[k] + i * cells, &outside, st))
                return false;
            saturation_add(&user->port[k], c, &c->input[k], value, i, outside);
            user->saturated += outside;
        }
    }
    return true;
}

bool user_statement_create(mica_statement *s, const mica_circuit *c, const char *const *args, size_t n_args,
                           user_inputs *user, mica_status *st) {
    memset(user, 0, sizeof *user);
    if (!user_items_read(&user->items, c->input, c->n_inputs, "input", args, n_args, st))
        return false;
    user->port = calloc((size_t)c->n_inputs + 1, sizeof *user->port);
    bool ok = user->port || mica_fail(st, MICA_ERR_MEMORY, "out of memory for %u inputs", c->n_inputs);
    const unsigned long long items = user->items.items;
    ok = ok &&
         (items <= c->max_batch ||
          mica_fail(st, MICA_ERR_LIMIT, "%llu inputs in one batch; this model was compiled for at most %u",
                    items, c->max_batch));
    ok = ok && mica_statement_create(s, c, (uint32_t)items, st);
    if (ok && !quantise_inputs(s, c, user, st)) {
        mica_statement_free(s, c);
        ok = false;
    }
    if (!ok)
        user_inputs_free(user);
    return ok;
}

void user_inputs_free(user_inputs *user) {
    tensor_items_free(&user->items);
    free(user->port);
    memset(user, 0, sizeof *user);
}

/* What a statement shows of a port: cells, or digests. */
typedef struct shown_port {
    const mica_port *port;
    const int32_t *cells;
    const uint8_t *digest;
} shown_port;

static bool compare_digest(user_difference *d, const mica_circuit *c, const shown_port *shown,
                           const int32_t *cells, uint32_t item, mica_status *st) {
    uint8_t digest[MICA_DIGEST_BYTES];
    if (!mica_port_digest(c, shown->port, cells, digest, st))
        return false;
    if (memcmp(digest, shown->digest + (size_t)item * MICA_DIGEST_BYTES, MICA_DIGEST_BYTES) != 0) {
        d->differs = true;
        (void)snprintf(d->detail, sizeof d->detail,
                       "\"%s\" of item %u is not the supplied one: the proof has another digest",
                       shown->port->name, item);
    }
    return true;
}

/* One item of one port. `scratch` holds the port's cells. */
static bool compare_item(user_difference *d, const mica_circuit *c, const shown_port *shown,
                         const double *value, uint32_t item, bool output, int32_t *scratch, mica_status *st) {
    const mica_port *port = shown->port;
    uint64_t outside = 0, n = mica_port_cells(c, port);
    const char *what = output ? "output" : "input";
    if (!mica_port_quantise(c, port, value, scratch, &outside, st))
        return false;
    d->saturated += outside;
    if (output && outside > 0) {
        d->differs = true;
        (void)snprintf(d->detail, sizeof d->detail,
                       "the supplied output \"%s\" has values that the model cannot give", port->name);
        return true;
    }
    if (!shown->cells)
        return compare_digest(d, c, shown, scratch, item, st);
    const int32_t *cells = shown->cells + item * n;
    for (uint64_t i = 0; i < n && !d->differs; i++)
        if (scratch[i] != cells[i]) {
            d->differs = true;
            (void)snprintf(
                d->detail, sizeof d->detail,
                "%s \"%s\" of item %u is not the supplied one (the proof has %d where the supplied value is "
                "%d)",
                what, port->name, item, cells[i], scratch[i]);
        }
    return true;
}

static bool compare_port(user_difference *d, const mica_circuit *c, const shown_port *shown,
                         const double *value, uint32_t batch, bool output, mica_status *st) {
    uint64_t n = mica_port_cells(c, shown->port);
    if (!shown->cells && !shown->digest)
        return mica_fail(st, MICA_ERR_USAGE, "\"%s\" is private: a proof does not say what it is",
                         shown->port->name);
    int32_t *scratch = malloc((size_t)n * sizeof *scratch);
    bool ok =
        scratch || mica_fail(st, MICA_ERR_MEMORY, "out of memory for %llu values", (unsigned long long)n);
    for (uint32_t i = 0; ok && i < batch && !d->differs; i++)
        ok = compare_item(d, c, shown, value + i * n, i, output, scratch, st);
    free(scratch);
    return ok;
}

bool user_compare(user_difference *d, const mica_circuit *c, const mica_statement *s, bool outputs,
                  const char *const *args, size_t n_args, mica_status *st) {
    const mica_port *port = outputs ? c->output : c->input;
    uint32_t n_ports = outputs ? c->n_outputs : c->n_inputs;
    int32_t *const *cells = outputs ? s->output : s->input;
    uint8_t *const *digest = outputs ? s->output_digest : s->input_digest;
    tensor_items items;
    memset(d, 0, sizeof *d);
    if (n_args == 0)
        return true;
    if (!user_items_read(&items, port, n_ports, outputs ? "output" : "input", args, n_args, st))
        return false;
    bool ok = true;
    if (items.items != s->batch) {
        d->differs = true;
        (void)snprintf(d->detail, sizeof d->detail, "the proof speaks of %u items, %llu %ss were supplied",
                       s->batch, (unsigned long long)items.items, outputs ? "output" : "input");
    }
    for (uint32_t k = 0; ok && k < n_ports && !d->differs; k++)
        ok = compare_port(d, c, &(shown_port){&port[k], cells[k], digest[k]}, items.value[k], s->batch,
                          outputs, st);
    tensor_items_free(&items);
    return ok;
}
