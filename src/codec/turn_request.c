#include "sluice/codec/turn_request.h"

#include "sluice/format/json_scan.h"

#include <stdarg.h>
#include <stdio.h>

bool turn_is_noted(const struct turn_notes *notes, const char *field)
{
    for (unsigned i = 0; i < notes->n; i++) {
        if (strcmp(notes->dropped[i], field) == 0)
            return true;
    }
    return notes->n == TURN_NOTES_MAX &&
           strcmp(notes->dropped[TURN_NOTES_MAX - 1], "and more") == 0;
}

void turn_note_dropped(struct turn_notes *notes, const char *field)
{
    if (turn_is_noted(notes, field))
        return;
    if (notes->n < TURN_NOTES_MAX)
        notes->dropped[notes->n++] = field;
    else
        notes->dropped[TURN_NOTES_MAX - 1] = "and more";
}

static void *add(struct turn_request *r, struct arena *a, size_t size)
{
    return r->elements++ < TURN_ELEMENTS_MAX ? arena_alloc(a, size) : NULL;
}

struct turn_message *turn_add_message(struct turn_request *r, struct arena *a, enum turn_role role)
{
    struct turn_message *m = add(r, a, sizeof *m);
    if (m == NULL)
        return NULL;
    m->role = role;
    if (r->last_message == NULL)
        r->messages = m;
    else
        r->last_message->next = m;
    r->last_message = m;
    return m;
}

struct turn_part *turn_add_part(struct turn_request *r, struct turn_part ***end, struct arena *a,
                                enum turn_part_kind kind)
{
    struct turn_part *p = add(r, a, sizeof *p);
    if (p == NULL)
        return NULL;
    p->kind = kind;
    **end = p;
    *end = &p->next;
    return p;
}

struct turn_tool *turn_add_tool(struct turn_request *r, struct turn_tool ***end, struct arena *a)
{
    struct turn_tool *t = r->ntools++ < TURN_TOOLS_MAX ? add(r, a, sizeof *t) : NULL;
    if (t == NULL)
        return NULL;
    **end = t;
    *end = &t->next;
    return t;
}

bool turn_refuse(struct fault *why, enum fault_kind kind, struct span path, const char *format, ...)
{
    va_list args;
    *why = (struct fault){.kind = kind};
    why->param = path.len > 0 ? (const char *)path.at : NULL;
    int n = 0;
    if (path.len > 0)
        n = snprintf(why->message, sizeof why->message, "%.*s: ", SPAN_FMT(span_sub(path, 0, 200)));
    va_start(args, format);
    vsnprintf(why->message + n, sizeof why->message - (size_t)n, format, args);
    va_end(args);
    return false;
}

struct span turn_path(struct arena *a, struct span above, const char *format, ...)
{
    char below[96];
    va_list args;
    va_start(args, format);
    vsnprintf(below, sizeof below, format, args);
    va_end(args);
    return span_text(arena_printf(a, "%.*s%s", SPAN_FMT(above), below));
}

static const char *const efforts[] = {
    [EFFORT_NONE] = "none",     [EFFORT_MINIMAL] = "minimal", [EFFORT_LOW] = "low",
    [EFFORT_MEDIUM] = "medium", [EFFORT_HIGH] = "high",       [EFFORT_XHIGH] = "xhigh",
    [EFFORT_MAX] = "max",
};

enum turn_effort turn_effort_of(struct span word)
{
    for (enum turn_effort e = EFFORT_NONE; e <= EFFORT_MAX; e++) {
        if (span_eq(word, span_text(efforts[e])))
            return e;
    }
    return EFFORT_UNSAID;
}

const char *turn_effort_word(enum turn_effort e)
{
    return efforts[e];
}

enum turn_effort turn_effort_of_budget(const struct turn_request *r)
{
    static const struct {
        unsigned percent;
        enum turn_effort effort;
    } shares[] = {{95, EFFORT_XHIGH}, {80, EFFORT_HIGH}, {50, EFFORT_MEDIUM}, {20, EFFORT_LOW}};
    uint64_t budget, most;
    if (!json_u64(r->thinking_budget, &budget) || !json_u64(r->max_tokens, &most) || most == 0)
        return EFFORT_MEDIUM;
    for (unsigned i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        if (budget / most * 100 + budget % most * 100 / most >= shares[i].percent)
            return shares[i].effort;
    }
    return EFFORT_MINIMAL;
}
