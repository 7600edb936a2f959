#include "circuit/circuit_shapes.h"
#include "mica/statement.h"

void mica_port_fill_digits(const mica_circuit *c, const mica_port *p, int32_t *const *value) {
    const mica_tensor *x = &c->tensor[p->tensor];
    if (p->visibility == MICA_PUBLIC)
        return;
    const mica_linear *l = &c->linear[x->def];
    const size_t inner = x->rank ? x->dim[x->rank - 1] : 1;
    const uint64_t cells = mica_port_cells(c, p);
    for (uint64_t first = 0; first < cells; first += inner) {
        const size_t at = circuit_padded_row(x, first / inner);
        for (size_t i = at; i < at + inner; i++) {
            uint32_t rest = (uint32_t)((int64_t)value[p->tensor][i] - x->lo); /* in [0, hi - lo] */
            for (uint32_t j = 0; j < l->n_terms; j++) {
                const uint32_t digit = c->term[l->first_term + j].tensor;
                const uint32_t radix = (uint32_t)c->tensor[digit].hi + 1; /* a power of two */
                value[digit][i] = (int32_t)(rest % radix);
                rest /= radix;
            }
        }
    }
}
