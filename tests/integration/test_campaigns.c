// SPDX-License-Identifier: Apache-2.0
/* What a person may do to a campaign while everything else is being killed: pause, resume, edit, refresh, roll back. The promise is
 * always the same: the campaign ends in the bytes of an undisturbed run of the file that it has at the end, and measures nothing
 * twice. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "tests/support/farm.h"

/* What boards have in hand when something changes: two workers with a credit of 4, and what is on its way to the store. */
enum { IN_HAND = 32 };

static farm_t farm;
static prf_rng_t rng;

static void set_up(void)
{
    const char *given = getenv("PRF_TEST_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 10) : prf_clock_wall_ms();
    fprintf(stderr, "PRF_TEST_SEED=%llu\n", (unsigned long long)seed);
    prf_rng_init(&rng, seed, 0);
}

static void tear_down(void)
{
    farm_stop(&farm);
}

TestSuite(campaigns, .init = set_up, .fini = tear_down);

/* Two kinds: one is asked in stages (black box), one all at once (white box). */
static const char head[] = "campaign: edited\n"
                           "seed: 7\n"
                           "boards:\n"
                           "  - {kind: zcu, backend: sim}\n"
                           "  - {kind: ultra, backend: sim}\n"
                           "layers:\n"
                           "  - kind: conv2d\n"
                           "    boards: [zcu]\n"
                           "    params: {c: 1..128, k: 1..128, h: [14, 28], r: 3, pad: r/2}\n"
                           "  - kind: fc\n"
                           "    boards: [ultra]\n"
                           "    params: {in: 1..128, out: 1..128}\n"
                           "    knowledge: white\n"
                           "    steps: {in: 8, out: 8}\n"
                           "validation: {layers: 40, repeats: 2}\n";

static void file_of(char out[2048], unsigned samples, const char *more)
{
    snprintf(out, 2048, "%sbudget: {samples: %u}\n%s", head, samples, more);
}

static void add_workers(void)
{
    farm_add_worker(&farm, "zcu-1", "zcu", "zcu102", NULL);
    farm_add_worker(&farm, "ultra-1", "ultra", "ultratrail", NULL);
}

static void start_farm(void)
{
    farm_start(&farm, NULL);
    add_workers();
}

static void run_to_the_end(const char *campaign)
{
    json_t *over = farm_wait(&farm, campaign, farm_is_over);
    char *all = json_dumps(over, JSON_COMPACT);
    cr_assert_str_eq(farm_text(over, "state"), "done", "%s", all);
    free(all);
    json_decref(over);
}

typedef struct {
    char zcu[64], ultra[64];
} digests_t;

static void digest_of(const char *kind, char out[64])
{
    json_t *model = farm_ask(&farm, "model", json_pack("{s:s}", "kind", kind));
    snprintf(out, 64, "%s", farm_text(model, "digest"));
    json_decref(model);
}

static digests_t digests(void)
{
    digests_t out;
    digest_of("zcu", out.zcu);
    digest_of("ultra", out.ultra);
    return out;
}

static void assert_same(const digests_t *a, const digests_t *b)
{
    cr_assert_str_eq(a->zcu, b->zcu);
    cr_assert_str_eq(a->ultra, b->ultra);
}

static json_int_t enough; /* for `has_enough` */

static json_int_t has(json_t *campaign)
{
    json_int_t sum = 0;
    json_t *board;
    size_t i;
    json_array_foreach(json_object_get(campaign, "boards"), i, board) sum +=
        farm_number(board, "measured") + farm_number(board, "reused");
    return sum;
}

static bool has_enough(json_t *campaign)
{
    return farm_is_over(campaign) || has(campaign) >= enough;
}

/* Lets the campaign come to a random number of results, at most `most` in all. */
static void wait_some(const char *campaign, unsigned most)
{
    enough = 1 + (json_int_t)prf_rng_below(&rng, most);
    json_decref(farm_wait(&farm, campaign, has_enough));
}

static void kill_and_start_again(void)
{
    farm_kill_coordinator(&farm);
    if (prf_rng_below(&rng, 2)) { /* the workers, too */
        for (size_t w = 0; w < farm.worker_count; w++)
            farm_kill_worker(&farm, w);
        farm.worker_count = 0;
        farm_start_coordinator(&farm, NULL);
        add_workers();
    } else {
        farm_start_coordinator(&farm, NULL);
    }
}

static json_t *submit(const char *file, bool update)
{
    return farm_ask(&farm, "submit", json_pack("{s:s, s:b}", "campaign", file, "update", update));
}

static const char *order(const char *op, const char *campaign, char state[16])
{
    json_t *reply = farm_ask(&farm, op, json_pack("{s:s}", "campaign", campaign));
    snprintf(state, 16, "%s", farm_text(reply, "state"));
    json_decref(reply);
    return state;
}

Test(campaigns, a_paused_one_measures_nothing_over_kills_and_ends_in_the_same_bytes_when_it_is_resumed)
{
    char file[2048], state[16];
    file_of(file, 150, "");
    start_farm();
    json_decref(submit(file, false));
    run_to_the_end("edited");
    digests_t calm = digests();
    json_t *all = farm_counted(&farm, "edited");
    farm_stop(&farm);

    start_farm();
    json_decref(submit(file, false));
    wait_some("edited", 200);
    cr_assert_str_eq(order("pause", "edited", state), "paused");
    json_t *before = farm_counted(&farm, "edited");
    kill_and_start_again();
    json_t *reply = submit(file, false);
    cr_assert_str_eq(farm_text(reply, "state"), "paused", "the same file does not end a pause");
    json_decref(reply);
    /* Others have the boards meanwhile. */
    json_decref(submit("campaign: other\nboards:\n  - {kind: ultra, backend: sim}\nlayers:\n  - kind: fc\n"
                       "    params: {in: 1..128, out: 1..128}\n    knowledge: white\n    steps: {in: 8, out: 8}\n"
                       "budget: {samples: 20}\nvalidation: {layers: 5, repeats: 1}\nmeasure: {warmup: 1}\n",
                       false));
    run_to_the_end("other");
    json_t *after = farm_counted(&farm, "edited");
    cr_assert_leq(json_object_size(after), json_object_size(before) + IN_HAND, "a paused campaign was measured");
    cr_assert_str_eq(order("pause", "edited", state), "paused");
    cr_assert_str_eq(order("resume", "edited", state), "running");
    wait_some("edited", 300);
    kill_and_start_again();
    run_to_the_end("edited");
    digests_t resumed = digests();
    json_t *in_the_end = farm_counted(&farm, "edited");
    cr_assert_eq(json_object_size(in_the_end), json_object_size(all));
    cr_assert_str_eq(calm.zcu, resumed.zcu);
    prf_status_t status;
    cr_assert_null(farm_request(&farm, "pause", json_pack("{s:s}", "campaign", "edited"), &status, NULL));
    cr_assert_eq(status, PRF_EINVAL, "what is done cannot be paused");
    json_decref(all);
    json_decref(before);
    json_decref(after);
    json_decref(in_the_end);
}

Test(campaigns, a_paused_one_can_be_cancelled_and_goes_on_when_it_is_submitted_again)
{
    char file[2048], state[16];
    file_of(file, 60, "");
    start_farm();
    json_decref(submit(file, false));
    cr_assert_str_eq(order("pause", "edited", state), "paused");
    cr_assert_str_eq(order("cancel", "edited", state), "cancelled");
    kill_and_start_again();
    prf_status_t status;
    char error[480];
    cr_assert_null(farm_request(&farm, "resume", json_pack("{s:s}", "campaign", "edited"), &status, error));
    cr_assert_eq(status, PRF_EINVAL);
    cr_assert(strstr(error, "submit the file again"), "%s", error);
    json_decref(submit(file, false));
    run_to_the_end("edited");
}

/* What an undisturbed run of a file on a fresh store comes to. */
static digests_t undisturbed(const char *file, json_t **points)
{
    start_farm();
    json_decref(submit(file, false));
    run_to_the_end("edited");
    digests_t out = digests();
    *points = farm_counted(&farm, "edited");
    farm_stop(&farm);
    return out;
}

/* Everything of the new plan is there, once; what else was measured belongs to the old one, and little of it came after the edit:
 * what the boards had in hand. */
static void assert_only_what_was_needed(const json_t *plan, json_int_t edited_at)
{
    json_t *have = farm_counted(&farm, "edited"), *sequence;
    const char *key;
    size_t late = 0;
    json_object_foreach((json_t *)plan, key, sequence) cr_assert(json_object_get(have, key), "%s was not measured", key);
    json_object_foreach(have, key, sequence) if (!json_object_get(plan, key) && json_integer_value(sequence) > edited_at) late++;
    cr_assert_leq(late, IN_HAND, "%zu points of the old plan were measured after the edit", late);
    json_decref(have);
}

Test(campaigns, edited_in_the_middle_of_it_all_a_campaign_ends_like_an_undisturbed_run_of_the_new_file)
{
    char first[2048], second[2048], more[] = "  - kind: maxpool2d\n    boards: [zcu]\n    params: {c: 1..256, h: 8..64, r: 2}\n";
    file_of(first, 150, "");
    snprintf(second, sizeof second, "%.*s%s%sbudget: {samples: 220}\n", (int)(strstr(head, "validation:") - head), head, more,
             strstr(head, "validation:"));
    json_t *plan;
    digests_t calm = undisturbed(second, &plan);

    start_farm();
    json_decref(submit(first, false));
    wait_some("edited", 250);
    if (prf_rng_below(&rng, 2))
        kill_and_start_again();
    prf_status_t status;
    char error[480];
    cr_assert_null(farm_request(&farm, "submit", json_pack("{s:s}", "campaign", second), &status, error));
    cr_assert_eq(status, PRF_EEXISTS);
    cr_assert(strstr(error, "--update"), "%s", error);
    json_t *reply = submit(second, true), *then = farm_counted(&farm, "edited");
    json_int_t edited_at = (json_int_t)json_object_size(then);
    cr_assert(json_is_true(json_object_get(reply, "updated")));
    cr_assert_gt(farm_number(reply, "known"), 0);
    cr_assert_gt(farm_number(reply, "new"), 0);
    for (unsigned most = 100; most < 400; most += 100) {
        kill_and_start_again();
        wait_some("edited", most);
    }
    run_to_the_end("edited");
    digests_t edited = digests();
    assert_same(&calm, &edited);
    assert_only_what_was_needed(plan, edited_at);
    json_decref(then);
    json_decref(reply);
    json_decref(plan);
}

static json_int_t version_of(const char *kind)
{
    json_t *model = farm_ask(&farm, "model", json_pack("{s:s}", "kind", kind));
    json_int_t version = farm_number(model, "version");
    json_decref(model);
    return version;
}

Test(campaigns, a_changed_budget_takes_what_is_known_and_measures_the_rest)
{
    char small[2048], large[2048], remark[2048];
    json_t *plan;
    file_of(small, 150, "");
    file_of(large, 220, "");
    file_of(remark, 220, "# a remark changes nothing\n");
    digests_t least = undisturbed(small, &plan);
    json_decref(plan);
    digests_t most = undisturbed(large, &plan);

    start_farm();
    json_decref(submit(small, false));
    run_to_the_end("edited");
    json_decref(submit(large, true)); /* a campaign that is done sets out again */
    wait_some("edited", 300);
    kill_and_start_again();
    run_to_the_end("edited");
    digests_t now = digests();
    assert_same(&now, &most);
    cr_assert_eq(version_of("zcu"), 2);
    json_t *have = farm_counted(&farm, "edited");

    json_decref(submit(remark, true));
    run_to_the_end("edited");
    cr_assert_eq(version_of("zcu"), 2, "the same bytes are no new version");

    json_decref(submit(small, true));
    kill_and_start_again();
    run_to_the_end("edited");
    now = digests();
    assert_same(&now, &least);
    json_t *still = farm_counted(&farm, "edited");
    cr_assert_eq(json_object_size(still), json_object_size(have), "a smaller budget was measured again");
    json_decref(have);
    json_decref(still);
    json_decref(plan);
}

static const char *waited_board;
static json_int_t waited_version;

static bool runs_version(json_t *campaign)
{
    (void)campaign;
    json_t *board = farm_board(&farm, waited_board);
    bool runs = farm_number(board, "model_version") == waited_version && farm_number(board, "current_version") == waited_version;
    json_decref(board);
    return runs;
}

static void wait_for_version(const char *board, json_int_t version)
{
    waited_board = board;
    waited_version = version;
    json_decref(farm_wait(&farm, "edited", runs_version));
}

static prf_status_t roll_back(const char *kind, json_int_t version, char error[480])
{
    prf_status_t status = PRF_OK;
    json_decref(farm_request(&farm, "rollback", json_pack("{s:s, s:I}", "kind", kind, "version", version), &status, error));
    return status;
}

Test(campaigns, a_roll_back_reaches_the_boards_outlives_kills_and_ends_with_the_next_version)
{
    static const char one[] = "campaign: edited\nboards:\n  - {kind: ultra, backend: sim}\nlayers:\n  - kind: fc\n"
                              "    params: {in: 1..128, out: 1..128}\n    knowledge: white\n    steps: {in: 8, out: 8}\n"
                              "validation: {layers: 10, repeats: 2}\nbudget: {samples: %u}\n";
    char file[600], error[480];
    start_farm();
    for (unsigned version = 1; version <= 2; version++) {
        snprintf(file, sizeof file, one, 20 * version);
        json_decref(submit(file, true));
        run_to_the_end("edited");
        wait_for_version("ultra-1", version);
    }
    cr_assert_eq(roll_back("ultra", 9, error), PRF_ENOTFOUND);
    cr_assert(strstr(error, "use one of 2, 1"), "%s", error);
    cr_assert_eq(roll_back("nobody", 1, error), PRF_ENOTFOUND);
    cr_assert_eq(roll_back("ultra", 1, error), PRF_OK, "%s", error);
    farm_kill_coordinator(&farm);
    farm_start_coordinator(&farm, NULL);
    wait_for_version("ultra-1", 1);
    cr_assert_eq(version_of("ultra"), 1, "a client gets the current one, too");
    json_t *campaign = farm_campaign(&farm, "edited"), *board = json_array_get(json_object_get(campaign, "boards"), 0);
    cr_assert_eq(farm_number(board, "current_version"), 1);
    cr_assert_eq(farm_number(board, "current_runs_on"), 1);
    json_decref(campaign);
    json_decref(submit(file, true)); /* nothing new: the roll-back stays */
    wait_for_version("ultra-1", 1);

    cr_assert_eq(roll_back("ultra", 2, error), PRF_OK, "%s", error);
    wait_for_version("ultra-1", 2);
    cr_assert_eq(roll_back("ultra", 1, error), PRF_OK, "%s", error);
    wait_for_version("ultra-1", 1);
    snprintf(file, sizeof file, one, 60);
    json_decref(submit(file, true));
    run_to_the_end("edited");
    wait_for_version("ultra-1", 3);
    json_t *list = farm_ask(&farm, "models", json_pack("{s:s}", "kind", "ultra")), *models = json_object_get(list, "models");
    cr_assert_eq(json_array_size(models), 3);
    for (size_t i = 0; i < 3; i++) {
        json_t *model = json_array_get(models, i);
        cr_assert_eq(farm_number(model, "version"), (json_int_t)i + 1);
        cr_assert_eq(json_is_true(json_object_get(model, "current")), i == 2);
        cr_assert_str_eq(farm_text(model, "campaign"), "edited");
        cr_assert_gt(farm_number(model, "published_ms"), 0);
    }
    json_decref(list);
}

/* However many other kinds there are, which the coordinator counts together beyond a hundred. */
Test(campaigns, a_model_is_current_among_more_kinds_than_are_counted_one_by_one)
{
    enum { OTHERS = 101 };
    farm_start(&farm, NULL);
    farm_peer_t others[OTHERS];
    for (int i = 0; i < OTHERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "other-%d", i);
        farm_peer_connect(&others[i], &farm);
        farm_peer_hello(&others[i], name, name);
    }
    farm_add_worker(&farm, "one", "hand", "vta", NULL);
    json_decref(farm_submit(&farm, farm_by_hand));
    json_decref(farm_wait(&farm, "hand", farm_is_over));
    json_t *list = farm_ask(&farm, "models", NULL), *model = json_array_get(json_object_get(list, "models"), 0);
    cr_assert_str_eq(farm_text(model, "kind"), "hand");
    cr_assert(json_is_true(json_object_get(model, "current")));
    cr_assert_eq(farm_number(model, "workers"), 1);
    json_decref(list);
    for (int i = 0; i < OTHERS; i++)
        farm_peer_close(&others[i]);
}

