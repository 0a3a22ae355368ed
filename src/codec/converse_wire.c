#include "sluice/codec/converse_wire.h"

#include "sluice/codec/call_id.h"
#include "sluice/codec/raw_text.h"
#include "sluice/format/json_out.h"
#include "sluice/format/json_walk.h"

#include "turn_writing.h"
#include "web_tool.h"
#include "wire_effort.h"
#include "wire_history.h"
#include "wire_tools.h"

#define ANY_SCHEMA "{\"type\":\"object\",\"properties\":{}}"
#define CACHE_POINT "{\"cachePoint\":{\"type\":\"default\"}}"

enum { BUDGET_MIN = 1024 };
static void put_raw(struct writing *w, const char *key, struct span raw)
{
    put_key(w, key);
    json_out_raw(&w->out, raw);
}

/* --- blocks --------------------------------------------------------------------------------------- */

static const char *format_of(struct span media_type)
{
    static const struct {
        const char *type, *format;
    } known[] = {
        {"image/png", "png"},          {"image/jpeg", "jpeg"},     {"image/gif", "gif"},
        {"image/webp", "webp"},        {"application/pdf", "pdf"}, {"text/plain", "txt"},
        {"text/markdown", "md"},       {"text/html", "html"},      {"text/csv", "csv"},
        {"application/msword", "doc"},
    };
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (span_ieq(media_type, span_text(known[i].type)))
            return known[i].format;
    }
    return NULL;
}

/* Of all characters a document's name may have few, and spaces only one by one. */
static struct span document_name(struct arena *a, struct span name)
{
    char *plain = arena_alloc(a, name.len + 1);
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || memchr("-()[]", c, 5) != NULL ||
                        (c == ' ' && i > 0 && plain[i - 1] != ' ');
        plain[i] = is_plain ? (char)c : '-';
    }
    return name.len > 0 ? span_of(plain, name.len) : SPAN_LIT("document");
}

static bool put_image(struct writing *w, const struct turn_part *p)
{
    const char *format = format_of(p->media_type);
    if (p->data.len == 0)
        return refuse(w, p->path, "this model reads images that are in the request only");
    if (format == NULL || !span_starts(p->media_type, SPAN_LIT("image/")))
        return refuse(w, p->path, "this model reads images of type jpeg, png, gif and webp");
    if (p->detail.len > 0 && !span_eq(p->detail, SPAN_LIT("auto")))
        turn_note_dropped(w->notes, "image_url.detail");
    put_comma(w);
    put(w, "{\"image\":{");
    put_raw(w, "format", span_text(format));
    put(w, ",\"source\":{");
    put_raw(w, "bytes", p->data);
    put(w, "}}}");
    return true;
}

static bool put_document(struct writing *w, const struct turn_part *p)
{
    bool is_text = p->data.len == 0;
    const char *format = is_text ? "txt" : format_of(p->media_type);
    if (p->url.len > 0)
        return refuse(w, p->path, "this model reads documents that are in the request only");
    if (format == NULL || span_starts(p->media_type, SPAN_LIT("image/")))
        return refuse(w, p->path, "this model does not read documents of this type");
    put_comma(w);
    put(w, "{\"document\":{");
    put_raw(w, "name", document_name(w->a, p->name));
    put_raw(w, "format", span_text(format));
    put(w, ",\"source\":{");
    put_raw(w, is_text ? "text" : "bytes", is_text ? p->text : p->data);
    put(w, "}}}");
    return true;
}

static void put_text(struct writing *w, struct span text)
{
    if (raw_text_is_blank(text))
        return; /* Bedrock refuses it */
    put_comma(w);
    put(w, "{");
    put_raw(w, "text", text);
    put(w, "}");
}

static void put_reasoning(struct writing *w, const struct turn_part *p)
{
    if (p->proof.len == 0) {
        turn_note_dropped(w->notes, "reasoning");
        return;
    }
    put_comma(w);
    put(w, "{\"reasoningContent\":{\"reasoningText\":{");
    put_raw(w, "text", p->text);
    put_raw(w, "signature", p->proof);
    put(w, "}}}");
}

static void put_redacted(struct writing *w, const struct turn_part *p)
{
    put_comma(w);
    put(w, "{\"reasoningContent\":{");
    put_raw(w, "redactedContent", p->text);
    put(w, "}}");
}

