/* ONNX files that would cost much more memory or time than their bytes: each is refused by the limit that it
 * exceeds, before what it asks for is done. */
#define _GNU_SOURCE
#include <fcntl.h>

#include "import_kit.h"

enum { MESSAGES = 1 << 23, UNKNOWN_BYTES = 64 << 20, NAMES = GRAPH_MAX_ITEMS + 1, TENSORS = 1500000 };

/* n times the same two bytes. */
static bytes repeated(const char two[2], size_t n) {
    bytes b = {.p = malloc(2 * n), .n = 2 * n, .capacity = 2 * n};
    ck_assert_ptr_nonnull(b.p);
    for (size_t i = 0; i < n; i++)
        memcpy(b.p + 2 * i, two, 2);
    return b;
}

static void expect_graph_refused(bytes *content, mica_code code, const char *word) {
    bytes model = {0};
    put_message(&model, 7, content);
    expect_refused_bytes(model.p, model.n, code, word);
    free(model.p);
}

/* The model and its graph are two messages; the rest are nodes without content. */
START_TEST(messages_are_counted) {
    bytes content = repeated("\x0a\x00", MESSAGES - 1);
    expect_graph_refused(&content, MICA_ERR_LIMIT, "more than 8388608 messages");
}
END_TEST

/* Every initialiser of two bytes would become a structure of hundreds. */
START_TEST(unpacking_has_a_budget) {
    bytes content = repeated("\x2a\x00", TENSORS);
    expect_graph_refused(&content, MICA_ERR_LIMIT, "unpacking it takes more than 267 MB");
}
END_TEST

/* So do names: a node with more inputs than a graph has values is never seen. */
START_TEST(names_are_in_the_budget) {
    bytes content = {0}, node = repeated("\x0a\x00", NAMES);
    put_message(&content, 1, &node);
    expect_graph_refused(&content, MICA_ERR_LIMIT, "unpacking it takes more than 288 MB");
}
END_TEST

/* A file with a hole: `size` bytes of content in a field that ONNX does not have. */
static void expect_unknown(size_t size, mica_code code, const char *word) {
    mica_status st = {0};
    graph g;
    bytes head = {0};
    put_varint(&head, 200 << 3 | 2);
    put_varint(&head, size);
    const int fd = open(in_folder("h.onnx"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert(fd >= 0 && write(fd, head.p, head.n) == (ssize_t)head.n);
    ck_assert(ftruncate(fd, (off_t)(head.n + size)) == 0 && close(fd) == 0);
    ck_assert(!onnx_import(&g, in_folder("h.onnx"), NULL, 0, &st));
    ck_assert_msg(st.code == code && strstr(st.message, word), "code %d: %s", (int)st.code, st.message);
    free(head.p);
}

START_TEST(unknown_fields_are_counted) {
    expect_unknown(UNKNOWN_BYTES, MICA_ERR_LIMIT, "more than 64 MB in fields that are unknown here");
    expect_unknown(1 << 10, MICA_ERR_FORMAT, "it has no graph"); /* passed over */
}
END_TEST

int main(void) {
    Suite *s = suite_create("import limits");
    TCase *t = tcase_create("limits");
    if (!mkdtemp(folder))
        return EXIT_FAILURE;
    tcase_set_timeout(t, 120);
    tcase_add_test(t, messages_are_counted);
    tcase_add_test(t, unpacking_has_a_budget);
    tcase_add_test(t, names_are_in_the_budget);
    tcase_add_test(t, unknown_fields_are_counted);
    suite_add_tcase(s, t);
    const int code = suite_run(s);
    import_folder_remove();
    return code;
}
