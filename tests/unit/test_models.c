// SPDX-License-Identifier: Apache-2.0
/* How a worker takes a model over: piece by piece, checked, swapped in at once, still there after a restart. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "tiny_model.h"
#include "worker/models.h"

static char dir[40];
static prf_models_t *models;
static prf_error_t warning;

static void open_models(void)
{
    prf_error_t err = {0};
    prf_models_close(&models);
    cr_assert_eq(prf_models_open(&models, dir, "stairs", &warning, &err), PRF_OK, "%s", err.text);
}

static void set_up(void)
{
    snprintf(dir, sizeof dir, "/tmp/prf-models-XXXXXX");
    cr_assert(mkdtemp(dir));
    open_models();
    cr_assert_str_eq(warning.text, "");
}

static void tear_down(void)
{
    char command[80];
    prf_models_close(&models);
    snprintf(command, sizeof command, "rm -r %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(models, .init = set_up, .fini = tear_down);

static prf_models_step_t offer(const prf_model_version_t *version)
{
    prf_models_step_t step;
    prf_error_t err = {0};
    cr_assert_eq(prf_models_offer(models, version, &step, &err), PRF_OK, "%s", err.text);
    return step;
}

/* Answers fetches from `bytes` until the model is whole or refused. */
static prf_status_t deliver(const uint8_t *bytes, size_t len, size_t chunk, prf_models_step_t *step, prf_error_t *err)
{
    prf_digest_t digest;
    uint64_t at;
    prf_status_t status = PRF_OK;
    while (!status && prf_models_fetch(models, &digest, &at)) {
        size_t n = len - at < chunk ? len - at : chunk;
        status = prf_models_chunk(models, &digest, at, len, bytes + at, n, step, err);
    }
    return status;
}

