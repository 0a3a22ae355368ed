#include "sluice/meter/cost.h"

#include "sluice/base/dollars.h"

/* Counts are bounded (usage.h) and prices to what fits a decimal of USD per million; the product may still
 * pass 64 bits for absurd prices, and then saturates so that no sum of all the parts wraps. */
static const uint64_t most_pd = UINT64_MAX / 32;

static uint64_t times(uint64_t units, uint64_t pd)
{
    uint64_t product;
    if (units == 0)
        return 0;
    return __builtin_mul_overflow(units, pd, &product) || product > most_pd ? most_pd : product;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t minus(uint64_t whole, uint64_t part)
{
    return whole > part ? whole - part : 0;
}

/* --- what tokens cost -------------------------------------------------------------------------------- */

/* Usage at a price: what has a price of its own is taken out of what it is part of. */
struct billing {
    const struct usage *u;
    const struct price_options *price;
    unsigned input_quarters,
        output_quarters; /* multipliers of what is read and of what is written */
};

static bool is_apart(const struct billing *b, unsigned part)
{
    return (b->price->known & part) != 0;
}

static uint64_t in_quarters(uint64_t pd, unsigned quarters)
{
    uint64_t product;
    if (quarters == 4)
        return pd;
    if (__builtin_mul_overflow(pd, quarters, &product))
        return most_pd;
    return product / 4 < most_pd ? product / 4 : most_pd;
}

static uint64_t reading(const struct billing *b, uint64_t tokens, uint64_t pd)
{
    return in_quarters(times(tokens, pd), b->input_quarters);
}

static uint64_t writing(const struct billing *b, uint64_t tokens, uint64_t pd)
{
    return in_quarters(times(tokens, pd), b->output_quarters);
}

/* Takes what has a price of its own out of `*rest`. */
static uint64_t take_apart(const struct billing *b, unsigned part, uint64_t tokens, uint64_t *rest)
{
    if (!is_apart(b, part))
        return 0;
    uint64_t n = tokens < *rest ? tokens : *rest;
    *rest -= n;
    return n;
}

static void charge_prompt(const struct billing *b, struct cost *c)
{
    const struct usage *u = b->u;
    const struct price_options *p = b->price;
    const struct usage_parts *in = &u->in, *had = &u->cached_parts;
    uint64_t text = usage_uncached(u), written_5m = minus(u->cache_write, u->cache_write_1h);
    uint64_t audio = take_apart(b, PRICE_AUDIO_INPUT, minus(in->audio, had->audio), &text);
    uint64_t image = take_apart(b, PRICE_IMAGE_INPUT, minus(in->image, had->image), &text);
    uint64_t video = take_apart(b, PRICE_VIDEO_INPUT, minus(in->video, had->video), &text);
    c->prompt_pd = reading(b, text, p->input);
    c->audio_pd = reading(b, audio, p->audio_input);
    c->image_pd = reading(b, image, p->image_input);
    c->video_pd = reading(b, video, p->video_input);
    c->cache_read_pd = reading(b, u->cached, p->cache_read);
    c->cache_write_1h_pd = reading(b, u->cache_write_1h, p->cache_write_1h);
    c->cache_write_pd = reading(b, written_5m, p->cache_write) + c->cache_write_1h_pd;
    uint64_t kept = u->prompt - usage_uncached(u);
    c->list_pd = c->prompt_pd + c->audio_pd + c->image_pd + c->video_pd +
                 reading(b, kept, p->input);
}

static void charge_completion(const struct billing *b, struct cost *c)
{
    const struct usage *u = b->u;
    const struct price_options *p = b->price;
    uint64_t text = u->completion;
    uint64_t reasoning = take_apart(b, PRICE_REASONING, u->reasoning, &text);
    uint64_t audio = take_apart(b, PRICE_AUDIO_OUTPUT, u->out.audio, &text);
    uint64_t image = take_apart(b, PRICE_IMAGE_OUTPUT, u->out.image, &text);
    uint64_t audio_pd = writing(b, audio, p->audio_output);
    uint64_t image_pd = writing(b, image, p->image_output);
    c->completion_pd = writing(b, text, p->output);
    c->reasoning_pd = writing(b, reasoning, p->reasoning);
    c->audio_pd += audio_pd;
    c->image_pd += image_pd;
    c->list_pd += c->completion_pd + c->reasoning_pd + audio_pd + image_pd;
}

/* --- what is counted in other things ------------------------------------------------------------------ */

static uint64_t seconds_pd(uint64_t ms, uint64_t pd_per_second)
{
    return times(ms / 1000, pd_per_second) + times(ms % 1000, pd_per_second) / 1000;
}

/* No multiplier applies to these. What each request costs is part of what it costs to read it. */
static void charge_things(const struct billing *b, struct cost *c)
{
    enum { ANY = ~(PRICE_CHARACTER - 1) }; /* from there on a price has them */
    const struct usage *u = b->u;
    if (!is_apart(b, (unsigned)ANY))
        return;
    const struct price_options *p = b->price;
    uint64_t images = times(u->images, p->image);
    uint64_t sound = plus(times(u->characters, p->character), seconds_pd(u->audio_ms, p->second));
    c->search_pd = times(u->searches, p->search);
    c->tools_pd = times(u->tool_calls, p->tool_call);
    c->image_pd += images;
    c->audio_pd += sound;
    c->prompt_pd += p->request;
    c->list_pd = plus(c->list_pd, images + sound + c->search_pd + c->tools_pd + p->request);
}

/* --- the bill ---------------------------------------------------------------------------------------- */

bool cost_is_long_context(const struct usage *u, const struct price_options *price)
{
    return price->long_context && u->prompt > COST_LONG_CONTEXT;
}

static uint64_t sum_of(const struct cost *c)
{
    const uint64_t parts[] = {c->prompt_pd,        c->cache_read_pd, c->cache_write_pd,
                              c->completion_pd,    c->reasoning_pd,  c->image_pd,
                              c->audio_pd,         c->video_pd,      c->search_pd,
                              c->plugin_search_pd, c->tools_pd};
    uint64_t sum = 0;
    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++)
        sum = plus(sum, parts[i]);
    return sum;
}

