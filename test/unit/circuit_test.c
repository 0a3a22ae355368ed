/* When an endpoint is left alone, and when it is tried again. */
#include "unit.h"

#include "sluice/catalog/circuit.h"

enum { S = 1000 };
static const struct outcomes quiet = {0};

static void fail_times(struct circuit *c, unsigned n, uint64_t now_ms)
{
    for (unsigned i = 0; i < n; i++)
        (void)circuit_note(c, false, quiet, now_ms);
}

static void five_failures_in_a_row_open_it(void **state)
{
    (void)state;
    struct circuit c = {0};
    fail_times(&c, 4, 1 * S);
    assert_false(circuit_is_open(&c, 1 * S));
    assert_false(circuit_note(&c, true, quiet, 1 * S));
    fail_times(&c, 4, 1 * S);
    assert_false(circuit_is_open(&c, 1 * S));
    assert_true(circuit_note(&c, false, quiet, 1 * S));
    assert_true(circuit_is_open(&c, 1 * S) && circuit_is_open(&c, 31 * S - 1));
}

static void more_failures_than_successes_open_it(void **state)
{
    (void)state;
    static const struct {
        struct outcomes lately;
        bool opens;
    } rows[] = {
        {{0, 4}, false}, {{4, 5}, false},  {{5, 5}, false},
        {{4, 6}, true},  {{90, 91}, true}, {{91, 90}, false},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct circuit c = {0};
        (void)circuit_note(&c, false, rows[i].lately, 1 * S);
        assert_row(i, circuit_is_open(&c, 1 * S) == rows[i].opens);
        struct circuit fine = {0};
        (void)circuit_note(&fine, true, rows[i].lately, 1 * S); /* not at the moment it works */
        assert_row(i, !circuit_is_open(&fine, 1 * S));
    }
}

static void one_request_probes_and_the_others_wait(void **state)
{
    (void)state;
    struct circuit c = {0};
    fail_times(&c, 5, 0);
    assert_string_equal(circuit_word(&c, 29 * S), "open");
    assert_string_equal(circuit_word(&c, 30 * S), "half-open");
    assert_false(circuit_is_open(&c, 30 * S));
    circuit_begin(&c, 30 * S);
    assert_true(circuit_is_open(&c, 31 * S));
    /* it fails */
    assert_false(circuit_note(&c, false, quiet, 32 * S));
    assert_true(circuit_is_open(&c, 61 * S));
    /* the next one ends nowhere */
    circuit_begin(&c, 62 * S);
    circuit_forget(&c);
    assert_false(circuit_is_open(&c, 62 * S));
    /* the next one is never heard of again */
    circuit_begin(&c, 63 * S);
    assert_true(circuit_is_open(&c, 122 * S));
    assert_false(circuit_is_open(&c, 123 * S));
    /* and one works */
    circuit_begin(&c, 124 * S);
    assert_true(circuit_note(&c, true, quiet, 125 * S));
    assert_string_equal(circuit_word(&c, 125 * S), "closed");
    fail_times(&c, 4, 126 * S);
    assert_false(circuit_is_open(&c, 126 * S));
}

static void asking_an_endpoint_last_is_no_probe(void **state)
{
    (void)state;
    struct circuit c = {0};
    fail_times(&c, 5, 0);
    circuit_begin(&c, 10 * S); /* nobody else was left */
    assert_true(circuit_note(&c, true, quiet, 11 * S));
    assert_false(circuit_is_open(&c, 11 * S));
}

static void who_asks_for_peace_gets_it(void **state)
{
    (void)state;
    struct circuit c = {0};
    circuit_cool(&c, 5 * S, 0);
    circuit_cool(&c, 2 * S, 1 * S); /* another attempt heard less */
    assert_string_equal(circuit_word(&c, 4 * S), "cooling");
    assert_true(circuit_is_open(&c, 5 * S - 1));
    assert_false(circuit_is_open(&c, 5 * S));
    circuit_cool(&c, UINT64_MAX, 0);
    assert_true(circuit_is_open(&c, 599 * S));
    assert_false(circuit_is_open(&c, 600 * S));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(five_failures_in_a_row_open_it),
        cmocka_unit_test(more_failures_than_successes_open_it),
        cmocka_unit_test(one_request_probes_and_the_others_wait),
        cmocka_unit_test(asking_an_endpoint_last_is_no_probe),
        cmocka_unit_test(who_asks_for_peace_gets_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
