#include "sluice/meter/estimate.h"

#include "sluice/base/dollars.h"

/* Bits of price_options.known. */
enum { KNOWN_INPUT = 1, KNOWN_OUTPUT = 2, KNOWN_WRITE = 8, KNOWN_WRITE_1H = 16 };

/* No provider keeps a shorter prompt (contract 2.7). */
enum { CACHEABLE_MIN = 1024 };

const char *estimate_lacks(const struct estimate_terms *t, const struct price_options *price)
{
    if ((price->known & KNOWN_INPUT) == 0)
        return "input";
    return t->output > 0 && (price->known & KNOWN_OUTPUT) == 0 ? "output" : NULL;
}

/* Where writing has no price, the provider is not asked to, or asks nothing for it. */
static void expect_write(const struct estimate_terms *t, struct usage *u, struct price_options *p)
{
    if (t->cacheable < CACHEABLE_MIN || t->cacheable > t->prompt)
        return;
    if (t->keeps_an_hour && (p->known & KNOWN_WRITE_1H) != 0) {
        p->cache_write = p->cache_write_1h;
        p->known |= KNOWN_WRITE;
    }
    if (p->known & KNOWN_WRITE)
        u->cache_write = t->cacheable;
}

struct estimate estimate_make(const struct estimate_terms *t, const struct price_options *price)
{
    struct usage u = {.prompt = t->prompt, .completion = t->output};
    struct price_options p = *price;
    expect_write(t, &u, &p);
    struct estimate e = {
        .cost = t->is_own ? cost_of_own(&u, &p) : cost_of(&u, &p),
        .is_long_context = cost_is_long_context(&u, &p),
    };
    e.batch_discount_pd = t->is_batch ? cost_batch_discount(&e.cost) : 0;
    e.cost.discount_ppm = t->discount_ppm != 0 ? t->discount_ppm : 1000000;
    e.total_pd = dollars_share(e.cost.total_pd - e.batch_discount_pd, e.cost.discount_ppm);
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
    if (rc == 0)
        rc = buf_addf(out,
                      "\"long_context_multiplier\":{\"input\":%s,\"output\":%s},\"discount_rate\":",
                      e->is_long_context ? "2" : "1", e->is_long_context ? "1.5" : "1");
    if (rc == 0)
        rc = cost_write_rate(e->cost.discount_ppm, out);
    return rc == 0 ? buf_addf(out, ",\"is_byok\":%s,\"currency\":\"USD\"}",
                              e->cost.is_byok ? "true" : "false")
                   : rc;
}
