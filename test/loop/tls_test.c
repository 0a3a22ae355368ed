/* tls.c with no socket in between, then streams over it. Versions are forced through the library,
 * for the contract has only a lower bound. */
#include "../../src/net/tls_priv.h"

#include "net_harness.h"

#include "certificates.h"

#include <sys/resource.h>

static struct tls_context *server_context(const char *cert)
{
    struct err why = {0};
    struct tls_server_config c = {.cert_file = cert_path(cert),
                                  .key_file = cert_path("server.key")};
    struct tls_context *ctx = tls_context_server(&c, &why);
    if (ctx == NULL)
        fail_msg("%s: %s", why.file, why.text);
    return ctx;
}

static struct tls_context *client_context(const char *ca)
{
    struct err why = {0};
    struct tls_client_config c = {.ca_file = ca == NULL ? NULL : cert_path(ca),
                                  .insecure = ca == NULL};
    struct tls_context *ctx = tls_context_client(&c, &why);
    if (ctx == NULL)
        fail_msg("%s: %s", why.file, why.text);
    return ctx;
}

static void at_most_tls12(struct tls_context *ctx)
{
    mbedtls_ssl_conf_max_tls_version(&ctx->conf, MBEDTLS_SSL_VERSION_TLS1_2);
}

/* ── two ends, joined by hand ────────────────────────────────────────────────────────────────── */

struct side {
    struct tls *t;
    struct buf wire; /* on its way to this side */
    struct buf got;
    enum tls_status status;
    bool handshaken;
};

static void collect(struct side *from, struct side *to)
{
    struct buf *out = tls_output(from->t);
    assert_int_equal(buf_add(&to->wire, buf_span(out)), 0);
    buf_clear(out);
}

static void step(struct side *s, struct side *peer, size_t most)
{
    uint8_t plain[5000];
    size_t n;
    struct span part = span_sub(buf_span(&s->wire), 0, most);
    if (s->status != TLS_WANT)
        return;
    tls_feed(s->t, part);
    if (!s->handshaken) {
        s->status = tls_handshake(s->t);
        collect(s, peer);
        if (s->status == TLS_OK) {
            tls_established(s->t);
            s->handshaken = true;
            s->status = TLS_WANT;
        }
    }
    while (s->handshaken && s->status == TLS_WANT) {
        s->status = tls_read(s->t, plain, sizeof plain, &n);
        collect(s, peer);
        if (s->status != TLS_OK)
            break;
        assert_int_equal(buf_add(&s->got, span_of(plain, n)), 0);
        s->status = TLS_WANT;
        tls_feed(s->t, s->t->fed); /* what is left of the same bytes */
    }
    buf_consume(&s->wire, part.len);
}

static void converse(struct side *a, struct side *b, size_t most)
{
    bool first = true;
    while (first || ((a->status == TLS_WANT && buf_len(&a->wire) > 0) ||
                     (b->status == TLS_WANT && buf_len(&b->wire) > 0))) {
        first = false;
        step(a, b, most);
        step(b, a, most);
    }
}

static void side_init(struct side *s, struct tls_context *ctx, const char *name)
{
    *s = (struct side){.t = tls_new(ctx, name), .status = TLS_WANT};
    assert_non_null(s->t);
}

static void side_fini(struct side *s)
{
    tls_free(s->t);
    buf_fini(&s->wire);
    buf_fini(&s->got);
}

