#include "chat_tools.h"

#include "web_tool.h"
#include "wire_tools.h"

#include "sluice/format/json_walk.h"

static void put_description(struct writing *w, const struct turn_tool *t)
{
    if (t->description.len > 0) {
        put(w, ",\"description\":");
        json_out_raw(&w->out, t->description);
    }
}

static void put_custom_tool(struct writing *w, const struct turn_tool *t)
{
    put(w, "{\"type\":\"custom\",\"custom\":{\"name\":");
    json_out_raw(&w->out, t->name);
    put_description(w, t);
    if (t->grammar.len > 0) {
        put(w, ",\"format\":{\"type\":\"grammar\",\"grammar\":{");
        put_string(w, "syntax", t->syntax);
        put_string(w, "definition", t->grammar);
        put(w, "}}");
    }
    put(w, "}}");
}

/* Free text has no schema: it travels as the one member of an object, and comes back as text
 * (custom_tool.h). */
static bool put_wrapped_tool(struct writing *w, const struct turn_tool *t)
{
    struct span grammar = t->grammar;
    if (!wire_may_wrap(w, t))
        return false;
    put(w, "{\"type\":\"function\",\"function\":{\"name\":");
    json_out_raw(&w->out, t->name);
    if (grammar.len > 0) {
        turn_note_dropped(w->notes, "grammar of a custom tool");
        put(w, ",\"description\":");
        wire_put_grammar(&w->out, t->description, grammar);
    } else {
        put_description(w, t);
    }
    put(w, ",\"parameters\":{\"type\":\"object\",\"properties\":{\"input\":{\"type\":"
           "\"string\"}},\"required\":[\"input\"]}}}");
    return true;
}

static void put_function(struct writing *w, const struct turn_tool *t)
{
    put(w, "{\"type\":\"function\",\"function\":{\"name\":");
    json_out_raw(&w->out, t->name);
    put_description(w, t);
    put(w, ",\"parameters\":");
    json_out_span(&w->out, t->schema.len > 0 ? t->schema
                                             : SPAN_LIT("{\"type\":\"object\",\"properties\":{}}"));
    if (t->strict != STRICT_UNSAID)
        put(w, t->strict == STRICT_YES ? ",\"strict\":true" : ",\"strict\":false");
    put(w, "}}");
}

static bool is_native_custom(const struct writing *w, struct span name)
{
    const struct turn_tool *t = wire_tool_named(w->r, name);
    return t != NULL && t->is_custom && takes(w, FACT_CUSTOM_TOOLS);
}

static void put_choice(struct writing *w)
{
    static const char *const words[] = {
        [CHOICE_AUTO] = ",\"tool_choice\":\"auto\"",
        [CHOICE_NONE] = ",\"tool_choice\":\"none\"",
        [CHOICE_REQUIRED] = ",\"tool_choice\":\"required\"",
    };
    if (wire_must_use_web(w->r) != NULL) {
        put(w, ",\"tool_choice\":\"auto\""); /* search is no tool here */
    } else if (w->r->choice == CHOICE_NAMED) {
        put(w, is_native_custom(w, w->r->choice_name)
                   ? ",\"tool_choice\":{\"type\":\"custom\",\"custom\":{\"name\":"
                   : ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":");
        json_out_raw(&w->out, w->r->choice_name);
        put(w, "}}");
    } else if (w->r->choice != CHOICE_UNSAID) {
        put(w, words[w->r->choice]);
    }
    if (w->r->parallel != PARALLEL_UNSAID)
        put(w, w->r->parallel == PARALLEL_NO ? ",\"parallel_tool_calls\":false"
                                             : ",\"parallel_tool_calls\":true");
}

/* Few upstreams search by themselves, and those that cannot refuse to be asked. None fetches. */
static bool put_web_tools(struct writing *w)
{
    bool has_search = false;
    for (const struct turn_tool *t = w->r->tools; t != NULL; t = t->next) {
        if (t->web == NULL)
            continue;
        if (t->web->kind == WEB_FETCH || t->web->is_offline || !takes(w, FACT_WEB_SEARCH))
            web_tool_note(w, t);
        else if (!has_search && !web_tool_put_chat(w, t))
            return false;
        else
            has_search = true;
    }
    if (has_search && wire_must_use_web(w->r) != NULL)
        turn_note_dropped(w->notes, "tool_choice"); /* it searches when it wants to */
    return true;
}

bool chat_put_tools(struct writing *w)
{
    unsigned n = 0;
    for (const struct turn_tool *t = w->r->tools; t != NULL; t = t->next) {
        if (t->web != NULL || !wire_is_allowed(w->r, t))
            continue;
        put(w, n++ == 0 ? ",\"tools\":[" : ",");
        if (!t->is_custom)
            put_function(w, t);
        else if (takes(w, FACT_CUSTOM_TOOLS))
            put_custom_tool(w, t);
        else if (!put_wrapped_tool(w, t))
            return false;
    }
    if (n > 0) {
        put(w, "]");
        put_choice(w);
    }
    return put_web_tools(w);
}
