// SPDX-License-Identifier: Apache-2.0
/* store_migrate.h - brings a store of the format before to the present one, in place. */
#ifndef PRF_STORE_MIGRATE_H
#define PRF_STORE_MIGRATE_H

#include "store_env.h"

/* Called while the store is opened; `report` says what is to be brought up. Killed at any moment, the next opening goes on.
 * Errors: PRF_ENOSPC and what else LMDB may fail with; the store is whole then and the next opening tries again. */
PRF_CHECKED prf_status_t prf_store_migrate(prf_store_env_t *env, const prf_store_report_t *report, prf_error_t *err);

#endif
