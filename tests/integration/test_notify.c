// SPDX-License-Identifier: Apache-2.0
/* What the daemons tell a service manager, of which the test plays systemd's part: a datagram socket, and the journal's name of a
 * file. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "tests/support/farm.h"

enum { ALIVE_MS = 100, SILENCE_MS = 20 * ALIVE_MS };

static farm_t farm;
static int manager = -1;

static void tear_down(void)
{
    farm_stop(&farm);
    close(manager);
}

TestSuite(notify, .fini = tear_down);

/* Listens as systemd would, at a path in the farm's folder or at a name of the abstract space, and tells the environment. */
static void listen_as_manager(bool abstract)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, abstract ? "@%.90s" : "%.90s/notify", farm.dir);
    setenv("NOTIFY_SOCKET", at.sun_path, 1);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(at.sun_path) + !abstract);
    if (abstract)
        at.sun_path[0] = '\0';
    char usec[24];
    snprintf(usec, sizeof usec, "%d", 2 * ALIVE_MS * 1000);
    setenv("WATCHDOG_USEC", usec, 1);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(manager, (struct sockaddr *)&at, len), 0);
}

/* The next message, "" when none came within `ms`. */
static const char *next_message(unsigned ms)
{
    static char text[2048];
    struct pollfd fd = {.fd = manager, .events = POLLIN};
    ssize_t n = poll(&fd, 1, (int)ms) > 0 ? recv(manager, text, sizeof text - 1, 0) : 0;
    text[n > 0 ? n : 0] = '\0';
    return text;
}

/* The first message with this line; those before it are counted when they have `unwanted`. */
static size_t wait_for(const char *line, const char *unwanted)
{
    size_t count = 0;
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while (prf_clock_mono_ms() < until) {
        const char *text = next_message(PATIENCE_MS);
        if (strstr(text, line))
            return count;
        count += unwanted && strstr(text, unwanted) ? 1 : 0;
    }
    cr_assert_fail("'%s' was not told in time", line);
    return count;
}

static bool connects(const char *suffix)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%.90s.%s", farm.name + strlen("ipc://"), suffix);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
    close(fd);
    return connected;
}

Test(notify, coordinator_is_ready_once_it_listens_and_says_that_it_stops)
{
    farm_make(&farm);
    listen_as_manager(false);
    char store[FARM_PATH + 16];
    snprintf(store, sizeof store, "%s/store", farm.dir);
    const char *argv[] = {PRF_BIN_DIR "/prfarm-coordinator", "--farm", farm.name, "--store", store, NULL};
    prf_error_t err;
    cr_assert_eq(prf_process_start(&farm.coordinator, argv, &(prf_process_options_t){.pipes = true}, &err), PRF_OK);
    wait_for("READY=1\nSTATUS=listens at ", NULL);
    cr_assert(connects("workers") && connects("clients") && connects("broadcast"));
    cr_assert_eq(FARM_RUN(&farm, NULL, "prfarm-coordinator", "--farm", "ipc://@another", "--store", store), 5);
    cr_assert_eq(farm_end_coordinator(&farm), 0);
    cr_assert_eq(wait_for("STOPPING=1\n", "READY=1"), 0, "one that cannot have its store was ready");
}

/* Stops the process, and waits until it stands. */
static void freeze(pid_t pid)
{
    int status = 0;
    kill(pid, SIGSTOP);
    cr_assert_eq(waitpid(pid, &status, WUNTRACED), pid);
    cr_assert(WIFSTOPPED(status));
}

static void watchdog_follows(pid_t pid)
{
    for (int i = 0; i < 3; i++)
        wait_for("WATCHDOG=1\n", NULL);
    freeze(pid);
    while (*next_message(0))
        ;
    cr_assert_str_eq(next_message(SILENCE_MS), "");
    kill(pid, SIGCONT);
    wait_for("WATCHDOG=1\n", NULL);
}

Test(notify, watchdog_hears_of_a_coordinator_while_its_loop_turns)
{
    farm_make(&farm);
    listen_as_manager(true);
    farm_start_coordinator(&farm, NULL);
    watchdog_follows(farm.coordinator.pid);
}

Test(notify, watchdog_that_is_meant_for_another_process_hears_nothing)
{
    farm_make(&farm);
    listen_as_manager(true);
    setenv("WATCHDOG_PID", "1", 1);
    farm_start_coordinator(&farm, NULL);
    wait_for("READY=1\n", NULL);
    cr_assert_str_eq(next_message(SILENCE_MS), "");
}

/* The environment of the process that has the worker's board in it. */
static void read_environment_of_board(pid_t worker, char *text, size_t cap)
{
    char path[64];
    long child = 0;
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)worker, (long)worker);
    FILE *file = fopen(path, "r");
    cr_assert(file && fscanf(file, "%ld", &child) == 1, "%s", path);
    fclose(file);
    snprintf(path, sizeof path, "/proc/%ld/environ", child);
    cr_assert((file = fopen(path, "r")));
    size_t len = fread(text, 1, cap - 1, file);
    fclose(file);
    for (size_t i = 0; i < len; i++)
        if (!text[i])
            text[i] = '\n';
    text[len] = '\0';
}

