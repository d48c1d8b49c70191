// SPDX-License-Identifier: Apache-2.0
/* clock.c - governor `performance` where there is one, and the lowest and the highest clock that a governor may choose made one and
 * the same, so that any other governor has no choice either. A policy is what the kernel calls processors that share a clock.
 *
 * The lowest must never be above the highest, not even for a moment: drivers refuse that. So the one that makes room is written
 * first; the journal puts back in reverse, which holds the same. Without turbo the system tells lower ones than are asked for, so
 * those to be put back are read before turbo is turned off. */
#include "care/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sysfile.h"

#define CPU "/sys/devices/system/cpu/"
#define POLICY CPU "cpufreq/policy%u/"
enum { POLICIES = 1024, FILE_BYTES = PRF_JOURNAL_FILE, CLOCK_BYTES = 24 };

/* What a policy's governor may choose, in kHz; 0: it is not told. */
typedef struct {
    uint64_t lowest, highest;
} limits_t;

static limits_t limits_of(const prf_journal_t *journal, unsigned policy)
{
    return (limits_t){prf_sysfile_number(journal->root, POLICY "scaling_min_freq", policy),
                      prf_sysfile_number(journal->root, POLICY "scaling_max_freq", policy)};
}

static bool is_policy(const prf_journal_t *journal, unsigned policy)
{
    return prf_sysfile_number(journal->root, POLICY "cpuinfo_max_freq", policy) > 0;
}

static prf_status_t set_limit(prf_journal_t *journal, unsigned policy, const char *name, uint64_t before, uint64_t khz,
                              prf_error_t *err)
{
    char file[FILE_BYTES], was[CLOCK_BYTES], text[CLOCK_BYTES];
    snprintf(file, sizeof file, POLICY "%s", policy, name);
    snprintf(was, sizeof was, "%" PRIu64, before);
    snprintf(text, sizeof text, "%" PRIu64, khz);
    return prf_journal_set(journal, file, before ? was : NULL, text, err);
}

static prf_status_t set_governor(prf_journal_t *journal, unsigned policy, prf_error_t *err)
{
    char file[FILE_BYTES], governors[512] = "";
    if (!prf_sysfile_read(journal->root, governors, sizeof governors, POLICY "scaling_available_governors", policy) ||
        !strstr(governors, "performance"))
        return PRF_OK;
    snprintf(file, sizeof file, POLICY "scaling_governor", policy);
    return prf_journal_set(journal, file, NULL, "performance", err);
}

static prf_status_t turbo_off(prf_journal_t *journal, prf_error_t *err)
{
    char line[16];
    if (prf_sysfile_read(journal->root, line, sizeof line, CPU "intel_pstate/no_turbo"))
        return prf_journal_set(journal, CPU "intel_pstate/no_turbo", NULL, "1", err);
    if (prf_sysfile_read(journal->root, line, sizeof line, CPU "cpufreq/boost"))
        return prf_journal_set(journal, CPU "cpufreq/boost", NULL, "0", err);
    return PRF_OK; /* a processor without turbo */
}

/* In kHz; 0 when it is no clock of this policy. */
static uint64_t wanted(const prf_journal_t *journal, unsigned policy, const char *how, uint64_t lowest, uint64_t highest)
{
    if (strcmp(how, "max") == 0)
        return highest;
    if (strcmp(how, "base") == 0) {
        uint64_t base = prf_sysfile_number(journal->root, POLICY "base_frequency", policy);
        return base >= lowest && base <= highest ? base : highest;
    }
    uint64_t khz = strtoull(how, NULL, 10) * 1000;
    return khz >= lowest && khz <= highest ? khz : 0;
}

static prf_status_t fix_policy(prf_journal_t *journal, unsigned policy, const char *how, limits_t before, prf_error_t *err)
{
    const char *root = journal->root;
    uint64_t lowest = prf_sysfile_number(root, POLICY "cpuinfo_min_freq", policy);
    uint64_t highest = prf_sysfile_number(root, POLICY "cpuinfo_max_freq", policy);
    uint64_t khz = wanted(journal, policy, how, lowest, highest);
    if (khz == 0)
        return prf_fail(err, PRF_EINVAL,
                        "--fix-clock %s: processor %u runs at %" PRIu64 " to %" PRIu64 " MHz: give one of those, max or base", how,
                        policy, lowest / 1000, highest / 1000);
    bool down = khz < limits_of(journal, policy).lowest;
    prf_status_t status = set_governor(journal, policy, err);
    if (!status && down)
        status = set_limit(journal, policy, "scaling_min_freq", before.lowest, khz, err);
    if (!status)
        status = set_limit(journal, policy, "scaling_max_freq", before.highest, khz, err);
    if (!status && !down)
        status = set_limit(journal, policy, "scaling_min_freq", before.lowest, khz, err);
    return status;
}

prf_status_t prf_clock_fix(prf_journal_t *journal, const char *how, prf_error_t *err)
{
    bool named = strcmp(how, "max") == 0 || strcmp(how, "base") == 0;
    if (!named && (!*how || strspn(how, "0123456789") != strlen(how) || strlen(how) > 6))
        return prf_fail(err, PRF_EUSAGE, "--fix-clock '%.20s' is no clock: give max, base or MHz, such as 1400", how);
    limits_t before[POLICIES];
    size_t policies = 0;
    for (unsigned i = 0; i < POLICIES; i++) {
        before[i] = limits_of(journal, i);
        policies += is_policy(journal, i);
    }
    if (policies == 0)
        return prf_fail(err, PRF_EUNSUPPORTED,
                        "this system lets nobody set the clock (no " CPU "cpufreq/policy0): leave out --fix-clock; a virtual "
                        "machine's clock is set on its host");
    prf_status_t status = strcmp(how, "base") == 0 ? turbo_off(journal, err) : PRF_OK;
    for (unsigned i = 0; i < POLICIES && !status; i++)
        if (is_policy(journal, i))
            status = fix_policy(journal, i, how, before[i], err);
    return status;
}
