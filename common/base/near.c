// SPDX-License-Identifier: Apache-2.0
/* near.c - the optimal string alignment distance, three rows at a time. Names are short; what is longer is near nothing. */
#include "base/near.h"

#include <string.h>

enum { MOST = 40 };

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), rows[3][MOST + 1];
    if (n > MOST || m > MOST)
        return MOST;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = least(above[j - 1] + (a[i - 1] != b[j - 1]), least(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[n % 3][m];
}

void prf_near_offer(prf_near_t *self, const char *name)
{
    size_t len = strlen(self->word), slips = distance(self->word, name);
    /* The beginning of a long name is what a person writes who hopes for abbreviations. */
    if (len >= 3 && strncmp(self->word, name, len) == 0)
        slips = 1;
    if (slips > (len < 4 ? 1 : len < 8 ? 2 : 3) || (self->best && slips >= self->slips))
        return;
    self->best = name;
    self->slips = slips;
}
