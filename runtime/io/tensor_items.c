/* Command-line arguments and folders -> the items of all inputs of a model. */
#define _GNU_SOURCE /* versionsort */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/tensor_file.h"

#define MAX_CASES  65536
#define PATH_BYTES 4096

void tensor_items_free(tensor_items *t) {
    for (uint32_t k = 0; t->value && k < t->n_ports; k++)
        free(t->value[k]);
    free(t->value);
    free(t->spec);
    memset(t, 0, sizeof *t);
}

static bool items_create(tensor_items *t, const tensor_spec *spec, uint32_t n_specs, mica_status *st) {
    memset(t, 0, sizeof *t);
    t->n_ports = n_specs;
    t->value = calloc(n_specs ? n_specs : 1, sizeof *t->value);
    t->spec = calloc(n_specs ? n_specs : 1, sizeof *t->spec);
    if (!t->value || !t->spec)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for %u inputs", n_specs);
    for (uint32_t k = 0; k < n_specs; k++)
        t->spec[k] = spec[k];
    return true;
}

static bool fail_shape(const tensor_data *d, const tensor_spec *spec, const char *stem, const char *path,
                       mica_status *st) {
    char expected[160], found[160];
    (void)tensor_shape_text(expected, sizeof expected, spec->dim, spec->rank, spec->batched);
    if (d->has_shape)
        (void)tensor_shape_text(found, sizeof found, d->dim, d->rank, false);
    else
        (void)snprintf(found, sizeof found, "a list of %llu numbers", (unsigned long long)d->count);
    return mica_fail(st, MICA_ERR_FORMAT, "%.800s: %s \"%s\" takes shape %s%s, the file holds %s", path, stem,
                     spec->name, expected,
                     spec->batched ? " (B >= 1 items)" : ", or a leading axis more for several items", found);
}

/* Free dimensions take the sizes of the first tensor. */
static void resolve(tensor_spec *spec, const tensor_data *d) {
    for (uint32_t i = 0; i < spec->rank; i++)
        if (spec->dim[i] == -1)
            spec->dim[i] = d->dim[d->rank - spec->rank + i];
}

static bool append_port(tensor_items *t, uint32_t k, const tensor_data *d, mica_status *st) {
    uint64_t old = t->items * tensor_spec_cells(&t->spec[k]);
    if (old + d->count > TENSOR_MAX_ELEMENTS)
        return mica_fail(st, MICA_ERR_LIMIT, "more than %llu values for \"%s\"",
                         (unsigned long long)TENSOR_MAX_ELEMENTS, t->spec[k].name);
    double *larger = realloc(t->value[k], (old + d->count) * sizeof(double));
    if (!larger)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for the values of \"%s\"", t->spec[k].name);
    memcpy(larger + old, d->value, d->count * sizeof(double));
    t->value[k] = larger;
    return true;
}

/* One tensor for every port, from path[k]. */
static bool append_set(tensor_items *t, const tensor_data *d, const char *stem, const char *const *path,
                       mica_status *st) {
    uint64_t items = 0;
    for (uint32_t k = 0; k < t->n_ports; k++) {
        uint64_t n = tensor_items_in(&d[k], &t->spec[k]);
        if (n == 0)
            return fail_shape(&d[k], &t->spec[k], stem, path[k], st);
        if (k > 0 && n != items)
            return mica_fail(st, MICA_ERR_FORMAT, "%.800s: %llu items for %s \"%s\", but %llu for \"%s\"",
                             path[k], (unsigned long long)n, stem, t->spec[k].name, (unsigned long long)items,
                             t->spec[0].name);
        items = n;
        resolve(&t->spec[k], &d[k]);
    }
    for (uint32_t k = 0; k < t->n_ports; k++)
        if (!append_port(t, k, &d[k], st))
            return false;
    t->items += items;
    return true;
}

/* Tensors of one set that is being collected, with the paths they came from. */
typedef struct set {
    tensor_data *data;
    char (*path)[PATH_BYTES];
    const char **path_pointer;
} set;

static void set_free(set *s, uint32_t n) {
    for (uint32_t k = 0; s->data && k < n; k++)
        tensor_data_free(&s->data[k]);
    free(s->data);
    free(s->path);
    free((void *)s->path_pointer);
}

static bool set_create(set *s, uint32_t n, mica_status *st) {
    size_t count = n ? n : 1;
    s->data = calloc(count, sizeof *s->data);
    s->path = calloc(count, sizeof *s->path);
    s->path_pointer = calloc(count, sizeof *s->path_pointer);
    if (!s->data || !s->path || !s->path_pointer) {
        set_free(s, n);
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory for %u inputs", n);
    }
    for (uint32_t k = 0; k < n; k++)
        s->path_pointer[k] = s->path[k];
    return true;
}

