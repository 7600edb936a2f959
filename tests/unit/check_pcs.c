/* Opening of commitments: honest runs over many shapes, corrupted proofs, misuse. */
#include "base/cpu.h"
#include "pcs_instance.h"
#include "poly/narrow_prove.h"

START_TEST(honest_is_accepted) {
    const opening_case *c = &cases[_i];
    for (seed = 1; seed <= 4; seed++) {
        const uint64_t first = seed << 32;
        seed = first;
        instance *x = instance_new(c, true);
        prove(x);
        ck_assert_msg(verify(x), "%s seed %llu: %s", c->name, (unsigned long long)first, x->verdict.detail);
        ck_assert(x->size <= x->capacity);
        instance_free(x);
        seed = first >> 32;
    }
}
END_TEST

/* Codewords kept or not, one thread or several, kernels of any CPU: the same bytes. */
START_TEST(proofs_are_deterministic) {
    const opening_case *c = &cases[_i];
    uint8_t *reference = NULL;
    size_t size = 0;
    const mica_cpu_level best = mica_cpu_level_get();
    for (unsigned variant = 0; variant < 4 * (unsigned)(best + 1); variant++) {
        parallel_set_workers(variant & 1 ? 3 : 1);
        mica_cpu_limit((mica_cpu_level)(variant / 4));
        seed = 77;
        instance *x = instance_new(c, variant >> 1 & 1);
        prove(x);
        if (reference) {
            ck_assert_msg(x->size == size && memcmp(x->proof, reference, size) == 0, "%s variant %u", c->name,
                          variant);
        } else {
            size = x->size;
            reference = malloc(size);
            memcpy(reference, x->proof, size);
        }
        instance_free(x);
    }
    parallel_set_workers(0);
    mica_cpu_limit(best);
    free(reference);
}
END_TEST

/* A matrix that is also there as 16-bit words, of which some chunks are too large: the same bytes. */
START_TEST(narrow_matrices_change_nothing) {
    static const opening_case c = {
        "narrow rows", 1, {{3, NARROW_CHUNK_VARS, 1, ODD_COUNT}}, 1, {{4, 2}}, 37, 0};
    uint8_t *reference = NULL;
    size_t size = 0;
    const mica_cpu_level best = mica_cpu_level_get();
    seed = 99;
    instance *x = instance_new(&c, false);
    narrow_matrix *m = narrow_make(x->matrix[0], (size_t)8 << NARROW_CHUNK_VARS);
    ck_assert(m && m->chunk[6].cell && m->chunk[3].cell && !m->chunk[0].cell && !m->chunk[2].cell);
    for (unsigned variant = 0; variant < 4 * (unsigned)(best + 1); variant++) {
        parallel_set_workers(variant & 1 ? 3 : 1);
        mica_cpu_limit((mica_cpu_level)(variant / 4));
        x->group[0].narrow = variant & 2 ? m : NULL;
        prove(x);
        if (!reference) {
            ck_assert(verify(x));
            size = x->size;
            reference = malloc(size);
            memcpy(reference, x->proof, size);
        }
        ck_assert_msg(x->size == size && memcmp(x->proof, reference, size) == 0, "variant %u", variant);
    }
    parallel_set_workers(0);
    mica_cpu_limit(best);
    free(reference);
    narrow_free(m);
    instance_free(x);
}
END_TEST

START_TEST(expected_size_is_the_mean) {
    seed = 5;
    const opening_case *c = &cases[_i];
    uint64_t total = 0;
    size_t expected = 0;
    const unsigned runs = 40;
    instance *x = instance_new(c, true);
    pcs_proof_bytes(&x->p, &expected);
    for (unsigned i = 0; i < runs; i++) {
        /* Proofs of a false claim: only the challenges and thereby the query sets differ. */
        x->claim[0].value.v[3] = i;
        prove(x);
        total += x->size;
    }
    const uint64_t mean = total / runs;
    ck_assert_msg(mean * 100 < expected * 106 && mean * 106 > expected * 100, "%s: mean %llu, expected %zu",
                  c->name, (unsigned long long)mean, expected);
    instance_free(x);
}
END_TEST

/* --- corrupted --- */

START_TEST(wrong_value_is_rejected) {
    seed = 11;
    instance *x = instance_new(&cases[_i], true);
    prove(x);
    for (size_t j = 0; j < x->n_claims; j++) {
        const qm31 value = x->claim[j].value;
        x->claim[j].value.v[j % 4] = m31_add(value.v[j % 4], 1);
        ck_assert_msg(!verify(x), "%s: claim %zu", x->c->name, j);
        x->claim[j].value = value;
    }
    ck_assert(verify(x));
    instance_free(x);
}
END_TEST

/* The prover follows the protocol for a value that is wrong: both sides agree on the transcript. */
START_TEST(false_claim_is_rejected) {
    seed = 12;
    instance *x = instance_new(&cases[_i], true);
    for (size_t j = 0; j < x->n_claims; j++) {
        const qm31 value = x->claim[j].value;
        x->claim[j].value.v[j % 4] = m31_add(value.v[j % 4], 1);
        prove(x);
        expect_rejected(x, MICA_REJECT_OPENING, "a false claim");
        x->claim[j].value = value;
    }
    instance_free(x);
}
END_TEST

