#include "cli/saturation.h"

#include <math.h>

#include "cli/show.h"

static double low_of(const mica_circuit *c, const mica_port *p) {
    return c->tensor[p->tensor].lo * ldexp(p->mantissa, p->exponent);
}

static double high_of(const mica_circuit *c, const mica_port *p) {
    return c->tensor[p->tensor].hi * ldexp(p->mantissa, p->exponent);
}

/* Half a step beyond the ends is where rounding leaves the range (mica_port_quantise). */
static bool is_outside(const mica_circuit *c, const mica_port *p, double x) {
    const double half = 0.5 * ldexp(p->mantissa, p->exponent);
    return x >= high_of(c, p) + half || x <= low_of(c, p) - half;
}

void saturation_add(saturation *s, const mica_circuit *c, const mica_port *port, const double *value,
                    uint64_t item, uint64_t outside) {
    const uint64_t n = mica_port_cells(c, port);
    for (uint64_t i = 0; i < n; i++) {
        if ((item == 0 && i == 0) || value[i] < s->lowest)
            s->lowest = value[i];
        if ((item == 0 && i == 0) || value[i] > s->highest)
            s->highest = value[i];
    }
    if (outside > 0 && s->values == 0) {
        s->item = item;
        for (s->index = 0; s->index + 1 < n && !is_outside(c, port, value[s->index]);)
            s->index++;
    }
    s->values += outside;
}

static double excess(const mica_circuit *c, const mica_port *p, const saturation *s) {
    return fmax(s->highest - high_of(c, p), low_of(c, p) - s->lowest);
}

void saturation_show(FILE *out, const mica_circuit *c, const saturation *s, uint32_t batch,
                     const char *consequence) {
    for (uint32_t k = 0; k < c->n_inputs; k++) {
        const mica_port *p = &c->input[k];
        if (s[k].values == 0)
            continue;
        (void)fprintf(out,
                      "note: input \"%s\": %llu of %llu values lie outside [%.6g, %.6g], by up to %.6g (from "
                      "%.6g to %.6g; the first at index %llu of item %llu), and were saturated%s\n",
                      p->name, (unsigned long long)s[k].values,
                      (unsigned long long)(mica_port_cells(c, p) * batch), low_of(c, p), high_of(c, p),
                      excess(c, p, &s[k]), s[k].lowest, s[k].highest, (unsigned long long)s[k].index,
                      (unsigned long long)s[k].item, consequence);
    }
}

json_t *saturation_json(const mica_circuit *c, const saturation *s, uint32_t batch) {
    json_t *list = json_array();
    for (uint32_t k = 0; k < c->n_inputs; k++) {
        const mica_port *p = &c->input[k];
        if (s[k].values > 0)
            (void)json_array_append_new(
                list, json_pack("{s:o, s:I, s:I, s:[f,f], s:f, s:f, s:f, s:{s:I, s:I}}", "input",
                                show_text_json(p->name), "values", (json_int_t)s[k].values, "of",
                                (json_int_t)(mica_port_cells(c, p) * batch), "range", low_of(c, p),
                                high_of(c, p), "lowest", s[k].lowest, "highest", s[k].highest,
                                "largest_excess", excess(c, p, &s[k]), "first", "item", (json_int_t)s[k].item,
                                "index", (json_int_t)s[k].index));
    }
    return list;
}
