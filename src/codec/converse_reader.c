#include "sluice/codec/converse_reader.h"

#include "sluice/codec/bedrock_error.h"
#include "sluice/format/json_walk.h"

#include <stdio.h>

void converse_reader_init(struct converse_reader *r, turn_event_fn emit, void *arg)
{
    *r = (struct converse_reader){.emit = emit, .arg = arg};
}

void converse_reader_fini(struct converse_reader *r)
{
    buf_fini(&r->arguments);
}

/* --- emitting ------------------------------------------------------------------------------------- */

static void emit(struct converse_reader *r, const struct turn_event *e)
{
    if (r->is_over)
        return;
    r->is_over = e->kind == TURN_END || e->kind == TURN_FAULT;
    if (!r->emit(r->arg, e))
        r->is_over = true;
}

static void fail(struct converse_reader *r, const char *problem)
{
    struct fault f = {.kind = FAULT_UPSTREAM};
    snprintf(f.message, sizeof f.message, "%s", problem);
    emit(r, &(struct turn_event){.kind = TURN_FAULT, .fault = &f});
}

static void emit_text(struct converse_reader *r, enum turn_event_kind kind, struct span text)
{
    if (text.len > 0)
        emit(r, &(struct turn_event){.kind = kind, .slot = r->slot, .text = text});
}

static void start(struct converse_reader *r)
{
    if (!r->has_started)
        emit(r, &(struct turn_event){.kind = TURN_START});
    r->has_started = true;
}

/* --- blocks --------------------------------------------------------------------------------------- */

static void close_block(struct converse_reader *r)
{
    if (r->block == CONVERSE_CALL)
        emit(r, &(struct turn_event){.kind = TURN_CALL_END, .slot = r->slot});
    r->block = CONVERSE_NONE;
}

static void open_block(struct converse_reader *r, enum converse_block block, uint64_t index)
{
    close_block(r);
    r->block = block;
    r->index = index;
    r->slot = r->slots++;
}

/* Goes on with the block under way if it is that one. */
static void enter_block(struct converse_reader *r, enum converse_block block, uint64_t index)
{
    if (r->block != block || r->index != index)
        open_block(r, block, index);
}

/* What a tool use says of itself, at its start or whole. */
static void open_call(struct converse_reader *r, struct span use, uint64_t index)
{
    struct turn_event e = {.kind = TURN_CALL};
    struct span input = SPAN_NONE;
    struct json_walk w;
    json_walk_init(&w, use);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "toolUseId"))
            e.id = json_raw(w.value);
        else if (json_walk_is(&w, "name"))
            e.name = json_raw(w.value);
        else if (json_walk_is(&w, "input") && w.kind == JSON_OBJECT)
            input = w.value;
    }
    open_block(r, CONVERSE_CALL, index);
    e.slot = r->slot;
    if (e.id.len == 0 || e.name.len == 0) {
        r->block = CONVERSE_NONE;
        fail(r, "a tool call has no id or no name");
        return;
    }
    emit(r, &e);
    buf_clear(&r->arguments);
    if (input.len > 2 && buf_add_json(&r->arguments, input) < 0)
        fail(r, "out of memory");
    emit_text(r, TURN_ARGUMENTS, buf_span(&r->arguments));
}

/* reasoningContent: `text`, `signature` and `redactedContent` stand in it in a delta; whole, the
 * first two stand in its reasoningText. */
static void take_reasoning(struct converse_reader *r, struct span reasoning, uint64_t index)
{
    struct json_member inner;
    struct json_walk w;
    if (json_get(reasoning, "reasoningText", &inner))
        reasoning = json_value(reasoning, &inner);
    json_walk_init(&w, reasoning);
    enter_block(r, CONVERSE_THOUGHT, index);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "text"))
            emit_text(r, TURN_REASONING, json_raw(w.value));
        else if (json_walk_is(&w, "signature"))
            emit_text(r, TURN_PROOF, json_raw(w.value));
        else if (json_walk_is(&w, "redactedContent"))
            emit_text(r, TURN_REDACTED, json_raw(w.value));
    }
}

static void take_input(struct converse_reader *r, struct span use, uint64_t index)
{
    struct json_member m;
    if (r->block != CONVERSE_CALL || r->index != index)
        fail(r, "arguments came for a tool call that never began");
    else if (json_get(use, "input", &m))
        emit_text(r, TURN_ARGUMENTS, json_raw(json_value(use, &m)));
}

/* A delta, or a whole block: they differ in calls alone. */
static void take_content(struct converse_reader *r, struct span object, uint64_t index, bool whole)
{
    struct json_walk w;
    json_walk_init(&w, object);
    while (!r->is_over && json_walk_next(&w)) {
        if (json_walk_is(&w, "text")) {
            enter_block(r, CONVERSE_TEXT, index);
            emit_text(r, TURN_TEXT, json_raw(w.value));
        } else if (json_walk_is(&w, "reasoningContent")) {
            take_reasoning(r, w.value, index);
        } else if (json_walk_is(&w, "toolUse")) {
            if (whole)
                open_call(r, w.value, index);
            else
                take_input(r, w.value, index);
        }
    }
}

static void start_block(struct converse_reader *r, struct span start, uint64_t index)
{
    struct json_member use;
    if (json_get(start, "toolUse", &use))
        open_call(r, json_value(start, &use), index);
    else
        open_block(r, CONVERSE_OTHER, index);
}

/* --- stop and usage ------------------------------------------------------------------------------- */

