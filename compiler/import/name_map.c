#include "import/name_map.h"

#include <stdlib.h>
#include <string.h>

/* FNV-1a, 64 bit. A hostile file can make its names collide, which costs it time quadratic in the number of
 * values that graph.h admits, and nothing else. */
static uint64_t hash(const char *key) {
    uint64_t h = 14695981039346656037u;
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 1099511628211u;
    return h ^ h >> 32;
}

void name_map_free(name_map *m) {
    free(m->entry);
    *m = (name_map){0};
}

/* The key's entry, or the free one where it belongs. At least one entry is free. */
static struct name_entry *find(const name_map *m, const char *key) {
    uint32_t i = (uint32_t)hash(key) & (m->capacity - 1);
    while (m->entry[i].key && strcmp(m->entry[i].key, key) != 0)
        i = (i + 1) & (m->capacity - 1);
    return &m->entry[i];
}

uint32_t name_map_get(const name_map *m, const char *key) {
    if (m->capacity == 0)
        return NAME_MAP_NONE;
    const struct name_entry *e = find(m, key);
    return e->key ? e->number : NAME_MAP_NONE;
}

static bool enlarge(name_map *m, mica_status *st) {
    name_map larger = {.capacity = m->capacity ? 2 * m->capacity : 256, .used = m->used};
    larger.entry = calloc(larger.capacity, sizeof *larger.entry);
    if (!larger.entry)
        return mica_fail(st, MICA_ERR_MEMORY, "out of memory");
    for (uint32_t i = 0; i < m->capacity; i++)
        if (m->entry[i].key)
            *find(&larger, m->entry[i].key) = m->entry[i];
    free(m->entry);
    *m = larger;
    return true;
}

bool name_map_add(name_map *m, const char *key, uint32_t number, mica_status *st) {
    if (m->used >= m->capacity / 2 && !enlarge(m, st))
        return false;
    *find(m, key) = (struct name_entry){key, number};
    m->used++;
    return true;
}
