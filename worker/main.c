// SPDX-License-Identifier: Apache-2.0
/* main.c - prfarm-worker's command line. The same program is the daemon and, started by the daemon with --backend-host, the
 * process that a board's backend lives in. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"
#include "backends/registry.h"
#include "base/log.h"
#include "base/process.h"

enum { MAX_OPTIONS = 64, HOST_FD = 3 };

/* The options that take one text come first: each has a place of its own in args_t. */
enum { FARM = 0, BOARD, KIND, BACKEND, STATE, CREDIT, LOG, KEY, SERVER, TEXTS, OPTION = TEXTS, PLUGIN, HOST, LIST, VERSION, HELP };

typedef struct {
    const char *text[TEXTS];
    const char *options[MAX_OPTIONS];
    size_t option_count;
    bool host, list;
    char plugin[PATH_MAX + 8]; /* "path=FILE" */
} args_t;

static const char help[] =
    "usage: prfarm-worker --kind KIND --backend NAME [--option KEY=VALUE]... [--farm FARM]\n"
    "\n"
    "Serves one board: takes jobs from the farm's coordinator, measures them, hands the results back.\n"
    "The board runs in a process of its own; when its driver crashes or hangs, that costs one job.\n"
    "\n"
    "  --kind KIND         what the board is called in campaign files, such as cpu or zcu102\n"
    "  --backend NAME      how the board is driven; --list-backends tells the names\n"
    "  --option KEY=VALUE  an option of the backend; may be given often\n"
    "  --plugin FILE       the backend is this shared object (short for --backend plugin --option path=FILE)\n"
    "  --farm FARM         the coordinator: tcp://HOST:PORT, ipc://PATH (default " PRF_FARM_DEFAULT ")\n"
    "  --key FILE          this board's secret key, for a farm with keys (prfarm keygen makes one)\n"
    "  --server KEY        that farm's public key, or its file\n"
    "  --board NAME        this board's name, unique in the farm (default: host name and process id); with a fixed one a worker\n"
    "                      that is started again hands over the results that it had not handed over before\n"
    "  --state DIR         keeps the model and results that wait for the coordinator here, for this worker alone\n"
    "                      (default: $STATE_DIRECTORY, or ~/.local/state/prfarm/BOARD)\n"
    "  --credit N          jobs to hold at a time, 1 to 256 (default 4)\n"
    "  --log LEVEL         error, warn, info or debug (default info); the log goes to standard error\n"
    "  --list-backends     prints the built-in backends and their options\n"
    "  --version, --help\n"
    "\n"
    "What is not given of --farm, --key and --server comes from PRFARM_FARM, PRFARM_KEY and PRFARM_SERVER.\n"
    "\n"
    "Example: a simulated board and the real processor, for the coordinator on this machine\n"
    "  prfarm-worker --kind zcu102 --backend sim --option board=zcu102\n"
    "  prfarm-worker --kind cpu --backend onednn --option threads=1\n";

static prf_status_t take_option(args_t *args, const char *option, prf_error_t *err)
{
    if (args->option_count == MAX_OPTIONS)
        return prf_fail(err, PRF_EUSAGE, "more than %d --option: leave some out", MAX_OPTIONS);
    args->options[args->option_count++] = option;
    return PRF_OK;
}

static prf_status_t take_plugin(args_t *args, const char *path, prf_error_t *err)
{
    args->text[BACKEND] = "plugin";
    if (snprintf(args->plugin, sizeof args->plugin, "path=%s", path) >= (int)sizeof args->plugin)
        return prf_fail(err, PRF_EUSAGE, "--plugin: path too long: use a shorter one");
    return take_option(args, args->plugin, err);
}

static const struct option long_options[] = {
    {"farm", required_argument, NULL, FARM},     {"board", required_argument, NULL, BOARD},
    {"kind", required_argument, NULL, KIND},     {"backend", required_argument, NULL, BACKEND},
    {"option", required_argument, NULL, OPTION}, {"plugin", required_argument, NULL, PLUGIN},
    {"state", required_argument, NULL, STATE},   {"credit", required_argument, NULL, CREDIT},
    {"log", required_argument, NULL, LOG},       {"backend-host", no_argument, NULL, HOST},
    {"list-backends", no_argument, NULL, LIST},  {"version", no_argument, NULL, VERSION},
    {"key", required_argument, NULL, KEY},       {"server", required_argument, NULL, SERVER},
    {"help", no_argument, NULL, HELP},           {NULL, 0, NULL, 0},
};

