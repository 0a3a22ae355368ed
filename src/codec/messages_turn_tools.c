#include "messages_turn_tools.h"

#include "web_tool.h"

/* Until a search finds the tool, or from all but code that runs at Anthropic. */
static bool is_kept_back(const struct json_walk *w)
{
    return (json_walk_is(w, "defer_loading") && w->kind == JSON_TRUE) ||
           (json_walk_is(w, "allowed_callers") && json_array_is_filled(w->value) &&
            span_find(w->value, SPAN_LIT("\"direct\"")) == SIZE_MAX);
}

static bool read_tool_member(struct reading *g, const struct json_walk *w, struct turn_tool *t)
{
    if (json_walk_is(w, "name"))
        return reading_string(g, w, reading_path(g, t->path, "name"), &t->name);
    if (json_walk_is(w, "description") && w->kind != JSON_NULL)
        return reading_string(g, w, reading_path(g, t->path, "description"), &t->description);
    if (json_walk_is(w, "input_schema"))
        return reading_object(g, w, reading_path(g, t->path, "input_schema"), &t->schema);
    if (is_kept_back(w))
        return reading_deferred(g, w, t->path);
    if (json_walk_is(w, "cache_control") && w->kind == JSON_OBJECT)
        t->cache_control = w->value;
    else if (json_walk_is(w, "strict") && w->kind != JSON_NULL)
        t->strict = w->kind == JSON_TRUE ? STRICT_YES : STRICT_NO;
    else if (!json_walk_is(w, "type") && !json_walk_is(w, "allowed_callers"))
        reading_unread(g, "tools[].", w);
    return true;
}

static bool read_tool(struct reading *g, struct span tool, struct turn_tool ***end,
                      struct span path)
{
    struct json_walk w;
    struct span type = reading_text_of(tool, "type");
    enum web_kind kind;
    bool is_web = web_tool_is(type, &kind);
    if (!is_web && type.len > 0 && !span_eq(type, SPAN_LIT("custom")))
        return span_starts(type, SPAN_LIT("tool_search_tool"))
                   ? reading_tool_search(g, type, path)
                   : reading_unknown_tool(g, type, path);
    struct turn_tool *t = turn_add_tool(g->r, end, g->a);
    if (t == NULL)
        return reading_refuse(g, path, "there are more tools than can be read");
    t->path = path;
    if (is_web)
        return web_tool_read(g, kind, tool, t);
    json_walk_init(&w, tool);
    while (json_walk_next(&w)) {
        if (!read_tool_member(g, &w, t))
            return false;
    }
    if (!json_walk_is_complete(&w) || t->name.len == 0)
        return reading_refuse(g, path, "a tool is an object with a name");
    return true;
}

static bool read_tools(struct reading *g, struct span tools)
{
    struct turn_tool **end = &g->r->tools;
    struct span tool;
    size_t cursor = 0;
    for (unsigned i = 0; json_each(tools, &cursor, &tool); i++) {
        if (!read_tool(g, tool, &end, turn_path(g->a, SPAN_NONE, "tools[%u]", i)))
            return false;
    }
    return true;
}

static bool read_choice(struct reading *g, struct span choice)
{
    struct json_member m;
    struct span type = reading_text_of(choice, "type");
    if (span_eq(type, SPAN_LIT("auto"))) {
        g->r->choice = CHOICE_AUTO;
    } else if (span_eq(type, SPAN_LIT("any"))) {
        g->r->choice = CHOICE_REQUIRED;
    } else if (span_eq(type, SPAN_LIT("none"))) {
        g->r->choice = CHOICE_NONE;
    } else if (span_eq(type, SPAN_LIT("tool"))) {
        g->r->choice = CHOICE_NAMED;
        g->r->choice_name = reading_text_of(choice, "name");
        if (g->r->choice_name.len == 0)
            return reading_refuse(g, SPAN_LIT("tool_choice.name"), "it names the tool to call");
    } else {
        return reading_refuse(g, SPAN_LIT("tool_choice.type"),
                              "it must be auto, any, tool or none");
    }
    if (json_get(choice, "disable_parallel_tool_use", &m))
        g->r->parallel = m.kind == JSON_TRUE ? PARALLEL_NO : PARALLEL_YES;
    return true;
}

bool messages_turn_read_tools(struct reading *g, struct span tools, struct span choice)
{
    return read_tools(g, tools) && (choice.len == 0 || read_choice(g, choice)) &&
           reading_check_choice(g);
}
