// SPDX-License-Identifier: Apache-2.0
/* fleet_slurm.c - `prfarm fleet slurm`: the command line, the rounds and what is said about them.
 *
 * One controller a fleet: a lock in the user's state folder, which machines that share a home share, too. Where they do not, two
 * controllers still agree, because both see the same jobs in Slurm's queue and neither ends what runs.
 *
 * Whatever does not answer (coordinator, slurmctld) is told once and asked again, less often while it stays silent; until then
 * nothing is done. The workers that run go on without us. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/lock.h"
#include "cli.h"
#include "fleet.h"
#include "fleet_slurm_control.h"
#include "signals.h"

enum { LAST_WAIT_MS = 60000 };

static const prf_usage_t usage = {
    .name = "fleet slurm",
    .synopsis = "FILE.yaml [--once | --dry-run]",
    .purpose = "Keeps as many workers allocated by Slurm as there is work for.",
    .text = "The file tells the farm and, for each kind of board, what Slurm is asked for and which worker is\n"
            "started there; docs/howto/slurm.md explains it, deploy/slurm/fleet.yaml is one. Each round\n"
            "asks the coordinator how much work waits and Slurm which of this fleet's jobs there are, then\n"
            "submits what is missing or takes back what has not begun. Workers without work end by\n"
            "themselves; one that measures is never ended. Look at the scripts first, then let it run:\n\n"
            "  prfarm fleet slurm fleet.yaml --dry-run\n"
            "  prfarm fleet slurm fleet.yaml\n\n"
            "It prints a line when something changes. Ended and started again it goes on with the jobs\n"
            "that it finds: they bear the fleet's name. Workers stay when it ends, until they are idle.\n",
    .least = 1,
    .most = 1,
};

typedef struct {
    const char *key; /* ours; NULL: none */
    bool once, dry, json;
    prf_slurm_file_t file;
    prf_farm_t *farm;
    int lock;                    /* -1: none */
    char *last[PRF_SLURM_KINDS]; /* the line that was printed for a kind last; owned */
} command_t;

static prf_status_t lock_fleet(command_t *self, prf_error_t *err)
{
    char folder[PATH_MAX], path[PATH_MAX];
    const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    long owner = 0;
    if (self->dry)
        return PRF_OK;
    if (!(xdg && *xdg) && !(home && *home))
        return prf_fail(err, PRF_EUSAGE, "there is no home folder for the fleet's lock: set HOME or XDG_STATE_HOME");
    if (snprintf(folder, sizeof folder, "%s%s/prfarm", xdg && *xdg ? xdg : home, xdg && *xdg ? "" : "/.local/state") >=
            (int)sizeof folder ||
        snprintf(path, sizeof path, "%s/fleet-%s.lock", folder, self->file.fleet) >= (int)sizeof path)
        return prf_fail(err, PRF_EINVAL, "%.60s...: path too long: set XDG_STATE_HOME to a shorter one", folder);
    prf_status_t status = prf_file_mkdirs(folder, 0755, err);
    if (!status)
        status = prf_lock_take(&self->lock, path, &owner, err);
    if (status == PRF_EBUSY)
        return prf_fail(err, status,
                        "fleet '%s' has a controller already, process %ld: stop that one, or give this file another 'fleet'",
                        self->file.fleet, owner);
    return status;
}

static prf_status_t open_farm(command_t *self, prf_error_t *err)
{
    prf_identity_t identity = {.keyed = false};
    if (self->file.server && !prf_identity_key(self->key))
        return prf_fail(err, PRF_EUSAGE,
                        "the farm has keys: give yours with --key, one with the role viewer; 'key' in the file is the workers'");
    prf_status_t status = prf_identity_load(&identity, self->key, self->file.server, err);
    if (!status)
        status = prf_farm_connect(&self->farm, self->file.farm, &identity, err);
    prf_identity_wipe(&identity);
    return status;
}

static void print_scripts(const prf_slurm_file_t *file)
{
    for (size_t k = 0; k < file->count; k++) {
        prf_text_t script;
        prf_text_init(&script);
        prf_slurm_script(file, &file->kinds[k], false, &script);
        printf("--- what sbatch gets for %s\n%s", file->kinds[k].kind, prf_text_get(&script));
        prf_text_release(&script);
    }
    printf("---\n");
}

/* "17:03:12 " */
static void print_time(FILE *out)
{
    char text[16];
    time_t now = (time_t)(prf_clock_wall_ms() / 1000);
    struct tm parts;
    localtime_r(&now, &parts);
    strftime(text, sizeof text, "%H:%M:%S", &parts);
    fprintf(out, "%s ", text);
}

static void add_ids(prf_text_t *line, const char *what, const json_t *ids)
{
    size_t i;
    json_t *id;
    if (json_array_size(ids))
        prf_text_add(line, "; %s", what);
    json_array_foreach(ids, i, id)
    {
        prf_text_add(line, " %" JSON_INTEGER_FORMAT, json_integer_value(id));
    }
}

static char *line_of(const json_t *kind, bool dry)
{
    prf_text_t line;
    const char *why = prf_json_text(kind, "pending_why", ""), *note = prf_json_text(kind, "note", "");
    double pending = prf_json_number(kind, "pending", 0);
    prf_text_init(&line);
    prf_text_add(&line, "%s: ", prf_json_text(kind, "kind", "?"));
    if (json_is_true(json_object_get(kind, "waits")) && prf_json_number(kind, "queued", 0) == 0)
        prf_text_add(&line, "a campaign waits for a board");
    else
        prf_text_add(&line, "%.0f points queued", prf_json_number(kind, "queued", 0));
    prf_text_add(&line, ", %.0f workers wanted, %.0f running, %.0f pending%s%s%s", prf_json_number(kind, "wanted", 0),
                 prf_json_number(kind, "running", 0), pending, pending > 0 && *why ? " (" : "", pending > 0 ? why : "",
                 pending > 0 && *why ? ")" : "");
    if (dry)
        prf_text_add(&line, "; would submit %.0f, take back %.0f", prf_json_number(kind, "to_submit", 0),
                     prf_json_number(kind, "to_cancel", 0));
    add_ids(&line, "submitted", json_object_get(kind, "submitted"));
    add_ids(&line, "taken back", json_object_get(kind, "cancelled"));
    if (*note)
        prf_text_add(&line, "; %s", note);
    return prf_text_take(&line);
}

