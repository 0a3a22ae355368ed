#include "http_peer.h"

#include "sluice/http/server.h"

enum { REQUESTS_MAX = 64, BODY_MAX = 2 * 1024 * 1024, CONNECTIONS_MAX = 5 };

/* One request as its handler sees it. What may follow what is asserted in every callback. */
struct asked {
    struct bed *bed;
    struct sink *sink;
    char target[32];
    struct buf body;
    unsigned ncompleted, nclosed, nwritable;
    unsigned refused; /* the status it was refused with */
    bool answered;    /* end or abort: nothing may come any more */
    void (*on_writable)(struct asked *);
};

struct bed {
    struct loop *loop;
    struct listener *listener;
    struct server_shared shared;
    struct server *server;
    struct asked asked[REQUESTS_MAX];
    unsigned nasked, naccepted;
};

static struct asked *last(struct bed *b)
{
    return &b->asked[b->nasked - 1];
}

/* --- the handler ----------------------------------------------------------------------------------- */

static void on_writable(void *owner)
{
    struct asked *a = owner;
    assert_false(a->answered);
    assert_int_equal(a->nclosed, 0);
    a->nwritable++;
    if (a->on_writable != NULL)
        a->on_writable(a);
}

static void on_closed(void *owner)
{
    struct asked *a = owner;
    assert_false(a->answered);
    assert_int_equal(a->nclosed++, 0);
}

static const struct sink_events sink_events = {on_writable, on_closed};

static void send_head(struct sink *sink, unsigned status, int64_t length)
{
    struct response_head head = {.status = status, .content_length = length};
    sink_head(sink, &head);
}

static void reply(struct sink *sink, unsigned status, struct span body)
{
    send_head(sink, status, -1);
    sink_end(sink, &body, 1);
}

static enum flow send_text(struct asked *a, const char *text)
{
    struct span s = span_text(text);
    return sink_data(a->sink, &s, 1);
}

static void end_with(struct asked *a, const char *text)
{
    struct span s = span_text(text);
    a->answered = true;
    sink_end(a->sink, &s, text[0] == '\0' ? 0 : 1);
}

static void answer(struct asked *a, const char *text)
{
    a->answered = true;
    reply(a->sink, 200, span_text(text));
}

/* "/now" is answered at its head, "/echo" when its body is there, everything else by the test. */
static void *on_open(void *ctx, struct sink *sink, const struct http_head *head, uint64_t *body_max)
{
    struct bed *b = ctx;
    if (span_eq(head->target, SPAN_LIT("/now"))) {
        reply(sink, 200, SPAN_LIT("now"));
        return NULL;
    }
    assert_true(b->nasked < REQUESTS_MAX);
    struct asked *a = &b->asked[b->nasked++];
    *a = (struct asked){.bed = b, .sink = sink};
    snprintf(a->target, sizeof a->target, "%.*s", (int)head->target.len,
             (const char *)head->target.at);
    sink->up = &sink_events;
    sink->owner = a;
    *body_max = BODY_MAX;
    return a;
}

static void on_complete(void *request, struct span body, struct body *kept)
{
    struct asked *a = request;
    assert_false(a->answered);
    assert_int_equal(a->nclosed, 0);
    assert_int_equal(a->ncompleted++, 0);
    if (buf_len(&kept->bytes) > 0)
        assert_ptr_equal(buf_span(&kept->bytes).at, body.at);
    assert_int_equal(buf_add(&a->body, body), 0);
    if (strcmp(a->target, "/echo") == 0) {
        a->answered = true;
        reply(a->sink, 200, body);
    }
}

static void on_refuse(void *ctx, void *request, struct sink *sink, const struct parser_problem *why)
{
    struct asked *a = request;
    (void)ctx;
    assert_non_null(why->what);
    if (a != NULL) {
        assert_false(a->answered);
        assert_int_equal(a->nclosed + a->ncompleted, 0);
        a->refused = why->status;
        a->answered = true;
    }
    reply(sink, why->status, SPAN_LIT("no"));
}

static const struct server_handler handler = {on_open, on_complete, on_refuse};

/* --- the bed ---------------------------------------------------------------------------------------- */

static void on_accepted(void *arg, struct stream *s)
{
    struct bed *b = arg;
    b->naccepted++;
    server_accept(b->server, s);
}

