#include "tally.h"

#include "sluice/base/arena.h"

#include <stdlib.h>

/* How many of no use any more one that is new clears away: more than one, so that a burst drains. */
enum { SWEEP = 2 };

static void drop(struct tallies *t, struct tally *one)
{
    lru_remove(&t->by_name, &one->node);
    parts_fini(&one->parts);
    free(one);
}

void tallies_fini(struct tallies *t)
{
    while (t->by_name.oldest != NULL)
        drop(t, (struct tally *)t->by_name.oldest);
    lru_fini(&t->by_name);
}

static bool has_sums(const struct tally *one)
{
    const struct sums *s = &one->book.sums;

    return s->last_used_unix_ms > 0 || s->credited_pd > 0 || s->withdrawn_pd > 0;
}

/* Nothing of it would be missed. */
static bool is_blank(const struct tally *one, uint64_t now_unix_ms)
{
    return one->book.requests.minute + 2 <= now_unix_ms / WINDOW_MS && !has_sums(one);
}

static bool is_needed(const struct tallies *t, const struct tally *one)
{
    return ring_holds(&one->queued) || one->is_telling || !held_is_nothing(&one->own) ||
           (t->are_the_truth && has_sums(one));
}

/* One that has to stay is passed over, and comes last in the next round. */
static void make_room(struct tallies *t, uint64_t now_unix_ms)
{
    for (unsigned i = 0; i < SWEEP && lru_count(&t->by_name) > 0; i++) {
        struct tally *idlest = (struct tally *)lru_idlest(&t->by_name);
        bool is_full = lru_count(&t->by_name) >= TALLIES_MAX;
        if (!is_full && !is_blank(idlest, now_unix_ms))
            return;
        if (is_needed(t, idlest))
            idlest->node.used = true;
        else
            drop(t, idlest);
    }
}

static struct span key_of(const char *name)
{
    return span_of(name, strnlen(name, LEDGER_SCOPE_BYTES - 1));
}

struct tally *tally_find(struct tallies *t, const char *name)
{
    return (struct tally *)lru_find(&t->by_name, key_of(name));
}

/* A tally is small and ours: like a small struct it aborts when memory is out. */
struct tally *tally_of(struct tallies *t, const char *name, uint64_t now_unix_ms)
{
    struct tally *one = tally_find(t, name);
    struct span key = key_of(name);

    if (one != NULL)
        return one;
    make_room(t, now_unix_ms);
    one = xcalloc(1, sizeof(*one));
    memcpy(one->name, key.at, key.len);
    one->node.key = span_of(one->name, key.len);
    if (lru_add(&t->by_name, &one->node) < 0)
        abort();
    return one;
}

struct tally *tallies_next(const struct tallies *t, const struct tally *one)
{
    return (struct tally *)(one == NULL ? t->by_name.oldest : one->node.newer);
}

void tally_follow(struct tally *t, const struct book *all, const struct held *own, uint64_t run)
{
    t->run = run;
    t->book = *all;
    t->own_in_book = *own;
}

struct book tally_mine(const struct tally *t)
{
    struct book mine = t->telling;

    window_merge(&mine.requests, &t->untold.requests);
    window_merge(&mine.tokens, &t->untold.tokens);
    sums_add(&mine.sums, &t->untold.sums);
    mine.held = t->own;
    held_take(&mine.held, &t->own_in_book);
    return mine;
}