/* Two zcu and one ultra; boards of one pace, which is no part of what a runtime calls itself. */
static void add_boards(const char *speed)
{
    farm_add_worker(&farm, "zcu-1", "zcu", "zcu102", speed);
    farm_add_worker(&farm, "zcu-2", "zcu", "zcu102", speed);
    farm_add_worker(&farm, "ultra-1", "ultra", "ultratrail", NULL);
}

static void change_boards(const char *speed)
{
    for (size_t w = 0; w < farm.worker_count; w++)
        farm_kill_worker(&farm, w);
    farm.worker_count = 0;
    add_boards(speed);
}

static json_t *refresh(unsigned points)
{
    return farm_ask(&farm, "refresh", json_pack("{s:s, s:I}", "campaign", "edited", "points", (json_int_t)points));
}

static void assert_verdict(const char *kind, const char *verdict)
{
    json_t *summary = farm_ask(&farm, "summary", json_pack("{s:s}", "campaign", "edited")), *board;
    size_t i;
    json_array_foreach(json_object_get(summary, "boards"), i, board) if (strcmp(farm_text(board, "kind"), kind) == 0)
        cr_assert_str_eq(farm_text(json_object_get(board, "refresh"), "verdict"), verdict, "%s", kind);
    json_decref(summary);
}

