#include "unit.h"

#include "sluice/meter/cost.h"

#include <yyjson.h>

enum { INPUT = 1, OUTPUT = 2, READ = 4, WRITE = 8, WRITE_1H = 16, REASONING = 32 };

static void amounts_are_exact_decimals(void **state)
{
    (void)state;
    static const struct {
        uint64_t pd;
        const char *usd;
    } rows[] = {
        {0, "0"},
        {1, "0.000000000001"},
        {10, "0.00000000001"},
        {999999999999, "0.999999999999"},
        {1000000000000, "1"},
        {1000000000001, "1.000000000001"},
        {1500000000000, "1.5"},
        {234950000, "0.00023495"},
        {61170000, "0.00006117"},
        {123456789012345678, "123456.789012345678"},
        {UINT64_MAX, "18446744.073709551615"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf out = {0};
        assert_int_equal(cost_write_usd(rows[i].pd, &out), 0);
        assert_row(i, span_eq(buf_span(&out), span_text(rows[i].usd)));
        buf_fini(&out);
    }
}

static const struct price_options no_price;

static void an_endpoint_without_a_price_costs_nothing_and_says_so(void **state)
{
    (void)state;
    struct usage u = {.prompt = 100, .completion = 100};
    struct cost c = cost_of(&u, &no_price);
    assert_false(c.known);
    assert_int_equal(c.total_pd, 0);
}

/* Contract 2.5, both check vectors, and what follows from its formulas. */
static void the_bill_is_that_of_the_contract(void **state)
{
    (void)state;
    static const struct {
        struct usage usage;
        struct price_options price;
        uint64_t prompt, read, write, completion, reasoning; /* pico-dollars */
    } rows[] = {
        {{.prompt = 163, .cached = 151, .completion = 450},
         {.input = 200000, .cache_read = 50000, .output = 500000, .known = INPUT | OUTPUT | READ},
         2400000,
         7550000,
         0,
         225000000,
         0},
        {{.prompt = 2039, .cached = 2039},
         {.cache_read = 30000, .known = READ},
         0,
         61170000,
         0,
         0,
         0},
        /* nothing used */
        {{.prompt = 0}, {.input = 1, .output = 1, .known = INPUT | OUTPUT}, 0, 0, 0, 0, 0},
        /* a cache that has no price of its own costs what input costs */
        {{.prompt = 10, .cached = 4, .cache_write = 3},
         {.input = 5, .known = INPUT},
         15,
         20,
         15,
         0,
         0},
        {{.prompt = 10, .cached = 4, .cache_write = 3},
         {.input = 5, .cache_read = 0, .cache_write = 6, .known = INPUT | READ | WRITE},
         15,
         0,
         18,
         0,
         0},
        /* reasoning is part of the completion, or priced apart from it; never both */
        {{.completion = 10, .reasoning = 4}, {.output = 5, .known = OUTPUT}, 0, 0, 0, 50, 0},
        {{.completion = 10, .reasoning = 4},
         {.output = 5, .reasoning = 7, .known = OUTPUT | REASONING},
         0,
         0,
         0,
         30,
         28},
        /* free is a price */
        {{.prompt = 10, .completion = 10}, {.known = INPUT | OUTPUT}, 0, 0, 0, 0, 0},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct cost c = cost_of(&rows[i].usage, &rows[i].price);
        assert_row(i, c.known);
        assert_row(i, c.prompt_pd == rows[i].prompt);
        assert_row(i, c.cache_read_pd == rows[i].read);
        assert_row(i, c.cache_write_pd == rows[i].write);
        assert_row(i, c.completion_pd == rows[i].completion);
        assert_row(i, c.reasoning_pd == rows[i].reasoning);
        assert_row(i, c.total_pd == rows[i].prompt + rows[i].read + rows[i].write +
                                        rows[i].completion + rows[i].reasoning);
    }
}

/* Contract 2.5: P = 200 000 exactly is standard; beyond it all of the request is dearer. */
static void long_prompts_cost_more_where_the_price_says_so(void **state)
{
    (void)state;
    static const struct {
        uint64_t prompt;
        bool is_flagged;
        uint64_t input_times, output_halves;
    } rows[] = {{200000, true, 1, 2}, {200001, true, 2, 3}, {200001, false, 1, 2}, {1, true, 1, 2}};
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct usage u = {.prompt = rows[i].prompt, .cached = 1, .completion = 7, .reasoning = 2};
        struct price_options p = {.input = 3,
                                  .output = 10,
                                  .cache_read = 1,
                                  .reasoning = 4,
                                  .known = INPUT | OUTPUT | READ | REASONING,
                                  .long_context = rows[i].is_flagged};
        struct cost c = cost_of(&u, &p);
        assert_row(i, c.prompt_pd == (rows[i].prompt - 1) * 3 * rows[i].input_times);
        assert_row(i, c.cache_read_pd == rows[i].input_times);
        assert_row(i, c.completion_pd == 50 * rows[i].output_halves / 2);
        assert_row(i, c.reasoning_pd == 8 * rows[i].output_halves / 2);
        assert_row(i,
                   c.total_pd == c.prompt_pd + c.cache_read_pd + c.completion_pd + c.reasoning_pd);
        assert_row(i, cost_is_long_context(&u, &p) == (rows[i].input_times == 2));
    }
}

static void batches_cost_half(void **state)
{
    (void)state;
    struct cost c = {.total_pd = 234950000, .known = true};
    assert_int_equal(cost_batch_discount(&c), 117475000);
    c.total_pd = 1;
    assert_int_equal(cost_batch_discount(&c), 0);
}