/* Returns PRF_ECANCELLED when what was asked for is already done. */
static prf_status_t parse(int argc, char **argv, args_t *args, prf_error_t *err)
{
    prf_status_t status = PRF_OK;
    opterr = 0;
    for (int c; !status && (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (c >= 0 && c < TEXTS)
            args->text[c] = optarg;
        else if (c == OPTION)
            status = take_option(args, optarg, err);
        else if (c == PLUGIN)
            status = take_plugin(args, optarg, err);
        else if (c == HOST)
            args->host = true;
        else if (c == LIST)
            args->list = true;
        else if (c == VERSION || c == HELP) {
            fputs(c == HELP ? help : "prfarm-worker " PRF_VERSION "\n", stdout);
            return PRF_ECANCELLED;
        } else
            status = prf_fail(err, PRF_EUSAGE, "'%.80s' is unknown or lacks its value: see prfarm-worker --help", argv[optind - 1]);
    }
    if (!status && optind < argc)
        status = prf_fail(err, PRF_EUSAGE, "'%.80s': prfarm-worker takes options only, see --help", argv[optind]);
    return status;
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

static prf_status_t parse_credit(const char *text, unsigned *out, prf_error_t *err)
{
    char *end;
    errno = 0;
    unsigned long value = text ? strtoul(text, &end, 10) : PRF_AGENT_CREDIT;
    if (text && (end == text || *end || errno || value < 1 || value > PRF_AGENT_MAX_CREDIT))
        return prf_fail(err, PRF_EUSAGE, "--credit %.40s: use a number from 1 to %d", text, PRF_AGENT_MAX_CREDIT);
    *out = (unsigned)value;
    return PRF_OK;
}

static prf_status_t check_names(const args_t *args, prf_error_t *err)
{
    if (!args->text[KIND])
        return prf_fail(err, PRF_EUSAGE, "--kind is missing: give what the board is called in campaign files");
    if (!args->text[BACKEND])
        return prf_fail(err, PRF_EUSAGE, "--backend is missing: give one of those that prfarm-worker --list-backends tells");
    prf_status_t status = prf_name_check("--kind", args->text[KIND], err);
    return status ? status : prf_name_check("--board", args->text[BOARD], err);
}

static prf_status_t run(const args_t *args, prf_error_t *err)
{
    char program[PATH_MAX], state[PATH_MAX];
    prf_agent_options_t options = {.program = program, .state_dir = args->text[STATE]};
    options.serve = (prf_serve_t){args->text[BACKEND], args->options, args->option_count, args->text[BOARD], args->text[KIND]};
    prf_process_sibling("prfarm-worker", program, sizeof program);
    prf_status_t status = parse_credit(args->text[CREDIT], &options.credit, err);
    if (!status)
        status = prf_endpoints_parse(&options.farm, prf_farm_or_default(args->text[FARM]), err);
    if (!status && !args->text[STATE]) {
        status = default_state(args->text[BOARD], state, err);
        options.state_dir = state;
    }
    if (!status)
        status = prf_identity_load(&options.identity, args->text[KEY], args->text[SERVER], err);
    if (!status)
        status = prf_agent_run(&options, err);
    prf_identity_wipe(&options.identity);
    return status;
}

int main(int argc, char **argv)
{
    args_t args = {0};
    char board[PRF_NAME];
    prf_error_t err = {0};
    prf_log_level_t level = PRF_LOG_INFO;
    prf_status_t status = parse(argc, argv, &args, &err);
    if (status == PRF_ECANCELLED)
        return 0;
    if (!status && args.list) {
        list_backends();
        return 0;
    }
    default_board(board);
    if (!args.text[BOARD])
        args.text[BOARD] = board;
    if (!status && args.text[LOG])
        status = prf_log_level_parse(args.text[LOG], &level, &err);
    if (!status)
        status = check_names(&args, &err);
    if (!status && args.host)
        return prf_serve(&(prf_serve_t){args.text[BACKEND], args.options, args.option_count, args.text[BOARD], args.text[KIND]},
                         HOST_FD);
    prf_log_init("prfarm-worker", level);
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is a full disk, no reason to die */
    if (!status)
        status = run(&args, &err);
    if (status)
        fprintf(stderr, "prfarm-worker: %s\n", err.text);
    return prf_exit_code(status);
}
