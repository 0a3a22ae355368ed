#include "sluice/codec/responses_writer.h"

#include "sluice/codec/logprobs.h"
#include "sluice/codec/raw_text.h"
#include "sluice/codec/responses_stream.h"

#include <errno.h>
#include <stdlib.h>

void responses_writer_init(struct responses_writer *w, const struct answer_identity *who,
                           struct span request)
{
    *w = (struct responses_writer){.who = who, .text = -1, .reasoning = -1};
    responses_echo_read(&w->echo, request);
    turn_answer_init(&w->answer, RESPONSES_KEPT_MAX);
}

void responses_writer_fini(struct responses_writer *w)
{
    turn_answer_fini(&w->answer);
    free(w->places);
    w->places = NULL;
}

/* --- events --------------------------------------------------------------------------------------- */

/* `event:` line and the beginning of the object; every event is numbered. */
static void begin(struct responses_writer *w, struct json_out *o, const char *type)
{
    json_out_lit(o, "event: response.");
    json_out_span(o, span_text(type));
    json_out_lit(o, "\ndata: {\"type\":\"response.");
    json_out_span(o, span_text(type));
    json_out_lit(o, "\",\"sequence_number\":");
    json_out_u64(o, w->sequence++);
}

static void end(struct json_out *o)
{
    json_out_lit(o, "}\n\n");
}

static void put_response(struct responses_writer *w, struct json_out *o, const char *type,
                         enum response_status status, const struct fault *why)
{
    begin(w, o, type);
    json_out_lit(o, ",\"response\":");
    responses_put_object(o, w->who, &w->echo, &w->answer, status, why);
    end(o);
}

static void put_start(struct responses_writer *w, struct json_out *o)
{
    if (w->has_started)
        return;
    w->has_started = true;
    put_response(w, o, "created", RESPONSE_IN_PROGRESS, NULL);
    put_response(w, o, "in_progress", RESPONSE_IN_PROGRESS, NULL);
}

/* `,"output_index":…,"item_id":…` of a block */
static void put_place(const struct responses_writer *w, struct json_out *o, unsigned block)
{
    const struct responses_place *p = &w->places[block];
    json_out_lit(o, ",\"output_index\":");
    json_out_u64(o, p->item);
    json_out_lit(o, ",\"item_id\":");
    responses_put_item_id(o, w->who, &w->answer.blocks[p->first], p->item);
}

static void put_part_place(const struct responses_writer *w, struct json_out *o, unsigned block)
{
    put_place(w, o, block);
    json_out_lit(o, ",\"content_index\":");
    json_out_u64(o, w->places[block].part);
}

static void put_item(struct responses_writer *w, struct json_out *o, const char *type,
                     unsigned block, const char *status)
{
    const struct responses_place *p = &w->places[block];
    begin(w, o, type);
    json_out_lit(o, ",\"output_index\":");
    json_out_u64(o, p->item);
    json_out_lit(o, ",\"item\":");
    responses_put_item(o, w->who, &w->echo, &w->answer, p->first, p->item, status);
    end(o);
}

static void end_item(struct responses_writer *w, unsigned block, const char *status,
                     struct json_out *o)
{
    struct answer_block *first = &w->answer.blocks[w->places[block].first];
    first->has_ended |= strcmp(status, "completed") == 0;
    put_item(w, o, "output_item.done", block, status);
}

static void put_delta(struct responses_writer *w, struct json_out *o, const char *type,
                      unsigned block, const char *place, struct span delta)
{
    begin(w, o, type);
    put_place(w, o, block);
    json_out_span(o, span_text(place));
    json_out_lit(o, ",\"delta\":");
    json_out_raw(o, delta);
    end(o);
}

/* --- keeping -------------------------------------------------------------------------------------- */

static void fail(struct responses_writer *w, const struct fault *why, struct json_out *o);

