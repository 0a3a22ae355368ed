#include "sluice/codec/messages_turn.h"

#include "messages_turn_tools.h"
#include "turn_calls.h"

/* --- content blocks ------------------------------------------------------------------------------ */

static bool read_source(struct reading *g, struct span source, struct turn_part *p)
{
    struct span type = reading_text_of(source, "type");
    if (span_eq(type, SPAN_LIT("base64"))) {
        struct span media_type = reading_text_of(source, "media_type");
        struct span data = reading_text_of(source, "data");
        if (media_type.len == 0 || data.len == 0)
            return reading_refuse(g, p->path, "its source needs media_type and data");
        return reading_data(g, media_type, data, p);
    } else if (span_eq(type, SPAN_LIT("url"))) {
        struct span url = reading_text_of(source, "url");
        if (url.len == 0)
            return reading_refuse(g, p->path, "its source needs a url");
        return reading_location(g, url, p);
    } else if (span_eq(type, SPAN_LIT("text"))) {
        p->text = reading_text_of(source, "data");
    } else if (span_eq(type, SPAN_LIT("file"))) {
        return reading_refuse(g, p->path,
                              "a file id is known to the provider that stored it only: "
                              "send the content");
    } else {
        return reading_refuse(g, p->path, "its source must be base64, url or text");
    }
    return true;
}

/* Nobody else says where in a document an answer comes from. */
static bool lose_citations(struct reading *g, struct span path)
{
    if (g->o->rejects_citations)
        return turn_refuse(g->why, FAULT_UNSUPPORTED_PARAMETER, reading_path(g, path, "citations"),
                           "this model does not cite documents");
    turn_note_dropped(&g->r->unread, "citations");
    return true;
}

static bool read_media(struct reading *g, struct span block, enum turn_part_kind kind,
                       struct turn_part ***end, struct span path)
{
    struct json_member m;
    struct turn_part *p = reading_add_part(g, end, kind, path);
    if (p == NULL)
        return false;
    p->name = reading_text_of(block, "title");
    if (json_get(block, "cache_control", &m) && m.kind == JSON_OBJECT)
        p->cache_control = json_value(block, &m);
    if (reading_text_of(block, "context").len > 0)
        turn_note_dropped(&g->r->unread, "context of a document");
    if (json_get(block, "citations", &m) && m.kind == JSON_OBJECT &&
        json_get(json_value(block, &m), "enabled", &m) && m.kind == JSON_TRUE &&
        !lose_citations(g, path))
        return false;
    if (!json_get(block, "source", &m) || m.kind != JSON_OBJECT)
        return reading_refuse(g, path, "it needs a source");
    return read_source(g, json_value(block, &m), p);
}

static bool read_text(struct reading *g, struct span block, struct turn_part ***end,
                      struct span path)
{
    struct json_member m;
    if (!json_get(block, "text", &m) || m.kind != JSON_STRING)
        return reading_refuse(g, path, "it needs a text");
    struct turn_part *p = reading_add_part(g, end, PART_TEXT, path);
    if (p == NULL)
        return false;
    p->text = json_raw(json_value(block, &m));
    if (json_get(block, "cache_control", &m) && m.kind == JSON_OBJECT)
        p->cache_control = json_value(block, &m);
    if (json_get(block, "citations", &m) && json_array_is_filled(json_value(block, &m)))
        turn_note_dropped(&g->r->unread, "citations");
    return true;
}

/* A search result of the client's own becomes text: title, source and what was found. */
static bool read_search_result(struct reading *g, struct span block, struct turn_part ***end,
                               struct span path)
{
    struct json_member m;
    struct span item;
    size_t cursor = 0;
    struct turn_part *p = reading_add_part(g, end, PART_TEXT, path);
    if (p == NULL)
        return false;
    p->text = span_text(arena_printf(g->a, "%.*s\\n%.*s", SPAN_FMT(reading_text_of(block, "title")),
                                     SPAN_FMT(reading_text_of(block, "source"))));
    if (!json_get(block, "content", &m) || m.kind != JSON_ARRAY)
        return true;
    struct span content = json_value(block, &m);
    while (json_each(content, &cursor, &item)) {
        p = reading_add_part(g, end, PART_TEXT, path);
        if (p == NULL)
            return false;
        p->text = reading_text_of(item, "text");
    }
    return true;
}

