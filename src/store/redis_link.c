/* A ring of slots, one for each command on its way, oldest first:
 *
 *        head                      head + count
 *   ------|--call--|--NULL--|--call--|------      NULL: forgotten or late, its reply still to come
 *
 * A reply always belongs to the head. hiredis reads the replies; the bytes travel through dial and
 * stream, like everything else does here. */
#include "redis_link.h"

#include "decimal.h"
#include "owner.h"
#include "sluice/base/arena.h"
#include "sluice/net/timer.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>

/* At 0.2 ms a round trip this many calls under way are five million a second: when they pile up,
 * Redis is not keeping pace and waiting longer would not help. */
enum { PIPELINE_MAX = 1024 };
/* What a Redis may leave unread, and what an unfinished reply may weigh (values: 64 KiB). */
enum {
    BACKLOG_MAX_BYTES = 4 * 1024 * 1024,
    REPLY_MAX_BYTES = 1024 * 1024,
    REPLY_MAX_ELEMENTS = 64
};
enum { OUT_KEPT_BYTES = 256 * 1024 };
enum { LATE_ROUNDS_MAX = 2 };
/* How late the loop itself may be (a slot of the wheel is 16 ms) before the peer is given a chance. */
enum { LOOP_LATE_MS = 32 };

#define NEVER UINT64_MAX

struct slot {
    struct link_call *call;
    uint64_t due_ms; /* NEVER: was late already */
};

enum link_state { LINK_DIALING, LINK_OPEN, LINK_LOST, LINK_CLOSED };

struct link {
    struct loop *loop;
    const struct link_events *events;
    void *owner;
    enum link_state state;
    struct dial_target target;
    struct dial *dial;     /* while LINK_DIALING */
    struct stream *stream; /* while LINK_OPEN */
    redisReader *reader;
    size_t unfinished_bytes; /* of the reply that is being read */
    struct buf out;          /* commands of this turn */
    struct later later;      /* end of turn: flush, or free when closed */
    struct deadline late;
    unsigned late_rounds; /* since the last reply */
    bool listening_first; /* see on_late */
    unsigned head, count;
    struct slot ring[PIPELINE_MAX];
};

static struct slot *slot_at(struct link *k, unsigned i)
{
    return &k->ring[(k->head + i) % PIPELINE_MAX];
}

static void answer(struct slot *s, const redisReply *reply)
{
    struct link_call *call = s->call;

    s->call = NULL;
    if (call != NULL)
        call->done(call, reply);
}

static void let_go(struct link *k)
{
    deadline_clear(&k->late);
    if (k->dial != NULL)
        dial_cancel(k->dial);
    if (k->stream != NULL)
        stream_close(k->stream);
    k->dial = NULL;
    k->stream = NULL;
}

/* The calls go first: once `lost` has been called the owner may have closed us. */
void link_fail(struct link *k, const char *reason)
{
    if (k->state != LINK_DIALING && k->state != LINK_OPEN)
        return;
    k->state = LINK_LOST;
    let_go(k);
    while (k->count > 0) {
        struct slot *s = slot_at(k, 0);
        k->head++;
        k->count--;
        answer(s, NULL);
    }
    if (k->state == LINK_LOST)
        k->events->lost(k->owner, reason);
}

bool link_is_open(const struct link *k)
{
    return k->state == LINK_OPEN;
}

/* ── sending ─────────────────────────────────────────────────────────────────────────────────── */

bool link_takes(const struct link *k)
{
    return k->state == LINK_OPEN && k->count < PIPELINE_MAX &&
           stream_backlog(k->stream) + buf_len(&k->out) < BACKLOG_MAX_BYTES;
}

/* "*3\r\n" starts a command of three words, "$5\r\n" a word of five bytes. */
static int add_size(struct buf *out, char kind, size_t size)
{
    struct decimal room;
    int rc = buf_add_byte(out, (uint8_t)kind);

    if (rc == 0)
        rc = buf_add(out, decimal(size, &room));
    if (rc == 0)
        rc = buf_add(out, SPAN_LIT("\r\n"));
    return rc;
}

static int add_command(struct buf *out, const struct span *words, unsigned nwords)
{
    int rc = add_size(out, '*', nwords);

    for (unsigned i = 0; i < nwords && rc == 0; i++) {
        rc = add_size(out, '$', words[i].len);
        if (rc == 0)
            rc = buf_add(out, words[i]);
        if (rc == 0)
            rc = buf_add(out, SPAN_LIT("\r\n"));
    }
    return rc;
}

static void arm(struct link *k, uint64_t due_ms)
{
    uint64_t now_ms = loop_now_ms(k->loop);

    if (deadline_armed(&k->late) && k->late.due_ms <= due_ms)
        return;
    deadline_set(&k->late, due_ms > now_ms ? (unsigned)(due_ms - now_ms) : 1);
}

bool link_send(struct link *k, const struct span *words, unsigned nwords, struct link_call *call,
               unsigned timeout_ms)
{
    uint64_t due_ms = loop_now_ms(k->loop) + timeout_ms;
    size_t before;

    if (!link_takes(k))
        return false;
    before = buf_len(&k->out);
    if (add_command(&k->out, words, nwords) < 0) {
        k->out.tail = k->out.head + before; /* half a command must not go out */
        return false;
    }
    call->slot = (k->head + k->count) % PIPELINE_MAX;
    k->ring[call->slot] = (struct slot){.call = call, .due_ms = due_ms};
    k->count++;
    arm(k, due_ms);
    loop_later(k->loop, &k->later);
    return true;
}

