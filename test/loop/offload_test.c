#include "net_harness.h"

#include "sluice/net/offload.h"

#include <pthread.h>

struct job {
    pthread_t ran_on;
    unsigned worked, done, dropped;
    unsigned work_us;
};

static void on_work(void *arg)
{
    struct job *j = arg;
    j->ran_on = pthread_self();
    j->worked++;
    usleep(j->work_us);
}

static void on_done(void *arg)
{
    ((struct job *)arg)->done++;
}

static void on_dropped(void *arg)
{
    ((struct job *)arg)->dropped++;
}

static void work_runs_elsewhere_and_done_on_the_loop(void **state)
{
    struct loop *l = loop_new();
    struct job j = {0};
    (void)state;
    offload_start(l, on_work, on_done, on_dropped, &j);
    assert_int_equal(j.done, 0);
    loop_run(l);
    assert_int_equal(j.worked, 1);
    assert_int_equal(j.done, 1);
    assert_int_equal(j.dropped, 0);
    assert_false(pthread_equal(j.ran_on, pthread_self()));
    loop_free(l);
}

static void cancelled_is_dropped_once_and_never_done(void **state)
{
    enum { N = 32 }; /* more than there are threads: some are running, some still wait */
    struct loop *l = loop_new();
    struct job jobs[N] = {0};
    struct offload *o[N];
    (void)state;
    for (unsigned i = 0; i < N; i++) {
        jobs[i].work_us = 2000;
        o[i] = offload_start(l, on_work, on_done, on_dropped, &jobs[i]);
    }
    usleep(1000);
    for (unsigned i = 0; i < N; i++)
        offload_cancel(o[i]);
    loop_run(l);
    for (unsigned i = 0; i < N; i++) {
        assert_int_equal(jobs[i].done, 0);
        assert_int_equal(jobs[i].dropped, 1);
    }
    loop_free(l);
}

enum { LARGE = 64 * 1024 * 1024 };

static unsigned large_at_once, most_at_once;

static void on_large_work(void *arg)
{
    unsigned now = __atomic_add_fetch(&large_at_once, 1, __ATOMIC_SEQ_CST);
    unsigned most = __atomic_load_n(&most_at_once, __ATOMIC_SEQ_CST);
    while (now > most && !__atomic_compare_exchange_n(&most_at_once, &most, now, false,
                                                      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        continue;
    on_work(arg);
    __atomic_sub_fetch(&large_at_once, 1, __ATOMIC_SEQ_CST);
}

/* Names and handshakes need threads, too. */
static void large_work_leaves_threads_for_the_small(void **state)
{
    enum { N = 8 };
    struct loop *l = loop_new();
    struct job large[N] = {0}, small = {0};
    (void)state;
    for (unsigned i = 0; i < N; i++) {
        large[i].work_us = 20000;
        offload_start_sized(l, LARGE, on_large_work, on_done, on_dropped, &large[i]);
    }
    offload_start_sized(l, 1000, on_work, on_done, on_dropped, &small);
    while (small.done == 0)
        uv_run(loop_uv(l), UV_RUN_ONCE);
    assert_int_equal(large[N - 1].done, 0);
    loop_run(l);
    for (unsigned i = 0; i < N; i++)
        assert_int_equal(large[i].done, 1);
    assert_int_equal(most_at_once, 2);
    loop_free(l);
}

static void large_work_may_be_cancelled_in_line(void **state)
{
    enum { N = 6 };
    struct loop *l = loop_new();
    struct job jobs[N] = {0};
    struct offload *o[N];
    (void)state;
    for (unsigned i = 0; i < N; i++) {
        jobs[i].work_us = 5000;
        o[i] = offload_start_sized(l, LARGE, on_work, on_done, on_dropped, &jobs[i]);
    }
    offload_cancel(o[N - 1]); /* the last, one between, and one that runs */
    offload_cancel(o[3]);
    offload_cancel(o[0]);
    assert_int_equal(jobs[3].dropped, 0); /* not within the call */
    loop_run(l);
    for (unsigned i = 0; i < N; i++) {
        bool is_cancelled = i == 0 || i == 3 || i == N - 1;
        assert_int_equal(jobs[i].done, !is_cancelled);
        assert_int_equal(jobs[i].dropped, is_cancelled);
    }
    assert_int_equal(jobs[3].worked, 0);
    offload_start_sized(l, LARGE, on_work, on_done, on_dropped,
                        &jobs[3]); /* the line still works */
    loop_run(l);
    assert_int_equal(jobs[3].done, 1);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_runs_elsewhere_and_done_on_the_loop),
        cmocka_unit_test(cancelled_is_dropped_once_and_never_done),
        cmocka_unit_test(large_work_leaves_threads_for_the_small),
        cmocka_unit_test(large_work_may_be_cancelled_in_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