static bool put_call(struct writing *w, const struct turn_part *p)
{
    w->has_calls = true;
    put_comma(w);
    put(w, "{\"toolUse\":{");
    put_raw(w, "toolUseId", call_id_for_messages(w->a, p->id));
    put_raw(w, "name", p->name);
    put_key(w, "input");
    if (!wire_put_arguments(w, p))
        return false;
    put(w, "}}");
    return true;
}

static bool put_block(struct writing *w, const struct turn_part *p)
{
    switch (p->kind) {
    case PART_TEXT:
    case PART_REFUSAL:
        put_text(w, p->text);
        return true;
    case PART_REASONING:
        put_reasoning(w, p);
        return true;
    case PART_REDACTED:
        put_redacted(w, p);
        return true;
    case PART_IMAGE:
        return put_image(w, p);
    case PART_DOCUMENT:
        return put_document(w, p);
    case PART_CALL:
        return put_call(w, p);
    case PART_AUDIO:
        return refuse(w, p->path, "this model does not hear");
    case PART_VIDEO:
        return refuse(w, p->path, "this model sees no videos");
    case PART_RESULT:
        return refuse(w, p->path, "the result of a tool stands in a message of its own");
    }
    return true;
}

static void put_cache_point(struct writing *w, struct span cache_control)
{
    if (cache_control.len == 0)
        return;
    put_comma(w);
    put(w, CACHE_POINT);
}

static bool put_parts(struct writing *w, const struct turn_part *p)
{
    for (; p != NULL; p = p->next) {
        size_t before = w->out.buf->tail;
        if (!put_block(w, p))
            return false;
        if (w->out.buf->tail != before) /* there is something to be cached */
            put_cache_point(w, p->cache_control);
    }
    return true;
}

/* --- messages ------------------------------------------------------------------------------------- */

static bool put_result(struct writing *w, const struct turn_part *p)
{
    put_comma(w);
    put(w, "{\"toolResult\":{");
    put_raw(w, "toolUseId", call_id_for_messages(w->a, p->id));
    put(w, ",\"content\":[");
    for (const struct turn_part *i = p->inside; i != NULL; i = i->next) {
        if (i->cache_control.len > 0) /* cache points stand outside of results */
            turn_note_dropped(w->notes, "cache_control");
        if (!put_block(w, i))
            return false;
    }
    put(w, p->is_error ? "],\"status\":\"error\"}}" : "]}}");
    put_cache_point(w, p->cache_control);
    return true;
}

/* Of the calls from `calls` to `m`, in their order. */
static bool put_results(struct writing *w, const struct turn_message *calls,
                        const struct turn_message *m)
{
    for (; calls != m; calls = calls->next) {
        for (const struct turn_part *p = calls->parts; p != NULL; p = p->next) {
            if (p->kind == PART_CALL && !put_result(w, p->result))
                return false;
        }
    }
    return true;
}

static bool put_run(struct writing *w, const struct turn_message *calls,
                    const struct turn_message *m, const struct turn_message *end)
{
    bool is_assistant = m->role == ROLE_ASSISTANT;
    size_t before = w->out.buf->tail;
    put_comma(w);
    put(w, is_assistant ? "{\"role\":\"assistant\",\"content\":["
                        : "{\"role\":\"user\",\"content\":[");
    size_t empty = w->out.buf->tail;
    if (!is_assistant && !put_results(w, calls, m))
        return false;
    for (; m != end; m = m->next) {
        bool is_here = m->role == ROLE_USER || m->role == ROLE_ASSISTANT;
        if (is_here && !put_parts(w, m->parts))
            return false;
    }
    if (w->out.buf->tail == empty)
        w->out.buf->tail = before;
    else
        put(w, "]}");
    return true;
}

static bool put_messages(struct writing *w)
{
    put(w, "{\"messages\":[");
    if (!wire_put_runs(w, put_run))
        return false;
    put(w, "]");
    return true;
}

/* --- tools ---------------------------------------------------------------------------------------- */

static void put_schema(struct writing *w, struct span schema)
{
    put_key(w, "inputSchema");
    put(w, "{\"json\":");
    json_out_span(&w->out, schema);
    put(w, "}}}");
}

