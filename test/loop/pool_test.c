#include "upstream_bed.h"

#define HI "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

enum { USERS = 4 };

static void expect_stats(struct upstream_bed *b, unsigned idle, unsigned busy, unsigned dialing,
                         unsigned waiting)
{
    struct pool_stats s = pool_stats(b->pool);
    if (s.idle != idle || s.busy != busy || s.dialing != dialing || s.waiting != waiting)
        fail_msg("idle %u, busy %u, dialing %u, waiting %u", s.idle, s.busy, s.dialing, s.waiting);
}

/* A request and its answer, after which the connection is idle. */
static void exchange_once(struct upstream_bed *b, struct user *u, struct peer *p)
{
    user_ask(u);
    peer_expect(b->loop, p, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    peer_write(p, HI);
    RUN_UNTIL(b->loop, u->nlast == 1);
    user_release(u);
    buf_fini(&u->body);
}

static bool peer_is_closed(struct peer *p)
{
    peer_read(p);
    return p->eof || p->reset;
}

static void the_connection_used_last_is_taken_first(void **state)
{
    (void)state;
    struct upstream_bed b;
    struct user u[2] = {{.client = NULL}, {.client = NULL}};
    upstream_init(&b, 8, 5000, 20000);
    struct peer p[2] = {user_connect(&b, &u[0]), user_connect(&b, &u[1])};
    assert_true(u[0].connect_us > 0);
    expect_stats(&b, 0, 2, 0, 0);
    struct client *first = u[0].client;
    exchange_once(&b, &u[1], &p[1]);
    exchange_once(&b, &u[0], &p[0]);
    expect_stats(&b, 2, 0, 0, 0);
    user_take(&b, &u[1], false);
    assert_ptr_equal(u[1].client, first);
    expect_stats(&b, 1, 1, 0, 0);
    assert_true(upstream_nobody_came(&b));
    user_fini(&u[0]);
    user_fini(&u[1]);
    peer_close(&p[0]);
    peer_close(&p[1]);
    upstream_fini(&b);
}

static void an_idle_connection_is_closed_in_time(void **state)
{
    (void)state;
    struct upstream_bed b;
    struct user u = {.client = NULL};
    upstream_init(&b, 8, 5000, 50);
    struct peer p = user_connect(&b, &u);
    run_ms(b.loop, 120); /* not while it is in use */
    expect_stats(&b, 0, 1, 0, 0);
    exchange_once(&b, &u, &p);
    RUN_UNTIL(b.loop, peer_is_closed(&p));
    expect_stats(&b, 0, 0, 0, 0);
    user_fini(&u);
    peer_close(&p);
    upstream_fini(&b);
}

static void a_fresh_connection_is_made_although_others_are_idle(void **state)
{
    (void)state;
    struct upstream_bed b;
    struct user u[2] = {{.client = NULL}, {.client = NULL}};
    upstream_init(&b, 2, 5000, 20000);
    struct peer p[2] = {user_connect(&b, &u[0]), user_connect(&b, &u[1])};
    exchange_once(&b, &u[0], &p[0]);
    exchange_once(&b, &u[1], &p[1]);
    user_take(&b, &u[0], true);
    assert_null(u[0].client);
    struct peer q = upstream_accept(&b);
    RUN_UNTIL(b.loop, u[0].client != NULL);
    assert_false(client_was_reused(u[0].client));
    RUN_UNTIL(b.loop, peer_is_closed(&p[0])); /* the oldest made room */
    expect_stats(&b, 1, 1, 0, 0);
    user_fini(&u[0]);
    user_fini(&u[1]);
    peer_close(&p[0]);
    peer_close(&p[1]);
    peer_close(&q);
    upstream_fini(&b);
}

/* --- the queue ------------------------------------------------------------------------------------------- */

static void at_the_limit_requests_wait_in_their_order(void **state)
{
    (void)state;
    struct upstream_bed b;
    struct user u[USERS] = {{.client = NULL}};
    upstream_init(&b, 1, 5000, 20000);
    struct peer p = user_connect(&b, &u[0]);
    for (unsigned i = 1; i < USERS; i++)
        user_take(&b, &u[i], false);
    expect_stats(&b, 0, 1, 0, USERS - 1);
    for (unsigned i = 0; i + 1 < USERS; i++) {
        exchange_once(&b, &u[i], &p);
        RUN_UNTIL(b.loop, u[i + 1].client != NULL);
        assert_true(client_was_reused(u[i + 1].client));
        for (unsigned k = i + 2; k < USERS; k++)
            assert_int_equal(u[k].ntickets, 0);
    }
    assert_true(upstream_nobody_came(&b));
    for (unsigned i = 0; i < USERS; i++)
        user_fini(&u[i]);
    peer_close(&p);
    upstream_fini(&b);
}

static void who_comes_later_does_not_overtake_who_waits(void **state)
{
    (void)state;
    struct upstream_bed b;
    struct user holds = {.client = NULL}, waits = holds, late = holds;
    upstream_init(&b, 1, 5000, 20000);
    struct peer p = user_connect(&b, &holds);
    user_take(&b, &waits, false);
    exchange_once(&b, &holds, &p);
    user_take(&b, &late, false); /* in the same turn: the connection is idle, but not for them */
    assert_null(late.client);
    RUN_UNTIL(b.loop, waits.client != NULL);
    assert_null(late.client);
    exchange_once(&b, &waits, &p);
    RUN_UNTIL(b.loop, late.client != NULL);
    user_fini(&holds);
    user_fini(&waits);
    user_fini(&late);
    peer_close(&p);
    upstream_fini(&b);
}

static void a_place_that_becomes_free_is_dialed_for(void **state)
{
    (void)state;
    struct upstream_bed b;
    struct user u[2] = {{.client = NULL}, {.client = NULL}};
    upstream_init(&b, 1, 5000, 20000);
    struct peer p = user_connect(&b, &u[0]);
    user_take(&b, &u[1], false);
    user_close(&u[0]); /* not to be reused */
    struct peer q = upstream_accept(&b);
    RUN_UNTIL(b.loop, u[1].client != NULL);
    assert_false(client_was_reused(u[1].client));
    expect_stats(&b, 0, 1, 0, 0);
    user_fini(&u[0]);
    user_fini(&u[1]);
    peer_close(&p);
    peer_close(&q);
    upstream_fini(&b);
}

static void waiting_has_an_end(void **state)
{
    (void)state;
    struct upstream_bed b;
    struct user u[2] = {{.client = NULL}, {.client = NULL}};
    upstream_init(&b, 1, 60, 20000);
    struct peer p = user_connect(&b, &u[0]);
    user_take(&b, &u[1], false);
    RUN_UNTIL(b.loop, u[1].ntickets == 1);
    assert_null(u[1].client);
    assert_int_equal(u[1].ticket_status, UV_ETIMEDOUT);
    expect_stats(&b, 0, 1, 0, 0);
    user_fini(&u[0]);
    user_fini(&u[1]);
    peer_close(&p);
    upstream_fini(&b);
}

/* --- failure --------------------------------------------------------------------------------------------- */

static void a_refused_connection_is_told_to_each_who_waits(void **state)
{
    (void)state;
    struct upstream_bed b;
    struct user u[USERS] = {{.client = NULL}};
    upstream_init(&b, 1, 5000, 20000);
    close(b.fd);
    b.fd = -1;
    for (unsigned i = 0; i < USERS; i++)
        user_take(&b, &u[i], false);
    for (unsigned i = 0; i < USERS; i++) {
        RUN_UNTIL(b.loop, u[i].ntickets == 1);
        assert_null(u[i].client);
        assert_int_equal(u[i].ticket_status, UV_ECONNREFUSED);
        assert_int_equal(u[i].stage, DIAL_CONNECT);
    }
    expect_stats(&b, 0, 0, 0, 0);
    upstream_fini(&b);
}

static void try_again(struct user *u)
{
    if (u->ntickets < 3)
        user_take(u->also, u, false);
}

static void a_ticket_may_be_taken_anew_where_one_failed(void **state)
{
    (void)state;
    struct upstream_bed b;
    upstream_init(&b, 1, 5000, 20000);
    close(b.fd);
    b.fd = -1;
    struct user u = {.in_ticket = try_again, .also = &b};
    user_take(&b, &u, false);
    RUN_UNTIL(b.loop, u.ntickets == 3);
    expect_stats(&b, 0, 0, 0, 0);
    user_fini(&u);
    upstream_fini(&b);
}

/* --- cancelling ------------------------------------------------------------------------------------------ */

static void a_ticket_can_be_cancelled_at_any_time(void **state)
{
    (void)state;
    struct upstream_bed b;
    upstream_init(&b, 1, 5000, 20000);
    for (unsigned turns = 0; turns < 6;
         turns++) { /* while dialing, or when it has just connected */
        struct user u = {.client = NULL};
        user_take(&b, &u, false);
        for (unsigned i = 0; i < turns; i++)
            turn(b.loop);
        if (u.ticket != NULL)
            user_cancel(&u);
        user_fini(&u);
        run_ms(b.loop, 2);
        expect_stats(&b, 0, 0, 0, 0);
        int fd = accept(b.fd, NULL, NULL);
        if (fd >= 0)
            close(fd);
    }
    /* in the queue: first, in the middle, last */
    for (unsigned cancelled = 1; cancelled < USERS; cancelled++) {
        struct user u[USERS] = {{.client = NULL}};
        struct peer p = user_connect(&b, &u[0]);
        for (unsigned i = 1; i < USERS; i++)
            user_take(&b, &u[i], false);
        user_cancel(&u[cancelled]);
        expect_stats(&b, 0, 1, 0, USERS - 2);
        unsigned holder = 0;
        for (unsigned i = 1; i < USERS; i++) {
            if (i == cancelled)
                continue;
            exchange_once(&b, &u[holder], &p);
            RUN_UNTIL(b.loop, u[i].client != NULL);
            holder = i;
        }
        assert_int_equal(u[cancelled].ntickets, 0);
        for (unsigned i = 0; i < USERS; i++)
            user_fini(&u[i]);
        peer_close(&p);
    }
    upstream_fini(&b);
}

static void cancel_other(struct user *u)
{
    struct user *other = u->also;
    if (other->ticket != NULL)
        user_cancel(other);
}

static void a_ticket_may_be_cancelled_where_another_is_served(void **state)
{
    (void)state;
    struct upstream_bed b;
    struct user u[3] = {{.client = NULL}};
    upstream_init(&b, 2, 5000, 20000);
    struct peer p = user_connect(&b, &u[0]);
    u[1] = (struct user){.in_ticket = cancel_other, .also = &u[2]};
    struct user more = {.client = NULL};
    user_take(&b, &more, false); /* the second place */
    user_take(&b, &u[1], false);
    user_take(&b, &u[2], false);
    user_cancel(&more);
    exchange_once(&b, &u[0], &p);
    RUN_UNTIL(b.loop, u[1].client != NULL);
    run_ms(b.loop, 2);
    assert_null(u[2].ticket);
    assert_int_equal(u[2].ntickets, 0);
    for (unsigned i = 0; i < 3; i++)
        user_fini(&u[i]);
    peer_close(&p);
    upstream_fini(&b);
}

/* A dial that was given up frees its place. */
static void a_cancelled_dial_makes_room(void **state)
{
    (void)state;
    struct upstream_bed b;
    struct user u[2] = {{.client = NULL}, {.client = NULL}};
    upstream_init(&b, 1, 5000, 20000);
    user_take(&b, &u[0], false);
    user_take(&b, &u[1], false);
    expect_stats(&b, 0, 0, 1, 1);
    user_cancel(&u[0]);
    RUN_UNTIL(b.loop, u[1].client != NULL);
    expect_stats(&b, 0, 1, 0, 0);
    user_fini(&u[0]);
    user_fini(&u[1]);
    upstream_fini(&b);
}

/* --- the end of a pool ----------------------------------------------------------------------------------- */

static void let_go_of(struct upstream_bed *b)
{
    pool_unref(b->pool);
    b->pool = NULL;
}

static void a_pool_lives_as_long_as_it_is_used(void **state)
{
    (void)state;
    struct upstream_bed b;
    struct user idle = {.client = NULL}, busy = idle, dials = idle;
    upstream_init(&b, 8, 5000, 20000);
    struct peer p = user_connect(&b, &idle), q = user_connect(&b, &busy);
    exchange_once(&b, &idle, &p);
    user_take(&b, &dials, true);
    struct pool *pool = b.pool;
    let_go_of(&b);
    RUN_UNTIL(b.loop, peer_is_closed(&p)); /* idle ones close at once */
    b.pool = pool;
    RUN_UNTIL(b.loop, dials.client != NULL);
    exchange_once(&b, &busy, &q); /* what is in use is finished, and closed when it is given back */
    RUN_UNTIL(b.loop, peer_is_closed(&q));
    b.pool = NULL;
    user_close(&dials); /* the last one takes the pool with it */
    user_fini(&idle);
    user_fini(&busy);
    user_fini(&dials);
    peer_close(&p);
    peer_close(&q);
    upstream_fini(&b);
}

static void who_waits_is_served_although_the_pool_was_let_go(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct upstream_bed b;
        struct user u[2] = {{.client = NULL}, {.client = NULL}};
        upstream_init(&b, 1, i == 2 ? 60 : 5000, 20000);
        struct peer p = user_connect(&b, &u[0]);
        user_take(&b, &u[1], false);
        let_go_of(&b);
        if (i == 0)
            exchange_once(&b, &u[0], &p);
        else if (i == 1)
            user_close(&u[0]);
        RUN_UNTIL(b.loop, u[1].ntickets == 1); /* the third waits in vain */
        assert_true((u[1].client != NULL) == (i < 2));
        user_fini(&u[0]);
        user_fini(&u[1]);
        peer_close(&p);
        upstream_fini(&b);
    }
}