static const struct server_limits patient = {
    .head = {.head_max = 4096, .field_max = 50},
    .header_timeout_ms = 20000,
    .body_timeout_ms = 20000,
    .idle_timeout_ms = 20000,
    .write_timeout_ms = 20000,
};

static void bed_init(struct bed *b, const struct server_limits *limits)
{
    struct err why = {0};
    *b = (struct bed){.loop = loop_new()};
    b->shared = (struct server_shared){.loop = b->loop,
                                       .bodies = {.max_bytes = 3 * 1024 * 1024},
                                       .connections_max = CONNECTIONS_MAX};
    b->server = server_new(&b->shared, limits, &handler, b);
    const struct listener_config c = {.address = "127.0.0.1:0", .handshake_timeout_ms = 1000};
    b->listener = listener_open(b->loop, &c, on_accepted, b, &why);
    assert_non_null(b->listener);
}

static bool all_gone(struct bed *b)
{
    return b->shared.connections == 0;
}

static void bed_fini(struct bed *b)
{
    if (b->server != NULL)
        server_close(b->server);
    listener_close(b->listener);
    RUN_UNTIL(b->loop, all_gone(b));
    assert_int_equal(b->shared.bodies.used_bytes, 0);
    for (unsigned i = 0; i < b->nasked; i++)
        buf_fini(&b->asked[i].body);
    dial_cache_free(b->loop);
    loop_free(b->loop);
}

static struct peer join(struct bed *b)
{
    uint16_t port = (uint16_t)atoi(strrchr(listener_address(b->listener), ':') + 1);
    unsigned before = b->naccepted;
    struct peer p = {.fd = raw_connect(port)};
    RUN_UNTIL(b->loop, b->naccepted > before);
    return p;
}

#define RUN(b, condition) RUN_UNTIL((b)->loop, condition)
#define OK(length) "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\n\r\n"
#define OK_CLOSE(length) \
    "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\nConnection: close\r\n\r\n"
#define NO(status) "HTTP/1.1 " status "\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
#define GET(target) "GET " target " HTTP/1.1\r\nHost: a\r\n\r\n"
#define POST(target, length) \
    "POST " target " HTTP/1.1\r\nHost: a\r\nContent-Length: " length "\r\n\r\n"

/* --- order ------------------------------------------------------------------------------------------ */

static void pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, &patient);
    struct peer p = join(&b);
    peer_write(&p, GET("/now") POST("/echo", "2") "hi" GET("/one") GET("/two") POST("/echo", "3"));
    peer_expect(b.loop, &p, OK("3") "now" OK("2") "hi");
    RUN(&b, b.nasked == 2);
    run_ms(b.loop, 20);
    assert_int_equal(b.nasked, 2); /* the others wait */
    answer(last(&b), "1");
    RUN(&b, b.nasked == 3);
    assert_string_equal(last(&b)->target, "/two");
    answer(last(&b), "22");
    peer_expect(b.loop, &p, OK("1") "1" OK("2") "22");
    peer_write(&p, "yes");
    peer_expect(b.loop, &p, OK("3") "yes");
    peer_write(&p, "\r\n" GET("/now"));
    peer_expect(b.loop, &p, OK("3") "now");
    peer_close(&p);
    bed_fini(&b);
}

static void a_pipeline_fed_byte_by_byte_means_the_same(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, &patient);
    struct peer p = join(&b);
    const char *text = GET("/now") POST("/echo", "2") "hi" GET("/now");
    for (size_t i = 0; i < strlen(text); i++) {
        peer_write(&p, (char[]){text[i], '\0'});
        turn(b.loop);
    }
    peer_expect(b.loop, &p, OK("3") "now" OK("2") "hi" OK("3") "now");
    peer_close(&p);
    bed_fini(&b);
}

