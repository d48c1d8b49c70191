// SPDX-License-Identifier: Apache-2.0
/* live.c - topics with a number that counts their changes, and viewers who remember which they have seen.
 *
 * A look asks the farm's own operations, as any client would, and compares what they say with what was said before. Texts are
 * shared and counted: a viewer holds on to the one that it is taking, so that at most one text a viewer is kept beside the newest
 * ones. Looking may cost a fiftieth of a processor: on a farm so large that it costs more, there is more time between two
 * looks.
 *
 * Events are not a state but a list that grows: a viewer is sent those since the last it was sent, the newest EVENTS_MOST of them
 * at most. All who keep up are at the same number, so these texts are shared, too. */
#include "live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

typedef enum { COORDINATOR, FLEET, CAMPAIGNS, MODELS, EVENTS, TOPICS } topic_name_t;
static const char *const names[TOPICS] = {"coordinator", "fleet", "campaigns", "models", "events"};

enum {
    QUIET_MS = 5000, /* then a comment tells that the connection lives */
    SHARE = 50,      /* of a processor's time goes into looking at most: one part in so many */
    UPTIME_S = 10,   /* is told in steps of so many, since nothing else of its topic changes all the time */
    EVENTS_MOST = 100,
    MODELS_MOST = 100, /* of more, only that something changed is told */
    DIGITS = 6
};

typedef struct {
    size_t users, len;
    char bytes[];
} text_t;

typedef struct {
    uint64_t changes; /* 0: never looked at */
    text_t *text;     /* a share; NULL of events */
} topic_t;

struct prf_viewer {
    prf_live_t *live;
    void *arg;
    uint64_t seen[TOPICS]; /* topic_t.changes that it took last; 0: none yet */
    unsigned turn;         /* the topic that it looks at first, so that none is left out when all change faster than it reads */
    text_t *text;          /* a share: what it is at; NULL: nothing */
    size_t sent;           /* bytes of that */
    uint64_t fed_ms;       /* when it got something last */
    bool quiet;            /* it is to be sent a comment */
};

struct prf_live {
    prf_queries_t queries;
    prf_ops_t *ops;
    prf_live_wake_fn wake;
    topic_t topics[TOPICS];
    text_t *events; /* a share: those with numbers above `events_after`, as it was at so many changes */
    uint64_t events_after, events_changes;
    text_t *comment;                         /* a share */
    prf_viewer_t *viewers[PRF_LIVE_VIEWERS]; /* owned by who joined */
    size_t viewer_count;
    uint64_t not_before_ms;
};

/* An event of that name, or (NULL) a comment. */
static text_t *text_new(const char *name, const char *data)
{
    const char *const parts[] = {name ? "event: " : "", name ? name : "", name ? "\ndata: " : ": ", data};
    int len = snprintf(NULL, 0, "%s%s%s%s\n\n", parts[0], parts[1], parts[2], parts[3]);
    text_t *text = len > 0 ? malloc(sizeof *text + (size_t)len + 1) : NULL;
    if (!text)
        return NULL;
    text->users = 1;
    text->len = (size_t)len;
    snprintf(text->bytes, text->len + 1, "%s%s%s%s\n\n", parts[0], parts[1], parts[2], parts[3]);
    return text;
}

static text_t *text_share(text_t *text)
{
    text->users++;
    return text;
}

static void text_drop(text_t **text)
{
    if (*text && --(*text)->users == 0)
        free(*text);
    *text = NULL;
}

prf_status_t prf_live_new(prf_live_t **out, const prf_queries_t *queries, prf_ops_t *ops, prf_live_wake_fn wake, prf_error_t *err)
{
    prf_live_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "live view");
    *self = (prf_live_t){.queries = *queries, .ops = ops, .wake = wake};
    *out = self;
    return PRF_OK;
}

static void forget_texts(prf_live_t *self)
{
    for (int i = 0; i < TOPICS; i++)
        text_drop(&self->topics[i].text);
    text_drop(&self->events);
    text_drop(&self->comment);
}

