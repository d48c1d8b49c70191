// SPDX-License-Identifier: Apache-2.0
/* main.c - prfarm-worker's command line. The same program is the daemon and, started by the daemon with --backend-host, the
 * process that a board's backend lives in. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "backends/registry.h"
#include "base/complain.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/options.h"
#include "base/process.h"
#include "care/care.h"
#include "state.h"
#include "turns.h"

enum { HOST_FD = 3, HOTTEST = 149, COOL_WAIT_S = 300, LONGEST_WAIT_S = 3600 };

typedef struct {
    const char *farm, *board, *kind, *backend, *plugin, *state, *log, *key, *server, *turns, *cpus; /* borrowed */
    prf_words_t options, settings;
    prf_care_t care;
    uint64_t credit, cool_below, cool_wait_s;
    double idle_exit_s;
    bool host, list, restore;
    char path[PATH_MAX + 8]; /* "path=FILE": --plugin as an option of its backend */
} args_t;

static const prf_word_t environment[] = {
    {"PRFARM_FARM", "stands for --farm where that is not given"},
    {"PRFARM_KEY", "stands for --key: the file's name, never the key itself"},
    {"PRFARM_SERVER", "stands for --server"},
    {"PRFARM_TURNS", "stands for --turns"},
    {"STATE_DIRECTORY", "stands for --state; systemd sets it"},
    {NULL, NULL},
};

static const prf_usage_t usage = {
    .program = "prfarm-worker",
    .synopsis = "--kind KIND --backend NAME [--option KEY=VALUE]... [--farm FARM]\nprfarm-worker --restore --state DIR",
    .purpose = "Serves one board: takes jobs from the farm's coordinator, measures them, hands the results back.",
    .text = "The board runs in a process of its own; when its driver crashes or hangs, that costs one job.\n"
            "A simulated board and the real processor, for the coordinator on this machine:\n\n"
            "  prfarm-worker --kind zcu102 --backend sim --option board=zcu102\n"
            "  prfarm-worker --kind cpu --backend onednn --option threads=1\n\n"
            "SIGTERM, Ctrl-C and a terminal that is closed (SIGHUP) end it once its last results are handed over, or after two\n"
            "seconds: what is left is kept in --state.\n"
            "As a service of systemd (Type=notify) it is ready when it has its board, also while the coordinator is away,\n"
            "and tells a watchdog that it lives; the journal gets the level of each line.\n",
    .environment = environment,
};

