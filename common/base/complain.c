// SPDX-License-Identifier: Apache-2.0
#include "base/complain.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool prf_stream_is_journal(FILE *stream)
{
    const char *journal = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;
    return journal && sscanf(journal, "%llu:%llu", &device, &inode) == 2 && fstat(fileno(stream), &st) == 0 &&
           st.st_dev == device && st.st_ino == inode;
}

bool prf_stream_is_live(FILE *stream)
{
    const char *term = getenv("TERM");
    return isatty(fileno(stream)) && term && strcmp(term, "dumb") != 0;
}

bool prf_stream_has_color(FILE *stream)
{
    const char *no_color = getenv("NO_COLOR");
    return prf_stream_is_live(stream) && !(no_color && *no_color);
}

void prf_complain(const char *program, const char *text)
{
    bool color = prf_stream_has_color(stderr);
    const char *begin = prf_stream_is_journal(stderr) ? "<3>" : (color ? "\033[1;31m" : "");
    fprintf(stderr, "%s%s:%s %s\n", begin, program, color ? "\033[0m" : "", text);
}
