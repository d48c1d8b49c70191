// SPDX-License-Identifier: Apache-2.0
/* model_export.h - `prfarm model export`: a model file as something that needs no prfarm. Main thread only. */
#ifndef PRF_CLI_MODEL_EXPORT_H
#define PRF_CLI_MODEL_EXPORT_H

/* `c_path`: the C source to write; NULL: was not given. Returns the exit code. */
int prf_model_export_file(const char *path, const char *c_path);

#endif