static void talk(bool tls12, size_t most)
{
    enum { N = 100000 };
    struct tls_context *sc = server_context("server.pem"), *cc = client_context("ca.pem");
    struct side server, client;
    uint8_t *much = malloc(N);
    for (unsigned i = 0; i < N; i++)
        much[i] = (uint8_t)(i * 31);
    if (tls12)
        at_most_tls12(cc);
    side_init(&server, sc, NULL);
    side_init(&client, cc, "localhost");
    converse(&client, &server, most);
    assert_true(client.handshaken && server.handshaken);
    assert_string_equal(tls_version(client.t), tls12 ? "TLSv1.2" : "TLSv1.3");
    assert_string_equal(mbedtls_ssl_get_alpn_protocol(&server.t->ssl), "http/1.1");

    assert_int_equal(tls_write(client.t, SPAN_LIT("question")), TLS_OK);
    collect(&client, &server);
    assert_int_equal(tls_write(server.t, span_of(much, N)), TLS_OK);
    collect(&server, &client);
    converse(&client, &server, most);
    assert_int_equal(server.got.tail, 8);
    assert_int_equal(client.got.tail, N);
    assert_memory_equal(client.got.at, much, N);

    tls_close_notify(server.t);
    collect(&server, &client);
    converse(&client, &server, most);
    assert_int_equal(client.status, TLS_CLOSED);
    side_fini(&server);
    side_fini(&client);
    tls_context_unref(sc);
    tls_context_unref(cc);
    free(much);
}

static void speaks_1_3_whatever_the_pieces(void **state)
{
    (void)state;
    talk(false, SIZE_MAX);
    talk(false, 1);
    talk(false, 1000);
}

static void speaks_1_2_whatever_the_pieces(void **state)
{
    (void)state;
    talk(true, SIZE_MAX);
    talk(true, 1);
    talk(true, 1000);
}

/* The phrase the client fails with, or "" when it trusts the server. */
static const char *verdict(const char *cert, const char *ca, const char *name, bool tls12)
{
    static char phrase[200];
    struct tls_context *sc = server_context(cert), *cc = client_context(ca);
    struct side server, client;
    if (tls12)
        at_most_tls12(cc);
    side_init(&server, sc, NULL);
    side_init(&client, cc, name);
    converse(&client, &server, SIZE_MAX);
    snprintf(phrase, sizeof phrase, "%s", tls_problem(client.t));
    assert_int_equal(client.handshaken, phrase[0] == '\0');
    if (phrase[0] != '\0' && !tls12)
        assert_int_equal(server.status, TLS_FAILED); /* it was told by an alert */
    side_fini(&server);
    side_fini(&client);
    tls_context_unref(sc);
    tls_context_unref(cc);
    return phrase;
}

static void verification_says_what_is_wrong(void **state)
{
    static const struct {
        const char *cert, *ca, *name, *phrase;
    } rows[] = {
        {"expired.pem", "ca.pem", "localhost", "certificate has expired"},
        {"server.pem", "other_ca.pem", "localhost",
         "certificate is not signed by a trusted authority"},
        {"elsewhere.pem", "ca.pem", "localhost", "certificate is for another host name"},
        {"elsewhere.pem", "ca.pem", "127.0.0.1", "certificate is for another host name"},
        {"server.pem", "ca.pem", "127.0.0.2", "certificate is for another host name"},
        {"server.pem", "ca.pem", "::1", "certificate is for another host name"},
        {"server.pem", "ca.pem", "127.0.0.1", ""},
        {"server.pem", "ca.pem", "localhost", ""},
        {"elsewhere.pem", "ca.pem", "other.test", ""},
        {"expired.pem", NULL, "anything", ""}, /* insecure */
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(verdict(rows[i].cert, rows[i].ca, rows[i].name, false), rows[i].phrase);
        assert_string_equal(verdict(rows[i].cert, rows[i].ca, rows[i].name, true), rows[i].phrase);
    }
}

static size_t server_flight; /* bytes of the server's handshake: no certificate in a resumed one */

static void connect_once(struct tls_context *sc, struct tls_context *cc)
{
    struct side server, client;
    side_init(&server, sc, NULL);
    side_init(&client, cc, "localhost");
    step(&client, &server, SIZE_MAX);
    step(&server, &client, SIZE_MAX);
    server_flight = buf_len(&client.wire);
    converse(&client, &server, SIZE_MAX);
    assert_true(client.handshaken && server.handshaken);
    side_fini(&server);
    side_fini(&client);
}

