// SPDX-License-Identifier: Apache-2.0
/* cable.h - a TCP cable for tests: whoever dials its one end comes out at the other, until something is done to it. A thread of its
 * own; calls from the test's thread. Asserts through Criterion. */
#ifndef PRF_TESTS_CABLE_H
#define PRF_TESTS_CABLE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct cable cable_t;

enum { CABLE_UP = 1, CABLE_DOWN = 2 }; /* from who dials; to who dials */

/* From a port of the system's choice to tcp://127.0.0.1:PORT of `to`, an endpoint. */
cable_t *cable_lay(const char *to);
void cable_take_up(cable_t **self);
/* The endpoint to dial. */
const char *cable_end(const cable_t *self);
/* Holds back all bytes of these directions (0: none any more); connections stay, as with a partition. */
void cable_hold(cable_t *self, unsigned directions);
/* Turns one bit of what comes next in this direction; says so when it has. */
void cable_spoil(cable_t *self, unsigned direction);
bool cable_spoiled(const cable_t *self);
/* Ends every connection. */
void cable_cut(cable_t *self);
unsigned cable_connections(const cable_t *self); /* now */
uint64_t cable_bytes(const cable_t *self);       /* so far */

#endif
