/* What a Redis can do to us: die, hang, forget, refuse, babble. Nobody who asks the store may notice more
 * than its answer's quality. */
#include "store_bed.h"

#include "sluice/net/listener.h"
#include "sluice/net/timer.h"

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MINUTE_MS UINT64_C(60000)
#define START (UINT64_C(29000000) * MINUTE_MS)
enum { TIMEOUT_MS = 50 };
/* Waiting longer than this means that somebody waited for a Redis that is away. */
enum { AT_ONCE_MS = 30, BACK_MS = 8000 };

static struct bed bed;
static struct store_options options;
static struct store *store;

static int start(void **state)
{
    (void)state;
    bed_open(&bed);
    store = NULL;
    return 0;
}

static int stop(void **state)
{
    (void)state;
    store_close(store);
    assert_int_equal(bed_log_count(&bed, BED_PASSWORD), 0);
    bed_close(&bed);
    return 0;
}

static void open_on_redis(bool users)
{
    bed_redis_start(&bed, false, users);
    options = bed_redis_options(&bed, false);
    store = bed_store_open(&bed, &options);
    bed_store_connected(&bed, store);
}

static void cli(const char *words, const char *want)
{
    char out[256];

    bed_redis_cli(&bed, words, out, sizeof(out));
    assert_string_equal(out, want);
}

static struct admit_answer admit(const char *scope, unsigned rpm)
{
    return bed_admit(&bed, store, scope, rpm, START);
}

static bool is_away(void *arg)
{
    const char *detail = "";

    store_usable(arg, &detail);
    return strncmp(detail, "lost", 4) == 0;
}

/* ── calls under way ─────────────────────────────────────────────────────────────────────────── */

enum { LOAD = 64 };

/* Keeps LOAD calls on their way, and remembers the worst. */
struct load {
    bool stopping;
    unsigned pending, exact, local, bad;
    uint64_t slowest_us;
    struct asked {
        struct load *load;
        uint64_t at_us;
        struct deadline again;
    } asked[LOAD];
};

static void on_load_answer(void *arg, const struct admit_answer *a)
{
    struct asked *one = arg;
    struct load *load = one->load;
    uint64_t took_us = clock_us() - one->at_us;

    load->pending--;
    if (took_us > load->slowest_us)
        load->slowest_us = took_us;
    if (!a->allowed || a->quality == STORE_LOST)
        load->bad++;
    else if (a->quality == STORE_EXACT)
        load->exact++;
    else
        load->local++;
    if (!load->stopping)
        deadline_set(&one->again, 1);
}

static void ask_again(struct deadline *d)
{
    struct asked *one = (struct asked *)(void *)((char *)d - offsetof(struct asked, again));
    const struct admit_query q = bed_query("key:load", 0, START);
    struct admit_answer out;
    struct admit_call *call;

    one->load->pending++;
    one->at_us = clock_us();
    if (store_admit(store, &q, &out, on_load_answer, one, &call) == STORE_DONE)
        on_load_answer(one, &out);
}

static void load_start(struct load *load)
{
    *load = (struct load){0};
    for (unsigned i = 0; i < LOAD; i++) {
        load->asked[i].load = load;
        deadline_init(&load->asked[i].again, bed.loop, ask_again);
        ask_again(&load->asked[i].again);
    }
}

static bool load_is_over(void *arg)
{
    return ((struct load *)arg)->pending == 0;
}

static void load_stop(struct load *load)
{
    load->stopping = true;
    for (unsigned i = 0; i < LOAD; i++)
        deadline_clear(&load->asked[i].again);
    assert_true(bed_run_until(&bed, load_is_over, load, 3000));
}

static void on_answer(void *arg, const struct admit_answer *a)
{
    *(struct admit_answer *)arg = *a;
}

static void death_under_load_harms_nobody(void **state)
{
    static struct load load;

    (void)state;
    open_on_redis(false);
    load_start(&load);
    bed_run_for(&bed, 200);
    assert_true(load.exact > 0);
    assert_int_equal(load.local, 0);
    bed_redis_kill(&bed);
    load.slowest_us = 0;
    bed_run_for(&bed, 300);
    assert_true(load.local > 0);
    assert_true(load.slowest_us < 500 * 1000); /* far below the second they could have waited */
    bed_redis_start_again(&bed);
    bed_store_connected(&bed, store);
    load.exact = 0;
    bed_run_for(&bed, 100);
    load_stop(&load);
    assert_true(load.exact > 0);
    assert_int_equal(load.bad, 0);
    assert_true(bed_errors(&bed) > 0);
    assert_int_equal(bed_log_count(&bed, "store lost"), 1);
    assert_int_equal(bed_log_count(&bed, "store back"), 1);
}

