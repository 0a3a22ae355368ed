#include "net_harness.h"

#include "sluice/base/rng.h"

#define SLOT_MS 16

struct probe {
    struct deadline d;
    uint64_t due_ms, fired_ms;
    unsigned fired;
    struct probe *clears;
};

static unsigned order[8], norder;

static void on_fire(struct deadline *d)
{
    struct probe *p = (struct probe *)d;
    assert_false(deadline_armed(d));
    p->fired++;
    p->fired_ms = loop_now_ms(d->loop);
    if (p->clears != NULL)
        deadline_clear(&p->clears->d);
}

static void set(struct probe *p, struct loop *l, unsigned in_ms)
{
    deadline_set(&p->d, in_ms);
    p->due_ms = loop_now_ms(l) + in_ms;
}

static void fires_at_most_one_slot_late_and_never_early(void **state)
{
    static const unsigned in_ms[] = {1, 15, 16, 17, 31, 32, 100, 333};
    struct probe p[8] = {0};
    struct loop *l = loop_new();
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        deadline_init(&p[i].d, l, on_fire);
        set(&p[i], l, in_ms[i]);
    }
    loop_run(l); /* ends when nothing is armed */
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(p[i].fired, 1);
        assert_true(p[i].fired_ms >= p[i].due_ms);
        /* and what a shared machine takes to wake up */
        assert_true(p[i].fired_ms <= p[i].due_ms + SLOT_MS + 50);
    }
    loop_free(l);
}

static void note_order(struct deadline *d)
{
    order[norder++] = (unsigned)((struct probe *)d)->due_ms;
}

static void fires_in_order_of_time(void **state)
{
    static const unsigned in_ms[] = {90, 10, 50, 130, 30};
    struct probe p[5] = {0};
    struct loop *l = loop_new();
    (void)state;
    norder = 0;
    for (unsigned i = 0; i < 5; i++) {
        deadline_init(&p[i].d, l, note_order);
        set(&p[i], l, in_ms[i]);
    }
    loop_run(l);
    assert_int_equal(norder, 5);
    for (unsigned i = 1; i < 5; i++)
        assert_true(order[i - 1] < order[i]);
    loop_free(l);
}

static void moved_away_fires_once_at_the_new_time(void **state)
{
    struct probe p = {0};
    struct loop *l = loop_new();
    (void)state;
    deadline_init(&p.d, l, on_fire);
    set(&p, l, 20);
    uint64_t in_slot = p.d.slot_ms;
    for (unsigned i = 0; i < 20; i++) {
        set(&p, l, 60);
        assert_int_equal(p.d.slot_ms, in_slot); /* one store: it stays where it is */
    }
    loop_run(l);
    assert_int_equal(p.fired, 1);
    assert_true(p.fired_ms >= p.due_ms);
    loop_free(l);
}

static void moved_nearer_fires_at_the_new_time(void **state)
{
    struct probe p = {0};
    struct loop *l = loop_new();
    (void)state;
    deadline_init(&p.d, l, on_fire);
    set(&p, l, 3600 * 1000);
    set(&p, l, 10);
    loop_run(l);
    assert_int_equal(p.fired, 1);
    assert_true(p.fired_ms <= p.due_ms + SLOT_MS + 50);
    loop_free(l);
}

static void cleared_never_fires_and_the_loop_ends(void **state)
{
    struct probe p = {0};
    struct loop *l = loop_new();
    (void)state;
    deadline_init(&p.d, l, on_fire);
    deadline_clear(&p.d);
    set(&p, l, 3600 * 1000);
    deadline_clear(&p.d);
    set(&p, l, 5);
    deadline_set(&p.d, 0);
    loop_run(l);
    assert_int_equal(p.fired, 0);
    assert_false(deadline_armed(&p.d));
    loop_free(l);
}

/* Farther than one round of the wheel: it is looked at early and has to stay. */
static void far_away_stays_behind_nearer_ones_in_its_slot(void **state)
{
    struct probe far = {0}, near = {0};
    struct loop *l = loop_new();
    (void)state;
    deadline_init(&far.d, l, on_fire);
    deadline_init(&near.d, l, on_fire);
    set(&far, l, 32 + 1024 * SLOT_MS);
    set(&near, l, 32);
    assert_int_equal(far.d.slot_ms % (1024 * SLOT_MS), near.d.slot_ms % (1024 * SLOT_MS));
    RUN_UNTIL(l, near.fired == 1);
    run_ms(l, 50);
    assert_int_equal(far.fired, 0);
    assert_true(deadline_armed(&far.d));
    deadline_clear(&far.d);
    loop_free(l);
}

static void one_may_clear_another_of_the_same_slot(void **state)
{
    struct probe p[2] = {0};
    struct loop *l = loop_new();
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        deadline_init(&p[i].d, l, on_fire);
        set(&p[i], l, 20);
        p[i].clears = &p[1 - i];
    }
    loop_run(l);
    assert_int_equal(p[0].fired + p[1].fired, 1);
    loop_free(l);
}

static void again(struct deadline *d)
{
    struct probe *p = (struct probe *)d;
    if (++p->fired < 5)
        deadline_set(d, 1);
}

static void may_set_itself_again_while_firing(void **state)
{
    struct probe p = {0};
    struct loop *l = loop_new();
    (void)state;
    deadline_init(&p.d, l, again);
    deadline_set(&p.d, 1);
    loop_run(l);
    assert_int_equal(p.fired, 5);
    loop_free(l);
}

static void free_probe(struct deadline *d)
{
    free(d);
}

static void may_free_itself_while_firing(void **state)
{
    struct loop *l = loop_new();
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        struct probe *p = calloc(1, sizeof *p);
        deadline_init(&p->d, l, free_probe);
        deadline_set(&p->d, 1 + i % 3);
    }
    loop_run(l);
    loop_free(l);
}

static void ten_thousand_each_fire_once(void **state)
{
    enum { N = 10000 };
    struct probe *p = calloc(N, sizeof *p);
    struct loop *l = loop_new();
    struct rng r;
    unsigned cleared = 0, fired = 0;
    (void)state;
    rng_seed(&r, 7);
    for (unsigned i = 0; i < N; i++) {
        deadline_init(&p[i].d, l, on_fire);
        set(&p[i], l, 1 + (unsigned)rng_below(&r, 400));
    }
    for (unsigned i = 0; i < N; i++) {
        if (i % 3 == 0)
            set(&p[i], l, 1 + (unsigned)rng_below(&r, 800));
        if (i % 7 == 0) {
            deadline_clear(&p[i].d);
            cleared++;
        }
    }
    loop_run(l);
    for (unsigned i = 0; i < N; i++) {
        assert_true(p[i].fired <= 1);
        assert_true(p[i].fired == 0 || p[i].fired_ms >= p[i].due_ms);
        fired += p[i].fired;
    }
    assert_int_equal(fired, N - cleared);
    loop_free(l);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fires_at_most_one_slot_late_and_never_early),
        cmocka_unit_test(fires_in_order_of_time),
        cmocka_unit_test(moved_away_fires_once_at_the_new_time),
        cmocka_unit_test(moved_nearer_fires_at_the_new_time),
        cmocka_unit_test(cleared_never_fires_and_the_loop_ends),
        cmocka_unit_test(far_away_stays_behind_nearer_ones_in_its_slot),
        cmocka_unit_test(one_may_clear_another_of_the_same_slot),
        cmocka_unit_test(may_set_itself_again_while_firing),
        cmocka_unit_test(may_free_itself_while_firing),
        cmocka_unit_test(ten_thousand_each_fire_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
