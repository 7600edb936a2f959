#include "passes/constants.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/digest.h"
#include "graph/passes.h"
#include "io/tensor_file.h"
#include "io/whole_file.h"

#define MAX_TEXT     4096 /* of a canonical form */
#define NUMBER_BYTES 32
#define DIGEST_WORD  "digest:"
#define EMPTY_WORD   "empty"

static bool fail_memory(mica_status *st) {
    return mica_fail(st, MICA_ERR_MEMORY, "out of memory for a constant");
}

/* --- literals --- */

/* The shape of nested lists; numbers and truth values are scalars. False if they are too deep. */
static bool literal_shape(const json_t *j, constant_binding *b) {
    b->rank = 0;
    b->count = 1;
    while (json_is_array(j)) {
        if (b->rank == GRAPH_MAX_RANK)
            return false;
        b->dim[b->rank++] = (int64_t)json_array_size(j);
        b->count *= json_array_size(j); /* lists in memory: no overflow */
        j = json_array_get(j, 0);
    }
    return true;
}

/* Copies the elements; false if a list has another length than its neighbours, or an element is no number. */
static bool literal_elements(const json_t *j, const constant_binding *b, uint32_t axis, double **next) {
    if (axis == b->rank) {
        if (!json_is_number(j) && !json_is_boolean(j))
            return false;
        *(*next)++ = json_is_number(j) ? json_number_value(j) : json_is_true(j);
        return true;
    }
    if (!json_is_array(j) || (int64_t)json_array_size(j) != b->dim[axis])
        return false;
    for (size_t i = 0; i < json_array_size(j); i++)
        if (!literal_elements(json_array_get(j, i), b, axis + 1, next))
            return false;
    return true;
}

/* *is_literal: the text is JSON; whether it is a tensor is told by the result. */
static bool read_literal(constant_binding *b, const char *text, size_t size, bool *is_literal,
                         mica_status *st) {
    json_t *j = json_loadb(text, size, JSON_DECODE_ANY, NULL);
    *is_literal = j != NULL;
    if (!j)
        return mica_fail(st, MICA_ERR_USAGE, "--const %.100s: not a number or a list of numbers", b->name);
    bool ok = literal_shape(j, b);
    b->value = ok ? malloc(((size_t)b->count + 1) * sizeof *b->value) : NULL;
    double *next = b->value;
    ok = b->value && literal_elements(j, b, 0, &next);
    json_decref(j);
    return ok || mica_fail(st, MICA_ERR_USAGE, "--const %.100s: not a tensor of numbers with at most %d axes",
                           b->name, GRAPH_MAX_RANK);
}

/* "empty[2,0,4]" */
static bool read_empty(constant_binding *b, const char *text, mica_status *st) {
    constant_binding shape = {.name = b->name};
    bool is_literal, zero = false;
    bool ok = read_literal(&shape, text, strlen(text), &is_literal, st) && shape.rank == 1 &&
              shape.count >= 1 && shape.count <= GRAPH_MAX_RANK;
    b->rank = ok ? (uint32_t)shape.count : 0;
    for (uint32_t i = 0; ok && i < b->rank; i++) {
        ok = shape.value[i] >= 0 && shape.value[i] <= (double)GRAPH_MAX_ELEMENTS;
        b->dim[i] = ok ? (int64_t)shape.value[i] : 0;
        zero |= ok && b->dim[i] == 0;
    }
    free(shape.value);
    b->count = 0;
    b->value = calloc(1, sizeof *b->value);
    return (ok && zero && b->value) ||
           mica_fail(st, MICA_ERR_USAGE, "--const %.100s: expected a shape with a 0, as empty[2,0]", b->name);
}

/* --- files --- */

