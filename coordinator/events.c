// SPDX-License-Identifier: Apache-2.0
/* events.c - a ring of the newest events behind the table. Numbers are the store's own: the table is appended in the order in which
 * writes are answered, so an answered write is the next number. */
#include "events.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "wire/printable.h"

enum { TEXT = 400, BURST = 50, EVERY_MS = 10000, PAGE = 500 };

typedef struct {
    prf_events_t *self;
    char *text; /* owned */
} write_t;

struct prf_events {
    prf_commits_t *commits;
    char *ring[PRF_EVENTS]; /* owned JSON texts; number n stands at n % PRF_EVENTS */
    uint64_t last;          /* number of the newest */
    uint32_t tokens, left_out;
    uint64_t token_ms;
};

static void keep(prf_events_t *self, uint64_t number, char *text)
{
    /* Numbers that were damaged leave their places empty. */
    while (self->last < number) {
        char **at = &self->ring[++self->last % PRF_EVENTS];
        free(*at);
        *at = NULL;
    }
    self->ring[number % PRF_EVENTS] = text;
}

static bool load_one(void *arg, const char *key, const void *value, size_t len)
{
    prf_events_t *self = arg;
    char *text = strndup(value, len);
    if (text)
        keep(self, strtoull(key, NULL, 10), text);
    return text != NULL;
}

prf_status_t prf_events_new(prf_events_t **out, prf_store_t *store, prf_commits_t *commits, prf_error_t *err)
{
    prf_events_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "events");
    *self = (prf_events_t){.commits = commits, .tokens = BURST, .token_ms = prf_clock_mono_ms()};
    uint64_t damaged = 0;
    prf_status_t status = prf_store_scan(store, PRF_TABLE_EVENT, NULL, load_one, self, &damaged, err);
    if (status) {
        prf_events_destroy(&self);
        return status;
    }
    if (damaged)
        prf_log(PRF_LOG_WARN, "events_damaged count=%" PRIu64 " left_out=true", damaged);
    *out = self;
    return PRF_OK;
}

void prf_events_destroy(prf_events_t **self)
{
    if (!self || !*self)
        return;
    for (int i = 0; i < PRF_EVENTS; i++)
        free((*self)->ring[i]);
    free(*self);
    *self = NULL;
}

static void written(void *arg, prf_status_t status)
{
    write_t *w = arg;
    if (status == PRF_OK)
        keep(w->self, w->self->last + 1, w->text);
    else
        free(w->text);
    free(w);
}

static void put(prf_events_t *self, const char *what, const char *subject, const char *text)
{
    json_t *json = json_pack("{s:I, s:s, s:s, s:s}", "wall_ms", (json_int_t)prf_clock_wall_ms(), "event", what, "subject", subject,
                             "text", text);
    write_t *w = malloc(sizeof *w);
    char *line = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    if (w && line) {
        *w = (write_t){self, line};
        if (prf_commits_value(self->commits, PRF_TABLE_EVENT, NULL, line, strlen(line), PRF_COMMIT_ONCE, written, w, NULL) ==
            PRF_OK)
            return;
    }
    free(line);
    free(w);
}

static bool ration(prf_events_t *self)
{
    uint64_t now_ms = prf_clock_mono_ms(), earned = (now_ms - self->token_ms) / EVERY_MS;
    self->token_ms += earned * EVERY_MS;
    self->tokens = self->tokens + earned < BURST ? self->tokens + (uint32_t)earned : BURST;
    if (self->tokens == 0) {
        self->left_out++;
        return false;
    }
    self->tokens--;
    return true;
}

void prf_events_add(prf_events_t *self, const char *what, const char *subject, const char *fmt, ...)
{
    char told[TEXT], text[TEXT];
    va_list args;
    va_start(args, fmt);
    vsnprintf(told, sizeof told, fmt, args);
    va_end(args);
    prf_printable_copy(text, sizeof text, told);
    prf_log(PRF_LOG_INFO, "event what=%s subject=%s text=\"%s\"", what, subject, text);
    if (!ration(self))
        return;
    if (self->left_out) {
        char more[80];
        snprintf(more, sizeof more, "%u events before this one were only logged", self->left_out);
        self->left_out = 0;
        put(self, "events_left_out", "", more);
    }
    put(self, what, subject, text);
}

json_t *prf_events_page(const prf_events_t *self, uint64_t after, size_t limit)
{
    uint64_t oldest = self->last >= PRF_EVENTS ? self->last - PRF_EVENTS + 1 : 1, from = after + 1 > oldest ? after + 1 : oldest;
    size_t most = limit > 0 && limit < PAGE ? limit : PAGE;
    json_t *events = json_array();
    uint64_t n = from;
    for (; n <= self->last && json_array_size(events) < most; n++) {
        const char *text = self->ring[n % PRF_EVENTS];
        json_t *event = text ? json_loads(text, 0, NULL) : NULL;
        if (!event)
            continue; /* damaged */
        json_object_set_new(event, "number", json_integer((json_int_t)n));
        json_array_append_new(events, event);
    }
    return json_pack("{s:o, s:o}", "events", events, "next", n <= self->last ? json_integer((json_int_t)n - 1) : json_null());
}

uint64_t prf_events_newest(const prf_events_t *self)
{
    return self->last;
}
