/* The rolling window of latencies, throughputs and outcomes. */
#include "unit.h"

#include "sluice/base/rng.h"
#include "sluice/catalog/stats.h"

#include <math.h>

enum { S = 1000, NOW = 1000 * STATS_SLICE_MS };

static double at(struct stats *s, enum stat_kind which, enum quantile q, uint64_t now)
{
    return stats_quantiles(s, which, now)->at[q];
}

static bool is_near(double got, double wanted)
{
    return fabs(got - wanted) <= 0.065 * wanted;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void quantiles_are_those_of_the_sorted_samples(void **state)
{
    (void)state;
    enum { N = 20000 };
    static double sorted[N];
    static const double shares[] = {0.5, 0.75, 0.9, 0.99};
    struct stats *s = stats_new();
    struct rng rng;
    rng_seed(&rng, 7);
    for (unsigned i = 0; i < N; i++) { /* from a millisecond to a minute, most of them short */
        double share = (double)rng_below(&rng, 1000000) / 1e6;
        uint64_t us = (uint64_t)(1000 + 59e6 * share * share * share);
        sorted[i] = (double)us / 1e6;
        stats_note(s, STAT_TTFT, us, NOW + i * 10);
        stats_note(s, STAT_THROUGHPUT, us, NOW + i * 10);
    }
    qsort(sorted, N, sizeof sorted[0], by_value);
    for (unsigned q = 0; q < QUANTILES; q++) {
        double low = sorted[(unsigned)(shares[q] * (N - 1))];
        double high = sorted[(unsigned)((1 - shares[q]) * (N - 1))] * 1e3;
        assert_row(q, is_near(at(s, STAT_TTFT, q, NOW + 201 * S), low));
        /* contract D-33: p90 is what 90 % stayed above */
        assert_row(q, is_near(at(s, STAT_THROUGHPUT, q, NOW + 201 * S), high));
    }
    uint32_t samples;
    assert_true(is_near(stats_quantile(s, STAT_TTFT, 0.95, NOW + 201 * S, &samples),
                        sorted[(unsigned)(0.95 * (N - 1))]));
    assert_int_equal(samples, N);
    assert_int_equal(stats_quantiles(s, STAT_TTFT, NOW + 201 * S)->samples, N);
    assert_int_equal(stats_quantiles(s, STAT_DURATION, NOW + 201 * S)->samples, 0);
    stats_free(s);
}

/* A record of decisions holds many of them, and writes short ones soon. */
static void figures_are_whole_microseconds_and_thousandths(void **state)
{
    (void)state;
    struct stats *s = stats_new();
    for (uint64_t i = 1; i < 200; i++) {
        stats_note(s, STAT_TTFT, i * i * 7919 % 3000000, 1000);
        stats_note(s, STAT_THROUGHPUT, i * i * 104729 % 200000, 1000);
    }
    const struct quantiles *ttft = stats_quantiles(s, STAT_TTFT, 1000),
                           *throughput = stats_quantiles(s, STAT_THROUGHPUT, 1000);
    for (unsigned q = 0; q < QUANTILES; q++) {
        assert_row(q, (double)(uint64_t)(ttft->at[q] * 1e6 + 0.5) / 1e6 == ttft->at[q]);
        assert_row(q, (double)(uint64_t)(throughput->at[q] * 1e3 + 0.5) / 1e3 == throughput->at[q]);
    }
    stats_free(s);
}

static void what_is_older_than_five_minutes_is_forgotten(void **state)
{
    (void)state;
    struct stats *s = stats_new();
    for (unsigned i = 0; i < 10; i++)
        stats_note(s, STAT_DURATION, 1000 * S, NOW);
    stats_note_outcome(s, false, NOW);
    stats_note(s, STAT_DURATION, 4000 * S, NOW + 100 * S);
    assert_int_equal(stats_quantiles(s, STAT_DURATION, NOW + 299 * S)->samples, 11);
    assert_true(is_near(at(s, STAT_DURATION, P50, NOW + 299 * S), 1));
    assert_int_equal(stats_outcomes(s, 300 * S, NOW + 299 * S).failed, 1);

    assert_int_equal(stats_quantiles(s, STAT_DURATION, NOW + 301 * S)->samples, 1);
    assert_true(is_near(at(s, STAT_DURATION, P50, NOW + 301 * S), 4));
    assert_int_equal(stats_outcomes(s, 300 * S, NOW + 301 * S).failed, 0);
    assert_int_equal(stats_quantiles(s, STAT_DURATION, NOW + 5000 * S)->samples, 0);
    stats_free(s);
}

static void outcomes_of_the_last_minute_are_told_apart(void **state)
{
    (void)state;
    struct stats *s = stats_new();
    stats_note_outcome(s, false, NOW);
    stats_note_outcome(s, true, NOW + 70 * S);
    stats_note_outcome(s, false, NOW + 90 * S);
    struct outcomes last = stats_outcomes(s, 60 * S, NOW + 95 * S),
                    all = stats_outcomes(s, 300 * S, NOW + 95 * S);
    assert_true(last.ok == 1 && last.failed == 1 && all.ok == 1 && all.failed == 2);
    stats_free(s);
}

static void values_beyond_the_buckets_count_at_their_ends(void **state)
{
    (void)state;
    static const uint64_t values[] = {0, 1, 255, UINT32_MAX, UINT64_MAX};
    struct stats *s = stats_new();
    for (unsigned i = 0; i < ROWS(values); i++)
        stats_note(s, STAT_TTFT, values[i], NOW);
    const struct quantiles *q = stats_quantiles(s, STAT_TTFT, NOW + S);
    assert_true(q->samples == 5 && q->at[P50] < 0.001 && q->at[P99] > 200);
    stats_free(s);
}

static void a_clock_that_jumps_loses_no_more_than_the_window(void **state)
{
    (void)state;
    struct stats *s = stats_new();
    stats_note(s, STAT_TTFT, 1000, NOW + 5 * S);
    stats_note(s, STAT_TTFT, 1000, NOW - 50 * S); /* a little back: into the newest slice */
    assert_int_equal(stats_quantiles(s, STAT_TTFT, NOW + 2000)->samples, 2);
    stats_note(s, STAT_TTFT, 1000, NOW + 86400 * S);
    assert_int_equal(stats_quantiles(s, STAT_TTFT, NOW + 86400 * S)->samples, 1);
    stats_note(s, STAT_TTFT, 1000, NOW); /* it was tomorrow for a moment */
    assert_int_equal(stats_quantiles(s, STAT_TTFT, NOW + 2 * S)->samples, 1);
    assert_int_equal(stats_quantiles(s, STAT_TTFT, NOW + 400 * S)->samples, 0);
    stats_free(s);
}

static void slices_of_other_processes_add_up(void **state)
{
    (void)state;
    struct stats *one = stats_new(), *two = stats_new();
    uint8_t packed[STATS_PACKED_MAX];
    for (unsigned i = 0; i < 30; i++) {
        stats_note(one, STAT_TTFT, (i + 1) * 10000, NOW);
        stats_note_outcome(one, i % 3 != 0, NOW);
    }
    unsigned len = stats_pack(one, NOW / STATS_SLICE_MS, packed);
    assert_true(len > 0);
    assert_int_equal(stats_pack(one, NOW / STATS_SLICE_MS - 1, packed + len), 0);
    assert_true(stats_add_packed(two, NOW / STATS_SLICE_MS, packed, len, NOW + 20 * S));
    for (unsigned q = 0; q < QUANTILES; q++)
        assert_row(q, at(two, STAT_TTFT, q, NOW + 20 * S) == at(one, STAT_TTFT, q, NOW + 20 * S));
    struct outcomes seen = stats_outcomes(two, 300 * S, NOW + 20 * S);
    assert_true(seen.ok == 20 && seen.failed == 10);
    /* too old, and from the future */
    assert_true(stats_add_packed(two, NOW / STATS_SLICE_MS - 40, packed, len, NOW + 20 * S));
    assert_true(stats_add_packed(two, NOW / STATS_SLICE_MS + 40, packed, len, NOW + 20 * S));
    assert_int_equal(stats_quantiles(two, STAT_TTFT, NOW + 25 * S)->samples, 30);
    stats_free(one);
    stats_free(two);
}

static void a_clock_a_little_ahead_counts_as_of_now(void **state)
{
    (void)state;
    uint8_t packed[STATS_PACKED_MAX];
    const uint64_t slice = NOW / STATS_SLICE_MS;
    struct stats *one = stats_new(), *two = stats_new();
    stats_note(one, STAT_TTFT, 1000, NOW);
    unsigned len = stats_pack(one, slice, packed);
    assert_true(stats_add_packed(two, slice + 3, packed, len, NOW));
    assert_int_equal(stats_quantiles(two, STAT_TTFT, NOW)->samples, 1);
    assert_true(stats_add_packed(two, slice + 4, packed, len, NOW)); /* an hour's error is none */
    assert_int_equal(stats_quantiles(two, STAT_TTFT, NOW + 2 * S)->samples, 1);
    assert_int_equal(stats_quantiles(two, STAT_TTFT, NOW + 301 * S)->samples, 0);
    stats_free(one);
    stats_free(two);
}

static void damaged_slices_are_refused(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[16];
        unsigned len;
    } rows[] = {
        {{1}, 0},
        {{1}, 8},
        {{1}, 10},
        {{0}, 9},
        {{2}, 9},
        {{1, 0, 0, 0, 0, 0, 0, 0, 0, STATS, 0, 1, 0}, 13},
        {{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 160, 1, 0}, 13},
        {{1, 255, 255, 255, 255, 0, 0, 0, 0}, 9},
        {{1, 0, 0, 0, 0, 0, 0, 0, 255}, 9},
    };
    struct stats *s = stats_new();
    for (unsigned i = 0; i < ROWS(rows); i++)
        assert_row(i, !stats_add_packed(s, NOW / STATS_SLICE_MS, rows[i].bytes, rows[i].len, NOW));
    assert_int_equal(stats_outcomes(s, 300 * S, NOW).ok, 0);
    stats_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_those_of_the_sorted_samples),
        cmocka_unit_test(figures_are_whole_microseconds_and_thousandths),
        cmocka_unit_test(what_is_older_than_five_minutes_is_forgotten),
        cmocka_unit_test(outcomes_of_the_last_minute_are_told_apart),
        cmocka_unit_test(values_beyond_the_buckets_count_at_their_ends),
        cmocka_unit_test(a_clock_that_jumps_loses_no_more_than_the_window),
        cmocka_unit_test(slices_of_other_processes_add_up),
        cmocka_unit_test(a_clock_a_little_ahead_counts_as_of_now),
        cmocka_unit_test(damaged_slices_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
