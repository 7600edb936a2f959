#include <string.h>

#include "mica/verify.h"
#include "protocol/budget.h"
#include "protocol/proof_size.h"

/* Rough seconds of proving on two cores of a current server CPU, by phase; only the order of magnitude is
 * promised. The constants are cells (or fractions) per second measured on an AVX-512 machine. */
#define COMMIT_CELLS_PER_SECOND  60e6
#define LOOKUP_LEAVES_PER_SECOND 80e6
#define WEIGHT_CELLS_PER_SECOND  100e6
#define FIXED_SECONDS            0.01

static double estimate_seconds(const plan *p) {
    return FIXED_SECONDS + (double)p->witness.cells / COMMIT_CELLS_PER_SECOND +
           (double)p->leaves / LOOKUP_LEAVES_PER_SECOND + (double)p->weights.cells / WEIGHT_CELLS_PER_SECOND;
}

/* Cells, witness codeword and leaves; phases reuse what is left of their own. */
static size_t estimate_memory(const plan *p) {
    const mica_circuit *c = p->circuit;
    size_t bytes = (size_t)p->weights.cells * 8 + (size_t)p->leaves * 52;
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        const mica_tensor_kind kind = c->tensor[t].kind;
        if (kind == MICA_TENSOR_INPUT || kind == MICA_TENSOR_LINEAR)
            bytes += (size_t)4 << mica_tensor_bits(&c->tensor[t], p->batch);
    }
    if (p->witness_group >= 0)
        bytes +=
            ((size_t)p->witness.cells * 4) + ((size_t)p->witness.cells * 4 << p->witness.shape.rate_bits);
    for (uint32_t i = 0; i < p->n_ports; i++) {
        const pcs_shape *s = &p->port[i].layout.shape;
        bytes += (size_t)p->batch * ((size_t)p->port[i].layout.cells * 4 +
                                     ((size_t)s->n_present * 4 << (s->col_vars + s->rate_bits)));
    }
    return bytes;
}

bool mica_report_make(const mica_vk *vk, uint32_t batch, mica_report *report, mica_status *st) {
    plan p;
    soundness_budget b;
    memset(report, 0, sizeof *report);
    if (!plan_build(&p, vk, batch, st))
        return false;
    budget_make(&p, &b);
    report->n_lines = b.n;
    for (unsigned i = 0; i < b.n; i++) {
        memcpy(report->line[i].what, b.line[i].what, sizeof report->line[i].what);
        report->line[i].bits = (double)b.line[i].bits / 65536.0;
    }
    report->proven_bits = b.n ? (double)soundness_min(&b) / 65536.0 : 0;
    report->proof_bytes_max = proof_bytes(&p, &report->proof_bytes_expected);
    report->prover_memory_bytes = estimate_memory(&p);
    report->prove_seconds = estimate_seconds(&p);
    report->witness_cells = p.witness.cells;
    report->weight_cells = p.weights.cells;
    for (uint32_t i = 0; i < p.n_blocks; i++) {
        const uint64_t n = 1ull << p.block[i].bits;
        report->lookups += p.block[i].kind == BLOCK_LOOKUP ? n : 0;
        report->table_rows += p.block[i].kind == BLOCK_TABLE ? n : 0;
    }
    report->lookup_bits = p.lookup_bits;
    report->strata = p.n_strata;
    plan_free(&p);
    return true;
}

bool mica_report_strata(const mica_vk *vk, uint32_t *stratum, mica_status *st) {
    plan p;
    uint32_t number = 0;
    if (!plan_build(&p, vk, 1, st))
        return false;
    memset(stratum, 0, vk->circuit.n_tensors * sizeof *stratum);
    for (uint32_t e = 0; e < p.n_events; e++) {
        const plan_event *event = &p.event[e];
        if (event->kind != EVENT_CONTRACT && event->kind != EVENT_PLACEMENT)
            continue;
        number++;
        for (uint32_t i = 0; i < event->count; i++)
            stratum[p.instance[event->first + i].tensor] = number;
    }
    plan_free(&p);
    return true;
}