static void a_hanging_redis_costs_two_timeouts_and_then_nothing(void **state)
{
    uint64_t began_us, took_ms;

    (void)state;
    bed_redis_start(&bed, false, false);
    options = bed_redis_options(&bed, false);
    options.timeout_ms = TIMEOUT_MS;
    store = bed_store_open(&bed, &options);
    bed_store_connected(&bed, store);
    bed_redis_signal(&bed, SIGSTOP);

    began_us = clock_us();
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(admit("key:hang", 1000).quality, STORE_LOCAL);
    took_ms = (clock_us() - began_us) / 1000;
    assert_in_range(took_ms, 2 * TIMEOUT_MS, 2 * TIMEOUT_MS + 200);

    began_us = clock_us();
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(admit("key:hang", 2000).quality, STORE_LOCAL);
    assert_true((clock_us() - began_us) / 1000 < AT_ONCE_MS * 5);
    bed_run_for(&bed, 1200); /* a new connection is taken by the kernel, but nobody greets back */
    assert_int_equal(admit("key:hang", 2000).quality, STORE_LOCAL);

    bed_redis_signal(&bed, SIGCONT);
    bed_store_connected(&bed, store);
    assert_int_equal(admit("key:hang", 2000).quality, STORE_EXACT);
    assert_int_equal(bed_log_count(&bed, "store lost"), 1);
    assert_int_equal(bed_log_count(&bed, "store back"), 1);
}

static void a_quiet_connection_that_died_is_noticed_without_a_request(void **state)
{
    (void)state;
    bed_redis_start(&bed, false, false);
    options = bed_redis_options(&bed, false);
    options.timeout_ms = TIMEOUT_MS;
    store = bed_store_open(&bed, &options);
    bed_store_connected(&bed, store);
    bed_redis_signal(&bed, SIGSTOP);
    assert_true(bed_run_until(&bed, is_away, store, 8000));
    assert_int_equal((int)bed_errors(&bed), 0);
    bed_redis_signal(&bed, SIGCONT);
}

static void a_loop_that_was_held_up_does_not_blame_redis(void **state)
{
    const struct admit_query q = bed_query("key:held", 10, START);
    struct admit_answer out, answer = {.quality = STORE_LOST};
    struct admit_call *call;

    (void)state;
    bed_redis_start(&bed, false, false);
    options = bed_redis_options(&bed, false);
    options.timeout_ms = TIMEOUT_MS;
    store = bed_store_open(&bed, &options);
    bed_store_connected(&bed, store);
    bed_redis_signal(&bed, SIGSTOP);
    store_admit(store, &q, &out, on_answer, &answer, &call);
    bed_run_for(&bed, 5);
    bed_redis_signal(&bed, SIGCONT);
    usleep(200 * 1000); /* the reply arrives, and nobody looks */
    bed_run_for(&bed, 100);
    assert_int_equal(answer.quality, STORE_EXACT);
    assert_int_equal((int)bed_errors(&bed), 0);
}

static void more_calls_than_may_wait_are_answered_locally_at_once(void **state)
{
    enum { CALLS = 3000 };
    static struct load load;
    static struct asked asked[CALLS];
    const struct admit_query q = bed_query("key:flood", 0, START);
    unsigned waiting = 0;

    (void)state;
    open_on_redis(false);
    bed_redis_signal(&bed, SIGSTOP);
    load = (struct load){.stopping = true};
    for (unsigned i = 0; i < CALLS; i++) {
        struct admit_answer out;
        struct admit_call *call;
        asked[i] = (struct asked){.load = &load, .at_us = clock_us()};
        load.pending++;
        if (store_admit(store, &q, &out, on_load_answer, &asked[i], &call) == STORE_DONE)
            on_load_answer(&asked[i], &out);
        else
            waiting++;
    }
    assert_in_range(waiting, 1, 1024);
    assert_int_equal(load.local, CALLS - waiting);
    assert_true(bed_run_until(&bed, load_is_over, &load, 5000));
    assert_int_equal(load.bad, 0);
    bed_redis_signal(&bed, SIGCONT);
}