static bool read_thinking(struct reading *g, struct span block, struct turn_part ***end,
                          struct span path)
{
    struct turn_part *p = reading_add_part(g, end, PART_REASONING, path);
    if (p == NULL)
        return false;
    p->text = reading_text_of(block, "thinking");
    p->proof = reading_text_of(block, "signature");
    return true;
}

static bool read_redacted(struct reading *g, struct span block, struct turn_part ***end,
                          struct span path)
{
    struct turn_part *p = reading_add_part(g, end, PART_REDACTED, path);
    if (p == NULL)
        return false;
    p->text = reading_text_of(block, "data");
    return true;
}

static bool read_tool_use(struct reading *g, struct span block, struct turn_part ***end,
                          struct span path)
{
    struct json_member m;
    struct turn_part *p = reading_add_part(g, end, PART_CALL, path);
    if (p == NULL)
        return false;
    p->id = reading_text_of(block, "id");
    p->name = reading_text_of(block, "name");
    if (p->id.len == 0 || p->name.len == 0)
        return reading_refuse(g, path, "it needs an id and a name");
    if (!json_get(block, "input", &m) || m.kind != JSON_OBJECT)
        return reading_refuse(g, reading_path(g, path, "input"), "it must be an object");
    p->arguments_object = json_value(block, &m);
    if (json_get(block, "cache_control", &m) && m.kind == JSON_OBJECT)
        p->cache_control = json_value(block, &m);
    return true;
}

/* Blocks of tools that run at Anthropic: only Anthropic could go on from them. */
static bool is_foreign(struct span type)
{
    static const char *const endings[] = {"server_tool_use", "_tool_result", "mcp_tool_use",
                                          "fallback"};
    if (span_eq(type, SPAN_LIT("tool_result")))
        return false;
    for (unsigned i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        struct span ending = span_text(endings[i]);
        if (type.len >= ending.len && span_eq(span_skip(type, type.len - ending.len), ending))
            return true;
    }
    return false;
}

/* What is left of a conversation that was made shorter: text like any other, elsewhere. */
static bool read_compaction(struct reading *g, struct span block, struct turn_part ***end,
                            struct span path)
{
    struct turn_part *p = reading_add_part(g, end, PART_TEXT, path);
    if (p != NULL)
        p->text = reading_text_of(block, "content");
    return p != NULL;
}

/* What a search for tools of the client's own found: its name, for the tool itself is offered. */
static bool read_tool_reference(struct reading *g, struct span block, struct turn_part ***end,
                                struct span path)
{
    struct turn_part *p = reading_add_part(g, end, PART_TEXT, path);
    if (p != NULL)
        p->text = reading_text_of(block, "tool_name");
    return p != NULL;
}

/* Any block but a tool's result. */
static bool read_block(struct reading *g, struct span block, struct span type,
                       struct turn_part ***end, struct span path)
{
    if (span_eq(type, SPAN_LIT("text")))
        return read_text(g, block, end, path);
    if (span_eq(type, SPAN_LIT("image")))
        return read_media(g, block, PART_IMAGE, end, path);
    if (span_eq(type, SPAN_LIT("document")))
        return read_media(g, block, PART_DOCUMENT, end, path);
    if (span_eq(type, SPAN_LIT("thinking")))
        return read_thinking(g, block, end, path);
    if (span_eq(type, SPAN_LIT("redacted_thinking")))
        return read_redacted(g, block, end, path);
    if (span_eq(type, SPAN_LIT("tool_use")))
        return read_tool_use(g, block, end, path);
    if (span_eq(type, SPAN_LIT("search_result")))
        return read_search_result(g, block, end, path);
    if (span_eq(type, SPAN_LIT("tool_reference")))
        return read_tool_reference(g, block, end, path);
    if (span_eq(type, SPAN_LIT("compaction")))
        return read_compaction(g, block, end, path);
    if (is_foreign(type)) {
        turn_note_dropped(&g->r->unread, "what ran at Anthropic");
        return true;
    }
    return reading_refuse(g, reading_path(g, path, "type"),
                          "blocks of this type are not known here");
}

