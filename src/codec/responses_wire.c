#include "sluice/codec/responses_wire.h"

#include "turn_writing.h"
#include "web_tool.h"
#include "wire_effort.h"
#include "wire_history.h"
#include "wire_tools.h"

#include "sluice/codec/call_id.h"
#include "sluice/codec/raw_text.h"
#include "sluice/format/json_out.h"
#include "sluice/format/json_walk.h"

enum { OUTPUT_TOKENS_MIN = 16 };

/* --- parts ---------------------------------------------------------------------------------------- */

static void put_data_url(struct writing *w, const struct turn_part *p)
{
    put(w, "\"data:");
    json_out_span(&w->out, p->media_type);
    put(w, ";base64,");
    json_out_span(&w->out, p->data);
    put(w, "\"");
}

static void put_text(struct writing *w, const char *type, const char *member, struct span text)
{
    put_comma(w);
    put(w, "{\"type\":\"");
    put(w, type);
    put(w, "\",\"");
    put(w, member);
    put(w, "\":");
    json_out_raw(&w->out, text);
    put(w, "}");
}

static void put_image(struct writing *w, const struct turn_part *p)
{
    put_comma(w);
    put(w, "{\"type\":\"input_image\",\"image_url\":");
    if (p->data.len > 0)
        put_data_url(w, p);
    else
        json_out_raw(&w->out, p->url);
    put_string(w, "detail", p->detail);
    put(w, "}");
}

static void put_document(struct writing *w, const struct turn_part *p)
{
    if (p->url.len == 0 && p->data.len == 0) {
        put_text(w, "input_text", "text", p->text);
        return;
    }
    put_comma(w);
    put(w, "{\"type\":\"input_file\"");
    if (p->url.len > 0) {
        put_string(w, "file_url", p->url);
    } else {
        put_string(w, "filename", p->name.len > 0 ? p->name : SPAN_LIT("document.pdf"));
        put(w, ",\"file_data\":");
        put_data_url(w, p);
    }
    put(w, "}");
}

/* A part of a message that goes to the model. */
static bool put_input_part(struct writing *w, const struct turn_part *p)
{
    switch (p->kind) {
    case PART_TEXT:
    case PART_REFUSAL:
        put_text(w, "input_text", "text", p->text);
        return true;
    case PART_IMAGE:
        put_image(w, p);
        return true;
    case PART_DOCUMENT:
        put_document(w, p);
        return true;
    case PART_AUDIO:
        return refuse(w, p->path, "this model does not hear");
    case PART_VIDEO:
        return refuse(w, p->path, "this model sees no videos");
    default:
        return refuse(w, p->path, "it cannot stand in a message of this role");
    }
}

/* --- items ---------------------------------------------------------------------------------------- */

static bool put_message(struct writing *w, const struct turn_message *m, const char *role)
{
    if (m->parts == NULL)
        return true;
    put_comma(w);
    put(w, "{\"type\":\"message\",\"role\":\"");
    put(w, role);
    put(w, "\",\"content\":[");
    for (const struct turn_part *p = m->parts; p != NULL; p = p->next) {
        if (!put_input_part(w, p))
            return false;
    }
    put(w, "]}");
    return true;
}

static void put_reasoning(struct writing *w, const struct turn_part *p)
{
    if (p->proof.len == 0) { /* what cannot be proved is not taken back */
        turn_note_dropped(w->notes, "reasoning");
        return;
    }
    put_comma(w);
    put(w, "{\"type\":\"reasoning\"");
    put_string(w, "id", p->id);
    put(w, ",\"summary\":[");
    if (p->text.len > 0)
        put_text(w, "summary_text", "text", p->text);
    put(w, "]");
    put_string(w, "encrypted_content", p->proof);
    put(w, "}");
}

static void put_call(struct writing *w, const struct turn_part *p)
{
    put_comma(w);
    put(w, p->is_custom ? "{\"type\":\"custom_tool_call\",\"call_id\":"
                        : "{\"type\":\"function_call\",\"call_id\":");
    json_out_raw(&w->out, call_id_for_responses(w->a, p->id));
    put_string(w, "name", p->name);
    put(w, p->is_custom ? ",\"input\":" : ",\"arguments\":");
    if (p->arguments_object.len > 0)
        json_out_bytes(&w->out, p->arguments_object);
    else
        json_out_raw(&w->out, p->arguments_text);
    put(w, "}");
}