/* ── what is shared survives the separation ──────────────────────────────────────────────────── */

static void local_counting_goes_on_where_redis_stopped(void **state)
{
    (void)state;
    open_on_redis(false);
    for (unsigned i = 0; i < 6; i++)
        assert_true(admit("key:on", 10).allowed);
    bed_redis_kill(&bed);
    assert_true(bed_run_until(&bed, is_away, store, 2000));
    for (unsigned i = 0; i < 4; i++) {
        struct admit_answer a = admit("key:on", 10);
        assert_true(a.allowed);
        assert_int_equal(a.quality, STORE_LOCAL);
        assert_int_equal(a.remaining, 3 - i);
    }
    assert_false(admit("key:on", 10).allowed);
}

static void what_was_admitted_without_redis_is_told_when_it_is_back(void **state)
{
    (void)state;
    open_on_redis(false);
    assert_int_equal(admit("key:debt", 100).remaining, 99);
    cli("REPLICAOF 127.0.0.1 1", "OK\n"); /* keeps its data, and takes no writes */
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(admit("key:debt", 100).quality, STORE_LOCAL);
    assert_int_equal(bed_log_count(&bed, "READONLY"), 1);
    cli("REPLICAOF NO ONE", "OK\n");
    bed_store_connected(&bed, store);
    for (unsigned i = 0; i < 2; i++) { /* and told once */
        struct admit_answer a = admit("key:debt", 100);
        assert_int_equal(a.quality, STORE_EXACT);
        assert_int_equal(a.remaining, 91 - i);
    }
    cli("HGET test:rate:key:debt r", "29000000 10 0\n");
}

/* ── a Redis that forgot, and one that refuses ───────────────────────────────────────────────── */

static void a_forgotten_script_is_sent_again(void **state)
{
    (void)state;
    open_on_redis(false);
    assert_int_equal(admit("key:script", 10).remaining, 9);
    cli("SCRIPT FLUSH", "OK\n");
    for (unsigned i = 0; i < 3; i++) {
        struct admit_answer a = admit("key:script", 10);
        assert_int_equal(a.quality, STORE_EXACT);
        assert_int_equal(a.remaining, 8 - i);
    }
    bed_redis_kill(&bed);
    bed_redis_start_again(&bed);
    assert_true(bed_run_until(&bed, is_away, store, 2000));
    bed_store_connected(&bed, store);
    assert_int_equal(admit("key:script", 10).quality, STORE_EXACT);
}

static void a_redis_without_script_load_still_counts(void **state)
{
    (void)state;
    bed_redis_start(&bed, false, true);
    cli("ACL SETUSER " BED_USER " -script", "OK\n");
    options = bed_redis_options(&bed, false);
    store = bed_store_open(&bed, &options);
    bed_store_connected(&bed, store);
    assert_int_equal(admit("key:noload", 10).remaining, 9);
    assert_int_equal(admit("key:noload", 10).remaining, 8);
}

static void a_wrong_password_is_named_once_and_not_repeated(void **state)
{
    static uint8_t wrong[] = "canary-wrong-password";

    (void)state;
    bed_redis_start(&bed, false, true);
    options = bed_redis_options(&bed, false);
    options.password = (struct secret){wrong, sizeof(wrong) - 1};
    store = bed_store_open(&bed, &options);
    assert_true(bed_run_until(&bed, is_away, store, 2000));
    assert_int_equal(admit("key:wrong", 10).quality, STORE_LOCAL);
    bed_run_for(&bed, 300); /* several more tries */
    assert_int_equal(bed_log_count(&bed, "store lost"), 1);
    assert_true(bed_log_count(&bed, "WRONGPASS") >= 1);
    assert_int_equal(bed_log_count(&bed, "canary"), 0);
}

static void a_missing_password_is_named(void **state)
{
    (void)state;
    bed_redis_start(&bed, false, true);
    options = bed_redis_options(&bed, false);
    options.password = (struct secret){0};
    store = bed_store_open(&bed, &options);
    assert_true(bed_run_until(&bed, is_away, store, 2000));
    assert_true(bed_log_count(&bed, "NOAUTH") >= 1);
}

