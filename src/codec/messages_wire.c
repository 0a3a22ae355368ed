#include "sluice/codec/messages_wire.h"

#include "messages_tools.h"
#include "turn_writing.h"
#include "wire_effort.h"
#include "wire_history.h"

#include "sluice/codec/call_id.h"
#include "sluice/codec/raw_text.h"
#include "sluice/format/json_out.h"
#include "sluice/format/json_walk.h"

#include <stdlib.h>

enum { BUDGET_MIN = 1024 };

/* --- blocks --------------------------------------------------------------------------------------- */

static void put_text(struct writing *w, struct span text, struct span cache_control)
{
    put_comma(w);
    put(w, "{\"type\":\"text\",\"text\":");
    json_out_raw(&w->out, text);
    put_lexeme(w, "cache_control", cache_control);
    put(w, "}");
}

static bool is_image_type(struct span type)
{
    static const char *const known[] = {"image/jpeg", "image/png", "image/gif", "image/webp"};
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (span_ieq(type, span_text(known[i])))
            return true;
    }
    return false;
}

static void put_source(struct writing *w, const struct turn_part *p)
{
    if (p->url.len > 0) {
        put(w, "\"source\":{\"type\":\"url\",\"url\":");
        json_out_raw(&w->out, p->url);
    } else if (p->data.len > 0) {
        put(w, "\"source\":{\"type\":\"base64\",\"media_type\":");
        json_out_raw(&w->out, p->media_type);
        put(w, ",\"data\":");
        json_out_raw(&w->out, p->data);
    } else {
        put(w, "\"source\":{\"type\":\"text\",\"media_type\":\"text/plain\",\"data\":");
        json_out_raw(&w->out, p->text);
    }
    put(w, "}");
}

static bool put_image(struct writing *w, const struct turn_part *p)
{
    if (p->data.len > 0 && !is_image_type(p->media_type))
        return refuse(w, p->path, "this model reads images of type jpeg, png, gif and webp");
    if (p->detail.len > 0 && !span_eq(p->detail, SPAN_LIT("auto")))
        turn_note_dropped(w->notes, "image_url.detail");
    put_comma(w);
    put(w, "{\"type\":\"image\",");
    put_source(w, p);
    put_lexeme(w, "cache_control", p->cache_control);
    put(w, "}");
    return true;
}

static bool put_document(struct writing *w, const struct turn_part *p)
{
    bool is_pdf = span_ieq(p->media_type, SPAN_LIT("application/pdf"));
    if (p->data.len > 0 && !is_pdf)
        return refuse(w, p->path, "this model reads documents of type application/pdf");
    put_comma(w);
    put(w, "{\"type\":\"document\",");
    put_source(w, p);
    if (p->name.len > 0) {
        put(w, ",\"title\":");
        json_out_raw(&w->out, p->name);
    }
    put_lexeme(w, "cache_control", p->cache_control);
    put(w, "}");
    return true;
}

static void put_reasoning(struct writing *w, const struct turn_part *p)
{
    if (p->proof.len == 0) { /* Anthropic takes no reasoning back that it cannot recognise */
        if (p->text.len > 0)
            turn_note_dropped(w->notes, "reasoning");
        return;
    }
    put_comma(w);
    put(w, "{\"type\":\"thinking\",\"thinking\":");
    json_out_raw(&w->out, p->text);
    put(w, ",\"signature\":");
    json_out_raw(&w->out, p->proof);
    put(w, "}");
}

static void put_redacted(struct writing *w, const struct turn_part *p)
{
    put_comma(w);
    put(w, "{\"type\":\"redacted_thinking\",\"data\":");
    json_out_raw(&w->out, p->text);
    put(w, "}");
}

static bool put_call(struct writing *w, const struct turn_part *p)
{
    put_comma(w);
    put(w, "{\"type\":\"tool_use\",\"id\":");
    json_out_raw(&w->out, call_id_for_messages(w->a, p->id));
    put(w, ",\"name\":");
    json_out_raw(&w->out, p->name);
    put(w, ",\"input\":");
    if (!wire_put_arguments(w, p))
        return false;
    put(w, "}");
    return true;
}