static void a_discount_is_on_the_total_alone(void **state)
{
    (void)state;
    static const struct {
        uint64_t total;
        unsigned ppm;
        uint64_t discounted;
        const char *rate;
    } rows[] = {
        {234950000, 1000000, 234950000, "1"},
        {234950000, 900000, 211455000, "0.9"},
        {1000001, 500000, 500000, "0.5"}, /* half a pico-dollar is nobody's */
        {UINT64_MAX / 8, 999999, 2305840703370684737u, "0.999999"},
        {7, 1, 0, "0.000001"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct cost c = {.completion_pd = rows[i].total, .total_pd = rows[i].total, .byok_pd = 5};
        struct buf out = {0};
        cost_discount(&c, rows[i].ppm);
        assert_row(i, c.total_pd == rows[i].discounted);
        assert_row(i, c.completion_pd == rows[i].total && c.byok_pd == 5);
        assert_int_equal(cost_write_rate(c.discount_ppm, &out), 0);
        assert_span(buf_span(&out), rows[i].rate);
        buf_fini(&out);
    }
}

static void absurd_amounts_saturate_and_never_wrap(void **state)
{
    (void)state;
    static const uint64_t prices[] = {UINT64_MAX, UINT64_MAX / 1000000000, UINT64_MAX / 4};
    for (unsigned i = 0; i < ROWS(prices); i++) {
        uint64_t p = prices[i];
        struct usage u = {.prompt = 1000000000,
                          .cached = 3,
                          .cache_write = 3,
                          .completion = 1000000000,
                          .reasoning = 500000000};
        struct price_options price = {.input = p,
                                      .output = p,
                                      .cache_read = p,
                                      .cache_write = p,
                                      .reasoning = p,
                                      .known = 63,
                                      .long_context = i % 2 == 0};
        struct cost c = cost_of(&u, &price);
        assert_row(i, c.total_pd >= c.prompt_pd && c.total_pd >= c.completion_pd);
        assert_row(i, c.total_pd >= c.completion_pd / 2 + c.prompt_pd / 2 + c.reasoning_pd / 2);
        assert_row(i, c.total_pd > UINT64_MAX / 16);
    }
}

static void every_part_of_the_bill_is_always_written(void **state)
{
    (void)state;
    static const char *const fields[] = {
        "prompt_cost",
        "prompt_cache_read_cost",
        "prompt_cache_write_5_min",
        "prompt_cache_write_1_h",
        "prompt_cache_write_cost",
        "completion_cost",
        "reasoning_cost",
        "image_cost",
        "audio_cost",
        "video_cost",
        "native_web_search_cost",
        "plugin_web_search_cost",
        "tools_cost",
        "byok_cost",
        "discount_rate",
    };
    struct cost c = {.prompt_pd = 2400000,
                     .cache_read_pd = 7550000,
                     .completion_pd = 225000000,
                     .total_pd = 234950000,
                     .known = true};
    struct buf out = {0};
    assert_int_equal(buf_add_byte(&out, '{'), 0);
    assert_int_equal(cost_write_members(&c, &out), 0);
    assert_int_equal(buf_add_byte(&out, '}'), 0);
    yyjson_doc *doc = yyjson_read((const char *)out.at, buf_len(&out), YYJSON_READ_NUMBER_AS_RAW);
    assert_non_null(doc);
    yyjson_val *root = yyjson_doc_get_root(doc), *details = yyjson_obj_get(root, "cost_details");
    assert_string_equal(yyjson_get_raw(yyjson_obj_get(root, "cost")), "0.00023495");
    for (unsigned i = 0; i < ROWS(fields); i++)
        assert_row(i, yyjson_is_raw(yyjson_obj_get(details, fields[i])));
    assert_true(yyjson_is_bool(yyjson_obj_get(details, "is_byok")));
    assert_int_equal(yyjson_obj_size(details), ROWS(fields) + 1);
    assert_string_equal(yyjson_get_raw(yyjson_obj_get(details, "prompt_cost")), "0.0000024");
    assert_string_equal(yyjson_get_raw(yyjson_obj_get(details, "prompt_cache_read_cost")),
                        "0.00000755");
    assert_string_equal(yyjson_get_raw(yyjson_obj_get(details, "completion_cost")), "0.000225");
    yyjson_doc_free(doc);
    buf_fini(&out);
}

static void two_bills_are_one(void **state)
{
    (void)state;
    struct cost c = {.prompt_pd = 1, .cache_read_pd = 2, .completion_pd = 4, .total_pd = 7};
    const struct cost more = {.prompt_pd = 10,
                              .cache_write_pd = 20,
                              .completion_pd = 30,
                              .reasoning_pd = 40,
                              .total_pd = 100,
                              .known = true};
    const struct cost absurd = {.total_pd = UINT64_MAX - 1};
    cost_add(&c, &more);
    assert_true(c.known && c.prompt_pd == 11 && c.cache_read_pd == 2 && c.cache_write_pd == 20 &&
                c.completion_pd == 34 && c.reasoning_pd == 40 && c.total_pd == 107);
    cost_add(&c, &absurd);
    assert_true(c.total_pd == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(amounts_are_exact_decimals),
        cmocka_unit_test(an_endpoint_without_a_price_costs_nothing_and_says_so),
        cmocka_unit_test(the_bill_is_that_of_the_contract),
        cmocka_unit_test(long_prompts_cost_more_where_the_price_says_so),
        cmocka_unit_test(batches_cost_half),
        cmocka_unit_test(a_discount_is_on_the_total_alone),
        cmocka_unit_test(absurd_amounts_saturate_and_never_wrap),
        cmocka_unit_test(every_part_of_the_bill_is_always_written),
        cmocka_unit_test(two_bills_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
