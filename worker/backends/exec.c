// SPDX-License-Identifier: Apache-2.0
/* exec.c - a board that is any program: one JSON object a line goes to its standard input, one comes back on its standard
 * output (docs/backends.md). The program is started without a shell and ends with the backend's process, which ignores SIGPIPE.
 *
 * Every request has one answer, in order, so that a late or surplus line cannot be taken for another request's. Once an
 * answer is missing, malformed or late there is no telling what the next line belongs to: the board is then broken for good and
 * says so with PRF_ECRASH, PRF_EHANG or PRF_EPEER, upon which the worker starts a fresh one. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backends/exec_answer.h"
#include "backends/options.h"
#include "base/clock.h"
#include "base/process.h"

enum { LINE = 64 << 10, MAX_ARGS = 32, PROTOCOL = 1, NAME_CUT = 80, QUOTE_CUT = 60, END_MS = 200 };

struct prf_board {
    prf_process_t process;
    char command[NAME_CUT]; /* for messages */
    int64_t timeout_ms;
    prf_board_facts_t facts;
    uint64_t next_id;
    prf_status_t broken; /* not PRF_OK: nothing can be asked any more */
    size_t len;          /* bytes of `line` read so far */
    char line[LINE + 1];
};

struct prf_kernel {
    prf_board_t *board; /* borrowed */
    uint64_t id;
};

static prf_status_t died(prf_board_t *self, const char *op, prf_error_t *err)
{
    char how[80] = "it closed its output";
    int status;
    if (prf_process_await(&self->process, END_MS, &status)) /* the end of its output comes a moment before its end */
        prf_process_describe(status, how, sizeof how);
    self->broken = PRF_ECRASH;
    return prf_fail(err, PRF_ECRASH, "exec: %s ended while it was to answer %s: %s: see what it printed to standard error",
                    self->command, op, how);
}

/* Waits until `fd` is ready. */
static prf_status_t await(prf_board_t *self, int fd, short events, uint64_t deadline_ms, const char *op, prf_error_t *err)
{
    for (;;) {
        uint64_t now = prf_clock_mono_ms();
        struct pollfd p = {.fd = fd, .events = events};
        int n = now < deadline_ms ? poll(&p, 1, (int)(deadline_ms - now)) : 0;
        if (n > 0)
            return PRF_OK;
        if (n == 0 && prf_clock_mono_ms() >= deadline_ms) {
            self->broken = PRF_EHANG;
            return prf_fail(err, PRF_EHANG, "exec: %s did not answer %s within %lld ms: raise timeout_ms if it needs longer",
                            self->command, op, (long long)self->timeout_ms);
        }
        if (n < 0 && errno != EINTR)
            return prf_fail_sys(err, errno, "exec: %s: poll", self->command);
    }
}

static prf_status_t send_line(prf_board_t *self, const char *text, size_t len, uint64_t deadline_ms, const char *op,
                              prf_error_t *err)
{
    while (len > 0) {
        prf_status_t status = await(self, self->process.in, POLLOUT, deadline_ms, op, err);
        if (status)
            return status;
        ssize_t n = write(self->process.in, text, len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return died(self, op, err);
        text += n;
        len -= (size_t)n;
    }
    return PRF_OK;
}

static prf_status_t garbage(prf_board_t *self, const char *op, const char *why, prf_error_t *err)
{
    char quote[QUOTE_CUT + 1];
    snprintf(quote, sizeof quote, "%.*s", QUOTE_CUT, self->line);
    for (char *c = quote; *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f)
            *c = '?';
    self->broken = PRF_EPEER;
    return prf_fail(err, PRF_EPEER, "exec: %s answered %s with '%s': %s: print one JSON object a line and nothing else",
                    self->command, op, quote, why);
}

/* Reads one line into self->line, without its newline. */
static prf_status_t receive_line(prf_board_t *self, uint64_t deadline_ms, const char *op, prf_error_t *err)
{
    self->len = 0;
    for (;;) {
        prf_status_t status = await(self, self->process.out, POLLIN, deadline_ms, op, err);
        if (status)
            return status;
        ssize_t n = read(self->process.out, self->line + self->len, LINE - self->len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return died(self, op, err);
        char *newline = memchr(self->line + self->len, '\n', (size_t)n);
        self->len += (size_t)n;
        self->line[self->len] = '\0';
        if (newline && newline + 1 != self->line + self->len)
            return garbage(self, op, "more than one line", err);
        if (newline) {
            *newline = '\0';
            self->len--;
            return PRF_OK;
        }
        if (self->len == LINE)
            return garbage(self, op, "a line of more than 64 KiB", err);
    }
}

/* Whatever stands in the pipe before a request is sent answers nothing that was asked. */
static prf_status_t check_silent(prf_board_t *self, const char *op, prf_error_t *err)
{
    struct pollfd p = {.fd = self->process.out, .events = POLLIN};
    if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLIN))
        return PRF_OK;
    ssize_t n = read(self->process.out, self->line, QUOTE_CUT);
    if (n <= 0)
        return died(self, op, err);
    self->line[n] = '\0';
    return garbage(self, op, "this came before it was asked", err);
}

