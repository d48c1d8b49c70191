// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "net/endpoint.h"

static void expect(const char *farm, const char *workers, const char *clients, const char *broadcast)
{
    prf_endpoints_t e;
    prf_error_t err;
    cr_assert_eq(prf_endpoints_parse(&e, farm, &err), PRF_OK, "%s: %s", farm, err.text);
    cr_expect_str_eq(e.workers, workers);
    cr_expect_str_eq(e.clients, clients);
    cr_expect_str_eq(e.broadcast, broadcast);
}

static void refuse(const char *farm, const char *why)
{
    prf_endpoints_t e, before;
    memset(&e, 7, sizeof e);
    before = e;
    prf_error_t err;
    cr_expect_eq(prf_endpoints_parse(&e, farm, &err), PRF_EINVAL, "%s", farm);
    cr_expect(strstr(err.text, why), "%s: '%s' does not say '%s'", farm, err.text, why);
    cr_expect_eq(memcmp(&e, &before, sizeof e), 0, "%s: output changed", farm);
}

Test(endpoint, one_word_names_three_sockets)
{
    expect("tcp://127.0.0.1:7700", "tcp://127.0.0.1:7700", "tcp://127.0.0.1:7701", "tcp://127.0.0.1:7702");
    expect("tcp://[::1]:1", "tcp://[::1]:1", "tcp://[::1]:2", "tcp://[::1]:3");
    expect("tcp://rack-3.lab:65533", "tcp://rack-3.lab:65533", "tcp://rack-3.lab:65534", "tcp://rack-3.lab:65535");
    expect("tcp://127.0.0.1:*", "tcp://127.0.0.1:*", "tcp://127.0.0.1:*", "tcp://127.0.0.1:*");
    expect("ipc://run/x", "ipc://run/x.workers", "ipc://run/x.clients", "ipc://run/x.broadcast");
    expect("tcp://a:1,ipc://b,tcp://c:*", "tcp://a:1", "ipc://b", "tcp://c:*");
}

Test(endpoint, what_the_ready_line_tells_can_be_parsed_again)
{
    prf_endpoints_t e, again;
    char text[3 * PRF_ENDPOINT];
    cr_assert_eq(prf_endpoints_parse(&e, "ipc:///tmp/farm", NULL), PRF_OK);
    prf_endpoints_format(&e, text);
    cr_assert_eq(prf_endpoints_parse(&again, text, NULL), PRF_OK);
    cr_assert_str_eq(again.workers, e.workers);
    cr_assert_str_eq(again.broadcast, e.broadcast);
}

Test(endpoint, wrong_farms_are_refused_with_the_remedy)
{
    refuse("", "tcp://HOST:PORT");
    refuse("127.0.0.1:7700", "tcp://HOST:PORT");
    refuse("http://a:1", "tcp://HOST:PORT");
    refuse("inproc://x", "tcp://HOST:PORT");
    refuse("tcp://", "tcp://HOST:PORT");
    refuse("tcp://:7700", "tcp://HOST:PORT");
    refuse("tcp://a;b:1", "tcp://HOST:PORT");
    refuse("tcp://a:", "1 to 65535");
    refuse("tcp://a:0", "1 to 65535");
    refuse("tcp://a:65536", "1 to 65535");
    refuse("tcp://a:99999999999999999999", "1 to 65535");
    refuse("tcp://a:-1", "1 to 65535");
    refuse("tcp://a:7x", "1 to 65535");
    refuse("tcp://a:65534", "65533");
    refuse("ipc://", "ipc://PATH");
    refuse("ipc://*", "ipc://PATH");
    refuse("tcp://a:1,tcp://b:2", "three");
    refuse("tcp://a:1,tcp://b:2,tcp://c:3,tcp://d:4", "three");
    refuse("tcp://a:1,,tcp://c:3", "tcp://HOST:PORT");
    refuse("tcp://a:1,tcp://a:2,tcp://a:1", "twice");
    refuse("ipc://a\nb", "control");
}

Test(endpoint, an_ipc_path_must_fit_a_socket_name_with_its_suffix)
{
    char farm[PRF_ENDPOINT];
    int room = 107 - (int)strlen(".broadcast");
    snprintf(farm, sizeof farm, "ipc://%0*d", room, 0);
    cr_expect_eq(prf_endpoints_parse(&(prf_endpoints_t){0}, farm, NULL), PRF_OK);
    snprintf(farm, sizeof farm, "ipc://%0*d", room + 1, 0);
    refuse(farm, "shorter folder");
    char *enormous = calloc(1, 100001);
    memset(enormous, 'a', 100000);
    memcpy(enormous, "ipc://", 6);
    refuse(enormous, "longer than");
    memset(enormous + 50000, ',', 3);
    refuse(enormous, "three");
    free(enormous);
}

Test(endpoint, only_loopback_and_ipc_are_local)
{
    static const struct {
        const char *farm;
        bool local;
    } cases[] = {
        {"tcp://127.0.0.1:7700", true},
        {"tcp://127.9.8.7:7700", true},
        {"tcp://localhost:1", true},
        {"tcp://[::1]:5", true},
        {"ipc://x", true},
        {"tcp://*:7700", false},
        {"tcp://0.0.0.0:7700", false},
        {"tcp://127.0.0.1.evil.org:1", false},
        {"tcp://localhost.evil.org:1", false},
        {"tcp://10.0.0.1:7700", false},
        {"ipc://a,ipc://b,tcp://[::]:1", false},
        {"ipc://a,ipc://b,tcp://127.0.0.1:1", true},
        {"tcp://128.0.0.1:7700", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        prf_endpoints_t e;
        cr_assert_eq(prf_endpoints_parse(&e, cases[i].farm, NULL), PRF_OK, "%s", cases[i].farm);
        cr_expect_eq(prf_endpoints_local(&e), cases[i].local, "%s", cases[i].farm);
    }
}
