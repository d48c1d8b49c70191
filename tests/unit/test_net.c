// SPDX-License-Identifier: Apache-2.0
/* Peers that misbehave are played through libzmq itself, since prf_socket_t cannot. Waiting is done by a loop with a guard. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

#include "net/net.h"
#include "tests/support/patience.h"

enum { LIMIT = 64 * 1024 };

static prf_error_t err;

static prf_socket_t *make(prf_socket_type_t type, int queue)
{
    prf_socket_t *s = NULL;
    cr_assert_eq(prf_socket_new(&s, type, queue, LIMIT, &err), PRF_OK, "%s", err.text);
    return s;
}

static prf_socket_t *bound(prf_socket_type_t type, const char *endpoint, char at[PRF_ENDPOINT])
{
    prf_socket_t *s = make(type, 100);
    cr_assert_eq(prf_socket_bind(s, endpoint, at, &err), PRF_OK, "%s", err.text);
    return s;
}

static prf_socket_t *connected(prf_socket_type_t type, const char *endpoint)
{
    prf_socket_t *s = make(type, 100);
    cr_assert_eq(prf_socket_connect(s, endpoint, &err), PRF_OK, "%s", err.text);
    return s;
}

static void too_late(void *arg)
{
    (void)arg;
    cr_assert_fail("nothing happened for %d ms", PATIENCE_MS);
}

static prf_loop_t *guarded(void)
{
    prf_loop_t *loop = NULL;
    cr_assert_eq(prf_loop_new(&loop, &err), PRF_OK);
    cr_assert_eq(prf_loop_add_timer(loop, PATIENCE_MS, too_late, NULL, NULL, &err), PRF_OK);
    return loop;
}

static void stop(void *arg)
{
    prf_loop_stop(arg);
}

/* Waits for one message and takes it. */
static char *await(prf_socket_t *s, prf_peer_t *from, size_t *len)
{
    prf_loop_t *loop = guarded();
    uint8_t *bytes = NULL;
    cr_assert_eq(prf_loop_add_socket(loop, s, stop, loop, &err), PRF_OK);
    do
        cr_assert_eq(prf_loop_run(loop, &err), PRF_OK);
    while (prf_socket_recv(s, from, &bytes, len, &err) == PRF_ETIMEOUT);
    prf_loop_destroy(&loop);
    return (char *)bytes;
}

static void expect(prf_socket_t *s, prf_peer_t *from, const char *text)
{
    size_t len = 0;
    char *got = await(s, from, &len);
    cr_expect_eq(len, strlen(text));
    cr_expect(len != strlen(text) || memcmp(got, text, len) == 0, "got '%.*s' in place of '%s'", (int)len, got, text);
    free(got);
}

static void say(prf_socket_t *s, const prf_peer_t *to, const char *text)
{
    cr_assert_eq(prf_socket_send(s, to, text, strlen(text), &err), PRF_OK, "%s", err.text);
}

static void folder(char dir[64])
{
    snprintf(dir, 64, "/tmp/prf-net-XXXXXX");
    cr_assert(mkdtemp(dir));
}

Test(net, a_router_answers_the_peer_that_asked)
{
    char at[PRF_ENDPOINT];
    prf_socket_t *router = bound(PRF_ROUTER, "tcp://127.0.0.1:*", at);
    prf_socket_t *a = connected(PRF_DEALER, at), *b = connected(PRF_DEALER, at);
    prf_peer_t peer_a, peer_b;
    say(a, NULL, "from a");
    expect(router, &peer_a, "from a");
    say(b, NULL, "");
    expect(router, &peer_b, "");
    cr_expect(peer_a.len > 0 && memcmp(&peer_a, &peer_b, sizeof peer_a) != 0);
    say(router, &peer_b, "to b");
    say(router, &peer_a, "to a");
    expect(a, NULL, "to a");
    expect(b, NULL, "to b");
    uint8_t *bytes;
    size_t len;
    cr_expect_eq(prf_socket_recv(a, NULL, &bytes, &len, &err), PRF_ETIMEOUT);
    prf_socket_destroy(&a);
    prf_socket_destroy(&b);
    prf_socket_destroy(&router);
    prf_socket_destroy(&router);
}

typedef struct {
    prf_socket_t *socket;
    prf_peer_t peer;
    prf_loop_t *loop;
    prf_status_t wanted;
} probe_t;

static void probe(void *arg)
{
    probe_t *p = arg;
    if (prf_socket_send(p->socket, &p->peer, "x", 1, &err) == p->wanted)
        prf_loop_stop(p->loop);
}

