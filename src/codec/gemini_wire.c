#include "sluice/codec/gemini_wire.h"

#include "sluice/codec/media_type.h"
#include "sluice/format/json_out.h"
#include "sluice/format/json_walk.h"

#include "thought_signature.h"
#include "turn_writing.h"
#include "web_tool.h"
#include "wire_effort.h"
#include "wire_history.h"
#include "wire_tools.h"

#define UPLOADED_FILES "https://generativelanguage.googleapis.com/" /* the Files API's */

enum { STOPS_MAX = 5, BUDGET_MIN = 512, BUDGET_MAX = 24576 }; /* what all of them take */
static void put_raw(struct writing *w, const char *key, struct span raw)
{
    put_key(w, key);
    json_out_raw(&w->out, raw);
}

/* --- parts ---------------------------------------------------------------------------------------- */

static void put_signature(struct writing *w)
{
    if (w->signature.len > 0)
        put_raw(w, "thoughtSignature", w->signature);
    w->signature = SPAN_NONE;
}

static void put_text(struct writing *w, struct span text)
{
    put_comma(w);
    put(w, "{");
    put_raw(w, "text", text);
    put_signature(w);
    put(w, "}");
}

/* A signature that no text or call follows came on an empty text. */
static void flush_signature(struct writing *w)
{
    if (w->signature.len > 0)
        put_text(w, SPAN_NONE);
}

static bool is_youtube(const struct turn_part *p)
{
    static const char *const hosts[] = {"https://www.youtube.com/", "https://youtube.com/",
                                        "https://m.youtube.com/", "https://youtu.be/"};
    for (unsigned i = 0; p->kind == PART_VIDEO && i < sizeof hosts / sizeof hosts[0]; i++) {
        if (span_starts(p->url, span_text(hosts[i])))
            return true;
    }
    return false;
}

/* Vertex AI insists on a type, and of a file elsewhere only the name tells it. */
static struct span media_type(const struct turn_part *p)
{
    if (span_ieq(p->media_type, SPAN_LIT("audio/mpeg")))
        return SPAN_LIT("audio/mp3");
    return p->media_type.len > 0 ? p->media_type : media_type_of_name(p->url);
}

static bool put_media(struct writing *w, const struct turn_part *p)
{
    if (is_youtube(p) && !w->o->takes_youtube)
        return refuse(w, p->path, "this model sees no videos on YouTube");
    flush_signature(w);
    put_comma(w);
    put(w, p->data.len > 0 ? "{\"inlineData\":{" : "{\"fileData\":{");
    put_string(w, "mimeType", media_type(p));
    put_raw(w, p->data.len > 0 ? "data" : "fileUri", p->data.len > 0 ? p->data : p->url);
    put(w, "}}");
    if (p->detail.len > 0 && !span_eq(p->detail, SPAN_LIT("auto")))
        turn_note_dropped(w->notes, "image_url.detail");
    return true;
}

static void put_reasoning(struct writing *w, const struct turn_part *p)
{
    flush_signature(w);
    w->signature = p->proof;
    if (p->text.len == 0)
        return;
    if (p->proof.len == 0) {
        turn_note_dropped(w->notes, "reasoning");
        return;
    }
    put_comma(w);
    put(w, "{\"thought\":true");
    put_raw(w, "text", p->text);
    put_signature(w);
    put(w, "}");
}

static bool put_call(struct writing *w, const struct turn_part *p)
{
    if (!w->has_called && w->signature.len == 0) {
        w->signature = FOREIGN_SIGNATURE;
        turn_note_dropped(w->notes, "thought signature");
    }
    w->has_called = true;
    put_comma(w);
    put(w, "{\"functionCall\":{");
    put_raw(w, "name", p->name);
    put_key(w, "args");
    if (!wire_put_arguments(w, p))
        return false;
    put(w, "}");
    put_signature(w);
    put(w, "}");
    return true;
}

static bool put_part(struct writing *w, const struct turn_part *p)
{
    if (p->cache_control.len > 0)
        turn_note_dropped(w->notes, "cache_control");
    switch (p->kind) {
    case PART_TEXT:
    case PART_REFUSAL:
        if (p->text.len > 0)
            put_text(w, p->text);
        return true;
    case PART_REASONING:
        put_reasoning(w, p);
        return true;
    case PART_REDACTED: /* Gemini hides nothing whole: this is somebody else's */
        turn_note_dropped(w->notes, "reasoning");
        return true;
    case PART_DOCUMENT:
        if (p->data.len > 0 || p->url.len > 0)
            return put_media(w, p);
        put_text(w, p->text);
        return true;
    case PART_IMAGE:
    case PART_AUDIO:
    case PART_VIDEO:
        return put_media(w, p);
    case PART_CALL:
        return put_call(w, p);
    case PART_RESULT:
        return refuse(w, p->path, "the result of a tool stands in a message of its own");
    }
    return true;
}

