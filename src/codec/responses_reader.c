#include "sluice/codec/responses_reader.h"

#include "sluice/codec/provider_error.h"
#include "sluice/format/json_walk.h"

#include <stdio.h>
#include <stdlib.h>

void responses_reader_init(struct responses_reader *r, turn_event_fn emit, void *arg)
{
    *r = (struct responses_reader){.emit = emit, .arg = arg};
}

void responses_reader_fini(struct responses_reader *r)
{
    free(r->items);
    r->items = NULL;
}

/* --- emitting ------------------------------------------------------------------------------------- */

static void emit(struct responses_reader *r, const struct turn_event *e)
{
    if (r->is_over)
        return;
    r->is_over = e->kind == TURN_END || e->kind == TURN_FAULT;
    if (!r->emit(r->arg, e))
        r->is_over = true;
}

static void fail(struct responses_reader *r, const char *problem)
{
    struct fault f = {.kind = FAULT_UPSTREAM};
    snprintf(f.message, sizeof f.message, "%s", problem);
    emit(r, &(struct turn_event){.kind = TURN_FAULT, .fault = &f});
}

static void fail_with(struct responses_reader *r, struct span error)
{
    struct fault f;
    provider_error_read(error, &f);
    emit(r, &(struct turn_event){.kind = TURN_FAULT, .fault = &f});
}

static void emit_text(struct responses_reader *r, enum turn_event_kind kind, unsigned slot,
                      struct span text)
{
    if (text.len > 0)
        emit(r, &(struct turn_event){.kind = kind, .slot = slot, .text = text});
}

/* A token that is a part of a character brings no text yet. */
static void emit_weighed(struct responses_reader *r, enum turn_event_kind kind, unsigned slot,
                         struct span text, struct span logprobs)
{
    if (logprobs.len == 0)
        emit_text(r, kind, slot, text);
    else
        emit(r,
             &(struct turn_event){.kind = kind, .slot = slot, .text = text, .logprobs = logprobs});
}

/* --- one event's members -------------------------------------------------------------------------- */

struct message {
    struct span type, delta, text, arguments, input, refusal, item, response, error, annotation,
        part, logprobs;
    uint64_t output_index, content_index, summary_index;
};

static bool read_message(struct span data, struct message *m)
{
    struct json_walk w;
    *m = (struct message){.output_index = 0};
    json_walk_init(&w, data);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "type"))
            m->type = json_raw(w.value);
        else if (json_walk_is(&w, "delta"))
            m->delta = json_raw(w.value);
        else if (json_walk_is(&w, "output_index"))
            (void)json_u64(w.value, &m->output_index);
        else if (json_walk_is(&w, "content_index"))
            (void)json_u64(w.value, &m->content_index);
        else if (json_walk_is(&w, "summary_index"))
            (void)json_u64(w.value, &m->summary_index);
        else if (json_walk_is(&w, "text"))
            m->text = json_raw(w.value);
        else if (json_walk_is(&w, "refusal"))
            m->refusal = json_raw(w.value);
        else if (json_walk_is(&w, "arguments"))
            m->arguments = json_raw(w.value);
        else if (json_walk_is(&w, "input"))
            m->input = json_raw(w.value);
        else if (json_walk_is(&w, "item"))
            m->item = w.value;
        else if (json_walk_is(&w, "response"))
            m->response = w.value;
        else if (json_walk_is(&w, "annotation"))
            m->annotation = w.value;
        else if (json_walk_is(&w, "logprobs") && json_array_is_filled(w.value))
            m->logprobs = w.value;
        else if (json_walk_is(&w, "error") && w.kind != JSON_NULL)
            m->error = w.value;
    }
    return json_walk_is_complete(&w);
}

/* The members of an item. */
struct item {
    struct span type, id, call_id, name, arguments, input, encrypted;
    struct span content, summary; /* arrays */
};

