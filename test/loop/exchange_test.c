#include "upstream_bed.h"

#include "sluice/api/api.h"

#include <sys/stat.h>
#include <zlib.h>

/* The whole way of a request on one loop: a client's socket, the server, the engine, the pool, and
 * two providers the test plays. What is asserted after each: nothing is left of it anywhere. */

struct gate {
    struct loop *loop;
    struct gateway g;
    struct api_process process;
    struct api api;
    struct server *server;
    struct listener *listener;
    struct upstream_bed one, two; /* their loops and pools stay unused */
    unsigned naccepted;
};

static char config_path[] = "exchange_test.XXXXXX"; /* where the test runs */

static void on_accepted(void *arg, struct stream *s)
{
    struct gate *t = arg;
    t->naccepted++;
    server_accept(t->server, s);
}

/* Both providers behind one model, in that order; `more` goes into the file as it is. */
static struct snapshot *configure(struct gate *t, const char *more)
{
    struct snapshot *s = NULL;
    struct findings findings = {0};
    struct load_options load = {.path = config_path};
    FILE *f = fopen(config_path, "w");
    assert_non_null(f);
    fprintf(f,
            "version: 1\nauth: none\ndemo: true\nlisten: 127.0.0.1:0\nstore: { url: 'memory:' }\n"
            "providers:\n"
            "  one: { protocol: openai, base_url: 'http://127.0.0.1:%u/v1', api_key: sk-the-secret,"
            " timeouts: { connect: 2s, first_byte: 400ms, idle: 400ms }, pool: { max: 4 } }\n"
            "  two: { protocol: openai, base_url: 'http://127.0.0.1:%u/v1', api_key: sk-the-secret,"
            " timeouts: { connect: 2s, first_byte: 400ms, idle: 400ms }, pool: { max: 4 } }\n"
            "models:\n"
            "  a: { provider: one, upstream_model: up-one }\n"
            "  b: { provider: two, upstream_model: up-two }\n"
            "  m: { alias: [a, b] }\n"
            "  n: { provider: one, upstream_model: n }\n%s",
            t->one.port, t->two.port, more);
    assert_int_equal(fclose(f), 0);
    if (snapshot_load(&load, &s, &findings) < 0) {
        struct buf said = {0};
        assert_int_equal(findings_write(&findings, false, &said), 0);
        fail_msg("%.*s", (int)buf_len(&said), (const char *)said.at);
    }
    findings_fini(&findings);
    return s;
}

static void install(struct gate *t, const char *more)
{
    struct err why = {0};
    struct snapshot *s = configure(t, more);
    struct deployment *next = deployment_new(&t->g, s, t->g.now, &why);
    assert_non_null(next);
    snapshot_unref(s);
    deployment_unref(t->g.now);
    t->g.now = next;
}

static void provider_init(struct upstream_bed *b, struct loop *l)
{
    upstream_init(b, 1, 1000, 1000);
    pool_unref(b->pool);
    b->pool = NULL;
    dial_cache_free(b->loop);
    loop_free(b->loop);
    b->loop = l;
}

static void on_quiet(struct deadline *d)
{
    (void)d; /* the process would tidy its heap */
}

static void gate_init(struct gate *t, const char *more)
{
    struct err why = {0};
    *t = (struct gate){.loop = loop_new()};
    struct gateway *g = &t->g;
    provider_init(&t->one, t->loop);
    provider_init(&t->two, t->loop);
    g->loop = t->loop;
    g->http = (struct server_shared){
        .loop = t->loop, .bodies = {.max_bytes = 4u << 20}, .connections_max = 100};
    deadline_init(&g->quiet, t->loop, on_quiet);
    rng_seed(&g->rng, 7);
    g->metrics = metric_registry_new();
    instruments_init(&g->instruments, g->metrics);
    install(t, more);
    g->store = store_open(t->loop, &g->now->snapshot->store, g->metrics, &why);
    assert_non_null(g->store);
    const struct server_options *o = &g->now->snapshot->server;
    struct server_limits limits = {
        .head = {.head_max = o->header_max_bytes, .field_max = o->headers_max},
        .header_timeout_ms = 10000,
        .body_timeout_ms = 10000,
        .idle_timeout_ms = 10000,
        .write_timeout_ms = 10000,
    };
    t->api = (struct api){.gateway = g, .process = &t->process, .serves = SERVES_API};
    t->server = server_new(&g->http, &limits, &api_handler, &t->api);
    const struct listener_config c = {.address = "127.0.0.1:0", .handshake_timeout_ms = 1000};
    t->listener = listener_open(t->loop, &c, on_accepted, t, &why);
    assert_non_null(t->listener);
}

static bool is_quiet(struct gate *t)
{
    exchange_free_spares(); /* so that use of what has ended is seen */
    return t->g.http.connections == 0 && t->g.inflight == 0;
}