/* While one answer is being given, later requests are kept up to a bound; then the socket is left alone. */
static void a_flood_behind_a_request_is_bounded_and_served(void **state)
{
    (void)state;
    enum { FLOOD = 6000 };
    struct bed b;
    bed_init(&b, &patient);
    struct peer p = join(&b);
    peer_write(&p, GET("/slow"));
    RUN(&b, b.nasked == 1);
    static const char one[] = GET("/now");
    size_t sent = 0, total = FLOOD * (sizeof one - 1), stuck = 0;
    while (sent < total && stuck < 300) {
        ssize_t n = send(p.fd, one + sent % (sizeof one - 1),
                         sizeof one - 1 - sent % (sizeof one - 1), MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        stuck = n > 0 ? 0 : stuck + 1;
        turn(b.loop);
    }
    answer(last(&b), "");
    peer_expect(b.loop, &p, OK("0"));
    for (size_t answers = 0; answers < FLOOD; answers++) {
        while (sent < total) {
            ssize_t n = send(p.fd, one + sent % (sizeof one - 1),
                             sizeof one - 1 - sent % (sizeof one - 1), MSG_DONTWAIT | MSG_NOSIGNAL);
            if (n <= 0)
                break;
            sent += (size_t)n;
        }
        peer_expect(b.loop, &p, OK("3") "now");
    }
    peer_close(&p);
    bed_fini(&b);
}

/* One head at a time waits for its body: several in one turn must not end up in each other's place. */
static void heads_of_several_connections_do_not_mix(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, &patient);
    struct peer p[3] = {join(&b), join(&b), join(&b)};
    for (unsigned i = 0; i < 3; i++) {
        peer_write(&p[i], GET("/later"));
        RUN(&b, b.nasked == i + 1);
    }
    send_head(b.asked[0].sink, 200, -1);
    send_head(b.asked[1].sink, 404, 4);
    send_head(b.asked[2].sink, 200, -1);
    end_with(&b.asked[1], "gone");
    end_with(&b.asked[2], "two");
    end_with(&b.asked[0], "0");
    peer_expect(b.loop, &p[0],
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n0\r\n0\r\n\r\n");
    peer_expect(b.loop, &p[1], "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone");
    peer_expect(b.loop, &p[2], OK("3") "two");
    for (unsigned i = 0; i < 3; i++)
        peer_close(&p[i]);
    bed_fini(&b);
}

/* --- framing ---------------------------------------------------------------------------------------- */

static void an_answer_is_framed_by_what_is_known_of_its_length(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, &patient);
    struct peer p = join(&b);

    peer_write(&p, GET("/whole"));
    RUN(&b, b.nasked == 1);
    struct span pieces[] = {SPAN_LIT("ab"), SPAN_LIT(""), SPAN_LIT("cde")};
    send_head(last(&b)->sink, 200, -1);
    last(&b)->answered = true;
    sink_end(last(&b)->sink, pieces, 3);
    peer_expect(b.loop, &p, OK("5") "abcde");

    peer_write(&p, GET("/pieces"));
    RUN(&b, b.nasked == 2);
    send_head(last(&b)->sink, 200, -1);
    send_text(last(&b), "hello");
    peer_expect(b.loop, &p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    sink_data(last(&b)->sink, pieces, 3);
    send_text(last(&b), ""); /* an empty chunk would end the body */
    send_text(last(&b), "0123456789abcdef0");
    peer_expect(b.loop, &p, "5\r\nabcde\r\n11\r\n0123456789abcdef0\r\n");
    end_with(last(&b), "bye");
    peer_expect(b.loop, &p, "3\r\nbye\r\n0\r\n\r\n");

    peer_write(&p, GET("/head-first"));
    RUN(&b, b.nasked == 3);
    send_head(last(&b)->sink, 200, -1);
    peer_expect(b.loop, &p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    end_with(last(&b), "");
    peer_expect(b.loop, &p, "0\r\n\r\n");

    peer_write(&p, GET("/announced"));
    RUN(&b, b.nasked == 4);
    send_head(last(&b)->sink, 200, 6);
    send_text(last(&b), "abc");
    end_with(last(&b), "def");
    peer_expect(b.loop, &p, OK("6") "abcdef");

    peer_write(&p, GET("/nothing"));
    RUN(&b, b.nasked == 5);
    send_head(last(&b)->sink, 204, -1);
    end_with(last(&b), "");
    peer_expect(b.loop, &p, "HTTP/1.1 204 No Content\r\n\r\n");
    assert_int_equal(b.shared.connections, 1);
    peer_close(&p);
    bed_fini(&b);
}

static void an_answer_to_head_has_no_body(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, &patient);
    struct peer p = join(&b);
    peer_write(&p, "HEAD /now HTTP/1.1\r\nHost: a\r\n\r\n" GET("/now"));
    peer_expect(b.loop, &p, OK("3") OK("3") "now");
    peer_write(&p, "HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    RUN(&b, b.nasked == 1);
    send_head(last(&b)->sink, 200, -1);
    send_text(last(&b), "hello");
    end_with(last(&b), "bye");
    peer_expect(b.loop, &p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    peer_write(&p, GET("/now"));
    peer_expect(b.loop, &p, OK("3") "now");
    peer_close(&p);
    bed_fini(&b);
}

static void http_1_0_is_answered_in_its_own_terms(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, &patient);
    struct peer p = join(&b);
    peer_write(&p, "GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /now HTTP/1.0\r\n\r\n");
    peer_expect(b.loop, &p,
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nnow"
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nnow");
    peer_expect_end(b.loop, &p);
    peer_close(&p);
    /* there are no chunks: the end of the connection is the end of the body */
    p = join(&b);
    peer_write(&p, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    RUN(&b, b.nasked == 1);
    send_head(last(&b)->sink, 200, -1);
    send_text(last(&b), "hel");
    end_with(last(&b), "lo");
    peer_expect(b.loop, &p, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
    peer_expect_end(b.loop, &p);
    peer_close(&p);
    bed_fini(&b);
}

static void a_client_that_asks_for_it_is_closed(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, &patient);
    struct peer p = join(&b);
    peer_write(&p, "GET /now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" GET("/now"));
    peer_expect(b.loop, &p, OK_CLOSE("3") "now");
    peer_expect_end(b.loop, &p);
    peer_close(&p);
    bed_fini(&b);
}

/* --- bodies ----------------------------------------------------------------------------------------- */

static void a_client_that_waits_for_it_is_told_to_go_on(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, &patient);
    struct peer p = join(&b);
    peer_write(&p, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                   "Content-Length: 5\r\n\r\n");
    peer_expect(b.loop, &p, "HTTP/1.1 100 Continue\r\n\r\n");
    peer_write(&p, "hello");
    peer_expect(b.loop, &p, OK("5") "hello");
    /* not when the answer is clear from the head */
    peer_write(&p, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                   "Content-Length: 99999999\r\n\r\n");
    peer_expect(b.loop, &p, NO("413 Content Too Large"));
    peer_expect_end(b.loop, &p);
    peer_close(&p);
    bed_fini(&b);
}

static void an_answer_before_the_body_was_read_closes(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, &patient);
    struct peer p = join(&b);
    peer_write(&p, POST("/now", "10") "part");
    peer_expect(b.loop, &p, OK_CLOSE("3") "now");
    peer_expect_end(b.loop, &p);
    peer_close(&p);
    p = join(&b);
    peer_write(&p, POST("/later", "10") "part");
    RUN(&b, b.nasked == 1);
    answer(last(&b), "enough");
    peer_expect(b.loop, &p, OK_CLOSE("6") "enough");
    peer_expect_end(b.loop, &p);
    assert_int_equal(last(&b)->ncompleted, 0);
    peer_close(&p);
    bed_fini(&b);
}

static void send_all(struct bed *b, struct peer *p, struct span bytes, size_t step)
{
    while (bytes.len > 0) {
        size_t len = bytes.len < step ? bytes.len : step;
        ssize_t n = send(p->fd, bytes.at, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            bytes = span_skip(bytes, (size_t)n);
        turn(b->loop);
    }
}

static void large_bodies_arrive_whole_however_they_come(void **state)
{
    (void)state;
    enum { SIZE = 1500000 };
    uint8_t *bytes = malloc(SIZE);
    assert_non_null(bytes);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    static const size_t steps[] = {SIZE, 100000, 9000};
    struct bed b;
    bed_init(&b, &patient);
    struct peer p = join(&b);
    for (unsigned i = 0; i < 6; i++) {
        bool chunked = i % 2 == 1;
        peer_write(&p, chunked
                           ? "POST /keep HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                             "16e360\r\n"
                           : POST("/keep", "1500000"));
        send_all(&b, &p, span_of(bytes, SIZE), steps[i / 2]);
        if (chunked)
            peer_write(&p, "\r\n0\r\n\r\n");
        peer_write(&p, GET("/now"));
        RUN(&b, b.nasked == i + 1 && last(&b)->ncompleted == 1);
        assert_int_equal(buf_len(&last(&b)->body), SIZE);
        assert_memory_equal(last(&b)->body.at, bytes, SIZE);
        buf_fini(&last(&b)->body);
        assert_int_equal(b.shared.bodies.used_bytes, 0);
        answer(last(&b), "");
        peer_expect(b.loop, &p, OK("0") OK("3") "now");
    }
    peer_close(&p);
    bed_fini(&b);
    free(bytes);
}

static void bodies_have_a_limit_each_and_one_together(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, &patient);
    struct peer p = join(&b), q = join(&b);
    peer_write(&p, POST("/a", "2097153"));
    peer_expect(b.loop, &p, NO("413 Content Too Large"));
    assert_int_equal(last(&b)->refused, 413);
    peer_expect_end(b.loop, &p);
    peer_close(&p);
    /* chunked: nobody knows before it is there */
    static uint8_t zeros[BODY_MAX + 10];
    p = join(&b);
    peer_write(&p, "POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n300000\r\n");
    RUN(&b, b.nasked == 2);
    for (size_t sent = 0; last(&b)->refused == 0;) {
        ssize_t n = send(p.fd, zeros, 60000, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        assert_true(sent < 2 * sizeof zeros + 8 * 1024 * 1024);
        turn(b.loop);
    }
    assert_int_equal(last(&b)->refused, 413);
    peer_expect(b.loop, &p, NO("413 Content Too Large"));
    peer_close(&p);
    RUN(&b, b.shared.connections == 1);
    assert_int_equal(b.shared.bodies.used_bytes, 0);
    /* two of 2 MB do not fit into 3 MB; what was reserved comes back */
    p = join(&b);
    peer_write(&p, POST("/c", "2000000") "x");
    RUN(&b, b.shared.bodies.used_bytes == 2000000);
    peer_write(&q, POST("/d", "2000000") "x");
    peer_expect(b.loop, &q, NO("503 Service Unavailable"));
    assert_int_equal(last(&b)->refused, 503);
    peer_vanish(&p);
    RUN(&b, b.asked[b.nasked - 2].nclosed == 1);
    RUN(&b, b.shared.bodies.used_bytes == 0);
    peer_close(&p);
    peer_close(&q);
    bed_fini(&b);
}

/* --- refusals --------------------------------------------------------------------------------------- */

static void what_is_malformed_is_answered_and_closed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *answer;
    } rows[] = {
        {"nonsense\r\n\r\n", NO("501 Not Implemented")},
        {"GET / HTTP/1.1\r\n\r\n", NO("400 Bad Request")},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", NO("505 HTTP Version Not Supported")},
        {GET("/now") "GET / HTTP/1.1\r\n\r\n", OK("3") "now" NO("400 Bad Request")},
        {"HEAD /now HTTP/1.1\r\nHost: a\r\n\r\n"
         "GET / HTTP/1.1\r\n\r\n",
         OK("3") NO("400 Bad Request")},
        {POST("/echo", "1") "abc" GET("/now"), OK("1") "a" NO("501 Not Implemented")},
        {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
         NO("400 Bad Request")},
        {"POST /now HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
         NO("400 Bad Request")},
    };
    struct bed b;
    bed_init(&b, &patient);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct peer p = join(&b);
        peer_write(&p, rows[i].text);
        peer_expect(b.loop, &p, rows[i].answer);
        peer_expect_end(b.loop, &p);
        peer_close(&p);
        RUN(&b, all_gone(&b));
    }
    bed_fini(&b);
}

