/* timer.h: deadlines, cheap enough to move with every byte.
 *
 * A hashed wheel of 16 ms slots with one uv_timer for the next slot in use. Moving an armed
 * deadline further away only stores the new time (the slot it sits in puts it back when visited),
 * so an idle timeout costs one store per chunk. A deadline fires up to one slot late, never
 * early. */
#ifndef SLUICE_NET_TIMER_H
#define SLUICE_NET_TIMER_H

#include "sluice/base/ring.h"
#include "sluice/net/loop.h"

struct deadline {
    struct ring link; /* the slot's */
    uint64_t due_ms, slot_ms;
    void (*fire)(struct deadline *); /* disarmed before the call; may set it again or free it */
    struct loop *loop;
};

void deadline_init(struct deadline *d, struct loop *l, void (*fire)(struct deadline *));
void deadline_set(struct deadline *d, unsigned in_ms); /* 0: same as clear */
void deadline_clear(struct deadline *d);               /* idempotent; required before freeing */
static inline bool deadline_armed(const struct deadline *d)
{
    return ring_holds(&d->link);
}

#endif