static void gate_fini(struct gate *t)
{
    struct gateway *g = &t->g;
    if (t->server != NULL)
        server_close(t->server);
    listener_close(t->listener);
    RUN_UNTIL(t->loop, is_quiet(t));
    assert_int_equal(g->streams, 0);
    assert_null(g->exchanges);
    assert_int_equal(g->http.bodies.used_bytes, 0);
    deadline_clear(&g->quiet);
    deployment_unref(g->now);
    store_close(g->store);
    close(t->one.fd);
    close(t->two.fd);
    run_ms(t->loop, 1);
    dial_cache_free(t->loop);
    loop_free(t->loop);
    exchange_free_spares();
    instruments_fini(&g->instruments);
    metric_registry_free(g->metrics);
}

static struct peer join(struct gate *t)
{
    unsigned before = t->naccepted;
    struct peer p = {
        .fd = raw_connect((uint16_t)atoi(strrchr(listener_address(t->listener), ':') + 1))};
    RUN_UNTIL(t->loop, t->naccepted > before);
    return p;
}

static void ask(struct peer *p, const char *model, bool stream)
{
    char body[256], request[512];
    int len = snprintf(body, sizeof body, "{\"model\":\"%s\",\"messages\":[{}]%s}", model,
                       stream ? ",\"stream\":true" : "");
    snprintf(request, sizeof request,
             "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len,
             body);
    peer_write(p, request);
}

/* The text has come somewhere in what was got so far. */
static bool has(struct peer *p, const char *text)
{
    peer_read(p);
    exchange_free_spares();
    return span_find(buf_span(&p->got), span_text(text)) != SIZE_MAX;
}

#define COMES(t, p, text)                                                    \
    do {                                                                     \
        RUN_UNTIL((t)->loop, has(p, text) || peer_ended(p));                 \
        if (!has(p, text))                                                   \
            fail_msg("got \"%.*s\", wanted \"%s\"", (int)buf_len(&(p)->got), \
                     (const char *)buf_span(&(p)->got).at, text);            \
    } while (0)

/* The provider's end of the connection on which the request has arrived. */
static struct peer asked(struct gate *t, struct upstream_bed *provider)
{
    struct peer p = upstream_accept(provider);
    COMES(t, &p, "\"messages\":[{}]");
    buf_clear(&p.got);
    return p;
}

static unsigned count(struct peer *p, const char *text)
{
    struct span all = buf_span(&p->got);
    unsigned n = 0;
    for (size_t at; (at = span_find(all, span_text(text))) != SIZE_MAX; n++)
        all = span_skip(all, at + 1);
    return n;
}

#define SSE_HEAD \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define EVENT(text) \
    "data: {\"id\":\"i\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"}}]}\n\n"
#define FINISH \
    "data: {\"id\":\"i\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
#define USAGE \
    "data: {\"id\":\"i\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n"
#define DONE "data: [DONE]\n\n"
#define DOCUMENT                                                               \
    "{\"id\":\"i\",\"choices\":[{\"message\":{},\"finish_reason\":\"stop\"}]," \
    "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}"

static void say_chunk(struct peer *p, const char *text)
{
    char chunk[2048];
    snprintf(chunk, sizeof chunk, "%zx\r\n%s\r\n", strlen(text), text);
    peer_write(p, chunk);
}

