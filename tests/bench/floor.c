// SPDX-License-Identifier: Apache-2.0
/* floor.c - the least that a durable farm costs: one ROUTER, one thread that commits to LMDB, nothing else. No leases, no epochs,
 * no checksums, no protocol. prfarm-bench measures prfarm beside it, with the same number of workers and jobs in flight.
 *
 *   prfarm-bench-floor FOLDER      prints "ready ENDPOINT", serves until it is killed
 *
 * A worker says how many jobs it takes, and how many to a message, as two 32-bit numbers. A job is 80 bytes, a result is the job
 * sent back. What arrives while a group is being committed is the next group. When a result is on the disk, its bytes are sent
 * again as the worker's next job, which tells the worker that the one before is durable. */
#include <errno.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

enum { JOB = 80, NAME = 16, GROUP = 4000, QUEUE = 100000, READ_AT_ONCE = 2000, BACKLOG = 4096 };

/* One message of results, on its way to the disk and back. */
typedef struct message {
    struct message *next;
    unsigned char peer[NAME];
    size_t peer_len, len;
    unsigned char bytes[];
} message_t;

typedef struct {
    message_t *first, **last;
    size_t jobs;
} list_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER;
static list_t waiting, done;
static int done_fd;
static MDB_env *env;
static MDB_dbi table;
static uint64_t next_key;

static void check(int rc, const char *what)
{
    if (rc) {
        fprintf(stderr, "prfarm-bench-floor: %s: %s\n", what, mdb_strerror(rc));
        exit(1);
    }
}

static void append(list_t *list, message_t *message)
{
    message->next = NULL;
    *list->last = message;
    list->last = &message->next;
    list->jobs += message->len / JOB;
}

static void join(list_t *list, list_t *other)
{
    if (!other->first)
        return;
    *list->last = other->first;
    list->last = other->last;
    list->jobs += other->jobs;
}

static void clear(list_t *list)
{
    *list = (list_t){.first = NULL, .last = &list->first, .jobs = 0};
}

static list_t take(list_t *list)
{
    list_t taken = *list;
    if (!taken.first)
        taken.last = NULL;
    clear(list);
    return taken;
}

static void commit(const list_t *group)
{
    MDB_txn *txn;
    check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    for (const message_t *m = group->first; m; m = m->next)
        for (size_t at = 0; at < m->len; at += JOB) {
            unsigned char bytes[8];
            uint64_t number = ++next_key;
            for (int i = 0; i < 8; i++)
                bytes[i] = (unsigned char)(number >> (56 - 8 * i));
            MDB_val key = {sizeof bytes, bytes}, value = {JOB, (void *)(m->bytes + at)};
            check(mdb_put(txn, table, &key, &value, MDB_APPEND), "put");
        }
    check(mdb_txn_commit(txn), "commit");
}

static void *commit_groups(void *arg)
{
    (void)arg;
    for (;;) {
        pthread_mutex_lock(&lock);
        while (!waiting.first)
            pthread_cond_wait(&filled, &lock);
        list_t group = take(&waiting);
        pthread_mutex_unlock(&lock);
        commit(&group);
        pthread_mutex_lock(&lock);
        join(&done, &group);
        pthread_mutex_unlock(&lock);
        (void)!eventfd_write(done_fd, 1);
    }
    return NULL;
}

static void open_store(const char *folder)
{
    MDB_txn *txn;
    check(mdb_env_create(&env), "environment");
    check(mdb_env_set_mapsize(env, (size_t)8 << 30), "map");
    check(mdb_env_open(env, folder, 0, 0600), folder);
    check(mdb_txn_begin(env, NULL, 0, &txn), "begin");
    check(mdb_dbi_open(txn, NULL, 0, &table), "table");
    check(mdb_txn_commit(txn), "commit");
}

