#include "redis_values.h"

#include "decimal.h"
#include "owner.h"

#include <hiredis/hiredis.h>

static struct span name_of(const struct redis *r, struct span key, char out[REDIS_NAME_BYTES])
{
    return redis_name(r, SPAN_LIT("value:"), key, out);
}

static void on_got(struct redis_call *c, const redisReply *reply)
{
    struct redis_get *g = OWNER(struct redis_get, call, c);

    if (reply != NULL && reply->type == REDIS_REPLY_STRING)
        g->done(g, true, reply->len <= STORE_VALUE_MAX_BYTES, span_of(reply->str, reply->len));
    else
        g->done(g, reply != NULL && reply->type == REDIS_REPLY_NIL, false, SPAN_NONE);
}

bool redis_get(struct redis *r, struct span key, struct redis_get *g)
{
    char name[REDIS_NAME_BYTES];
    const struct span words[] = {SPAN_LIT("GET"), name_of(r, key, name)};

    g->call.done = on_got;
    return redis_send(r, words, 2, &g->call, redis_patience_ms(r));
}

bool redis_put(struct redis *r, struct span key, struct span value, uint64_t ttl_ms)
{
    char name[REDIS_NAME_BYTES];
    struct decimal ttl;
    const struct span words[] = {SPAN_LIT("SET"), name_of(r, key, name), value, SPAN_LIT("PX"),
                                 decimal(ttl_ms, &ttl)};

    return redis_write(r, words, 5);
}
