#include "node_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/ops.h"

#define MAX_REASONS 16

typedef struct left_out {
    char reason[240];
    char *tests; /* "`a`, `b`" */
} left_out;

typedef struct op_row {
    const char *op;
    unsigned passed, settled, left_out;
    result worst;          /* the largest of each figure over the passed tests */
    double lookups, cells; /* per element of the outputs, likewise */
    unsigned n_reasons;
    left_out why[MAX_REASONS];
    char constant[512]; /* names of inputs that were constants in a passed test: "`a`, `b`" */
} op_row;

struct node_table {
    op_row *row;
    size_t n;
};

node_table *node_table_create(void) {
    return calloc(1, sizeof(node_table));
}

void node_table_free(node_table *table) {
    for (size_t i = 0; i < table->n; i++)
        for (unsigned k = 0; k < table->row[i].n_reasons; k++)
            free(table->row[i].why[k].tests);
    free(table->row);
    free(table);
}

static op_row *row_of(node_table *table, const char *op) {
    for (size_t i = 0; i < table->n; i++)
        if (strcmp(table->row[i].op, op) == 0)
            return &table->row[i];
    op_row *grown = realloc(table->row, (table->n + 1) * sizeof *grown);
    if (!grown) {
        (void)fprintf(stderr, "out of memory\n");
        exit(2);
    }
    table->row = grown;
    grown[table->n] = (op_row){.op = op};
    return &grown[table->n++];
}

/* Without the node, its shapes and the file: they are the test's. */
static void shorten(const char *message, char *out, size_t size) {
    static const char unknown[] = "unsupported operators: ";
    const char *node = strncmp(message, "node '", 6) == 0 ? strstr(message, "): ") : NULL;
    const char *file = strstr(message, "/test_data_set_0/"), *colon = file ? strstr(file, ": ") : NULL;
    const bool is_unknown = strncmp(message, unknown, sizeof unknown - 1) == 0;
    const char *text = is_unknown ? message + sizeof unknown - 1
                       : node     ? node + 3
                       : colon    ? colon + 2
                                  : message;
    size_t length = is_unknown ? strcspn(text, " ") : strlen(text);
    const size_t prefix = is_unknown ? (size_t)snprintf(out, size, "operator ") : 0;
    length = length < size - prefix - 1 ? length : size - prefix - 1;
    memcpy(out + prefix, text, length);
    out[prefix + length] = 0;
    for (char *c = out; *c; c++)
        *c = *c == '|' ? '/' : *c;
}

static void add_reason(op_row *row, const char *test, const char *message) {
    char reason[sizeof row->why[0].reason];
    unsigned k = 0;
    shorten(message, reason, sizeof reason);
    while (k < row->n_reasons && strcmp(row->why[k].reason, reason) != 0)
        k++;
    if (k == MAX_REASONS)
        return;
    left_out *w = &row->why[k];
    if (k == row->n_reasons) {
        *w = (left_out){0};
        (void)snprintf(w->reason, sizeof w->reason, "%s", reason);
        row->n_reasons++;
    }
    const size_t used = w->tests ? strlen(w->tests) : 0, more = strlen(test) + 8;
    char *grown = realloc(w->tests, used + more);
    if (!grown)
        return;
    w->tests = grown;
    (void)snprintf(grown + used, more, "%s`%s`", used ? ", " : "", test);
}

/* names: '\n' behind each. */
static void add_constants(op_row *row, const char *names) {
    char quoted[112];
    for (size_t length; (length = strcspn(names, "\n")) > 0; names += length + 1) {
        const size_t used = strlen(row->constant);
        (void)snprintf(quoted, sizeof quoted, "`%.*s`", (int)length, names);
        if (!strstr(row->constant, quoted) && used + strlen(quoted) + 3 < sizeof row->constant)
            (void)snprintf(row->constant + used, sizeof row->constant - used, "%s%s", used ? ", " : "",
                           quoted);
    }
}