static void a_connection_too_many_is_told_so_and_closed(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, &patient);
    struct peer p[CONNECTIONS_MAX];
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        p[i] = join(&b);
    struct peer more = {
        .fd = raw_connect((uint16_t)atoi(strrchr(listener_address(b.listener), ':') + 1))};
    peer_write(&more, GET("/now"));
    peer_expect(b.loop, &more, NO("503 Service Unavailable"));
    peer_expect_end(b.loop, &more);
    peer_close(&more);
    peer_close(&p[0]);
    RUN(&b, b.shared.connections == CONNECTIONS_MAX - 1);
    p[0] = join(&b);
    peer_write(&p[0], GET("/now"));
    peer_expect(b.loop, &p[0], OK("3") "now");
    for (unsigned i = 0; i < CONNECTIONS_MAX; i++)
        peer_close(&p[i]);
    bed_fini(&b);
}

/* --- time ------------------------------------------------------------------------------------------- */

static void every_state_has_its_own_deadline(void **state)
{
    (void)state;
    struct server_limits quick = patient;
    quick.header_timeout_ms = 60;
    quick.body_timeout_ms = 60;
    quick.idle_timeout_ms = 60;
    struct bed b;
    bed_init(&b, &quick);
    struct peer silent = join(&b), slow_head = join(&b), slow_body = join(&b), idle = join(&b);
    uint64_t began_us = clock_us();
    peer_write(&slow_body, POST("/a", "10") "x");
    peer_write(&idle, GET("/now"));
    peer_expect(b.loop, &idle, OK("3") "now");
    /* a byte now and then does not buy time */
    const char *head = "GET /now HTTP/1.1\r\n";
    for (unsigned i = 0; !peer_ended(&slow_head) && i < 100; i++) {
        (void)!send(slow_head.fd, head + i % 16, 1, MSG_NOSIGNAL);
        head = i % 16 == 15 ? "X-aaaaaaaaaaaaaaaaaaaaaa" : head;
        run_ms(b.loop, 5);
    }
    assert_true(clock_us() - began_us < 5000000);
    peer_expect_end(b.loop, &silent);
    peer_expect_end(b.loop, &idle);
    peer_expect(b.loop, &slow_body, NO("408 Request Timeout"));
    peer_expect_end(b.loop, &slow_body);
    assert_int_equal(b.asked[0].refused, 408);
    assert_true(span_starts(buf_span(&slow_head.got), SPAN_LIT("HTTP/1.1 4")));
    peer_close(&silent);
    peer_close(&slow_head);
    peer_close(&slow_body);
    peer_close(&idle);
    bed_fini(&b);
}

