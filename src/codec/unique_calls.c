#include "sluice/codec/unique_calls.h"

void unique_calls_init(struct unique_calls *u)
{
    *u = (struct unique_calls){.known = {0}};
    arena_init(&u->ids, NULL, 256);
}

void unique_calls_fini(struct unique_calls *u)
{
    map_fini(&u->known);
    arena_fini(&u->ids);
}

/* In the arena: nobody's, with the first number that is free. */
static struct span make_unique(struct unique_calls *u, struct span id)
{
    struct span own = arena_keep(&u->ids, id);
    for (unsigned number = 2; map_get(&u->known, own) != NULL; number++)
        own = span_text(arena_printf(&u->ids, "%.*s_%u", SPAN_FMT(id), number));
    return own;
}

bool unique_calls_event(struct unique_calls *u, const struct turn_event *e, turn_event_fn next,
                        void *arg)
{
    if (e->kind != TURN_CALL)
        return next(arg, e);
    if (u->known.len >= CALLS_OF_AN_ANSWER_MAX)
        return turn_event_give_up(next, arg, "it made more tool calls than anybody can answer");
    struct turn_event own = *e;
    own.id = make_unique(u, e->id);
    if (map_put(&u->known, own.id, (void *)(uintptr_t)own.id.at) < 0)
        return turn_event_give_up(next, arg, "its answer cannot be held: out of memory");
    return next(arg, &own);
}
