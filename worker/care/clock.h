// SPDX-License-Identifier: Apache-2.0
/* clock.h - the processors' clock, fixed through cpufreq. One thread. */
#ifndef PRF_CARE_CLOCK_H
#define PRF_CARE_CLOCK_H

#include "care/journal.h"

/* `how`: "max" (the highest clock, turbo as it is), "base" (turbo off, then the highest clock that is left) or a number of MHz. All
 * processors; all of it goes through the journal, also when it fails. Errors: PRF_EUNSUPPORTED (nobody sets the clock here),
 * PRF_EUSAGE, PRF_EINVAL (not a clock of this processor), those of prf_journal_set. */
PRF_CHECKED prf_status_t prf_clock_fix(prf_journal_t *journal, const char *how, prf_error_t *err);

#endif
