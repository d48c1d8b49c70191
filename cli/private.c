// SPDX-License-Identifier: Apache-2.0
/* private.c - the same programs as on a big farm, started as children that die with us (base/process.h).
 *
 * The lock is an flock on DIR/lock: the kernel drops it whatever ends the holder, so that nothing stale has to be guessed at.
 * DIR/endpoint is only believed while the lock is held. The sockets lie in a folder of their own under TMPDIR, because a socket's
 * path may have only 107 bytes and DIR may be long; it is removed in the end, and after a SIGKILL is an empty leftover of a few
 * bytes that the next run of the same DIR removes (its name is in DIR/sockets). */
#include "private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "dashboard.h"
#include "net/endpoint.h"
#include "point/point.h"
#include "signals.h"

enum {
    PATH = PRF_DIR + 256,
    READY_MS = 60000,
    BUSY_RETRIES = 30, /* of 100 ms: a predecessor that was killed is still dying */
    GRACE_MS = 5000,
    CARE_GRACE_MS = 270000, /* a worker's first and last command may take their time (worker/care) */
    OPTION_TEXT = 512,
    SHORT_LIFE_MS = 10000,
    SHORT_LIVES = 8, /* in a row: then the worker is given up, and the run with it */
    LOG_BYTES = 4 << 20
};

typedef struct {
    char name[PRF_NAME];
    prf_process_t process;
    const char **argv; /* owned array; texts owned by `words` */
    char **words;
    size_t word_count;
    unsigned grace_ms;             /* for its end */
    uint64_t started_ms, again_ms; /* again_ms: when to start it again */
    unsigned short_lives;
} worker_t;

struct prf_private {
    char dir[PRF_DIR];
    char sockets[108]; /* folder; "" while there is none */
    int lock;          /* -1: not held */
    prf_process_t coordinator;
    prf_farm_t *farm;
    char farm_name[3 * PRF_ENDPOINT];
    char url[128]; /* of the dashboard; "": there is none */
    char token[PRF_DASHBOARD_TOKEN];
    worker_t *workers; /* owned */
    size_t worker_count;
    unsigned restarts;
};

/* DIR/rest. The folder's length was checked, so the result is never cut. */
static const char *in_dir(const prf_private_t *self, const char *rest, char path[PATH])
{
    snprintf(path, PATH, "%s/%s", self->dir, rest);
    return path;
}

static prf_status_t in_use(const char *dir, prf_error_t *err)
{
    return prf_fail(err, PRF_EBUSY,
                    "%s: another prfarm works in this folder: watch it with 'prfarm watch --dir %s', or choose another folder", dir,
                    dir);
}