static void an_answer_may_take_longer_than_any_of_them(void **state)
{
    (void)state;
    struct server_limits quick = patient;
    quick.header_timeout_ms = quick.body_timeout_ms = quick.idle_timeout_ms = 40;
    struct bed b;
    bed_init(&b, &quick);
    struct peer p = join(&b);
    peer_write(&p, POST("/slow", "2"));
    RUN(&b, b.nasked == 1);
    peer_write(&p, "hi");
    run_ms(b.loop, 200);
    assert_int_equal(last(&b)->nclosed, 0);
    answer(last(&b), "at last");
    peer_expect(b.loop, &p, OK("7") "at last");
    peer_close(&p);
    bed_fini(&b);
}

/* --- flow ------------------------------------------------------------------------------------------- */

static char lump[32 * 1024];

static void end_when_writable(struct asked *a)
{
    end_with(a, "end");
}

static void a_slow_client_stops_the_writer_and_says_when_it_goes_on(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, &patient);
    struct peer p = join(&b);
    peer_write(&p, "GET /stream HTTP/1.0\r\n\r\n");
    RUN(&b, b.nasked == 1);
    struct asked *a = last(&b);
    struct span s = span_of(lump, sizeof lump);
    size_t sent = 0;
    send_head(a->sink, 200, -1);
    a->on_writable = end_when_writable; /* re-entry: the answer ends inside `writable` */
    enum flow flow;
    do {
        flow = sink_data(a->sink, &s, 1);
        sent += s.len;
        assert_true(sent < 64u * 1024 * 1024);
        turn(b.loop);
    } while (flow == FLOW_OK);
    run_ms(b.loop, 20);
    assert_int_equal(a->nwritable, 0);
    assert_int_equal(a->sink->bytes_out, sent);
    RUN(&b, (peer_read(&p), a->nwritable > 0));
    assert_int_equal(a->nwritable, 1);
    RUN(&b, peer_ended(&p));
    size_t head = span_find(buf_span(&p.got), SPAN_LIT("\r\n\r\n")) + 4;
    assert_int_equal(buf_len(&p.got), head + sent + 3);
    peer_close(&p);
    bed_fini(&b);
}

