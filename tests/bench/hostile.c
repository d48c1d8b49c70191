// SPDX-License-Identifier: Apache-2.0
/* hostile.c - what strangers and rude peers cost honest workers. Prints, for each attack, how many results a second sixteen honest
 * workers get committed while it goes on, and without it right before: medians of several rounds and their ratio; and how much of
 * the attack there was (messages, connections, handshakes).
 *
 *   build/dev/tests/hostile [ROUNDS [JOB_MS]]
 *
 * The coordinator is the real one, with keys, on loopback. The honest workers are played by one loop: a board takes JOB_MS (10) for
 * a job whatever else the machine does, as a real one would. Attacks run in a process of their own (this program again), which has
 * to share the machine's cores: part of what they take is that. No part of ctest, because timed. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/order.h"
#include "base/process.h"
#include "net/endpoint.h"
#include "net/frames.h"

enum {
    BOARDS = 16,
    JOB_MS = 10,
    JOB_MOST_MS = 1000,
    HELD = 32, /* jobs that a board keeps */
    WINDOW_MS = 2000,
    SETTLE_MS = 500,
    ROUNDS_MOST = 50,
    RATE = 10000, /* of an attack, a second */
    HALF_OPEN = 1000,
    STRANGERS = 64,
    READY_MS = 30000
};

static const char campaign[] = "campaign: endless\n"
                               "boards:\n"
                               "  - {kind: hand, backend: sim}\n"
                               "layers:\n"
                               "  - kind: fc\n"
                               "    params: {in: 1..2048, out: 1..2048}\n"
                               "    knowledge: white\n"
                               "    steps: {in: 2, out: 2}\n"
                               "budget: {samples: 400000}\n"
                               "validation: {layers: 4, repeats: 1}\n"
                               "baseline: false\n";

static char dir[64];
static char farm[3 * PRF_ENDPOINT];

static void die(const char *what, const prf_error_t *err)
{
    fprintf(stderr, "hostile: %s: %s\n", what, err->text);
    exit(1);
}

static prf_socket_t *connect_as(const char *name, const char *endpoint, int queue)
{
    char key[128], server[128];
    prf_identity_t identity;
    prf_socket_t *socket = NULL;
    prf_error_t err = {0};
    snprintf(key, sizeof key, "%s/%s.key", dir, name);
    snprintf(server, sizeof server, "%s/coordinator.pub", dir);
    if (prf_identity_load(&identity, key, server, &err) || prf_socket_new(&socket, PRF_DEALER, queue, 4 << 20, &err) ||
        prf_socket_identify(socket, &identity, &err) || prf_socket_connect(socket, endpoint, &err))
        die(name, &err);
    return socket;
}

/* -- attacks: until they are killed -- */

static uint64_t *actions; /* of the attack, in a file that both processes have mapped */

static void map_actions(void)
{
    char path[128];
    snprintf(path, sizeof path, "%s/actions", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof *actions) != 0)
        die(path, &(prf_error_t){.text = "cannot be made"});
    actions = mmap(NULL, sizeof *actions, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (actions == MAP_FAILED)
        die(path, &(prf_error_t){.text = "cannot be mapped"});
}

/* Sleeps so that `done` actions have taken done / RATE seconds. */
static void pace(uint64_t began_ms, uint64_t done)
{
    uint64_t due = began_ms + done * 1000 / RATE, now = prf_clock_mono_ms();
    if (due > now)
        poll(NULL, 0, (int)(due - now));
}

static void attack_bytes(const prf_endpoints_t *at, const void *bytes, size_t len)
{
    prf_socket_t *socket = connect_as("rude", at->workers, len < PRF_FRAME_BYTES ? 1000 : 2);
    uint64_t began = prf_clock_mono_ms();
    for (uint64_t i = 1;; i++) {
        if (prf_socket_send(socket, NULL, bytes, len, NULL))
            poll(NULL, 0, 1); /* nobody takes more at the moment */
        else
            ++*actions;
        (void)!prf_socket_tend(socket, NULL);
        if (i % 100 == 0)
            pace(began, i);
    }
}