static bool exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}

static bool is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* Members of folders are regular files: reading a pipe or a device among them might never end. */
static bool read_member(tensor_data *d, const char *path, mica_status *st) {
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return mica_fail(st, MICA_ERR_IO, "%.800s: is not a regular file", path);
    return tensor_file_read(d, path, st);
}

/* Path of <folder>/<stem>_<k>.pb or .npy; false if there is neither. */
static bool find_member(char out[PATH_BYTES], const char *folder, const char *stem, uint32_t k) {
    static const char *const ending[] = {"pb", "npy"};
    for (unsigned i = 0; i < 2; i++) {
        int n = snprintf(out, PATH_BYTES, "%s/%s_%u.%s", folder, stem, k, ending[i]);
        if (n < 0 || n >= PATH_BYTES)
            return false;
        if (exists(out))
            return true;
    }
    return false;
}

/* One set from a folder of <stem>_K files. */
static bool read_case(tensor_items *t, const char *folder, const char *stem, mica_status *st) {
    set s;
    char extra[PATH_BYTES];
    if (find_member(extra, folder, stem, t->n_ports))
        return mica_fail(st, MICA_ERR_FORMAT, "%.800s: the model has only %u %ss", extra, t->n_ports, stem);
    if (!set_create(&s, t->n_ports, st))
        return false;
    bool ok = true;
    for (uint32_t k = 0; ok && k < t->n_ports; k++) {
        ok = find_member(s.path[k], folder, stem, k) ||
             mica_fail(st, MICA_ERR_IO, "%.800s: no %s_%u.npy or %s_%u.pb for %s \"%s\"", folder, stem, k,
                       stem, k, stem, t->spec[k].name);
        ok = ok && read_member(&s.data[k], s.path[k], st);
    }
    ok = ok && append_set(t, s.data, stem, s.path_pointer, st);
    set_free(&s, t->n_ports);
    return ok;
}

static int is_case(const struct dirent *entry) {
    return strncmp(entry->d_name, "case_", 5) == 0 || strncmp(entry->d_name, "test_data_set_", 14) == 0;
}

static bool read_folder(tensor_items *t, const char *folder, const char *stem, mica_status *st) {
    char path[PATH_BYTES];
    if (find_member(path, folder, stem, 0))
        return read_case(t, folder, stem, st);
    struct dirent **entry = NULL;
    int n = scandir(folder, &entry, is_case, versionsort);
    bool ok =
        n > 0 ||
        mica_fail(st, MICA_ERR_IO,
                  "%.800s: the folder holds neither %s_0.npy, %s_0.pb nor folders case_* or test_data_set_*",
                  folder, stem, stem);
    if (n > MAX_CASES)
        ok = mica_fail(st, MICA_ERR_LIMIT, "%.800s: more than %d cases", folder, MAX_CASES);
    for (int i = 0; i < n; i++) {
        int length = snprintf(path, sizeof path, "%s/%s", folder, entry[i]->d_name);
        if (ok && (length < 0 || (size_t)length >= sizeof path))
            ok = mica_fail(st, MICA_ERR_IO, "%.800s: path too long", folder);
        ok = ok && read_case(t, path, stem, st);
        free(entry[i]);
    }
    free(entry);
    return ok;
}

/* One set whose tensors all come from the same file. */
static bool append_shared(tensor_items *t, const tensor_data *d, const char *stem, const char *path,
                          mica_status *st) {
    const char **paths = malloc((t->n_ports ? t->n_ports : 1) * sizeof *paths);
    if (!paths)
        return mica_fail(st, MICA_ERR_MEMORY, "%.800s: out of memory", path);
    for (uint32_t k = 0; k < t->n_ports; k++)
        paths[k] = path;
    bool ok = append_set(t, d, stem, paths, st);
    free((void *)paths);
    return ok;
}

static bool read_json(tensor_items *t, const char *path, const char *stem, mica_status *st) {
    tensor_data *data;
    uint32_t n;
    char key[32];
    (void)snprintf(key, sizeof key, "%s_data", stem);
    if (!tensor_json_read(&data, &n, key, path, st))
        return false;
    bool ok =
        n == t->n_ports || mica_fail(st, MICA_ERR_FORMAT, "%.800s: %s has %u lists, the model has %u %ss",
                                     path, key, n, t->n_ports, stem);
    ok = ok && append_shared(t, data, stem, path, st);
    for (uint32_t k = 0; k < n; k++)
        tensor_data_free(&data[k]);
    free(data);
    return ok;
}

