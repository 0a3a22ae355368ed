#include "sluice/codec/messages_reader.h"

#include "sluice/codec/provider_error.h"
#include "sluice/format/json_walk.h"

#include <stdio.h>

void messages_reader_init(struct messages_reader *r, turn_event_fn emit, void *arg)
{
    *r = (struct messages_reader){.emit = emit, .arg = arg};
}

void messages_reader_fini(struct messages_reader *r)
{
    buf_fini(&r->input);
}

/* --- emitting ------------------------------------------------------------------------------------- */

static void emit(struct messages_reader *r, const struct turn_event *e)
{
    if (r->is_over)
        return;
    r->is_over = e->kind == TURN_END || e->kind == TURN_FAULT;
    if (!r->emit(r->arg, e))
        r->is_over = true;
}

static void fail(struct messages_reader *r, const char *problem)
{
    struct fault f = {.kind = FAULT_UPSTREAM};
    snprintf(f.message, sizeof f.message, "%s", problem);
    emit(r, &(struct turn_event){.kind = TURN_FAULT, .fault = &f});
}

static void fail_with(struct messages_reader *r, struct span error)
{
    struct fault f;
    provider_error_read(error, &f);
    emit(r, &(struct turn_event){.kind = TURN_FAULT, .fault = &f});
}

static void emit_text(struct messages_reader *r, enum turn_event_kind kind, struct span text)
{
    if (text.len > 0)
        emit(r, &(struct turn_event){.kind = kind, .slot = r->slot, .text = text});
}

/* --- blocks --------------------------------------------------------------------------------------- */

/* What the object of a block, or of a delta, holds. */
struct content {
    struct span type, text, thinking, signature, data, id, name, partial, input, citation,
        citations;
};

static struct content read_content(struct span object)
{
    struct content c = {0};
    struct json_walk w;
    json_walk_init(&w, object);
    while (json_walk_next(&w)) {
        struct span raw = json_raw(w.value);
        if (json_walk_is(&w, "type"))
            c.type = raw;
        else if (json_walk_is(&w, "text"))
            c.text = raw;
        else if (json_walk_is(&w, "partial_json"))
            c.partial = raw;
        else if (json_walk_is(&w, "thinking"))
            c.thinking = raw;
        else if (json_walk_is(&w, "signature"))
            c.signature = raw;
        else if (json_walk_is(&w, "data"))
            c.data = raw;
        else if (json_walk_is(&w, "id"))
            c.id = raw;
        else if (json_walk_is(&w, "name"))
            c.name = raw;
        else if (json_walk_is(&w, "input") && w.kind == JSON_OBJECT)
            c.input = w.value;
        else if (json_walk_is(&w, "citation") && w.kind == JSON_OBJECT)
            c.citation = w.value;
        else if (json_walk_is(&w, "citations") && w.kind == JSON_ARRAY)
            c.citations = w.value;
    }
    return c;
}

static void close_block(struct messages_reader *r)
{
    if (r->block == READ_CALL) {
        if (!r->has_arguments)
            emit_text(r, TURN_ARGUMENTS, buf_span(&r->input));
        emit(r, &(struct turn_event){.kind = TURN_CALL_END, .slot = r->slot});
    }
    buf_clear(&r->input);
    r->block = READ_NONE;
}

static void open_block(struct messages_reader *r, enum read_block block, uint64_t index)
{
    close_block(r);
    r->block = block;
    r->index = index;
    r->slot = r->slots++;
    r->has_arguments = false;
}

/* Only web pages have an address that other protocols could cite. */
static void emit_citation(struct messages_reader *r, struct span citation)
{
    struct turn_event e = {.kind = TURN_CITATION, .slot = r->slot};
    struct json_walk w;
    json_walk_init(&w, citation);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "url"))
            e.citation.url = json_raw(w.value);
        else if (json_walk_is(&w, "title"))
            e.citation.title = json_raw(w.value);
        else if (json_walk_is(&w, "cited_text"))
            e.citation.cited = json_raw(w.value);
    }
    if (e.citation.url.len > 0)
        emit(r, &e);
}

static void open_call(struct messages_reader *r, const struct content *c, uint64_t index)
{
    open_block(r, READ_CALL, index);
    if (c->id.len == 0 || c->name.len == 0) {
        fail(r, "a tool call has no id or no name");
        return;
    }
    emit(r, &(struct turn_event){.kind = TURN_CALL, .slot = r->slot, .id = c->id, .name = c->name});
    bool is_filled = c->input.len > 2 && span_find(c->input, SPAN_LIT("\"")) != SIZE_MAX;
    if (is_filled && buf_add_json(&r->input, c->input) < 0)
        fail(r, "out of memory");
}

