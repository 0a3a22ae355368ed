/* Names are resolved by a getaddrinfo of ours (the linker finds this one first, and libuv's threads
 * with it), so that a test decides what a name has for addresses, and when; so is the clock. */
#include "net_harness.h"

#include "certificates.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned lookups;
static int resolver_says; /* an EAI code, 0: it works */
static unsigned resolver_us;
static const char *resolved[4]; /* what a name has for addresses */

static _Atomic uint64_t ahead_ms; /* the monotonic clock, likewise ours, is that far ahead */

int clock_gettime(clockid_t id, struct timespec *t)
{
    int rc = (int)syscall(SYS_clock_gettime, id, t);
    if (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE)
        t->tv_sec += (time_t)(ahead_ms / 1000);
    return rc;
}

static struct addrinfo *info_of(const char *text)
{
    struct sockaddr_storage *at = calloc(1, sizeof *at);
    struct addrinfo *i = calloc(1, sizeof *i);
    i->ai_addr = (struct sockaddr *)at;
    i->ai_socktype = SOCK_STREAM;
    if (uv_ip4_addr(text, 0, (struct sockaddr_in *)at) == 0) {
        i->ai_family = AF_INET;
        i->ai_addrlen = sizeof(struct sockaddr_in);
    } else {
        uv_ip6_addr(text, 0, (struct sockaddr_in6 *)at);
        i->ai_family = AF_INET6;
        i->ai_addrlen = sizeof(struct sockaddr_in6);
    }
    return i;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    (void)service;
    (void)hints;
    pthread_mutex_lock(&lock);
    lookups++;
    unsigned wait_us = resolver_us;
    int rc = name != NULL && strcmp(name, "127.0.0.1") == 0 ? 0 : resolver_says;
    pthread_mutex_unlock(&lock);
    usleep(wait_us);
    *out = NULL;
    if (rc != 0)
        return rc;
    for (unsigned i = 4; i-- > 0;) {
        if (resolved[i] == NULL)
            continue;
        struct addrinfo *one = info_of(resolved[i]);
        one->ai_next = *out;
        *out = one;
    }
    if (*out == NULL)
        *out = info_of("127.0.0.1"); /* what the listener of a test asks for */
    /* The listener's port, which is all the service it ever names. */
    ((struct sockaddr_in *)(*out)->ai_addr)->sin_port = service == NULL
                                                            ? 0
                                                            : htons((uint16_t)atoi(service));
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list != NULL) {
        struct addrinfo *next = list->ai_next;
        free(list->ai_addr);
        free(list);
        list = next;
    }
}

static void resolve_to(const char *a, const char *b)
{
    lookups = 0;
    resolver_says = 0;
    resolver_us = 0;
    resolved[0] = a;
    resolved[1] = b;
    resolved[2] = resolved[3] = NULL;
}

/* A port of 127.0.0.1 where nobody listens. */
static uint16_t closed_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bind(fd, (struct sockaddr *)&at, sizeof at);
    getsockname(fd, (struct sockaddr *)&at, &size);
    close(fd);
    return ntohs(at.sin_port);
}

static void start(struct link *k)
{
    resolve_to(NULL, NULL);
    *k = (struct link){.loop = loop_new()};
    link_listen(k, "127.0.0.1:0", NULL);
    lookups = 0;
}

static void dial(struct link *k, const struct dial_target *target)
{
    unsigned ndone = k->ndone;
    dial_start(k->loop, target, link_on_dialled, k);
    assert_int_equal(k->ndone, ndone); /* never before dial_start has returned */
    RUN_UNTIL(k->loop, k->ndone == ndone + 1);
    run_ms(k->loop, 5);
    assert_int_equal(k->ndone, ndone + 1);
}

static void drop_client(struct link *k)
{
    if (k->client.s != NULL)
        end_close(&k->client);
    buf_fini(&k->client.got);
    k->client = (struct end){0};
}

