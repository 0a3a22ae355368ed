#include "cache_price.h"

/* Of the input price, in percent. */
struct shares {
    const char *
        name; /* in what the model is called, in lower case; '^': at its start, or behind a slash */
    unsigned read, write, write_1h;
};

/* The first that fits. Whoever is not here takes a quarter at most for reading; that it tells of tokens
 * written at all means that a client asked for it, which costs what it does at Anthropic's. */
static const struct shares makers[] = {
    {"claude", 10, 125, 200}, {"gemini-2.0", 25, 0, 0},  {"gemini", 10, 0, 0},
    {"grok", 25, 0, 0},       {"gpt-5.6", 10, 125, 125}, /* kept for half an hour, at one price */
    {"gpt-5", 10, 0, 0},      {"gpt-4.1", 25, 0, 0},     {"gpt-oss", 25, 125, 200}, /* anybody's */
    {"^o3-mini", 50, 0, 0},   {"^o3", 25, 0, 0},         {"^o4", 25, 0, 0},
    {"^o1", 50, 0, 0},        {"gpt-", 50, 0, 0},        {"deepseek", 10, 0, 0},
};
static const struct shares others = {"", 25, 125, 200};

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool begins(struct span text, struct span word)
{
    size_t n = 0;
    while (n < word.len && n < text.len && lower(text.at[n]) == word.at[n])
        n++;
    return n == word.len;
}

static bool is_called(struct span model, struct span name)
{
    bool at_start = name.at[0] == '^';
    name = span_skip(name, at_start);
    for (size_t i = 0; i < model.len; i++) {
        if ((!at_start || i == 0 || model.at[i - 1] == '/') && begins(span_skip(model, i), name))
            return true;
    }
    return false;
}

/* An operator's own name for it may say nothing, and so may a provider's. */
static const struct shares *shares_of(const struct model_options *m,
                                      const struct endpoint_options *e)
{
    for (unsigned i = 0; i < sizeof makers / sizeof makers[0]; i++) {
        struct span name = span_text(makers[i].name);
        if (is_called(span_text(m->id), name) ||
            (e->upstream_model != NULL && is_called(span_text(e->upstream_model), name)))
            return &makers[i];
    }
    return &others;
}

/* Input prices are bounded (value.h), so that no product wraps; half a pico-dollar is charged as one. */
static uint64_t share(uint64_t input, unsigned percent)
{
    return (input * percent + 50) / 100;
}

static void fill(struct price_options *p, const struct shares *s)
{
    if ((p->known & PRICE_INPUT) == 0)
        return;
    if ((p->known & PRICE_CACHE_READ) == 0)
        p->cache_read = share(p->input, s->read);
    if ((p->known & PRICE_CACHE_WRITE) == 0)
        p->cache_write = share(p->input, s->write);
    if ((p->known & PRICE_CACHE_WRITE_1H) == 0)
        p->cache_write_1h = share(p->input, s->write_1h);
}

void cache_price_fill(struct snapshot *s)
{
    for (unsigned i = 0; i < s->nmodels; i++) {
        struct model_options *m = &s->models[i];
        for (unsigned k = 0; k < m->nendpoints; k++)
            fill(&m->endpoints[k].price, shares_of(m, &m->endpoints[k]));
    }
}
