// SPDX-License-Identifier: Apache-2.0
/* fleet_ssh.c - `prfarm fleet ssh`: the command line, what is done with all hosts, the table.
 *
 * Every host is looked at first. What is as the file says is left alone, so that a second run does nothing; the others get all that
 * they need in one more connection, which ends with a look, too. Hosts are talked to at once, a few at a time; nothing that fails
 * at one touches another. No state is kept here but the hosts' keys: what a host has, it tells. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "fleet.h"
#include "fleet_ssh_keys.h"
#include "fleet_ssh_talk.h"
#include "model/parallel.h"
#include "signals.h"
#include "wire/printable.h"

enum { MACHINES = 2, RELEASE_SHOWN = 8, VERSION_TEXT = 64 };

static const prf_usage_t usage = {
    .name = "fleet ssh",
    .synopsis = "FILE.yaml [--check | --stop]",
    .purpose = "Installs, starts, updates and checks workers on a list of hosts, over ssh.",
    .text = "The file tells the farm, where the workers to install are, and which boards stand at which\n"
            "host; docs/howto/ssh-fleet.md explains it. Hosts are made what the file says, several at a\n"
            "time: a worker that is missing or another one is installed, boards that do not run are\n"
            "started; what is right already is left alone. Nothing there needs root.\n\n"
            "  prfarm fleet ssh boards.yaml --check     look only\n"
            "  prfarm fleet ssh boards.yaml\n\n"
            "ssh must get in without a question: with a key, and with the host's key known. Ends with 0\n"
            "when every host is as the file says, else with 1; the table says which are not, and why.\n",
    .least = 1,
    .most = 1,
};

/* A host, what was found there and what became of it. */
typedef struct {
    prf_ssh_answer_t before, after;
    bool wanted; /* something is to be done there */
    prf_ssh_state_t state;
    char detail[sizeof((prf_ssh_answer_t *)0)->detail];
} visit_t;

typedef struct {
    bool check, stop, json;
    uint64_t parallel, timeout_s;
    prf_ssh_file_t file;
    prf_ssh_payload_t payloads[MACHINES]; /* made for the machines that there are */
    visit_t *visits;                      /* owned; one a host */
    prf_ssh_keys_t *keys;                 /* owned; one a host */
    char server[PRF_KEY_TEXT];            /* the coordinator's public key; empty: a farm without keys */
    prf_text_t lines;                     /* that the allow-list lacks, and that a person is to add */
} command_t;

/* -- what is done -- */

static const prf_ssh_payload_t *payload_of(const command_t *self, const visit_t *visit)
{
    const char *machine = prf_ssh_machine(visit->before.uname);
    for (size_t i = 0; machine && i < MACHINES; i++)
        if (self->payloads[i].base64 && strcmp(self->payloads[i].machine, machine) == 0)
            return &self->payloads[i];
    return NULL;
}

static void talk(command_t *self, size_t i, prf_ssh_action_t action, prf_ssh_answer_t *out)
{
    visit_t *visit = &self->visits[i];
    if (prf_interrupted()) {
        *out = (prf_ssh_answer_t){.failure = PRF_SSH_SKIPPED};
        return;
    }
    prf_ssh_talk(&(prf_ssh_talk_t){.file = &self->file,
                                   .host = &self->file.hosts[i],
                                   .action = action,
                                   .payload = action == PRF_SSH_APPLY ? payload_of(self, visit) : NULL,
                                   .secret = self->keys[i].secret,
                                   .server = self->server,
                                   .timeout_ms = (unsigned)self->timeout_s * 1000},
                 out);
}

static void look(void *context, size_t i)
{
    command_t *self = context;
    talk(self, i, PRF_SSH_LOOK, &self->visits[i].before);
}

static void act(void *context, size_t i)
{
    command_t *self = context;
    if (self->visits[i].wanted)
        talk(self, i, self->stop ? PRF_SSH_STOP : PRF_SSH_APPLY, &self->visits[i].after);
}

static void set_state(visit_t *visit, prf_ssh_state_t state, const char *detail)
{
    visit->state = state;
    prf_printable_copy(visit->detail, sizeof visit->detail, detail);
}

/* The payload for a host's machine, made when the first such host is seen. NULL: there is none, which is the host's failure. */
static const prf_ssh_payload_t *have_payload(command_t *self, const char *from, visit_t *visit)
{
    const char *machine = prf_ssh_machine(visit->before.uname);
    const prf_ssh_payload_t *made = payload_of(self, visit);
    char text[128];
    prf_error_t err = {0};
    if (!machine) {
        snprintf(text, sizeof text, "'%s': workers are built for x86_64 and aarch64", visit->before.uname);
        set_state(visit, PRF_SSH_WRONG_MACHINE, text);
        return NULL;
    }
    for (size_t i = 0; i < MACHINES && !made && !err.code; i++)
        if (!self->payloads[i].base64 && !prf_ssh_payload_make(&self->payloads[i], from, machine, &err))
            made = &self->payloads[i];
    if (!made)
        set_state(visit, err.code == PRF_ENOTFOUND ? PRF_SSH_WRONG_MACHINE : PRF_SSH_FAILED, err.text);
    return made;
}