/* Keeps what `e` says under the block's own number. False: the response has failed. */
static bool keep(struct responses_writer *w, const struct turn_event *e, unsigned block,
                 struct json_out *o)
{
    struct turn_event own = *e;
    own.slot = block;
    int rc = turn_answer_add(&w->answer, &own);
    if (rc == -E2BIG) {
        if (w->answer.n > w->nplaced)
            turn_answer_pop(&w->answer); /* nobody has heard of it */
        struct fault why = {.kind = FAULT_UPSTREAM, .message = "the answer is too long to be kept"};
        fail(w, &why, o);
    } else if (o->rc == 0) {
        o->rc = rc;
    }
    return rc == 0 && o->rc == 0;
}

/* A new block for `e`, in an item of its own unless it continues the open message. */
static int open_block(struct responses_writer *w, const struct turn_event *e, struct json_out *o)
{
    unsigned block = w->answer.n;
    if (block == w->room) {
        unsigned room = w->room == 0 ? 4 : w->room * 2;
        struct responses_place *grown = realloc(w->places, room * sizeof *grown);
        if (grown == NULL) {
            o->rc = -ENOMEM;
            return -1;
        }
        w->places = grown;
        w->room = room;
    }
    w->places[block] = (struct responses_place){
        .slot = e->slot, .item = w->items, .first = block, .is_open = true};
    if (!keep(w, e, block, o) || w->answer.n != block + 1)
        return -1;
    w->nplaced = w->answer.n;
    return (int)block;
}

static void add_item(struct responses_writer *w, unsigned block, struct json_out *o)
{
    w->items++;
    put_item(w, o, "output_item.added", block, "in_progress");
}

/* --- messages ------------------------------------------------------------------------------------- */

static void put_part(struct responses_writer *w, struct json_out *o, const char *type,
                     unsigned block, bool is_begun)
{
    const struct answer_block *b = &w->answer.blocks[block];
    begin(w, o, type);
    put_part_place(w, o, block);
    json_out_lit(o, ",\"part\":");
    if (!is_begun)
        responses_put_part(o, b);
    else if (b->kind == ANSWER_REFUSAL)
        json_out_lit(o, "{\"type\":\"refusal\",\"refusal\":\"\"}");
    else
        json_out_lit(o, "{\"type\":\"output_text\",\"text\":\"\",\"annotations\":[],"
                        "\"logprobs\":[]}");
    end(o);
}

/* A source is of the whole part, so it can be named when that has ended. */
static void put_annotations(struct responses_writer *w, unsigned block, struct json_out *o)
{
    const struct answer_block *b = &w->answer.blocks[block];
    size_t length = b->ncitations > 0 ? raw_text_code_points(buf_span(&b->text)) : 0;
    for (unsigned i = 0; i < b->ncitations; i++) {
        begin(w, o, "output_text.annotation.added");
        put_part_place(w, o, block);
        json_out_lit(o, ",\"annotation_index\":");
        json_out_u64(o, i);
        json_out_lit(o, ",\"annotation\":");
        responses_put_annotation(o, &b->citations[i], length);
        end(o);
    }
}

static void close_part(struct responses_writer *w, struct json_out *o)
{
    unsigned block = (unsigned)w->text;
    const struct answer_block *b = &w->answer.blocks[block];
    bool is_refusal = b->kind == ANSWER_REFUSAL;
    put_annotations(w, block, o);
    begin(w, o, is_refusal ? "refusal.done" : "output_text.done");
    put_part_place(w, o, block);
    if (!is_refusal) {
        json_out_lit(o, ",\"logprobs\":[");
        json_out_span(o, buf_span(&b->logprobs));
        json_out_lit(o, "]");
    }
    json_out_span(o, span_text(is_refusal ? ",\"refusal\":" : ",\"text\":"));
    json_out_raw(o, buf_span(&b->text));
    end(o);
    put_part(w, o, "content_part.done", block, false);
    w->places[block].is_open = false;
}

static void close_message(struct responses_writer *w, const char *status, struct json_out *o)
{
    if (w->text < 0)
        return;
    close_part(w, o);
    end_item(w, (unsigned)w->text, status, o);
    w->text = -1;
}

