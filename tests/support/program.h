// SPDX-License-Identifier: Apache-2.0
/* program.h - one of the programs as a person or a script meets it: started in a temporary folder, run to its end, and what it left
 * behind. Everything asserts through Criterion; every wait has an end. Main thread only. */
#ifndef PRF_TESTS_PROGRAM_H
#define PRF_TESTS_PROGRAM_H

#include <criterion/criterion.h>
#include <jansson.h>

#include "base/process.h"
#include "base/text.h"
#include "patience.h"

enum { PROGRAM_PATH = 512 };

typedef struct {
    prf_process_t process;
    char errors[PROGRAM_PATH]; /* file of its standard error */
    int code;                  /* exit code, or minus the signal */
    prf_text_t out;
    char *err; /* owned */
} program_t;

/* The test's folder, empty; .init and .fini of a TestSuite. */
extern char program_dir[64];
void program_setup(void);
void program_teardown(void);
/* A path in that folder, good until the test ends. */
const char *program_path(const char *name);
/* Writes a file there; returns its path. */
const char *program_file(const char *name, const char *text);

/* `words` (NULL-terminated): the program's name, beside the tests' own or in PATH, and its arguments. */
void program_launch(program_t *out, const char *const *words);
void program_finish(program_t *self); /* waits for its end */
void program_run(program_t *out, const char *const *words);
void program_release(program_t *self);
#define LAUNCH(p, ...) program_launch(p, (const char *const[]){__VA_ARGS__, NULL})
#define RUN(p, ...) program_run(p, (const char *const[]){__VA_ARGS__, NULL})

/* Runs `prfarm ...`, which must succeed; what it printed, parsed. New reference. */
json_t *program_json(const char *const *words);
#define RUN_JSON(...) program_json((const char *const[]){"prfarm", __VA_ARGS__, NULL})

/* Runs it; it must end with this code, say this on standard error and print nothing. */
#define FAILS(exit_code, says, ...)                                                                                                \
    do {                                                                                                                           \
        program_t failing_;                                                                                                        \
        RUN(&failing_, __VA_ARGS__);                                                                                               \
        cr_expect_eq(failing_.code, exit_code, "exit code %d: %s", failing_.code, failing_.err);                                   \
        cr_expect(strstr(failing_.err, says) != NULL, "'%s' does not say '%s'", failing_.err, says);                               \
        cr_expect_str_empty(prf_text_get(&failing_.out));                                                                          \
        program_release(&failing_);                                                                                                \
    } while (0)

/* Tells aloud, once, that what a test needs is not on this machine; 77 is what ctest takes for "skipped". */
bool program_there(const char *name, const char *package);

#endif
