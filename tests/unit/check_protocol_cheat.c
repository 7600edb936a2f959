/* A prover that lies about one integer and is consistent from there on. Every cell of every tensor that a
 * step writes is tried (valid and padding cells), then multiplicities; the real prover completes the proof
 * from the altered values, and the verifier must reject it. */
#define MICA_CHEAT
#include "protocol/leaves_count_prove.c"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "circuit_samples.h"
#include "suite.h"

typedef struct tally {
    unsigned tried, refused; /* refused: the prover itself could not complete the proof */
    unsigned reason[32];
} tally;

static bool is_output(const kit *k, uint32_t t) {
    for (uint32_t i = 0; i < k->c.n_outputs; i++) {
        if (k->c.output[i].tensor == t)
            return true;
    }
    return false;
}

/* The padding of a virtual output is in no claim: its public values are the valid cells. */
static bool is_free_cell(const kit *k, uint32_t t, uint32_t cell) {
    const mica_tensor *x = &k->tensor[t];
    if (x->kind != MICA_TENSOR_LINEAR || !is_output(k, t))
        return false;
    for (unsigned i = x->rank; i-- > 0; cell >>= mica_log2_ceil(x->dim[i])) {
        if ((cell & ((1u << mica_log2_ceil(x->dim[i])) - 1)) >= x->dim[i])
            return true;
    }
    return false;
}

/* Proves with a lie, about a tensor or, KIT_END, none in particular, and expects a reason; `other` may be one
 * more. */
static void try_proof(kit *k, const char *what, uint32_t tensor, mica_verdict_code reason,
                      mica_verdict_code other, tally *t) {
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    t->tried++;
    if (!kit_prove(k, 3, 21, &file, &size, &st)) {
        t->refused++;
        return;
    }
    ck_assert_msg(!kit_verify(k, file, size, &v, &st), "accepted: %s", what);
    ck_assert_msg(v.code != MICA_VERDICT_UNSET, "no decision: %s: %s", what, st.message);
    if (reason == MICA_VERDICT_UNSET) /* A tuple that is not in its table breaks the sum of the lookups. */
        reason = leaves_failed ? MICA_REJECT_LOGUP_ROOT : MICA_REJECT_LINEAR;
    /* An output that leaves its range is refused with the statement. */
    ck_assert_msg(v.code == reason || v.code == other ||
                      (v.code == MICA_REJECT_STATEMENT && tensor != KIT_END && is_output(k, tensor)),
                  "%s: expected %s, not %s: %s", what, mica_verdict_name(reason), mica_verdict_name(v.code),
                  v.detail);
    if (v.code == MICA_REJECT_LINEAR && tensor != KIT_END)
        ck_assert_uint_eq(v.layer, k->tensor[tensor].layer);
    if (v.code < 32)
        t->reason[v.code]++;
    free(file);
}

static void report(const char *name, const tally *t) {
    (void)printf("%-12s %4u lies, %u stopped the prover;", name, t->tried, t->refused);
    for (unsigned i = 0; i < 32; i++) {
        if (t->reason[i])
            (void)printf(" %s %u", mica_verdict_name((mica_verdict_code)i), t->reason[i]);
    }
    (void)printf("\n");
}

/* Tensors that a step writes. */
static unsigned written_by(const kit_step *s, uint32_t *t) {
    unsigned n = 0;
    for (unsigned i = 0; i < 3; i++) {
        if (s->t[i] != KIT_END && !(s->rule == KIT_LOOKUP && i == 0))
            t[n++] = s->t[i];
    }
    return n;
}

/* In every item of a batch, or in one. */
static void lie_about_cells(int which, bool once) {
    kit k;
    tally t = {0};
    samples[which].build(&k);
    ck_assert(kit_finish(&k, 40));
    k.cheat_once = once;
    for (uint32_t s = 0; s < k.n_steps; s++) {
        uint32_t tensor[3];
        const unsigned n = written_by(&k.step[s], tensor);
        for (unsigned j = 0; j < n; j++) {
            const uint32_t cells = 1u << mica_item_bits(&k.tensor[tensor[j]]);
            const uint32_t most = once ? 6 : 24;
            const uint32_t stride =
                cells > most ? cells / most | 1 : 1; /* odd: meets valid and padding cells */
            for (uint32_t cell = 0; cell < cells; cell += stride) {
                char what[128];
                if (is_free_cell(&k, tensor[j], cell))
                    continue;
                k.cheat_step = s;
                k.cheat_tensor = tensor[j];
                k.cheat_cell = cell;
                k.cheat_by = cell & 1 ? -1 : 1;
                (void)snprintf(what, sizeof what, "%s, step %u, tensor %u, cell %u", samples[which].name, s,
                               tensor[j], cell);
                try_proof(&k, what, tensor[j], MICA_VERDICT_UNSET, MICA_VERDICT_UNSET, &t);
            }
        }
    }
    report(samples[which].name, &t);
    ck_assert_uint_gt(t.tried, t.refused);
    kit_free(&k);
}