static void put_text_delta(struct responses_writer *w, const struct turn_event *e,
                           struct json_out *o)
{
    unsigned block = (unsigned)w->text;
    begin(w, o, e->kind == TURN_REFUSAL ? "refusal.delta" : "output_text.delta");
    put_part_place(w, o, block);
    json_out_lit(o, ",\"delta\":");
    json_out_raw(o, e->text);
    if (e->kind == TURN_TEXT) {
        json_out_lit(o, ",\"logprobs\":[");
        logprobs_put(o, e->logprobs);
        json_out_lit(o, "]");
    }
    end(o);
}

static bool continues_part(const struct responses_writer *w, const struct turn_event *e)
{
    enum answer_kind kind = e->kind == TURN_REFUSAL ? ANSWER_REFUSAL : ANSWER_TEXT;
    return w->text >= 0 && w->places[w->text].slot == e->slot &&
           w->answer.blocks[w->text].kind == kind;
}

static void close_reasoning(struct responses_writer *w, struct json_out *o);

/* A text that is no part under way: the next part of the message, or a message. */
static void open_part(struct responses_writer *w, const struct turn_event *e, struct json_out *o)
{
    int before = w->text;
    close_reasoning(w, o);
    if (before >= 0)
        close_part(w, o);
    int block = open_block(w, e, o);
    if (block < 0)
        return;
    w->text = block;
    if (before < 0) {
        add_item(w, (unsigned)block, o);
    } else {
        struct responses_place *p = &w->places[block], *last = &w->places[before];
        p->item = last->item;
        p->first = last->first;
        p->part = last->part + 1;
    }
    put_part(w, o, "content_part.added", (unsigned)block, true);
    put_text_delta(w, e, o);
}

static void put_text(struct responses_writer *w, const struct turn_event *e, struct json_out *o)
{
    if (e->text.len == 0 && e->logprobs.len == 0)
        return;
    if (!continues_part(w, e))
        open_part(w, e, o);
    else if (keep(w, e, (unsigned)w->text, o))
        put_text_delta(w, e, o);
}

static void put_citation(struct responses_writer *w, const struct turn_event *e, struct json_out *o)
{
    bool is_cited = w->text >= 0 && w->places[w->text].slot == e->slot &&
                    w->answer.blocks[w->text].kind == ANSWER_TEXT;
    if (is_cited && e->citation.url.len > 0)
        (void)keep(w, e, (unsigned)w->text, o);
}

/* --- reasoning ------------------------------------------------------------------------------------ */

/* What the events of reasoning are called, as a summary and as it is. */
static const struct reasoning_words {
    const char *added, *delta, *done, *part_done, *index;
} reasoning_words[] = {
    {"reasoning_summary_part.added", "reasoning_summary_text.delta", "reasoning_summary_text.done",
     "reasoning_summary_part.done", ",\"summary_index\":0"},
    {"content_part.added", "reasoning_text.delta", "reasoning_text.done", "content_part.done",
     ",\"content_index\":0"},
};

static const struct reasoning_words *words_of(const struct responses_writer *w)
{
    return &reasoning_words[w->who->reasons_raw];
}

static void put_reasoning_part(struct responses_writer *w, struct json_out *o, const char *type,
                               unsigned block, struct span text)
{
    begin(w, o, type);
    put_place(w, o, block);
    json_out_span(o, span_text(words_of(w)->index));
    json_out_lit(o, ",\"part\":");
    responses_put_reasoning_part(o, w->who, text);
    end(o);
}

static void close_reasoning(struct responses_writer *w, struct json_out *o)
{
    if (w->reasoning < 0)
        return;
    unsigned block = (unsigned)w->reasoning;
    struct span text = buf_span(&w->answer.blocks[block].text);
    w->reasoning = -1;
    w->places[block].is_open = false;
    if (w->places[block].has_reasons) {
        begin(w, o, words_of(w)->done);
        put_place(w, o, block);
        json_out_span(o, span_text(words_of(w)->index));
        json_out_lit(o, ",\"text\":");
        json_out_raw(o, text);
        end(o);
        put_reasoning_part(w, o, words_of(w)->part_done, block, text);
    }
    end_item(w, block, "completed", o);
}