static void a_client_that_takes_nothing_is_given_up(void **state)
{
    (void)state;
    struct server_limits quick = patient;
    quick.write_timeout_ms = 100;
    struct bed b;
    bed_init(&b, &quick);
    struct peer p = join(&b);
    peer_write(&p, GET("/stream"));
    RUN(&b, b.nasked == 1);
    struct span s = span_of(lump, sizeof lump);
    send_head(last(&b)->sink, 200, -1);
    while (sink_data(last(&b)->sink, &s, 1) == FLOW_OK)
        turn(b.loop);
    RUN(&b, last(&b)->nclosed == 1);
    assert_int_equal(last(&b)->nwritable, 0);
    RUN(&b, all_gone(&b));
    peer_close(&p);
    bed_fini(&b);
}

/* --- clients that leave ------------------------------------------------------------------------------ */

enum stage { IN_HEAD, IN_BODY, BEFORE_HEAD, HEAD_HELD, AFTER_HEAD, AFTER_DATA, STAGES };

static void reach(struct bed *b, struct peer *p, enum stage stage)
{
    unsigned before = b->nasked;
    peer_write(p, stage == IN_HEAD   ? "GET / HT"
                  : stage == IN_BODY ? POST("/x", "5") "a"
                                     : GET("/x"));
    if (stage == IN_HEAD) {
        run_ms(b->loop, 5);
        return;
    }
    RUN(b, b->nasked == before + 1);
    if (stage >= HEAD_HELD)
        send_head(last(b)->sink, 200, -1);
    if (stage >= AFTER_HEAD)
        turn(b->loop);
    if (stage >= AFTER_DATA)
        send_text(last(b), "data");
}

