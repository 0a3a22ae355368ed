#include "sluice/codec/chat_reader.h"

#include "thought_signature.h"

#include "sluice/codec/chat_details.h"
#include "sluice/codec/proof.h"
#include "sluice/codec/provider_error.h"
#include "sluice/format/json_walk.h"

#include <stdio.h>
#include <stdlib.h>

void chat_reader_init(struct chat_reader *r, turn_event_fn emit, void *arg)
{
    *r = (struct chat_reader){.emit = emit, .arg = arg};
}

void chat_reader_fini(struct chat_reader *r)
{
    for (unsigned i = 0; i < r->ncalls; i++) {
        buf_fini(&r->calls[i].id);
        buf_fini(&r->calls[i].held);
    }
    free(r->calls);
    buf_fini(&r->scratch);
    r->calls = NULL;
    r->ncalls = 0;
}

/* --- emitting ----------------------------------------------------------------------------------- */

static void emit(struct chat_reader *r, const struct turn_event *e)
{
    if (r->is_over)
        return;
    r->is_over = e->kind == TURN_END || e->kind == TURN_FAULT;
    if (!r->emit(r->arg, e))
        r->is_over = true;
}

static void fail(struct chat_reader *r, const char *problem)
{
    struct fault f = {.kind = FAULT_UPSTREAM};
    snprintf(f.message, sizeof f.message, "%s", problem);
    emit(r, &(struct turn_event){.kind = TURN_FAULT, .fault = &f});
}

static void fail_with(struct chat_reader *r, struct span error)
{
    struct fault f;
    provider_error_read(error, &f);
    emit(r, &(struct turn_event){.kind = TURN_FAULT, .fault = &f});
}

/* The slot of a text of this kind: the one under way, or a new one. */
static unsigned slot_for(struct chat_reader *r, enum chat_block block)
{
    if (r->block != block) {
        r->block = block;
        r->block_slot = r->slots++;
    }
    return r->block_slot;
}

static void emit_text(struct chat_reader *r, enum turn_event_kind kind, enum chat_block block,
                      struct span text)
{
    if (text.len > 0)
        emit(r, &(struct turn_event){.kind = kind, .slot = slot_for(r, block), .text = text});
}

/* --- tool calls --------------------------------------------------------------------------------- */

struct call_delta {
    bool has_index, is_custom;
    uint64_t index;
    struct span id, name, arguments; /* raw; arguments: the value when it is an object */
    struct span signature;           /* Gemini's, raw */
    bool arguments_are_value;
};

static struct chat_call *new_call(struct chat_reader *r, unsigned index)
{
    if (r->calls == NULL)
        r->calls = calloc(CHAT_CALLS_MAX, sizeof *r->calls);
    if (r->calls == NULL || r->ncalls == CHAT_CALLS_MAX) {
        fail(r, "the answer holds more tool calls than can be followed");
        return NULL;
    }
    r->last_call = r->ncalls;
    struct chat_call *c = &r->calls[r->ncalls++];
    *c = (struct chat_call){.index = index};
    return c;
}

static bool is_same_id(const struct chat_call *c, struct span id)
{
    return id.len == 0 || span_eq(buf_span(&c->id), id);
}

/* Which call a delta belongs to. Without an index: a new id or, where there are none, a new name
 * begins a call, anything else continues the last one; several in one delta are told apart by where
 * they stand. An id that comes after we had to make one up changes nothing. */
static struct chat_call *find_call(struct chat_reader *r, const struct call_delta *d,
                                   unsigned position)
{
    struct chat_call *last = r->ncalls > 0 ? &r->calls[r->last_call] : NULL;
    if (!d->has_index && d->id.len == 0 && position == 0 && last != NULL &&
        !(last->is_open && d->name.len > 0))
        return last;
    for (unsigned i = r->ncalls; i > 0; i--) {
        struct chat_call *c = &r->calls[i - 1];
        bool is_it = d->has_index ? c->index == d->index && (c->is_minted || is_same_id(c, d->id))
                                  : d->id.len > 0 && is_same_id(c, d->id);
        if (is_it || (d->has_index && c->index == d->index && buf_len(&c->id) == 0)) {
            r->last_call = i - 1;
            return c;
        }
    }
    return new_call(r, d->has_index ? (unsigned)d->index : r->ncalls);
}

