// SPDX-License-Identifier: Apache-2.0
/* The HTTP API and the metrics, as browsers, Prometheus and strangers meet them. */
#include <criterion/criterion.h>
#include <limits.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "tests/support/farm.h"
#include "tests/support/http.h"

#define TOKEN "a-token-for-the-tests"
#define BEARER "Authorization: Bearer " TOKEN "\r\n"

static farm_t farm;

static void stop(void)
{
    farm_stop(&farm);
}

TestSuite(http, .fini = stop);

static const char *write_file(const char *name, const char *text, mode_t mode)
{
    static char path[FARM_PATH + 32];
    prf_error_t err = {0};
    snprintf(path, sizeof path, "%s/%.16s", farm.dir, name);
    cr_assert_eq(prf_file_write(path, text, strlen(text), &err), PRF_OK, "%s", err.text);
    cr_assert_eq(chmod(path, mode), 0);
    return path;
}

static void start_at(const char *address, bool with_token)
{
    farm_make(&farm);
    const char *token = with_token ? write_file("token", TOKEN "\nwhat follows is no part of it\n", 0600) : NULL;
    farm_start_coordinator(&farm, (const char *const[]){"--http", address, token ? "--http-token" : NULL, token, NULL});
    farm_connect_client(&farm, NULL);
}

static void start(void)
{
    start_at("127.0.0.1:*", true);
}

/* Asserts the code and the form of an error; its text is returned, borrowed until the next call. */
static const char *refused(http_answer_t answer, unsigned code)
{
    static char text[512];
    json_t *json = http_json(answer, code);
    farm_text(json, "status");
    snprintf(text, sizeof text, "%s", farm_text(json, "error"));
    json_decref(json);
    return text;
}

Test(http, health_tells_that_work_is_granted_and_every_answer_has_the_headers_of_a_safe_one)
{
    start();
    http_answer_t answer = http_ask(&farm, "GET", "/healthz", NULL, NULL);
    cr_assert_str_eq(http_header(&answer, "X-Content-Type-Options"), "nosniff");
    cr_assert_str_eq(http_header(&answer, "Content-Security-Policy"), "default-src 'none'");
    cr_assert_str_eq(http_header(&answer, "Cache-Control"), "no-store");
    json_t *json = http_json(answer, 200);
    cr_assert_str_eq(farm_text(json, "status"), "ok");
    json_decref(json);
    answer = http_ask(&farm, "GET", "/nothing", NULL, NULL);
    cr_assert_str_eq(http_header(&answer, "X-Content-Type-Options"), "nosniff");
    refused(answer, 404);
}

Test(http, health_tells_why_no_work_is_granted)
{
    farm_make(&farm);
    farm_start_coordinator(&farm, (const char *const[]){"--http", "127.0.0.1:0", "--low-space-mb", "1000000000", NULL});
    json_decref(http_json(http_ask(&farm, "GET", "/livez", NULL, NULL), 200)); /* a restart would not help */
    json_t *json = http_json(http_ask(&farm, "GET", "/healthz", NULL, NULL), 503);
    cr_assert_str_eq(farm_text(json, "status"), "not granting");
    cr_assert(strstr(farm_text(json, "note"), "space"), "%s", farm_text(json, "note"));
    json_decref(json);
}

/* Of a sample: its name, and what tells it from others. */
static void check_sample(const char *line, json_t *series, json_t *types)
{
    size_t name_len = strspn(line, "abcdefghijklmnopqrstuvwxyz_");
    const char *at = line + name_len;
    char name[128];
    snprintf(name, sizeof name, "%.*s", (int)name_len, line);
    const char *type = json_string_value(json_object_get(types, name));
    cr_assert(type, "no HELP and TYPE before %s", line);
    bool total = name_len > 6 && strcmp(name + name_len - 6, "_total") == 0;
    cr_assert_eq(total, strcmp(type, "counter") == 0, "%s is a %s", name, type);
    if (*at == '{')
        do {
            size_t label = strspn(++at, "abcdefghijklmnopqrstuvwxyz_");
            cr_assert(label > 0 && strncmp(at + label, "=\"", 2) == 0, "%s", line);
            for (at += label + 2; *at && *at != '"'; at++)
                at += *at == '\\';
            cr_assert_eq(*at++, '"', "%s", line);
        } while (*at == ',');
    at += *at == '}';
    cr_assert_eq(*at, ' ', "%s", line);
    char key[256], *end;
    snprintf(key, sizeof key, "%.*s", (int)(at - line), line);
    cr_assert_not(json_object_get(series, key), "%s is told twice", key);
    double value = strtod(at + 1, &end);
    cr_assert(end > at + 1 && *end == '\0' && isfinite(value), "%s", line);
    json_object_set_new(series, key, json_real(value));
}

