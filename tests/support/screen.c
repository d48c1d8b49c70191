// SPDX-License-Identifier: Apache-2.0
#include "screen.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "patience.h"

static void blank(screen_t *s, int row, int from)
{
    for (int c = from; c < s->columns && row < s->rows; c++)
        strcpy(s->cell[s->alternate][row][c], " ");
}

static void clear(screen_t *s)
{
    for (int r = 0; r < s->rows; r++)
        blank(s, r, 0);
}

static void line_feed(screen_t *s)
{
    if (++s->row < s->rows)
        return;
    s->row = s->rows - 1;
    memmove(s->cell[s->alternate][0], s->cell[s->alternate][1], sizeof s->cell[0][0] * (size_t)(s->rows - 1));
    blank(s, s->row, 0);
}

static void put(screen_t *s, const char *bytes, size_t len)
{
    if (s->column >= s->columns) {
        s->column = 0;
        line_feed(s);
    }
    memcpy(s->cell[s->alternate][s->row][s->column], bytes, len);
    s->cell[s->alternate][s->row][s->column++][len] = '\0';
}

static void set_mode(screen_t *s, int mode, bool on)
{
    if (mode == 25)
        s->cursor_hidden = !on;
    else if (mode == 1049) {
        s->alternate = on;
        s->was_alternate = s->was_alternate || on;
        s->row = s->column = 0;
        if (on)
            clear(s);
    } else
        cr_assert_fail("mode %d is not known", mode);
}

/* A whole "\033[..." sequence. */
static void obey(screen_t *s, const char *sequence, size_t len)
{
    char end = sequence[len - 1];
    int a = 0, b = 0;
    if (sequence[2] == '?') {
        cr_assert(sscanf(sequence + 3, "%d", &a) == 1 && (end == 'h' || end == 'l'));
        set_mode(s, a, end == 'h');
        return;
    }
    int given = sscanf(sequence + 2, "%d;%d", &a, &b);
    if (end == 'm')
        return;
    if (end == 'H') {
        s->row = given > 0 ? a - 1 : 0;
        s->column = given > 1 ? b - 1 : 0;
    } else if (end == 'A') {
        s->row -= given > 0 ? a : 1;
        s->row = s->row < 0 ? 0 : s->row;
    } else if (end == 'K') {
        blank(s, s->row, s->column);
    } else if (end == 'J') {
        blank(s, s->row, s->column);
        for (int r = s->row + 1; r < s->rows; r++)
            blank(s, r, 0);
    } else {
        cr_assert_fail("escape sequence that ends in '%c' is not known", end);
    }
}

/* One byte; sequences and characters of several bytes are gathered. */
static void take(screen_t *s, char byte)
{
    unsigned char c = (unsigned char)byte;
    if (s->pending_len == 0 && c == '\n')
        line_feed(s);
    else if (s->pending_len == 0 && c == '\r')
        s->column = 0;
    else if (s->pending_len == 0 && c < 0x80 && c != 033)
        put(s, &byte, 1);
    else {
        cr_assert(s->pending_len + 1 < sizeof s->pending);
        s->pending[s->pending_len++] = byte;
        unsigned char first = (unsigned char)s->pending[0];
        size_t wants = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
        if (first == 033 && s->pending_len > 2 && c >= 0x40) {
            obey(s, s->pending, s->pending_len);
            s->pending_len = 0;
        } else if (first != 033 && s->pending_len == wants) {
            put(s, s->pending, wants);
            s->pending_len = 0;
        }
    }
}

/* What comes within `ms`. False: the program's side is closed. */
static bool read_some(screen_t *s, int ms)
{
    char bytes[4096];
    struct pollfd item = {.fd = s->fd, .events = POLLIN};
    if (poll(&item, 1, ms) != 1)
        return true;
    ssize_t n = read(s->fd, bytes, sizeof bytes);
    if (n <= 0)
        return n < 0 && errno == EINTR;
    for (ssize_t i = 0; i < n; i++)
        take(s, bytes[i]);
    size_t room = SCREEN_LOG - 1 - s->log_len, len = (size_t)n < room ? (size_t)n : room;
    memcpy(s->log + s->log_len, bytes, len);
    s->log_len += len;
    s->log[s->log_len] = '\0';
    return true;
}