static void send_to(void *router, const message_t *m)
{
    if (zmq_send(router, m->peer, m->peer_len, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0)
        (void)zmq_send(router, m->bytes, m->len, ZMQ_DONTWAIT);
}

static void greet(void *router, const message_t *hello)
{
    uint32_t words[2];
    memcpy(words, hello->bytes, sizeof words);
    size_t batch = words[1] ? words[1] : 1;
    message_t *m = calloc(1, sizeof *m + batch * JOB);
    if (!m)
        exit(1);
    *m = *hello;
    memset(m->bytes, 0, batch * JOB);
    for (size_t left = words[0]; left > 0; left -= m->len / JOB) {
        m->len = (left < batch ? left : batch) * JOB;
        send_to(router, m);
    }
    free(m);
}

/* False: nothing is there to read. */
static int read_one(void *router, list_t *into)
{
    zmq_msg_t name, body;
    zmq_msg_init(&name);
    zmq_msg_init(&body);
    int there = zmq_msg_recv(&name, router, ZMQ_DONTWAIT) >= 0 && zmq_msg_recv(&body, router, ZMQ_DONTWAIT) >= 0;
    if (there && zmq_msg_size(&name) <= NAME) {
        size_t len = zmq_msg_size(&body);
        message_t *m = malloc(sizeof *m + len);
        if (!m)
            exit(1);
        m->peer_len = zmq_msg_size(&name);
        memcpy(m->peer, zmq_msg_data(&name), m->peer_len);
        m->len = len;
        memcpy(m->bytes, zmq_msg_data(&body), len);
        if (len % JOB == 0) {
            append(into, m);
        } else {
            greet(router, m);
            free(m);
        }
    }
    zmq_msg_close(&name);
    zmq_msg_close(&body);
    return there;
}

static void read_results(void *router)
{
    list_t fresh;
    clear(&fresh);
    for (int i = 0; i < READ_AT_ONCE && fresh.jobs < GROUP && read_one(router, &fresh); i++)
        ;
    if (!fresh.first)
        return;
    pthread_mutex_lock(&lock);
    join(&waiting, &fresh);
    pthread_cond_signal(&filled);
    pthread_mutex_unlock(&lock);
}

static void answer(void *router)
{
    eventfd_t value;
    (void)!eventfd_read(done_fd, &value);
    pthread_mutex_lock(&lock);
    list_t group = take(&done);
    pthread_mutex_unlock(&lock);
    for (message_t *m = group.first, *next; m; m = next) {
        next = m->next;
        send_to(router, m);
        free(m);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: prfarm-bench-floor FOLDER\n");
        return 2;
    }
    clear(&waiting);
    clear(&done);
    open_store(argv[1]);
    done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    void *context = zmq_ctx_new(), *router = zmq_socket(context, ZMQ_ROUTER);
    int queue = QUEUE, backlog = BACKLOG;
    char endpoint[256];
    size_t len = sizeof endpoint;
    pthread_t thread;
    if (!router || zmq_setsockopt(router, ZMQ_SNDHWM, &queue, sizeof queue) != 0 ||
        zmq_setsockopt(router, ZMQ_RCVHWM, &queue, sizeof queue) != 0 ||
        zmq_setsockopt(router, ZMQ_BACKLOG, &backlog, sizeof backlog) != 0 || zmq_bind(router, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, endpoint, &len) != 0 || pthread_create(&thread, NULL, commit_groups, NULL) != 0) {
        fprintf(stderr, "prfarm-bench-floor: %s\n", zmq_strerror(errno));
        return 1;
    }
    printf("ready %s\n", endpoint);
    fflush(stdout);
    for (;;) {
        zmq_pollitem_t items[] = {{router, 0, ZMQ_POLLIN, 0}, {NULL, done_fd, ZMQ_POLLIN, 0}};
        if (zmq_poll(items, 2, -1) < 0)
            continue;
        if (items[1].revents)
            answer(router);
        if (items[0].revents)
            read_results(router);
    }
}