static const struct {
    struct span word;
    enum turn_stop stop; /* STOP_NONE: the answer is of no use */
} stops[] = {
#define STOP(text, stop) {{(const uint8_t *)(text), sizeof(text) - 1}, stop}
    STOP("end_turn", STOP_END),
    STOP("tool_use", STOP_CALLS),
    STOP("max_tokens", STOP_LENGTH),
    STOP("stop_sequence", STOP_SEQUENCE),
    STOP("guardrail_intervened", STOP_REFUSAL),
    STOP("content_filtered", STOP_REFUSAL),
    STOP("model_context_window_exceeded", STOP_CONTEXT),
    STOP("malformed_model_output", STOP_NONE),
    STOP("malformed_tool_use", STOP_NONE),
};

static void take_stop(struct converse_reader *r, struct span word)
{
    enum turn_stop stop = STOP_END;
    if (word.len == 0 || r->has_stopped)
        return;
    for (unsigned i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        if (span_eq(word, stops[i].word))
            stop = stops[i].stop;
    }
    if (stop == STOP_NONE) {
        fail(r, "the model's answer is unusable: the provider found it malformed");
        return;
    }
    close_block(r);
    r->has_stopped = true;
    emit(r, &(struct turn_event){.kind = TURN_STOP, .stop = stop, .native = word});
}

static void take_usage(struct converse_reader *r, struct span object)
{
    struct usage u = {.source = USAGE_NONE};
    if (usage_read_converse(&u, object))
        emit(r, &(struct turn_event){.kind = TURN_USAGE, .usage = &u});
}

static void finish(struct converse_reader *r)
{
    close_block(r);
    if (r->has_stopped)
        emit(r, &(struct turn_event){.kind = TURN_END});
    else
        fail(r, "the provider's answer ended before it was complete");
}

/* --- errors --------------------------------------------------------------------------------------- */

/* `body` has the message: {"message":"…"}. */
static void fail_with(struct converse_reader *r, struct span type, struct span body)
{
    struct fault f;
    bedrock_exception_read(type, body, &f);
    emit(r, &(struct turn_event){.kind = TURN_FAULT, .fault = &f});
}

void converse_reader_error(struct converse_reader *r, struct span code, struct span message)
{
    struct fault f;
    bedrock_error_read(code, message, &f);
    emit(r, &(struct turn_event){.kind = TURN_FAULT, .fault = &f});
}

/* --- events and whole answers ---------------------------------------------------------------------- */

struct payload {
    struct span start, delta, stop, usage, output, message;
    uint64_t index;
};

static bool read_payload(struct span text, struct payload *p)
{
    struct json_walk w;
    *p = (struct payload){.index = 0};
    json_walk_init(&w, text);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "contentBlockIndex"))
            (void)json_u64(w.value, &p->index);
        else if (json_walk_is(&w, "start"))
            p->start = w.value;
        else if (json_walk_is(&w, "delta"))
            p->delta = w.value;
        else if (json_walk_is(&w, "stopReason"))
            p->stop = json_raw(w.value);
        else if (json_walk_is(&w, "usage"))
            p->usage = w.value;
        else if (json_walk_is(&w, "output"))
            p->output = w.value;
        else if (json_walk_is(&w, "message"))
            p->message = w.value;
    }
    return json_walk_is_complete(&w);
}

static void take_event(struct converse_reader *r, struct span type, const struct payload *p)
{
    if (span_eq(type, SPAN_LIT("contentBlockDelta"))) {
        take_content(r, p->delta, p->index, false);
    } else if (span_eq(type, SPAN_LIT("contentBlockStart"))) {
        start_block(r, p->start, p->index);
    } else if (span_eq(type, SPAN_LIT("contentBlockStop"))) {
        if (r->index == p->index)
            close_block(r);
    } else if (span_eq(type, SPAN_LIT("messageStop"))) {
        take_stop(r, p->stop);
    } else if (span_eq(type, SPAN_LIT("metadata"))) {
        take_usage(r, p->usage);
        if (r->has_stopped)
            finish(r);
    }
}

void converse_reader_event(struct converse_reader *r, struct span type, struct span payload)
{
    struct payload p;
    if (r->is_over)
        return;
    if (bedrock_is_exception(type)) {
        fail_with(r, type, payload);
    } else if (!read_payload(payload, &p)) {
        fail(r, "the provider's stream holds an event that is not a JSON object");
    } else {
        start(r);
        take_event(r, type, &p);
    }
}

void converse_reader_end(struct converse_reader *r)
{
    if (!r->is_over)
        finish(r);
}

static void take_message(struct converse_reader *r, struct span output)
{
    struct json_member message, content;
    struct span block;
    size_t cursor = 0;
    if (!json_get(output, "message", &message))
        return;
    struct span text = json_value(output, &message);
    if (!json_get(text, "content", &content))
        return;
    struct span blocks = json_value(text, &content);
    for (uint64_t i = 0; !r->is_over && json_each(blocks, &cursor, &block); i++)
        take_content(r, block, i, true);
}

void converse_reader_whole(struct converse_reader *r, struct span body)
{
    struct payload p;
    if (!read_payload(body, &p)) {
        fail(r, "the provider's answer is not a JSON object");
        return;
    }
    if (p.output.len == 0 && p.message.len > 0) {
        fail_with(r, SPAN_NONE, body);
        return;
    }
    start(r);
    take_message(r, p.output);
    take_stop(r, p.stop);
    take_usage(r, p.usage);
    if (!r->is_over)
        finish(r);
}
