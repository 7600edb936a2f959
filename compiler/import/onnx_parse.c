#include "import/onnx_parse.h"

#include <stdlib.h>

#include "file_read.h"
#include "import/onnx_scan.h"

#define MAX_FILE_BYTES (((uint64_t)1 << 31) - 1) /* protobuf's own limit */

/* A file of two-byte messages would unpack to a hundred times its size: memory is granted up to a budget. */
typedef struct memory_budget {
    size_t left;
    bool exceeded, failed;
} memory_budget;

static memory_budget budget_of(size_t file_size) {
    const size_t most = (size_t)1 << 30, three = file_size < most / 3 ? 3 * file_size : most;
    return (memory_budget){((size_t)256 << 20) + file_size + three, false, false};
}

static void *budget_alloc(void *budget, size_t size) {
    memory_budget *b = budget;
    b->exceeded |= size > b->left;
    if (b->exceeded)
        return NULL;
    b->left -= size;
    void *p = malloc(size ? size : 1);
    b->failed |= !p;
    return p;
}

static void budget_free(void *budget, void *p) {
    (void)budget;
    free(p);
}

void model_free(Onnx__ModelProto *m) {
    memory_budget unused = {0, false, false};
    ProtobufCAllocator a = {budget_alloc, budget_free, &unused};
    if (m)
        onnx__model_proto__free_unpacked(m, &a);
}

static Onnx__ModelProto *unpack(const uint8_t *bytes, size_t size, const char *path, mica_status *st) {
    memory_budget budget = budget_of(size);
    ProtobufCAllocator a = {budget_alloc, budget_free, &budget};
    Onnx__ModelProto *m = onnx__model_proto__unpack(&a, size, bytes);
    if (!m && budget.exceeded)
        mica_fail(st, MICA_ERR_LIMIT, "%.800s: unpacking it takes more than %zu MB", path,
                  budget_of(size).left >> 20);
    else if (!m && budget.failed)
        mica_fail(st, MICA_ERR_MEMORY, "%.800s: out of memory while unpacking it", path);
    else if (!m)
        mica_fail(st, MICA_ERR_FORMAT, "%.800s is not an ONNX model", path);
    return m;
}

Onnx__ModelProto *model_read(const char *path, digest_hash *digest, mica_status *st) {
    const ProtobufCMessageDescriptor *kind = &onnx__model_proto__descriptor;
    size_t size = 0;
    uint8_t *bytes =
        onnx_scan_file(kind, path, st) ? file_read(path, 0, FILE_READ_REST, MAX_FILE_BYTES, &size, st) : NULL;
    if (!bytes)
        return NULL;
    digest_u64(digest, size);
    digest_bytes(digest, bytes, size);
    Onnx__ModelProto *m = onnx_scan_bytes(kind, bytes, size, path, st) ? unpack(bytes, size, path, st) : NULL;
    free(bytes);
    if (m && !m->graph) {
        mica_fail(st, MICA_ERR_FORMAT, "%.800s is not an ONNX model: it has no graph", path);
        model_free(m);
        return NULL;
    }
    return m;
}
