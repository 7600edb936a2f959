#include <stdio.h>
#include <string.h>

#include "commands/cmd.h"
#include "mica/certificate.h"
#include "mica/float_model.h"
#include "mica/model.h"
#include "mica/statement.h"
#include "mica/streams.h"

typedef struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} subcommand;

static const subcommand subcommands[] = {
    {"compile", cmd_compile, "compile an ONNX model to a prover executable and verifier parameters"},
    {"verify", cmd_verify, "check a proof against verifier parameters"},
    {"verify-params", cmd_verify_params, "check the certificate of verifier parameters' weights"},
    {"digest", cmd_digest, "show the digests of inputs and outputs that proofs commit to"},
    {"inspect", cmd_inspect, "show a model's operators and which are supported, or verifier parameters"},
    {"audit", cmd_audit, "confirm that verifier parameters belong to a model"},
};
#define N_SUBCOMMANDS (sizeof subcommands / sizeof *subcommands)

static void show_version(void) {
    (void)printf("mica %s\nformats: verifier parameters %u, proof %u, weight certificate %u, weights %u, "
                 "float model %u, "
                 "generated code %u\n",
                 MICA_VERSION, MICA_VK_VERSION, MICA_PROOF_VERSION, MICA_CERTIFICATE_VERSION,
                 MICA_WEIGHTS_VERSION, MICA_FLOAT_VERSION, MICA_MODEL_VERSION);
}

static void show_help(FILE *out) {
    (void)fprintf(out, "usage: mica COMMAND ...\n\n");
    for (size_t i = 0; i < N_SUBCOMMANDS; i++)
        (void)fprintf(out, "  %-13s %s\n", subcommands[i].name, subcommands[i].what);
    (void)fprintf(out, "\n'mica COMMAND --help' says more; 'mica --version' shows the version.\n");
}

static int dispatch(int argc, char **argv) {
    if (argc < 2) {
        show_help(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--version") == 0) {
        show_version();
        return 0;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        show_help(stdout);
        return 0;
    }
    for (size_t i = 0; i < N_SUBCOMMANDS; i++) {
        if (strcmp(argv[1], subcommands[i].name) == 0)
            return subcommands[i].run(argc - 1, argv + 1);
    }
    (void)fprintf(stderr, "error: unknown command '%s'\n", argv[1]);
    show_help(stderr);
    return 2;
}

int main(int argc, char **argv) {
    mica_streams_open();
    const int code = dispatch(argc, argv);
    if (mica_streams_said())
        return code;
    (void)fprintf(stderr, "error: standard output could not be written\n");
    return 2;
}
