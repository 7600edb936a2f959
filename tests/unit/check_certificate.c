/* Weight certificates: shapes and widths against an oracle that adds up the weights by the definition; parts;
 * files that are damaged or of something else. */
#include "certificate_kit.h"

START_TEST(honest) {
    const shape *s = &shapes[_i];
    kit k;
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    mica_certificate_report r;
    build(&k, s);
    ck_assert_msg(mica_certificate_report_make(&k.vk, &r, &st), "%s: %s", s->name, st.message);
    ck_assert_uint_eq(r.tensors, 2);
    ck_assert_msg(make(&k, &file, &size, &st), "%s: %s", s->name, st.message);
    ck_assert_msg(verify(&k.vk, file, size, &v, &st), "%s: %s %s %s", s->name, mica_verdict_name(v.code),
                  v.detail, st.message);
    ck_assert_int_eq(v.code, MICA_ACCEPT);
    ck_assert_uint_le(size - CERTIFICATE_HEAD_BYTES, r.proof_bytes_max);
    (void)printf("%-16s %4zu weights, %u products, %llu rows: %zu bytes, %.1f bits\n", s->name, cells_in(s),
                 r.products, (unsigned long long)r.rows, size, r.proven_bits);
    free(file);
    kit_free(&k);
}
END_TEST

/* --- parts --- */

/* Every tensor is a part of its own: the bias, then the weights. */
START_TEST(parts) {
    const shape *s = &shapes[_i];
    mica_certificate_report whole, cut_up;
    mica_status st = {0};
    mica_verdict v;
    uint8_t *file, *other;
    size_t size, other_size;
    liar l;
    liar_begin(&l, s);
    ck_assert(certificate_report(&l.k.vk, part_lookups, &whole, &st));
    ck_assert(certificate_make(&l.k.vk, part_lookups, &l.weights, &other, &other_size, &st));
    part_lookups = 1;
    ck_assert_msg(certificate_report(&l.k.vk, part_lookups, &cut_up, &st), "%s: %s", s->name, st.message);
    ck_assert(whole.parts == 1 && cut_up.parts == 2 && cut_up.tensors == 2 &&
              cut_up.weights == whole.weights && cut_up.products == whole.products &&
              cut_up.rows == whole.rows);
    ck_assert(certificate_make(&l.k.vk, part_lookups, &l.weights, &file, &size, &st));
    ck_assert(verify(&l.k.vk, file, size, &v, &st));

    /* One part is not the whole, nor twice the same; nor are the parts of another cut. */
    const uint64_t first = load_u64(file + CERTIFICATE_HEAD_BYTES) + CERTIFICATE_LENGTH_BYTES;
    const size_t rest = size - CERTIFICATE_HEAD_BYTES - first;
    ck_assert(!verify(&l.k.vk, file, CERTIFICATE_HEAD_BYTES + first, &v, &st));
    ck_assert_int_eq(v.code, MICA_REJECT_MALFORMED);
    ck_assert(!verify(&l.k.vk, other, other_size, &v, &st) && v.code != MICA_ACCEPT);
    uint8_t *twice = malloc(CERTIFICATE_HEAD_BYTES + 2 * first + rest);
    memcpy(twice, file, CERTIFICATE_HEAD_BYTES + first);
    memcpy(twice + CERTIFICATE_HEAD_BYTES + first, file + CERTIFICATE_HEAD_BYTES, first);
    ck_assert(!verify(&l.k.vk, twice, CERTIFICATE_HEAD_BYTES + 2 * first, &v, &st) && v.code != MICA_ACCEPT);
    memcpy(twice + CERTIFICATE_HEAD_BYTES, file + CERTIFICATE_HEAD_BYTES + first, rest);
    memcpy(twice + CERTIFICATE_HEAD_BYTES + rest, file + CERTIFICATE_HEAD_BYTES, first);
    ck_assert(!verify(&l.k.vk, twice, size, &v, &st) && v.code != MICA_ACCEPT);
    free(twice);
    free(other);
    free(file);

    /* A lie in either is found. */
    for (uint32_t tensor = T_BIAS; tensor <= T_W; tensor++) {
        const range_end end = {"smallest weight", tensor, false};
        mica_tensor *x = &l.k.tensor[tensor];
        if (!is_reached(&l, s, &end))
            continue;
        x->lo++;
        rewrite_vk(&l.k);
        must_fail(&l, s->name, "in parts");
        x->lo--;
    }
    part_lookups = CERTIFICATE_PART_LOOKUPS;
    liar_end(&l);
}
END_TEST

/* --- certificates of something else --- */