static void say_document(struct peer *p, const char *status, const char *body)
{
    char text[2048];
    snprintf(text, sizeof text,
             "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             status, strlen(body), body);
    peer_write(p, text);
}

/* --- the ordinary way ------------------------------------------------------------------------------------ */

static void a_stream_passes_and_its_connections_live_on(void **state)
{
    (void)state;
    struct gate t;
    gate_init(&t, "");
    struct peer client = join(&t), provider = {.fd = -1};
    for (unsigned i = 0; i < 3; i++) {
        ask(&client, "m", true);
        if (i == 0) {
            provider = asked(&t, &t.one);
        } else {
            COMES(&t, &provider, "\"messages\":[{}]");
            buf_clear(&provider.got);
        }
        peer_write(&provider, SSE_HEAD);
        say_chunk(&provider, EVENT("one"));
        COMES(&t, &client, "\"one\"");
        say_chunk(&provider, EVENT("two") FINISH USAGE DONE);
        peer_write(&provider, "0\r\n\r\n");
        COMES(&t, &client, "0\r\n\r\n");
        assert_true(has(&client, DONE));
        assert_false(has(&client, "usage")); /* ours alone */
        assert_int_equal(count(&client, "[DONE]"), 1);
        buf_clear(&client.got);
    }
    assert_true(upstream_nobody_came(&t.one));
    peer_close(&client);
    peer_close(&provider);
    gate_fini(&t);
}

static void a_document_passes(void **state)
{
    (void)state;
    struct gate t;
    gate_init(&t, "");
    struct peer client = join(&t);
    ask(&client, "m", false);
    struct peer provider = asked(&t, &t.one);
    say_document(&provider, "200 OK", DOCUMENT);
    COMES(&t, &client, "\"completion_tokens\":4}}");
    assert_true(has(&client, "\"provider\":\"one\",\"id\":\"i\""));
    peer_close(&client);
    peer_close(&provider);
    gate_fini(&t);
}

/* --- trouble before the first byte: the next endpoint ----------------------------------------------------- */

enum trouble {
    CLOSES,
    RESETS,
    TALKS_NONSENSE,
    REDIRECTS,
    ANSWERS_500,
    ANSWERS_429,
    SWITCHES,
    SAYS_ERROR,
    SENDS_NO_JSON,
    STREAMS_NOTHING,
    ENDS_EMPTY,
    COMPRESSES,
    IS_SILENT,
    TROUBLES
};

static void make_trouble(struct peer *p, enum trouble what, bool stream)
{
    switch (what) {
    case CLOSES:
        shutdown(p->fd, SHUT_RDWR);
        break;
    case RESETS:
        peer_vanish(p);
        break;
    case TALKS_NONSENSE:
        peer_write(p, "SSH-2.0-x\r\n");
        break;
    case REDIRECTS:
        peer_write(p, "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n");
        break;
    case ANSWERS_500:
        say_document(p, "500 Oops", "{\"error\":{\"message\":\"sk-the-secret\"}}");
        break;
    case ANSWERS_429:
        say_document(p, "429 Slow", "{\"error\":{\"message\":\"slow\"}}");
        break;
    case SWITCHES:
        peer_write(p, "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n");
        break;
    case SAYS_ERROR:
        if (stream) {
            peer_write(p, SSE_HEAD);
            say_chunk(p, "data: {\"error\":{\"message\":\"no\"}}\n\n" EVENT("never"));
        } else {
            say_document(p, "200 OK", "{\"error\":{\"message\":\"no\"}}");
        }
        break;
    case SENDS_NO_JSON:
        if (stream) {
            peer_write(p, SSE_HEAD);
            say_chunk(p, "data: <html>\n\n" EVENT("never"));
        } else {
            say_document(p, "200 OK", "<html>");
        }
        break;
    case STREAMS_NOTHING: /* and the other way around: the form alone would be no trouble */
        if (stream)
            say_document(p, "200 OK", "[1]");
        else
            peer_write(p, SSE_HEAD "0\r\n\r\n");
        break;
    case ENDS_EMPTY:
        peer_write(p, stream ? SSE_HEAD "0\r\n\r\n" : "HTTP/1.1 204 None\r\n\r\n");
        break;
    case COMPRESSES:
        peer_write(p, "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 5\r\n\r\nabcde");
        break;
    case IS_SILENT:
    case TROUBLES:
        break;
    }
}

static void trouble_before_the_first_byte_is_the_next_ones_chance(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * TROUBLES; i++) {
        bool stream = i % 2 == 1;
        struct gate t;
        gate_init(&t, ""); /* a new one: five failures would open a circuit */
        struct peer client = join(&t);
        ask(&client, "m", stream);
        struct peer one = asked(&t, &t.one);
        make_trouble(&one, (enum trouble)(i / 2), stream);
        struct peer two = asked(&t, &t.two);
        if (stream) {
            peer_write(&two, SSE_HEAD);
            say_chunk(&two, EVENT("hi") FINISH DONE);
        } else {
            say_document(&two, "200 OK", DOCUMENT);
        }
        COMES(&t, &client, stream ? DONE : "\"completion_tokens\":4}}");
        assert_true(has(&client, "X-Sluice-Provider: two"));
        assert_true(has(&client, "X-Sluice-Attempts: 2"));
        assert_false(has(&client, "never"));
        peer_close(&client);
        peer_close(&one);
        peer_close(&two);
        RUN_UNTIL(t.loop, is_quiet(&t));
        gate_fini(&t);
    }
}

static void when_all_have_failed_the_error_names_them(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * TROUBLES; i++) {
        bool stream = i % 2 == 1;
        struct gate t;
        gate_init(&t, ""); /* a new one: five failures would open a circuit */
        struct peer client = join(&t);
        ask(&client, "m", stream);
        struct peer one = asked(&t, &t.one);
        make_trouble(&one, (enum trouble)(i / 2), stream);
        struct peer two = asked(&t, &t.two);
        make_trouble(&two, (enum trouble)(i / 2), stream);
        COMES(&t, &client, "\r\n\r\n{");
        COMES(&t, &client, "}");
        assert_true(has(&client, i / 2 == ANSWERS_429 ? "HTTP/1.1 429" : "HTTP/1.1 50"));
        assert_false(has(&client, "secret"));
        peer_close(&client);
        peer_close(&one);
        peer_close(&two);
        RUN_UNTIL(t.loop, is_quiet(&t));
        gate_fini(&t);
    }
}