static void attack_malformed(const prf_endpoints_t *at)
{
    attack_bytes(at, "this is no frame at all", 23);
}

/* Well formed, from a key on the list, and good for nothing: there is no session. */
static void attack_useless(const prf_endpoints_t *at)
{
    uint8_t *bytes;
    size_t len;
    prf_error_t err = {0};
    if (prf_frame_encode(&(prf_frame_t){.type = PRF_FRAME_CREDIT, .u.credit = 1}, &bytes, &len, &err))
        die("frame", &err);
    attack_bytes(at, bytes, len);
}

static int dial(const char *endpoint, int flags)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)atoi(strrchr(endpoint, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd >= 0)
        (void)!connect(fd, (struct sockaddr *)&address, sizeof address);
    return fd;
}

/* A frame of 16 EiB announced before anything else was said, on a new connection each time. */
static void attack_oversized(const prf_endpoints_t *at)
{
    uint8_t bytes[64 + 9] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 0, 'C', 'U', 'R', 'V', 'E'};
    bytes[64] = 2; /* a long message */
    memset(bytes + 65, 0xff, 8);
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    uint64_t began = prf_clock_mono_ms();
    for (uint64_t i = 1;; i++) {
        int fd = dial(at->workers, 0);
        (void)!send(fd, bytes, sizeof bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(fd);
        ++*actions;
        if (i % 100 == 0)
            pace(began, i);
    }
}

/* The same from a key on the list, on an encrypted connection that is made anew each time it is cut. */
static void attack_oversized_keyed(const prf_endpoints_t *at)
{
    size_t len = PRF_FRAME_BYTES + 1;
    attack_bytes(at, calloc(1, len), len);
}

static void attack_half_open(const prf_endpoints_t *at)
{
    static struct pollfd fds[HALF_OPEN];
    struct rlimit limit = {4 * HALF_OPEN, 4 * HALF_OPEN};
    setrlimit(RLIMIT_NOFILE, &limit);
    for (int i = 0; i < HALF_OPEN; i++)
        fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    for (;;) {
        for (int i = 0; i < HALF_OPEN; i++) {
            char piece[256];
            bool ended =
                fds[i].fd < 0 || ((fds[i].revents & (POLLIN | POLLHUP | POLLERR)) && recv(fds[i].fd, piece, sizeof piece, 0) <= 0);
            if (!ended)
                continue;
            if (fds[i].fd >= 0)
                close(fds[i].fd);
            fds[i].fd = dial(at->workers, 0);
            ++*actions;
            if (i % 2)
                (void)!send(fds[i].fd, "\xff\0\0\0\0\0\0\0\1\x7f\3", 11, MSG_NOSIGNAL);
        }
        poll(fds, HALF_OPEN, 100);
    }
}

static void attack_strangers(const prf_endpoints_t *at)
{
    prf_socket_t *sockets[STRANGERS] = {NULL};
    for (size_t i = 0;; i = (i + 1) % STRANGERS) {
        prf_socket_destroy(&sockets[i]);
        ++*actions;
        sockets[i] = connect_as("stranger", at->workers, 10);
        poll(NULL, 0, 1);
    }
}

static const struct {
    const char *name, *what;
    void (*run)(const prf_endpoints_t *at);
} attacks[] = {
    {"malformed", "10,000 malformed frames a second, key on the list", attack_malformed},
    {"useless", "10,000 frames a second without a session, key on the list", attack_useless},
    {"oversized", "10,000 connections a second that announce 16 EiB", attack_oversized},
    {"oversized-keyed", "frames above 1 MiB, key on the list, as fast as it goes", attack_oversized_keyed},
    {"half-open", "1,000 half-open connections, opened again when closed", attack_half_open},
    {"strangers", "handshakes of an unknown key, up to 1,000 a second", attack_strangers},
};
enum { ATTACKS = sizeof attacks / sizeof *attacks };

/* -- honest workers -- */

