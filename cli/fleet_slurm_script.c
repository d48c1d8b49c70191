// SPDX-License-Identifier: Apache-2.0
/* fleet_slurm_script.c - what the script does, and why so.
 *
 * A place for the worker. Boards are known by name, and what a killed worker could not hand over lies in a folder of its name. So
 * names are those of places that come again (node, kind, a number on that node) rather than of jobs: the next job in that place
 * hands over what was left there, and a farm that lives for years does not collect boards. A place is taken by a lock that the
 * worker inherits and that ends with it, however that ends. Nodes have many users, and all of them can write where the places are
 * by default: they are used only if they, and the folder around them, are ours. stat tells the owner of a link, not of its target.
 *
 * The worker becomes the job (exec), so that Slurm's signals reach it without a shell between: SIGTERM some time before the limit,
 * before a preemption, or by scancel. It then hands over what it has, gives back what it has not begun, and ends.
 *
 * No requeueing: a job that was lost is replaced by the controller, at once and only if there is still work. Slurm would wait for
 * two minutes and then start it whether it is needed or not. */
#include "fleet_slurm_script.h"

#include <stdio.h>
#include <string.h>

enum { PLACES = 256 /* of a kind on one node */ };

char *prf_slurm_job_name(const prf_slurm_file_t *file, const prf_slurm_kind_t *kind, bool stays, char name[PRF_SLURM_NAME])
{
    snprintf(name, PRF_SLURM_NAME, "prfarm:%s:%s%s", file->fleet, kind->kind, stays ? ":stay" : "");
    return name;
}

static void setting(prf_text_t *out, const char *name, const char *value)
{
    if (value)
        prf_text_add(out, "#SBATCH --%s=%s\n", name, value);
}

static void settings(const prf_slurm_file_t *file, const prf_slurm_kind_t *kind, bool stays, prf_text_t *out)
{
    char name[PRF_SLURM_NAME];
    prf_text_add(out, "#!/bin/bash\n#SBATCH --job-name=%s\n", prf_slurm_job_name(file, kind, stays, name));
    setting(out, "partition", kind->partition);
    setting(out, "account", kind->account);
    setting(out, "qos", kind->qos);
    setting(out, "gres", kind->gres);
    setting(out, "constraint", kind->constraint);
    setting(out, "mem", kind->memory);
    prf_text_add(out, "#SBATCH --nodes=1\n#SBATCH --ntasks=1\n#SBATCH --cpus-per-task=%lld\n#SBATCH --time=%lld\n",
                 (long long)kind->cpus, (long long)kind->time_limit_minutes);
    prf_text_add(out, "#SBATCH --signal=B:TERM@%lld\n#SBATCH --no-requeue\n", (long long)kind->signal_seconds);
    if (file->log)
        prf_text_add(out, "#SBATCH --output=%s/%%j.log\n", file->log);
    else
        setting(out, "output", "/dev/null");
}

static void option(prf_text_t *out, const char *name, const char *value)
{
    prf_text_add(out, " \\\n    --%s ", name);
    prf_text_quote(out, value);
}

static void place(const prf_slurm_file_t *file, const prf_slurm_kind_t *kind, prf_text_t *out)
{
    prf_text_add(out, "\nset -u\nstate=");
    if (file->state)
        prf_text_quote(out, file->state);
    else
        prf_text_add(out, "/var/tmp/prfarm-$(id -u)");
    prf_text_add(out,
                 "\nplaces=$state/$SLURMD_NODENAME-%s\n"
                 "if ! (umask 077 && mkdir -p \"$places\") ||\n"
                 "    [ \"$(stat -c %%u \"$state\" \"$places\" | sort -u)\" != \"$(id -u)\" ]; then\n"
                 "    echo \"prfarm: $places is not there, or somebody else's: give 'state' in the file, a folder of yours\" >&2\n"
                 "    exit 1\n"
                 "fi\n"
                 "for ((place = 0; place < %d; place++)); do\n"
                 "    exec 9>>\"$places/$place.lock\" && flock -n 9 && break\n"
                 "done\n"
                 "board=$SLURMD_NODENAME-%s-$place\n"
                 "echo \"job $SLURM_JOB_ID is board $board\"\n",
                 kind->kind, (int)PLACES, kind->kind);
}

static void worker(const prf_slurm_file_t *file, const prf_slurm_kind_t *kind, bool stays, prf_text_t *out)
{
    prf_text_add(out, "exec ");
    prf_text_quote(out, file->worker);
    option(out, "farm", file->farm);
    if (file->key)
        option(out, "key", file->key);
    if (file->server)
        option(out, "server", file->server);
    option(out, "kind", kind->kind);
    option(out, "backend", kind->backend);
    for (size_t i = 0; i < kind->options.count; i++) {
        prf_text_add(out, " \\\n    --option ");
        prf_text_quote(out, kind->options.list[i].key);
        prf_text_add(out, "=");
        prf_text_quote(out, kind->options.list[i].value);
    }
    if (kind->credit)
        prf_text_add(out, " \\\n    --credit %lld", (long long)kind->credit);
    if (!stays)
        prf_text_add(out, " \\\n    --idle-exit %lld", (long long)kind->idle_seconds);
    prf_text_add(out, " \\\n    --board \"$board\" --state \"$places/$place\"\n");
}

void prf_slurm_script(const prf_slurm_file_t *file, const prf_slurm_kind_t *kind, bool stays, prf_text_t *out)
{
    settings(file, kind, stays, out);
    if (kind->prologue) {
        size_t len = strlen(kind->prologue);
        prf_text_add(out, "\n%s%s", kind->prologue, len && kind->prologue[len - 1] == '\n' ? "" : "\n");
    }
    place(file, kind, out);
    worker(file, kind, stays, out);
}