static bool put_tool(struct writing *w, const struct turn_tool *t)
{
    if (t->web != NULL) {
        web_tool_note(w, t);
        return true;
    }
    struct span grammar = t->grammar;
    if (!wire_may_wrap(w, t))
        return false;
    bool is_strict = t->strict == STRICT_YES && takes(w, FACT_JSON_SCHEMA);
    if (t->strict == STRICT_YES && !is_strict)
        turn_note_dropped(w->notes, "strict");
    put_comma(w);
    put(w, "{\"toolSpec\":{");
    put_raw(w, "name", t->name);
    if (grammar.len > 0) {
        turn_note_dropped(w->notes, "grammar of a custom tool");
        put_key(w, "description");
        wire_put_grammar(&w->out, t->description, grammar);
    } else if (t->description.len > 0) {
        put_raw(w, "description", t->description);
    }
    if (is_strict)
        put(w, ",\"strict\":true");
    if (t->is_custom)
        put_schema(w, SPAN_LIT("{\"type\":\"object\",\"properties\":{\"input\":{\"type\":"
                               "\"string\"}},\"required\":[\"input\"]}"));
    else
        put_schema(w, t->schema.len > 0 ? t->schema : SPAN_LIT(ANY_SCHEMA));
    put_cache_point(w, t->cache_control);
    return true;
}

static void put_history_tool(struct writing *w, struct span name)
{
    put_comma(w);
    put(w, "{\"toolSpec\":{");
    put_raw(w, "name", name);
    put_schema(w, SPAN_LIT(ANY_SCHEMA));
}

static void put_choice(struct writing *w)
{
    switch (w->r->choice) {
    case CHOICE_UNSAID:
        break;
    case CHOICE_NONE: /* only where the history needs the tools */
        turn_note_dropped(w->notes, "tool_choice");
        break;
    case CHOICE_AUTO:
        put(w, ",\"toolChoice\":{\"auto\":{}}");
        break;
    case CHOICE_REQUIRED:
        put(w, ",\"toolChoice\":{\"any\":{}}");
        break;
    case CHOICE_NAMED:
        if (wire_must_use_web(w->r) != NULL) {
            turn_note_dropped(w->notes, "tool_choice");
            break;
        }
        put(w, ",\"toolChoice\":{\"tool\":{");
        put_raw(w, "name", w->r->choice_name);
        put(w, "}}");
        break;
    }
    if (w->r->parallel == PARALLEL_NO)
        turn_note_dropped(w->notes, "parallel_tool_calls");
}