typedef struct {
    prf_socket_t *socket;
    uint64_t session, ids[4 * HELD], heartbeat_ms, hello_ms, due_ms;
    prf_job_t jobs[4 * HELD]; /* without blocks */
    size_t count;
    char name[16];
} board_t;

static board_t boards[BOARDS];
static uint64_t committed;
static unsigned job_ms = JOB_MS;

static void send_frame(board_t *b, const prf_frame_t *frame)
{
    (void)!prf_frame_send(b->socket, NULL, frame, NULL);
}

static void hello(board_t *b, uint64_t now)
{
    prf_frame_t frame = {.type = PRF_FRAME_HELLO, .u.hello = {.kinds = 0xfff, .dtypes = 0xf}};
    snprintf(frame.u.hello.board, sizeof frame.u.hello.board, "%s", b->name);
    snprintf(frame.u.hello.kind, sizeof frame.u.hello.kind, "hand");
    snprintf(frame.u.hello.fingerprint, sizeof frame.u.hello.fingerprint, "by hand");
    snprintf(frame.u.hello.software, sizeof frame.u.hello.software, "bench");
    b->hello_ms = now + 1000;
    send_frame(b, &frame);
}

static void take_frame(board_t *b, prf_frame_t *frame)
{
    if (frame->type == PRF_FRAME_WELCOME) {
        b->session = frame->u.welcome.session;
        b->count = 0;
        send_frame(b, &(prf_frame_t){.type = PRF_FRAME_CREDIT, .u.credit = HELD});
    } else if (frame->type == PRF_FRAME_REFUSAL && frame->u.refusal.status == PRF_ENOTFOUND) {
        b->session = 0;
    } else if (frame->type == PRF_FRAME_COMMITTED) {
        committed += frame->u.ids.count;
    } else if (frame->type == PRF_FRAME_JOB_BATCH) {
        for (size_t i = 0; i < frame->u.jobs.count && b->count < 4 * HELD; i++)
            b->jobs[b->count++] = frame->u.jobs.items[i];
    }
}

/* What the board has measured by now. */
static void measure(board_t *b, uint64_t now)
{
    prf_result_t results[HELD];
    size_t done = 0;
    if (b->count == 0 || b->due_ms + 1000 < now)
        b->due_ms = now; /* it had nothing to do */
    while (done < b->count && done < HELD && b->due_ms <= now) {
        const prf_job_t *job = &b->jobs[done];
        results[done] = (prf_result_t){.id = job->id, .epoch = job->epoch, .point = job->point, .attempt = job->attempt};
        results[done++].sample = (prf_sample_t){
            .latency_ns = 1000, .min_ns = 1000, .repeats = 5, .ci_percent = 0.5, .wall_ms = prf_clock_wall_ms(), .busy_ns = 1000};
        b->due_ms += job_ms;
    }
    if (done == 0)
        return;
    memmove(b->jobs, b->jobs + done, (b->count - done) * sizeof *b->jobs);
    b->count -= done;
    send_frame(b, &(prf_frame_t){.type = PRF_FRAME_RESULT_BATCH, .u.results = {.items = results, .count = done}});
    send_frame(b, &(prf_frame_t){.type = PRF_FRAME_CREDIT, .u.credit = (uint32_t)done});
}

static void turn(board_t *b, uint64_t now)
{
    uint8_t *bytes;
    size_t len;
    while (prf_socket_recv(b->socket, NULL, &bytes, &len, NULL) == PRF_OK) {
        prf_frame_t frame;
        if (prf_frame_decode(&frame, bytes, len, NULL) == PRF_OK) {
            take_frame(b, &frame);
            prf_frame_release(&frame);
        }
        free(bytes);
    }
    if (!b->session && now >= b->hello_ms)
        hello(b, now);
    if (!b->session)
        return;
    measure(b, now);
    if (now >= b->heartbeat_ms) {
        for (size_t i = 0; i < b->count; i++)
            b->ids[i] = b->jobs[i].id;
        send_frame(
            b, &(prf_frame_t){.type = PRF_FRAME_HEARTBEAT, .u.ids = {.session = b->session, .items = b->ids, .count = b->count}});
        b->heartbeat_ms = now + 1000;
    }
}