static void open_reasoning(struct responses_writer *w, const struct turn_event *e,
                           struct json_out *o)
{
    close_message(w, "completed", o);
    close_reasoning(w, o);
    int block = open_block(w, e, o);
    if (block < 0)
        return;
    w->reasoning = block;
    add_item(w, (unsigned)block, o);
}

static bool continues_reasoning(const struct responses_writer *w, const struct turn_event *e)
{
    return w->reasoning >= 0 && w->places[w->reasoning].slot == e->slot &&
           w->answer.blocks[w->reasoning].kind == ANSWER_REASONING;
}

static void put_reasoning(struct responses_writer *w, const struct turn_event *e,
                          struct json_out *o)
{
    if (e->text.len == 0)
        return;
    if (!continues_reasoning(w, e))
        open_reasoning(w, e, o);
    else if (!keep(w, e, (unsigned)w->reasoning, o))
        return;
    if (w->reasoning < 0)
        return;
    unsigned block = (unsigned)w->reasoning;
    if (!w->places[block].has_reasons) {
        w->places[block].has_reasons = true;
        put_reasoning_part(w, o, words_of(w)->added, block, SPAN_NONE);
    }
    put_delta(w, o, words_of(w)->delta, block, words_of(w)->index, e->text);
}

/* Shown to nobody who did not ask for it; the item is complete with it. */
static void put_hidden(struct responses_writer *w, const struct turn_event *e, struct json_out *o)
{
    if (!w->echo.wants_encrypted || e->text.len == 0)
        return;
    if (e->kind == TURN_PROOF && continues_reasoning(w, e))
        (void)keep(w, e, (unsigned)w->reasoning, o);
    else
        open_reasoning(w, e, o);
    if (!w->is_over)
        close_reasoning(w, o);
}

/* --- calls ---------------------------------------------------------------------------------------- */

static int find_call(const struct responses_writer *w, unsigned slot)
{
    for (unsigned i = w->answer.n; i > 0; i--) {
        if (w->answer.blocks[i - 1].kind == ANSWER_CALL && w->places[i - 1].slot == slot)
            return (int)i - 1;
    }
    return -1;
}

static void open_call(struct responses_writer *w, const struct turn_event *e, struct json_out *o)
{
    if (find_call(w, e->slot) >= 0)
        return;
    close_message(w, "completed", o);
    close_reasoning(w, o);
    int block = open_block(w, e, o);
    if (block >= 0)
        add_item(w, (unsigned)block, o);
}

static const char *arguments_event(const struct answer_block *b, bool done)
{
    if (b->is_custom)
        return done ? "custom_tool_call_input.done" : "custom_tool_call_input.delta";
    return done ? "function_call_arguments.done" : "function_call_arguments.delta";
}

static void put_arguments(struct responses_writer *w, const struct turn_event *e, int block,
                          struct json_out *o)
{
    if (block < 0 || !w->places[block].is_open || e->text.len == 0 ||
        !keep(w, e, (unsigned)block, o))
        return;
    put_delta(w, o, arguments_event(&w->answer.blocks[block], false), (unsigned)block, "", e->text);
}

static void close_call(struct responses_writer *w, int block, const char *status,
                       struct json_out *o)
{
    if (block < 0 || !w->places[block].is_open)
        return;
    const struct answer_block *b = &w->answer.blocks[block];
    if (buf_len(&b->text) == 0 && !b->is_custom) {
        struct turn_event empty = {.kind = TURN_ARGUMENTS, .text = SPAN_LIT("{}")};
        put_arguments(w, &empty, block, o);
    }
    if (w->is_over)
        return;
    w->places[block].is_open = false;
    begin(w, o, arguments_event(b, true));
    put_place(w, o, (unsigned)block);
    if (!b->is_custom) {
        json_out_lit(o, ",\"name\":");
        json_out_raw(o, buf_span(&b->name));
    }
    json_out_span(o, span_text(b->is_custom ? ",\"input\":" : ",\"arguments\":"));
    json_out_raw(o, buf_span(&b->text));
    end(o);
    end_item(w, (unsigned)block, status, o);
}