static void start_block(struct messages_reader *r, struct span block, uint64_t index)
{
    struct content c = read_content(block);
    struct span citation;
    size_t cursor = 0;
    if (span_eq(c.type, SPAN_LIT("text"))) {
        open_block(r, READ_TEXT, index);
        emit_text(r, TURN_TEXT, c.text);
        while (json_each(c.citations, &cursor, &citation))
            emit_citation(r, citation);
    } else if (span_eq(c.type, SPAN_LIT("thinking"))) {
        open_block(r, READ_THINKING, index);
        emit_text(r, TURN_REASONING, c.thinking);
        emit_text(r, TURN_PROOF, c.signature);
    } else if (span_eq(c.type, SPAN_LIT("redacted_thinking"))) {
        open_block(r, READ_HIDDEN, index);
        emit_text(r, TURN_REDACTED, c.data);
    } else if (span_eq(c.type, SPAN_LIT("tool_use"))) {
        open_call(r, &c, index);
    } else {
        open_block(r, READ_HIDDEN, index);
    }
}

/* A block whose start was lost is opened by what its first delta says it is. */
static bool find_block(struct messages_reader *r, const struct content *c, uint64_t index)
{
    if (r->block != READ_NONE && r->index == index)
        return true;
    if (span_eq(c->type, SPAN_LIT("text_delta")))
        open_block(r, READ_TEXT, index);
    else if (span_eq(c->type, SPAN_LIT("thinking_delta")) ||
             span_eq(c->type, SPAN_LIT("signature_delta")))
        open_block(r, READ_THINKING, index);
    else if (span_eq(c->type, SPAN_LIT("input_json_delta")))
        fail(r, "arguments came for a tool call that never began");
    return !r->is_over && r->block != READ_NONE && r->index == index;
}

static void take_delta(struct messages_reader *r, struct span delta, uint64_t index)
{
    struct content c = read_content(delta);
    if (!find_block(r, &c, index) || r->block == READ_HIDDEN)
        return;
    if (r->block == READ_TEXT) {
        emit_text(r, TURN_TEXT, c.text);
        if (c.citation.len > 0)
            emit_citation(r, c.citation);
    } else if (r->block == READ_THINKING) {
        emit_text(r, TURN_REASONING, c.thinking);
        emit_text(r, TURN_PROOF, c.signature);
    } else if (r->block == READ_CALL && c.partial.len > 0) {
        r->has_arguments = true;
        emit_text(r, TURN_ARGUMENTS, c.partial);
    }
}

/* --- the message ---------------------------------------------------------------------------------- */

static const struct {
    struct span word;
    enum turn_stop stop;
} stops[] = {
#define STOP(text, stop) {{(const uint8_t *)(text), sizeof(text) - 1}, stop}
    STOP("end_turn", STOP_END),
    STOP("max_tokens", STOP_LENGTH),
    STOP("stop_sequence", STOP_SEQUENCE),
    STOP("tool_use", STOP_CALLS),
    STOP("pause_turn", STOP_PAUSE),
    STOP("refusal", STOP_REFUSAL),
    STOP("model_context_window_exceeded", STOP_CONTEXT),
};

/* A refusal that had no content is told by its explanation (protocols.md §6.1). */
static void explain_refusal(struct messages_reader *r, struct span details)
{
    struct json_walk w;
    json_walk_init(&w, details);
    while (json_walk_next(&w)) {
        if (!json_walk_is(&w, "explanation"))
            continue;
        r->slot = r->slots++;
        emit_text(r, TURN_REFUSAL, json_raw(w.value));
    }
}

/* `object` has stop_reason and stop_sequence: a delta, or a whole message. */
static void take_stop(struct messages_reader *r, struct span object)
{
    struct turn_event e = {.kind = TURN_STOP, .stop = STOP_END};
    struct span details = SPAN_NONE;
    struct json_walk w;
    json_walk_init(&w, object);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "stop_reason"))
            e.native = json_raw(w.value);
        else if (json_walk_is(&w, "stop_sequence"))
            e.text = json_raw(w.value);
        else if (json_walk_is(&w, "stop_details") && w.kind == JSON_OBJECT)
            details = w.value;
    }
    if (e.native.len == 0 || r->has_stopped)
        return;
    for (unsigned i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        if (span_eq(e.native, stops[i].word))
            e.stop = stops[i].stop;
    }
    close_block(r);
    if (e.stop == STOP_REFUSAL && r->slots == 0)
        explain_refusal(r, details);
    r->has_stopped = true;
    emit(r, &e);
}