static bool parse(int argc, char **argv, args_t *args, int *code)
{
    const prf_option_t options[] = {
        {.name = "kind",
         .value = "KIND",
         .help = "what the board is called in campaign files, such as cpu or zcu102",
         .text = &args->kind},
        {.name = "backend",
         .value = "NAME",
         .help = "how the board is driven; --list-backends tells the names",
         .complete = "onednn sim exec replay plugin",
         .text = &args->backend},
        {.name = "option", .value = "KEY=VALUE", .help = "an option of the backend; may be given often", .list = &args->options},
        {.name = "plugin",
         .value = "FILE",
         .help = "the backend is this shared object (short for --backend plugin --option path=FILE)",
         .complete = ".so",
         .text = &args->plugin},
        {.name = "farm",
         .value = "FARM",
         .help = "the coordinator: tcp://HOST:PORT, ipc://PATH (default " PRF_FARM_DEFAULT ")",
         .text = &args->farm},
        {.name = "key",
         .value = "FILE",
         .help = "this board's secret key, for a farm with keys (prfarm keygen makes one)",
         .text = &args->key},
        {.name = "server",
         .value = "KEY",
         .help = "that farm's public key, or its file",
         .complete = ".pub",
         .text = &args->server},
        {.name = "board",
         .value = "NAME",
         .help =
             "this board's name, unique in the farm (default: host name and process id); with a fixed one a worker that is started "
             "again hands over the results that it had not handed over before",
         .text = &args->board},
        {.name = "state",
         .value = "DIR",
         .help =
             "keeps the model and results that wait for the coordinator here, for this worker alone (default: $STATE_DIRECTORY, or "
             "~/.local/state/prfarm/BOARD)",
         .text = &args->state},
        {.name = "credit",
         .value = "N",
         .help = "jobs to hold at a time, 1 to 256 (default 4)",
         .number = &args->credit,
         .lo = 1,
         .hi = PRF_AGENT_MAX_CREDIT},
        {.name = "idle-exit",
         .value = "SECONDS",
         .help = "end, with exit code 0, when there was nothing to do for so long, 1 to 604800 (default: stay)",
         .real = &args->idle_exit_s,
         .lo = 1,
         .hi = 604800},
        {.name = "turns",
         .value = "FILE",
         .help =
             "where this machine's own processor is measured through several runtimes, their workers measure one at a time; they "
             "meet at this file (default: /run/lock/prfarm-host); off: whenever they like",
         .text = &args->turns},
        {.name = "cpu",
         .value = "LIST",
         .heading = "The machine, while the board is measured",
         .help = "keeps the board's process, and all that it starts, on these processors: 2, 2-3, 0,4-7",
         .text = &args->cpus},
        {.name = "cool-below",
         .value = "CELSIUS",
         .help = "begins a job only when the machine's hottest zone is below this, 1 to 149",
         .number = &args->cool_below,
         .lo = 1,
         .hi = HOTTEST},
        {.name = "cool-wait",
         .value = "SECONDS",
         .help = "waits that long for it at most (default 300); then the job is measured all the same, and its result is tainted",
         .number = &args->cool_wait_s,
         .lo = 1,
         .hi = LONGEST_WAIT_S},
        {.name = "fix-clock",
         .value = "CLOCK",
         .help = "fixes the clock of all processors: max, base (without turbo) or MHz; as before at the end",
         .complete = "max base",
         .text = &args->care.clock},
        {.name = "set",
         .value = "FILE=VALUE",
         .help = "writes a setting of the system below /sys/ or /proc/sys/; as before at the end; may be given often",
         .list = &args->settings},
        {.name = "before",
         .value = "COMMAND",
         .help = "a command for /bin/sh that has to succeed first, such as 'nvpmodel -m 0'",
         .text = &args->care.before},
        {.name = "after", .value = "COMMAND", .help = "a command for /bin/sh at the end", .text = &args->care.after},
        {.name = "restore",
         .help = "serves no board: puts back what a worker with this --state or --board, which was killed, could not",
         .flag = &args->restore},
        {.name = "log",
         .heading = "Else",
         .value = "LEVEL",
         .help = "error, warn, info or debug (default info); the log goes to standard error",
         .complete = "error warn info debug",
         .text = &args->log},
        {.name = "list-backends", .help = "prints the built-in backends and their options", .flag = &args->list},
        {.name = "backend-host", .flag = &args->host}, /* for the process that the daemon starts */
        {.name = "root", .text = &args->care.root},    /* of the system's files; for tests */
        {.name = NULL},
    };
    return prf_options_parse(&usage, options, argc, argv, NULL, code);
}

/* --plugin is short for a backend and its option. */
static prf_status_t take_plugin(args_t *args, prf_error_t *err)
{
    if (!args->plugin)
        return PRF_OK;
    if (args->options.count == PRF_OPTION_WORDS)
        return prf_fail(err, PRF_EUSAGE, "more than %d --option, --plugin counted in: leave some out", (int)PRF_OPTION_WORDS);
    if (snprintf(args->path, sizeof args->path, "path=%s", args->plugin) >= (int)sizeof args->path)
        return prf_fail(err, PRF_EUSAGE, "--plugin: path too long: use a shorter one");
    args->backend = "plugin";
    args->options.items[args->options.count++] = args->path;
    return PRF_OK;
}

static void list_backends(void)
{
    const prf_backend_t *backend;
    for (size_t i = 0; (backend = prf_backend_at(i)); i++)
        printf("%-8s %s\n", backend->name, backend->options);
    printf("%-8s %s\n", "plugin", "path=FILE, and the options of the plug-in");
}

