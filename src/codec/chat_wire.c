#include "sluice/codec/chat_wire.h"

#include "chat_tools.h"
#include "thought_signature.h"
#include "turn_writing.h"
#include "wire_effort.h"
#include "wire_history.h"

#include "sluice/codec/call_id.h"
#include "sluice/format/json_out.h"
#include "sluice/format/json_walk.h"

/* --- parts ---------------------------------------------------------------------------------------- */

static bool is_left_out(const struct writing *w, const struct turn_part *p)
{
    switch (p->kind) {
    case PART_TEXT:
        return p->text.len == 0;
    case PART_REASONING:
    case PART_REDACTED:
        if (takes(w, FACT_REPLAYS_REASONING) && p->text.len > 0 && p->kind == PART_REASONING)
            return false;
        if (p->text.len > 0 || !takes(w, FACT_THOUGHT_SIGNATURES))
            turn_note_dropped(w->notes, "reasoning");
        return true; /* a signature alone goes back on its call */
    default:
        return false;
    }
}

static void put_data_url(struct writing *w, const struct turn_part *p)
{
    put(w, "\"data:");
    json_out_span(&w->out, p->media_type);
    put(w, ";base64,");
    json_out_span(&w->out, p->data);
    put(w, "\"");
}

static void put_image(struct writing *w, const struct turn_part *p)
{
    put(w, "{\"type\":\"image_url\",\"image_url\":{\"url\":");
    if (p->data.len > 0)
        put_data_url(w, p);
    else
        json_out_raw(&w->out, p->url);
    if (p->detail.len > 0) {
        put(w, ",\"detail\":");
        json_out_raw(&w->out, p->detail);
    }
    put(w, "}}");
}

static bool put_document(struct writing *w, const struct turn_part *p)
{
    if (p->url.len > 0)
        return refuse(w, p->path, "this model takes documents as data, not by url");
    if (p->data.len == 0) { /* plain text is what it is */
        put(w, "{\"type\":\"text\",\"text\":");
        json_out_raw(&w->out, p->text);
        put(w, "}");
        return true;
    }
    put(w, "{\"type\":\"file\",\"file\":{\"filename\":");
    json_out_raw(&w->out, p->name.len > 0 ? p->name : SPAN_LIT("document.pdf"));
    put(w, ",\"file_data\":");
    put_data_url(w, p);
    put(w, "}}");
    return true;
}

static void put_audio(struct writing *w, const struct turn_part *p)
{
    bool is_mp3 = span_find(p->media_type, SPAN_LIT("mp")) != SIZE_MAX;
    put(w, "{\"type\":\"input_audio\",\"input_audio\":{\"data\":");
    json_out_raw(&w->out, p->data);
    put(w, is_mp3 ? ",\"format\":\"mp3\"}}" : ",\"format\":\"wav\"}}");
}

static bool put_part(struct writing *w, const struct turn_part *p)
{
    switch (p->kind) {
    case PART_TEXT:
    case PART_REFUSAL:
        put(w, "{\"type\":\"text\",\"text\":");
        json_out_raw(&w->out, p->text);
        put(w, "}");
        return true;
    case PART_IMAGE:
        put_image(w, p);
        return true;
    case PART_DOCUMENT:
        return put_document(w, p);
    case PART_AUDIO:
        put_audio(w, p);
        return true;
    case PART_VIDEO:
        return refuse(w, p->path, "this model sees no videos");
    default:
        return refuse(w, p->path, "it cannot stand in a message of this role");
    }
}

static unsigned count_parts(const struct writing *w, const struct turn_part *p)
{
    unsigned n = 0;
    for (; p != NULL; p = p->next)
        n += !is_left_out(w, p);
    return n;
}

/* `"content":…` of a user: a string when it is one text, as everybody understands it. */
static bool put_content(struct writing *w, const struct turn_part *parts)
{
    unsigned n = count_parts(w, parts), at = 0;
    for (const struct turn_part *p = parts; p != NULL; p = p->next) {
        if (is_left_out(w, p))
            continue;
        if (n == 1 && p->kind == PART_TEXT) {
            json_out_raw(&w->out, p->text);
            return true;
        }
        put(w, at++ == 0 ? "[" : ",");
        if (!put_part(w, p))
            return false;
    }
    put(w, n == 0 ? "\"\"" : "]");
    return true;
}

/* The texts of parts as one string. */
static void put_texts(struct writing *w, const struct turn_part *parts, const char *between)
{
    bool is_first = true;
    put(w, "\"");
    for (const struct turn_part *p = parts; p != NULL; p = p->next) {
        if (p->kind != PART_TEXT || p->text.len == 0)
            continue;
        if (!is_first)
            put(w, between);
        json_out_span(&w->out, p->text);
        is_first = false;
    }
    put(w, "\"");
}

