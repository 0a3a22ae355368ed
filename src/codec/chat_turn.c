#include "sluice/codec/chat_turn.h"

#include "turn_reading.h"

/* --- content parts -------------------------------------------------------------------------------- */

static bool read_image(struct reading *g, struct span image, struct turn_part *p)
{
    struct span url = reading_text_of(image, "url");
    p->detail = reading_text_of(image, "detail");
    if (url.len == 0)
        return reading_refuse(g, p->path, "it needs image_url.url");
    if (reading_data_url(url, &p->media_type, &p->data))
        return true;
    if (span_ieq(span_sub(url, 0, 5), SPAN_LIT("data:")))
        return reading_refuse(g, p->path, "its data URL must be data:<media type>;base64,<data>");
    p->url = url;
    return true;
}

static bool read_file(struct reading *g, struct span file, struct turn_part *p)
{
    struct span data = reading_text_of(file, "file_data");
    p->name = reading_text_of(file, "filename");
    if (data.len == 0)
        return reading_refuse(
            g, p->path, "a file is sent as file_data; an id is known where it was stored only");
    if (reading_data_url(data, &p->media_type, &p->data))
        return true;
    if (span_starts(data, SPAN_LIT("http"))) {
        p->url = data;
        return true;
    }
    return reading_refuse(g, p->path, "its file_data must be data:<media type>;base64,<data>");
}

static bool read_audio(struct reading *g, struct span audio, struct turn_part *p)
{
    struct span format = reading_text_of(audio, "format");
    p->data = reading_text_of(audio, "data");
    if (p->data.len == 0)
        return reading_refuse(g, p->path, "it needs input_audio.data in base64");
    if (span_eq(format, SPAN_LIT("mp3")))
        p->media_type = SPAN_LIT("audio/mpeg");
    else if (span_eq(format, SPAN_LIT("wav")))
        p->media_type = SPAN_LIT("audio/wav");
    else
        return reading_refuse(g, p->path, "its format must be wav or mp3");
    return true;
}

static const struct {
    const char *type, *member;
    enum turn_part_kind kind;
    bool (*read)(struct reading *g, struct span value, struct turn_part *p);
} media[] = {
    {"image_url", "image_url", PART_IMAGE, read_image},
    {"file", "file", PART_DOCUMENT, read_file},
    {"input_audio", "input_audio", PART_AUDIO, read_audio},
};

static bool read_media(struct reading *g, struct span part, struct span type,
                       struct turn_part ***end, struct span path)
{
    struct json_member m;
    for (unsigned i = 0; i < sizeof media / sizeof media[0]; i++) {
        if (!span_eq(type, span_text(media[i].type)))
            continue;
        struct turn_part *p = reading_add_part(g, end, media[i].kind, path);
        if (p == NULL)
            return false;
        if (!json_get(part, media[i].member, &m) || m.kind != JSON_OBJECT)
            return reading_refuse(g, reading_path(g, path, media[i].member),
                                  "it must be an object");
        return media[i].read(g, json_value(part, &m), p);
    }
    return reading_refuse(g, reading_path(g, path, "type"),
                          "parts of this type are not known here");
}

static bool read_part(struct reading *g, struct span part, struct turn_part ***end,
                      struct span path)
{
    struct json_member m;
    struct span type = reading_text_of(part, "type");
    bool is_refusal = span_eq(type, SPAN_LIT("refusal"));
    if (!is_refusal && !span_eq(type, SPAN_LIT("text")))
        return read_media(g, part, type, end, path);
    if (!json_get(part, is_refusal ? "refusal" : "text", &m) || m.kind != JSON_STRING)
        return reading_refuse(g, path, "it needs a text");
    struct turn_part *p = reading_add_part(g, end, is_refusal ? PART_REFUSAL : PART_TEXT, path);
    if (p == NULL)
        return false;
    p->text = json_raw(json_value(part, &m));
    if (json_get(part, "cache_control", &m) && m.kind == JSON_OBJECT)
        p->cache_control = json_value(part, &m);
    return true;
}