/* ── reaching it ─────────────────────────────────────────────────────────────────────────────── */

static void literal_address_asks_no_resolver(void **state)
{
    struct link k;
    (void)state;
    start(&k);
    struct dial_target target = {.host = "127.0.0.1", .port = link_port(&k), .timeout_ms = 5000};
    dial(&k, &target);
    assert_int_equal(k.status, 0);
    assert_int_equal(k.stage, DIAL_DONE);
    assert_int_equal(lookups, 0);
    link_fini(&k);
}

static void second_address_is_tried_when_the_first_refuses(void **state)
{
    struct link k;
    (void)state;
    start(&k);
    resolve_to("127.0.0.9", "127.0.0.1"); /* the listener is on .1 alone */
    struct dial_target target = {.host = "two.test", .port = link_port(&k), .timeout_ms = 5000};
    uint64_t began_us = clock_us();
    dial(&k, &target);
    assert_int_equal(k.status, 0);
    assert_true(clock_us() - began_us < 200 * 1000); /* at once, not after the stagger */
    link_fini(&k);
}

/* Addresses of TEST-NET-1 (RFC 5737) answer nowhere: dropped, or no route, both will do. */
static void second_address_is_tried_beside_a_silent_first(void **state)
{
    struct link k;
    (void)state;
    start(&k);
    resolve_to("192.0.2.1", "127.0.0.1");
    struct dial_target target = {.host = "silent.test", .port = link_port(&k), .timeout_ms = 5000};
    uint64_t began_us = clock_us();
    dial(&k, &target);
    assert_int_equal(k.status, 0);
    assert_true(clock_us() - began_us < 1500 * 1000);
    link_fini(&k);
}

static void families_take_turns(void **state)
{
    struct link k;
    (void)state;
    start(&k);
    resolve_to("::ffff:192.0.2.1", NULL);
    resolved[1] = "100::1"; /* discard-only (RFC 6666) */
    resolved[2] = "127.0.0.1";
    struct dial_target target = {.host = "mixed.test", .port = link_port(&k), .timeout_ms = 5000};
    uint64_t began_us = clock_us();
    dial(&k, &target);
    assert_int_equal(k.status, 0);
    assert_true(clock_us() - began_us <
                450 * 1000); /* second in turn, although third in the list */
    link_fini(&k);
}

/* ── failing ─────────────────────────────────────────────────────────────────────────────────── */

static void failures_name_stage_and_cause(void **state)
{
    struct link k;
    (void)state;
    start(&k);
    struct dial_target target = {.host = "127.0.0.1", .port = closed_port(), .timeout_ms = 5000};
    dial(&k, &target);
    assert_int_equal(k.stage, DIAL_CONNECT);
    assert_int_equal(k.status, UV_ECONNREFUSED);
    assert_string_equal(k.problem, "connection refused");

    resolver_says = EAI_NONAME;
    target.host = "none.test";
    dial(&k, &target);
    assert_int_equal(k.stage, DIAL_RESOLVE);
    assert_int_equal(k.status, UV_EAI_NONAME);
    assert_string_equal(k.problem, "host name not found");

    target = (struct dial_target){.unix_path = "/nonexistent/socket", .timeout_ms = 5000};
    dial(&k, &target);
    assert_int_equal(k.stage, DIAL_CONNECT);
    assert_int_equal(k.status, UV_ENOENT);
    assert_string_equal(k.problem, "no such socket");

    char too_long[300];
    memset(too_long, 'x', sizeof too_long);
    too_long[299] = '\0';
    target.unix_path = too_long;
    dial(&k, &target);
    assert_int_equal(k.status, UV_ENAMETOOLONG);

    /* A name no resolver takes: libuv refuses it in the call itself. */
    target = (struct dial_target){.host = too_long, .port = 1, .timeout_ms = 5000};
    dial(&k, &target);
    assert_int_equal(k.stage, DIAL_RESOLVE);
    assert_true(k.status < 0);
    link_fini(&k);
}