/* --- messages ------------------------------------------------------------------------------------- */

static void begin_message(struct writing *w, const char *role)
{
    if (w->out.rc == 0 && w->out.buf->at[w->out.buf->tail - 1] != '[')
        put(w, ",");
    put(w, "{\"role\":\"");
    put(w, role);
    put(w, "\"");
}

static void put_system(struct writing *w, const struct turn_message *m)
{
    if (count_parts(w, m->parts) == 0)
        return;
    begin_message(w, "system");
    put(w, ",\"content\":");
    put_texts(w, m->parts, "\\n\\n");
    put(w, "}");
}

static bool put_user(struct writing *w, const struct turn_message *m)
{
    if (count_parts(w, m->parts) == 0)
        return true;
    begin_message(w, "user");
    if (m->name.len > 0) {
        put(w, ",\"name\":");
        json_out_raw(&w->out, m->name);
    }
    put(w, ",\"content\":");
    if (!put_content(w, m->parts))
        return false;
    put(w, "}");
    return true;
}

/* {"input": text}, as a text. */
static void put_wrapped_input(struct writing *w, struct span raw)
{
    put(w, "\"{\\\"input\\\":\\\"");
    if (w->out.rc == 0)
        w->out.rc = buf_add_json(w->out.buf, raw);
    put(w, "\\\"}\"");
}

static void put_call_id(struct writing *w, struct span id)
{
    json_out_raw(&w->out, takes(w, FACT_SHORT_CALL_IDS) ? call_id_of_nine(w->a, id) : id);
}

/* Gemini's first call of a turn is refused without one. */
static void put_call_signature(struct writing *w)
{
    if (!takes(w, FACT_THOUGHT_SIGNATURES))
        return;
    if (!w->has_called && w->signature.len == 0) {
        w->signature = FOREIGN_SIGNATURE;
        turn_note_dropped(w->notes, "thought signature");
    }
    if (w->signature.len > 0)
        thought_signature_put(&w->out, w->signature);
    w->has_called = true;
    w->signature = SPAN_NONE;
}

static void put_call(struct writing *w, const struct turn_part *p)
{
    bool is_native = p->is_custom && takes(w, FACT_CUSTOM_TOOLS);
    put(w, "{\"id\":");
    put_call_id(w, p->id);
    put(w, is_native ? ",\"type\":\"custom\",\"custom\":{\"name\":"
                     : ",\"type\":\"function\",\"function\":{\"name\":");
    json_out_raw(&w->out, p->name);
    put(w, is_native ? ",\"input\":" : ",\"arguments\":");
    if (p->is_custom && !is_native)
        put_wrapped_input(w, p->arguments_text);
    else if (p->arguments_object.len > 0)
        json_out_bytes(&w->out, p->arguments_object); /* as the client spelt it */
    else
        json_out_raw(&w->out, p->arguments_text.len > 0 || p->is_custom ? p->arguments_text
                                                                        : SPAN_LIT("{}"));
    put(w, "}");
    put_call_signature(w);
    put(w, "}");
}

/* Neighbouring messages of the assistant, from `m` up to `end`. */
static const struct turn_message *run_end(const struct turn_message *m)
{
    while (m != NULL && m->role == ROLE_ASSISTANT)
        m = m->next;
    return m;
}

/* Members of one kind over the whole run; `open` before the first, `between` after it. */
static unsigned put_run_texts(struct writing *w, const struct turn_message *m,
                              const struct turn_message *end, enum turn_part_kind kind,
                              const char *open, const char *between)
{
    unsigned n = 0;
    for (; m != end; m = m->next) {
        for (const struct turn_part *p = m->parts; p != NULL; p = p->next) {
            if (p->kind != kind || is_left_out(w, p))
                continue;
            put(w, n++ == 0 ? open : between);
            json_out_span(&w->out, p->text);
        }
    }
    if (n > 0)
        put(w, "\"");
    return n;
}

static unsigned put_run_calls(struct writing *w, const struct turn_message *m,
                              const struct turn_message *end)
{
    unsigned n = 0;
    w->has_called = false;
    w->signature = SPAN_NONE;
    for (; m != end; m = m->next) {
        for (const struct turn_part *p = m->parts; p != NULL; p = p->next) {
            if (p->kind != PART_CALL) { /* what proves a text is not asked for */
                w->signature = p->kind == PART_REASONING ? p->proof : SPAN_NONE;
                continue;
            }
            put(w, n++ == 0 ? ",\"tool_calls\":[" : ",");
            put_call(w, p);
        }
    }
    if (n > 0)
        put(w, "]");
    return n;
}

