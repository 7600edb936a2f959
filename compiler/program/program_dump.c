/* A program as text and back: one line per element, every field named. Each fields_* function serves both
 * directions, so that what is written is what is read. Weights are not part of the text. */
#include "program/program.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DUMP_VERSION   3
#define MAX_BYTES      (INT64_C(1) << 31)
#define LONGEST_NUMBER 24
/* Characters that an element takes at least, and an index of a list. */
#define SHORTEST_ELEMENT 20
#define SHORTEST_INDEX   2

typedef struct dump {
    FILE *f;
    bool reading;
    unsigned line;
    const char *path;
    mica_status *st;
    int64_t size; /* of the file that is read: it bounds what the counts may announce */
} dump;

static bool ok(const dump *d) {
    return d->st->code == MICA_OK;
}

static void bad(dump *d, const char *what) {
    (void)mica_fail(d->st, MICA_ERR_FORMAT, "%s:%u: expected %s", d->path, d->line, what);
}

/* --- tokens --- */

static int next_char(dump *d) {
    const int c = fgetc(d->f);
    d->line += c == '\n';
    return c;
}

static bool read_token(dump *d, char *out, size_t size) {
    int c = next_char(d);
    while (c != EOF && isspace(c))
        c = next_char(d);
    size_t n = 0;
    for (; c != EOF && !isspace(c) && n + 1 < size; c = next_char(d))
        out[n++] = (char)c;
    out[n] = 0;
    return n > 0 && (c == EOF || isspace(c));
}

static void word(dump *d, const char *w) {
    char token[64];
    if (!ok(d))
        return;
    if (!d->reading)
        (void)fprintf(d->f, " %s", w);
    else if (!read_token(d, token, sizeof token) || strcmp(token, w) != 0)
        bad(d, w);
}

static void line(dump *d) {
    if (ok(d) && !d->reading)
        (void)fputc('\n', d->f);
}

static void number(dump *d, int64_t *x, int64_t least, int64_t most) {
    char token[LONGEST_NUMBER], *end;
    if (!ok(d))
        return;
    if (!d->reading) {
        (void)fprintf(d->f, " %" PRId64, *x);
        return;
    }
    if (!read_token(d, token, sizeof token)) {
        bad(d, "a number");
        return;
    }
    *x = strtoll(token, &end, 10);
    if (*end || *x < least || *x > most)
        bad(d, "a number in range");
}

#define NUMBER(d, field, least, most)                                                                        \
    do {                                                                                                     \
        int64_t number_ = (int64_t)(field);                                                                  \
        number(d, &number_, least, most);                                                                    \
        if (ok(d))                                                                                           \
            (field) = (__typeof__(field))number_;                                                            \
    } while (0)
#define U8(d, field)    NUMBER(d, field, 0, UINT8_MAX)
#define U32(d, field)   NUMBER(d, field, 0, UINT32_MAX)
#define I32(d, field)   NUMBER(d, field, INT32_MIN, INT32_MAX)
#define COUNT(d, field) NUMBER(d, field, 0, (d)->size / SHORTEST_ELEMENT)

/* "text" with every byte but plain printable ones as \xHH. */
static void write_text(dump *d, const char *text) {
    (void)fputs(" \"", d->f);
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
            (void)fputc(c, d->f);
        else
            (void)fprintf(d->f, "\\x%02x", c);
    }
    (void)fputc('"', d->f);
}