static void resumes(bool tls12)
{
    struct tls_context *sc = server_context("server.pem"), *cc = client_context("ca.pem");
    if (tls12)
        at_most_tls12(cc);
    connect_once(sc, cc);
    size_t full = server_flight;
    connect_once(sc, cc);
    assert_true(server_flight < full - 300);
    connect_once(sc, cc);
    assert_true(server_flight < full - 300);
    /* Another server does not know the ticket: back to a full handshake, not to a failure. */
    tls_context_unref(sc);
    sc = server_context("server.pem");
    connect_once(sc, cc);
    assert_true(server_flight > full - 100);
    tls_context_unref(sc);
    tls_context_unref(cc);
}

static void sessions_are_resumed(void **state)
{
    (void)state;
    resumes(false);
    resumes(true);
}

static void garbage_is_named(void **state)
{
    struct tls_context *cc = client_context("ca.pem");
    struct side client;
    (void)state;
    side_init(&client, cc, "localhost");
    assert_int_equal(tls_handshake(client.t), TLS_WANT);
    buf_clear(tls_output(client.t));
    tls_feed(client.t, SPAN_LIT("HTTP/1.1 400 Bad Request\r\n\r\n"));
    assert_int_equal(tls_handshake(client.t), TLS_FAILED);
    assert_string_equal(tls_problem(client.t), "the peer does not speak TLS");
    buf_clear(tls_output(client.t));
    side_fini(&client);
    tls_context_unref(cc);
}

static void files_that_do_not_fit_are_named(void **state)
{
    struct err why = {0};
    struct tls_server_config c = {.cert_file = cert_path("none.pem"),
                                  .key_file = cert_path("server.key")};
    (void)state;
    assert_null(tls_context_server(&c, &why));
    assert_non_null(strstr(why.file, "none.pem"));
    assert_non_null(strstr(why.text, "No such file"));

    why = (struct err){0};
    cert_write("garbage.pem", "no certificate");
    c.cert_file = cert_path("garbage.pem");
    assert_null(tls_context_server(&c, &why));
    assert_non_null(strstr(why.file, "garbage.pem"));

    why = (struct err){0};
    c.cert_file = cert_path("server.pem");
    c.key_file = cert_path("ca.key");
    assert_null(tls_context_server(&c, &why));
    assert_non_null(strstr(why.file, "ca.key"));
    assert_non_null(strstr(why.text, "does not belong"));

    why = (struct err){0};
    struct tls_client_config client = {.ca_file = cert_path("none.pem")};
    assert_null(tls_context_client(&client, &why));
    assert_non_null(strstr(why.file, "none.pem"));
}

static void the_systems_certificates_are_read_once_and_late(void **state)
{
    struct err why = {0};
    struct tls_client_config c = {0};
    (void)state;
    setenv("SSL_CERT_FILE", cert_path("ca.pem"), 1);
    struct tls_context *one = tls_context_client(&c, &why), *two = tls_context_client(&c, &why);
    assert_false(tls_context_is_loaded(one));
    tls_context_load(one);
    assert_true(tls_context_is_loaded(two));
    struct tls_context *sc = server_context("server.pem");
    connect_once(sc, two);
    tls_context_unref(sc);
    tls_context_unref(one);
    tls_context_unref(two);
    unsetenv("SSL_CERT_FILE");
}

/* ── streams ─────────────────────────────────────────────────────────────────────────────────── */

static void link_init_tls(struct link *k, struct tls_context *sc, struct tls_context *cc)
{
    struct dial_target target = {.host = "localhost", .timeout_ms = 5000, .tls = cc};
    *k = (struct link){.loop = loop_new()};
    link_listen(k, "127.0.0.1:0", sc);
    target.port = link_port(k);
    dial_start(k->loop, &target, link_on_dialled, k);
    RUN_UNTIL(k->loop, k->ndone == 1 && (k->status < 0 || k->server.s != NULL));
}

