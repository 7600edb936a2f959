/* The .npy format, versions 1.0 to 3.0: magic, version, length of the header, a Python dict literal with the
 * keys descr, fortran_order and shape, then the raw elements. */
#include <inttypes.h>
#include <string.h>

#include "io/element.h"
#include "io/readers.h"

#define NPY_MAX_HEADER (1u << 16)

typedef struct npy_header {
    element_type type;
    bool has_descr, has_order, has_shape;
    bool fortran;
} npy_header;

/* A cursor over the header text. */
typedef struct cursor {
    const char *at, *end;
} cursor;

static void skip_space(cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n'))
        c->at++;
}

static bool accept_char(cursor *c, char x) {
    skip_space(c);
    if (c->at == c->end || *c->at != x)
        return false;
    c->at++;
    return true;
}

static bool accept_word(cursor *c, const char *word) {
    size_t n = strlen(word);
    skip_space(c);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0)
        return false;
    c->at += n;
    return true;
}

/* A quoted string without escapes, shorter than size. */
static bool accept_string(cursor *c, char *out, size_t size) {
    skip_space(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"'))
        return false;
    char quote = *c->at++;
    size_t n = 0;
    while (c->at < c->end && *c->at != quote) {
        if (n + 1 >= size || *c->at == '\\')
            return false;
        out[n++] = *c->at++;
    }
    out[n] = 0;
    return accept_char(c, quote);
}

static bool accept_number(cursor *c, int64_t *out) {
    skip_space(c);
    const char *start = c->at;
    int64_t x = 0;
    while (c->at < c->end && *c->at >= '0' && *c->at <= '9') {
        if (x > 100000000) /* the result stays below 10^9 + 10 < 2^30 */
            return false;
        x = x * 10 + (*c->at++ - '0');
    }
    *out = x;
    return c->at > start;
}

static bool parse_descr(npy_header *h, const char *text) {
    static const struct {
        char code;
        element_kind kind;
    } kinds[] = {{'b', ELEMENT_BOOL}, {'i', ELEMENT_SIGNED}, {'u', ELEMENT_UNSIGNED}, {'f', ELEMENT_FLOAT}};
    if (strlen(text) != 3 || !strchr("<>|=", text[0]) || !strchr("1248", text[2]))
        return false;
    h->type.bytes = (uint8_t)(text[2] - '0');
    h->type.big_endian = text[0] == '>' || (text[0] == '=' && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (text[1] == kinds[i].code) {
            h->type.kind = kinds[i].kind;
            bool one = h->type.bytes == 1;
            bool sized = (h->type.kind != ELEMENT_BOOL || one) && (h->type.kind != ELEMENT_FLOAT || !one);
            return sized && (text[0] != '|' || one);
        }
    return false;
}

static bool parse_shape(tensor_data *t, cursor *c) {
    if (!accept_char(c, '('))
        return false;
    while (!accept_char(c, ')')) {
        if (t->rank == TENSOR_MAX_RANK || !accept_number(c, &t->dim[t->rank]))
            return false;
        (void)accept_char(c, 'L'); /* written by Python 2 */
        t->rank++;
        if (!accept_char(c, ',')) {
            if (!accept_char(c, ')'))
                return false;
            break;
        }
    }
    t->has_shape = true;
    return true;
}

static bool parse_entry(npy_header *h, tensor_data *t, cursor *c, const char *path, mica_status *st) {
    char key[32] = "", descr[32] = "";
    if (!accept_string(c, key, sizeof key) || !accept_char(c, ':'))
        return mica_fail(st, MICA_ERR_FORMAT, "%.800s: malformed .npy header", path);
    if (strcmp(key, "descr") == 0 && !h->has_descr) {
        h->has_descr = true;
        if (!accept_string(c, descr, sizeof descr))
            return mica_fail(
                st, MICA_ERR_UNSUPPORTED,
                "%.800s: structured dtype; expected a numeric one (b1, i1..i8, u1..u8, f2, f4, f8)", path);
        return parse_descr(h, descr) ||
               mica_fail(st, MICA_ERR_UNSUPPORTED,
                         "%.800s: dtype '%s'; expected a numeric one (b1, i1..i8, u1..u8, f2, f4, f8)", path,
                         descr);
    }
    if (strcmp(key, "fortran_order") == 0 && !h->has_order) {
        h->has_order = true;
        h->fortran = accept_word(c, "True");
        if (h->fortran || accept_word(c, "False"))
            return true;
    }
    if (strcmp(key, "shape") == 0 && !h->has_shape) {
        h->has_shape = true;
        if (parse_shape(t, c))
            return true;
    }
    return mica_fail(st, MICA_ERR_FORMAT,
                     "%.800s: malformed .npy header at key '%s' (at most %d axes are read)", path, key,
                     TENSOR_MAX_RANK);
}

static bool parse_header(npy_header *h, tensor_data *t, cursor c, const char *path, mica_status *st) {
    if (!accept_char(&c, '{'))
        return mica_fail(st, MICA_ERR_FORMAT, "%.800s: malformed .npy header", path);
    while (!accept_char(&c, '}')) {
        if (!parse_entry(h, t, &c, path, st))
            return false;
        if (!accept_char(&c, ',') && !(c.at < c.end && *c.at == '}'))
            return mica_fail(st, MICA_ERR_FORMAT, "%.800s: malformed .npy header", path);
    }
    if (!h->has_descr || !h->has_order || !h->has_shape)
        return mica_fail(st, MICA_ERR_FORMAT, "%.800s: .npy header lacks descr, fortran_order or shape",
                         path);
    if (h->fortran)
        return mica_fail(st, MICA_ERR_UNSUPPORTED,
                         "%.800s: stored in Fortran order; save numpy.ascontiguousarray(x) instead", path);
    return true;
}

/* Where the header text lies; *data is the offset of the elements. */
static bool locate_header(const uint8_t *bytes, size_t size, cursor *c, size_t *data) {
    if (size < 10)
        return false;
    unsigned version = bytes[6];
    size_t prefix = version == 1 ? 10 : 12;
    if (version < 1 || version > 3 || bytes[7] != 0 || size < prefix)
        return false;
    size_t length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (version > 1)
        length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (length > NPY_MAX_HEADER || length > size - prefix)
        return false;
    c->at = (const char *)bytes + prefix;
    c->end = c->at + length;
    *data = prefix + length;
    return true;
}

bool npy_parse(tensor_data *t, const uint8_t *bytes, size_t size, const char *path, mica_status *st) {
    npy_header h;
    cursor c;
    size_t data;
    memset(&h, 0, sizeof h);
    memset(t, 0, sizeof *t);
    if (!locate_header(bytes, size, &c, &data))
        return mica_fail(st, MICA_ERR_FORMAT, "%.800s: damaged .npy file or a version other than 1, 2 and 3",
                         path);
    if (!parse_header(&h, t, c, path, st))
        return false;
    uint64_t room = (size - data) / h.type.bytes;
    uint64_t count = 1;
    for (uint32_t i = 0; i < t->rank; i++) {
        if (t->dim[i] == 0)
            count = 0;
        else if (count <= room)
            count *= (uint64_t)t->dim[i]; /* count <= room <= 2^31 and dim < 2^30: below 2^61 */
    }
    if (count > room || (size - data) != count * h.type.bytes)
        return mica_fail(st, MICA_ERR_FORMAT,
                         "%.800s: the header's shape needs %s bytes than the %zu that follow it", path,
                         count > room ? "more" : "fewer", size - data);
    if (!tensor_data_allocate(t, path, st))
        return false;
    for (uint64_t i = 0; i < t->count; i++)
        t->value[i] = element_decode(h.type, bytes + data + i * h.type.bytes);
    return true;
}
