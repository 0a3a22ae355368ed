#include "turn_calls.h"

#include "sluice/base/map.h"

/* Calls of one id in one turn of the assistant, usually one; `next` is the first without a result. */
struct calls_of_id {
    struct turn_part *next, *last;
};

/* An id that was there before, and the number its next call gets. */
struct known_id {
    unsigned number;
};

struct pairing {
    struct turn_request *r;
    const struct translation_options *o;
    struct arena *a;
    struct fault *why;
    struct map open;           /* id → struct calls_of_id: of the assistant's last turn */
    struct map known;          /* id → struct known_id: of the whole conversation */
    struct turn_message *turn; /* where that turn begins; NULL: there was none */
    bool in_turn;
};

static bool no_memory(struct pairing *p)
{
    return turn_refuse(p->why, FAULT_OVERLOADED, SPAN_NONE, "out of memory");
}

static bool know(struct pairing *p, struct span id)
{
    struct known_id *k = ARENA_NEW(p->a, struct known_id);
    k->number = 1;
    return map_put(&p->known, id, k) == 0 || no_memory(p);
}

/* The id itself the first time, then with a number behind it. */
static bool make_unique(struct pairing *p, struct turn_part *call)
{
    struct known_id *k = map_get(&p->known, call->id);
    struct span id = call->id;
    while (k != NULL && map_get(&p->known, id) != NULL)
        id = span_text(arena_printf(p->a, "%.*s_%u", SPAN_FMT(call->id), ++k->number));
    call->id = id;
    return know(p, id);
}

static bool add_call(struct pairing *p, struct turn_part *call)
{
    struct span id = call->id; /* as its result will call it */
    struct calls_of_id *c = map_get(&p->open, id);
    if (c == NULL) {
        c = ARENA_NEW(p->a, struct calls_of_id);
        if (map_put(&p->open, id, c) < 0)
            return no_memory(p);
    } else {
        c->last->twin = call;
    }
    c->last = call;
    c->next = c->next != NULL ? c->next : call;
    return make_unique(p, call);
}

static bool add_result(struct pairing *p, const struct turn_message *m)
{
    struct turn_part *result = m->parts;
    struct calls_of_id *c = map_get(&p->open, result->id);
    if (c == NULL)
        return turn_refuse(p->why, FAULT_INVALID_REQUEST, m->path,
                           "the result of a tool follows the message that calls it");
    if (c->next == NULL)
        return turn_refuse(p->why, FAULT_INVALID_REQUEST, m->path,
                           "the tool call %.*s has a result already",
                           SPAN_FMT(span_sub(result->id, 0, 100)));
    result->id = c->next->id;
    result->is_custom = c->next->is_custom; /* not every protocol says so twice */
    c->next->result = result;
    c->next = c->next->twin;
    return true;
}

/* In a message of its own behind `last`, which becomes the last. */
static void make_result(struct pairing *p, struct turn_part *call, struct turn_message **last)
{
    struct turn_message *m = ARENA_NEW(p->a, struct turn_message);
    struct turn_part *result = ARENA_NEW(p->a, struct turn_part),
                     *text = ARENA_NEW(p->a, struct turn_part);
    text->kind = PART_TEXT;
    text->text = SPAN_LIT("Error: this call was never answered.");
    *result = (struct turn_part){.kind = PART_RESULT,
                                 .id = call->id,
                                 .is_custom = call->is_custom,
                                 .is_error = true,
                                 .inside = text,
                                 .path = call->path};
    *m = (struct turn_message){
        .next = (*last)->next, .role = ROLE_TOOL, .parts = result, .path = call->path};
    call->result = result;
    if (p->r->last_message == *last)
        p->r->last_message = m;
    (*last)->next = m;
    *last = m;
    turn_note_dropped(&p->r->unread, "calls without a result");
}

/* The last message before `end` that calls, or that answers a call: behind it there is room for more
 * answers. */
static struct turn_message *last_of_turn(struct turn_message *m, const struct turn_message *end)
{
    struct turn_message *last = m;
    for (; m != end; m = m->next) {
        if (m->role == ROLE_ASSISTANT || m->role == ROLE_TOOL)
            last = m;
    }
    return last;
}

/* Every call of the turn that ends before `end` has its result, or gets one. */
static bool close_turn(struct pairing *p, struct turn_message *end)
{
    struct turn_message *last = last_of_turn(p->turn, end);
    for (struct turn_message *m = p->turn; m != end; m = m->next) {
        for (struct turn_part *i = m->parts; i != NULL; i = i->next) {
            if (i->kind != PART_CALL || i->result != NULL)
                continue;
            if (!p->o->makes_missing_results)
                return turn_refuse(p->why, FAULT_INVALID_REQUEST, i->path,
                                   "the tool call %.*s has no result in the next message",
                                   SPAN_FMT(span_sub(i->id, 0, 100)));
            make_result(p, i, &last);
        }
    }
    map_fini(&p->open);
    p->turn = end;
    return true;
}

static bool add_assistant(struct pairing *p, struct turn_message *m)
{
    if (!p->in_turn && !close_turn(p, m))
        return false;
    p->in_turn = true;
    for (struct turn_part *i = m->parts; i != NULL; i = i->next) {
        if (i->kind == PART_CALL && !add_call(p, i))
            return false;
    }
    return true;
}

static bool add_message(struct pairing *p, struct turn_message *m)
{
    switch (m->role) {
    case ROLE_SYSTEM:
    case ROLE_DEVELOPER:
        break; /* parts nothing */
    case ROLE_ASSISTANT:
        return add_assistant(p, m);
    case ROLE_USER:
        p->in_turn = false;
        break;
    case ROLE_TOOL:
        p->in_turn = false;
        return add_result(p, m);
    }
    return true;
}

bool turn_pair_calls(struct turn_request *r, const struct translation_options *o, struct arena *a,
                     struct fault *why)
{
    struct pairing p = {.r = r, .o = o, .a = a, .why = why, .turn = r->messages};
    struct turn_message *m = r->messages;
    while (m != NULL && add_message(&p, m))
        m = m->next;
    bool is_paired = m == NULL && close_turn(&p, NULL);
    map_fini(&p.open);
    map_fini(&p.known);
    return is_paired;
}