/* A string or an array of parts; null where there may be nothing. */
static bool read_content(struct reading *g, const struct json_walk *w, struct turn_part ***end,
                         struct span path)
{
    struct span part;
    size_t cursor = 0;
    if (w->kind == JSON_NULL)
        return true;
    if (w->kind == JSON_STRING) {
        struct turn_part *p = reading_add_part(g, end, PART_TEXT, path);
        if (p != NULL)
            p->text = json_raw(w->value);
        return p != NULL;
    }
    if (w->kind != JSON_ARRAY)
        return reading_refuse(g, path, "it must be a string or an array of parts");
    for (unsigned i = 0; json_each(w->value, &cursor, &part); i++) {
        if (!read_part(g, part, end, turn_path(g->a, path, "[%u]", i)))
            return false;
    }
    return true;
}

/* --- what the assistant did ------------------------------------------------------------------------ */

static bool read_call(struct reading *g, struct span call, struct turn_part ***end,
                      struct span path)
{
    struct json_member m;
    bool is_custom = span_eq(reading_text_of(call, "type"), SPAN_LIT("custom"));
    struct turn_part *p = reading_add_part(g, end, PART_CALL, path);
    if (p == NULL)
        return false;
    p->id = reading_text_of(call, "id");
    p->is_custom = is_custom;
    if (!json_get(call, is_custom ? "custom" : "function", &m) || m.kind != JSON_OBJECT)
        return reading_refuse(g, reading_path(g, path, "function"), "it must be an object");
    struct span function = json_value(call, &m);
    p->name = reading_text_of(function, "name");
    p->arguments_text = reading_text_of(function, is_custom ? "input" : "arguments");
    if (json_get(function, "arguments", &m) && m.kind == JSON_OBJECT)
        p->arguments_object = json_value(function,
                                         &m); /* some clients forget that it is a string */
    if (p->id.len == 0 || p->name.len == 0)
        return reading_refuse(g, path, "it needs an id and the name of a function");
    return true;
}

static bool read_calls(struct reading *g, struct span calls, struct turn_part ***end,
                       struct span path)
{
    struct span call;
    size_t cursor = 0;
    for (unsigned i = 0; json_each(calls, &cursor, &call); i++) {
        if (!read_call(g, call, end, turn_path(g->a, path, ".tool_calls[%u]", i)))
            return false;
    }
    return true;
}

/* The one call of before there were several; its result names the function instead of an id. */
static bool read_function_call(struct reading *g, struct span call, struct turn_part ***end,
                               struct span path)
{
    struct turn_part *p = reading_add_part(g, end, PART_CALL, path);
    if (p == NULL)
        return false;
    p->name = p->id = reading_text_of(call, "name");
    p->arguments_text = reading_text_of(call, "arguments");
    return p->name.len > 0 || reading_refuse(g, path, "its function_call needs a name");
}

static struct turn_part *add_reasoning(struct reading *g, struct turn_part ***end,
                                       enum turn_part_kind kind, struct span text, struct span path)
{
    struct turn_part *p = reading_add_part(g, end, kind, path);
    if (p != NULL)
        p->text = text;
    return p;
}

/* Text and signature of one block come as elements of their own, in order. */
static bool read_detail(struct reading *g, struct span detail, struct turn_part **last,
                        struct turn_part ***end, struct span path)
{
    struct span type = reading_text_of(detail, "type");
    struct span text = reading_text_of(detail, "text"),
                proof = reading_text_of(detail, "signature");
    if (span_eq(type, SPAN_LIT("reasoning.encrypted"))) {
        struct turn_part *p = add_reasoning(g, end, PART_REASONING, SPAN_NONE, path);
        if (p == NULL)
            return false;
        p->proof = reading_text_of(detail, "data");
        p->id = reading_text_of(detail, "id");
        *last = NULL;
        return true;
    }
    if (span_eq(type, SPAN_LIT("reasoning.summary")))
        text = reading_text_of(detail, "summary");
    if (*last == NULL || text.len > 0) {
        *last = add_reasoning(g, end, PART_REASONING, text, path);
        if (*last == NULL)
            return false;
    }
    if (proof.len > 0) {
        (*last)->proof = proof;
        *last = NULL;
    }
    return true;
}

