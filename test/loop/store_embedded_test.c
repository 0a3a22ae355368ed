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

static bool has(const char *key, uint64_t now)
{
    struct span value;

    return embedded_find(memory, span_text(key), now, &value);
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(values_stay_within_their_bytes),
        CASE(values_stay_within_their_number),
        CASE(a_value_ends_at_its_millisecond),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
