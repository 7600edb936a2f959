#include "options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "mica/circuit.h"

typedef enum option_kind { KIND_FLAG, KIND_NUMBER, KIND_TEXT, KIND_LIST } option_kind;

/* Whether the option influences the verifier parameters. */
typedef enum option_effect { ON_FILES, ON_PARAMETERS } option_effect;

typedef struct compile_option {
    const char *name;
    char letter; /* 0: none */
    option_kind kind;
    option_effect effect;
    size_t field;         /* of compile_request: bool, uint32_t, const char * or option_list */
    uint32_t low, high;   /* of numbers; 0 is "not set" */
    const char *argument; /* for the usage */
    const char *help;
} compile_option;

#define FIELD(name) offsetof(compile_request, name)

static const compile_option options[] = {
    {"calibration", 0, KIND_TEXT, ON_FILES, FIELD(calibration), 0, 0, "DIR",
     "sample inputs: a folder of case_* folders, or a stacked .npy"},
    {"out", 'o', KIND_TEXT, ON_FILES, FIELD(output), 0, 0, "NAME",
     "writes NAME-prover, NAME.vk, NAME.report.html and NAME-src/ (default: the model's name)"},
    {"dim", 0, KIND_LIST, ON_PARAMETERS, FIELD(dim), 0, 0, "NAME=SIZE",
     "size of a free dimension of the model; may be repeated"},
    {"input-visibility", 0, KIND_LIST, ON_PARAMETERS, FIELD(input_visibility), 0, 0, "[NAME=]WHAT",
     "public (default), committed (proofs show a digest) or private (undisclosed, not zero-knowledge)"},
    {"output-visibility", 0, KIND_LIST, ON_PARAMETERS, FIELD(output_visibility), 0, 0, "[NAME=]WHAT",
     "likewise for outputs; both may be repeated"},
    {"max-batch", 0, KIND_NUMBER, ON_PARAMETERS, FIELD(max_batch), 1, 1u << 20, "N",
     "most inputs that one proof may cover (default: 256, or what the size admits)"},
    {"security", 0, KIND_NUMBER, ON_PARAMETERS, FIELD(security_bits), 1, 120, "BITS",
     "proven security, 1 to 120 (default 100)"},
    {"max-error", 0, KIND_TEXT, ON_PARAMETERS, FIELD(max_error), 0, 0, "PERCENT",
     "largest mean error of any output on the samples, in percent of its range; fails if it is not reached"},
    {"min-agreement", 0, KIND_TEXT, ON_PARAMETERS, FIELD(min_agreement), 0, 0, "PERCENT",
     "least share of samples whose largest output is the float network's; fails if it is not reached"},
    {"model-id", 0, KIND_TEXT, ON_PARAMETERS, FIELD(model_id), 0, 0, "ID",
     "name of the model in its verifier parameters (default: NAME)"},
    {"emit-only", 0, KIND_FLAG, ON_FILES, FIELD(emit_only), 0, 0, NULL, "stop before the C compiler"},
    {"no-cache", 0, KIND_FLAG, ON_FILES, FIELD(no_cache), 0, 0, NULL,
     "do not use or fill the cache of built executables"},
    {"quiet", 'q', KIND_FLAG, ON_FILES, FIELD(quiet), 0, 0, NULL, "print errors only"},
    {"json", 0, KIND_FLAG, ON_FILES, FIELD(json), 0, 0, NULL, "print the summary as one line of JSON"},
    {"dump", 0, KIND_TEXT, ON_FILES, FIELD(dump), 0, 0, "PASS",
     "print the result of a pass as well: import, shapes, fold, canonical, program"},
    {"help", 'h', KIND_FLAG, ON_FILES, FIELD(help), 0, 0, NULL, "print this"},
};
enum { N_OPTIONS = sizeof options / sizeof *options, FIRST_VALUE = 256, USAGE_WORDS = 19 };

static void *field_of(compile_request *r, const compile_option *o) {
    return (char *)r + o->field;
}

static const void *field_in(const compile_request *r, const compile_option *o) {
    return (const char *)r + o->field;
}

/* The rule of the formats for text, in which an empty text would be none. */
static bool is_shown_text(const char *words) {
    for (const char *p = words; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    }
    return *words != 0;
}

