/* Growing the circuit of a weight certificate: tensors, forms, tables and lookups, with the ranges that
 * follow from them. */
#ifndef MICA_CERTIFICATE_CERTIFICATE_BUILDER_H
#define MICA_CERTIFICATE_CERTIFICATE_BUILDER_H

#include "certificate/certificate_circuit.h"
#include "circuit/circuit_ranges.h"

#define CERT_NONE UINT32_MAX

enum {
    CERT_MIN_DIGIT = 8,
    CERT_MAX_DIGIT = 16,
    CERT_MAX_BITS = 30, /* of numbers */
    CERT_MAX_TERMS = 4  /* of a form: the digits of a number, or fewer */
};

enum { ROOM_TENSOR, ROOM_RULE, ROOM_RANGE, ROOM_LINEAR, ROOM_TERM, ROOM_BOX, ROOM_LOOKUP, ROOM_TABLE, ROOMS };

typedef struct cert_builder {
    mica_circuit *c;
    certificate_rule *rule;
    int_range *range; /* [n_tensors] what definition and lookups say; becomes the declared range */
    uint32_t layer;   /* of new tensors and lookups */
    unsigned digit;   /* bits of the largest tables */
    uint32_t range_table[CERT_MAX_DIGIT + 1];   /* by bits; CERT_NONE: not there yet */
    uint32_t clamp_table[1u << CERT_MAX_DIGIT]; /* by largest value */
    uint32_t room[ROOMS];
    mica_status *st;
} cert_builder;

/* A linear form over a domain: a constant on all of it, and terms. */
typedef struct cert_form {
    uint8_t rank;
    uint32_t dim[MICA_MAX_RANK];
    int64_t constant;
    unsigned n;
    mica_term term[CERT_MAX_TERMS];
} cert_form;

void cert_builder_begin(cert_builder *b, mica_circuit *c, unsigned digit, mica_status *st);

/* All return the new tensor or table, or CERT_NONE after recording an error. */

/* A WEIGHT of the model: any cell of the field is in its range. */
uint32_t cert_weight(cert_builder *b, const mica_tensor *of_model);
/* A WITNESS of the shape of the rule's source. */
uint32_t cert_witness(cert_builder *b, certificate_rule rule);
uint32_t cert_linear(cert_builder *b, const cert_form *f);

/* A form on the domain of tensor t, without terms. */
cert_form cert_form_like(const cert_builder *b, uint32_t t, int64_t constant);
/* Adds coef times tensor t, cell by cell. |coef| < p. */
void cert_form_add(cert_form *f, const cert_builder *b, uint32_t t, int64_t coef);
/* The same through a view. */
void cert_form_add_view(cert_form *f, uint32_t t, int64_t coef, mica_view view);

/* 0 <= t < 2^bits by one lookup, bits <= b->digit. */
bool cert_lookup_range(cert_builder *b, uint32_t t, unsigned bits);
/* 0 <= t <= top by one lookup, top < 2^b->digit: t equals itself, saturated at top. */
bool cert_lookup_clamp(cert_builder *b, uint32_t t, uint32_t top);

/* Adds the multiplicities and declares the ranges. */
bool cert_builder_finish(cert_builder *b);

/* The least n with x < 2^n. */
unsigned cert_bits(int64_t x);

#endif
