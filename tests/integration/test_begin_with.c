// SPDX-License-Identifier: Apache-2.0
/* A campaign whose board begins with another board's model: what it is worth, that its bytes travel and stay with the campaign, and
 * what a stranger may hand in. Real processes, simulated boards. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/file.h"
#include "tests/support/farm.h"

static farm_t farm;
static char said[FARM_SAID];

static void tear_down(void)
{
    farm_stop(&farm);
}

TestSuite(begin_with, .fini = tear_down);

#define OLD_BOARD "board: systolic, bytes_per_cycle: 8"
#define NEW_BOARD "board: systolic, bytes_per_cycle: 5, cycle_ns: 2.5"

/* farm.dir/NAME.yaml; the board's kind is named like the campaign. */
static const char *write_campaign(const char *name, const char *options, const char *more, unsigned samples)
{
    static char path[FARM_PATH + 32];
    char text[1024];
    snprintf(path, sizeof path, "%s/%s.yaml", farm.dir, name);
    snprintf(text, sizeof text,
             "campaign: %s\nboards:\n  - {kind: %s, backend: sim, options: {%s}%s}\nlayers:\n  - kind: conv2d\n    dtype: i8\n"
             "    max_macs: 500e6\n    params: {c: {from: 1, to: 512, scale: log}, k: {from: 1, to: 512, scale: log},"
             " h: [7, 14, 28, 56], r: [1, 3], pad: r/2}\n"
             "budget: {samples: %u}\nvalidation: {layers: 40, repeats: 1}\nbaseline: false\n",
             name, name, options, more, samples);
    cr_assert_eq(prf_file_write(path, text, strlen(text), NULL), PRF_OK);
    return path;
}

static json_t *run_privately(const char *campaign, const char *out)
{
    char to[FARM_PATH + 32], path[FARM_PATH + 64];
    snprintf(to, sizeof to, "%s/%s", farm.dir, out);
    snprintf(path, sizeof path, "%s/summary.json", to);
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "run", campaign, "--out", to), 0, "%s", said);
    json_t *summary = json_load_file(path, 0, NULL);
    cr_assert_not_null(summary);
    return summary;
}

static json_t *board_of(json_t *summary)
{
    return json_array_get(json_object_get(summary, "boards"), 0);
}

static double mape(json_t *summary)
{
    return json_number_value(json_object_get(board_of(summary), "mape_percent"));
}

static const char *outcome(json_t *summary)
{
    return farm_text(json_object_get(json_object_get(board_of(summary), "old_model"), "layers"), "conv2d");
}

static void digest_of_file(const char *out, const char *kind, char hex[PRF_DIGEST_HEX])
{
    char path[FARM_PATH + 96], *bytes;
    size_t len;
    prf_digest_t digest;
    snprintf(path, sizeof path, "%s/%s/models/%s.prfm", farm.dir, out, kind);
    cr_assert_eq(prf_file_read(path, 1 << 24, &bytes, &len, NULL), PRF_OK);
    prf_digest(&digest, bytes, len);
    prf_digest_hex(&digest, hex);
    free(bytes);
}

static bool has_some(json_t *campaign)
{
    return farm_number(json_array_get(json_object_get(campaign, "boards"), 0), "measured") >= 20;
}

Test(begin_with, few_layers_do_and_the_model_stays_with_the_campaign_over_a_kill)
{
    farm_start(&farm, NULL);
    json_decref(run_privately(write_campaign("old", OLD_BOARD, "", 100), "old"));
    json_t *scratch = run_privately(write_campaign("new", NEW_BOARD, "", 30), "scratch");
    cr_assert(json_is_null(json_object_get(board_of(scratch), "old_model")));
    const char *campaign = write_campaign("new", NEW_BOARD, ", from: old/models/old.prfm", 30);
    json_t *calm = run_privately(campaign, "calm");
    cr_assert(strstr(said, "new began with the model of old: conv2d taken over"), "%s", said);
    cr_assert_str_eq(outcome(calm), "taken over");
    cr_assert_lt(mape(calm), 0.7 * mape(scratch), "%g %% with the old model, %g %% without", mape(calm), mape(scratch));
    json_t *steps = json_object_get(json_object_get(board_of(calm), "steps"), "conv2d");
    cr_assert_eq(farm_number(steps, "k"), 32, "the old model brings its steps along");
    json_decref(scratch);
    json_decref(calm);

    /* On a farm, killed in the midst, and with the file gone. */
    char in_private[PRF_DIGEST_HEX], old_path[FARM_PATH + 64];
    farm_add_worker(&farm, "new-1", "new", "systolic", "bytes_per_cycle=5 cycle_ns=2.5");
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "submit", campaign, "--farm", farm.name), 0, "%s", said);
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "submit", campaign, "--farm", farm.name), 0, "%s", said);
    cr_assert(strstr(said, "is known already"), "%s", said);
    json_decref(farm_wait(&farm, "new", has_some));
    farm_kill_coordinator(&farm);
    snprintf(old_path, sizeof old_path, "%s/old/models/old.prfm", farm.dir);
    cr_assert_eq(unlink(old_path), 0);
    farm_start_coordinator(&farm, NULL);
    json_decref(farm_wait(&farm, "new", farm_is_over));
    json_t *model = farm_ask(&farm, "model", json_pack("{s:s}", "kind", "new"));
    digest_of_file("calm", "new", in_private);
    cr_assert_str_eq(farm_text(model, "digest"), in_private);
    json_decref(model);
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "submit", campaign, "--farm", farm.name), 4);
    cr_assert(strstr(said, "old.prfm"), "%s", said);
}

