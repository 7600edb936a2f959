#include "mica/circuit.h"

#include <stdlib.h>
#include <string.h>

const char *mica_visibility_name(mica_visibility v) {
    static const char *const names[] = {"public", "committed", "private"};
    return names[v];
}

void mica_circuit_free(mica_circuit *c) {
    free(c->tensor);
    free(c->linear);
    free(c->term);
    free(c->box);
    free(c->contract);
    free(c->placement);
    free(c->index);
    free(c->lookup);
    free(c->table);
    free(c->input);
    free(c->output);
    free(c->layer);
    memset(c, 0, sizeof *c);
}

bool mica_tensor_is_materialised(const mica_circuit *c, uint32_t t) {
    switch (c->tensor[t].kind) {
    case MICA_TENSOR_INPUT:
    case MICA_TENSOR_WEIGHT:
    case MICA_TENSOR_WITNESS:
    case MICA_TENSOR_LINEAR:
        return true;
    case MICA_TENSOR_CONTRACT:
        return false;
    case MICA_TENSOR_PLACEMENT:
        for (uint32_t i = 0; i < c->n_placement; i++) {
            if (c->placement[i].src == t)
                return true;
        }
        return false;
    }
    return false;
}
