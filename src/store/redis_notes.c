#include "redis_notes.h"

#include "decimal.h"
#include "owner.h"

#include <hiredis/hiredis.h>

#define NOTES_KEPT "1024"

static struct span name_of(const struct redis *r, struct span channel, char out[REDIS_NAME_BYTES])
{
    return redis_name(r, SPAN_LIT("told:"), channel, out);
}

bool redis_tell(struct redis *r, struct span channel, struct span note, uint64_t keep_ms)
{
    char name[REDIS_NAME_BYTES];
    struct decimal keep;
    struct span key = name_of(r, channel, name);
    const struct span add[] = {
        SPAN_LIT("XADD"),     key,           SPAN_LIT("MAXLEN"), SPAN_LIT("~"),
        SPAN_LIT(NOTES_KEPT), SPAN_LIT("*"), SPAN_LIT("n"),      note};
    const struct span expire[] = {SPAN_LIT("PEXPIRE"), key, decimal(keep_ms, &keep)};

    return redis_write(r, add, 8) && redis_write(r, expire, 3);
}

static bool is_array(const redisReply *reply, size_t at_least)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements >= at_least;
}

/* [id, ["n", note]]; what looks different is stepped over. False: it has not even an id. */
static bool read_note(const redisReply *entry, struct notes *heard)
{
    const redisReply *id = is_array(entry, 2) ? entry->element[0] : NULL;

    if (id == NULL || id->type != REDIS_REPLY_STRING || id->len >= sizeof(heard->next.id))
        return false;
    memcpy(heard->next.id, id->str, id->len + 1);
    const redisReply *fields = entry->element[1];
    if (is_array(fields, 2) && fields->element[1]->type == REDIS_REPLY_STRING)
        heard->at[heard->n++] = span_of(fields->element[1]->str, fields->element[1]->len);
    return true;
}

/* [[key, [entry, …]]], or nothing at all. */
static void read_notes(const redisReply *reply, struct notes *heard)
{
    const redisReply *stream = is_array(reply, 1) ? reply->element[0] : NULL;
    const redisReply *entries = stream != NULL && is_array(stream, 2) ? stream->element[1] : NULL;
    size_t n = entries != NULL && is_array(entries, 1) ? entries->elements : 0;

    heard->has_more = n >= STORE_NOTES_MAX;
    for (size_t i = 0; i < n && i < STORE_NOTES_MAX; i++) {
        if (!read_note(entries->element[i], heard))
            heard->has_more = false; /* or the same would be asked for ever */
    }
}

static void on_heard(struct redis_call *c, const redisReply *reply)
{
    struct redis_hear *h = OWNER(struct redis_hear, call, c);
    struct notes heard = {.next = h->from, .is_heard = reply != NULL};

    if (heard.is_heard)
        read_notes(reply, &heard);
    h->done(h, &heard);
}

bool redis_hear(struct redis *r, struct span channel, struct redis_hear *h)
{
    char name[REDIS_NAME_BYTES];
    struct decimal most;
    const struct span words[] = {SPAN_LIT("XREAD"),
                                 SPAN_LIT("COUNT"),
                                 decimal(STORE_NOTES_MAX, &most),
                                 SPAN_LIT("STREAMS"),
                                 name_of(r, channel, name),
                                 h->from.id[0] != '\0' ? span_text(h->from.id) : SPAN_LIT("0")};

    h->call.done = on_heard;
    return redis_send(r, words, 6, &h->call, redis_patience_ms(r));
}
