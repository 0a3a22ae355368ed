#include "sluice/codec/gemini_reader.h"

#include "sluice/codec/logprobs.h"
#include "sluice/codec/provider_error.h"
#include "sluice/format/json_walk.h"

#include <stdio.h>

void gemini_reader_init(struct gemini_reader *r, struct span unique, turn_event_fn emit, void *arg)
{
    *r = (struct gemini_reader){.emit = emit, .arg = arg};
    snprintf(r->unique, sizeof r->unique, "%.*s", SPAN_FMT(span_sub(unique, 0, GEMINI_UNIQUE_MAX)));
}

void gemini_reader_fini(struct gemini_reader *r)
{
    buf_fini(&r->arguments);
    buf_fini(&r->logprobs);
}

/* --- emitting ------------------------------------------------------------------------------------- */

static void emit(struct gemini_reader *r, const struct turn_event *e)
{
    if (r->is_over)
        return;
    r->is_over = e->kind == TURN_END || e->kind == TURN_FAULT;
    if (!r->emit(r->arg, e))
        r->is_over = true;
}

static void fail(struct gemini_reader *r, const char *problem)
{
    struct fault f = {.kind = FAULT_UPSTREAM};
    snprintf(f.message, sizeof f.message, "%s", problem);
    emit(r, &(struct turn_event){.kind = TURN_FAULT, .fault = &f});
}

static void fail_with(struct gemini_reader *r, struct span error)
{
    struct fault f;
    provider_error_read(error, &f);
    emit(r, &(struct turn_event){.kind = TURN_FAULT, .fault = &f});
}

static void open_block(struct gemini_reader *r, enum gemini_block block)
{
    if (r->block == block && block != GEMINI_NONE)
        return;
    r->block = block;
    r->slot = r->slots++;
}

/* --- parts ---------------------------------------------------------------------------------------- */

struct part {
    struct span text, signature, call;
    bool is_thought;
};

static struct part read_part(struct span object)
{
    struct part p = {.is_thought = false};
    struct json_walk w;
    json_walk_init(&w, object);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "text"))
            p.text = json_raw(w.value);
        else if (json_walk_is(&w, "thought"))
            p.is_thought = w.kind == JSON_TRUE;
        else if (json_walk_is(&w, "thoughtSignature"))
            p.signature = json_raw(w.value);
        else if (json_walk_is(&w, "functionCall") && w.kind == JSON_OBJECT)
            p.call = w.value;
    }
    return p;
}

/* A slot of its own: what follows it is a new block. */
static void emit_signature(struct gemini_reader *r, const struct part *p)
{
    open_block(r, GEMINI_NONE);
    emit(r, &(struct turn_event){.kind = TURN_PROOF,
                                 .slot = r->slot,
                                 .text = p->signature,
                                 .is_of_call = p->call.len > 0});
}

static void emit_call(struct gemini_reader *r, struct span id, struct span name, struct span args)
{
    char minted[sizeof r->unique + 24];
    if (id.len == 0) {
        snprintf(minted, sizeof minted, "call_%s%u", r->unique, r->calls);
        id = span_text(minted);
    }
    r->calls++;
    open_block(r, GEMINI_NONE);
    emit(r, &(struct turn_event){.kind = TURN_CALL, .slot = r->slot, .id = id, .name = name});
    buf_clear(&r->arguments);
    if (buf_add_json(&r->arguments, args) < 0) {
        fail(r, "out of memory");
        return;
    }
    if (args.len > 2) /* {} is what no arguments mean anyway */
        emit(r, &(struct turn_event){
                    .kind = TURN_ARGUMENTS, .slot = r->slot, .text = buf_span(&r->arguments)});
    emit(r, &(struct turn_event){.kind = TURN_CALL_END, .slot = r->slot});
}

