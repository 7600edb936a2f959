#include "mica/prover_main.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "io/whole_file.h"
#include "mica/float_model.h"
#include "mica/statement.h"
#include "mica/streams.h"

typedef struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv, const mica_model *model);
    const char *what;
} subcommand;

static const subcommand subcommands[] = {
    {"prove", cli_run_proof, "run the network on inputs and write a proof"},
    {"infer", cli_run_infer, "run the network without proving"},
    {"info", cli_run_info, "show the model, its inputs and outputs, and its security"},
    {"verify", cli_run_check, "check a proof"},
    {"digest", cli_run_digest, "show the digests of inputs and outputs"},
    {"bench", cli_run_bench, "time proofs of random inputs"},
};
#define N_SUBCOMMANDS (sizeof subcommands / sizeof *subcommands)

int cli_error(const mica_status *st) {
    (void)fprintf(stderr, "error: %s\n", st->message);
    return 2;
}

bool cli_parse_inputs(const mica_command *command, void *job, mica_arguments *inputs, int argc, char **argv,
                      mica_status *st) {
    int operands = argc;
    bool ok = mica_arguments_parse(command, job, argc, argv, &operands, st);
    for (int i = operands; ok && i < argc; i++)
        ok = mica_arguments_add(inputs, argv[i], st);
    return ok;
}

bool cli_parse_alone(const mica_command *command, void *job, int argc, char **argv, mica_status *st) {
    int operands;
    return mica_arguments_parse(command, job, argc, argv, &operands, st) &&
           (operands == argc || mica_fail(st, MICA_ERR_USAGE, "%s takes no '%s'; see %s --help",
                                          command->name, argv[operands], command->name));
}

static void show_help(FILE *out, const char *program) {
    (void)fprintf(out, "usage: %s COMMAND ...\n\n", program);
    for (size_t i = 0; i < N_SUBCOMMANDS; i++)
        (void)fprintf(out, "  %-8s %s\n", subcommands[i].name, subcommands[i].what);
    (void)fprintf(
        out,
        "\n'%s --version' shows the versions of model, runtime and formats.\n"
        "An input is a .json file {\"input_data\": [[...]]}, a .npy or ONNX .pb file, or a folder with "
        "input_0.npy, ...\nSeveral inputs are proven as one batch. '%s COMMAND --help' says more.\n"
        "Exit codes: 0 done or accepted, 1 proof rejected, 2 anything else.\n",
        program, program);
}

static int show_version(const mica_model *model) {
    mica_vk vk;
    mica_status st = {0};
    if (!mica_vk_read(&vk, model->vk, model->vk_size, &st))
        return cli_error(&st);
    (void)printf("prover of model \"%s\", compiled by mica %s, runtime %s\n", vk.model_id,
                 vk.compiler_version, MICA_VERSION);
    (void)printf("formats: verifier parameters %u, proof %u, weights %u, float model %u\n", MICA_VK_VERSION,
                 MICA_PROOF_VERSION, MICA_WEIGHTS_VERSION, MICA_FLOAT_VERSION);
    mica_vk_free(&vk);
    return 0;
}

static int dispatch(int argc, char **argv, const mica_model *model) {
    const char *program = argc > 0 ? argv[0] : "prover";
    if (argc < 2) {
        show_help(stderr, program);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        show_help(stdout, program);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0)
        return show_version(model);
    for (size_t i = 0; i < N_SUBCOMMANDS; i++)
        if (strcmp(argv[1], subcommands[i].name) == 0)
            return subcommands[i].run(argc - 1, argv + 1, model);
    (void)fprintf(stderr, "error: unknown command '%s'\n", argv[1]);
    show_help(stderr, program);
    return 2;
}

int mica_prover_main(int argc, char **argv, const mica_model *model) {
    mica_streams_open();
    whole_file_cleanup_on_signals();
    const int code = dispatch(argc, argv, model);
    if (mica_streams_said())
        return code;
    (void)fprintf(stderr, "error: standard output could not be written\n");
    return 2;
}
