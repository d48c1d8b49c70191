// SPDX-License-Identifier: Apache-2.0
/* run.c - `prfarm run`: a whole campaign on this machine. Starts a private farm (private.h), submits the campaign to it, waits, and
 * fetches what came out.
 *
 * Everything that must survive is the coordinator's, in DIR/store; this program holds nothing that cannot be asked for again, so it
 * may be killed at any line. Models and summary are written whole or not at all, the summary last. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "campaign/campaign.h"
#include "cli.h"
#include "dashboard.h"
#include "networks.h"
#include "olds.h"
#include "private.h"
#include "progress.h"
#include "signals.h"
#include "summary.h"

enum { POLL_MS = 300, LOOK_MS = 2000, BLOCKED_MS = 60000, ABSENT_SAY_MS = 10000, ABSENT_END_MS = 120000 };

typedef struct {
    const char *file, *dir; /* borrowed */
    const char *http;       /* borrowed: where the dashboard is served; NULL: it is not */
    bool json, open;        /* open: show it, and stay when the campaign is over */
    prf_campaign_t campaign;
    char *text; /* of the campaign file; owned */
    prf_olds_t olds;
    prf_private_t *farm;
    bool opened;         /* DIR was ours: what is in it is worth continuing */
    uint64_t blocked_ms; /* since when no jobs are given out; 0: they are */
    struct {
        uint64_t since_ms; /* since when no board of the kind is there; 0: one is */
        bool said;
    } absent[PRF_CAMPAIGN_BOARDS];
    json_t *summary;
} run_t;

/* What a `submit` that did not create the campaign found. Whoever says "run" wants what the file says now, and wants it to run. */
static prf_status_t attach(run_t *run, const json_t *answer, prf_error_t *err)
{
    if (json_is_true(json_object_get(answer, "updated")))
        fprintf(stderr,
                "prfarm: campaign '%s' in %s was edited: of what it wants so far %.0f measurements are known, %.0f are not\n",
                run->campaign.name, run->dir, prf_json_number(answer, "known", 0), prf_json_number(answer, "new", 0));
    else
        fprintf(stderr, "prfarm: continuing campaign '%s' in %s\n", run->campaign.name, run->dir);
    if (strcmp(prf_json_text(answer, "state", ""), "paused") != 0)
        return PRF_OK;
    fprintf(stderr, "prfarm: it was paused and is resumed\n");
    json_t *out;
    prf_status_t status = prf_farm_call(prf_private_farm(run->farm), "resume", json_pack("{s:s}", "campaign", run->campaign.name),
                                        PRF_CALL_MS, &out, err);
    if (!status)
        json_decref(out);
    return status;
}

static prf_status_t submit(run_t *run, json_t *networks, prf_error_t *err)
{
    json_t *models, *out;
    prf_status_t status = prf_olds_lend(&run->olds, prf_private_farm(run->farm), &models, err);
    if (status) {
        json_decref(networks);
        return status;
    }
    json_t *in = json_pack("{s:s, s:s, s:o, s:o, s:b}", "campaign", run->text, "file", run->file, "networks", networks, "models",
                           models, "update", 1);
    if (!in)
        return prf_fail(err, PRF_ENOMEM, "campaign '%s'", run->campaign.name);
    status = prf_farm_call(prf_private_farm(run->farm), "submit", in, 6 * PRF_CALL_MS, &out, err);
    if (status)
        return status;
    if (!json_is_true(json_object_get(out, "created")))
        status = attach(run, out, err);
    json_decref(out);
    return status;
}