static bool put_parts(struct writing *w, const struct turn_part *p)
{
    for (; p != NULL; p = p->next) {
        if (!put_part(w, p))
            return false;
    }
    return true;
}

/* --- results -------------------------------------------------------------------------------------- */

static bool is_text(const struct turn_part *p)
{
    return p->kind == PART_TEXT || p->kind == PART_REFUSAL;
}

/* An object as it is; anything else under a name, since Gemini takes objects only. */
static void put_response(struct writing *w, const struct turn_part *result)
{
    const struct turn_part *first = result->inside;
    bool is_one = first != NULL && first->next == NULL && is_text(first);
    if (is_one && !result->is_error && json_out_object(&w->out, first->text))
        return;
    put(w, result->is_error ? "{\"error\":\"" : "{\"result\":\"");
    for (const struct turn_part *p = first; p != NULL; p = p->next) {
        if (is_text(p))
            json_out_span(&w->out, p->text);
    }
    put(w, "\"}");
}

/* Images of a result follow as parts of the same content. */
static bool put_results(struct writing *w, const struct turn_message *calls,
                        const struct turn_message *m, const struct turn_message *end)
{
    for (const struct turn_message *i = calls; i != m; i = i->next) {
        for (const struct turn_part *p = i->parts; p != NULL; p = p->next) {
            if (p->kind != PART_CALL)
                continue;
            put_comma(w);
            put(w, "{\"functionResponse\":{");
            put_raw(w, "name", p->name);
            put_key(w, "response");
            put_response(w, p->result);
            put(w, "}}");
        }
    }
    for (; m != end; m = m->next) {
        for (const struct turn_part *p = m->role == ROLE_TOOL ? m->parts->inside : NULL; p != NULL;
             p = p->next) {
            if (!is_text(p) && !put_part(w, p))
                return false;
        }
    }
    return true;
}

/* --- contents ------------------------------------------------------------------------------------- */

static bool put_run(struct writing *w, const struct turn_message *calls,
                    const struct turn_message *m, const struct turn_message *end)
{
    bool is_assistant = m->role == ROLE_ASSISTANT;
    size_t before = w->out.buf->tail;
    put_comma(w);
    put(w, is_assistant ? "{\"role\":\"model\",\"parts\":[" : "{\"role\":\"user\",\"parts\":[");
    size_t empty = w->out.buf->tail;
    w->has_called = false;
    if (!is_assistant && !put_results(w, calls, m, end))
        return false;
    for (; m != end; m = m->next) {
        bool is_here = m->role == ROLE_USER || m->role == ROLE_ASSISTANT;
        if (is_here && !put_parts(w, m->parts))
            return false;
    }
    flush_signature(w);
    if (w->out.buf->tail == empty)
        w->out.buf->tail = before;
    else
        put(w, "]}");
    return true;
}

static bool put_contents(struct writing *w)
{
    put(w, "{\"contents\":[");
    if (!wire_put_runs(w, put_run))
        return false;
    put(w, "]");
    return true;
}

/* --- tools ---------------------------------------------------------------------------------------- */

static bool put_custom_tool(struct writing *w, const struct turn_tool *t)
{
    if (!wire_may_wrap(w, t))
        return false;
    put_key(w, "description");
    if (t->grammar.len > 0) {
        turn_note_dropped(w->notes, "grammar of a custom tool");
        wire_put_grammar(&w->out, t->description, t->grammar);
    } else {
        json_out_raw(&w->out, t->description);
    }
    put(w, ",\"parametersJsonSchema\":{\"type\":\"object\",\"properties\":{\"input\":{\"type\":"
           "\"string\"}},\"required\":[\"input\"]}}");
    return true;
}

static bool put_tool(struct writing *w, const struct turn_tool *t)
{
    put_comma(w);
    put(w, "{");
    put_raw(w, "name", t->name);
    if (t->is_custom)
        return put_custom_tool(w, t);
    if (t->description.len > 0)
        put_raw(w, "description", t->description);
    put_lexeme(w, "parametersJsonSchema", t->schema);
    put(w, "}");
    if (t->cache_control.len > 0)
        turn_note_dropped(w->notes, "cache_control");
    if (t->strict == STRICT_YES)
        turn_note_dropped(w->notes, "strict");
    return true;
}