static void every_stage_ends_in_time(void **state)
{
    struct link k;
    (void)state;
    start(&k);
    resolver_us = 300 * 1000;
    struct dial_target target = {.host = "slow.test", .port = link_port(&k), .timeout_ms = 50};
    dial(&k, &target);
    assert_int_equal(k.stage, DIAL_RESOLVE);
    assert_int_equal(k.status, UV_ETIMEDOUT);
    assert_string_equal(k.problem, "name resolution timed out");

    struct err why = {0};
    const struct tls_client_config c = {.insecure = true};
    struct tls_context *tls = tls_context_client(&c, &why);
    target = (struct dial_target){.host = "127.0.0.1",
                                  .port = link_port(&k), /* accepts, and never says hello */
                                  .tls = tls,
                                  .timeout_ms = 100};
    dial(&k, &target);
    assert_int_equal(k.stage, DIAL_TLS);
    assert_int_equal(k.status, UV_ETIMEDOUT);
    assert_string_equal(k.problem, "TLS handshake timed out");
    tls_context_unref(tls);
    link_fini(&k);
}

static void peer_that_closes_in_the_handshake_is_named(void **state)
{
    struct err why = {0};
    const struct tls_client_config c = {.insecure = true};
    struct tls_context *tls = tls_context_client(&c, &why);
    struct link k;
    (void)state;
    start(&k);
    k.naccepted = 1; /* the harness closes all but the first */
    struct dial_target target = {
        .host = "127.0.0.1", .port = link_port(&k), .tls = tls, .timeout_ms = 5000};
    dial(&k, &target);
    assert_int_equal(k.stage, DIAL_TLS);
    assert_true(k.status == UV_ECONNRESET);
    tls_context_unref(tls);
    link_fini(&k);
}

/* ── hosts somebody else names ─────────────────────────────────────────────────────────────────── */

static void only_permitted_addresses_are_connected_to(void **state)
{
    static const struct {
        const char *host, *first, *second;
        bool is_reached;
    } rows[] = {
        {"127.0.0.9", NULL, NULL, false},
        {"::1", NULL, NULL, false},
        {"::ffff:127.0.0.9", NULL, NULL, false},
        {"0.0.0.0", NULL, NULL, false},
        {"inside.test", "127.0.0.9", NULL, false},
        {"metadata.test", "169.254.169.254", "10.0.0.1", false},
        {"six.test", "::1", "fe80::1", false},
        {"hidden.test", "::ffff:127.0.0.9", "64:ff9b::7f00:9", false},
        {"127.0.0.1", NULL, NULL, true},
        {"::ffff:127.0.0.1", NULL, NULL, true},
        {"named.test", "127.0.0.1", NULL, true},
        {"both.test", "127.0.0.9", "127.0.0.1", true},
    };
    struct network one;
    assert_true(network_parse(SPAN_LIT("127.0.0.1"), &one));
    const struct networks only = {&one, 1}, none = {NULL, 0};
    struct link k;
    (void)state;
    start(&k);
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        resolve_to(rows[i].first, rows[i].second);
        struct dial_target target = {.host = rows[i].host,
                                     .port = link_port(&k),
                                     .timeout_ms = 5000,
                                     .beside_public = &only};
        unsigned naccepted = k.naccepted;
        dial(&k, &target);
        assert_int_equal(k.status, rows[i].is_reached ? 0 : DIAL_NOT_PUBLIC);
        assert_int_equal(k.naccepted, naccepted + rows[i].is_reached);
        if (rows[i].is_reached)
            drop_client(&k);
        else
            assert_string_equal(k.problem, "the address is not public");
        target.beside_public = &none;
        dial(&k, &target);
        assert_int_equal(k.status, DIAL_NOT_PUBLIC);
    }
    link_fini(&k);
}

