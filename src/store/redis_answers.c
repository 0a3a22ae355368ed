#include "redis_answers.h"

#include "decimal.h"
#include "owner.h"
#include "sluice/base/digest.h"
#include "sluice/base/seal.h"

#include <hiredis/hiredis.h>

enum { PATIENCE_MS = 2000, CHUNK_BYTES = 576 * 1024 };
enum { SEALED_MAX_BYTES = ANSWER_MAX_BYTES + SEAL_OVERHEAD_BYTES };
_Static_assert(CHUNK_BYTES >= ANSWER_PUT_MAX_BYTES + SEAL_OVERHEAD_BYTES, "it is put in one piece");

/* KEYS[1]  the hash of an id   ARGV  what to do, the claim's head, milliseconds; a field and its value
 * Returns  claim, look: nothing, or the head that is there and the first chunk
 *          else 1, or 0 where the claim is another's by now */
static const char script[] =
    "local key, op, mine, ms = KEYS[1], ARGV[1], ARGV[2], ARGV[3]\n"
    "local head = redis.call('HGET', key, 'h')\n"
    "if op == 'claim' or op == 'look' then\n"
    "  if head then return {head, redis.call('HGET', key, '0') or ''} end\n"
    "  if op == 'look' then return {} end\n"
    "elseif op == 'put' then\n"
    "  redis.call('DEL', key)\n"
    "elseif head and head ~= mine then\n"
    "  return 0\n"
    "elseif op == 'release' then\n"
    "  redis.call('DEL', key)\n"
    "  return 1\n"
    "end\n"
    "if not head then redis.call('HSET', key, 'h', mine) end\n"
    "if ARGV[4] then redis.call('HSET', key, ARGV[4], ARGV[5]) end\n"
    "if ARGV[6] then redis.call('HSET', key, 'h', ARGV[6]) end\n"
    "redis.call('PEXPIRE', key, ms)\n"
    "return op == 'claim' and {} or 1\n";

struct command {
    const char *op;
    struct span mine;
    uint64_t ms;
    struct span field, value, head; /* or none */
};

static bool send_command(struct redis *redis, const struct answer_id *id, const struct command *c,
                         struct redis_call *call, unsigned timeout_ms)
{
    char name[REDIS_NAME_BYTES], hex[2 * ANSWER_ID_BYTES + 1];
    struct decimal ms;
    digest_hex(id->bytes, ANSWER_ID_BYTES, hex);
    const struct span words[] = {
        SPAN_LIT("EVAL"),
        span_text(script),
        SPAN_LIT("1"),
        redis_name(redis, SPAN_LIT("answer:"), span_text(hex), name),
        span_text(c->op),
        c->mine,
        decimal(c->ms, &ms),
        c->field,
        c->value,
        c->head,
    };
    unsigned n = c->head.len > 0 ? 10 : c->field.len > 0 ? 9 : 7;
    return redis_send(redis, words, n, call, timeout_ms);
}

/* --- heads ------------------------------------------------------------------------------------------ */

static struct span claim_head(const struct redis_answer *r, uint8_t out[ANSWER_HEAD_BYTES])
{
    out[0] = 'R';
    memcpy(out + 1, r->token, ANSWER_TOKEN_BYTES);
    memcpy(out + 1 + ANSWER_TOKEN_BYTES, r->print, ANSWER_PRINT_BYTES);
    return span_of(out, ANSWER_HEAD_BYTES);
}

/* 'F', the print, the number of chunks (none: it is gone), its size. */
enum { KEPT_HEAD_BYTES = 1 + ANSWER_PRINT_BYTES + 1 + 4 };

static struct span kept_head(const struct redis_answer *r, uint8_t out[KEPT_HEAD_BYTES])
{
    uint8_t *at = out + 1 + ANSWER_PRINT_BYTES;
    out[0] = 'F';
    memcpy(out + 1, r->print, ANSWER_PRINT_BYTES);
    *at++ = (uint8_t)r->nchunks;
    for (unsigned i = 0; i < 4; i++)
        *at++ = (uint8_t)(r->size >> 8 * i);
    return span_of(out, KEPT_HEAD_BYTES);
}