void link_forget(struct link *k, struct link_call *call)
{
    if (k->ring[call->slot].call == call)
        k->ring[call->slot].call = NULL;
}

static void flush(struct link *k)
{
    struct span all = buf_span(&k->out);

    if (k->state == LINK_OPEN && all.len > 0)
        (void)stream_write(k->stream, &all, 1); /* FLOW_PAUSE: link_takes looks at the backlog */
    buf_clear(&k->out);
    if (k->out.cap > OUT_KEPT_BYTES)
        buf_fini(&k->out);
}

static void on_end_of_turn(struct later *later)
{
    struct link *k = OWNER(struct link, later, later);

    if (k->state != LINK_CLOSED) {
        flush(k);
        return;
    }
    redisReaderFree(k->reader);
    buf_fini(&k->out);
    free(k);
}

/* ── receiving ───────────────────────────────────────────────────────────────────────────────── */

static const char *on_reply(struct link *k, const redisReply *reply)
{
    struct slot *s = slot_at(k, 0);

    if (k->count == 0)
        return "a reply nobody asked for";
    k->head++;
    k->count--;
    k->late_rounds = 0;
    answer(s, reply);
    return NULL;
}

/* NULL, or what is wrong with what Redis sends. */
static const char *read_replies(struct link *k, size_t nbytes)
{
    const char *problem = NULL;

    k->unfinished_bytes += nbytes;
    while (k->state == LINK_OPEN && problem == NULL) {
        void *reply = NULL;
        if (redisReaderGetReply(k->reader, &reply) != REDIS_OK)
            return "it does not speak the Redis protocol";
        if (reply == NULL)
            return k->unfinished_bytes > REPLY_MAX_BYTES ? "reply too large" : NULL;
        k->unfinished_bytes = k->reader->len - k->reader->pos;
        problem = on_reply(k, reply);
        freeReplyObject(reply);
    }
    return problem;
}

static void on_data(void *owner, struct span bytes)
{
    struct link *k = owner;
    const char *problem = "out of memory";

    if (redisReaderFeed(k->reader, (const char *)bytes.at, bytes.len) == REDIS_OK)
        problem = read_replies(k, bytes.len);
    if (problem != NULL)
        link_fail(k, problem);
}

static void on_writable(void *owner)
{
    (void)owner; /* nobody waits for it: link_takes says no as long as too much is kept */
}

static void on_closed(void *owner, int status)
{
    link_fail(owner, status == UV_EOF ? "connection closed" : uv_strerror(status));
}

static const struct stream_events stream_events = {on_data, on_writable, on_closed};

/* ── being late ──────────────────────────────────────────────────────────────────────────────── */

static void answer_in_time(struct slot *s)
{
    if (s->call != NULL && s->call->late != NULL)
        s->call->late(s->call);
    else
        answer(s, NULL);
}

/* Answers those whose time is over, and returns when the next one's will be. Callers that answer may
 * send again: that only lengthens the ring. */
static uint64_t answer_late(struct link *k, bool *any)
{
    uint64_t now_ms = loop_now_ms(k->loop), next = NEVER;

    for (unsigned i = 0; i < k->count; i++) {
        struct slot *s = slot_at(k, i);
        if (s->due_ms <= now_ms) {
            s->due_ms = NEVER;
            *any = true;
            answer_in_time(s);
        } else if (s->due_ms < next) {
            next = s->due_ms;
        }
    }
    return next;
}

/* A loop that was held up runs its timers before it looks at its sockets: the reply may be lying there
 * since long. */
static bool should_listen_first(struct link *k)
{
    bool loop_was_late = loop_now_ms(k->loop) > k->late.due_ms + LOOP_LATE_MS;

    k->listening_first = loop_was_late && !k->listening_first;
    return k->listening_first;
}

static void on_late(struct deadline *d)
{
    struct link *k = OWNER(struct link, late, d);
    bool any = false;
    uint64_t next;

    if (should_listen_first(k)) {
        deadline_set(&k->late, 1);
        return;
    }
    next = answer_late(k, &any);
    if (k->state != LINK_OPEN)
        return;
    if (any)
        k->late_rounds++;
    if (k->late_rounds >= LATE_ROUNDS_MAX)
        link_fail(k, "it does not answer in time");
    else if (next != NEVER)
        arm(k, next);
}

/* ── life ────────────────────────────────────────────────────────────────────────────────────── */

static void on_dialled(void *arg, const struct dial_result *r)
{
    struct link *k = arg;

    k->dial = NULL;
    if (r->stream == NULL) {
        link_fail(k, r->problem != NULL ? r->problem : uv_strerror(r->status));
        return;
    }
    k->state = LINK_OPEN;
    k->stream = r->stream;
    stream_attach(k->stream, &stream_events, k);
    k->events->open(k->owner);
}

struct link *link_dial(struct loop *l, const struct dial_target *target,
                       const struct link_events *events, void *owner)
{
    struct link *k = xcalloc(1, sizeof(*k));

    k->reader = redisReaderCreate();
    if (k->reader == NULL)
        abort();
    k->reader->maxelements = REPLY_MAX_ELEMENTS;
    k->loop = l;
    k->events = events;
    k->owner = owner;
    k->target = *target;
    k->later.run = on_end_of_turn;
    deadline_init(&k->late, l, on_late);
    k->dial = dial_start(l, &k->target, on_dialled, k);
    return k;
}

void link_close(struct link *k)
{
    if (k == NULL || k->state == LINK_CLOSED)
        return;
    let_go(k);
    k->state = LINK_CLOSED;
    k->count = 0;
    loop_later(k->loop, &k->later);
}