/* What was looked at and what is connected to is the same answer of the resolver. */
static void a_name_that_changes_its_mind_is_looked_at_again(void **state)
{
    const struct networks none = {NULL, 0};
    struct link k;
    (void)state;
    start(&k);
    resolve_to("127.0.0.1", NULL);
    struct dial_target target = {.host = "rebound.test", .port = link_port(&k), .timeout_ms = 5000};
    dial(&k, &target); /* a provider of that name: its answer is in the cache now */
    assert_int_equal(k.status, 0);
    drop_client(&k);
    target.beside_public = &none;
    dial(&k, &target);
    assert_int_equal(k.status, DIAL_NOT_PUBLIC);
    link_fini(&k);
}

/* ── the cache ───────────────────────────────────────────────────────────────────────────────── */

static void a_name_is_looked_up_once(void **state)
{
    struct link k;
    (void)state;
    start(&k);
    struct dial_target target = {.host = "cached.test", .port = link_port(&k), .timeout_ms = 5000};
    for (unsigned i = 0; i < 3; i++) {
        dial(&k, &target);
        assert_int_equal(k.status, 0);
        drop_client(&k);
    }
    assert_int_equal(lookups, 1);
    link_fini(&k);
}

static void those_who_ask_at_once_share_one_lookup(void **state)
{
    struct link k;
    (void)state;
    start(&k);
    resolver_says = EAI_AGAIN;
    resolver_us = 20 * 1000;
    struct dial_target target = {.host = "shared.test", .port = 1, .timeout_ms = 5000};
    for (unsigned i = 0; i < 20; i++)
        dial_start(k.loop, &target, link_on_dialled, &k);
    RUN_UNTIL(k.loop, k.ndone == 20);
    assert_int_equal(lookups, 1);
    assert_int_equal(k.status, UV_EAI_AGAIN);
    /* A failure is not kept. */
    resolver_says = 0;
    target.port = link_port(&k);
    dial(&k, &target);
    assert_int_equal(k.status, 0);
    link_fini(&k);
}

static void an_old_answer_serves_when_the_resolver_fails(void **state)
{
    struct link k;
    (void)state;
    start(&k);
    struct dial_target target = {.host = "stale.test", .port = link_port(&k), .timeout_ms = 5000};
    dial(&k, &target);
    drop_client(&k);
    ahead_ms += 31 * 1000; /* the answer is no longer fresh */
    resolver_says = EAI_AGAIN;
    turn(k.loop);
    dial(&k, &target);
    assert_int_equal(k.status, 0);
    assert_int_equal(lookups, 2);
    drop_client(&k);
    dial(&k, &target); /* a resolver that fails is not asked for every dial */
    assert_int_equal(k.status, 0);
    assert_int_equal(lookups, 2);
    link_fini(&k);
}

static void the_cache_is_bounded(void **state)
{
    enum { N = 1100 };
    struct link k;
    char(*names)[24] = calloc(N, sizeof *names);
    struct dial_target *targets = calloc(N, sizeof *targets);
    (void)state;
    start(&k);
    for (unsigned i = 0; i < N; i++) {
        snprintf(names[i], sizeof names[i], "n%u.test", i);
        targets[i] = (struct dial_target){.host = names[i], .port = 1, .timeout_ms = 20000};
        unsigned before = k.ndone;
        dial_start(k.loop, &targets[i], link_on_dialled, &k);
        RUN_UNTIL(k.loop, k.ndone == before + 1);
    }
    assert_int_equal(lookups, N);
    dial(&k, &targets[N - 1]);
    assert_int_equal(lookups, N);
    dial(&k, &targets[0]); /* made room long ago */
    assert_int_equal(lookups, N + 1);
    link_fini(&k);
    free(targets);
    free(names);
}

/* ── cancelling ──────────────────────────────────────────────────────────────────────────────── */

static void cancelled_before_it_began(void **state)
{
    struct link k;
    (void)state;
    start(&k);
    struct dial_target target = {.host = "127.0.0.1", .port = link_port(&k), .timeout_ms = 5000};
    dial_cancel(dial_start(k.loop, &target, link_on_dialled, &k));
    run_ms(k.loop, 20);
    assert_int_equal(k.ndone + k.naccepted, 0);
    link_fini(&k);
}