static bool read_details(struct reading *g, struct span details, struct turn_part ***end,
                         struct span path)
{
    struct span detail;
    struct turn_part *last = NULL;
    size_t cursor = 0;
    while (json_each(details, &cursor, &detail)) {
        if (!read_detail(g, detail, &last, end, path))
            return false;
    }
    return true;
}

/* LiteLLM's spelling: Anthropic's blocks as they are. */
static bool read_thinking_blocks(struct reading *g, struct span blocks, struct turn_part ***end,
                                 struct span path)
{
    struct span block;
    size_t cursor = 0;
    while (json_each(blocks, &cursor, &block)) {
        bool is_hidden = span_eq(reading_text_of(block, "type"), SPAN_LIT("redacted_thinking"));
        struct turn_part *p = add_reasoning(g, end, is_hidden ? PART_REDACTED : PART_REASONING,
                                            reading_text_of(block, is_hidden ? "data" : "thinking"),
                                            path);
        if (p == NULL)
            return false;
        p->proof = reading_text_of(block, "signature");
    }
    return true;
}

/* --- messages ------------------------------------------------------------------------------------- */

struct message {
    struct span role, name, call_id, reasoning, details, blocks, refusal, calls, function;
    struct json_walk content;
};

static bool read_members(struct reading *g, struct span value, struct span path, struct message *m)
{
    struct json_walk w;
    *m = (struct message){.content = {.kind = JSON_NULL}};
    json_walk_init(&w, value);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "role"))
            m->role = json_raw(w.value);
        else if (json_walk_is(&w, "content"))
            m->content = w;
        else if (json_walk_is(&w, "name"))
            m->name = json_raw(w.value);
        else if (json_walk_is(&w, "tool_call_id"))
            m->call_id = json_raw(w.value);
        else if (json_walk_is(&w, "reasoning_content") || json_walk_is(&w, "reasoning"))
            m->reasoning = json_raw(w.value).len > 0 ? json_raw(w.value) : m->reasoning;
        else if (json_walk_is(&w, "reasoning_details") && json_array_is_filled(w.value))
            m->details = w.value;
        else if (json_walk_is(&w, "thinking_blocks") && json_array_is_filled(w.value))
            m->blocks = w.value;
        else if (json_walk_is(&w, "refusal"))
            m->refusal = json_raw(w.value);
        else if (json_walk_is(&w, "tool_calls") &&
                 !reading_array(g, &w, reading_path(g, path, "tool_calls"), &m->calls))
            return false;
        else if (json_walk_is(&w, "function_call") && w.kind == JSON_OBJECT)
            m->function = w.value;
    }
    return json_walk_is_complete(&w) || reading_refuse(g, path, "it must be an object");
}

/* Reasoning comes before what it led to; of several spellings of it the richest counts. */
static bool read_reasoning(struct reading *g, const struct message *m, struct turn_part ***end,
                           struct span path)
{
    if (m->details.len > 0)
        return read_details(g, m->details, end, path);
    if (m->blocks.len > 0)
        return read_thinking_blocks(g, m->blocks, end, path);
    return m->reasoning.len == 0 ||
           add_reasoning(g, end, PART_REASONING, m->reasoning, path) != NULL;
}

static bool read_assistant(struct reading *g, const struct message *m, struct span path)
{
    struct turn_message *t = reading_add_message(g, ROLE_ASSISTANT, path);
    if (t == NULL)
        return false;
    struct turn_part **end = &t->parts;
    if (!read_reasoning(g, m, &end, path) ||
        !read_content(g, &m->content, &end, reading_path(g, path, "content")))
        return false;
    if (m->refusal.len > 0) {
        struct turn_part *p = reading_add_part(g, &end, PART_REFUSAL, path);
        if (p == NULL)
            return false;
        p->text = m->refusal;
    }
    return read_calls(g, m->calls, &end, path) &&
           (m->function.len == 0 || read_function_call(g, m->function, &end, path));
}

static bool read_result(struct reading *g, const struct message *m, struct span id,
                        struct span path)
{
    struct turn_message *t = reading_add_message(g, ROLE_TOOL, path);
    if (t == NULL)
        return false;
    struct turn_part **end = &t->parts;
    struct turn_part *p = reading_add_part(g, &end, PART_RESULT, path);
    if (p == NULL)
        return false;
    p->id = id;
    if (id.len == 0)
        return reading_refuse(g, path, "it needs the tool_call_id it answers");
    struct turn_part **inside = &p->inside;
    return read_content(g, &m->content, &inside, reading_path(g, path, "content"));
}

