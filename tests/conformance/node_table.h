/* docs/operators.md: what the tests say of each operator. */
#ifndef MICA_TESTS_NODE_TABLE_H
#define MICA_TESTS_NODE_TABLE_H

#include <stddef.h>

#include "node_test.h"

typedef struct node_table node_table;

node_table *node_table_create(void);
void node_table_free(node_table *table);

/* op is borrowed. */
void node_table_add(node_table *table, const char *op, const node_test *t, const result *r);

/* Supported operators without a test get a row too. */
void node_table_write(node_table *table, const char *path);

#endif
