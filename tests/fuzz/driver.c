// SPDX-License-Identifier: Apache-2.0
/* driver.c - runs a target without libFuzzer: its seeds, each of which must be accepted, then every file of the folders that are
 * named. A folder that is missing holds nothing. */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "fuzz.h"

enum { INPUT_BYTES = 64 << 20, PATH = 1024 };

static void run_seed(void *arg, const void *bytes, size_t len)
{
    size_t *count = arg;
    MUST(fuzz_one(bytes, len), "seed %zu of %zu bytes was refused", *count, len);
    (*count)++;
}

static size_t run_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    MUST(dir || errno == ENOENT, "%s: %s", folder, strerror(errno));
    size_t count = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[PATH], *bytes;
        size_t len;
        prf_error_t err;
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        MUST(prf_file_read(path, INPUT_BYTES, &bytes, &len, &err) == PRF_OK, "%s", err.text);
        printf("%s\n", path);
        fflush(stdout); /* before the crash that it may bring */
        fuzz_one((const uint8_t *)bytes, len);
        free(bytes);
        count++;
    }
    if (dir)
        closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    size_t seeds = 0, found = 0;
    fuzz_seeds(run_seed, &seeds);
    MUST(seeds > 0, "a target without seeds");
    for (int i = 1; i < argc; i++)
        found += run_folder(argv[i]);
    printf("%zu seeds, %zu found before\n", seeds, found);
    return 0;
}