/* What can be wrong with the file and its networks is found before anything is started. */
static prf_status_t start(run_t *run, prf_error_t *err)
{
    json_t *networks;
    for (size_t i = 0; i < run->campaign.board_count; i++)
        if (!run->campaign.boards[i].backend[0])
            return prf_fail(err, PRF_EINVAL, "%s: board '%s' has no backend: say what executes its layers, as in backend: onednn",
                            run->file, run->campaign.boards[i].kind);
    prf_status_t status = prf_olds_load(&run->olds, &run->campaign, run->file, err);
    if (!status)
        status = prf_networks_load(&run->campaign, run->file, &networks, err);
    if (status)
        return status;
    if ((status = prf_private_open(&run->farm, run->dir, true, run->http, err))) {
        json_decref(networks);
        return status;
    }
    run->opened = true;
    if (run->http)
        prf_dashboard_show(run->farm, run->dir, run->open);
    if ((status = submit(run, networks, err)))
        return status;
    for (size_t i = 0; i < run->campaign.board_count && !status; i++) {
        const prf_campaign_board_t *b = &run->campaign.boards[i];
        const prf_private_board_t board = {.kind = b->kind,
                                           .backend = b->backend,
                                           .options = (const char *const *)b->options,
                                           .option_count = b->option_count,
                                           .care = (const char *const *)b->care,
                                           .care_count = b->care_count,
                                           .workers = b->workers};
        status = prf_private_add(run->farm, &board, err);
    }
    return status;
}

/* A full disk is waited out for a while: room may be made. */
static prf_status_t check_granting(run_t *run, const json_t *status, prf_error_t *err)
{
    const json_t *coordinator = json_object_get(status, "coordinator");
    if (!json_is_false(json_object_get(coordinator, "granting"))) {
        run->blocked_ms = 0;
        return PRF_OK;
    }
    uint64_t now = prf_clock_mono_ms();
    if (!run->blocked_ms)
        run->blocked_ms = now;
    if (now - run->blocked_ms < BLOCKED_MS)
        return PRF_OK;
    return prf_fail(err, PRF_ENOSPC, "no progress for a minute: %s",
                    prf_json_text(coordinator, "note", "the store cannot be written: see the coordinator's log"));
}

/* A kind without a board is told about with its worker's last words, and in the end given up: waiting in silence helps nobody. */
static prf_status_t check_boards(run_t *run, const json_t *campaign, prf_error_t *err)
{
    size_t i;
    json_t *board;
    uint64_t now = prf_clock_mono_ms();
    json_array_foreach(json_object_get(campaign, "boards"), i, board)
    {
        const char *kind = prf_json_text(board, "kind", "?"), *stage = prf_json_text(board, "stage", "");
        bool over = strcmp(stage, "done") == 0 || strcmp(stage, "failed") == 0;
        if (i >= PRF_CAMPAIGN_BOARDS)
            break;
        if (over || prf_json_number(board, "workers", 0) > 0) {
            run->absent[i].since_ms = 0;
            continue;
        }
        if (prf_json_number(board, "other_runtime", 0) > 0)
            return prf_fail(err, PRF_EUNSUPPORTED,
                            "board kind %s is another runtime than the one that campaign '%s' began with: choose another --out",
                            kind, run->campaign.name);
        if (!run->absent[i].since_ms)
            run->absent[i].since_ms = now;
        char words[240];
        prf_private_last_words(run->farm, kind, words, sizeof words);
        if (now - run->absent[i].since_ms >= ABSENT_END_MS)
            return prf_fail(err, PRF_ETIMEOUT,
                            "no board of kind %s could be opened: %s: mend that, then the same command continues", kind, words);
        if (now - run->absent[i].since_ms >= ABSENT_SAY_MS && !run->absent[i].said) {
            fprintf(stderr, "prfarm: no board of kind %s is there yet: %s\n", kind, words);
            run->absent[i].said = true;
        }
    }
    return PRF_OK;
}

/* One look at the campaign; *state receives what it is in ("running", ...), *over whether it is past all going on. */
static prf_status_t look(run_t *run, prf_progress_t *progress, char state[16], bool *over, prf_error_t *err)
{
    json_t *status;
    prf_status_t failed = prf_farm_call(prf_private_farm(run->farm), "status", json_pack("{s:s}", "campaign", run->campaign.name),
                                        LOOK_MS, &status, err);
    if (failed)
        return failed;
    const json_t *campaign = prf_progress_find(status, run->campaign.name);
    snprintf(state, 16, "%s", prf_json_text(campaign, "state", ""));
    *over = !prf_progress_goes_on(campaign);
    if (!state[0])
        failed = prf_fail(err, PRF_EPEER, "the coordinator knows nothing of campaign '%s' any more: see its log, then run it again",
                          run->campaign.name);
    else
        failed = check_granting(run, status, err);
    if (!failed && strcmp(state, "running") == 0)
        failed = check_boards(run, campaign, err);
    if (!failed)
        prf_progress_show(progress, status, campaign);
    json_decref(status);
    return failed;
}