static void streams_bring_bytes(bool tls12)
{
    enum { N = 12000000 };
    struct tls_context *sc = server_context("server.pem"), *cc = client_context("ca.pem");
    struct link k;
    uint8_t *much = malloc(N);
    for (unsigned i = 0; i < N; i++)
        much[i] = (uint8_t)(i * 131 >> 3);
    if (tls12)
        at_most_tls12(cc);
    link_init_tls(&k, sc, cc);
    assert_int_equal(k.status, 0);
    assert_true(stream_is_tls(k.client.s) && stream_is_tls(k.server.s));
    const struct span parts[] = {
        span_of(much, 3),
        SPAN_NONE,
        span_of(much + 3, 16384),
        span_of(much + 16387, 10),
        span_of(much + 16397, 40000),
        span_of(much + 56397, N - 56397),
    };
    assert_int_equal(stream_write(k.server.s, parts, 6), FLOW_PAUSE);
    end_write(&k.client, "at the same time");
    RUN_UNTIL(k.loop, k.client.got.tail == N && k.server.got.tail == 16);
    assert_memory_equal(k.client.got.at, much, N);
    assert_int_equal(k.server.nwritable, 1);
    end_finish(&k.server);
    RUN_UNTIL(k.loop, k.client.nclosed == 1);
    assert_int_equal(k.client.closed_status, UV_EOF);
    link_fini(&k);
    tls_context_unref(sc);
    tls_context_unref(cc);
    free(much);
}

static void streams_over_tls_bring_bytes_both_ways(void **state)
{
    (void)state;
    streams_bring_bytes(false);
    streams_bring_bytes(true);
}

static void write_at_once(void *arg, const struct dial_result *r)
{
    link_on_dialled(arg, r);
    end_write(&((struct link *)arg)->client, "early");
}

/* They come in one segment with the last message of the handshake. */
static void bytes_right_behind_the_handshake_are_not_lost(void **state)
{
    struct tls_context *sc = server_context("server.pem"), *cc = client_context("ca.pem");
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct dial_target target = {.host = "localhost", .timeout_ms = 5000, .tls = cc};
        struct link k = {.loop = loop_new()};
        link_listen(&k, "127.0.0.1:0", sc);
        target.port = link_port(&k);
        dial_start(k.loop, &target, write_at_once, &k);
        RUN_UNTIL(k.loop, k.server.got.tail == 5);
        assert_memory_equal(k.server.got.at, "early", 5);
        link_fini(&k);
        at_most_tls12(cc);
    }
    tls_context_unref(sc);
    tls_context_unref(cc);
}

static void count_accepted(void *arg, struct stream *s)
{
    ++*(unsigned *)arg;
    stream_close(s);
}

/* Half-open handshakes are bounded; who finishes or gives up makes room. */
static void many_handshakes_at_once(void **state)
{
    enum { N = 600 };
    struct tls_context *sc = server_context("server.pem");
    struct loop *l = loop_new();
    unsigned naccepted = 0;
    struct err why = {0};
    const struct listener_config c = {
        .address = "127.0.0.1:0", .tls = sc, .handshake_timeout_ms = 20000};
    struct listener *listener = listener_open(l, &c, count_accepted, &naccepted, &why);
    struct link k = {.loop = l, .listener = listener};
    struct tls_context *cc = client_context("ca.pem");
    struct dial_target target = {
        .host = "127.0.0.1", .port = link_port(&k), .tls = cc, .timeout_ms = 20000};
    struct rlimit files;
    int fds[N];
    (void)state;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    for (unsigned i = 0; i < N; i++)
        fds[i] = raw_connect(link_port(&k));
    run_ms(l, 100);
    dial_start(l, &target, link_on_dialled, &k);
    run_ms(l, 100);
    assert_int_equal(k.ndone, 0); /* waits in the kernel's queue */
    for (unsigned i = 0; i < N; i++)
        close(fds[i]);
    RUN_UNTIL(l, k.ndone == 1 && naccepted == 1);
    assert_int_equal(k.status, 0);
    link_fini(&k);
    tls_context_unref(sc);
    tls_context_unref(cc);
}