static void emit_arguments(struct chat_reader *r, const struct chat_call *c, struct span piece)
{
    if (piece.len > 0)
        emit(r, &(struct turn_event){.kind = TURN_ARGUMENTS, .slot = c->slot, .text = piece});
}

static void emit_signature(struct chat_reader *r, struct span signature)
{
    if (signature.len > 0)
        emit(r, &(struct turn_event){.kind = TURN_PROOF,
                                     .slot = r->slots++,
                                     .text = signature,
                                     .family = PROOF_GEMINI,
                                     .is_of_call = true});
}

static void open_call(struct chat_reader *r, struct chat_call *c, const struct call_delta *d)
{
    char minted[32];
    emit_signature(r, d->signature);
    c->slot = r->slots++;
    if (buf_len(&c->id) == 0) { /* every target pairs calls and results by id */
        c->is_minted = true;
        int n = snprintf(minted, sizeof minted, "call_%u", c->slot);
        if (buf_add(&c->id, span_of(minted, (size_t)n)) < 0) {
            fail(r, "out of memory");
            return;
        }
    }
    c->is_open = true;
    r->block = CHAT_BLOCK_NONE;
    emit(r, &(struct turn_event){.kind = TURN_CALL,
                                 .slot = c->slot,
                                 .id = buf_span(&c->id),
                                 .name = d->name,
                                 .is_custom = d->is_custom});
    emit_arguments(r, c, buf_span(&c->held));
    buf_fini(&c->held);
}

static void hold_arguments(struct chat_reader *r, struct chat_call *c, struct span piece)
{
    if (buf_len(&c->held) + piece.len > CHAT_HELD_MAX)
        fail(r, "a tool call's arguments came without the name of its function");
    else if (buf_add(&c->held, piece) < 0)
        fail(r, "out of memory");
}

static void read_function(struct span function, struct call_delta *d)
{
    struct json_walk w;
    json_walk_init(&w, function);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "name")) {
            d->name = json_raw(w.value);
        } else if (json_walk_is(&w, "arguments") || json_walk_is(&w, "input")) {
            d->arguments_are_value = w.kind == JSON_OBJECT;
            d->arguments = d->arguments_are_value ? w.value : json_raw(w.value);
        }
    }
}

static struct call_delta read_call(struct span item)
{
    struct call_delta d = {.signature = thought_signature_of(item)};
    struct json_walk w;
    json_walk_init(&w, item);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "index")) {
            d.has_index = json_u64(w.value, &d.index) && d.index <= UINT32_MAX;
        } else if (json_walk_is(&w, "id")) {
            d.id = json_raw(w.value);
        } else if (json_walk_is(&w, "function")) {
            read_function(w.value, &d);
        } else if (json_walk_is(&w, "custom")) {
            read_function(w.value, &d);
            d.is_custom = true;
        }
    }
    return d;
}

static void take_call(struct chat_reader *r, const struct call_delta *d, unsigned position)
{
    struct chat_call *c = find_call(r, d, position);
    struct span piece = d->arguments;
    if (c == NULL)
        return;
    if (d->arguments_are_value) { /* some servers forget that it is a string */
        buf_clear(&r->scratch);
        if (buf_add_json(&r->scratch, piece) < 0) {
            fail(r, "out of memory");
            return;
        }
        piece = buf_span(&r->scratch);
    }
    if (c->is_open) {
        emit_arguments(r, c, piece);
        return;
    }
    if (buf_len(&c->id) == 0 && buf_add(&c->id, d->id) < 0) {
        fail(r, "out of memory");
        return;
    }
    if (d->name.len > 0) {
        open_call(r, c, d);
        emit_arguments(r, c, piece);
    } else {
        hold_arguments(r, c, piece);
    }
}