/* A string, or blocks of which a tool's result may hold any but its like. */
static bool read_content(struct reading *g, const struct json_walk *w, struct turn_part **parts,
                         struct span path)
{
    struct turn_part **end = parts;
    struct span block;
    size_t cursor = 0;
    if (w->kind == JSON_STRING) {
        struct turn_part *p = reading_add_part(g, &end, PART_TEXT, path);
        if (p != NULL)
            p->text = json_raw(w->value);
        return p != NULL;
    }
    if (w->kind != JSON_ARRAY && w->kind != JSON_NULL)
        return reading_refuse(g, path, "it must be a string or an array of blocks");
    for (unsigned i = 0; json_each(w->value, &cursor, &block); i++) {
        struct span at = turn_path(g->a, path, "[%u]", i);
        if (!read_block(g, block, reading_text_of(block, "type"), &end, at))
            return false;
    }
    return true;
}

/* --- messages ------------------------------------------------------------------------------------- */

static bool read_tool_result(struct reading *g, struct span block, struct span path)
{
    struct json_walk w;
    struct turn_message *m = reading_add_message(g, ROLE_TOOL, path);
    if (m == NULL)
        return false;
    struct turn_part **end = &m->parts;
    struct turn_part *p = reading_add_part(g, &end, PART_RESULT, path);
    if (p == NULL)
        return false;
    json_walk_init(&w, block);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "tool_use_id"))
            p->id = json_raw(w.value);
        else if (json_walk_is(&w, "is_error"))
            p->is_error = w.kind == JSON_TRUE;
        else if (json_walk_is(&w, "cache_control") && w.kind == JSON_OBJECT)
            p->cache_control = w.value;
        else if (!json_walk_is(&w, "content")) {
            if (!json_walk_is(&w, "type"))
                reading_unread(g, "messages[].content[].", &w);
        } else if (!read_content(g, &w, &p->inside, reading_path(g, path, "content")))
            return false;
    }
    return p->id.len > 0 || reading_refuse(g, path, "it needs the tool_use_id it answers");
}

static bool is_result(struct span block)
{
    return span_eq(reading_text_of(block, "type"), SPAN_LIT("tool_result"));
}

static bool read_results(struct reading *g, struct span blocks, struct span path)
{
    struct span block;
    size_t cursor = 0;
    for (unsigned i = 0; json_each(blocks, &cursor, &block); i++) {
        if (is_result(block) && !read_tool_result(g, block, turn_path(g->a, path, "[%u]", i)))
            return false;
    }
    return true;
}

/* What a message holds beside results of tools; no message when that is nothing. */
static bool read_rest(struct reading *g, enum turn_role role, struct span blocks, struct span path)
{
    struct span block;
    size_t cursor = 0;
    struct turn_message *m = NULL;
    struct turn_part **end = NULL;
    for (unsigned i = 0; json_each(blocks, &cursor, &block); i++) {
        if (is_result(block))
            continue;
        if (m == NULL) {
            m = reading_add_message(g, role, path);
            if (m == NULL)
                return false;
            end = &m->parts;
        }
        struct span at = turn_path(g->a, path, "[%u]", i);
        if (!read_block(g, block, reading_text_of(block, "type"), &end, at))
            return false;
    }
    return true;
}

static bool read_role(struct reading *g, struct span word, struct span path, enum turn_role *role)
{
    if (span_eq(word, SPAN_LIT("user")))
        *role = ROLE_USER;
    else if (span_eq(word, SPAN_LIT("assistant")))
        *role = ROLE_ASSISTANT;
    else if (span_eq(word, SPAN_LIT("system")))
        *role = ROLE_SYSTEM;
    else
        return reading_refuse(g, reading_path(g, path, "role"),
                              "it must be user, assistant or system");
    return true;
}

static bool read_message(struct reading *g, struct span message, struct span path)
{
    struct json_walk w, content = {.kind = JSON_NULL};
    struct span word = SPAN_NONE;
    enum turn_role role = ROLE_USER;
    json_walk_init(&w, message);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "role"))
            word = json_raw(w.value);
        else if (json_walk_is(&w, "content"))
            content = w;
        else
            reading_unread(g, "messages[].", &w);
    }
    if (!json_walk_is_complete(&w))
        return reading_refuse(g, path, "it must be an object");
    if (!read_role(g, word, path, &role))
        return false;
    struct span at = reading_path(g, path, "content");
    if (content.kind == JSON_ARRAY)
        return read_results(g, content.value, at) && read_rest(g, role, content.value, at);
    if (content.kind != JSON_STRING)
        return reading_refuse(g, at, "it must be a string or an array of blocks");
    struct turn_message *m = reading_add_message(g, role, path);
    return m != NULL && read_content(g, &content, &m->parts, at);
}