static void put_assistant(struct writing *w, const struct turn_message *m,
                          const struct turn_message *end)
{
    size_t before = w->out.buf->tail;
    begin_message(w, "assistant");
    unsigned n = put_run_texts(w, m, end, PART_TEXT, ",\"content\":\"", "\\n\\n");
    if (n == 0)
        put(w, ",\"content\":null");
    n += put_run_texts(w, m, end, PART_REFUSAL, ",\"refusal\":\"", "");
    unsigned nreasons = put_run_texts(w, m, end, PART_REASONING, ",\"reasoning_content\":\"", "");
    unsigned ncalls = put_run_calls(w, m, end);
    if (nreasons == 0 && ncalls > 0 && takes(w, FACT_REPLAYS_REASONING))
        put(w, ",\"reasoning_content\":\"\""); /* it may be lost, but not missing */
    if (w->r->is_begun && end == NULL && takes(w, FACT_PREFILL_MARK))
        put(w, ",\"prefix\":true");
    put(w, "}");
    if (n + nreasons + ncalls == 0)
        w->out.buf->tail = before; /* it said nothing that can be repeated here */
}

/* --- results of tools ------------------------------------------------------------------------------ */

static bool has_media(const struct turn_part *p)
{
    while (p != NULL && !turn_is_media(p->kind))
        p = p->next;
    return p != NULL;
}

static void put_result(struct writing *w, const struct turn_part *p)
{
    begin_message(w, "tool");
    put(w, ",\"tool_call_id\":");
    put_call_id(w, p->id);
    put(w, ",\"content\":\"");
    const struct turn_part *first = p->inside;
    if (p->is_error && (first == NULL || !span_starts(first->text, SPAN_LIT("Error"))))
        put(w, "Error: ");
    bool is_first = true;
    for (const struct turn_part *i = p->inside; i != NULL; i = i->next) {
        if (i->kind != PART_TEXT)
            continue;
        if (!is_first)
            put(w, "\\n");
        json_out_span(&w->out, i->text);
        is_first = false;
    }
    if (is_first && has_media(p->inside))
        put(w, "[attached below]");
    put(w, "\"}");
}

/* A tool's message holds text only; what else its results brought comes from the user behind them. */
static bool put_media(struct writing *w, const struct turn_part *result, unsigned *n)
{
    for (const struct turn_part *i = result->inside; i != NULL; i = i->next) {
        if (!turn_is_media(i->kind))
            continue;
        if ((*n)++ == 0) {
            begin_message(w, "user");
            put(w, ",\"content\":[");
        } else {
            put(w, ",");
        }
        if (!put_part(w, i))
            return false;
    }
    return true;
}

/* Right behind the run from `m` to `end` that called. */
static bool put_results(struct writing *w, const struct turn_message *first,
                        const struct turn_message *end)
{
    unsigned nmedia = 0;
    for (const struct turn_message *m = first; m != end; m = m->next) {
        for (const struct turn_part *p = m->parts; p != NULL; p = p->next) {
            if (p->kind == PART_CALL)
                put_result(w, p->result);
        }
    }
    for (const struct turn_message *m = first; m != end; m = m->next) {
        for (const struct turn_part *p = m->parts; p != NULL; p = p->next) {
            if (p->kind == PART_CALL && !put_media(w, p->result, &nmedia))
                return false;
        }
    }
    if (nmedia > 0)
        put(w, "]}");
    return true;
}

/* The assistant's messages from `m` to `end`, and what its tools said. */
static bool put_turn(struct writing *w, const struct turn_message *m,
                     const struct turn_message *end)
{
    put_assistant(w, m, end);
    return put_results(w, m, end);
}

static bool put_messages(struct writing *w)
{
    const struct turn_message *m = w->r->messages, *end;
    bool ok = true;
    put(w, ",\"messages\":[");
    for (; ok && m != NULL; m = end) {
        end = m->next;
        switch (m->role) {
        case ROLE_SYSTEM:
        case ROLE_DEVELOPER:
            put_system(w, m);
            break;
        case ROLE_USER:
            ok = put_user(w, m);
            break;
        case ROLE_ASSISTANT:
            end = run_end(m);
            ok = put_turn(w, m, end);
            break;
        case ROLE_TOOL:
            break; /* stands behind its call */
        }
    }
    put(w, "]");
    return ok;
}

/* --- parameters ----------------------------------------------------------------------------------- */

