/* One suite for every way to configure the store: whoever calls it cannot tell which one answers. */
#include "store_bed.h"

#include <stdio.h>
#include <stdlib.h>

#define MINUTE_MS UINT64_C(60000)
#define START (UINT64_C(29000000) * MINUTE_MS) /* the first millisecond of a minute, of 2025 */

static struct backend {
    const char *name;
    const char *is; /* store_name */
    bool redis, over_unix, tls_and_users;
    unsigned database;
} backends[] = {
    {.name = "memory", .is = "memory"},
    {.name = "sqlite", .is = "sqlite"},
    {.name = "redis over tcp", .is = "redis", .redis = true},
    {.name = "redis over a unix socket", .is = "redis", .redis = true, .over_unix = true},
    {.name = "redis with tls, user and database",
     .is = "redis",
     .redis = true,
     .tls_and_users = true,
     .database = 3},
};

static const struct backend *backend; /* the one under test */
static struct bed bed;
static struct store *store;
static struct store_options options;
static char sqlite_path[128];

static int start(void **state)
{
    backend = *state;
    bed_open(&bed);
    if (backend->redis) {
        bed_redis_start(&bed, backend->tls_and_users, backend->tls_and_users);
        options = bed_redis_options(&bed, backend->over_unix);
        options.database = backend->database;
    } else {
        snprintf(sqlite_path, sizeof(sqlite_path), "%s/store.db", bed.directory);
        options =
            (struct store_options){.kind = STORE_MEMORY, .url = "memory:", .timeout_ms = 1000};
        if (strcmp(backend->is, "sqlite") == 0) {
            options.kind = STORE_SQLITE;
            options.path = sqlite_path;
        }
    }
    store = bed_store_open(&bed, &options);
    bed_store_connected(&bed, store);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    store_close(store);
    assert_int_equal((int)bed_errors(&bed), 0);
    assert_int_equal(bed_log_count(&bed, BED_PASSWORD), 0);
    bed_close(&bed);
    return 0;
}

static struct admit_answer admit(unsigned rpm, uint64_t ms)
{
    return bed_admit(&bed, store, "key:alice", rpm, START + ms);
}

static void it_knows_its_name(void **state)
{
    (void)state;
    assert_string_equal(store_name(store), backend->is);
}

/* ── counting ────────────────────────────────────────────────────────────────────────────────── */

static void exactly_the_limit_is_allowed(void **state)
{
    struct admit_answer a;

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        a = admit(20, i);
        assert_true(a.allowed);
        assert_int_equal(a.limit, 20);
        assert_int_equal(a.remaining, 19 - i);
        assert_int_equal(a.retry_after_s, 0);
        assert_int_equal(a.quality, STORE_EXACT);
    }
    a = admit(20, 20);
    assert_false(a.allowed);
    assert_int_equal(a.limit, 20);
    assert_int_equal(a.remaining, 0);
    assert_int_equal(a.retry_after_s, 60);
    assert_int_equal(a.quality, STORE_EXACT);
}

static void refused_requests_do_not_count(void **state)
{
    (void)state;
    assert_true(admit(2, 0).allowed);
    assert_true(admit(2, 0).allowed);
    for (unsigned i = 0; i < 50; i++)
        assert_false(admit(2, 1000).allowed);
    /* Two in the minute before weigh one and a half at this time: there is room for one. */
    assert_true(admit(2, MINUTE_MS + 15000).allowed);
    assert_false(admit(2, MINUTE_MS + 15000).allowed);
}

static void retry_after_says_when(void **state)
{
    struct admit_answer a;

    (void)state;
    for (unsigned i = 0; i < 10; i++)
        assert_true(admit(10, 30000).allowed);
    a = admit(10, 40500);
    assert_false(a.allowed);
    assert_int_equal(a.retry_after_s, 20); /* 19.501 s */
    assert_false(admit(10, 40500 + 19000).allowed);
    assert_true(admit(10, 40500 + 20000).allowed);
}