static void put_said(struct writing *w, const struct turn_part *p)
{
    bool is_refusal = p->kind == PART_REFUSAL;
    if (p->text.len == 0)
        return;
    put_comma(w);
    put(w, "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[");
    put_text(w, is_refusal ? "refusal" : "output_text", is_refusal ? "refusal" : "text", p->text);
    put(w, "]}");
}

/* In the order of its blocks: a reasoning item stands right before what it led to. */
static bool put_assistant(struct writing *w, const struct turn_message *m)
{
    for (const struct turn_part *p = m->parts; p != NULL; p = p->next) {
        switch (p->kind) {
        case PART_TEXT:
        case PART_REFUSAL:
            put_said(w, p);
            break;
        case PART_REASONING:
            put_reasoning(w, p);
            break;
        case PART_REDACTED: /* of another family's */
            turn_note_dropped(w->notes, "reasoning");
            break;
        case PART_CALL:
            put_call(w, p);
            break;
        default:
            return refuse(w, p->path, "the assistant cannot have sent it");
        }
    }
    return true;
}

static bool put_result(struct writing *w, const struct turn_part *p)
{
    put_comma(w);
    put(w, p->is_custom ? "{\"type\":\"custom_tool_call_output\",\"call_id\":"
                        : "{\"type\":\"function_call_output\",\"call_id\":");
    json_out_raw(&w->out, call_id_for_responses(w->a, p->id));
    put(w, ",\"output\":");
    if (p->inside == NULL) {
        put(w, "\"\"}");
        return true;
    }
    if (p->inside->next == NULL && p->inside->kind == PART_TEXT) {
        put(w,
            p->is_error && !span_starts(p->inside->text, SPAN_LIT("Error")) ? "\"Error: " : "\"");
        json_out_span(&w->out, p->inside->text);
        put(w, "\"}");
        return true;
    }
    put(w, "[");
    if (p->is_error)
        put_text(w, "input_text", "text", SPAN_LIT("Error:"));
    for (const struct turn_part *i = p->inside; i != NULL; i = i->next) {
        if (!put_input_part(w, i))
            return false;
    }
    put(w, "]}");
    return true;
}

static bool put_item(struct writing *w, const struct turn_message *m)
{
    switch (m->role) {
    case ROLE_SYSTEM:
        return put_message(w, m, "system");
    case ROLE_DEVELOPER:
        return put_message(w, m, "developer");
    case ROLE_USER:
        return put_message(w, m, "user");
    case ROLE_ASSISTANT:
        return put_assistant(w, m);
    case ROLE_TOOL:
        return put_result(w, m->parts);
    }
    return true;
}

static bool put_input(struct writing *w)
{
    put(w, ",\"input\":[");
    for (const struct turn_message *m = w->r->messages; m != NULL; m = m->next) {
        if (!put_item(w, m))
            return false;
    }
    put(w, "]");
    return true;
}

/* --- tools ---------------------------------------------------------------------------------------- */

static void put_function(struct writing *w, const struct turn_tool *t)
{
    put_lexeme(w, "parameters",
               t->schema.len > 0 ? t->schema : SPAN_LIT("{\"type\":\"object\",\"properties\":{}}"));
    /* Left out it would mean yes here, and no where the request comes from. */
    put(w, t->strict == STRICT_YES ? ",\"strict\":true" : ",\"strict\":false");
}

static void put_grammar(struct writing *w, const struct turn_tool *t)
{
    if (t->grammar.len == 0)
        return;
    put(w, ",\"format\":{\"type\":\"grammar\"");
    put_string(w, "syntax", t->syntax);
    put_string(w, "definition", t->grammar);
    put(w, "}");
}

/* OpenAI searches, and fetches nothing. */
static bool is_fetch(const struct turn_tool *t)
{
    return t != NULL && t->web != NULL && t->web->kind == WEB_FETCH;
}

static bool put_tool(struct writing *w, const struct turn_tool *t)
{
    if (is_fetch(t)) {
        web_tool_note(w, t);
        return true;
    }
    if (t->web != NULL)
        return web_tool_put_responses(w, t);
    put_comma(w);
    put(w, t->is_custom ? "{\"type\":\"custom\"" : "{\"type\":\"function\"");
    put_string(w, "name", t->name);
    put_string(w, "description", t->description);
    if (t->is_custom)
        put_grammar(w, t);
    else
        put_function(w, t);
    put(w, "}");
    return true;
}