static prf_status_t follow(run_t *run, char state[16], prf_error_t *err)
{
    prf_progress_t progress;
    prf_progress_init(&progress, run->dir);
    prf_status_t status;
    bool over = false;
    do {
        if ((status = look(run, &progress, state, &over, err)) == PRF_ETIMEOUT)
            status = PRF_OK; /* it may be committing to a slow disk; if it is dead, tending says so */
        if (!status && over)
            break;
        if (!status)
            status = prf_private_tend(run->farm, err);
        if (!status)
            prf_pause(-1, POLL_MS);
        if (!status)
            status = prf_check_interrupted(err);
    } while (!status);
    if (progress.drawn)
        fputc('\n', stderr);
    return status;
}

static prf_status_t save_model(run_t *run, const char *kind, unsigned version, prf_error_t *err)
{
    void *data;
    size_t len;
    prf_status_t status = prf_farm_model(prf_private_farm(run->farm), kind, &version, &data, &len, err);
    if (status)
        return status;
    char path[PRF_DIR + PRF_NAME + 16];
    snprintf(path, sizeof path, "%s/models/%s.prfm", run->dir, kind);
    status = prf_file_write(path, data, len, err);
    free(data);
    return status;
}

static prf_status_t save_models(run_t *run, prf_error_t *err)
{
    size_t i;
    json_t *board;
    json_array_foreach(json_object_get(run->summary, "boards"), i, board)
    {
        unsigned version = (unsigned)prf_json_number(board, "model_version", 0);
        /* The name becomes a file's: take it from our campaign, not from the answer. */
        prf_status_t status = PRF_OK;
        for (size_t k = 0; k < run->campaign.board_count && version && !status; k++)
            if (strcmp(run->campaign.boards[k].kind, prf_json_text(board, "kind", "")) == 0)
                status = save_model(run, run->campaign.boards[k].kind, version, err);
        if (status)
            return status;
    }
    return PRF_OK;
}