static void the_window_slides(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 60; i++)
        assert_true(admit(60, 0).allowed);
    for (unsigned s = 1; s <= 60; s++) { /* one leaves each second */
        assert_true(admit(60, MINUTE_MS + s * 1000).allowed);
        assert_false(admit(60, MINUTE_MS + s * 1000).allowed);
    }
    assert_int_equal(admit(60, 10 * MINUTE_MS).remaining, 59);
}

static void a_clock_slightly_behind_opens_no_new_window(void **state)
{
    (void)state;
    assert_true(admit(1, MINUTE_MS + 10).allowed);
    assert_false(admit(1, MINUTE_MS - 10).allowed);
}

static void no_limit_counts_and_allows(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        struct admit_answer a = admit(0, 0);
        assert_true(a.allowed);
        assert_int_equal(a.limit, 0);
        assert_int_equal(a.remaining, 0);
    }
    assert_false(admit(5, 0).allowed);
}

static void scopes_are_counted_apart(void **state)
{
    char scope[LEDGER_SCOPE_BYTES];

    (void)state;
    memset(scope, 'x', sizeof(scope));
    scope[sizeof(scope) - 1] = '\0';
    for (unsigned i = 0; i < 100; i++) {
        scope[sizeof(scope) - 2] = (char)(i + 1); /* any byte but NUL */
        assert_true(bed_admit(&bed, store, scope, 1, START).allowed);
        assert_false(bed_admit(&bed, store, scope, 1, START).allowed);
    }
}

static void large_limits_are_exact(void **state)
{
    struct admit_answer a = admit(UINT32_MAX, 59999);

    (void)state;
    assert_true(a.allowed);
    assert_int_equal(a.limit, UINT32_MAX);
    assert_int_equal(a.remaining, UINT32_MAX - 1);
}

static void two_stores_on_one_redis_share_their_counts(void **state)
{
    struct store *other;
    unsigned allowed = 0;

    (void)state;
    if (!backend->redis)
        return; /* in one process's memory there is nothing to share */
    other = bed_store_open(&bed, &options);
    bed_store_connected(&bed, other);
    for (unsigned i = 0; i < 40; i++)
        allowed += bed_admit(&bed, i % 2 ? store : other, "key:shared", 25, START).allowed;
    assert_int_equal(allowed, 25);
    store_close(other);
}

/* ── many at once ────────────────────────────────────────────────────────────────────────────── */

enum { MANY = 500, MANY_RPM = 200 };
struct crowd {
    unsigned answered, allowed;
};

static void on_crowd(void *arg, const struct admit_answer *a)
{
    struct crowd *c = arg;

    assert_int_equal(a->quality, STORE_EXACT);
    c->answered++;
    c->allowed += a->allowed;
}

static bool crowd_answered(void *arg)
{
    return ((struct crowd *)arg)->answered == MANY;
}

static void many_at_once_get_exactly_the_limit(void **state)
{
    const struct admit_query q = bed_query("key:crowd", MANY_RPM, START);
    struct crowd crowd = {0};

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        struct admit_answer out;
        struct admit_call *call;
        if (store_admit(store, &q, &out, on_crowd, &crowd, &call) == STORE_DONE)
            on_crowd(&crowd, &out);
    }
    assert_true(bed_run_until(&bed, crowd_answered, &crowd, 5000));
    assert_int_equal(crowd.allowed, MANY_RPM);
}

static void on_never(void *arg, const struct admit_answer *a)
{
    (void)arg;
    (void)a;
    fail_msg("a cancelled call was answered");
}

static void a_cancelled_call_is_never_answered_and_others_are(void **state)
{
    struct admit_query q = bed_query("key:cancel", 1000, START);
    struct admit_call *calls[20];
    struct admit_answer out;

    (void)state;
    for (unsigned i = 0; i < 20; i++)
        store_admit(store, &q, &out, on_never, NULL, &calls[i]);
    for (unsigned i = 0; i < 20; i++) {
        if (calls[i] != NULL)
            store_cancel(calls[i]);
    }
    /* Replies come in order: behind the cancelled ones the next call still gets its own. */
    assert_int_equal(bed_admit(&bed, store, "key:cancel", 1000, START).remaining, 1000 - 21);
}

