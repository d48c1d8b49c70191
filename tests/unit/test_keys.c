// SPDX-License-Identifier: Apache-2.0
/* Key files, the list of keys, and what happens when two sides of a connection do not fit. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "guard.h"
#include "net/allow_list.h"
#include "net/gate.h"
#include "net/net.h"
#include "tests/support/patience.h"

static char dir[64], key_path[PATH_MAX], public_path[PATH_MAX];
static prf_keypair_t pair;
static prf_error_t err;

static void set_up(void)
{
    snprintf(dir, sizeof dir, "/tmp/prfarm-keys-XXXXXX");
    cr_assert(mkdtemp(dir));
    prf_keypair_new(&pair);
    cr_assert_eq(prf_keypair_write(&pair, dir, "k", key_path, public_path, &err), PRF_OK, "%s", err.text);
}

static void tear_down(void)
{
    unlink(key_path);
    unlink(public_path);
    rmdir(dir);
}

TestSuite(keys, .init = set_up, .fini = tear_down);

/* A secret must not be in what people see. */
static void assert_silent(void)
{
    char secret[PRF_KEY_TEXT];
    prf_key_format((const prf_key_t *)pair.secret, secret);
    for (size_t i = 0; i + 16 < sizeof secret; i++) {
        char piece[17] = "";
        memcpy(piece, secret + i, 16);
        cr_assert_not(strstr(err.text, piece), "the message holds a part of the secret");
    }
}

static prf_status_t load(void)
{
    prf_keypair_t loaded;
    memset(&err, 0, sizeof err);
    return prf_keypair_load(&loaded, key_path, &err);
}