START_TEST(lies_about_cells) {
    lie_about_cells(_i, false);
}
END_TEST

START_TEST(lies_about_one_item) {
    lie_about_cells(_i, true);
}
END_TEST

static bool is_entry(const kit *k, uint32_t t) {
    bool found = false;
    for (uint32_t i = 0; i < k->c.n_lookups; i++)
        for (unsigned j = 0; j < k->lookup[i].n_entries; j++)
            found |= k->lookup[i].entry[j] == t;
    return found;
}

/* The batch is padded to a power of two: a lie in the item that is none. */
static uint32_t lie_tensor;

static void change_padding_item(const plan *p, int32_t *const *value) {
    const mica_tensor *x = &p->circuit->tensor[lie_tensor];
    value[lie_tensor][(size_t)p->batch << mica_item_bits(x)]++;
}

START_TEST(lies_about_the_padding_of_the_batch) {
    kit k;
    tally t = {0};
    samples[_i].build(&k);
    ck_assert(kit_finish(&k, 40));
    leaves_cheat = change_padding_item;
    for (lie_tensor = 0; lie_tensor < k.c.n_tensors; lie_tensor++) {
        const mica_tensor *x = &k.tensor[lie_tensor];
        if (x->kind != MICA_TENSOR_WITNESS || !x->batched)
            continue;
        /* A maximum is no entry of a lookup, but read by one; its padding has no committed row. */
        const bool entry = is_entry(&k, lie_tensor);
        try_proof(&k, "the padding of a batch", lie_tensor,
                  entry ? MICA_REJECT_LOGUP_ROOT : MICA_REJECT_LINEAR,
                  entry ? MICA_VERDICT_UNSET : MICA_REJECT_OPENING, &t);
    }
    leaves_cheat = NULL;
    report(samples[_i].name, &t);
    kit_free(&k);
}
END_TEST

static uint32_t lie_table;
static uint32_t lie_row;

static void change_multiplicity(const plan *p, int32_t *const *value) {
    value[p->circuit->table[lie_table].multiplicity][lie_row]++;
}

START_TEST(lies_about_multiplicities) {
    kit k;
    tally t = {0};
    samples[_i].build(&k);
    ck_assert(kit_finish(&k, 40));
    leaves_cheat = change_multiplicity;
    for (lie_table = 0; lie_table < k.c.n_tables; lie_table++) {
        const uint32_t rows = 1u << k.table[lie_table].def.bits;
        for (lie_row = 0; lie_row < rows; lie_row += rows / 5 + 1)
            try_proof(&k, "a multiplicity", KIT_END, MICA_REJECT_LOGUP_ROOT, MICA_VERDICT_UNSET, &t);
    }
    leaves_cheat = NULL;
    report(samples[_i].name, &t);
    kit_free(&k);
}
END_TEST

/* A count that is p less is the same element of the field, so there is nothing to lie about: the proof is the
 * same. */
static void shift_multiplicity(const plan *p, int32_t *const *value) {
    for (uint32_t i = 0; i < p->circuit->n_tables; i++)
        value[p->circuit->table[i].multiplicity][0] -= INT32_MAX;
}

START_TEST(counts_are_elements_of_the_field) {
    kit k;
    uint8_t *file[2];
    size_t size[2];
    mica_status st = {0};
    samples[_i].build(&k);
    ck_assert(kit_finish(&k, 40));
    for (unsigned i = 0; i < 2; i++) {
        leaves_cheat = i ? shift_multiplicity : NULL;
        ck_assert(kit_prove(&k, 3, 21, &file[i], &size[i], &st));
    }
    leaves_cheat = NULL;
    ck_assert_uint_eq(size[0], size[1]);
    ck_assert_mem_eq(file[0], file[1], size[0]);
    free(file[0]);
    free(file[1]);
    kit_free(&k);
}
END_TEST

int main(void) {
    Suite *s = suite_create("cheating provers");
    TCase *t = tcase_create("lies");
    tcase_set_timeout(t, 600);
    tcase_add_loop_test(t, lies_about_cells, 0, SAMPLES);
    tcase_add_loop_test(t, lies_about_one_item, 0, SAMPLES);
    tcase_add_loop_test(t, lies_about_the_padding_of_the_batch, 0, SAMPLES);
    tcase_add_loop_test(t, lies_about_multiplicities, 0, SAMPLES);
    tcase_add_loop_test(t, counts_are_elements_of_the_field, 0, SAMPLES);
    suite_add_tcase(s, t);
    return suite_run(s);
}
