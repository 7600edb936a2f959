/* The options of mica compile: what they mean, what is refused, and the way into the record and back. */
#include "commands/options.h"

#include <check.h>
#include <string.h>

#include "suite.h"

enum { MOST = 8 };

static bool parse(compile_request *r, const char *const *words, mica_status *st) {
    char *argv[MOST + 3] = {(char *)(uintptr_t) "compile"};
    int argc = 1;
    while (argc <= MOST && words[argc - 1]) {
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
        argc++;
    }
    memset(r, 0, sizeof *r);
    memset(st, 0, sizeof *st);
    return options_parse(r, argc, argv, st);
}

START_TEST(refused_by_name) {
    static const struct {
        const char *words[MOST];
        const char *said;
    } cases[] = {
        {{NULL}, "takes one model"},
        {{"m", "n"}, "takes one model"},
        {{"m", "--dump", "everything"}, "--dump everything: no such pass"},
        {{"m", "--model-id", ""}, "--model-id: empty"},
        {{"m", "--model-id", "a\nb"}, "control characters"},
        {{"m", "--model-id",
          "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567"
          "89"},
         "--model-id: at most"},
        {{"m", "--input-visibility", "a\x7f"}, "--input-visibility: empty, or with control characters"},
        {{"m", "--max-error", "1"}, "they need --calibration"},
        {{"m", "--min-agreement", "1"}, "they need --calibration"},
        {{"m", "--calibration", "c", "--max-error", "x"}, "--max-error x: expected a percentage"},
        {{"m", "--calibration", "c", "--max-error", "."}, "expected a percentage"},
        {{"m", "--calibration", "c", "--max-error", "1.2.3"}, "expected a percentage"},
        {{"m", "--calibration", "c", "--max-error", "-1"}, "expected a percentage"},
        {{"m", "--calibration", "c", "--max-error", "100.5"}, "from 0 to 100"},
        {{"m", "--calibration", "c", "--max-error", "0.0000000000000001"}, "expected a percentage"},
        {{"m", "--calibration", "c", "--min-agreement", "1%"}, "--min-agreement 1%: expected"},
        {{"m", "--ranges", "mse"}, "--ranges mse is measured on samples"},
        {{"m", "--calibration", "c", "--ranges", "least"}, "expected max, mse or percentile=P"},
        {{"m", "--calibration", "c", "--ranges", "percentile=0"}, "a percentage above 0"},
        {{"m", "--calibration", "c", "--ranges", "percentile="}, "expected a percentage"},
        {{"m", "--security", "121"}, "--security 121"},
        {{"m", "--dim", "N"}, "N"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        compile_request r;
        mica_status st;
        ck_assert_msg(!parse(&r, cases[i].words, &st), "case %zu", i);
        ck_assert_msg(st.code == MICA_ERR_USAGE && strstr(st.message, cases[i].said), "case %zu: code %d, %s",
                      i, (int)st.code, st.message);
        options_free(&r);
    }
}
END_TEST

START_TEST(meanings) {
    compile_request r;
    mica_status st;
    ck_assert_msg(
        parse(&r, (const char *[]){"--max-error", "12.5", "m", "--calibration", "c", "--ranges", "mse", NULL},
              &st),
        "%s", st.message);
    ck_assert_str_eq(r.model, "m");
    ck_assert(r.max_error_percent == 12.5 && r.min_agreement_percent < 0);
    ck_assert_int_eq(r.clipping.kind, CLIP_ERROR);
    options_free(&r);
    ck_assert(
        parse(&r, (const char *[]){"m", "--calibration", "c", "--ranges", "percentile=99.9", NULL}, &st));
    ck_assert_int_eq(r.clipping.kind, CLIP_PERCENTILE);
    ck_assert(r.clipping.percentile == 99.9);
    options_free(&r);
    ck_assert(parse(&r, (const char *[]){"m", "--ranges", "max", "--dump", "fold", NULL}, &st));
    ck_assert_int_ne(r.clipping.kind, CLIP_PERCENTILE);
    options_free(&r);
    ck_assert(parse(&r, (const char *[]){"--help", NULL}, &st) && r.help); /* no model is asked for */
    options_free(&r);
}
END_TEST

START_TEST(weights_are_embedded_up_to_a_limit) {
    char *argv[] = {(char *)(uintptr_t) "compile", (char *)(uintptr_t) "m",
                    (char *)(uintptr_t) "--weights-file"};
    for (int argc = 2; argc <= 3; argc++) {
        compile_request r = {.embed_limit = 7};
        mica_status st = {0};
        ck_assert_msg(options_parse(&r, argc, argv, &st), "%s", st.message);
        ck_assert_uint_eq(r.embed_limit, argc == 2 ? 7 : 0);
        options_free(&r);
    }
}
END_TEST

START_TEST(usage_names_every_group) {
    char text[8192] = "";
    FILE *f = fmemopen(text, sizeof text, "w");
    options_usage(f);
    (void)fclose(f);
    ck_assert_ptr_nonnull(strstr(text, "usage: mica compile MODEL.onnx"));
    ck_assert_ptr_nonnull(strstr(text, "--min-agreement PERCENT"));
    ck_assert_ptr_nonnull(strstr(text, "-q, --quiet"));
}
END_TEST

/* What was asked for is recorded, and the record asks for the same; of files it says nothing. */
START_TEST(record_and_back) {
    static const char *const words[] = {
        "m", "--dim", "N=3", "--input-visibility=committed", "--security=90", "--quiet", "--out=here", NULL};
    compile_request r, again = {0};
    mica_record record = {0}, second = {0};
    mica_status st;
    ck_assert_msg(parse(&r, words, &st), "%s", st.message);
    ck_assert(options_record(&r, &record, &st));
    ck_assert_str_eq(record.text, "option-dim N=3\noption-input-visibility committed\noption-security 90\n");
    ck_assert(mica_record_add(&record, "model", "not an option", &st));
    ck_assert_msg(options_replay(&again, &record, &st) && options_finish(&again, &st), "%s", st.message);
    ck_assert_uint_eq(again.security_bits, 90);
    ck_assert(again.n_dims == 1 && again.dims[0].size == 3);
    ck_assert(options_record(&again, &second, &st));
    ck_assert_str_eq(second.text, "option-dim N=3\noption-input-visibility committed\noption-security 90\n");
    mica_record_free(&record);
    mica_record_free(&second);
    options_free(&r);
    options_free(&again);
}
END_TEST

START_TEST(unknown_records_are_refused) {
    static const struct {
        const char *key, *value, *said;
        mica_code code;
    } cases[] = {
        {"option-colour", "red", "the option --colour, which this version does not know", MICA_ERR_FORMAT},
        {"option-quiet", "yes", "the option --quiet, which", MICA_ERR_FORMAT},
        {"option-security", "500", "--security 500: expected a number from 1 to 120", MICA_ERR_USAGE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        compile_request r = {0};
        mica_record record = {0};
        mica_status st = {0};
        ck_assert(mica_record_add(&record, cases[i].key, cases[i].value, &st));
        ck_assert(!options_replay(&r, &record, &st));
        ck_assert_msg(st.code == cases[i].code && strstr(st.message, cases[i].said), "case %zu: %s", i,
                      st.message);
        mica_record_free(&record);
        options_free(&r);
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("options");
    TCase *t = tcase_create("options");
    tcase_add_test(t, refused_by_name);
    tcase_add_test(t, meanings);
    tcase_add_test(t, weights_are_embedded_up_to_a_limit);
    tcase_add_test(t, usage_names_every_group);
    tcase_add_test(t, record_and_back);
    tcase_add_test(t, unknown_records_are_refused);
    suite_add_tcase(s, t);
    return suite_run(s);
}
