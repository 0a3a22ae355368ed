#include "sluice/meter/reserve.h"

#include "sluice/meter/estimate.h"

/* A prompt may be kept for an hour, for five minutes or not at all, an answer may be all reasoning. Which
 * of them is dearest differs with the price; the four are the corners, and a mixture lies between. */
uint64_t reserve_cost(uint64_t prompt_tokens, uint64_t output_tokens,
                      const struct price_options *price)
{
    struct estimate_terms terms = {
        .prompt = prompt_tokens, .output = output_tokens, .discount_ppm = COST_NO_DISCOUNT};
    const struct usage thinking = {
        .prompt = prompt_tokens, .completion = output_tokens, .reasoning = output_tokens};
    const struct cost plain = estimate_make(&terms, price).cost;
    const struct cost thought = cost_of(&thinking, price);
    terms.cacheable = prompt_tokens;
    const struct cost kept = estimate_make(&terms, price).cost;
    terms.keeps_an_hour = true;
    const struct cost kept_longer = estimate_make(&terms, price).cost;

    uint64_t input = plain.total_pd;
    if (kept.total_pd > input)
        input = kept.total_pd;
    if (kept_longer.total_pd > input)
        input = kept_longer.total_pd;
    uint64_t more = thought.total_pd > plain.total_pd ? thought.total_pd - plain.total_pd : 0;
    return input + more;
}
