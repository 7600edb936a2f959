#include "report/layer_facts.h"

#include "accuracy/accuracy_losses.h"

#include <stdlib.h>
#include <string.h>

unsigned layer_facts_bits(int64_t lo, int64_t hi) {
    return mica_log2_ceil((uint64_t)(hi - lo) + 1);
}

static void count_tensor(layer_fact *f, const mica_tensor *x, uint32_t stratum) {
    uint64_t cells = 1;
    for (unsigned i = 0; i < x->rank; i++)
        cells *= x->dim[i];
    if (x->kind == MICA_TENSOR_WITNESS)
        f->witness_cells += UINT64_C(1) << mica_item_bits(x);
    if (x->kind == MICA_TENSOR_WEIGHT) {
        const unsigned bits = layer_facts_bits(x->lo, x->hi);
        f->weights += cells;
        /* a bias has the scale of the accumulator; the width that is chosen is that of the other weights */
        if (x->rank >= 2 && bits > f->weight_bits)
            f->weight_bits = bits;
    }
    if (stratum > 0) {
        if (f->first_stratum == 0 || stratum < f->first_stratum)
            f->first_stratum = stratum;
        if (stratum > f->last_stratum)
            f->last_stratum = stratum;
    }
}

/* Ranges and errors of the values that both networks have. */
static void note_values(layer_fact *fact, const compilation *c) {
    const mica_circuit *k = &c->vk.circuit;
    for (uint32_t i = 0; i < c->map.n; i++) {
        const mica_tensor *x = &k->tensor[c->map.port[i].tensor];
        const unsigned bits = layer_facts_bits(x->lo, x->hi);
        if (bits > fact[x->layer].activation_bits)
            fact[x->layer].activation_bits = bits;
    }
    for (uint32_t i = 0; i < c->accuracy.n_outputs; i++)
        fact[c->accuracy.output[i].layer].error = &c->accuracy.output[i];
    for (uint32_t i = 0; i < c->accuracy.n_values; i++) {
        layer_fact *f = &fact[c->accuracy.inner[i].layer];
        const double added = accuracy_increase(&c->accuracy, &c->graph, i);
        f->error = &c->accuracy.inner[i];
        f->added_error = added > f->added_error ? added : f->added_error;
    }
}

bool layer_facts_make(layer_fact **facts, const compilation *c, mica_status *st) {
    const mica_circuit *k = &c->vk.circuit;
    layer_fact *fact = calloc(k->n_layers + 1u, sizeof *fact);
    uint32_t *stratum = calloc(k->n_tensors + 1u, sizeof *stratum);
    bool ok = fact && stratum;
    if (!ok)
        (void)mica_fail(st, MICA_ERR_MEMORY, "out of memory for the report");
    ok = ok && mica_report_strata(&c->vk, stratum, st);
    for (uint32_t t = 0; ok && t < k->n_tensors; t++)
        count_tensor(&fact[k->tensor[t].layer], &k->tensor[t], stratum[t]);
    for (uint32_t i = 0; ok && i < k->n_lookups; i++)
        fact[k->lookup[i].layer].lookups += UINT64_C(1) << mica_item_bits(&k->tensor[k->lookup[i].entry[0]]);
    if (ok)
        note_values(fact, c);
    free(stratum);
    if (!ok) {
        free(fact);
        fact = NULL;
    }
    *facts = fact;
    return ok;
}
