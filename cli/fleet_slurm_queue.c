// SPDX-License-Identifier: Apache-2.0
/* fleet_slurm_queue.c - the formats are those that Slurm has had for ten years (-o), not its JSON, which needs a plug-in that
 * distributions leave out. Ended jobs come with the others (--states=all), so that sacct and its database are not needed. */
#include "fleet_slurm_queue.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/command.h"
#include "wire/printable.h"

enum { TIMEOUT_MS = 20000, OUTPUT = 8 << 20, FIELDS = 5, CANCELLED_AT_ONCE = 64, ID_TEXT = 24 };

static prf_status_t run(const char *const *argv, const char *input, const char *remedy, prf_text_t *out, prf_error_t *err)
{
    const prf_command_spec_t spec = {.argv = argv, .input = input, .timeout_ms = TIMEOUT_MS, .limit = OUTPUT};
    prf_status_t status = prf_command_run(&spec, out, err);
    if (status == PRF_ENOTFOUND)
        return prf_fail(err, status, "%s: there is no such program: run this on a machine that submits to Slurm", argv[0]);
    return status ? prf_fail_remedy(err, status, remedy) : PRF_OK;
}

uint64_t prf_slurm_elapsed_ms(const char *text)
{
    unsigned long long days = 0, part[3] = {0};
    int parts = 0;
    char *end;
    const char *dash = strchr(text, '-');
    if (dash) {
        days = strtoull(text, &end, 10);
        if (end != dash)
            return 0;
        text = dash + 1;
    }
    for (;; text = end + 1) {
        if (!isdigit((unsigned char)*text) || parts == 3)
            return 0;
        part[parts++] = strtoull(text, &end, 10);
        if (*end != ':')
            break;
    }
    if (*end || days > 36500)
        return 0;
    uint64_t seconds = 0;
    for (int i = 0; i < parts; i++)
        seconds = seconds * 60 + (part[i] < 1000000 ? part[i] : 0);
    return (days * 86400 + seconds) * 1000;
}

/* Every state that Slurm has and that is not here holds a node or may get one again. */
static prf_slurm_state_t state_of(const char *word, prf_slurm_end_t *end)
{
    static const struct {
        const char *word;
        prf_slurm_state_t state;
        prf_slurm_end_t end;
    } words[] = {
        {"PENDING", PRF_SLURM_PENDING, 0},
        {"REQUEUED", PRF_SLURM_PENDING, 0},
        {"REQUEUE_HOLD", PRF_SLURM_PENDING, 0},
        {"REQUEUE_FED", PRF_SLURM_PENDING, 0},
        {"RESV_DEL_HOLD", PRF_SLURM_PENDING, 0},
        {"SPECIAL_EXIT", PRF_SLURM_PENDING, 0},
        {"COMPLETING", PRF_SLURM_LEAVING, 0},
        {"COMPLETED", PRF_SLURM_ENDED, PRF_SLURM_END_WELL},
        {"CANCELLED", PRF_SLURM_ENDED, PRF_SLURM_END_TAKEN},
        {"TIMEOUT", PRF_SLURM_ENDED, PRF_SLURM_END_TAKEN},
        {"DEADLINE", PRF_SLURM_ENDED, PRF_SLURM_END_TAKEN},
        {"PREEMPTED", PRF_SLURM_ENDED, PRF_SLURM_END_TAKEN},
        {"NODE_FAIL", PRF_SLURM_ENDED, PRF_SLURM_END_TAKEN},
        {"REVOKED", PRF_SLURM_ENDED, PRF_SLURM_END_TAKEN},
        {"FAILED", PRF_SLURM_ENDED, PRF_SLURM_END_FAILED},
        {"BOOT_FAIL", PRF_SLURM_ENDED, PRF_SLURM_END_FAILED},
        {"OUT_OF_MEMORY", PRF_SLURM_ENDED, PRF_SLURM_END_FAILED},
    };
    *end = PRF_SLURM_END_WELL;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(word, words[i].word) != 0)
            continue;
        *end = words[i].end;
        return words[i].state;
    }
    return PRF_SLURM_RUNNING;
}

static bool is_ours(const prf_slurm_file_t *file, const char *name, prf_slurm_job_t *job)
{
    char ours[PRF_SLURM_NAME];
    for (size_t k = 0; k < file->count; k++) {
        for (int stays = 0; stays < 2; stays++) {
            if (strcmp(name, prf_slurm_job_name(file, &file->kinds[k], stays, ours)) != 0)
                continue;
            job->kind = k;
            job->stays = stays;
            return true;
        }
    }
    return false;
}

