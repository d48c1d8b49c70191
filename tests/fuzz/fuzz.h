// SPDX-License-Identifier: Apache-2.0
/* fuzz.h - what a fuzz target is. A target is one file that reads what a stranger may send, and defines the two functions below;
 * docs/testing.md tells how it is run.
 *
 * Each is built twice. libFuzzer (preset fuzz, clang) calls fuzz_one with inputs that it grows from the seeds; the plain driver
 * (every other preset, run by ctest) calls it with the seeds and with what was found before (tests/fuzz/found/TARGET), so that an
 * input that once broke something is tried for ever, with any compiler. */
#ifndef PRF_TESTS_FUZZ_H
#define PRF_TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/support/must.h"

/* Hands one input to the code under test and uses what comes out as its callers would. True: the input was accepted. Whatever it
 * makes is gone when it returns. */
bool fuzz_one(const uint8_t *bytes, size_t len);

/* Calls `add` with inputs that fuzz_one accepts, made by our own encoders so that a change of a format changes them too. */
typedef void (*fuzz_add_fn)(void *arg, const void *bytes, size_t len);
void fuzz_seeds(fuzz_add_fn add, void *arg);

#endif