void prf_live_destroy(prf_live_t **self)
{
    if (!self || !*self)
        return;
    forget_texts(*self);
    free(*self);
    *self = NULL;
}

/* prf_reply_fn: what is only read is answered at once. */
static void take_reply(void *arg, prf_status_t status, json_t *json, const char *error)
{
    (void)status, (void)error;
    *(json_t **)arg = json;
}

/* New reference; NULL: it could not be told now. */
static json_t *ask(prf_live_t *self, const char *op)
{
    json_t *args = json_object(), *answer = NULL;
    if (args)
        prf_ops_call(self->ops, prf_op_find(op), args, take_reply, &answer);
    json_decref(args);
    return answer;
}

/* Takes the JSON. */
static text_t *render(topic_name_t topic, json_t *json)
{
    char *data = json ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS)) : NULL;
    text_t *text = data ? text_new(names[topic], data) : NULL;
    free(data);
    json_decref(json);
    return text;
}

/* Takes the JSON; NULL: it is as it was. */
static void set_topic(prf_live_t *self, topic_name_t name, json_t *json)
{
    topic_t *topic = &self->topics[name];
    text_t *text = render(name, json);
    bool same = text && topic->text && text->len == topic->text->len && memcmp(text->bytes, topic->text->bytes, text->len) == 0;
    if (!text || same) {
        text_drop(&text);
        return;
    }
    text_drop(&topic->text);
    topic->text = text;
    topic->changes++;
}

static void look_at_status(prf_live_t *self)
{
    json_t *status = ask(self, "status"), *coordinator = json_object_get(status, "coordinator");
    if (!status)
        return;
    json_int_t uptime = (json_int_t)json_number_value(json_object_get(coordinator, "uptime_seconds"));
    json_object_set_new(coordinator, "uptime_seconds", json_integer(uptime - uptime % UPTIME_S));
    set_topic(self, COORDINATOR, json_incref(coordinator));
    set_topic(self, CAMPAIGNS, json_pack("{s:O}", "campaigns", json_object_get(status, "campaigns")));
    json_decref(status);
}

static void look_at_models(prf_live_t *self)
{
    uint64_t changes = prf_publisher_changes(self->queries.hub->publisher);
    if (prf_publisher_count(self->queries.hub->publisher) > MODELS_MOST)
        set_topic(self, MODELS, json_pack("{s:I}", "changed", (json_int_t)changes));
    else
        set_topic(self, MODELS, ask(self, "models"));
}

static uint64_t count_events(prf_live_t *self)
{
    return self->topics[EVENTS].changes = prf_events_newest(self->queries.hub->events) + 1;
}

static bool has_news(const prf_viewer_t *viewer)
{
    bool news = viewer->text || viewer->quiet;
    for (int i = 0; i < TOPICS; i++)
        news = news || viewer->seen[i] != viewer->live->topics[i].changes;
    return news;
}

/* Whoever has something to take and may not know of it. */
static void wake_viewers(prf_live_t *self, uint64_t now_ms)
{
    for (size_t i = 0; i < self->viewer_count; i++) {
        prf_viewer_t *viewer = self->viewers[i];
        viewer->quiet = now_ms - viewer->fed_ms >= QUIET_MS;
        if (has_news(viewer))
            self->wake(viewer->arg);
    }
}