START_TEST(other_parameters) {
    kit k, other;
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    build(&k, &shapes[0]);
    build(&other, &shapes[13]); /* the same weights, another bound */
    ck_assert_mem_eq(k.vk.weight_root, other.vk.weight_root, MICA_DIGEST_BYTES);
    ck_assert(make(&k, &file, &size, &st));
    ck_assert(!verify(&other.vk, file, size, &v, &st));
    ck_assert_int_eq(v.code, MICA_REJECT_STATEMENT);
    memcpy(file + 12, other.vk.digest, MICA_DIGEST_BYTES); /* says that it is theirs */
    ck_assert(!verify(&other.vk, file, size, &v, &st));
    ck_assert_int_ne(v.code, MICA_ACCEPT);
    memcpy(file + 12, k.vk.digest, MICA_DIGEST_BYTES);

    k.vk.weight_root[5] ^= 1; /* another commitment */
    rewrite_vk(&k);
    memcpy(file + 12, k.vk.digest, MICA_DIGEST_BYTES);
    ck_assert(!verify(&k.vk, file, size, &v, &st));
    ck_assert_int_ne(v.code, MICA_ACCEPT);
    ck_assert_int_eq(st.code, MICA_OK);
    free(file);
    kit_free(&other);
    kit_free(&k);
}
END_TEST

START_TEST(damaged) {
    kit k;
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    build(&k, &shapes[_i]);
    ck_assert(make(&k, &file, &size, &st));
    for (size_t i = 0; i < size; i += i < CERTIFICATE_HEAD_BYTES ? 1 : 97) {
        file[i] ^= (uint8_t)(1 << i % 8);
        st = (mica_status){0};
        ck_assert_msg(!verify(&k.vk, file, size, &v, &st), "byte %zu", i);
        ck_assert_msg(v.code != MICA_ACCEPT && (st.code == MICA_ERR_FORMAT) == (i < 12), "byte %zu", i);
        file[i] ^= (uint8_t)(1 << i % 8);
    }
    st = (mica_status){0};
    for (size_t n = 0; n < size; n += n < CERTIFICATE_HEAD_BYTES + 40 ? 1 : 211) {
        uint8_t *cut = malloc(n + 1); /* of its own: reads beyond it are seen */
        memcpy(cut, file, n);
        st = (mica_status){0};
        ck_assert_msg(!verify(&k.vk, cut, n, &v, &st), "%zu bytes", n);
        ck_assert((st.code == MICA_ERR_FORMAT) == (n < 12));
        free(cut);
    }
    uint8_t *longer = calloc(1, size + 1);
    memcpy(longer, file, size);
    st = (mica_status){0};
    ck_assert(!verify(&k.vk, longer, size + 1, &v, &st));
    ck_assert_int_eq(v.code, MICA_REJECT_MALFORMED);
    ck_assert(verify(&k.vk, file, size, &v, &st));
    free(longer);
    free(file);
    kit_free(&k);
}
END_TEST

/* A verifier asks for more bits than the parameters have. */
START_TEST(few_bits) {
    kit k;
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    build(&k, &shapes[0]);
    ck_assert(make(&k, &file, &size, &st));
    ck_assert(!mica_certificate_verify(&k.vk, file, size, NULL, &v, &st));
    ck_assert_int_eq(v.code, MICA_REJECT_SECURITY);
    free(file);
    kit_free(&k);
}
END_TEST

/* Parameters without weights: a head, and nothing behind it. */
START_TEST(no_weights) {
    kit k;
    uint8_t *file;
    size_t size;
    mica_status st = {0};
    mica_verdict v;
    kit_begin(&k, 1);
    const uint32_t x = kit_input(&k, -5, 5, (uint32_t[]){3, 0});
    const uint32_t y = kit_linear(&k, x, 0, -10, 10);
    kit_term(&k, x, 2, kit_identity(&k, x));
    kit_output(&k, y);
    ck_assert(kit_finish(&k, BITS));
    ck_assert(make(&k, &file, &size, &st));
    ck_assert_uint_eq(size, CERTIFICATE_HEAD_BYTES);
    ck_assert(verify(&k.vk, file, size, &v, &st));
    ck_assert(!verify(&k.vk, file, size - 1, &v, &st));
    file = realloc(file, size + 1);
    file[size] = 0;
    ck_assert(!verify(&k.vk, file, size + 1, &v, &st));
    ck_assert_int_eq(v.code, MICA_REJECT_MALFORMED);
    free(file);
    kit_free(&k);
}
END_TEST

int main(void) {
    Suite *s = suite_create("certificate");
    TCase *c = tcase_create("certificate");
    tcase_set_timeout(c, 300);
    tcase_add_loop_test(c, honest, 0, N_SHAPES);
    tcase_add_loop_test(c, parts, 0, N_SHAPES);
    tcase_add_test(c, other_parameters);
    tcase_add_loop_test(c, damaged, 0, 2);
    tcase_add_test(c, few_bits);
    tcase_add_test(c, no_weights);
    suite_add_tcase(s, c);
    return suite_run(s);
}
