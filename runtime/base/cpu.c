#include "base/cpu.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static const char *const level_names[] = {"portable", "avx2", "avx512"};

#if defined(__x86_64__)
/* __builtin_cpu_supports also asks whether the operating system saves the wide registers. */
static mica_cpu_level detect(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2"))
        return MICA_CPU_PORTABLE;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return MICA_CPU_AVX512;
    return MICA_CPU_AVX2;
}
#else
static mica_cpu_level detect(void) {
    return MICA_CPU_PORTABLE;
}
#endif

/* A name that is not a level sets no limit: the level never changes a result. */
static mica_cpu_level limit_of_environment(void) {
    const char *name = getenv("MICA_CPU");
    for (int level = MICA_CPU_PORTABLE; name && level <= MICA_CPU_AVX512; level++) {
        if (strcmp(name, level_names[level]) == 0)
            return (mica_cpu_level)level;
    }
    return MICA_CPU_AVX512;
}

static mica_cpu_level at_most(mica_cpu_level level, mica_cpu_level limit) {
    return level < limit ? level : limit;
}

/* The level in use, -1 before the first call. Threads that race to set it store the same value. */
static atomic_int current = -1;

mica_cpu_level mica_cpu_level_get(void) {
    int level = atomic_load_explicit(&current, memory_order_relaxed);
    if (level < 0) {
        level = (int)at_most(detect(), limit_of_environment());
        atomic_store_explicit(&current, level, memory_order_relaxed);
    }
    return (mica_cpu_level)level;
}

void mica_cpu_limit(mica_cpu_level limit) {
    atomic_store_explicit(&current, (int)at_most(detect(), limit), memory_order_relaxed);
}

const char *mica_cpu_level_name(mica_cpu_level level) {
    return level >= MICA_CPU_PORTABLE && level <= MICA_CPU_AVX512 ? level_names[level] : "unknown";
}
