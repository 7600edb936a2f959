/* Verifier parameters from a file. */
#ifndef MICA_COMPILER_VK_FILE_H
#define MICA_COMPILER_VK_FILE_H

#include <stddef.h>

#include "mica/vk.h"

/* Reads and validates; messages name the file. Where bytes is not NULL it receives the file (caller frees).
 */
bool vk_file_read(mica_vk *vk, const char *path, uint8_t **bytes, size_t *size, mica_status *st);

#endif