static bool read_plain(struct reading *g, enum turn_role role, const struct message *m,
                       struct span path)
{
    struct turn_message *t = reading_add_message(g, role, path);
    if (t == NULL)
        return false;
    t->name = m->name;
    struct turn_part **end = &t->parts;
    struct span at = reading_path(g, path, "content");
    if (m->content.kind == JSON_NULL)
        return reading_refuse(g, at, "it must be a string or an array of parts");
    return read_content(g, &m->content, &end, at);
}

static bool read_message(struct reading *g, struct span value, struct span path)
{
    struct message m;
    if (!read_members(g, value, path, &m))
        return false;
    if (span_eq(m.role, SPAN_LIT("user")))
        return read_plain(g, ROLE_USER, &m, path);
    if (span_eq(m.role, SPAN_LIT("assistant")))
        return read_assistant(g, &m, path);
    if (span_eq(m.role, SPAN_LIT("tool")))
        return read_result(g, &m, m.call_id, path);
    if (span_eq(m.role, SPAN_LIT("system")))
        return read_plain(g, ROLE_SYSTEM, &m, path);
    if (span_eq(m.role, SPAN_LIT("developer")))
        return read_plain(g, ROLE_DEVELOPER, &m, path);
    if (span_eq(m.role, SPAN_LIT("function")))
        return read_result(g, &m, m.name, path);
    return reading_refuse(g, reading_path(g, path, "role"),
                          "it must be system, developer, user, assistant or tool");
}

static bool read_messages(struct reading *g, struct span messages)
{
    struct span message;
    size_t cursor = 0;
    for (unsigned i = 0; json_each(messages, &cursor, &message); i++) {
        if (!read_message(g, message, turn_path(g->a, SPAN_NONE, "messages[%u]", i)))
            return false;
    }
    return true;
}

/* --- tools ---------------------------------------------------------------------------------------- */

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
            t->format = w.value;
        else if (json_walk_is(&w, "parameters") &&
                 !reading_object(g, &w, reading_path(g, t->path, "parameters"), &t->schema))
            return false;
    }
    return t->name.len > 0 || reading_refuse(g, reading_path(g, t->path, "name"), "it is missing");
}

static bool read_tool(struct reading *g, struct span tool, struct turn_tool ***end,
                      struct span path)
{
    struct json_member m;
    struct span type = reading_text_of(tool, "type");
    struct turn_tool *t = turn_add_tool(g->r, end, g->a);
    if (t == NULL)
        return reading_refuse(g, path, "there are more tools than can be read");
    t->path = path;
    t->options = tool;
    t->is_custom = span_eq(type, SPAN_LIT("custom"));
    if (!t->is_custom && !span_eq(type, SPAN_LIT("function")))
        return turn_refuse(g->why, FAULT_UNSUPPORTED_PARAMETER, reading_path(g, path, "type"),
                           "this model knows function and custom tools only");
    if (json_get(tool, "cache_control", &m) && m.kind == JSON_OBJECT)
        t->cache_control = json_value(tool, &m);
    const char *member = t->is_custom ? "custom" : "function";
    t->path = reading_path(g, path, member);
    if (!json_get(tool, member, &m) || m.kind != JSON_OBJECT)
        return reading_refuse(g, t->path, "it must be an object");
    return read_function(g, json_value(tool, &m), t);
}

static bool read_tools(struct reading *g, struct span tools, struct span functions)
{
    struct turn_tool **end = &g->r->tools;
    struct span tool;
    size_t cursor = 0;
    for (unsigned i = 0; json_each(tools, &cursor, &tool); i++) {
        if (!read_tool(g, tool, &end, turn_path(g->a, SPAN_NONE, "tools[%u]", i)))
            return false;
    }
    cursor = 0;
    for (unsigned i = 0; json_each(functions, &cursor, &tool); i++) {
        struct span path = turn_path(g->a, SPAN_NONE, "functions[%u]", i);
        struct turn_tool *t = turn_add_tool(g->r, &end, g->a);
        if (t == NULL)
            return reading_refuse(g, path, "there are more functions than can be read");
        t->path = path;
        if (!read_function(g, tool, t))
            return false;
    }
    return true;
}

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

