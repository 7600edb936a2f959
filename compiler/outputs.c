#include "outputs.h"

#include "interrupt.h"
#include "publish.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files of the folder NAME-src, in the order in which they get their names. %s is the model's name. */
static const char *const members[] = {"%s.c",  "%s.h",       "model_data.c", "main.c",  "build.sh",
                                      "%s.vk", "%s.weights", "program.txt",  "MANIFEST"};
#define N_MEMBERS (sizeof members / sizeof *members)

static bool join(char *out, const char *a, const char *b, mica_status *st) {
    const int n = snprintf(out, PATH_BYTES, "%s%s", a, b);
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
    if (!join(path, output, ".", st)) /* at least as long as the folder's */
        return false;
    (void)snprintf(path, sizeof path, "%.*s", slash ? (int)(slash - output + 1) : 1, slash ? output : ".");
    if (stat(path, &info) != 0 || access(path, W_OK | X_OK) != 0)
        return mica_fail(st, MICA_ERR_IO, "%s: nothing can be written to the folder %s: %s", output, path,
                         strerror(errno));
    if (!join(path, output, "-src", st))
        return false;
    if (stat(path, &info) == 0 && !S_ISDIR(info.st_mode))
        return mica_fail(st, MICA_ERR_IO, "%s: %s is no folder", output, path);
    if (!join(path, output, "-prover", st))
        return false;
    return stat(path, &info) != 0 || !S_ISDIR(info.st_mode) ||
           mica_fail(st, MICA_ERR_IO, "%s: %s is a folder", output, path);
}

bool outputs_begin(workplace *w, const compilation *c, mica_status *st) {
    interrupt_hold();
    return workplace_open(w, c->request->output, c->request->quiet, st);
}

/* Writes `bytes` to the workplace, to be moved to the output's name with `ending`. Without bytes, a file of
 * an earlier compilation is not left beside new ones. */
static bool stage(publication *p, const compilation *c, const char *ending, const uint8_t *bytes, size_t size,
                  mica_status *st) {
    char file[64], path[PATH_BYTES], to[PATH_BYTES];
    (void)snprintf(file, sizeof file, "staged%s", ending);
    return join(to, c->request->output, ending, st) && workplace_path(p->place, file, path, st) &&
           (!bytes || file_write(path, bytes, size, st)) && publish_add(p, bytes ? file : NULL, to, st);
}

/* MANIFEST goes away first and comes last: whoever is killed between leaves a folder without it, which
 * build.sh refuses. Files of two compilations would make an executable that computes nonsense. */
static bool stage_sources(publication *p, const compilation *c, const char *folder, mica_status *st) {
    char file[MICA_NAME_BYTES + 16], to[PATH_BYTES];
    if (!join(to, folder, "/MANIFEST", st) || !publish_add(p, NULL, to, st))
        return false;
    for (size_t i = 0; i < N_MEMBERS; i++) {
        const char *hole = strstr(members[i], "%s");
        (void)snprintf(file, sizeof file, "%s%s", hole ? c->name : members[i], hole ? hole + 2 : "");
        const int n = snprintf(to, sizeof to, "%s/%s", folder, file);
        if (n < 0 || (size_t)n >= sizeof to)
            return mica_fail(st, MICA_ERR_IO, "%.800s: path is too long", folder);
        if (!publish_add(p, file, to, st))
            return false;
    }
    return true;
}

static bool stage_report(publication *p, const compilation *c, const toolchain *t, mica_status *st) {
    static const char file[] = "staged.report.html";
    char path[PATH_BYTES], to[PATH_BYTES];
    return workplace_path(p->place, file, path, st) && report_html_write(c, t->templates, path, st) &&
           join(to, c->request->output, ".report.html", st) && publish_add(p, file, to, st);
}

/* What running takes; the executable last. */
static bool stage_executable(publication *p, const compilation *c, mica_status *st) {
    char to[PATH_BYTES];
    const bool mapped = c->weights_size > c->request->embed_limit;
    return c->request->emit_only ||
           (stage(p, c, ".weights", mapped ? c->weights : NULL, c->weights_size, st) &&
            join(to, c->request->output, "-prover", st) && publish_add(p, OUTPUTS_EXECUTABLE, to, st));
}

/* All files are written before the first of them gets its name. */
static bool publish_in(publication *p, const compilation *c, const toolchain *t, mica_status *st) {
    char folder[PATH_BYTES];
    if (!join(folder, c->request->output, "-src", st) || !stage_sources(p, c, folder, st) ||
        !stage(p, c, ".vk", c->vk_bytes, c->vk_size, st) ||
        !stage(p, c, ".float", c->float_bytes, c->float_size, st) ||
        !stage(p, c, ".cert", c->certificate.bytes, c->certificate.size, st) || !stage_report(p, c, t, st) ||
        !stage_executable(p, c, st))
        return false;
    const bool made = mkdir(folder, 0777) == 0;
    if (!made && errno != EEXIST)
        return mica_fail(st, MICA_ERR_IO, "%s: %s", folder, strerror(errno));
    if (publish_all(p, st))
        return true;
    if (made)
        (void)rmdir(folder);
    return false;
}

bool outputs_publish(const compilation *c, const toolchain *t, const workplace *w, mica_status *st) {
    publication p;
    const bool ok = publish_begin(&p, w, st) && publish_in(&p, c, t, st);
    publish_end(&p);
    return ok;
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
