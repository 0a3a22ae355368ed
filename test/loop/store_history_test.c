/* Records of calls over each store: appended, found, bounded, swept out; a store that is away; ends in the
 * middle of things. */
#include "store_bed.h"

#include "sluice/store/history.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MS = 5000 };
static const uint64_t DAY_MS = 24 * 3600 * 1000ull;

static struct bed bed;
static enum store_kind kind;
static struct store_options options;
static char path[128];
static struct store *store;
static struct history *history;

static void open_store(void)
{
    static const struct history_options use = {true, 90 * 24 * 3600 * 1000ull, 1000000};
    store = bed_store_open(&bed, &options);
    if (kind == STORE_REDIS)
        bed_store_connected(&bed, store);
    history = store_history(store);
    history_use(history, &use);
}

static int start(enum store_kind which)
{
    kind = which;
    bed_open(&bed);
    snprintf(path, sizeof path, "%s/store.db", bed.directory);
    options = (struct store_options){.kind = which, .url = "the-test", .timeout_ms = 1000};
    if (which == STORE_SQLITE)
        options.path = path;
    if (which == STORE_REDIS) {
        bed_redis_start(&bed, false, false);
        options = bed_redis_options(&bed, false);
    }
    open_store();
    return 0;
}

static int start_memory(void **state)
{
    (void)state;
    return start(STORE_MEMORY);
}

static int start_sqlite(void **state)
{
    (void)state;
    return start(STORE_SQLITE);
}

static int start_redis(void **state)
{
    (void)state;
    return start(STORE_REDIS);
}

static int stop(void **state)
{
    (void)state;
    store_close(store);
    bed_close(&bed);
    return 0;
}

/* --- calls ---------------------------------------------------------------------------------------- */

static void append(unsigned number, uint64_t time_unix_ms, const char *model, const char *key)
{
    struct history_record r = {.time_unix_ms = time_unix_ms};
    memcpy(r.id, &number, sizeof number);
    r.number[HISTORY_INPUT_TOKENS] = number;
    r.number[HISTORY_STATUS] = number % 2 == 0 ? CALL_SUCCEEDED : CALL_FAILED;
    r.text[HISTORY_MODEL] = span_text(model);
    r.text[HISTORY_KEY_ID] = span_text(key);
    r.text[HISTORY_PROVIDER] = SPAN_LIT("up");
    history_append(history, &r);
}

static bool is_written(void *arg)
{
    (void)arg;
    return history_flush(history);
}

static void wait_written(void)
{
    assert_true(bed_run_until(&bed, is_written, NULL, MS));
}

struct got {
    bool is_done, is_lost, has_more;
    unsigned n, numbers[HISTORY_PAGE_MAX];
    struct history_place next;
};

static void on_page(void *arg, const struct history_page *page)
{
    struct got *g = arg;
    struct span rest = page->frames, frame;
    struct history_record r;
    assert_false(g->is_done);
    g->is_done = true;
    g->is_lost = page->is_lost;
    g->has_more = page->has_more;
    g->next = page->next;
    while (history_frame_next(&rest, &frame)) {
        assert_true(history_frame_read(frame, &r));
        g->numbers[g->n++] = (unsigned)r.number[HISTORY_INPUT_TOKENS];
    }
    assert_int_equal(g->n, page->n);
}

static bool is_done(void *arg)
{
    return ((struct got *)arg)->is_done;
}

static struct history_query everything(unsigned most)
{
    return (struct history_query){
        .until_unix_ms = UINT64_MAX, .filter = {.status = -1}, .most = most};
}

static void ask(const struct history_query *q, struct got *g)
{
    g->is_done = false;
    g->n = 0;
    assert_non_null(history_read(history, q, on_page, g));
    assert_false(g->is_done); /* never at once */
    assert_true(bed_run_until(&bed, is_done, g, MS));
}

/* All pages of it; how many records. */
static unsigned walk(struct history_query q, unsigned *numbers, unsigned room)
{
    static struct got g;
    unsigned n = 0;
    do {
        ask(&q, &g);
        assert_false(g.is_lost);
        for (unsigned i = 0; i < g.n && n < room; i++)
            numbers[n++] = g.numbers[i];
        q.has_place = true;
        q.place = g.next;
    } while (g.has_more);
    return n;
}

/* --- every store ---------------------------------------------------------------------------------- */

static void records_come_newest_first_and_each_once(void **state)
{
    enum { N = 1200 };
    static unsigned numbers[N + 1];
    uint64_t now = clock_unix_ms();
    (void)state;
    for (unsigned i = 0; i < N; i++) /* three in a millisecond, and not in order */
        append(i, now - (i * 7 % N) / 3, "m", "k");
    wait_written();
    for (unsigned most = 1; most <= HISTORY_PAGE_MAX; most = most * 10 + 3) {
        if (most == 1)
            continue; /* long, and no other way */
        assert_int_equal(walk(everything(most), numbers, N + 1), N);
        bool seen[N] = {false};
        for (unsigned i = 0; i < N; i++) {
            assert_false(seen[numbers[i]]);
            seen[numbers[i]] = true;
            if (i > 0)
                assert_true((numbers[i - 1] * 7 % N) / 3 <= (numbers[i] * 7 % N) / 3);
        }
    }
}

