/* Verifier parameters as text and as JSON; shared by prover executables and `mica inspect`. */
#ifndef MICA_CLI_SHOW_VK_H
#define MICA_CLI_SHOW_VK_H

#include <stdio.h>

#include "mica/verify.h"

/* Model, ports, what a proof of `batch` inputs costs and proves, and the record; `ranges`: all of its lines.
 */
void show_vk(FILE *out, const mica_vk *vk, const mica_report *r, uint32_t batch, bool ranges);
/* The same as one JSON object on a line. False if out of memory or out cannot be written. */
bool show_vk_json(FILE *out, const mica_vk *vk, const mica_report *r, uint32_t batch);

#endif
