/* The history in a Redis, for all replicas:
 *
 *   <prefix>history:order    sorted set: places (time and id, history_record.h) by their time
 *   <prefix>history:frames   hash: an id's frame
 *
 * A batch is written in pieces, each by one script, so that either both know of a record or neither; what
 * was not answered is written again, which changes nothing where it had been written after all. */
#include "history_priv.h"

#include "decimal.h"
#include "owner.h"
#include "sluice/base/arena.h"
#include "sluice/net/timer.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

enum { PATIENCE_MS = 2000, RETRY_MS = 250 };
/* Of a piece, of a page: what takes Redis less than a millisecond or two, and fits a reply. */
enum { PIECE_RECORDS = 64, PIECE_BYTES = 128 * 1024, PAGE_RECORDS = 250 };
enum { SWEEP_EVERY_MS = 60 * 1000, SWEEP_AGAIN_MS = 50, SWEEP_RECORDS = 500 };

/* ARGV: time, place, id, frame, and so on. */
static const char write_script[] = "for i = 1, #ARGV, 4 do\n"
                                   "  redis.call('ZADD', KEYS[1], ARGV[i], ARGV[i + 1])\n"
                                   "  redis.call('HSET', KEYS[2], ARGV[i + 2], ARGV[i + 3])\n"
                                   "end\n"
                                   "return #ARGV\n";

/* ARGV: the place to go on behind, its time, how many. Gives the frames in one string, how many places
 * there were, how many of them were looked at, and the last of these. A frame whose length is not what it
 * says would hide all behind it, and is left out. */
static const char page_script[] =
    "local start = redis.call('ZREVRANK', KEYS[1], ARGV[1])\n"
    "if start then start = start + 1\n"
    "else start = redis.call('ZCOUNT', KEYS[1], '(' .. ARGV[2], '+inf') end\n"
    "local places = redis.call('ZREVRANGE', KEYS[1], start, start + ARGV[3] - 1)\n"
    "if #places == 0 then return {'', 0, 0, ''} end\n"
    "local ids, found, size, seen = {}, {}, 0, 0\n"
    "for i, place in ipairs(places) do ids[i] = string.sub(place, 9) end\n"
    "local frames = redis.call('HMGET', KEYS[2], unpack(ids))\n"
    "for i = 1, #places do\n"
    "  local frame = frames[i]\n"
    "  local a, b, c, d = string.byte(frame or '', 1, 4)\n"
    "  if d and a + 256 * b + 65536 * c + 16777216 * d == #frame then\n"
    "    found[#found + 1] = frame\n"
    "    size = size + #frame\n"
    "  end\n"
    "  seen = i\n"
    "  if size > 524288 then break end\n"
    "end\n"
    "return {table.concat(found), #places, seen, places[seen]}\n";

/* ARGV: the time before which all go, how many may stay, how many may go at once, for how long to keep
 * both when nobody writes any more. */
static const char sweep_script[] =
    "local most = tonumber(ARGV[3])\n"
    "local old = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[1], 'LIMIT', 0, most)\n"
    "local over = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[2])\n"
    "if over > most then over = most end\n"
    "if over > #old then old = redis.call('ZRANGE', KEYS[1], 0, over - 1) end\n"
    "for _, place in ipairs(old) do\n"
    "  redis.call('HDEL', KEYS[2], string.sub(place, 9))\n"
    "  redis.call('ZREM', KEYS[1], place)\n"
    "end\n"
    "redis.call('PEXPIRE', KEYS[1], ARGV[4])\n"
    "redis.call('PEXPIRE', KEYS[2], ARGV[4])\n"
    "return #old\n";

struct redis_history {
    struct loop *loop;
    struct redis *redis;
    struct history *history;
    struct history_limits limits;
    struct buf writing; /* what has not been answered yet */
    size_t piece_bytes; /* of it, under way; 0: nothing is */
    struct redis_call write, sweeping;
    bool is_sweeping;
    struct deadline again, sweep;
};

struct redis_read {
    struct redis_history *self;
    struct history_read *read;
    struct redis_call call;
    bool is_waiting;
    struct deadline refused; /* Redis is away: told from the loop all the same */
};

static struct span name_of(const struct redis_history *h, const char *which,
                           char out[REDIS_NAME_BYTES])
{
    return redis_name(h->redis, SPAN_LIT("history:"), span_text(which), out);
}

/* --- writing -------------------------------------------------------------------------------------- */

struct piece {
    struct history_place places[PIECE_RECORDS];
    struct decimal times[PIECE_RECORDS];
    struct span words[5 + 4 * PIECE_RECORDS];
    unsigned n;
    size_t size_bytes;
};

