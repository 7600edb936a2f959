/* {"input_data": [[0.1, 0.2, ...], ...]}: list k holds graph input k, flat and row-major. Other keys are
 * ignored. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "io/readers.h"

static bool read_list(tensor_data *t, const json_t *list, const char *key, uint32_t index, const char *path,
                      mica_status *st) {
    size_t n = json_array_size(list); /* 0 also for anything that is not a list */
    if (n == 0)
        return mica_fail(st, MICA_ERR_FORMAT, "%.800s: %s[%u] is not a list of numbers or is empty", path,
                         key, index);
    t->rank = 1;
    t->dim[0] = (int64_t)n;
    if (!tensor_data_allocate(t, path, st))
        return false;
    for (size_t i = 0; i < n; i++) {
        const json_t *x = json_array_get(list, i);
        if (!json_is_number(x) && !json_is_boolean(x))
            return mica_fail(st, MICA_ERR_FORMAT,
                             "%.800s: %s[%u][%zu] is not a number; each list is flat, in row-major order",
                             path, key, index, i);
        t->value[i] = json_is_boolean(x) ? json_boolean_value(x) : json_number_value(x);
    }
    return true;
}

static bool read_lists(tensor_data **out, uint32_t *n_out, const json_t *root, const char *key,
                       const char *path, mica_status *st) {
    const json_t *lists = json_object_get(root, key);
    size_t n = json_array_size(lists);
    if (n == 0 || n > TENSOR_MAX_PORTS)
        return mica_fail(st, MICA_ERR_FORMAT, "%.800s: expected {\"%s\": [[...], ...]} with 1 to %d lists",
                         path, key, TENSOR_MAX_PORTS);
    tensor_data *t = calloc(n, sizeof *t);
    if (!t)
        return mica_fail(st, MICA_ERR_MEMORY, "%.800s: out of memory", path);
    for (uint32_t k = 0; k < n; k++)
        if (!read_list(&t[k], json_array_get(lists, k), key, k, path, st)) {
            for (uint32_t j = 0; j <= k; j++)
                tensor_data_free(&t[j]);
            free(t);
            return false;
        }
    *out = t;
    *n_out = (uint32_t)n;
    return true;
}

bool tensor_json_parse(tensor_data **t, uint32_t *n, const char *key, const uint8_t *bytes, size_t size,
                       const char *path, mica_status *st) {
    json_error_t error;
    json_t *root = json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return mica_fail(st, MICA_ERR_FORMAT, "%s:%d: not valid JSON: %s", path, error.line, error.text);
    bool ok = read_lists(t, n, root, key, path, st);
    json_decref(root);
    return ok;
}