Test(campaigns, a_refresh_of_boards_that_did_not_change_measures_what_it_was_asked_to_and_keeps_the_model)
{
    char file[2048], state[16];
    file_of(file, 100, "");
    farm_start(&farm, NULL);
    add_boards(NULL);
    json_decref(submit(file, false));
    run_to_the_end("edited");
    digests_t before = digests();
    json_t *had = farm_counted(&farm, "edited");
    json_decref(refresh(12));
    prf_status_t status;
    cr_assert_null(farm_request(&farm, "refresh", json_pack("{s:s}", "campaign", "edited"), &status, NULL), "one at a time");
    cr_assert_neq(status, PRF_OK);
    kill_and_start_again();
    run_to_the_end("edited");
    digests_t after = digests();
    assert_same(&before, &after);
    cr_assert_eq(version_of("zcu"), 1);
    json_t *has_now = farm_counted(&farm, "edited");
    cr_assert_eq(json_object_size(has_now), json_object_size(had) + 2 * 12, "12 layers of each kind");
    assert_verdict("zcu", "holds");
    assert_verdict("ultra", "holds");
    cr_assert_str_eq(order("cancel", "edited", state), "done");
    json_decref(had);
    json_decref(has_now);
}

/* `status` shows the fleet on its way to the new version, and in the end there. */
static bool zcu_has_converged(json_t *campaign)
{
    json_t *board = json_array_get(json_object_get(campaign, "boards"), 0);
    return farm_is_over(campaign) && farm_number(board, "current_version") == 2 && farm_number(board, "current_runs_on") == 2 &&
           farm_number(board, "boards_live") == 2;
}