static bool read_messages(struct reading *g, struct span messages)
{
    struct span message;
    size_t cursor = 0;
    for (unsigned i = 0; json_each(messages, &cursor, &message); i++) {
        if (!read_message(g, message, turn_path(g->a, SPAN_NONE, "messages[%u]", i)))
            return false;
    }
    return g->r->messages != NULL ||
           reading_refuse(g, SPAN_LIT("messages"), "it holds nothing to answer");
}

/* Claude Code's first line of the system prompt is another one each time, which no cache of a prefix
 * survives (protocols.md §6.7). */
void messages_turn_forget_billing(struct turn_request *r)
{
    struct turn_message *m = r->messages;
    struct turn_part *p = m != NULL && m->role == ROLE_SYSTEM ? m->parts : NULL;
    if (p == NULL || p->kind != PART_TEXT ||
        !span_starts(p->text, SPAN_LIT("x-anthropic-billing-header:")))
        return;
    size_t line = span_find(p->text, SPAN_LIT("\\n"));
    p->text = line == SIZE_MAX ? SPAN_NONE : span_skip(p->text, line + 2);
    if (p->text.len == 0)
        m->parts = p->next;
    if (m->parts == NULL && m->next != NULL)
        r->messages = m->next;
}

static bool read_system(struct reading *g, const struct json_walk *w)
{
    if (w->kind == JSON_NULL)
        return true;
    struct turn_message *m = reading_add_message(g, ROLE_SYSTEM, SPAN_LIT("system"));
    return m != NULL && read_content(g, w, &m->parts, SPAN_LIT("system"));
}

/* --- thinking and output -------------------------------------------------------------------------- */

static bool read_thinking_options(struct reading *g, struct span thinking)
{
    struct json_member m;
    struct span type = reading_text_of(thinking, "type");
    struct turn_request *r = g->r;
    r->thinking_is_hidden = span_eq(reading_text_of(thinking, "display"), SPAN_LIT("omitted"));
    if (span_eq(type, SPAN_LIT("disabled"))) {
        r->effort = EFFORT_NONE;
    } else if (span_eq(type, SPAN_LIT("adaptive"))) {
        r->thinking_is_adaptive = true;
    } else if (span_eq(type, SPAN_LIT("enabled"))) {
        if (!json_get(thinking, "budget_tokens", &m) || m.kind != JSON_NUMBER)
            return reading_refuse(g, SPAN_LIT("thinking.budget_tokens"), "it must be a number");
        r->thinking_budget = json_value(thinking, &m);
    } else {
        return reading_refuse(g, SPAN_LIT("thinking.type"),
                              "it must be enabled, adaptive or disabled");
    }
    return true;
}

static bool read_format(struct reading *g, struct span format, struct span path)
{
    struct json_member m;
    if (!span_eq(reading_text_of(format, "type"), SPAN_LIT("json_schema")))
        return reading_refuse(g, path, "its type must be json_schema");
    if (!json_get(format, "schema", &m) || m.kind != JSON_OBJECT)
        return reading_refuse(g, path, "it needs a schema");
    g->r->format = FORMAT_SCHEMA;
    g->r->format_schema = json_value(format, &m);
    g->r->format_strict = true;
    return true;
}

static bool read_output_config(struct reading *g, struct span config)
{
    struct json_member m;
    struct span word = reading_text_of(config, "effort");
    if (word.len > 0) {
        enum turn_effort effort = turn_effort_of(word);
        if (effort == EFFORT_UNSAID)
            return reading_refuse(g, SPAN_LIT("output_config.effort"),
                                  "it must be low, medium, high, xhigh or max");
        if (g->r->effort != EFFORT_NONE)
            g->r->effort = effort;
    }
    if (json_get(config, "format", &m) && m.kind != JSON_NULL)
        return read_format(g, json_value(config, &m), SPAN_LIT("output_config.format"));
    return true;
}

/* --- the request ---------------------------------------------------------------------------------- */

/* Members whose order in the body must not matter. */
struct parts {
    struct json_walk system;
    struct span messages, tools, choice, thinking, output_config, output_format, metadata;
};