static void take_calls(struct chat_reader *r, struct span calls)
{
    struct span item;
    size_t cursor = 0;
    unsigned position = 0;
    while (!r->is_over && json_each(calls, &cursor, &item)) {
        struct call_delta d = read_call(item);
        if (r->is_whole) { /* each is a call of its own, whatever its id */
            d.has_index = true;
            d.index = position;
        }
        take_call(r, &d, position++);
    }
}

/* --- reasoning ---------------------------------------------------------------------------------- */

static void take_proof(struct chat_reader *r, struct span proof, struct span id)
{
    if (proof.len == 0)
        return;
    emit(r, &(struct turn_event){.kind = TURN_PROOF,
                                 .slot = slot_for(r, CHAT_BLOCK_REASONING),
                                 .text = proof,
                                 .id = id});
    r->block = CHAT_BLOCK_NONE; /* a proof is the last of its block */
}

/* OpenRouter's list: one element per piece of text, summary, signature or hidden block. */
static void take_details(struct chat_reader *r, struct span details, struct span otherwise)
{
    struct span item;
    size_t cursor = 0;
    bool has_text = false;
    while (!r->is_over && json_each(details, &cursor, &item)) {
        struct chat_detail d = chat_detail_read(item);
        struct span text = d.text;
        if (text.len == 0 && !has_text && d.data.len > 0) /* encrypted beside a plain text */
            text = otherwise;
        has_text |= text.len > 0;
        emit_text(r, TURN_REASONING, CHAT_BLOCK_REASONING, text);
        take_proof(r, d.signature, SPAN_NONE);
        take_proof(r, d.data, d.id);
    }
}

/* --- content ------------------------------------------------------------------------------------ */

static void take_thinking(struct chat_reader *r, struct span parts)
{
    struct span item;
    struct json_member m;
    size_t cursor = 0;
    while (!r->is_over && json_each(parts, &cursor, &item)) {
        if (json_get(item, "text", &m))
            emit_text(r, TURN_REASONING, CHAT_BLOCK_REASONING, json_raw(json_value(item, &m)));
    }
}

/* Content as a list of parts: Mistral's way to show thinking beside text. */
static void take_parts(struct chat_reader *r, struct span parts)
{
    struct span item;
    struct json_member m;
    size_t cursor = 0;
    while (!r->is_over && json_each(parts, &cursor, &item)) {
        if (json_get(item, "thinking", &m))
            take_thinking(r, json_value(item, &m));
        else if (json_get(item, "text", &m))
            emit_text(r, TURN_TEXT, CHAT_BLOCK_TEXT, json_raw(json_value(item, &m)));
    }
}

struct delta {
    struct span content, parts, refusal, reasoning, details, calls, function, annotations;
};

static struct delta read_delta(struct span value)
{
    struct delta d = {0};
    struct json_walk w;
    json_walk_init(&w, value);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "content") && w.kind == JSON_ARRAY)
            d.parts = w.value;
        else if (json_walk_is(&w, "content"))
            d.content = json_raw(w.value);
        else if (json_walk_is(&w, "refusal"))
            d.refusal = json_raw(w.value);
        else if (json_walk_is(&w, "reasoning_content") ||
                 (json_walk_is(&w, "reasoning") && d.reasoning.len == 0))
            d.reasoning = json_raw(w.value); /* the same text under both names */
        else if (json_walk_is(&w, "reasoning_details") && json_array_is_filled(w.value))
            d.details = w.value;
        else if (json_walk_is(&w, "tool_calls"))
            d.calls = w.value;
        else if (json_walk_is(&w, "function_call") && w.kind == JSON_OBJECT)
            d.function = w.value;
        else if (json_walk_is(&w, "annotations"))
            d.annotations = w.value;
    }
    return d;
}

