/* The two kinds of failure that are not programmer errors.
 *
 * A mica_status says why an operation could not proceed (a file, memory, an unsupported model).
 * A mica_verdict says whether a proof was accepted and, if not, where and why it failed.
 * The two are never mixed: a verifier that cannot proceed leaves the verdict unset, which is not acceptance.
 */
#ifndef MICA_STATUS_H
#define MICA_STATUS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum mica_code {
    MICA_OK = 0,
    MICA_ERR_IO,          /* a file could not be read or written */
    MICA_ERR_FORMAT,      /* a file has a foreign magic, a foreign version or is malformed */
    MICA_ERR_UNSUPPORTED, /* valid, but outside what Mica supports; the message says what is supported */
    MICA_ERR_LIMIT,       /* a documented limit is exceeded */
    MICA_ERR_RANGE,       /* an integer bound could not be proven (no-wrap) */
    MICA_ERR_MEMORY,      /* allocation failed or a planned workspace is too small */
    MICA_ERR_USAGE,       /* the command line or the arguments of a call are wrong */
    MICA_ERR_INTERNAL     /* an invariant of Mica's own was broken; a bug */
} mica_code;

/* First error wins: once code is not MICA_OK, further failures leave it unchanged. */
typedef struct mica_status {
    mica_code code;
    char message[1024];
} mica_status;

/* Records an error unless one is recorded already. Always returns false, so that callers can
 * `return mica_fail(st, ...)`. */
bool mica_fail(mica_status *st, mica_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#if defined(__clang_analyzer__) || defined(__CPPCHECK__) /* what a static analyser cannot see from here */
#define mica_fail(...) (mica_fail(__VA_ARGS__), false)
#endif

/* Acceptance is a pattern that neither zeroed nor random memory holds by accident. */
typedef enum mica_verdict_code {
    MICA_VERDICT_UNSET = 0,
    MICA_REJECT_MALFORMED,   /* the proof bytes do not parse: short, long, non-canonical */
    MICA_REJECT_STATEMENT,   /* public values out of range, wrong vk digest, batch size outside the vk's range
                              */
    MICA_REJECT_SECURITY,    /* the parameters prove fewer bits than the verifier asks for */
    MICA_REJECT_POW,         /* proof of work does not meet its difficulty */
    MICA_REJECT_LOGUP_ROOT,  /* the fractional sum is not zero or its denominator is */
    MICA_REJECT_LOGUP_ROUND, /* a layer of the lookup argument does not match its claim */
    MICA_REJECT_LOGUP_LEAF,  /* the lookup columns do not match the final lookup claim */
    MICA_REJECT_LINEAR,      /* a linear relation between claims does not hold */
    MICA_REJECT_CONTRACT,    /* a contraction (matmul, conv, product) does not match its claim */
    MICA_REJECT_PLACEMENT,   /* a placement (window, reshape, slice, concat) does not match its claim */
    MICA_REJECT_PUBLIC,      /* a claim on a public tensor differs from its evaluation */
    MICA_REJECT_MERKLE,      /* an opened column does not hash to its root */
    MICA_REJECT_OPENING,     /* the opening of the commitments does not match the claims */
    MICA_ACCEPT = 0x41434350
} mica_verdict_code;

typedef struct mica_verdict {
    mica_verdict_code code;
    uint32_t layer; /* circuit layer that the failing claim belongs to, UINT32_MAX if none */
    uint32_t round; /* round, level or block within the step, UINT32_MAX if none */
    char detail[160];
} mica_verdict;

/* Records a rejection unless one is recorded already. Always returns false. */
bool mica_reject(mica_verdict *v, mica_verdict_code code, uint32_t layer, uint32_t round, const char *format,
                 ...) __attribute__((format(printf, 5, 6)));

/* A short English phrase for the code, for messages and tests. Never NULL. */
const char *mica_verdict_name(mica_verdict_code code);

#endif