static void put_sampling(struct writing *w)
{
    const struct turn_request *r = w->r;
    bool said = r->temperature.len > 0 || r->top_p.len > 0 || r->top_k.len > 0;
    if (said && !takes(w, FACT_SAMPLING)) {
        turn_note_dropped(w->notes, "temperature, top_p and top_k");
    } else {
        put_lexeme(w, "temperature", r->temperature);
        put_lexeme(w, "top_p", r->top_p);
        if (takes(w, FACT_TOP_K))
            put_lexeme(w, "top_k", r->top_k);
        else if (r->top_k.len > 0)
            turn_note_dropped(w->notes, "top_k");
    }
    put_lexeme(w, "seed", r->seed);
    put_lexeme(w, "presence_penalty", r->presence_penalty);
    put_lexeme(w, "frequency_penalty", r->frequency_penalty);
    put_lexeme(w, "stop", r->stop);
    put_lexeme(w, "n", r->n);
    put_lexeme(w, "logprobs", r->logprobs);
    put_lexeme(w, "top_logprobs", r->top_logprobs);
    put_lexeme(w, "logit_bias", r->logit_bias);
    put_lexeme(w, takes(w, FACT_COMPLETION_TOKENS) ? "max_completion_tokens" : "max_tokens",
               r->max_tokens);
}

static void put_effort(struct writing *w)
{
    enum turn_effort effort = wire_effort(w->r);
    if (effort == EFFORT_UNSAID)
        return;
    if (effort == EFFORT_NONE && !takes(w, FACT_REASONING))
        return; /* it does not think anyway */
    if (!wire_takes_effort(w, effort)) {
        turn_note_dropped(w->notes, "reasoning");
        return;
    }
    put(w, ",\"reasoning_effort\":\"");
    put(w, wire_effort_word(w, effort));
    put(w, "\"");
}

static void put_format(struct writing *w)
{
    const struct turn_request *r = w->r;
    if (r->format == FORMAT_JSON)
        put(w, ",\"response_format\":{\"type\":\"json_object\"}");
    if (r->format != FORMAT_SCHEMA)
        return;
    put(w, ",\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":");
    json_out_raw(&w->out, r->format_name.len > 0 ? r->format_name : SPAN_LIT("structured_output"));
    if (r->format_description.len > 0) {
        put(w, ",\"description\":");
        json_out_raw(&w->out, r->format_description);
    }
    put_lexeme(w, "schema", r->format_schema);
    put(w, r->format_strict ? ",\"strict\":true}}" : "}}");
}

static void put_rest(struct writing *w)
{
    const struct turn_request *r = w->r;
    if (r->user.len > 0) {
        put(w, ",\"user\":");
        json_out_raw(&w->out, wire_bounded_id(w->a, r->user));
    }
    if (takes(w, FACT_CACHE_KEY))
        put_string(w, "prompt_cache_key", wire_cache_key(w->a, r));
    put_lexeme(w, "verbosity", r->verbosity);
    put_lexeme(w, "prediction", r->prediction);
    if (r->is_begun && takes(w, FACT_PREFILL_SWITCH))
        put(w, ",\"continue_final_message\":true,\"add_generation_prompt\":false");
    if (r->stream)
        put(w, ",\"stream\":true,\"stream_options\":{\"include_usage\":true}");
}

static void note_dropped(struct writing *w)
{
    const struct turn_request *r = w->r;
    if (r->context_management.len > 0)
        turn_note_dropped(w->notes, "context_management");
    if (r->service_tier.len > 0 && !span_eq(r->service_tier, SPAN_LIT("\"auto\"")))
        turn_note_dropped(w->notes, "service_tier");
    if (r->metadata.len > 0)
        turn_note_dropped(w->notes, "metadata");
    if (json_is_true(r->store))
        turn_note_dropped(w->notes, "store");
    if (r->cache_key.len > 0 && !takes(w, FACT_CACHE_KEY))
        turn_note_dropped(w->notes, "prompt_cache_key");
    if (wire_has_cache_control(r))
        turn_note_dropped(w->notes, "cache_control");
}

bool chat_wire_takes_url(const struct turn_part *p, const struct wire_options *o)
{
    (void)o;
    return p->kind != PART_DOCUMENT;
}

bool chat_wire_write(const struct turn_request *r, const struct wire_options *o, struct arena *a,
                     struct buf *out, struct turn_notes *notes, struct fault *why)
{
    struct writing w = {
        .r = r, .o = o, .a = a, .out = json_out_to(out), .notes = notes, .why = why};
    put(&w, "{\"model\":");
    json_out_bytes(&w.out, o->model);
    if (!wire_check_roles(r, why) || !put_messages(&w) || !chat_put_tools(&w))
        return false;
    put_sampling(&w);
    put_effort(&w);
    put_format(&w);
    put_rest(&w);
    put(&w, "}");
    note_dropped(&w);
    if (w.out.rc == 0)
        return true;
    *why = (struct fault){.kind = FAULT_OVERLOADED, .message = "out of memory"};
    return false;
}