/* --- the end -------------------------------------------------------------------------------------- */

static void close_all(struct responses_writer *w, const char *status, struct json_out *o)
{
    close_reasoning(w, o);
    for (unsigned i = 0; i < w->answer.n && !w->is_over; i++) {
        if (w->answer.blocks[i].kind == ANSWER_CALL)
            close_call(w, (int)i, status, o);
    }
    if (!w->is_over)
        close_message(w, status, o);
}

static void finish(struct responses_writer *w, struct json_out *o)
{
    enum response_status status = responses_status(&w->answer);
    bool is_whole = status == RESPONSE_COMPLETED;
    close_all(w, is_whole ? "completed" : "incomplete", o);
    if (w->is_over)
        return;
    put_response(w, o, is_whole ? "completed" : "incomplete", status, NULL);
    w->is_over = true;
}

/* OpenAI sends an error event before the response that failed; what is open stays so, as there. */
static void put_error(struct responses_writer *w, const struct fault *why, struct json_out *o)
{
    struct span code = span_text(fault_openai_code(why)), message = span_text(why->message);
    json_out_lit(o, "event: error\ndata: {\"type\":\"error\",\"sequence_number\":");
    json_out_u64(o, w->sequence++);
    json_out_lit(o, ",\"code\":");
    json_out_raw(o, code);
    json_out_lit(o, ",\"message\":");
    json_out_bytes(o, message);
    json_out_lit(o, ",\"param\":\"\",\"error\":{\"type\":\"server_error\",\"code\":");
    json_out_raw(o, code);
    json_out_lit(o, ",\"message\":");
    json_out_bytes(o, message);
    json_out_lit(o, ",\"param\":\"\"}");
    end(o);
}

static void fail(struct responses_writer *w, const struct fault *why, struct json_out *o)
{
    put_start(w, o);
    put_error(w, why, o);
    put_response(w, o, "failed", RESPONSE_FAILED, why);
    w->is_over = true;
}

static void put_content(struct responses_writer *w, const struct turn_event *e, struct json_out *o)
{
    switch (e->kind) {
    case TURN_TEXT:
    case TURN_REFUSAL:
        put_text(w, e, o);
        break;
    case TURN_REASONING:
        put_reasoning(w, e, o);
        break;
    case TURN_PROOF:
    case TURN_REDACTED:
        put_hidden(w, e, o);
        break;
    case TURN_CALL:
        open_call(w, e, o);
        break;
    case TURN_ARGUMENTS:
        put_arguments(w, e, find_call(w, e->slot), o);
        break;
    case TURN_CALL_END:
        close_call(w, find_call(w, e->slot), "completed", o);
        break;
    case TURN_CITATION:
        put_citation(w, e, o);
        break;
    default:
        break;
    }
}

int responses_writer_event(struct responses_writer *w, const struct turn_event *e, struct buf *out)
{
    struct json_out o = json_out_to(out);
    if (w->is_over)
        return 0;
    if (e->kind == TURN_FAULT) {
        fail(w, e->fault, &o);
    } else if (e->kind == TURN_USAGE || e->kind == TURN_STOP) {
        int rc = turn_answer_add(&w->answer, e);
        o.rc = rc == -E2BIG ? 0 : rc;
    } else {
        put_start(w, &o);
        if (e->kind == TURN_END)
            finish(w, &o);
        else if (!w->answer.has_stopped)
            put_content(w, e, &o);
    }
    return o.rc;
}

int responses_writer_ping(struct responses_writer *w, struct buf *out)
{
    if (!w->has_started || w->is_over)
        return 0;
    return responses_put_keepalive(w->sequence++, out);
}

int responses_write_whole(const struct turn_answer *a, const struct answer_identity *who,
                          struct span request, struct buf *out)
{
    struct json_out o = json_out_to(out);
    struct responses_echo echo;
    responses_echo_read(&echo, request);
    responses_put_object(&o, who, &echo, a, responses_status(a), NULL);
    return o.rc;
}