Test(net, sending_to_a_peer_that_left_is_told)
{
    char at[PRF_ENDPOINT];
    prf_socket_t *router = bound(PRF_ROUTER, "tcp://127.0.0.1:*", at);
    prf_socket_t *dealer = connected(PRF_DEALER, at);
    probe_t p = {.socket = router, .loop = guarded(), .wanted = PRF_ENOTFOUND};
    prf_peer_t stranger = {.len = 5, .bytes = "abcd"};
    cr_expect_eq(prf_socket_send(router, &stranger, "x", 1, &err), PRF_ENOTFOUND);
    cr_expect_eq(prf_socket_send(router, NULL, "x", 1, &err), PRF_ENOTFOUND);
    say(dealer, NULL, "hello");
    expect(router, &p.peer, "hello");
    prf_socket_destroy(&dealer);
    cr_assert_eq(prf_loop_add_timer(p.loop, 1, probe, &p, NULL, &err), PRF_OK);
    cr_expect_eq(prf_loop_run(p.loop, &err), PRF_OK);
    prf_loop_destroy(&p.loop);
    prf_socket_destroy(&router);
}

/* Whoever has been read has room again, whatever libzmq has heard of it by then: a peer that reads each message before it is sent
 * the next one never finds its queue full, however small. The reader is a peer of its own, so that nothing is heard by receiving.
 */
Test(net, a_queue_that_is_read_is_never_full)
{
    char at[PRF_ENDPOINT];
    prf_socket_t *router = make(PRF_ROUTER, 2);
    cr_assert_eq(prf_socket_bind(router, "tcp://127.0.0.1:*", at, &err), PRF_OK, "%s", err.text);
    prf_socket_t *dealer = connected(PRF_DEALER, at);
    prf_peer_t peer;
    say(dealer, NULL, "hello");
    expect(router, &peer, "hello");
    for (int i = 0; i < 3000; i++) {
        say(router, &peer, "one more");
        expect(dealer, NULL, "one more");
    }
    prf_socket_destroy(&dealer);
    prf_socket_destroy(&router);
}

Test(net, a_full_queue_is_told_and_does_not_block)
{
    char at[PRF_ENDPOINT];
    prf_socket_t *router = make(PRF_ROUTER, 2);
    cr_assert_eq(prf_socket_bind(router, "tcp://127.0.0.1:*", at, &err), PRF_OK);
    prf_socket_t *dealer = make(PRF_DEALER, 2);
    cr_assert_eq(prf_socket_connect(dealer, at, &err), PRF_OK);
    prf_peer_t peer;
    say(dealer, NULL, "hello");
    expect(router, &peer, "hello");
    char *big = calloc(1, LIMIT);
    prf_status_t status = PRF_OK;
    for (int i = 0; i < 100000 && status == PRF_OK; i++)
        status = prf_socket_send(router, &peer, big, LIMIT, &err);
    cr_expect_eq(status, PRF_EBUSY);
    free(big);
    prf_socket_destroy(&dealer);
    prf_socket_destroy(&router);
}

/* Also when it is destroyed before it has left. */
Test(net, a_message_for_many_reaches_all_whole)
{
    enum { PEERS = 5 };
    char at[PRF_ENDPOINT];
    prf_socket_t *router = bound(PRF_ROUTER, "tcp://127.0.0.1:*", at), *dealers[PEERS];
    prf_peer_t peers[PEERS], stranger = {.len = 5, .bytes = "abcd"};
    char text[40000], small[] = "small";
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int i = 0; i < PEERS; i++) {
        dealers[i] = connected(PRF_DEALER, at);
        say(dealers[i], NULL, "hello");
        expect(router, &peers[i], "hello");
    }
    prf_message_t *large = NULL, *little = NULL;
    cr_assert_eq(prf_message_new(&large, text, strlen(text), &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_message_new(&little, small, strlen(small), &err), PRF_OK, "%s", err.text);
    for (int i = 0; i < PEERS; i++) {
        cr_expect_eq(prf_socket_send_message(router, &peers[i], large, &err), PRF_OK, "%s", err.text);
        cr_expect_eq(prf_socket_send_message(router, &peers[i], little, &err), PRF_OK, "%s", err.text);
    }
    cr_expect_eq(prf_socket_send_message(router, &stranger, large, &err), PRF_ENOTFOUND);
    prf_message_destroy(&large);
    prf_message_destroy(&large);
    prf_message_destroy(&little);
    for (int i = 0; i < PEERS; i++) {
        expect(dealers[i], NULL, text);
        expect(dealers[i], NULL, small);
        prf_socket_destroy(&dealers[i]);
    }
    prf_socket_destroy(&router);
}