static void put_mode(struct writing *w, const char *mode, const struct turn_tool *names)
{
    put(w, ",\"toolConfig\":{\"functionCallingConfig\":{\"mode\":\"");
    put(w, mode);
    put(w, "\"");
    if (names != NULL)
        put(w, ",\"allowedFunctionNames\":[");
    for (const struct turn_tool *t = names; t != NULL; t = t->next) {
        const struct turn_tool *tool = wire_tool_named(w->r, t->name);
        if (tool != NULL && tool->web != NULL) /* which is no function */
            continue;
        put_comma(w);
        json_out_raw(&w->out, t->name);
    }
    put(w, names != NULL ? "]}}" : "}}");
}

static void put_choice(struct writing *w)
{
    const struct turn_tool named = {.name = w->r->choice_name};
    switch (w->r->choice) {
    case CHOICE_UNSAID:
    case CHOICE_AUTO:
        if (w->r->allowed != NULL)
            put_mode(w, "VALIDATED", w->r->allowed); /* AUTO takes no names */
        else if (w->r->choice == CHOICE_AUTO)
            put_mode(w, "AUTO", NULL);
        break;
    case CHOICE_NONE:
        put_mode(w, "NONE", NULL);
        break;
    case CHOICE_REQUIRED:
        put_mode(w, "ANY", w->r->allowed);
        break;
    case CHOICE_NAMED:
        if (wire_must_use_web(w->r) != NULL)
            turn_note_dropped(w->notes, "tool_choice");
        else
            put_mode(w, "ANY", &named);
        break;
    }
    if (w->r->parallel == PARALLEL_NO)
        turn_note_dropped(w->notes, "parallel_tool_calls");
}

static bool put_functions(struct writing *w)
{
    size_t before = w->out.buf->tail;
    put(w, "{\"functionDeclarations\":[");
    size_t empty = w->out.buf->tail;
    for (const struct turn_tool *t = w->r->tools; t != NULL; t = t->next) {
        if (t->web == NULL && !put_tool(w, t))
            return false;
    }
    if (w->out.buf->tail == empty)
        w->out.buf->tail = before;
    else
        put(w, "]}");
    return true;
}

static bool put_web_tools(struct writing *w)
{
    bool has[] = {[WEB_SEARCH] = false, [WEB_FETCH] = false};
    for (const struct turn_tool *t = w->r->tools; t != NULL; t = t->next) {
        if (t->web == NULL || has[t->web->kind] || !web_tool_is_possible(w, t))
            continue;
        has[t->web->kind] = true;
        if (!web_tool_put_gemini(w, t))
            return false;
    }
    return true;
}

static bool put_tools(struct writing *w)
{
    size_t before = w->out.buf->tail;
    put(w, ",\"tools\":[");
    size_t empty = w->out.buf->tail;
    if (!put_functions(w))
        return false;
    bool calls = w->out.buf->tail != empty;
    if (!put_web_tools(w))
        return false;
    if (w->out.buf->tail == empty)
        w->out.buf->tail = before;
    else
        put(w, "]");
    if (calls)
        put_choice(w);
    else if (wire_must_use_web(w->r) != NULL)
        turn_note_dropped(w->notes, "tool_choice");
    return true;
}

/* --- generationConfig ------------------------------------------------------------------------------ */

static uint64_t budget_of(const struct writing *w, enum turn_effort effort)
{
    uint64_t most, budget;
    if (effort == EFFORT_NONE)
        return takes(w, FACT_THINKING_OFF) ? 0 : BUDGET_MIN;
    if (!json_u64(w->r->max_tokens, &most) || most == 0)
        most = w->o->default_max_tokens;
    budget = wire_budget(w->r, effort, most < BUDGET_MAX ? most : BUDGET_MAX);
    return budget < BUDGET_MIN ? BUDGET_MIN : budget < BUDGET_MAX ? budget : BUDGET_MAX;
}

/* Where it cannot be told to think next to nothing, it thinks little. */
static const char *level_of(const struct writing *w, enum turn_effort e)
{
    if (e == EFFORT_NONE)
        return takes(w, FACT_THINKING_OFF) ? "minimal" : "low";
    return wire_effort_word(w, e);
}

static void put_thinking_config(struct writing *w, enum turn_effort effort)
{
    put_key(w, "thinkingConfig");
    put(w, "{");
    if (effort != EFFORT_UNSAID && takes(w, FACT_THINKING_BUDGET)) {
        put_key(w, "thinkingBudget");
        json_out_u64(&w->out, budget_of(w, effort));
    } else if (effort != EFFORT_UNSAID) {
        put_raw(w, "thinkingLevel", span_text(level_of(w, effort)));
    }
    if (effort != EFFORT_NONE && !w->r->thinking_is_hidden) {
        put_key(w, "includeThoughts");
        put(w, "true");
    }
    put(w, "}");
}

