/* A hashed wheel. Tick t is the moment t * SLOT_MS; a deadline sits in the slot of the first tick
 * that is not before it, modulo SLOTS. Whoever is further away than one round of the wheel is
 * looked at once a round and stays.
 *
 *      slots[t % SLOTS]:  ⇄ d ⇄ d ⇄          used: one bit a slot, to find the next one to wake for
 *
 * `due_ms` may run ahead of the slot (the deadline was moved away since); the visit puts it
 * back. */
#include "sluice/net/timer.h"

#include "loop_priv.h"

#include "sluice/base/arena.h"

#include <stdlib.h>

#define SLOT_MS 16
#define SLOTS 1024 /* one round is 16.4 s */
#define WORDS (SLOTS / 64)

struct wheel {
    uv_timer_t timer; /* runs while anything is armed, for `wake_tick` */
    struct loop *loop;
    uint64_t seen_tick; /* all slots up to this one have been visited */
    uint64_t wake_tick;
    size_t armed;
    uint64_t used[WORDS];
    struct ring slots[SLOTS];
};

static void on_wake(uv_timer_t *t);

static unsigned slot_of(uint64_t tick)
{
    return (unsigned)(tick % SLOTS);
}

static void mark_if_empty(struct wheel *w, unsigned slot)
{
    if (ring_is_empty(&w->slots[slot]))
        w->used[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
}

static void wake_at(struct wheel *w, uint64_t tick)
{
    uint64_t now = uv_now(&w->loop->uv), at = tick * SLOT_MS;
    w->wake_tick = tick;
    uv_timer_start(&w->timer, on_wake, at > now ? at - now : 0, 0);
}

/* The first tick after the visited ones whose slot is in use. Something must be armed. */
static uint64_t next_used_tick(const struct wheel *w)
{
    uint64_t tick = w->seen_tick + 1;
    for (;;) {
        unsigned slot = slot_of(tick);
        uint64_t rest = w->used[slot / 64] >> (slot % 64);
        if (rest != 0)
            return tick + (unsigned)__builtin_ctzll(rest);
        tick += 64 - slot % 64;
    }
}

static void put(struct wheel *w, struct deadline *d)
{
    uint64_t tick = (d->due_ms + SLOT_MS - 1) / SLOT_MS;
    unsigned slot = slot_of(tick);
    d->slot_ms = tick * SLOT_MS;
    ring_add(&w->slots[slot], &d->link);
    w->used[slot / 64] |= UINT64_C(1) << (slot % 64);
}

static void visit(struct wheel *w, uint64_t tick, uint64_t now)
{
    unsigned slot = slot_of(tick);
    struct ring due; /* the slot's, taken off: what fires may set itself into it again */
    if (ring_is_empty(&w->slots[slot]))
        return;
    ring_init(&due);
    ring_move(&w->slots[slot], &due);
    while (!ring_is_empty(&due)) {
        struct deadline *d = (struct deadline *)due.next; /* `link` comes first */
        ring_remove(&d->link);
        if (d->due_ms > now) {
            put(w, d);
            continue;
        }
        w->armed--;
        d->fire(d); /* may free d, and clear others that are still in `due` */
    }
    mark_if_empty(w, slot);
}

static void on_wake(uv_timer_t *t)
{
    struct wheel *w = t->data;
    uint64_t now = uv_now(&w->loop->uv), last = now / SLOT_MS, tick = w->seen_tick + 1;
    loop_busy(w->loop);
    if (last >= tick + SLOTS)
        tick = last - SLOTS + 1; /* slept longer than a round: each slot once */
    /* First, so that what is set while firing lands in a tick that is still to come. */
    w->seen_tick = last;
    w->wake_tick = UINT64_MAX;
    for (; tick <= last; tick++)
        visit(w, tick, now);
    if (w->armed > 0)
        wake_at(w, next_used_tick(w));
}

void deadline_init(struct deadline *d, struct loop *l, void (*fire)(struct deadline *))
{
    *d = (struct deadline){.fire = fire, .loop = l};
}

void deadline_set(struct deadline *d, unsigned in_ms)
{
    struct wheel *w = d->loop->wheel;
    if (in_ms == 0) {
        deadline_clear(d);
        return;
    }
    d->due_ms = uv_now(&d->loop->uv) + in_ms;
    if (deadline_armed(d)) {
        if (d->due_ms + SLOT_MS > d->slot_ms)
            return; /* the same slot, or the visit will find it has moved away */
        deadline_clear(d);
    }
    if (w->armed++ == 0) {
        /* The wheel stood still: nothing lies in the ticks that went by. */
        w->seen_tick = uv_now(&w->loop->uv) / SLOT_MS;
        w->wake_tick = UINT64_MAX;
    }
    put(w, d);
    if (d->slot_ms / SLOT_MS < w->wake_tick)
        wake_at(w, d->slot_ms / SLOT_MS);
}

void deadline_clear(struct deadline *d)
{
    struct wheel *w = d->loop->wheel;
    if (!deadline_armed(d))
        return;
    ring_remove(&d->link);
    mark_if_empty(w, slot_of(d->slot_ms / SLOT_MS));
    if (--w->armed == 0)
        uv_timer_stop(&w->timer); /* an idle process sleeps, and a loop with no work ends */
}

struct wheel *wheel_new(struct loop *l)
{
    struct wheel *w = xcalloc(1, sizeof *w);
    w->loop = l;
    w->wake_tick = UINT64_MAX;
    for (unsigned i = 0; i < SLOTS; i++)
        ring_init(&w->slots[i]);
    uv_timer_init(&l->uv, &w->timer);
    w->timer.data = w;
    return w;
}

static void on_wheel_closed(uv_handle_t *h)
{
    free(h->data);
}

void wheel_close(struct wheel *w)
{
    uv_close((uv_handle_t *)&w->timer, on_wheel_closed);
}
