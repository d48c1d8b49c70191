// SPDX-License-Identifier: Apache-2.0
/* damage.h - what a bad disk does to files while nobody looks: flipped bits, writes that were torn. And the documented way to mend
 * a store. Main thread only; the files' owner is down. */
#ifndef PRF_CHAOS_DAMAGE_H
#define PRF_CHAOS_DAMAGE_H

#include <stdint.h>

#include "base/status.h"

/* Damages one place of a regular file, by seed: one bit, or a stretch that ends at a block's end and holds old zeros. `what`
 * (128 bytes) receives what was done. Errors: PRF_ENOTFOUND (no such file, or an empty one), PRF_EIO. */
PRF_CHECKED prf_status_t damage_file(const char *path, uint64_t seed, char what[128], prf_error_t *err);
/* The same to one file of a folder (whose names end in `ending`). Errors: PRF_ENOTFOUND (there is none). */
PRF_CHECKED prf_status_t damage_one_of(const char *dir, const char *ending, uint64_t seed, char what[128], prf_error_t *err);

enum { DAMAGE_RECORDS = 64 }; /* that lie in the block that one damage hits, at most */

/* Does what docs/operations.md says: `prfarm fsck STORE`; if that finds damage, `--salvage` into a new store that takes its place.
 * What they print is appended to `log`. Errors: PRF_EINTERNAL (the procedure does not work), PRF_EIO. */
PRF_CHECKED prf_status_t damage_mend_store(const char *store, const char *log, prf_error_t *err);

#endif