/* "host-pid", with what a name cannot hold replaced. */
static void default_board(char name[PRF_NAME])
{
    char host[40] = "board";
    gethostname(host, sizeof host - 1);
    snprintf(name, PRF_NAME, "%s-%ld", host, (long)getpid());
    for (char *c = name; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *c))
            *c = '-';
}

static prf_status_t default_state(const char *board, char path[PATH_MAX], prf_error_t *err)
{
    const char *systemd = getenv("STATE_DIRECTORY"), *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int len = -1;
    if (systemd && *systemd)
        len = snprintf(path, PATH_MAX, "%s", systemd);
    else if (xdg && *xdg)
        len = snprintf(path, PATH_MAX, "%s/prfarm/%s", xdg, board);
    else if (home && *home)
        len = snprintf(path, PATH_MAX, "%s/.local/state/prfarm/%s", home, board);
    if (len < 0 || len >= PATH_MAX)
        return prf_fail(err, PRF_EUSAGE, "there is no home folder to keep the model in: give one with --state DIR");
    return PRF_OK;
}

static prf_status_t check_names(const args_t *args, prf_error_t *err)
{
    if (args->restore)
        return prf_name_check("--board", args->board, err);
    if (!args->kind)
        return prf_fail(err, PRF_EUSAGE, "--kind is missing: give what the board is called in campaign files");
    if (!args->backend)
        return prf_fail(err, PRF_EUSAGE, "--backend is missing: give one of those that prfarm-worker --list-backends tells");
    prf_status_t status = prf_name_check("--kind", args->kind, err);
    return status ? status : prf_name_check("--board", args->board, err);
}

static prf_serve_t serve_of(const args_t *args)
{
    return (prf_serve_t){.backend = args->backend,
                         .options = args->options.items,
                         .option_count = args->options.count,
                         .board = args->board,
                         .kind = args->kind,
                         .turns = args->turns,
                         .cpus = args->cpus,
                         .cool_below = args->cool_below,
                         .cool_wait_s = args->cool_wait_s,
                         .root = args->care.root};
}

static int host(const args_t *args)
{
    const prf_serve_t what = serve_of(args);
    return prf_serve(&what, HOST_FD);
}

/* A place that was asked for must do; without the usual one the board is measured all the same, and its worker says so. */
static prf_status_t find_turns(args_t *args, prf_error_t *missing, prf_error_t *err)
{
    const char *here = getenv("PRFARM_TURNS");
    if (!args->turns && here && *here)
        args->turns = here;
    bool asked = args->turns != NULL;
    if (asked && strcmp(args->turns, "off") == 0) {
        args->turns = NULL;
        return PRF_OK;
    }
    prf_turns_t turns;
    const char *place = asked ? args->turns : prf_turns_place();
    prf_status_t status = prf_turns_open(&turns, place, missing);
    args->turns = status ? NULL : place;
    if (!status) {
        prf_turns_close(&turns);
        return PRF_OK;
    }
    if (!asked)
        return PRF_OK;
    *err = *missing;
    return prf_fail_prefix(err, status, "--turns");
}

/* What is put back: by a worker as it ends, by the next one as it begins, or by --restore. */
static prf_status_t put_back(const prf_care_t *care, prf_error_t *err)
{
    prf_care_end_t told;
    prf_status_t status = prf_care_end(care, &told, err);
    if (told.settings > 0 || told.left > 0 || told.command)
        prf_log(PRF_LOG_INFO, "put_back settings=%zu changed_by_others=%zu command=%s", told.settings, told.left,
                told.command ? "run" : "none");
    return status;
}

/* Brings the machine into the state that was asked for and back, with the agent's work in between, which alone is ended by signals:
 * one that comes before waits for it, one that comes after is no reason to leave the machine as it is. */
