/* Blocks of frames, in the order they came. A block is only ever written behind what is used of it, so a
 * thread may read what was there when the read began while more is added; a count keeps those that make
 * room meanwhile. */
#include "history_priv.h"

#include "sluice/base/arena.h"
#include "sluice/net/offload.h"

#include <stdlib.h>

enum { BLOCK_BYTES = 64 * 1024 };

struct block {
    unsigned refs; /* of the loop's */
    unsigned n;
    size_t used;
    uint64_t newest_unix_ms;
    struct block *newer;
    uint8_t bytes[BLOCK_BYTES];
};

struct memory {
    struct loop *loop;
    struct block *oldest, *newest;
    unsigned n;
    struct history_limits limits;
};

/* What a thread looks at. */
struct scan {
    struct history_read *read;
    struct part {
        struct block *block;
        size_t used; /* as it was when the read began, and so is this */
        unsigned n;
    } *parts;
    unsigned nparts;
};

struct found {
    struct history_place place;
    struct span frame;
};

static void block_unref(struct block *b)
{
    if (--b->refs == 0)
        free(b);
}

/* --- writing -------------------------------------------------------------------------------------- */

static void drop_oldest(struct memory *m)
{
    struct block *b = m->oldest;
    m->oldest = b->newer;
    if (m->oldest == NULL)
        m->newest = NULL;
    m->n -= b->n;
    block_unref(b);
}

static unsigned most(const struct memory *m)
{
    uint64_t wanted = m->limits.max_records;
    return wanted > 0 && wanted < HISTORY_MEMORY_MAX ? (unsigned)wanted : HISTORY_MEMORY_MAX;
}

static void make_room(struct memory *m)
{
    uint64_t now = clock_unix_ms();
    while (m->oldest != NULL && (m->n - m->oldest->n >= most(m) ||
                                 m->oldest->newest_unix_ms + m->limits.retention_ms < now))
        drop_oldest(m);
}

static struct block *add_block(struct memory *m)
{
    struct block *b = malloc(sizeof *b); /* as it is: what is read was written */
    if (b == NULL)
        return NULL;
    b->refs = 1;
    b->n = 0;
    b->used = 0;
    b->newest_unix_ms = 0;
    b->newer = NULL;
    if (m->newest != NULL)
        m->newest->newer = b;
    else
        m->oldest = b;
    return m->newest = b;
}

static bool add(struct memory *m, struct span frame)
{
    struct block *b = m->newest;
    struct history_place place;
    if (b == NULL || b->used + frame.len > BLOCK_BYTES)
        b = add_block(m);
    if (b == NULL)
        return false;
    memcpy(b->bytes + b->used, frame.at, frame.len);
    b->used += frame.len;
    b->n++;
    m->n++;
    if (history_frame_place(frame, &place))
        b->newest_unix_ms = history_place_time(&place);
    return true;
}

static bool write_frames(void *self, struct buf *frames)
{
    struct memory *m = self;
    struct span rest = buf_span(frames), frame;
    while (history_frame_next(&rest, &frame)) {
        if (!add(m, frame))
            break; /* memory is out: the rest is not worth a failure */
    }
    make_room(m);
    return true;
}

static bool is_idle(const void *self)
{
    (void)self;
    return true;
}

static void limit(void *self, const struct history_limits *l)
{
    struct memory *m = self;
    m->limits = *l;
    make_room(m);
}

/* --- reading -------------------------------------------------------------------------------------- */

static int newest_first(const void *a, const void *b)
{
    return memcmp(((const struct found *)b)->place.at, ((const struct found *)a)->place.at,
                  HISTORY_PLACE_BYTES);
}

static unsigned collect(const struct scan *s, struct found *found, unsigned room)
{
    unsigned n = 0;
    for (unsigned i = 0; i < s->nparts; i++) {
        struct span rest = span_of(s->parts[i].block->bytes, s->parts[i].used), frame;
        while (n < room && history_frame_next(&rest, &frame)) {
            found[n].frame = frame;
            n += history_frame_place(frame, &found[n].place);
        }
    }
    return n;
}

static void work(void *arg) /* on another thread */
{
    struct scan *s = arg;
    struct history_read *r = s->read;
    unsigned room = 0;
    for (unsigned i = 0; i < s->nparts; i++)
        room += s->parts[i].n;
    struct found *found = calloc(room + 1, sizeof *found);
    if (found == NULL) {
        r->page.is_lost = true;
        return;
    }
    unsigned n = collect(s, found, room);
    qsort(found, n, sizeof *found, newest_first); /* the clock may have been set back */
    for (unsigned i = 0; i < n && history_read_take(r, found[i].frame); i++)
        ;
    free(found);
}

static void scan_free(struct scan *s)
{
    for (unsigned i = 0; i < s->nparts; i++)
        block_unref(s->parts[i].block);
    free(s->parts);
    free(s);
}

static void on_done(void *arg)
{
    struct scan *s = arg;
    struct history_read *r = s->read;
    scan_free(s);
    history_read_end(r);
}

static void read_frames(void *self, struct history_read *r)
{
    struct memory *m = self;
    struct scan *s = xcalloc(1, sizeof *s);
    unsigned n = 0;
    for (const struct block *b = m->oldest; b != NULL; b = b->newer)
        n++;
    s->read = r;
    s->parts = xcalloc(n + 1, sizeof *s->parts);
    for (struct block *b = m->oldest; b != NULL; b = b->newer) {
        b->refs++;
        s->parts[s->nparts++] = (struct part){b, b->used, b->n};
    }
    (void)offload_start(m->loop, work, on_done, on_done, s);
}

static void forget(void *self, struct history_read *r)
{
    (void)self; /* the thread has it: on_done frees it, and tells nobody */
    (void)r;
}

/* --- life ----------------------------------------------------------------------------------------- */

void *history_memory_open(struct loop *l)
{
    struct memory *m = xcalloc(1, sizeof *m);
    m->loop = l;
    return m;
}

static void close_memory(void *self)
{
    struct memory *m = self;
    while (m->oldest != NULL)
        drop_oldest(m);
    free(m);
}

const struct history_backend history_in_memory = {
    .write = write_frames,
    .is_idle = is_idle,
    .read = read_frames,
    .forget = forget,
    .limit = limit,
    .close = close_memory,
};
