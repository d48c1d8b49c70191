// SPDX-License-Identifier: Apache-2.0
/* The event loop and the mailbox of common/net. */
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "net/net.h"

static prf_error_t err;

typedef struct {
    prf_loop_t *loop;
    int fd, other_fd, calls, other_calls, timer, signals;
} state_t;

static prf_loop_t *new_loop(void)
{
    prf_loop_t *loop = NULL;
    cr_assert_eq(prf_loop_new(&loop, &err), PRF_OK);
    return loop;
}

static int ready_fd(void)
{
    int fd = eventfd(1, EFD_NONBLOCK);
    cr_assert(fd >= 0);
    return fd;
}

static void stop_third(void *arg)
{
    state_t *s = arg;
    if (++s->calls == 3)
        prf_loop_stop(s->loop);
}

Test(loop, a_handler_is_called_while_there_is_something_to_read)
{
    state_t s = {.loop = new_loop(), .fd = ready_fd()};
    cr_assert_eq(prf_loop_add_fd(s.loop, s.fd, stop_third, &s, &err), PRF_OK);
    cr_expect_eq(prf_loop_run(s.loop, &err), PRF_OK);
    cr_expect_eq(s.calls, 3);
    close(s.fd);
    prf_loop_destroy(&s.loop);
}

Test(loop, timers_repeat_and_a_hung_up_descriptor_is_readable)
{
    state_t s = {.loop = new_loop()}, t = {.loop = s.loop};
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(prf_loop_add_timer(s.loop, 1, stop_third, &s, &s.timer, &err), PRF_OK);
    cr_expect_eq(prf_loop_run(s.loop, &err), PRF_OK);
    cr_expect_eq(s.calls, 3);
    prf_loop_remove_timer(s.loop, s.timer);
    close(ends[1]);
    cr_assert_eq(prf_loop_add_fd(s.loop, ends[0], stop_third, &t, &err), PRF_OK);
    cr_expect_eq(prf_loop_run(s.loop, &err), PRF_OK);
    cr_expect_eq(s.calls, 3, "a removed timer fired");
    close(ends[0]);
    prf_loop_destroy(&s.loop);
}

static void count_other(void *arg)
{
    ((state_t *)arg)->other_calls++;
}

static void remove_both(void *arg)
{
    state_t *s = arg;
    s->calls++;
    prf_loop_remove_fd(s->loop, s->fd);
    prf_loop_remove_fd(s->loop, s->other_fd);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(prf_loop_add_timer(s->loop, 100000, count_other, s, NULL, &err), PRF_OK);
}

static void stop_now(void *arg)
{
    prf_loop_stop(arg);
}

Test(loop, a_handler_may_remove_itself_and_others_and_add_many)
{
    state_t s = {.loop = new_loop(), .fd = ready_fd(), .other_fd = ready_fd()};
    cr_assert_eq(prf_loop_add_fd(s.loop, s.fd, remove_both, &s, &err), PRF_OK);
    cr_assert_eq(prf_loop_add_fd(s.loop, s.other_fd, count_other, &s, &err), PRF_OK);
    cr_assert_eq(prf_loop_add_timer(s.loop, 20, stop_now, s.loop, NULL, &err), PRF_OK);
    cr_expect_eq(prf_loop_run(s.loop, &err), PRF_OK);
    cr_expect_eq(s.calls, 1);
    cr_expect_eq(s.other_calls, 0, "a handler removed in the same turn was called");
    close(s.fd);
    close(s.other_fd);
    prf_loop_destroy(&s.loop);
}

static void on_signal(void *arg)
{
    state_t *s = arg;
    if (++s->signals == 3)
        prf_loop_stop(s->loop);
}

static void send_signals(void *arg)
{
    state_t *s = arg;
    prf_loop_remove_timer(s->loop, s->timer);
    kill(getpid(), SIGTERM);
    kill(getpid(), SIGINT);
    kill(getpid(), SIGHUP);
    raise(SIGPIPE);
}

Test(loop, term_int_and_hup_arrive_as_events_and_pipe_does_nothing)
{
    state_t s = {.loop = new_loop()};
    cr_assert_eq(prf_loop_on_signals(s.loop, on_signal, &s, &err), PRF_OK);
    cr_expect_eq(prf_loop_on_signals(s.loop, on_signal, &s, &err), PRF_EEXISTS);
    cr_assert_eq(prf_loop_add_timer(s.loop, 1, send_signals, &s, &s.timer, &err), PRF_OK);
    cr_expect_eq(prf_loop_run(s.loop, &err), PRF_OK);
    cr_expect_eq(s.signals, 3);
    prf_loop_destroy(&s.loop);
}

static void send_one_and_end(void *arg)
{
    state_t *s = arg;
    if (++s->calls == 3)
        prf_loop_stop(s->loop);
    else
        kill(getpid(), SIGHUP);
}