/* Converse cannot be told "none": tools that must not be called are left out. */
static bool put_tools(struct writing *w)
{
    bool is_none = w->r->choice == CHOICE_NONE;
    size_t before = w->out.buf->tail;
    put(w, ",\"toolConfig\":{\"tools\":[");
    size_t empty = w->out.buf->tail;
    for (const struct turn_tool *t = w->r->tools; t != NULL; t = t->next) {
        bool is_wanted = wire_is_allowed(w->r, t) && (!is_none || w->has_calls);
        if (is_wanted && !put_tool(w, t))
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
    put(w, "}");
    return true;
}

/* --- parameters ----------------------------------------------------------------------------------- */

static uint64_t budget_of(const struct writing *w, enum turn_effort effort)
{
    uint64_t budget = wire_budget(w->r, effort, w->max_tokens);
    return budget < w->max_tokens ? budget : w->max_tokens - 1;
}

static bool can_think(const struct writing *w, enum turn_effort effort)
{
    bool is_forced = w->r->choice == CHOICE_REQUIRED || w->r->choice == CHOICE_NAMED;
    return !is_forced && wire_takes_effort(w, effort) &&
           !(takes(w, FACT_THINKING_BUDGET) && budget_of(w, effort) < BUDGET_MIN);
}

/* As Anthropic's models take it; others have members of their own. */
static void put_thinking(struct writing *w)
{
    bool by_budget = takes(w, FACT_THINKING_BUDGET);
    enum turn_effort effort = wire_effort(w->r);
    if (by_budget && wire_thinks_freely(w->r))
        effort = EFFORT_HIGH; /* what a model does that is left to itself */
    if (effort == EFFORT_NONE || (effort == EFFORT_UNSAID && !wire_thinks_freely(w->r)))
        return;
    if (!can_think(w, effort)) {
        turn_note_dropped(w->notes, "reasoning");
        return;
    }
    w->thinks = true;
    put_key(w, "thinking");
    if (by_budget) {
        put(w, "{\"type\":\"enabled\",\"budget_tokens\":");
        json_out_u64(&w->out, budget_of(w, effort));
        put(w, "}");
        return;
    }
    put(w, "{\"type\":\"adaptive\"}");
    if (effort == EFFORT_UNSAID)
        return;
    put(w, ",\"output_config\":{");
    put_raw(w, "effort", span_text(wire_effort_word(w, effort)));
    put(w, "}");
}

/* Before inferenceConfig, since thinking decides about sampling. */
static void put_additional(struct writing *w)
{
    size_t before = w->out.buf->tail;
    put(w, ",\"additionalModelRequestFields\":{");
    size_t empty = w->out.buf->tail;
    put_thinking(w);
    if (!w->thinks && takes(w, FACT_SAMPLING) && takes(w, FACT_TOP_K))
        put_lexeme(w, "top_k", w->r->top_k);
    if (w->out.buf->tail == empty)
        w->out.buf->tail = before;
    else
        put(w, "}");
}

static void put_stop(struct writing *w)
{
    struct span item, stop = w->r->stop;
    size_t cursor = 0;
    if (stop.len == 0 || stop.at[0] == 'n')
        return;
    put_key(w, "stopSequences");
    put(w, "[");
    if (stop.at[0] == '"')
        json_out_span(&w->out, stop);
    while (json_each(stop, &cursor, &item)) {
        put_comma(w);
        json_out_span(&w->out, item);
    }
    put(w, "]");
}

static void put_config(struct writing *w)
{
    const struct turn_request *r = w->r;
    bool said = r->temperature.len > 0 || r->top_p.len > 0 || r->top_k.len > 0;
    put(w, ",\"inferenceConfig\":{\"maxTokens\":");
    json_out_u64(&w->out, w->max_tokens);
    if (said && (w->thinks || !takes(w, FACT_SAMPLING))) {
        turn_note_dropped(w->notes, "temperature, top_p and top_k");
    } else {
        put_lexeme(w, "temperature", r->temperature);
        put_lexeme(w, "topP", r->top_p);
        if (r->top_k.len > 0 && !takes(w, FACT_TOP_K)) /* it is no member of Converse's own */
            turn_note_dropped(w->notes, "top_k");
    }
    put_stop(w);
    put(w, "}");
}

/* The schema is a text here. */
static void put_format(struct writing *w)
{
    const struct turn_request *r = w->r;
    if (r->format != FORMAT_SCHEMA)
        return;
    put(w,
        ",\"outputConfig\":{\"textFormat\":{\"type\":\"json_schema\",\"structure\":{\"jsonSchema\":{"
        "\"schema\":");
    json_out_bytes(&w->out, r->format_schema);
    put_string(w, "name", r->format_name);
    put_string(w, "description", r->format_description);
    put(w, "}}}}");
}

static void note_dropped(struct writing *w)
{
    const struct turn_request *r = w->r;
    const struct wire_said fields[] = {
        {r->seed, "seed"},
        {r->presence_penalty, "presence_penalty"},
        {r->frequency_penalty, "frequency_penalty"},
        {r->prediction, "prediction"},
        {r->verbosity, "verbosity"},
        {r->metadata, "metadata"},
        {r->service_tier, "service_tier"},
        {r->context_management, "context_management"},
        {r->user, "user"},
        {r->cache_key, "prompt_cache_key"},
        {json_is_true(r->store) ? r->store : SPAN_NONE, "store"},
        {r->allowed != NULL ? SPAN_LIT("tools") : SPAN_NONE, "tools that are not allowed"},
    };
    wire_note_said(w, fields, sizeof fields / sizeof fields[0]);
    wire_note_names(w->r, w->notes);
}

bool converse_wire_takes_url(const struct turn_part *p, const struct wire_options *o)
{
    (void)o;
    return p->kind == PART_VIDEO;
}

bool converse_wire_write(const struct turn_request *r, const struct wire_options *o,
                         struct arena *a, struct buf *out, struct turn_notes *notes,
                         struct fault *why)
{
    struct writing w = {
        .r = r, .o = o, .a = a, .out = json_out_to(out), .notes = notes, .why = why};
    if (!json_u64(r->max_tokens, &w.max_tokens) || w.max_tokens == 0)
        w.max_tokens = o->default_max_tokens;
    if (r->format == FORMAT_JSON)
        return refuse(&w, span_text(r->names->format),
                      "this model has no json_object: use json_schema, or ask for JSON in words");
    if (!wire_check_answer(r, why) || !wire_check_logprobs(r, why) || !wire_check_roles(r, why) ||
        !put_messages(&w) || !wire_put_system(&w, w.r->messages, ",\"system\":[", "]", put_parts) ||
        !put_tools(&w))
        return false;
    put_additional(&w);
    put_config(&w);
    put_format(&w);
    put(&w, "}");
    note_dropped(&w);
    if (w.out.rc == 0)
        return true;
    *why = (struct fault){.kind = FAULT_OVERLOADED, .message = "out of memory"};
    return false;
}