static void take_annotations(struct chat_reader *r, struct span annotations)
{
    struct span item;
    struct json_member m;
    size_t cursor = 0;
    while (!r->is_over && r->block == CHAT_BLOCK_TEXT && json_each(annotations, &cursor, &item)) {
        struct turn_event e = {.kind = TURN_CITATION, .slot = r->block_slot};
        struct json_walk w;
        if (!json_get(item, "url_citation", &m))
            continue;
        json_walk_init(&w, json_value(item, &m));
        while (json_walk_next(&w)) {
            if (json_walk_is(&w, "url"))
                e.citation.url = json_raw(w.value);
            else if (json_walk_is(&w, "title"))
                e.citation.title = json_raw(w.value);
        }
        if (e.citation.url.len > 0)
            emit(r, &e);
    }
}

/* A token that is a part of a character brings no text yet. */
static void emit_content(struct chat_reader *r, struct span text, struct span logprobs)
{
    bool is_weighed = json_array_is_filled(logprobs);
    if (text.len > 0 || is_weighed)
        emit(r, &(struct turn_event){.kind = TURN_TEXT,
                                     .slot = slot_for(r, CHAT_BLOCK_TEXT),
                                     .text = text,
                                     .logprobs = is_weighed ? logprobs : SPAN_NONE});
}

static void take_delta(struct chat_reader *r, struct span value, struct span logprobs)
{
    struct delta d = read_delta(value);
    if (d.details.len > 0)
        take_details(r, d.details, d.reasoning);
    else
        emit_text(r, TURN_REASONING, CHAT_BLOCK_REASONING, d.reasoning);
    take_parts(r, d.parts);
    emit_content(r, d.content, logprobs);
    take_annotations(r, d.annotations);
    emit_text(r, TURN_REFUSAL, CHAT_BLOCK_REFUSAL, d.refusal);
    take_calls(r, d.calls);
    if (d.function.len > 0) { /* what tool calls were before there could be several */
        struct call_delta call = {.has_index = true};
        read_function(d.function, &call);
        take_call(r, &call, 0);
    }
}

/* --- the end ------------------------------------------------------------------------------------ */

static const struct {
    struct span word;
    enum turn_stop stop;
} stops[] = {
#define STOP(text, stop) {{(const uint8_t *)(text), sizeof(text) - 1}, stop}
    STOP("stop", STOP_END),
    STOP("length", STOP_LENGTH),
    STOP("tool_calls", STOP_CALLS),
    STOP("function_call", STOP_CALLS),
    STOP("content_filter", STOP_REFUSAL),
    STOP("model_length", STOP_CONTEXT), /* Mistral */
};

static enum turn_stop stop_of(const struct chat_reader *r, struct span word)
{
    enum turn_stop stop = STOP_END;
    for (unsigned i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        if (span_eq(word, stops[i].word))
            stop = stops[i].stop;
    }
    /* Some say "stop" when they mean that a tool is to be called. */
    if (stop == STOP_END && r->ncalls > 0)
        stop = STOP_CALLS;
    return stop;
}

static void close_calls(struct chat_reader *r)
{
    for (unsigned i = 0; i < r->ncalls && !r->is_over; i++) {
        if (!r->calls[i].is_open)
            fail(r, "a tool call has no name");
        else
            emit(r, &(struct turn_event){.kind = TURN_CALL_END, .slot = r->calls[i].slot});
    }
}

static void take_finish(struct chat_reader *r, struct span word)
{
    if (r->has_stopped)
        return;
    if (span_eq(word, SPAN_LIT("error")) ||
        span_eq(word, SPAN_LIT("insufficient_system_resource"))) {
        fail(r, "the provider stopped with an error");
        return;
    }
    close_calls(r);
    r->has_stopped = true;
    emit(r, &(struct turn_event){.kind = TURN_STOP, .stop = stop_of(r, word), .native = word});
}

