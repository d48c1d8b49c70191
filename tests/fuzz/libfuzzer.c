// SPDX-License-Identifier: Apache-2.0
/* libfuzzer.c - the target as libFuzzer wants it. `--seeds FOLDER` as the only arguments writes the seeds there and ends. */
#include <string.h>

#include "base/file.h"
#include "fuzz.h"

enum { PATH = 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    fuzz_one(bytes, len);
    return 0;
}

typedef struct {
    const char *folder;
    size_t count;
} writer_t;

static void write_seed(void *arg, const void *bytes, size_t len)
{
    writer_t *writer = arg;
    char path[PATH];
    prf_error_t err;
    snprintf(path, sizeof path, "%s/seed-%zu", writer->folder, writer->count++);
    MUST(prf_file_write(path, bytes, len, &err) == PRF_OK, "%s", err.text);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    if (*argc == 3 && strcmp((*argv)[1], "--seeds") == 0) {
        fuzz_seeds(write_seed, &(writer_t){.folder = (*argv)[2]});
        exit(0);
    }
    return 0;
}