static void a_database_that_does_not_exist_is_named(void **state)
{
    (void)state;
    bed_redis_start(&bed, false, false);
    options = bed_redis_options(&bed, false);
    options.database = 99;
    store = bed_store_open(&bed, &options);
    assert_true(bed_run_until(&bed, is_away, store, 2000));
    assert_true(bed_log_count(&bed, "selecting the database refused") >= 1);
}

static void a_redis_without_memory_is_away(void **state)
{
    (void)state;
    open_on_redis(false);
    cli("CONFIG SET maxmemory 1", "OK\n");
    assert_int_equal(admit("key:oom", 10).quality, STORE_LOCAL);
    assert_true(is_away(store));
    assert_int_equal(bed_log_count(&bed, "it answers OOM"), 1);
    cli("CONFIG SET maxmemory 0", "OK\n");
    bed_store_connected(&bed, store);
    assert_int_equal(admit("key:oom", 10).quality, STORE_EXACT);
}

static void a_value_of_another_type_is_one_calls_trouble(void **state)
{
    (void)state;
    open_on_redis(false);
    cli("RPUSH test:value:list x", "1\n");
    for (unsigned i = 0; i < 3; i++)
        assert_false(bed_get(&bed, store, SPAN_LIT("list")).found);
    assert_int_equal(admit("key:other", 10).quality, STORE_EXACT);
    assert_int_equal(bed_log_count(&bed, "store lost"), 0);
    assert_int_equal(bed_log_count(&bed, "store call failed"), 1);
    assert_int_equal((int)bed_errors(&bed), 3);
}

static void counts_that_are_not_ours_start_afresh(void **state)
{
    (void)state;
    open_on_redis(false);
    cli("SET test:rate:key:text nonsense", "OK\n");
    cli("HSET test:rate:key:hash r nonsense other x", "2\n");
    cli("RPUSH test:sum:key:list x", "1\n");
    cli("SET test:sum:key:sums 17", "OK\n");
    assert_int_equal(admit("key:text", 10).remaining, 9);
    assert_int_equal(admit("key:hash", 10).remaining, 9);
    assert_int_equal(admit("key:list", 10).remaining, 9);
    assert_int_equal(admit("key:sums", 10).remaining, 9);
    assert_int_equal(admit("key:text", 10).remaining, 8);
}

static void a_redis_that_was_never_there_delays_nothing(void **state)
{
    const char *detail;
    uint64_t began_us = clock_us();

    (void)state;
    options = (struct store_options){.kind = STORE_REDIS,
                                     .url = "redis://127.0.0.1",
                                     .host = "127.0.0.1",
                                     .port = bed_free_port(),
                                     .timeout_ms = TIMEOUT_MS};
    store = bed_store_open(&bed, &options);
    assert_true(store_usable(store, &detail));
    for (unsigned i = 0; i < 10; i++)
        assert_true(admit("key:none", 10).allowed);
    assert_false(admit("key:none", 10).allowed);
    assert_true((clock_us() - began_us) / 1000 < AT_ONCE_MS * 5);
    store_put(store, SPAN_LIT("k"), SPAN_LIT("v"), 60000);
    assert_true(bed_get(&bed, store, SPAN_LIT("k")).found);
    assert_int_equal(bed_get(&bed, store, SPAN_LIT("k")).quality, STORE_LOCAL);
    bed_run_for(&bed, 300);
    assert_true(store_usable(store, &detail));
    assert_int_equal(bed_log_count(&bed, "store lost"), 1);
}

static void the_policy_reject_refuses_while_redis_is_away(void **state)
{
    const char *detail;
    struct admit_answer a;

    (void)state;
    bed_redis_start(&bed, false, false);
    options = bed_redis_options(&bed, false);
    options.fail_closed = true;
    store = bed_store_open(&bed, &options);
    bed_store_connected(&bed, store);
    assert_true(admit("key:closed", 10).allowed);
    bed_redis_kill(&bed);
    assert_true(bed_run_until(&bed, is_away, store, 2000));
    a = admit("key:closed", 10);
    assert_false(a.allowed);
    assert_int_equal(a.quality, STORE_LOST);
    assert_int_equal(a.limit, 10);
    assert_int_equal(a.retry_after_s, 1);
    assert_int_equal(bed_get(&bed, store, SPAN_LIT("k")).quality, STORE_LOST);
    assert_false(store_usable(store, &detail));
    bed_redis_start_again(&bed);
    bed_store_connected(&bed, store);
    assert_true(admit("key:closed", 10).allowed);
}