Test(campaigns, a_refresh_of_boards_that_became_slower_trains_anew_and_the_fleet_converges)
{
    char file[2048];
    file_of(file, 100, "");
    farm_start(&farm, NULL); /* what these boards come to when they were slow from the start */
    add_boards("speed=1.3");
    json_decref(submit(file, false));
    run_to_the_end("edited");
    digests_t slow = digests();
    json_t *plan = farm_counted(&farm, "edited");
    farm_stop(&farm);

    farm_start(&farm, NULL);
    add_boards(NULL);
    json_decref(submit(file, false));
    run_to_the_end("edited");
    json_t *before = farm_counted(&farm, "edited");
    change_boards("speed=1.3");
    json_decref(refresh(12));
    for (unsigned most = 100; most < 600; most += 150) {
        wait_some("edited", most);
        farm_kill_coordinator(&farm);
        farm_start_coordinator(&farm, NULL);
        if (prf_rng_below(&rng, 2))
            change_boards("speed=1.3");
    }
    run_to_the_end("edited");
    assert_verdict("zcu", "drifted");
    assert_verdict("ultra", "holds");
    json_decref(farm_wait(&farm, "edited", zcu_has_converged));
    digests_t now = digests();
    assert_same(&now, &slow);
    cr_assert_eq(version_of("ultra"), 1);
    /* All of zcu twice, of ultra the check's on top. The check's layers are part of the new plan, unless they came in a helping
     * that the slower boards' models would not have chosen. */
    json_t *all = farm_rows(&farm, "edited"), *row;
    size_t zcu = 0, ultra = 0, i;
    json_array_foreach(all, i, row) if (json_is_false(json_object_get(row, "duplicate"))) *
        (strcmp(farm_text(row, "kind"), "zcu") == 0 ? &zcu : &ultra) += 1;
    size_t twice = json_object_size(before) + json_object_size(plan) - 2 * (ultra - 12);
    cr_assert(zcu >= twice && zcu <= twice + 12, "%zu of zcu, %zu of ultra, %zu and %zu planned", zcu, ultra,
              json_object_size(before), json_object_size(plan));
    json_decref(all);
    json_decref(before);
    json_decref(plan);
}

