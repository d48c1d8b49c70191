// SPDX-License-Identifier: Apache-2.0
/* openapi.h - docs/api.yaml, put into the program when it is built (CMakeLists.txt). */
#ifndef PRF_OPENAPI_H
#define PRF_OPENAPI_H

#include <stddef.h>

extern const unsigned char prf_openapi[];
extern const size_t prf_openapi_len;

#endif
