/* ONNX files that are imported, or refused with a message. */
#ifndef MICA_TESTS_IMPORT_KIT_H
#define MICA_TESTS_IMPORT_KIT_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "graph/onnx_types.h"
#include "graph/passes.h"
#include "onnx_writer.h"
#include "ops/ops.h"
#include "suite.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define DIMS(...)                                                                                            \
    (uint32_t) COUNT(((int64_t[]){__VA_ARGS__})), (int64_t[]) {                                              \
        __VA_ARGS__                                                                                          \
    }

static char folder[] = "/tmp/mica-import-XXXXXX";

static inline const char *in_folder(const char *name) {
    static char path[8][512];
    static unsigned next;
    next = (next + 1) % 8;
    (void)snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
    return path[next];
}

static inline void import(graph *g, onnx_writer *w) {
    mica_status st = {0};
    ow_save(w, in_folder("m.onnx"));
    ck_assert_msg(onnx_import(g, in_folder("m.onnx"), NULL, 0, &st), "%s", st.message);
}

static inline void expect_refused_bytes(const void *data, size_t n, mica_code code, const char *word) {
    mica_status st = {0};
    graph g;
    write_file(in_folder("m.onnx"), data, n);
    bool ok = onnx_import(&g, in_folder("m.onnx"), NULL, 0, &st);
    ck_assert_msg(!ok, "imported, expected: %s", word);
    ck_assert_msg(st.code == code && strstr(st.message, word), "code %d '%s'; expected %d '%s'", (int)st.code,
                  st.message, (int)code, word);
}

static inline void expect_refused(onnx_writer *w, mica_code code, const char *word) {
    bytes model = ow_finish(w);
    expect_refused_bytes(model.p, model.n, code, word);
    free(model.p);
}

/* Imports, infers, and expects inference to fail. */
static inline void expect_not_inferred(onnx_writer *w, mica_code code, const char *word) {
    mica_status st = {0};
    graph g;
    import(&g, w);
    ck_assert_msg(!graph_infer_shapes(&g, &st), "inferred, expected: %s", word);
    ck_assert_msg(st.code == code && strstr(st.message, word), "code %d '%s'; expected %d '%s'", (int)st.code,
                  st.message, (int)code, word);
    graph_free(&g);
}

static inline const graph_value *find_value(const graph *g, const char *name) {
    for (uint32_t v = 0; v < g->n_values; v++)
        if (!strcmp(g->value[v].name, name))
            return &g->value[v];
    ck_abort_msg("no value '%s'", name);
    return NULL;
}

/* Removes the folder and what the tests leave in it. */
static inline void import_folder_remove(void) {
    static const char *const files[] = {"m.onnx", "h.onnx", "i.onnx", "free.onnx", "data.bin", "link.bin"};
    for (size_t i = 0; i < COUNT(files); i++)
        (void)unlink(in_folder(files[i]));
    (void)rmdir(in_folder("sub"));
    (void)rmdir(folder);
}

#endif
