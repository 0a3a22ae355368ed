#include "sluice/meter/estimate.h"

/* No provider keeps a shorter prompt (contract 2.7). */
enum { CACHEABLE_MIN = 1024 };

const char *estimate_lacks(const struct estimate_terms *t, const struct price_options *price)
{
    if ((price->known & PRICE_INPUT) == 0)
        return "input";
    return t->output > 0 && (price->known & PRICE_OUTPUT) == 0 ? "output" : NULL;
}

/* Where writing costs nothing, the provider is not asked to. */
static void expect_write(const struct estimate_terms *t, const struct price_options *p,
                         struct usage *u)
{
    uint64_t price = t->keeps_an_hour ? p->cache_write_1h : p->cache_write;
    if (t->cacheable < CACHEABLE_MIN || t->cacheable > t->prompt || price == 0)
        return;
    u->cache_write = t->cacheable;
    u->cache_write_1h = t->keeps_an_hour ? t->cacheable : 0;
}

struct estimate estimate_make(const struct estimate_terms *t, const struct price_options *price)
{
    struct usage u = {.prompt = t->prompt, .completion = t->output};
    struct cost_terms terms = {.discount_ppm = t->discount_ppm, .is_own = t->is_own};
    expect_write(t, price, &u);
    struct estimate e = {
        .cost = cost_on(&terms, &u, price),
        .is_long_context = cost_is_long_context(&u, price),
    };
    terms.is_batch = t->is_batch;
    const struct cost batch = cost_on(&terms, &u, price);
    e.total_pd = batch.total_pd;
    if (!t->is_own) /* in list prices, as the parts are: the account's rate is on what remains */
        e.batch_discount_pd = e.cost.sum_pd - batch.sum_pd;
    return e;
}

int estimate_write(const struct estimate *e, struct buf *out)
{
    const struct {
        const char *name;
        uint64_t pd;
    } parts[] = {
        {"input_cost_usd", e->cost.prompt_pd},
        {"output_cost_usd", e->cost.completion_pd + e->cost.reasoning_pd},
        {"cache_read_cost_usd", e->cost.cache_read_pd},
        {"cache_write_cost_usd", e->cost.cache_write_pd},
        {"tools_cost_usd", 0},
        {"batch_discount_usd", e->batch_discount_pd},
        {"total_cost_usd", e->total_pd},
    };
    int rc = buf_add_byte(out, '{');
    for (unsigned i = 0; rc == 0 && i < sizeof parts / sizeof parts[0]; i++) {
        rc = buf_addf(out, "\"%s\":", parts[i].name);
        if (rc == 0)
            rc = cost_write_usd(parts[i].pd, out);
        if (rc == 0)
            rc = buf_add_byte(out, ',');
    }
    if (rc < 0)
        return rc;
    rc = buf_addf(out,
                  "\"long_context_multiplier\":{\"input\":%s,\"output\":%s},\"discount_rate\":",
                  e->is_long_context ? "2" : "1", e->is_long_context ? "1.5" : "1");
    if (rc == 0)
        rc = cost_write_rate(e->cost.discount_ppm, out);
    return rc == 0 ? buf_addf(out, ",\"is_byok\":%s,\"currency\":\"USD\"}",
                              e->cost.is_byok ? "true" : "false")
                   : rc;
}
