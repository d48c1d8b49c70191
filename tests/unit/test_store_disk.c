// SPDX-License-Identifier: Apache-2.0
/* The store on full disks: a tiny file system where mounting is allowed, else a limit on the size of files. */
#define _GNU_SOURCE
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/stores.h"

TestSuite(store_disk, .init = store_make_dir, .fini = store_remove_dir);

/* A file system of 1 MiB at `store_dir` that only this process sees; false where that is not allowed. */
static bool tiny_disk(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", store_dir, "tmpfs", 0, "size=1m,mode=700") == 0;
}

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
}

static void fill_disk(bool tiny)
{
    char path[128], block[4096] = {0};
    if (!tiny) {
        struct stat st;
        snprintf(path, sizeof path, "%s/data.mdb", store_dir);
        cr_assert_eq(stat(path, &st), 0);
        limit_files((rlim_t)st.st_size); /* a write across the limit would be a short one, which no full disk explains */
        return;
    }
    snprintf(path, sizeof path, "%s/filler", store_dir);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    cr_assert(fd >= 0);
    while (write(fd, block, sizeof block) > 0)
        ;
    close(fd);
}

static void make_room(bool tiny)
{
    char path[128];
    snprintf(path, sizeof path, "%s/filler", store_dir);
    if (tiny)
        unlink(path);
    else
        limit_files(RLIM_INFINITY);
}

Test(store_disk, a_full_disk_fails_the_group_and_a_retry_after_making_room_succeeds)
{
    bool tiny = tiny_disk();
    signal(SIGXFSZ, SIG_IGN);
    static char value[100000];
    memset(value, 'v', sizeof value - 1);
    prf_store_t *s = store_opened();
    cr_expect_eq(store_put(s, PRF_TABLE_CAMPAIGN, "before", "kept"), PRF_OK);
    fill_disk(tiny);
    for (int i = 0; i < 3; i++)
        cr_expect_eq(store_put(s, PRF_TABLE_MODEL, "m/1", value), PRF_ENOSPC);
    store_expect_value(s, PRF_TABLE_CAMPAIGN, "before", "kept");
    store_expect_value(s, PRF_TABLE_MODEL, "m/1", NULL);
    prf_store_close(&s);
    s = store_opened();
    store_expect_value(s, PRF_TABLE_CAMPAIGN, "before", "kept");
    cr_expect_eq(store_put(s, PRF_TABLE_MODEL, "m/1", value), PRF_ENOSPC);
    make_room(tiny);
    cr_expect_eq(store_put(s, PRF_TABLE_MODEL, "m/1", value), PRF_OK);
    store_expect_value(s, PRF_TABLE_MODEL, "m/1", value);
    prf_store_close(&s);
    if (tiny)
        umount2(store_dir, MNT_DETACH);
}

/* Not even pages that exist can be written, as on a full disk that copies on write: LMDB itself gives up then. */
Test(store_disk, goes_on_after_a_disk_that_took_nothing_at_all)
{
    signal(SIGXFSZ, SIG_IGN);
    prf_store_t *s = store_opened();
    cr_expect_eq(store_put(s, PRF_TABLE_CAMPAIGN, "before", "kept"), PRF_OK);
    limit_files(1);
    for (int i = 0; i < 3; i++)
        cr_expect_neq(store_put(s, PRF_TABLE_CAMPAIGN, "lost", "value"), PRF_OK);
    limit_files(RLIM_INFINITY);
    cr_expect_eq(store_put(s, PRF_TABLE_CAMPAIGN, "after", "written"), PRF_OK);
    store_expect_value(s, PRF_TABLE_CAMPAIGN, "before", "kept");
    store_expect_value(s, PRF_TABLE_CAMPAIGN, "after", "written");
    prf_store_close(&s);
    s = store_opened();
    store_expect_value(s, PRF_TABLE_CAMPAIGN, "after", "written");
    prf_store_close(&s);
}

Test(store_disk, a_full_disk_is_told_when_a_store_is_to_be_made)
{
    if (!tiny_disk())
        cr_skip_test("a tiny disk needs the right to mount");
    fill_disk(true);
    store_refuse_open(PRF_ENOSPC, "");
    umount2(store_dir, MNT_DETACH);
}