/* Of this thread: what others take of the machine is none of it. */
static uint64_t processor_ns(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

void prf_live_look(prf_live_t *self, uint64_t now_ms)
{
    if (now_ms >= self->not_before_ms) {
        uint64_t begin_ns = processor_ns();
        look_at_status(self);
        set_topic(self, FLEET, ask(self, "fleet"));
        look_at_models(self);
        count_events(self);
        self->not_before_ms = now_ms + (processor_ns() - begin_ns) * SHARE / 1000000;
    }
    if (!self->comment)
        self->comment = text_new(NULL, "still here");
    wake_viewers(self, now_ms);
}

void prf_live_end(prf_live_t *self)
{
    for (size_t i = 0; i < self->viewer_count; i++)
        self->wake(self->viewers[i]->arg);
}

prf_status_t prf_live_join(prf_live_t *self, prf_viewer_t **out, void *viewer_arg, prf_error_t *err)
{
    if (self->viewer_count == PRF_LIVE_VIEWERS)
        return prf_fail(err, PRF_EBUSY, "%d watch already, no more can: close a page that shows the dashboard, then try again",
                        (int)PRF_LIVE_VIEWERS);
    prf_viewer_t *viewer = calloc(1, sizeof *viewer);
    if (!viewer)
        return prf_fail(err, PRF_ENOMEM, "a viewer");
    *viewer = (prf_viewer_t){.live = self, .arg = viewer_arg, .fed_ms = prf_clock_mono_ms()};
    if (self->viewer_count == 0) { /* nobody has looked for a while */
        self->not_before_ms = 0;
        prf_live_look(self, viewer->fed_ms);
    }
    self->viewers[self->viewer_count++] = viewer;
    *out = viewer;
    return PRF_OK;
}

void prf_live_leave(prf_viewer_t **viewer)
{
    if (!viewer || !*viewer)
        return;
    prf_live_t *self = (*viewer)->live;
    size_t at = 0;
    while (self->viewers[at] != *viewer)
        at++;
    self->viewers[at] = self->viewers[--self->viewer_count];
    text_drop(&(*viewer)->text);
    free(*viewer);
    *viewer = NULL;
    if (self->viewer_count == 0)
        forget_texts(self);
}

size_t prf_live_viewers(const prf_live_t *self)
{
    return self->viewer_count;
}

/* A share of those since `seen` changes; NULL: out of memory. There may be more by now than at the last look. */
static text_t *events_since(prf_live_t *self, uint64_t seen)
{
    uint64_t changes = count_events(self), newest = changes - 1, after = seen ? seen - 1 : 0;
    after = newest > EVENTS_MOST && after < newest - EVENTS_MOST ? newest - EVENTS_MOST : after;
    if (!self->events || self->events_after != after || self->events_changes != changes) {
        text_drop(&self->events);
        self->events = render(EVENTS, prf_events_page(self->queries.hub->events, after, EVENTS_MOST));
        self->events_after = after;
        self->events_changes = changes;
    }
    return self->events ? text_share(self->events) : NULL;
}

/* The next text that the viewer has not seen; false: there is none. */
static bool next_text(prf_viewer_t *viewer)
{
    prf_live_t *self = viewer->live;
    for (unsigned i = 0; i < TOPICS && !viewer->text; i++) {
        unsigned name = (viewer->turn + i) % TOPICS;
        topic_t *topic = &self->topics[name];
        if (viewer->seen[name] == topic->changes)
            continue;
        viewer->text = name == EVENTS ? events_since(self, viewer->seen[name]) : topic->text ? text_share(topic->text) : NULL;
        viewer->seen[name] = viewer->text ? topic->changes : viewer->seen[name];
        viewer->turn = name + 1;
    }
    if (!viewer->text && viewer->quiet && self->comment)
        viewer->text = text_share(self->comment);
    viewer->quiet = false;
    viewer->sent = 0;
    return viewer->text != NULL;
}

size_t prf_live_read(prf_viewer_t *viewer, char *to, size_t cap)
{
    if (!viewer->text && !next_text(viewer))
        return 0;
    size_t left = viewer->text->len - viewer->sent, len = left < cap ? left : cap;
    memcpy(to, viewer->text->bytes + viewer->sent, len);
    viewer->sent += len;
    viewer->fed_ms = prf_clock_mono_ms();
    if (viewer->sent == viewer->text->len)
        text_drop(&viewer->text);
    return len;
}
