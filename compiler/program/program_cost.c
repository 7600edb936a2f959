#include "program/program_cost.h"

/* Per second on two cores of a current server CPU; only their ratios matter here. */
#define WITNESS_CELLS 60e6
#define LOOKUP_LEAVES 80e6
#define WEIGHT_CELLS  100e6

program_cost program_cost_of(const program *p) {
    const mica_circuit *c = &p->circuit;
    program_cost k = {0};
    for (uint32_t t = 0; t < c->n_tensors; t++) {
        const uint64_t cells = UINT64_C(1) << mica_item_bits(&c->tensor[t]);
        k.witness += c->tensor[t].kind == MICA_TENSOR_WITNESS ? cells : 0;
        k.weights += c->tensor[t].kind == MICA_TENSOR_WEIGHT ? cells : 0;
    }
    for (uint32_t i = 0; i < c->n_lookups; i++)
        k.lookups += UINT64_C(1) << mica_item_bits(&c->tensor[c->lookup[i].entry[0]]);
    for (uint32_t i = 0; i < c->n_tables; i++)
        k.table_rows += UINT64_C(1) << c->table[i].def.bits;
    k.seconds = (double)k.witness / WITNESS_CELLS + (double)(k.lookups + k.table_rows) / LOOKUP_LEAVES +
                (double)k.weights / WEIGHT_CELLS;
    return k;
}