/* The shell sends one, the kernel another. */
Test(loop, one_terminal_that_is_closed_is_one_event)
{
    state_t s = {.loop = new_loop()};
    cr_assert_eq(prf_loop_on_signals(s.loop, on_signal, &s, &err), PRF_OK);
    cr_assert_eq(prf_loop_add_timer(s.loop, 1, send_one_and_end, &s, &s.timer, &err), PRF_OK);
    cr_expect_eq(prf_loop_run(s.loop, &err), PRF_OK);
    cr_expect_eq(s.signals, 1);
    prf_loop_destroy(&s.loop);
}

Test(loop, under_nohup_a_terminal_that_is_closed_ends_nothing)
{
    state_t s = {.loop = new_loop()};
    signal(SIGHUP, SIG_IGN);
    cr_assert_eq(prf_loop_on_signals(s.loop, on_signal, &s, &err), PRF_OK);
    cr_assert_eq(prf_loop_add_timer(s.loop, 1, send_one_and_end, &s, &s.timer, &err), PRF_OK);
    cr_expect_eq(prf_loop_run(s.loop, &err), PRF_OK);
    cr_expect_eq(s.signals, 0);
    prf_loop_destroy(&s.loop);
}

static bool readable(prf_mailbox_t *box)
{
    struct pollfd p = {.fd = prf_mailbox_fd(box), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static int dropped;
static void drop(void *item)
{
    (void)item;
    dropped++;
}

Test(mailbox, its_descriptor_tells_whether_something_is_inside)
{
    prf_mailbox_t *box = NULL;
    int items[3];
    cr_expect_eq(prf_mailbox_new(&box, 0, &err), PRF_EINVAL);
    cr_assert_eq(prf_mailbox_new(&box, 3, &err), PRF_OK);
    cr_expect_not(readable(box));
    cr_expect_null(prf_mailbox_take(box, 0));
    cr_expect_null(prf_mailbox_take(box, 5));
    for (int i = 0; i < 3; i++)
        cr_assert_eq(prf_mailbox_put(box, &items[i], &err), PRF_OK);
    cr_expect_eq(prf_mailbox_count(box), 3);
    for (int i = 0; i < 3; i++) {
        cr_expect(readable(box));
        cr_expect_eq(prf_mailbox_take(box, -1), &items[i], "not in the order of putting");
    }
    cr_expect_not(readable(box));
    cr_assert_eq(prf_mailbox_put(box, &items[0], &err), PRF_OK);
    prf_mailbox_close(box);
    cr_expect_eq(prf_mailbox_put(box, &items[1], &err), PRF_ECANCELLED);
    cr_expect_eq(prf_mailbox_take(box, -1), &items[0], "closing lost what was inside");
    cr_expect_null(prf_mailbox_take(box, -1));
    prf_mailbox_destroy(&box, drop);
    cr_expect_eq(dropped, 0);
    cr_assert_eq(prf_mailbox_new(&box, 3, &err), PRF_OK);
    cr_assert_eq(prf_mailbox_put(box, &items[0], &err), PRF_OK);
    prf_mailbox_destroy(&box, drop);
    cr_expect_eq(dropped, 1);
}

enum { PRODUCERS = 3, EACH = 20000 };

typedef struct {
    prf_mailbox_t *box;
    uint32_t items[EACH];
} producer_t;

static void *produce(void *arg)
{
    producer_t *p = arg;
    for (uint32_t i = 0; i < EACH; i++) {
        p->items[i] = i;
        if (prf_mailbox_put(p->box, &p->items[i], NULL))
            return p;
    }
    return NULL;
}

Test(mailbox, threads_lose_and_reorder_nothing_through_a_small_one)
{
    static producer_t producers[PRODUCERS];
    pthread_t threads[PRODUCERS];
    prf_mailbox_t *box = NULL;
    cr_assert_eq(prf_mailbox_new(&box, 4, &err), PRF_OK);
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i].box = box;
        cr_assert_eq(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    uint32_t next[PRODUCERS] = {0};
    for (int taken = 0; taken < PRODUCERS * EACH; taken++) {
        uint32_t *item = prf_mailbox_take(box, -1);
        cr_assert_not_null(item);
        int who = 0;
        while (item < producers[who].items || item >= producers[who].items + EACH)
            who++;
        cr_assert_eq(*item, next[who]++);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        cr_expect_null(failed);
    }
    cr_expect_eq(prf_mailbox_count(box), 0);
    prf_mailbox_destroy(&box, NULL);
}

static void *put_one(void *arg)
{
    return (void *)(uintptr_t)prf_mailbox_put(arg, arg, NULL);
}

Test(mailbox, closing_wakes_who_waits_at_a_full_one)
{
    prf_mailbox_t *box = NULL;
    int item;
    pthread_t thread;
    void *status;
    cr_assert_eq(prf_mailbox_new(&box, 1, &err), PRF_OK);
    cr_assert_eq(prf_mailbox_put(box, &item, &err), PRF_OK);
    cr_assert_eq(pthread_create(&thread, NULL, put_one, box), 0);
    prf_mailbox_close(box);
    pthread_join(thread, &status);
    cr_expect_eq((uintptr_t)status, PRF_ECANCELLED);
    prf_mailbox_destroy(&box, NULL);
}