static void take_usage(struct messages_reader *r, struct span usage)
{
    if (usage.len > 0 && usage_read_messages(&r->usage, usage))
        emit(r, &(struct turn_event){.kind = TURN_USAGE, .usage = &r->usage});
}

static void finish(struct messages_reader *r)
{
    close_block(r);
    if (r->has_stopped)
        emit(r, &(struct turn_event){.kind = TURN_END});
    else
        fail(r, "the provider's answer ended before it was complete");
}

/* --- events and whole answers ---------------------------------------------------------------------- */

struct message {
    struct span type, message, delta, block, usage, error, id, model, content;
    uint64_t index;
    bool has_index;
};

static bool read_message(struct span data, struct message *m)
{
    struct json_walk w;
    *m = (struct message){.index = 0};
    json_walk_init(&w, data);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "type"))
            m->type = json_raw(w.value);
        else if (json_walk_is(&w, "index"))
            m->has_index = json_u64(w.value, &m->index);
        else if (json_walk_is(&w, "delta"))
            m->delta = w.value;
        else if (json_walk_is(&w, "content_block"))
            m->block = w.value;
        else if (json_walk_is(&w, "message"))
            m->message = w.value;
        else if (json_walk_is(&w, "usage") && w.kind == JSON_OBJECT)
            m->usage = w.value;
        else if (json_walk_is(&w, "error") && w.kind != JSON_NULL)
            m->error = w.value;
        else if (json_walk_is(&w, "id"))
            m->id = json_raw(w.value);
        else if (json_walk_is(&w, "model"))
            m->model = json_raw(w.value);
        else if (json_walk_is(&w, "content"))
            m->content = w.value;
    }
    return json_walk_is_complete(&w);
}

static void start(struct messages_reader *r, const struct message *m)
{
    if (r->has_started) {
        if (r->slots > 0)
            fail(r, "the provider began its answer anew in the middle");
        return; /* twice before any content does no harm */
    }
    r->has_started = true;
    take_usage(r, m->usage); /* before START, so that a writer can name it at its beginning */
    emit(r, &(struct turn_event){.kind = TURN_START, .id = m->id, .name = m->model});
}

static void take_event(struct messages_reader *r, const struct message *m)
{
    struct message inner;
    if (span_eq(m->type, SPAN_LIT("content_block_delta"))) {
        take_delta(r, m->delta, m->index);
    } else if (span_eq(m->type, SPAN_LIT("content_block_start"))) {
        start_block(r, m->block, m->index);
    } else if (span_eq(m->type, SPAN_LIT("content_block_stop"))) {
        if (!m->has_index || m->index == r->index) /* else late: the next one's start closed it */
            close_block(r);
    } else if (span_eq(m->type, SPAN_LIT("message_start"))) {
        if (read_message(m->message, &inner))
            start(r, &inner);
    } else if (span_eq(m->type, SPAN_LIT("message_delta"))) {
        take_usage(r, m->usage);
        take_stop(r, m->delta);
    } else if (span_eq(m->type, SPAN_LIT("message_stop"))) {
        finish(r);
    }
}

void messages_reader_event(struct messages_reader *r, struct span data)
{
    struct message m;
    if (r->is_over)
        return;
    if (!read_message(data, &m))
        fail(r, "the provider's stream holds an event that is not a JSON object");
    else if (m.error.len > 0)
        fail_with(r, m.error);
    else
        take_event(r, &m);
}

void messages_reader_end(struct messages_reader *r)
{
    if (!r->is_over)
        finish(r);
}

void messages_reader_whole(struct messages_reader *r, struct span body)
{
    struct message m;
    struct span block;
    size_t cursor = 0;
    if (!read_message(body, &m)) {
        fail(r, "the provider's answer is not a JSON object");
        return;
    }
    if (m.error.len > 0) {
        fail_with(r, m.error);
        return;
    }
    start(r, &m);
    for (uint64_t i = 0; !r->is_over && json_each(m.content, &cursor, &block); i++)
        start_block(r, block, i);
    take_stop(r, body);
    finish(r);
}