/* What is to be done at a host that was looked at: its state, as --check tells it. */
static void judge(command_t *self, const char *from, size_t i)
{
    visit_t *visit = &self->visits[i];
    const prf_ssh_host_t *host = &self->file.hosts[i];
    const prf_ssh_answer_t *found = &visit->before;
    char launch[PRF_DIGEST_HEX];
    if (found->failure) {
        set_state(visit, found->failure, found->detail);
        return;
    }
    if (self->stop) {
        visit->wanted = *found->release || *found->launch || found->running || found->waiting;
        visit->state = PRF_SSH_STOPPED;
        return;
    }
    const prf_ssh_payload_t *payload = have_payload(self, from, visit);
    if (!payload)
        return;
    prf_ssh_launch(&self->file, host, self->server, launch);
    bool same = strcmp(found->release, payload->release) == 0 && strcmp(found->launch, launch) == 0;
    if (!*found->release)
        visit->state = PRF_SSH_ABSENT;
    else if (!same)
        visit->state = PRF_SSH_OUTDATED;
    else if (found->waiting)
        set_state(visit, PRF_SSH_NOT_JOINED, found->detail);
    else
        visit->state = found->running < (size_t)host->boards ? PRF_SSH_DOWN : PRF_SSH_RUNNING;
    visit->wanted = !self->check && visit->state != PRF_SSH_RUNNING;
}

/* What became of a host at which something was done. */
static void conclude(command_t *self, size_t i)
{
    visit_t *visit = &self->visits[i];
    const prf_ssh_answer_t *before = &visit->before, *after = &visit->after;
    if (!visit->wanted)
        return;
    prf_ssh_state_t done = self->stop                                     ? PRF_SSH_STOPPED
                           : !*before->release                            ? PRF_SSH_INSTALLED
                           : strcmp(before->release, after->release) != 0 ? PRF_SSH_UPDATED
                                                                          : PRF_SSH_STARTED;
    if (!after->failure && self->stop && (after->running || after->waiting))
        set_state(visit, PRF_SSH_FAILED, "a board still runs, though it was told to end and then killed");
    else
        set_state(visit, after->failure ? after->failure : done, after->detail);
}

static prf_status_t prepare(command_t *self, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    for (size_t i = 0; i < self->file.count && !status; i++)
        if (self->visits[i].wanted)
            status = prf_ssh_keys_load(&self->keys[i], &self->file, &self->file.hosts[i], err);
    return status ? status : prf_ssh_keys_allow(&self->file, self->keys, &self->lines, err);
}

static prf_status_t visit_all(command_t *self, prf_error_t *err)
{
    char from[PATH_MAX];
    prf_status_t status = prf_ssh_path(&self->file, self->file.from, from, err);
    if (!status && !self->stop)
        status = prf_ssh_server_load(&self->file, self->server, err);
    if (!status && (!(self->visits = calloc(self->file.count, sizeof *self->visits)) ||
                    !(self->keys = calloc(self->file.count, sizeof *self->keys))))
        status = prf_fail(err, PRF_ENOMEM, "what hosts answer");
    if (status)
        return status;
    prf_parallel(self->file.count, (unsigned)self->parallel, look, self);
    for (size_t i = 0; i < self->file.count; i++)
        judge(self, from, i);
    if (!self->check && !self->stop)
        status = prepare(self, err);
    if (status)
        return status;
    prf_parallel(self->file.count, (unsigned)self->parallel, act, self);
    for (size_t i = 0; i < self->file.count; i++)
        conclude(self, i);
    return PRF_OK;
}

/* -- what is said -- */

static const char *version_of(const prf_ssh_answer_t *answer, char text[VERSION_TEXT])
{
    snprintf(text, VERSION_TEXT, "%s%s%.*s", *answer->release ? answer->version : "-", *answer->release ? " " : "", RELEASE_SHOWN,
             answer->release);
    return text;
}

static const prf_ssh_answer_t *last_answer(const visit_t *visit)
{
    return visit->wanted && !visit->after.failure ? &visit->after : &visit->before;
}

static bool all_well(const command_t *self)
{
    for (size_t i = 0; i < self->file.count; i++)
        if (self->visits[i].state >= PRF_SSH_OUTDATED)
            return false;
    return true;
}

