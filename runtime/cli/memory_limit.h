/* How much memory a proof may take: what --memory says, or what the system has. */
#ifndef MICA_CLI_MEMORY_LIMIT_H
#define MICA_CLI_MEMORY_LIMIT_H

#include <jansson.h>

#include "mica/prove.h"

/* Of an option table: the field is a const char *, NULL if not given. */
#define MEMORY_OPTION(type, field)                                                                           \
    {                                                                                                        \
        "memory", 0, MICA_OPTION_TEXT, offsetof(type, field), 0, 0, "SIZE",                                  \
            "memory that a proof may take, as 500M or 2G (default: what the system has)", 0                  \
    }

/* "500M": bytes, or thousands (K), millions (M), thousands of millions (G) of them. */
bool memory_parse(uint64_t *bytes, const char *text, mica_status *st);

/* What a new process can take without others paying for it: the least of MemAvailable and of the limits of
 * its control groups. UINT64_MAX if the system does not say. */
uint64_t memory_available(void);

/* The most that this process has had of memory so far, in bytes. */
uint64_t memory_peak(void);

/* Gives freed memory of the heap to the system: of what was parsed, a proof should not have to carry the
 * room.
 */
void memory_give_back(void);

/* What is predicted. */
typedef struct proof_kind {
    const mica_vk *vk;
    uint32_t batch;
    unsigned savings; /* to begin with */
    bool verified;    /* in the same process */
} proof_kind;

/* What a limit has to allow for a proof to fit it: the prediction with 5 % to spare, and the last of the
 * workspace's pages, which may be a large one. */
uint64_t memory_at_most(const mica_memory *m);

/* Predicts the memory of a proof (*m) and chooses what it computes again (*savings), before anything is
 * allocated: beside the savings to begin with, as little as the limit allows. limit: the option's argument,
 * or NULL. A proof that does not fit the limit with all savings is refused (MICA_ERR_MEMORY); one that
 * exceeds what the system has even so is made with a warning. */
bool memory_choose(const char *limit, const proof_kind *kind, mica_memory *m, unsigned *savings,
                   mica_status *st);

/* Their names, as a list. */
json_t *memory_savings_json(unsigned savings);

#endif