static void piece_add(struct piece *p, struct span frame)
{
    struct history_place *place = &p->places[p->n];
    struct span *words = p->words + 5 + (size_t)4 * p->n;
    if (!history_frame_place(frame, place))
        return;
    words[0] = decimal(history_place_time(place), &p->times[p->n]);
    words[1] = span_of(place->at, sizeof place->at);
    words[2] = span_of(place->at + 8, HISTORY_ID_BYTES);
    words[3] = frame;
    p->n++;
}

static bool send_piece(struct redis_history *h)
{
    struct piece p = {.n = 0};
    char order[REDIS_NAME_BYTES], frames[REDIS_NAME_BYTES];
    struct span rest = buf_span(&h->writing), frame;
    while (p.n < PIECE_RECORDS && p.size_bytes < PIECE_BYTES && history_frame_next(&rest, &frame)) {
        piece_add(&p, frame);
        p.size_bytes += frame.len;
    }
    p.words[0] = SPAN_LIT("EVAL");
    p.words[1] = span_text(write_script);
    p.words[2] = SPAN_LIT("2");
    p.words[3] = name_of(h, "order", order);
    p.words[4] = name_of(h, "frames", frames);
    h->piece_bytes = redis_send(h->redis, p.words, 5 + 4 * p.n, &h->write, PATIENCE_MS)
                         ? p.size_bytes
                         : 0;
    return h->piece_bytes > 0;
}

static void write_on(struct redis_history *h)
{
    if (buf_len(&h->writing) > 0 && h->piece_bytes == 0 && !send_piece(h))
        deadline_set(&h->again, RETRY_MS);
}

static void on_again(struct deadline *d)
{
    write_on(OWNER(struct redis_history, again, d));
}

static void on_written(struct redis_call *c, const redisReply *reply)
{
    struct redis_history *h = OWNER(struct redis_history, write, c);
    size_t written = h->piece_bytes;
    h->piece_bytes = 0;
    if (reply == NULL || reply->type != REDIS_REPLY_INTEGER) {
        deadline_set(&h->again, RETRY_MS);
        return;
    }
    buf_consume(&h->writing, written);
    if (buf_len(&h->writing) > 0)
        write_on(h);
    else
        history_next(h->history);
}

static bool write_frames(void *self, struct buf *frames)
{
    struct redis_history *h = self;
    struct buf empty = h->writing;
    if (buf_len(&h->writing) > 0)
        return false;
    buf_clear(&empty);
    h->writing = *frames;
    *frames = empty;
    write_on(h);
    return true;
}

static bool is_idle(const void *self)
{
    return buf_len(&((const struct redis_history *)self)->writing) == 0;
}

/* --- sweeping ------------------------------------------------------------------------------------- */

static void on_swept(struct redis_call *c, const redisReply *reply)
{
    struct redis_history *h = OWNER(struct redis_history, sweeping, c);
    bool is_through = reply == NULL || reply->type != REDIS_REPLY_INTEGER ||
                      reply->integer < SWEEP_RECORDS;
    h->is_sweeping = false;
    deadline_set(&h->sweep, is_through ? SWEEP_EVERY_MS : SWEEP_AGAIN_MS);
}

static void on_sweep(struct deadline *d)
{
    struct redis_history *h = OWNER(struct redis_history, sweep, d);
    uint64_t now = clock_unix_ms(), kept = h->limits.retention_ms;
    char order[REDIS_NAME_BYTES], frames[REDIS_NAME_BYTES];
    struct decimal before, stay, most, idle;
    const struct span words[] = {
        SPAN_LIT("EVAL"),
        span_text(sweep_script),
        SPAN_LIT("2"),
        name_of(h, "order", order),
        name_of(h, "frames", frames),
        decimal(now > kept ? now - kept : 0, &before),
        decimal(h->limits.max_records, &stay),
        decimal(SWEEP_RECORDS, &most),
        decimal(kept + (uint64_t)24 * 3600 * 1000, &idle),
    };
    if (h->is_sweeping)
        return;
    h->is_sweeping = redis_send(h->redis, words, 9, &h->sweeping, PATIENCE_MS);
    if (!h->is_sweeping)
        deadline_set(d, RETRY_MS);
}

static void limit(void *self, const struct history_limits *l)
{
    struct redis_history *h = self;
    h->limits = *l;
    deadline_set(&h->sweep, RETRY_MS);
}

/* --- reading -------------------------------------------------------------------------------------- */

static void read_free(struct redis_read *k)
{
    deadline_clear(&k->refused);
    if (k->is_waiting)
        redis_call_cancel(&k->call);
    free(k);
}

static void read_end(struct redis_read *k)
{
    struct history_read *r = k->read;
    read_free(k);
    history_read_end(r);
}

static void take_frames(struct history_read *r, struct span frames)
{
    struct span frame;
    while (history_frame_next(&frames, &frame) && history_read_take(r, frame))
        ;
}

