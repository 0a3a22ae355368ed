#include "unit.h"

#include "sluice/base/metric.h"

#include <math.h>

static char *page(const struct metric_registry *r)
{
    struct buf out = {0};
    assert_int_equal(metric_write(r, &out), 0);
    assert_int_equal(buf_add_byte(&out, '\0'), 0);
    return (char *)out.at;
}

static void the_page_is_prometheus_text(void **state)
{
    (void)state;
    static const double buckets[] = {0.005, 0.1, 2.5};
    struct metric_registry *r = metric_registry_new();
    struct metric_family *requests = metric_declare(r, METRIC_COUNTER, "sluice_requests_total",
                                                    "Requests, by \\ and\nline", "model, code",
                                                    NULL, 0);
    struct metric_family *open = metric_declare(r, METRIC_GAUGE, "sluice_open", "Open", "", NULL,
                                                0);
    struct metric_family *ttft = metric_declare(r, METRIC_HISTOGRAM, "sluice_ttft_seconds", "TTFT",
                                                "model", buckets, 3);
    struct metric_series *odd = metric_series(requests, (const char *const[]){"a\"b\\c\nd", "200"});
    struct metric_series *times = metric_series(ttft, (const char *const[]){"m"});

    metric_add(odd, 1);
    metric_add(odd, 2);
    metric_set(metric_series(open, NULL), 0.25);
    metric_observe(times, 0.005); /* a bound belongs to its own bucket */
    metric_observe(times, 0.0051);
    metric_observe(times, 3);
    metric_observe(times, NAN); /* does not count */

    char *text = page(r);
    assert_string_equal(text, "# HELP sluice_requests_total Requests, by \\\\ and\\nline\n"
                              "# TYPE sluice_requests_total counter\n"
                              "sluice_requests_total{model=\"a\\\"b\\\\c\\nd\",code=\"200\"} 3\n"
                              "# HELP sluice_open Open\n"
                              "# TYPE sluice_open gauge\n"
                              "sluice_open 0.25\n"
                              "# HELP sluice_ttft_seconds TTFT\n"
                              "# TYPE sluice_ttft_seconds histogram\n"
                              "sluice_ttft_seconds_bucket{model=\"m\",le=\"0.005\"} 1\n"
                              "sluice_ttft_seconds_bucket{model=\"m\",le=\"0.1\"} 2\n"
                              "sluice_ttft_seconds_bucket{model=\"m\",le=\"2.5\"} 2\n"
                              "sluice_ttft_seconds_bucket{model=\"m\",le=\"+Inf\"} 3\n"
                              "sluice_ttft_seconds_sum{model=\"m\"} 3.0101\n"
                              "sluice_ttft_seconds_count{model=\"m\"} 3\n");
    free(text);
    metric_registry_free(r);
}

static void the_same_names_and_values_are_the_same_thing(void **state)
{
    (void)state;
    struct metric_registry *r = metric_registry_new();
    struct metric_family *f = metric_declare(r, METRIC_COUNTER, "a_total", "A", "x,y", NULL, 0);
    assert_ptr_equal(metric_declare(r, METRIC_GAUGE, "a_total", "other", "", NULL, 0), f);
    struct metric_series *s = metric_series(f, (const char *const[]){"1", "2"});
    assert_ptr_equal(metric_series(f, (const char *const[]){"1", "2"}), s);
    assert_ptr_not_equal(metric_series(f, (const char *const[]){"2", "1"}), s);
    assert_ptr_not_equal(metric_series(f, (const char *const[]){"1\",y=\"2", ""}), s);
    metric_registry_free(r);
}

static void every_value_lands_in_the_first_bucket_that_holds_it(void **state)
{
    (void)state;
    double bounds[30];
    for (unsigned i = 0; i < 30; i++)
        bounds[i] = i;
    for (unsigned n = 0; n <= 30; n++) {
        struct metric_registry *r = metric_registry_new();
        struct metric_family *f = metric_declare(r, METRIC_HISTOGRAM, "h", "H", "", bounds, n);
        struct metric_series *s = metric_series(f, NULL);
        char expected[64];
        for (double value = -0.5; value <= n; value += 0.5)
            metric_observe(s, value);
        assert_true(metric_value(s) == 2 * n + 2);
        char *text = page(r);
        for (unsigned i = 0; i < n; i++) { /* -0.5, 0, 0.5, …, i */
            (void)snprintf(expected, sizeof(expected), "le=\"%u\"} %u\n", i, 2 * i + 2);
            assert_non_null(strstr(text, expected));
        }
        free(text);
        metric_registry_free(r);
    }
}

static void series_beyond_the_limit_share_one(void **state)
{
    (void)state;
    struct metric_registry *r = metric_registry_new();
    struct metric_family *f = metric_declare(r, METRIC_COUNTER, "a_total", "A", "x", NULL, 0);
    struct metric_series *known = NULL, *other = NULL;
    for (unsigned i = 0; i < 20010; i++) {
        char value[16];
        (void)snprintf(value, sizeof(value), "v%u", i);
        struct metric_series *s = metric_series(f, (const char *const[]){value});
        if (i == 7)
            known = s;
        if (i == 20000)
            other = s;
        if (i > 20000)
            assert_ptr_equal(s, other);
    }
    assert_ptr_equal(metric_series(f, (const char *const[]){"v7"}), known);
    metric_add(other, 1);
    char *text = page(r);
    assert_non_null(strstr(text, "a_total{x=\"other\"} 1\n"));
    free(text);
    metric_registry_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_is_prometheus_text),
        cmocka_unit_test(the_same_names_and_values_are_the_same_thing),
        cmocka_unit_test(every_value_lands_in_the_first_bucket_that_holds_it),
        cmocka_unit_test(series_beyond_the_limit_share_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