static void take_call(struct gemini_reader *r, struct span call)
{
    struct span id = SPAN_NONE, name = SPAN_NONE, args = SPAN_NONE;
    bool is_partial = false;
    struct json_walk w;
    json_walk_init(&w, call);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "id"))
            id = json_raw(w.value);
        else if (json_walk_is(&w, "name"))
            name = json_raw(w.value);
        else if (json_walk_is(&w, "args") && w.kind == JSON_OBJECT)
            args = w.value;
        else if (json_walk_is(&w, "partialArgs") || json_walk_is(&w, "willContinue"))
            is_partial |= w.kind != JSON_FALSE && w.kind != JSON_NULL;
    }
    if (is_partial) /* only who sends streamFunctionCallArguments gets those; we never do */
        fail(r, "the provider sent the arguments of a call in pieces that were not asked for");
    else if (name.len == 0)
        fail(r, "a tool call has no name");
    else
        emit_call(r, id, name, args);
}

static void take_thought(struct gemini_reader *r, const struct part *p)
{
    if (p->text.len == 0 && p->signature.len == 0)
        return;
    open_block(r, GEMINI_THOUGHT);
    if (p->text.len > 0)
        emit(r, &(struct turn_event){.kind = TURN_REASONING, .slot = r->slot, .text = p->text});
    if (p->signature.len == 0)
        return;
    emit(r, &(struct turn_event){.kind = TURN_PROOF, .slot = r->slot, .text = p->signature});
    r->block = GEMINI_NONE; /* the next thought has a signature of its own */
}

static void take_part(struct gemini_reader *r, struct span object)
{
    struct part p = read_part(object);
    if (p.is_thought && p.call.len == 0) {
        take_thought(r, &p);
        return;
    }
    if (p.signature.len > 0)
        emit_signature(r, &p);
    if (p.call.len > 0) {
        take_call(r, p.call);
    } else if (p.text.len > 0) {
        open_block(r, GEMINI_TEXT);
        r->text_slot = r->slot;
        emit(r, &(struct turn_event){.kind = TURN_TEXT,
                                     .slot = r->slot,
                                     .text = p.text,
                                     .logprobs = buf_span(&r->logprobs)});
        buf_clear(&r->logprobs);
    }
}

/* The candidate's tokens are told beside its parts, and go with the first of its texts. */
static void take_logprobs(struct gemini_reader *r, struct span result)
{
    buf_clear(&r->logprobs);
    if (result.len > 0 && logprobs_from_gemini(result, &r->logprobs) < 0)
        fail(r, "out of memory");
}

static void take_content(struct gemini_reader *r, struct span content)
{
    struct json_walk w;
    struct span part;
    json_walk_init(&w, content);
    while (json_walk_next(&w)) {
        size_t cursor = 0;
        while (json_walk_is(&w, "parts") && !r->is_over && json_each(w.value, &cursor, &part))
            take_part(r, part);
    }
}

/* --- sources -------------------------------------------------------------------------------------- */

/* One of groundingChunks: only web pages have an address. */
static void emit_source(struct gemini_reader *r, struct span chunk)
{
    struct turn_event e = {.kind = TURN_CITATION, .slot = r->text_slot};
    struct json_member web;
    struct json_walk w;
    if (!json_get(chunk, "web", &web))
        return;
    json_walk_init(&w, json_value(chunk, &web));
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "uri"))
            e.citation.url = json_raw(w.value);
        else if (json_walk_is(&w, "title"))
            e.citation.title = json_raw(w.value);
    }
    if (e.citation.url.len > 0)
        emit(r, &e);
}

static void tell_usage(struct gemini_reader *r)
{
    emit(r, &(struct turn_event){.kind = TURN_USAGE, .usage = &r->usage});
}