static void take(const uint8_t *bytes, const prf_model_version_t *version)
{
    prf_models_step_t step;
    prf_error_t err = {0};
    cr_assert_eq(offer(version), PRF_MODELS_FETCH);
    cr_assert_eq(deliver(bytes, version->bytes, 100, &step, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(step, PRF_MODELS_ACK);
}

static uint32_t current(void)
{
    return prf_models_current(models)->version;
}

Test(models, a_model_that_came_in_pieces_is_taken_and_survives_a_restart)
{
    size_t len;
    prf_model_version_t version;
    uint8_t *bytes = tiny_model("stairs", 3, &len, &version);
    cr_assert_eq(current(), 0);
    cr_assert_null(prf_models_get(models));
    take(bytes, &version);
    cr_assert_eq(current(), 3);
    cr_assert_str_eq(prf_model_kind(prf_models_get(models)), "stairs");
    open_models();
    cr_assert_str_eq(warning.text, "");
    cr_assert_eq(current(), 3);
    cr_assert(prf_digest_compare(&prf_models_current(models)->digest, &version.digest) == 0);
    cr_assert_not_null(prf_models_get(models));
    cr_assert_eq(offer(&version), PRF_MODELS_ACK, "what runs is acknowledged again, not fetched");
    free(bytes);
}

Test(models, an_older_model_that_is_offered_again_is_a_way_back)
{
    size_t len;
    prf_model_version_t first, second;
    uint8_t *a = tiny_model("stairs", 1, &len, &first), *b = tiny_model("stairs", 2, &len, &second);
    take(a, &first);
    take(b, &second);
    cr_assert_eq(current(), 2);
    take(a, &first);
    cr_assert_eq(current(), 1);
    first.version = 7;
    cr_assert_eq(offer(&first), PRF_MODELS_ACK);
    open_models();
    cr_assert_eq(current(), 7, "the same bytes under a new number");
    free(a);
    free(b);
}

Test(models, a_newer_offer_replaces_one_that_is_on_its_way)
{
    size_t len;
    prf_model_version_t first, second;
    prf_models_step_t step;
    uint8_t *a = tiny_model("stairs", 1, &len, &first), *b = tiny_model("stairs", 2, &len, &second);
    cr_assert_eq(offer(&first), PRF_MODELS_FETCH);
    cr_assert_eq(offer(&first), PRF_MODELS_NOTHING, "it is being fetched already");
    cr_assert_eq(prf_models_chunk(models, &first.digest, 0, first.bytes, a, 50, &step, NULL), PRF_OK);
    take(b, &second);
    cr_assert_eq(current(), 2);
    cr_assert_eq(prf_models_chunk(models, &first.digest, 50, first.bytes, a + 50, 50, &step, NULL), PRF_OK);
    cr_assert_eq(step, PRF_MODELS_NOTHING, "a late chunk was taken up");
    free(a);
    free(b);
}

Test(models, what_is_no_model_of_this_kind_never_replaces_the_one_that_runs)
{
    size_t len, other_len;
    prf_model_version_t version, broken, foreign;
    prf_models_step_t step;
    prf_error_t err = {0};
    uint8_t *bytes = tiny_model("stairs", 1, &len, &version), *other = tiny_model("ramps", 2, &other_len, &foreign);
    take(bytes, &version);
    broken = version;
    broken.version = 2;
    broken.digest.bytes[0] ^= 1;
    cr_assert_eq(offer(&broken), PRF_MODELS_FETCH);
    cr_assert_eq(deliver(bytes, len, 1000, &step, &err), PRF_ECORRUPT);
    cr_assert(strstr(err.text, "model version 2 of stairs: the bytes that came do not have the digest"), "%s", err.text);
    cr_assert_eq(offer(&broken), PRF_MODELS_NOTHING, "a bad model was fetched twice");
    cr_assert_eq(offer(&foreign), PRF_MODELS_NOTHING, "a model of another kind concerns others");
    snprintf(foreign.kind, sizeof foreign.kind, "stairs");
    cr_assert_eq(offer(&foreign), PRF_MODELS_FETCH);
    cr_assert_eq(deliver(other, other_len, 1000, &step, &err), PRF_ECORRUPT);
    cr_assert(strstr(err.text, "it is a model of ramps, not of stairs"), "%s", err.text);
    cr_assert_eq(current(), 1);
    open_models();
    cr_assert_eq(current(), 1);
    free(bytes);
    free(other);
}

Test(models, impossible_sizes_are_refused)
{
    prf_model_version_t version = {.kind = "stairs", .version = 1, .bytes = (uint64_t)PRF_MODEL_MAX_BYTES + 1};
    prf_models_step_t step;
    prf_error_t err = {0};
    cr_assert_eq(prf_models_offer(models, &version, &step, &err), PRF_EPEER);
    version.bytes = 0;
    cr_assert_eq(prf_models_offer(models, &version, &step, &err), PRF_EPEER);
    version.bytes = 10;
    cr_assert_eq(offer(&version), PRF_MODELS_FETCH);
    cr_assert_eq(prf_models_chunk(models, &version.digest, 0, 10, (const uint8_t *)"01234567890", 11, &step, &err), PRF_EPEER);
    cr_assert_eq(offer(&version), PRF_MODELS_FETCH, "a wrong chunk must not condemn the model");
    cr_assert_eq(prf_models_chunk(models, &version.digest, 0, 11, (const uint8_t *)"0123456789", 10, &step, &err), PRF_EPEER);
}

Test(models, damaged_files_of_an_earlier_run_are_told_and_replaced)
{
    size_t len;
    prf_model_version_t version;
    uint8_t *bytes = tiny_model("stairs", 3, &len, &version);
    char path[80];
    take(bytes, &version);
    snprintf(path, sizeof path, "%s/models/stairs.prfm", dir);
    cr_assert_eq(prf_file_write(path, bytes, len / 2, NULL), PRF_OK);
    open_models();
    cr_assert(strstr(warning.text, "its digest is not the one noted beside it"), "%s", warning.text);
    cr_assert_eq(current(), 0);
    take(bytes, &version);
    snprintf(path, sizeof path, "%s/models/stairs.version", dir);
    cr_assert_eq(prf_file_write(path, "three", 5, NULL), PRF_OK);
    open_models();
    cr_assert(strstr(warning.text, "no version and digest"), "%s", warning.text);
    cr_assert_eq(current(), 0);
    take(bytes, &version);
    open_models();
    cr_assert_eq(current(), 3);
    free(bytes);
}