static void print_table(const command_t *self)
{
    prf_terminal_t terminal;
    prf_terminal_init(&terminal, stdout);
    prf_table_t *table = prf_table_new("host|kind|machine|boards>|before|now|state");
    for (size_t i = 0; i < self->file.count; i++) {
        const visit_t *visit = &self->visits[i];
        const prf_ssh_host_t *host = &self->file.hosts[i];
        char before[VERSION_TEXT], now[VERSION_TEXT];
        prf_table_cell(table, "%s", host->name);
        prf_table_cell(table, "%s", host->kind);
        prf_table_cell(table, "%s", *visit->before.uname ? visit->before.uname : "-");
        prf_table_cell(table, "%zu of %d", last_answer(visit)->running, (int)host->boards);
        prf_table_cell(table, "%s", version_of(&visit->before, before));
        prf_table_cell(table, "%s", version_of(last_answer(visit), now));
        prf_table_cell(table, "%s", prf_ssh_state_name(visit->state));
    }
    prf_table_print(&table, &terminal);
    for (size_t i = 0; i < self->file.count; i++) {
        const visit_t *visit = &self->visits[i];
        const char *remedy = prf_ssh_remedy(visit->state);
        if (*remedy || *visit->detail)
            printf("%s%s%s: %s%s%s%s%s\n", prf_bold(&terminal), self->file.hosts[i].name, prf_plain(&terminal),
                   prf_ssh_state_name(visit->state), *visit->detail ? ": " : "", visit->detail, *remedy ? ": " : "", remedy);
    }
    if (self->lines.len)
        printf("\nAdd to the coordinator's allow-list:\n%s", prf_text_get(&self->lines));
}

static json_t *to_json(const command_t *self)
{
    json_t *hosts = json_array();
    for (size_t i = 0; i < self->file.count; i++) {
        const visit_t *visit = &self->visits[i];
        const prf_ssh_host_t *host = &self->file.hosts[i];
        const prf_ssh_answer_t *last = last_answer(visit);
        json_array_append_new(hosts, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:s}", "name",
                                               host->name, "host", host->host, "kind", host->kind, "machine", visit->before.uname,
                                               "boards", (json_int_t)host->boards, "running", (json_int_t)last->running,
                                               "version_before", visit->before.version, "release_before", visit->before.release,
                                               "version", last->version, "release", last->release, "state",
                                               prf_ssh_state_name(visit->state), "ok", visit->state < PRF_SSH_OUTDATED, "detail",
                                               visit->detail, "remedy", prf_ssh_remedy(visit->state)));
    }
    return json_pack("{s:s, s:b, s:s, s:o}", "fleet", self->file.fleet, "ok", all_well(self), "allow_lines",
                     prf_text_get(&self->lines), "hosts", hosts);
}

static int say(const command_t *self)
{
    int code = all_well(self) ? 0 : prf_exit_code(PRF_EDIFFERS), printed = 0;
    if (self->json)
        printed = prf_print_json(to_json(self));
    else {
        print_table(self);
        printed = prf_finish_stdout();
    }
    return printed ? printed : prf_interrupted() ? prf_exit_code(PRF_ECANCELLED) : code;
}

static void release(command_t *self)
{
    for (size_t i = 0; self->keys && i < self->file.count; i++)
        prf_ssh_keys_release(&self->keys[i]);
    free(self->keys);
    free(self->visits);
    for (size_t i = 0; i < MACHINES; i++)
        prf_ssh_payload_release(&self->payloads[i]);
    prf_text_release(&self->lines);
    prf_ssh_file_release(&self->file);
}

int prf_cmd_fleet_ssh(int argc, char **argv)
{
    command_t self = {.parallel = 8, .timeout_s = 120};
    const prf_option_t options[] = {{.name = "check", .help = "look at the hosts and change nothing", .flag = &self.check},
                                    {.name = "stop", .help = "end the workers, and have them not start again", .flag = &self.stop},
                                    {.name = "parallel",
                                     .value = "N",
                                     .help = "hosts at a time, 1 to 64 (default: 8)",
                                     .number = &self.parallel,
                                     .lo = 1,
                                     .hi = 64},
                                    {.name = "timeout",
                                     .value = "SECONDS",
                                     .help = "for a host, each time it is talked to, 1 to 3600 (default: 120)",
                                     .number = &self.timeout_s,
                                     .lo = 1,
                                     .hi = 3600},
                                    {.name = "json", .help = "print JSON", .flag = &self.json},
                                    {.name = NULL}};
    prf_words_t words;
    int code;
    prf_error_t err = {0};
    if (!prf_options_parse(&usage, options, argc, argv, &words, &code))
        return code;
    prf_status_t status = PRF_OK;
    if (self.check && self.stop)
        status = prf_fail(&err, PRF_EUSAGE, "--check changes nothing, --stop does: give one of them");
    prf_signals_catch();
    if (!status)
        status = prf_ssh_file_read(&self.file, words.items[0], &err);
    if (!status)
        status = visit_all(&self, &err);
    code = status ? prf_report(&err) : say(&self);
    release(&self);
    return code;
}