/* Google charges for each query, and before Gemini 3 for an answer that needed any. */
static void count_searches(struct gemini_reader *r, struct span metadata)
{
    struct json_member m;
    struct span query;
    size_t cursor = 0;
    uint64_t n = 0;
    if (!json_get(metadata, "webSearchQueries", &m))
        return;
    while (json_each(json_value(metadata, &m), &cursor, &query))
        n++;
    if (r->searches_at_once && n > 1)
        n = 1;
    if (n <= r->usage.searches)
        return;
    r->usage.searches = n;
    if (r->usage.source != USAGE_NONE)
        tell_usage(r);
}

/* The list is repeated where there is more than one chunk after it: the first one is told. */
static void take_grounding(struct gemini_reader *r, struct span metadata)
{
    struct json_member m;
    struct span chunk;
    size_t cursor = 0;
    count_searches(r, metadata);
    if (r->has_cited || !json_get(metadata, "groundingChunks", &m))
        return;
    struct span chunks = json_value(metadata, &m);
    r->has_cited = json_array_is_filled(chunks);
    for (unsigned i = 0; i < GEMINI_CITATIONS_MAX && json_each(chunks, &cursor, &chunk); i++)
        emit_source(r, chunk);
}

/* --- the end -------------------------------------------------------------------------------------- */

static const struct {
    struct span word;
    enum turn_stop stop; /* STOP_NONE: the answer is of no use */
} stops[] = {
#define STOP(text, stop) {{(const uint8_t *)(text), sizeof(text) - 1}, stop}
    STOP("STOP", STOP_END),
    STOP("MAX_TOKENS", STOP_LENGTH),
    STOP("SAFETY", STOP_REFUSAL),
    STOP("RECITATION", STOP_REFUSAL),
    STOP("BLOCKLIST", STOP_REFUSAL),
    STOP("PROHIBITED_CONTENT", STOP_REFUSAL),
    STOP("SPII", STOP_REFUSAL),
    STOP("IMAGE_SAFETY", STOP_REFUSAL),
    STOP("MALFORMED_FUNCTION_CALL", STOP_NONE),
    STOP("UNEXPECTED_TOOL_CALL", STOP_NONE),
    STOP("MISSING_THOUGHT_SIGNATURE", STOP_NONE),
};

static void set_stop(struct gemini_reader *r, enum turn_stop stop, struct span word)
{
    r->stop = stop;
    r->word_len = word.len <= sizeof r->word ? (uint8_t)word.len : 0;
    memcpy(r->word, word.at, r->word_len);
}

static void take_finish(struct gemini_reader *r, struct span word)
{
    enum turn_stop stop = STOP_END; /* OTHER, and what is not known yet */
    if (word.len == 0)
        return;
    for (unsigned i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        if (span_eq(word, stops[i].word))
            stop = stops[i].stop;
    }
    if (stop != STOP_NONE) {
        set_stop(r, stop, word);
        return;
    }
    struct fault f = {.kind = FAULT_UPSTREAM};
    snprintf(f.message, sizeof f.message, "the model's answer is unusable: %.*s", SPAN_FMT(word));
    emit(r, &(struct turn_event){.kind = TURN_FAULT, .fault = &f});
}

static void finish(struct gemini_reader *r)
{
    if (r->stop == STOP_NONE) {
        fail(r, "the provider's answer ended before it was complete");
        return;
    }
    bool waits = r->stop == STOP_END && r->calls > 0;
    emit(r, &(struct turn_event){.kind = TURN_STOP,
                                 .stop = waits ? STOP_CALLS : r->stop,
                                 .native = span_of(r->word, r->word_len)});
    emit(r, &(struct turn_event){.kind = TURN_END});
}

/* --- chunks --------------------------------------------------------------------------------------- */

static void take_usage(struct gemini_reader *r, struct span object)
{
    struct usage u = r->usage;
    if (!usage_read_gemini(&u, object))
        return;
    bool is_news = u.prompt != r->usage.prompt || u.completion != r->usage.completion ||
                   u.cached != r->usage.cached || u.reasoning != r->usage.reasoning;
    r->usage = u;
    if (is_news) /* every chunk repeats it */
        tell_usage(r);
}