/* --- chunks and whole answers ------------------------------------------------------------------- */

struct chunk {
    struct span choices, usage, error, id, model;
};

static void read_chunk(struct json_walk *w, struct chunk *c)
{
    while (json_walk_next(w)) {
        if (json_walk_is(w, "choices"))
            c->choices = w->value;
        else if (json_walk_is(w, "usage") && w->kind == JSON_OBJECT)
            c->usage = w->value;
        else if (json_walk_is(w, "error") && w->kind != JSON_NULL && w->kind != JSON_FALSE)
            c->error = w->value;
        else if (json_walk_is(w, "id"))
            c->id = json_raw(w->value);
        else if (json_walk_is(w, "model"))
            c->model = json_raw(w->value);
    }
}

/* The choice with index 0, or without one. */
static void take_choice(struct chat_reader *r, struct span choice)
{
    struct json_walk w;
    struct json_member list;
    struct span delta = SPAN_NONE, finish = SPAN_NONE, logprobs = SPAN_NONE;
    uint64_t index = 0;
    json_walk_init(&w, choice);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "delta") || json_walk_is(&w, "message"))
            delta = w.value;
        else if (json_walk_is(&w, "finish_reason"))
            finish = json_raw(w.value);
        else if (json_walk_is(&w, "logprobs") && json_get(w.value, "content", &list))
            logprobs = json_value(w.value, &list);
        else if (json_walk_is(&w, "index"))
            (void)json_u64(w.value, &index);
    }
    if (index != 0 || r->has_stopped)
        return;
    take_delta(r, delta, logprobs);
    if (finish.len > 0 && !r->is_over)
        take_finish(r, finish);
}

static void start(struct chat_reader *r, const struct chunk *c)
{
    if (r->has_started)
        return;
    r->has_started = true;
    emit(r, &(struct turn_event){.kind = TURN_START, .id = c->id, .name = c->model});
}

static void take_usage(struct chat_reader *r, struct span usage)
{
    struct usage u = {.source = USAGE_NONE};
    if (usage.len > 0 && usage_read_openai(&u, usage))
        emit(r, &(struct turn_event){.kind = TURN_USAGE, .usage = &u});
}

/* False when the text is no chunk. */
static bool take_chunk(struct chat_reader *r, struct span data)
{
    struct json_walk w;
    struct chunk c = {0};
    struct span choice;
    size_t cursor = 0;
    json_walk_init(&w, data);
    read_chunk(&w, &c);
    if (!json_walk_is_complete(&w))
        return false;
    if (c.error.len > 0) {
        fail_with(r, c.error);
        return true;
    }
    if (json_array_is_filled(c.choices)) /* Azure's first chunk has none, and no id either */
        start(r, &c);
    while (!r->is_over && json_each(c.choices, &cursor, &choice))
        take_choice(r, choice);
    take_usage(r, c.usage);
    return true;
}

/* `said_so`: by [DONE], which some send without a finish_reason before it. */
static void finish(struct chat_reader *r, bool said_so)
{
    if (r->is_over)
        return;
    if (!r->has_stopped && said_so && r->slots > 0)
        take_finish(r, SPAN_LIT("stop"));
    if (!r->has_stopped)
        fail(r, "the provider's answer ended before it was complete");
    else
        emit(r, &(struct turn_event){.kind = TURN_END});
}

void chat_reader_event(struct chat_reader *r, struct span data)
{
    if (r->is_over)
        return;
    if (span_eq(data, SPAN_LIT("[DONE]")))
        finish(r, true);
    else if (!take_chunk(r, data))
        fail(r, "the provider's stream holds an event that is not a JSON object");
}

void chat_reader_end(struct chat_reader *r)
{
    finish(r, false);
}

void chat_reader_whole(struct chat_reader *r, struct span body)
{
    r->is_whole = true;
    if (!take_chunk(r, body))
        fail(r, "the provider's answer is not a JSON object");
    else
        finish(r, false);
}
