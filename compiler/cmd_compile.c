/* mica compile MODEL.onnx */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "driver.h"

static const char usage[] =
    "usage: mica compile MODEL.onnx [options]\n"
    "  --calibration DIR   sample inputs: a folder of case_* folders, or a stacked .npy\n"
    "  -o, --out NAME      writes NAME-prover, NAME.vk, NAME.report.html and NAME-src/ (default: the model's "
    "name)\n"
    "  --dim NAME=SIZE     size of a free dimension of the model; may be repeated\n"
    "  --max-batch N       most inputs that one proof may cover (default: 256, or what the size admits)\n"
    "  --security BITS     proven security, 1 to 120 (default 100)\n"
    "  --model-id ID       name of the model in its verifier parameters (default: NAME)\n"
    "  --emit-only         stop before the C compiler\n"
    "  --no-cache          do not use or fill the cache of built executables\n"
    "  --quiet             print errors only\n"
    "  --dump PASS         print the result of a pass as well: import, shapes, fold, canonical, program\n"
    "$CC names the C compiler (default: cc).\n"
    "Exit code 0: compiled; 1: the model cannot be compiled; 2: usage, or a file cannot be read or "
    "written.\n";

enum {
    OPTION_CALIBRATION = 256,
    OPTION_DIM,
    OPTION_BATCH,
    OPTION_SECURITY,
    OPTION_ID,
    OPTION_EMIT,
    OPTION_NO_CACHE,
    OPTION_DUMP
};

static bool parse_option(compile_request *r, dim_binding *dims, int c, mica_status *st) {
    switch (c) {
    case OPTION_CALIBRATION:
        r->calibration = optarg;
        return true;
    case 'o':
        r->output = optarg;
        return true;
    case OPTION_DIM:
        return cmd_dim(&dims[r->n_dims++], optarg, st);
    case OPTION_BATCH:
        return cmd_number(&r->max_batch, optarg, 1, 1u << 20, "--max-batch", st);
    case OPTION_SECURITY:
        return cmd_number(&r->security_bits, optarg, 1, 120, "--security", st);
    case OPTION_ID:
        r->model_id = optarg;
        return true;
    case OPTION_EMIT:
        r->emit_only = true;
        return true;
    case OPTION_NO_CACHE:
        r->no_cache = true;
        return true;
    case 'q':
        r->quiet = true;
        return true;
    case OPTION_DUMP:
        r->dump = optarg;
        return true;
    default:
        return mica_fail(st, MICA_ERR_USAGE, "see mica compile --help");
    }
}

static bool known_pass(const char *pass) {
    static const char *const passes[] = {"import", "shapes", "fold", "canonical", "program"};
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        if (strcmp(pass, passes[i]) == 0)
            return true;
    }
    return false;
}

/* The rule of the format for text, in which an empty name would be no name. */
static bool is_shown_text(const char *words) {
    for (const char *p = words; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return false;
    }
    return *words != 0;
}

static bool check_request(const compile_request *r, mica_status *st) {
    if (r->model_id && strlen(r->model_id) >= MICA_NAME_BYTES)
        return mica_fail(st, MICA_ERR_USAGE, "--model-id: at most %d bytes", MICA_NAME_BYTES - 1);
    if (r->model_id && !is_shown_text(r->model_id))
        return mica_fail(st, MICA_ERR_USAGE, "--model-id: empty, or with control characters");
    if (r->dump && !known_pass(r->dump))
        return mica_fail(st, MICA_ERR_USAGE, "--dump %s: no such pass; see mica compile --help", r->dump);
    return true;
}

/* The model's file name without ".onnx". */
static char *default_output(const char *model) {
    const char *slash = strrchr(model, '/');
    char *name = strdup(slash ? slash + 1 : model);
    char *end = name ? strrchr(name, '.') : NULL;
    if (end && end != name && strcmp(end, ".onnx") == 0)
        *end = 0;
    return name;
}

static bool parse(compile_request *r, dim_binding *dims, int argc, char **argv, bool *help, mica_status *st) {
    static const struct option options[] = {{"calibration", required_argument, NULL, OPTION_CALIBRATION},
                                            {"out", required_argument, NULL, 'o'},
                                            {"dim", required_argument, NULL, OPTION_DIM},
                                            {"max-batch", required_argument, NULL, OPTION_BATCH},
                                            {"security", required_argument, NULL, OPTION_SECURITY},
                                            {"model-id", required_argument, NULL, OPTION_ID},
                                            {"emit-only", no_argument, NULL, OPTION_EMIT},
                                            {"no-cache", no_argument, NULL, OPTION_NO_CACHE},
                                            {"quiet", no_argument, NULL, 'q'},
                                            {"dump", required_argument, NULL, OPTION_DUMP},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, "o:qh", options, NULL)) != -1) {
        if (c == 'h')
            *help = true;
        else if (!parse_option(r, dims, c, st))
            return false;
    }
    if (*help)
        return true;
    if (optind + 1 != argc)
        return mica_fail(st, MICA_ERR_USAGE, "compile takes one model; see mica compile --help");
    r->model = argv[optind];
    r->dims = dims;
    return check_request(r, st);
}

int cmd_compile(int argc, char **argv) {
    compile_request r = {.security_bits = MICA_DEFAULT_SECURITY_BITS, .embed_limit = EMIT_EMBED_LIMIT};
    dim_binding *dims = calloc((size_t)argc + 1, sizeof *dims);
    char *output = NULL;
    mica_status st = {0};
    bool help = false;
    bool ok = dims != NULL || mica_fail(&st, MICA_ERR_MEMORY, "out of memory");
    ok = ok && parse(&r, dims, argc, argv, &help, &st);
    if (ok && help)
        (void)fputs(usage, stdout);
    if (ok && !help) {
        output = r.output ? NULL : default_output(r.model);
        r.output = r.output ? r.output : output;
        ok = r.output ? compile_model(&r, &st) : mica_fail(&st, MICA_ERR_MEMORY, "out of memory");
    }
    const int code = ok ? 0 : cmd_error(&st);
    free(output);
    free(dims);
    return code;
}