/* Members of which only "none" can be meant elsewhere. */
static bool is_anthropics_own(const struct json_walk *w)
{
    static const char *const names[] = {"mcp_servers", "container", "fallbacks", "thread"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (json_walk_is(w, names[i]))
            return w->kind != JSON_NULL && !span_eq(w->value, SPAN_LIT("[]"));
    }
    return false;
}

static bool read_plain(struct reading *g, const struct json_walk *w)
{
    struct turn_request *r = g->r;
    if (json_walk_is(w, "max_tokens"))
        return reading_number(g, w, SPAN_LIT("max_tokens"), &r->max_tokens);
    if (json_walk_is(w, "temperature"))
        return reading_number(g, w, SPAN_LIT("temperature"), &r->temperature);
    if (json_walk_is(w, "top_p"))
        return reading_number(g, w, SPAN_LIT("top_p"), &r->top_p);
    if (json_walk_is(w, "top_k"))
        return reading_number(g, w, SPAN_LIT("top_k"), &r->top_k);
    if (json_walk_is(w, "stop_sequences")) {
        if (!reading_array(g, w, SPAN_LIT("stop_sequences"), &r->stop))
            return false;
        if (!json_array_is_filled(r->stop))
            r->stop = SPAN_NONE;
    } else if (json_walk_is(w, "stream")) {
        return reading_bool(g, w, SPAN_LIT("stream"), &r->stream);
    } else if (json_walk_is(w, "service_tier") && w->kind == JSON_STRING) {
        r->service_tier = w->value;
    } else if (json_walk_is(w, "context_management") && w->kind == JSON_OBJECT) {
        r->context_management = w->value;
    } else if (is_anthropics_own(w)) {
        return turn_refuse(g->why, FAULT_UNSUPPORTED_PARAMETER, arena_keep(g->a, w->key),
                           "only Anthropic has this, and the model is elsewhere");
    } else if (!reading_is_gateways(w)) {
        reading_unread(g, "", w);
    }
    return true;
}

static bool read_member(struct reading *g, const struct json_walk *w, struct parts *p)
{
    if (json_walk_is(w, "system")) {
        p->system = *w;
        return true;
    }
    if (json_walk_is(w, "messages"))
        return reading_array(g, w, SPAN_LIT("messages"), &p->messages);
    if (json_walk_is(w, "tools"))
        return reading_array(g, w, SPAN_LIT("tools"), &p->tools);
    if (json_walk_is(w, "tool_choice"))
        return reading_object(g, w, SPAN_LIT("tool_choice"), &p->choice);
    if (json_walk_is(w, "thinking"))
        return reading_object(g, w, SPAN_LIT("thinking"), &p->thinking);
    if (json_walk_is(w, "output_config"))
        return reading_object(g, w, SPAN_LIT("output_config"), &p->output_config);
    if (json_walk_is(w, "output_format"))
        return reading_object(g, w, SPAN_LIT("output_format"), &p->output_format);
    if (json_walk_is(w, "metadata"))
        return reading_object(g, w, SPAN_LIT("metadata"), &p->metadata);
    return read_plain(g, w);
}

static bool read_parts(struct reading *g, const struct parts *p)
{
    if (p->metadata.len > 0)
        g->r->user = reading_text_of(p->metadata, "user_id");
    g->r->caches_by_user = true; /* it stays the same all through a conversation */
    return read_system(g, &p->system) && read_messages(g, p->messages) &&
           messages_turn_read_tools(g, p->tools, p->choice) &&
           (p->thinking.len == 0 || read_thinking_options(g, p->thinking)) &&
           (p->output_config.len == 0 || read_output_config(g, p->output_config)) &&
           (p->output_format.len == 0 ||
            read_format(g, p->output_format, SPAN_LIT("output_format")));
}

static const struct turn_names names = {"messages", "stop_sequences", "output_config.format",
                                        ".input", "logprobs"};

bool messages_turn_read(struct span body, const struct translation_options *o, struct arena *a,
                        struct turn_request *out, struct fault *why)
{
    struct reading g = {.o = o, .a = a, .r = out, .why = why};
    struct parts p = {.system = {.kind = JSON_NULL}};
    struct json_walk w;
    *out = (struct turn_request){.names = &names, .parallel = PARALLEL_UNSAID};
    json_walk_init(&w, body);
    while (json_walk_next(&w)) {
        if (!read_member(&g, &w, &p))
            return false;
    }
    return read_parts(&g, &p) && turn_pair_calls(out, o, a, why);
}