/* A line for each kind of which something else is to be said than before. The number of points falls all the time, and is no news.
 */
static void print_round(command_t *self, const json_t *round)
{
    size_t k;
    json_t *kind;
    json_array_foreach(json_object_get(round, "kinds"), k, kind)
    {
        char *line = line_of(kind, self->dry);
        const char *error = prf_json_text(kind, "error", "");
        const char *news = line ? strchr(line, ',') : NULL, *before = self->last[k] ? strchr(self->last[k], ',') : NULL;
        if (line && (!news || !before || strcmp(news, before) != 0)) {
            print_time(stdout);
            printf("%s\n", line);
        }
        if (*error) {
            print_time(stderr);
            fprintf(stderr, "%s: %s\n", prf_json_text(kind, "kind", "?"), error);
        }
        free(self->last[k]);
        self->last[k] = line;
    }
    fflush(stdout);
}

/* One line of JSON a round. */
static void print_json_line(json_t *round)
{
    json_object_set_new(round, "time_ms", json_integer((json_int_t)prf_clock_wall_ms()));
    json_dumpf(round, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
    printf("\n");
    fflush(stdout);
}

static bool refused(const json_t *round)
{
    size_t k;
    json_t *kind;
    json_array_foreach(json_object_get(round, "kinds"), k, kind)
    {
        if (*prf_json_text(kind, "error", ""))
            return true;
    }
    return false;
}

/* One round and what is said about it. */
static prf_status_t carry_out(command_t *self, prf_slurm_control_t *control, prf_error_t *err)
{
    json_t *round;
    prf_status_t status = prf_slurm_round(control, prf_clock_mono_ms(), &round, err);
    if (status)
        return status;
    if (self->json)
        print_json_line(round);
    else
        print_round(self, round);
    if (self->once && refused(round))
        status = prf_fail(err, PRF_EIO, "Slurm refused a job, as told above: mend the file, or try again later");
    json_decref(round);
    return status;
}

static void say_trouble(const prf_error_t *err, uint64_t wait_ms)
{
    print_time(stderr);
    fprintf(stderr, "%s; asked again every %" PRIu64 " s or more\n", err->text, wait_ms / 1000);
}

static prf_status_t go_round(command_t *self, prf_slurm_control_t *control, prf_error_t *err)
{
    uint64_t poll_ms = (uint64_t)self->file.poll_seconds * 1000, wait_ms = poll_ms;
    bool trouble = false;
    while (!prf_interrupted()) {
        prf_status_t status = carry_out(self, control, err);
        if (self->once || status == PRF_EDENIED)
            return status;
        if (status && status != PRF_ECANCELLED && !trouble)
            say_trouble(err, wait_ms);
        if (!status && trouble) {
            print_time(stderr);
            fprintf(stderr, "answered again\n");
        }
        trouble = status != PRF_OK;
        uint64_t longest = poll_ms > LAST_WAIT_MS ? poll_ms : LAST_WAIT_MS;
        wait_ms = !status ? poll_ms : 2 * wait_ms < longest ? 2 * wait_ms : longest;
        for (uint64_t until = prf_clock_mono_ms() + wait_ms, now; (now = prf_clock_mono_ms()) < until && !prf_interrupted();)
            prf_pause(-1, (unsigned)(until - now));
    }
    return PRF_OK;
}

static prf_status_t run(command_t *self, const char *path, prf_error_t *err)
{
    prf_status_t status = prf_slurm_file_read(&self->file, path, err);
    if (status)
        return status;
    if (self->dry && !self->json)
        print_scripts(&self->file);
    if (!(status = lock_fleet(self, err)) && !(status = open_farm(self, err))) {
        prf_slurm_control_t control = {.file = &self->file, .farm = self->farm, .dry = self->dry};
        status = go_round(self, &control, err);
        prf_slurm_control_release(&control);
    }
    for (size_t k = 0; k < PRF_SLURM_KINDS; k++)
        free(self->last[k]);
    prf_farm_destroy(&self->farm);
    if (self->lock >= 0)
        close(self->lock);
    prf_slurm_file_release(&self->file);
    return status;
}

int prf_cmd_fleet_slurm(int argc, char **argv)
{
    command_t self = {.lock = -1};
    const prf_option_t options[] = {
        {.name = "once", .help = "one round, then end, with an error if Slurm refused a job", .flag = &self.once},
        {.name = "dry-run", .help = "print the scripts and what one round would do, and do nothing", .flag = &self.dry},
        {.name = "json", .help = "print one line of JSON a round", .flag = &self.json},
        {.name = "key",
         .value = "FILE",
         .help = "your secret key, for a farm with keys; the role viewer will do",
         .text = &self.key},
        {.name = NULL}};
    prf_words_t words;
    int code;
    prf_error_t err = {0};
    if (!prf_options_parse(&usage, options, argc, argv, &words, &code))
        return code;
    self.once = self.once || self.dry;
    prf_signals_catch();
    return run(&self, words.items[0], &err) ? prf_report(&err) : 0;
}