static enum answer_state read_head(struct redis_answer *r, struct span head)
{
    if (head.len == ANSWER_HEAD_BYTES && head.at[0] == 'R') {
        r->is_same = memcmp(head.at + 1 + ANSWER_TOKEN_BYTES, r->print, ANSWER_PRINT_BYTES) == 0;
        return ANSWER_RUNNING;
    }
    if (head.len != KEPT_HEAD_BYTES || head.at[0] != 'F')
        return ANSWER_LOST; /* not ours */
    const uint8_t *at = head.at + 1 + ANSWER_PRINT_BYTES;
    r->is_same = memcmp(head.at + 1, r->print, ANSWER_PRINT_BYTES) == 0;
    r->nchunks = *at++;
    r->size = 0;
    for (unsigned i = 0; i < 4; i++)
        r->size |= (size_t)at[i] << 8 * i;
    return r->nchunks == 0 || r->size > SEALED_MAX_BYTES ? ANSWER_GONE : ANSWER_KEPT;
}

/* --- asking ----------------------------------------------------------------------------------------- */

static void end(struct redis_answer *r, enum answer_state state)
{
    r->is_waiting = false;
    r->done(r, state);
}

static void on_chunk(struct redis_call *c, const redisReply *reply);

static bool ask_for_chunk(struct redis_answer *r)
{
    char name[REDIS_NAME_BYTES], hex[2 * ANSWER_ID_BYTES + 1];
    struct decimal chunk;
    digest_hex(r->id.bytes, ANSWER_ID_BYTES, hex);
    const struct span words[] = {SPAN_LIT("HGET"),
                                 redis_name(r->redis, SPAN_LIT("answer:"), span_text(hex), name),
                                 decimal(r->chunk, &chunk)};
    r->call.done = on_chunk;
    return redis_send(r->redis, words, 3, &r->call, PATIENCE_MS);
}

static void take_chunk(struct redis_answer *r, const redisReply *chunk)
{
    bool fits = chunk->type == REDIS_REPLY_STRING && chunk->len <= CHUNK_BYTES &&
                buf_add(&r->held, span_of(chunk->str, chunk->len)) == 0;
    r->chunk++;
    if (fits && r->chunk == r->nchunks)
        end(r, buf_len(&r->held) == r->size ? ANSWER_KEPT : ANSWER_GONE);
    else if (!fits || !ask_for_chunk(r))
        end(r, chunk->type == REDIS_REPLY_NIL ? ANSWER_GONE : ANSWER_LOST);
}

static void on_chunk(struct redis_call *c, const redisReply *reply)
{
    struct redis_answer *r = OWNER(struct redis_answer, call, c);
    if (reply == NULL)
        end(r, ANSWER_LOST);
    else
        take_chunk(r, reply);
}

static void on_asked(struct redis_call *c, const redisReply *reply)
{
    struct redis_answer *r = OWNER(struct redis_answer, call, c);
    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
        end(r, ANSWER_LOST);
        return;
    }
    if (reply->elements == 0) {
        end(r, r->claims ? ANSWER_CLAIMED : ANSWER_ABSENT);
        return;
    }
    const redisReply *head = reply->element[0];
    if (reply->elements != 2 || head->type != REDIS_REPLY_STRING) {
        end(r, ANSWER_LOST);
        return;
    }
    enum answer_state state = read_head(r, span_of(head->str, head->len));
    r->chunk = 0;
    if (state == ANSWER_KEPT && (r->is_same || !r->claims))
        take_chunk(r, reply->element[1]);
    else
        end(r, state);
}

bool redis_answer_ask(struct redis_answer *r, bool claims, unsigned timeout_ms)
{
    uint8_t head[ANSWER_HEAD_BYTES];
    const struct command c = {
        .op = claims ? "claim" : "look", .mine = claim_head(r, head), .ms = ANSWER_LEASE_MS};
    r->claims = claims;
    r->call.done = on_asked;
    r->is_waiting = send_command(r->redis, &r->id, &c, &r->call, timeout_ms);
    return r->is_waiting;
}

