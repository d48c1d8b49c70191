// SPDX-License-Identifier: Apache-2.0
/* patience.h - how long any test waits for what must come. Nothing that works takes so long, under sanitizers on a busy machine
 * neither: who comes to its end has found a product that hangs. The whole of a test has 15 minutes (tests/CMakeLists.txt). */
#ifndef PRF_TESTS_PATIENCE_H
#define PRF_TESTS_PATIENCE_H

enum { PATIENCE_MS = 300000 };

#endif