/* Sends a request and returns the answer (new reference) when it says "ok": true. Takes `request` over. */
static prf_status_t ask(prf_board_t *self, const char *op, json_t *request, json_t **answer, prf_error_t *err)
{
    char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    if (!text)
        return prf_fail(err, PRF_ENOMEM, "exec: request");
    prf_status_t status = PRF_OK;
    if (self->broken)
        status = prf_fail(err, self->broken, "exec: %s no longer answers: see what it printed to standard error", self->command);
    uint64_t deadline = prf_clock_mono_ms() + (uint64_t)self->timeout_ms;
    if (!status)
        status = check_silent(self, op, err);
    if (!status)
        status = send_line(self, text, strlen(text), deadline, op, err);
    if (!status)
        status = send_line(self, "\n", 1, deadline, op, err);
    free(text);
    if (!status)
        status = receive_line(self, deadline, op, err);
    if (status)
        return status;
    prf_error_t why;
    status = prf_exec_answer_read(answer, self->line, self->len, &why);
    if (status == PRF_EPEER)
        return garbage(self, op, why.text, err);
    return status ? prf_fail(err, status, "exec: %s: %s", self->command, why.text) : PRF_OK;
}

static prf_status_t ask_facts(prf_board_t *self, prf_error_t *err)
{
    json_t *answer = NULL;
    prf_status_t status = ask(self, "describe", json_pack("{s:s, s:i}", "op", "describe", "version", PROTOCOL), &answer, err);
    if (status)
        return status;
    status = prf_exec_answer_facts(&self->facts, answer, err);
    json_decref(answer);
    return status ? prf_fail_prefix(err, status, "exec: %s", self->command) : PRF_OK;
}

static prf_status_t start(prf_board_t *self, const char *command, const char *const *options, size_t count, prf_error_t *err)
{
    char path[PATH_MAX];
    const char *argv[MAX_ARGS + 2] = {command}, *arg;
    if (!strchr(command, '/')) { /* prfarm-adapter lies beside the worker, installed or not */
        prf_process_sibling(command, path, sizeof path);
        argv[0] = path;
    }
    size_t argc = 1;
    for (size_t at = 0; (arg = prf_option_next(options, count, "arg", &at)); argv[argc++] = arg)
        if (argc > MAX_ARGS)
            return prf_fail(err, PRF_EINVAL, "exec: more than %d arg= options: put the others into a script", MAX_ARGS);
    prf_status_t status = prf_process_start(&self->process, argv, &(prf_process_options_t){.pipes = true}, err);
    if (status)
        return prf_fail_prefix(err, status, "exec");
    fcntl(self->process.in, F_SETFL, O_NONBLOCK);
    fcntl(self->process.out, F_SETFL, O_NONBLOCK);
    const char *slash = strrchr(command, '/');
    snprintf(self->command, sizeof self->command, "%s", slash ? slash + 1 : command);
    return PRF_OK;
}

static void exec_close(prf_board_t **board)
{
    if (!*board)
        return;
    prf_process_stop(&(*board)->process, (*board)->broken ? 0 : 1000);
    free(*board);
    *board = NULL;
}

static prf_status_t exec_open(const char *const *options, size_t count, prf_board_t **out, prf_error_t *err)
{
    const char *command = NULL;
    prf_board_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "exec: board");
    self->process = (prf_process_t){.fd = -1, .in = -1, .out = -1};
    self->timeout_ms = 60000;
    const prf_option_t table[] = {{"command", PRF_OPTION_TEXT, &command, 0, 0},
                                  {"arg", PRF_OPTION_MANY, NULL, 0, 0},
                                  {"timeout_ms", PRF_OPTION_INTEGER, &self->timeout_ms, 1, 3600000}};
    prf_status_t status = prf_options_read("exec", options, count, table, sizeof table / sizeof *table, err);
    if (!status && (!command || !*command))
        status = prf_fail(err, PRF_EINVAL, "exec: give the program with command=PATH");
    if (!status)
        status = start(self, command, options, count, err);
    if (!status)
        status = ask_facts(self, err);
    if (status) {
        self->broken = status;
        exec_close(&self);
        return status;
    }
    *out = self;
    return PRF_OK;
}

static void exec_describe(const prf_board_t *board, prf_board_facts_t *out)
{
    *out = board->facts;
}

static json_t *layer_json(const prf_layer_t *layer)
{
    json_t *out = json_pack("{s:s}", "kind", prf_layer_kind_name(layer->kind));
    size_t count;
    const prf_param_info_t *params = prf_layer_params(layer->kind, &count);
    for (size_t i = 0; out && i < count; i++)
        json_object_set_new(out, prf_param_name(params[i].param), json_integer(layer->p[params[i].param]));
    return out;
}