static struct item read_item(struct span object)
{
    struct item i = {0};
    struct json_walk w;
    json_walk_init(&w, object);
    while (json_walk_next(&w)) {
        struct span raw = json_raw(w.value);
        if (json_walk_is(&w, "type"))
            i.type = raw;
        else if (json_walk_is(&w, "id"))
            i.id = raw;
        else if (json_walk_is(&w, "call_id"))
            i.call_id = raw;
        else if (json_walk_is(&w, "name"))
            i.name = raw;
        else if (json_walk_is(&w, "arguments"))
            i.arguments = raw;
        else if (json_walk_is(&w, "input"))
            i.input = raw;
        else if (json_walk_is(&w, "encrypted_content"))
            i.encrypted = raw;
        else if (json_walk_is(&w, "content") && w.kind == JSON_ARRAY)
            i.content = w.value;
        else if (json_walk_is(&w, "summary") && w.kind == JSON_ARRAY)
            i.summary = w.value;
    }
    return i;
}

static enum read_item kind_of(struct span type)
{
    static const struct {
        const char *word;
        enum read_item kind;
    } kinds[] = {{"message", ITEM_MESSAGE},
                 {"reasoning", ITEM_REASONING},
                 {"function_call", ITEM_FUNCTION},
                 {"custom_tool_call", ITEM_CUSTOM}};
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (span_eq(type, span_text(kinds[i].word)))
            return kinds[i].kind;
    }
    return ITEM_OTHER;
}

/* --- items ---------------------------------------------------------------------------------------- */

static struct responses_item *find_item(struct responses_reader *r, uint64_t index)
{
    for (unsigned i = r->nitems; i > 0; i--) {
        if (r->items[i - 1].index == index)
            return &r->items[i - 1];
    }
    return NULL;
}

static struct responses_item *new_item(struct responses_reader *r, uint64_t index,
                                       enum read_item kind)
{
    if (r->nitems == RESPONSES_ITEMS_MAX) {
        fail(r, "the answer holds more items than can be followed");
        return NULL;
    }
    if (r->nitems == r->room) {
        unsigned room = r->room == 0 ? 4 : r->room * 2;
        struct responses_item *grown = realloc(r->items, room * sizeof *grown);
        if (grown == NULL) {
            fail(r, "out of memory");
            return NULL;
        }
        r->items = grown;
        r->room = room;
    }
    struct responses_item *i = &r->items[r->nitems++];
    *i = (struct responses_item){.index = index, .kind = kind};
    return i;
}

static void open_call(struct responses_reader *r, struct responses_item *i, const struct item *item)
{
    struct span id = item->call_id.len > 0 ? item->call_id : item->id;
    i->slot = r->slots++;
    r->saw_call = true;
    if (id.len == 0 || item->name.len == 0) {
        fail(r, "a tool call has no id or no name");
        return;
    }
    emit(r, &(struct turn_event){.kind = TURN_CALL,
                                 .slot = i->slot,
                                 .id = id,
                                 .name = item->name,
                                 .is_custom = i->kind == ITEM_CUSTOM});
}

static struct responses_item *add_item(struct responses_reader *r, uint64_t index,
                                       const struct item *item)
{
    struct responses_item *i = find_item(r, index);
    if (i != NULL)
        return i;
    i = new_item(r, index, kind_of(item->type));
    if (i != NULL && (i->kind == ITEM_FUNCTION || i->kind == ITEM_CUSTOM))
        open_call(r, i, item);
    return i;
}

/* The item of a delta; some begin without saying so, and then the delta tells what it is. */
static struct responses_item *item_for(struct responses_reader *r, uint64_t index,
                                       enum read_item kind)
{
    struct responses_item *i = find_item(r, index);
    if (i != NULL)
        return i->kind == kind ? i : NULL;
    if (kind == ITEM_FUNCTION || kind == ITEM_CUSTOM)
        return NULL; /* without its name; the item that is done has all of it */
    return new_item(r, index, kind);
}

/* --- texts ---------------------------------------------------------------------------------------- */

/* The slot of a part; another part is another block, and a blank line parts them where the client's
 * protocol knows no blocks: between two messages, and between the parts of a summary. */
static void enter_part(struct responses_reader *r, struct responses_item *i, uint64_t part,
                       enum turn_event_kind kind)
{
    if (i->has_part && i->part == part)
        return;
    bool is_summary = i->kind == ITEM_REASONING;
    if (!i->has_part || !is_summary)
        i->slot = r->slots++;
    if ((i->has_part && is_summary) || (!i->has_part && !is_summary && r->said_something))
        emit_text(r, kind, i->slot, SPAN_LIT("\\n\\n"));
    i->has_part = true;
    i->part = part;
    i->sent = 0;
}