static void cancelled_while_resolving(void **state)
{
    struct link k;
    (void)state;
    start(&k);
    resolver_us = 50 * 1000;
    struct dial_target target = {.host = "cancel.test", .port = link_port(&k), .timeout_ms = 5000};
    struct dial *d = dial_start(k.loop, &target, link_on_dialled, &k);
    run_ms(k.loop, 10);
    dial_cancel(d);
    link_fini(&k); /* the lookup is still under way */
    assert_int_equal(k.ndone, 0);
}

static void cancelled_while_connecting(void **state)
{
    struct link k;
    (void)state;
    start(&k);
    resolve_to("192.0.2.1", "192.0.2.2");
    struct dial_target target = {.host = "cancel.test", .port = 9, .timeout_ms = 5000};
    struct dial *d = dial_start(k.loop, &target, link_on_dialled, &k);
    run_ms(k.loop, 300); /* both are being tried */
    if (k.ndone == 0)    /* no route at all on this machine: then it has failed by now */
        dial_cancel(d);
    run_ms(k.loop, 20);
    assert_true(k.ndone == 0 || k.status < 0);
    link_fini(&k);
}

static void cancelled_while_shaking_hands(void **state)
{
    struct err why = {0};
    struct tls_context *tls;
    struct link k;
    (void)state;
    setenv("SSL_CERT_FILE", cert_path("ca.pem"), 1);
    tls = tls_context_client(&(struct tls_client_config){0}, &why);
    start(&k);
    struct dial_target target = {
        .host = "127.0.0.1", .port = link_port(&k), .tls = tls, .timeout_ms = 5000};
    struct dial *d = dial_start(k.loop, &target, link_on_dialled, &k);
    RUN_UNTIL(k.loop, k.server.s != NULL && k.server.got.tail > 0); /* its ClientHello is here */
    dial_cancel(d);
    RUN_UNTIL(k.loop, k.server.nclosed == 1);
    tls_context_unref(tls);

    /* And while the trust store is being read. */
    tls = tls_context_client(&(struct tls_client_config){0}, &why);
    target.tls = tls;
    d = dial_start(k.loop, &target, link_on_dialled, &k);
    while (k.naccepted == 1)
        uv_run(loop_uv(k.loop), UV_RUN_NOWAIT);
    dial_cancel(d);
    run_ms(k.loop, 20);
    assert_int_equal(k.ndone, 0);
    link_fini(&k);
    tls_context_unref(tls);
    unsetenv("SSL_CERT_FILE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literal_address_asks_no_resolver),
        cmocka_unit_test(second_address_is_tried_when_the_first_refuses),
        cmocka_unit_test(second_address_is_tried_beside_a_silent_first),
        cmocka_unit_test(families_take_turns),
        cmocka_unit_test(failures_name_stage_and_cause),
        cmocka_unit_test(every_stage_ends_in_time),
        cmocka_unit_test(peer_that_closes_in_the_handshake_is_named),
        cmocka_unit_test(only_permitted_addresses_are_connected_to),
        cmocka_unit_test(a_name_that_changes_its_mind_is_looked_at_again),
        cmocka_unit_test(a_name_is_looked_up_once),
        cmocka_unit_test(those_who_ask_at_once_share_one_lookup),
        cmocka_unit_test(an_old_answer_serves_when_the_resolver_fails),
        cmocka_unit_test(the_cache_is_bounded),
        cmocka_unit_test(cancelled_before_it_began),
        cmocka_unit_test(cancelled_while_resolving),
        cmocka_unit_test(cancelled_while_connecting),
        cmocka_unit_test(cancelled_while_shaking_hands),
    };
    return cmocka_run_group_tests(tests, certificates_make, certificates_remove);
}