static void on_no_notes(void *arg, const struct notes *heard)
{
    (void)arg;
    (void)heard;
    fail_msg("a cancelled call was answered");
}

static void closing_drops_pending_calls(void **state)
{
    struct store *other = bed_store_open(&bed, &options);
    struct admit_query q = bed_query("key:close", 1, START);
    struct admit_answer out;
    struct value_answer value;
    struct admit_call *call;
    struct value_call *value_call;
    struct store_place from = {""};
    struct notes notes;
    struct hear_call *hear_call;

    (void)state;
    bed_store_connected(&bed, other);
    store_hear(other, SPAN_LIT("talk"), &from, &notes, on_no_notes, NULL, &hear_call);
    store_admit(other, &q, &out, on_never, NULL, &call);
    store_get(other, SPAN_LIT("absent"), &value, NULL, NULL, &value_call);
    store_put(other, SPAN_LIT("late"), SPAN_LIT("value"), 60000);
    store_close(other);
    bed_run_for(&bed, 50);
}

/* ── remembering ─────────────────────────────────────────────────────────────────────────────── */

static void assert_value(struct span key, struct span want)
{
    struct value_answer a = bed_get(&bed, store, key);

    assert_true(a.found);
    assert_int_equal(a.quality, STORE_EXACT);
    assert_int_equal(a.value.len, want.len);
    assert_true(span_eq(a.value, want));
}

static void what_was_put_is_found(void **state)
{
    (void)state;
    assert_false(bed_get(&bed, store, SPAN_LIT("absent")).found);
    store_put(store, SPAN_LIT("one"), SPAN_LIT("1"), 60000);
    store_put(store, SPAN_LIT("two"), SPAN_LIT("2"), 60000);
    assert_value(SPAN_LIT("one"), SPAN_LIT("1"));
    store_put(store, SPAN_LIT("one"), SPAN_LIT("uno"), 60000);
    assert_value(SPAN_LIT("one"), SPAN_LIT("uno"));
    assert_value(SPAN_LIT("two"), SPAN_LIT("2"));
    store_put(store, SPAN_LIT("empty"), SPAN_NONE, 60000);
    assert_value(SPAN_LIT("empty"), SPAN_NONE);
}

static void values_end_with_their_time(void **state)
{
    (void)state;
    store_put(store, SPAN_LIT("short"), SPAN_LIT("1"), 200);
    store_put(store, SPAN_LIT("long"), SPAN_LIT("2"), 60000);
    assert_value(SPAN_LIT("short"), SPAN_LIT("1"));
    bed_run_for(&bed, 250);
    assert_false(bed_get(&bed, store, SPAN_LIT("short")).found);
    assert_value(SPAN_LIT("long"), SPAN_LIT("2"));
}

static void keys_and_values_are_any_bytes(void **state)
{
    uint8_t key[STORE_KEY_MAX_BYTES], value[256];

    (void)state;
    for (unsigned i = 0; i < 256; i++)
        value[i] = (uint8_t)i;
    for (unsigned half = 0; half < 2; half++) {
        for (unsigned i = 0; i < sizeof(key); i++)
            key[i] = (uint8_t)(half * 128 + i);
        value[0] = (uint8_t)half;
        store_put(store, span_of(key, sizeof(key)), span_of(value, sizeof(value)), 60000);
        assert_value(span_of(key, sizeof(key)), span_of(value, sizeof(value)));
    }
    store_put(store, SPAN_LIT("a\0b"), SPAN_LIT("1"), 60000);
    assert_false(bed_get(&bed, store, SPAN_LIT("a")).found);
    assert_value(SPAN_LIT("a\0b"), SPAN_LIT("1"));
    store_put(store, SPAN_LIT("\r\n$3\r\nfoo\r\n"), SPAN_LIT("\r\n"), 60000);
    assert_value(SPAN_LIT("\r\n$3\r\nfoo\r\n"), SPAN_LIT("\r\n"));
}