static void peer_that_vanishes_without_close_notify_is_no_end_of_file(void **state)
{
    struct tls_context *sc = server_context("server.pem"), *cc = client_context("ca.pem");
    struct link k;
    (void)state;
    link_init_tls(&k, sc, cc);
    run_ms(k.loop, 5);
    end_close(&k.server);
    RUN_UNTIL(k.loop, k.client.nclosed == 1);
    assert_int_equal(k.client.closed_status, UV_ECONNRESET);
    link_fini(&k);
    tls_context_unref(sc);
    tls_context_unref(cc);
}

static void dial_names_what_verification_found(void **state)
{
    struct tls_context *sc = server_context("expired.pem"), *cc = client_context("ca.pem");
    struct link k;
    (void)state;
    link_init_tls(&k, sc, cc);
    assert_int_equal(k.stage, DIAL_TLS);
    assert_int_equal(k.status, UV_EPROTO);
    assert_string_equal(k.problem, "certificate has expired");
    assert_null(k.server.s);
    link_fini(&k);
    tls_context_unref(sc);
    tls_context_unref(cc);
}

static void new_connections_use_the_new_certificate(void **state)
{
    struct tls_context *old = server_context("expired.pem"),
                       *renewed = server_context("server.pem");
    struct tls_context *cc = client_context("ca.pem");
    struct dial_target target = {.host = "127.0.0.1", .timeout_ms = 5000, .tls = cc};
    struct link k;
    (void)state;
    link_init_tls(&k, old, cc);
    assert_int_equal(k.status, UV_EPROTO);
    tls_context_unref(old);
    listener_set_tls(k.listener, renewed);
    tls_context_unref(renewed);
    target.port = link_port(&k);
    dial_start(k.loop, &target, link_on_dialled, &k);
    RUN_UNTIL(k.loop, k.client.s != NULL && k.server.s != NULL);
    link_fini(&k);
    tls_context_unref(cc);
}

static void close_in_the_middle_of_a_handshake(void **state)
{
    struct tls_context *sc = server_context("server.pem");
    struct link k = {.loop = loop_new()};
    (void)state;
    link_listen(&k, "127.0.0.1:0", sc);
    tls_context_unref(sc);
    int fds[3];
    for (unsigned i = 0; i < 3; i++)
        fds[i] = raw_connect(link_port(&k));
    assert_int_equal(write(fds[1], "\x16\x03\x01", 3), 3);
    assert_int_equal(write(fds[2], "GET / HTTP/1.1\r\n\r\n", 18), 18); /* not TLS at all */
    run_ms(k.loop, 20);
    assert_int_equal(k.naccepted, 0);
    link_fini(&k); /* drops what is still shaking hands */
    for (unsigned i = 0; i < 3; i++)
        close(fds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verification_says_what_is_wrong),
        cmocka_unit_test(files_that_do_not_fit_are_named),
        cmocka_unit_test(garbage_is_named),
        cmocka_unit_test(speaks_1_3_whatever_the_pieces),
        cmocka_unit_test(speaks_1_2_whatever_the_pieces),
        cmocka_unit_test(sessions_are_resumed),
        cmocka_unit_test(the_systems_certificates_are_read_once_and_late),
        cmocka_unit_test(streams_over_tls_bring_bytes_both_ways),
        cmocka_unit_test(bytes_right_behind_the_handshake_are_not_lost),
        cmocka_unit_test(many_handshakes_at_once),
        cmocka_unit_test(peer_that_vanishes_without_close_notify_is_no_end_of_file),
        cmocka_unit_test(dial_names_what_verification_found),
        cmocka_unit_test(new_connections_use_the_new_certificate),
        cmocka_unit_test(close_in_the_middle_of_a_handshake),
    };
    return cmocka_run_group_tests(tests, certificates_make, certificates_remove);
}
