// SPDX-License-Identifier: Apache-2.0
/* notify.h - tells the service manager that started this program how it is, by the protocol of sd_notify(3): a datagram of lines to
 * the socket that NOTIFY_SOCKET names. Where nobody asked for it, nothing happens. Main thread only. */
#ifndef PRF_BASE_NOTIFY_H
#define PRF_BASE_NOTIFY_H

#include "base/status.h"

typedef enum {
    PRF_NOTIFY_STATUS,   /* only what it says of itself */
    PRF_NOTIFY_READY,    /* it does its work from now on */
    PRF_NOTIFY_STOPPING, /* it ends, in order */
    PRF_NOTIFY_ALIVE     /* its loop turns */
} prf_notify_t;

/* Once, before anything is started: what the manager wants is taken out of the environment, so that no child speaks for us. */
void prf_notify_init(void);
/* `fmt` is one line for people, as `systemctl status` shows it; NULL: as before. Control characters in it are replaced. */
void prf_notify(prf_notify_t what, const char *fmt, ...) PRF_PRINTF(2, 3);
/* How often PRF_NOTIFY_ALIVE is to be told: half of what the manager's watchdog waits. 0: there is none. */
unsigned prf_notify_alive_ms(void);

#endif
