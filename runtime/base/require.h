/* Programmer errors: a broken precondition stops a MICA_VERIFY_BUILD and costs nothing otherwise. Never for
 * input: what comes from a file or a proof ends in a mica_status or a mica_verdict. */
#ifndef MICA_BASE_REQUIRE_H
#define MICA_BASE_REQUIRE_H

#ifdef MICA_VERIFY_BUILD
#include <stdio.h>
#include <stdlib.h>
#define MICA_REQUIRE(condition)                                                                              \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            (void)fprintf(stderr, "%s:%d: misuse: %s\n", __FILE__, __LINE__, #condition);                    \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)
#else
#define MICA_REQUIRE(condition) ((void)sizeof(!(condition)))
#endif

#endif
