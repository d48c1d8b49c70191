// SPDX-License-Identifier: Apache-2.0
/* What the file of `prfarm fleet ssh` may say, and what ssh would make of it. Real hosts are in tests/ssh. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "fleet_ssh_talk.h"

#define HEAD "fleet: lab\nfarm: tcp://10.0.0.1:7700\nfrom: dist\n"
#define HOST "  - {host: a, kind: npu, backend: sim}\n"

static prf_ssh_file_t file;

static void open_text(const char *text)
{
    prf_error_t err = {0};
    cr_assert_eq(prf_ssh_file_parse(&file, text, "x/boards.yaml", &err), PRF_OK, "%s", err.text);
}

static void refused(const char *text, const char *says)
{
    prf_error_t err = {0};
    cr_expect_eq(prf_ssh_file_parse(&file, text, "b.yaml", &err), PRF_EINVAL, "%s", text);
    cr_expect(strncmp(err.text, says, strlen(says)) == 0, "'%s' does not begin with '%s'", err.text, says);
}

static void shut(void)
{
    prf_ssh_file_release(&file);
}

TestSuite(fleet_ssh, .fini = shut);

Test(fleet_ssh, a_host_says_what_the_defaults_do_not)
{
    open_text(HEAD
              "defaults: {user: board, port: 2222, kind: npu, backend: sim, options: {board: vta, seed: 1}, boards: 2}\nhosts:\n"
              "  - {host: 10.0.0.11, name: rack-1}\n"
              "  - {host: tx2.lab, kind: tx2, backend: exec, options: {command: python3, arg: [a, 'b c']}, boards: 1}\n");
    cr_assert_eq(file.count, 2);
    const prf_ssh_host_t *first = &file.hosts[0], *second = &file.hosts[1];
    char board[PRF_NAME], path[PATH_MAX];
    cr_expect_str_eq(first->kind, "npu");
    cr_expect_eq(first->options.count, 2);
    cr_expect_eq(first->port, 2222);
    cr_expect_str_eq(second->name, "tx2.lab");
    cr_expect_str_eq(second->user, "board");
    cr_expect_eq(second->options.count, 3, "its own options take the place of the defaults'");
    cr_expect_str_eq(second->options.list[2].value, "b c");
    prf_ssh_board(first, 1, board);
    cr_expect_str_eq(board, "rack-1-2");
    prf_ssh_board(second, 0, board);
    cr_expect_str_eq(board, "tx2.lab");
    cr_expect_eq(prf_ssh_path(&file, file.from, path, NULL), PRF_OK);
    cr_expect_str_eq(path, "x/dist", "paths are beside the file");
    cr_expect_eq(prf_ssh_path(&file, "~/.ssh/id", path, NULL), PRF_OK);
    cr_expect_str_eq(path, "~/.ssh/id");
}

Test(fleet_ssh, what_is_wrong_with_a_file_is_told_with_its_place)
{
    refused("", "b.yaml:1: ");
    refused("fleet: lab\nfarm: tcp://h:1\nhosts: []\n", "b.yaml:1: 'from' is missing");
    refused(HEAD, "b.yaml:1: 'hosts' is missing");
    refused(HEAD "hosts: []\n", "b.yaml:4: hosts: list 1 to 1000");
    refused(HEAD "hosts:\n" HOST HOST, "b.yaml:6: 'a' is there twice");
    refused(HEAD "defaults: {kind: npu, backend: sim}\nhosts:\n  - {host: a, boards: 2}\n  - {host: a-2}\n",
            "b.yaml:7: 'a-2' is there twice");
    refused(HEAD "defaults: {kind: npu, backend: sim}\nhosts:\n  - {host: a-2}\n  - {host: a, boards: 2}\n",
            "b.yaml:7: 'a-2' is there twice");
    refused(HEAD "hosts:\n  - {host: a, kind: npu}\n", "b.yaml:5: 'backend' is missing");
    refused(HEAD "hosts:\n  - {kind: npu, backend: sim}\n", "b.yaml:5: 'host' is missing");
    refused(HEAD "allow: a.txt\nhosts:\n" HOST, "b.yaml:4: allow: it is for a farm with keys");
    refused(HEAD "defaults: {host: a}\nhosts:\n" HOST, "b.yaml:4: ");
    refused("fleet: lab\nfarm: http://h\nfrom: x\nhosts:\n" HOST, "b.yaml:2: ");
    refused(HEAD "hosts:\n  - {host: a, kind: npu, backend: sim, boards: 65}\n", "b.yaml:5: ");
    refused(HEAD "hosts:\n  - {host: a, kind: npu, backend: sim, port: 0}\n", "b.yaml:5: ");
}

/* ssh takes a word that begins with '-' for an option, and shells have ideas of their own. */
Test(fleet_ssh, no_word_becomes_an_option_or_a_command)
{
    refused(HEAD "hosts:\n  - {host: -oProxyCommand=x, kind: npu, backend: sim}\n", "b.yaml:5: host '-oProxyCommand=x'");
    refused(HEAD "hosts:\n  - {host: 'a b', kind: npu, backend: sim}\n", "b.yaml:5: host 'a b'");
    refused(HEAD "hosts:\n  - {host: 'a;b', kind: npu, backend: sim}\n", "b.yaml:5: host 'a;b'");
    refused(HEAD "hosts:\n  - {host: a, user: '-l', kind: npu, backend: sim}\n", "b.yaml:5: user '-l'");
    refused(HEAD "hosts:\n  - {host: a, name: '../a', kind: npu, backend: sim}\n", "b.yaml:5: ");
    refused(HEAD "hosts:\n  - {host: a, kind: 'n;u', backend: sim}\n", "b.yaml:5: ");
    refused(HEAD "hosts:\n  - {host: a, kind: npu, backend: sim, known_hosts: 'a b'}\n", "b.yaml:5: known_hosts 'a b'");
    refused(HEAD "hosts:\n  - {host: a, kind: npu, backend: sim, options: {board: \"a\\nb\"}}\n", "b.yaml:5: board ");
    refused(HEAD "hosts:\n  - {host: a, kind: npu, backend: sim, options: {'a b': c}}\n", "b.yaml:5: ");
    refused("fleet: ../lab\nfarm: tcp://h:1\nfrom: x\nhosts:\n" HOST, "b.yaml:1: ");
}

