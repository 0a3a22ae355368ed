#include "response_cache.h"

#include "exchange_priv.h"

/* --- what is asked -------------------------------------------------------------------------------------- */

/* Where the configuration routes otherwise, the same name may be another model. */
static void make_id(const struct exchange *x, const uint8_t print[SHA256_BYTES],
                    struct answer_id *out)
{
    const struct span parts[] = {
        SPAN_LIT("cache"),
        span_text(x->deployment->snapshot->account.name),
        span_text(x->deployment->snapshot->routing_hash),
        span_text(x->kind->label),
        x->fixed_model,
        x->betas,
        span_of(print, SHA256_BYTES),
    };
    answer_id_of(parts, sizeof parts / sizeof parts[0], out);
}

void response_cache_note(struct exchange *x, const uint8_t print[SHA256_BYTES])
{
    bool is_for_models = !x->kind->explains && x->kind->estimates == ESTIMATES_NOTHING &&
                         x->kind->api != API_COUNT_TOKENS;
    if (x->request->cache != CACHE_GATEWAY || !is_for_models ||
        !x->deployment->snapshot->cache.enabled)
        return;
    x->cache = ARENA_NEW(&x->arena, struct response_cache);
    x->cache->result = x->wants_cost ? CACHE_BYPASS : CACHE_MISS;
    make_id(x, print, &x->cache->id);
}

/* --- looking -------------------------------------------------------------------------------------------- */

static void on_found(void *arg, const struct answer_found *found)
{
    struct exchange *x = arg;
    struct response_cache *c = x->cache;
    c->looking = NULL;
    if (found->state == ANSWER_KEPT && buf_add(&c->found, found->answer) < 0)
        buf_fini(&c->found);
    c->then(x);
}

bool response_cache_ask(struct exchange *x, void (*then)(struct exchange *x))
{
    struct response_cache *c = x->cache;
    if (c == NULL || c->result == CACHE_BYPASS || x->skips_cache)
        return false;
    c->then = then;
    c->looking = answers_look(store_answers(x->gateway->store), &c->id, on_found, x);
    return true;
}

bool response_cache_serve(struct exchange *x)
{
    struct response_cache *c = x->cache;
    if (c == NULL)
        return false;
    if (x->keeps_nothing)
        c->result = CACHE_BYPASS;
    if (c->result != CACHE_BYPASS && buf_len(&c->found) > 0) {
        c->result = CACHE_HIT;
        if (captured_answer_replay(x, buf_span(&c->found), SPAN_NONE))
            return true;
        c->result = CACHE_MISS; /* another version's */
    }
    buf_fini(&c->found);
    if (c->result == CACHE_MISS)
        captured_answer_start(x);
    return false;
}

/* Before that nobody has looked at what was found. */
static bool is_planned(const struct exchange *x)
{
    return x->plan.n > 0;
}

const char *response_cache_word(const struct exchange *x)
{
    return x->cache == NULL || !is_planned(x) ? NULL : cache_result_name(x->cache->result);
}

/* --- the end -------------------------------------------------------------------------------------------- */

static void keep(struct exchange *x)
{
    const struct captured_answer *a = x->captured;
    struct buf copy = {0};
    bool is_good = captured_answer_lasts(x) && a->status == 200 && !a->is_too_large &&
                   buf_len(&a->bytes) <= x->deployment->snapshot->cache.max_bytes;
    if (is_good && buf_add(&copy, buf_span(&a->bytes)) == 0)
        answers_put(store_answers(x->gateway->store), &x->cache->id, &copy,
                    x->deployment->snapshot->cache.ttl_ms);
    buf_fini(&copy);
}

void response_cache_settle(struct exchange *x)
{
    struct response_cache *c = x->cache;
    if (c == NULL)
        return;
    if (c->looking != NULL)
        answer_claim_release(c->looking);
    c->looking = NULL;
    buf_fini(&c->found);
    if (is_planned(x))
        metric_add(x->gateway->instruments.cache[c->result], 1);
    if (c->result == CACHE_MISS && is_planned(x) && x->captured != NULL)
        keep(x);
}