/* A tool that may or must be called, by kind and name. */
static void put_reference(struct writing *w, struct span name)
{
    const struct turn_tool *t = wire_tool_named(w->r, name);
    if (t != NULL && t->web != NULL) {
        put(w, "{\"type\":\"web_search\"}");
        return;
    }
    put(w, t != NULL && t->is_custom ? "{\"type\":\"custom\"" : "{\"type\":\"function\"");
    put_string(w, "name", name);
    put(w, "}");
}

static void put_allowed(struct writing *w)
{
    put(w, ",\"tool_choice\":{\"type\":\"allowed_tools\",\"mode\":");
    put(w, w->r->choice == CHOICE_REQUIRED ? "\"required\"" : "\"auto\"");
    put(w, ",\"tools\":[");
    for (const struct turn_tool *t = w->r->allowed; t != NULL; t = t->next) {
        if (is_fetch(wire_tool_named(w->r, t->name)))
            continue;
        put_comma(w);
        put_reference(w, t->name);
    }
    put(w, "]}");
}

static void put_choice(struct writing *w)
{
    static const char *const words[] = {
        [CHOICE_AUTO] = ",\"tool_choice\":\"auto\"",
        [CHOICE_NONE] = ",\"tool_choice\":\"none\"",
        [CHOICE_REQUIRED] = ",\"tool_choice\":\"required\"",
    };
    if (w->r->allowed != NULL) {
        put_allowed(w);
    } else if (is_fetch(wire_must_use_web(w->r))) {
        turn_note_dropped(w->notes, "tool_choice");
    } else if (w->r->choice == CHOICE_NAMED) {
        put(w, ",\"tool_choice\":");
        put_reference(w, w->r->choice_name);
    } else if (w->r->choice != CHOICE_UNSAID) {
        put(w, words[w->r->choice]);
    }
    if (w->r->parallel != PARALLEL_UNSAID)
        put(w, w->r->parallel == PARALLEL_NO ? ",\"parallel_tool_calls\":false"
                                             : ",\"parallel_tool_calls\":true");
}

static bool put_tools(struct writing *w)
{
    size_t before = w->out.buf->tail;
    put(w, ",\"tools\":[");
    size_t empty = w->out.buf->tail;
    for (const struct turn_tool *t = w->r->tools; t != NULL; t = t->next) {
        if (!put_tool(w, t))
            return false;
    }
    if (w->out.buf->tail == empty) {
        w->out.buf->tail = before;
        return true;
    }
    put(w, "]");
    put_choice(w);
    return true;
}

/* --- parameters ----------------------------------------------------------------------------------- */

static void put_limits(struct writing *w)
{
    const struct turn_request *r = w->r;
    uint64_t most;
    if (json_u64(r->max_tokens, &most) && most < OUTPUT_TOKENS_MIN) {
        turn_note_dropped(w->notes, "max_tokens below 16");
        put(w, ",\"max_output_tokens\":16");
    } else {
        put_lexeme(w, "max_output_tokens", r->max_tokens);
    }
    bool said = r->temperature.len > 0 || r->top_p.len > 0;
    if (said && !takes(w, FACT_SAMPLING)) {
        turn_note_dropped(w->notes, "temperature");
        return;
    }
    put_lexeme(w, "temperature", r->temperature);
    put_lexeme(w, "top_p", r->top_p);
}

static void put_reasoning_options(struct writing *w)
{
    enum turn_effort effort = wire_effort(w->r);
    bool wanted = effort != EFFORT_UNSAID || w->r->thinking_is_adaptive;
    if (!wanted)
        return;
    if (effort == EFFORT_NONE && !takes(w, FACT_REASONING))
        return; /* it does not think anyway */
    if (!wire_takes_effort(w, effort)) {
        turn_note_dropped(w->notes, "reasoning");
        return;
    }
    put(w, ",\"reasoning\":{");
    if (effort != EFFORT_UNSAID) {
        put(w, "\"effort\":\"");
        put(w, wire_effort_word(w, effort));
        put(w, "\"");
    }
    if (!w->r->thinking_is_hidden) {
        put_comma(w);
        put(w, "\"summary\":\"auto\"");
    }
    put(w, "}");
}

