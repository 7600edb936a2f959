#include "outputs.h"

#include "interrupt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files of the folder NAME-src. %s is the model's name. */
static const char *const members[] = {"%s.c",  "%s.h",       "model_data.c", "main.c",  "build.sh",
                                      "%s.vk", "%s.weights", "program.txt",  "MANIFEST"};
#define N_MEMBERS (sizeof members / sizeof *members)

static bool join(char *out, const char *format, const char *a, const char *b, mica_status *st) {
    const int n = snprintf(out, PATH_BYTES, "%s%s%s", a, format, b);
    return (n > 0 && n < PATH_BYTES) || mica_fail(st, MICA_ERR_IO, "%s: path is too long", a);
}

bool outputs_check(const compilation *c, mica_status *st) {
    const char *output = c->request->output, *slash = strrchr(output, '/');
    char path[PATH_BYTES];
    struct stat info;
    if (!emit_name_is_safe(c->name))
        return mica_fail(st, MICA_ERR_USAGE,
                         "'%s': an output's name has letters, digits, '_', '-' and '.' only and "
                         "starts with a letter or digit; -o NAME chooses one",
                         c->name);
    if (!join(path, ".", output, "", st)) /* at least as long as the folder's */
        return false;
    (void)snprintf(path, sizeof path, "%.*s", slash ? (int)(slash - output + 1) : 1, slash ? output : ".");
    if (stat(path, &info) != 0 || access(path, W_OK | X_OK) != 0)
        return mica_fail(st, MICA_ERR_IO, "%s: nothing can be written to the folder %s: %s", output, path,
                         strerror(errno));
    if (!join(path, "-src", output, "", st))
        return false;
    if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode))
        return mica_fail(st, MICA_ERR_IO, "%s: %s is no folder", output, path);
    if (!join(path, "-prover", output, "", st))
        return false;
    return stat(path, &info) != 0 || !S_ISDIR(info.st_mode) ||
           mica_fail(st, MICA_ERR_IO, "%s: %s is a folder", output, path);
}

bool outputs_begin(workplace *w, const compilation *c, mica_status *st) {
    const char *output = c->request->output;
    if (!join(w->sources, "-src", output, "", st) || !join(w->temporary, "-src.XXXXXX", output, "", st))
        return false;
    interrupt_hold();
    if (!mkdtemp(w->temporary)) {
        const int error = errno;
        w->temporary[0] = 0;
        return mica_fail(st, MICA_ERR_IO, "%s: %s", output, strerror(error));
    }
    /* An absolute or slash-containing path, so that the self-test does not search PATH. */
    return join(w->executable, "/executable", w->temporary, "", st);
}

static void member_path(char *out, const char *directory, const char *member, const char *name) {
    char file[MICA_NAME_BYTES + 16];
    const char *hole = strstr(member, "%s");
    if (hole)
        (void)snprintf(file, sizeof file, "%s%s", name, hole + 2);
    else
        (void)snprintf(file, sizeof file, "%s", member);
    (void)snprintf(out, PATH_BYTES, "%.4000s/%s", directory, file);
}

/* One of other parameters is not left beside new ones. */
static bool publish_certificate(const compilation *c, mica_status *st) {
    char to[PATH_BYTES];
    if (!join(to, ".cert", c->request->output, "", st))
        return false;
    if (c->certificate.bytes)
        return file_write(to, c->certificate.bytes, c->certificate.size, st);
    return unlink(to) == 0 || errno == ENOENT || mica_fail(st, MICA_ERR_IO, "%s: %s", to, strerror(errno));
}

bool outputs_publish(const compilation *c, const toolchain *t, const workplace *w, mica_status *st) {
    char from[PATH_BYTES], to[PATH_BYTES];
    if (mkdir(w->sources, 0777) != 0 && errno != EEXIST)
        return mica_fail(st, MICA_ERR_IO, "%s: %s", w->sources, strerror(errno));
    for (size_t i = 0; i < N_MEMBERS; i++) {
        member_path(from, w->temporary, members[i], c->name);
        member_path(to, w->sources, members[i], c->name);
        if (rename(from, to) != 0)
            return mica_fail(st, MICA_ERR_IO, "%s: %s", to, strerror(errno));
    }
    if (!join(to, ".vk", c->request->output, "", st) || !file_write(to, c->vk_bytes, c->vk_size, st) ||
        !publish_certificate(c, st) || !join(to, ".report.html", c->request->output, "", st) ||
        !report_html_write(c, t->templates, to, st))
        return false;
    if (!join(to, ".float", c->request->output, "", st) || !file_write(to, c->float_bytes, c->float_size, st))
        return false;
    if (c->request->emit_only)
        return true;
    if (c->weights_size > c->request->embed_limit && (!join(to, ".weights", c->request->output, "", st) ||
                                                      !file_write(to, c->weights, c->weights_size, st)))
        return false;
    if (!join(to, "-prover", c->request->output, "", st))
        return false;
    return rename(w->executable, to) == 0 || mica_fail(st, MICA_ERR_IO, "%s: %s", to, strerror(errno));
}

void outputs_end(const workplace *w, const char *name) {
    char path[PATH_BYTES];
    if (!w->temporary[0])
        return;
    for (size_t i = 0; i < N_MEMBERS; i++) {
        member_path(path, w->temporary, members[i], name);
        (void)unlink(path);
    }
    (void)unlink(w->executable);
    (void)rmdir(w->temporary);
}

void outputs_list(const compilation *c) {
    const compile_request *r = c->request;
    if (r->quiet || r->json)
        return;
    if (c->certificate.bytes)
        printf("certificate  %llu weights in range, %llu rows of them bounded: %.1f kB, made and checked in "
               "%.2f s\n",
               (unsigned long long)c->certificate.report.weights,
               (unsigned long long)c->certificate.report.rows, (double)c->certificate.size / 1000,
               c->certificate.seconds);
    printf("written      ");
    if (!r->emit_only)
        printf("%s-prover, ", r->output);
    if (!r->emit_only && c->weights_size > r->embed_limit)
        printf("%s.weights, ", r->output);
    if (c->certificate.bytes)
        printf("%s.cert, ", r->output);
    printf("%s.vk, %s.float, %s.report.html, %s-src/\n", r->output, r->output, r->output, r->output);
}