static void take_text(struct responses_reader *r, enum read_item item, enum turn_event_kind kind,
                      const struct message *m, uint64_t part)
{
    struct responses_item *i = item_for(r, m->output_index, item);
    if (i == NULL || (m->delta.len == 0 && m->logprobs.len == 0))
        return;
    enter_part(r, i, part, kind);
    i->sent += m->delta.len;
    emit_weighed(r, kind, i->slot, m->delta, m->logprobs);
}

/* A whole text at the end of its part counts where none came before: its pieces may have been written
 * with other escapes, so that lengths tell nothing. */
static void finish_text(struct responses_reader *r, enum read_item item, enum turn_event_kind kind,
                        uint64_t index, uint64_t part, struct span text, struct span logprobs)
{
    struct responses_item *i = item_for(r, index, item);
    bool is_past = i != NULL && i->has_part && part < i->part;
    if (i == NULL || text.len == 0 || is_past)
        return;
    enter_part(r, i, part, kind);
    if (i->sent > 0)
        return;
    i->sent = text.len;
    emit_weighed(r, kind, i->slot, text, logprobs);
}

static void take_arguments(struct responses_reader *r, enum read_item kind, const struct message *m)
{
    struct responses_item *i = item_for(r, m->output_index, kind);
    if (i == NULL)
        return;
    i->sent += m->delta.len;
    emit_text(r, TURN_ARGUMENTS, i->slot, m->delta);
}

/* Some send the arguments here only. */
static void finish_arguments(struct responses_reader *r, struct responses_item *i,
                             struct span whole)
{
    if (i->sent > 0 || whole.len == 0)
        return; /* as with texts */
    i->sent = whole.len;
    emit_text(r, TURN_ARGUMENTS, i->slot, whole);
}

static void take_annotation(struct responses_reader *r, uint64_t index, struct span annotation)
{
    struct responses_item *i = find_item(r, index);
    struct json_walk w;
    if (i == NULL || i->kind != ITEM_MESSAGE || !i->has_part)
        return;
    struct turn_event e = {.kind = TURN_CITATION, .slot = i->slot};
    json_walk_init(&w, annotation);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "url"))
            e.citation.url = json_raw(w.value);
        else if (json_walk_is(&w, "title"))
            e.citation.title = json_raw(w.value);
    }
    if (e.citation.url.len > 0)
        emit(r, &e);
}

/* --- items that are done -------------------------------------------------------------------------- */

static struct span logprobs_of(struct span part)
{
    struct json_member m;
    bool is_weighed = json_get(part, "logprobs", &m) && json_array_is_filled(json_value(part, &m));
    return is_weighed ? json_value(part, &m) : SPAN_NONE;
}

static void finish_message(struct responses_reader *r, uint64_t index, const struct item *item)
{
    struct span part, annotation;
    struct json_member m;
    size_t cursor = 0;
    for (uint64_t p = 0; json_each(item->content, &cursor, &part); p++) {
        struct responses_item *i = find_item(r, index);
        bool is_new = i == NULL || !i->has_part || i->part < p || i->sent == 0;
        if (json_get(part, "text", &m))
            finish_text(r, ITEM_MESSAGE, TURN_TEXT, index, p, json_raw(json_value(part, &m)),
                        logprobs_of(part));
        else if (json_get(part, "refusal", &m))
            finish_text(r, ITEM_MESSAGE, TURN_REFUSAL, index, p, json_raw(json_value(part, &m)),
                        SPAN_NONE);
        size_t at = 0;
        if (!is_new || !json_get(part, "annotations", &m))
            continue;
        struct span annotations = json_value(part, &m);
        while (json_each(annotations, &at, &annotation))
            take_annotation(r, index, annotation);
    }
    r->said_something |= json_array_is_filled(item->content);
}

