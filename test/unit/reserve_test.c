/* What is reserved covers whatever the same tokens turn out to be. */
#include "unit.h"

#include "sluice/meter/reserve.h"

enum { INPUT = 1, OUTPUT = 2, READ = 4, WRITE = 8, WRITE_1H = 16, REASONING = 32 };

static void the_dearest_way_is_reserved(void **state)
{
    (void)state;
    static const struct {
        uint64_t prompt, output;
        struct price_options price;
        uint64_t reserved;
    } rows[] = {
        {1000, 1000, {.known = 0}, 0}, /* what has no price costs nothing */
        {0, 0, {.input = 3, .output = 15, .known = INPUT | OUTPUT}, 0},
        {100, 10, {.input = 3, .output = 15, .known = INPUT | OUTPUT}, 450},
        /* reading from a cache is cheaper and never reserved; writing is dearer */
        {2000,
         10,
         {.input = 4,
          .output = 10,
          .cache_read = 1,
          .cache_write = 5,
          .known = INPUT | OUTPUT | READ | WRITE},
         10100},
        {2000,
         10,
         {.input = 4,
          .output = 10,
          .cache_write = 5,
          .cache_write_1h = 8,
          .known = INPUT | OUTPUT | WRITE | WRITE_1H},
         16100},
        /* too short to be kept */
        {1000,
         10,
         {.input = 4, .output = 10, .cache_write = 5, .known = INPUT | OUTPUT | WRITE},
         4100},
        {10,
         10,
         {.input = 4, .output = 10, .reasoning = 12, .known = INPUT | OUTPUT | REASONING},
         160},
        {10,
         10,
         {.input = 4, .output = 10, .reasoning = 2, .known = INPUT | OUTPUT | REASONING},
         140},
        {200000, 2, {.input = 4, .output = 10, .known = 3, .long_context = true}, 800020},
        {200001, 2, {.input = 4, .output = 10, .known = 3, .long_context = true}, 1600038},
    };
    for (unsigned i = 0; i < ROWS(rows); i++)
        assert_row(i, reserve_cost(&(struct reserve_terms){rows[i].prompt, rows[i].output, 0, 0},
                                   &rows[i].price) == rows[i].reserved);
}

static void things_are_reserved_as_they_are_priced(void **state)
{
    (void)state;
    static const struct {
        struct reserve_terms terms;
        struct price_options price;
        uint64_t reserved;
    } rows[] = {
        {{.images = 3}, {.known = 0}, 0},
        {{.images = 3}, {.image = 7, .known = PRICE_IMAGE}, 21},
        {{.prompt = 10, .images = 2},
         {.input = 5, .image_output = 40, .known = PRICE_INPUT | PRICE_IMAGE_OUTPUT},
         50 + 40 * 13080},
        {{.images = 1}, {.output = 2, .known = PRICE_OUTPUT}, 13080}, /* of no price of its own */
        {{.characters = 100}, {.character = 15, .known = PRICE_CHARACTER}, 1500},
        {{.prompt = 10, .output = 1},
         {.input = 1, .output = 2, .request = 1000, .known = INPUT | OUTPUT | PRICE_REQUEST},
         1012},
        {{.prompt = 10, .output = 4}, /* a chat that answers in pictures, or in sound */
         {.input = 1,
          .output = 2,
          .image_output = 30,
          .audio_output = 20,
          .known = INPUT | OUTPUT | PRICE_IMAGE_OUTPUT | PRICE_AUDIO_OUTPUT},
         130},
    };
    for (unsigned i = 0; i < ROWS(rows); i++)
        assert_row(i, reserve_cost(&rows[i].terms, &rows[i].price) == rows[i].reserved);
    const struct reserve_terms absurd = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    const struct price_options dear = {.input = UINT64_MAX,
                                       .output = UINT64_MAX,
                                       .image = UINT64_MAX,
                                       .image_output = UINT64_MAX,
                                       .character = UINT64_MAX,
                                       .known = INPUT | OUTPUT | PRICE_IMAGE | PRICE_IMAGE_OUTPUT |
                                                PRICE_CHARACTER};
    assert_true(reserve_cost(&absurd, &dear) > UINT64_MAX / 32);
}

static void no_mixture_of_the_same_tokens_costs_more(void **state)
{
    (void)state;
    const struct price_options p = {.input = 7,
                                    .output = 11,
                                    .cache_read = 1,
                                    .cache_write = 9,
                                    .reasoning = 13,
                                    .known = INPUT | OUTPUT | READ | WRITE | REASONING,
                                    .long_context = true};
    for (uint64_t prompt = 1024; prompt <= 300000; prompt += 9973) {
        const struct reserve_terms terms = {prompt, 1000, 0, 0};
        for (uint64_t part = 0; part <= 4; part++) {
            const struct usage u = {.prompt = prompt,
                                    .cached = prompt / 4 * (4 - part) / 2,
                                    .cache_write = prompt / 4 * part,
                                    .completion = 1000,
                                    .reasoning = 250 * part};
            assert_row(part, cost_of(&u, &p).total_pd <= reserve_cost(&terms, &p));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_dearest_way_is_reserved),
        cmocka_unit_test(things_are_reserved_as_they_are_priced),
        cmocka_unit_test(no_mixture_of_the_same_tokens_costs_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