static void take_candidate(struct gemini_reader *r, struct span candidate)
{
    struct span content = SPAN_NONE, finish_reason = SPAN_NONE, grounding = SPAN_NONE,
                logprobs = SPAN_NONE;
    struct json_walk w;
    json_walk_init(&w, candidate);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "content"))
            content = w.value;
        else if (json_walk_is(&w, "finishReason"))
            finish_reason = json_raw(w.value);
        else if (json_walk_is(&w, "groundingMetadata"))
            grounding = w.value;
        else if (json_walk_is(&w, "logprobsResult") && w.kind == JSON_OBJECT)
            logprobs = w.value;
    }
    take_logprobs(r, logprobs);
    take_content(r, content);
    take_grounding(r, grounding);
    take_finish(r, finish_reason);
}

static void take_feedback(struct gemini_reader *r, struct span feedback)
{
    struct json_member m;
    if (!json_get(feedback, "blockReason", &m))
        return;
    struct span word = json_raw(json_value(feedback, &m));
    if (word.len > 0)
        set_stop(r, STOP_REFUSAL, word);
}

struct chunk {
    struct span candidates, feedback, usage, error, id, model;
};

static bool read_chunk(struct span data, struct chunk *c)
{
    struct json_walk w;
    *c = (struct chunk){.id = SPAN_NONE};
    json_walk_init(&w, data);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "candidates"))
            c->candidates = w.value;
        else if (json_walk_is(&w, "promptFeedback"))
            c->feedback = w.value;
        else if (json_walk_is(&w, "usageMetadata"))
            c->usage = w.value;
        else if (json_walk_is(&w, "error") && w.kind != JSON_NULL)
            c->error = w.value;
        else if (json_walk_is(&w, "responseId"))
            c->id = json_raw(w.value);
        else if (json_walk_is(&w, "modelVersion"))
            c->model = json_raw(w.value);
    }
    return json_walk_is_complete(&w);
}

static void take_chunk(struct gemini_reader *r, const struct chunk *c)
{
    struct span candidate;
    size_t cursor = 0;
    if (c->usage.len > 0) /* before START, so that a writer can name it at its beginning */
        take_usage(r, c->usage);
    if (!r->has_started) {
        r->searches_at_once = span_starts(c->model, SPAN_LIT("gemini-2")) ||
                              span_starts(c->model, SPAN_LIT("gemini-1"));
        emit(r, &(struct turn_event){.kind = TURN_START, .id = c->id, .name = c->model});
    }
    r->has_started = true;
    if (c->feedback.len > 0)
        take_feedback(r, c->feedback);
    if (json_each(c->candidates, &cursor, &candidate))
        take_candidate(r, candidate);
}

static bool is_array(struct span text)
{
    size_t i = 0;
    while (i < text.len && memchr(" \t\r\n", text.at[i], 4) != NULL)
        i++;
    return i < text.len && text.at[i] == '[';
}

static void take_object(struct gemini_reader *r, struct span data)
{
    struct chunk c;
    if (!read_chunk(data, &c))
        fail(r, "the provider's answer holds what is not a JSON object");
    else if (c.error.len > 0)
        fail_with(r, c.error);
    else
        take_chunk(r, &c);
}

/* Errors, and streams without ?alt=sse, come as arrays. */
void gemini_reader_event(struct gemini_reader *r, struct span data)
{
    struct span element;
    size_t cursor = 0;
    if (r->is_over)
        return;
    if (!is_array(data)) {
        take_object(r, data);
        return;
    }
    while (!r->is_over && json_each(data, &cursor, &element))
        take_object(r, element);
}

void gemini_reader_end(struct gemini_reader *r)
{
    if (!r->is_over)
        finish(r);
}

void gemini_reader_whole(struct gemini_reader *r, struct span body)
{
    gemini_reader_event(r, body);
    gemini_reader_end(r);
}
