/* Statements, ports and numbers as text and as JSON. */
#ifndef MICA_CLI_SHOW_H
#define MICA_CLI_SHOW_H

#include <jansson.h>
#include <stdio.h>

#include "mica/statement.h"

#define SHOW_HEX_BYTES(n) (2 * (n) + 1)

/* Lower-case hexadecimal into out[SHOW_HEX_BYTES(size)]; returns out. */
const char *show_hex(char *out, const uint8_t *bytes, size_t size);

/* The inverse, for 1 to MICA_MAX_NONCE_BYTES bytes. */
bool show_parse_nonce(const char *hex, uint8_t *bytes, uint32_t *size, mica_status *st);

/* Inputs briefly, outputs as real numbers and integers, in the user's order, where the statement has them;
 * digests of what is committed. */
bool show_statement(FILE *out, const mica_circuit *c, const mica_statement *s, mica_status *st);

/* Adds batch, nonce, inputs, outputs, input_data and output_data (the layout that the JSON reader takes) to
 * object. Values that the statement does not have are null, their data empty. */
bool show_statement_json(json_t *object, const mica_circuit *c, const mica_statement *s, mica_status *st);

/* A string. Names and paths need not be UTF-8, which JSON is: in those that are not, every byte beyond ASCII
 * becomes '?'. NULL if out of memory. */
json_t *show_text_json(const char *text);

/* {"name", "shape", "scale", "range", "visibility"} */
json_t *show_port_json(const mica_circuit *c, const mica_port *port);
void show_port(FILE *out, const char *what, const mica_circuit *c, const mica_port *port);

/* Writes one line of JSON and drops the reference. False if out of memory or out cannot be written. */
bool show_json(FILE *out, json_t *object);

/* What a proof is and is not: that it hides nothing, and what it takes for granted about the weights. */
extern const char show_privacy_note[];
/* The same of private ports; to be shown where a circuit has one. */
extern const char show_private_note[];
bool show_has_private(const mica_circuit *c);
/* All notes that hold for proofs of a circuit; certified: the weights' ranges have been checked. */
json_t *show_notes_json(const mica_circuit *c, bool certified);
extern const char show_weights_note[];

#endif