static void the_largest_values_come_back_whole(void **state)
{
    static uint8_t big[STORE_VALUE_MAX_BYTES];

    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        char key[16];
        memset(big, 'a' + (int)round, sizeof(big));
        snprintf(key, sizeof(key), "big%u", round);
        store_put(store, span_text(key), span_of(big, sizeof(big)), 60000);
    }
    for (unsigned round = 0; round < 20; round++) {
        char key[16];
        memset(big, 'a' + (int)round, sizeof(big));
        snprintf(key, sizeof(key), "big%u", round);
        assert_value(span_text(key), span_of(big, sizeof(big)));
    }
}

static void on_no_value(void *arg, const struct value_answer *a)
{
    (void)arg;
    (void)a;
    fail_msg("a cancelled call was answered");
}

static void a_cancelled_get_is_never_answered(void **state)
{
    struct value_answer out;
    struct value_call *call;

    (void)state;
    store_get(store, SPAN_LIT("absent"), &out, on_no_value, NULL, &call);
    if (call != NULL)
        store_get_cancel(call);
    store_put(store, SPAN_LIT("there"), SPAN_LIT("1"), 60000);
    assert_value(SPAN_LIT("there"), SPAN_LIT("1"));
}

/* ── telling each other ──────────────────────────────────────────────────────────────────────── */

static void tell(const char *note)
{
    store_tell(store, SPAN_LIT("talk"), span_text(note), 60000);
}

static void what_is_told_is_heard_once_and_by_who_comes_later(void **state)
{
    struct store_place mine = {""}, yours = {""};

    (void)state;
    assert_string_equal(bed_hear(&bed, store, &mine), "");
    tell("one");
    tell("two");
    if (!backend->redis) { /* nobody else is there */
        assert_string_equal(bed_hear(&bed, store, &mine), "");
        return;
    }
    assert_string_equal(bed_hear(&bed, store, &mine), "one two ");
    assert_string_equal(bed_hear(&bed, store, &mine), "");
    tell("three");
    assert_string_equal(bed_hear(&bed, store, &mine), "three ");
    assert_string_equal(bed_hear(&bed, store, &yours), "one two three ");
}

static void a_place_in_time_leaves_out_what_was_told_before(void **state)
{
    struct store_place before = store_place_at(clock_unix_ms() - 60000),
                       after = store_place_at(clock_unix_ms() + 60000);

    (void)state;
    tell("now");
    assert_string_equal(bed_hear(&bed, store, &before), backend->redis ? "now " : "");
    assert_string_equal(bed_hear(&bed, store, &after), "");
}

static void many_notes_come_some_at_a_time(void **state)
{
    static char big[STORE_NOTE_MAX_BYTES];
    struct store_place from = {""};
    unsigned heard = 0;

    (void)state;
    memset(big, 'x', sizeof(big));
    for (unsigned i = 0; i < 20; i++)
        store_tell(store, SPAN_LIT("talk"), span_of(big, sizeof(big)), 60000);
    for (unsigned i = 0; i < 4; i++)
        heard += (unsigned)strlen(bed_hear(&bed, store, &from)) / 21;
    assert_int_equal(heard, backend->redis ? 20 : 0);
}

static void a_cancelled_hearing_is_never_answered(void **state)
{
    struct store_place from = {""};
    struct notes out;
    struct hear_call *call;

    (void)state;
    store_hear(store, SPAN_LIT("talk"), &from, &out, on_no_notes, NULL, &call);
    if (call != NULL)
        store_hear_cancel(call);
    store_put(store, SPAN_LIT("there"), SPAN_LIT("1"), 60000);
    assert_value(SPAN_LIT("there"), SPAN_LIT("1"));
}

/* ── records ─────────────────────────────────────────────────────────────────────────────────── */

struct told {
    unsigned answers;
    enum record_outcome outcome;
    unsigned n;
    char text[512]; /* "id=value id=value", cut off */
};