/* Results committed a second. */
static double work(unsigned ms)
{
    uint64_t began = prf_clock_mono_ms(), before = committed, now;
    while ((now = prf_clock_mono_ms()) < began + ms) {
        for (size_t i = 0; i < BOARDS; i++)
            turn(&boards[i], now);
        poll(NULL, 0, 1);
    }
    return (double)(committed - before) * 1000 / (double)(now - began);
}

/* -- the farm -- */

static void make_keys(void)
{
    static const char *const names[] = {"coordinator", "honest", "rude", "operator", "stranger"};
    static const char *const roles[] = {NULL, "worker", "worker", "operator", NULL};
    char list[1024] = "", key_path[PATH_MAX], public_path[PATH_MAX], path[128];
    prf_error_t err = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        prf_keypair_t pair;
        char text[PRF_KEY_TEXT];
        prf_keypair_new(&pair);
        prf_key_format(&pair.public_key, text);
        if (prf_keypair_write(&pair, dir, names[i], key_path, public_path, &err))
            die("keys", &err);
        if (roles[i])
            snprintf(list + strlen(list), sizeof list - strlen(list), "%s %s %s\n", roles[i], text, names[i]);
    }
    snprintf(path, sizeof path, "%s/allow", dir);
    if (prf_file_write(path, list, strlen(list), &err))
        die(path, &err);
}

static void start_coordinator(prf_process_t *process)
{
    char key[128], allow[128], store[128], log[128], text[1024] = "";
    snprintf(key, sizeof key, "%s/coordinator.key", dir);
    snprintf(allow, sizeof allow, "%s/allow", dir);
    snprintf(store, sizeof store, "%s/store", dir);
    snprintf(log, sizeof log, "%s/coordinator.log", dir);
    const char *const argv[] = {
        PRF_BIN_DIR "/prfarm-coordinator", "--farm", "tcp://127.0.0.1:*", "--store", store, "--key", key, "--allow", allow, NULL};
    prf_error_t err = {0};
    if (prf_process_start(process, argv, &(prf_process_options_t){.pipes = true, .log = log}, &err))
        die("coordinator", &err);
    size_t len = 0;
    for (uint64_t until = prf_clock_mono_ms() + READY_MS; !strchr(text, '\n') && prf_clock_mono_ms() < until;) {
        struct pollfd fd = {.fd = process->out, .events = POLLIN};
        ssize_t n = poll(&fd, 1, 100) > 0 ? read(process->out, text + len, sizeof text - 1 - len) : 0;
        len += n > 0 ? (size_t)n : 0;
    }
    if (sscanf(text, "ready farm=%767s", farm) != 1)
        die("coordinator", &(prf_error_t){.text = "it did not become ready"});
}

static void submit(const prf_endpoints_t *at)
{
    char json[2048], escaped[1024] = "";
    for (const char *c = campaign; *c; c++)
        snprintf(escaped + strlen(escaped), sizeof escaped - strlen(escaped), *c == '\n' ? "\\n" : "%c", *c);
    snprintf(json, sizeof json, "{\"campaign\": \"%s\", \"file\": \"endless.yaml\", \"networks\": []}", escaped);
    prf_socket_t *socket = connect_as("operator", at->clients, 10);
    prf_frame_t frame = {.type = PRF_FRAME_REQUEST, .u.request = {.id = 1, .op = "submit", .json = json}}, reply = {0};
    prf_error_t err = {0};
    if (prf_frame_send(socket, NULL, &frame, &err))
        die("submit", &err);
    uint8_t *bytes = NULL;
    size_t len;
    for (uint64_t until = prf_clock_mono_ms() + READY_MS;
         prf_socket_recv(socket, NULL, &bytes, &len, &err) && prf_clock_mono_ms() < until;)
        poll(NULL, 0, 10);
    if (!bytes || prf_frame_decode(&reply, bytes, len, &err))
        die("submit", &err);
    if (reply.type != PRF_FRAME_REPLY || reply.u.reply.status)
        die("submit", &(prf_error_t){.text = "was refused"});
    prf_frame_release(&reply);
    free(bytes);
    prf_socket_destroy(&socket);
}

