#include "emit/toolchain.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_directory(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool join(char *out, const char *prefix, const char *rest) {
    const int n = snprintf(out, TOOLCHAIN_PATH_BYTES, "%s%s", prefix, rest);
    return n > 0 && n < TOOLCHAIN_PATH_BYTES;
}

static bool use_prefix(toolchain *t, const char *prefix) {
    return join(t->include, prefix, "/include") && join(t->library, prefix, "/lib") &&
           join(t->templates, prefix, "/share/mica/templates") && is_directory(t->templates);
}

/* The prefix of an installation: the parent of the directory that holds the executable. */
static bool executable_prefix(char *out) {
    const ssize_t n = readlink("/proc/self/exe", out, TOOLCHAIN_PATH_BYTES - 1);
    if (n <= 0)
        return false;
    out[n] = 0;
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(out, '/');
        if (!slash)
            return false;
        *slash = 0;
    }
    return true;
}

bool toolchain_find(toolchain *t, mica_status *st) {
    char prefix[TOOLCHAIN_PATH_BYTES];
    const char *home = getenv("MICA_HOME");
    if (home && *home) {
        char absolute[PATH_MAX]; /* the C compiler runs in another directory */
        return (realpath(home, absolute) && use_prefix(t, absolute)) ||
               mica_fail(st, MICA_ERR_IO, "MICA_HOME=%s: no share/mica/templates there", home);
    }
    if (executable_prefix(prefix) && use_prefix(t, prefix))
        return true;
#if defined(MICA_BUILD_TEMPLATES)
    if (is_directory(MICA_BUILD_TEMPLATES) && join(t->include, MICA_BUILD_INCLUDE, "") &&
        join(t->library, MICA_BUILD_LIBRARIES, "") && join(t->templates, MICA_BUILD_TEMPLATES, ""))
        return true;
#endif
    return mica_fail(st, MICA_ERR_IO,
                     "the runtime's headers and templates were not found; set MICA_HOME to where Mica "
                     "is installed");
}

const char *toolchain_extra_libraries(void) {
#if defined(MICA_EXTRA_LIBRARIES)
    return MICA_EXTRA_LIBRARIES;
#else
    return "-ljansson -lprotobuf-c";
#endif
}