static void times_and_filters_select(void **state)
{
    uint64_t now = clock_unix_ms();
    unsigned numbers[32];
    (void)state;
    for (unsigned i = 0; i < 12; i++)
        append(i, now - 1000 * i, i % 3 == 0 ? "a" : "b", i < 6 ? "one" : "two");
    wait_written();
    struct history_query q = everything(5);
    q.from_unix_ms = now - 3000;
    assert_int_equal(walk(q, numbers, 32), 4); /* from on */
    q.until_unix_ms = now;
    assert_int_equal(walk(q, numbers, 32), 3); /* and before */
    q = everything(5);
    q.filter.model = SPAN_LIT("a");
    assert_int_equal(walk(q, numbers, 32), 4);
    q.filter.key_id = SPAN_LIT("two");
    assert_int_equal(walk(q, numbers, 32), 2);
    q.filter.status = CALL_FAILED;
    assert_int_equal(walk(q, numbers, 32), 1);
    assert_int_equal(numbers[0], 9);
    q.filter.provider = SPAN_LIT("down");
    assert_int_equal(walk(q, numbers, 32), 0);
}

static void one_is_found_by_its_id(void **state)
{
    static struct got g;
    struct history_query q = everything(1);
    unsigned wanted = 3;
    (void)state;
    for (unsigned i = 0; i < 6; i++)
        append(i, clock_unix_ms(), "m", "k");
    wait_written();
    q.has_id = true;
    memcpy(q.id, &wanted, sizeof wanted);
    ask(&q, &g);
    assert_true(g.n == 1 && g.numbers[0] == 3);
    wanted = 77;
    memcpy(q.id, &wanted, sizeof wanted);
    ask(&q, &g);
    assert_true(g.n == 0 && !g.is_lost);
}

static void what_is_too_old_is_gone(void **state)
{
    const struct history_options a_minute = {true, 60000, 1000000};
    uint64_t now = clock_unix_ms();
    unsigned numbers[8];
    (void)state;
    append(1, now - 120000, "m", "k");
    append(2, now, "m", "k");
    wait_written();
    assert_int_equal(walk(everything(5), numbers, 8), 2);
    history_use(history, &a_minute);
    assert_int_equal(walk(everything(5), numbers, 8), 1);
    assert_int_equal(numbers[0], 2);
}

static void nothing_is_kept_while_it_is_off(void **state)
{
    const struct history_options off = {false, 60000, 1000000};
    unsigned numbers[8];
    (void)state;
    append(1, clock_unix_ms(), "m", "k");
    history_use(history, &off);
    assert_false(history_is_kept(history));
    append(2, clock_unix_ms(), "m", "k");
    wait_written();
    assert_int_equal(walk(everything(5), numbers, 8), 1);
}

static void cancelled_reads_are_not_answered_and_closing_drops_the_rest(void **state)
{
    static struct got cancelled, dropped;
    struct history_query q = everything(5);
    (void)state;
    append(1, clock_unix_ms(), "m", "k");
    wait_written();
    cancelled.is_done = dropped.is_done = false;
    struct history_read *r = history_read(history, &q, on_page, &cancelled);
    assert_non_null(history_read(history, &q, on_page, &dropped));
    history_read_cancel(r);
    store_close(store);
    bed_run_for(&bed, 100);
    assert_false(cancelled.is_done || dropped.is_done);
    open_store();
}

static void reads_are_bounded(void **state)
{
    static struct got g[400];
    struct history_query q = everything(5);
    unsigned taken = 0;
    (void)state;
    memset(g, 0, sizeof g);
    while (taken < 400 && history_read(history, &q, on_page, &g[taken]) != NULL)
        taken++;
    assert_true(taken >= 100 && taken < 400);
    assert_true(bed_run_until(&bed, is_done, &g[taken - 1], MS));
}

/* --- one of them ---------------------------------------------------------------------------------- */

static void memory_keeps_the_last_ten_thousand(void **state)
{
    static unsigned numbers[2 * HISTORY_MEMORY_MAX];
    uint64_t now = clock_unix_ms();
    (void)state;
    for (unsigned i = 0; i < 3 * HISTORY_MEMORY_MAX; i++) {
        append(i, now, "m", "k");
        if (i % 5000 == 4999)
            wait_written();
    }
    unsigned n = walk(everything(HISTORY_PAGE_MAX), numbers, 2 * HISTORY_MEMORY_MAX);
    assert_true(n >= HISTORY_MEMORY_MAX && n < HISTORY_MEMORY_MAX + HISTORY_MEMORY_MAX / 10);
    for (unsigned i = 0; i < n; i++)
        assert_true(numbers[i] >= 3 * HISTORY_MEMORY_MAX - n);
}