static bool read_choice(struct reading *g, const struct json_walk *w)
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

/* --- output --------------------------------------------------------------------------------------- */

static bool read_schema(struct reading *g, struct span format)
{
    struct json_member m;
    struct turn_request *r = g->r;
    if (!json_get(format, "json_schema", &m) || m.kind != JSON_OBJECT)
        return reading_refuse(g, SPAN_LIT("response_format.json_schema"), "it must be an object");
    struct span schema = json_value(format, &m);
    r->format = FORMAT_SCHEMA;
    r->format_name = reading_text_of(schema, "name");
    r->format_description = reading_text_of(schema, "description");
    r->format_strict = json_get(schema, "strict", &m) && m.kind == JSON_TRUE;
    if (!json_get(schema, "schema", &m) || m.kind != JSON_OBJECT)
        return reading_refuse(g, SPAN_LIT("response_format.json_schema.schema"),
                              "it must be an object");
    r->format_schema = json_value(schema, &m);
    return r->format_name.len > 0 ||
           reading_refuse(g, SPAN_LIT("response_format.json_schema.name"), "it is missing");
}

/* A type nobody knows means text (contract 2.10). */
static bool read_format(struct reading *g, struct span format)
{
    struct span type = reading_text_of(format, "type");
    if (span_eq(type, SPAN_LIT("json_schema")))
        return read_schema(g, format);
    g->r->format = span_eq(type, SPAN_LIT("json_object")) ? FORMAT_JSON : FORMAT_TEXT;
    return true;
}

static bool read_effort(struct reading *g, struct span word, struct span path)
{
    g->r->effort = turn_effort_of(word);
    return g->r->effort != EFFORT_UNSAID ||
           reading_refuse(g, path, "it must be none, minimal, low, medium, high, xhigh or max");
}

static bool read_reasoning_options(struct reading *g, struct span reasoning)
{
    struct json_member m;
    struct span word = reading_text_of(reasoning, "effort");
    if (word.len > 0 && !read_effort(g, word, SPAN_LIT("reasoning.effort")))
        return false;
    if (json_get(reasoning, "max_tokens", &m) && m.kind == JSON_NUMBER)
        g->r->thinking_budget = json_value(reasoning, &m);
    bool is_open = g->r->effort == EFFORT_UNSAID && g->r->thinking_budget.len == 0;
    if (is_open && json_get(reasoning, "enabled", &m) && m.kind != JSON_NULL)
        g->r->effort = m.kind == JSON_TRUE ? EFFORT_MEDIUM : EFFORT_NONE;
    g->r->thinking_is_hidden = json_get(reasoning, "exclude", &m) && m.kind == JSON_TRUE;
    return true;
}

/* --- the request ---------------------------------------------------------------------------------- */

static const struct {
    const char *key;
    size_t offset;
} numbers[] = {
#define NUMBER(name) {#name, offsetof(struct turn_request, name)}
    NUMBER(temperature),
    NUMBER(top_p),
    NUMBER(top_k),
    NUMBER(seed),
    NUMBER(n),
    NUMBER(presence_penalty),
    NUMBER(top_logprobs),
    NUMBER(frequency_penalty),
};

static const struct {
    const char *key;
    size_t offset;
} lexemes[] = {
    {"logprobs", offsetof(struct turn_request, logprobs)},
    {"logit_bias", offsetof(struct turn_request, logit_bias)},
    {"metadata", offsetof(struct turn_request, metadata)},
    {"service_tier", offsetof(struct turn_request, service_tier)},
    {"store", offsetof(struct turn_request, store)},
    {"prediction", offsetof(struct turn_request, prediction)},
    {"verbosity", offsetof(struct turn_request, verbosity)},
    {"modalities", offsetof(struct turn_request, modalities)},
    {"audio", offsetof(struct turn_request, audio)},
};

static struct span *field(struct turn_request *r, size_t offset)
{
    return (struct span *)(void *)((char *)r + offset);
}

