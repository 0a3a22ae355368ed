/* ring.h: a doubly linked list through its elements, closed by a head that is none.
 *
 * A link belongs to one ring at most; one that is in none holds NULL in both. What it is embedded in is
 * the user's to find: as its first member, or by offsetof. */
#ifndef SLUICE_BASE_RING_H
#define SLUICE_BASE_RING_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

struct ring {
    struct ring *prev, *next;
};

static inline void ring_init(struct ring *head)
{
    head->prev = head->next = head;
}

static inline bool ring_is_empty(const struct ring *head)
{
    return head->next == head;
}

/* Is this link in a ring? */
static inline bool ring_holds(const struct ring *link)
{
    return link->next != NULL;
}

/* At the end. */
static inline void ring_add(struct ring *head, struct ring *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

/* From the one it is in. */
static inline void ring_remove(struct ring *link)
{
    assert(link->prev != NULL && link->next != NULL);
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = link->next = NULL;
}

/* All of `from`, in order, to the end of `to`. */
static inline void ring_move(struct ring *from, struct ring *to)
{
    if (ring_is_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    ring_init(from);
}

#endif
