#include "sluice/exchange/sharing.h"

#include "health.h"

#include "sluice/base/arena.h"
#include "sluice/base/log.h"

#include <stdlib.h>

/* A note: version, replica, number (u64, little-endian) and entries as health_pack makes them. Numbers
 * only grow: slice × PARTS + part. So a note that was sent twice counts once. */
enum { VERSION = 1, REPLICA_BYTES = 16, HEAD_BYTES = 1 + REPLICA_BYTES + 8 };
enum { PARTS = 16 }; /* of a slice, at most: half a megabyte, a few thousand busy endpoints */
enum { KEEP_MS = 6 * 60 * 1000, HISTORY_MS = STATS_SLICES * STATS_SLICE_MS };
enum { EVERY_MS = 4000, JITTER_MS = 2000, UNTIL_HEARD_MS = 250 };
enum { REPLICAS_MAX = 64, SILENT_MS = 60000 };

static const struct span channel = {(const uint8_t *)"endpoints", 9};

struct replica {
    uint8_t id[REPLICA_BYTES];
    uint64_t newest;   /* the last note of it that counted */
    uint64_t heard_ms; /* when */
};

struct sharing {
    struct gateway *gateway;
    uint8_t self[REPLICA_BYTES];
    uint64_t told; /* the last slice that was */
    struct store_place place;
    struct hear_call *hearing;
    struct deadline tick;
    bool has_heard; /* since the start */
    struct replica others[REPLICAS_MAX];
    unsigned nothers;
};

static uint64_t current_slice(void)
{
    return clock_unix_ms() / STATS_SLICE_MS;
}

/* --- hearing -------------------------------------------------------------------------------------- */

/* The one of that id; a new one takes the place of one that has gone. NULL: there are too many. */
static struct replica *replica_of(struct sharing *s, const uint8_t id[REPLICA_BYTES])
{
    uint64_t now_ms = loop_now_ms(s->gateway->loop);
    struct replica *free_one = s->nothers < REPLICAS_MAX ? &s->others[s->nothers] : NULL;
    for (unsigned i = 0; i < s->nothers; i++) {
        struct replica *r = &s->others[i];
        if (memcmp(r->id, id, REPLICA_BYTES) == 0)
            return r;
        if (free_one == NULL && now_ms - r->heard_ms > HISTORY_MS)
            free_one = r;
    }
    if (free_one == NULL)
        return NULL;
    s->nothers += free_one == &s->others[s->nothers];
    *free_one = (struct replica){.heard_ms = now_ms};
    memcpy(free_one->id, id, REPLICA_BYTES);
    return free_one;
}

static uint64_t read_number(const uint8_t *at)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < 8; i++)
        n |= (uint64_t)at[i] << (8 * i);
    return n;
}

/* Our own come back, too. */
static void hear_note(struct sharing *s, struct span note)
{
    if (note.len < HEAD_BYTES || note.at[0] != VERSION ||
        memcmp(note.at + 1, s->self, REPLICA_BYTES) == 0)
        return;
    struct replica *r = replica_of(s, note.at + 1);
    uint64_t number = read_number(note.at + 1 + REPLICA_BYTES);
    if (r == NULL || number <= r->newest)
        return;
    r->newest = number;
    r->heard_ms = loop_now_ms(s->gateway->loop);
    health_add(s->gateway->now->health, number / PARTS, span_skip(note, HEAD_BYTES));
}

static void count_replicas(const struct sharing *s)
{
    uint64_t now_ms = loop_now_ms(s->gateway->loop);
    unsigned n = 0;
    for (unsigned i = 0; i < s->nothers; i++)
        n += now_ms - s->others[i].heard_ms < SILENT_MS;
    metric_set(s->gateway->instruments.replicas, n);
}

/* --- telling -------------------------------------------------------------------------------------- */

static void start_note(const struct sharing *s, uint64_t number, struct buf *out)
{
    uint8_t head[HEAD_BYTES] = {VERSION};
    memcpy(head + 1, s->self, REPLICA_BYTES);
    for (unsigned i = 0; i < 8; i++)
        head[1 + REPLICA_BYTES + i] = (uint8_t)(number >> (8 * i));
    buf_clear(out);
    if (buf_add(out, span_of(head, sizeof head)) < 0)
        abort(); /* some bytes */
}

static void tell_slice(const struct sharing *s, uint64_t slice, struct buf *room)
{
    const struct gateway *g = s->gateway;
    bool has_more = true;
    unsigned cursor = 0;
    for (unsigned part = 0; part < PARTS && has_more; part++) {
        start_note(s, slice * PARTS + part, room);
        has_more = health_pack(g->now->health, slice, &cursor, STORE_NOTE_MAX_BYTES, room);
        if (buf_len(room) > HEAD_BYTES)
            store_tell(g->store, channel, buf_span(room), KEEP_MS);
    }
}

/* What has ended since, and is not forgotten. */
static void tell_ended(struct sharing *s)
{
    uint64_t now = current_slice();
    struct buf room = {0};
    if (s->told + STATS_SLICES < now || s->told > now) /* a long time away, or another clock */
        s->told = now - STATS_SLICES;
    for (; s->told + 1 < now; s->told++)
        tell_slice(s, s->told + 1, &room);
    buf_fini(&room);
}

/* --- again and again ------------------------------------------------------------------------------ */

static void hear(struct sharing *s);

static void rest(struct sharing *s)
{
    uint64_t jitter = rng_below(&s->gateway->rng, JITTER_MS);
    deadline_set(&s->tick, s->has_heard ? EVERY_MS + (unsigned)jitter : UNTIL_HEARD_MS);
}

static void on_heard(void *arg, const struct notes *heard)
{
    struct sharing *s = arg;
    s->hearing = NULL;
    if (!heard->is_heard) {
        rest(s);
        return;
    }
    s->has_heard = true;
    s->place = heard->next;
    for (unsigned i = 0; i < heard->n; i++)
        hear_note(s, heard->at[i]);
    if (heard->has_more) {
        hear(s);
        return;
    }
    count_replicas(s);
    tell_ended(s);
    rest(s);
}

static void hear(struct sharing *s)
{
    struct notes heard;
    if (store_hear(s->gateway->store, channel, &s->place, &heard, on_heard, s, &s->hearing) ==
        STORE_DONE)
        on_heard(s, &heard);
}

static void on_tick(struct deadline *d)
{
    hear((struct sharing *)((char *)d - offsetof(struct sharing, tick)));
}

struct sharing *sharing_open(struct gateway *g)
{
    if (g->now->snapshot->store.kind != STORE_REDIS)
        return NULL;
    struct sharing *s = xcalloc(1, sizeof *s);
    s->gateway = g;
    rng_secret_bytes(s->self, sizeof s->self);
    s->told = current_slice() - 1;
    s->place = store_place_at(clock_unix_ms() - HISTORY_MS);
    deadline_init(&s->tick, g->loop, on_tick);
    deadline_set(&s->tick, 1);
    return s;
}

void sharing_close(struct sharing *s)
{
    if (s == NULL)
        return;
    if (s->hearing != NULL)
        store_hear_cancel(s->hearing);
    deadline_clear(&s->tick);
    free(s);
}
