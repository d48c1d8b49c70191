// SPDX-License-Identifier: Apache-2.0
/* clock.c - governor `performance` where there is one, and the lowest and the highest clock that a governor may choose made one and
 * the same, so that any other governor has no choice either. A policy is what the kernel calls processors that share a clock.
 *
 * The lowest must never be above the highest, not even for a moment: drivers refuse that. So the one that makes room is written
 * first; the journal puts back in reverse, which holds the same. */
#include "care/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sysfile.h"

#define CPU "/sys/devices/system/cpu/"
#define POLICY CPU "cpufreq/policy%u/"
enum { POLICIES = 1024, FILE_BYTES = PRF_JOURNAL_FILE };

static prf_status_t set(prf_journal_t *journal, unsigned policy, const char *name, const char *value, prf_error_t *err)
{
    char file[FILE_BYTES];
    snprintf(file, sizeof file, POLICY "%s", policy, name);
    return prf_journal_set(journal, file, value, err);
}

static prf_status_t turbo_off(prf_journal_t *journal, prf_error_t *err)
{
    char line[16];
    if (prf_sysfile_read(journal->root, line, sizeof line, CPU "intel_pstate/no_turbo"))
        return prf_journal_set(journal, CPU "intel_pstate/no_turbo", "1", err);
    if (prf_sysfile_read(journal->root, line, sizeof line, CPU "cpufreq/boost"))
        return prf_journal_set(journal, CPU "cpufreq/boost", "0", err);
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

static prf_status_t fix_policy(prf_journal_t *journal, unsigned policy, const char *how, prf_error_t *err)
{
    const char *root = journal->root;
    uint64_t lowest = prf_sysfile_number(root, POLICY "cpuinfo_min_freq", policy);
    uint64_t highest = prf_sysfile_number(root, POLICY "cpuinfo_max_freq", policy);
    uint64_t now_lowest = prf_sysfile_number(root, POLICY "scaling_min_freq", policy);
    uint64_t khz = wanted(journal, policy, how, lowest, highest);
    char governors[512] = "", text[32];
    if (khz == 0)
        return prf_fail(err, PRF_EINVAL,
                        "--fix-clock %s: processor %u runs at %" PRIu64 " to %" PRIu64 " MHz: give one of those, max or base", how,
                        policy, lowest / 1000, highest / 1000);
    snprintf(text, sizeof text, "%" PRIu64, khz);
    prf_status_t status = PRF_OK;
    if (prf_sysfile_read(root, governors, sizeof governors, POLICY "scaling_available_governors", policy) &&
        strstr(governors, "performance"))
        status = set(journal, policy, "scaling_governor", "performance", err);
    const char *first = khz < now_lowest ? "scaling_min_freq" : "scaling_max_freq";
    if (!status)
        status = set(journal, policy, first, text, err);
    if (!status)
        status = set(journal, policy, khz < now_lowest ? "scaling_max_freq" : "scaling_min_freq", text, err);
    return status;
}

prf_status_t prf_clock_fix(prf_journal_t *journal, const char *how, prf_error_t *err)
{
    bool named = strcmp(how, "max") == 0 || strcmp(how, "base") == 0;
    if (!named && (!*how || strspn(how, "0123456789") != strlen(how) || strlen(how) > 6))
        return prf_fail(err, PRF_EUSAGE, "--fix-clock '%.20s' is no clock: give max, base or MHz, such as 1400", how);
    size_t policies = 0;
    prf_status_t status = strcmp(how, "base") == 0 ? turbo_off(journal, err) : PRF_OK;
    for (unsigned i = 0; i < POLICIES && !status; i++)
        if (prf_sysfile_number(journal->root, POLICY "cpuinfo_max_freq", i) > 0) {
            policies++;
            status = fix_policy(journal, i, how, err);
        }
    if (!status && policies == 0)
        return prf_fail(err, PRF_EUNSUPPORTED,
                        "this system lets nobody set the clock (no " CPU "cpufreq/policy0): leave out --fix-clock; a virtual "
                        "machine's clock is set on its host");
    return status;
}
