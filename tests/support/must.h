// SPDX-License-Identifier: Apache-2.0
/* must.h - the assertion of test programs that do without Criterion: says what did not hold, and aborts. */
#ifndef PRF_TESTS_MUST_H
#define PRF_TESTS_MUST_H

#include <stdio.h>
#include <stdlib.h>

#define MUST(condition, ...)                                                                                                       \
    do {                                                                                                                           \
        if (!(condition)) {                                                                                                        \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                                                        \
            fprintf(stderr, __VA_ARGS__);                                                                                          \
            fputc('\n', stderr);                                                                                                   \
            abort();                                                                                                               \
        }                                                                                                                          \
    } while (0)

#endif
