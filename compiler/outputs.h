/* The files that a compilation leaves: NAME-prover, NAME.vk and what lies beside them. */
#ifndef MICA_COMPILER_OUTPUTS_H
#define MICA_COMPILER_OUTPUTS_H

#include "driver.h"
#include "workplace.h"

enum { PATH_BYTES = WORKPLACE_PATH_BYTES };

/* What the executable is called before it is published. */
#define OUTPUTS_EXECUTABLE "staged-prover"

/* Whether files of c's name can be written where they shall go, before anything else is done for them.
 * MICA_ERR_USAGE: the name; MICA_ERR_IO: the folder, or what is already there. */
bool outputs_check(const compilation *c, mica_status *st);

/* Opens the workplace; signals are held until interrupt_release. workplace_close in any case, w zeroed
 * before.
 */
bool outputs_begin(workplace *w, const compilation *c, mica_status *st);

/* Writes what is not yet there to the workplace, and then moves all files to their names: all or none. */
bool outputs_publish(const compilation *c, const toolchain *t, const workplace *w, mica_status *st);

/* Prints the certificate's figures and the files' names, unless the request is quiet or for JSON. */
void outputs_list(const compilation *c);

#endif
