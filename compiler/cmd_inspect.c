/* mica inspect MODEL.onnx */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd.h"
#include "inspect.h"

static const char usage[] = "usage: mica inspect MODEL.onnx [options]\n"
                            "  --dim NAME=SIZE  size of a free dimension of the model; may be repeated\n"
                            "  --json           print the report as JSON\n"
                            "Exit code 0: everything is supported; 1: something is not; 2: no report.\n";

static int run(int argc, char **argv, dim_binding *dims, mica_status *st) {
    static const struct option options[] = {{"dim", required_argument, NULL, 'd'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    size_t n_dims = 0;
    bool json = false, supported = false;
    int c;
    optind = 1;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (c == 'j') {
            json = true;
        } else if (c == 'h') {
            (void)fputs(usage, stdout);
            return 0;
        } else if (c != 'd') {
            (void)mica_fail(st, MICA_ERR_USAGE, "see mica inspect --help");
            return 2;
        } else if (!cmd_dim(&dims[n_dims++], optarg, st)) {
            return 2;
        }
    }
    if (optind + 1 != argc) {
        (void)mica_fail(st, MICA_ERR_USAGE, "inspect takes one model; see mica inspect --help");
        return 2;
    }
    if (!mica_inspect(argv[optind], dims, n_dims, json, stdout, &supported, st))
        return 2;
    return supported ? 0 : 1;
}

int cmd_inspect(int argc, char **argv) {
    mica_status st = {0};
    dim_binding *dims = calloc((size_t)argc + 1, sizeof *dims);
    if (!dims)
        (void)mica_fail(&st, MICA_ERR_MEMORY, "out of memory");
    const int code = dims ? run(argc, argv, dims, &st) : 2;
    if (st.code != MICA_OK)
        (void)cmd_error(&st);
    free(dims);
    return code;
}
