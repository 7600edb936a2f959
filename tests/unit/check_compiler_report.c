/* The HTML report: text that is made harmless, and the drawing of a circuit. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emit/template.h"
#include "report/html_words.h"
#include "report/report_graph.h"
#include "suite.h"

/* What the bytes become on a page. */
static void shown(const char *words, size_t size, char *out, size_t room) {
    mica_status st = {0};
    pool memory;
    text page;
    pool_create(&memory, &st);
    text_create(&page, &st);
    static const char form[] = "/*@example*/\n#define WORDS x\n/*@end*/\n/*@body*/\nWORDS\n/*@end*/\n";
    char folder[] = "/tmp/mica-report-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/form", folder);
    ck_assert(file_write(path, form, sizeof form - 1, &st));
    scope *s = scope_create(&memory);
    template_set set = {.directory = folder, .pool = &memory};
    html_set_bytes(s, "WORDS", words, size);
    ck_assert(template_render(&set, "form", s, &page, &st));
    (void)snprintf(out, room, "%.*s", (int)page.size - 1, page.bytes);
    ck_assert_int_eq(remove(path), 0);
    ck_assert_int_eq(remove(folder), 0);
    text_free(&page);
    pool_free(&memory);
}

static const struct {
    const char *words, *shown;
} cases[] = {
    {"conv1", "conv1"},
    {"", ""},
    {"<script>alert(\"x\")</script>", "&#60;script&#62;alert(&#34;x&#34;)&#60;/script&#62;"},
    {"a&amp;'`", "a&#38;amp;&#39;&#96;"},
    {"\xe5\x8d\xb7\xe7\xa7\xaf \xc3\xa9 \xf0\x9f\x99\x82",
     "\xe5\x8d\xb7\xe7\xa7\xaf \xc3\xa9 \xf0\x9f\x99\x82"},
    {"a\nb\x1b[0m\x7f", "a\xef\xbf\xbd"
                        "b\xef\xbf\xbd[0m\xef\xbf\xbd"},
    {"cut \xe5\x8d", "cut \xef\xbf\xbd\xef\xbf\xbd"}, /* ends within a character */
    {"\xc0\xbcscript\xc0\xbe",
     "\xef\xbf\xbd\xef\xbf\xbdscript\xef\xbf\xbd\xef\xbf\xbd"},               /* overlong < and > */
    {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},                 /* half a pair */
    {"\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* beyond Unicode */
    {"a\xe2\x80\xae"
     "b\xe2\x80\xac\xc2\x85",
     "a\xef\xbf\xbd"
     "b\xef\xbf\xbd\xef\xbf\xbd"}, /* reordering and its end, C1 */
};

START_TEST(text_is_made_harmless) {
    char out[512];
    shown(cases[_i].words, strlen(cases[_i].words), out, sizeof out);
    ck_assert_str_eq(out, cases[_i].shown);
}
END_TEST

START_TEST(long_text_is_cut_between_characters) {
    char words[3000], out[600];
    for (size_t fill = 0; fill < 6; fill++) {
        memset(words, 'a', sizeof words);
        for (size_t i = fill; i + 1 < sizeof words; i += 2)
            memcpy(words + i, "\xc3\xa9", 2);
        shown(words, sizeof words, out, sizeof out);
        const size_t n = strlen(out);
        ck_assert_uint_ge(n, 400);
        ck_assert_str_eq(out + n - 3, "\xe2\x80\xa6");
        ck_assert_uint_eq((n - 3 - fill) % 2, 0);
    }
}
END_TEST

/* No edge passes a row on its own lane, and rows are read by later ones only. */
static void check_lanes(const report_graph *g) {
    for (uint32_t e = 0; e < g->n_edges; e++) {
        const report_edge *x = &g->edge[e];
        ck_assert_uint_lt(x->from, x->to);
        ck_assert_uint_lt(x->to, g->n_rows);
        for (uint32_t r = x->from + 1; r < x->to; r++)
            ck_assert_msg(g->row[r].lane != g->row[x->from].lane, "edge %u to %u passes row %u", x->from,
                          x->to, r);
    }
    for (uint32_t r = 0; r < g->n_rows; r++)
        ck_assert_uint_lt(g->row[r].lane, g->n_lanes);
}

/* A circuit of layers that each add earlier ones: reads[i] are the bits of the layers that layer i + 1 adds.
 */
static void draw(report_graph *g, const uint32_t *reads, uint32_t n) {
    mica_status st = {0};
    mica_tensor tensor[16];
    mica_linear linear[16];
    mica_term term[64];
    mica_port output = {.tensor = n};
    program p = {
        .circuit = {.tensor = tensor, .linear = linear, .term = term, .output = &output, .n_outputs = 1}};
    memset(tensor, 0, sizeof tensor);
    memset(linear, 0, sizeof linear);
    memset(term, 0, sizeof term);
    for (uint32_t i = 0; i < n; i++) {
        tensor[i + 1] = (mica_tensor){.kind = MICA_TENSOR_LINEAR, .layer = i + 1, .def = i};
        linear[i].first_term = p.circuit.n_terms;
        for (uint32_t j = 0; j <= i; j++) {
            if (reads[i] >> j & 1)
                term[p.circuit.n_terms++].tensor = j;
        }
        linear[i].n_terms = p.circuit.n_terms - linear[i].first_term;
    }
    p.circuit.n_layers = p.circuit.n_tensors = n + 1;
    p.circuit.n_linear = n;
    ck_assert(report_graph_make(g, &p, &st));
    check_lanes(g);
}

START_TEST(chains_are_one_lane) {
    report_graph g;
    draw(&g, (const uint32_t[]){1, 2, 4, 8}, 4);
    ck_assert_uint_eq(g.n_rows, 6); /* with the output */
    ck_assert_uint_eq(g.n_edges, 5);
    ck_assert_uint_eq(g.n_lanes, 1);
    report_graph_free(&g);
}
END_TEST

START_TEST(branches_join_again) {
    report_graph g;
    draw(&g, (const uint32_t[]){1, 2, 2, 2 | 8, 4 | 16}, 5);
    ck_assert_uint_eq(g.n_rows, 7);
    ck_assert_uint_eq(g.n_lanes, 3);
    ck_assert(g.row[6].is_output);
    ck_assert_uint_eq(g.row[6].lane, 0);
    report_graph_free(&g);
}
END_TEST

START_TEST(every_small_graph_is_drawn) {
    uint32_t reads[4];
    for (uint32_t code = 0; code < 2u * 4 * 8 * 16; code++) {
        report_graph g;
        reads[0] = code & 1;
        reads[1] = code >> 1 & 3;
        reads[2] = code >> 3 & 7;
        reads[3] = code >> 6 & 15;
        draw(&g, reads, 4);
        report_graph_free(&g);
    }
}
END_TEST

int main(void) {
    Suite *s = suite_create("report");
    TCase *t = tcase_create("report");
    tcase_add_loop_test(t, text_is_made_harmless, 0, (int)(sizeof cases / sizeof *cases));
    tcase_add_test(t, long_text_is_cut_between_characters);
    tcase_add_test(t, chains_are_one_lane);
    tcase_add_test(t, branches_join_again);
    tcase_add_test(t, every_small_graph_is_drawn);
    suite_add_tcase(s, t);
    return suite_run(s);
}
