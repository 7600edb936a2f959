/* A hash table from names to numbers; the keys stay with the caller. */
#ifndef MICA_COMPILER_NAME_MAP_H
#define MICA_COMPILER_NAME_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "mica/status.h"

#define NAME_MAP_NONE UINT32_MAX

typedef struct name_map {
    struct name_entry {
        const char *key; /* NULL: free */
        uint32_t number;
    } * entry;
    uint32_t capacity, used; /* capacity is a power of two or 0 */
} name_map;

void name_map_free(name_map *m);
/* The number stored for `key`, or NAME_MAP_NONE. */
uint32_t name_map_get(const name_map *m, const char *key);
/* Adds a key that is not in the table. */
bool name_map_add(name_map *m, const char *key, uint32_t number, mica_status *st);

#endif