START_TEST(every_byte_counts) {
    seed = 13;
    instance *x = instance_new(&cases[_i], true);
    prove(x);
    for (size_t at = 0; at < x->size; at++) {
        const uint8_t flip = (uint8_t)(1u << (at % 8));
        x->proof[at] ^= flip;
        ck_assert_msg(!verify(x), "%s: byte %zu", x->c->name, at);
        x->proof[at] ^= flip;
    }
    ck_assert(verify(x));
    instance_free(x);
}
END_TEST

START_TEST(other_lengths_are_rejected) {
    seed = 14;
    instance *x = instance_new(&cases[_i], true);
    prove(x);
    const size_t step = x->size > 400 ? x->size / 200 : 1;
    for (size_t size = 0; size < x->size; size += step) {
        uint8_t *exact = malloc(size ? size : 1); /* so that a sanitizer sees a read beyond it */
        memcpy(exact, x->proof, size);
        ck_assert_msg(!verify_bytes(x, exact, size), "%s: %zu of %zu bytes", x->c->name, size, x->size);
        ck_assert_int_eq(x->verdict.code, MICA_REJECT_MALFORMED);
        free(exact);
    }
    x->proof[x->size++] = 0;
    expect_rejected(x, MICA_REJECT_MALFORMED, "a trailing byte");
    instance_free(x);
}
END_TEST

START_TEST(other_root_is_rejected) {
    seed = 15;
    instance *x = instance_new(&cases[_i], true);
    prove(x);
    /* The transcript absorbs the root here; in the weights' case the vk digest does. Both must notice. */
    for (unsigned g = 0; g < x->p.n_groups; g++) {
        x->root[g][7] ^= 16;
        ck_assert(!verify(x));
        x->root[g][7] ^= 16;
    }
    instance_free(x);
}
END_TEST

START_TEST(too_small_buffer_is_reported) {
    seed = 16;
    instance *x = instance_new(&cases[_i], true);
    mica_channel ch;
    prove(x);
    channel_init_write(&ch, x->proof, x->size - 1);
    absorb_roots(x, &ch);
    ck_assert(!pcs_open(&ch, &x->p, x->group, x->claim, x->n_claims, &x->arena, &x->st));
    ck_assert_int_eq(x->st.code, MICA_ERR_MEMORY);
    instance_free(x);
}
END_TEST

START_TEST(misuse_is_refused) {
    seed = 30;
    instance *x = instance_new(&cases[6], true);
    const pcs_params good = x->p;
    const uint32_t descending[] = {3, 1};
    ck_assert(pcs_claims_wellformed(&good, x->claim, x->n_claims));
    ck_assert(!pcs_claims_wellformed(&good, x->claim, 0));
    for (unsigned i = 0; i < 12; i++) {
        pcs_params p = good;
        switch (i) {
        case 0:
            p.group[0].n_present = 0;
            break;
        case 1:
            p.group[0].n_present = 2, p.group[0].present = descending;
            break;
        case 2:
            p.group_queries[1] = 0;
            break;
        case 3:
            p.group_offset[1] ^= 1;
            break;
        case 4:
            p.level[0].row_vars++;
            break;
        case 5:
            p.level[0].queries = 0;
            break;
        case 6:
            p.level[0].rate_bits = 0;
            break;
        case 7:
            p.final_vars++;
            break;
        case 8:
            p.message_vars++;
            break;
        case 9:
            p.n_levels = PCS_MAX_LEVELS + 1;
            break;
        case 10:
            p.n_groups = 0;
            break;
        default:
            p.query_pow_bits = 41;
            break;
        }
        ck_assert_msg(!pcs_params_wellformed(&p), "field %u", i);
    }
    mica_channel ch;
    channel_init_read(&ch, x->proof, 0, &x->verdict);
    ck_assert(
        !pcs_verify(&ch, &good, (const uint8_t(*)[MERKLE_DIGEST])x->root, x->claim, 0, &x->arena, &x->st));
    ck_assert_int_eq(x->st.code, MICA_ERR_INTERNAL);
    x->st = (mica_status){MICA_OK, ""};
    x->claim[0].group = good.n_groups;
    ck_assert(!pcs_open(&ch, &good, x->group, x->claim, x->n_claims, &x->arena, &x->st));
    ck_assert_int_eq(x->st.code, MICA_ERR_INTERNAL);
    instance_free(x);
}
END_TEST

static void add_tests(TCase *c) {
    tcase_add_loop_test(c, honest_is_accepted, 0, (int)COUNT(cases));
    tcase_add_loop_test(c, proofs_are_deterministic, 0, (int)COUNT(cases));
    tcase_add_test(c, narrow_matrices_change_nothing);
    tcase_add_loop_test(c, expected_size_is_the_mean, 0, (int)COUNT(cases));
    tcase_add_loop_test(c, wrong_value_is_rejected, 0, (int)COUNT(cases));
    tcase_add_loop_test(c, false_claim_is_rejected, 0, (int)COUNT(cases));
    tcase_add_loop_test(c, every_byte_counts, 0, (int)COUNT(cases));
    tcase_add_loop_test(c, other_lengths_are_rejected, 0, (int)COUNT(cases));
    tcase_add_loop_test(c, other_root_is_rejected, 0, (int)COUNT(cases));
    tcase_add_loop_test(c, too_small_buffer_is_reported, 0, (int)COUNT(cases));
    tcase_add_test(c, misuse_is_refused);
}

int main(void) {
    return run_suite("pcs", add_tests);
}
