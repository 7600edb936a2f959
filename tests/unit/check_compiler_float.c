/* The float model file: the same results as the graph it was written from, and hostile bytes. */
#include "graph/passes.h"
#include "reference/float_file.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

#define MODEL MICA_MODELS "/lenet5/lenet5.onnx"

/* Where the structure is: names and shapes before the weights, nodes behind them. */
enum { HEAD_BYTES = 400, TAIL_BYTES = 2000, MUTATIONS = 4000 };

static uint8_t *bytes;
static size_t size;

static void set_up(void) {
    graph g;
    mica_status st = {0};
    ck_assert(onnx_import(&g, MODEL, NULL, 0, &st));
    ck_assert(float_file_write(&g, &bytes, &size, &st));
    graph_free(&g);
}

static void tear_down(void) {
    free(bytes);
}

static uint64_t next_random(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

START_TEST(gives_the_graphs_results) {
    graph g;
    mica_status st = {0};
    uint64_t seed = 5;
    ck_assert(onnx_import(&g, MODEL, NULL, 0, &st) && graph_infer_shapes(&g, &st));
    double **value = graph_buffers_create(&g, &st);
    mica_float_model *m = mica_float_read(bytes, size, &st);
    ck_assert_msg(m != NULL, "%s", st.message);
    ck_assert_uint_eq(mica_float_inputs(m), 1);
    ck_assert_uint_eq(mica_float_outputs(m), 1);
    ck_assert_uint_eq(mica_float_input_cells(m, 0), 784);
    ck_assert_uint_eq(mica_float_output_cells(m, 0), 10);
    double in[784], out[10];
    for (unsigned i = 0; i < 784; i++)
        in[i] = (double)next_random(&seed) / 0x1p31;
    const double *const input[] = {in};
    double *const output[] = {out};
    ck_assert(graph_evaluate(&g, input, value, &st));
    ck_assert(mica_float_evaluate(m, input, output, &st));
    ck_assert_mem_eq(out, value[g.output[0]], sizeof out);
    mica_float_free(m);
    graph_buffers_free(&g, value);
    graph_free(&g);
}
END_TEST

START_TEST(is_written_back_the_same) {
    graph g;
    mica_status st = {0};
    uint8_t *again;
    size_t size_again;
    ck_assert(float_file_read(&g, bytes, size, &st));
    ck_assert(float_file_write(&g, &again, &size_again, &st));
    ck_assert_uint_eq(size, size_again);
    ck_assert_mem_eq(bytes, again, size);
    free(again);
    graph_free(&g);
}
END_TEST

/* In a buffer of its own size, so that a sanitizer sees overreads. */
static bool reads(const uint8_t *from, size_t n, mica_status *st) {
    uint8_t *exact = malloc(n ? n : 1);
    memcpy(exact, from, n);
    mica_float_model *m = mica_float_read(exact, n, st);
    free(exact);
    const bool ok = m != NULL;
    mica_float_free(m);
    return ok;
}

START_TEST(foreign_files_are_named) {
    mica_status magic = {0}, version = {0}, trailing = {0};
    uint8_t *longer = calloc(1, size + 1);
    memcpy(longer, bytes, size);
    ck_assert(!reads(longer, size + 1, &trailing) && trailing.code == MICA_ERR_FORMAT);
    longer[8] = 9;
    ck_assert(!reads(longer, size, &version) && version.code == MICA_ERR_FORMAT);
    ck_assert_ptr_nonnull(strstr(version.message, "version 9; this program reads version 1"));
    longer[0] = 'X';
    ck_assert(!reads(longer, size, &magic) && magic.code == MICA_ERR_FORMAT);
    free(longer);
}
END_TEST

START_TEST(cut_files_are_refused) {
    for (size_t n = 0; n < size; n += n < HEAD_BYTES || n + TAIL_BYTES > size ? 1 : 997) {
        mica_status st = {0};
        ck_assert_msg(!reads(bytes, n, &st), "%zu of %zu bytes", n, size);
        ck_assert_int_eq(st.code, MICA_ERR_FORMAT);
    }
}
END_TEST

START_TEST(survives_changes) {
    static const uint8_t values[] = {0, 1, 2, 0x7f, 0x80, 0xfe, 0xff};
    uint8_t *changed = malloc(size);
    uint64_t seed = 77;
    unsigned accepted = 0;
    for (unsigned i = 0; i < MUTATIONS; i++) {
        mica_status st = {0};
        memcpy(changed, bytes, size);
        for (uint64_t n = 1 + next_random(&seed) % 3; n > 0; n--) {
            const size_t at = next_random(&seed) % 4 == 0 ? next_random(&seed) % HEAD_BYTES
                                                          : size - 1 - next_random(&seed) % TAIL_BYTES;
            changed[at] = next_random(&seed) % 2 ? values[next_random(&seed) % sizeof values]
                                                 : (uint8_t)(changed[at] ^ (1u << next_random(&seed) % 8));
        }
        const bool ok = reads(changed, size, &st);
        accepted += ok;
        ck_assert(ok == (st.code == MICA_OK) && st.code != MICA_ERR_INTERNAL);
    }
    ck_assert_uint_gt(accepted, 0); /* names of nodes may be anything */
    free(changed);
}
END_TEST

int main(void) {
    Suite *s = suite_create("float");
    TCase *t = tcase_create("float");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, set_up, tear_down);
    tcase_add_test(t, gives_the_graphs_results);
    tcase_add_test(t, is_written_back_the_same);
    tcase_add_test(t, foreign_files_are_named);
    tcase_add_test(t, cut_files_are_refused);
    tcase_add_test(t, survives_changes);
    suite_add_tcase(s, t);
    return suite_run(s);
}