static prf_status_t take_lock(prf_private_t *self, prf_error_t *err)
{
    char path[PATH];
    self->lock = open(in_dir(self, "lock", path), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (self->lock < 0)
        return prf_fail_sys(err, errno, "choose a folder that can be written: %s", path);
    if (flock(self->lock, LOCK_EX | LOCK_NB) == 0)
        return PRF_OK;
    int e = errno;
    close(self->lock);
    self->lock = -1;
    if (e != EWOULDBLOCK)
        return prf_fail_sys(err, e, "%s", path);
    return in_use(self->dir, err);
}

/* Removes a socket folder, ours or one that a killed predecessor left. Only what we make there. */
static void remove_sockets(const char *folder)
{
    static const char *const names[] = {"f.workers", "f.clients", "f.broadcast"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[160];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

static prf_status_t make_sockets(prf_private_t *self, prf_error_t *err)
{
    char path[PATH], *left;
    size_t len;
    if (prf_file_read(in_dir(self, "sockets", path), sizeof self->sockets - 1, &left, &len, NULL) == PRF_OK) {
        if (strstr(left, "/prfarm-"))
            remove_sockets(left);
        free(left);
    }
    const char *tmp = getenv("TMPDIR");
    int used = snprintf(self->sockets, sizeof self->sockets, "%s/prfarm-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (used >= 90 || strchr(self->sockets, ',') || !mkdtemp(self->sockets)) {
        int e = used >= 90 ? ENAMETOOLONG : errno;
        snprintf(path, sizeof path, "%s", self->sockets);
        self->sockets[0] = '\0';
        return prf_fail_sys(err, e, "no sockets can be made, set TMPDIR to a short path that can be written: %.200s", path);
    }
    return prf_file_write(path, self->sockets, strlen(self->sockets), err);
}

/* DIR/logs/NAME.log; a large old one makes way. */
static void log_path(const prf_private_t *self, const char *name, char path[PATH])
{
    char rest[PRF_NAME + 16];
    snprintf(rest, sizeof rest, "logs/%s.log", name);
    in_dir(self, rest, path);
    struct stat info;
    if (stat(path, &info) == 0 && info.st_size > LOG_BYTES) {
        char old[PATH + 2];
        snprintf(old, sizeof old, "%s.1", path);
        rename(path, old);
    }
}

/* The last line of a log, for a message; "" when there is none. */
static void last_words(const char *path, char *text, size_t cap)
{
    char tail[1024];
    text[0] = '\0';
    FILE *file = fopen(path, "re");
    if (!file)
        return;
    if (fseek(file, -(long)(sizeof tail - 1), SEEK_END) != 0)
        rewind(file);
    size_t len = fread(tail, 1, sizeof tail - 1, file);
    fclose(file);
    while (len && (tail[len - 1] == '\n' || tail[len - 1] == ' '))
        len--;
    tail[len] = '\0';
    const char *line = strrchr(tail, '\n');
    snprintf(text, cap, "%s", line ? line + 1 : tail);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
}

/* Our code for what a child ended with; prfarm's programs share their exit codes. */
static prf_status_t status_of(int wait_status)
{
    if (!WIFEXITED(wait_status))
        return PRF_ECRASH;
    for (int code = PRF_EUSAGE; code < PRF_STATUS_COUNT; code++)
        if (code != PRF_EUSAGE && prf_exit_code((prf_status_t)code) == WEXITSTATUS(wait_status))
            return (prf_status_t)code;
    return PRF_ECRASH;
}

static prf_status_t fail_ended(const prf_private_t *self, const char *program, int wait_status, prf_error_t *err)
{
    char path[PATH], words[240], how[80];
    log_path(self, program, path);
    last_words(path, words, sizeof words);
    prf_process_describe(wait_status, how, sizeof how);
    if (status_of(wait_status) == PRF_ENOSPC) /* its last words may not have fitted on the disk either */
        return prf_fail(err, PRF_ENOSPC, "%s: the disk is full: make room, then the same command continues", self->dir);
    return prf_fail(err, status_of(wait_status), "%s ended with %s: %s: see %.120s", program, how, words[0] ? words : "no message",
                    path);
}

/* "ready farm=... http=...". False: it is not whole yet, or not what it should be. */
static bool parse_ready(prf_private_t *self, const char *text)
{
    static const char farm[] = "ready farm=", http[] = " http=";
    const char *ready = strstr(text, farm), *end = ready ? strchr(ready, '\n') : NULL;
    if (!end)
        return false;
    ready += sizeof farm - 1;
    size_t len = strcspn(ready, " \n");
    const char *url = strncmp(ready + len, http, sizeof http - 1) == 0 ? ready + len + sizeof http - 1 : end;
    if (len >= sizeof self->farm_name || (size_t)(end - url) >= sizeof self->url)
        return false;
    snprintf(self->farm_name, sizeof self->farm_name, "%.*s", (int)len, ready);
    snprintf(self->url, sizeof self->url, "%.*s", (int)(end - url), url);
    return true;
}

/* Reads standard output until the coordinator is ready. PRF_EBUSY: the store is still held. */
static prf_status_t await_ready(prf_private_t *self, prf_error_t *err)
{
    char text[1024];
    size_t len = 0;
    uint64_t deadline = prf_clock_mono_ms() + READY_MS;
    for (;;) {
        prf_pause(self->coordinator.out, 200);
        prf_status_t status = prf_check_interrupted(err);
        if (status)
            return status;
        struct pollfd item = {.fd = self->coordinator.out, .events = POLLIN};
        ssize_t n = 0;
        if (poll(&item, 1, 0) > 0 && (item.revents & POLLIN))
            n = read(self->coordinator.out, text + len, sizeof text - 1 - len);
        len += n > 0 ? (size_t)n : 0;
        text[len] = '\0';
        if (parse_ready(self, text))
            return PRF_OK;
        int ended;
        if (n <= 0 && prf_process_ended(&self->coordinator, &ended))
            return fail_ended(self, "coordinator", ended, err);
        if (len == sizeof text - 1 || prf_clock_mono_ms() > deadline)
            return prf_fail(err, PRF_ETIMEOUT, "the coordinator was not ready within %d s: see %s/logs/coordinator.log",
                            READY_MS / 1000, self->dir);
    }
}

static prf_status_t start_coordinator(prf_private_t *self, const char *http, prf_error_t *err)
{
    char program[4096], farm[160], store[PATH], log[PATH], token[PATH];
    prf_process_sibling("prfarm-coordinator", program, sizeof program);
    snprintf(farm, sizeof farm, "ipc://%s/f", self->sockets);
    in_dir(self, "store", store);
    log_path(self, "coordinator", log);
    in_dir(self, PRF_PRIVATE_TOKEN, token);
    prf_status_t status = http ? prf_dashboard_token(token, self->token, err) : PRF_OK;
    if (status)
        return status;
    const char *const argv[] = {program, "--farm",       farm,  "--store", store, http ? "--http" : NULL,
                                http,    "--http-token", token, NULL};
    const prf_process_options_t options = {.pipes = true, .log = log};
    status = PRF_EBUSY;
    for (int i = 0; status == PRF_EBUSY && i < BUSY_RETRIES; i++) {
        prf_process_stop(&self->coordinator, 0);
        status = prf_process_start(&self->coordinator, argv, &options, err);
        if (!status)
            status = await_ready(self, err);
        if (status == PRF_EBUSY)
            prf_pause(-1, 100);
    }
    return status;
}

static prf_status_t make_folders(prf_private_t *self, bool create, prf_error_t *err)
{
    static const char *const folders[] = {"store", "models", "state", "logs"};
    char path[PATH];
    if (!create && access(in_dir(self, "store", path), F_OK) != 0)
        return prf_fail(err, PRF_ENOTFOUND, "%s: no campaign was run there: name the folder that was given to 'prfarm run --out'",
                        self->dir);
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        prf_status_t status = prf_file_mkdirs(in_dir(self, folders[i], path), 0755, err);
        if (status)
            return status;
    }
    return PRF_OK;
}

prf_status_t prf_private_open(prf_private_t **out, const char *dir, bool create, const char *http, prf_error_t *err)
{
    prf_private_t *self = calloc(1, sizeof *self);
    if (!self)
        return prf_fail(err, PRF_ENOMEM, "%s", dir);
    self->lock = -1;
    self->coordinator = (prf_process_t){.fd = -1, .in = -1, .out = -1};
    char path[PATH];
    prf_status_t status = PRF_OK;
    if (snprintf(self->dir, sizeof self->dir, "%s", dir) >= (int)sizeof self->dir)
        status = prf_fail(err, PRF_EINVAL, "%.100s...: the folder's path is too long: use a shorter one", dir);
    if (status || (status = make_folders(self, create, err)) || (status = take_lock(self, err)) ||
        (status = make_sockets(self, err)) || (status = start_coordinator(self, http, err)) ||
        (status = prf_farm_connect(&self->farm, self->farm_name, NULL, err)) ||
        (status = prf_file_write(in_dir(self, "endpoint", path), self->farm_name, strlen(self->farm_name), err))) {
        prf_private_close(&self);
        return status;
    }
    *out = self;
    return PRF_OK;
}

static prf_status_t start_worker(prf_private_t *self, worker_t *worker, prf_error_t *err)
{
    char log[PATH];
    log_path(self, worker->name, log);
    const prf_process_options_t options = {.log = log};
    worker->started_ms = prf_clock_mono_ms();
    worker->again_ms = 0;
    return prf_process_start(&worker->process, worker->argv, &options, err);
}

/* Appends a copy of the text to the worker's command line; room was made for all of them. */
static bool add_word(worker_t *worker, const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        return false;
    worker->words[worker->word_count] = copy;
    worker->argv[worker->word_count++] = copy;
    return true;
}

static prf_status_t plan_worker(const prf_private_t *self, worker_t *worker, const prf_private_board_t *board, unsigned number,
                                prf_error_t *err)
{
    char program[4096], state[PATH], rest[PRF_NAME + 8];
    *worker = (worker_t){.process = {.fd = -1, .in = -1, .out = -1}};
    if (snprintf(worker->name, sizeof worker->name, "%s-%u", board->kind, number) >= (int)sizeof worker->name)
        return prf_fail(err, PRF_EINVAL,
                        "board kind '%s' is too long, since its boards' names need a few characters more: use a shorter one",
                        board->kind);
    prf_process_sibling("prfarm-worker", program, sizeof program);
    unsetenv("PRFARM_KEY"); /* a farm of one's own has no keys, whichever other farm the environment names */
    unsetenv("PRFARM_SERVER");
    snprintf(rest, sizeof rest, "state/%s", worker->name);
    in_dir(self, rest, state);
    size_t most = 16 + 2 * board->option_count + board->care_count;
    worker->grace_ms = board->care_count > 0 ? CARE_GRACE_MS : GRACE_MS;
    worker->words = calloc(most, sizeof *worker->words);
    worker->argv = calloc(most + 1, sizeof *worker->argv);
    bool ok = worker->words && worker->argv;
    const char *const fixed[] = {program,     "--farm",    self->farm_name, "--board", worker->name, "--kind",
                                 board->kind, "--backend", board->backend,  "--state", state};
    for (size_t i = 0; ok && i < sizeof fixed / sizeof *fixed; i++)
        ok = add_word(worker, fixed[i]);
    for (size_t i = 0; ok && i < board->option_count; i++)
        ok = add_word(worker, "--option") && add_word(worker, board->options[i]);
    for (size_t i = 0; ok && i < board->care_count; i++) {
        char word[OPTION_TEXT];
        snprintf(word, sizeof word, "--%s", board->care[i]);
        ok = add_word(worker, word);
    }
    return ok ? PRF_OK : prf_fail(err, PRF_ENOMEM, "worker %s", worker->name);
}

prf_status_t prf_private_add(prf_private_t *self, const prf_private_board_t *board, prf_error_t *err)
{
    worker_t *grown = realloc(self->workers, (self->worker_count + board->workers) * sizeof *grown);
    if (!grown)
        return prf_fail(err, PRF_ENOMEM, "%u workers", board->workers);
    self->workers = grown;
    for (unsigned i = 1; i <= board->workers; i++) {
        worker_t *worker = &self->workers[self->worker_count];
        prf_status_t status = plan_worker(self, worker, board, i, err);
        self->worker_count++;
        if (status || (status = start_worker(self, worker, err)))
            return status;
    }
    return PRF_OK;
}

/* Faults that a new start would only repeat: its command line, its options, a library that is not there. Not a folder in use: the
 * worker of a run that was killed may still be dying there. */
static bool hopeless(int wait_status)
{
    if (!WIFEXITED(wait_status))
        return false;
    int code = WEXITSTATUS(wait_status);
    return code >= 2 && code <= 6 && code != prf_exit_code(PRF_EBUSY);
}

static prf_status_t tend_worker(prf_private_t *self, worker_t *worker, prf_error_t *err)
{
    uint64_t now = prf_clock_mono_ms();
    if (worker->again_ms) {
        if (now < worker->again_ms)
            return PRF_OK;
        self->restarts++;
        return start_worker(self, worker, err);
    }
    int ended;
    if (!prf_process_ended(&worker->process, &ended))
        return PRF_OK;
    worker->short_lives = now - worker->started_ms < SHORT_LIFE_MS ? worker->short_lives + 1 : 0;
    if (hopeless(ended) || worker->short_lives > SHORT_LIVES)
        return fail_ended(self, worker->name, ended, err);
    worker->again_ms = now + (UINT64_C(100) << worker->short_lives);
    return PRF_OK;
}

prf_status_t prf_private_tend(prf_private_t *self, prf_error_t *err)
{
    int ended;
    struct stat lock;
    if (self->lock >= 0 && fstat(self->lock, &lock) == 0 && lock.st_nlink == 0)
        return prf_fail(err, PRF_ENOTFOUND,
                        "%s: the folder was removed while it was in use, nothing of this run is left: run the campaign again",
                        self->dir);
    if (prf_process_ended(&self->coordinator, &ended))
        return fail_ended(self, "coordinator", ended, err);
    for (size_t i = 0; i < self->worker_count; i++) {
        prf_status_t status = tend_worker(self, &self->workers[i], err);
        if (status)
            return status;
    }
    return PRF_OK;
}

void prf_private_last_words(const prf_private_t *self, const char *kind, char *text, size_t cap)
{
    char name[PRF_NAME + 8], path[PATH];
    snprintf(name, sizeof name, "%s-1", kind);
    log_path(self, name, path);
    last_words(path, text, cap);
    if (!text[0])
        snprintf(text, cap, "its worker said nothing yet");
}

unsigned prf_private_restarts(const prf_private_t *self)
{
    return self->restarts;
}

prf_farm_t *prf_private_farm(prf_private_t *self)
{
    return self->farm;
}

const char *prf_private_url(const prf_private_t *self)
{
    return self->url;
}

const char *prf_private_token(const prf_private_t *self)
{
    return self->token;
}

static void release_worker(worker_t *worker)
{
    prf_process_stop(&worker->process, worker->grace_ms);
    for (size_t i = 0; i < worker->word_count; i++)
        free(worker->words[i]);
    free(worker->words);
    free(worker->argv);
}

void prf_private_close(prf_private_t **self)
{
    prf_private_t *p = *self;
    if (!p)
        return;
    char path[PATH];
    prf_farm_destroy(&p->farm);
    /* All are told first, so that they end side by side. */
    for (size_t i = 0; i < p->worker_count; i++)
        if (p->workers[i].process.pid > 0)
            kill(p->workers[i].process.pid, SIGTERM);
    for (size_t i = 0; i < p->worker_count; i++)
        release_worker(&p->workers[i]);
    free(p->workers);
    prf_process_stop(&p->coordinator, GRACE_MS);
    if (p->lock >= 0) {
        unlink(in_dir(p, "endpoint", path));
        unlink(in_dir(p, PRF_PRIVATE_TOKEN, path));
        unlink(in_dir(p, PRF_PRIVATE_PAGE, path));
        if (p->sockets[0]) {
            remove_sockets(p->sockets);
            unlink(in_dir(p, "sockets", path));
        }
        close(p->lock);
    }
    free(p);
    *self = NULL;
}

/* Where the live prfarm in `dir` can be asked; it may be about to write that down. */
static prf_status_t read_endpoint(const char *dir, char **out, prf_error_t *err)
{
    char path[PATH];
    size_t len;
    snprintf(path, sizeof path, "%s/endpoint", dir);
    prf_status_t status = PRF_ENOTFOUND;
    for (int i = 0; status == PRF_ENOTFOUND && i < 50 && !prf_interrupted(); i++) {
        if (i)
            prf_pause(-1, 100);
        status = prf_file_read(path, 3 * PRF_ENDPOINT, out, &len, err);
    }
    return status;
}

prf_status_t prf_private_join(prf_farm_t **out, const char *dir, prf_error_t *err)
{
    char *name;
    prf_status_t status = read_endpoint(dir, &name, NULL);
    if (status)
        return in_use(dir, err);
    status = prf_farm_connect(out, name, NULL, err);
    free(name);
    return status;
}