static void a_redis_with_the_wrong_certificate_is_away(void **state)
{
    (void)state;
    bed_redis_start(&bed, true, false);
    options = bed_redis_options(&bed, false);
    options.tls_options.server_name = "elsewhere.example";
    store = bed_store_open(&bed, &options);
    assert_true(bed_run_until(&bed, is_away, store, 3000));
    assert_int_equal(admit("key:tls", 10).quality, STORE_LOCAL);
    assert_true(bed_log_count(&bed, "certificate") >= 1);
}

static void a_ca_file_that_is_not_there_is_an_error_at_the_start(void **state)
{
    struct err why = {0};
    char text[1024];

    (void)state;
    options =
        (struct store_options){.kind = STORE_REDIS, .host = "127.0.0.1", .port = 1, .tls = true};
    options.tls_options.ca = "no-such-file.pem";
    assert_null(store_open(bed.loop, &options, bed.metrics, &why));
    err_format(&why, text, sizeof(text));
    assert_non_null(strstr(text, "no-such-file.pem"));
}

/* ── a Redis that is none ────────────────────────────────────────────────────────────────────── */

/* Greets like a Redis, and lets itself be told; what it says to who wants to be admitted and to XREAD is
 * the test's. */
struct fake {
    struct listener *listener;
    struct stream *stream;
    redisReader *reader;
    const char *greeting; /* instead of a reply to the first command; NULL: as Redis would */
    const char *reply;    /* to those; NULL: keeps it for fake_say */
    unsigned connections, kept;
};

static void fake_say(struct fake *f, const char *text)
{
    struct span s = span_text(text);

    if (f->stream != NULL)
        stream_write(f->stream, &s, 1);
}

/* Both windows, what is held, the sums. */
#define BOOK_HEAD "29000000 %u 0 29000000 0 0 0 0 0 0 0 0 0 0"
#define BOOK_TAIL " 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"

/* What the script says to one scope's request: by which limit it was refused (0: none), and how many
 * there were in this minute. */
static const char *verdict(unsigned by, unsigned requests)
{
    static char texts[LIMIT_BALANCE + 2][256]; /* one for each limit */
    char *text = texts[by], book[160];
    int n = snprintf(book, sizeof(book), BOOK_HEAD BOOK_TAIL, requests);

    snprintf(text, sizeof(texts[0]), "*3\r\n:%u\r\n:%u\r\n$%d\r\n%s\r\n", by > 0, by, n, book);
    return text;
}

static void fake_is_told(struct fake *f, const redisReply *command)
{
    long long scopes = (strtoll(command->element[2]->str, NULL, 10) - 1) / 3;
    char head[32], book[160];
    int n = snprintf(book, sizeof(book), BOOK_HEAD BOOK_TAIL, 0);

    snprintf(head, sizeof(head), "*%lld\r\n", scopes);
    fake_say(f, head);
    for (long long i = 0; i < scopes; i++) {
        snprintf(head, sizeof(head), "$%d\r\n", n);
        fake_say(f, head);
        fake_say(f, book);
        fake_say(f, "\r\n");
    }
}

static const char *operation_of(const redisReply *command)
{
    return strncmp(command->element[0]->str, "EVAL", 4) != 0
               ? ""
               : command->element[3 + strtoll(command->element[2]->str, NULL, 10)]->str;
}

static void fake_hear(struct fake *f, const redisReply *command)
{
    const char *word = command->element[0]->str, *operation = operation_of(command);

    if (f->greeting != NULL)
        fake_say(f, f->greeting);
    else if (strcmp(word, "SCRIPT") == 0)
        fake_say(f, "$40\r\n0123456789012345678901234567890123456789\r\n");
    else if (strcmp(operation, "beat") == 0)
        fake_say(f, "*4\r\n:1\r\n:0\r\n:1\r\n:7\r\n");
    else if (strcmp(operation, "tell") == 0)
        fake_is_told(f, command);
    else if (strcmp(operation, "admit") != 0 && strcmp(word, "XREAD") != 0)
        fake_say(f, "+OK\r\n");
    else if (f->reply != NULL)
        fake_say(f, f->reply);
    else
        f->kept++;
}

static void fake_on_data(void *owner, struct span bytes)
{
    struct fake *f = owner;
    void *command = NULL;

    redisReaderFeed(f->reader, (const char *)bytes.at, bytes.len);
    while (f->stream != NULL && redisReaderGetReply(f->reader, &command) == REDIS_OK &&
           command != NULL) {
        fake_hear(f, command);
        freeReplyObject(command);
    }
}

