#include "sluice/meter/reserve.h"

#include "sluice/meter/estimate.h"

/* The most a picture takes: the largest of gpt-image-1 at high quality, and its three partial ones. */
enum { TOKENS_OF_IMAGE = 6240 + 3 * 100 };

static uint64_t dearer(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* A prompt may be kept for an hour, for five minutes or not at all. */
static uint64_t of_input(const struct reserve_terms *t, const struct price_options *price)
{
    struct estimate_terms terms = {
        .prompt = t->prompt, .output = t->output, .discount_ppm = COST_NO_DISCOUNT};
    uint64_t most = estimate_make(&terms, price).cost.total_pd;
    terms.cacheable = t->prompt;
    most = dearer(most, estimate_make(&terms, price).cost.total_pd);
    terms.keeps_an_hour = true;
    return dearer(most, estimate_make(&terms, price).cost.total_pd);
}

/* By how much it is dearer when all of the answer is reasoning, pictures or sound, whichever is dearest. */
static uint64_t of_output(const struct reserve_terms *t, const struct price_options *price)
{
    const struct usage plain = {.prompt = t->prompt, .completion = t->output};
    struct usage thought = plain, drawn = plain, spoken = plain;
    thought.reasoning = drawn.out.image = spoken.out.audio = t->output;
    uint64_t most = dearer(cost_of(&thought, price).total_pd, cost_of(&drawn, price).total_pd);
    most = dearer(most, cost_of(&spoken, price).total_pd);
    uint64_t least = cost_of(&plain, price).total_pd;
    return most > least ? most - least : 0;
}

/* By how much it is dearer for what is counted in other things than an answer's tokens. */
static uint64_t of_things(const struct reserve_terms *t, const struct price_options *price)
{
    const struct usage without = {.prompt = t->prompt};
    struct usage with = without;
    uint64_t drawn;
    if (__builtin_mul_overflow(t->images, TOKENS_OF_IMAGE, &drawn))
        drawn = UINT64_MAX;
    with.completion = with.out.image = drawn;
    with.images = t->images;
    with.characters = t->characters;
    return cost_of(&with, price).total_pd - cost_of(&without, price).total_pd;
}

/* Which way is dearest differs with the price; these are the corners, and a mixture lies between. */
uint64_t reserve_cost(const struct reserve_terms *t, const struct price_options *price)
{
    uint64_t sum;
    if (__builtin_add_overflow(of_input(t, price), of_output(t, price), &sum) ||
        __builtin_add_overflow(sum, of_things(t, price), &sum))
        return UINT64_MAX;
    return sum;
}