/* --- trouble after it: in band ------------------------------------------------------------------------------ */

static void trouble_after_the_first_byte_ends_in_band(void **state)
{
    (void)state;
    struct gate t;
    gate_init(&t, "");
    for (unsigned i = 0; i < 6; i++) {
        struct peer client = join(&t);
        ask(&client, "m", true);
        struct peer one = asked(&t, &t.one);
        peer_write(&one, SSE_HEAD);
        say_chunk(&one, EVENT("first"));
        COMES(&t, &client, "\"first\"");
        if (i == 0)
            shutdown(one.fd, SHUT_RDWR);
        else if (i == 1)
            peer_vanish(&one);
        else if (i == 2)
            peer_write(&one, "zz\r\n");
        else if (i == 3)
            say_chunk(&one, EVENT("good") "data: {\"broken\n\n" EVENT("never"));
        else if (i == 4)
            peer_write(&one, "0\r\n\r\n");   /* ends without a finish */
        COMES(&t, &client, "\r\n0\r\n\r\n"); /* 5: falls silent */
        assert_true(has(&client, "\"finish_reason\":\"error\""));
        assert_int_equal(count(&client, "[DONE]"), 1);
        assert_int_equal(count(&client, "good"), i == 3);
        assert_false(has(&client, "never"));
        ask(&client, "m", false); /* the client's connection is as good as before */
        if (i != 4) {             /* 4: what was said was wrong, but it was said in good order */
            peer_close(&one);
            one = upstream_accept(&t.one);
        }
        COMES(&t, &one, "\"messages\":[{}]}");
        say_document(&one, "200 OK", DOCUMENT);
        COMES(&t, &client, "\"completion_tokens\":4}}");
        peer_close(&client);
        peer_close(&one);
        RUN_UNTIL(t.loop, is_quiet(&t));
        install(&t, "");
        run_ms(t.loop, 2);
    }
    gate_fini(&t);
}

/* Half of a large event has gone on when the provider, that has finished, breaks off. */
static void half_an_event_never_looks_like_the_end(void **state)
{
    (void)state;
    static char half[40000];
    struct gate t;
    gate_init(&t, "");
    struct peer client = join(&t);
    ask(&client, "m", true);
    struct peer one = asked(&t, &t.one);
    memset(half, 'x', sizeof half - 1);
    memcpy(half, "data: {\"id\":\"", 13);
    peer_write(&one, SSE_HEAD);
    say_chunk(&one, EVENT("first") FINISH);
    char size[16];
    snprintf(size, sizeof size, "%zx\r\n", sizeof half - 1);
    peer_write(&one, size);
    peer_write(&one, half);
    COMES(&t, &client, "xxxxxxxx");
    shutdown(one.fd, SHUT_RDWR);
    COMES(&t, &client, "\r\n0\r\n\r\n");
    assert_true(has(&client, "\"finish_reason\":\"error\""));
    assert_false(has(&client, "xdata: [DONE]"));
    peer_close(&client);
    peer_close(&one);
    gate_fini(&t);
}

/* --- a connection that was reused and is dead --------------------------------------------------------------- */

static void a_dead_idle_connection_costs_nothing_visible(void **state)
{
    (void)state;
    struct gate t;
    gate_init(&t, "");
    struct peer client = join(&t);
    ask(&client, "n", false);
    struct peer one = asked(&t, &t.one);
    say_document(&one, "200 OK", DOCUMENT);
    COMES(&t, &client, "\"completion_tokens\":4}}");
    buf_clear(&client.got);
    /* it dies when the next request has been written to it */
    ask(&client, "n", false);
    COMES(&t, &one, "\"messages\":[{}]");
    peer_vanish(&one);
    struct peer again = asked(&t, &t.one);
    say_document(&again, "200 OK", DOCUMENT);
    COMES(&t, &client, "\"completion_tokens\":4}}");
    assert_true(has(&client, "HTTP/1.1 200 OK"));
    assert_true(has(&client, "X-Sluice-Attempts: 1"));
    peer_close(&client);
    peer_close(&one);
    peer_close(&again);
    gate_fini(&t);
}

/* --- clients that leave, in every state ------------------------------------------------------------------------ */

enum stage { DIALING, WAITING, HEAD_CAME, STREAMING, SLOW, SECOND_ATTEMPT, STAGES };

