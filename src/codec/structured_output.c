#include "sluice/codec/structured_output.h"

#include "wire_history.h"
#include "wire_tools.h"

/* --- the request ---------------------------------------------------------------------------------- */

#define ONE_OBJECT \
    "Answer with one JSON object and nothing else: no words around it and no code fence."

/* Behind the other instructions, where the prefix that caches know ends anyway. */
static void instruct(struct turn_request *r, struct arena *a)
{
    struct turn_message *m = ARENA_NEW(a, struct turn_message), **link = &r->messages;
    m->role = ROLE_SYSTEM;
    m->parts = ARENA_NEW(a, struct turn_part);
    m->parts->text = SPAN_LIT(ONE_OBJECT); /* PART_TEXT is 0 */
    while (*link != NULL && wire_is_system(*link))
        link = &(*link)->next;
    m->next = *link;
    *link = m;
    if (m->next == NULL)
        r->last_message = m;
}

static struct span free_name(const struct turn_request *r, struct arena *a)
{
    struct span name = SPAN_LIT("structured_output");
    while (wire_tool_named(r, name) != NULL)
        name = span_text(arena_printf(a, "%.*s_", SPAN_FMT(name)));
    return name;
}

/* A model that is forced to call does not think first; most refuse to be asked for both. */
static void stop_thinking(struct turn_request *r, unsigned facts, struct turn_notes *notes)
{
    bool was_asked = r->thinking_is_adaptive || r->thinking_budget.len > 0 ||
                     (r->effort != EFFORT_UNSAID && r->effort != EFFORT_NONE);
    if (was_asked)
        turn_note_dropped(notes, "reasoning");
    r->thinking_is_adaptive = false;
    r->thinking_budget = SPAN_NONE;
    r->effort = (facts & FACT_THINKING_OFF) != 0 ? EFFORT_NONE : EFFORT_UNSAID;
}

static bool force_tool(struct turn_request *r, struct arena *a, struct fault *why)
{
    struct turn_tool **end = &r->tools;
    struct span name = free_name(r, a);
    while (*end != NULL)
        end = &(*end)->next;
    struct turn_tool *t = turn_add_tool(r, &end, a);
    if (t == NULL)
        return turn_refuse(why, FAULT_INVALID_REQUEST, span_text(r->names->format),
                           "there are more tools than can be read");
    t->name = r->choice_name = r->answer_tool = name;
    t->description = r->format_description.len > 0 ? r->format_description
                                                   : SPAN_LIT("Your answer, in its form.");
    t->schema = r->format_schema;
    t->path = span_text(r->names->format);
    r->choice = CHOICE_NAMED;
    return true;
}

static bool stand_in(struct turn_request *r, const struct wire_options *o, struct arena *a,
                     struct turn_notes *notes, struct fault *why)
{
    struct span path = span_text(r->names->format);
    if (!o->translation.forces_schemas)
        return turn_refuse(why, FAULT_UNSUPPORTED_PARAMETER, path,
                           "this model cannot be held to a JSON schema");
    if (r->tools != NULL && r->choice != CHOICE_NONE)
        return turn_refuse(why, FAULT_UNSUPPORTED_PARAMETER, path,
                           "this model can be held to a JSON schema, or call tools, not both");
    stop_thinking(r, o->facts, notes);
    r->format = FORMAT_UNSAID;
    turn_note_dropped(notes, "guarantee of a schema");
    return force_tool(r, a, why);
}

bool structured_output_prepare(struct turn_request *r, const struct wire_options *o,
                               bool knows_json_object, struct arena *a, struct turn_notes *notes,
                               struct fault *why)
{
    if (r->format == FORMAT_SCHEMA && (o->facts & FACT_JSON_SCHEMA) == 0)
        return stand_in(r, o, a, notes, why);
    if (r->format == FORMAT_JSON && !knows_json_object && o->translation.instructs_json) {
        instruct(r, a);
        r->format = FORMAT_UNSAID;
        turn_note_dropped(notes, "guarantee of JSON");
    }
    return true;
}

/* --- the answer ----------------------------------------------------------------------------------- */

void structured_output_init(struct structured_output *s, struct span tool)
{
    *s = (struct structured_output){.tool = tool};
}

void structured_output_fini(struct structured_output *s)
{
    buf_fini(&s->held);
}

static bool give_text(struct structured_output *s, struct span text, turn_event_fn next, void *arg)
{
    const struct turn_event e = {.kind = TURN_TEXT, .slot = s->slot, .text = text};
    s->has_text = true;
    return next(arg, &e);
}

/* It answers in words of its own: what was held goes on. */
static bool release(struct structured_output *s, turn_event_fn next, void *arg)
{
    s->state = ANSWER_IN_WORDS;
    bool goes_on = buf_len(&s->held) == 0 || give_text(s, buf_span(&s->held), next, arg);
    buf_fini(&s->held);
    return goes_on;
}

static bool take_text(struct structured_output *s, const struct turn_event *e, turn_event_fn next,
                      void *arg)
{
    if (s->state == ANSWER_CALLED)
        return true;
    if (s->state == ANSWER_IN_WORDS)
        return next(arg, e);
    if (buf_len(&s->held) == 0)
        s->slot = e->slot;
    if (buf_len(&s->held) + e->text.len <= STRUCTURED_HELD_MAX && buf_add(&s->held, e->text) == 0)
        return true;
    return release(s, next, arg) && next(arg, e);
}

static bool take_call(struct structured_output *s, const struct turn_event *e)
{
    if (s->state == ANSWER_AWAITED && span_eq(e->name, s->tool)) {
        s->state = ANSWER_CALLED;
        s->slot = e->slot;
        buf_fini(&s->held);
    }
    return true;
}

/* The model, or its call, is done. Arguments that nobody wrote are an empty object. */
static bool complete(struct structured_output *s, bool is_whole, turn_event_fn next, void *arg)
{
    if (s->state == ANSWER_AWAITED)
        return release(s, next, arg);
    bool is_empty = s->state == ANSWER_CALLED && !s->has_text && is_whole;
    return !is_empty || give_text(s, SPAN_LIT("{}"), next, arg);
}

static bool take_stop(struct structured_output *s, const struct turn_event *e, turn_event_fn next,
                      void *arg)
{
    struct turn_event own = *e;
    if (!complete(s, e->stop == STOP_CALLS || e->stop == STOP_END, next, arg))
        return false;
    if (e->stop == STOP_CALLS) { /* nobody waits for its result */
        own.stop = STOP_END;
        own.native = SPAN_NONE;
    }
    return next(arg, &own);
}

bool structured_output_event(struct structured_output *s, const struct turn_event *e,
                             turn_event_fn next, void *arg)
{
    if (s->tool.len == 0)
        return next(arg, e);
    bool is_answer = s->state == ANSWER_CALLED && e->slot == s->slot;
    switch (e->kind) {
    case TURN_TEXT:
        return take_text(s, e, next, arg);
    case TURN_CITATION: /* of text that did not go on */
        return s->state != ANSWER_IN_WORDS || next(arg, e);
    case TURN_CALL:
        return take_call(s, e);
    case TURN_ARGUMENTS:
        return !is_answer || e->text.len == 0 || give_text(s, e->text, next, arg);
    case TURN_CALL_END:
        return !is_answer || complete(s, true, next, arg);
    case TURN_STOP:
        return take_stop(s, e, next, arg);
    case TURN_END:
        return complete(s, false, next, arg) && next(arg, e);
    default:
        return next(arg, e);
    }
}