static bool put_part(struct writing *w, const struct turn_part *p)
{
    switch (p->kind) {
    case PART_TEXT:
    case PART_REFUSAL:
        if (!raw_text_is_blank(p->text))
            put_text(w, p->text, p->cache_control);
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

static bool put_parts(struct writing *w, const struct turn_part *p)
{
    for (; p != NULL; p = p->next) {
        if (!put_part(w, p))
            return false;
    }
    return true;
}

/* --- system --------------------------------------------------------------------------------------- */

static bool is_blank(const struct turn_part *p)
{
    return p->kind == PART_TEXT && raw_text_is_blank(p->text);
}

/* Does the user, or a tool, say anything from `m` to `end`? */
static bool has_content(const struct turn_message *m, const struct turn_message *end)
{
    for (; m != end; m = m->next) {
        for (const struct turn_part *p = m->parts; p != NULL; p = p->next) {
            if (m->role == ROLE_TOOL || (m->role == ROLE_USER && !is_blank(p)))
                return true;
        }
    }
    return false;
}

/* Where the last run of the user ends: a system message before that may stay in the middle, behind a
 * run of the user. NULL: wherever it is. */
static const struct turn_message *last_place(const struct turn_request *r)
{
    const struct turn_message *m = r->messages, *place, *end;
    while (m != NULL && wire_is_system(m))
        m = m->next;
    for (place = m; m != NULL; m = end) {
        end = wire_run_end(m);
        if (m->role != ROLE_ASSISTANT && has_content(m, end))
            place = end;
    }
    return place;
}

static bool put_system(struct writing *w)
{
    const struct turn_message *place = takes(w, FACT_SYSTEM_ANYWHERE) ? last_place(w->r)
                                                                      : w->r->messages;
    return wire_put_system(w, place, ",\"system\":[", "]", put_parts);
}

/* --- messages ------------------------------------------------------------------------------------- */

/* Opens a message; take_back_if_empty undoes it when nothing came in. */
static size_t begin_message(struct writing *w, const char *role, size_t *before)
{
    *before = w->out.buf->tail;
    put_comma(w);
    put(w, "{\"role\":\"");
    put(w, role);
    put(w, "\",\"content\":[");
    return w->out.buf->tail;
}

static void end_message(struct writing *w, size_t before, size_t empty)
{
    if (w->out.buf->tail == empty)
        w->out.buf->tail = before;
    else
        put(w, "]}");
}

static bool put_assistant(struct writing *w, const struct turn_message *m,
                          const struct turn_message *end)
{
    size_t before, empty = begin_message(w, "assistant", &before);
    for (; m != end; m = m->next) {
        if (m->role == ROLE_ASSISTANT && !put_parts(w, m->parts))
            return false;
    }
    end_message(w, before, empty);
    return true;
}

static bool put_result(struct writing *w, const struct turn_part *p)
{
    put_comma(w);
    put(w, "{\"type\":\"tool_result\",\"tool_use_id\":");
    json_out_raw(&w->out, call_id_for_messages(w->a, p->id));
    size_t before = w->out.buf->tail;
    put(w, ",\"content\":[");
    size_t empty = w->out.buf->tail;
    if (!put_parts(w, p->inside))
        return false;
    if (w->out.buf->tail == empty)
        w->out.buf->tail = before;
    else
        put(w, "]");
    if (p->is_error)
        put(w, ",\"is_error\":true");
    put_lexeme(w, "cache_control", p->cache_control);
    put(w, "}");
    return true;
}

/* The results of the calls from `calls` to `m`, in the order of those. */
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

/* `calls` to `m`: the run of the assistant before, empty when there is none. */
static bool put_user(struct writing *w, const struct turn_message *calls,
                     const struct turn_message *m, const struct turn_message *end)
{
    size_t before, empty = begin_message(w, "user", &before);
    if (!put_results(w, calls, m))
        return false;
    for (; m != end; m = m->next) {
        if (m->role == ROLE_USER && !put_parts(w, m->parts))
            return false;
    }
    end_message(w, before, empty);
    return true;
}

/* System messages from `m` to `end`, as one: where they may stand in the middle it is behind the user. */
static bool put_mid_system(struct writing *w, const struct turn_message *m,
                           const struct turn_message *end)
{
    bool is_behind = false;
    if (!takes(w, FACT_SYSTEM_ANYWHERE))
        return true; /* they went up to the others */
    size_t before, empty = begin_message(w, "system", &before);
    for (; m != end; m = m->next) {
        is_behind = is_behind || m->role == ROLE_USER || m->role == ROLE_TOOL;
        if (wire_is_system(m) && !is_behind)
            turn_note_dropped(w->notes, "place of system messages");
        if (wire_is_system(m) && !put_parts(w, m->parts))
            return false;
    }
    end_message(w, before, empty);
    return true;
}

/* Anthropic refuses an answer begun for the model that ends in white space. */
static void strip_tail(struct span *text)
{
    while (text->len > 0 && text->at[text->len - 1] == ' ')
        text->len--;
    while (text->len >= 2 && text->at[text->len - 2] == '\\' &&
           memchr("nrt", text->at[text->len - 1], 3) != NULL &&
           !(text->len >= 3 && text->at[text->len - 3] == '\\'))
        text->len -= 2;
}

static void strip_prefill(const struct turn_request *r)
{
    struct turn_part *p = r->last_message->role == ROLE_ASSISTANT ? r->last_message->parts : NULL;
    for (; p != NULL; p = p->next) {
        if (p->next == NULL && p->kind == PART_TEXT)
            strip_tail(&p->text);
    }
}

static bool put_messages(struct writing *w)
{
    const struct turn_message *m = w->r->messages, *run, *end, *told;
    while (m != NULL && wire_is_system(m))
        m = m->next;
    run = told = m; /* system messages before `told` have their place */
    put(w, ",\"messages\":[");
    size_t empty = w->out.buf->tail;
    for (; m != NULL; m = end) {
        end = wire_run_end(m);
        if (m->role == ROLE_ASSISTANT) {
            if (!put_assistant(w, m, end))
                return false;
            run = m;
            continue;
        }
        if (!put_user(w, run, m, end))
            return false;
        run = end;
        if (!has_content(m, end))
            continue; /* it was not written either */
        if (!put_mid_system(w, told, end))
            return false;
        told = end;
    }
    if (w->out.buf->tail == empty)
        return turn_refuse(w->why, FAULT_INVALID_REQUEST, span_text(w->r->names->messages),
                           "it holds nothing but system messages");
    put(w, "]");
    return true;
}

/* --- thinking -------------------------------------------------------------------------------------- */

static uint64_t budget_of(const struct writing *w, enum turn_effort effort)
{
    uint64_t budget = wire_budget(w->r, effort, w->max_tokens);
    return budget < w->max_tokens ? budget : w->max_tokens - 1;
}

static bool is_forced(const struct turn_request *r)
{
    return r->choice == CHOICE_REQUIRED || r->choice == CHOICE_NAMED;
}

static bool can_think(const struct writing *w, enum turn_effort effort)
{
    return !is_forced(w->r) && wire_takes_effort(w, effort) &&
           !(takes(w, FACT_THINKING_BUDGET) && budget_of(w, effort) < BUDGET_MIN);
}

static void put_thinking(struct writing *w)
{
    bool by_budget = takes(w, FACT_THINKING_BUDGET);
    enum turn_effort effort = wire_effort(w->r);
    if (by_budget && wire_thinks_freely(w->r))
        effort = EFFORT_HIGH; /* what a model does that is left to itself */
    if (effort == EFFORT_UNSAID && !wire_thinks_freely(w->r))
        return;
    if (effort == EFFORT_NONE && takes(w, FACT_THINKING_OFF)) {
        put(w, ",\"thinking\":{\"type\":\"disabled\"}");
        return;
    }
    if (!can_think(w, effort)) {
        turn_note_dropped(w->notes, "reasoning");
        return;
    }
    w->thinks = true;
    if (by_budget) {
        put(w, ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":");
        json_out_u64(&w->out, budget_of(w, effort));
    } else {
        put(w, ",\"thinking\":{\"type\":\"adaptive\"");
    }
    put(w, w->r->thinking_is_hidden ? ",\"display\":\"omitted\"}" : "}");
}

/* `"output_config":{…}` of effort and format. */
static bool put_output_config(struct writing *w)
{
    const struct turn_request *r = w->r;
    enum turn_effort effort = wire_effort(r);
    bool has_effort = w->thinks && !takes(w, FACT_THINKING_BUDGET) && effort != EFFORT_UNSAID;
    if (r->format == FORMAT_JSON)
        return refuse(w, span_text(w->r->names->format),
                      "this model has no json_object: use json_schema, or ask for JSON in words");
    if (!has_effort && r->format != FORMAT_SCHEMA)
        return true;
    put(w, ",\"output_config\":{");
    if (has_effort) {
        put(w, "\"effort\":\"");
        put(w, wire_effort_word(w, effort));
        put(w, "\"");
    }
    if (r->format == FORMAT_SCHEMA) {
        put_comma(w);
        put(w, "\"format\":{\"type\":\"json_schema\",\"schema\":");
        json_out_span(&w->out, r->format_schema);
        put(w, "}");
    }
    put(w, "}");
    return true;
}

/* --- parameters ----------------------------------------------------------------------------------- */

static void put_temperature(struct writing *w)
{
    char text[32];
    struct span t = w->r->temperature;
    if (t.len == 0)
        return;
    size_t n = t.len < sizeof text - 1 ? t.len : sizeof text - 1;
    memcpy(text, t.at, n);
    text[n] = '\0';
    if (strtod(text, NULL) > 1) {
        turn_note_dropped(w->notes, "temperature above 1");
        t = SPAN_LIT("1");
    }
    put_lexeme(w, "temperature", t);
}

static void put_sampling(struct writing *w)
{
    const struct turn_request *r = w->r;
    bool said = r->temperature.len > 0 || r->top_p.len > 0 || r->top_k.len > 0;
    if (said && (w->thinks || !takes(w, FACT_SAMPLING))) {
        turn_note_dropped(w->notes, "temperature, top_p and top_k");
        return;
    }
    put_temperature(w);
    put_lexeme(w, "top_p", r->top_p);
    put_lexeme(w, "top_k", r->top_k);
}

static void put_stop(struct writing *w)
{
    struct span stop = w->r->stop, item;
    size_t cursor = 0, before = w->out.buf->tail;
    bool is_one = stop.len > 0 && stop.at[0] == '"';
    if (stop.len == 0 || (is_one && raw_text_is_blank(json_raw(stop))))
        return;
    put(w, ",\"stop_sequences\":[");
    size_t empty = w->out.buf->tail;
    if (is_one)
        json_out_span(&w->out, stop);
    while (json_each(stop, &cursor, &item)) { /* what is blank alone is refused */
        if (raw_text_is_blank(json_raw(item)))
            continue;
        put_comma(w);
        json_out_span(&w->out, item);
    }
    if (w->out.buf->tail == empty)
        w->out.buf->tail = before;
    else
        put(w, "]");
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
        {r->cache_key, "prompt_cache_key"},
        {r->context_management, "context_management"},
        {json_is_true(r->store) ? r->store : SPAN_NONE, "store"},
        {r->allowed != NULL ? SPAN_LIT("tools") : SPAN_NONE, "tools that are not allowed"},
    };
    wire_note_said(w, fields, sizeof fields / sizeof fields[0]);
    wire_note_names(w->r, w->notes);
}

static void put_rest(struct writing *w)
{
    put_sampling(w);
    put_stop(w);
    if (w->r->user.len > 0) {
        put(w, ",\"metadata\":{\"user_id\":");
        json_out_raw(&w->out, w->r->user);
        put(w, "}");
    }
    if (takes(w, FACT_CACHE_PREFIX) && !wire_has_cache_control(w->r))
        put(w, ",\"cache_control\":{\"type\":\"ephemeral\"}");
    if (w->r->stream && !w->o->streams_by_path)
        put(w, ",\"stream\":true");
    put(w, "}");
}

static void put_head(struct writing *w)
{
    if (!json_u64(w->r->max_tokens, &w->max_tokens) || w->max_tokens == 0)
        w->max_tokens = w->o->default_max_tokens;
    if (w->o->model_instead.len > 0) {
        put(w, "{");
        json_out_span(&w->out, w->o->model_instead);
    } else {
        put(w, "{\"model\":");
        json_out_bytes(&w->out, w->o->model);
    }
    put(w, ",\"max_tokens\":");
    json_out_u64(&w->out, w->max_tokens);
}

bool messages_wire_takes_url(const struct turn_part *p, const struct wire_options *o)
{
    return o->model_instead.len == 0 || p->kind == PART_VIDEO;
}

bool messages_wire_write(const struct turn_request *r, const struct wire_options *o,
                         struct arena *a, struct buf *out, struct turn_notes *notes,
                         struct fault *why)
{
    struct writing w = {
        .r = r, .o = o, .a = a, .out = json_out_to(out), .notes = notes, .why = why};
    if (r->last_message == NULL)
        return turn_refuse(why, FAULT_INVALID_REQUEST, span_text(r->names->messages),
                           "it is empty");
    if (!wire_check_answer(r, why) || !wire_check_logprobs(r, why) || !wire_check_roles(r, why))
        return false;
    strip_prefill(r);
    put_head(&w);
    if (!put_system(&w) || !put_messages(&w) || !messages_put_tools(&w))
        return false;
    put_thinking(&w);
    if (!put_output_config(&w))
        return false;
    put_rest(&w);
    note_dropped(&w);
    if (w.out.rc == 0)
        return true;
    *why = (struct fault){.kind = FAULT_OVERLOADED, .message = "out of memory"};
    return false;
}
