#include "upstream_bed.h"

#define ASKED "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define HI "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

static void bed(struct upstream_bed *b)
{
    upstream_init(b, 8, 5000, 20000);
}

static void expect_body(struct user *u, const char *text)
{
    struct span got = buf_span(&u->body);
    if (!span_eq(got, span_text(text)))
        fail_msg("got \"%.*s\", wanted \"%s\"", (int)got.len, (const char *)got.at, text);
    buf_clear(&u->body);
}

static void release_when_last(struct user *u, bool last)
{
    if (last)
        user_release(u);
}

/* --- what is heard ------------------------------------------------------------------------------------ */

static void a_response_means_the_same_however_it_is_cut(void **state)
{
    (void)state;
    static const struct {
        const char *response, *body;
        unsigned status;
    } rows[] = {
        {HI, "hi", 200},
        {"HTTP/1.1 204 No Content\r\n\r\n", "", 204},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "", 200},
        {"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n3;x=y\r\nbcd\r\n0\r\nT: "
         "1\r\n\r\n",
         "abcd", 500},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" HI, "hi", 200},
    };
    struct upstream_bed b;
    struct user u = {.in_data = release_when_last};
    bed(&b);
    struct peer p = user_connect(&b, &u);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = strlen(rows[i].response);
        for (size_t cut = 0; cut <= len; cut++) { /* 0: byte by byte; len: whole */
            if (u.client == NULL)
                user_take(&b, &u, false);
            assert_non_null(u.client);
            user_ask(&u);
            peer_expect(b.loop, &p, ASKED);
            u.nheads = 0;
            for (size_t at = 0; at < len;) {
                size_t n = cut == 0 ? 1 : at == 0 ? cut : len - at;
                assert_int_equal(send(p.fd, rows[i].response + at, n, MSG_NOSIGNAL), n);
                at += n;
                uv_run(loop_uv(b.loop), UV_RUN_NOWAIT); /* what loopback takes is there at once */
            }
            RUN_UNTIL(b.loop, u.nlast + u.nfailed > 0);
            assert_int_equal(u.nfailed, 0);
            assert_int_equal(u.nheads, 1);
            assert_int_equal(u.status, rows[i].status);
            expect_body(&u, rows[i].body);
        }
    }
    assert_true(upstream_nobody_came(&b)); /* all on one connection */
    peer_close(&p);
    user_fini(&u);
    upstream_fini(&b);
}