Test(keys, a_pair_comes_back_from_its_files_and_only_its_owner_can_read_the_secret)
{
    prf_keypair_t loaded;
    prf_key_t public_key;
    cr_assert_eq(prf_keypair_load(&loaded, key_path, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(memcmp(&loaded, &pair, sizeof pair), 0);
    cr_assert_eq(prf_key_load(&public_key, public_path, &err), PRF_OK, "%s", err.text);
    cr_assert(prf_key_same(&public_key, &pair.public_key));
    char text[PRF_KEY_TEXT];
    prf_key_format(&public_key, text);
    cr_assert_eq(prf_key_load(&public_key, text, &err), PRF_OK, "the key itself is as good as its file");
    struct stat st;
    cr_assert_eq(stat(key_path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600);
}

Test(keys, nothing_is_overwritten)
{
    prf_keypair_t other;
    prf_keypair_new(&other);
    cr_assert_eq(prf_keypair_write(&other, dir, "k", key_path, public_path, &err), PRF_EEXISTS);
    unlink(key_path);
    cr_assert_eq(prf_keypair_write(&other, dir, "k", key_path, public_path, &err), PRF_EEXISTS, "the public file is there");
    cr_assert_neq(access(key_path, F_OK), 0, "half a pair is left behind");
}

Test(keys, a_secret_that_others_can_read_is_refused_with_the_remedy)
{
    for (mode_t bit = 01; bit <= 040; bit <<= 1) {
        chmod(key_path, 0600 | bit);
        cr_assert_eq(load(), PRF_EDENIED, "mode %o", 0600 | (unsigned)bit);
        cr_assert(strstr(err.text, "chmod 600 ") && strstr(err.text, key_path), "%s", err.text);
        assert_silent();
    }
    chmod(key_path, 0400);
    cr_assert_eq(load(), PRF_OK, "%s", err.text);
}

Test(keys, a_public_key_in_the_place_of_a_secret_one_is_told_from_it)
{
    prf_keypair_t loaded;
    cr_assert_eq(prf_keypair_load(&loaded, public_path, &err), PRF_EINVAL);
    cr_assert(strstr(err.text, "is a public key: give the secret one"), "%s", err.text);
}

Test(keys, a_secret_of_another_user_is_refused)
{
    if (geteuid() != 0)
        cr_skip_test("only root can give a file away");
    cr_assert_eq(chown(key_path, 12345, (gid_t)-1), 0);
    cr_assert_eq(load(), PRF_EDENIED);
    cr_assert(strstr(err.text, "chown"), "%s", err.text);
}

Test(keys, a_damaged_file_is_refused_byte_by_byte_without_telling_the_secret)
{
    char *text;
    size_t len;
    cr_assert_eq(prf_file_read(key_path, 4096, &text, &len, &err), PRF_OK);
    for (size_t i = 0; i <= len; i++) {
        char changed[256];
        memcpy(changed, text, len);
        size_t size = len;
        if (i < len)
            changed[i] = changed[i] == '5' ? '6' : '5';
        else
            changed[size++] = '\n';
        int fd = open(key_path, O_WRONLY | O_TRUNC);
        cr_assert_eq(write(fd, changed, size), (ssize_t)size);
        close(fd);
        prf_status_t status = load();
        bool unused = i == len - 64 || i == len - 3; /* X25519 passes over some bits of the first and the last byte */
        cr_assert(status == PRF_EPARSE || status == PRF_ECORRUPT || status == PRF_EVERSION || unused, "byte %zu: %d", i, status);
        assert_silent();
        cr_assert_eq(truncate(key_path, (off_t)i), 0);
        cr_assert(i == len || load() == PRF_EPARSE, "cut at %zu", i);
    }
    free(text);
}

Test(keys, a_list_of_every_role_is_read)
{
    char key[3][PRF_KEY_TEXT], text[1024];
    prf_keypair_t pairs[3];
    for (int i = 0; i < 3; i++) {
        prf_keypair_new(&pairs[i]);
        prf_key_format(&pairs[i].public_key, key[i]);
    }
    snprintf(text, sizeof text,
             "# who may come in\n\n"
             "worker %s kinds=zcu102,vta sessions=2 rack-1 # the first rack\r\n"
             "\toperator  %s alice\n"
             "worker %s kinds=* rack-2",
             key[0], key[1], key[2]);
    prf_allow_list_t list;
    cr_assert_eq(prf_allow_list_parse(&list, "allow", text, &err), PRF_OK, "%s", err.text);
    const prf_allow_t *rack = prf_allow_list_find(&list, &pairs[0].public_key);
    cr_assert_str_eq(rack->name, "rack-1");
    cr_assert_eq(rack->sessions, 2);
    cr_assert(prf_allow_serves(rack, "vta"));
    cr_assert_not(prf_allow_serves(rack, "vta2"));
    cr_assert_not(prf_allow_serves(prf_allow_list_find(&list, &pairs[1].public_key), "vta"));
    cr_assert(prf_allow_serves(prf_allow_list_find(&list, &pairs[2].public_key), "vta"));
    cr_assert_eq(prf_allow_list_find(&list, &pairs[2].public_key)->sessions, PRF_ALLOW_SESSIONS);
    cr_assert_null(prf_allow_list_find(&list, &pair.public_key));
    prf_allow_list_release(&list);
}

Test(keys, a_list_with_a_mistake_is_refused_with_its_line)
{
    static const char *const bad[][2] = {
        {"werker KEY a", "role"},
        {"worker", "64"},
        {"worker 0123 a", "64"},
        {"worker KEY", "name"},
        {"worker KEY kinds=a", "name"},
        {"worker KEY kinds=a,,b x", "kinds="},
        {"worker KEY kinds=a b c", "one word"},
        {"worker KEY kinds=a kinds=b c", "twice"},
        {"worker KEY sessions=0 a", "sessions"},
        {"worker KEY sessions=9x a", "sessions"},
        {"worker KEY colour=red a", "colour"},
        {"viewer KEY kinds=a b", "workers only"},
        {"viewer KEY na/me", "the name"},
    };
    char key[PRF_KEY_TEXT];
    prf_key_format(&pair.public_key, key);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[256];
        const char *at = strstr(bad[i][0], "KEY");
        snprintf(text, sizeof text, "# one\n%.*s%s%s\n", at ? (int)(at - bad[i][0]) : (int)strlen(bad[i][0]), bad[i][0],
                 at ? key : "", at ? at + 3 : "");
        prf_allow_list_t list;
        cr_assert_eq(prf_allow_list_parse(&list, "allow", text, &err), PRF_EPARSE, "%s", bad[i][0]);
        cr_assert(strncmp(err.text, "allow:2: ", 9) == 0 && strstr(err.text, bad[i][1]), "%s: %s", bad[i][0], err.text);
    }
    char twice[256];
    snprintf(twice, sizeof twice, "viewer %s a\noperator %s b\n", key, key);
    prf_allow_list_t list;
    cr_assert_eq(prf_allow_list_parse(&list, "allow", twice, &err), PRF_EPARSE);
    cr_assert(strstr(err.text, "same key"), "%s", err.text);
}

/* A secured ROUTER, and one DEALER that tries. */
typedef struct {
    prf_gate_t *gate;
    prf_socket_t *router, *dealer;
    char at[PRF_ENDPOINT];
} door_t;

static void open_door(door_t *door, const prf_keypair_t *server, const char *endpoint)
{
    *door = (door_t){.gate = NULL};
    cr_assert_eq(prf_socket_new(&door->router, PRF_ROUTER, 10, 1000, &err), PRF_OK);
    if (server) {
        cr_assert_eq(prf_gate_new(&door->gate, &err), PRF_OK, "%s", err.text);
        cr_assert_eq(prf_socket_secure(door->router, server, &err), PRF_OK, "%s", err.text);
    }
    cr_assert_eq(prf_socket_bind(door->router, endpoint, door->at, &err), PRF_OK, "%s", err.text);
}

static void knock(door_t *door, const prf_keypair_t *who, const prf_key_t *server)
{
    prf_socket_destroy(&door->dealer);
    cr_assert_eq(prf_socket_new(&door->dealer, PRF_DEALER, 10, 1000, &err), PRF_OK);
    prf_identity_t identity = {.keyed = who != NULL};
    if (who)
        identity = (prf_identity_t){true, *who, *server};
    cr_assert_eq(prf_socket_identify(door->dealer, &identity, &err), PRF_OK, "%s", err.text);
    cr_assert_eq(prf_socket_connect(door->dealer, door->at, &err), PRF_OK, "%s", err.text);
}

/* Knocks until a message arrives or the trouble is told: what is sent while a connection breaks is lost. */
static prf_status_t outcome(door_t *door, prf_peer_t *from)
{
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    for (int i = 0; prf_clock_mono_ms() < until; i++) {
        if (i % 20 == 0)
            (void)!prf_socket_send(door->dealer, NULL, "knock", 5, NULL);
        uint8_t *bytes;
        size_t len;
        prf_status_t status = prf_socket_tend(door->dealer, &err);
        if (status)
            return status;
        if (prf_socket_recv(door->router, from, &bytes, &len, NULL) == PRF_OK) {
            free(bytes);
            return PRF_OK;
        }
        poll(NULL, 0, 5);
    }
    return PRF_ETIMEOUT;
}

static void close_door(door_t *door)
{
    prf_socket_destroy(&door->dealer);
    prf_socket_destroy(&door->router);
    prf_gate_destroy(&door->gate);
}

Test(keys, only_a_key_that_is_let_in_gets_a_word_through_and_its_messages_carry_it)
{
    door_t door;
    prf_keypair_t server;
    prf_peer_t from;
    prf_keypair_new(&server);
    open_door(&door, &server, "tcp://127.0.0.1:*");
    knock(&door, &pair, &server.public_key);
    cr_assert_eq(outcome(&door, &from), PRF_EDENIED);
    cr_assert(strstr(err.text, "--allow"), "%s", err.text);
    prf_key_t last;
    cr_assert_geq(prf_gate_refused(door.gate, &last), 1);
    cr_assert(prf_key_same(&last, &pair.public_key));
    /* libzmq itself would never try again. */
    cr_assert_eq(prf_gate_allow(door.gate, &pair.public_key, 1, &err), PRF_OK);
    cr_assert_eq(outcome(&door, &from), PRF_OK, "%s", err.text);
    cr_assert(from.keyed && prf_key_same(&from.key, &pair.public_key));
    close_door(&door);
}

Test(keys, keys_that_do_not_fit_are_told_within_seconds)
{
    door_t door;
    prf_keypair_t server;
    prf_peer_t from;
    prf_keypair_new(&server);
    open_door(&door, &server, "tcp://127.0.0.1:*");
    cr_assert_eq(prf_gate_allow(door.gate, &pair.public_key, 1, &err), PRF_OK);
    knock(&door, NULL, NULL);
    cr_assert_eq(outcome(&door, &from), PRF_EDENIED);
    cr_assert(strstr(err.text, "--key and --server"), "%s", err.text);
    knock(&door, &pair, &pair.public_key);
    cr_assert_eq(outcome(&door, &from), PRF_EDENIED);
    cr_assert(strstr(err.text, "--server"), "%s", err.text);
    close_door(&door);
    open_door(&door, NULL, "tcp://127.0.0.1:*");
    knock(&door, &pair, &server.public_key);
    cr_assert_eq(outcome(&door, &from), PRF_EDENIED);
    cr_assert(strstr(err.text, "one without takes neither") || strstr(err.text, "has it keys?"), "%s", err.text);
    close_door(&door);
}

static void rebind_drops(const char *endpoint)
{
    door_t door;
    prf_peer_t from, again;
    open_door(&door, NULL, endpoint);
    knock(&door, NULL, NULL);
    cr_assert_eq(outcome(&door, &from), PRF_OK);
    cr_assert_eq(prf_socket_rebind(door.router, door.at, &err), PRF_OK, "%s", err.text);
    uint64_t until = prf_clock_mono_ms() + PATIENCE_MS;
    while (prf_socket_send(door.router, &from, "hello", 5, &err) != PRF_ENOTFOUND)
        cr_assert_lt(prf_clock_mono_ms(), until, "the old connection is still there");
    cr_assert_eq(outcome(&door, &again), PRF_OK, "the new one gets through");
    close_door(&door);
}

Test(keys, binding_again_ends_connections_and_takes_new_ones)
{
    rebind_drops("tcp://127.0.0.1:*");
    char ipc[96];
    snprintf(ipc, sizeof ipc, "ipc://%s/door", dir);
    rebind_drops(ipc);
}

Test(keys, an_ipc_socket_is_for_its_owner_only)
{
    door_t door;
    char ipc[96];
    struct stat st;
    snprintf(ipc, sizeof ipc, "ipc://%s/door", dir);
    mode_t before = umask(0);
    open_door(&door, NULL, ipc);
    cr_assert_eq(umask(before), 0, "the mask is put back");
    cr_assert_eq(stat(ipc + 6, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0600, "%o", (unsigned)st.st_mode);
    close_door(&door);
}

Test(keys, ten_malformed_messages_silence_a_peer_for_a_while_and_no_other)
{
    static prf_guard_t guard;
    prf_peer_t rude = {.len = 5, .bytes = {0, 1, 2, 3, 4}}, honest = {.len = 5, .bytes = {0, 1, 2, 3, 5}};
    for (unsigned i = 1; i <= PRF_GUARD_FAULTS; i++) {
        cr_assert_not(prf_guard_ignores(&guard, &rude, 1000));
        cr_assert_eq(prf_guard_fault(&guard, &rude, 1000), i == PRF_GUARD_FAULTS);
    }
    cr_assert(prf_guard_ignores(&guard, &rude, 1000 + PRF_GUARD_MS - 1));
    cr_assert_not(prf_guard_ignores(&guard, &honest, 1000));
    cr_assert_not(prf_guard_ignores(&guard, &rude, 1000 + PRF_GUARD_MS), "it is listened to again");
    /* Now and then one is no reason. */
    for (unsigned i = 0; i < 3 * PRF_GUARD_FAULTS; i++)
        cr_assert_not(prf_guard_fault(&guard, &honest, 100000 + i * PRF_GUARD_MS / 5));
    /* A flood of other peers makes the table forget, never grow. */
    for (uint32_t i = 0; i < 100 * PRF_GUARD_PEERS; i++) {
        prf_peer_t other = {.len = 4};
        memcpy(other.bytes, &i, 4);
        prf_guard_fault(&guard, &other, 500000);
    }
    cr_assert_not(prf_guard_ignores(&guard, &honest, 500000));
}