static prf_status_t save_summary(run_t *run, prf_error_t *err)
{
    char path[PRF_DIR + 32];
    snprintf(path, sizeof path, "%s/summary.json", run->dir);
    char *text = json_dumps(run->summary, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    if (!text)
        return prf_fail(err, PRF_ENOMEM, "%s", path);
    prf_status_t status = prf_file_write(path, text, strlen(text), err);
    free(text);
    return status;
}

static prf_status_t collect(run_t *run, prf_error_t *err)
{
    prf_status_t status = prf_farm_call(prf_private_farm(run->farm), "summary", json_pack("{s:s}", "campaign", run->campaign.name),
                                        3 * PRF_CALL_MS, &run->summary, err);
    if (status)
        return status;
    if ((status = save_models(run, err)))
        return status;
    return save_summary(run, err);
}

static prf_status_t carry_out(run_t *run, prf_error_t *err)
{
    char state[16] = "";
    prf_status_t status = start(run, err);
    if (!status)
        status = follow(run, state, err);
    if (!status)
        status = collect(run, err);
    char logs[PRF_DIR + 8];
    snprintf(logs, sizeof logs, "%s/logs", run->dir);
    return status ? status : prf_progress_verdict(run->campaign.name, state, run->summary, logs, err);
}

static void say_how_to_continue(const run_t *run, prf_status_t status)
{
    bool lasting = status == PRF_EINVAL || status == PRF_EPARSE || status == PRF_EBUSY || status == PRF_EVERSION ||
                   status == PRF_EEXISTS || status == PRF_ENOTFOUND || status == PRF_EUNSUPPORTED;
    if (run->opened && !lasting)
        fprintf(stderr, "prfarm: what was measured is kept; to continue: prfarm run %s --out %s\n", run->file, run->dir);
}

static const prf_usage_t usage = {
    .name = "run",
    .synopsis = "CAMPAIGN.yaml --out DIR [--open] [--http ADDRESS:PORT] [--json]",
    .purpose = "Carries a campaign out on this machine: measures, trains, validates, and leaves the models in DIR.",
    .text = "Starts a coordinator and the campaign's workers as child processes; nothing has to be\n"
            "set up, nothing keeps running. DIR then holds models/KIND.prfm, summary.json, the\n"
            "measurements (store/) and logs/. It may be interrupted or killed at any moment: the\n"
            "same command continues, and no layer is measured twice. When the file was edited\n"
            "meanwhile, what the new one needs and DIR has is used, and the rest is measured.\n\n"
            "  prfarm run docs/examples/quickstart.yaml --out first\n"
            "  prfarm estimate --model first/models/cpu.prfm docs/examples/networks/resnet18.onnx\n\n"
            "With --open the dashboard is shown in a browser, as far as there is a desktop, at an address\n"
            "that is printed; what changes something takes the token in it. It stays when the campaign is\n"
            "over, with the boards, until Ctrl-C. --http serves it elsewhere, while the campaign runs.\n\n"
            "While it runs: 'prfarm status --dir DIR' from another terminal. The campaign file is\n"
            "explained in docs/campaign-file.md.\n",
    .least = 1,
    .most = 1,
};

static int report(const run_t *run, prf_status_t status, const prf_error_t *err)
{
    int code = 0;
    if (run->summary && run->json) {
        code = prf_print_json(json_incref(run->summary));
    } else if (run->summary) {
        prf_terminal_t terminal;
        prf_terminal_init(&terminal, stdout);
        prf_summary_print(run->summary, &terminal);
        if (!status)
            printf("\nModels and summary: %s/models, %s/summary.json\n", run->dir, run->dir);
    }
    if (!status)
        return code;
    code = prf_report(err);
    say_how_to_continue(run, status);
    return code;
}

/* The outcome is told and stays what it is, unless the farm breaks down meanwhile. */
static int stay(run_t *run, int code)
{
    prf_error_t err = {0};
    fflush(stdout);
    return prf_dashboard_stay(run->farm, &err) ? prf_report(&err) : code;
}

int prf_cmd_run(int argc, char **argv)
{
    run_t run = {.file = NULL};
    const prf_option_t options[] = {
        {.name = "out", .value = "DIR", .help = "folder for everything that comes out; made if needed", .text = &run.dir},
        {.name = "open", .help = "show the dashboard, and let it stay until Ctrl-C", .flag = &run.open},
        {.name = "http",
         .value = "ADDRESS:PORT",
         .help = "serve the dashboard there (with --open: " PRF_DASHBOARD_ADDRESS ")",
         .text = &run.http},
        {.name = "json", .help = "print the summary as JSON", .flag = &run.json},
        {.name = NULL},
    };
    prf_words_t words;
    int code;
    if (!prf_options_parse(&usage, options, argc, argv, &words, &code))
        return code;
    prf_error_t err = {0};
    if (!run.dir) {
        prf_fail(&err, PRF_EUSAGE, "--out DIR is missing: where shall the models go?");
        return prf_report(&err);
    }
    run.file = words.items[0];
    if (run.open && !run.http)
        run.http = PRF_DASHBOARD_ADDRESS;
    prf_signals_catch();
    prf_status_t status = prf_campaign_load(&run.campaign, run.file, &run.text, &err);
    if (!status) {
        status = carry_out(&run, &err);
        if (status == PRF_ECANCELLED && run.farm)
            fprintf(stderr, "prfarm: stopping\n");
    }
    if (!run.open || !run.summary)
        prf_private_close(&run.farm);
    code = report(&run, status, &err);
    if (run.farm)
        code = stay(&run, code);
    prf_private_close(&run.farm);
    json_decref(run.summary);
    prf_olds_release(&run.olds);
    prf_campaign_release(&run.campaign);
    free(run.text);
    return code;
}