static void put_format(struct writing *w)
{
    const struct turn_request *r = w->r;
    put(w, "\"format\":");
    if (r->format == FORMAT_SCHEMA) {
        put(w, "{\"type\":\"json_schema\"");
        put_string(w, "name",
                   r->format_name.len > 0 ? r->format_name : SPAN_LIT("structured_output"));
        put_string(w, "description", r->format_description);
        put_lexeme(w, "schema", r->format_schema);
        put(w, r->format_strict ? ",\"strict\":true}" : ",\"strict\":false}");
    } else {
        put(w, r->format == FORMAT_JSON ? "{\"type\":\"json_object\"}" : "{\"type\":\"text\"}");
    }
}

static void put_text_options(struct writing *w)
{
    bool has_format = w->r->format == FORMAT_SCHEMA || w->r->format == FORMAT_JSON;
    if (!has_format && w->r->verbosity.len == 0)
        return;
    put(w, ",\"text\":{");
    put_format(w);
    put_lexeme(w, "verbosity", w->r->verbosity);
    put(w, "}");
}

static bool check_expressible(struct writing *w)
{
    const struct turn_request *r = w->r;
    uint64_t n = 1;
    if (r->n.len > 0 && (!json_u64(r->n, &n) || n != 1))
        return refuse(w, SPAN_LIT("n"), "this model gives one answer at a time");
    if (r->stop.len > 0)
        return refuse(w, span_text(w->r->names->stop), "this model knows no stop sequences");
    if (span_find(r->logit_bias, SPAN_LIT(":")) != SIZE_MAX)
        return refuse(w, SPAN_LIT("logit_bias"), "this model's logits cannot be biased");
    if (r->audio.len > 0 || span_find(r->modalities, SPAN_LIT("\"audio\"")) != SIZE_MAX)
        return refuse(w, SPAN_LIT("modalities"), "this model does not speak");
    return true;
}

static void note_dropped(struct writing *w)
{
    const struct turn_request *r = w->r;
    const struct wire_said fields[] = {
        {r->seed, "seed"},
        {r->top_k, "top_k"},
        {r->presence_penalty, "presence_penalty"},
        {r->frequency_penalty, "frequency_penalty"},
        {r->prediction, "prediction"},
        {r->metadata, "metadata"},
        {r->service_tier, "service_tier"},
        {r->context_management, "context_management"},
        {json_is_true(r->store) ? r->store : SPAN_NONE, "store"},
    };
    wire_note_said(w, fields, sizeof fields / sizeof fields[0]);
    if (wire_has_cache_control(r))
        turn_note_dropped(w->notes, "cache_control");
    wire_note_names(w->r, w->notes);
}

bool responses_wire_takes_url(const struct turn_part *p, const struct wire_options *o)
{
    (void)p;
    (void)o;
    return true;
}

/* What comes along only when it is asked for. */
static void put_include(struct writing *w)
{
    bool encrypted = takes(w, FACT_ENCRYPTED_REASONING), logprobs = json_is_true(w->r->logprobs);
    if (!encrypted && !logprobs)
        return;
    put(w, ",\"include\":[");
    if (encrypted)
        put(w, "\"reasoning.encrypted_content\"");
    if (logprobs)
        put(w,
            encrypted ? ",\"message.output_text.logprobs\"" : "\"message.output_text.logprobs\"");
    put(w, "]");
}

bool responses_wire_write(const struct turn_request *r, const struct wire_options *o,
                          struct arena *a, struct buf *out, struct turn_notes *notes,
                          struct fault *why)
{
    struct writing w = {
        .r = r, .o = o, .a = a, .out = json_out_to(out), .notes = notes, .why = why};
    if (!check_expressible(&w))
        return false;
    put(&w, "{\"model\":");
    json_out_bytes(&w.out, o->model);
    if (!put_input(&w) || !put_tools(&w))
        return false;
    put_limits(&w);
    put_reasoning_options(&w);
    put_text_options(&w);
    put_string(&w, "safety_identifier", wire_bounded_id(a, r->user));
    put_string(&w, "prompt_cache_key", wire_cache_key(a, r));
    put(&w, ",\"store\":false");
    put_include(&w);
    put_lexeme(&w, "top_logprobs", r->top_logprobs);
    put(&w, r->stream ? ",\"stream\":true}" : "}");
    note_dropped(&w);
    if (w.out.rc == 0)
        return true;
    *why = (struct fault){.kind = FAULT_OVERLOADED, .message = "out of memory"};
    return false;
}