static void put_thinking(struct writing *w)
{
    enum turn_effort effort = wire_effort(w->r);
    if (effort == EFFORT_UNSAID && !wire_thinks_freely(w->r))
        return;
    if (takes(w, FACT_REASONING))
        put_thinking_config(w, effort);
    else if (effort != EFFORT_NONE)
        turn_note_dropped(w->notes, "reasoning");
}

static bool put_stop(struct writing *w)
{
    struct span item, stop = w->r->stop;
    size_t cursor = 0;
    unsigned n = 0;
    if (stop.len == 0 || stop.at[0] == 'n')
        return true;
    put_key(w, "stopSequences");
    put(w, "[");
    if (stop.at[0] == '"')
        json_out_span(&w->out, stop);
    for (; json_each(stop, &cursor, &item); n++) {
        put_comma(w);
        json_out_span(&w->out, item);
    }
    put(w, "]");
    return n <= STOPS_MAX ||
           refuse(w, span_text(w->r->names->stop), "this model takes five at most");
}

static void put_sampling(struct writing *w)
{
    const struct turn_request *r = w->r;
    put_lexeme(w, "seed", r->seed);
    put_lexeme(w, "presencePenalty", r->presence_penalty);
    put_lexeme(w, "frequencyPenalty", r->frequency_penalty);
    if (!takes(w, FACT_SAMPLING)) {
        if (r->temperature.len > 0 || r->top_p.len > 0 || r->top_k.len > 0)
            turn_note_dropped(w->notes, "temperature, top_p and top_k");
        return;
    }
    put_lexeme(w, "temperature", r->temperature);
    put_lexeme(w, "topP", r->top_p);
    put_lexeme(w, "topK", r->top_k);
}

static bool put_config(struct writing *w)
{
    const struct turn_request *r = w->r;
    size_t before = w->out.buf->tail;
    put(w, ",\"generationConfig\":{");
    size_t empty = w->out.buf->tail;
    put_lexeme(w, "maxOutputTokens", r->max_tokens);
    put_sampling(w);
    if (!put_stop(w))
        return false;
    if (r->format == FORMAT_JSON || r->format == FORMAT_SCHEMA)
        put_raw(w, "responseMimeType", SPAN_LIT("application/json"));
    if (r->format == FORMAT_SCHEMA)
        put_lexeme(w, "responseJsonSchema", r->format_schema);
    if (json_is_true(r->logprobs)) {
        put_lexeme(w, "responseLogprobs", r->logprobs);
        put_lexeme(w, "logprobs", r->top_logprobs);
    }
    put_thinking(w);
    if (w->out.buf->tail == empty)
        w->out.buf->tail = before;
    else
        put(w, "}");
    put(w, "}");
    return true;
}

static void note_dropped(struct writing *w)
{
    const struct turn_request *r = w->r;
    const struct wire_said fields[] = {
        {r->prediction, "prediction"},
        {r->verbosity, "verbosity"},
        {r->metadata, "metadata"},
        {r->service_tier, "service_tier"},
        {r->context_management, "context_management"},
        {r->user, "user"},
        {r->cache_key, "prompt_cache_key"},
        {json_is_true(r->store) ? r->store : SPAN_NONE, "store"},
    };
    wire_note_said(w, fields, sizeof fields / sizeof fields[0]);
    wire_note_names(w->r, w->notes);
}

bool gemini_wire_takes_url(const struct turn_part *p, const struct wire_options *o)
{
    (void)o;
    return span_starts(p->url, SPAN_LIT("gs://")) ||
           span_starts(p->url, SPAN_LIT(UPLOADED_FILES)) || is_youtube(p);
}

bool gemini_wire_write(const struct turn_request *r, const struct wire_options *o, struct arena *a,
                       struct buf *out, struct turn_notes *notes, struct fault *why)
{
    struct writing w = {
        .r = r, .o = o, .a = a, .out = json_out_to(out), .notes = notes, .why = why};
    if (!wire_check_answer(r, why) || !wire_check_roles(r, why) || !put_contents(&w) ||
        !wire_put_system(&w, w.r->messages, ",\"systemInstruction\":{\"parts\":[", "]}",
                         put_parts) ||
        !put_tools(&w) || !put_config(&w))
        return false;
    note_dropped(&w);
    if (w.out.rc == 0)
        return true;
    *why = (struct fault){.kind = FAULT_OVERLOADED, .message = "out of memory"};
    return false;
}
