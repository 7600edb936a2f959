#include "cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cmd_error(const mica_status *st) {
    (void)fprintf(stderr, "mica: %s\n", st->message);
    return st->code == MICA_ERR_USAGE || st->code == MICA_ERR_IO || st->code == MICA_ERR_FORMAT ? 2 : 1;
}

bool cmd_number(uint32_t *out, const char *text, uint32_t low, uint32_t high, const char *option,
                mica_status *st) {
    char *end;
    errno = 0;
    const unsigned long long x = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno || x < low || x > high)
        return mica_fail(st, MICA_ERR_USAGE, "%s %s: expected a number from %u to %u", option, text, low,
                         high);
    *out = (uint32_t)x;
    return true;
}

bool cmd_dim(dim_binding *d, char *text, mica_status *st) {
    char *equals = strrchr(text, '=');
    uint32_t size = 0;
    if (!equals || equals == text)
        return mica_fail(st, MICA_ERR_USAGE, "--dim %s: expected NAME=SIZE", text);
    if (!cmd_number(&size, equals + 1, 1, INT32_MAX, "--dim NAME=SIZE, size", st))
        return false;
    *equals = 0;
    d->name = text;
    d->size = size;
    return true;
}
