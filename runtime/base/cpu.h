/* Which instruction set the kernels use: chosen once at run time, maskable for tests by mica_cpu_limit. */
#ifndef MICA_BASE_CPU_H
#define MICA_BASE_CPU_H

typedef enum mica_cpu_level { MICA_CPU_PORTABLE, MICA_CPU_AVX2, MICA_CPU_AVX512 } mica_cpu_level;

/* The best level this CPU and operating system offer, at most the limit set. */
mica_cpu_level mica_cpu_level_get(void);
/* Caps the level for all later calls. Not thread-safe; meant for start-up (MICA_CPU=portable|avx2|avx512) and
 * tests. */
void mica_cpu_limit(mica_cpu_level limit);
const char *mica_cpu_level_name(mica_cpu_level level);

#endif
