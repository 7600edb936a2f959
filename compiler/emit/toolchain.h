/* Where the runtime's headers, libraries and the templates are, and how the C compiler is called. */
#ifndef MICA_COMPILER_EMIT_TOOLCHAIN_H
#define MICA_COMPILER_EMIT_TOOLCHAIN_H

#include "mica/status.h"

#define TOOLCHAIN_PATH_BYTES 4096

typedef struct toolchain {
    char include[TOOLCHAIN_PATH_BYTES];
    char library[TOOLCHAIN_PATH_BYTES];
    char templates[TOOLCHAIN_PATH_BYTES];
} toolchain;

/* In this order: MICA_HOME; the prefix that the running executable is installed under; the build tree. */
bool toolchain_find(toolchain *t, mica_status *st);

/* "-ljansson -lprotobuf-c", or the static archives where the build found them. */
const char *toolchain_extra_libraries(void);

#endif
