// SPDX-License-Identifier: Apache-2.0
/* export_c.h - a model as one C source: the code that estimates, the model's numbers and one function to call. It needs a C11
 * compiler and libm, no prfarm, and gives the same numbers bit by bit, as long as the compiler keeps to the arithmetic that is
 * written (no -ffast-math). The code is prfarm's own, taken out of its sources by cmake/amalgamate.c when prfarm is built. Any
 * thread. */
#ifndef PRF_MODEL_EXPORT_C_H
#define PRF_MODEL_EXPORT_C_H

#include "model/model.h"

/* Lines of the code that estimates; NULL ends them. */
extern const char *const prf_estimator_lines[];

/* `digest`: of the model file, for the head comment. The caller frees *text, which ends in a NUL behind *len.
 * Errors: PRF_EUNSUPPORTED (a regressor that cannot be written as C), PRF_ENOMEM. */
PRF_CHECKED prf_status_t prf_model_export_c(const prf_model_t *model, const char *digest, char **text, size_t *len,
                                            prf_error_t *err);

#endif