void node_table_add(node_table *table, const char *op, const node_test *t, const result *r) {
    op_row *row = row_of(table, op);
    if (r->outcome == OUTCOME_SETTLED) {
        row->settled++;
        add_constants(row, r->constant);
        return;
    }
    if (r->outcome != OUTCOME_PASS) {
        row->left_out++;
        add_reason(row, t->name, r->message);
        return;
    }
    add_constants(row, r->constant);
    result *w = &row->worst;
    const double elements = r->elements ? (double)r->elements : 1;
    w->lo = row->passed && w->lo < r->lo ? w->lo : r->lo;
    w->hi = row->passed && w->hi > r->hi ? w->hi : r->hi;
    w->mean = fmax(w->mean, r->mean);
    w->largest = fmax(w->largest, r->largest);
    w->promised = fmax(w->promised, r->promised);
    w->rows = r->rows > w->rows ? r->rows : w->rows;
    row->lookups = fmax(row->lookups, (double)r->lookups / elements);
    row->cells = fmax(row->cells, (double)r->cells / elements);
    row->passed++;
}

static int compare_rows(const void *a, const void *b) {
    return strcmp(((const op_row *)a)->op, ((const op_row *)b)->op);
}

static void write_row(FILE *f, const op_row *r) {
    const result *w = &r->worst;
    (void)fprintf(f, "| %s | %u | %u | %u |", r->op, r->passed, r->settled, r->left_out);
    if (r->passed)
        (void)fprintf(f, " %.4g .. %.4g | %.3f | %.3f | %.3f | %.4g | %.4g | %llu |", w->lo, w->hi,
                      100 * w->mean, 100 * w->largest, 100 * w->promised, r->lookups, r->cells,
                      (unsigned long long)w->rows);
    else
        (void)fputs(" | | | | | | |", f);
    (void)fprintf(f, "%s%s |", *r->constant ? " " : "", r->constant);
    for (unsigned k = 0; k < r->n_reasons; k++)
        (void)fprintf(f, "%s %s: %s", k ? ";" : "", r->why[k].tests ? r->why[k].tests : "", r->why[k].reason);
    if (!r->passed && !r->settled && !r->left_out)
        (void)fputs(" supported; not among these tests", f);
    (void)fputs(" |\n", f);
}

static const char introduction[] =
    "# Operators\n\n"
    "Generated by `tests/conformance/node_tests` from the ONNX operator "
    "tests: each is compiled with its own input as\n"
    "calibration, proved, verified and compared with the stored output. "
    "Integers are equal. Reals are within the error\n"
    "that the compiler's accuracy report promised, and the promise is at most "
    "1 % of the output's range; values that\n"
    "only move are those of the quantised input.\n\n"
    "Figures are the largest over the operator's passed tests: *range* spans "
    "all their inputs, errors are in % of the\n"
    "output's range, lookups and committed cells are per element of the "
    "outputs (padding included), table rows are\n"
    "committed once per proof. *Constant* are the inputs that were no inputs "
    "of the compiled model in some test:\n"
    "weights, and what the compiler refused at run time and then got by "
    "`--const`. *Settled* tests have no inputs\n"
    "left, or no outputs with elements: their constants are equal, and there is "
    "nothing to prove.\n\n"
    "| operator | passed | settled | left out | range | mean error | largest error | "
    "promised | lookups | cells | table rows | constant | "
    "left out, and why |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";

void node_table_write(node_table *table, const char *path) {
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        return;
    }
    for (op_kind k = OP_UNSUPPORTED + 1; k < OP_KINDS; k++)
        if (strncmp(op_rules[k].name, "mica.", 5) != 0)
            (void)row_of(table, op_rules[k].name);
    qsort(table->row, table->n, sizeof *table->row, compare_rows);
    (void)fputs(introduction, f);
    for (size_t i = 0; i < table->n; i++)
        write_row(f, &table->row[i]);
    (void)fclose(f);
}
