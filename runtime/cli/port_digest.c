#include "cli/port_digest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/show.h"
#include "cli/user_values.h"
#include "mica/prove.h"

/* The ports that the arguments speak of: those named in NAME=FILE, or all. The caller frees. */
static mica_port *choose_ports(const mica_port *port, uint32_t n, const char *const *args, size_t n_args,
                               uint32_t *n_chosen) {
    mica_port *chosen = calloc((size_t)n + 1, sizeof *chosen);
    *n_chosen = 0;
    for (uint32_t k = 0; chosen && k < n; k++) {
        const size_t length = strlen(port[k].name);
        bool named = false;
        for (size_t i = 0; i < n_args; i++)
            named |= strncmp(args[i], port[k].name, length) == 0 && args[i][length] == '=';
        if (named)
            chosen[(*n_chosen)++] = port[k];
    }
    if (chosen && *n_chosen == 0 && n > 0) {
        memcpy(chosen, port, n * sizeof *chosen);
        *n_chosen = n;
    }
    return chosen;
}

/* Integers to the real numbers that stand for them, so that both are read alike. */
static bool scale_integers(const mica_circuit *c, const mica_port *port, double *value, uint64_t n,
                           mica_status *st) {
    const mica_tensor *x = &c->tensor[port->tensor];
    const double scale = ldexp(port->mantissa, port->exponent);
    for (uint64_t i = 0; i < n; i++) {
        if (value[i] != floor(value[i]) || value[i] < x->lo || value[i] > x->hi)
            return mica_fail(st, MICA_ERR_RANGE, "\"%s\": %.12g is not an integer from %d to %d", port->name,
                             value[i], x->lo, x->hi);
        value[i] *= scale; /* rounded once: quantising gives the integer back */
    }
    return true;
}

typedef struct printer {
    const mica_circuit *c;
    const char *stem;
    bool integers;
    FILE *out;    /* NULL: into list */
    json_t *list; /* of {"port", "name", "visibility", "digests"} */
    uint64_t saturated;
} printer;

static bool show_port_digests(printer *p, const mica_port *port, double *value, uint64_t items,
                              mica_status *st) {
    const uint64_t n = mica_port_cells(p->c, port);
    int32_t *cells = malloc((size_t)n * sizeof *cells);
    json_t *digests = json_array();
    bool ok = cells || mica_fail(st, MICA_ERR_MEMORY, "out of memory for %llu values", (unsigned long long)n);
    for (uint64_t i = 0; ok && i < items; i++) {
        uint8_t digest[MICA_DIGEST_BYTES];
        char hex[SHOW_HEX_BYTES(MICA_DIGEST_BYTES)];
        double *item = value + i * n;
        ok = (!p->integers || scale_integers(p->c, port, item, n, st)) &&
             mica_port_quantise(p->c, port, item, cells, &p->saturated, st) &&
             mica_port_digest(p->c, port, cells, digest, st);
        if (!ok)
            break;
        (void)show_hex(hex, digest, sizeof digest);
        if (p->out)
            (void)fprintf(p->out, "%s \"%s\" item %llu: %s\n", p->stem, port->name, (unsigned long long)i,
                          hex);
        (void)json_array_append_new(digests, json_string(hex));
    }
    free(cells);
    (void)json_array_append_new(
        p->list, json_pack("{s:s, s:o, s:s, s:o}", "port", p->stem, "name", show_text_json(port->name),
                           "visibility", mica_visibility_name(port->visibility), "digests", digests));
    return ok;
}

static bool show_kind(printer *p, const mica_port *port, uint32_t n, const char *const *args, size_t n_args,
                      mica_status *st) {
    uint32_t n_chosen;
    tensor_items items;
    if (n_args == 0)
        return true;
    mica_port *chosen = choose_ports(port, n, args, n_args, &n_chosen);
    if (!chosen)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory");
    for (uint32_t k = 0; k < n_chosen; k++)
        if (chosen[k].visibility != MICA_COMMITTED)
            (void)fprintf(stderr, "note: %s \"%s\" is %s: proofs show %s, not this digest\n", p->stem,
                          chosen[k].name, mica_visibility_name(chosen[k].visibility),
                          chosen[k].visibility == MICA_PUBLIC ? "its values" : "nothing of it");
    bool ok = user_items_read(&items, chosen, n_chosen, p->stem, args, n_args, st);
    if (ok) {
        for (uint32_t k = 0; ok && k < n_chosen; k++)
            ok = show_port_digests(p, &chosen[k], items.value[k], items.items, st);
        tensor_items_free(&items);
    }
    free(chosen);
    return ok;
}

bool port_digest_show(const mica_vk *vk, const digest_request *r, FILE *out, mica_status *st) {
    const mica_circuit *c = &vk->circuit;
    printer p = {.c = c, .integers = r->integers, .out = r->json ? NULL : out, .list = json_array()};
    p.stem = "input";
    bool ok = show_kind(&p, c->input, c->n_inputs, r->input.item, r->input.n, st);
    p.stem = "output";
    ok = ok && show_kind(&p, c->output, c->n_outputs, r->output.item, r->output.n, st);
    if (ok && r->json)
        return show_json(out,
                         json_pack("{s:o, s:I}", "digests", p.list, "saturated", (json_int_t)p.saturated)) ||
               mica_fail(st, MICA_ERR_IO, "the result could not be written");
    json_decref(p.list);
    if (ok && p.saturated)
        (void)fprintf(stderr, "note: %llu values lie outside the range and were saturated\n",
                      (unsigned long long)p.saturated);
    return ok;
}
