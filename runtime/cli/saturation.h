/* Values of the user outside the range that calibration found: the prover takes the nearest inside. */
#ifndef MICA_CLI_SATURATION_H
#define MICA_CLI_SATURATION_H

#include <jansson.h>
#include <stdio.h>

#include "mica/statement.h"

/* Of one input, over all items. */
typedef struct saturation {
    uint64_t values;        /* how many lie outside */
    double lowest, highest; /* of all values of the input */
    uint64_t item, index;   /* place of the first that lies outside */
} saturation;

/* Adds one item: its values, and how many of them quantisation saturated. item 0 comes first. */
void saturation_add(saturation *s, const mica_circuit *c, const mica_port *port, const double *value,
                    uint64_t item, uint64_t outside);

/* One line for every input that has such values; nothing if there are none. `consequence` ends the line. */
void saturation_show(FILE *out, const mica_circuit *c, const saturation *s, uint32_t batch,
                     const char *consequence);

/* [{"input", "values", "of", "range", "lowest", "highest", "largest_excess", "first": {"item", "index"}}] */
json_t *saturation_json(const mica_circuit *c, const saturation *s, uint32_t batch);

#endif
