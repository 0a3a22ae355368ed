#include "net_harness.h"

struct job {
    struct later later;
    struct loop *loop;
    unsigned ran, again;
    struct job *queues;
};

static void on_run(struct later *w)
{
    struct job *j = (struct job *)w;
    assert_false(w->queued);
    j->ran++;
    if (j->again > 0) {
        j->again--;
        loop_later(j->loop, w);
    }
    if (j->queues != NULL)
        loop_later(j->loop, &j->queues->later);
}

static void later_runs_once_however_often_it_is_queued(void **state)
{
    struct loop *l = loop_new();
    struct job j = {.later.run = on_run, .loop = l};
    (void)state;
    loop_later(l, &j.later);
    loop_later(l, &j.later);
    assert_int_equal(j.ran, 0); /* never inside the call */
    loop_run(l);                /* nothing else is alive: it runs all the same */
    assert_int_equal(j.ran, 1);
    loop_free(l);
}

static void later_may_queue_itself_and_others(void **state)
{
    struct loop *l = loop_new();
    struct job second = {.later.run = on_run, .loop = l};
    struct job first = {.later.run = on_run, .loop = l, .again = 2, .queues = &second};
    (void)state;
    loop_later(l, &first.later);
    loop_run(l);
    assert_int_equal(first.ran, 3);
    assert_int_equal(second.ran, 2); /* it was still queued the second time */
    loop_free(l);
}

struct walker {
    struct next_turn turn;
    struct loop *loop;
    unsigned ran, again;
};

static void on_turn(struct next_turn *t)
{
    struct walker *w = (struct walker *)t;
    w->ran++;
    if (w->again > 0) {
        w->again--;
        loop_next_turn(w->loop, t);
    }
}

/* However often it asks, the sockets have a turn in between. */
static void the_next_turn_is_another_one(void **state)
{
    struct loop *l = loop_new();
    struct walker w = {.turn.run = on_turn, .loop = l, .again = 5};
    (void)state;
    loop_next_turn(l, &w.turn);
    loop_next_turn(l, &w.turn);
    for (unsigned before = 0; w.ran < 6; before = w.ran) {
        uv_run(loop_uv(l), UV_RUN_NOWAIT);
        assert_true(w.ran <= before + 1);
    }
    uv_run(loop_uv(l), UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_alive(loop_uv(l)), 0); /* and then the loop may sleep */
    loop_free(l);
}

static void a_forgotten_turn_does_not_come(void **state)
{
    struct loop *l = loop_new();
    struct walker w = {.turn.run = on_turn, .loop = l};
    (void)state;
    loop_next_turn(l, &w.turn);
    loop_forget_turn(&w.turn);
    loop_forget_turn(&w.turn);
    run_ms(l, 1);
    assert_int_equal(w.ran, 0);
    loop_free(l);
}

static struct job from_close;
static uint64_t closed_us, ran_us;

static void on_close_job(struct later *w)
{
    (void)w;
    ran_us = clock_us();
}

static void on_handle_closed(uv_handle_t *h)
{
    closed_us = clock_us();
    loop_later(h->data, &from_close.later);
}

static void never(struct deadline *d)
{
    loop_stop(d->loop);
}

/* Close callbacks run after `check`: what they queue must not sleep through the next poll. */
static void later_from_a_close_callback_does_not_wait_for_an_event(void **state)
{
    struct loop *l = loop_new();
    struct deadline end;
    uv_async_t handle;
    (void)state;
    from_close = (struct job){.later.run = on_close_job};
    uv_async_init(loop_uv(l), &handle, NULL);
    handle.data = l;
    deadline_init(&end, l, never);
    deadline_set(&end, 300);
    uv_close((uv_handle_t *)&handle, on_handle_closed);
    loop_run(l);
    assert_true(ran_us >= closed_us && ran_us - closed_us < 100 * 1000);
    loop_free(l);
}

static void nothing(struct deadline *d)
{
    (void)d;
}

static void hold(struct deadline *d)
{
    (void)d;
    usleep(30 * 1000);
}

static void lag_is_the_longest_turn_and_is_taken_once(void **state)
{
    struct loop *l = loop_new();
    struct deadline d, end;
    (void)state;
    deadline_init(&d, l, hold);
    deadline_init(&end, l, nothing);
    deadline_set(&d, 1);
    deadline_set(&end, 200); /* a loop with nothing left ends before its turn does */
    loop_run(l);
    uint64_t lag = loop_take_lag_us(l);
    assert_true(lag >= 30 * 1000 && lag < 1000 * 1000);
    assert_int_equal(loop_take_lag_us(l), 0);
    loop_free(l);
}

static void count(void *arg)
{
    ++*(unsigned *)arg;
}

static void the_hook_runs_at_the_end_of_turns(void **state)
{
    struct loop *l = loop_new();
    struct deadline d;
    unsigned turns = 0;
    (void)state;
    loop_on_turn(l, count, &turns);
    deadline_init(&d, l, nothing);
    deadline_set(&d, 20);
    loop_run(l);
    assert_true(turns >= 1 && turns < 20); /* it does not spin */
    loop_on_turn(l, NULL, NULL);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(later_runs_once_however_often_it_is_queued),
        cmocka_unit_test(later_may_queue_itself_and_others),
        cmocka_unit_test(the_next_turn_is_another_one),
        cmocka_unit_test(a_forgotten_turn_does_not_come),
        cmocka_unit_test(later_from_a_close_callback_does_not_wait_for_an_event),
        cmocka_unit_test(lag_is_the_longest_turn_and_is_taken_once),
        cmocka_unit_test(the_hook_runs_at_the_end_of_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