static void a_client_that_leaves_takes_its_upstream_request_along(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2 * STAGES; i++) {
        enum stage stage = (enum stage)(i / 2);
        struct gate t;
        gate_init(&t, "");
        struct peer client = join(&t), one = {.fd = -1}, two = {.fd = -1};
        ask(&client, "m", true);
        if (stage == DIALING)
            RUN_UNTIL(t.loop, t.g.inflight == 1);
        else
            one = asked(&t, &t.one);
        if (stage >= HEAD_CAME && stage != SECOND_ATTEMPT) {
            peer_write(&one, SSE_HEAD);
            run_ms(t.loop, 2);
        }
        if (stage >= STREAMING && stage != SECOND_ATTEMPT) {
            say_chunk(&one, EVENT("x"));
            COMES(&t, &client, "\"x\"");
        }
        for (unsigned k = 0, stuck = 0; stage == SLOW && stuck < 200;
             k++) { /* it takes nothing more */
            char chunk[1200];
            snprintf(chunk, sizeof chunk, "%x\r\ndata: {\"choices\":[{\"i\":\"%0900d\"}]}\n\n\r\n",
                     900 + 30, 7);
            ssize_t n = send(one.fd, chunk, strlen(chunk), MSG_DONTWAIT | MSG_NOSIGNAL);
            stuck = n == (ssize_t)strlen(chunk) ? 0 : n < 0 ? stuck + 1 : 1000;
            turn(t.loop);
        }
        if (stage == SECOND_ATTEMPT) {
            peer_vanish(&one);
            two = asked(&t, &t.two);
        }
        if (i % 2 == 0)
            shutdown(client.fd, SHUT_WR);
        else
            peer_vanish(&client);
        RUN_UNTIL(t.loop, is_quiet(&t));
        if (stage == SECOND_ATTEMPT)
            peer_expect_end(t.loop, &two);
        else if (stage != DIALING)
            RUN_UNTIL(t.loop, peer_ended(&one));
        peer_close(&client);
        peer_close(&one);
        peer_close(&two);
        gate_fini(&t);
    }
}

static void a_server_that_closes_ends_every_exchange(void **state)
{
    (void)state;
    struct gate t;
    gate_init(&t, "");
    struct peer client[3] = {join(&t), join(&t), join(&t)};
    for (unsigned i = 0; i < 3; i++)
        ask(&client[i], "m", true);
    struct peer one[3] = {asked(&t, &t.one), asked(&t, &t.one), asked(&t, &t.one)};
    peer_write(&one[1], SSE_HEAD);
    peer_write(&one[2], SSE_HEAD);
    say_chunk(&one[2], EVENT("x"));
    run_ms(t.loop, 10);
    server_close(t.server);
    t.server = NULL;
    assert_int_equal(t.g.inflight, 0);
    for (unsigned i = 0; i < 3; i++)
        peer_expect_end(t.loop, &one[i]);
    for (unsigned i = 0; i < 3; i++) {
        peer_close(&client[i]);
        peer_close(&one[i]);
    }
    gate_fini(&t);
}

static void at_the_drain_limit_streams_end_in_band_and_others_in_503(void **state)
{
    (void)state;
    struct gate t;
    gate_init(&t, "");
    struct peer client[2] = {join(&t), join(&t)};
    ask(&client[0], "m", false);
    struct peer waits = asked(&t, &t.one);
    ask(&client[1], "m", true);
    struct peer streams = asked(&t, &t.one);
    peer_write(&streams, SSE_HEAD);
    say_chunk(&streams, EVENT("x"));
    COMES(&t, &client[1], "\"x\"");
    server_drain(t.server);
    struct fault why = {.kind = FAULT_SHUTTING_DOWN, .message = "going down"};
    exchange_fail_all(&t.g, &why);
    COMES(&t, &client[0], "HTTP/1.1 503");
    COMES(&t, &client[1], "\r\n0\r\n\r\n");
    assert_true(has(&client[1], "\"finish_reason\":\"error\""));
    for (unsigned i = 0; i < 2; i++) {
        RUN_UNTIL(t.loop, peer_ended(&client[i]));
        peer_close(&client[i]);
    }
    peer_close(&waits);
    peer_close(&streams);
    gate_fini(&t);
}

/* --- a new configuration while requests run --------------------------------------------------------------------- */

static void a_running_request_keeps_the_configuration_it_started_under(void **state)
{
    (void)state;
    struct gate t;
    gate_init(&t, "");
    struct peer client = join(&t), other = join(&t);
    ask(&client, "m", true);
    struct peer one = asked(&t, &t.one);
    ask(&other, "m", false);
    struct peer waits = asked(&t, &t.one);
    peer_write(&one, SSE_HEAD);
    say_chunk(&one, EVENT("x"));
    COMES(&t, &client, "\"x\"");
    for (unsigned i = 0; i < 3; i++)
        install(&t, i == 1 ? "observability: { access_log: \"off\" }\n" : "");
    run_ms(t.loop, 5);
    peer_vanish(&waits); /* its second attempt is one of the old configuration's */
    peer_close(&waits);
    struct peer two = asked(&t, &t.two);
    say_document(&two, "200 OK", DOCUMENT);
    COMES(&t, &other, "\"completion_tokens\":4}}");
    say_chunk(&one, EVENT("y") FINISH DONE);
    peer_write(&one, "0\r\n\r\n");
    COMES(&t, &client, "0\r\n\r\n");
    assert_true(has(&client, "\"y\""));
    peer_close(&client);
    peer_close(&other);
    peer_close(&one);
    peer_close(&two);
    gate_fini(&t);
}

