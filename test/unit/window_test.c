/* The sliding window's arithmetic (contract 0.3). Redis makes the same decisions in Lua: the store's
 * conformance suite holds it to them. */
#include "unit.h"

#include "../../src/store/window.h"

#define MINUTE UINT64_C(29000000) /* some minute of 2025 */
#define AT(minute, ms) ((MINUTE + (minute)) * WINDOW_MS + (ms))

/* Asks, counts when allowed: what every backend does with a request. */
static bool admit(struct window *w, unsigned rpm, uint64_t unix_ms)
{
    bool allowed;

    window_move(w, unix_ms);
    allowed = window_allows(w, rpm, 1, unix_ms);
    if (allowed)
        window_count(w, 1);
    return allowed;
}

static void decisions_are_as_listed(void **state)
{
    static const struct row {
        uint32_t before, now;
        unsigned elapsed_ms, rpm;
        bool allowed;
        unsigned remaining, retry_after_s; /* remaining: as it is, without counting this one */
    } rows[] = {
        /* full in this minute: the next one has to begin, and to weigh this one down by a request */
        {0, 1, 0, 1, false, 0, 61},
        {0, 1, 30000, 1, false, 0, 31},
        {0, 10, 0, 10, false, 0, 61},
        {0, 10, 59999, 10, false, 0, 1},
        {0, 20, 0, 10, false, 0, 91}, /* the limit was lowered: half of 20 has to leave */
        /* full by the minute before: 10 * (60 - e) / 60 < 10 - now */
        {10, 0, 0, 10, false, 0, 1},
        {10, 5, 0, 10, false, 0, 31}, /* 30.001 s */
        {10, 5, 30000, 10, false, 0, 1},
        {10, 9, 0, 10, false, 0, 55}, /* 54.001 s */
        {1000, 0, 0, 1, false, 0, 60},
        /* room */
        {0, 0, 0, 1, true, 1, 1},
        {0, 9, 0, 10, true, 1, 1},
        {1, 0, 1, 1, true, 1, 1}, /* a part of a request is none */
        {10, 5, 30001, 10, true, 1, 1},
        {10, 0, 30000, 10, true, 5, 1},
        {10, 0, 59999, 10, true, 10, 1},
        {UINT32_MAX, UINT32_MAX, 0, 0, true, 0, 1}, /* no limit */
    };

    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        const struct row *r = &rows[i];
        const struct window w = {.minute = MINUTE, .now = r->now, .before = r->before};
        uint64_t now = AT(0, r->elapsed_ms);

        assert_row(i, window_allows(&w, r->rpm, 1, now) == r->allowed);
        assert_row(i, window_remaining(&w, r->rpm, now) == r->remaining);
        assert_row(i, window_retry_after_s(&w, r->rpm, 1, now) == r->retry_after_s);
    }
}

static void time_moves_the_window(void **state)
{
    static const struct row {
        int minutes;
        int moved;
        uint32_t now, before;
    } rows[] = {
        {0, 0, 7, 3},                    /* the same minute */
        {1, 1, 0, 7},                    /* the next */
        {2, 2, 0, 0},                    /* all of it has left */
        {500, 500, 0, 0}, {-1, 0, 7, 3}, /* a clock slightly behind: counts into what is there */
        {-2, -2, 0, 0}, /* a clock that was set back: starts afresh instead of freezing */
    };

    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct window w = {.minute = MINUTE, .now = 7, .before = 3};

        window_move(&w, AT(rows[i].minutes, 12345));
        assert_row(i, w.minute == MINUTE + rows[i].moved);
        assert_row(i, w.now == rows[i].now);
        assert_row(i, w.before == rows[i].before);
    }
}

static void retry_after_is_when_it_is_allowed_and_not_a_second_before(void **state)
{
    (void)state;
    for (unsigned rpm = 1; rpm <= 64; rpm = rpm * 2 + rpm % 3) {
        for (uint32_t before = 0; before <= 2 * rpm; before++) {
            for (uint32_t now = 0; now <= rpm + 2; now++) {
                for (unsigned elapsed = 0; elapsed < WINDOW_MS; elapsed += 7919) {
                    struct window w = {.minute = MINUTE, .now = now, .before = before};
                    uint64_t at = AT(0, elapsed);
                    unsigned wait_s = window_retry_after_s(&w, rpm, 1, at);
                    struct window then = w, sooner = w;

                    if (window_allows(&w, rpm, 1, at))
                        continue;
                    window_move(&then, at + wait_s * 1000u);
                    assert_true(window_allows(&then, rpm, 1, at + wait_s * 1000u));
                    if (wait_s == 1)
                        continue;
                    window_move(&sooner, at + (wait_s - 1) * 1000u);
                    assert_false(window_allows(&sooner, rpm, 1, at + (wait_s - 1) * 1000u));
                }
            }
        }
    }
}

static void a_client_that_never_stops_gets_its_limit_every_minute(void **state)
{
    static const unsigned limits[] = {1, 2, 7, 60, 600};

    (void)state;
    for (size_t i = 0; i < ROWS(limits); i++) {
        struct window w = {0};
        unsigned allowed = 0;

        for (uint64_t ms = 0; ms < 10 * WINDOW_MS; ms += 20)
            allowed += admit(&w, limits[i], AT(0, ms));
        assert_in_range(allowed, 10 * limits[i], 10 * limits[i] + 1);
    }
}

static void refused_requests_do_not_count(void **state)
{
    struct window w = {0};

    (void)state;
    assert_true(admit(&w, 1, AT(0, 0)));
    for (unsigned i = 0; i < 1000; i++)
        assert_false(admit(&w, 1, AT(0, i)));
    assert_int_equal(w.now, 1);
    assert_true(admit(&w, 1, AT(1, 1)));
}

static void counts_stop_at_their_limit_instead_of_wrapping(void **state)
{
    struct window w = {.minute = MINUTE, .now = WINDOW_COUNT_MAX - 1};

    (void)state;
    window_count(&w, 5);
    assert_true(w.now == WINDOW_COUNT_MAX);
    window_count(&w, INT64_MAX);
    assert_true(w.now == WINDOW_COUNT_MAX);
    assert_false(window_allows(&w, WINDOW_COUNT_MAX, 1, AT(0, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decisions_are_as_listed),
        cmocka_unit_test(time_moves_the_window),
        cmocka_unit_test(retry_after_is_when_it_is_allowed_and_not_a_second_before),
        cmocka_unit_test(a_client_that_never_stops_gets_its_limit_every_minute),
        cmocka_unit_test(refused_requests_do_not_count),
        cmocka_unit_test(counts_stop_at_their_limit_instead_of_wrapping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
