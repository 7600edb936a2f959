#include "report/html_words.h"

#include <stdio.h>
#include <string.h>

/* The code point at s and, in *size, its bytes; -1 and 1 where it is not UTF-8. `left` bytes can be read. */
static int32_t code_point(const unsigned char *s, size_t left, size_t *size) {
    static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* by length: anything less is overlong */
    const size_t n = s[0] < 0x80 ? 1 : s[0] >> 5 == 6 ? 2 : s[0] >> 4 == 14 ? 3 : s[0] >> 3 == 30 ? 4 : 0;
    int32_t c = n == 1 ? s[0] : s[0] & (0x7f >> n);
    *size = 1;
    if (n == 0 || n > left)
        return -1;
    for (size_t i = 1; i < n; i++) {
        if (s[i] >> 6 != 2)
            return -1;
        c = c << 6 | (s[i] & 0x3f);
    }
    if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return -1;
    *size = n;
    return c;
}

/* Control characters, line separators, and characters that change the direction of text or are invisible. */
static bool is_hidden(int32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xe0000 && c <= 0xe0fff);
}

static bool is_markup(int32_t c) {
    return c == '<' || c == '>' || c == '&' || c == '"' || c == '\'' || c == '`';
}

void html_set_bytes(scope *s, const char *name, const char *words, size_t size) {
    char out[480];
    size_t n = 0, step = 0;
    for (size_t i = 0; i < size; i += step) {
        const int32_t c = code_point((const unsigned char *)words + i, size - i, &step);
        if (n + 16 > sizeof out) { /* an item is at most 5 bytes, the ellipsis 3 */
            n += (size_t)snprintf(out + n, sizeof out - n, "\xe2\x80\xa6");
            break;
        }
        if (c < 0 || is_hidden(c))
            n += (size_t)snprintf(out + n, sizeof out - n, "\xef\xbf\xbd");
        else if (is_markup(c))
            n += (size_t)snprintf(out + n, sizeof out - n, "&#%d;", (int)c);
        else
            n += (size_t)snprintf(out + n, sizeof out - n, "%.*s", (int)step, words + i);
    }
    out[n] = 0;
    scope_set(s, name, "%s", out);
}

void html_set_words(scope *s, const char *name, const char *words) {
    html_set_bytes(s, name, words ? words : "", words ? strlen(words) : 0);
}

void html_set_size(scope *s, const char *name, double bytes) {
    if (bytes >= 1e9)
        scope_set(s, name, "%.1f GB", bytes / 1e9);
    else if (bytes >= 1e6)
        scope_set(s, name, "%.1f MB", bytes / 1e6);
    else
        scope_set(s, name, "%.1f kB", bytes / 1e3);
}

void html_set_count(scope *s, const char *name, uint64_t n) {
    char digits[24], out[32];
    const size_t size = (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)n);
    size_t at = 0;
    for (size_t i = 0; i < size; i++) {
        if (i > 0 && (size - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
    scope_set(s, name, "%s", out);
}

void html_set_seconds(scope *s, const char *name, double seconds) {
    if (seconds < 0.0995)
        scope_set(s, name, "%.1f ms", 1000 * seconds);
    else if (seconds < 0.9995)
        scope_set(s, name, "%.0f ms", 1000 * seconds);
    else
        scope_set(s, name, "%.1f s", seconds);
}

void html_set_percent(scope *s, const char *name, double share) {
    const double percent = 100 * share;
    if (percent == 0)
        scope_set(s, name, "0 %%");
    else if (percent < 0.0001)
        scope_set(s, name, "&lt; 0.0001 %%");
    else
        scope_set(s, name, percent < 0.01 ? "%.4f %%" : percent < 1 ? "%.3f %%" : "%.1f %%", percent);
}
