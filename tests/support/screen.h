// SPDX-License-Identifier: Apache-2.0
/* screen.h - a terminal for tests: a program on a pseudo-terminal, and what a person would see on its screen. Knows the escape
 * sequences that prfarm uses and asserts on any other. Everything asserts through Criterion; main thread only. */
#ifndef PRF_TESTS_SCREEN_H
#define PRF_TESTS_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { SCREEN_ROWS = 60, SCREEN_COLUMNS = 200, SCREEN_LOG = 1 << 20 };

typedef struct {
    pid_t pid;
    int fd, rows, columns;
    int row, column;
    bool alternate, cursor_hidden;                    /* what the program has asked for at present */
    bool was_alternate;                               /* at any time */
    char cell[2][SCREEN_ROWS][SCREEN_COLUMNS + 1][5]; /* UTF-8; [1] is the alternate screen */
    char *log;                                        /* all that came; owned */
    size_t log_len;
    char pending[32]; /* the beginning of a sequence */
    size_t pending_len;
} screen_t;

/* `words`: as program_launch; `environment`: "NAME=value" or "NAME" (unset), NULL-terminated, may be NULL. */
void screen_start(screen_t *out, int rows, int columns, const char *const *environment, const char *const *words);
void screen_type(screen_t *self, const char *text);
void screen_resize(screen_t *self, int rows, int columns);
/* Reads until the screen in use shows the text; asserts that it comes in time. */
void screen_await(screen_t *self, const char *text);
bool screen_read(screen_t *self); /* what comes within a moment; false: the program's side is closed */
/* Whether the terminal shows what is typed, as a shell wants it. */
bool screen_echoes(const screen_t *self);
bool screen_shows(const screen_t *self, const char *text);
/* Reads until the program ended. Returns its exit code, or minus the signal. */
int screen_finish(screen_t *self);
void screen_release(screen_t *self); /* kills what still runs */
/* A row of the screen in use, without blanks at its end. `text` has SCREEN_COLUMNS * 4 + 1 bytes and is returned. */
char *screen_row(const screen_t *self, int row, char *text);

#endif