static void on_record(void *arg, const struct record_answer *a)
{
    struct told *t = arg;
    size_t at = 0;

    t->answers++;
    t->outcome = a->outcome;
    t->n = a->n;
    t->text[0] = '\0';
    for (unsigned i = 0; i < a->n && at < sizeof(t->text) - 80; i++)
        at += (size_t)snprintf(t->text + at, sizeof(t->text) - at, "%s%.*s=%.*s", i > 0 ? " " : "",
                               SPAN_FMT(a->at[i].id), SPAN_FMT(span_sub(a->at[i].value, 0, 8)));
}

static bool is_told(void *arg)
{
    return ((struct told *)arg)->answers > 0;
}

#define RECORD(verb, ...)                                                     \
    ({                                                                        \
        struct told told_ = {0};                                              \
        records_##verb(store_records(store), __VA_ARGS__, on_record, &told_); \
        assert_int_equal(told_.answers, 0); /* never within the call */       \
        assert_true(bed_run_until(&bed, is_told, &told_, 5000));              \
        told_;                                                                \
    })
#define LIST(kind) RECORD(list, kind).text

static void records_are_kept_by_kind_and_id(void **state)
{
    (void)state;
    assert_string_equal(LIST("a"), "");
    assert_int_equal(RECORD(get, "a", SPAN_LIT("2")).outcome, RECORD_ABSENT);
    assert_int_equal(RECORD(delete, "a", SPAN_LIT("2")).outcome, RECORD_ABSENT);
    assert_int_equal(RECORD(put, "a", SPAN_LIT("2"), SPAN_LIT("two")).outcome, RECORD_DONE);
    assert_int_equal(RECORD(put, "a", SPAN_LIT("1"), SPAN_LIT("one")).outcome, RECORD_DONE);
    assert_int_equal(RECORD(put, "b", SPAN_LIT("1"), SPAN_LIT("other")).outcome, RECORD_DONE);
    assert_string_equal(LIST("a"), "1=one 2=two");
    assert_string_equal(LIST("b"), "1=other");
    assert_string_equal(RECORD(get, "a", SPAN_LIT("2")).text, "2=two");
    assert_int_equal(RECORD(put, "a", SPAN_LIT("2"), SPAN_LIT("deux")).outcome, RECORD_DONE);
    assert_string_equal(LIST("a"), "1=one 2=deux");
    assert_int_equal(RECORD(replace, "a", SPAN_LIT("1"), SPAN_LIT("une")).outcome, RECORD_DONE);
    assert_int_equal(RECORD(replace, "a", SPAN_LIT("7"), SPAN_LIT("x")).outcome, RECORD_ABSENT);
    assert_int_equal(RECORD(replace, "b", SPAN_LIT("2"), SPAN_LIT("x")).outcome, RECORD_ABSENT);
    assert_int_equal(RECORD(replace, "a", SPAN_NONE, SPAN_LIT("x")).outcome, RECORD_FULL);
    assert_string_equal(LIST("a"), "1=une 2=deux");
    assert_string_equal(LIST("b"), "1=other");
    assert_int_equal(RECORD(delete, "a", SPAN_LIT("1")).outcome, RECORD_DONE);
    assert_int_equal(RECORD(put, "a", SPAN_LIT("3"), SPAN_NONE).outcome, RECORD_DONE);
    assert_string_equal(LIST("a"), "2=deux 3=");
}

static void records_are_bounded_and_any_bytes(void **state)
{
    static uint8_t value[RECORD_VALUE_MAX_BYTES + 1];
    uint8_t id[RECORD_ID_MAX_BYTES + 1];
    struct told t;

    (void)state;
    for (unsigned i = 0; i < sizeof(value); i++)
        value[i] = (uint8_t)i;
    memset(id, 0xff, sizeof(id));
    assert_int_equal(RECORD(put, "a", SPAN_NONE, SPAN_LIT("x")).outcome, RECORD_FULL);
    assert_int_equal(RECORD(get, "a", SPAN_NONE).outcome, RECORD_ABSENT);
    assert_int_equal(RECORD(put, "a", span_of(id, sizeof(id)), SPAN_LIT("x")).outcome, RECORD_FULL);
    assert_int_equal(RECORD(put, "a", SPAN_LIT("x"), span_of(value, sizeof(value))).outcome,
                     RECORD_FULL);
    assert_string_equal(LIST("a"), "");
    t = RECORD(put, "a", span_of(id, sizeof(id) - 1), span_of(value, sizeof(value) - 1));
    assert_int_equal(t.outcome, RECORD_DONE);
    t = RECORD(get, "a", span_of(id, sizeof(id) - 1));
    assert_int_equal(t.outcome, RECORD_DONE);
    assert_int_equal(t.n, 1);
}

