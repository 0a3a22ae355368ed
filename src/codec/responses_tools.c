#include "responses_tools.h"

#include "web_tool.h"

#include "sluice/base/map.h"

/* The request's tools, and their names for whoever asks: lists of both may be long. */
struct tool_list {
    struct turn_tool **end;
    struct map names;  /* → struct turn_tool; the empty name is web search */
    bool passes_known; /* a name that is there already is not read again */
};

static bool read_tool_members(struct reading *g, struct span tool, struct turn_tool *t)
{
    struct json_walk w;
    json_walk_init(&w, tool);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "name"))
            t->name = json_raw(w.value);
        else if (json_walk_is(&w, "description"))
            t->description = json_raw(w.value);
        else if (json_walk_is(&w, "strict") && w.kind != JSON_NULL)
            t->strict = w.kind == JSON_TRUE ? STRICT_YES : STRICT_NO;
        else if (json_walk_is(&w, "defer_loading") && w.kind == JSON_TRUE) {
            if (!reading_deferred(g, &w, t->path))
                return false;
        } else if (json_walk_is(&w, "format") && w.kind == JSON_OBJECT) {
            t->grammar = reading_text_of(w.value, "definition");
            t->syntax = reading_text_of(w.value, "syntax");
        } else if (!json_walk_is(&w, "parameters")) {
            if (!json_walk_is(&w, "type"))
                reading_unread(g, "tools[].", &w);
        } else if (!reading_object(g, &w, reading_path(g, t->path, "parameters"), &t->schema))
            return false;
    }
    return t->name.len > 0 || reading_refuse(g, reading_path(g, t->path, "name"), "it is missing");
}

static struct turn_tool *add_tool(struct reading *g, struct turn_tool ***end, struct span path)
{
    struct turn_tool *t = turn_add_tool(g->r, end, g->a);
    if (t == NULL) {
        reading_refuse(g, path, "there are more tools than can be read");
        return NULL;
    }
    t->path = path;
    return t;
}

static struct span name_of_web(enum web_kind kind)
{
    return kind == WEB_FETCH ? SPAN_LIT("web_fetch") : SPAN_LIT("");
}

static bool remember(struct reading *g, struct tool_list *l, struct turn_tool *t)
{
    return map_put(&l->names, t->name, t) == 0 ||
           turn_refuse(g->why, FAULT_OVERLOADED, SPAN_NONE, "out of memory");
}

static bool read_plain_tool(struct reading *g, struct span tool, bool is_custom,
                            struct tool_list *l, struct span path)
{
    if (l->passes_known && map_get(&l->names, reading_text_of(tool, "name")) != NULL)
        return true;
    struct turn_tool *t = add_tool(g, &l->end, path);
    if (t == NULL)
        return false;
    t->is_custom = is_custom;
    return read_tool_members(g, tool, t) && remember(g, l, t);
}

static bool read_web_tool(struct reading *g, enum web_kind kind, struct span tool,
                          struct tool_list *l, struct span path)
{
    if (l->passes_known && map_get(&l->names, name_of_web(kind)) != NULL)
        return true;
    struct turn_tool *t = add_tool(g, &l->end, path);
    return t != NULL && web_tool_read(g, kind, tool, t) && remember(g, l, t);
}

/* A namespace groups functions; their names are called without it. */
static bool read_namespace(struct reading *g, struct span tool, struct tool_list *l,
                           struct span path)
{
    struct json_member m;
    struct span inner;
    size_t cursor = 0;
    if (!json_get(tool, "tools", &m) || m.kind != JSON_ARRAY)
        return reading_refuse(g, reading_path(g, path, "tools"), "it must be an array");
    struct span tools = json_value(tool, &m);
    for (unsigned i = 0; json_each(tools, &cursor, &inner); i++) {
        bool is_custom = span_eq(reading_text_of(inner, "type"), SPAN_LIT("custom"));
        if (!read_plain_tool(g, inner, is_custom, l, turn_path(g->a, path, ".tools[%u]", i)))
            return false;
    }
    return true;
}

static bool read_tool(struct reading *g, struct span tool, struct tool_list *l, struct span path)
{
    struct span type = reading_text_of(tool, "type");
    enum web_kind kind;
    if (span_eq(type, SPAN_LIT("function")))
        return read_plain_tool(g, tool, false, l, path);
    if (span_eq(type, SPAN_LIT("custom")))
        return read_plain_tool(g, tool, true, l, path);
    if (span_eq(type, SPAN_LIT("namespace")))
        return read_namespace(g, tool, l, path);
    if (web_tool_is(type, &kind))
        return read_web_tool(g, kind, tool, l, path);
    if (span_eq(type, SPAN_LIT("tool_search")))
        return reading_tool_search(g, type, path);
    return reading_unknown_tool(g, type, path);
}

