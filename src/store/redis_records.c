#include "redis_records.h"

#include "owner.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

enum { PATIENCE_MS = 2000, VERSION_PATIENCE_MS = 400 };

/* A reply holds 64 elements and a megabyte at most (redis_link.c), so a list comes in pages, by id: what
 * is there all the while is in exactly one of them.
 *
 * KEYS[1]  the hash of a kind     ARGV  what to do, the id, the value
 * Returns  the number of changes there were, 0 when there was nothing to delete or replace, -1 when it is full;
 *          a page: the ids and values behind an id, in turns. */
static const char script[] =
    "local kind, op, id, value = KEYS[1], ARGV[1], ARGV[2], ARGV[3]\n"
    "if op == 'replace' and redis.call('HEXISTS', kind, id) == 0 then return 0 end\n"
    "if op == 'put' or op == 'replace' then\n"
    "  if redis.call('HEXISTS', kind, id) == 0 and redis.call('HLEN', kind) > 2000 then\n"
    "    return -1\n"
    "  end\n"
    "  redis.call('HSET', kind, id, value)\n"
    "  return redis.call('HINCRBY', kind, '', 1)\n"
    "elseif op == 'delete' then\n"
    "  if redis.call('HDEL', kind, id) == 0 then return 0 end\n"
    "  return redis.call('HINCRBY', kind, '', 1)\n"
    "end\n"
    "local ids, page, size = redis.call('HKEYS', kind), {}, 0\n"
    "table.sort(ids)\n"
    "for _, each in ipairs(ids) do\n"
    "  if each > id and #page < 60 and size < 262144 then\n"
    "    local held = redis.call('HGET', kind, each)\n"
    "    page[#page + 1] = each\n"
    "    page[#page + 1] = held\n"
    "    size = size + #held\n"
    "  end\n"
    "end\n"
    "return page\n";
_Static_assert(RECORDS_MAX == 2000, "the script says so, too; its empty field is one more");

static const char *const op_words[] = {[RECORD_PUT] = "put",
                                       [RECORD_REPLACE] = "replace",
                                       [RECORD_DELETE] = "delete",
                                       [RECORD_LIST] = "list"};

static bool send_op(struct redis_records *r)
{
    char name[REDIS_NAME_BYTES];
    struct span key = redis_name(r->redis, SPAN_LIT("records:"), span_text(r->kind), name);
    const struct span get[] = {SPAN_LIT("HGET"), key, r->id};
    const struct span eval[] = {
        SPAN_LIT("EVAL"),
        span_text(script),
        SPAN_LIT("1"),
        key,
        span_text(r->op == RECORD_GET ? "" : op_words[r->op]),
        r->op == RECORD_LIST ? span_of(r->after, r->after_len) : r->id,
        r->value,
    };
    r->is_waiting = r->op == RECORD_GET ? redis_send(r->redis, get, 3, &r->call, PATIENCE_MS)
                                        : redis_send(r->redis, eval, 7, &r->call, PATIENCE_MS);
    return r->is_waiting;
}

static void take_got(struct redis_records *r, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_STRING) {
        r->done(r, reply->type == REDIS_REPLY_NIL ? RECORD_ABSENT : RECORD_LOST, 0);
        return;
    }
    int rc = record_set_put(&r->found, r->id, span_of(reply->str, reply->len));
    r->done(r, rc == 0 ? RECORD_DONE : RECORD_LOST, 0);
}

static bool keep_page(struct redis_records *r, const redisReply *reply)
{
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *id = reply->element[i], *value = reply->element[i + 1];
        if (id->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING || id->len == 0 ||
            id->len > RECORD_ID_MAX_BYTES || r->found.n == RECORDS_MAX ||
            record_set_put(&r->found, span_of(id->str, id->len), span_of(value->str, value->len)) <
                0)
            return false;
        memcpy(r->after, id->str, id->len);
        r->after_len = id->len;
    }
    return true;
}

static void take_page(struct redis_records *r, const redisReply *reply)
{
    bool is_page = reply->type == REDIS_REPLY_ARRAY && keep_page(r, reply);
    bool is_last = is_page && reply->elements == 0;
    if (!is_page || is_last || !send_op(r))
        r->done(r, is_last ? RECORD_DONE : RECORD_LOST, 0);
}

static void take_changed(struct redis_records *r, const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_INTEGER)
        r->done(r, RECORD_LOST, 0);
    else
        r->done(r,
                reply->integer > 0   ? RECORD_DONE
                : reply->integer < 0 ? RECORD_FULL
                                     : RECORD_ABSENT,
                reply->integer);
}

static void on_reply(struct redis_call *c, const redisReply *reply)
{
    struct redis_records *r = OWNER(struct redis_records, call, c);
    r->is_waiting = false;
    if (reply == NULL)
        r->done(r, RECORD_LOST, 0);
    else if (r->op == RECORD_GET)
        take_got(r, reply);
    else if (r->op == RECORD_LIST)
        take_page(r, reply);
    else
        take_changed(r, reply);
}

bool redis_records_start(struct redis_records *r)
{
    r->call.done = on_reply;
    return send_op(r);
}

void redis_records_cancel(struct redis_records *r)
{
    if (r->is_waiting)
        redis_call_cancel(&r->call);
    r->is_waiting = false;
    record_set_fini(&r->found);
}

static void on_version(struct redis_call *c, const redisReply *reply)
{
    struct redis_version *v = OWNER(struct redis_version, call, c);
    bool is_count = reply != NULL && reply->type == REDIS_REPLY_STRING;
    bool is_none = reply != NULL && reply->type == REDIS_REPLY_NIL;
    v->done(v, is_count || is_none, is_count ? strtoll(reply->str, NULL, 10) : 0);
}

bool redis_version_ask(struct redis *r, const char *kind, struct redis_version *v)
{
    char name[REDIS_NAME_BYTES];
    const struct span words[] = {
        SPAN_LIT("HGET"), redis_name(r, SPAN_LIT("records:"), span_text(kind), name), SPAN_NONE};
    v->call.done = on_version;
    return redis_send(r, words, 3, &v->call, VERSION_PATIENCE_MS);
}
