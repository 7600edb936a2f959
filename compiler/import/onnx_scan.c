#include "import/onnx_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_NESTING  48 /* messages within messages; 12 levels reach a subgraph's tensor */
#define MAX_MESSAGES (UINT32_C(1) << 23)
#define MAX_UNKNOWN  (UINT64_C(64) << 20) /* bytes in fields that this program's ONNX does not have */
#define WINDOW_BYTES ((size_t)1 << 16)

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* Bytes of a file that are seen through a window, or of memory, which is one window. */
typedef struct scan {
    const char *path;
    int fd;
    const uint8_t *window; /* of the bytes from `first` to `last` */
    uint8_t *buffer;       /* the window's, of WINDOW_BYTES; NULL for memory */
    uint64_t first, last, at;
    uint64_t unknown;
    uint32_t messages;
    mica_status *st;
} scan;

static bool malformed(scan *s, const char *what) {
    return mica_fail(s->st, MICA_ERR_FORMAT, "%.800s is not an ONNX model: %s at byte %llu", s->path, what,
                     (unsigned long long)s->at);
}

/* Moves the window to s->at. */
static bool refill(scan *s) {
    ssize_t n;
    do
        n = s->buffer ? pread(s->fd, s->buffer, WINDOW_BYTES, (off_t)s->at) : 0;
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return mica_fail(s->st, MICA_ERR_IO, "%.800s: %s", s->path,
                         n < 0 ? strerror(errno) : "the file was cut short");
    s->first = s->at;
    s->last = s->at + (uint64_t)n;
    return true;
}

/* A base-128 number that ends before `end`. */
static bool read_varint(scan *s, uint64_t end, uint64_t *value) {
    *value = 0;
    for (unsigned shift = 0; shift < 64 && s->at < end; shift += 7) {
        if ((s->at < s->first || s->at >= s->last) && !refill(s))
            return false;
        const uint8_t byte = s->window[s->at++ - s->first];
        *value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return true;
    }
    return malformed(s, "a number without an end");
}

/* Bytes of a field's content, which starts at s->at; a number is skipped. */
static bool content_size(scan *s, unsigned wire, uint64_t end, uint64_t *size) {
    uint64_t number;
    *size = wire == WIRE_64 ? 8 : wire == WIRE_32 ? 4 : 0;
    if (wire == WIRE_VARINT)
        return read_varint(s, end, &number);
    if (wire == WIRE_BYTES && !read_varint(s, end, size))
        return false;
    if (wire != WIRE_BYTES && wire != WIRE_64 && wire != WIRE_32)
        return malformed(s, "an unknown kind of field");
    return *size <= end - s->at || malformed(s, "a field that is longer than what holds it");
}

static bool count_unknown(scan *s, uint64_t bytes) {
    s->unknown += bytes;
    return s->unknown <= MAX_UNKNOWN ||
           mica_fail(s->st, MICA_ERR_LIMIT, "%.800s: more than %llu MB in fields that are unknown here",
                     s->path, (unsigned long long)(MAX_UNKNOWN >> 20));
}

static bool scan_message(scan *s, const ProtobufCMessageDescriptor *m, uint64_t end, unsigned depth) {
    if (depth > MAX_NESTING)
        return mica_fail(s->st, MICA_ERR_LIMIT, "%.800s: more than %d messages within one another", s->path,
                         MAX_NESTING);
    if (++s->messages > MAX_MESSAGES)
        return mica_fail(s->st, MICA_ERR_LIMIT, "%.800s: more than %u messages", s->path, MAX_MESSAGES);
    while (s->at < end) {
        const uint64_t begin = s->at;
        uint64_t tag, size;
        if (!read_varint(s, end, &tag))
            return false;
        if (tag < 8 || tag > UINT32_MAX)
            return malformed(s, "a field without a number");
        const unsigned wire = (unsigned)(tag & 7);
        if (!content_size(s, wire, end, &size))
            return false;
        const ProtobufCFieldDescriptor *f = protobuf_c_message_descriptor_get_field(m, (unsigned)(tag >> 3));
        if (!f && !count_unknown(s, s->at + size - begin))
            return false;
        if (f && f->type == PROTOBUF_C_TYPE_MESSAGE && wire == WIRE_BYTES) {
            if (!scan_message(s, f->descriptor, s->at + size, depth + 1))
                return false;
        } else {
            s->at += size;
        }
    }
    return true;
}

bool onnx_scan_bytes(const ProtobufCMessageDescriptor *m, const uint8_t *bytes, size_t size, const char *path,
                     mica_status *st) {
    scan s = {.path = path, .fd = -1, .window = bytes, .last = size, .st = st};
    return scan_message(&s, m, size, 0);
}

bool onnx_scan_file(const ProtobufCMessageDescriptor *m, const char *path, mica_status *st) {
    struct stat info;
    /* O_NONBLOCK: opening a pipe must not wait for its writer. */
    scan s = {.path = path, .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), .st = st};
    bool ok = s.fd >= 0 && fstat(s.fd, &info) == 0;
    if (!ok)
        mica_fail(st, MICA_ERR_IO, "%.800s: %s", path, strerror(errno));
    else if (!S_ISREG(info.st_mode))
        ok = mica_fail(st, MICA_ERR_IO, "%.800s is not a regular file", path);
    s.window = s.buffer = ok ? malloc(WINDOW_BYTES) : NULL;
    ok = ok && (s.buffer ? scan_message(&s, m, (uint64_t)info.st_size, 0)
                         : mica_fail(st, MICA_ERR_MEMORY, "%.800s: out of memory", path));
    free(s.buffer);
    if (s.fd >= 0)
        (void)close(s.fd);
    return ok;
}
