#include "sluice/meter/cost.h"

#include "sluice/base/dollars.h"

/* Bits of price_options.known, in the order of its members. */
enum { KNOWN_INPUT = 1, KNOWN_OUTPUT = 2, KNOWN_READ = 4, KNOWN_WRITE = 8, KNOWN_REASONING = 32 };

/* Usage is bounded to 1e9 tokens a count and prices to what fits a decimal of USD per million; the
 * product may still pass 64 bits for absurd prices, and then saturates so that no sum wraps. */
static const uint64_t most_pd = UINT64_MAX / 8;

static uint64_t times(uint64_t tokens, uint64_t pd_per_token)
{
    uint64_t product;
    return __builtin_mul_overflow(tokens, pd_per_token, &product) || product > most_pd ? most_pd
                                                                                       : product;
}

/* Of an amount that `times` made. */
static uint64_t in_halves(uint64_t pd, unsigned halves)
{
    uint64_t product = pd * halves / 2;
    return product > most_pd ? most_pd : product;
}

bool cost_is_long_context(const struct usage *u, const struct price_options *price)
{
    return price->long_context && u->prompt > COST_LONG_CONTEXT;
}

static void charge_long_context(struct cost *c)
{
    c->prompt_pd = in_halves(c->prompt_pd, COST_LONG_INPUT_HALVES);
    c->cache_read_pd = in_halves(c->cache_read_pd, COST_LONG_INPUT_HALVES);
    c->cache_write_pd = in_halves(c->cache_write_pd, COST_LONG_INPUT_HALVES);
    c->completion_pd = in_halves(c->completion_pd, COST_LONG_OUTPUT_HALVES);
    c->reasoning_pd = in_halves(c->reasoning_pd, COST_LONG_OUTPUT_HALVES);
}

struct cost cost_of(const struct usage *u, const struct price_options *price)
{
    struct cost c = {.known = price->known != 0};
    if (!c.known)
        return c;
    uint64_t read = price->known & KNOWN_READ ? price->cache_read : price->input;
    uint64_t write = price->known & KNOWN_WRITE ? price->cache_write : price->input;
    bool reasoning_apart = (price->known & KNOWN_REASONING) != 0;
    uint64_t reasoning = reasoning_apart ? u->reasoning : 0;
    if (reasoning > u->completion)
        reasoning = u->completion;
    c.prompt_pd = times(u->prompt - u->cached - u->cache_write, price->input);
    c.cache_read_pd = times(u->cached, read);
    c.cache_write_pd = times(u->cache_write, write);
    c.completion_pd = times(u->completion - reasoning, price->output);
    c.reasoning_pd = reasoning_apart ? times(reasoning, price->reasoning) : 0;
    if (cost_is_long_context(u, price))
        charge_long_context(&c);
    c.total_pd = c.prompt_pd + c.cache_read_pd + c.cache_write_pd + c.completion_pd +
                 c.reasoning_pd;
    return c;
}

struct cost cost_of_own(const struct usage *u, const struct price_options *price)
{
    struct cost c = cost_of(u, price);
    c.is_byok = true;
    c.byok_pd = c.total_pd;
    c.total_pd = 0;
    return c;
}

uint64_t cost_batch_discount(const struct cost *c)
{
    return c->total_pd / 2;
}

void cost_discount(struct cost *c, unsigned ppm)
{
    c->discount_ppm = ppm;
    c->total_pd = dollars_share(c->total_pd, ppm);
}

static uint64_t plus(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

void cost_add(struct cost *c, const struct cost *more)
{
    c->known |= more->known;
    c->prompt_pd = plus(c->prompt_pd, more->prompt_pd);
    c->cache_read_pd = plus(c->cache_read_pd, more->cache_read_pd);
    c->cache_write_pd = plus(c->cache_write_pd, more->cache_write_pd);
    c->completion_pd = plus(c->completion_pd, more->completion_pd);
    c->reasoning_pd = plus(c->reasoning_pd, more->reasoning_pd);
    c->total_pd = plus(c->total_pd, more->total_pd);
    c->byok_pd = plus(c->byok_pd, more->byok_pd);
    c->is_byok |= more->is_byok;
    c->discount_ppm |= more->discount_ppm; /* one account's, so both have the same or none */
}

int cost_write_usd(uint64_t pd, struct buf *out)
{
    char text[DOLLARS_TEXT_BYTES];
    size_t len = dollars_write(pd, text);
    return buf_add(out, span_of(text, len));
}

int cost_write_rate(unsigned ppm, struct buf *out)
{
    return cost_write_usd(ppm * (PD_PER_USD / 1000000), out);
}

static int write_part(const char *name, uint64_t pd, struct buf *out)
{
    int rc = buf_addf(out, "\"%s\":", name);
    if (rc == 0)
        rc = cost_write_usd(pd, out);
    return rc == 0 ? buf_add_byte(out, ',') : rc;
}

int cost_write_per_million(uint64_t pd_per_token, struct buf *out)
{
    uint64_t pd;
    if (__builtin_mul_overflow(pd_per_token, 1000000u, &pd))
        pd = UINT64_MAX;
    return cost_write_usd(pd, out);
}

int cost_write_members(const struct cost *c, struct buf *out)
{
    const struct {
        const char *name;
        uint64_t pd;
    } parts[] = {
        {"prompt_cost", c->prompt_pd},
        {"prompt_cache_read_cost", c->cache_read_pd},
        {"prompt_cache_write_5_min", c->cache_write_pd},
        {"prompt_cache_write_1_h", 0},
        {"prompt_cache_write_cost", c->cache_write_pd},
        {"completion_cost", c->completion_pd},
        {"reasoning_cost", c->reasoning_pd},
        {"image_cost", 0},
        {"audio_cost", 0},
        {"video_cost", 0},
        {"native_web_search_cost", 0},
        {"plugin_web_search_cost", 0},
        {"tools_cost", 0},
        {"byok_cost", c->byok_pd},
    };
    int rc = buf_add_text(out, "\"cost\":");
    if (rc == 0)
        rc = cost_write_usd(c->total_pd, out);
    if (rc == 0)
        rc = buf_add_text(out, ",\"cost_details\":{");
    for (unsigned i = 0; rc == 0 && i < sizeof parts / sizeof parts[0]; i++)
        rc = write_part(parts[i].name, parts[i].pd, out);
    if (rc == 0)
        rc = buf_add_text(out, "\"discount_rate\":");
    if (rc == 0)
        rc = cost_write_rate(c->discount_ppm != 0 ? c->discount_ppm : 1000000, out);
    return rc == 0 ? buf_addf(out, ",\"is_byok\":%s}", c->is_byok ? "true" : "false") : rc;
}
