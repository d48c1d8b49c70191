// SPDX-License-Identifier: Apache-2.0
/* Addresses that a relay binds and dials: those that ZeroMQ would take in the other programs. */
#include <criterion/criterion.h>

#include "relay/address.h"

Test(relay_address, a_name_stands_for_ipv4_unless_it_is_in_brackets)
{
    prf_address_t address;
    prf_error_t err = {0};
    static const char *const plain[] = {"tcp://localhost:7700", "tcp://127.0.0.1:7700", "tcp://*:7700"};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        cr_assert_eq(prf_address_resolve(&address, plain[i], &err), PRF_OK, "%s", err.text);
        cr_assert_eq(address.bytes.ss_family, AF_INET, "%s", plain[i]);
    }
    cr_assert_eq(prf_address_resolve(&address, "tcp://[::1]:7700", &err), PRF_OK, "%s", err.text);
    cr_assert_eq(address.bytes.ss_family, AF_INET6);
    /* Where localhost has one family only: the other is not put in its place. */
    if (!prf_address_resolve(&address, "tcp://[localhost]:7700", &err))
        cr_assert_eq(address.bytes.ss_family, AF_INET6);
}
