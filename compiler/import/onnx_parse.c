#include "import/onnx_parse.h"

#include <stdlib.h>

#include "file_read.h"

#define MAX_FILE_BYTES (((uint64_t)1 << 31) - 1) /* protobuf's own limit */
#define MAX_NESTING    48 /* messages within messages; 12 levels reach a subgraph's tensor */

/* A base-128 number; false past the end or beyond 64 bits. */
static bool read_varint(const uint8_t **p, const uint8_t *end, uint64_t *value) {
    *value = 0;
    for (unsigned shift = 0; shift < 64 && *p < end; shift += 7) {
        uint8_t byte = *(*p)++;
        *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return true;
    }
    return false;
}

/* Whether messages nest at most `depth` levels. The parser recurses without limit, so this must hold before
 * it runs. */
static bool nesting_bounded(const ProtobufCMessageDescriptor *m, const uint8_t *p, const uint8_t *end,
                            unsigned depth) {
    static const uint8_t fixed_size[8] = {[1] = 8, [5] = 4};
    while (p < end) {
        uint64_t tag, size;
        if (!read_varint(&p, end, &tag))
            return false;
        switch (tag & 7) {
        case 0:
            if (!read_varint(&p, end, &size))
                return false;
            continue;
        case 1:
        case 5:
            size = fixed_size[tag & 7];
            break;
        case 2:
            if (!read_varint(&p, end, &size))
                return false;
            break;
        default:
            return false;
        }
        if (size > (uint64_t)(end - p))
            return false;
        const ProtobufCFieldDescriptor *f =
            tag >> 3 <= UINT32_MAX ? protobuf_c_message_descriptor_get_field(m, (unsigned)(tag >> 3)) : NULL;
        if (f && f->type == PROTOBUF_C_TYPE_MESSAGE && (tag & 7) == 2 &&
            (depth == 0 || !nesting_bounded(f->descriptor, p, p + size, depth - 1)))
            return false;
        p += size;
    }
    return true;
}

/* A file of two-byte messages would unpack to a hundred times its size: memory is granted up to a budget. */
static void *budget_alloc(void *budget, size_t size) {
    size_t *left = budget;
    if (size > *left)
        return NULL;
    *left -= size;
    return malloc(size ? size : 1);
}

static void budget_free(void *budget, void *p) {
    (void)budget;
    free(p);
}

void model_free(Onnx__ModelProto *m) {
    size_t unused = 0;
    ProtobufCAllocator a = {budget_alloc, budget_free, &unused};
    if (m)
        onnx__model_proto__free_unpacked(m, &a);
}

Onnx__ModelProto *model_read(const char *path, digest_hash *digest, mica_status *st) {
    size_t size = 0;
    uint8_t *bytes = file_read(path, 0, FILE_READ_REST, MAX_FILE_BYTES, &size, st);
    Onnx__ModelProto *m = NULL;
    if (!bytes)
        return NULL;
    digest_u64(digest, size);
    digest_bytes(digest, bytes, size);
    if (nesting_bounded(&onnx__model_proto__descriptor, bytes, bytes + size, MAX_NESTING)) {
        size_t budget = ((size_t)256 << 20) + 4 * size;
        ProtobufCAllocator a = {budget_alloc, budget_free, &budget};
        m = onnx__model_proto__unpack(&a, size, bytes);
    }
    free(bytes);
    if (!m)
        mica_fail(st, MICA_ERR_FORMAT, "%s is not an ONNX model", path);
    else if (!m->graph)
        mica_fail(st, MICA_ERR_FORMAT, "%s is not an ONNX model: it has no graph", path);
    if (m && !m->graph) {
        model_free(m);
        return NULL;
    }
    return m;
}
