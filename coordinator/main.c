// SPDX-License-Identifier: Apache-2.0
/* main.c - prfarm-coordinator's command line. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon.h"
#include "net/endpoint.h"
#include "upkeep.h"

static const char help[] =
    "Usage: prfarm-coordinator [OPTION]...\n"
    "Owns a farm's state: hands out measurements to workers, keeps the results, trains and publishes models.\n"
    "\n"
    "  --farm FARM        where to listen: tcp://HOST:PORT (and the next two ports), ipc://PATH, or the endpoints for\n"
    "                     workers, clients and broadcast joined by commas; tcp://127.0.0.1:* lets the system choose\n"
    "                     (default: " PRF_FARM_DEFAULT ")\n"
    "  --store DIR        folder of the store, made when it is not there (default: prfarm-store)\n"
    "  --heartbeat-ms N   period of the heartbeats, 20 to 60000; five missed ones mean lost (default: 1000)\n"
    "  --sessions N       workers at once, 1 to 100000 (default: 20000)\n"
    "  --key FILE         this coordinator's secret key (prfarm keygen): everything is encrypted, and only keys of the list\n"
    "                     may connect\n"
    "  --allow FILE       that list: who may do what; changes are taken within a second, without a restart\n"
    "  --http ADDRESS:PORT  serve the HTTP API and metrics there, such as 127.0.0.1:7780; port * lets the system choose\n"
    "                     (default: not at all)\n"
    "  --http-token FILE  its first line is the token that changing something over HTTP takes, and everything on an\n"
    "                     address that other machines can reach; without one HTTP only reads, on a loopback address\n"
    "  --hooks FILE       commands that power-cycle boards (docs/examples/hooks.yaml)\n"
    "  --quarantine-ms N  until a board in quarantine is tried for the first time, 1 to 3600000 (default: 1000)\n"
    "  --sentinel-s N     seconds between two measurements of a board's sentinel layer, which shows whether it drifts;\n"
    "                     0: none, at most 86400, also 0.5 (default: 60)\n"
    "  --insecure         listen on an address that other machines can reach, although nothing is encrypted or checked\n"
    "  --low-space-mb N   grant no work while the store's disk has less than N MiB left, 0 to 1000000000; 0: never\n"
    "                     mind (default: 64)\n"
    "  --log LEVEL        error, warn, info or debug (default: info)\n"
    "  --help             show this text\n"
    "  --version          show the version\n"
    "\n"
    "Instead of serving, once, on the store that --store names ('prfarm fsck' and 'prfarm backup' are these):\n"
    "  --fsck             check it; with --salvage NEW bring what is whole into a new store\n"
    "  --backup OUT       copy it into the new folder OUT, also while a coordinator works on it\n"
    "  --json             print the outcome as JSON\n"
    "\n"
    "Prints one line, 'ready farm=...' (with --http also 'http=URL'), once it can be reached; logs to standard error.\n"
    "SIGTERM and SIGINT end it: what was measured is stored, and the next start goes on from there. Exit codes: 0 ended\n"
    "as asked, 2 usage, 3 a store made by a newer version or damaged, 5 port or store in use, 7 input/output, 8 disk\n"
    "full, 13 a key or token file that others can read.\n";

static prf_status_t number(const char *option, const char *text, unsigned long least, unsigned long most, unsigned long *out,
                           prf_error_t *err)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || value < least || value > most)
        return prf_fail(err, PRF_EUSAGE, "--%s %s: use a whole number from %lu to %lu", option, text, least, most);
    *out = value;
    return PRF_OK;
}

static prf_status_t seconds(const char *option, const char *text, double most, uint64_t *out_ms, prf_error_t *err)
{
    char *end;
    double value = strtod(text, &end);
    if (*text < '0' || *text > '9' || *end || !(value <= most))
        return prf_fail(err, PRF_EUSAGE, "--%s %s: use a number of seconds from 0 to %g", option, text, most);
    *out_ms = (uint64_t)(value * 1000);
    return PRF_OK;
}

enum {
    FARM = 1,
    STORE,
    HEARTBEAT,
    SESSIONS,
    HOOKS,
    QUARANTINE,
    SENTINEL,
    LOW_SPACE,
    INSECURE,
    KEY,
    ALLOW,
    HTTP,
    HTTP_TOKEN,
    LOG,
    FSCK,
    SALVAGE,
    BACKUP,
    JSON,
    HELP,
    VERSION
};

static const struct option table[] = {{"farm", required_argument, NULL, FARM},
                                      {"store", required_argument, NULL, STORE},
                                      {"heartbeat-ms", required_argument, NULL, HEARTBEAT},
                                      {"sessions", required_argument, NULL, SESSIONS},
                                      {"hooks", required_argument, NULL, HOOKS},
                                      {"quarantine-ms", required_argument, NULL, QUARANTINE},
                                      {"sentinel-s", required_argument, NULL, SENTINEL},
                                      {"low-space-mb", required_argument, NULL, LOW_SPACE},
                                      {"insecure", no_argument, NULL, INSECURE},
                                      {"key", required_argument, NULL, KEY},
                                      {"allow", required_argument, NULL, ALLOW},
                                      {"http", required_argument, NULL, HTTP},
                                      {"http-token", required_argument, NULL, HTTP_TOKEN},
                                      {"log", required_argument, NULL, LOG},
                                      {"fsck", no_argument, NULL, FSCK},
                                      {"salvage", required_argument, NULL, SALVAGE},
                                      {"backup", required_argument, NULL, BACKUP},
                                      {"json", no_argument, NULL, JSON},
                                      {"help", no_argument, NULL, HELP},
                                      {"version", no_argument, NULL, VERSION},
                                      {NULL, 0, NULL, 0}};

typedef struct {
    bool fsck, json;
    const char *salvage, *backup;
} upkeep_t;

static prf_status_t apply(int option, prf_daemon_options_t *out, upkeep_t *upkeep, prf_log_level_t *level, prf_error_t *err)
{
    unsigned long value;
    prf_status_t status = PRF_OK;
    switch (option) {
    case FARM:
        out->farm = optarg;
        break;
    case STORE:
        out->store = optarg;
        break;
    case HEARTBEAT:
        status = number("heartbeat-ms", optarg, 20, 60000, &value, err);
        if (!status)
            out->heartbeat_ms = (uint32_t)value;
        break;
    case SESSIONS:
        status = number("sessions", optarg, 1, 100000, &value, err);
        if (!status)
            out->sessions = value;
        break;
    case HOOKS:
        out->hooks = optarg;
        break;
    case QUARANTINE:
        status = number("quarantine-ms", optarg, 1, 3600000, &value, err);
        if (!status)
            out->quarantine_ms = (uint32_t)value;
        break;
    case SENTINEL:
        status = seconds("sentinel-s", optarg, 86400, &out->sentinel_ms, err);
        break;
    case LOW_SPACE:
        status = number("low-space-mb", optarg, 0, 1000000000, &value, err);
        if (!status)
            out->low_space_mb = value;
        break;
    case INSECURE:
        out->insecure = true;
        break;
    case KEY:
        out->key_file = optarg;
        break;
    case ALLOW:
        out->allow_file = optarg;
        break;
    case HTTP:
        out->http = optarg;
        break;
    case HTTP_TOKEN:
        out->http_token = optarg;
        break;
    case FSCK:
        upkeep->fsck = true;
        break;
    case SALVAGE:
        upkeep->salvage = optarg;
        break;
    case BACKUP:
        upkeep->backup = optarg;
        break;
    case JSON:
        upkeep->json = true;
        break;
    case LOG:
        status = prf_log_level_parse(optarg, level, err);
        break;
    default:
        status = prf_fail(err, PRF_EUSAGE, "unknown option or missing value; try 'prfarm-coordinator --help'");
    }
    return status;
}

static prf_status_t check_upkeep(const upkeep_t *u, prf_error_t *err)
{
    if (u->salvage && !u->fsck)
        return prf_fail(err, PRF_EUSAGE, "--salvage belongs to --fsck: give both");
    if (u->backup && u->fsck)
        return prf_fail(err, PRF_EUSAGE, "--fsck and --backup: use one at a time");
    if (u->json && !u->fsck && !u->backup)
        return prf_fail(err, PRF_EUSAGE, "--json belongs to --fsck or --backup: give one of them, too");
    return PRF_OK;
}

int main(int argc, char **argv)
{
    prf_daemon_options_t options = {.farm = PRF_FARM_DEFAULT,
                                    .store = "prfarm-store",
                                    .heartbeat_ms = 1000,
                                    .sessions = 20000,
                                    .quarantine_ms = 1000,
                                    .sentinel_ms = 60000,
                                    .low_space_mb = 64,
                                    .insecure = false};
    upkeep_t upkeep = {0};
    prf_log_level_t level = PRF_LOG_INFO;
    prf_error_t err = {0};
    prf_status_t status = PRF_OK;
    int option;
    while (!status && (option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (option == HELP || option == VERSION) {
            fputs(option == HELP ? help : "prfarm-coordinator " PRF_VERSION "\n", stdout);
            return fflush(stdout) == 0 ? 0 : prf_exit_code(PRF_EIO);
        }
        status = apply(option, &options, &upkeep, &level, &err);
    }
    if (!status && optind < argc)
        status = prf_fail(&err, PRF_EUSAGE, "'%.100s' is no option; try 'prfarm-coordinator --help'", argv[optind]);
    if (!status)
        status = check_upkeep(&upkeep, &err);
    if (!status) {
        prf_log_init("prfarm-coordinator", level);
        signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is a full disk, no reason to die */
        if (upkeep.fsck)
            status = prf_upkeep_fsck(options.store, upkeep.salvage, upkeep.json, &err);
        else if (upkeep.backup)
            status = prf_upkeep_backup(options.store, upkeep.backup, upkeep.json, &err);
        else
            status = prf_daemon_run(&options, &err);
    }
    if (status)
        fprintf(stderr, "prfarm-coordinator: %s\n", err.text);
    return prf_exit_code(status);
}