static bool append(option_list *list, const char *argument, mica_status *st) {
    const char **grown = realloc(list->item, (list->n + 1) * sizeof *grown);
    if (!grown)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory");
    list->item = grown;
    list->item[list->n++] = argument;
    return true;
}

static bool set(compile_request *r, const compile_option *o, const char *argument, mica_status *st) {
    char shown[64];
    void *field = field_of(r, o);
    if (o->effect == ON_PARAMETERS && o->kind != KIND_FLAG && !is_shown_text(argument))
        return mica_fail(st, MICA_ERR_USAGE, "--%s: empty, or with control characters", o->name);
    switch (o->kind) {
    case KIND_FLAG:
        *(bool *)field = true;
        return true;
    case KIND_NUMBER:
        (void)snprintf(shown, sizeof shown, "--%s", o->name);
        return cmd_number(field, argument, o->low, o->high, shown, st);
    case KIND_TEXT:
        *(const char **)field = argument;
        return true;
    case KIND_LIST:
        return append(field, argument, st);
    }
    return false;
}

/* --- finishing --- */

static bool known_pass(const char *pass) {
    static const char *const passes[] = {"import", "shapes", "fold", "canonical", "program"};
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        if (strcmp(pass, passes[i]) == 0)
            return true;
    }
    return false;
}

static bool bind_dims(compile_request *r, mica_status *st) {
    r->dims = calloc(r->dim.n + 1, sizeof *r->dims);
    if (!r->dims)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory");
    for (; r->n_dims < r->dim.n; r->n_dims++) {
        char *copy = strdup(r->dim.item[r->n_dims]);
        if (!copy)
            return mica_fail(st, MICA_ERR_MEMORY, "out of memory");
        if (!cmd_dim(&r->dims[r->n_dims], copy, st)) {
            free(copy);
            return false;
        }
    }
    return true;
}

/* Digits and at most one point: the same number whatever the locale and C library. */
static bool parse_percent(const char *text, const char *option, double *percent, mica_status *st) {
    double x = 0, unit = 1;
    bool point = false, digit = false;
    *percent = -1;
    if (!text)
        return true;
    const char *c = text;
    for (; (*c >= '0' && *c <= '9') || (*c == '.' && !point); c++) {
        point |= *c == '.';
        digit |= *c != '.';
        if (*c == '.')
            continue;
        x = 10 * x + (*c - '0');
        unit *= point ? 10 : 1;
    }
    if (*c || !digit || !(unit < 1e15) || x / unit > 100)
        return mica_fail(st, MICA_ERR_USAGE, "--%s %.40s: expected a percentage from 0 to 100", option, text);
    *percent = x / unit;
    return true;
}

static bool parse_targets(compile_request *r, mica_status *st) {
    if (!parse_percent(r->max_error, "max-error", &r->max_error_percent, st) ||
        !parse_percent(r->min_agreement, "min-agreement", &r->min_agreement_percent, st))
        return false;
    return r->calibration || !(r->max_error || r->min_agreement) ||
           mica_fail(st, MICA_ERR_USAGE,
                     "--max-error and --min-agreement are measured on samples: they need --calibration");
}

bool options_finish(compile_request *r, mica_status *st) {
    if (r->model_id && strlen(r->model_id) >= MICA_NAME_BYTES)
        return mica_fail(st, MICA_ERR_USAGE, "--model-id: at most %d bytes", MICA_NAME_BYTES - 1);
    if (r->dump && !known_pass(r->dump))
        return mica_fail(st, MICA_ERR_USAGE, "--dump %s: no such pass; see mica compile --help", r->dump);
    return parse_targets(r, st) && bind_dims(r, st);
}

void options_free(compile_request *r) {
    for (size_t i = 0; i < r->n_dims; i++)
        free((void *)r->dims[i].name); /* the copy that cmd_dim cut */
    free(r->dims);
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (options[i].kind == KIND_LIST)
            free(((option_list *)field_of(r, &options[i]))->item);
    }
    free(r->replayed);
    memset(r, 0, sizeof *r);
}

/* --- command line --- */

static void make_getopt_table(struct option *table, char *letters) {
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const compile_option *o = &options[i];
        table[i] = (struct option){o->name, o->kind == KIND_FLAG ? no_argument : required_argument, NULL,
                                   FIRST_VALUE + (int)i};
        if (o->letter) {
            *letters++ = o->letter;
            if (o->kind != KIND_FLAG)
                *letters++ = ':';
        }
    }
    table[N_OPTIONS] = (struct option){0};
    *letters = 0;
}

