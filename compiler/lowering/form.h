/* A linear form under construction: terms and boxes over a domain, as a LINEAR tensor will hold them.
 *
 * `base` is the circuit's tensor array throughout; it moves when the circuit grows, so forms do not keep it.
 */
#ifndef MICA_COMPILER_FORM_H
#define MICA_COMPILER_FORM_H

#include "mica/circuit.h"

/* An interval of integers. */
typedef struct bound {
    int64_t lo, hi;
} bound;

#define FORM_MAX_TERMS 48
#define FORM_MAX_BOXES 24

typedef struct form {
    bool batched;
    uint8_t rank;
    uint32_t dim[MICA_MAX_RANK];
    uint32_t n_terms, n_boxes;
    mica_term term[FORM_MAX_TERMS];
    mica_box box[FORM_MAX_BOXES];
} form;

void form_create(form *f, bool batched, unsigned rank, const uint32_t *dim);

/* Adds coef * tensor seen through `view`. Equal terms are merged. False if the form is full or a coefficient
 * leaves the field; the form is then as before. */
bool form_add_term(form *f, const mica_tensor *base, uint32_t tensor, int64_t coef, const mica_view *view);
/* Adds coef * tensor, whose axes are the domain's. */
bool form_add_tensor(form *f, const mica_tensor *base, uint32_t tensor, int64_t coef);
/* Adds a constant on a part of the domain, or on all of it. */
bool form_add_box(form *f, int64_t coef, const uint32_t *lo, const uint32_t *hi);
bool form_add_constant(form *f, int64_t coef);

/* Adds coef * g. Axis i of g's domain runs with axis map[i] of f's; it has size 1 where map[i] is NO_AXIS. */
#define NO_AXIS 0xff
bool form_add_form(form *f, const mica_tensor *base, const form *g, int64_t coef, const uint8_t *map);

/* Range of the sum over all cells, the padding's zeros included, from the operands' declared ranges;
 * saturated at
 * +-2^61. */
bound form_range(const form *f, const mica_tensor *base);

/* Cells of the domain, each axis padded to a power of two; one item. */
uint64_t form_padded_cells(const form *f);

/* Saturating at +-2^61. */
bound bound_add(bound a, bound b);
bound bound_scale(bound a, int64_t by);

static inline bound bound_hull(bound a, bound b) {
    return (bound){a.lo < b.lo ? a.lo : b.lo, a.hi > b.hi ? a.hi : b.hi};
}
static inline bound bound_of(const mica_tensor *x) {
    return (bound){x->lo, x->hi};
}

#endif
