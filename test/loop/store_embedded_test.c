/* The bounds of what is kept in memory: whatever clients do, it stays small, and what is in use stays. */
#include "store_bed.h"

#include "../../src/store/embedded.h"

#include <stdio.h>

#define MINUTE_MS UINT64_C(60000)
#define START (UINT64_C(29000000) * MINUTE_MS)

static struct embedded *memory;

static int start(void **state)
{
    (void)state;
    memory = embedded_new();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    embedded_free(memory);
    return 0;
}

static bool admit(const char *scope, unsigned rpm, uint64_t now)
{
    struct admit_query q = {.rpm = rpm, .now_unix_ms = now};
    struct admit_answer out;

    snprintf(q.scope, sizeof(q.scope), "%s", scope);
    embedded_admit(memory, &q, &out);
    return out.allowed;
}

static bool has(const char *key, uint64_t now)
{
    struct span value;

    return embedded_find(memory, span_text(key), now, &value);
}

static void a_flood_of_scopes_does_not_reset_one_in_use(void **state)
{
    (void)state;
    assert_true(admit("key:busy", 1, START));
    for (unsigned i = 0; i < 300 * 1000; i++) {
        char name[ADMIT_SCOPE_BYTES];
        snprintf(name, sizeof(name), "key:%u", i);
        assert_true(admit(name, 1, START));
        if (i % 100 == 0)
            assert_false(admit("key:busy", 1, START));
    }
    assert_true(admit("key:0", 1, START)); /* 300,000 others ago: forgotten */
}

static void values_stay_within_their_bytes(void **state)
{
    static uint8_t big[STORE_VALUE_MAX_BYTES];
    unsigned found = 0;

    (void)state;
    for (unsigned i = 0; i < 2000; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key%u", i);
        assert_int_equal(embedded_keep(memory, span_text(key), span_of(big, sizeof(big)),
                                       START + MINUTE_MS, START),
                         0);
        assert_true(has("key0", START)); /* used all the time */
    }
    for (unsigned i = 0; i < 2000; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key%u", i);
        found += has(key, START);
    }
    assert_in_range(found, 500, 512); /* 32 MiB */
    assert_true(has("key1999", START));
}

static void values_stay_within_their_number(void **state)
{
    unsigned found = 0;

    (void)state;
    for (unsigned i = 0; i < 100 * 1000; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key%u", i);
        assert_int_equal(
            embedded_keep(memory, span_text(key), SPAN_LIT("v"), START + MINUTE_MS, START), 0);
    }
    for (unsigned i = 0; i < 100 * 1000; i++) {
        char key[16];
        snprintf(key, sizeof(key), "key%u", i);
        found += has(key, START);
    }
    assert_int_equal(found, 64 * 1024);
}

static void a_value_ends_at_its_millisecond(void **state)
{
    (void)state;
    assert_int_equal(embedded_keep(memory, SPAN_LIT("k"), SPAN_LIT("v"), START + 10, START), 0);
    assert_true(has("k", START + 9));
    assert_false(has("k", START + 10));
    assert_false(has("k", START)); /* and does not come back */
}

static void debts_are_taken_once_and_age_with_the_window(void **state)
{
    const struct window one = {.now = 1};
    struct window owed;

    (void)state;
    embedded_owe(memory, "key:a", START, &one);
    embedded_owe(memory, "key:a", START + 100, &one);
    embedded_owe(memory, "key:a", START + MINUTE_MS, &one);
    owed = embedded_take_owed(memory, "key:a", START + MINUTE_MS);
    assert_int_equal(owed.now, 1);
    assert_int_equal(owed.before, 2);
    owed = embedded_take_owed(memory, "key:a", START + MINUTE_MS);
    assert_int_equal(owed.now + owed.before, 0);

    embedded_owe(memory, "key:a", START, &one);
    owed = embedded_take_owed(memory, "key:a", START + 5 * MINUTE_MS);
    assert_int_equal(owed.now + owed.before, 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_flood_of_scopes_does_not_reset_one_in_use),
        CASE(values_stay_within_their_bytes),
        CASE(values_stay_within_their_number),
        CASE(a_value_ends_at_its_millisecond),
        CASE(debts_are_taken_once_and_age_with_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
