// SPDX-License-Identifier: Apache-2.0
/* board_facts.h - what the store keeps of a board, so that `prfarm boards` also shows those that are switched off, and quarantine
 * outlives the coordinator. Pure. */
#ifndef PRF_BOARD_FACTS_H
#define PRF_BOARD_FACTS_H

#include "fleet.h"

/* JSON text; caller frees. NULL: out of memory. */
char *prf_board_facts_encode(const prf_fleet_board_t *board);
/* Adds a board as the store had it; one that cannot be read is passed over. Errors: PRF_ENOMEM, PRF_EBUSY. */
PRF_CHECKED prf_status_t prf_board_facts_decode(prf_fleet_t *fleet, const char *name, const void *value, size_t len,
                                                prf_error_t *err);

#endif
