#include "emit/template.h"

#include <ctype.h>
#include <string.h>

enum { MAX_DEPTH = 64 };

/* Layout state, carried from line to line. */
typedef struct layout {
    int base[MAX_DEPTH]; /* indentation of statements, per open brace */
    int depth;           /* open braces */
    int heads;           /* directly preceding loop heads without braces */
    int parens;          /* open parentheses and brackets: > 0 inside a continued statement */
    bool comment;        /* inside a block comment */
    bool blank;          /* the previous line was empty */
} layout;

static bool starts_with(const char *line, const char *end, const char *prefix) {
    const size_t n = strlen(prefix);
    return (size_t)(end - line) >= n && memcmp(line, prefix, n) == 0;
}

/* Updates the counts for one line of code at `indent`; strings in templates hold no braces or parentheses. */
static void count(layout *l, const char *line, const char *end, int indent) {
    for (const char *c = line; c < end; c++) {
        if (l->comment) {
            if (*c == '*' && c + 1 < end && c[1] == '/')
                l->comment = false;
        } else if (*c == '/' && c + 1 < end && c[1] == '*') {
            l->comment = true;
            c++;
        } else if (*c == '{') {
            if (l->depth < MAX_DEPTH - 1)
                l->base[++l->depth] = indent + 4;
        } else if (*c == '}') {
            l->depth -= l->depth > 0;
        } else {
            l->parens += (*c == '(' || *c == '[') - (*c == ')' || *c == ']');
        }
    }
}

static bool ends_operand(char c) {
    return c == ']' || c == ')' || c == ';' || c == ',' || c == ' ' || c == '\0';
}

/* Length of a neutral element at `at` that may be dropped, 0 if there is none:
 *   " * 1", " / 1"  before the end of an operand;   " + 0"  before the end of an operand that no product
 * continues; "0 + "  directly after '[', '(' or "= ";   " + (0)". */
static size_t neutral(const char *start, const char *at, const char *end) {
    if ((starts_with(at, end, " * 1") || starts_with(at, end, " / 1")) &&
        ends_operand(at + 4 < end ? at[4] : '\0'))
        return 4;
    if (starts_with(at, end, " + 0") && ends_operand(at + 4 < end ? at[4] : '\0') &&
        !starts_with(at + 4, end, " *") && !starts_with(at + 4, end, " /"))
        return 4;
    if (starts_with(at, end, "0 + ") && at > start && (at[-1] == '[' || at[-1] == '('))
        return 4;
    if (starts_with(at, end, "0 + ") && at > start + 1 && at[-1] == ' ' && at[-2] == '=')
        return 4;
    if (starts_with(at, end, " + (0)"))
        return 6;
    return 0;
}

static void write_code(text *out, const char *line, const char *end) {
    for (const char *c = line; c < end;) {
        const size_t drop = neutral(line, c, end);
        if (drop)
            c += drop;
        else
            text_write(out, c++, 1);
    }
}

/* Indentation of a line that starts a statement or continues one. */
static int indentation(const layout *l, const char *line) {
    const int closing = *line == '}' && l->depth > 0 ? 1 : 0;
    if (*line == '#')
        return 0;
    if (l->comment)
        return l->base[l->depth] + l->heads * 4 + 1;
    if (closing)
        return l->base[l->depth] - 4;
    return l->base[l->depth] + l->heads * 4 + (l->parens > 0 ? 4 : 0);
}

static void write_line(layout *l, text *out, const char *line, const char *end) {
    static const char spaces[] =
        "                                                                                ";
    const bool in_comment = l->comment;
    const bool head = starts_with(line, end, "for (") || starts_with(line, end, "MICA_INDEPENDENT for (") ||
                      starts_with(line, end, "if (");
    int indent = indentation(l, line);
    if (*line == '{' && l->heads > 0) { /* the brace of the innermost head goes behind it */
        out->size -= out->size > 0;
        text_puts(out, " {\n");
        count(l, line, end, indent - 4);
        l->heads = 0;
        return;
    }
    text_write(out, spaces, (size_t)(indent < (int)sizeof spaces ? indent : (int)sizeof spaces - 1));
    const bool line_comment = !in_comment && starts_with(line, end, "//");
    if (in_comment || line_comment)
        text_write(out, line, (size_t)(end - line));
    else
        write_code(out, line, end);
    text_puts(out, "\n");
    if (line_comment)
        return;
    count(l, line, end, indent);
    if (in_comment || starts_with(line, end, "/*") || l->parens > 0)
        return;
    l->heads = head && end[-1] == ')' ? l->heads + 1 : 0;
}

void template_tidy(const char *bytes, text *out) {
    layout l = {{0}, 0, 0, 0, false, true};
    while (*bytes) {
        const char *next = strchr(bytes, '\n');
        const char *end = next ? next : bytes + strlen(bytes);
        const char *line = bytes, *stop = end;
        while (line < stop && (*line == ' ' || *line == '\t'))
            line++;
        while (stop > line && (stop[-1] == ' ' || stop[-1] == '\t'))
            stop--;
        if (line < stop)
            write_line(&l, out, line, stop);
        else if (!l.blank)
            text_write(out, "\n", 1);
        l.blank = line == stop;
        bytes = next ? next + 1 : end;
    }
}