/* Every sample by its name and labels. New reference. */
static json_t *read_metrics(void)
{
    http_answer_t answer = http_ask(&farm, "GET", "/metrics", NULL, NULL);
    cr_assert_eq(answer.code, 200);
    cr_assert_str_eq(http_header(&answer, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    json_t *series = json_object(), *types = json_object(), *helps = json_object();
    char *rest = answer.body;
    cr_assert_eq(answer.body[answer.len - 1], '\n');
    for (char *line = strtok_r(rest, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char name[128], word[64];
        if (sscanf(line, "# HELP %127s %63s", name, word) == 2) {
            cr_assert_not(json_object_get(helps, name), "%s", line);
            json_object_set_new(helps, name, json_true());
        } else if (sscanf(line, "# TYPE %127s %63s", name, word) == 2) {
            cr_assert(json_object_get(helps, name), "no HELP before %s", line);
            cr_assert_not(json_object_get(types, name), "%s", line);
            json_object_set_new(types, name, json_string(word));
        } else {
            check_sample(line, series, types);
        }
    }
    json_decref(types);
    json_decref(helps);
    http_release(&answer);
    return series;
}

static double sample(const json_t *series, const char *key)
{
    const json_t *value = json_object_get(series, key);
    cr_assert(value, "%s is missing", key);
    return json_real_value(value);
}

Test(http, metrics_can_be_parsed_and_count_what_there_is)
{
    start();
    farm_add_worker(&farm, "secret-name", "hand", "vta", NULL);
    json_decref(farm_submit(&farm, farm_by_hand));
    json_decref(farm_wait(&farm, "hand", farm_is_over));
    json_t *series = read_metrics(), *status = farm_ask(&farm, "status", NULL);
    json_t *coordinator = json_object_get(status, "coordinator");
    cr_assert_eq(sample(series, "prfarm_granting"), 1);
    cr_assert_eq(sample(series, "prfarm_workers{kind=\"hand\",state=\"idle\"}") +
                     sample(series, "prfarm_workers{kind=\"hand\",state=\"busy\"}"),
                 1);
    cr_assert_eq(sample(series, "prfarm_workers{kind=\"hand\",state=\"lost\"}"), 0);
    cr_assert_eq(sample(series, "prfarm_results"), (double)farm_number(coordinator, "results"));
    cr_assert_geq(sample(series, "prfarm_measurements_total{kind=\"hand\",outcome=\"ok\"}"), 20);
    cr_assert_eq(sample(series, "prfarm_model_current_version{kind=\"hand\"}"), 1);
    cr_assert_eq(sample(series, "prfarm_jobs{state=\"queued\"}"), 0);
    cr_assert_eq(sample(series, "prfarm_http_connections"), 1); /* this one */
    cr_assert_eq(sample(series, "prfarm_http_viewers"), 0);
    cr_assert_gt(sample(series, "process_resident_memory_bytes"), 1 << 20);
    cr_assert_gt(sample(series, "process_cpu_seconds_total"), 0);
    const char *key;
    json_t *value;
    json_object_foreach(series, key, value) cr_assert_not(strstr(key, "secret-name"), "%s names a board", key);
    json_decref(series);
    json_decref(status);
}

Test(http, promtool_has_nothing_to_object_to)
{
    if (system("command -v promtool >/dev/null 2>&1") != 0) {
        fprintf(stderr, "SKIPPED: promtool (Debian's package prometheus) is not there: the metrics were not checked with it\n");
        cr_skip_test("no promtool");
    }
    start();
    farm_add_worker(&farm, "board", "hand", "vta", NULL);
    http_answer_t answer = http_ask(&farm, "GET", "/metrics", NULL, NULL);
    char command[FARM_PATH + 128];
    snprintf(command, sizeof command, "promtool check metrics < %s 2>&1", write_file("metrics", answer.body, 0600));
    cr_assert_eq(system(command), 0);
    http_release(&answer);
}

Test(http, reading_tells_the_same_as_a_client_is_told)
{
    start();
    farm_add_worker(&farm, "one", "hand", "vta", NULL);
    json_decref(farm_submit(&farm, farm_by_hand));
    json_decref(farm_wait(&farm, "hand", farm_is_over));
    json_t *here = http_json(http_ask(&farm, "GET", "/api/v1/status?campaign=hand", NULL, NULL), 200);
    json_t *there = farm_ask(&farm, "status", json_pack("{s:s}", "campaign", "hand"));
    cr_assert(json_equal(json_object_get(here, "campaigns"), json_object_get(there, "campaigns")));
    json_decref(here);
    json_decref(there);
    here = http_json(http_ask(&farm, "GET", "/api/v1/boards", NULL, NULL), 200);
    json_t *board = json_array_get(json_object_get(here, "boards"), 0), *same = farm_board(&farm, "one");
    static const char *const of_the_moment[] = {"seconds_silent", "jobs_per_second", "utilisation_percent"};
    for (size_t i = 0; i < sizeof of_the_moment / sizeof *of_the_moment; i++) {
        json_object_del(board, of_the_moment[i]);
        json_object_del(same, of_the_moment[i]);
    }
    cr_assert(json_equal(board, same));
    json_decref(here);
    json_decref(same);
    here = http_json(http_ask(&farm, "GET", "/api/v1/export?campaign=hand&limit=3&after=2", NULL, NULL), 200);
    there = farm_ask(&farm, "export", json_pack("{s:s, s:i, s:i}", "campaign", "hand", "limit", 3, "after", 2));
    cr_assert_eq(json_array_size(json_object_get(here, "rows")), 3);
    cr_assert(json_equal(here, there));
    json_decref(here);
    json_decref(there);
    here = http_json(http_ask(&farm, "POST", "/api/v1/summary", NULL, "{\"campaign\": \"hand\"}"), 200);
    there = farm_ask(&farm, "summary", json_pack("{s:s}", "campaign", "hand"));
    cr_assert(json_equal(here, there));
    json_decref(here);
    json_decref(there);
    refused(http_ask(&farm, "GET", "/api/v1/status?campaign=none", NULL, NULL), 404);
    refused(http_ask(&farm, "GET", "/api/v1/status?campaign=hand&campaign=hand", NULL, NULL), 400);
    refused(http_ask(&farm, "GET", "/api/v1/status?campaign=2024", NULL, NULL), 404); /* a name of digits is a name */
    refused(http_ask(&farm, "GET", "/api/v1/status?campaign=%ff", NULL, NULL), 400);
    refused(http_ask(&farm, "GET", "/api/v1/export?after=many", NULL, NULL), 400);
    refused(http_ask(&farm, "GET", "/api/v1/results?points=one", NULL, NULL), 405); /* takes a list */
    refused(http_ask(&farm, "GET", "/api/v1/export?after=-1", NULL, NULL), 400);
}

Test(http, an_argument_of_another_sort_is_refused_by_its_name_instead_of_being_passed_over)
{
    start();
    const char *text = refused(http_ask(&farm, "POST", "/api/v1/boards", NULL, "{\"after\": -1}"), 400);
    cr_assert_str_eq(text, "\"after\" is no whole number: give one of at least 0");
    refused(http_ask(&farm, "POST", "/api/v1/events", NULL, "{\"limit\": {}}"), 400);
    text = refused(http_ask(&farm, "POST", "/api/v1/status", NULL, "{\"campaign\": {}}"), 400);
    cr_assert_str_eq(text, "\"campaign\" is no text: give one");
}

Test(http, an_error_that_quotes_a_long_name_is_whole_text)
{
    start();
    char name[] =
        "x\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc"
        "\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc\u00fc";
    char body[512];
    snprintf(body, sizeof body, "{\"campaign\": \"%s\"}", name);
    cr_assert(strstr(refused(http_ask(&farm, "POST", "/api/v1/summary", NULL, body), 404), "no campaign is named"));
}

static http_answer_t post_campaign(const char *headers)
{
    json_t *json = json_pack("{s:s, s:s, s:[]}", "campaign", farm_by_hand, "file", "test.yaml", "networks");
    char *text = json_dumps(json, 0);
    json_decref(json);
    http_answer_t answer = http_ask(&farm, "POST", "/api/v1/submit", headers, text);
    free(text);
    return answer;
}

Test(http, a_campaign_that_is_posted_with_the_token_runs_to_its_end)
{
    start();
    farm_add_worker(&farm, "one", "hand", "vta", NULL);
    json_t *json = http_json(post_campaign(BEARER), 200);
    cr_assert_str_eq(farm_text(json, "campaign"), "hand");
    cr_assert(json_is_true(json_object_get(json, "created")));
    json_decref(json);
    json = farm_wait(&farm, "hand", farm_is_over);
    cr_assert_str_eq(farm_text(json, "state"), "done");
    json_decref(json);
    refused(http_ask(&farm, "POST", "/api/v1/pause", BEARER, "{\"campaign\": \"hand\"}"), 400);
    refused(http_ask(&farm, "POST", "/api/v1/quarantine", BEARER, "{\"board\": \"none\"}"), 404);
}

static size_t campaigns(void)
{
    json_t *status = farm_ask(&farm, "status", NULL);
    size_t count = json_array_size(json_object_get(status, "campaigns"));
    json_decref(status);
    return count;
}

Test(http, without_the_token_nothing_changes)
{
    start();
    http_answer_t answer = post_campaign(NULL);
    cr_assert_str_eq(http_header(&answer, "WWW-Authenticate"), "Bearer");
    refused(answer, 401);
    static const char *const wrong[] = {
        "Bearer ", "Bearer a-token-for-the-test", ("Bearer " TOKEN "s"), "Bearer A-token-for-the-tests", ("Basic " TOKEN), TOKEN};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char header[128];
        snprintf(header, sizeof header, "Authorization: %s\r\n", wrong[i]);
        cr_assert(strstr(refused(post_campaign(header), 401), "token"), "%s", wrong[i]);
    }
    cr_assert_eq(campaigns(), 0);
}

Test(http, without_a_token_file_nothing_can_be_changed)
{
    start_at("127.0.0.1:*", false);
    cr_assert(strstr(refused(post_campaign(BEARER), 403), "--http-token"));
    cr_assert_eq(campaigns(), 0);
    json_decref(http_json(http_ask(&farm, "GET", "/api/v1/status", NULL, NULL), 200));
}

Test(http, at_an_address_that_others_can_reach_reading_takes_the_token_too)
{
    start_at("0.0.0.0:*", true);
    static const char *const paths[] = {"/metrics", "/api/v1/status", "/api/v1/openapi.yaml", "/nothing"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        refused(http_ask(&farm, "GET", paths[i], NULL, NULL), 401);
    refused(http_ask(&farm, "POST", "/healthz", NULL, "{}"), 405);
    refused(http_ask(&farm, "GET", "/healthz", "Origin: http://evil.example\r\n", NULL), 403);
    json_t *health = http_json(http_ask(&farm, "GET", "/healthz", NULL, NULL), 200); /* a supervisor has no token */
    cr_expect_str_eq(json_string_value(json_object_get(health, "status")), "ok");
    cr_expect_eq(json_object_size(health), 1, "a stranger learns neither version nor reason");
    json_decref(health);
    json_decref(http_json(http_ask(&farm, "GET", "/livez", NULL, NULL), 200));
    json_decref(http_json(http_ask(&farm, "GET", "/api/v1/status", BEARER, NULL), 200));
}

Test(http, pages_of_others_and_names_that_are_not_ours_are_refused)
{
    start();
    refused(http_ask(&farm, "GET", "/api/v1/status", "Origin: http://evil.example\r\n", NULL), 403);
    refused(http_ask(&farm, "GET", "/api/v1/status", "Origin: null\r\n", NULL), 403);
    refused(http_ask(&farm, "POST", "/api/v1/pause", BEARER "Origin: https://localhost\r\n", "{}"), 403);
    json_decref(http_json(http_ask(&farm, "GET", "/api/v1/status", "Origin: http://localhost\r\n", NULL), 200));
    static const struct {
        const char *host;
        unsigned code;
    } hosts[] = {{"evil.example", 403},   {"evil.example:80", 403}, {"localhost.evil.example", 403},
                 {"127.0.0.1.evil", 403}, {"127.0.0.2", 403},       {"", 403},
                 {"localhost", 200},      {"LOCALHOST:8080", 200},  {"127.0.0.1:80", 200},
                 {"[::1]:80", 200}};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        char request[256];
        int len =
            snprintf(request, sizeof request, "GET /healthz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", hosts[i].host);
        int fd = http_connect(&farm);
        http_send(fd, request, (size_t)len);
        http_answer_t answer = http_receive(fd);
        cr_assert_eq(answer.code, hosts[i].code, "host '%s': %u", hosts[i].host, answer.code);
        http_release(&answer);
        close(fd);
    }
}

Test(http, what_is_not_there_or_not_by_that_method_is_told)
{
    start();
    refused(http_ask(&farm, "GET", "/index.html", NULL, NULL), 404);
    refused(http_ask(&farm, "GET", "/api/v1/", NULL, NULL), 404);
    refused(http_ask(&farm, "GET", "/api/v1/nonsense", NULL, NULL), 404);
    refused(http_ask(&farm, "GET", "/api/v1/status/", NULL, NULL), 404);
    refused(http_ask(&farm, "POST", "/api/v1/shutdown", BEARER, "{}"), 404);
    static const struct {
        const char *method, *path, *allow;
    } wrong[] = {{"GET", "/api/v1/cancel", "POST"},    {"HEAD", "/api/v1/cancel", "POST"}, {"PUT", "/api/v1/status", "GET, POST"},
                 {"DELETE", "/api/v1/cancel", "POST"}, {"POST", "/metrics", "GET"},        {"OPTIONS", "/api/v1/submit", "POST"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        http_answer_t answer = http_ask(&farm, wrong[i].method, wrong[i].path, BEARER, NULL);
        cr_assert_eq(answer.code, 405, "%s %s: %u", wrong[i].method, wrong[i].path, answer.code);
        cr_assert_str_eq(http_header(&answer, "Allow"), wrong[i].allow);
        http_release(&answer);
    }
}

/* Sends these bytes as they are; the code of the answer, 0: the connection was closed. */
static unsigned code_of(const char *bytes, size_t len)
{
    int fd = http_connect(&farm);
    http_send(fd, bytes, len);
    http_answer_t answer = http_receive(fd);
    unsigned code = answer.code;
    http_release(&answer);
    close(fd);
    return code;
}

Test(http, malformed_and_huge_requests_are_refused_and_the_server_goes_on)
{
    start();
    static const char *const malformed[] = {"NONSENSE\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\r\n\r\n",
                                            "GET /healthz HTTP/1.1\r\n\r\n" /* no Host */,
                                            "POST /api/v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n"};
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        unsigned code = code_of(malformed[i], strlen(malformed[i]));
        cr_assert(code == 0 || (code >= 400 && code < 500), "%zu: %u", i, code);
    }
    static const char big[] = "POST /api/v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048577\r\n\r\n";
    cr_assert_eq(code_of(big, sizeof big - 1), 413);
    static const char endless[] = "POST /api/v1/status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n";
    cr_assert_eq(code_of(endless, sizeof endless - 1), 413);
    static const char chunks[] = "POST /api/v1/status HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n";
    cr_assert_eq(code_of(chunks, sizeof chunks - 1), 411);
    prf_text_t text = {0};
    prf_text_add(&text, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: %050000d\r\n\r\n", 0);
    unsigned code = code_of(text.data, text.len);
    cr_assert(code == 0 || code == 431 || code == 413, "%u", code);
    prf_text_release(&text);
    refused(http_ask(&farm, "POST", "/api/v1/status", NULL, "[1]"), 400);
    refused(http_ask(&farm, "POST", "/api/v1/status", NULL, "{\"campaign\": "), 400);
    refused(http_ask(&farm, "POST", "/api/v1/status", NULL, "{\"campaign\": \"a\", \"campaign\": \"b\"}"), 400);
    json_decref(http_json(http_ask(&farm, "GET", "/healthz", NULL, NULL), 200));
}

Test(http, requests_that_hang_are_cut_off_and_the_farm_goes_on_meanwhile)
{
    enum { HANGING = 40, CUT_OFF_MS = 20000 };
    start();
    int hanging[HANGING];
    for (int i = 0; i < HANGING; i++) {
        hanging[i] = http_connect(&farm);
        http_send(hanging[i], "GET /healthz HT", 15);
    }
    farm_add_worker(&farm, "one", "hand", "vta", NULL);
    json_decref(farm_submit(&farm, farm_by_hand));
    json_t *campaign = farm_wait(&farm, "hand", farm_is_over);
    cr_assert_str_eq(farm_text(campaign, "state"), "done");
    json_decref(campaign);
    for (int i = 0; i < HANGING; i++) {
        cr_assert(http_closed(hanging[i], CUT_OFF_MS), "connection %d still hangs", i);
        close(hanging[i]);
    }
    json_decref(http_json(http_ask(&farm, "GET", "/healthz", NULL, NULL), 200));
}

/* What strangers may think of, over and over; each is refused, or cut off. Returns the code that was expected of it, 0: none. */
static unsigned stranger(unsigned turn)
{
    static const char *const requests[] = {
        "POST /api/v1/cancel HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n{\"campaign\": \"hand\"}",
        ("POST /api/v1/cancel HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n" BEARER
         "Content-Length: 20\r\n\r\n{\"campaign\": \"hand\"}"),
        "GET /api/v1/live HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        "GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n",
        "POST /api/v1/estimate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n",
        ("POST /api/v1/estimate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 16\r\n\r\n"
         "{\"onnx\": \"AAAA\"}"),
        "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"};
    static const unsigned codes[] = {401, 403, 403, 403, 413, 400, 0};
    unsigned which = turn % (sizeof codes / sizeof *codes), code;
    code = code_of(requests[which], strlen(requests[which]));
    cr_assert(codes[which] == 0 || code == codes[which], "%u: %u", which, code);
    return code;
}

Test(http, a_campaign_is_not_disturbed_by_strangers)
{
    enum { HANGING = 60, LEAST = 30 };
    start();
    int hanging[HANGING];
    for (int i = 0; i < HANGING; i++) { /* Slowloris, of headers and of bodies */
        hanging[i] = http_connect(&farm);
        const char *part =
            i % 2 ? "GET /api/v1/live HT" : "POST /api/v1/estimate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{";
        http_send(hanging[i], part, strlen(part));
    }
    farm_add_worker(&farm, "one", "hand", "vta", NULL);
    json_decref(farm_submit(&farm, farm_by_hand));
    json_t *campaign = NULL;
    for (unsigned turn = 0; !campaign || turn < LEAST || !farm_is_over(campaign); turn++) {
        stranger(turn);
        json_decref(campaign);
        campaign = farm_campaign(&farm, "hand");
    }
    cr_assert_str_eq(farm_text(campaign, "state"), "done");
    json_decref(campaign);
    json_t *board = farm_board(&farm, "one");
    cr_assert_eq(farm_number(board, "failed"), 0);
    json_decref(board);
    for (int i = 0; i < HANGING; i++)
        close(hanging[i]);
}

Test(http, connections_of_one_address_beyond_its_share_are_refused_and_counted)
{
    enum { SHARE = 128, MORE = 5 };
    start();
    int open[SHARE + MORE];
    for (int i = 0; i < SHARE + MORE; i++)
        open[i] = http_connect(&farm);
    for (int i = SHARE; i < SHARE + MORE; i++)
        cr_assert(http_closed(open[i], PATIENCE_MS));
    for (int i = 0; i < SHARE; i++)
        close(open[i]);
    json_t *series = NULL;
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    do { /* once the server has seen that they are closed */
        cr_assert_lt(prf_clock_mono_ms(), until);
        http_answer_t answer = http_ask(&farm, "GET", "/healthz", NULL, NULL);
        bool in = answer.code == 200;
        http_release(&answer);
        json_decref(series);
        series = in ? read_metrics() : NULL;
    } while (!series || sample(series, "prfarm_http_connections") > 1);
    cr_assert_geq(sample(series, "prfarm_http_refused_connections_total"), MORE);
    json_decref(series);
}

Test(http, who_goes_away_before_the_answer_leaves_nothing_behind)
{
    enum { GONE = 40 };
    start();
    for (int i = 0; i < GONE; i++) {
        char body[64], request[512];
        int len = snprintf(body, sizeof body, "{\"campaign\": \"hand\", \"number\": %d}", i);
        len = snprintf(request, sizeof request,
                       "POST /api/v1/%s HTTP/1.1\r\nHost: localhost\r\n" BEARER "Content-Length: %d\r\n\r\n%s",
                       i % 2 ? "cancel" : "status", len, body);
        int fd = http_connect(&farm);
        http_send(fd, request, (size_t)len);
        close(fd);
    }
    json_decref(http_json(post_campaign(BEARER), 200));
    cr_assert_eq(campaigns(), 1);
    cr_assert_eq(farm_end_coordinator(&farm), 0); /* a sanitizer tells what it found by the exit code */
}

/* Asks over and over, in a process of its own, until the other side has gone. */
static pid_t ask_on_and_on(void)
{
    static const char request[] = "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n";
    int fd = http_connect(&farm);
    pid_t pid = fork();
    if (pid == 0) {
        char answer[4096];
        while (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0 && recv(fd, answer, sizeof answer, 0) > 0)
            continue;
        _exit(0);
    }
    close(fd);
    return pid;
}

Test(http, requests_that_come_while_the_coordinator_ends_do_not_abort_it)
{
    enum { ASKING = 20, WHILE_MS = 100 };
    start();
    pid_t asking[ASKING];
    for (int i = 0; i < ASKING; i++)
        asking[i] = ask_on_and_on();
    poll(NULL, 0, WHILE_MS);
    cr_assert_eq(farm_end_coordinator(&farm), 0);
    for (int i = 0; i < ASKING; i++)
        waitpid(asking[i], NULL, 0);
}

static char *read_source(const char *name)
{
    char path[PATH_MAX], *text;
    size_t len;
    prf_error_t err = {0};
    snprintf(path, sizeof path, PRF_SOURCE_DIR "/%s", name);
    cr_assert_eq(prf_file_read(path, 1 << 20, &text, &len, &err), PRF_OK, "%s", err.text);
    return text;
}

Test(http, the_description_is_served_and_has_every_operation_there_is)
{
    start();
    char *yaml = read_source("docs/api.yaml"), *protocol = read_source("docs/protocol.md"), line[64], op[32];
    http_answer_t answer = http_ask(&farm, "GET", "/api/v1/openapi.yaml", NULL, NULL);
    cr_assert_eq(answer.code, 200);
    cr_assert_str_eq(answer.body, yaml);
    http_release(&answer);
    size_t described = 0, documented = 0;
    for (const char *at = yaml; (at = strstr(at, "\n  /api/v1/")); described++) {
        at++;
        snprintf(line, sizeof line, "%.*s", (int)(strcspn(at, ":") - 2), at + 2);
        answer = http_ask(&farm, "OPTIONS", line, NULL, NULL);
        cr_assert_eq(answer.code, 405, "%s is described and not there: %u", line, answer.code);
        http_release(&answer);
    }
    const char *table = strstr(protocol, "\n## Client requests"), *end = strstr(table + 1, "\n## ");
    for (const char *at = table; (at = strstr(at, "\n| `")) && at < end; at++) {
        cr_assert_eq(sscanf(at, "\n| `%31[a-z-]`", op), 1);
        snprintf(line, sizeof line, "\n  /api/v1/%s:\n", op);
        cr_assert_eq(strstr(yaml, line) != NULL, strcmp(op, "shutdown") != 0, "%s", op);
        documented++;
    }
    cr_assert_eq(described, documented + 1, "%zu paths, %zu operations", described, documented); /* + itself, live - shutdown */
    free(yaml);
    free(protocol);
}

Test(http, unsafe_options_are_refused_with_what_to_do)
{
    farm_make(&farm);
    char said[FARM_SAID], store[FARM_PATH + 16];
    snprintf(store, sizeof store, "%s/store", farm.dir);
#define RUN(...) FARM_RUN(&farm, said, "prfarm-coordinator", "--farm", farm.name, "--store", store, __VA_ARGS__)
    cr_assert_eq(RUN("--http", "0.0.0.0:*"), 2);
    cr_assert(strstr(said, "--http-token"), "%s", said);
    cr_assert_eq(RUN("--http", "somewhere:80"), 2);
    cr_assert_eq(RUN("--http", "127.0.0.1:65536"), 2);
    cr_assert_eq(RUN("--http", "127.0.0.1"), 2);
    cr_assert_eq(RUN("--http-token", "file"), 2);
    const char *token = write_file("open", TOKEN "\n", 0644);
    cr_assert_eq(RUN("--http", "127.0.0.1:*", "--http-token", token), 13);
    cr_assert(strstr(said, "chmod 600"), "%s", said);
    token = write_file("short", "short\n", 0600);
    cr_assert_neq(RUN("--http", "127.0.0.1:*", "--http-token", token), 0);
    cr_assert(strstr(said, "16 to 255"), "%s", said);
}