static bool ends_with(const char *text, const char *end) {
    const size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

static bool read_json_file(constant_binding *b, const char *path, mica_status *st) {
    uint8_t *bytes;
    size_t size;
    bool is_literal;
    if (!whole_file_read(path, TENSOR_MAX_JSON, &bytes, &size, st))
        return false;
    const bool ok = read_literal(b, (const char *)bytes, size, &is_literal, st);
    free(bytes);
    return ok;
}

static bool read_file(constant_binding *b, const char *path, mica_status *st) {
    tensor_data t;
    if (ends_with(path, ".json"))
        return read_json_file(b, path, st);
    if (!tensor_file_read_any(&t, path, st))
        return false;
    if (t.rank > GRAPH_MAX_RANK) {
        tensor_data_free(&t);
        return mica_fail(st, MICA_ERR_USAGE, "%s: more than %d dimensions", path, GRAPH_MAX_RANK);
    }
    b->rank = t.rank;
    for (uint32_t i = 0; i < t.rank; i++)
        b->dim[i] = t.dim[i];
    b->count = t.count;
    b->value = t.value;
    return true;
}

static bool read_value(constant_binding *b, const char *text, bool recorded, mica_status *st) {
    mica_status ignored = {0};
    bool is_literal = false;
    if (strncmp(text, DIGEST_WORD, strlen(DIGEST_WORD)) == 0)
        return mica_fail(
            st, MICA_ERR_USAGE,
            "'%.100s' is a constant too large for the record: --const %.100s=FILE says where it is", b->name,
            b->name);
    if (strncmp(text, EMPTY_WORD "[", strlen(EMPTY_WORD "[")) == 0)
        return read_empty(b, text + strlen(EMPTY_WORD), st);
    if (read_literal(b, text, strlen(text), &is_literal, &ignored))
        return true;
    if (is_literal || text[0] == '[')
        return mica_fail(st, ignored.code, "%s", ignored.message);
    if (recorded)
        return mica_fail(st, MICA_ERR_FORMAT, "the record's constant '%.100s' has no value", b->name);
    return read_file(b, text, st);
}

static bool check_finite(const constant_binding *b, mica_status *st) {
    for (uint64_t i = 0; i < b->count; i++)
        if (!isfinite(b->value[i]))
            return mica_fail(st, MICA_ERR_USAGE, "--const %.100s: element %llu is not a finite number",
                             b->name, (unsigned long long)i);
    return true;
}

/* --- canonical form --- */

static size_t put_nested(const constant_binding *b, uint32_t axis, const double **next, char *out,
                         size_t used) {
    if (used + NUMBER_BYTES + GRAPH_MAX_RANK >= MAX_TEXT)
        return MAX_TEXT;
    if (axis == b->rank)
        return used + (size_t)snprintf(out + used, MAX_TEXT - used, "%.17g", *(*next)++);
    out[used++] = '[';
    for (int64_t i = 0; i < b->dim[axis] && used < MAX_TEXT; i++) {
        if (i > 0)
            out[used++] = ',';
        used = put_nested(b, axis + 1, next, out, used);
    }
    if (used < MAX_TEXT)
        out[used++] = ']';
    return used;
}

static size_t put_empty(const constant_binding *b, char *out, size_t used) {
    used += (size_t)snprintf(out + used, MAX_TEXT - used, EMPTY_WORD "[");
    for (uint32_t i = 0; i < b->rank; i++)
        used += (size_t)snprintf(out + used, MAX_TEXT - used, "%s%lld", i ? "," : "", (long long)b->dim[i]);
    return used + (size_t)snprintf(out + used, MAX_TEXT - used, "]");
}

/* docs/formats.md, "Record" */
static bool put_digest(const constant_binding *b, char *out, size_t *used, mica_status *st) {
    uint8_t digest[DIGEST_BYTES];
    char hex[DIGEST_HEX];
    digest_hash *h = digest_begin("mica constant v1", st);
    if (!h)
        return false;
    digest_u32(h, b->rank);
    for (uint32_t i = 0; i < b->rank; i++)
        digest_u64(h, (uint64_t)b->dim[i]);
    for (uint64_t i = 0; i < b->count; i++) {
        uint64_t bits;
        memcpy(&bits, &b->value[i], sizeof bits);
        digest_u64(h, bits);
    }
    digest_end(h, digest);
    digest_hex(digest, hex);
    *used += (size_t)snprintf(out + *used, MAX_TEXT - *used, DIGEST_WORD "%s", hex);
    return true;
}

static bool make_text(constant_binding *b, mica_status *st) {
    char text[MAX_TEXT + 1];
    const double *next = b->value;
    const size_t name = strlen(b->name);
    if (name > MAX_TEXT / 4)
        return mica_fail(st, MICA_ERR_LIMIT, "--const %.100s...: a name of %zu bytes", b->name, name);
    size_t used = (size_t)snprintf(text, sizeof text, "%s=", b->name);
    const size_t head = used;
    if (b->count == 0)
        used = put_empty(b, text, used);
    else
        used = b->count <= CONSTANT_TOLD ? put_nested(b, 0, &next, text, used) : MAX_TEXT;
    if (used >= MAX_TEXT) {
        used = head;
        if (!put_digest(b, text, &used, st))
            return false;
    }
    text[used] = 0; /* used < MAX_TEXT */
    b->text = strdup(text);
    return b->text || fail_memory(st);
}

/* --- sets --- */

static bool read_binding(constant_binding *b, const char *item, bool recorded, mica_status *st) {
    const char *equals = strchr(item, '=');
    if (!equals || equals == item || !equals[1])
        return mica_fail(st, MICA_ERR_USAGE, "--const %.100s: expected NAME=VALUE or NAME=FILE", item);
    b->name = strndup(item, (size_t)(equals - item));
    return (b->name || fail_memory(st)) && read_value(b, equals + 1, recorded, st) && check_finite(b, st) &&
           make_text(b, st);
}

static bool same_name(const char *a, const char *b) {
    const size_t n = strcspn(a, "=");
    return n == strcspn(b, "=") && strncmp(a, b, n) == 0;
}

/* The item of the list that has the name of `item`, or NULL. */
static const char *find(const char *item, const char *const *list, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (same_name(item, list[i]))
            return list[i];
    return NULL;
}

static bool check_given(const constant_source *from, mica_status *st) {
    for (size_t i = 0; i < from->n_given; i++) {
        if (!find(from->given[i], from->item, from->n))
            return mica_fail(st, MICA_ERR_USAGE, "--const %.100s: the record has no constant of that name",
                             from->given[i]);
    }
    return true;
}

static bool read_item(constant_binding *b, const constant_source *from, size_t i, mica_status *st) {
    const char *item = from->item[i], *given = find(item, from->given, from->n_given);
    if (find(item, from->item, i))
        return mica_fail(st, MICA_ERR_USAGE, "--const %.100s: the name is given twice", item);
    return read_binding(b, given ? given : item, from->recorded && !given, st);
}

bool constants_read(constant_set *s, const constant_source *from, mica_status *st) {
    *s = (constant_set){0};
    if (!check_given(from, st))
        return false;
    s->at = calloc(from->n + 1, sizeof *s->at);
    if (!s->at)
        return fail_memory(st);
    bool ok = true;
    for (size_t i = 0; ok && i < from->n; i++) {
        s->n = i + 1;
        ok = read_item(&s->at[i], from, i, st);
    }
    if (!ok)
        constants_free(s);
    return ok;
}

void constants_free(constant_set *s) {
    for (size_t i = 0; i < s->n; i++) {
        free(s->at[i].name);
        free(s->at[i].text);
        free(s->at[i].value);
    }
    free(s->at);
    *s = (constant_set){0};
}

bool constants_freeze(const constant_set *s, graph *g, mica_status *st) {
    for (size_t i = 0; i < s->n; i++) {
        const constant_binding *b = &s->at[i];
        if (!graph_freeze_input(g, b->name, b->rank, b->dim, b->value, st))
            return false;
    }
    return true;
}