/* With room for a sweep it is made only where the old model does not help. */
Test(begin_with, a_sweep_is_saved_where_the_old_model_helps_and_made_where_it_does_not)
{
    farm_start(&farm, NULL);
    json_decref(run_privately(write_campaign("old", OLD_BOARD, "", 100), "old"));
    json_t *like = run_privately(write_campaign("like", NEW_BOARD, ", from: old/models/old.prfm", 80), "like");
    cr_assert_str_eq(outcome(like), "taken over");
    cr_assert_eq(farm_number(board_of(like), "sweep_samples"), 0);
    cr_assert_eq(farm_number(board_of(like), "samples"), 80);
    json_decref(like);
    json_t *scratch = run_privately(write_campaign("unlike", "board: ncs2", "", 80), "scratch");
    json_t *unlike = run_privately(write_campaign("unlike", "board: ncs2", ", from: old/models/old.prfm", 80), "unlike");
    cr_assert_str_eq(outcome(unlike), "no help");
    cr_assert_gt(farm_number(board_of(unlike), "sweep_samples"), 0);
    cr_assert_leq(farm_number(board_of(unlike), "samples"), 80);
    cr_assert_leq(mape(unlike), mape(scratch) + 0.5, "%g %%, from scratch %g %%", mape(unlike), mape(scratch));
    json_decref(unlike);
    json_decref(scratch);
}

static void refused(const char *op, json_t *in, const char *says)
{
    prf_status_t status = PRF_OK;
    char error[480] = "";
    cr_assert_null(farm_request(&farm, op, in, &status, error), "%s was taken", op);
    cr_assert(strstr(error, says), "'%s' does not say '%s'", error, says);
}

static json_t *piece_of(const char *hex, json_int_t bytes, json_int_t offset, const char *data)
{
    return json_pack("{s:s, s:I, s:I, s:s}", "digest", hex, "bytes", bytes, "offset", offset, "data", data);
}

Test(begin_with, what_is_no_model_is_refused_when_it_is_handed_in)
{
    static const char junk[] = "this is no model file at all";
    char *data = prf_base64_encode(junk, sizeof junk), hex[PRF_DIGEST_HEX], *text;
    size_t len;
    prf_digest_t digest;
    farm_start(&farm, NULL);
    prf_digest(&digest, junk, sizeof junk);
    prf_digest_hex(&digest, hex);
    cr_assert_eq(prf_file_read(write_campaign("new", NEW_BOARD, ", from: junk.prfm", 60), 4096, &text, &len, NULL), PRF_OK);
    refused("submit", json_pack("{s:s}", "campaign", text), "begins with junk.prfm, which was not handed in");
    refused("submit", json_pack("{s:s, s:[{s:s, s:s}]}", "campaign", text, "models", "board", "new", "digest", hex),
            "was not handed in: submit again");
    refused("lend", piece_of("nonsense", 9, 0, data), "\"digest\"");
    refused("lend", piece_of(hex, (json_int_t)1 << 40, 0, data), "one to begin with may have");
    refused("lend", piece_of(hex, sizeof junk, sizeof junk, data), "\"offset\"");
    refused("lend", piece_of(hex, 5, 0, data), "no more than the model has");
    refused("lend", piece_of(hex, sizeof junk, 0, "!"), "base64");
    json_decref(farm_ask(&farm, "lend", piece_of(hex, sizeof junk, 0, data)));
    json_t *again = farm_ask(&farm, "lend", piece_of(hex, sizeof junk, 0, data));
    cr_assert_eq(farm_number(again, "have"), sizeof junk, "the same piece again changes nothing");
    json_decref(again);
    refused("submit", json_pack("{s:s, s:[{s:s, s:s}]}", "campaign", text, "models", "board", "new", "digest", hex),
            "not a model file");
    refused("submit", json_pack("{s:s, s:[{s:s, s:s}]}", "campaign", farm_by_hand, "models", "board", "hand", "digest", hex),
            "which begins with none");
    char path[FARM_PATH + 32];
    snprintf(path, sizeof path, "%s/junk.prfm", farm.dir);
    cr_assert_eq(prf_file_write(path, junk, sizeof junk, NULL), PRF_OK);
    snprintf(path, sizeof path, "%s/new.yaml", farm.dir);
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "submit", path, "--farm", farm.name), 3);
    cr_assert(strstr(said, "junk.prfm: ") && strstr(said, "not a model file"), "%s", said);
    json_decref(farm_ask(&farm, "status", NULL));
    free(data);
    free(text);
}