Test(campaigns, when_time_is_up_it_is_decided_what_counts_and_a_killed_campaign_keeps_to_it)
{
    static const char one[] = "campaign: %s\nboards:\n  - {kind: zcu, backend: sim}\nlayers:\n  - kind: conv2d\n"
                              "    params: {c: 64..256, k: 64..256, h: [28, 56], r: 3, pad: r/2}\n"
                              "validation: {layers: 40, repeats: 2}\nmeasure: {repeats: 10..20}\nbudget: {samples: %u%s}\n";
    char file[1024], other[1024], before[64], after[64];
    snprintf(file, sizeof file, one, "edited", 2000, ", seconds: 1");
    snprintf(other, sizeof other, one, "other", 330, "");
    farm_start(&farm, NULL);
    farm_add_worker(&farm, "zcu-1", "zcu", "zcu102", "pace=real");
    json_decref(submit(file, false));
    run_to_the_end("edited");
    digest_of("zcu", before);
    json_t *had = farm_counted(&farm, "edited");
    /* Another campaign measures more of the same layers. A refresh then goes through the whole plan again: if it counted those,
     * too, it would come to another model, and to another version. */
    json_decref(submit(other, false));
    run_to_the_end("other");
    json_int_t version = version_of("zcu");
    farm_kill_coordinator(&farm);
    farm_start_coordinator(&farm, NULL);
    json_decref(refresh(10));
    run_to_the_end("edited");
    cr_assert_eq(version_of("zcu"), version);
    cr_assert_eq(roll_back("zcu", 1, NULL), PRF_OK);
    digest_of("zcu", after);
    cr_assert_str_eq(after, before);
    json_t *has_now = farm_counted(&farm, "edited");
    cr_assert_eq(json_object_size(has_now), json_object_size(had) + 10);
    cr_assert_lt(json_object_size(had), 2000, "the time was never up");
    json_decref(had);
    json_decref(has_now);
}