/* --- time -------------------------------------------------------------------------------------------------------- */

static void silence_is_filled_and_ended_in_time(void **state)
{
    (void)state;
    struct gate t;
    gate_init(&t, "server: { sse_keepalive: 100ms, request_timeout: 1s }\n");
    struct peer client = join(&t);
    ask(&client, "m", true);
    struct peer one = asked(&t, &t.one);
    COMES(&t, &client, ": SLUICE PROCESSING\n\n"); /* opens the answer, commits to nothing */
    struct peer two = asked(&t, &t.two);           /* the first has been silent for too long */
    peer_write(&two, SSE_HEAD);
    say_chunk(&two, EVENT("hi"));
    COMES(&t, &client, "\"hi\"");
    for (unsigned i = 0; !has(&client, "[DONE]") && i < 100; i++) { /* it never ends by itself */
        (void)!send(two.fd, "1\r\n:\r\n", 6, MSG_NOSIGNAL);
        run_ms(t.loop, 50);
    }
    COMES(&t, &client, "\r\n0\r\n\r\n");
    assert_true(has(&client, "request_timeout"));
    assert_true(has(&client, "\"finish_reason\":\"error\""));
    assert_int_equal(count(&client, "HTTP/1.1"), 1);
    peer_close(&client);
    peer_close(&one);
    peer_close(&two);
    gate_fini(&t);
}

/* The 200 has gone out with a comment: what goes wrong now can only be said inside the stream. */
static void an_error_behind_a_comment_is_said_in_band(void **state)
{
    (void)state;
    struct gate t;
    gate_init(&t, "server: { sse_keepalive: 50ms }\n");
    for (unsigned i = 0; i < 3; i++) {
        struct peer client = join(&t);
        ask(&client, "n", true);
        struct peer one = asked(&t, &t.one);
        COMES(&t, &client, ": SLUICE PROCESSING\n\n");
        if (i == 0)
            say_document(&one, "400 Bad", "{\"error\":{\"message\":\"too long\"}}");
        else
            make_trouble(&one, i == 1 ? ANSWERS_500 : RESETS, true);
        COMES(&t, &client, "\r\n0\r\n\r\n");
        assert_true(has(&client, "\"finish_reason\":\"error\""));
        assert_int_equal(count(&client, "HTTP/1.1"), 1);
        assert_int_equal(count(&client, "[DONE]"), 1);
        assert_true(i != 0 || has(&client, "too long"));
        peer_close(&client);
        peer_close(&one);
        RUN_UNTIL(t.loop, is_quiet(&t));
        install(&t, "server: { sse_keepalive: 50ms }\n");
        run_ms(t.loop, 2);
    }
    gate_fini(&t);
}

/* What arrives when: each event is with the client before the next one has been said. */
static void nothing_waits_for_what_comes_behind_it(void **state)
{
    (void)state;
    struct gate t;
    gate_init(&t, "");
    struct peer client = join(&t);
    ask(&client, "n", true);
    struct peer one = asked(&t, &t.one);
    peer_write(&one, SSE_HEAD);
    const char *event = EVENT("x");
    for (unsigned i = 0; i < 20; i++) {
        size_t cut = (size_t)i * 3; /* of the event, at different places: only whole ones go on */
        char piece[256];
        snprintf(piece, sizeof piece, "%.*s", (int)cut, event);
        if (cut > 0)
            say_chunk(&one, piece);
        run_ms(t.loop, 2);
        peer_read(&client);
        assert_int_equal(count(&client, "\"x\""), i);
        say_chunk(&one, event + cut);
        RUN_UNTIL(t.loop, (peer_read(&client), count(&client, "\"x\"") == i + 1));
    }
    peer_close(&client);
    peer_close(&one);
    gate_fini(&t);
}

/* --- a provider that compresses although it was asked not to -------------------------------------------------------- */

static size_t gzip(const char *text, uint8_t *out, size_t size)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)text;
    z.avail_in = (unsigned)strlen(text);
    z.next_out = out;
    z.avail_out = (unsigned)size;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