struct cost cost_on(const struct cost_terms *terms, const struct usage *u,
                    const struct price_options *price)
{
    bool is_long = cost_is_long_context(u, price);
    unsigned share = terms->is_batch ? 1 : 2; /* halves */
    const struct billing b = {
        .u = u,
        .price = price,
        .input_quarters = share * (is_long ? COST_LONG_INPUT_HALVES : 2),
        .output_quarters = share * (is_long ? COST_LONG_OUTPUT_HALVES : 2),
    };
    struct cost c = {
        .known = price->known != 0,
        .discount_ppm = terms->discount_ppm,
        .is_byok = terms->is_own,
        .is_insured = terms->is_insured,
    };
    if (c.known) {
        charge_prompt(&b, &c);
        charge_completion(&b, &c);
        charge_things(&b, &c);
    }
    c.sum_pd = sum_of(&c);
    if (terms->is_own)
        c.byok_pd = c.sum_pd;
    else if (!terms->is_insured)
        c.total_pd = dollars_share(c.sum_pd, terms->discount_ppm);
    return c;
}

struct cost cost_of(const struct usage *u, const struct price_options *price)
{
    return cost_on(&(struct cost_terms){.discount_ppm = COST_NO_DISCOUNT}, u, price);
}

/* Zero completion insurance (contract 2.5, D-04). */
bool cost_is_insured(const struct usage *u, struct span finish, bool has_failed,
                     bool client_has_left)
{
    bool is_blank = finish.len == 0 && u->completion == 0;
    bool is_error = has_failed || span_eq(finish, SPAN_LIT("error"));
    return !client_has_left && (is_blank || is_error);
}

void cost_add(struct cost *c, const struct cost *more)
{
    uint64_t *const into[] = {
        &c->prompt_pd,     &c->cache_read_pd, &c->cache_write_pd,   &c->cache_write_1h_pd,
        &c->completion_pd, &c->reasoning_pd,  &c->image_pd,         &c->audio_pd,
        &c->video_pd,      &c->search_pd,     &c->plugin_search_pd, &c->tools_pd,
        &c->sum_pd,        &c->list_pd,       &c->total_pd,         &c->byok_pd};
    const uint64_t from[] = {
        more->prompt_pd,     more->cache_read_pd, more->cache_write_pd,   more->cache_write_1h_pd,
        more->completion_pd, more->reasoning_pd,  more->image_pd,         more->audio_pd,
        more->video_pd,      more->search_pd,     more->plugin_search_pd, more->tools_pd,
        more->sum_pd,        more->list_pd,       more->total_pd,         more->byok_pd};
    for (unsigned i = 0; i < sizeof from / sizeof from[0]; i++)
        *into[i] = plus(*into[i], from[i]);
    c->known |= more->known;
    c->is_byok |= more->is_byok;
    if (c->is_insured) /* nothing came of the whole */
        c->total_pd = 0;
}

/* --- as JSON ----------------------------------------------------------------------------------------- */

int cost_write_usd(uint64_t pd, struct buf *out)
{
    char text[DOLLARS_TEXT_BYTES];
    size_t len = dollars_write(pd, text);
    return buf_add(out, span_of(text, len));
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

int cost_write_rate(uint32_t ppm, struct buf *out)
{
    return cost_write_usd((uint64_t)ppm * 1000000, out);
}

int cost_write_members(const struct cost *c, struct buf *out)
{
    const struct {
        const char *name;
        uint64_t pd;
    } parts[] = {
        {"prompt_cost", c->prompt_pd},
        {"prompt_cache_read_cost", c->cache_read_pd},
        {"prompt_cache_write_5_min", minus(c->cache_write_pd, c->cache_write_1h_pd)},
        {"prompt_cache_write_1_h", c->cache_write_1h_pd},
        {"prompt_cache_write_cost", c->cache_write_pd},
        {"completion_cost", c->completion_pd},
        {"reasoning_cost", c->reasoning_pd},
        {"image_cost", c->image_pd},
        {"audio_cost", c->audio_pd},
        {"video_cost", c->video_pd},
        {"native_web_search_cost", c->search_pd},
        {"plugin_web_search_cost", c->plugin_search_pd},
        {"tools_cost", c->tools_pd},
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
        rc = cost_write_rate(c->discount_ppm, out);
    return rc == 0 ? buf_addf(out, ",\"is_byok\":%s}", c->is_byok ? "true" : "false") : rc;
}