static prf_status_t serve_with_care(const prf_care_t *care, const prf_agent_options_t *options, prf_error_t *err)
{
    size_t settings = 0;
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP); /* a terminal that is closed, a connection that drops */
    sigprocmask(SIG_BLOCK, &ends, NULL);
    prf_status_t status = prf_care_begin(care, &settings, err);
    if (status)
        return status;
    if (prf_care_wanted(care))
        prf_log(PRF_LOG_INFO, "care settings=%zu next=\"as before when this worker ends\"", settings);
    status = prf_agent_run(options, err);
    prf_error_t late;
    prf_status_t ended = put_back(care, &late);
    if (ended && status)
        prf_log(PRF_LOG_ERROR, "not_put_back error=\"%s\" next=\"tried when a worker begins in %s\"", late.text, care->state_dir);
    else if (ended)
        *err = late;
    return status ? status : ended;
}

static prf_status_t with_state(args_t *args, const prf_agent_options_t *options, prf_error_t *err)
{
    int lock = -1;
    args->care.state_dir = options->state_dir;
    args->care.settings = args->settings.items;
    args->care.setting_count = args->settings.count;
    prf_status_t status = prf_state_lock(&lock, options->state_dir, err);
    if (!status)
        status = put_back(&args->care, err);
    if (!status && !args->restore)
        status = serve_with_care(&args->care, options, err);
    if (lock >= 0)
        close(lock);
    return status;
}

/* The folder is where the next one looks for what this one could not put back. */
static prf_status_t find_state(const args_t *args, bool named, char path[PATH_MAX], prf_error_t *err)
{
    const char *systemd = getenv("STATE_DIRECTORY");
    bool fixed = args->state || named || (systemd && *systemd);
    if (!fixed && (args->restore || prf_care_wanted(&args->care) || args->settings.count > 0))
        return prf_fail(
            err, PRF_EUSAGE,
            "what is set has to be found again, should this worker be killed: give it a fixed --board NAME or --state DIR");
    if (!args->state)
        return default_state(args->board, path, err);
    if (snprintf(path, PATH_MAX, "%s", args->state) >= PATH_MAX)
        return prf_fail(err, PRF_EUSAGE, "--state: path too long: use a shorter one");
    return PRF_OK;
}

static prf_status_t run(args_t *args, bool named, prf_error_t *err)
{
    char program[PATH_MAX], state[PATH_MAX];
    prf_agent_options_t options = {.program = program,
                                   .state_dir = state,
                                   .credit = (unsigned)args->credit,
                                   .idle_exit_ms = (uint64_t)(args->idle_exit_s * 1000)};
    prf_process_sibling("prfarm-worker", program, sizeof program);
    prf_status_t status = find_state(args, named, state, err);
    if (!status)
        status = find_turns(args, &options.turns_missing, err);
    options.serve = serve_of(args);
    if (!status)
        status = prf_endpoints_parse(&options.farm, prf_farm_or_default(args->farm), err);
    if (!status)
        status = prf_identity_load(&options.identity, args->key, args->server, err);
    if (!status)
        status = with_state(args, &options, err);
    prf_identity_wipe(&options.identity);
    return status;
}

int main(int argc, char **argv)
{
    args_t args = {.credit = PRF_AGENT_CREDIT, .cool_wait_s = COOL_WAIT_S, .care = {.root = ""}};
    char board[PRF_NAME];
    prf_error_t err = {0};
    prf_log_level_t level = PRF_LOG_INFO;
    int code;
    if (!parse(argc, argv, &args, &code))
        return code;
    prf_status_t status = take_plugin(&args, &err);
    if (!status && args.list) {
        list_backends();
        return 0;
    }
    default_board(board);
    bool named = args.board != NULL;
    if (!named)
        args.board = board;
    if (!status && args.log)
        status = prf_log_level_parse(args.log, &level, &err);
    if (!status)
        status = check_names(&args, &err);
    if (!status && args.host)
        return host(&args);
    prf_log_init("prfarm-worker", level);
    prf_notify_init();
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is a full disk, no reason to die */
    if (!status)
        status = run(&args, named, &err);
    if (status)
        prf_complain("prfarm-worker", err.text);
    return prf_exit_code(status);
}
