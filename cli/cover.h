// SPDX-License-Identifier: Apache-2.0
/* cover.h - from layers that somebody has to the ranges that contain them: what a campaign must measure so that a model answers for
 * a network. Pure; main thread only. */
#ifndef PRF_CLI_COVER_H
#define PRF_CLI_COVER_H

#include "pr/space.h"

/* The smallest space, in the terms that a person would choose, that contains all `count` (>= 1) layers, which are of one kind:
 * sizes (channels, features) become ranges on a logarithmic scale, what takes few values (kernels, heights, strides) a list, what
 * follows another parameter everywhere (w = h, pad = r/2) a tie, and what has its default is left to it. A kind of which there is
 * one layer only gets room around its sizes, since a single point shows no staircase. max_macs is that of the largest layer,
 * rounded up. */
void prf_cover(const prf_layer_t *layers, size_t count, prf_dtype_t dtype, prf_space_t *out);

/* A parameter's values as a campaign file writes them: "{from: 1, to: 512, scale: log}", "[1, 3]", "r/2". `text` has
 * PRF_COVER_TEXT bytes. */
enum { PRF_COVER_TEXT = 400 };
void prf_cover_format(const prf_dim_t *dim, prf_param_t param, char text[PRF_COVER_TEXT]);

#endif
