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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(work_runs_elsewhere_and_done_on_the_loop),
        cmocka_unit_test(cancelled_is_dropped_once_and_never_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