static void what_one_read_brings_goes_up_together(void **state)
{
    (void)state;
    struct upstream_bed b;
    struct user u = {.in_data = release_when_last};
    bed(&b);
    struct peer p = user_connect(&b, &u);
    user_ask(&u);
    struct buf text = {0};
    enum { CHUNKS = 2 * CLIENT_SPANS_MAX + 5 };
    assert_int_equal(buf_add_text(&text, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
                     0);
    for (unsigned i = 0; i < CHUNKS; i++)
        assert_int_equal(buf_add_text(&text, "1\r\nx\r\n"), 0);
    assert_int_equal(buf_add_text(&text, "0\r\n\r\n"), 0);
    assert_int_equal(buf_add_byte(&text, 0), 0);
    peer_write(&p, (const char *)text.at);
    RUN_UNTIL(b.loop, u.nlast == 1);
    assert_int_equal(u.ndata, 3);
    assert_int_equal(buf_len(&u.body), CHUNKS);
    buf_fini(&text);
    peer_close(&p);
    user_fini(&u);
    upstream_fini(&b);
}

static void a_body_without_length_ends_with_its_connection(void **state)
{
    (void)state;
    struct upstream_bed b;
    struct user u = {.in_data = release_when_last};
    bed(&b);
    struct peer p = user_connect(&b, &u);
    user_ask(&u);
    peer_expect(b.loop, &p, ASKED);
    peer_write(&p, "HTTP/1.1 200 OK\r\n\r\nhel");
    RUN_UNTIL(b.loop, u.ndata == 1);
    peer_write(&p, "lo");
    RUN_UNTIL(b.loop, u.ndata == 2);
    assert_int_equal(u.nlast, 0);
    peer_close(&p);
    RUN_UNTIL(b.loop, u.nlast == 1);
    expect_body(&u, "hello");
    assert_int_equal(pool_stats(b.pool).idle, 0);
    user_fini(&u);
    upstream_fini(&b);
}

static void what_cannot_be_completed_fails_once(void **state)
{
    (void)state;
    static const struct {
        const char *response;
        bool reset;
        int status; /* 0: the peer need not close */
    } rows[] = {
        {"", false, UV_EOF},
        {"", true, UV_ECONNRESET},
        {"HTTP/1.1 200 OK\r\nContent-Le", false, UV_EOF},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", false, UV_EOF},
        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", true, UV_ECONNRESET},
        {"HTTP/1.1 200 OK\r\n\r\nhell", true, UV_ECONNRESET},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", false, UV_EOF},
        {"HTTP/1.1 100 Continue\r\n\r\n", false, UV_EOF},
        {"garbage", false, 0},
        {"<html>", false, 0},
        {"HTTP/1.1 200 OK\nContent-Length: 0\n\n", false, 0},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na", false, 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", false, 0},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", false, 0},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", false, 0},
        {"HTTP/1.1 100 Continue\r\n\r\nnonsense", false, 0},
    };
    struct upstream_bed b;
    bed(&b);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct user u = {.client = NULL};
        struct peer p = user_connect(&b, &u);
        user_ask(&u);
        peer_expect(b.loop, &p, ASKED);
        peer_write(&p, rows[i].response);
        run_ms(b.loop, 2);
        if (rows[i].reset)
            peer_vanish(&p);
        else if (rows[i].status != 0)
            shutdown(p.fd, SHUT_WR);
        RUN_UNTIL(b.loop, u.nfailed == 1);
        assert_int_equal(u.nlast, 0);
        assert_int_equal(u.failed_status, rows[i].status != 0 ? rows[i].status : UV_EPROTO);
        assert_int_equal(pool_stats(b.pool).idle + pool_stats(b.pool).busy, 0);
        if (!rows[i].reset)
            peer_expect_end(b.loop, &p);
        peer_close(&p);
        user_fini(&u);
    }
    upstream_fini(&b);
}

/* --- reuse --------------------------------------------------------------------------------------------- */

static void only_a_clean_end_is_reused(void **state)
{
    (void)state;
    static const struct {
        const char *response;
        bool reused;
    } rows[] = {
        {HI, true},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", true},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", false},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", false},
        {HI "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", false},
        {HI "x", false},
    };
    struct upstream_bed b;
    bed(&b);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct user u = {.in_data = release_when_last};
        struct peer p = user_connect(&b, &u);
        assert_false(client_was_reused(u.client));
        user_ask(&u);
        peer_write(&p, rows[i].response);
        RUN_UNTIL(b.loop, u.nlast == 1);
        assert_int_equal(pool_stats(b.pool).idle, rows[i].reused);
        if (rows[i].reused) {
            user_take(&b, &u, false);
            assert_non_null(u.client);
            assert_true(client_was_reused(u.client));
            assert_false(client_heard_anything(u.client));
            user_close(&u);
        }
        peer_read(&p);
        buf_clear(&p.got);
        peer_expect_end(b.loop, &p);
        peer_close(&p);
        user_fini(&u);
    }
    upstream_fini(&b);
}

