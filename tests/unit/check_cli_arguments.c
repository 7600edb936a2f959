/* Options of a command by their table. */
#include "mica/arguments.h"

#include <check.h>
#include <string.h>

#include "suite.h"

typedef struct job {
    bool loud, help;
    uint32_t count;
    const char *name;
    mica_arguments list;
} job;

static const mica_option options[] = {
    {"loud", 'l', MICA_OPTION_FLAG, offsetof(job, loud), 0, 0, NULL, "a flag", 0},
    {"count", 0, MICA_OPTION_NUMBER, offsetof(job, count), 2, 9, "N", "a number", 0},
    {"name", 'n', MICA_OPTION_TEXT, offsetof(job, name), 0, 0, "NAME", "a text", 0},
    {"item", 0, MICA_OPTION_LIST, offsetof(job, list), 0, 0, "ITEM=SOME_LONG_VALUE", "a list", 0},
    MICA_OPTION_HELP(job, help),
};
static const mica_command command = {"thing", "usage: thing\n", options, sizeof options / sizeof *options,
                                     "notes\n"};

/* argv is NULL-terminated and begins with the command; getopt reorders it. */
static bool parse(job *j, char **argv, int *operands, mica_status *st) {
    int argc = 0;
    while (argv[argc])
        argc++;
    memset(j, 0, sizeof *j);
    memset(st, 0, sizeof *st);
    j->count = 5;
    return mica_arguments_parse(&command, j, argc, argv, operands, st);
}

START_TEST(options_fill_their_fields) {
    char *argv[] = {"thing", "first", "--item", "a",      "-l", "--count=7",
                    "-n",    "x",     "second", "--item", "b",  NULL};
    job j;
    mica_status st;
    int operands;
    ck_assert_msg(parse(&j, argv, &operands, &st), "%s", st.message);
    ck_assert(j.loud && !j.help);
    ck_assert_uint_eq(j.count, 7);
    ck_assert_str_eq(j.name, "x");
    ck_assert_uint_eq(j.list.n, 2);
    ck_assert_str_eq(j.list.item[0], "a");
    ck_assert_str_eq(j.list.item[1], "b");
    ck_assert_str_eq(argv[operands], "first");
    ck_assert_str_eq(argv[operands + 1], "second");
    mica_arguments_free(&command, &j);
    ck_assert_ptr_null(j.list.item);
}
END_TEST

START_TEST(defaults_stay) {
    char *argv[] = {"thing", NULL};
    job j;
    mica_status st;
    int operands;
    ck_assert(parse(&j, argv, &operands, &st));
    ck_assert_uint_eq(j.count, 5);
    ck_assert_int_eq(operands, 1);
}
END_TEST

START_TEST(misuse_is_refused_by_name) {
    static char *argv[][5] = {
        {"thing", "--soft", NULL},        {"thing", "-x", NULL},
        {"thing", "--name", NULL},        {"thing", "--count", "1", NULL},
        {"thing", "--count", "10", NULL}, {"thing", "--count", "+3", NULL},
        {"thing", "--count", "3x", NULL}, {"thing", "--count", "", NULL},
        {"thing", "--loud=yes", NULL},
    };
    static const char *const named[] = {"--soft",  "-x",      "--name",  "--count",   "--count",
                                        "--count", "--count", "--count", "--loud=yes"};
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        job j;
        mica_status st;
        int operands;
        ck_assert_msg(!parse(&j, argv[i], &operands, &st), "case %zu", i);
        ck_assert_int_eq(st.code, MICA_ERR_USAGE);
        ck_assert_msg(strstr(st.message, named[i]) != NULL, "case %zu: %s", i, st.message);
        mica_arguments_free(&command, &j);
    }
}
END_TEST

/* A table that is too long is a mistake of ours, which no command line can bring about: nothing is parsed. */
START_TEST(tables_have_a_bound) {
    static mica_option many[33];
    const mica_command crowded = {"thing", "usage: thing\n", many, sizeof many / sizeof *many, NULL};
    char *argv[] = {"thing", NULL};
    job j = {0};
    mica_status st = {0};
    int operands;
    ck_assert(!mica_arguments_parse(&crowded, &j, 1, argv, &operands, &st));
    ck_assert_int_eq(st.code, MICA_ERR_INTERNAL);
}
END_TEST

START_TEST(usage_lists_every_option) {
    char text[1024] = "";
    FILE *f = fmemopen(text, sizeof text, "w");
    ck_assert_ptr_nonnull(f);
    mica_arguments_usage(&command, f);
    (void)fclose(f);
    ck_assert_str_eq(text, "usage: thing\n"
                           "  -l, --loud       a flag\n"
                           "  --count N        a number\n"
                           "  -n, --name NAME  a text\n"
                           "  --item ITEM=SOME_LONG_VALUE\n"
                           "                   a list\n"
                           "  -h, --help       print this\n"
                           "notes\n");
}
END_TEST

int main(void) {
    Suite *s = suite_create("arguments");
    TCase *t = tcase_create("arguments");
    tcase_add_test(t, options_fill_their_fields);
    tcase_add_test(t, defaults_stay);
    tcase_add_test(t, misuse_is_refused_by_name);
    tcase_add_test(t, tables_have_a_bound);
    tcase_add_test(t, usage_lists_every_option);
    suite_add_tcase(s, t);
    return suite_run(s);
}
