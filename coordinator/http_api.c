// SPDX-License-Identifier: Apache-2.0
/* http_api.c - what there is under which path, and how an operation's arguments and answers look in HTTP.
 *
 * GET reads only: it offers the operations that a viewer may do, so that following a link changes nothing. POST offers all, but for
 * ending the coordinator, which is for those who can start it again. */
#include <stdlib.h>
#include <string.h>

#include "http_request.h"
#include "metrics.h"
#include "openapi.h"
#include "wire/printable.h"

#define API "/api/v1/"

static unsigned code_of(prf_status_t status)
{
    switch (status) {
    case PRF_OK:
        return MHD_HTTP_OK;
    case PRF_EUSAGE:
    case PRF_EINVAL:
    case PRF_EPARSE:
    case PRF_EVERSION:
        return MHD_HTTP_BAD_REQUEST;
    case PRF_EDENIED:
        return MHD_HTTP_FORBIDDEN;
    case PRF_ENOTFOUND:
        return MHD_HTTP_NOT_FOUND;
    case PRF_EEXISTS:
    case PRF_EBUSY:
        return MHD_HTTP_CONFLICT;
    case PRF_EUNSUPPORTED:
        return MHD_HTTP_NOT_IMPLEMENTED;
    case PRF_ENOMEM:
    case PRF_ECANCELLED:
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    case PRF_ETIMEOUT:
        return MHD_HTTP_GATEWAY_TIMEOUT;
    case PRF_ENOSPC:
        return MHD_HTTP_INSUFFICIENT_STORAGE;
    default:
        return MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
}

/* Takes the JSON. */
static void answer_json(prf_http_request_t *request, unsigned code, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    request->code = text ? code : MHD_HTTP_SERVICE_UNAVAILABLE;
    request->type = "application/json";
    prf_text_add(&request->answer, "%s\n", text ? text : "{\"error\":\"out of memory\",\"status\":\"out of memory\"}");
    free(text);
    prf_http_answered(request);
}

/* A name that an error quotes may be cut amid a character, which JSON cannot hold. */
void prf_http_refuse_as(prf_http_request_t *request, unsigned code, prf_status_t status, const char *text)
{
    char whole[sizeof((prf_error_t *)0)->text];
    prf_printable_copy(whole, sizeof whole, text);
    answer_json(request, code, json_pack("{s:s, s:s}", "error", whole, "status", prf_status_name(status)));
}

void prf_http_refuse(prf_http_request_t *request, prf_status_t status, const char *text)
{
    prf_http_refuse_as(request, code_of(status), status, text);
}

static bool is_read(const char *method)
{
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

bool prf_http_method_fits(prf_http_request_t *request, const char *method, const char *allow)
{
    bool get = is_read(method), post = strcmp(method, MHD_HTTP_METHOD_POST) == 0;
    if ((get && strstr(allow, "GET")) || (post && strstr(allow, "POST")))
        return true;
    request->allow = allow;
    prf_error_t err = {0};
    prf_fail(&err, PRF_EUSAGE, "not by %.16s: use %s", method, allow);
    prf_http_refuse_as(request, MHD_HTTP_METHOD_NOT_ALLOWED, err.code, err.text);
    return false;
}

bool prf_http_route(prf_http_request_t *request, const char *method, const char *path, prf_role_t *role)
{
    static const struct {
        const char *path;
        prf_http_what_t what;
    } places[] = {{"/livez", PRF_HTTP_ALIVE},
                  {"/healthz", PRF_HTTP_HEALTH},
                  {"/metrics", PRF_HTTP_METRICS},
                  {API "openapi.yaml", PRF_HTTP_DESCRIPTION},
                  {API "live", PRF_HTTP_LIVE}};
    *role = PRF_ROLE_VIEWER;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strcmp(path, places[i].path) == 0) {
            request->what = places[i].what;
            return prf_http_method_fits(request, method, "GET");
        }
    const char *name = strncmp(path, API, sizeof API - 1) == 0 ? path + sizeof API - 1 : "";
    request->what = PRF_HTTP_OP;
    request->op = strcmp(name, "shutdown") == 0 ? NULL : prf_op_find(name);
    if (!request->op) {
        prf_error_t err = {0};
        prf_fail(&err, PRF_ENOTFOUND, "nothing is at '%.100s': see " API "openapi.yaml for what there is", path);
        prf_http_refuse(request, err.code, err.text);
        return false;
    }
    *role = prf_op_role(request->op);
    request->body_has_args = !is_read(method);
    return prf_http_method_fits(request, method,
                                *role == PRF_ROLE_VIEWER && !prf_op_takes_list(request->op) ? "GET, POST" : "POST");
}

static void health(prf_http_request_t *request, const prf_hub_t *hub)
{
    const char *note;
    bool granting = prf_hub_granting(hub, &note);
    if (!granting && !*note)
        note = "the coordinator ends";
    const char *status = granting ? "ok" : "not granting";
    answer_json(request, granting ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                request->stranger ? json_pack("{s:s}", "status", status)
                                  : json_pack("{s:s, s:s, s:s}", "status", status, "note", note, "version", PRF_VERSION));
}

static void metrics(prf_http_request_t *request, const prf_http_means_t *means)
{
    const prf_metrics_http_t http = {means->peers->count, prf_live_viewers(means->live), means->peers->refused};
    prf_metrics_write(&request->answer, &means->queries, &http);
    request->code = MHD_HTTP_OK;
    request->type = "text/plain; version=0.0.4; charset=utf-8";
    prf_http_answered(request);
}

static void description(prf_http_request_t *request)
{
    prf_text_append(&request->answer, prf_openapi, prf_openapi_len);
    request->code = MHD_HTTP_OK;
    request->type = "application/yaml";
    prf_http_answered(request);
}

/* It is answered as long as it lasts. */
static void live(prf_http_request_t *request, prf_live_t *live)
{
    prf_error_t err = {0};
    if (prf_live_join(live, &request->viewer, request, &err)) {
        prf_http_refuse_as(request, MHD_HTTP_SERVICE_UNAVAILABLE, err.code, err.text);
        return;
    }
    request->code = MHD_HTTP_OK;
    request->type = "text/event-stream";
    prf_http_answered(request);
}

typedef struct {
    json_t *args;
    prf_error_t *err;
    bool failed;
} query_t;

/* Arguments of these names are whole numbers of at least 0, or text, in every operation; others are for the operation to judge. */
static bool is_count(const char *key)
{
    return strcmp(key, "after") == 0 || strcmp(key, "limit") == 0 || strcmp(key, "version") == 0;
}

static bool is_text(const char *key)
{
    static const char *const texts[] = {"board", "campaign", "dtype", "file", "kind", "name", "onnx", "search", "state", "why"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(key, texts[i]) == 0)
            return true;
    return false;
}

/* A query string has text only. NULL: it is not of the argument's sort. */
static json_t *value_of(const char *key, const char *text)
{
    if (!is_count(key))
        return json_string(text); /* NULL for what is no UTF-8, too */
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 18 && text[digits] == '\0' ? json_integer(strtoll(text, NULL, 10)) : NULL;
}

static enum MHD_Result add_argument(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
    (void)kind;
    query_t *query = arg;
    bool twice = json_object_get(query->args, key) != NULL;
    if (!twice && json_object_set_new(query->args, key, value_of(key, value ? value : "")) == 0)
        return MHD_YES;
    query->failed = true;
    prf_fail(query->err, PRF_EINVAL, "query string: %.40s %s", key,
             twice ? "is named twice: name it once"
                   : "is no text in UTF-8, or no whole number where it has to be one: use such a one, of at least 0");
    return MHD_NO;
}

/* An operation would take what is of another sort for an argument that is not there, and answer something else than what was asked.
 */
static prf_status_t check_sorts(json_t *args, prf_error_t *err)
{
    const char *key;
    json_t *value;
    json_object_foreach(args, key, value)
    {
        if (is_count(key) && !(json_is_integer(value) && json_integer_value(value) >= 0))
            return prf_fail(err, PRF_EINVAL, "\"%s\" is no whole number: give one of at least 0", key);
        if (is_text(key) && !json_is_string(value))
            return prf_fail(err, PRF_EINVAL, "\"%s\" is no text: give one", key);
    }
    return PRF_OK;
}

/* New reference; NULL when they cannot be understood. */
static json_t *arguments(prf_http_request_t *request, prf_error_t *err)
{
    json_t *args;
    if (!request->body_has_args) {
        query_t query = {.args = json_object(), .err = err};
        MHD_get_connection_values(request->connection, MHD_GET_ARGUMENT_KIND, add_argument, &query);
        if (!query.failed)
            return query.args;
        json_decref(query.args);
        return NULL;
    }
    if (request->body.len == 0)
        return json_object();
    json_error_t where;
    args = json_loadb(request->body.data, request->body.len, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(args))
        prf_fail(err, PRF_EPARSE, "the body is no JSON object (%.100s): send one, as in {\"campaign\": \"first\"}",
                 args ? "another value" : where.text);
    else if (!check_sorts(args, err))
        return args;
    json_decref(args);
    return NULL;
}

/* prf_reply_fn: takes the JSON. */
static void replied(void *arg, prf_status_t status, json_t *json, const char *error)
{
    prf_http_request_t *request = arg;
    if (status == PRF_OK) {
        answer_json(request, MHD_HTTP_OK, json);
        return;
    }
    json_decref(json);
    prf_http_refuse(request, status, error && *error ? error : prf_status_name(status));
}

static void operation(prf_http_request_t *request, prf_ops_t *ops)
{
    prf_error_t err = {0};
    json_t *args = arguments(request, &err);
    if (args)
        prf_ops_call(ops, request->op, args, replied, request);
    else
        prf_http_refuse(request, err.code, err.text);
    json_decref(args);
}

void prf_http_perform(prf_http_request_t *request, const prf_http_means_t *means)
{
    switch (request->what) {
    case PRF_HTTP_ALIVE: /* this loop's turn came: that is all there is to tell */
        answer_json(request, MHD_HTTP_OK, json_pack("{s:s}", "status", "ok"));
        break;
    case PRF_HTTP_HEALTH:
        health(request, means->queries.hub);
        break;
    case PRF_HTTP_METRICS:
        metrics(request, means);
        break;
    case PRF_HTTP_DESCRIPTION:
        description(request);
        break;
    case PRF_HTTP_LIVE:
        live(request, means->live);
        break;
    case PRF_HTTP_OP:
        operation(request, means->ops);
        break;
    }
}