static bool read_tools(struct reading *g, struct span tools, struct tool_list *l, struct span above)
{
    struct span tool;
    size_t cursor = 0;
    for (unsigned i = 0; json_each(tools, &cursor, &tool); i++) {
        if (!read_tool(g, tool, l, turn_path(g->a, above, "[%u]", i)))
            return false;
    }
    return true;
}

/* Codex tells its tools in items of the input, and repeats them as the conversation goes on. */
static bool read_additional_tools(struct reading *g, struct span input, struct tool_list *l)
{
    struct json_member m;
    struct span item;
    size_t cursor = 0;
    l->passes_known = true;
    for (unsigned i = 0; json_each(input, &cursor, &item); i++) {
        if (!span_eq(reading_text_of(item, "type"), SPAN_LIT("additional_tools")))
            continue;
        struct span path = turn_path(g->a, SPAN_NONE, "input[%u].tools", i);
        if (!json_get(item, "tools", &m) || m.kind != JSON_ARRAY)
            return reading_refuse(g, path, "it must be an array");
        if (!read_tools(g, json_value(item, &m), l, path))
            return false;
    }
    return true;
}

static bool read_allowed(struct reading *g, struct span choice, const struct map *names)
{
    struct json_member m;
    struct span item;
    struct turn_tool **end = &g->r->allowed;
    size_t cursor = 0;
    g->r->choice = span_eq(reading_text_of(choice, "mode"), SPAN_LIT("required")) ? CHOICE_REQUIRED
                                                                                  : CHOICE_AUTO;
    if (!json_get(choice, "tools", &m) || m.kind != JSON_ARRAY)
        return reading_refuse(g, SPAN_LIT("tool_choice.tools"), "it must be an array");
    struct span tools = json_value(choice, &m);
    for (unsigned i = 0; json_each(tools, &cursor, &item); i++) {
        struct span path = turn_path(g->a, SPAN_LIT("tool_choice"), ".tools[%u]", i);
        struct turn_tool *t = add_tool(g, &end, path);
        if (t == NULL)
            return false;
        enum web_kind kind;
        bool is_web = web_tool_is(reading_text_of(item, "type"), &kind);
        t->name = is_web ? name_of_web(kind) : reading_text_of(item, "name");
        bool is_named = is_web || t->name.len > 0;
        if (!is_named || map_get(names, t->name) == NULL)
            return reading_refuse(g, path, "it is not one of the request's tools");
    }
    return true;
}

static bool read_choice(struct reading *g, const struct json_walk *w, const struct map *names)
{
    struct span word = json_raw(w->value);
    enum web_kind kind;
    if (w->kind == JSON_NULL)
        return true;
    if (w->kind == JSON_OBJECT) {
        if (span_eq(reading_text_of(w->value, "type"), SPAN_LIT("allowed_tools")))
            return read_allowed(g, w->value, names);
        g->r->choice = CHOICE_NAMED;
        g->r->choice_name = reading_text_of(w->value, "name");
        if (web_tool_is(reading_text_of(w->value, "type"), &kind)) {
            g->r->choice_name = name_of_web(kind);
            return true;
        }
        return g->r->choice_name.len > 0 ||
               reading_refuse(g, SPAN_LIT("tool_choice"),
                              "only a function or a custom tool can be "
                              "chosen for this model");
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

/* A search for the word alone spares all others a second look at each item. */
static bool read_all(struct reading *g, struct span tools, const struct json_walk *input,
                     struct tool_list *l)
{
    static const struct span word = {(const uint8_t *)"additional_tools", 16};
    if (!read_tools(g, tools, l, SPAN_LIT("tools")))
        return false;
    return input->kind != JSON_ARRAY || span_find(input->value, word) == SIZE_MAX ||
           read_additional_tools(g, input->value, l);
}

bool responses_tools_read(struct reading *g, struct span tools, const struct json_walk *input,
                          const struct json_walk *choice)
{
    struct tool_list l = {.end = &g->r->tools};
    bool is_read = read_all(g, tools, input, &l) && read_choice(g, choice, &l.names) &&
                   reading_check_choice(g);
    map_fini(&l.names);
    return is_read;
}