static void a_client_that_leaves_is_told_of_once(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, &patient);
    for (unsigned i = 0; i < 2 * STAGES; i++) {
        enum stage stage = (enum stage)(i / 2);
        bool reset = i % 2 == 1;
        struct peer p = join(&b);
        reach(&b, &p, stage);
        if (stage == HEAD_HELD) { /* in one turn with the head */
            if (reset)
                peer_vanish(&p);
            else
                shutdown(p.fd, SHUT_WR);
        } else if (reset) {
            peer_vanish(&p);
        } else {
            shutdown(p.fd, SHUT_WR); /* taken to be gone, as others do */
        }
        RUN(&b, all_gone(&b));
        if (stage != IN_HEAD)
            assert_int_equal(last(&b)->nclosed, 1);
        peer_close(&p);
    }
    bed_fini(&b);
}

static void what_is_said_to_a_client_that_left_is_lost_in_silence(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, &patient);
    struct peer p = join(&b);
    peer_write(&p, GET("/x") GET("/never"));
    RUN(&b, b.nasked == 1);
    peer_close(&p);
    RUN(&b, b.nasked == 1 && last(&b)->nclosed == 1);
    run_ms(b.loop, 10);
    assert_int_equal(b.nasked, 1); /* what it had pipelined is not begun */
    bed_fini(&b);
}

static void an_answer_that_ended_hears_nothing_more(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, &patient);
    struct peer p = join(&b);
    peer_write(&p, GET("/x"));
    RUN(&b, b.nasked == 1);
    answer(last(&b), "done"); /* `closed` after this would be asserted */
    peer_vanish(&p);
    RUN(&b, all_gone(&b));
    peer_close(&p);
    bed_fini(&b);
}

/* --- endings of ours ----------------------------------------------------------------------------------- */

static void what_is_cut_off_does_not_look_complete(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, &patient);
    struct peer p = join(&b);
    peer_write(&p, GET("/x"));
    RUN(&b, b.nasked == 1);
    send_head(last(&b)->sink, 200, -1);
    send_text(last(&b), "half");
    last(&b)->answered = true;
    sink_abort(last(&b)->sink, "test");
    peer_expect(b.loop, &p, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
    peer_expect_end(b.loop, &p);
    peer_close(&p);
    /* less than was announced */
    p = join(&b);
    peer_write(&p, GET("/y"));
    RUN(&b, b.nasked == 2);
    send_head(last(&b)->sink, 200, 10);
    send_text(last(&b), "half");
    end_with(last(&b), "");
    peer_expect(b.loop, &p, OK("10") "half");
    peer_expect_end(b.loop, &p);
    peer_close(&p);
    /* cut before anything was said, and in the turn of the head */
    p = join(&b);
    peer_write(&p, GET("/z"));
    RUN(&b, b.nasked == 3);
    send_head(last(&b)->sink, 200, -1);
    last(&b)->answered = true;
    sink_abort(last(&b)->sink, "test");
    peer_expect_end(b.loop, &p);
    peer_close(&p);
    bed_fini(&b);
}