/* A peer of any manners. */
typedef struct {
    void *context, *socket;
} raw_t;

static raw_t raw_dealer(const char *at, const char *name)
{
    raw_t raw = {.context = zmq_ctx_new()};
    raw.socket = zmq_socket(raw.context, ZMQ_DEALER);
    if (name)
        cr_assert_eq(zmq_setsockopt(raw.socket, ZMQ_ROUTING_ID, name, strlen(name)), 0);
    cr_assert_eq(zmq_connect(raw.socket, at), 0);
    return raw;
}

static void raw_close(raw_t *raw)
{
    int none = 0;
    zmq_setsockopt(raw->socket, ZMQ_LINGER, &none, sizeof none);
    zmq_close(raw->socket);
    zmq_ctx_term(raw->context);
}

static void raw_send(raw_t *raw, int parts, const char *text)
{
    for (int i = 0; i < parts; i++)
        cr_assert(zmq_send(raw->socket, text, strlen(text), i + 1 < parts ? ZMQ_SNDMORE : 0) >= 0);
}

Test(net, messages_of_a_wrong_number_of_parts_are_dropped_and_counted)
{
    char at[PRF_ENDPOINT];
    prf_socket_t *router = bound(PRF_ROUTER, "tcp://127.0.0.1:*", at);
    raw_t rude = raw_dealer(at, NULL);
    raw_send(&rude, 2, "two");
    raw_send(&rude, 7, "seven");
    raw_send(&rude, 1, "fine");
    expect(router, NULL, "fine");
    cr_expect_eq(prf_socket_dropped(router), 2);
    raw_close(&rude);
    raw_t proud = raw_dealer(at, "a-name-that-is-much-longer-than-the-32-bytes-we-keep");
    raw_send(&proud, 1, "unheard");
    raw_send(&proud, 3, "unheard");
    raw_t modest = raw_dealer(at, "modest");
    uint64_t before = prf_socket_dropped(router);
    prf_peer_t peer;
    for (uint64_t after = before; after < before + 2; after = prf_socket_dropped(router)) {
        raw_send(&modest, 1, "heard");
        expect(router, &peer, "heard");
        cr_expect_eq(peer.len, strlen("modest"));
    }
    cr_expect_eq(prf_socket_dropped(router), 4);
    raw_close(&proud);
    raw_close(&modest);
    prf_socket_destroy(&router);
}

Test(net, a_frame_above_the_limit_never_arrives_and_others_do)
{
    char at[PRF_ENDPOINT];
    prf_socket_t *router = bound(PRF_ROUTER, "tcp://127.0.0.1:*", at);
    raw_t rude = raw_dealer(at, NULL);
    char *big = calloc(1, LIMIT + 2);
    memset(big, 'x', LIMIT + 1);
    raw_send(&rude, 1, big);
    prf_socket_t *polite = connected(PRF_DEALER, at);
    big[LIMIT] = '\0';
    say(polite, NULL, big);
    expect(router, NULL, big);
    say(polite, NULL, "last");
    expect(router, NULL, "last");
    free(big);
    raw_close(&rude);
    prf_socket_destroy(&polite);
    prf_socket_destroy(&router);
}

static void refuse(const char *endpoint, prf_status_t code, const char *why)
{
    prf_socket_t *s = make(PRF_ROUTER, 10);
    cr_expect_eq(prf_socket_bind(s, endpoint, NULL, &err), code, "%s: %s", endpoint, prf_status_name(err.code));
    cr_expect(strstr(err.text, why), "'%s' does not say '%s'", err.text, why);
    prf_socket_destroy(&s);
}

Test(net, a_bind_that_fails_names_the_reason_and_the_remedy)
{
    char at[PRF_ENDPOINT], dir[64], path[128], endpoint[PRF_ENDPOINT];
    prf_socket_t *first = bound(PRF_ROUTER, "tcp://127.0.0.1:*", at);
    refuse(at, PRF_EBUSY, "choose another with --farm");
    refuse(at, PRF_EBUSY, at);
    prf_socket_destroy(&first);
    refuse("tcp://192.0.2.1:*", PRF_EINVAL, "not an address of this machine");
    refuse("udp://127.0.0.1:1", PRF_EINVAL, "tcp://HOST:PORT");
    folder(dir);
    snprintf(endpoint, sizeof endpoint, "ipc://%s/%0110d", dir, 0);
    refuse(endpoint, PRF_EINVAL, "shorter folder");
    snprintf(endpoint, sizeof endpoint, "ipc://%s/none/x", dir);
    refuse(endpoint, PRF_EINVAL, "folder does not exist");
    snprintf(path, sizeof path, "%s/precious", dir);
    snprintf(endpoint, sizeof endpoint, "ipc://%s", path);
    FILE *file = fopen(path, "w");
    cr_assert(file);
    fclose(file);
    refuse(endpoint, PRF_EINVAL, "file or folder");
    cr_expect_eq(access(path, F_OK), 0, "the file was removed");
    unlink(path);
    rmdir(dir);
}

