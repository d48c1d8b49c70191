// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "shelf.h"
#include "tests/support/patience.h"

static prf_error_t err;

static prf_digest_t digest_of(const char *text)
{
    prf_digest_t digest;
    prf_digest(&digest, text, strlen(text));
    return digest;
}

/* A file whose bytes differ from chunk to chunk. */
static uint8_t *file_of(size_t len)
{
    uint8_t *bytes = malloc(len);
    cr_assert(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(i * 31 + i / PRF_CHUNK_BYTES);
    return bytes;
}

static prf_shelf_file_t *put(prf_shelf_t *shelf, const char *name, size_t len)
{
    prf_digest_t digest = digest_of(name);
    prf_shelf_file_t *file = NULL;
    uint8_t *bytes = file_of(len);
    cr_assert_eq(prf_shelf_put(shelf, &digest, bytes, len, &file, &err), PRF_OK, "%s", err.text);
    free(bytes);
    return file;
}

static bool there(prf_shelf_t *shelf, const char *name)
{
    prf_digest_t digest = digest_of(name);
    return prf_shelf_find(shelf, &digest) != NULL;
}

static void stop(void *arg)
{
    prf_loop_stop(arg);
}

static void too_late(void *arg)
{
    (void)arg;
    cr_assert_fail("nothing came for %d ms", PATIENCE_MS);
}

/* Sends the chunks through a socket, as nobody can look into a message that is meant for one. */
static void check_chunks(const prf_shelf_file_t *file, const uint8_t *bytes, size_t len)
{
    prf_socket_t *in = NULL, *out = NULL;
    prf_loop_t *loop = NULL;
    char at[PRF_ENDPOINT];
    cr_assert_eq(prf_socket_new(&in, PRF_DEALER, 100, PRF_FRAME_BYTES, &err), PRF_OK);
    cr_assert_eq(prf_socket_new(&out, PRF_DEALER, 100, PRF_FRAME_BYTES, &err), PRF_OK);
    cr_assert_eq(prf_socket_bind(in, "tcp://127.0.0.1:*", at, &err), PRF_OK);
    cr_assert_eq(prf_socket_connect(out, at, &err), PRF_OK);
    cr_assert_eq(prf_loop_new(&loop, &err), PRF_OK);
    cr_assert_eq(prf_loop_add_socket(loop, in, stop, loop, &err), PRF_OK);
    cr_assert_eq(prf_loop_add_timer(loop, PATIENCE_MS, too_late, NULL, NULL, &err), PRF_OK);
    for (size_t offset = 0; offset < len; offset += PRF_CHUNK_BYTES) {
        prf_message_t *chunk;
        prf_frame_t frame;
        uint8_t *got;
        size_t got_len, wanted = len - offset < PRF_CHUNK_BYTES ? len - offset : PRF_CHUNK_BYTES;
        cr_assert_eq(prf_shelf_chunk(file, offset, &chunk, &err), PRF_OK, "%s", err.text);
        cr_assert_eq(prf_socket_send_message(out, NULL, chunk, &err), PRF_OK, "%s", err.text);
        while (prf_socket_recv(in, NULL, &got, &got_len, &err) == PRF_ETIMEOUT)
            cr_assert_eq(prf_loop_run(loop, &err), PRF_OK);
        cr_assert_eq(prf_frame_decode(&frame, got, got_len, &err), PRF_OK, "%s", err.text);
        cr_expect_eq(frame.u.chunk.offset, offset);
        cr_expect_eq(frame.u.chunk.total, len);
        cr_assert_eq(frame.u.chunk.len, wanted);
        cr_expect_eq(memcmp(frame.u.chunk.data, bytes + offset, wanted), 0);
        prf_frame_release(&frame);
        free(got);
    }
    prf_loop_destroy(&loop);
    prf_socket_destroy(&out);
    prf_socket_destroy(&in);
}

Test(shelf, a_files_chunks_are_the_file)
{
    static const size_t sizes[] = {1, PRF_CHUNK_BYTES - 1, PRF_CHUNK_BYTES, PRF_CHUNK_BYTES + 1, 3 * PRF_CHUNK_BYTES + 77};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        prf_shelf_t shelf = {NULL};
        uint8_t *bytes = file_of(sizes[i]);
        check_chunks(put(&shelf, "a", sizes[i]), bytes, sizes[i]);
        free(bytes);
        prf_shelf_release(&shelf);
    }
}

Test(shelf, no_chunk_begins_between_two_or_behind_the_end)
{
    static const uint64_t offsets[] = {
        1, PRF_CHUNK_BYTES - 1, PRF_CHUNK_BYTES + 1, 2 * PRF_CHUNK_BYTES, UINT64_MAX, UINT64_MAX - PRF_CHUNK_BYTES + 1};
    prf_shelf_t shelf = {NULL};
    prf_shelf_file_t *file = put(&shelf, "a", 2 * PRF_CHUNK_BYTES);
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        prf_message_t *chunk;
        cr_expect_eq(prf_shelf_chunk(file, offsets[i], &chunk, &err), PRF_EINVAL);
    }
    cr_expect(strstr(err.text, "multiple of 262144"), "%s", err.text);
    prf_shelf_release(&shelf);
}

Test(shelf, what_was_asked_for_longest_ago_makes_way)
{
    enum { LARGE = 30 << 20 };
    prf_shelf_t shelf = {NULL};
    put(&shelf, "a", LARGE);
    put(&shelf, "b", LARGE);
    put(&shelf, "c", LARGE);
    cr_expect(there(&shelf, "a") && there(&shelf, "b") && there(&shelf, "c"));
    cr_expect(there(&shelf, "a"));
    put(&shelf, "d", LARGE);
    cr_expect(there(&shelf, "d") && there(&shelf, "a") && there(&shelf, "c"));
    cr_expect_not(there(&shelf, "b"));
    put(&shelf, "small", 1);
    cr_expect(there(&shelf, "small") && there(&shelf, "c") && there(&shelf, "a"));
    prf_shelf_release(&shelf);
    cr_expect_not(there(&shelf, "small"));
}
