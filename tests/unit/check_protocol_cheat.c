/* A prover that lies about one integer and is consistent from there on. Every cell of every tensor that a
 * step writes is tried (valid and padding cells), then multiplicities; the real prover completes the proof
 * from the altered values, and the verifier must reject it. */
#define MICA_CHEAT
#include "protocol/leaves_prove.c"

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

static void try_proof(kit *k, const char *what, tally *t) {
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
    /* An output that leaves its range is refused with the statement; a lie about anything else reaches the
     * argument. */
    ck_assert_msg(v.code != MICA_REJECT_MALFORMED && v.code != MICA_REJECT_POW &&
                      (v.code != MICA_REJECT_STATEMENT || is_output(k, k->cheat_tensor)),
                  "rejected for a reason that has nothing to do with the lie: %s: %s", what,
                  mica_verdict_name(v.code));
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

START_TEST(lies_about_cells) {
    kit k;
    tally t = {0};
    samples[_i].build(&k);
    ck_assert(kit_finish(&k, 40));
    for (uint32_t s = 0; s < k.n_steps; s++) {
        uint32_t tensor[3];
        const unsigned n = written_by(&k.step[s], tensor);
        for (unsigned j = 0; j < n; j++) {
            const uint32_t cells = 1u << mica_item_bits(&k.tensor[tensor[j]]);
            const uint32_t stride = cells > 24 ? cells / 24 | 1 : 1; /* odd: meets valid and padding cells */
            for (uint32_t cell = 0; cell < cells; cell += stride) {
                char what[128];
                if (is_free_cell(&k, tensor[j], cell))
                    continue;
                k.cheat_step = s;
                k.cheat_tensor = tensor[j];
                k.cheat_cell = cell;
                k.cheat_by = cell & 1 ? -1 : 1;
                (void)snprintf(what, sizeof what, "%s, step %u, tensor %u, cell %u", samples[_i].name, s,
                               tensor[j], cell);
                try_proof(&k, what, &t);
            }
        }
    }
    report(samples[_i].name, &t);
    ck_assert_uint_gt(t.tried, t.refused);
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
            try_proof(&k, "a multiplicity", &t);
    }
    leaves_cheat = NULL;
    report(samples[_i].name, &t);
    kit_free(&k);
}
END_TEST

int main(void) {
    Suite *s = suite_create("cheating provers");
    TCase *t = tcase_create("lies");
    tcase_set_timeout(t, 600);
    tcase_add_loop_test(t, lies_about_cells, 0, SAMPLES);
    tcase_add_loop_test(t, lies_about_multiplicities, 0, SAMPLES);
    suite_add_tcase(s, t);
    return suite_run(s);
}