/* `pressed` receives what the attack did, a second. */
static double with_attack(const char *self, const char *name, double *pressed)
{
    const char *const argv[] = {self, "--attack", name, dir, farm, NULL};
    prf_process_t process;
    prf_error_t err = {0};
    if (prf_process_start(&process, argv, &(prf_process_options_t){.log = "/dev/null"}, &err))
        die(name, &err);
    *actions = 0;
    work(SETTLE_MS);
    double rate = work(WINDOW_MS);
    *pressed = (double)*actions * 1000 / (SETTLE_MS + WINDOW_MS);
    prf_process_stop(&process, 0);
    work(SETTLE_MS);
    return rate;
}

static void compare(const char *self, unsigned rounds)
{
    static double quiet[ATTACKS][ROUNDS_MOST], loud[ATTACKS][ROUNDS_MOST], pressed[ATTACKS][ROUNDS_MOST];
    for (unsigned r = 0; r < rounds; r++)
        for (size_t a = 0; a < ATTACKS; a++) {
            quiet[a][r] = work(WINDOW_MS);
            loud[a][r] = with_attack(self, attacks[a].name, &pressed[a][r]);
        }
    printf("%u rounds of %.1f s; results a second of %d honest workers, medians\n\n", rounds, WINDOW_MS / 1000.0, BOARDS);
    printf("%-62s %9s %8s %8s %7s\n", "attack", "reached", "without", "with", "ratio");
    for (size_t a = 0; a < ATTACKS; a++) {
        double before = prf_median(quiet[a], rounds), during = prf_median(loud[a], rounds);
        printf("%-62s %7.0f/s %8.0f %8.0f %6.1f%%\n", attacks[a].what, prf_median(pressed[a], rounds), before, during,
               100 * during / before);
    }
}

static int attack(const char *name)
{
    prf_endpoints_t at;
    prf_error_t err = {0};
    if (prf_endpoints_parse(&at, farm, &err))
        die(farm, &err);
    for (size_t i = 0; i < ATTACKS; i++)
        if (strcmp(attacks[i].name, name) == 0)
            attacks[i].run(&at);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "--attack") == 0) {
        snprintf(dir, sizeof dir, "%s", argv[3]);
        snprintf(farm, sizeof farm, "%s", argv[4]);
        map_actions();
        return attack(argv[2]);
    }
    int rounds = argc > 1 ? atoi(argv[1]) : 5, ms = argc > 2 ? atoi(argv[2]) : JOB_MS;
    if (argc > 3 || rounds < 1 || rounds > ROUNDS_MOST || ms < 1 || ms > JOB_MOST_MS) {
        fprintf(stderr, "usage: hostile [ROUNDS, 1 to %d [JOB_MS, 1 to %d]]\n", ROUNDS_MOST, JOB_MOST_MS);
        return 2;
    }
    snprintf(dir, sizeof dir, "/tmp/prfarm-hostile-XXXXXX");
    if (!mkdtemp(dir))
        die(dir, &(prf_error_t){.text = "cannot be made"});
    map_actions();
    job_ms = (unsigned)ms;
    prf_process_t coordinator;
    prf_endpoints_t at;
    prf_error_t err = {0};
    make_keys();
    start_coordinator(&coordinator);
    if (prf_endpoints_parse(&at, farm, &err))
        die(farm, &err);
    submit(&at);
    for (int i = 0; i < BOARDS; i++) {
        snprintf(boards[i].name, sizeof boards[i].name, "honest-%d", i);
        boards[i].socket = connect_as("honest", at.workers, 1000);
    }
    work(2 * WINDOW_MS);
    compare(argv[0], (unsigned)rounds);
    for (int i = 0; i < BOARDS; i++)
        prf_socket_destroy(&boards[i].socket);
    prf_process_stop(&coordinator, 5000);
    printf("\nlog and store are in %s\n", dir);
    return 0;
}
