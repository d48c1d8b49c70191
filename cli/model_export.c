// SPDX-License-Identifier: Apache-2.0
#include "model_export.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "model/export_c.h"
#include "model_file.h"

static prf_status_t export_c(const prf_model_file_t *file, const char *c_path, size_t *len, prf_error_t *err)
{
    char *text = NULL;
    bool printed = strcmp(c_path, "-") == 0;
    prf_status_t status = printed ? PRF_OK : prf_file_replaceable(c_path, err);
    if (!status)
        status = prf_model_export_c(file->model, file->digest, &text, len, err);
    if (!status && printed)
        fwrite(text, 1, *len, stdout); /* whether it got there is told at the end */
    else if (!status)
        status = prf_file_write(c_path, text, *len, err);
    free(text);
    return status;
}

int prf_model_export_file(const char *path, const char *c_path)
{
    prf_error_t err = {0};
    prf_model_file_t file = {0};
    size_t len = 0;
    prf_status_t status = c_path ? PRF_OK : prf_fail(&err, PRF_EUSAGE, "export as what? Name a C source, as in '--c model.c'");
    if (!status)
        status = prf_model_file_open(&file, path, &err);
    if (!status)
        status = export_c(&file, c_path, &len, &err);
    if (!status && strcmp(c_path, "-") != 0) {
        char size[PRF_HUMAN];
        printf("%s: the model of '%s' as C, %s; its head tells how to compile and call it\n", c_path, prf_model_kind(file.model),
               prf_human_bytes((double)len, size));
    }
    prf_model_file_release(&file);
    return status ? prf_report(&err) : prf_finish_stdout();
}
