/* Small circuits built by hand, computed by their definitions cell by cell, and proved: the tests' own
 * oracle, which shares nothing with the compiler. */
#ifndef MICA_TESTS_CIRCUIT_KIT_H
#define MICA_TESTS_CIRCUIT_KIT_H

#include "mica/prove.h"
#include "mica/verify.h"

#define KIT_MAX 96
#define KIT_END 0xffffffffu

typedef enum kit_rule { KIT_EVALUATE, KIT_REQUANTISE, KIT_LOOKUP, KIT_MAX_OF } kit_rule;
typedef struct kit_step {
    kit_rule rule;
    uint32_t t[4]; /* EVALUATE t0; REQUANTISE h, lo, y; LOOKUP x, y; MAX_OF m, d, r */
    uint32_t table;
} kit_step;

typedef struct kit {
    mica_circuit c;
    mica_tensor tensor[KIT_MAX];
    mica_linear linear[KIT_MAX];
    mica_term term[4 * KIT_MAX];
    mica_box box[KIT_MAX];
    mica_contract contract[KIT_MAX];
    mica_placement placement[KIT_MAX];
    uint32_t index[4 * KIT_MAX];
    mica_lookup lookup[KIT_MAX];
    mica_table table[KIT_MAX];
    mica_port input[8], output[8];
    mica_layer layer[1];
    int32_t *weight[KIT_MAX];
    kit_step step[KIT_MAX];
    uint32_t n_steps;
    /* a lie: after step cheat_step, cell cheat_cell (padded, of one item) of tensor cheat_tensor is changed
     * by cheat_by */
    uint32_t cheat_step, cheat_tensor, cheat_cell;
    int32_t cheat_by;
    bool cheat_once; /* in one item of the batch, whichever is computed first; else in all */
    /* whatever else is to be done to the prover before it proves, unless NULL */
    void (*cheat_prover)(mica_prover *p);
    /* made by kit_finish */
    mica_vk vk;
    uint8_t *vk_bytes, *weights;
    size_t vk_size, weights_size;
    mica_model model;
} kit;

/* An empty circuit with one layer. */
void kit_begin(kit *k, uint32_t max_batch);
/* Dimensions end with 0. */
uint32_t kit_input(kit *k, int32_t lo, int32_t hi, const uint32_t *dim);
/* An input that is not public: n digits of `bits`, least value lo <= 0. */
uint32_t kit_hidden_input(kit *k, mica_visibility visibility, int32_t lo, unsigned n, const uint8_t *bits,
                          const uint32_t *dim);
uint32_t kit_weight(kit *k, int32_t lo, int32_t hi, const uint32_t *dim, uint64_t *seed);
uint32_t kit_witness(kit *k, bool batched, int32_t lo, int32_t hi, const uint32_t *dim);
/* A LINEAR with the dims of `like`; terms and boxes are added with kit_term, kit_box right after. */
uint32_t kit_linear(kit *k, uint32_t like, unsigned shift, int32_t lo, int32_t hi);
/* A view that follows all axes in order. */
mica_view kit_identity(const kit *k, uint32_t t);
void kit_term(kit *k, uint32_t t, int32_t coef, mica_view view);
void kit_box(kit *k, int32_t coef); /* on all of D of the newest tensor */
uint32_t kit_contract(kit *k, bool batched, int32_t lo, int32_t hi, const uint32_t *dim, mica_contract d);
uint32_t kit_placement(kit *k, int32_t lo, int32_t hi, const uint32_t *dim, mica_placement p);
/* `f` with the next n indices as its list. */
mica_factor kit_listed(kit *k, mica_factor f, uint32_t n, const uint32_t *index);
uint32_t kit_table(kit *k, mica_table_def def);
void kit_lookup(kit *k, uint32_t table, uint32_t a, uint32_t b);
void kit_step_add(kit *k, kit_rule rule, uint32_t table, uint32_t a, uint32_t b, uint32_t c);
void kit_output(kit *k, uint32_t t);
/* Requantises acc (+ rounding) by 2^s with a table of c bits of the given kind at scale `in`/`out`: returns
 * y. */
uint32_t kit_requantise(kit *k, uint32_t acc, unsigned s, unsigned c, mica_table_kind kind, double ratio,
                        int32_t lo, int32_t hi);

/* Validates, commits to the weights and makes vk and model. Reports and returns false on failure. */
bool kit_finish(kit *k, unsigned security_bits);
void kit_free(kit *k);

/* Random inputs in range, forward pass and proof. */
bool kit_prove(kit *k, uint32_t batch, uint64_t seed, uint8_t **file, size_t *size, mica_status *st);
/* The same, with savings (mica_prover_set_savings). */
bool kit_prove_as(kit *k, uint32_t batch, uint64_t seed, unsigned savings, uint8_t **file, size_t *size,
                  mica_prove_stats *stats, mica_status *st);
/* Verifies a proof file by vk_bytes. */
bool kit_verify(const kit *k, const uint8_t *file, size_t size, mica_verdict *verdict, mica_status *st);

uint32_t kit_random(uint64_t *seed);

#endif