/* --- keeping ---------------------------------------------------------------------------------------- */

static struct span chunk_of(const struct redis_answer *r, unsigned i)
{
    return span_sub(r->written, (size_t)i * CHUNK_BYTES, CHUNK_BYTES);
}

/* From the last chunk to the first, which makes it an answer. */
static bool write_chunk(struct redis_answer *r)
{
    uint8_t mine[ANSWER_HEAD_BYTES], kept[KEPT_HEAD_BYTES];
    struct decimal number;
    bool is_last = r->chunk == 0;
    const struct command c = {
        .op = "keep",
        .mine = claim_head(r, mine),
        .ms = is_last ? r->ttl_ms : ANSWER_LEASE_MS,
        .field = decimal(r->chunk, &number),
        .value = chunk_of(r, r->chunk),
        .head = is_last ? kept_head(r, kept) : SPAN_NONE,
    };
    return send_command(r->redis, &r->id, &c, &r->call, PATIENCE_MS);
}

static void on_written(struct redis_call *c, const redisReply *reply)
{
    struct redis_answer *r = OWNER(struct redis_answer, call, c);
    bool is_written = reply != NULL && reply->type == REDIS_REPLY_INTEGER;
    if (is_written && reply->integer == 0)
        end(r, ANSWER_RUNNING);
    else if (is_written && r->chunk == 0)
        end(r, ANSWER_KEPT);
    else if (!is_written || (r->chunk--, !write_chunk(r)))
        end(r, ANSWER_LOST);
}

static unsigned chunks_of(struct span sealed)
{
    return (unsigned)((sealed.len + CHUNK_BYTES - 1) / CHUNK_BYTES);
}

bool redis_answer_keep(struct redis_answer *r, struct span sealed, uint64_t ttl_ms)
{
    r->written = sealed;
    r->ttl_ms = ttl_ms;
    r->size = sealed.len;
    r->nchunks = chunks_of(sealed);
    r->chunk = r->nchunks > 0 ? r->nchunks - 1 : 0;
    r->call.done = on_written;
    r->is_waiting = write_chunk(r);
    return r->is_waiting;
}

void redis_answer_cancel(struct redis_answer *r)
{
    if (r->is_waiting)
        redis_call_cancel(&r->call);
    r->is_waiting = false;
    buf_fini(&r->held);
}

/* --- whose reply nobody waits for --------------------------------------------------------------------- */

static void on_errand(struct redis_call *c, const redisReply *reply)
{
    (void)c; /* it may be on its way several times */
    (void)reply;
}

static bool send_errand(const struct redis_answer *r, const struct command *c,
                        struct redis_call *errands)
{
    errands->done = on_errand;
    return send_command(r->redis, &r->id, c, errands, PATIENCE_MS);
}

bool redis_answer_renew(const struct redis_answer *r, struct redis_call *errands)
{
    uint8_t mine[ANSWER_HEAD_BYTES];
    const struct command c = {.op = "renew", .mine = claim_head(r, mine), .ms = ANSWER_LEASE_MS};
    return send_errand(r, &c, errands);
}

bool redis_answer_release(const struct redis_answer *r, struct redis_call *errands)
{
    uint8_t mine[ANSWER_HEAD_BYTES];
    const struct command c = {.op = "release", .mine = claim_head(r, mine), .ms = 1};
    return send_errand(r, &c, errands);
}

bool redis_answer_put(struct redis_answer *r, struct span sealed, uint64_t ttl_ms,
                      struct redis_call *errands)
{
    uint8_t mine[ANSWER_HEAD_BYTES], kept[KEPT_HEAD_BYTES];
    r->size = sealed.len;
    r->nchunks = 1;
    const struct command c = {
        .op = "put",
        .mine = claim_head(r, mine),
        .ms = ttl_ms,
        .field = SPAN_LIT("0"),
        .value = sealed,
        .head = kept_head(r, kept),
    };
    return send_errand(r, &c, errands);
}