/* A line of squeue, whose fields are cut apart in place. */
static bool parse_line(const prf_slurm_file_t *file, char *line, prf_slurm_job_t *job)
{
    char *field[FIELDS] = {line}, *end;
    for (int i = 1; i < FIELDS; i++) {
        field[i] = strchr(field[i - 1], '|');
        if (!field[i])
            return false;
        *field[i]++ = '\0';
    }
    *job = (prf_slurm_job_t){.id = strtoull(field[0], &end, 10)};
    if (end == field[0] || *end || !is_ours(file, field[4], job))
        return false;
    job->state = state_of(field[1], &job->end);
    job->ran_ms = prf_slurm_elapsed_ms(field[2]);
    prf_printable_copy(job->reason, sizeof job->reason, strcmp(field[3], "None") == 0 ? "" : field[3]);
    return true;
}

static int by_id(const void *a, const void *b)
{
    const prf_slurm_job_t *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

prf_status_t prf_slurm_jobs_parse(prf_slurm_jobs_t *out, const prf_slurm_file_t *file, const char *text, prf_error_t *err)
{
    size_t lines = 1, count = 0;
    for (const char *c = text; (c = strchr(c, '\n')); c++)
        lines++;
    size_t cap = lines < PRF_SLURM_JOBS ? lines : PRF_SLURM_JOBS;
    char *copy = strdup(text), *rest = NULL;
    prf_slurm_job_t *items = calloc(cap, sizeof *items);
    if (!copy || !items) {
        free(copy);
        free(items);
        return prf_fail(err, PRF_ENOMEM, "a list of %zu jobs", cap);
    }
    for (char *line = strtok_r(copy, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        prf_slurm_job_t job;
        if (!parse_line(file, line, &job))
            continue;
        if (count < cap)
            items[count] = job;
        count++;
    }
    free(copy);
    if (count > cap) {
        free(items);
        return prf_fail(err, PRF_EINVAL, "squeue: more than %d jobs of fleet '%s': lower 'max', or give kinds to another 'fleet'",
                        (int)PRF_SLURM_JOBS, file->fleet);
    }
    qsort(items, count, sizeof *items, by_id);
    *out = (prf_slurm_jobs_t){items, count};
    return PRF_OK;
}

prf_status_t prf_slurm_jobs(prf_slurm_jobs_t *out, const prf_slurm_file_t *file, prf_error_t *err)
{
    static const char *const argv[] = {"squeue", "--noheader", "--me", "--states=all", "--format=%i|%T|%M|%r|%j", NULL};
    prf_text_t said;
    prf_status_t status = run(argv, NULL, "look whether 'squeue' works here and slurmctld runs", &said, err);
    if (status)
        return status;
    status = prf_slurm_jobs_parse(out, file, prf_text_get(&said), err);
    prf_text_release(&said);
    return status;
}

void prf_slurm_jobs_release(prf_slurm_jobs_t *self)
{
    free(self->items);
    *self = (prf_slurm_jobs_t){NULL, 0};
}

uint64_t prf_slurm_submitted_id(const char *text)
{
    while (*text) {
        char *end;
        uint64_t id = isdigit((unsigned char)*text) ? strtoull(text, &end, 10) : 0;
        if (id && (*end == '\n' || *end == ';' || !*end))
            return id;
        text += strcspn(text, "\n");
        text += *text == '\n';
    }
    return 0;
}

prf_status_t prf_slurm_submit(const prf_slurm_file_t *file, const prf_slurm_kind_t *kind, bool stays, uint64_t *id,
                              prf_error_t *err)
{
    static const char *const argv[] = {"sbatch", "--parsable", NULL};
    prf_text_t script, said;
    prf_text_init(&script);
    prf_slurm_script(file, kind, stays, &script);
    prf_status_t status = script.failed ? prf_fail(err, PRF_ENOMEM, "a script for %s", kind->kind) : PRF_OK;
    if (!status)
        status = run(argv, prf_text_get(&script),
                     "compare partition, gres, limits and account in the file with 'sinfo' and "
                     "'sacctmgr show qos'",
                     &said, err);
    prf_text_release(&script);
    if (status)
        return status;
    *id = prf_slurm_submitted_id(prf_text_get(&said));
    if (!*id)
        status = prf_fail(err, PRF_EPARSE, "sbatch: it told no job's number: try 'sbatch --parsable' by hand");
    prf_text_release(&said);
    return status;
}

static prf_status_t cancel_some(const uint64_t *ids, size_t count, prf_error_t *err)
{
    const char *argv[4 + CANCELLED_AT_ONCE] = {"scancel", "--quiet", "--state=PENDING"};
    char text[CANCELLED_AT_ONCE][ID_TEXT];
    prf_text_t said;
    for (size_t i = 0; i < count; i++) {
        snprintf(text[i], ID_TEXT, "%llu", (unsigned long long)ids[i]);
        argv[3 + i] = text[i];
    }
    prf_status_t status = run(argv, NULL, "look whether slurmctld runs", &said, err);
    if (!status)
        prf_text_release(&said);
    return status;
}

prf_status_t prf_slurm_cancel(const uint64_t *ids, size_t count, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    for (size_t at = 0; !status && at < count; at += CANCELLED_AT_ONCE)
        status = cancel_some(ids + at, count - at < CANCELLED_AT_ONCE ? count - at : CANCELLED_AT_ONCE, err);
    return status;
}