/* More than a page of Redis holds, in number and in size. */
static void many_records_are_listed_whole(void **state)
{
    static uint8_t value[20 * 1024];
    char id[16];

    (void)state;
    for (unsigned i = 0; i < 150; i++) {
        struct told t;
        snprintf(id, sizeof(id), "id-%03u", i);
        t = RECORD(put, "many", span_text(id), span_of(value, i % 2 ? sizeof(value) : i));
        assert_int_equal(t.outcome, RECORD_DONE);
    }
    assert_int_equal(RECORD(list, "many").n, 150);
}

static void a_kind_has_an_end(void **state)
{
    struct told t = {0};
    char id[16];

    (void)state;
    for (unsigned begin = 0; begin < RECORDS_MAX; begin += 500) {
        t = (struct told){0};
        for (unsigned i = begin; i < begin + 500; i++) {
            snprintf(id, sizeof(id), "%u", i);
            records_put(store_records(store), "full", span_text(id), SPAN_LIT("x"), on_record, &t);
        }
        for (unsigned i = 0; i < 50 && t.answers < 500; i++)
            bed_run_for(&bed, 200);
        assert_int_equal(t.answers, 500);
        assert_int_equal(t.outcome, RECORD_DONE);
    }
    assert_int_equal(RECORD(put, "full", SPAN_LIT("one more"), SPAN_LIT("x")).outcome, RECORD_FULL);
    assert_int_equal(RECORD(put, "full", SPAN_LIT("7"), SPAN_LIT("y")).outcome, RECORD_DONE);
    assert_int_equal(RECORD(list, "full").n, RECORDS_MAX);
}

static void on_no_record(void *arg, const struct record_answer *a)
{
    (void)arg;
    (void)a;
    fail_msg("a cancelled call was answered");
}

static void a_cancelled_change_is_made_and_not_answered(void **state)
{
    struct records *r = store_records(store);

    (void)state;
    record_call_cancel(records_list(r, "a", on_no_record, NULL));
    record_call_cancel(records_get(r, "a", SPAN_LIT("1"), on_no_record, NULL));
    bed_run_for(&bed, 50);
    assert_int_equal(RECORD(put, "a", SPAN_LIT("1"), SPAN_LIT("one")).outcome, RECORD_DONE);
    assert_string_equal(LIST("a"), "1=one");
}

struct watcher {
    struct record_watch watch; /* first */
    unsigned told;
};

static void on_changed(struct record_watch *w)
{
    ((struct watcher *)w)->told++;
}

static bool heard_anything(void *arg)
{
    return ((struct watcher *)arg)->told > 0;
}

static void a_watch_hears_of_every_change_of_its_kind(void **state)
{
    struct watcher w = {.watch = {.kind = "a", .changed = on_changed}};
    struct record_watch *watch = &w.watch;

    (void)state;
    records_watch(store_records(store), watch);
    assert_true(bed_run_until(&bed, heard_anything, &w, 1000)); /* it can be asked */
    w.told = 0;
    assert_int_equal(RECORD(put, "b", SPAN_LIT("1"), SPAN_LIT("x")).outcome, RECORD_DONE);
    assert_int_equal(RECORD(delete, "a", SPAN_LIT("1")).outcome, RECORD_ABSENT);
    bed_run_for(&bed, 700);
    assert_int_equal(w.told, 0);
    assert_int_equal(RECORD(put, "a", SPAN_LIT("1"), SPAN_LIT("x")).outcome, RECORD_DONE);
    assert_int_equal(w.told, 1); /* whoever made it is answered after that */
    assert_int_equal(RECORD(delete, "a", SPAN_LIT("1")).outcome, RECORD_DONE);
    bed_run_for(&bed, 700);
    assert_int_equal(w.told, 2);
    record_watch_stop(watch);
    record_watch_stop(watch);
}