static bool is_page(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ARRAY && reply->elements == 4 &&
           reply->element[0]->type == REDIS_REPLY_STRING &&
           reply->element[1]->type == REDIS_REPLY_INTEGER &&
           reply->element[2]->type == REDIS_REPLY_INTEGER &&
           reply->element[3]->type == REDIS_REPLY_STRING &&
           (reply->element[2]->integer == 0 || reply->element[3]->len == HISTORY_PLACE_BYTES);
}

/* Redis was asked for as many as the page wants, so that it is never full before the reply ends. */
static void take_page(struct history_read *r, const redisReply *reply)
{
    uint64_t asked = r->query.most < PAGE_RECORDS ? r->query.most : PAGE_RECORDS;
    const redisReply *last = reply->element[3];
    long long there = reply->element[1]->integer, seen = reply->element[2]->integer;
    take_frames(r, span_of(reply->element[0]->str, reply->element[0]->len));
    if (seen == 0)
        return;
    memcpy(r->page.next.at, last->str, sizeof r->page.next.at);
    r->page.has_more = ((uint64_t)there >= asked || seen < there) &&
                       history_place_time(&r->page.next) >= r->query.from_unix_ms;
}

static void on_reply(struct redis_call *c, const redisReply *reply)
{
    struct redis_read *k = OWNER(struct redis_read, call, c);
    struct history_read *r = k->read;
    k->is_waiting = false;
    if (reply == NULL)
        r->page.is_lost = true;
    else if (r->query.has_id && reply->type == REDIS_REPLY_STRING)
        take_frames(r, span_of(reply->str, reply->len));
    else if (!r->query.has_id && is_page(reply))
        take_page(r, reply);
    else
        r->page.is_lost = reply->type != REDIS_REPLY_NIL;
    read_end(k);
}

static void on_refused(struct deadline *d)
{
    struct redis_read *k = OWNER(struct redis_read, refused, d);
    k->read->page.is_lost = true;
    read_end(k);
}

static bool ask_one(struct redis_read *k)
{
    char frames[REDIS_NAME_BYTES];
    const struct span words[] = {SPAN_LIT("HGET"), name_of(k->self, "frames", frames),
                                 span_of(k->read->query.id, HISTORY_ID_BYTES)};
    return redis_send(k->self->redis, words, 3, &k->call, PATIENCE_MS);
}

static bool ask_page(struct redis_read *k)
{
    const struct history_query *q = &k->read->query;
    char order[REDIS_NAME_BYTES], frames[REDIS_NAME_BYTES];
    struct decimal time, most;
    bool goes_on = q->has_place && history_place_time(&q->place) < q->until_unix_ms;
    uint64_t behind = goes_on                ? history_place_time(&q->place)
                      : q->until_unix_ms > 0 ? q->until_unix_ms - 1
                                             : 0;
    const struct span words[] = {
        SPAN_LIT("EVAL"),
        span_text(page_script),
        SPAN_LIT("2"),
        name_of(k->self, "order", order),
        name_of(k->self, "frames", frames),
        goes_on ? span_of(q->place.at, sizeof q->place.at) : SPAN_LIT(""),
        decimal(behind, &time),
        decimal(q->most < PAGE_RECORDS ? q->most : PAGE_RECORDS, &most),
    };
    return redis_send(k->self->redis, words, 8, &k->call, PATIENCE_MS);
}

static void read_frames(void *self, struct history_read *r)
{
    struct redis_read *k = xcalloc(1, sizeof *k);
    struct redis_history *h = self;
    k->self = h;
    k->read = r;
    r->work = k;
    k->call.done = on_reply;
    deadline_init(&k->refused, h->loop, on_refused);
    k->is_waiting = r->query.has_id ? ask_one(k) : ask_page(k);
    if (!k->is_waiting)
        deadline_set(&k->refused, 1);
}

static void forget(void *self, struct history_read *r)
{
    (void)self;
    read_end(r->work);
}

/* --- life ----------------------------------------------------------------------------------------- */

void *redis_history_open(struct loop *l, struct redis *r, struct history *history)
{
    struct redis_history *h = xcalloc(1, sizeof *h);
    h->loop = l;
    h->redis = r;
    h->history = history;
    h->write.done = on_written;
    h->sweeping.done = on_swept;
    deadline_init(&h->again, l, on_again);
    deadline_init(&h->sweep, l, on_sweep);
    return h;
}

static void close_redis(void *self)
{
    struct redis_history *h = self;
    deadline_clear(&h->again);
    deadline_clear(&h->sweep);
    if (h->piece_bytes > 0)
        redis_call_cancel(&h->write);
    if (h->is_sweeping)
        redis_call_cancel(&h->sweeping);
    buf_fini(&h->writing);
    free(h);
}

const struct history_backend history_in_redis = {
    .write = write_frames,
    .is_idle = is_idle,
    .read = read_frames,
    .forget = forget,
    .limit = limit,
    .close = close_redis,
};
