/* Values that survive the process, in a file that may be missing, foreign, full or locked. */
#include "store_bed.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct bed bed;
static char path[128];
static struct store_options options;

static int start(void **state)
{
    (void)state;
    bed_open(&bed);
    snprintf(path, sizeof(path), "%s/store.db", bed.directory);
    options = (struct store_options){
        .kind = STORE_SQLITE, .url = "sqlite:the-test", .path = path, .timeout_ms = 1000};
    return 0;
}

static int stop(void **state)
{
    (void)state;
    bed_close(&bed);
    return 0;
}

/* On its own connection, as an operator would. Returns the first column of the first row. */
static long long ask(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    long long answer = -1;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 2000);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    if (sqlite3_step(s) == SQLITE_ROW)
        answer = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return answer;
}

static void values_survive_a_restart(void **state)
{
    struct store *s = bed_store_open(&bed, &options);
    struct value_answer a;

    (void)state;
    store_put(s, SPAN_LIT("kept"), SPAN_LIT("value"), 60000);
    store_put(s, SPAN_LIT("short"), SPAN_LIT("value"), 100);
    store_close(s); /* at once: closing writes what waits */
    bed_run_for(&bed, 150);

    s = bed_store_open(&bed, &options);
    a = bed_get(&bed, s, SPAN_LIT("kept"));
    assert_true(a.found);
    assert_int_equal(a.quality, STORE_EXACT);
    assert_true(span_eq(a.value, SPAN_LIT("value")));
    assert_false(bed_get(&bed, s, SPAN_LIT("short")).found);
    store_close(s);
}

static void a_batch_is_written_within_its_time(void **state)
{
    struct store *s = bed_store_open(&bed, &options);

    (void)state;
    for (unsigned i = 0; i < 30; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key%u", i);
        store_put(s, span_text(key), SPAN_LIT("value"), 60000);
    }
    assert_int_equal(ask("SELECT count(*) FROM value"), 0);
    bed_run_for(&bed, 400);
    assert_int_equal(ask("SELECT count(*) FROM value"), 30);
    store_close(s);
}

static bool no_write_waits(void *arg)
{
    (void)arg;
    return ask("SELECT count(*) FROM value") == 2500;
}

static void a_full_batch_does_not_wait(void **state)
{
    struct store *s = bed_store_open(&bed, &options);

    (void)state;
    for (unsigned i = 0; i < 2500; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key%u", i);
        store_put(s, span_text(key), SPAN_LIT("value"), 60000);
    }
    assert_true(bed_run_until(&bed, no_write_waits, NULL, 5000));
    store_close(s);
}

static void a_read_sees_the_write_before_it(void **state)
{
    static uint8_t big[STORE_VALUE_MAX_BYTES];
    struct store *s = bed_store_open(&bed, &options);

    (void)state;
    /* More than memory keeps: the first ones are on disk, or still on their way there. */
    for (unsigned i = 0; i < 600; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key%u", i);
        memset(big, (int)i, sizeof(big));
        store_put(s, span_text(key), span_of(big, sizeof(big)), 60000);
        if (i % 100 == 99)
            bed_run_for(&bed, 150);
    }
    for (unsigned i = 0; i < 600; i += 50) {
        struct value_answer a;
        char key[16];
        snprintf(key, sizeof(key), "key%u", i);
        memset(big, (int)i, sizeof(big));
        a = bed_get(&bed, s, span_text(key));
        assert_true(a.found);
        assert_true(span_eq(a.value, span_of(big, sizeof(big))));
    }
    assert_int_equal((int)bed_errors(&bed), 0);
    store_close(s);
}

static void a_locked_file_costs_no_caller_more_than_the_timeout(void **state)
{
    struct store *s;
    sqlite3 *other;
    struct value_answer a;
    uint64_t began_ms;

    (void)state;
    options.timeout_ms = 50;
    s = bed_store_open(&bed, &options);
    assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    store_put(s, SPAN_LIT("k"), SPAN_LIT("v"), 60000);
    bed_run_for(&bed, 5); /* the loop's clock stood still during the calls above */
    began_ms = loop_now_ms(bed.loop);
    a = bed_get(&bed, s, SPAN_LIT("absent")); /* behind a write that waits for the lock */
    assert_false(a.found);
    assert_int_equal(a.quality, STORE_LOCAL);
    assert_in_range(loop_now_ms(bed.loop) - began_ms, 50, 500);
    assert_true(bed_get(&bed, s, SPAN_LIT("k")).found); /* from memory */
    sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close(other);
    store_close(s);
}

static bool errors_were_counted(void *arg)
{
    (void)arg;
    return bed_errors(&bed) > 0;
}

static void a_file_that_fails_is_said_once_and_memory_goes_on(void **state)
{
    struct store *s = bed_store_open(&bed, &options);
    const char *detail;

    (void)state;
    ask("DROP TABLE value");
    for (unsigned i = 0; i < 3; i++) {
        store_put(s, SPAN_LIT("k"), SPAN_LIT("v"), 60000);
        bed_run_for(&bed, 300);
    }
    assert_true(bed_run_until(&bed, errors_were_counted, NULL, 3000));
    assert_true(bed_get(&bed, s, SPAN_LIT("k")).found);
    assert_int_equal(bed_log_count(&bed, "store file fails"), 1);
    assert_true(store_usable(s, &detail));
    assert_string_equal(detail, "file fails, values in memory only");
    store_close(s);
}

static void assert_refused(const char *because)
{
    struct err why = {0};

    assert_null(store_open(bed.loop, &options, bed.metrics, &why));
    assert_non_null(strstr(why.text, path));
    if (strstr(why.text, because) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why.text, because);
}

static void what_cannot_work_is_an_error_at_the_start(void **state)
{
    FILE *f;

    (void)state;
    snprintf(path, sizeof(path), "%s/absent/store.db", bed.directory);
    assert_refused("directory");

    snprintf(path, sizeof(path), "%s/foreign.db", bed.directory);
    f = fopen(path, "w");
    for (unsigned i = 0; i < 1000; i++)
        fputs("this is no database\n", f);
    fclose(f);
    assert_refused("not a database");

    snprintf(path, sizeof(path), "%s/newer.db", bed.directory);
    ask("PRAGMA user_version = 99");
    assert_refused("newer");
}

static void an_older_file_is_migrated(void **state)
{
    struct store *s;

    (void)state;
    ask("PRAGMA user_version = 0");
    s = bed_store_open(&bed, &options);
    assert_int_equal(ask("PRAGMA user_version"), 3);
    assert_int_equal(ask("SELECT count(*) FROM record"), 0);
    store_close(s);
    bed_run_for(&bed, 20);
    s = bed_store_open(&bed, &options); /* and left alone when it is up to date */
    store_close(s);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(values_survive_a_restart),
        CASE(a_batch_is_written_within_its_time),
        CASE(a_full_batch_does_not_wait),
        CASE(a_read_sees_the_write_before_it),
        CASE(a_locked_file_costs_no_caller_more_than_the_timeout),
        CASE(a_file_that_fails_is_said_once_and_memory_goes_on),
        CASE(what_cannot_work_is_an_error_at_the_start),
        CASE(an_older_file_is_migrated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