static void fake_hang_up(struct fake *f)
{
    if (f->stream == NULL)
        return;
    stream_close(f->stream);
    redisReaderFree(f->reader);
    f->stream = NULL;
    f->kept = 0;
}

static void fake_on_writable(void *owner)
{
    (void)owner;
}

static void fake_on_closed(void *owner, int status)
{
    (void)status;
    fake_hang_up(owner);
}

static void fake_on_accept(void *arg, struct stream *s)
{
    static const struct stream_events events = {fake_on_data, fake_on_writable, fake_on_closed};
    struct fake *f = arg;

    fake_hang_up(f);
    f->connections++;
    f->stream = s;
    f->reader = redisReaderCreate();
    stream_attach(s, &events, f);
}

static void fake_open(struct fake *f)
{
    const struct listener_config c = {.address = "127.0.0.1:0", .handshake_timeout_ms = 1000};
    struct err why = {0};

    f->listener = listener_open(bed.loop, &c, fake_on_accept, f, &why);
    if (f->listener == NULL)
        fail_msg("%s", why.text);
    options = (struct store_options){.kind = STORE_REDIS,
                                     .url = "redis://127.0.0.1",
                                     .host = "127.0.0.1",
                                     .timeout_ms = TIMEOUT_MS};
    options.port = (uint16_t)atoi(strrchr(listener_address(f->listener), ':') + 1);
    store = bed_store_open(&bed, &options);
}

static void fake_close(struct fake *f)
{
    store_close(store);
    store = NULL;
    fake_hang_up(f);
    listener_close(f->listener);
}

static const char *const garbage[] = {
    "HTTP/1.1 400 Bad Request\r\n\r\n",
    "\r\n\r\n",
    "*-2\r\n",
    "*4294967295\r\n",
    "$99999999999999999999\r\n",
    "*4\r\n:1\r\n:0\r\n$3\r\nabcd\r\n",
    ":12x\r\n",
    "\xff\xfe\x00",
    "+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n", /* more than was asked */
};

static void garbage_in_the_greeting_is_a_lost_store(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++) {
        struct fake fake = {.greeting = garbage[i]};
        fake_open(&fake);
        assert_true(bed_run_until(&bed, is_away, store, 3000));
        assert_int_equal(admit("key:garbage", 1000).quality, STORE_LOCAL);
        fake_close(&fake);
    }
}

static void garbage_for_an_answer_is_a_local_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++) {
        struct fake fake = {.reply = garbage[i]};
        fake_open(&fake);
        bed_store_connected(&bed, store);
        assert_int_equal(admit("key:garbage", 1000).quality, STORE_LOCAL);
        fake_close(&fake);
    }
}

static void answers_of_another_shape_are_local_answers(void **state)
{
    const char *const shapes[] = {
        "+OK\r\n",
        ":1\r\n",
        "$-1\r\n",
        "*0\r\n",
        "*-1\r\n",
        "*4\r\n:1\r\n:0\r\n:1\r\n$1\r\n0\r\n",
        "-\r\n",
        "*4\r\n:1\r\n:0\r\n:-1\r\n:0\r\n",
        "-ERR\r\n",
        "*5\r\n:1\r\n:0\r\n:1\r\n:0\r\n:0\r\n",
        "*3\r\n:0\r\n:0\r\n:0\r\n",
        "*3\r\n:0\r\n:0\r\n$3\r\n1 2\r\n",
        verdict(7, 0), /* no such limit */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
        struct fake fake = {.reply = shapes[i]};
        fake_open(&fake);
        bed_store_connected(&bed, store);
        assert_int_equal(admit("key:shape", 1000).quality, STORE_LOCAL);
        assert_false(is_away(store));
        fake_close(&fake);
    }
}

#define NOTE(id, fields) "*2\r\n$3\r\n" id "\r\n" fields
#define NOTES(n, entries) "*1\r\n*2\r\n$4\r\ntalk\r\n*" n "\r\n" entries

