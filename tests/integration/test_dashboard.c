// SPDX-License-Identifier: Apache-2.0
/* What the dashboard is made of: its files, and the operations that show a farm, a model and a network to a person. */
#include <criterion/criterion.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/file.h"
#include "tests/support/farm.h"
#include "tests/support/http.h"
#include "tests/support/onnx_builder.h"

#define TOKEN "a-token-for-the-tests"
#define BEARER "Authorization: Bearer " TOKEN "\r\n"

static farm_t farm;
static prf_process_t running = {.fd = -1, .in = -1, .out = -1};

static void stop(void)
{
    prf_process_stop(&running, 2000);
    farm_stop(&farm);
}

TestSuite(dashboard, .fini = stop);

static const char *write_file(const char *name, const void *bytes, size_t len, mode_t mode)
{
    static char path[FARM_PATH + 32];
    prf_error_t err = {0};
    snprintf(path, sizeof path, "%s/%.24s", farm.dir, name);
    cr_assert_eq(prf_file_write(path, bytes, len, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(chmod(path, mode), 0);
    return path;
}

static void start_at(const char *address)
{
    farm_make(&farm);
    const char *token = write_file("token", TOKEN "\n", sizeof TOKEN, 0600);
    farm_start_coordinator(&farm, (const char *const[]){"--http", address, "--http-token", token, NULL});
    farm_connect_client(&farm, NULL);
}

static void start(void)
{
    start_at("127.0.0.1:*");
}

static http_answer_t get(const char *path, const char *headers)
{
    return http_ask(&farm, "GET", path, headers, NULL);
}

static json_t *get_json(const char *path)
{
    return http_json(get(path, NULL), 200);
}

/* Takes the JSON. */
static http_answer_t post(const char *path, json_t *args)
{
    char *text = json_dumps(args, 0);
    json_decref(args);
    http_answer_t answer = http_ask(&farm, "POST", path, NULL, text);
    free(text);
    return answer;
}

/* Asserts the code; the error is returned, borrowed until the next call. */
static const char *refused(http_answer_t answer, unsigned code)
{
    static char text[512];
    json_t *json = http_json(answer, code);
    snprintf(text, sizeof text, "%s", farm_text(json, "error"));
    json_decref(json);
    return text;
}

static void run_by_hand(const char *text)
{
    json_decref(farm_submit(&farm, text));
    json_t *campaign = farm_wait(&farm, "hand", farm_is_over);
    cr_assert_str_eq(farm_text(campaign, "state"), "done");
    json_decref(campaign);
}

static void check_headers_of_page(const http_answer_t *page)
{
    const char *policy = http_header(page, "Content-Security-Policy");
    cr_assert(policy && strstr(policy, "default-src 'none'; script-src 'self'") && strstr(policy, "frame-ancestors 'none'"), "%s",
              policy);
    cr_assert_str_eq(http_header(page, "X-Content-Type-Options"), "nosniff");
    cr_assert_str_eq(http_header(page, "Cache-Control"), "no-cache");
    cr_assert_str_eq(http_header(page, "Referrer-Policy"), "no-referrer");
}

static void unpack(const http_answer_t *packed, const http_answer_t *plain)
{
    size_t room = plain->len + 1;
    unsigned char *bytes = malloc(room);
    z_stream stream = {
        .next_in = (unsigned char *)packed->body, .avail_in = (uInt)packed->len, .next_out = bytes, .avail_out = (uInt)room};
    cr_assert_eq(inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);
    cr_assert_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
    cr_assert_eq(stream.total_out, plain->len);
    cr_assert_eq(memcmp(bytes, plain->body, plain->len), 0);
    inflateEnd(&stream);
    free(bytes);
}

/* A file as it is, packed, and not at all because the browser has it. */
static void check_file(const char *path, bool packs)
{
    http_answer_t plain = get(path, NULL), packed = get(path, "Accept-Encoding: br, gzip;q=0.8\r\n");
    cr_assert_eq(plain.code, 200, "%s: %u", path, plain.code);
    cr_assert_null(http_header(&plain, "Content-Encoding"));
    check_headers_of_page(&plain);
    cr_assert_eq(packed.code, 200);
    if (packs) {
        cr_assert_str_eq(http_header(&packed, "Content-Encoding"), "gzip");
        cr_assert_lt(packed.len, plain.len);
        unpack(&packed, &plain);
    }
    char tag[160];
    snprintf(tag, sizeof tag, "If-None-Match: \"other\", %s\r\nAccept-Encoding: gzip\r\n", http_header(&plain, "ETag"));
    http_answer_t same = get(path, tag), refusing = get(path, "Accept-Encoding: gzip;q=0\r\nIf-None-Match: \"other\"\r\n");
    cr_assert_eq(same.code, 304);
    cr_assert_eq(same.len, 0);
    cr_assert_eq(refusing.code, 200);
    cr_assert_null(http_header(&refusing, "Content-Encoding"));
    cr_assert_eq(refusing.len, plain.len);
    http_answer_t head = http_ask(&farm, "HEAD", path, NULL, NULL);
    cr_assert_eq(head.code, 200);
    cr_assert_eq(head.len, 0);
    http_answer_t *all[] = {&plain, &packed, &same, &refusing, &head};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        http_release(all[i]);
}

Test(dashboard, its_files_are_served_packed_where_that_is_accepted_and_once)
{
    start();
    http_answer_t page = get("/", NULL);
    bool built = strncmp(http_header(&page, "Content-Type"), "text/html", 9) == 0;
    if (!built) {
        fprintf(stderr, "SKIPPED: this coordinator was built without its dashboard (npm): its files were not looked at\n");
        cr_assert(strstr(page.body, "npm"), "%s", page.body);
    }
    check_file("/", built);
    for (const char *at = page.body; built && (at = strstr(at, "/assets/")); at++) {
        char path[128];
        snprintf(path, sizeof path, "%.*s", (int)strcspn(at, "\"' >?#"), at);
        check_file(path, true);
    }
    http_release(&page);
    refused(get("/assets/none.js", NULL), 404);
    refused(get("/assets/../token", NULL), 404);
    page = http_ask(&farm, "POST", "/", BEARER, "{}");
    cr_assert_str_eq(http_header(&page, "Allow"), "GET");
    refused(page, 405);
    refused(get("/", "Origin: http://evil.example\r\n"), 403);
}

Test(dashboard, the_page_takes_no_token_and_what_it_shows_does)
{
    start_at("0.0.0.0:*");
    http_answer_t page = get("/", NULL);
    cr_assert_eq(page.code, 200);
    http_release(&page);
    static const char *const data[] = {"/api/v1/live", "/api/v1/fleet", "/api/v1/boards", "/assets/none"};
    for (size_t i = 0; i < sizeof data / sizeof *data; i++)
        refused(get(data[i], NULL), 401);
    http_stream_t stream;
    http_stream_open(&stream, &farm, BEARER);
    json_t *fleet = http_stream_next(&stream, "fleet", PATIENCE_MS);
    cr_assert_eq(farm_number(fleet, "boards"), 0);
    json_decref(fleet);
    http_stream_close(&stream);
}

static const json_t *first_kind(const json_t *fleet)
{
    return json_array_get(json_object_get(fleet, "kinds"), 0);
}

Test(dashboard, the_fleet_is_counted_by_kind_and_tells_its_pace)
{
    start();
    farm_add_worker(&farm, "one", "hand", "vta", NULL);
    farm_add_worker(&farm, "two", "hand", "vta", NULL);
    run_by_hand(farm_by_hand);
    farm_peer_t peer; /* it says no more than hello, so it is not there for long */
    farm_peer_connect(&peer, &farm);
    farm_peer_hello(&peer, "odd", "other");
    json_decref(farm_ask(&farm, "quarantine", json_pack("{s:s, s:s}", "board", "two", "why", "a test")));
    json_t *fleet = get_json("/api/v1/fleet");
    const json_t *kind = first_kind(fleet);
    cr_assert_eq(farm_number(fleet, "boards"), 3);
    cr_assert_eq(farm_number(fleet, "live"), 3);
    cr_assert_eq(json_array_size(json_object_get(fleet, "kinds")), 2);
    cr_assert_str_eq(farm_text(kind, "kind"), "hand");
    cr_assert_eq(farm_number(kind, "boards"), 2);
    cr_assert_eq(farm_number(kind, "idle"), 1);
    cr_assert_eq(farm_number(kind, "quarantined"), 1);
    cr_assert_eq(farm_number(kind, "on_current"), 2);
    cr_assert_eq(farm_number(kind, "current_version"), 1);
    cr_assert_gt(farm_number(kind, "done"), 20);
    double pace = json_number_value(json_object_get(fleet, "jobs_per_second")), sum = 0;
    cr_assert(pace > 0 && json_number_value(json_object_get(kind, "jobs_per_second")) > 0);
    json_t *boards = get_json("/api/v1/boards?kind=hand"), *board;
    size_t i;
    json_array_foreach(json_object_get(boards, "boards"), i, board)
    {
        sum += json_number_value(json_object_get(board, "jobs_per_second"));
        cr_assert(json_object_get(board, "temperature_c") && json_object_get(board, "clock_mhz"));
        cr_assert(json_is_integer(json_object_get(board, "load_percent")));
    }
    cr_assert(sum > 0 && sum < 4 * pace);
    json_decref(boards);
    json_decref(fleet);
    farm_peer_close(&peer);
}

static json_t *boards_of(const char *query, size_t count, json_int_t total)
{
    char path[128];
    snprintf(path, sizeof path, "/api/v1/boards?%s", query);
    json_t *boards = get_json(path);
    cr_assert_eq(json_array_size(json_object_get(boards, "boards")), count, "%s", query);
    cr_assert_eq(farm_number(boards, "total"), total, "%s", query);
    return boards;
}

Test(dashboard, boards_are_found_by_kind_state_and_name_page_by_page)
{
    enum { PEERS = 9 };
    start();
    farm_peer_t peers[PEERS];
    for (int i = 0; i < PEERS; i++) {
        char name[24];
        snprintf(name, sizeof name, "rack-%c-%d", i < 4 ? 'a' : 'B', i);
        farm_peer_connect(&peers[i], &farm);
        farm_peer_hello(&peers[i], name, i % 3 ? "vta" : "ncs2");
    }
    json_decref(farm_ask(&farm, "quarantine", json_pack("{s:s, s:s}", "board", "rack-a-1", "why", "a test")));
    json_decref(boards_of("", PEERS, PEERS));
    json_decref(boards_of("kind=ncs2", 3, 3));
    json_decref(boards_of("state=quarantined", 1, 1));
    json_decref(boards_of("search=K-b", 5, 5));
    json_decref(boards_of("search=rack-b&kind=ncs2", 1, 1));
    json_decref(boards_of("kind=none", 0, 0));
    size_t seen = 0;
    json_int_t after = 0;
    for (bool more = true; more;) {
        char query[64];
        snprintf(query, sizeof query, "kind=vta&limit=4&after=%lld", (long long)after);
        json_t *page = boards_of(query, seen ? 2 : 4, 6), *next = json_object_get(page, "next");
        seen += json_array_size(json_object_get(page, "boards"));
        more = !json_is_null(next);
        after = json_integer_value(next);
        json_decref(page);
    }
    cr_assert_eq(seen, 6);
    cr_assert(strstr(refused(get("/api/v1/boards?state=tired", NULL), 400), "quarantined"));
    refused(post("/api/v1/boards", json_pack("{s:i}", "kind", 3)), 400);
    for (int i = 0; i < PEERS; i++)
        farm_peer_close(&peers[i]);
}

/* A network of two fully connected layers, one of which lies outside of what the model was trained on, and an unknown operator. */
static char *small_network(size_t *len)
{
    onnx_builder_t b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 24, 0);
    onnx_weight(&b, "w", 24, 100, 0);
    onnx_weight(&b, "v", 100, 16, 0);
    onnx_node(&b, "MatMul", "x w", "y");
    onnx_node(&b, "Relu", "y", "z");
    onnx_node(&b, "MatMul", "z v", "u");
    onnx_output(&b, "u");
    return onnx_end(&b, len);
}

static double number(const json_t *json, const char *key)
{
    const json_t *value = json_object_get(json, key);
    cr_assert(json_is_number(value), "%s is no number", key);
    return json_number_value(value);
}

static void same(double a, double b)
{
    cr_assert(fabs(a - b) <= 1e-6 * fabs(b), "%.17g, %.17g", a, b);
}

static void compare(const json_t *board, const json_t *told)
{
    cr_assert_str_eq(farm_text(board, "kind"), farm_text(told, "kind"));
    same(number(board, "latency_ns"), number(told, "total_ns"));
    same(number(board, "low_ns"), number(told, "low_ns"));
    same(number(board, "high_ns"), number(told, "high_ns"));
    same(number(board, "between_ns"), number(told, "between_ns"));
    cr_assert_eq(farm_number(board, "covered"), farm_number(told, "covered"));
    const json_t *layers = json_object_get(told, "layers"), *rows = json_object_get(board, "layers");
    cr_assert(json_array_size(rows) == 2 && json_array_size(layers) == 2);
    for (size_t i = 0; i < 2; i++) {
        const json_t *row = json_array_get(rows, i), *layer = json_array_get(layers, i);
        same(number(row, "latency_ns"), number(layer, "estimate_ns"));
        same(number(row, "low_ns"), number(layer, "low_ns"));
        same(number(row, "high_ns"), number(layer, "high_ns"));
        cr_assert_eq(json_is_true(json_object_get(row, "outside")), json_is_true(json_object_get(layer, "outside")));
    }
}

static json_t *estimate_with_command(const char *path)
{
    char said[FARM_SAID];
    cr_assert_eq(FARM_RUN(&farm, said, "prfarm", "estimate", "--farm", farm.name, "--board", "hand", "--json", path), 0, "%s",
                 said);
    json_t *json = json_loads(said, 0, NULL);
    cr_assert(json, "%s", said);
    return json;
}

Test(dashboard, an_estimate_is_the_one_that_the_command_line_gives)
{
    start();
    farm_add_worker(&farm, "one", "hand", "vta", NULL);
    run_by_hand(farm_by_hand);
    size_t len;
    char *onnx = small_network(&len), *text = prf_base64_encode(onnx, len);
    json_t *told = estimate_with_command(write_file("net.onnx", onnx, len, 0600));
    json_t *json = http_json(post("/api/v1/estimate", json_pack("{s:s, s:s}", "onnx", text, "name", "n\xc3\xa4me")), 200);
    cr_assert_str_eq(farm_text(json, "network"), "n\xc3\xa4me");
    same(number(json, "macs"), number(told, "total_macs"));
    const json_t *boards = json_object_get(json, "boards"), *layers = json_object_get(json, "layers");
    cr_assert_eq(json_array_size(boards), 1);
    compare(json_array_get(boards, 0), told);
    cr_assert(json_is_true(json_object_get(json_array_get(json_object_get(json_array_get(boards, 0), "layers"), 0), "outside")));

    json_t *texts =
        json_pack("[s, s]", farm_text(json_array_get(layers, 0), "block"), farm_text(json_array_get(layers, 1), "block"));
    json_t *again = http_json(post("/api/v1/estimate", json_pack("{s:o, s:s}", "blocks", texts, "kind", "hand")), 200);
    compare(json_array_get(json_object_get(again, "boards"), 0), told);
    json_decref(again);

    /* What the model does not know is told why, beside what it does. */
    texts = json_pack("[s, s]", "fc in=8 out=8", "conv2d c=3 k=8 h=14 r=3");
    again = farm_ask(&farm, "estimate", json_pack("{s:o}", "blocks", texts));
    const json_t *board = json_array_get(json_object_get(again, "boards"), 0), *rows = json_object_get(board, "layers");
    cr_assert_eq(farm_number(board, "covered"), 1);
    cr_assert(json_is_null(json_object_get(json_array_get(rows, 1), "latency_ns")));
    cr_assert(strstr(farm_text(json_array_get(rows, 1), "why"), "conv2d"));
    json_decref(again);
    json_decref(json);
    json_decref(told);
    free(onnx);
    free(text);
}

/* So many nodes that reading them takes its time, and more blocks than an answer may have. */
static char *long_network(size_t count)
{
    onnx_builder_t b;
    size_t len;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", 1, 8, 0);
    onnx_weight(&b, "w", 8, 8, 0);
    for (size_t i = 0; i < count; i++) {
        char in[32], out[16];
        snprintf(in, sizeof in, "%s%zu w", i ? "n" : "x", i);
        snprintf(out, sizeof out, "n%zu", i + 1);
        onnx_node(&b, "MatMul", i ? in : "x w", out);
    }
    char last[16];
    snprintf(last, sizeof last, "n%zu", count);
    onnx_output(&b, last);
    char *onnx = onnx_end(&b, &len), *text = prf_base64_encode(onnx, len);
    free(onnx);
    return text;
}

Test(dashboard, a_network_that_makes_no_sense_is_refused_with_what_is_wrong)
{
    start();
    char *many = long_network(3000);
    json_t *blocks = json_array();
    for (int i = 0; i < 2049; i++)
        json_array_append_new(blocks, json_string("fc in=8 out=8"));
    static const char huge[] = "CAgSABoAIgA6//////8PAAAA"; /* a graph that says it is longer than the file */
    struct {
        json_t *args;
        const char *says;
    } wrong[] = {{json_object(), "onnx"},
                 {json_pack("{s:s}", "onnx", "!!!!"), "base64"},
                 {json_pack("{s:s}", "onnx", ""), "estimate"},
                 {json_pack("{s:s}", "onnx", "AAAAAAAAAAAAAAAA"), "estimate"},
                 {json_pack("{s:s}", "onnx", huge), "estimate"},
                 {json_pack("{s:s}", "onnx", many), "2048"},
                 {json_pack("{s:o}", "blocks", blocks), "2048"},
                 {json_pack("{s:[]}", "blocks"), "blocks"},
                 {json_pack("{s:[i]}", "blocks", 1), "block 1"},
                 {json_pack("{s:[s]}", "blocks", "no such layer"), "estimate"},
                 {json_pack("{s:[s], s:s}", "blocks", "fc in=8 out=8", "onnx", "AAAA"), "one of the two"},
                 {json_pack("{s:[s], s:i}", "blocks", "fc in=8 out=8", "batch", 0), "batch"},
                 {json_pack("{s:[s], s:s}", "blocks", "fc in=8 out=8", "dtype", "f12"), "f12"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *says = refused(post("/api/v1/estimate", wrong[i].args), 400);
        cr_assert(strstr(says, wrong[i].says), "%zu: %s", i, says);
    }
    refused(post("/api/v1/estimate", json_pack("{s:[s], s:s}", "blocks", "fc in=8 out=8", "kind", "none")), 404);
    refused(get("/api/v1/estimate", NULL), 405);
    json_t *none = http_json(post("/api/v1/estimate", json_pack("{s:[s]}", "blocks", "fc in=8 out=8")), 200);
    cr_assert_eq(json_array_size(json_object_get(none, "boards")), 0); /* no model yet */
    json_decref(none);
    free(many);
    cr_assert_eq(farm_end_coordinator(&farm), 0);
}

/* Validation layers by their text. New reference. */
static json_t *evaluation(size_t limit)
{
    json_t *all = json_object();
    json_int_t after = 0;
    for (bool more = true; more;) {
        char path[128];
        snprintf(path, sizeof path, "/api/v1/evaluation?campaign=hand&kind=hand&limit=%zu&after=%lld", limit, (long long)after);
        json_t *page = get_json(path), *row, *next = json_object_get(page, "next");
        size_t i;
        json_array_foreach(json_object_get(page, "rows"), i, row)
        {
            cr_assert_eq(json_object_set(all, farm_text(row, "layer"), row), 0);
        }
        cr_assert_leq(i, limit);
        more = !json_is_null(next);
        after = json_integer_value(next);
        json_decref(page);
    }
    return all;
}

Test(dashboard, an_evaluation_has_every_validation_layer_with_its_measurements_and_estimate)
{
    static const char twice[] = "campaign: hand\nboards:\n  - {kind: hand, backend: sim}\nlayers:\n  - kind: fc\n"
                                "    params: {in: 1..64, out: 1..64}\n    knowledge: white\n    steps: {in: 8, out: 8}\n"
                                "budget: {samples: 20}\nvalidation: {layers: 5, repeats: 2}\nbaseline: false\n";
    start();
    farm_add_worker(&farm, "one", "hand", "vta", NULL);
    run_by_hand(twice);
    json_t *summary = farm_ask(&farm, "summary", json_pack("{s:s}", "campaign", "hand"));
    const json_t *board = json_array_get(json_object_get(summary, "boards"), 0);
    json_t *all = evaluation(2), *row;
    cr_assert_eq(json_object_size(all), 5);
    double error = 0;
    const char *layer;
    json_object_foreach(all, layer, row)
    {
        const json_t *repeats = json_object_get(row, "repeats_ns");
        cr_assert_eq(json_array_size(repeats), 2);
        same(number(row, "measured_ns"),
             (json_number_value(json_array_get(repeats, 0)) + json_number_value(json_array_get(repeats, 1))) / 2);
        cr_assert(number(row, "low_ns") <= number(row, "estimated_ns") && number(row, "estimated_ns") <= number(row, "high_ns"));
        cr_assert_str_eq(farm_text(row, "layer_kind"), "fc");
        error += 100 * fabs(number(row, "estimated_ns") / number(row, "measured_ns") - 1) / 5;
    }
    same(error, number(board, "mape_percent"));
    const json_t *history = json_object_get(board, "history");
    const json_t *last = json_array_get(history, json_array_size(history) - 1);
    same(number(last, "mape_percent"), number(board, "mape_percent"));
    cr_assert_eq(farm_number(last, "samples"), farm_number(board, "samples"));
    same(number(json_object_get(json_object_get(board, "step_confidence"), "fc"), "in"), 1); /* it was given */
    json_t *campaign = farm_campaign(&farm, "hand");
    const json_t *status = json_array_get(json_object_get(campaign, "boards"), 0);
    cr_assert_eq(farm_number(status, "samples"), farm_number(board, "samples"));
    cr_assert_eq(farm_number(status, "budget"), 20);
    cr_assert(json_equal(json_object_get(status, "history"), history));

    farm_kill_coordinator(&farm); /* it is the same from the store */
    farm_start_coordinator(&farm, (const char *const[]){"--http", "127.0.0.1:*", NULL});
    json_t *again = evaluation(500);
    cr_assert(json_equal(all, again));
    refused(get("/api/v1/evaluation?campaign=none&kind=hand", NULL), 404);
    refused(get("/api/v1/evaluation?campaign=hand&kind=none", NULL), 404);
    json_decref(again);
    json_decref(all);
    json_decref(campaign);
    json_decref(summary);
}

Test(dashboard, a_models_provenance_is_what_its_file_knows)
{
    start();
    farm_add_worker(&farm, "one", "hand", "vta", NULL);
    run_by_hand(farm_by_hand);
    json_t *here = get_json("/api/v1/provenance?kind=hand&version=1"), *model = get_json("/api/v1/model?kind=hand");
    cr_assert_eq(farm_number(here, "version"), 1);
    cr_assert_str_eq(farm_text(here, "digest"), farm_text(model, "digest"));
    cr_assert_eq(farm_number(here, "bytes"), farm_number(model, "bytes"));
    cr_assert_str_eq(farm_text(here, "campaign"), "hand");
    cr_assert_eq(farm_number(here, "samples"), 20);
    cr_assert_eq(json_array_size(json_object_get(here, "layers")), 1);
    json_decref(here);
    json_decref(model);
    refused(get("/api/v1/provenance?kind=hand&version=2", NULL), 404);
    refused(get("/api/v1/provenance", NULL), 404);
}

Test(dashboard, questions_that_are_open_at_the_end_are_answered)
{
    enum { QUESTIONS = 8 };
    start();
    char *many = long_network(2000), *body;
    json_t *args = json_pack("{s:s}", "onnx", many);
    body = json_dumps(args, 0);
    int asking[QUESTIONS];
    for (int i = 0; i < QUESTIONS; i++) {
        char head[160];
        int len = snprintf(head, sizeof head, "POST /api/v1/estimate HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n",
                           strlen(body));
        asking[i] = http_connect(&farm);
        http_send(asking[i], head, (size_t)len);
        http_send(asking[i], body, strlen(body));
    }
    cr_assert_eq(farm_end_coordinator(&farm), 0);
    for (int i = 0; i < QUESTIONS; i++) {
        cr_assert(http_closed(asking[i], PATIENCE_MS));
        close(asking[i]);
    }
    json_decref(args);
    free(body);
    free(many);
}

static char *read_text(const char *path)
{
    char *text = NULL;
    size_t len;
    return prf_file_read(path, 1 << 20, &text, &len, NULL) == PRF_OK ? text : strdup("");
}

/* Until the file has the words; what it holds then, the caller frees it. */
static char *await_words(const char *path, const char *words)
{
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    for (;;) {
        char *text = read_text(path);
        if (strstr(text, words))
            return text;
        cr_assert(prf_clock_mono_ms() < until && !prf_process_ended(&running, NULL), "no '%s' in: %s", words, text);
        free(text);
        poll(NULL, 0, 20);
    }
}

static int end_running(void)
{
    int status = 0;
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    kill(running.pid, SIGINT);
    while (!prf_process_ended(&running, &status)) {
        cr_assert_lt(prf_clock_mono_ms(), until);
        poll(NULL, 0, 20);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

Test(dashboard, run_open_shows_it_with_a_token_of_its_own_and_stays_until_it_is_interrupted)
{
    farm_make(&farm);
    char out[FARM_PATH + 16], log[FARM_PATH + 16], file[FARM_PATH + 48], path[FARM_PATH + 64], search[2 * FARM_PATH + 4096];
    snprintf(out, sizeof out, "%s/out", farm.dir);
    snprintf(log, sizeof log, "%s/run.log", farm.dir);
    static const char campaign[] = "campaign: hand\nboards:\n  - {kind: hand, backend: sim, options: {board: vta}}\nlayers:\n"
                                   "  - kind: fc\n    params: {in: 1..64, out: 1..64}\n    knowledge: white\n"
                                   "    steps: {in: 8, out: 8}\nbudget: {samples: 20}\n"
                                   "validation: {layers: 4, repeats: 1}\nbaseline: false\n";
    snprintf(file, sizeof file, "%s", write_file("hand.yaml", campaign, sizeof campaign - 1, 0600));
    static const char opener[] = "#!/bin/sh\ncat \"$1\" >\"$(dirname \"$0\")/opened\"\n";
    write_file("xdg-open", opener, sizeof opener - 1, 0700);
    snprintf(search, sizeof search, "%s:%.4000s", farm.dir, getenv("PATH"));
    setenv("PATH", search, 1);
    setenv("DISPLAY", ":1", 1);
    const char *const argv[] = {PRF_BIN_DIR "/prfarm", "run", file, "--out", out, "--open", NULL};
    const prf_process_options_t options = {.log = log};
    prf_error_t err = {0};
    cr_assert_eq(prf_process_start(&running, argv, &options, &err), PRF_OK, "%s", err.text);
    char *said = await_words(log, "until Ctrl-C"), token[80] = "";
    cr_assert_eq(sscanf(strstr(said, "http://"), "%*[^#]#token=%79[0-9a-f]", token), 1, "%s", said);
    snprintf(farm.http, sizeof farm.http, "%.*s", (int)strcspn(strstr(said, "http://") + 7, "/") + 7, strstr(said, "http://"));
    cr_assert_eq(strlen(token), 64);

    struct stat info;
    snprintf(path, sizeof path, "%s/http.token", out);
    cr_assert(stat(path, &info) == 0 && (info.st_mode & 0777) == 0600);
    snprintf(path, sizeof path, "%s/opened", farm.dir);
    char *opened = await_words(path, token);
    cr_assert(strstr(opened, "/#token="), "%s", opened);
    json_t *status = get_json("/api/v1/status");
    cr_assert_str_eq(farm_text(json_array_get(json_object_get(status, "campaigns"), 0), "state"), "done");
    json_decref(status);
    char bearer[128];
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s\r\n", token);
    refused(http_ask(&farm, "POST", "/api/v1/quarantine", NULL, "{\"board\": \"hand-1\", \"why\": \"test\"}"), 401);
    json_decref(
        http_json(http_ask(&farm, "POST", "/api/v1/quarantine", bearer, "{\"board\": \"hand-1\", \"why\": \"test\"}"), 200));
    cr_assert_eq(end_running(), 0);
    snprintf(path, sizeof path, "%s/http.token", out);
    cr_assert_neq(stat(path, &info), 0);
    snprintf(path, sizeof path, "%s/summary.json", out);
    cr_assert_eq(stat(path, &info), 0);
    free(opened);
    free(said);
}
