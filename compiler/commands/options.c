#include "commands/options.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "commands/cmd.h"
#include "mica/circuit.h"

/* Groups of options: whether one influences the verifier parameters. */
enum { ON_FILES, ON_PARAMETERS };

#define FIELD(name) offsetof(compile_request, name)

static const mica_option options[] = {
    {"calibration", 0, MICA_OPTION_TEXT, FIELD(calibration), 0, 0, "DIR",
     "sample inputs: a folder of case_* folders, or a stacked .npy", ON_FILES},
    {"out", 'o', MICA_OPTION_TEXT, FIELD(output), 0, 0, "NAME",
     "writes NAME-prover, NAME.vk, NAME.cert, NAME.float, NAME.report.html and NAME-src/ (default: the "
     "model's name)",
     ON_FILES},
    {"dim", 0, MICA_OPTION_LIST, FIELD(dim), 0, 0, "NAME=SIZE",
     "size of a free dimension of the model; may be repeated", ON_PARAMETERS},
    {"const", 0, MICA_OPTION_LIST, FIELD(constant), 0, 0, "NAME=VALUE",
     "an input becomes a constant: a number, a list like [1,2], or a .npy, .pb or .json file; may be "
     "repeated",
     ON_PARAMETERS},
    {"input-visibility", 0, MICA_OPTION_LIST, FIELD(input_visibility), 0, 0, "[NAME=]WHAT",
     "public (default), committed (proofs show a digest) or private (undisclosed, not zero-knowledge)",
     ON_PARAMETERS},
    {"output-visibility", 0, MICA_OPTION_LIST, FIELD(output_visibility), 0, 0, "[NAME=]WHAT",
     "likewise for outputs; both may be repeated", ON_PARAMETERS},
    {"max-batch", 0, MICA_OPTION_NUMBER, FIELD(max_batch), 1, 1u << 20, "N",
     "most inputs that one proof may cover (default: 256, or what the size admits)", ON_PARAMETERS},
    {"security", 0, MICA_OPTION_NUMBER, FIELD(security_bits), 1, 120, "BITS",
     "proven security, 1 to 120 (default 100)", ON_PARAMETERS},
    {"max-error", 0, MICA_OPTION_TEXT, FIELD(max_error), 0, 0, "PERCENT",
     "largest mean error of any output on the samples, in percent of its range; fails if it is not reached",
     ON_PARAMETERS},
    {"min-agreement", 0, MICA_OPTION_TEXT, FIELD(min_agreement), 0, 0, "PERCENT",
     "least share of samples whose largest output is the float network's; fails if it is not reached",
     ON_PARAMETERS},
    {"ranges", 0, MICA_OPTION_TEXT, FIELD(ranges), 0, 0, "WHAT",
     "where inner values saturate: max (largest of the samples), mse (least error on them), percentile=P",
     ON_PARAMETERS},
    {"model-id", 0, MICA_OPTION_TEXT, FIELD(model_id), 0, 0, "ID",
     "name of the model in its verifier parameters (default: NAME)", ON_PARAMETERS},
    {"emit-only", 0, MICA_OPTION_FLAG, FIELD(emit_only), 0, 0, NULL,
     "stop before the C compiler: all files but NAME-prover", ON_FILES},
    {"no-cache", 0, MICA_OPTION_FLAG, FIELD(no_cache), 0, 0, NULL,
     "do not use or fill the cache of built executables", ON_FILES},
    {"no-certificate", 0, MICA_OPTION_FLAG, FIELD(no_certificate), 0, 0, NULL,
     "do not make NAME.cert, the proof that the weights lie in the ranges of NAME.vk", ON_FILES},
    {"weights-file", 0, MICA_OPTION_FLAG, FIELD(weights_file), 0, 0, NULL,
     "weights go to NAME.weights beside the executable, not into it (default: from 256 MB on)", ON_FILES},
    {"quiet", 'q', MICA_OPTION_FLAG, FIELD(quiet), 0, 0, NULL, "print errors only", ON_FILES},
    {"json", 0, MICA_OPTION_FLAG, FIELD(json), 0, 0, NULL, "print the summary as one line of JSON", ON_FILES},
    {"dump", 0, MICA_OPTION_TEXT, FIELD(dump), 0, 0, "PASS",
     "print the result of a pass as well: import, shapes, fold, canonical, program", ON_FILES},
    {"help", 'h', MICA_OPTION_FLAG, FIELD(help), 0, 0, NULL, "print this", ON_FILES},
};
enum { N_OPTIONS = sizeof options / sizeof *options };
static const mica_command command = {"mica compile", "usage: mica compile MODEL.onnx [options]\n", options,
                                     N_OPTIONS,
                                     "$CC names the C compiler (default: cc).\n"
                                     "Exit code 0: compiled; 1: the model cannot be compiled; 2: usage, or a "
                                     "file cannot be read or written.\n"};

static const void *field_in(const compile_request *r, const mica_option *o) {
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

/* --- finishing --- */

static bool known_pass(const char *pass) {
    static const char *const passes[] = {"import", "shapes", "fold", "canonical", "program"};
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        if (strcmp(pass, passes[i]) == 0)
            return true;
    }
    return false;
}