static void finish_reasoning(struct responses_reader *r, uint64_t index, const struct item *item)
{
    struct span part;
    struct json_member m;
    struct span list = json_array_is_filled(item->summary) ? item->summary : item->content;
    size_t cursor = 0;
    struct responses_item *i = item_for(r, index, ITEM_REASONING);
    bool has_text = i != NULL && i->has_part;
    for (uint64_t p = 0; !has_text && json_each(list, &cursor, &part); p++) {
        if (json_get(part, "text", &m))
            finish_text(r, ITEM_REASONING, TURN_REASONING, index, p, json_raw(json_value(part, &m)),
                        SPAN_NONE);
    }
    i = item_for(r, index, ITEM_REASONING);
    if (i == NULL || item->encrypted.len == 0)
        return;
    if (!i->has_part) {
        i->slot = r->slots++;
        i->has_part = true;
    }
    emit(r, &(struct turn_event){
                .kind = TURN_PROOF, .slot = i->slot, .text = item->encrypted, .id = item->id});
}

static void finish_item(struct responses_reader *r, uint64_t index, struct span object)
{
    struct item item = read_item(object);
    struct responses_item *i = add_item(r, index, &item);
    if (i == NULL || i->is_done)
        return;
    i->is_done = true;
    if (i->kind == ITEM_MESSAGE) {
        finish_message(r, index, &item);
    } else if (i->kind == ITEM_REASONING) {
        finish_reasoning(r, index, &item);
    } else if (i->kind != ITEM_OTHER) {
        finish_arguments(r, i, i->kind == ITEM_CUSTOM ? item.input : item.arguments);
        emit(r, &(struct turn_event){.kind = TURN_CALL_END, .slot = i->slot});
    }
}

/* --- the response --------------------------------------------------------------------------------- */

struct response {
    struct span id, model, status, usage, error, output, reason;
};

static struct response read_response(struct span object)
{
    struct response s = {0};
    struct json_member m;
    struct json_walk w;
    json_walk_init(&w, object);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "id"))
            s.id = json_raw(w.value);
        else if (json_walk_is(&w, "model"))
            s.model = json_raw(w.value);
        else if (json_walk_is(&w, "status"))
            s.status = json_raw(w.value);
        else if (json_walk_is(&w, "usage") && w.kind == JSON_OBJECT)
            s.usage = w.value;
        else if (json_walk_is(&w, "error") && w.kind != JSON_NULL)
            s.error = w.value;
        else if (json_walk_is(&w, "output") && w.kind == JSON_ARRAY)
            s.output = w.value;
        else if (json_walk_is(&w, "incomplete_details") && w.kind == JSON_OBJECT &&
                 json_get(w.value, "reason", &m))
            s.reason = json_raw(json_value(w.value, &m));
    }
    return s;
}

static void start(struct responses_reader *r, const struct response *s)
{
    if (r->has_started)
        return;
    r->has_started = true;
    emit(r, &(struct turn_event){.kind = TURN_START, .id = s->id, .name = s->model});
}

/* The tools it ran itself are items of the answer. */
static void take_usage(struct responses_reader *r, struct span usage, struct span output)
{
    struct usage u = {.source = USAGE_NONE};
    if (usage.len == 0 || !usage_read_responses(&u, usage))
        return;
    usage_read_calls(&u, output);
    emit(r, &(struct turn_event){.kind = TURN_USAGE, .usage = &u});
}

static enum turn_stop stop_of(const struct responses_reader *r, const struct response *s)
{
    if (span_eq(s->reason, SPAN_LIT("content_filter")))
        return STOP_REFUSAL;
    if (span_eq(s->status, SPAN_LIT("incomplete")))
        return STOP_LENGTH;
    return r->saw_call ? STOP_CALLS : STOP_END;
}

/* The last word: its output has what no event brought. */
static void conclude(struct responses_reader *r, struct span object)
{
    struct response s = read_response(object);
    struct span item;
    size_t cursor = 0;
    bool had_items = r->nitems > 0;
    bool is_whole = span_eq(s.status, SPAN_LIT("completed")) ||
                    span_eq(s.status, SPAN_LIT("incomplete"));
    bool has_failed = s.error.len > 0 || span_eq(s.status, SPAN_LIT("failed"));
    if (is_whole &&
        !has_failed) /* else nobody has heard of an answer yet, and another may give one */
        start(r, &s);
    if (r->has_started)
        take_usage(r, s.usage, s.output);
    if (has_failed) {
        fail_with(r, s.error);
        return;
    }
    if (!is_whole) {
        fail(r, "the provider's response has neither an end nor an error");
        return;
    }
    for (uint64_t i = 0; !had_items && !r->is_over && json_each(s.output, &cursor, &item); i++)
        finish_item(r, i, item);
    emit(r, &(struct turn_event){.kind = TURN_STOP,
                                 .stop = stop_of(r, &s),
                                 .native = s.reason.len > 0 ? s.reason : s.status});
    emit(r, &(struct turn_event){.kind = TURN_END});
}