static bool read_single(tensor_items *t, const char *path, const char *stem, mica_status *st) {
    tensor_data d;
    if (t->n_ports != 1)
        return mica_fail(
            st, MICA_ERR_USAGE,
            "%.800s: the model has %u %ss; give each as NAME=FILE, or one .json file, or a folder", path,
            t->n_ports, stem);
    if (!tensor_file_read(&d, path, st))
        return false;
    bool ok = append_set(t, &d, stem, &path, st);
    tensor_data_free(&d);
    return ok;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* "foo=FILE" where neither that path nor a port of that name exists. */
static bool fail_unknown_name(const tensor_items *t, const char *arg, const char *stem, mica_status *st) {
    char names[512] = "";
    for (uint32_t k = 0; k < t->n_ports; k++) {
        const size_t used = strlen(names);
        (void)snprintf(names + used, sizeof names - used, "%s\"%s\"", k ? ", " : "", t->spec[k].name);
    }
    return mica_fail(st, MICA_ERR_USAGE,
                     "%.800s: no such file, and no %s of the model has that name; it has %s", arg, stem,
                     names);
}

static bool read_path(tensor_items *t, const char *path, const char *stem, mica_status *st) {
    if (!exists(path) && strchr(path, '='))
        return fail_unknown_name(t, path, stem, st);
    if (is_folder(path))
        return read_folder(t, path, stem, st);
    return ends_with(path, ".json") ? read_json(t, path, stem, st) : read_single(t, path, stem, st);
}

/* The port that "NAME=FILE" or "K=FILE" speaks of, with *file after the sign; n_ports if the argument is a
 * path. */
static uint32_t named_port(const tensor_items *t, const char *arg, const char **file) {
    for (uint32_t k = 0; k < t->n_ports; k++) {
        size_t n = strlen(t->spec[k].name);
        if (n > 0 && strncmp(arg, t->spec[k].name, n) == 0 && arg[n] == '=') {
            *file = arg + n + 1;
            return k;
        }
    }
    char *end;
    unsigned long k = strtoul(arg, &end, 10);
    if (arg[0] >= '0' && arg[0] <= '9' && *end == '=' && k < t->n_ports && !exists(arg)) {
        *file = end + 1;
        return (uint32_t)k;
    }
    return t->n_ports;
}

/* All arguments NAME=FILE, as one set. */
static bool read_named(tensor_items *t, const char *stem, const char *const *args, size_t n_args,
                       mica_status *st) {
    set s;
    if (!set_create(&s, t->n_ports, st))
        return false;
    bool ok = true, any = false;
    for (size_t i = 0; ok && i < n_args; i++) {
        const char *file;
        uint32_t k = named_port(t, args[i], &file);
        if (k == t->n_ports)
            continue;
        any = true;
        if (s.data[k].value)
            ok = mica_fail(st, MICA_ERR_USAGE, "%s \"%s\" is given twice", stem, t->spec[k].name);
        (void)snprintf(s.path[k], PATH_BYTES, "%s", file);
        ok = ok && tensor_file_read(&s.data[k], file, st);
    }
    for (uint32_t k = 0; ok && any && k < t->n_ports; k++)
        if (!s.data[k].value)
            ok = mica_fail(st, MICA_ERR_USAGE, "%s \"%s\" is missing; give %s=FILE", stem, t->spec[k].name,
                           t->spec[k].name);
    ok = ok && (!any || append_set(t, s.data, stem, s.path_pointer, st));
    set_free(&s, t->n_ports);
    return ok;
}

bool tensor_items_read(tensor_items *t, const tensor_spec *spec, uint32_t n_specs, const char *stem,
                       const char *const *args, size_t n_args, mica_status *st) {
    bool ok = items_create(t, spec, n_specs, st);
    for (size_t i = 0; ok && i < n_args; i++) {
        const char *file;
        if (named_port(t, args[i], &file) == n_specs)
            ok = read_path(t, args[i], stem, st);
    }
    ok = ok && read_named(t, stem, args, n_args, st);
    if (ok && t->items == 0)
        ok = mica_fail(st, MICA_ERR_USAGE, "no %s is given", stem);
    if (!ok)
        tensor_items_free(t);
    return ok;
}

bool calibration_read(tensor_items *t, const tensor_spec *spec, uint32_t n_specs, const char *path,
                      mica_status *st) {
    return tensor_items_read(t, spec, n_specs, "input", &path, 1, st);
}
