#include "commands/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cmd_error(const mica_status *st) {
    (void)fprintf(stderr, "error: %s\n", st->message);
    return st->code == MICA_ERR_USAGE || st->code == MICA_ERR_IO || st->code == MICA_ERR_FORMAT ? 2 : 1;
}

static bool asks_for_help(const mica_command *command, const void *job) {
    for (size_t i = 0; i < command->n_options; i++)
        if (strcmp(command->option[i].name, "help") == 0)
            return *(const bool *)((const char *)job + command->option[i].field);
    return false;
}

int cmd_run(const cmd_frame *f, void *job, int argc, char **argv) {
    mica_status st = {0};
    int operands = argc, code = 0;
    bool ok = mica_arguments_parse(f->command, job, argc, argv, &operands, &st);
    if (ok && asks_for_help(f->command, job))
        mica_arguments_usage(f->command, stdout);
    else
        ok = ok && f->take(job, argc - operands, argv + operands, &st) && f->run(job, &code, &st);
    mica_arguments_free(f->command, job);
    if (ok)
        return code;
    (void)cmd_error(&st);
    return 2; /* no answer, whatever the reason */
}

/* Parses NAME=SIZE in place. */
static bool bind(dim_binding *d, char *text, mica_status *st) {
    char *equals = strrchr(text, '=');
    uint32_t size = 0;
    if (!equals || equals == text)
        return mica_fail(st, MICA_ERR_USAGE, "--dim %s: expected NAME=SIZE", text);
    if (!mica_arguments_number(&size, equals + 1, 1, INT32_MAX, "--dim NAME=SIZE, size", st))
        return false;
    *equals = 0;
    d->name = text;
    d->size = size;
    return true;
}

bool cmd_dims(dim_binding **dims, const mica_arguments *said, mica_status *st) {
    *dims = calloc(said->n + 1, sizeof **dims);
    if (!*dims)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory");
    for (size_t i = 0; i < said->n; i++) {
        char *copy = strdup(said->item[i]);
        if (!copy)
            return mica_fail(st, MICA_ERR_MEMORY, "out of memory");
        if (!bind(&(*dims)[i], copy, st)) {
            free(copy);
            return false;
        }
    }
    return true;
}

void cmd_dims_free(dim_binding *dims, size_t n) {
    for (size_t i = 0; dims && i < n; i++)
        free((void *)dims[i].name); /* the copy that was cut; NULL if it was not made */
    free(dims);
}