/* --- events --------------------------------------------------------------------------------------- */

static bool is(const struct message *m, const char *type)
{
    return span_eq(span_skip(m->type, 9), span_text(type)); /* behind "response." */
}

static void take_item(struct responses_reader *r, const struct message *m, bool done)
{
    struct item item = read_item(m->item);
    if (done)
        finish_item(r, m->output_index, m->item);
    else
        (void)add_item(r, m->output_index, &item);
}

static void finish_call(struct responses_reader *r, const struct message *m, enum read_item kind)
{
    struct responses_item *i = item_for(r, m->output_index, kind);
    if (i != NULL)
        finish_arguments(r, i, kind == ITEM_CUSTOM ? m->input : m->arguments);
}

static void take_event(struct responses_reader *r, const struct message *m)
{
    if (is(m, "output_text.delta"))
        take_text(r, ITEM_MESSAGE, TURN_TEXT, m, m->content_index);
    else if (is(m, "function_call_arguments.delta"))
        take_arguments(r, ITEM_FUNCTION, m);
    else if (is(m, "reasoning_summary_text.delta"))
        take_text(r, ITEM_REASONING, TURN_REASONING, m, m->summary_index);
    else if (is(m, "reasoning_text.delta") || is(m, "reasoning.delta"))
        take_text(r, ITEM_REASONING, TURN_REASONING, m, m->content_index);
    else if (is(m, "refusal.delta"))
        take_text(r, ITEM_MESSAGE, TURN_REFUSAL, m, m->content_index);
    else if (is(m, "custom_tool_call_input.delta"))
        take_arguments(r, ITEM_CUSTOM, m);
    else if (is(m, "output_item.added"))
        take_item(r, m, false);
    else if (is(m, "output_item.done"))
        take_item(r, m, true);
    else if (is(m, "output_text.done"))
        finish_text(r, ITEM_MESSAGE, TURN_TEXT, m->output_index, m->content_index, m->text,
                    m->logprobs);
    else if (is(m, "refusal.done"))
        finish_text(r, ITEM_MESSAGE, TURN_REFUSAL, m->output_index, m->content_index, m->refusal,
                    SPAN_NONE);
    else if (is(m, "function_call_arguments.done"))
        finish_call(r, m, ITEM_FUNCTION);
    else if (is(m, "custom_tool_call_input.done"))
        finish_call(r, m, ITEM_CUSTOM);
    else if (is(m, "output_text.annotation.added"))
        take_annotation(r, m->output_index, m->annotation);
    else if (is(m, "completed") || is(m, "incomplete") || is(m, "failed"))
        conclude(r, m->response);
}

void responses_reader_event(struct responses_reader *r, struct span data)
{
    struct message m;
    if (r->is_over || span_eq(data, SPAN_LIT("[DONE]")))
        return;
    if (!read_message(data, &m)) {
        fail(r, "the provider's stream holds an event that is not a JSON object");
    } else if (span_eq(m.type, SPAN_LIT("error"))) {
        fail_with(r, m.error.len > 0 ? m.error : data);
    } else if (m.type.len == 0 && m.error.len > 0) {
        fail_with(r, m.error);
    } else if (span_starts(m.type, SPAN_LIT("response."))) {
        struct response s = {.id = SPAN_NONE};
        if (!r->has_started && m.response.len > 0)
            s = read_response(m.response);
        if (!is(&m, "failed"))
            start(r, &s);
        take_event(r, &m);
    }
}

void responses_reader_end(struct responses_reader *r)
{
    if (!r->is_over)
        fail(r, "the provider's stream ended before the response was complete");
}

void responses_reader_whole(struct responses_reader *r, struct span body)
{
    if (!json_is_object(body))
        fail(r, "the provider's answer is not a JSON object");
    else
        conclude(r, body);
}