/* Members that are kept as they are. */
static bool read_kept(struct reading *g, const struct json_walk *w)
{
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (json_walk_is(w, numbers[i].key))
            return reading_number(g, w, span_text(numbers[i].key), field(g->r, numbers[i].offset));
    }
    for (unsigned i = 0; i < sizeof lexemes / sizeof lexemes[0]; i++) {
        if (json_walk_is(w, lexemes[i].key) && w->kind != JSON_NULL)
            *field(g->r, lexemes[i].offset) = w->value;
    }
    return true;
}

static bool read_stop(struct reading *g, const struct json_walk *w)
{
    if (w->kind == JSON_STRING || (w->kind == JSON_ARRAY && json_array_is_filled(w->value)))
        g->r->stop = w->value;
    else if (w->kind != JSON_NULL && w->kind != JSON_ARRAY)
        return reading_refuse(g, SPAN_LIT("stop"), "it must be a string or an array of strings");
    return true;
}

struct parts {
    struct span messages, tools, functions, max_tokens, reasoning, format;
    struct json_walk choice;
    bool has_newer_max;
};

static bool read_option(struct reading *g, const struct json_walk *w, struct parts *p)
{
    struct turn_request *r = g->r;
    if (json_walk_is(w, "max_completion_tokens")) {
        p->has_newer_max = w->kind != JSON_NULL;
        return reading_number(g, w, SPAN_LIT("max_completion_tokens"), &r->max_tokens);
    }
    if (json_walk_is(w, "max_tokens"))
        return reading_number(g, w, SPAN_LIT("max_tokens"), &p->max_tokens);
    if (json_walk_is(w, "stop"))
        return read_stop(g, w);
    if (json_walk_is(w, "stream"))
        return reading_bool(g, w, SPAN_LIT("stream"), &r->stream);
    if (json_walk_is(w, "parallel_tool_calls") && w->kind != JSON_NULL)
        r->parallel = w->kind == JSON_TRUE ? PARALLEL_YES : PARALLEL_NO;
    else if (json_walk_is(w, "reasoning_effort") && w->kind != JSON_NULL)
        return read_effort(g, json_raw(w->value), SPAN_LIT("reasoning_effort"));
    else if (json_walk_is(w, "user") || json_walk_is(w, "safety_identifier"))
        r->user = json_raw(w->value).len > 0 ? json_raw(w->value) : r->user;
    else if (json_walk_is(w, "prompt_cache_key"))
        r->cache_key = json_raw(w->value);
    return read_kept(g, w);
}

static bool read_member(struct reading *g, const struct json_walk *w, struct parts *p)
{
    if (json_walk_is(w, "messages"))
        return reading_array(g, w, SPAN_LIT("messages"), &p->messages);
    if (json_walk_is(w, "tools"))
        return reading_array(g, w, SPAN_LIT("tools"), &p->tools);
    if (json_walk_is(w, "functions"))
        return reading_array(g, w, SPAN_LIT("functions"), &p->functions);
    if (json_walk_is(w, "response_format"))
        return reading_object(g, w, SPAN_LIT("response_format"), &p->format);
    if (json_walk_is(w, "reasoning"))
        return reading_object(g, w, SPAN_LIT("reasoning"), &p->reasoning);
    if (json_walk_is(w, "tool_choice") || json_walk_is(w, "function_call")) {
        if (w->kind != JSON_NULL)
            p->choice = *w;
        return true;
    }
    return read_option(g, w, p);
}

bool chat_turn_read(struct span body, struct arena *a, struct turn_request *out, struct fault *why)
{
    struct reading g = {.a = a, .r = out, .why = why};
    struct parts p = {.choice = {.kind = JSON_NULL}};
    struct json_walk w;
    *out = (struct turn_request){.parallel = PARALLEL_UNSAID};
    json_walk_init(&w, body);
    while (json_walk_next(&w)) {
        if (!read_member(&g, &w, &p))
            return false;
    }
    if (!p.has_newer_max)
        out->max_tokens = p.max_tokens;
    return read_messages(&g, p.messages) && read_tools(&g, p.tools, p.functions) &&
           read_choice(&g, &p.choice) && (p.format.len == 0 || read_format(&g, p.format)) &&
           (p.reasoning.len == 0 || read_reasoning_options(&g, p.reasoning));
}
