#include "messages_tools.h"

#include "web_tool.h"
#include "wire_tools.h"

#include "sluice/format/json_walk.h"

/* Free text has no schema here: the text travels as the one member of an object, and comes back as
 * text (custom_tool.h). */
static bool put_custom_tool(struct writing *w, const struct turn_tool *t)
{
    struct span grammar = t->grammar;
    if (!wire_may_wrap(w, t))
        return false;
    if (grammar.len > 0) {
        turn_note_dropped(w->notes, "grammar of a custom tool");
        put(w, ",\"description\":");
        wire_put_grammar(&w->out, t->description, grammar);
    } else if (t->description.len > 0) {
        put(w, ",\"description\":");
        json_out_raw(&w->out, t->description);
    }
    put(w, ",\"input_schema\":{\"type\":\"object\",\"properties\":{\"input\":{\"type\":"
           "\"string\"}},\"required\":[\"input\"]}");
    return true;
}

/* Who lacks the one, as Bedrock does, lacks the other. */
static void put_web_tool(struct writing *w, const struct turn_tool *t)
{
    if (!takes(w, FACT_WEB_SEARCH))
        web_tool_note(w, t);
    else if (web_tool_is_possible(w, t))
        web_tool_put_messages(w, t);
}

static bool put_tool(struct writing *w, const struct turn_tool *t)
{
    if (t->web != NULL) {
        put_web_tool(w, t);
        return true;
    }
    put_comma(w);
    put(w, "{\"name\":");
    json_out_raw(&w->out, t->name);
    if (t->is_custom) {
        if (!put_custom_tool(w, t))
            return false;
    } else {
        if (t->description.len > 0) {
            put(w, ",\"description\":");
            json_out_raw(&w->out, t->description);
        }
        put(w, ",\"input_schema\":");
        json_out_span(&w->out, t->schema.len > 0
                                   ? t->schema
                                   : SPAN_LIT("{\"type\":\"object\",\"properties\":{}}"));
        if (t->strict == STRICT_YES)
            put(w, ",\"strict\":true");
    }
    put_lexeme(w, "cache_control", t->cache_control);
    put(w, "}");
    return true;
}

static void put_history_tool(struct writing *w, struct span name)
{
    put_comma(w);
    put(w, "{\"name\":");
    json_out_raw(&w->out, name);
    put(w, ",\"input_schema\":{\"type\":\"object\",\"properties\":{}}}");
}

static void put_choice_end(struct writing *w)
{
    if (w->r->parallel == PARALLEL_NO)
        put(w, ",\"disable_parallel_tool_use\":true");
    put(w, "}");
}

static void put_choice(struct writing *w)
{
    enum turn_choice choice = w->r->choice;
    if (choice == CHOICE_UNSAID && w->r->parallel == PARALLEL_NO)
        choice = CHOICE_AUTO;
    switch (choice) {
    case CHOICE_UNSAID:
        break;
    case CHOICE_NONE:
        put(w, ",\"tool_choice\":{\"type\":\"none\"}");
        break;
    case CHOICE_AUTO:
        put(w, ",\"tool_choice\":{\"type\":\"auto\"");
        put_choice_end(w);
        break;
    case CHOICE_REQUIRED:
        put(w, ",\"tool_choice\":{\"type\":\"any\"");
        put_choice_end(w);
        break;
    case CHOICE_NAMED:
        if (wire_must_use_web(w->r) != NULL && !takes(w, FACT_WEB_SEARCH)) {
            turn_note_dropped(w->notes, "tool_choice");
            break;
        }
        put(w, ",\"tool_choice\":{\"type\":\"tool\",\"name\":");
        json_out_raw(&w->out,
                     w->r->choice_name.len > 0 ? w->r->choice_name : SPAN_LIT("web_search"));
        put_choice_end(w);
        break;
    }
}

bool messages_put_tools(struct writing *w)
{
    size_t before = w->out.buf->tail;
    put(w, ",\"tools\":[");
    size_t empty = w->out.buf->tail;
    for (const struct turn_tool *t = w->r->tools; t != NULL; t = t->next) {
        if (wire_is_allowed(w->r, t) && !put_tool(w, t))
            return false;
    }
    bool has_own = w->out.buf->tail != empty;
    if (!has_own)
        w->out.rc = wire_each_called(w, put_history_tool);
    if (w->out.buf->tail == empty) {
        w->out.buf->tail = before;
        return true;
    }
    put(w, "]");
    if (has_own)
        put_choice(w);
    else
        put(w, ",\"tool_choice\":{\"type\":\"none\"}");
    return true;
}