static void compressed_answers_are_read_and_passed_on_plain(void **state)
{
    (void)state;
    static const char stream[] = EVENT("one") EVENT("two") FINISH USAGE DONE;
    uint8_t coded[1024];
    struct gate t;
    gate_init(&t, "");
    for (unsigned i = 0; i < 4; i++) { /* a document, a stream, both cut off */
        bool streams = i % 2 == 1, cut = i >= 2;
        struct peer client = join(&t);
        ask(&client, "n", streams);
        struct peer one = asked(&t, &t.one);
        size_t len = gzip(streams ? stream : DOCUMENT, coded, sizeof coded);
        char head[256];
        snprintf(head, sizeof head,
                 "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Encoding: gzip\r\n"
                 "Content-Length: %zu\r\n\r\n",
                 streams ? "text/event-stream" : "application/json", len - (cut ? 9 : 0));
        peer_write(&one, head);
        for (size_t at = 0; at < len - (cut ? 9 : 0); at++) {
            assert_int_equal(send(one.fd, coded + at, 1, MSG_NOSIGNAL), 1);
            turn(t.loop);
        }
        COMES(&t, &client, streams ? "\r\n0\r\n\r\n" : "\r\n\r\n{");
        assert_false(has(&client, "Content-Encoding"));
        assert_true(has(&client, streams || !cut ? "HTTP/1.1 200" : "HTTP/1.1 502"));
        if (!cut)
            COMES(&t, &client, streams ? "\"two\"" : "\"completion_tokens\":4}}");
        peer_close(&client);
        peer_close(&one);
        RUN_UNTIL(t.loop, is_quiet(&t));
        install(&t, "");
        run_ms(t.loop, 2);
    }
    gate_fini(&t);
}

/* --- flow ---------------------------------------------------------------------------------------------------------- */