static void what_is_no_note_is_stepped_over(void **state)
{
    static const struct {
        const char *reply, *heard, *place; /* heard NULL: nothing was */
    } rows[] = {
        {"*-1\r\n", "", "0-0"},
        {"*0\r\n", "", "0-0"},
        {":1\r\n", "", "0-0"},
        {"-ERR unknown command\r\n", NULL, "0-0"},
        {"*1\r\n:1\r\n", "", "0-0"},
        {"*1\r\n*2\r\n:1\r\n:1\r\n", "", "0-0"},
        {NOTES("0", ""), "", "0-0"},
        {NOTES("1", ":1\r\n"), "", "0-0"},
        {NOTES("1", "*2\r\n:1\r\n:2\r\n"), "", "0-0"},
        {NOTES("1", NOTE("1-1", "*-1\r\n")), "", "1-1"},
        {NOTES("1", NOTE("1-1", "*2\r\n:1\r\n:2\r\n")), "", "1-1"},
        {NOTES("2", NOTE("1-1", ":7\r\n") NOTE("1-2", "*2\r\n$1\r\nn\r\n$2\r\nhi\r\n")), "hi ",
         "1-2"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct fake fake = {.reply = rows[i].reply};
        struct store_place from = {"0-0"};
        fake_open(&fake);
        bed_store_connected(&bed, store);
        const char *heard = bed_hear(&bed, store, &from);
        if (rows[i].heard == NULL)
            assert_null(heard);
        else
            assert_string_equal(heard, rows[i].heard);
        assert_string_equal(from.id, rows[i].place);
        assert_false(is_away(store));
        fake_close(&fake);
    }
}

static void while_redis_is_away_nothing_is_heard_at_once(void **state)
{
    struct store_place from = {"5-0"};

    (void)state;
    open_on_redis(false);
    bed_redis_kill(&bed);
    assert_true(bed_run_until(&bed, is_away, store, 3000));
    store_tell(store, SPAN_LIT("talk"), SPAN_LIT("lost"), 60000);
    assert_null(bed_hear(&bed, store, &from));
    assert_string_equal(from.id, "5-0");
    assert_int_equal(bed_log_count(&bed, "store lost"), 1);
}

static void an_endless_reply_is_cut_off(void **state)
{
    struct fake fake = {.reply = "$100000000\r\n"};
    static char block[64 * 1024];

    (void)state;
    memset(block, 'x', sizeof(block) - 1);
    fake_open(&fake);
    bed_store_connected(&bed, store);
    admit("key:endless", 1000);
    for (unsigned i = 0; i < 64 && !is_away(store); i++) {
        fake_say(&fake, block);
        bed_run_for(&bed, 5);
    }
    assert_true(is_away(store));
    assert_true(bed_log_count(&bed, "reply too large") == 1 || bed_log_count(&bed, "in time") == 1);
    fake_close(&fake);
}

static void on_never(void *arg, const struct admit_answer *a)
{
    (void)arg;
    (void)a;
    fail_msg("a cancelled call was answered");
}

static bool fake_has_kept(void *arg)
{
    return ((struct fake *)arg)->kept == 2;
}

static void a_reply_after_the_cancel_is_nobody_elses(void **state)
{
    struct fake fake = {.reply = NULL};
    const struct admit_query q = bed_query("key:late", 100, START);
    struct admit_answer out, answer = {.quality = STORE_LOST};
    struct admit_call *cancelled, *kept;

    (void)state;
    fake_open(&fake);
    bed_store_connected(&bed, store);
    store_admit(store, &q, &out, on_never, NULL, &cancelled);
    store_admit(store, &q, &out, on_answer, &answer, &kept);
    store_cancel(cancelled);
    assert_true(bed_run_until(&bed, fake_has_kept, &fake, 1000));
    fake_say(&fake, verdict(LIMIT_REQUESTS, 100)); /* the cancelled one's */
    fake_say(&fake, verdict(LIMIT_NONE, 40));
    bed_run_for(&bed, TIMEOUT_MS * 3);
    assert_true(answer.allowed);
    assert_int_equal(answer.quality, STORE_EXACT);
    assert_int_equal(answer.remaining, 60);
    fake_close(&fake);
}

static void a_reply_after_its_time_is_nobody_elses(void **state)
{
    struct fake fake = {.reply = NULL};
    struct admit_answer a;
    char both[512];

    (void)state;
    fake_open(&fake);
    bed_store_connected(&bed, store);
    assert_int_equal(admit("key:slow", 1000).quality, STORE_LOCAL);
    assert_false(is_away(store)); /* once is no pattern */
    snprintf(both, sizeof(both), "%s%s", verdict(LIMIT_REQUESTS, 1000), verdict(LIMIT_NONE, 7));
    fake.reply = both; /* the late one's, then the next one's */
    a = admit("key:slow", 1000);
    assert_int_equal(a.quality, STORE_EXACT);
    assert_true(a.allowed);
    assert_int_equal(a.remaining, 993);
    fake_close(&fake);
}

static void on_answer_close(void *arg, const struct admit_answer *a)
{
    struct fake *f = arg;

    (void)a;
    fake_close(f);
}

static bool store_is_closed(void *arg)
{
    (void)arg;
    return store == NULL;
}

static void the_store_may_be_closed_by_whoever_gets_an_answer(void **state)
{
    const char *const replies[] = {verdict(LIMIT_NONE, 1), "-READONLY no\r\n", "-ERR no\r\n",
                                   "garbage\r\n", NULL};
    const struct admit_query q = bed_query("key:close", 100, START);

    (void)state;
    for (size_t i = 0; i < sizeof(replies) / sizeof(*replies); i++) {
        struct fake fake = {.reply = replies[i]};
        struct admit_answer out;
        struct admit_call *call;
        fake_open(&fake);
        bed_store_connected(&bed, store);
        store_admit(store, &q, &out, on_answer_close, &fake, &call);
        store_admit(store, &q, &out, on_never, NULL, &call);
        assert_true(bed_run_until(&bed, store_is_closed, NULL, 2000));
        bed_run_for(&bed, 20);
    }
}

static void closing_is_silent_in_every_state(void **state)
{
    (void)state;
    for (unsigned turns = 0; turns < 12; turns++) {
        struct fake fake = {.greeting = turns % 2 ? "" : NULL};
        fake_open(&fake);
        for (unsigned i = 0; i < turns; i++)
            uv_run(loop_uv(bed.loop), UV_RUN_NOWAIT);
        fake_close(&fake);
    }
    bed_run_for(&bed, 50);
}

static void a_silent_greeting_is_given_up_and_tried_again(void **state)
{
    struct fake fake = {.greeting = ""};

    (void)state;
    fake_open(&fake);
    assert_true(bed_run_until(&bed, is_away, store, 4000));
    fake.greeting = NULL;
    assert_true(bed_run_until(&bed, is_away, store, 1));
    bed_store_connected(&bed, store);
    assert_true(fake.connections >= 2);
    fake_close(&fake);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(death_under_load_harms_nobody),
        CASE(a_hanging_redis_costs_two_timeouts_and_then_nothing),
        CASE(a_quiet_connection_that_died_is_noticed_without_a_request),
        CASE(a_loop_that_was_held_up_does_not_blame_redis),
        CASE(more_calls_than_may_wait_are_answered_locally_at_once),
        CASE(local_counting_goes_on_where_redis_stopped),
        CASE(what_was_admitted_without_redis_is_told_when_it_is_back),
        CASE(a_forgotten_script_is_sent_again),
        CASE(a_redis_without_script_load_still_counts),
        CASE(a_wrong_password_is_named_once_and_not_repeated),
        CASE(a_missing_password_is_named),
        CASE(a_database_that_does_not_exist_is_named),
        CASE(a_redis_without_memory_is_away),
        CASE(a_value_of_another_type_is_one_calls_trouble),
        CASE(counts_that_are_not_ours_start_afresh),
        CASE(a_redis_that_was_never_there_delays_nothing),
        CASE(the_policy_reject_refuses_while_redis_is_away),
        CASE(a_redis_with_the_wrong_certificate_is_away),
        CASE(a_ca_file_that_is_not_there_is_an_error_at_the_start),
        CASE(garbage_in_the_greeting_is_a_lost_store),
        CASE(garbage_for_an_answer_is_a_local_answer),
        CASE(answers_of_another_shape_are_local_answers),
        CASE(what_is_no_note_is_stepped_over),
        CASE(while_redis_is_away_nothing_is_heard_at_once),
        CASE(an_endless_reply_is_cut_off),
        CASE(a_reply_after_the_cancel_is_nobody_elses),
        CASE(a_reply_after_its_time_is_nobody_elses),
        CASE(the_store_may_be_closed_by_whoever_gets_an_answer),
        CASE(closing_is_silent_in_every_state),
        CASE(a_silent_greeting_is_given_up_and_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