static void an_idle_connection_that_says_or_ends_something_is_dropped(void **state)
{
    (void)state;
    struct upstream_bed b;
    bed(&b);
    for (unsigned i = 0; i < 3; i++) {
        struct user u = {.in_data = release_when_last};
        struct peer p = user_connect(&b, &u);
        user_ask(&u);
        peer_expect(b.loop, &p, ASKED);
        peer_write(&p, HI);
        RUN_UNTIL(b.loop, pool_stats(b.pool).idle == 1);
        if (i == 0)
            peer_write(&p, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
        else if (i == 1)
            shutdown(p.fd, SHUT_WR);
        else
            peer_vanish(&p);
        RUN_UNTIL(b.loop, pool_stats(b.pool).idle == 0);
        peer_close(&p);
        user_fini(&u);
    }
    upstream_fini(&b);
}

/* The end has been handed up, the user has not let go yet: what happens now is nobody's failure. */
static void a_complete_response_stays_complete_while_it_is_held(void **state)
{
    (void)state;
    struct upstream_bed b;
    bed(&b);
    for (unsigned i = 0; i < 3; i++) {
        struct user u = {.client = NULL};
        struct peer p = user_connect(&b, &u);
        user_ask(&u);
        peer_expect(b.loop, &p, ASKED);
        peer_write(&p, HI);
        RUN_UNTIL(b.loop, u.nlast == 1);
        if (i == 0)
            peer_write(&p, "more");
        else if (i == 1)
            shutdown(p.fd, SHUT_WR);
        else
            peer_vanish(&p);
        run_ms(b.loop, 10);
        assert_int_equal(u.nfailed, 0);
        user_release(&u);
        assert_int_equal(pool_stats(b.pool).idle, 0); /* but it is not trusted again */
        assert_int_equal(pool_stats(b.pool).busy, 0);
        peer_close(&p);
        user_fini(&u);
    }
    upstream_fini(&b);
}

/* --- re-entry ------------------------------------------------------------------------------------------- */

static bool close_in_head(struct user *u)
{
    user_close(u);
    return false;
}

static bool release_in_head(struct user *u)
{
    user_release(u);
    return false;
}

static void close_in_data(struct user *u, bool last)
{
    (void)last;
    user_close(u);
}

static void a_user_may_let_go_inside_any_callback(void **state)
{
    (void)state;
    static const char *const responses[] = {
        HI,
        HI HI,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nzz",
        "HTTP/1.1 200 OK\r\n\r\nuntil close",
    };
    struct upstream_bed b;
    bed(&b);
    for (unsigned i = 0; i < 4 * sizeof responses / sizeof responses[0]; i++) {
        struct user u = {.in_head = i % 4 == 0   ? close_in_head
                                    : i % 4 == 1 ? release_in_head
                                                 : NULL,
                         .in_data = i % 4 == 2 ? close_in_data : release_when_last};
        struct peer p = user_connect(&b, &u);
        user_ask(&u);
        peer_write(&p, responses[i / 4]);
        shutdown(p.fd, SHUT_WR);
        RUN_UNTIL(b.loop, u.through);
        run_ms(b.loop, 2);
        assert_int_equal(pool_stats(b.pool).busy, 0);
        peer_close(&p);
        user_fini(&u);
    }
    upstream_fini(&b);
}

static void take_again(struct user *u)
{
    user_take(u->also, u, false);
}

static void a_failed_request_may_be_sent_again_at_once(void **state)
{
    (void)state;
    struct upstream_bed b;
    bed(&b);
    struct user u = {.in_failed = take_again, .also = &b};
    struct peer p = user_connect(&b, &u);
    user_ask(&u);
    peer_vanish(&p);
    peer_close(&p);
    p = upstream_accept(&b);
    RUN_UNTIL(b.loop, u.client != NULL);
    u.in_failed = NULL;
    user_ask(&u);
    peer_expect(b.loop, &p, ASKED);
    peer_write(&p, HI);
    RUN_UNTIL(b.loop, u.nlast == 1);
    expect_body(&u, "hi");
    peer_close(&p);
    user_fini(&u);
    upstream_fini(&b);
}

/* --- flow ------------------------------------------------------------------------------------------------ */

static void pause_at_once(struct user *u, bool last)
{
    (void)last;
    client_pause(u->client);
}

static void a_paused_response_waits_in_the_socket(void **state)
{
    (void)state;
    struct upstream_bed b;
    struct user u = {.in_data = pause_at_once};
    bed(&b);
    struct peer p = user_connect(&b, &u);
    user_ask(&u);
    peer_write(&p, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    RUN_UNTIL(b.loop, u.ndata == 1);
    peer_write(&p, "there");
    run_ms(b.loop, 20);
    assert_int_equal(u.ndata, 1);
    client_resume(u.client);
    RUN_UNTIL(b.loop, u.nlast == 1);
    expect_body(&u, "hellothere");
    user_release(&u); /* paused again by now: it must hear of its end all the same */
    assert_int_equal(pool_stats(b.pool).idle, 1);
    peer_close(&p);
    RUN_UNTIL(b.loop, pool_stats(b.pool).idle == 0);
    user_fini(&u);
    upstream_fini(&b);
}

static bool read_in_place(struct user *u)
{
    assert_int_equal(buf_reserve_exact(&u->body, 300000), 0);
    client_read_into(u->client, &u->body);
    return true;
}

static void a_large_body_can_be_read_to_where_it_is_kept(void **state)
{
    (void)state;
    static char text[300000];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 23);
    struct upstream_bed b;
    struct user u = {.in_head = read_in_place, .in_data = release_when_last};
    bed(&b);
    struct peer p = user_connect(&b, &u);
    for (unsigned round = 0; round < 2;
         round++) { /* the second on the same connection, in pieces */
        if (u.client == NULL)
            user_take(&b, &u, false);
        user_ask(&u);
        peer_expect(b.loop, &p, ASKED);
        peer_write(&p, "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n");
        for (size_t at = 0; at < sizeof text;) {
            size_t most = round == 0 ? sizeof text - at : 9000;
            ssize_t n = send(p.fd, text + at, most < sizeof text - at ? most : sizeof text - at,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
            at += n > 0 ? (size_t)n : 0;
            turn(b.loop);
        }
        RUN_UNTIL(b.loop, u.nlast == 1);
        assert_int_equal(buf_len(&u.body), sizeof text);
        assert_memory_equal(u.body.at, text, sizeof text);
        buf_fini(&u.body);
    }
    user_take(&b, &u, false);
    u.in_head = NULL;
    user_ask(&u);
    peer_write(&p, HI);
    RUN_UNTIL(b.loop, u.nlast == 1);
    expect_body(&u, "hi");
    peer_close(&p);
    user_fini(&u);
    upstream_fini(&b);
}

static void a_provider_may_answer_before_it_has_read_the_request(void **state)
{
    (void)state;
    static uint8_t zeros[8 * 1024 * 1024];
    struct upstream_bed b;
    struct user u = {.in_data = release_when_last};
    bed(&b);
    struct peer p = user_connect(&b, &u);
    struct span request[] = {
        SPAN_LIT("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n"),
        span_of(zeros, sizeof zeros)};
    assert_int_equal(client_send(u.client, request, 2), FLOW_PAUSE);
    run_ms(b.loop, 5);
    peer_write(&p, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
    RUN_UNTIL(b.loop, u.nlast == 1);
    assert_int_equal(u.status, 413);
    expect_body(&u, "no");
    assert_int_equal(pool_stats(b.pool).idle, 0); /* the rest of the request is still on its way */
    peer_close(&p);
    user_fini(&u);
    upstream_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_means_the_same_however_it_is_cut),
        cmocka_unit_test(what_one_read_brings_goes_up_together),
        cmocka_unit_test(a_body_without_length_ends_with_its_connection),
        cmocka_unit_test(what_cannot_be_completed_fails_once),
        cmocka_unit_test(only_a_clean_end_is_reused),
        cmocka_unit_test(an_idle_connection_that_says_or_ends_something_is_dropped),
        cmocka_unit_test(a_complete_response_stays_complete_while_it_is_held),
        cmocka_unit_test(a_user_may_let_go_inside_any_callback),
        cmocka_unit_test(a_failed_request_may_be_sent_again_at_once),
        cmocka_unit_test(a_paused_response_waits_in_the_socket),
        cmocka_unit_test(a_large_body_can_be_read_to_where_it_is_kept),
        cmocka_unit_test(a_provider_may_answer_before_it_has_read_the_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
