// SPDX-License-Identifier: Apache-2.0
/* main.c - prfarm-relay's command line: the same program at both ends of a link. */
#include <stdio.h>

#include "accept.h"
#include "base/complain.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/options.h"
#include "base/process.h"
#include "net/keys.h"
#include "site.h"

enum { DESCRIPTORS = 1 << 20, MIB_SHIFT = 20 };

typedef struct {
    const char *farm, *link, *accept, *key, *server, *allow, *log; /* borrowed */
    uint64_t streams, buffer_mb;
} args_t;

static const prf_word_t environment[] = {
    {"PRFARM_FARM", "stands for --farm where that is not given"},
    {"PRFARM_KEY", "stands for --key: the file's name, never the key itself"},
    {"PRFARM_SERVER", "stands for --server"},
    {NULL, NULL},
};

static const prf_usage_t usage = {
    .program = "prfarm-relay",
    .synopsis = "(--link ENDPOINT --server KEY | --accept ENDPOINT --allow FILE) --key FILE [--farm FARM]",
    .purpose = "Joins a site's workers to a farm over one outgoing connection; can neither read nor change what they say.",
    .text = "Two of them work together. Beside the coordinator, for any number of sites:\n\n"
            "  prfarm-relay --accept tcp://0.0.0.0:7710 --farm tcp://127.0.0.1:7700 --key relay.key --allow allow.txt\n\n"
            "and at the site, whose programs dial it as if it were the coordinator, with their own keys and with the\n"
            "coordinator's as --server:\n\n"
            "  prfarm-relay --link tcp://HOST:7710 --farm tcp://192.168.7.1:7700 --key site.key --server relay.pub\n\n"
            "Prints one line, 'ready farm=...' or 'ready accept=...', once it can be reached; logs to standard error.\n"
            "SIGTERM, SIGINT and SIGHUP end it once what is under way has arrived, in two seconds at most. Exit codes:\n"
            "0 ended as asked, 2 usage, 5 port in use, 7 input/output, 13 a key file that others can read.\n",
    .environment = environment,
};

static bool parse(int argc, char **argv, args_t *args, int *code)
{
    const prf_option_t options[] = {
        {.name = "link",
         .value = "ENDPOINT",
         .help = "be the relay of a site: the accepting relay is there, tcp://HOST:PORT",
         .text = &args->link},
        {.name = "accept",
         .value = "ENDPOINT",
         .help = "be the relay beside the coordinator: sites' relays dial here, tcp://ADDRESS:PORT; port * lets the system choose",
         .text = &args->accept},
        {.name = "farm",
         .value = "FARM",
         .help = "with --link: where the site's programs dial, tcp://ADDRESS:PORT (and the next two ports); with --accept: the "
                 "coordinator, tcp://HOST:PORT or ipc://PATH (default: " PRF_FARM_DEFAULT ")",
         .text = &args->farm},
        {.name = "key", .value = "FILE", .help = "this relay's secret key (prfarm keygen makes one)", .text = &args->key},
        {.name = "server",
         .value = "KEY",
         .help = "with --link: the accepting relay's public key, or its file",
         .complete = ".pub",
         .text = &args->server},
        {.name = "allow",
         .value = "FILE",
         .help = "with --accept: the list of keys, of which those with the role relay may open a link; the coordinator's own list "
                 "does; changes are taken within a second",
         .text = &args->allow},
        {.name = "connections",
         .value = "N",
         .help = "that one site may have at a time, two a worker, 1 to 65536 (default: 4096)",
         .number = &args->streams,
         .lo = 1,
         .hi = 65536},
        {.name = "buffer-mb",
         .value = "N",
         .help = "MiB kept for one site while its link is slow or down, 1 to 4096; then its connections wait (default: 16)",
         .number = &args->buffer_mb,
         .lo = 1,
         .hi = 4096},
        {.name = "log",
         .value = "LEVEL",
         .help = "error, warn, info or debug (default: info); the log goes to standard error",
         .complete = "error warn info debug",
         .text = &args->log},
        {.name = NULL},
    };
    return prf_options_parse(&usage, options, argc, argv, NULL, code);
}

static prf_status_t check(const args_t *args, prf_error_t *err)
{
    if (!args->link == !args->accept)
        return prf_fail(err, PRF_EUSAGE, "%s: give --link at a site, or --accept beside the coordinator",
                        args->link ? "--link and --accept are two different relays" : "which end of the link is this?");
    if (args->link && args->allow)
        return prf_fail(err, PRF_EUSAGE, "--allow belongs to --accept: leave it out");
    if (args->accept && args->server)
        return prf_fail(err, PRF_EUSAGE, "--server belongs to --link: leave it out");
    if (args->accept && (!args->key || !args->allow))
        return prf_fail(err, PRF_EUSAGE, "--accept lets in only relays that it knows: give its own --key and the list, --allow");
    const char *endpoint = args->link ? args->link : args->accept;
    return prf_endpoint_check(endpoint, err);
}

static prf_status_t run_site(const args_t *args, const prf_endpoints_t *farm, prf_error_t *err)
{
    prf_site_options_t options = {
        .farm = *farm, .link = args->link, .streams = (size_t)args->streams, .buffer_bytes = (size_t)args->buffer_mb << MIB_SHIFT};
    prf_status_t status = prf_identity_load(&options.identity, args->key, args->server, err);
    if (!status && !options.identity.keyed)
        status = prf_fail(err, PRF_EUSAGE, "a link takes keys: give --key (its own) and --server (the accepting relay's)");
    if (!status)
        status = prf_site_run(&options, err);
    prf_identity_wipe(&options.identity);
    return status;
}

static prf_status_t run(const args_t *args, prf_error_t *err)
{
    prf_log_level_t level = PRF_LOG_INFO;
    prf_endpoints_t farm;
    prf_status_t status = args->log ? prf_log_level_parse(args->log, &level, err) : PRF_OK;
    if (!status)
        status = check(args, err);
    if (!status)
        status = prf_endpoints_parse(&farm, prf_farm_or_default(args->farm), err);
    if (status)
        return status;
    prf_log_init("prfarm-relay", level);
    prf_notify_init();
    prf_log(PRF_LOG_INFO, "descriptors limit=%llu", prf_process_raise_descriptors(DESCRIPTORS));
    if (args->link)
        return run_site(args, &farm, err);
    const prf_accept_options_t options = {.at = args->accept,
                                          .key_file = args->key,
                                          .list_file = args->allow,
                                          .farm = farm,
                                          .streams = (size_t)args->streams,
                                          .buffer_bytes = (size_t)args->buffer_mb << MIB_SHIFT};
    return prf_accept_run(&options, err);
}

int main(int argc, char **argv)
{
    args_t args = {.streams = 4096, .buffer_mb = 16};
    prf_error_t err = {0};
    int code;
    if (!parse(argc, argv, &args, &code))
        return code;
    args.key = prf_identity_key(args.key);
    prf_status_t status = run(&args, &err);
    if (status)
        prf_complain("prfarm-relay", err.text);
    return prf_exit_code(status);
}
