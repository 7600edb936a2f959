/* Operator conformance: every test of a folder of ONNX operator tests is imported, lowered with its own input
 * as the only calibration sample, proved (the circuit computed by the interpreter), verified, and compared
 * with the stored outputs: integers exactly, floats within what the compile promised, which is at most 1 %
 * of the output's range (node_test.c). Inputs are frozen where the compiler asks for it (--const), and only
 * then. Each test runs in a process of its own.
 *
 *   node_tests FOLDER [--refused LIST] [--json FILE] [--markdown FILE] [--only NAME]
 *
 * A test that the compiler refuses passes only if LIST names it with its reason; a test in LIST that passes
 * is an error too, so that the list stays true. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node_table.h"

/* --- the list of refused tests --- */

/* Lines "test_name: reason"; '#' begins a comment. NULL if the test is not in it. */
static const char *refusal_reason(char *const *line, size_t n, const char *name) {
    const size_t length = strlen(name);
    for (size_t i = 0; i < n; i++) {
        if (strncmp(line[i], name, length) == 0 && line[i][length] == ':')
            return line[i] + length + 2;
    }
    return NULL;
}

static size_t read_lines(const char *path, char **line, size_t most) {
    size_t n = 0;
    FILE *f = path ? fopen(path, "r") : NULL;
    char buffer[512];
    while (f && n < most && fgets(buffer, sizeof buffer, f)) {
        buffer[strcspn(buffer, "\n")] = 0;
        if (buffer[0] && buffer[0] != '#')
            line[n++] = strdup(buffer);
    }
    if (f)
        (void)fclose(f);
    return n;
}

/* --- main --- */

typedef struct settings {
    const char *folder, *refused, *json, *markdown, *only;
} settings;

static bool parse(settings *s, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        const char **to = NULL;
        if (strcmp(argv[i], "--refused") == 0)
            to = &s->refused;
        else if (strcmp(argv[i], "--json") == 0)
            to = &s->json;
        else if (strcmp(argv[i], "--markdown") == 0)
            to = &s->markdown;
        else if (strcmp(argv[i], "--only") == 0)
            to = &s->only;
        else if (argv[i][0] == '-' || s->folder)
            return false;
        else
            s->folder = argv[i];
        if (to && ++i < argc)
            *to = argv[i];
    }
    return s->folder != NULL;
}

static node_test test_of(const settings *s, const json_t *entry) {
    node_test t = {.folder = s->folder};
    size_t i;
    json_t *k;
    t.name = json_string_value(json_object_get(entry, "name"));
    t.file = json_string_value(json_object_get(entry, "use"));
    const bool uses_frozen = strcmp(t.file, "model.onnx") != 0;
    t.integer = strcmp(json_string_value(json_object_get(entry, "kind")), "integer") == 0;
    t.half = !json_object_get(entry, "dtypes"); /* the folder does not say */
    json_array_foreach(json_object_get(entry, "dtypes"), i, k) t.half |=
        strstr(json_string_value(k), "float16") != NULL;
    json_array_foreach(json_object_get(entry, "frozen_inputs"), i, k) {
        if (uses_frozen && json_integer_value(k) < MAX_PORTS)
            t.frozen[json_integer_value(k)] = true;
    }
    return t;
}

/* Whether the result is what is expected; prints what is not. */
static bool judge(const node_test *t, const result *r, const char *reason) {
    if ((r->outcome == OUTCOME_PASS || r->outcome == OUTCOME_SETTLED) && reason)
        (void)printf("%s passes, but the list of refused tests names it\n", t->name);
    else if (r->outcome == OUTCOME_REFUSED && !reason)
        (void)printf("%s is refused: %s\n", t->name, r->message);
    else if (r->outcome == OUTCOME_WRONG)
        (void)printf("%s is WRONG: %s\n", t->name, r->message);
    else
        return true;
    return false;
}

int main(int argc, char **argv) {
    settings s = {0};
    if (!parse(&s, argc, argv)) {
        (void)fprintf(
            stderr,
            "usage: node_tests FOLDER [--refused LIST] [--json FILE] [--markdown FILE] [--only NAME]\n");
        return 2;
    }
    char path[4096], *refused[1024];
    json_error_t error;
    (void)snprintf(path, sizeof path, "%s/INDEX.json", s.folder);
    json_t *index = json_load_file(path, 0, &error);
    const json_t *tests = json_object_get(index, "tests");
    if (!tests) {
        (void)fprintf(stderr, "%s: %s\n", path, error.text);
        return 2;
    }
    const size_t n_refused = read_lines(s.refused, refused, 1024);
    node_table *table = node_table_create();
    size_t i;
    unsigned count[OUTCOMES] = {0}, all = 0, unexpected = 0;
    json_t *entry;
    json_array_foreach(tests, i, entry) {
        const node_test t = test_of(&s, entry);
        if (s.only && strcmp(s.only, t.name) != 0)
            continue;
        const result r = node_test_run(&t);
        const char *reason = refusal_reason(refused, n_refused, t.name);
        count[r.outcome]++;
        all++;
        unexpected += !judge(&t, &r, reason);
        node_table_add(table, json_string_value(json_object_get(entry, "op")), &t, &r);
    }
    for (i = 0; i < n_refused; i++)
        free(refused[i]);
    (void)printf(
        "operator tests: %u compiled, proved, verified and equal, %u equal constants with nothing to "
        "prove, %u refused, %u wrong\n",
        count[OUTCOME_PASS], count[OUTCOME_SETTLED], count[OUTCOME_REFUSED], count[OUTCOME_WRONG]);
    if (s.markdown)
        node_table_write(table, s.markdown);
    if (s.json) {
        json_t *out = json_pack("{s:i,s:i,s:i}", "passed", (int)(all - unexpected), "failed", (int)unexpected,
                                "skipped", 0);
        (void)json_dump_file(out, s.json, JSON_INDENT(1));
        json_decref(out);
    }
    node_table_free(table);
    json_decref(index);
    return unexpected != 0;
}
