#include "emit/libclang.h"

#include <dlfcn.h>
#include <string.h>

libclang_functions libclang;

/* Object and function pointers have the same representation wherever dlsym exists (POSIX). */
static bool find(void *library, const char *name, void *function, size_t size) {
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, size);
    return symbol != NULL;
}

bool libclang_open(mica_status *st) {
    static void *library;
    if (library)
        return true;
    void *opened = dlopen(MICA_LIBCLANG, RTLD_LAZY | RTLD_LOCAL);
    if (!opened)
        opened = dlopen(MICA_LIBCLANG_PATH, RTLD_LAZY | RTLD_LOCAL);
    if (!opened) {
        const char *why = dlerror();
        const bool memory = why && strstr(why, "failed to map"); /* the loader's words, whatever the file */
        return mica_fail(st, memory ? MICA_ERR_MEMORY : MICA_ERR_IO,
                         "libclang is needed to check generated code: %s%.800s",
                         memory ? "out of memory: " : "", why ? why : "");
    }
    bool all = true;
#define LIBCLANG_FIND(name) all &= find(opened, "clang_" #name, &libclang.name, sizeof libclang.name);
    LIBCLANG_FUNCTIONS(LIBCLANG_FIND)
#undef LIBCLANG_FIND
    if (!all)
        return mica_fail(st, MICA_ERR_IO, "%s lacks functions of libclang's C interface", MICA_LIBCLANG);
    library = opened;
    return true;
}
