// SPDX-License-Identifier: Apache-2.0
/* weather.h - carries a schedule out on a farm: each deed when it is due, and the end of what lasts. Main thread only. */
#ifndef PRF_CHAOS_WEATHER_H
#define PRF_CHAOS_WEATHER_H

#include "rack.h"
#include "schedule.h"

typedef struct weather weather_t;

/* Both are borrowed until it is destroyed. Errors: PRF_ENOMEM. */
PRF_CHECKED prf_status_t weather_new(weather_t **out, rack_t *rack, const schedule_t *schedule, prf_error_t *err);
void weather_destroy(weather_t **self);
/* Does what is due. Errors: PRF_EINTERNAL (the farm broke a promise meanwhile, such as going on beside a partition), those of the
 * deeds. */
PRF_CHECKED prf_status_t weather_step(weather_t *self, prf_error_t *err);
bool weather_over(const weather_t *self);      /* all is done and nothing lasts */
size_t weather_damages(const weather_t *self); /* places of the store that were damaged */
/* At the end: has everyone come back who was cut off? Errors: PRF_EINTERNAL. */
PRF_CHECKED prf_status_t weather_judge(const weather_t *self, prf_error_t *err);

#endif
