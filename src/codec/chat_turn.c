#include "sluice/codec/chat_turn.h"

#include "chat_turn_parts.h"
#include "turn_calls.h"

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

/* A type nobody knows means text (contract 2.10), and the client is told. */
static bool read_format(struct reading *g, struct span format)
{
    struct span type = reading_text_of(format, "type");
    if (span_eq(type, SPAN_LIT("json_schema")))
        return read_schema(g, format);
    g->r->format = span_eq(type, SPAN_LIT("json_object")) ? FORMAT_JSON : FORMAT_TEXT;
    if (g->r->format == FORMAT_TEXT && !span_eq(type, SPAN_LIT("text")))
        turn_note_dropped(&g->r->unread, "response_format.type");
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
        if (!json_walk_is(w, lexemes[i].key))
            continue;
        if (w->kind != JSON_NULL)
            *field(g->r, lexemes[i].offset) = w->value;
        return true;
    }
    if (!reading_is_gateways(w))
        reading_unread(g, "", w);
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
    struct span messages, max_tokens, reasoning, format;
    struct chat_tool_members tools;
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
    if (json_walk_is(w, "reasoning_effort") && w->kind != JSON_NULL)
        return read_effort(g, json_raw(w->value), SPAN_LIT("reasoning_effort"));
    if (json_walk_is(w, "parallel_tool_calls") && w->kind != JSON_NULL)
        r->parallel = w->kind == JSON_TRUE ? PARALLEL_YES : PARALLEL_NO;
    else if (json_walk_is(w, "user") || json_walk_is(w, "safety_identifier"))
        r->user = json_raw(w->value).len > 0 ? json_raw(w->value) : r->user;
    else if (json_walk_is(w, "prompt_cache_key"))
        r->cache_key = json_raw(w->value);
    else
        return read_kept(g, w);
    return true;
}

static bool read_member(struct reading *g, const struct json_walk *w, struct parts *p)
{
    if (json_walk_is(w, "messages"))
        return reading_array(g, w, SPAN_LIT("messages"), &p->messages);
    if (json_walk_is(w, "tools"))
        return reading_array(g, w, SPAN_LIT("tools"), &p->tools.tools);
    if (json_walk_is(w, "functions"))
        return reading_array(g, w, SPAN_LIT("functions"), &p->tools.functions);
    if (json_walk_is(w, "response_format"))
        return reading_object(g, w, SPAN_LIT("response_format"), &p->format);
    if (json_walk_is(w, "reasoning"))
        return reading_object(g, w, SPAN_LIT("reasoning"), &p->reasoning);
    if (json_walk_is(w, "web_search_options"))
        return reading_object(g, w, SPAN_LIT("web_search_options"), &p->tools.web_search_options);
    if (json_walk_is(w, "web_fetch_options"))
        return reading_object(g, w, SPAN_LIT("web_fetch_options"), &p->tools.web_fetch_options);
    if (json_walk_is(w, "tool_choice") || json_walk_is(w, "function_call")) {
        if (w->kind != JSON_NULL)
            p->choice = *w;
        return true;
    }
    return read_option(g, w, p);
}

static const struct turn_names names = {"messages", "stop", "response_format",
                                        ".function.arguments", "logprobs"};

static bool is_among(const struct json_walk *w, const char *const *words)
{
    while (*words != NULL && !json_walk_is(w, *words))
        words++;
    return *words != NULL;
}

bool chat_turn_read(struct span body, const struct translation_options *o, struct arena *a,
                    struct turn_request *out, struct fault *why)
{
    static const char *const none[] = {NULL};
    return chat_turn_read_but(body, none, o, a, out, why);
}

bool chat_turn_read_but(struct span body, const char *const *others,
                        const struct translation_options *o, struct arena *a,
                        struct turn_request *out, struct fault *why)
{
    struct reading g = {.o = o, .a = a, .r = out, .why = why};
    struct parts p = {.choice = {.kind = JSON_NULL}};
    struct json_walk w;
    *out = (struct turn_request){.names = &names, .parallel = PARALLEL_UNSAID};
    json_walk_init(&w, body);
    while (json_walk_next(&w)) {
        if (!is_among(&w, others) && !read_member(&g, &w, &p))
            return false;
    }
    if (!p.has_newer_max)
        out->max_tokens = p.max_tokens;
    return chat_turn_read_messages(&g, p.messages) && chat_turn_read_tools(&g, &p.tools) &&
           chat_turn_read_choice(&g, &p.choice) && reading_check_choice(&g) &&
           (p.format.len == 0 || read_format(&g, p.format)) &&
           (p.reasoning.len == 0 || read_reasoning_options(&g, p.reasoning)) &&
           turn_pair_calls(out, o, a, why);
}