static void a_slow_client_holds_its_provider_back_and_loses_nothing(void **state)
{
    (void)state;
    enum { EVENTS = 8000, SMALL = 64 * 1024 };
    struct gate t;
    gate_init(&t, "");
    struct peer client = join(&t);
    int small = SMALL;
    assert_int_equal(setsockopt(client.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    ask(&client, "m", true);
    struct peer one = asked(&t, &t.one);
    assert_int_equal(setsockopt(one.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small), 0);
    peer_write(&one, SSE_HEAD);
    unsigned sent = 0, stuck = 0, held_back = 0;
    char chunk[1024];
    size_t at = 0, len = 0;
    while (sent < EVENTS) {
        if (at == len) {
            len = (size_t)snprintf(chunk, sizeof chunk,
                                   "%x\r\ndata: {\"choices\":[{\"i\":\"%0800u\"}]}\n\n\r\n",
                                   800 + 30, sent);
            at = 0;
        }
        ssize_t n = send(one.fd, chunk + at, len - at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            fail_msg("after %u events: %s", sent, strerror(errno));
        at += n > 0 ? (size_t)n : 0;
        if (at == len)
            sent++;
        if (n < 0 && ++stuck > 100) { /* held back: the client begins to read */
            peer_read(&client);
            stuck = 0;
            held_back++;
        }
        if (n < 0 || sent % 64 == 0)
            uv_run(loop_uv(t.loop), UV_RUN_NOWAIT);
    }
    say_chunk(&one, FINISH DONE);
    peer_write(&one, "0\r\n\r\n");
    COMES(&t, &client, "[DONE]");
    unsigned seen = 0;
    struct span all = buf_span(&client.got);
    for (size_t k; (k = span_find(all, SPAN_LIT("{\"i\":\""))) != SIZE_MAX; seen++) {
        all = span_skip(all, k + 6 + 780);
        char digits[21] = "";
        memcpy(digits, all.at, 20);
        assert_int_equal(strtoul(digits, NULL, 10), seen); /* all of them, in order */
    }
    assert_int_equal(seen, EVENTS);
    assert_true(held_back > 0);
    peer_close(&client);
    peer_close(&one);
    gate_fini(&t);
}

/* --- everything at once -------------------------------------------------------------------------------------------- */

enum { CLIENTS = 10, CONNECTIONS = 16, STEPS = 4000 };

struct crowd {
    struct gate t;
    struct rng dice;
    struct peer clients[CLIENTS], connections[CONNECTIONS];
};

/* Whatever the other side has done by now: nobody minds. */
static void mumble(struct peer *p, const char *text)
{
    (void)!send(p->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void leave(struct peer *p, unsigned how)
{
    if (how == 0)
        peer_vanish(p);
    else if (how == 1)
        shutdown(p->fd, SHUT_WR);
    if (how != 1)
        peer_close(p);
    if (p->fd < 0)
        *p = (struct peer){.fd = -1};
}

static void client_acts(struct crowd *c, struct peer *p)
{
    static const char *const words[] = {"m", "n", "sluice/demo"};
    if (p->fd < 0) {
        *p = join(&c->t);
        return;
    }
    char body[256], request[512];
    int len = snprintf(body, sizeof body, "{\"model\":\"%s\",\"messages\":[{}],\"stream\":%s}",
                       words[rng_below(&c->dice, 3)],
                       rng_below(&c->dice, 3) > 0 ? "true" : "false");
    snprintf(request, sizeof request,
             "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s", len,
             body);
    switch (rng_below(&c->dice, 8)) {
    case 0:
        leave(p, (unsigned)rng_below(&c->dice, 3));
        break;
    case 1:
        mumble(p, "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{");
        break;
    case 2:
        mumble(p, "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n");
        break;
    case 3:
        peer_read(p);
        buf_clear(&p->got);
        break;
    default:
        mumble(p, request);
    }
}

static void provider_acts(struct crowd *c, struct peer *p)
{
    static const char *const words[] = {
        SSE_HEAD,
        SSE_HEAD,
        SSE_HEAD,
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{",
        "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 400 No\r\nContent-Length: 12\r\n\r\n{\"error\":{}}",
        "1d\r\ndata: {\"choices\":[{\"x\":1}]}\n\n\r\n",
        "1d\r\ndata: {\"choices\":[{\"x\":1}]}\n\n\r\n",
        "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n",
        "0\r\n\r\n",
        "garbage",
    };
    uint64_t dice = rng_below(&c->dice, sizeof words / sizeof words[0] + 4);
    if (p->fd < 0) {
        p->fd = accept(dice % 2 == 0 ? c->t.one.fd : c->t.two.fd, NULL, NULL);
        return;
    }
    if (dice < sizeof words / sizeof words[0])
        mumble(p, words[dice]);
    else
        leave(p, (unsigned)(dice % 3));
}

static void the_gateway_acts(struct crowd *c)
{
    static const char *const files[] = {"", "server: { sse_keepalive: 20ms }\n",
                                        "server: { request_timeout: 100ms }\n"};
    struct fault why = {.kind = FAULT_SHUTTING_DOWN, .message = "test"};
    switch (rng_below(&c->dice, 30)) {
    case 0:
        install(&c->t, files[rng_below(&c->dice, 3)]);
        break;
    case 1:
        exchange_fail_all(&c->t.g, &why);
        break;
    case 2:
        run_ms(c->t.loop, 30);
        break;
    default:
        run_ms(c->t.loop, 1);
    }
}

/* Clients and providers that do anything at any time, configurations that come and go: with a
 * sanitizer underneath, this is a search for memory that is used after its time. */
static void nothing_is_left_of_a_crowd_that_does_as_it_likes(void **state)
{
    (void)state;
    const char *seed = getenv("SLUICE_TEST_SEED");
    struct crowd *c = calloc(1, sizeof *c);
    assert_non_null(c);
    gate_init(&c->t, "");
    rng_seed(&c->dice, seed != NULL ? strtoull(seed, NULL, 10) : 1);
    for (unsigned i = 0; i < CLIENTS; i++)
        c->clients[i].fd = -1;
    for (unsigned i = 0; i < CONNECTIONS; i++)
        c->connections[i].fd = -1;
    for (unsigned i = 0; i < STEPS; i++) {
        uint64_t dice = rng_below(&c->dice, 16);
        if (dice < 6)
            client_acts(c, &c->clients[rng_below(&c->dice, CLIENTS)]);
        else if (dice < 13)
            provider_acts(c, &c->connections[rng_below(&c->dice, CONNECTIONS)]);
        else
            the_gateway_acts(c);
        exchange_free_spares();
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        peer_close(&c->clients[i]);
    RUN_UNTIL(c->t.loop, is_quiet(&c->t)); /* before the providers let go */
    for (unsigned i = 0; i < CONNECTIONS; i++)
        peer_close(&c->connections[i]);
    gate_fini(&c->t);
    free(c);
}

static int make_config(void **state)
{
    (void)state;
    int fd = mkstemp(config_path);
    return fd < 0 ? -1 : close(fd);
}

static int drop_config(void **state)
{
    (void)state;
    return unlink(config_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_passes_and_its_connections_live_on),
        cmocka_unit_test(a_document_passes),
        cmocka_unit_test(trouble_before_the_first_byte_is_the_next_ones_chance),
        cmocka_unit_test(when_all_have_failed_the_error_names_them),
        cmocka_unit_test(trouble_after_the_first_byte_ends_in_band),
        cmocka_unit_test(half_an_event_never_looks_like_the_end),
        cmocka_unit_test(a_dead_idle_connection_costs_nothing_visible),
        cmocka_unit_test(a_client_that_leaves_takes_its_upstream_request_along),
        cmocka_unit_test(a_server_that_closes_ends_every_exchange),
        cmocka_unit_test(at_the_drain_limit_streams_end_in_band_and_others_in_503),
        cmocka_unit_test(a_running_request_keeps_the_configuration_it_started_under),
        cmocka_unit_test(silence_is_filled_and_ended_in_time),
        cmocka_unit_test(an_error_behind_a_comment_is_said_in_band),
        cmocka_unit_test(nothing_waits_for_what_comes_behind_it),
        cmocka_unit_test(compressed_answers_are_read_and_passed_on_plain),
        cmocka_unit_test(a_slow_client_holds_its_provider_back_and_loses_nothing),
        cmocka_unit_test(nothing_is_left_of_a_crowd_that_does_as_it_likes),
    };
    return cmocka_run_group_tests(tests, make_config, drop_config);
}
