#include "chat_turn_parts.h"
#include "web_tool.h"

/* {"type":"grammar","grammar":{"syntax","definition"}}, or {"type":"text"} */
static void read_format(struct span format, struct turn_tool *t)
{
    struct json_member m;
    if (!json_get(format, "grammar", &m) || m.kind != JSON_OBJECT)
        return;
    t->grammar = reading_text_of(json_value(format, &m), "definition");
    t->syntax = reading_text_of(json_value(format, &m), "syntax");
}

static bool read_function(struct reading *g, struct span function, struct turn_tool *t)
{
    struct json_walk w;
    json_walk_init(&w, function);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "name"))
            t->name = json_raw(w.value);
        else if (json_walk_is(&w, "description"))
            t->description = json_raw(w.value);
        else if (json_walk_is(&w, "strict") && w.kind != JSON_NULL)
            t->strict = w.kind == JSON_TRUE ? STRICT_YES : STRICT_NO;
        else if (json_walk_is(&w, "format") && w.kind == JSON_OBJECT)
            read_format(w.value, t);
        else if (!json_walk_is(&w, "parameters"))
            reading_unread(g, "tools[].function.", &w);
        else if (!reading_object(g, &w, reading_path(g, t->path, "parameters"), &t->schema))
            return false;
    }
    return t->name.len > 0 || reading_refuse(g, reading_path(g, t->path, "name"), "it is missing");
}

/* What stands beside the function. */
static void read_beside(struct reading *g, struct span tool, struct turn_tool *t)
{
    struct json_walk w;
    json_walk_init(&w, tool);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "cache_control") && w.kind == JSON_OBJECT)
            t->cache_control = w.value;
        else if (!json_walk_is(&w, "type") && !json_walk_is(&w, "function") &&
                 !json_walk_is(&w, "custom"))
            reading_unread(g, "tools[].", &w);
    }
}

static bool read_tool(struct reading *g, struct span tool, struct turn_tool ***end,
                      struct span path)
{
    struct json_member m;
    struct span type = reading_text_of(tool, "type");
    bool is_custom = span_eq(type, SPAN_LIT("custom"));
    if (!is_custom && !span_eq(type, SPAN_LIT("function")))
        return reading_unknown_tool(g, type, path);
    struct turn_tool *t = turn_add_tool(g->r, end, g->a);
    if (t == NULL)
        return reading_refuse(g, path, "there are more tools than can be read");
    t->path = path;
    t->is_custom = is_custom;
    read_beside(g, tool, t);
    const char *member = t->is_custom ? "custom" : "function";
    t->path = reading_path(g, path, member);
    if (!json_get(tool, member, &m) || m.kind != JSON_OBJECT)
        return reading_refuse(g, t->path, "it must be an object");
    return read_function(g, json_value(tool, &m), t);
}

static bool read_functions(struct reading *g, struct span functions, struct turn_tool ***end)
{
    struct span function;
    size_t cursor = 0;
    for (unsigned i = 0; json_each(functions, &cursor, &function); i++) {
        struct span path = turn_path(g->a, SPAN_NONE, "functions[%u]", i);
        struct turn_tool *t = turn_add_tool(g->r, end, g->a);
        if (t == NULL)
            return reading_refuse(g, path, "there are more functions than can be read");
        t->path = path;
        if (!read_function(g, function, t))
            return false;
    }
    return true;
}

static bool read_web(struct reading *g, enum web_kind kind, struct span options,
                     struct turn_tool ***end)
{
    if (options.len == 0)
        return true;
    struct turn_tool *t = turn_add_tool(g->r, end, g->a);
    if (t == NULL)
        return reading_refuse(g, SPAN_LIT("tools"), "there are more tools than can be read");
    t->path = kind == WEB_FETCH ? SPAN_LIT("web_fetch_options") : SPAN_LIT("web_search_options");
    return web_tool_read(g, kind, options, t);
}

bool chat_turn_read_tools(struct reading *g, const struct chat_tool_members *m)
{
    struct turn_tool **end = &g->r->tools;
    struct span tool;
    size_t cursor = 0;
    for (unsigned i = 0; json_each(m->tools, &cursor, &tool); i++) {
        if (!read_tool(g, tool, &end, turn_path(g->a, SPAN_NONE, "tools[%u]", i)))
            return false;
    }
    return read_functions(g, m->functions, &end) &&
           read_web(g, WEB_SEARCH, m->web_search_options, &end) &&
           read_web(g, WEB_FETCH, m->web_fetch_options, &end);
}

/* --- which of them -------------------------------------------------------------------------------- */

static bool has_tool(const struct turn_request *r, struct span name)
{
    const struct turn_tool *t = r->tools;
    while (t != NULL && !span_eq(t->name, name))
        t = t->next;
    return t != NULL;
}

/* Both {type, function: {name}} and {type, name}: contract D-10. */
static struct span name_in(struct span choice)
{
    struct json_member m;
    if (json_get(choice, "function", &m) || json_get(choice, "custom", &m))
        return reading_text_of(json_value(choice, &m), "name");
    return reading_text_of(choice, "name");
}

static bool read_allowed(struct reading *g, struct span choice)
{
    struct json_member m;
    struct span item;
    struct turn_tool **end = &g->r->allowed;
    size_t cursor = 0;
    if (json_get(choice, "allowed_tools", &m) && m.kind == JSON_OBJECT)
        choice = json_value(choice, &m);
    g->r->choice = span_eq(reading_text_of(choice, "mode"), SPAN_LIT("required")) ? CHOICE_REQUIRED
                                                                                  : CHOICE_AUTO;
    if (!json_get(choice, "tools", &m) || m.kind != JSON_ARRAY)
        return reading_refuse(g, SPAN_LIT("tool_choice.tools"), "it must be an array");
    struct span tools = json_value(choice, &m);
    for (unsigned i = 0; json_each(tools, &cursor, &item); i++) {
        struct span path = turn_path(g->a, SPAN_LIT("tool_choice"), ".tools[%u]", i);
        struct turn_tool *t = turn_add_tool(g->r, &end, g->a);
        if (t == NULL || !has_tool(g->r, t->name = name_in(item)))
            return reading_refuse(g, path, "it is not one of the request's tools");
    }
    return true;
}

bool chat_turn_read_choice(struct reading *g, const struct json_walk *w)
{
    struct span word = json_raw(w->value);
    if (w->kind == JSON_NULL)
        return true;
    if (w->kind == JSON_OBJECT) {
        if (span_eq(reading_text_of(w->value, "type"), SPAN_LIT("allowed_tools")))
            return read_allowed(g, w->value);
        g->r->choice = CHOICE_NAMED;
        g->r->choice_name = name_in(w->value);
        return g->r->choice_name.len > 0 ||
               reading_refuse(g, SPAN_LIT("tool_choice"), "it names no function");
    }
    if (span_eq(word, SPAN_LIT("auto")))
        g->r->choice = CHOICE_AUTO;
    else if (span_eq(word, SPAN_LIT("none")))
        g->r->choice = CHOICE_NONE;
    else if (span_eq(word, SPAN_LIT("required")))
        g->r->choice = CHOICE_REQUIRED;
    else
        return reading_refuse(g, SPAN_LIT("tool_choice"),
                              "it must be auto, none, required or an object");
    return true;
}