static int hex_digit(int c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_escape(dump *d) {
    const int x = next_char(d), high = hex_digit(next_char(d)), low = hex_digit(next_char(d));
    return x == 'x' && high >= 0 && low >= 0 ? high * 16 + low : -1;
}

static void read_text(dump *d, char *text, size_t size) {
    int c = next_char(d);
    size_t n = 0;
    while (c != EOF && isspace(c))
        c = next_char(d);
    if (c != '"') {
        bad(d, "a quoted text");
        return;
    }
    while ((c = next_char(d)) != '"') {
        c = c == '\\' ? read_escape(d) : c;
        if (c <= 0 || c == '\n' || n + 1 == size) {
            bad(d, "the end of a quoted text");
            return;
        }
        text[n++] = (char)c;
    }
    memset(text + n, 0, size - n);
}

static void text(dump *d, char *t, size_t size) {
    if (!ok(d))
        return;
    if (d->reading)
        read_text(d, t, size);
    else
        write_text(d, t);
}

/* --- elements --- */

static void flag(dump *d, bool *x) {
    uint8_t b = *x;
    NUMBER(d, b, 0, 1);
    *x = b != 0;
}

static void fields_layer(dump *d, mica_layer *l, layer_note *n) {
    word(d, "layer");
    text(d, l->name, sizeof l->name);
    text(d, l->op, sizeof l->op);
    word(d, "note");
    text(d, n->node, sizeof n->node);
    text(d, n->op, sizeof n->op);
    text(d, n->shapes, sizeof n->shapes);
    word(d, "acc");
    NUMBER(d, n->acc_lo, INT64_MIN, INT64_MAX);
    NUMBER(d, n->acc_hi, INT64_MIN, INT64_MAX);
    word(d, "macs");
    NUMBER(d, n->macs, 0, INT64_MAX);
    line(d);
}

static void fields_kind(dump *d, mica_tensor_kind *kind) {
    static const char *const names[] = {"INPUT", "WEIGHT", "WITNESS", "LINEAR", "CONTRACT", "PLACEMENT"};
    char token[16];
    if (!ok(d))
        return;
    if (!d->reading) {
        (void)fprintf(d->f, " %s", names[*kind]);
        return;
    }
    if (read_token(d, token, sizeof token))
        for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
            if (!strcmp(token, names[i])) {
                *kind = (mica_tensor_kind)i;
                return;
            }
    bad(d, "a kind of tensor");
}

static void fields_tensor(dump *d, mica_tensor *t) {
    word(d, "tensor");
    fields_kind(d, &t->kind);
    word(d, "batched");
    flag(d, &t->batched);
    word(d, "dims");
    NUMBER(d, t->rank, 0, MICA_MAX_RANK);
    for (unsigned i = 0; i < t->rank; i++)
        U32(d, t->dim[i]);
    word(d, "range");
    I32(d, t->lo);
    I32(d, t->hi);
    word(d, "layer");
    U32(d, t->layer);
    word(d, "def");
    U32(d, t->def);
    line(d);
}

static void fields_linear(dump *d, mica_linear *l) {
    word(d, "linear");
    word(d, "shift");
    U8(d, l->shift);
    word(d, "terms");
    U32(d, l->first_term);
    U32(d, l->n_terms);
    word(d, "boxes");
    U32(d, l->first_box);
    U32(d, l->n_boxes);
    line(d);
}

static void fields_view(dump *d, mica_view *v) {
    word(d, "view");
    for (unsigned i = 0; i < MICA_MAX_RANK; i++)
        I32(d, v->axis[i]);
}

static void fields_term(dump *d, mica_term *t) {
    word(d, "term");
    word(d, "coef");
    I32(d, t->coef);
    word(d, "tensor");
    U32(d, t->tensor);
    fields_view(d, &t->view);
    line(d);
}

static void fields_box(dump *d, mica_box *b) {
    word(d, "box");
    word(d, "coef");
    I32(d, b->coef);
    word(d, "lo");
    for (unsigned i = 0; i < MICA_MAX_RANK; i++)
        U32(d, b->lo[i]);
    word(d, "hi");
    for (unsigned i = 0; i < MICA_MAX_RANK; i++)
        U32(d, b->hi[i]);
    line(d);
}

static void fields_contract(dump *d, mica_contract *c) {
    word(d, "contract");
    word(d, "labels");
    NUMBER(d, c->n_labels, 0, MICA_MAX_LABELS);
    for (unsigned i = 0; i < c->n_labels; i++)
        U32(d, c->label_dim[i]);
    word(d, "out");
    for (unsigned i = 0; i < MICA_MAX_RANK; i++)
        U8(d, c->out_label[i]);
    word(d, "a");
    U32(d, c->a);
    fields_view(d, &c->a_view);
    word(d, "b");
    U32(d, c->b);
    fields_view(d, &c->b_view);
    line(d);
}

static void fields_factor(dump *d, mica_factor *f) {
    word(d, "factor");
    word(d, "out");
    NUMBER(d, f->n_out, 0, MICA_MAX_RANK);
    for (unsigned i = 0; i < f->n_out; i++) {
        U8(d, f->out_axis[i]);
        word(d, "*");
        I32(d, f->out_stride[i]);
    }
    word(d, "src");
    NUMBER(d, f->n_src, 0, MICA_MAX_RANK);
    for (unsigned i = 0; i < f->n_src; i++)
        U8(d, f->src_axis[i]);
    word(d, "offset");
    I32(d, f->offset);
    word(d, "norm");
    U32(d, f->norm);
    U8(d, f->count_axis);
    word(d, "list");
    U32(d, f->first_index);
    U32(d, f->n_indices);
}

static void fields_placement(dump *d, mica_placement *p) {
    word(d, "placement");
    word(d, "src");
    U32(d, p->src);
    word(d, "factors");
    NUMBER(d, p->n_factors, 0, MICA_MAX_RANK);
    for (unsigned i = 0; i < p->n_factors; i++)
        fields_factor(d, &p->factor[i]);
    line(d);
}

static void fields_indices(dump *d, mica_circuit *c) {
    if (!c->n_indices)
        return;
    word(d, "index");
    for (uint32_t i = 0; ok(d) && i < c->n_indices; i++)
        U32(d, c->index[i]);
    line(d);
}

static void fields_lookup(dump *d, mica_lookup *l) {
    word(d, "lookup");
    word(d, "table");
    U32(d, l->table);
    word(d, "entries");
    NUMBER(d, l->n_entries, 0, MICA_MAX_ENTRIES);
    for (unsigned i = 0; i < l->n_entries; i++)
        U32(d, l->entry[i]);
    word(d, "layer");
    U32(d, l->layer);
    line(d);
}

static void fields_dyadic(dump *d, mica_dyadic *x) {
    I32(d, x->mantissa);
    I32(d, x->exponent);
}

static void fields_table(dump *d, mica_table *t) {
    word(d, "table");
    word(d, "kind");
    NUMBER(d, t->def.kind, 0, MICA_TABLE_KINDS - 1);
    word(d, "bits");
    U8(d, t->def.bits);
    word(d, "lo_key");
    I32(d, t->def.lo_key);
    word(d, "scales");
    fields_dyadic(d, &t->def.in_scale);
    fields_dyadic(d, &t->def.out_scale);
    word(d, "values");
    I32(d, t->def.lo_value);
    I32(d, t->def.hi_value);
    word(d, "params");
    fields_dyadic(d, &t->def.param[0]);
    fields_dyadic(d, &t->def.param[1]);
    word(d, "multiplicity");
    U32(d, t->multiplicity);
    line(d);
}

static void fields_port(dump *d, mica_port *p) {
    word(d, "port");
    text(d, p->name, sizeof p->name);
    word(d, "tensor");
    U32(d, p->tensor);
    word(d, "scale");
    I32(d, p->mantissa);
    I32(d, p->exponent);
    word(d, "onnx");
    NUMBER(d, p->onnx_rank, 0, MICA_MAX_RANK);
    for (unsigned i = 0; i < p->onnx_rank; i++)
        U32(d, p->onnx_dim[i]);
    word(d, "order");
    for (unsigned i = 0; i < MICA_MAX_RANK; i++)
        U8(d, p->axis_order[i]);
    word(d, "batched");
    flag(d, &p->onnx_batched);
    word(d, "visibility");
    NUMBER(d, p->visibility, MICA_PUBLIC, MICA_PRIVATE);
    word(d, "exact");
    flag(d, &p->exact);
    line(d);
}

static void fields_step(dump *d, step *s) {
    word(d, "step");
    NUMBER(d, s->kind, STEP_EVALUATE, STEP_TOP);
    word(d, "layer");
    U32(d, s->layer);
    word(d, "limbs");
    U32(d, s->n_limbs);
    word(d, "table");
    U32(d, s->table);
    word(d, "param");
    U32(d, s->param);
    word(d, "tensors");
    for (unsigned i = 0; i < STEP_MAX_TENSORS; i++)
        U32(d, s->tensor[i]);
    line(d);
}

/* --- whole programs --- */

/* "mica-program 3 mica 0.1.0"; the program is read whatever version of mica wrote it. */
static void fields_header(dump *d) {
    char token[64] = MICA_VERSION;
    int64_t version = DUMP_VERSION;
    word(d, "mica-program");
    number(d, &version, 0, INT32_MAX);
    if (ok(d) && version != DUMP_VERSION)
        (void)mica_fail(d->st, MICA_ERR_FORMAT,
                        "%s: a program of format version %" PRId64 "; this is version %d", d->path, version,
                        DUMP_VERSION);
    word(d, "mica");
    if (ok(d) && !d->reading)
        (void)fprintf(d->f, " %s", token);
    else if (ok(d) && !read_token(d, token, sizeof token))
        bad(d, "a version of mica");
    line(d);
}

static void fields_counts(dump *d, program *p) {
    mica_circuit *c = &p->circuit;
    fields_header(d);
    word(d, "max_batch");
    U32(d, c->max_batch);
    word(d, "layers");
    COUNT(d, c->n_layers);
    word(d, "tensors");
    COUNT(d, c->n_tensors);
    word(d, "linear");
    COUNT(d, c->n_linear);
    word(d, "terms");
    COUNT(d, c->n_terms);
    word(d, "boxes");
    COUNT(d, c->n_boxes);
    word(d, "contract");
    COUNT(d, c->n_contract);
    word(d, "placement");
    COUNT(d, c->n_placement);
    word(d, "indices");
    NUMBER(d, c->n_indices, 0, d->size / SHORTEST_INDEX);
    word(d, "lookups");
    COUNT(d, c->n_lookups);
    word(d, "tables");
    COUNT(d, c->n_tables);
    word(d, "inputs");
    COUNT(d, c->n_inputs);
    word(d, "outputs");
    COUNT(d, c->n_outputs);
    word(d, "steps");
    COUNT(d, p->n_steps);
    line(d);
}

static bool allocate(program *p, mica_status *st) {
    mica_circuit *c = &p->circuit;
    c->layer = calloc(c->n_layers + 1u, sizeof *c->layer);
    c->tensor = calloc(c->n_tensors + 1u, sizeof *c->tensor);
    c->linear = calloc(c->n_linear + 1u, sizeof *c->linear);
    c->term = calloc(c->n_terms + 1u, sizeof *c->term);
    c->box = calloc(c->n_boxes + 1u, sizeof *c->box);
    c->contract = calloc(c->n_contract + 1u, sizeof *c->contract);
    c->placement = calloc(c->n_placement + 1u, sizeof *c->placement);
    c->index = calloc(c->n_indices + 1u, sizeof *c->index);
    c->lookup = calloc(c->n_lookups + 1u, sizeof *c->lookup);
    c->table = calloc(c->n_tables + 1u, sizeof *c->table);
    c->input = calloc(c->n_inputs + 1u, sizeof *c->input);
    c->output = calloc(c->n_outputs + 1u, sizeof *c->output);
    p->note = calloc(c->n_layers + 1u, sizeof *p->note);
    p->step = calloc(p->n_steps + 1u, sizeof *p->step);
    p->weight = calloc(c->n_tensors + 1u, sizeof *p->weight);
    return (c->layer && c->tensor && c->linear && c->term && c->box && c->contract && c->placement &&
            c->index && c->lookup && c->table && c->input && c->output && p->note && p->step && p->weight) ||
           mica_fail(st, MICA_ERR_MEMORY, "out of memory for a program");
}

static void fields_elements(dump *d, program *p) {
    mica_circuit *c = &p->circuit;
    for (uint32_t i = 0; ok(d) && i < c->n_layers; i++)
        fields_layer(d, &c->layer[i], &p->note[i]);
    for (uint32_t i = 0; ok(d) && i < c->n_inputs; i++)
        fields_port(d, &c->input[i]);
    for (uint32_t i = 0; ok(d) && i < c->n_outputs; i++)
        fields_port(d, &c->output[i]);
    for (uint32_t i = 0; ok(d) && i < c->n_tensors; i++)
        fields_tensor(d, &c->tensor[i]);
    for (uint32_t i = 0; ok(d) && i < c->n_linear; i++)
        fields_linear(d, &c->linear[i]);
    for (uint32_t i = 0; ok(d) && i < c->n_terms; i++)
        fields_term(d, &c->term[i]);
    for (uint32_t i = 0; ok(d) && i < c->n_boxes; i++)
        fields_box(d, &c->box[i]);
    for (uint32_t i = 0; ok(d) && i < c->n_contract; i++)
        fields_contract(d, &c->contract[i]);
    for (uint32_t i = 0; ok(d) && i < c->n_placement; i++)
        fields_placement(d, &c->placement[i]);
    fields_indices(d, c);
    for (uint32_t i = 0; ok(d) && i < c->n_lookups; i++)
        fields_lookup(d, &c->lookup[i]);
    for (uint32_t i = 0; ok(d) && i < c->n_tables; i++)
        fields_table(d, &c->table[i]);
    for (uint32_t i = 0; ok(d) && i < p->n_steps; i++)
        fields_step(d, &p->step[i]);
    word(d, "end");
    line(d);
}

bool program_dump(const program *p, const char *path, mica_status *st) {
    dump d = {fopen(path, "w"), false, 1, path, st, 0};
    if (!d.f)
        return mica_fail(st, MICA_ERR_IO, "cannot write '%s'", path);
    program copy = *p; /* the descriptions take mutable fields; writing changes none */
    fields_counts(&d, &copy);
    fields_elements(&d, &copy);
    const bool written = !ferror(d.f);
    return (fclose(d.f) == 0 && written && ok(&d)) || mica_fail(st, MICA_ERR_IO, "cannot write '%s'", path);
}

/* Goes to the end and back; -1 for what is no regular file. */
static int64_t file_size(FILE *f) {
    const int64_t size = fseek(f, 0, SEEK_END) == 0 ? (int64_t)ftell(f) : -1;
    return fseek(f, 0, SEEK_SET) == 0 ? size : -1;
}

bool program_parse(program *p, const char *path, mica_status *st) {
    dump d = {fopen(path, "r"), true, 1, path, st, 0};
    memset(p, 0, sizeof *p);
    if (!d.f)
        return mica_fail(st, MICA_ERR_IO, "cannot read '%s'", path);
    d.size = file_size(d.f);
    if (d.size >= 0 && d.size <= MAX_BYTES)
        fields_counts(&d, p);
    else
        (void)mica_fail(st, MICA_ERR_IO, "'%s' is no file of at most 2^31 bytes", path);
    if (!ok(&d))
        memset(p, 0, sizeof *p); /* counts without arrays */
    else if (allocate(p, st))
        fields_elements(&d, p);
    (void)fclose(d.f);
    if (!ok(&d))
        program_free(p);
    return ok(&d);
}