static void closing_writes_what_waits(void **state)
{
    unsigned numbers[8];
    (void)state;
    append(1, clock_unix_ms(), "m", "k");
    store_close(store); /* at once */
    bed_run_for(&bed, 100);
    open_store();
    assert_int_equal(walk(everything(5), numbers, 8), 1);
}

static double dropped(void)
{
    return metric_value(
        metric_series(metric_declare(bed.metrics, METRIC_COUNTER, "sluice_history_dropped_total",
                                     "", "", NULL, 0),
                      NULL));
}

static bool is_back(void *arg)
{
    const char *detail;
    (void)arg;
    return store_usable(store, &detail) && strcmp(detail, "ready") == 0 && history_flush(history);
}

static void redis_that_is_away_gets_what_waited_up_to_a_bound(void **state)
{
    static unsigned numbers[40000];
    static struct got g;
    uint64_t now = clock_unix_ms();
    struct history_query q = everything(5);
    (void)state;
    bed_redis_signal(&bed, SIGSTOP);
    for (unsigned i = 0; i < 100; i++)
        append(i, now, "m", "k");
    bed_run_for(&bed, 300);
    ask(&q, &g); /* answered, if only with that */
    assert_true(g.is_lost);
    for (unsigned i = 100; i < 40000; i++)
        append(i, now, "m", "k");
    double lost = dropped();
    assert_true(lost > 0 && lost < 39900);
    bed_redis_signal(&bed, SIGCONT);
    assert_true(bed_run_until(&bed, is_back, NULL, 15000));
    assert_int_equal(walk(everything(HISTORY_PAGE_MAX), numbers, 40000), 40000 - (unsigned)lost);
}

static void redis_keeps_no_more_than_it_may(void **state)
{
    const struct history_options few = {true, 90 * 24 * 3600 * 1000ull, 100};
    char left[64] = "";
    uint64_t now = clock_unix_ms();
    (void)state;
    for (unsigned i = 0; i < 1500; i++)
        append(i, now - i, "m", "k");
    append(2000, now - 100 * DAY_MS, "m", "k");
    wait_written();
    history_use(history, &few);
    for (unsigned i = 0; i < 50 && atoi(left) != 100; i++) {
        bed_run_for(&bed, 100);
        bed_redis_cli(&bed, "ZCARD test:history:order", left, sizeof left);
    }
    assert_int_equal(atoi(left), 100);
    bed_redis_cli(&bed, "HLEN test:history:frames", left, sizeof left);
    assert_int_equal(atoi(left), 100);
    bed_redis_cli(&bed, "PTTL test:history:order", left, sizeof left);
    assert_true(atoll(left) > (long long)(90 * DAY_MS));
}

static void damaged_record_hides_no_other_in_redis(void **state)
{
    static const char *const rows[] = {"garbage", "", "\\255\\255\\255\\127garbage"};
    char said[64], words[300];
    unsigned numbers[16];
    (void)state;
    for (unsigned i = 0; i < 9; i++)
        append(i, clock_unix_ms(), "m", "k");
    wait_written();
    for (unsigned i = 0; i < 3; i++) {
        snprintf(words, sizeof words,
                 "EVAL \"redis.call('HSET', KEYS[1], redis.call('HKEYS', KEYS[1])[%u], '%s')\" 1 "
                 "test:history:frames",
                 3 * i + 1, rows[i]);
        bed_redis_cli(&bed, words, said, sizeof said);
        assert_string_equal(said, "\n");
        assert_int_equal(walk(everything(5), numbers, 16), 8 - i);
    }
}

#define IN_EVERY(test)                                      \
    {#test "[memory]", test, start_memory, stop, NULL},     \
        {#test "[sqlite]", test, start_sqlite, stop, NULL}, \
    {                                                       \
        #test "[redis]", test, start_redis, stop, NULL      \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_EVERY(records_come_newest_first_and_each_once),
        IN_EVERY(times_and_filters_select),
        IN_EVERY(one_is_found_by_its_id),
        IN_EVERY(what_is_too_old_is_gone),
        IN_EVERY(nothing_is_kept_while_it_is_off),
        IN_EVERY(cancelled_reads_are_not_answered_and_closing_drops_the_rest),
        IN_EVERY(reads_are_bounded),
        cmocka_unit_test_setup_teardown(memory_keeps_the_last_ten_thousand, start_memory, stop),
        cmocka_unit_test_setup_teardown(closing_writes_what_waits, start_sqlite, stop),
        cmocka_unit_test_setup_teardown(redis_that_is_away_gets_what_waited_up_to_a_bound,
                                        start_redis, stop),
        cmocka_unit_test_setup_teardown(redis_keeps_no_more_than_it_may, start_redis, stop),
        cmocka_unit_test_setup_teardown(damaged_record_hides_no_other_in_redis, start_redis, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
