// SPDX-License-Identifier: Apache-2.0
/* hooks.h - runs power-cycle commands: without a shell, a few at once, each killed when its time is up, never oftener than its
 * file allows. Loop thread only; nothing blocks: prf_hooks_tick looks what has become of them. `now_ms` is monotonic. */
#ifndef PRF_HOOKS_H
#define PRF_HOOKS_H

#include "hooks_file.h"

typedef struct prf_hooks prf_hooks_t;

/* Takes the list over, also on failure. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_hooks_new(prf_hooks_t **out, prf_hook_list_t *list, prf_error_t *err);
/* Kills what is running. NULL-safe; clears *self. */
void prf_hooks_destroy(prf_hooks_t **self);

/* Asks for the board's hook to be run; it is started at the next tick that has a place for it. `number` is the board's in the
 * fleet. Errors: PRF_ENOTFOUND (no hook for this board and cause), PRF_EBUSY (it is asked for already, or was run as often as its
 * file allows), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_hooks_ask(prf_hooks_t *self, uint32_t number, const char *board, const char *kind,
                                       prf_hook_cause_t cause, uint64_t now_ms, prf_error_t *err);

/* A hook has ended; `how` tells its outcome in a few words, `output` the beginning of what it printed. Both borrowed. */
typedef void (*prf_hooks_fn)(void *arg, uint32_t number, bool ok, const char *how, const char *output, uint32_t delay_s);
/* Starts what waits, tells `fn` of what has ended, kills what is late. */
void prf_hooks_tick(prf_hooks_t *self, uint64_t now_ms, prf_hooks_fn fn, void *arg);

/* Whether a hook of the board waits or runs. */
bool prf_hooks_open(const prf_hooks_t *self, uint32_t number);
/* "2 runs, the last: exit code 0"; "" when there was none. */
void prf_hooks_describe(const prf_hooks_t *self, uint32_t number, char *text, size_t cap);

#endif
