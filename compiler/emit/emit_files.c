/* The folder NAME-src: generated sources, data and a script that rebuilds the executable from them. */
#include "emit/emit.h"
#include "emit/hash.h"
#include "emit/template.h"
#include "emit/toolchain.h"

#include "mica/model.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PATH_BYTES = 4096, MANIFEST_VERSION = 1 };

typedef struct folder {
    const emit_request *request;
    const char *directory;
    char model[MICA_NAME_BYTES], shout[MICA_NAME_BYTES]; /* identifiers: lenet, LENET */
    bool mapped;
    size_t scratch_bytes;
    pool pool;
    template_set templates;
    text manifest;
    mica_status *status;
} folder;

bool emit_name_is_safe(const char *name) {
    if (!isalnum((unsigned char)*name) || strlen(name) >= MICA_NAME_BYTES - 16)
        return false;
    for (; *name; name++) {
        if (!isalnum((unsigned char)*name) && *name != '_' && *name != '-' && *name != '.')
            return false;
    }
    return true;
}

static bool write_member(folder *f, const char *name, const void *bytes, size_t size, bool executable) {
    char path[PATH_BYTES], hex[33];
    const quick_digest d = quick_hash_bytes(bytes, size);
    const int n = snprintf(path, sizeof path, "%s/%s", f->directory, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return mica_fail(f->status, MICA_ERR_IO, "%s: path is too long", f->directory);
    if (!file_write(path, bytes, size, f->status))
        return false;
    if (executable && chmod(path, 0755) != 0)
        return mica_fail(f->status, MICA_ERR_IO, "%s: %s", path, strerror(errno));
    quick_digest_hex(&d, hex);
    text_printf(&f->manifest, "%s %12zu %s\n", hex, size, name);
    return true;
}

static bool write_rendered(folder *f, const char *template, const scope *s, const char *name, bool c_code) {
    text raw, tidy;
    text_create(&raw, f->status);
    text_create(&tidy, f->status);
    bool ok = template_render(&f->templates, template, s, &raw, f->status);
    if (ok && c_code)
        template_tidy(raw.bytes, &tidy);
    const text *final = c_code ? &tidy : &raw;
    ok = ok && f->status->code == MICA_OK && write_member(f, name, final->bytes, final->size, !c_code);
    text_free(&raw);
    text_free(&tidy);
    return ok;
}

static bool write_model_c(folder *f) {
    char name[PATH_BYTES];
    text source;
    text_create(&source, f->status);
    (void)snprintf(name, sizeof name, "%s.c", f->request->name);
    const bool ok = emit_model_c(f->request, &source, &f->scratch_bytes, f->status) &&
                    write_member(f, name, source.bytes, source.size, false);
    text_free(&source);
    return ok;
}

static bool write_header(folder *f) {
    char name[PATH_BYTES];
    scope *s = scope_create(&f->pool);
    scope_set(s, "GUARD", "%s_H", f->shout);
    scope_set(s, "RUN_MODEL", "%s_run", f->model);
    scope_set(s, "MODEL_DATA", "%s_model", f->model);
    scope_set(s, "SCRATCH_NAME", "%s_SCRATCH_BYTES", f->shout);
    scope_set(s, "SCRATCH_BYTES", "%zu", f->scratch_bytes);
    scope_set(s, "COMPILER_VERSION", "%s", MICA_VERSION);
    scope_set(s, "MODEL_VERSION", "%u", MICA_MODEL_VERSION);
    (void)snprintf(name, sizeof name, "%s.h", f->request->name);
    return write_rendered(f, "model_header.h", s, name, true);
}

static bool write_data_c(folder *f) {
    const emit_request *r = f->request;
    scope *s = scope_create(&f->pool);
    scope_set(s, "HEADER_FILE", "\"%s.h\"", r->name);
    scope_set(s, "RUN_MODEL", "%s_run", f->model);
    scope_set(s, "MODEL_DATA", "%s_model", f->model);
    scope_set(s, "SCRATCH_NAME", "%s_SCRATCH_BYTES", f->shout);
    scope_set(s, "VK_SYMBOL", "%s_vk", f->model);
    scope_set(s, "VK_SIZE", "%zu", r->vk_size);
    scope_set(s, "VK_FILE", "%s.vk", r->name);
    scope_set(s, "FLOAT_FILE", "%s.float", r->name);
    scope_set(s, "WEIGHT_FILE", "%s.weights", r->name);
    if (!f->mapped) {
        scope_set(s, "WEIGHT_SYMBOL", "%s_weights", f->model);
        scope_set(s, "WEIGHT_SIZE", "%zu", r->weights_size);
    }
    return write_rendered(f, f->mapped ? "model_data_mapped.c" : "model_data.c", s, "model_data.c", true);
}

static bool write_main_c(folder *f) {
    const emit_request *r = f->request;
    scope *s = scope_create(&f->pool);
    scope_set(s, "HEADER_FILE", "\"%s.h\"", r->name);
    scope_set(s, "MODEL_DATA", "%s_model", f->model);
    if (f->mapped) {
        scope_set(s, "WEIGHT_FILE", "%s.weights", r->name);
        scope_set(s, "WEIGHT_SIZE", "%zu", r->weights_size);
    }
    return write_rendered(f, f->mapped ? "main_mapped.c" : "main.c", s, "main.c", true);
}

static bool write_script(folder *f) {
    scope *s = scope_create(&f->pool);
    scope_set(s, "NAME", "%s", f->request->name);
    scope_set(s, "COMPILER_VERSION", "%s", MICA_VERSION);
    scope_set(s, "EXTRA_LIBRARIES", "%s", toolchain_extra_libraries());
    return write_rendered(f, "build.sh", s, "build.sh", false);
}

static bool write_data(folder *f) {
    char name[PATH_BYTES], path[PATH_BYTES];
    const emit_request *r = f->request;
    (void)snprintf(name, sizeof name, "%s.vk", r->name);
    if (!write_member(f, name, r->vk, r->vk_size, false))
        return false;
    (void)snprintf(name, sizeof name, "%s.weights", r->name);
    if (!write_member(f, name, r->weights, r->weights_size, false))
        return false;
    const int n = snprintf(path, sizeof path, "%s/program.txt", f->directory);
    if (n < 0 || (size_t)n >= sizeof path)
        return mica_fail(f->status, MICA_ERR_IO, "%s: path is too long", f->directory);
    return program_dump(r->program, path, f->status);
}

bool emit_sources(const emit_request *r, const char *directory, mica_status *st) {
    folder f;
    memset(&f, 0, sizeof f);
    if (mkdir(directory, 0777) != 0 && errno != EEXIST)
        return mica_fail(st, MICA_ERR_IO, "%s: %s", directory, strerror(errno));
    f.request = r;
    f.directory = directory;
    f.mapped = r->weights_size > r->embed_limit;
    f.status = st;
    emit_identifier(r->name, f.model);
    for (size_t i = 0; f.model[i]; i++)
        f.shout[i] = (char)toupper((unsigned char)f.model[i]);
    pool_create(&f.pool, st);
    f.templates = (template_set){.directory = r->templates, .pool = &f.pool};
    text_create(&f.manifest, st);
    text_printf(&f.manifest, "mica-manifest %d, generated by mica %s\n", MANIFEST_VERSION, MICA_VERSION);
    const bool ok = write_model_c(&f) && write_header(&f) && write_data_c(&f) && write_main_c(&f) &&
                    write_script(&f) && write_data(&f);
    char path[PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/MANIFEST", directory);
    const bool listed = ok && file_write(path, f.manifest.bytes, f.manifest.size, st);
    text_free(&f.manifest);
    pool_free(&f.pool);
    return listed;
}
