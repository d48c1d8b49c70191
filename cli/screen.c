// SPDX-License-Identifier: Apache-2.0
/* screen.c - a frame is one write, from the upper left corner on, each line erased behind its end: nothing flickers, and nothing of
 * the last frame stays. The size is asked for with each frame; a person who resizes the window waits half a second at most. */
#include "screen.h"

#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "signals.h"

enum { LINE = 1024 };

/* The terminal as it was, for whoever leaves it, a signal's handler too; and what a Ctrl-Z did. */
static struct {
    int fd;
    bool known;
    struct termios modes, quiet;
    struct sigaction stop;
} before;

/* Safe in a signal's handler. */
static void leave(void)
{
    static const char sequence[] = "\033[0m\033[?25h\033[?1049l";
    ssize_t written = write(before.fd, sequence, sizeof sequence - 1);
    (void)written; /* a terminal that has gone needs it no more */
    if (before.known)
        tcsetattr(before.fd, TCSANOW, &before.modes);
}

/* As safe. */
static void enter(void)
{
    static const char sequence[] = "\033[?1049h\033[?25l\033[2J";
    if (before.known)
        tcsetattr(before.fd, TCSANOW, &before.quiet);
    ssize_t written = write(before.fd, sequence, sizeof sequence - 1);
    (void)written;
}

/* What is typed is not shown; and a Ctrl-C does not throw away what has just been written, as terminals do by default: it could be
 * the sequence that leaves the screen. */
static void know_terminal(int fd)
{
    before.fd = fd;
    before.known = tcgetattr(fd, &before.modes) == 0;
    before.quiet = before.modes;
    before.quiet.c_lflag &= ~(tcflag_t)ECHO;
    before.quiet.c_lflag |= NOFLSH;
}

static void on_stop(int number);

static void catch_stop(void)
{
    struct sigaction action = {.sa_handler = on_stop, .sa_flags = SA_RESTART | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTSTP, &action, NULL);
}

/* The shell gets its terminal back; when the program goes on, the next frame draws all of it. */
static void on_stop(int number)
{
    int error = errno;
    leave();
    sigaction(number, &before.stop, NULL);
    raise(number); /* stops here, if there is a shell that could let it go on */
    catch_stop();
    enter();
    errno = error;
}

static bool measure(prf_screen_t *self)
{
    struct winsize size;
    if (ioctl(fileno(self->terminal.stream), TIOCGWINSZ, &size) != 0)
        return false;
    self->rows = size.ws_row;
    self->terminal.columns = size.ws_col;
    return self->rows >= PRF_SCREEN_ROWS && self->terminal.columns >= PRF_SCREEN_COLUMNS;
}

bool prf_screen_open(prf_screen_t *out, FILE *stream)
{
    prf_screen_t self = {.rows = 0};
    prf_terminal_init(&self.terminal, stream);
    if (!self.terminal.live || !measure(&self))
        return false;
    prf_text_init(&self.frame);
    fflush(stream);
    know_terminal(fileno(stream));
    prf_signals_parting(leave);
    sigaction(SIGTSTP, NULL, &before.stop);
    if (before.stop.sa_handler != SIG_IGN)
        catch_stop();
    enter();
    self.open = true;
    *out = self;
    return true;
}

void prf_screen_close(prf_screen_t *self)
{
    if (!self->open)
        return;
    fflush(self->terminal.stream);
    sigaction(SIGTSTP, &before.stop, NULL);
    leave();
    prf_signals_parting(NULL);
    prf_text_release(&self->frame);
    self->open = false;
}

void prf_screen_begin(prf_screen_t *self)
{
    (void)measure(self); /* too small by now: what fits is shown */
    prf_text_clear(&self->frame);
    prf_text_add(&self->frame, "\033[H");
    self->row = 0;
}

/* Bytes that fit into `columns`: whole characters and whole escape sequences. */
static size_t fitting(const char *line, int columns)
{
    size_t len = 0;
    while (line[len]) {
        if (line[len] == '\033') {
            while (line[len] && line[len] != 'm')
                len++;
            len += line[len] == 'm';
            continue;
        }
        if (columns-- == 0)
            break;
        for (len++; ((unsigned char)line[len] & 0xc0) == 0x80; len++)
            continue;
    }
    return len;
}

void prf_screen_line(prf_screen_t *self, const char *fmt, ...)
{
    char line[LINE];
    va_list args;
    if (self->row >= self->rows)
        return;
    va_start(args, fmt);
    vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    /* The newline stands before each line but the first, since one behind the last would scroll. */
    prf_text_add(&self->frame, "%s%.*s%s\033[K", self->row ? "\r\n" : "", (int)fitting(line, self->terminal.columns), line,
                 prf_plain(&self->terminal));
    self->row++;
}

int prf_screen_left(const prf_screen_t *self)
{
    return self->rows - self->row;
}

void prf_screen_end(prf_screen_t *self)
{
    prf_text_add(&self->frame, "\033[J");
    if (!self->frame.failed)
        fputs(prf_text_get(&self->frame), self->terminal.stream);
    fflush(self->terminal.stream);
}
