#include "unit.h"

#include "../../src/config/cache_price.h"

static void what_is_left_out_is_what_the_maker_asks(void **state)
{
    (void)state;
    static const struct {
        const char *id, *upstream_model;
        uint64_t read, write, write_1h; /* at 100 a token */
    } rows[] = {
        {"anthropic/claude-sonnet-4.5", "claude-sonnet-4-5", 10, 125, 200},
        {"best", "eu.anthropic.claude-haiku-4-5-v1:0", 10, 125, 200},
        {"Claude", "x", 10, 125, 200},
        {"google/gemini-2.5-flash", "gemini-2.5-flash", 10, 0, 0},
        {"google/gemini-2.0-flash", "gemini-2.0-flash", 25, 0, 0},
        {"x-ai/grok-4", "grok-4", 25, 0, 0},
        {"openai/gpt-5-mini", "gpt-5-mini", 10, 0, 0},
        {"openai/gpt-5.6", "gpt-5.6", 10, 125, 125},
        {"openai/gpt-4.1-nano", NULL, 25, 0, 0},
        {"openai/gpt-4o-mini", NULL, 50, 0, 0},
        {"openai/o3", NULL, 25, 0, 0},
        {"o4-mini", NULL, 25, 0, 0},
        {"openai/o3-mini", NULL, 50, 0, 0},
        {"fast", "o1", 50, 0, 0},
        {"openai/gpt-oss-120b", NULL, 25, 125, 200},
        {"deepseek/deepseek-v3.2", NULL, 10, 0, 0},
        {"moonshotai/kimi-k2", NULL, 25, 125, 200},
        {"foo3", "bar-o1", 25, 125, 200},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct endpoint_options e = {.upstream_model = rows[i].upstream_model,
                                     .price = {.input = 100, .known = PRICE_INPUT}};
        struct model_options m = {.id = rows[i].id, .endpoints = &e, .nendpoints = 1};
        struct snapshot s = {.models = &m, .nmodels = 1};
        cache_price_fill(&s);
        assert_row(i, e.price.cache_read == rows[i].read);
        assert_row(i, e.price.cache_write == rows[i].write);
        assert_row(i, e.price.cache_write_1h == rows[i].write_1h);
        assert_row(i, e.price.known == PRICE_INPUT);
    }
}

static void what_is_given_stands(void **state)
{
    (void)state;
    struct endpoint_options e[] = {
        {.price = {.input = 100,
                   .cache_read = 0,
                   .cache_write = 7,
                   .cache_write_1h = 9,
                   .known = PRICE_INPUT | PRICE_CACHE_READ | PRICE_CACHE_WRITE |
                            PRICE_CACHE_WRITE_1H}},
        {.price = {.output = 100, .known = PRICE_OUTPUT}},
        {.price = {.input = 1, .known = PRICE_INPUT}},
    };
    struct model_options m = {.id = "claude", .endpoints = e, .nendpoints = ROWS(e)};
    struct snapshot s = {.models = &m, .nmodels = 1};
    cache_price_fill(&s);
    assert_true(e[0].price.cache_read == 0 && e[0].price.cache_write == 7 &&
                e[0].price.cache_write_1h == 9);
    assert_true(e[1].price.cache_read == 0 && e[1].price.cache_write == 0);
    assert_true(e[2].price.cache_read == 0 && e[2].price.cache_write == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_left_out_is_what_the_maker_asks),
        cmocka_unit_test(what_is_given_stands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