Test(net, an_ipc_endpoint_is_not_stolen_but_a_dead_one_is_taken_over)
{
    char dir[64], path[128], endpoint[PRF_ENDPOINT];
    folder(dir);
    snprintf(path, sizeof path, "%s/s", dir);
    snprintf(endpoint, sizeof endpoint, "ipc://%s", path);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, path, strlen(path) + 1);
    int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(dead, (struct sockaddr *)&address, sizeof address), 0);
    close(dead);
    prf_socket_t *router = bound(PRF_ROUTER, endpoint, NULL);
    refuse(endpoint, PRF_EBUSY, "is in use");
    prf_socket_t *dealer = connected(PRF_DEALER, endpoint);
    say(dealer, NULL, "still mine");
    expect(router, NULL, "still mine");
    prf_socket_destroy(&dealer);
    prf_socket_destroy(&router);
    unlink(path);
    rmdir(dir);
}

typedef struct {
    prf_socket_t *socket;
    int sent;
} speaker_t;

static void speak(void *arg)
{
    speaker_t *s = arg;
    char text[16];
    int len = snprintf(text, sizeof text, "%d", s->sent++);
    cr_assert_eq(prf_socket_send(s->socket, NULL, text, (size_t)len, &err), PRF_OK);
}

Test(net, broadcasts_reach_subscribers_that_joined)
{
    char at[PRF_ENDPOINT];
    prf_socket_t *pub = bound(PRF_PUB, "tcp://127.0.0.1:*", at), *sub = connected(PRF_SUB, at);
    speaker_t speaker = {.socket = pub};
    prf_loop_t *loop = guarded();
    cr_assert_eq(prf_loop_add_timer(loop, 1, speak, &speaker, NULL, &err), PRF_OK);
    cr_assert_eq(prf_loop_add_socket(loop, sub, stop, loop, &err), PRF_OK);
    cr_assert_eq(prf_loop_run(loop, &err), PRF_OK);
    size_t len;
    char *got = await(sub, NULL, &len);
    cr_expect(len > 0);
    free(got);
    prf_loop_destroy(&loop);
    prf_socket_destroy(&sub);
    prf_socket_destroy(&pub);
}

Test(net, a_dealer_finds_a_router_that_came_back)
{
    char at[PRF_ENDPOINT];
    prf_socket_t *router = bound(PRF_ROUTER, "tcp://127.0.0.1:*", at);
    prf_socket_t *dealer = connected(PRF_DEALER, at);
    say(dealer, NULL, "one");
    expect(router, NULL, "one");
    prf_socket_destroy(&router);
    router = make(PRF_ROUTER, 100);
    /* The context's thread closes the old listener in its own time. */
    prf_status_t status = PRF_EBUSY;
    for (int i = 0; i < 1000000 && status == PRF_EBUSY; i++)
        status = prf_socket_bind(router, at, NULL, &err);
    cr_assert_eq(status, PRF_OK, "%s", err.text);
    speaker_t speaker = {.socket = dealer};
    prf_loop_t *loop = guarded();
    cr_assert_eq(prf_loop_add_timer(loop, 5, speak, &speaker, NULL, &err), PRF_OK);
    cr_assert_eq(prf_loop_add_socket(loop, router, stop, loop, &err), PRF_OK);
    cr_assert_eq(prf_loop_run(loop, &err), PRF_OK);
    prf_loop_destroy(&loop);
    prf_socket_destroy(&dealer);
    prf_socket_destroy(&router);
}

Test(net, sockets_leave_signals_alone)
{
    struct sigaction before[2], after[2];
    sigaction(SIGTERM, NULL, &before[0]);
    sigaction(SIGINT, NULL, &before[1]);
    prf_socket_t *s = bound(PRF_ROUTER, "tcp://127.0.0.1:*", NULL);
    sigaction(SIGTERM, NULL, &after[0]);
    sigaction(SIGINT, NULL, &after[1]);
    cr_expect_eq(before[0].sa_handler, after[0].sa_handler);
    cr_expect_eq(before[1].sa_handler, after[1].sa_handler);
    prf_socket_destroy(&s);
}
