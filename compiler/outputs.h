/* The files that a compilation leaves: NAME-prover, NAME.vk and what lies beside them. */
#ifndef MICA_COMPILER_OUTPUTS_H
#define MICA_COMPILER_OUTPUTS_H

#include "driver.h"

enum { PATH_BYTES = 4096 };

/* Everything is made in a folder of its own and moved to its name at the end. */
typedef struct workplace {
    char temporary[PATH_BYTES], sources[PATH_BYTES], executable[PATH_BYTES];
} workplace;

/* Whether files of c's name can be written where they shall go, before anything else is done for them.
 * MICA_ERR_USAGE: the name; MICA_ERR_IO: the folder, or what is already there. */
bool outputs_check(const compilation *c, mica_status *st);

/* Makes the folder; signals are held until interrupt_release. outputs_end in any case, w zeroed before. */
bool outputs_begin(workplace *w, const compilation *c, mica_status *st);

/* Moves the finished files to their names; the executable last. */
bool outputs_publish(const compilation *c, const toolchain *t, const workplace *w, mica_status *st);

/* Removes what is left of the folder. */
void outputs_end(const workplace *w, const char *name);

/* Prints the certificate's figures and the files' names, unless the request is quiet or for JSON. */
void outputs_list(const compilation *c);

#endif
