#include "cli/memory_limit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define MAX_PATH 4096

bool memory_parse(uint64_t *bytes, const char *text, mica_status *st) {
    char *end;
    uint64_t unit = 1;
    errno = 0;
    const double x = strtod(text, &end);
    if (*end == 'K' || *end == 'k')
        unit = 1000;
    else if (*end == 'M' || *end == 'm')
        unit = 1000000;
    else if (*end == 'G' || *end == 'g')
        unit = 1000000000;
    if (text[0] < '0' || text[0] > '9' || errno || end == text || (*end && end[unit > 1]) ||
        strpbrk(text, "xXpP") || x * (double)unit >= 1e18)
        return mica_fail(st, MICA_ERR_USAGE, "--memory %.40s: expected a size such as 500M or 2G", text);
    *bytes = (uint64_t)(x * (double)unit);
    return true;
}

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* The number that the text begins with, after spaces; UINT64_MAX if there is none, as for "max". */
static uint64_t leading_number(const char *text) {
    text += strspn(text, " \t");
    if (*text < '0' || *text > '9')
        return UINT64_MAX;
    return strtoull(text, NULL, 10); /* ULLONG_MAX beyond 64 bits: no limit */
}

static uint64_t number_in(const char *path) {
    char line[64];
    FILE *f = fopen(path, "r");
    const uint64_t x = f && fgets(line, sizeof line, f) ? leading_number(line) : UINT64_MAX;
    if (f)
        (void)fclose(f);
    return x;
}

/* The number of kilobytes in a line "NAME: 123 kB", as bytes; UINT64_MAX if there is none. */
static uint64_t bytes_in(const char *path, const char *name) {
    char line[256];
    uint64_t bytes = UINT64_MAX;
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        const size_t n = strlen(name);
        const uint64_t kib = strncmp(line, name, n) ? UINT64_MAX : leading_number(line + n);
        if (kib < UINT64_MAX / 1024)
            bytes = kib * 1024;
    }
    if (f)
        (void)fclose(f);
    return bytes;
}

/* The limits of a control group and of those around it: folder, then its parents. */
static uint64_t limit_above(const char *root, const char *group, const char *file) {
    char folder[MAX_PATH], path[MAX_PATH + 64];
    uint64_t limit = UINT64_MAX;
    (void)snprintf(folder, sizeof folder, "%s%s", root, group);
    for (size_t n = strlen(folder);; folder[n] = 0) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, file);
        limit = least(limit, number_in(path));
        if (n <= strlen(root))
            return limit;
        while (n > strlen(root) && folder[n - 1] != '/')
            n--;
        n -= n > strlen(root);
    }
}

/* Version 2 has the line "0::GROUP", version 1 "N:...memory...:GROUP". In a container the group's own folder
 * may not be there; its limit is at the root then. */
static uint64_t control_group_limit(void) {
    char line[MAX_PATH];
    uint64_t limit = UINT64_MAX;
    FILE *f = fopen("/proc/self/cgroup", "r");
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        const char *kinds = strchr(line, ':'), *group = kinds ? strchr(kinds + 1, ':') : NULL;
        if (group && group == kinds + 1)
            limit = least(limit, limit_above("/sys/fs/cgroup", group + 1, "memory.max"));
        else if (group && strstr(kinds, "memory"))
            limit = least(limit, limit_above("/sys/fs/cgroup/memory", group + 1, "memory.limit_in_bytes"));
    }
    if (f)
        (void)fclose(f);
    return limit;
}

uint64_t memory_available(void) {
    return least(bytes_in("/proc/meminfo", "MemAvailable:"), control_group_limit());
}

/* getrusage would count what the process was before its program was loaded. */
uint64_t memory_peak(void) {
    struct rusage usage;
    const uint64_t bytes = bytes_in("/proc/self/status", "VmHWM:");
    if (bytes < UINT64_MAX)
        return bytes;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024; /* Linux counts in units of 1024 bytes */
}

void memory_give_back(void) {
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

#define HUGE_PAGE ((uint64_t)2 << 20)

uint64_t memory_at_most(const mica_memory *m) {
    return m->resident + m->resident / 20 + HUGE_PAGE;
}

static bool predict(const proof_kind *kind, unsigned savings, mica_memory *m, mica_status *st) {
    if (!mica_prover_memory(kind->vk, kind->batch, savings, m, st))
        return false;
    m->resident += kind->verified ? m->verifying : 0;
    return true;
}

/* One saving after the other until the proof fits, but for those that do not lower the peak; where one does,
 * those may be of use after it. */
static bool save(const proof_kind *kind, uint64_t allowed, mica_memory *m, unsigned *savings,
                 mica_status *st) {
    for (bool lower = true; lower;) {
        lower = false;
        for (unsigned i = 0; i < MICA_SAVINGS && memory_at_most(m) > allowed; i++) {
            const unsigned more = *savings | 1u << i | (i == MICA_SAVE_LEAVES ? MICA_SAVE_FOR_ONE : 0u);
            mica_memory less;
            if (more == *savings)
                continue;
            if (!predict(kind, more, &less, st))
                return false;
            if (less.resident < m->resident) {
                *m = less;
                *savings = more;
                lower = true;
            }
        }
    }
    return true;
}

bool memory_choose(const char *limit, const proof_kind *kind, mica_memory *m, unsigned *savings,
                   mica_status *st) {
    const char *s = kind->batch == 1 ? "" : "s";
    uint64_t allowed = 0;
    *savings = kind->savings;
    if ((limit && !memory_parse(&allowed, limit, st)) || !predict(kind, *savings, m, st))
        return false;
    if (!limit)
        allowed = memory_available();
    if (!save(kind, allowed, m, savings, st))
        return false;
    if (memory_at_most(m) <= allowed)
        return true;
    if (limit)
        return mica_fail(st, MICA_ERR_MEMORY,
                         "a proof of %u input%s takes %.1f MB of memory at least; --memory allows %.1f MB",
                         kind->batch, s, (double)memory_at_most(m) / 1e6 + 0.1, (double)allowed / 1e6);
    (void)fprintf(stderr,
                  "warning: a proof of %u input%s takes %.1f MB of memory; the system has %.1f MB left\n",
                  kind->batch, s, (double)memory_at_most(m) / 1e6, (double)allowed / 1e6);
    return true;
}

json_t *memory_savings_json(unsigned savings) {
    json_t *list = json_array();
    for (unsigned i = 0; i < MICA_SAVINGS; i++) {
        if (savings >> i & 1)
            (void)json_array_append_new(list, json_string(mica_saving_name((mica_saving)i)));
    }
    return list;
}