/* What is recorded must be text that a record can hold. */
static bool check_texts(const compile_request *r, mica_status *st) {
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const mica_option *o = &options[i];
        const void *field = field_in(r, o);
        const char *const *text = field;
        size_t n = 0;
        if (o->group == ON_PARAMETERS && o->kind == MICA_OPTION_TEXT)
            n = *text != NULL;
        if (o->group == ON_PARAMETERS && o->kind == MICA_OPTION_LIST) {
            text = ((const mica_arguments *)field)->item;
            n = ((const mica_arguments *)field)->n;
        }
        for (size_t j = 0; j < n; j++)
            if (!is_shown_text(text[j]))
                return mica_fail(st, MICA_ERR_USAGE, "--%s: empty, or with control characters", o->name);
    }
    return true;
}

static bool bind_dims(compile_request *r, mica_status *st) {
    const bool ok = cmd_dims(&r->dims, &r->dim, st);
    r->n_dims = ok ? r->dim.n : 0;
    return ok;
}

/* Reads the constants; the list has their canonical form then, which is what the record shows. */
static bool read_constants(compile_request *r, mica_status *st) {
    const constant_source from = {.item = r->constant.item,
                                  .n = r->constant.n,
                                  .given = r->given_constant.item,
                                  .n_given = r->given_constant.n,
                                  .recorded = r->replayed != NULL};
    if (!constants_read(&r->constants, &from, st))
        return false;
    for (size_t i = 0; i < r->constants.n; i++)
        r->constant.item[i] = r->constants.at[i].text;
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

static bool parse_ranges(compile_request *r, mica_status *st) {
    static const char percentile[] = "percentile=";
    const size_t n = sizeof percentile - 1;
    if (!r->ranges || strcmp(r->ranges, "max") == 0)
        return true;
    if (!r->calibration)
        return mica_fail(st, MICA_ERR_USAGE, "--ranges %.40s is measured on samples: it needs --calibration",
                         r->ranges);
    if (strcmp(r->ranges, "mse") == 0) {
        r->clipping.kind = CLIP_ERROR;
        return true;
    }
    if (strncmp(r->ranges, percentile, n) != 0)
        return mica_fail(st, MICA_ERR_USAGE, "--ranges %.40s: expected max, mse or percentile=P", r->ranges);
    r->clipping.kind = CLIP_PERCENTILE;
    return parse_percent(r->ranges + n, "ranges percentile=", &r->clipping.percentile, st) &&
           (r->clipping.percentile > 0 ||
            mica_fail(st, MICA_ERR_USAGE, "--ranges %.40s: expected a percentage above 0", r->ranges));
}

bool options_finish(compile_request *r, mica_status *st) {
    if (!check_texts(r, st))
        return false;
    if (r->model_id && strlen(r->model_id) >= MICA_NAME_BYTES)
        return mica_fail(st, MICA_ERR_USAGE, "--model-id: at most %d bytes", MICA_NAME_BYTES - 1);
    if (r->weights_file)
        r->embed_limit = 0;
    if (r->dump && !known_pass(r->dump))
        return mica_fail(st, MICA_ERR_USAGE, "--dump %s: no such pass; see mica compile --help", r->dump);
    return parse_targets(r, st) && parse_ranges(r, st) && bind_dims(r, st) && read_constants(r, st);
}

void options_free(compile_request *r) {
    cmd_dims_free(r->dims, r->dim.n);
    constants_free(&r->constants);
    mica_arguments_free(&command, r);
    free(r->replayed);
    memset(r, 0, sizeof *r);
}

bool options_parse(compile_request *r, int argc, char **argv, mica_status *st) {
    int operands;
    if (!mica_arguments_parse(&command, r, argc, argv, &operands, st))
        return false;
    if (r->help)
        return true;
    if (operands + 1 != argc)
        return mica_fail(st, MICA_ERR_USAGE, "compile takes one model; see mica compile --help");
    r->model = argv[operands];
    return options_finish(r, st);
}

void options_usage(FILE *out) {
    mica_arguments_usage(&command, out);
}

/* --- record --- */

static bool record_one(const compile_request *r, const mica_option *o, mica_record *record, mica_status *st) {
    char key[MICA_RECORD_MAX_KEY + 1], number[16];
    const void *field = field_in(r, o);
    (void)snprintf(key, sizeof key, OPTIONS_RECORD_PREFIX "%s", o->name);
    switch (o->kind) {
    case MICA_OPTION_FLAG:
        return !*(const bool *)field || mica_record_add(record, key, "yes", st);
    case MICA_OPTION_NUMBER:
        (void)snprintf(number, sizeof number, "%u", *(const uint32_t *)field);
        return *(const uint32_t *)field == 0 || mica_record_add(record, key, number, st);
    case MICA_OPTION_TEXT:
        return !*(const char *const *)field || mica_record_add(record, key, *(const char *const *)field, st);
    case MICA_OPTION_LIST:
        for (size_t i = 0; i < ((const mica_arguments *)field)->n; i++) {
            if (!mica_record_add(record, key, ((const mica_arguments *)field)->item[i], st))
                return false;
        }
    }
    return true;
}

bool options_record(const compile_request *r, mica_record *record, mica_status *st) {
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (options[i].group == ON_PARAMETERS && !record_one(r, &options[i], record, st))
            return false;
    }
    return true;
}

static bool replay_line(compile_request *r, const mica_record_line *line, char *copy, mica_status *st) {
    const char *name = line->key + strlen(OPTIONS_RECORD_PREFIX);
    memcpy(copy, line->value, line->size);
    copy[line->size] = 0;
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (options[i].group == ON_PARAMETERS && strcmp(options[i].name, name) == 0)
            return mica_arguments_set(&options[i], r, copy, st);
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