static void let_go_in_ticket(struct user *u)
{
    let_go_of(u->also);
    if (u->client != NULL)
        user_close(u);
}

static void a_pool_may_be_let_go_inside_its_own_callback(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct upstream_bed b;
        struct user u = {.in_ticket = let_go_in_ticket, .also = &b}, holds = {.client = NULL};
        upstream_init(&b, 1, i == 2 ? 60 : 5000, 20000);
        struct peer p = {.fd = -1};
        if (i == 1) { /* connection refused */
            close(b.fd);
            b.fd = -1;
        } else if (i == 2) { /* waited too long, for what is closed in the same call */
            p = user_connect(&b, &holds);
        }
        user_take(&b, &u, false);
        RUN_UNTIL(b.loop, u.ntickets == 1);
        run_ms(b.loop, 2);
        user_fini(&holds);
        user_fini(&u);
        peer_close(&p);
        upstream_fini(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_connection_used_last_is_taken_first),
        cmocka_unit_test(an_idle_connection_is_closed_in_time),
        cmocka_unit_test(a_fresh_connection_is_made_although_others_are_idle),
        cmocka_unit_test(at_the_limit_requests_wait_in_their_order),
        cmocka_unit_test(who_comes_later_does_not_overtake_who_waits),
        cmocka_unit_test(a_place_that_becomes_free_is_dialed_for),
        cmocka_unit_test(waiting_has_an_end),
        cmocka_unit_test(a_refused_connection_is_told_to_each_who_waits),
        cmocka_unit_test(a_ticket_may_be_taken_anew_where_one_failed),
        cmocka_unit_test(a_ticket_can_be_cancelled_at_any_time),
        cmocka_unit_test(a_ticket_may_be_cancelled_where_another_is_served),
        cmocka_unit_test(a_cancelled_dial_makes_room),
        cmocka_unit_test(a_pool_lives_as_long_as_it_is_used),
        cmocka_unit_test(who_waits_is_served_although_the_pool_was_let_go),
        cmocka_unit_test(a_pool_may_be_let_go_inside_its_own_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
