#include "program/program.h"

#include <stdlib.h>
#include <string.h>

void program_free(program *p) {
    for (uint32_t t = 0; p->weight && t < p->circuit.n_tensors; t++)
        free(p->weight[t]);
    free(p->weight);
    free(p->step);
    free(p->note);
    mica_circuit_free(&p->circuit);
    memset(p, 0, sizeof *p);
}
