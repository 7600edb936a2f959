#include "io/tensor_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/readers.h"
#include "io/whole_file.h"

void tensor_data_free(tensor_data *t) {
    free(t->value);
    memset(t, 0, sizeof *t);
}

bool tensor_data_allocate(tensor_data *t, const char *path, mica_status *st) {
    t->count = 1;
    for (uint32_t i = 0; i < t->rank; i++) {
        if (t->dim[i] > 0 && t->count > 0 && (uint64_t)t->dim[i] > TENSOR_MAX_ELEMENTS / t->count)
            return mica_fail(st, MICA_ERR_LIMIT, "%.800s: more than %llu elements", path,
                             (unsigned long long)TENSOR_MAX_ELEMENTS);
        t->count *= (uint64_t)t->dim[i];
    }
    t->value = malloc((t->count + 1) * sizeof *t->value); /* count <= 2^28 */
    return t->value || mica_fail(st, MICA_ERR_MEMORY, "%.800s: out of memory for %llu elements", path,
                                 (unsigned long long)t->count);
}

static bool check_finite(const tensor_data *t, const char *path, mica_status *st) {
    for (uint64_t i = 0; i < t->count; i++)
        if (!isfinite(t->value[i]))
            return mica_fail(st, MICA_ERR_FORMAT,
                             "%.800s: element %llu is %s; only finite values can be proven", path,
                             (unsigned long long)i, isnan(t->value[i]) ? "not a number" : "infinite");
    return true;
}

bool tensor_file_read_any(tensor_data *t, const char *path, mica_status *st) {
    uint8_t *bytes;
    size_t size;
    memset(t, 0, sizeof *t);
    if (!whole_file_read(path, TENSOR_MAX_FILE, &bytes, &size, st))
        return false;
    bool npy = size >= 6 && memcmp(bytes, "\x93NUMPY", 6) == 0;
    bool ok = npy ? npy_parse(t, bytes, size, path, st) : tensor_pb_parse(t, bytes, size, path, st);
    free(bytes);
    if (!ok)
        tensor_data_free(t);
    return ok;
}

bool tensor_file_read(tensor_data *t, const char *path, mica_status *st) {
    if (!tensor_file_read_any(t, path, st))
        return false;
    const bool ok = t->count > 0 ? check_finite(t, path, st)
                                 : mica_fail(st, MICA_ERR_FORMAT, "%.800s: the tensor is empty", path);
    if (!ok)
        tensor_data_free(t);
    return ok;
}

bool tensor_json_read(tensor_data **t, uint32_t *n, const char *key, const char *path, mica_status *st) {
    uint8_t *bytes;
    size_t size;
    *t = NULL;
    *n = 0;
    if (!whole_file_read(path, TENSOR_MAX_JSON, &bytes, &size, st))
        return false;
    bool ok = tensor_json_parse(t, n, key, bytes, size, path, st); /* JSON numbers are finite */
    free(bytes);
    return ok;
}

tensor_spec tensor_spec_of_port(const mica_port *port) {
    tensor_spec spec;
    memset(&spec, 0, sizeof spec);
    spec.name = port->name;
    spec.batched = port->onnx_batched;
    spec.rank = port->onnx_rank;
    for (uint32_t i = 0; i < spec.rank; i++)
        spec.dim[i] = port->onnx_dim[i];
    return spec;
}

uint64_t tensor_spec_cells(const tensor_spec *spec) {
    uint64_t n = 1;
    for (uint32_t i = 0; i < spec->rank; i++)
        n *= (uint64_t)spec->dim[i];
    return n;
}

/* Whether the last axes of t are the item's. */
static bool tail_fits(const tensor_data *t, const tensor_spec *spec) {
    for (uint32_t i = 0; i < spec->rank; i++) {
        int64_t found = t->dim[t->rank - spec->rank + i];
        if (spec->dim[i] != -1 && spec->dim[i] != found)
            return false;
    }
    return true;
}

static uint64_t flat_items(uint64_t count, const tensor_spec *spec) {
    uint64_t cells = 1;
    for (uint32_t i = 0; i < spec->rank; i++) {
        if (spec->dim[i] < 1 ||
            (uint64_t)spec->dim[i] > count / cells) /* a free dimension, or cells > count */
            return 0;
        cells *= (uint64_t)spec->dim[i];
    }
    return count % cells == 0 ? count / cells : 0;
}

uint64_t tensor_items_in(const tensor_data *t, const tensor_spec *spec) {
    if (t->count == 0) /* no port is without elements, whatever a free dimension would admit */
        return 0;
    if (!t->has_shape)
        return flat_items(t->count, spec);
    uint32_t extra = t->rank - spec->rank;
    if (t->rank < spec->rank || extra > 2 || !tail_fits(t, spec))
        return 0;
    if (extra == 0)
        return 1;
    if (extra == 1)
        return (uint64_t)t->dim[0];
    /* samples stacked over items that keep their batch axis of 1 */
    return spec->batched && t->dim[1] == 1 ? (uint64_t)t->dim[0] : 0;
}

const char *tensor_shape_text(char *buffer, size_t size, const int64_t *dim, uint32_t rank, bool batched) {
    size_t used = (size_t)snprintf(buffer, size, batched ? "[B" : "[");
    for (uint32_t i = 0; i < rank && used < size; i++) {
        const char *comma = i > 0 || batched ? "," : "";
        int n = dim[i] < 0 ? snprintf(buffer + used, size - used, "%s?", comma)
                           : snprintf(buffer + used, size - used, "%s%lld", comma, (long long)dim[i]);
        used += (size_t)n;
    }
    if (used < size)
        (void)snprintf(buffer + used, size - used, "]");
    return buffer;
}