static json_t *layers_json(const prf_block_t *block)
{
    json_t *layers = json_array();
    for (uint32_t i = 0; layers && i < block->count; i++)
        json_array_append_new(layers, layer_json(&block->layers[i]));
    return layers;
}

/* Each block with what it reads. */
static json_t *network_json(const prf_chain_t *network)
{
    json_t *blocks = json_array();
    for (size_t i = 0, edge = 0; blocks && i < network->count; i++) {
        json_t *inputs = json_array();
        for (; inputs && edge < network->edge_count && (size_t)network->edges[edge].to == i; edge++)
            json_array_append_new(inputs, json_integer(network->edges[edge].from));
        json_array_append_new(blocks, json_pack("{s:o, s:o}", "layers", layers_json(&network->blocks[i]), "inputs", inputs));
    }
    return blocks;
}

/* Has the program build `what`, which the rest of the request tells. Takes it over. */
static prf_status_t build(prf_board_t *self, const char *op, prf_dtype_t dtype, prf_cache_t cache, json_t *what, prf_kernel_t **out,
                          prf_error_t *err)
{
    prf_kernel_t *kernel = calloc(1, sizeof *kernel);
    if (!kernel) {
        json_decref(what);
        return prf_fail(err, PRF_ENOMEM, "exec: kernel");
    }
    *kernel = (prf_kernel_t){.board = self, .id = ++self->next_id};
    json_t *answer = NULL, *request = json_pack("{s:s, s:I, s:s, s:s}", "op", op, "id", (json_int_t)kernel->id, "dtype",
                                                prf_dtype_name(dtype), "cache", prf_cache_name(cache));
    json_object_update(request, what);
    json_decref(what);
    prf_status_t status = ask(self, op, request, &answer, err);
    json_decref(answer);
    if (status) {
        free(kernel);
        return status;
    }
    *out = kernel;
    return PRF_OK;
}

static prf_status_t exec_prepare(prf_board_t *self, const prf_block_t *block, const prf_place_t *place, prf_kernel_t **out,
                                 prf_error_t *err)
{
    json_t *what = json_pack("{s:o, s:I, s:I}", "layers", layers_json(block), "position", (json_int_t)place->position, "length",
                             (json_int_t)place->length);
    return build(self, "prepare", block->dtype, place->cache, what, out, err);
}

static prf_status_t exec_prepare_network(prf_board_t *self, const prf_chain_t *network, prf_cache_t cache, prf_kernel_t **out,
                                         prf_error_t *err)
{
    if (!(self->facts.flags & PRF_BOARD_NETWORKS))
        return prf_fail(err, PRF_EUNSUPPORTED, "exec: %s builds no networks: let it answer describe with \"networks\": true",
                        self->command);
    json_t *what = json_pack("{s:o}", "blocks", network_json(network));
    return build(self, "network", network->blocks[0].dtype, cache, what, out, err);
}

static prf_status_t exec_run(prf_kernel_t *kernel, const prf_run_t *how, prf_reading_t *out, prf_error_t *err)
{
    prf_board_t *self = kernel->board;
    json_t *answer = NULL;
    json_t *request =
        json_pack("{s:s, s:I, s:I}", "op", "run", "id", (json_int_t)kernel->id, "iterations", (json_int_t)how->iterations);
    prf_status_t status = ask(self, "run", request, &answer, err);
    if (status)
        return status;
    prf_error_t why;
    status = prf_exec_answer_reading(out, answer, &why);
    json_decref(answer);
    if (status == PRF_EIMPLAUSIBLE)
        return prf_fail(err, status, "exec: the program told %s: mend its clock, or the unit that it counts in", why.text);
    return status ? garbage(self, "run", why.text, err) : PRF_OK;
}

/* An error here shows at the next request: the board is broken then. */
static void exec_release(prf_kernel_t **kernel)
{
    if (!*kernel)
        return;
    prf_board_t *self = (*kernel)->board;
    json_t *answer = NULL;
    if (!self->broken &&
        ask(self, "release", json_pack("{s:s, s:I}", "op", "release", "id", (json_int_t)(*kernel)->id), &answer, NULL) == PRF_OK)
        json_decref(answer);
    free(*kernel);
    *kernel = NULL;
}

const prf_backend_t prf_backend_exec = {
    .abi = PRF_BACKEND_ABI,
    .name = "exec",
    .options = "command=PROGRAM arg=ARGUMENT (repeatable) timeout_ms=N (default 60000)",
    .open = exec_open,
    .describe = exec_describe,
    .prepare = exec_prepare,
    .prepare_network = exec_prepare_network,
    .run = exec_run,
    .release = exec_release,
    .close = exec_close,
};
