// SPDX-License-Identifier: Apache-2.0
/* What every error reads like once it is printed, whoever raised it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/status.h"

Test(status, what_ran_out_of_memory_reads_whole)
{
    prf_error_t err = {0};
    cr_assert_eq(prf_fail(&err, PRF_ENOMEM, "a frame of %d bytes", 9), PRF_ENOMEM);
    cr_assert_str_eq(err.text, "out of memory for a frame of 9 bytes: free some, or use a machine with more");
}

Test(status, a_fault_of_our_own_asks_to_be_reported)
{
    prf_error_t err = {0};
    prf_fail(&err, PRF_EINTERNAL, "two and two are five");
    cr_assert_str_eq(err.text, "two and two are five: this is a fault of prfarm, please report it");
}

Test(status, an_error_that_is_passed_on_is_not_completed_twice)
{
    prf_error_t err = {0}, again = {0};
    prf_fail(&err, PRF_ENOMEM, "a frame");
    prf_fail(&again, PRF_ENOMEM, "board b1: %s", err.text);
    cr_assert_str_eq(again.text, "board b1: out of memory for a frame: free some, or use a machine with more");
}

Test(status, a_refusal_of_the_system_says_what_helps_against_it)
{
    prf_error_t err = {0};
    cr_assert_eq(prf_fail_sys(&err, ENOENT, "nets/a.onnx"), PRF_ENOTFOUND);
    cr_assert_str_eq(err.text, "nets/a.onnx: No such file or directory: check the path");
    cr_assert_eq(err.sys_errno, ENOENT);
    static const int some[] = {EACCES, ENOSPC, EMFILE, EROFS, EADDRINUSE, EAGAIN, ENOMEM, EIO, EPROTO};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        prf_fail_sys(&err, some[i], "it");
        const char *after = strstr(err.text, strerror(some[i]));
        cr_assert(after && strncmp(after + strlen(strerror(some[i])), ": ", 2) == 0, "%s", err.text);
    }
}

Test(status, a_long_text_gives_way_to_its_remedy)
{
    char path[900];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    prf_error_t err = {0};
    prf_fail(&err, PRF_ENOMEM, "%s", path);
    cr_assert_str_eq(err.text + strlen(err.text) - strlen("xx: free some, or use a machine with more"),
                     "xx: free some, or use a machine with more");
    cr_assert_eq(strncmp(err.text, "out of memory for xx", 20), 0);
    prf_fail_prefix(&err, PRF_ENOMEM, "%s", path);
    cr_assert_eq(strncmp(err.text, "xxx", 3), 0);
    prf_fail(&err, PRF_EINVAL, "%s", path);
    prf_fail_remedy(&err, PRF_EINVAL, "use a shorter one");
    cr_assert_str_eq(err.text + strlen(err.text) - strlen("xx: use a shorter one"), "xx: use a shorter one");
}

Test(status, a_prefix_is_cut_short_before_the_remedy_is)
{
    char campaign[400];
    memset(campaign, 'c', sizeof campaign - 1);
    campaign[sizeof campaign - 1] = '\0';
    prf_error_t err = {0};
    prf_fail(&err, PRF_EINVAL, "%.330s: use another", campaign);
    cr_assert_eq(prf_fail_prefix(&err, PRF_EIO, "%s", campaign), PRF_EINVAL);
    cr_assert_str_eq(err.text + strlen(err.text) - strlen("c: use another"), "c: use another");
    cr_assert(strstr(err.text, ": ccc"));
}

Test(status, a_remedy_that_is_there_is_not_repeated)
{
    prf_error_t err = {0};
    prf_fail(&err, PRF_ECORRUPT, "model file: no nodes");
    cr_assert_eq(prf_fail_remedy(&err, PRF_EIO, "fetch it again"), PRF_ECORRUPT);
    prf_fail_remedy(&err, PRF_EIO, "fetch it again");
    cr_assert_str_eq(err.text, "model file: no nodes: fetch it again");
}

Test(status, nobody_needs_to_ask_for_the_text)
{
    cr_assert_eq(prf_fail(NULL, PRF_ENOMEM, "a frame"), PRF_ENOMEM);
    cr_assert_eq(prf_fail_sys(NULL, ENOSPC, "a disk"), PRF_ENOSPC);
    cr_assert_eq(prf_fail_remedy(NULL, PRF_EPEER, "update it"), PRF_EPEER);
    cr_assert_eq(prf_fail_prefix(NULL, PRF_EPEER, "it"), PRF_EPEER);
}