static void draining_ends_what_is_idle_and_finishes_the_rest(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, &patient);
    struct peer idle = join(&b), busy = join(&b), in_head = join(&b), in_body = join(&b);
    peer_write(&busy, GET("/x") GET("/never"));
    RUN(&b, b.nasked == 1);
    peer_write(&in_head, "GET /now HT");
    peer_write(&in_body, POST("/echo", "2") "h");
    RUN(&b, b.nasked == 2);
    run_ms(b.loop, 5);
    server_drain(b.server);
    peer_expect_end(b.loop, &idle);
    peer_write(&in_head, "TP/1.1\r\nHost: a\r\n\r\n");
    peer_expect(b.loop, &in_head, OK_CLOSE("3") "now");
    peer_write(&in_body, "i");
    peer_expect(b.loop, &in_body, OK_CLOSE("2") "hi");
    answer(&b.asked[0], "last");
    peer_expect(b.loop, &busy, OK_CLOSE("4") "last");
    peer_expect_end(b.loop, &busy);
    peer_close(&idle);
    peer_close(&busy);
    peer_close(&in_head);
    peer_close(&in_body);
    RUN(&b, all_gone(&b));
    assert_int_equal(server_connections(b.server), 0);
    bed_fini(&b);
}

static void a_server_that_closes_tells_every_open_request(void **state)
{
    (void)state;
    struct bed b;
    bed_init(&b, &patient);
    struct peer p[4] = {join(&b), join(&b), join(&b), join(&b)};
    reach(&b, &p[0], IN_HEAD);
    reach(&b, &p[1], IN_BODY);
    reach(&b, &p[2], BEFORE_HEAD);
    reach(&b, &p[3], HEAD_HELD);
    server_close(b.server);
    b.server = NULL;
    for (unsigned i = 0; i < b.nasked; i++)
        assert_int_equal(b.asked[i].nclosed, 1);
    for (unsigned i = 0; i < 4; i++)
        peer_expect_end(b.loop, &p[i]);
    for (unsigned i = 0; i < 4; i++)
        peer_close(&p[i]);
    bed_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(a_pipeline_fed_byte_by_byte_means_the_same),
        cmocka_unit_test(a_flood_behind_a_request_is_bounded_and_served),
        cmocka_unit_test(heads_of_several_connections_do_not_mix),
        cmocka_unit_test(an_answer_is_framed_by_what_is_known_of_its_length),
        cmocka_unit_test(an_answer_to_head_has_no_body),
        cmocka_unit_test(http_1_0_is_answered_in_its_own_terms),
        cmocka_unit_test(a_client_that_asks_for_it_is_closed),
        cmocka_unit_test(a_client_that_waits_for_it_is_told_to_go_on),
        cmocka_unit_test(an_answer_before_the_body_was_read_closes),
        cmocka_unit_test(large_bodies_arrive_whole_however_they_come),
        cmocka_unit_test(bodies_have_a_limit_each_and_one_together),
        cmocka_unit_test(what_is_malformed_is_answered_and_closed),
        cmocka_unit_test(a_connection_too_many_is_told_so_and_closed),
        cmocka_unit_test(every_state_has_its_own_deadline),
        cmocka_unit_test(an_answer_may_take_longer_than_any_of_them),
        cmocka_unit_test(a_slow_client_stops_the_writer_and_says_when_it_goes_on),
        cmocka_unit_test(a_client_that_takes_nothing_is_given_up),
        cmocka_unit_test(a_client_that_leaves_is_told_of_once),
        cmocka_unit_test(what_is_said_to_a_client_that_left_is_lost_in_silence),
        cmocka_unit_test(an_answer_that_ended_hears_nothing_more),
        cmocka_unit_test(what_is_cut_off_does_not_look_complete),
        cmocka_unit_test(draining_ends_what_is_idle_and_finishes_the_rest),
        cmocka_unit_test(a_server_that_closes_tells_every_open_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