void screen_start(screen_t *s, int rows, int columns, const char *const *environment, const char *const *words)
{
    char path[512];
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    memset(s, 0, sizeof *s);
    s->rows = rows;
    s->columns = columns;
    s->log = calloc(1, SCREEN_LOG);
    cr_assert_not_null(s->log);
    s->alternate = true;
    clear(s);
    s->alternate = false;
    clear(s);
    snprintf(path, sizeof path, "%s/%s", PRF_BIN_DIR, words[0]);
    s->pid = forkpty(&s->fd, NULL, NULL, &size);
    cr_assert(s->pid >= 0);
    if (s->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setenv("TERM", "xterm", 1);
        setenv("LC_ALL", "C.UTF-8", 1);
        unsetenv("NO_COLOR");
        for (; environment && *environment; environment++) {
            const char *equals = strchr(*environment, '=');
            char name[64];
            snprintf(name, sizeof name, "%.*s", equals ? (int)(equals - *environment) : 63, *environment);
            if (equals)
                setenv(name, equals + 1, 1);
            else
                unsetenv(name);
        }
        execv(path, (char *const *)words);
        _exit(127);
    }
}

void screen_type(screen_t *s, const char *text)
{
    size_t len = strlen(text);
    cr_assert_eq(write(s->fd, text, len), (ssize_t)len);
}

void screen_resize(screen_t *s, int rows, int columns)
{
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    s->rows = rows;
    s->columns = columns;
    s->row = s->row < rows ? s->row : rows - 1;
    cr_assert_eq(ioctl(s->fd, TIOCSWINSZ, &size), 0);
}

char *screen_row(const screen_t *s, int row, char *text)
{
    size_t len = 0, end = 0;
    for (int c = 0; c < s->columns; c++) {
        const char *cell = s->cell[s->alternate][row][c];
        memcpy(text + len, cell, strlen(cell));
        len += strlen(cell);
        if (strcmp(cell, " ") != 0)
            end = len;
    }
    text[end] = '\0';
    return text;
}

bool screen_shows(const screen_t *s, const char *text)
{
    char row[SCREEN_COLUMNS * 4 + 1];
    for (int r = 0; r < s->rows; r++)
        if (strstr(screen_row(s, r, row), text))
            return true;
    return false;
}

bool screen_echoes(const screen_t *s)
{
    struct termios modes;
    cr_assert_eq(tcgetattr(s->fd, &modes), 0);
    return (modes.c_lflag & ECHO) && !(modes.c_lflag & NOFLSH);
}

bool screen_read(screen_t *s)
{
    return read_some(s, 50);
}

void screen_await(screen_t *s, const char *text)
{
    uint64_t deadline = prf_clock_mono_ms() + PATIENCE_MS;
    while (!screen_shows(s, text)) {
        bool there = read_some(s, 50);
        cr_assert(there || screen_shows(s, text), "it ended without showing '%s':\n%s", text, s->log);
        cr_assert(prf_clock_mono_ms() < deadline, "'%s' was not shown in time:\n%s", text, s->log);
    }
}

int screen_finish(screen_t *s)
{
    uint64_t deadline = prf_clock_mono_ms() + 2 * PATIENCE_MS;
    int status;
    while (read_some(s, 50))
        cr_assert(prf_clock_mono_ms() < deadline, "it did not end in time:\n%s", s->log);
    cr_assert_eq(waitpid(s->pid, &status, 0), s->pid);
    s->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void screen_release(screen_t *s)
{
    if (s->pid > 0) {
        kill(s->pid, SIGKILL);
        waitpid(s->pid, NULL, 0);
    }
    close(s->fd);
    free(s->log);
}