static void a_change_elsewhere_is_heard_within_a_second(void **state)
{
    struct watcher w = {.watch = {.kind = "a", .changed = on_changed}};
    struct store *other;

    (void)state;
    if (!backend->redis)
        return; /* nobody else can change anything */
    other = bed_store_open(&bed, &options);
    bed_store_connected(&bed, other);
    records_watch(store_records(other), &w.watch);
    assert_true(bed_run_until(&bed, heard_anything, &w, 1000));
    for (unsigned i = 0; i < 3; i++) {
        w.told = 0;
        assert_int_equal(RECORD(put, "a", SPAN_LIT("1"), SPAN_LIT("x")).outcome, RECORD_DONE);
        assert_true(bed_run_until(&bed, heard_anything, &w, 1000));
    }
    store_close(other); /* the watch ends with it */
    assert_null(w.watch.from);
}

static void closing_drops_calls_for_records(void **state)
{
    struct store *other = bed_store_open(&bed, &options);

    (void)state;
    bed_store_connected(&bed, other);
    records_put(store_records(other), "c", SPAN_LIT("1"), SPAN_LIT("x"), on_no_record, NULL);
    records_list(store_records(other), "c", on_no_record, NULL);
    store_close(other);
    bed_run_for(&bed, 50);
}

static void records_outlive_the_store(void **state)
{
    (void)state;
    assert_int_equal(RECORD(put, "a", SPAN_LIT("1"), SPAN_LIT("one")).outcome, RECORD_DONE);
    store_close(store);
    bed_run_for(&bed, 100);
    store = bed_store_open(&bed, &options);
    bed_store_connected(&bed, store);
    assert_string_equal(LIST("a"), strcmp(backend->is, "memory") == 0 ? "" : "1=one");
}

static const struct bed_case cases[] = {
    BED_CASE(it_knows_its_name),
    BED_CASE(exactly_the_limit_is_allowed),
    BED_CASE(refused_requests_do_not_count),
    BED_CASE(retry_after_says_when),
    BED_CASE(the_window_slides),
    BED_CASE(a_clock_slightly_behind_opens_no_new_window),
    BED_CASE(no_limit_counts_and_allows),
    BED_CASE(scopes_are_counted_apart),
    BED_CASE(large_limits_are_exact),
    BED_CASE(two_stores_on_one_redis_share_their_counts),
    BED_CASE(many_at_once_get_exactly_the_limit),
    BED_CASE(a_cancelled_call_is_never_answered_and_others_are),
    BED_CASE(closing_drops_pending_calls),
    BED_CASE(what_was_put_is_found),
    BED_CASE(values_end_with_their_time),
    BED_CASE(keys_and_values_are_any_bytes),
    BED_CASE(the_largest_values_come_back_whole),
    BED_CASE(a_cancelled_get_is_never_answered),
    BED_CASE(what_is_told_is_heard_once_and_by_who_comes_later),
    BED_CASE(a_place_in_time_leaves_out_what_was_told_before),
    BED_CASE(many_notes_come_some_at_a_time),
    BED_CASE(a_cancelled_hearing_is_never_answered),
    BED_CASE(records_are_kept_by_kind_and_id),
    BED_CASE(records_are_bounded_and_any_bytes),
    BED_CASE(many_records_are_listed_whole),
    BED_CASE(a_kind_has_an_end),
    BED_CASE(a_cancelled_change_is_made_and_not_answered),
    BED_CASE(a_watch_hears_of_every_change_of_its_kind),
    BED_CASE(a_change_elsewhere_is_heard_within_a_second),
    BED_CASE(closing_drops_calls_for_records),
    BED_CASE(records_outlive_the_store),
};

int main(void)
{
    int failed = 0;

    for (unsigned b = 0; b < sizeof(backends) / sizeof(*backends); b++)
        failed += bed_run_cases(backends[b].name, &backends[b], cases,
                                sizeof(cases) / sizeof(*cases), start, stop);
    return failed;
}
