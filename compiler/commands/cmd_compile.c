/* mica compile MODEL.onnx */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/cmd.h"
#include "driver.h"

/* The model's file name without ".onnx". */
static char *default_output(const char *model) {
    const char *slash = strrchr(model, '/');
    char *name = strdup(slash ? slash + 1 : model);
    char *end = name ? strrchr(name, '.') : NULL;
    if (end && end != name && strcmp(end, ".onnx") == 0)
        *end = 0;
    return name;
}

int cmd_compile(int argc, char **argv) {
    compile_request r = {.security_bits = MICA_DEFAULT_SECURITY_BITS, .embed_limit = EMIT_EMBED_LIMIT};
    char *output = NULL;
    mica_status st = {0};
    bool ok = options_parse(&r, argc, argv, &st);
    if (ok && r.help)
        options_usage(stdout);
    if (ok && !r.help) {
        output = r.output ? NULL : default_output(r.model);
        r.output = r.output ? r.output : output;
        ok = r.output ? compile_model(&r, &st) : mica_fail(&st, MICA_ERR_MEMORY, "out of memory");
    }
    const int code = ok ? 0 : cmd_error(&st);
    free(output);
    options_free(&r);
    return code;
}
