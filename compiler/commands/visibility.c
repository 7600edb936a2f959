#include "commands/visibility.h"

#include <stdlib.h>
#include <string.h>

static bool parse_word(const char *word, mica_visibility *v) {
    for (unsigned i = 0; i <= MICA_PRIVATE; i++) {
        *v = (mica_visibility)i;
        if (strcmp(word, mica_visibility_name(*v)) == 0)
            return true;
    }
    return false;
}

static const char *name_of(const graph *g, bool inputs, uint32_t i) {
    const char *name = g->value[inputs ? g->input[i] : g->output[i]].name;
    return name ? name : "";
}

/* One argument; `named` marks the ports that have one of their own. */
static bool apply(mica_visibility *out, bool *named, const char *said, const graph *g, bool inputs,
                  mica_status *st) {
    const char *role = inputs ? "input" : "output", *equals = strrchr(said, '=');
    const uint32_t n = inputs ? g->n_inputs : g->n_outputs;
    mica_visibility v;
    bool known = !equals;
    if (!parse_word(equals ? equals + 1 : said, &v))
        return mica_fail(
            st, MICA_ERR_USAGE,
            "--%s-visibility %s: expected public, committed or private, or NAME= and one of them", role,
            said);
    for (uint32_t i = 0; i < n; i++) {
        const char *name = name_of(g, inputs, i);
        const bool meant = equals && strlen(name) == (size_t)(equals - said) &&
                           strncmp(name, said, (size_t)(equals - said)) == 0;
        if (meant || (!equals && !named[i]))
            out[i] = v;
        named[i] |= meant;
        known |= meant;
    }
    return known || mica_fail(st, MICA_ERR_USAGE, "--%s-visibility %s: the model has no %s of that name",
                              role, said, role);
}

mica_visibility *visibility_choose(const mica_arguments *said, const graph *g, bool inputs, mica_status *st) {
    const uint32_t n = inputs ? g->n_inputs : g->n_outputs;
    mica_visibility *out = calloc(n + 1u, sizeof *out);
    bool *named = calloc(n + 1u, sizeof *named);
    bool ok = (out && named) || mica_fail(st, MICA_ERR_MEMORY, "out of memory");
    for (size_t i = 0; ok && i < said->n; i++)
        ok = apply(out, named, said->item[i], g, inputs, st);
    free(named);
    if (ok)
        return out;
    free(out);
    return NULL;
}