static const compile_option *option_of(int c) {
    if (c >= FIRST_VALUE && c < FIRST_VALUE + N_OPTIONS)
        return &options[c - FIRST_VALUE];
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (options[i].letter && options[i].letter == c)
            return &options[i];
    }
    return NULL;
}

bool options_parse(compile_request *r, int argc, char **argv, mica_status *st) {
    struct option table[N_OPTIONS + 1];
    char letters[2 * N_OPTIONS + 1];
    int c;
    make_getopt_table(table, letters);
    optind = 1;
    while ((c = getopt_long(argc, argv, letters, table, NULL)) != -1) {
        const compile_option *o = option_of(c);
        if (!o)
            return mica_fail(st, MICA_ERR_USAGE, "see mica compile --help");
        if (!set(r, o, optarg, st))
            return false;
    }
    if (r->help)
        return true;
    if (optind + 1 != argc)
        return mica_fail(st, MICA_ERR_USAGE, "compile takes one model; see mica compile --help");
    r->model = argv[optind];
    return options_finish(r, st);
}

void options_usage(FILE *out) {
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const compile_option *o = &options[i];
        char words[64], letter[8] = "";
        if (o->letter)
            (void)snprintf(letter, sizeof letter, "-%c, ", o->letter);
        (void)snprintf(words, sizeof words, "%s--%s%s%s", letter, o->name, o->argument ? " " : "",
                       o->argument ? o->argument : "");
        if (strlen(words) > USAGE_WORDS)
            (void)fprintf(out, "  %s\n  %*s %s\n", words, USAGE_WORDS, "", o->help);
        else
            (void)fprintf(out, "  %-*s %s\n", USAGE_WORDS, words, o->help);
    }
}

/* --- record --- */

static bool record_one(const compile_request *r, const compile_option *o, mica_record *record,
                       mica_status *st) {
    char key[MICA_RECORD_MAX_KEY + 1], number[16];
    const void *field = field_in(r, o);
    (void)snprintf(key, sizeof key, OPTIONS_RECORD_PREFIX "%s", o->name);
    switch (o->kind) {
    case KIND_FLAG:
        return !*(const bool *)field || mica_record_add(record, key, "yes", st);
    case KIND_NUMBER:
        (void)snprintf(number, sizeof number, "%u", *(const uint32_t *)field);
        return *(const uint32_t *)field == 0 || mica_record_add(record, key, number, st);
    case KIND_TEXT:
        return !*(const char *const *)field || mica_record_add(record, key, *(const char *const *)field, st);
    case KIND_LIST:
        for (size_t i = 0; i < ((const option_list *)field)->n; i++) {
            if (!mica_record_add(record, key, ((const option_list *)field)->item[i], st))
                return false;
        }
    }
    return true;
}

bool options_record(const compile_request *r, mica_record *record, mica_status *st) {
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (options[i].effect == ON_PARAMETERS && !record_one(r, &options[i], record, st))
            return false;
    }
    return true;
}

static bool replay_line(compile_request *r, const mica_record_line *line, char *copy, mica_status *st) {
    const char *name = line->key + strlen(OPTIONS_RECORD_PREFIX);
    memcpy(copy, line->value, line->size);
    copy[line->size] = 0;
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (options[i].effect == ON_PARAMETERS && strcmp(options[i].name, name) == 0)
            return set(r, &options[i], copy, st);
    }
    return mica_fail(st, MICA_ERR_FORMAT, "the record has the option --%s, which this version does not know",
                     name);
}

bool options_replay(compile_request *r, const mica_record *record, mica_status *st) {
    mica_record_line line;
    r->replayed = calloc(record->size + 1, 1); /* a value and its terminator fit in the place of the line */
    if (!r->replayed)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory");
    char *copy = r->replayed;
    for (size_t at = 0; mica_record_next(record, &at, &line);) {
        if (strncmp(line.key, OPTIONS_RECORD_PREFIX, strlen(OPTIONS_RECORD_PREFIX)) != 0)
            continue;
        if (!replay_line(r, &line, copy, st))
            return false;
        copy += line.size + 1;
    }
    return true;
}
