// SPDX-License-Identifier: Apache-2.0
/* main.c - prfarm-coordinator's command line. */
#include <signal.h>
#include <stdio.h>

#include "base/complain.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/options.h"
#include "daemon.h"
#include "net/endpoint.h"
#include "upkeep.h"

/* What the command line says besides what the daemon itself takes. Texts are borrowed. */
typedef struct {
    const char *salvage, *backup, *log;
    double sentinel_s;
    uint64_t heartbeat_ms, sessions, quarantine_ms;
    bool fsck, json;
} args_t;

static const prf_usage_t usage = {
    .program = "prfarm-coordinator",
    .synopsis = "[OPTION]...",
    .purpose = "Owns a farm's state: hands out measurements to workers, keeps the results, trains and publishes models.",
    .text = "Prints one line, 'ready farm=...' (with --http also 'http=URL'), once it can be reached; logs to\n"
            "standard error. SIGTERM, SIGINT and SIGHUP end it: what was measured is stored, and the next start goes on\n"
            "from there. Exit codes: 0 ended as asked, 2 usage, 3 a store made by a newer version or damaged,\n"
            "5 port or store in use, 7 input/output, 8 disk full, 13 a key or token file that others can read.\n\n"
            "As a service of systemd (Type=notify) it tells when it is ready, when it stops, and its watchdog that it\n"
            "lives; the journal gets the level of each line.\n\n"
            "  prfarm-coordinator --store prfarm-store --http 127.0.0.1:7780\n",
};

static bool parse(int argc, char **argv, prf_daemon_options_t *out, args_t *args, int *code)
{
    const prf_option_t options[] = {
        {.name = "farm",
         .value = "FARM",
         .help = "where to listen: tcp://HOST:PORT (and the next two ports), ipc://PATH, or the endpoints for workers, clients and "
                 "broadcast joined by commas; tcp://127.0.0.1:* lets the system choose (default: " PRF_FARM_DEFAULT ")",
         .text = &out->farm},
        {.name = "store",
         .value = "DIR",
         .help = "folder of the store, made when it is not there (default: prfarm-store)",
         .text = &out->store},
        {.name = "heartbeat-ms",
         .value = "N",
         .help = "period of the heartbeats, 20 to 60000; five missed ones mean lost (default: 1000)",
         .number = &args->heartbeat_ms,
         .lo = 20,
         .hi = 60000},
        {.name = "sessions",
         .value = "N",
         .help = "workers at once, 1 to 100000 (default: 20000)",
         .number = &args->sessions,
         .lo = 1,
         .hi = 100000},
        {.name = "key",
         .value = "FILE",
         .help = "this coordinator's secret key (prfarm keygen): everything is encrypted, and only keys of the list may connect",
         .text = &out->key_file},
        {.name = "allow",
         .value = "FILE",
         .help = "that list: who may do what; changes are taken within a second, without a restart",
         .text = &out->allow_file},
        {.name = "http",
         .value = "ADDRESS:PORT",
         .help =
             "serve the HTTP API and metrics there, such as 127.0.0.1:7780; port * lets the system choose (default: not at all)",
         .text = &out->http},
        {.name = "http-token",
         .value = "FILE",
         .help = "its first line is the token that changing something over HTTP takes, and everything on an address that other "
                 "machines can reach; without one HTTP only reads, on a loopback address",
         .text = &out->http_token},
        {.name = "hooks",
         .value = "FILE",
         .help = "commands that power-cycle boards (docs/examples/hooks.yaml)",
         .text = &out->hooks},
        {.name = "quarantine-ms",
         .value = "N",
         .help = "until a board in quarantine is tried for the first time, 1 to 3600000 (default: 1000)",
         .number = &args->quarantine_ms,
         .lo = 1,
         .hi = 3600000},
        {.name = "sentinel-s",
         .value = "N",
         .help =
             "seconds between two measurements of a board's sentinel layer, which shows whether it drifts; 0: none, at most 86400, "
             "also 0.5 (default: 60)",
         .real = &args->sentinel_s,
         .lo = 0,
         .hi = 86400},
        {.name = "insecure",
         .help = "listen on an address that other machines can reach, although nothing is encrypted or checked",
         .flag = &out->insecure},
        {.name = "low-space-mb",
         .value = "N",
         .help = "grant no work while the store's disk has less than N MiB left, 0 to 1000000000; 0: never mind (default: 64)",
         .number = &out->low_space_mb,
         .lo = 0,
         .hi = 1000000000},
        {.name = "log",
         .value = "LEVEL",
         .help = "error, warn, info or debug (default: info)",
         .complete = "error warn info debug",
         .text = &args->log},
        {.name = "fsck",
         .help = "check it",
         .heading = "Instead of serving, once, on the store that --store names ('prfarm fsck' and 'prfarm backup' are these)",
         .flag = &args->fsck},
        {.name = "salvage",
         .value = "NEW",
         .help = "with --fsck: bring what is whole into this new store",
         .complete = "/",
         .text = &args->salvage},
        {.name = "backup",
         .value = "OUT",
         .help = "copy it into the new folder OUT, also while a coordinator works on it",
         .complete = "/",
         .text = &args->backup},
        {.name = "json", .help = "print the outcome as JSON", .flag = &args->json},
        {.name = NULL},
    };
    if (!prf_options_parse(&usage, options, argc, argv, NULL, code))
        return false;
    out->heartbeat_ms = (uint32_t)args->heartbeat_ms;
    out->sessions = (size_t)args->sessions;
    out->quarantine_ms = (uint32_t)args->quarantine_ms;
    out->sentinel_ms = (uint64_t)(args->sentinel_s * 1000);
    return true;
}

static prf_status_t check_upkeep(const args_t *u, prf_error_t *err)
{
    if (u->salvage && !u->fsck)
        return prf_fail(err, PRF_EUSAGE, "--salvage belongs to --fsck: give both");
    if (u->backup && u->fsck)
        return prf_fail(err, PRF_EUSAGE, "--fsck and --backup: use one at a time");
    if (u->json && !u->fsck && !u->backup)
        return prf_fail(err, PRF_EUSAGE, "--json belongs to --fsck or --backup: give one of them, too");
    return PRF_OK;
}

static prf_status_t run(const prf_daemon_options_t *options, const args_t *args, prf_error_t *err)
{
    prf_log_level_t level = PRF_LOG_INFO;
    prf_status_t status = args->log ? prf_log_level_parse(args->log, &level, err) : PRF_OK;
    if (!status)
        status = check_upkeep(args, err);
    if (status)
        return status;
    prf_log_init("prfarm-coordinator", level);
    prf_notify_init();
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is a full disk, no reason to die */
    if (args->fsck)
        return prf_upkeep_fsck(options->store, args->salvage, args->json, err);
    if (args->backup)
        return prf_upkeep_backup(options->store, args->backup, args->json, err);
    return prf_daemon_run(options, err);
}

int main(int argc, char **argv)
{
    prf_daemon_options_t options = {.farm = PRF_FARM_DEFAULT, .store = "prfarm-store", .low_space_mb = 64};
    args_t args = {.heartbeat_ms = 1000, .sessions = 20000, .quarantine_ms = 1000, .sentinel_s = 60};
    prf_error_t err = {0};
    int code;
    if (!parse(argc, argv, &options, &args, &code))
        return code;
    prf_status_t status = run(&options, &args, &err);
    if (status)
        prf_complain("prfarm-coordinator", err.text);
    return prf_exit_code(status);
}