Test(notify, worker_is_ready_with_its_board_and_no_child_speaks_for_it)
{
    static char text[65536];
    farm_make(&farm);
    listen_as_manager(true);
    size_t place = farm_start_worker(&farm, "b1", "k1", "ultratrail", NULL);
    pid_t pid = farm.workers[place].pid;
    wait_for("READY=1\nSTATUS=has its board", NULL); /* there is no coordinator */
    read_environment_of_board(pid, text, sizeof text);
    cr_assert(strstr(text, "PATH="));
    cr_assert_not(strstr(text, "NOTIFY_SOCKET") || strstr(text, "WATCHDOG_"));
    watchdog_follows(pid);
    unsetenv("NOTIFY_SOCKET"); /* the coordinator is not to speak */
    farm_start_coordinator(&farm, NULL);
    wait_for("STATUS=is board b1 of kind k1", NULL);
    farm_kill_coordinator(&farm);
    wait_for("STATUS=keeps its results", NULL);
    kill(pid, SIGTERM);
    wait_for("STOPPING=1\n", NULL);
}

/* The port that it says sites dial. */
static bool site_connects(const char *message)
{
    const char *at = strstr(message, "STATUS=sites dial tcp://127.0.0.1:");
    cr_assert(at, "%s", message);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    to.sin_port = htons((uint16_t)atoi(strrchr(at, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
    close(fd);
    return connected;
}

Test(notify, relay_is_ready_once_sites_can_dial_and_its_loop_is_watched)
{
    char key[FARM_PATH + 32], allow[FARM_PATH + 32];
    farm_start_keyed(&farm, NULL, NULL);
    listen_as_manager(true);
    snprintf(key, sizeof key, "%s/coordinator.key", farm.dir);
    snprintf(allow, sizeof allow, "%s/allow", farm.dir);
    const char *argv[] = {
        PRF_BIN_DIR "/prfarm-relay", "--accept", "tcp://127.0.0.1:*", "--farm", farm.name, "--key", key, "--allow", allow, NULL};
    prf_process_t relay;
    prf_error_t err;
    cr_assert_eq(prf_process_start(&relay, argv, &(prf_process_options_t){.pipes = true}, &err), PRF_OK);
    cr_assert(site_connects(next_message(PATIENCE_MS)));
    watchdog_follows(relay.pid);
    prf_process_stop(&relay, PATIENCE_MS);
    wait_for("STOPPING=1\n", NULL);
}

static void name_journal(const char *path)
{
    struct stat st;
    char name[64];
    FILE *file = fopen(path, "w");
    cr_assert(file && fstat(fileno(file), &st) == 0);
    fclose(file);
    snprintf(name, sizeof name, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", name, 1);
}

Test(notify, journal_is_told_levels_and_no_time)
{
    char log[FARM_PATH + 32], *text = NULL;
    size_t len;
    prf_error_t err;
    farm_make(&farm);
    snprintf(log, sizeof log, "%s/coordinator.log", farm.dir);
    name_journal(log);
    farm_start_coordinator(&farm, NULL);
    farm_end_coordinator(&farm);
    cr_assert_eq(prf_file_read(log, 1 << 20, &text, &len, &err), PRF_OK, "%s", err.text);
    cr_assert(strstr(text, "\n<6>ready farm=ipc:"), "%s", text);
    cr_assert_not(strstr(text, "prfarm-coordinator"), "%s", text);
    free(text);
    const char *argv[] = {PRF_BIN_DIR "/prfarm-worker", NULL};
    cr_assert_eq(prf_process_start(&farm.coordinator, argv, &(prf_process_options_t){.log = log}, &err), PRF_OK);
    int status;
    waitpid(farm.coordinator.pid, &status, 0);
    farm.coordinator.pid = 0;
    cr_assert_eq(prf_file_read(log, 1 << 20, &text, &len, &err), PRF_OK, "%s", err.text);
    cr_assert(strstr(text, "\n<3>prfarm-worker: --kind is missing"), "%s", text);
    free(text);
}

Test(notify, another_standard_error_than_the_journal_gets_whole_lines)
{
    char log[FARM_PATH + 32], *text = NULL;
    size_t len;
    prf_error_t err;
    farm_make(&farm);
    snprintf(log, sizeof log, "%s/other", farm.dir);
    name_journal(log);
    farm_start_coordinator(&farm, NULL);
    farm_end_coordinator(&farm);
    snprintf(log, sizeof log, "%s/coordinator.log", farm.dir);
    cr_assert_eq(prf_file_read(log, 1 << 20, &text, &len, &err), PRF_OK, "%s", err.text);
    cr_assert(strstr(text, "Z info  prfarm-coordinator ready farm=ipc:"), "%s", text);
    free(text);
}
