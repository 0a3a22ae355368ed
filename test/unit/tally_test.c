/* The bounds of what is kept of scopes: small whatever clients do, and what is in use stays. */
#include "unit.h"

#include "../../src/store/tally.h"

#define START (UINT64_C(29000000) * WINDOW_MS)

static void a_flood_of_scopes_does_not_reset_one_in_use(void **state)
{
    struct tallies t = {0};

    (void)state;
    book_move(&tally_of(&t, "key:busy", START)->book, START);
    window_count(&tally_of(&t, "key:busy", START)->book.requests, 1);
    for (unsigned i = 0; i < 200 * 1000; i++) {
        char name[LEDGER_SCOPE_BYTES];
        snprintf(name, sizeof(name), "key:%u", i);
        tally_of(&t, name, START)->book.requests.minute = START / WINDOW_MS;
        if (i % 100 == 0)
            assert_int_equal(tally_of(&t, "key:busy", START)->book.requests.now, 1);
    }
    assert_in_range(lru_count(&t.by_name), TALLIES_MAX - 2, TALLIES_MAX);
    assert_null(tally_find(&t, "key:0"));
    tallies_fini(&t);
}

static void what_runs_or_has_to_be_told_or_is_the_truth_makes_no_room(void **state)
{
    static const char *const names[] = {"key:runs", "key:untold", "key:telling", "key:spent"};
    struct tallies t = {.are_the_truth = true};
    struct ring queue;

    (void)state;
    ring_init(&queue);
    tally_of(&t, names[0], START)->own.live = 1;
    ring_add(&queue, &tally_of(&t, names[1], START)->queued);
    tally_of(&t, names[2], START)->is_telling = true;
    tally_of(&t, names[3], START)->book.sums.last_used_unix_ms = START;
    for (unsigned i = 0; i < 100 * 1000; i++) {
        char name[LEDGER_SCOPE_BYTES];
        snprintf(name, sizeof(name), "key:%u", i);
        tally_of(&t, name, START)->book.requests.minute = START / WINDOW_MS;
    }
    assert_in_range(lru_count(&t.by_name), 1, TALLIES_MAX + 4);
    for (unsigned i = 0; i < ROWS(names); i++)
        assert_non_null(tally_find(&t, names[i]));
    tallies_fini(&t);
}

static void names_of_the_greatest_length_are_told_apart(void **state)
{
    struct tallies t = {0};
    char a[LEDGER_SCOPE_BYTES], b[LEDGER_SCOPE_BYTES];

    (void)state;
    memset(a, 'x', sizeof(a) - 1);
    a[sizeof(a) - 1] = '\0';
    memcpy(b, a, sizeof(b));
    b[sizeof(b) - 2] = 'y';
    assert_ptr_not_equal(tally_of(&t, a, START), tally_of(&t, b, START));
    assert_ptr_equal(tally_find(&t, a), tally_of(&t, a, START));
    tallies_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_of_scopes_does_not_reset_one_in_use),
        cmocka_unit_test(what_runs_or_has_to_be_told_or_is_the_truth_makes_no_room),
        cmocka_unit_test(names_of_the_greatest_length_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
