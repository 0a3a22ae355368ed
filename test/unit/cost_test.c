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
        /* what the file leaves out was filled in when it was read, and is no price that was given */
        {{.prompt = 10, .cached = 4, .cache_write = 3, .cache_write_1h = 1},
         {.input = 5, .cache_read = 1, .cache_write = 6, .cache_write_1h = 10, .known = INPUT},
         15,
         4,
         22,
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

/* A batch halves what tokens cost, and nothing else. */
static void batches_cost_half(void **state)
{
    (void)state;
    const struct usage u = {.prompt = 3, .completion = 5, .searches = 2};
    const struct price_options p = {
        .input = 1, .output = 10, .search = 7, .known = INPUT | OUTPUT | PRICE_SEARCH};
    struct cost c =
        cost_on(&(struct cost_terms){.discount_ppm = COST_NO_DISCOUNT, .is_batch = true}, &u, &p);
    assert_int_equal(c.prompt_pd, 1); /* what is less than a pico-dollar is nobody's */
    assert_int_equal(c.completion_pd, 25);
    assert_int_equal(c.search_pd, 14);
    assert_int_equal(c.total_pd, 40);
}

/* The rate is applied to the sum; the parts are before it. */
static void a_discount_is_a_rate_of_the_sum(void **state)
{
    (void)state;
    static const struct {
        uint32_t ppm;
        uint64_t completion, total;
        const char *rate;
    } rows[] = {
        {1000000, 7, 7, "1"},
        {850000, 100, 85, "0.85"},
        {0, 100, 0, "0"},
        {500000, 1, 0, "0.5"},
        {1100000, 10, 11, "1.1"},
        {1, 1000000, 1, "0.000001"},
        {999999, 1000000, 999999, "0.999999"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        const struct usage u = {.completion = rows[i].completion};
        const struct price_options p = {.output = 1, .known = OUTPUT};
        struct cost c = cost_on(&(struct cost_terms){.discount_ppm = rows[i].ppm}, &u, &p);
        struct buf out = {0};
        assert_row(i, c.completion_pd == rows[i].completion && c.sum_pd == rows[i].completion);
        assert_row(i, c.total_pd == rows[i].total);
        assert_int_equal(cost_write_rate(c.discount_ppm, &out), 0);
        assert_row(i, span_eq(buf_span(&out), span_text(rows[i].rate)));
        buf_fini(&out);
    }
}

/* What is no text is taken out of what it is part of, where it has a price of its own. */
static void other_things_than_text_have_prices_of_their_own(void **state)
{
    (void)state;
    enum { TEXT = INPUT | OUTPUT };
    static const struct {
        struct usage usage;
        unsigned known;
        uint64_t prompt, read, completion, image, audio, video, search, tools;
    } rows[] = {
        /* no price: text like any other */
        {{.prompt = 10, .in = {.audio = 4}, .completion = 5, .out = {.audio = 2}},
         TEXT,
         20,
         0,
         15,
         0,
         0,
         0,
         0,
         0},
        {{.prompt = 10, .in = {.audio = 4}, .completion = 5, .out = {.audio = 2}},
         TEXT | PRICE_AUDIO_INPUT | PRICE_AUDIO_OUTPUT,
         12,
         0,
         9,
         0,
         4 * 11 + 2 * 13,
         0,
         0,
         0},
        {{.prompt = 10, .in = {.image = 10}, .completion = 5, .out = {.image = 5}},
         TEXT | PRICE_IMAGE_INPUT | PRICE_IMAGE_OUTPUT,
         0,
         0,
         0,
         10 * 17 + 5 * 19,
         0,
         0,
         0,
         0},
        {{.prompt = 10, .in = {.audio = 2, .image = 3, .video = 4}},
         TEXT | PRICE_AUDIO_INPUT | PRICE_IMAGE_INPUT | PRICE_VIDEO_INPUT,
         2,
         0,
         0,
         51,
         22,
         4 * 23,
         0,
         0},
        /* cached sound is read from the cache; where nobody says what was cached, it was text */
        {{.prompt = 10, .cached = 3, .in = {.audio = 4}, .cached_parts = {.audio = 3}},
         TEXT | PRICE_AUDIO_INPUT,
         12,
         3,
         0,
         0,
         11,
         0,
         0,
         0},
        {{.prompt = 10, .cached = 8, .in = {.audio = 4}},
         TEXT | PRICE_AUDIO_INPUT,
         0,
         8,
         0,
         0,
         22,
         0,
         0,
         0},
        /* things */
        {{.images = 2}, TEXT | PRICE_IMAGE, 0, 0, 0, 2 * 29, 0, 0, 0, 0},
        {{.characters = 10}, TEXT | PRICE_CHARACTER, 0, 0, 0, 0, 310, 0, 0, 0},
        {{.audio_ms = 2500}, TEXT | PRICE_SECOND, 0, 0, 0, 0, 2500 * 37, 0, 0, 0},
        {{.searches = 3, .tool_calls = 2, .fetches = 9},
         TEXT | PRICE_SEARCH | PRICE_TOOL_CALL,
         0,
         0,
         0,
         0,
         0,
         0,
         123,
         86},
        {{.prompt = 1}, TEXT | PRICE_REQUEST, 2 + 47, 0, 0, 0, 0, 0, 0, 0},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        unsigned known = rows[i].known;
        struct price_options p = {.input = 2,
                                  .output = 3,
                                  .cache_read = 1,
                                  .audio_input = 11,
                                  .audio_output = 13,
                                  .image_input = 17,
                                  .image_output = 19,
                                  .video_input = 23,
                                  .known = known};
        p.image = known & PRICE_IMAGE ? 29 : 0;
        p.character = known & PRICE_CHARACTER ? 31 : 0;
        p.second = known & PRICE_SECOND ? 37000 : 0;
        p.search = known & PRICE_SEARCH ? 41 : 0;
        p.tool_call = known & PRICE_TOOL_CALL ? 43 : 0;
        p.request = known & PRICE_REQUEST ? 47 : 0;
        struct cost c = cost_of(&rows[i].usage, &p);
        assert_row(i, c.prompt_pd == rows[i].prompt && c.cache_read_pd == rows[i].read);
        assert_row(i, c.completion_pd == rows[i].completion && c.image_pd == rows[i].image);
        assert_row(i, c.audio_pd == rows[i].audio && c.video_pd == rows[i].video);
        assert_row(i, c.search_pd == rows[i].search && c.tools_pd == rows[i].tools);
        assert_row(i, c.total_pd == c.prompt_pd + c.cache_read_pd + c.completion_pd + c.image_pd +
                                        c.audio_pd + c.video_pd + c.search_pd + c.tools_pd);
    }
}

/* Contract 2.5: a blank end of nothing, or an error; not a client that left. */
static void what_came_to_nothing_is_insured(void **state)
{
    (void)state;
    static const struct {
        uint64_t completion;
        const char *finish;
        bool has_failed, has_left, is_insured;
    } rows[] = {
        {0, "", false, false, true},      {0, "", false, true, false},
        {1, "", false, false, false},     {0, "stop", false, false, false},
        {0, "error", false, false, true}, {9, "error", false, false, true},
        {9, "error", false, true, false}, {9, "", true, false, true},
        {9, "stop", true, false, true},   {0, "refusal", false, false, false},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        const struct usage u = {.prompt = 5, .completion = rows[i].completion};
        assert_row(i, cost_is_insured(&u, span_text(rows[i].finish), rows[i].has_failed,
                                      rows[i].has_left) == rows[i].is_insured);
    }
    const struct usage u = {.prompt = 5};
    const struct price_options p = {.input = 3, .known = INPUT};
    struct cost c =
        cost_on(&(struct cost_terms){.discount_ppm = COST_NO_DISCOUNT, .is_insured = true}, &u, &p);
    assert_true(c.is_insured && c.total_pd == 0 && c.sum_pd == 15 && c.prompt_pd == 15);
}

static void an_own_credential_is_charged_elsewhere(void **state)
{
    (void)state;
    const struct usage u = {.prompt = 5};
    const struct price_options p = {.input = 3, .known = INPUT};
    struct cost c = cost_on(&(struct cost_terms){.discount_ppm = 500000, .is_own = true}, &u, &p);
    assert_true(c.is_byok && c.total_pd == 0 && c.byok_pd == 15);
}

/* What the same would have cost without a cache, and without a discount. */
static void the_list_price_knows_no_cache(void **state)
{
    (void)state;
    const struct usage u = {
        .prompt = 100, .cached = 50, .cache_write = 30, .cache_write_1h = 10, .completion = 7};
    const struct price_options p = {.input = 10,
                                    .output = 20,
                                    .cache_read = 1,
                                    .cache_write = 12,
                                    .cache_write_1h = 20,
                                    .known = 31};
    struct cost c = cost_on(&(struct cost_terms){.discount_ppm = 500000}, &u, &p);
    assert_int_equal(c.list_pd, 1000 + 140);
    assert_int_equal(c.sum_pd, 200 + 50 + 240 + 200 + 140);
    assert_int_equal(c.total_pd, 415);
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
        assert_row(i, c.total_pd > UINT64_MAX / 64);
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
                     .discount_ppm = COST_NO_DISCOUNT,
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
        cmocka_unit_test(a_discount_is_a_rate_of_the_sum),
        cmocka_unit_test(other_things_than_text_have_prices_of_their_own),
        cmocka_unit_test(what_came_to_nothing_is_insured),
        cmocka_unit_test(an_own_credential_is_charged_elsewhere),
        cmocka_unit_test(the_list_price_knows_no_cache),
        cmocka_unit_test(absurd_amounts_saturate_and_never_wrap),
        cmocka_unit_test(every_part_of_the_bill_is_always_written),
        cmocka_unit_test(two_bills_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