Test(fleet_ssh, boards_are_started_anew_when_they_are_to_be_started_otherwise)
{
#define OTHER_FARM "fleet: lab\nfarm: tcp://10.0.0.2:7700\nfrom: dist\n"
    static const char *const texts[] = {
        (HEAD "hosts:\n" HOST),
        (HEAD "server: c.pub\nhosts:\n" HOST),
        (HEAD "hosts:\n  - {host: a, kind: npu, backend: sim, boards: 2}\n"),
        (HEAD "hosts:\n  - {host: a, kind: npu, backend: sim, options: {seed: 1}}\n"),
        (OTHER_FARM "hosts:\n" HOST),
        (HEAD "server: c.pub\nhosts:\n" HOST),
    };
    enum { TEXTS = sizeof texts / sizeof *texts };
    char launch[TEXTS][PRF_DIGEST_HEX], again[PRF_DIGEST_HEX];
    for (size_t i = 0; i < TEXTS; i++) {
        open_text(texts[i]);
        prf_ssh_launch(&file, &file.hosts[0], i + 1 < TEXTS ? "" : "another key", launch[i]);
        prf_ssh_launch(&file, &file.hosts[0], i + 1 < TEXTS ? "" : "another key", again);
        cr_expect_str_eq(launch[i], again);
        for (size_t j = 0; j < i; j++)
            cr_expect_str_neq(launch[i], launch[j], "%zu and %zu", i, j);
        prf_ssh_file_release(&file);
    }
}

Test(fleet_ssh, machines_have_debians_names)
{
    cr_expect_str_eq(prf_ssh_machine("x86_64"), "amd64");
    cr_expect_str_eq(prf_ssh_machine("aarch64"), "arm64");
    cr_expect_null(prf_ssh_machine("riscv64"));
    cr_expect_null(prf_ssh_machine(""));
}

Test(fleet_ssh, every_state_that_is_not_well_has_a_remedy)
{
    for (int s = 0; s < PRF_SSH_STATES; s++) {
        cr_expect(*prf_ssh_state_name((prf_ssh_state_t)s));
        cr_expect_eq(*prf_ssh_remedy((prf_ssh_state_t)s) != '\0', s >= PRF_SSH_OUTDATED, "%s",
                     prf_ssh_state_name((prf_ssh_state_t)s));
    }
}
