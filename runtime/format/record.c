#include "mica/record.h"

#include <stdlib.h>
#include <string.h>

static bool is_key_byte(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool is_control(char c) {
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Splits the line that starts at *at <= r->size; false if there is none, or none of the right form. */
static bool split_line(const char *text, size_t size, size_t *at, mica_record_line *line) {
    const char *start = text + *at;
    const size_t left = size - *at;
    size_t n = 0;
    while (n < left && n <= MICA_RECORD_MAX_KEY && is_key_byte(start[n]))
        n++;
    if (n == 0 || n > MICA_RECORD_MAX_KEY || n == left || start[n] != ' ')
        return false;
    memcpy(line->key, start, n);
    line->key[n] = 0;
    line->value = start + n + 1;
    line->size = 0;
    while (n + 1 + line->size < left && !is_control(line->value[line->size]))
        line->size++;
    if (n + 1 + line->size == left || line->value[line->size] != '\n')
        return false;
    *at += n + 1 + line->size + 1;
    return true;
}

bool mica_record_next(const mica_record *r, size_t *at, mica_record_line *line) {
    return *at < r->size && split_line(r->text, r->size, at, line);
}

bool mica_record_read(mica_record *r, const void *text, size_t size, mica_status *st) {
    mica_record_line line;
    memset(r, 0, sizeof *r);
    if (size > MICA_RECORD_MAX_BYTES)
        return mica_fail(st, MICA_ERR_FORMAT, "the record has %zu bytes, more than %u", size,
                         MICA_RECORD_MAX_BYTES);
    for (size_t at = 0; at < size;) {
        const size_t start = at;
        if (!split_line(text, size, &at, &line))
            return mica_fail(st, MICA_ERR_FORMAT, "the line at byte %zu of the record is malformed", start);
    }
    if (size == 0)
        return true;
    r->text = malloc(size + 1);
    if (!r->text)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for the record");
    memcpy(r->text, text, size);
    r->text[size] = 0;
    r->size = size;
    return true;
}

void mica_record_free(mica_record *r) {
    free(r->text);
    memset(r, 0, sizeof *r);
}

bool mica_record_add(mica_record *r, const char *key, const char *value, mica_status *st) {
    const size_t key_size = strlen(key), value_size = strlen(value);
    if (value_size > MICA_RECORD_MAX_BYTES || r->size + key_size + value_size + 2 > MICA_RECORD_MAX_BYTES)
        return mica_fail(st, MICA_ERR_LIMIT, "the record of the verifier parameters exceeds %u bytes",
                         MICA_RECORD_MAX_BYTES);
    char *text = realloc(r->text, r->size + key_size + value_size + 3);
    if (!text)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for the record");
    char *at = text + r->size;
    memcpy(at, key, key_size);
    at[key_size] = ' ';
    for (size_t i = 0; i < value_size; i++)
        at[key_size + 1 + i] = is_control(value[i]) ? '?' : value[i];
    r->text = text;
    r->size += key_size + value_size + 2;
    text[r->size - 1] = '\n';
    text[r->size] = 0;
    return true;
}
