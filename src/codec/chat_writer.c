#include "sluice/codec/chat_writer.h"

#include "thought_signature.h"
#include "usage_wire.h"

#include "sluice/codec/logprobs.h"
#include "sluice/codec/proof.h"
#include "sluice/codec/raw_text.h"
#include "sluice/format/json_out.h"

#include <errno.h>
#include <stdlib.h>

void chat_writer_init(struct chat_writer *w, const struct answer_identity *who)
{
    *w = (struct chat_writer){.who = who, .text_slot = UINT32_MAX};
}

void chat_writer_fini(struct chat_writer *w)
{
    buf_fini(&w->head);
    buf_fini(&w->signature);
    free(w->calls);
    w->calls = NULL;
}

/* --- pieces --------------------------------------------------------------------------------------- */

static void put_identity(struct json_out *o, const struct answer_identity *who, const char *object)
{
    json_out_lit(o, "\"id\":\"gen-");
    json_out_span(o, who->id);
    json_out_lit(o, "\",\"object\":\"");
    json_out_span(o, span_text(object));
    json_out_lit(o, "\",\"created\":");
    json_out_u64(o, who->created);
    json_out_lit(o, ",\"model\":");
    json_out_raw(o, who->model);
}

/* All chunks of a stream say the same. */
static void put_chunk_identity(struct json_out *o, const struct answer_identity *who)
{
    put_identity(o, who, "chat.completion.chunk");
    if (who->provider.len == 0)
        return;
    json_out_lit(o, ",\"provider\":");
    json_out_raw(o, who->provider);
}

static const char *finish_word(enum turn_stop stop)
{
    switch (stop) {
    case STOP_LENGTH:
    case STOP_CONTEXT:
        return "length";
    case STOP_CALLS:
        return "tool_calls";
    case STOP_REFUSAL:
        return "content_filter";
    default:
        return "stop";
    }
}

static void put_finish(struct json_out *o, enum turn_stop stop, struct span native)
{
    json_out_lit(o, ",\"finish_reason\":");
    json_out_raw(o, span_text(finish_word(stop)));
    json_out_lit(o, ",\"native_finish_reason\":");
    if (native.len > 0)
        json_out_raw(o, native);
    else
        json_out_lit(o, "null");
}

static void put_citation(struct json_out *o, struct span url, struct span title, size_t start,
                         size_t end)
{
    json_out_lit(o, "{\"type\":\"url_citation\",\"url_citation\":{\"start_index\":");
    json_out_u64(o, start);
    json_out_lit(o, ",\"end_index\":");
    json_out_u64(o, end);
    json_out_lit(o, ",\"url\":");
    json_out_raw(o, url);
    json_out_lit(o, ",\"title\":");
    json_out_raw(o, title);
    json_out_lit(o, "}}");
}

/* --- chunks --------------------------------------------------------------------------------------- */

static void make_head(struct chat_writer *w, struct json_out *o)
{
    struct json_out head = json_out_to(&w->head);
    json_out_lit(&head, "data: {");
    put_chunk_identity(&head, w->who);
    json_out_lit(&head, ",\"choices\":[{\"index\":0,\"delta\":{");
    o->rc = head.rc;
}

static void begin(struct chat_writer *w, struct json_out *o)
{
    json_out_span(o, buf_span(&w->head));
}

static void end(struct json_out *o)
{
    json_out_lit(o, "},\"logprobs\":null,\"finish_reason\":null}]}\n\n");
}

static void put_start(struct chat_writer *w, struct json_out *o)
{
    if (w->has_started)
        return;
    w->has_started = true;
    make_head(w, o);
    begin(w, o);
    json_out_lit(o, "\"role\":\"assistant\",\"content\":\"\"");
    end(o);
}

static void put_member(struct chat_writer *w, const char *key_and_colon, struct span raw,
                       struct json_out *o)
{
    if (raw.len == 0)
        return;
    begin(w, o);
    json_out_span(o, span_text(key_and_colon));
    json_out_raw(o, raw);
    end(o);
}

static void put_text(struct chat_writer *w, const struct turn_event *e, struct json_out *o)
{
    if (w->text_slot != e->slot) {
        w->text_slot = e->slot;
        w->text_start = w->text_end;
    }
    w->text_end += raw_text_code_points(e->text);
    if (e->logprobs.len == 0) {
        put_member(w, "\"content\":", e->text, o);
        return;
    }
    begin(w, o);
    json_out_lit(o, "\"content\":");
    json_out_raw(o, e->text);
    json_out_lit(o, "},\"logprobs\":{\"content\":[");
    logprobs_put(o, e->logprobs);
    json_out_lit(o, "],\"refusal\":null},\"finish_reason\":null}]}\n\n");
}

static void put_detail(struct chat_writer *w, const struct turn_event *e, struct span call,
                       struct json_out *o)
{
    json_out_lit(o, "\"reasoning_details\":");
    chat_details_put(&w->details, e, call, o);
}

static void put_reasoning(struct chat_writer *w, const struct turn_event *e, struct json_out *o)
{
    if (e->text.len == 0)
        return;
    begin(w, o);
    json_out_lit(o, "\"reasoning\":");
    json_out_raw(o, e->text);
    json_out_lit(o, ",\"reasoning_content\":");
    json_out_raw(o, e->text);
    json_out_lit(o, ",");
    put_detail(w, e, SPAN_NONE, o);
    end(o);
}

/* What lies on a call waits for it. */
static void put_hidden(struct chat_writer *w, const struct turn_event *e, struct json_out *o)
{
    if (e->text.len == 0)
        return;
    if (e->is_of_call && span_eq(e->family, PROOF_GEMINI)) {
        buf_clear(&w->signature);
        o->rc = o->rc < 0 ? o->rc : buf_add(&w->signature, e->text);
        return;
    }
    begin(w, o);
    if (!w->has_signed && chat_details_is_of_message(&w->details, e)) {
        w->has_signed = true; /* clients join what comes twice */
        json_out_lit(o, "\"thought_signature\":");
        json_out_raw(o, e->text);
        json_out_lit(o, ",");
    }
    put_detail(w, e, SPAN_NONE, o);
    end(o);
}

static void put_annotation(struct chat_writer *w, const struct turn_event *e, struct json_out *o)
{
    if (e->slot != w->text_slot || e->citation.url.len == 0)
        return;
    begin(w, o);
    json_out_lit(o, "\"annotations\":[");
    put_citation(o, e->citation.url, e->citation.title, w->text_start, w->text_end);
    json_out_lit(o, "]");
    end(o);
}

/* --- calls ---------------------------------------------------------------------------------------- */

static struct chat_written_call *find_call(const struct chat_writer *w, unsigned slot)
{
    for (unsigned i = w->ncalls; i > 0; i--) {
        if (w->calls[i - 1].slot == slot)
            return &w->calls[i - 1];
    }
    return NULL;
}

static struct chat_written_call *new_call(struct chat_writer *w, unsigned slot)
{
    if (w->ncalls == w->room) {
        unsigned room = w->room == 0 ? 4 : w->room * 2;
        struct chat_written_call *grown = realloc(w->calls, room * sizeof *grown);
        if (grown == NULL)
            return NULL;
        w->calls = grown;
        w->room = room;
    }
    struct chat_written_call *c = &w->calls[w->ncalls++];
    *c = (struct chat_written_call){.slot = slot};
    return c;
}

static void put_function(struct json_out *o, struct span id, struct span name, bool is_custom)
{
    json_out_lit(o, "\"id\":");
    json_out_raw(o, id);
    json_out_span(o, span_text(is_custom ? ",\"type\":\"custom\",\"custom\":{\"name\":"
                                         : ",\"type\":\"function\",\"function\":{\"name\":"));
    json_out_raw(o, name);
    json_out_span(o, span_text(is_custom ? ",\"input\":" : ",\"arguments\":"));
}

/* Beside the function, in both spellings. */
static void put_call_signature(struct json_out *o, struct span signature)
{
    if (signature.len == 0)
        return;
    json_out_lit(o, ",\"thought_signature\":");
    json_out_raw(o, signature);
    thought_signature_put(o, signature);
}

/* The proof that waited for this call. */
static void put_call_detail(struct chat_writer *w, struct span id, struct json_out *o)
{
    struct turn_event proof = {.kind = TURN_PROOF,
                               .text = buf_span(&w->signature),
                               .family = PROOF_GEMINI,
                               .is_of_call = true};
    if (proof.text.len == 0)
        return;
    json_out_lit(o, ",");
    w->details.is_open = false;
    put_detail(w, &proof, id, o);
    buf_clear(&w->signature);
}

static void put_call(struct chat_writer *w, const struct turn_event *e, struct json_out *o)
{
    if (find_call(w, e->slot) != NULL)
        return;
    struct chat_written_call *c = new_call(w, e->slot);
    if (c == NULL) {
        o->rc = -ENOMEM;
        return;
    }
    c->is_custom = e->is_custom;
    begin(w, o);
    json_out_lit(o, "\"tool_calls\":[{\"index\":");
    json_out_u64(o, w->ncalls - 1);
    json_out_lit(o, ",");
    put_function(o, e->id, e->name, e->is_custom);
    json_out_lit(o, "\"\"}");
    put_call_signature(o, buf_span(&w->signature));
    json_out_lit(o, "}]");
    put_call_detail(w, e->id, o);
    end(o);
}

static void put_arguments(struct chat_writer *w, struct chat_written_call *c, struct span piece,
                          struct json_out *o)
{
    if (c == NULL || piece.len == 0 || c->has_ended)
        return;
    c->has_arguments = true;
    begin(w, o);
    json_out_lit(o, "\"tool_calls\":[{\"index\":");
    json_out_u64(o, (uint64_t)(c - w->calls));
    json_out_span(
        o, span_text(c->is_custom ? ",\"custom\":{\"input\":" : ",\"function\":{\"arguments\":"));
    json_out_raw(o, piece);
    json_out_lit(o, "}}]");
    end(o);
}

/* A function without arguments takes an empty object, which nobody has sent. */
static void end_call(struct chat_writer *w, struct chat_written_call *c, struct json_out *o)
{
    if (c != NULL && !c->has_arguments && !c->is_custom)
        put_arguments(w, c, SPAN_LIT("{}"), o);
    if (c != NULL)
        c->has_ended = true;
}

/* --- the end -------------------------------------------------------------------------------------- */

static void put_finish_chunk(struct chat_writer *w, enum turn_stop stop, struct span native,
                             struct json_out *o)
{
    if (w->has_finished)
        return;
    for (unsigned i = 0; i < w->ncalls; i++)
        end_call(w, &w->calls[i], o);
    if (strcmp(finish_word(stop), "stop") == 0)
        stop = w->ncalls > 0 ? STOP_CALLS : STOP_END;
    w->has_finished = true;
    begin(w, o);
    json_out_lit(o, "},\"logprobs\":null");
    put_finish(o, stop, native);
    json_out_lit(o, "}]}\n\n");
}

static void put_usage_chunk(struct chat_writer *w, struct json_out *o)
{
    json_out_lit(o, "data: {");
    put_chunk_identity(o, w->who);
    json_out_lit(o, ",\"choices\":[],");
    usage_put_chat(o, &w->usage, w->who);
    json_out_lit(o, ",\"request_id\":\"");
    json_out_span(o, w->who->id);
    json_out_lit(o, "\"");
    usage_put_cost(o, w->who);
    json_out_lit(o, "}\n\n");
}

static void put_end(struct chat_writer *w, struct json_out *o)
{
    put_finish_chunk(w, STOP_NONE, SPAN_NONE, o);
    if (w->who->wants_usage)
        put_usage_chunk(w, o);
    json_out_lit(o, "data: [DONE]\n\n");
    w->is_over = true;
}

static void put_fault(struct chat_writer *w, const struct fault *f, struct json_out *o)
{
    w->is_over = true;
    if (o->rc == 0)
        o->rc = fault_write_stream(f, API_CHAT, w->who->id, NULL, o->buf);
}

static void put_content(struct chat_writer *w, const struct turn_event *e, struct json_out *o)
{
    switch (e->kind) {
    case TURN_TEXT:
        put_text(w, e, o);
        break;
    case TURN_REFUSAL:
        put_member(w, "\"refusal\":", e->text, o);
        break;
    case TURN_REASONING:
        put_reasoning(w, e, o);
        break;
    case TURN_PROOF:
    case TURN_REDACTED:
        put_hidden(w, e, o);
        break;
    case TURN_CALL:
        put_call(w, e, o);
        break;
    case TURN_ARGUMENTS:
        put_arguments(w, find_call(w, e->slot), e->text, o);
        break;
    case TURN_CALL_END:
        end_call(w, find_call(w, e->slot), o);
        break;
    case TURN_CITATION:
        put_annotation(w, e, o);
        break;
    default:
        break;
    }
}

int chat_writer_event(struct chat_writer *w, const struct turn_event *e, struct buf *out)
{
    struct json_out o = json_out_to(out);
    if (w->is_over)
        return 0;
    if (e->kind == TURN_FAULT) {
        put_fault(w, e->fault, &o);
        return o.rc;
    }
    if (e->kind == TURN_USAGE) {
        w->usage = *e->usage;
        return 0;
    }
    put_start(w, &o);
    if (e->kind == TURN_END)
        put_end(w, &o);
    else if (e->kind == TURN_STOP)
        put_finish_chunk(w, e->stop, e->native, &o);
    else if (!w->has_finished)
        put_content(w, e, &o);
    return o.rc;
}

/* --- whole ---------------------------------------------------------------------------------------- */

/* The texts of one kind as a string member; null when there are none and `or_null`. */
static void put_texts(struct json_out *o, const struct turn_answer *a, enum answer_kind kind,
                      const char *key, bool or_null)
{
    unsigned n = 0;
    for (unsigned i = 0; i < a->n; i++) {
        if (a->blocks[i].kind != kind || buf_len(&a->blocks[i].text) == 0)
            continue;
        if (n++ == 0) {
            json_out_span(o, span_text(key));
            json_out_lit(o, "\"");
        }
        json_out_span(o, buf_span(&a->blocks[i].text));
    }
    if (n > 0) {
        json_out_lit(o, "\"");
    } else if (or_null) {
        json_out_span(o, span_text(key));
        json_out_lit(o, "null");
    }
}

static void put_list_start(struct json_out *o, const char *key, unsigned n)
{
    if (n == 0)
        json_out_span(o, span_text(key));
    else
        json_out_lit(o, ",");
}

/* Of all texts one after the other. */
static void put_whole_logprobs(struct json_out *o, const struct turn_answer *a)
{
    bool is_first = true;
    for (unsigned i = 0; i < a->n; i++) {
        struct span list = buf_span(&a->blocks[i].logprobs);
        if (list.len == 0)
            continue;
        json_out_span(o, is_first ? SPAN_LIT("\"logprobs\":{\"content\":[") : SPAN_LIT(","));
        json_out_span(o, list);
        is_first = false;
    }
    json_out_span(o, is_first ? SPAN_LIT("\"logprobs\":null") : SPAN_LIT("],\"refusal\":null}"));
}

static void put_message_signature(struct json_out *o, const struct turn_answer *a)
{
    struct span signature = chat_details_of_message(a);
    if (signature.len == 0)
        return;
    json_out_lit(o, ",\"thought_signature\":");
    json_out_raw(o, signature);
}

static void put_calls(struct json_out *o, const struct turn_answer *a)
{
    unsigned n = 0;
    for (unsigned i = 0; i < a->n; i++) {
        const struct answer_block *b = &a->blocks[i];
        if (b->kind != ANSWER_CALL)
            continue;
        put_list_start(o, ",\"tool_calls\":[", n++);
        json_out_lit(o, "{");
        put_function(o, buf_span(&b->id), buf_span(&b->name), b->is_custom);
        bool is_empty = buf_len(&b->text) == 0 && !b->is_custom;
        json_out_raw(o, is_empty ? SPAN_LIT("{}") : buf_span(&b->text));
        json_out_lit(o, "}");
        put_call_signature(o, chat_details_of_call(a, i));
        json_out_lit(o, "}");
    }
    if (n > 0)
        json_out_lit(o, "]");
}

static void put_annotations(struct json_out *o, const struct turn_answer *a)
{
    unsigned n = 0;
    size_t at = 0;
    for (unsigned i = 0; i < a->n; i++) {
        const struct answer_block *b = &a->blocks[i];
        if (b->kind != ANSWER_TEXT)
            continue;
        size_t start = at;
        at += raw_text_code_points(buf_span(&b->text));
        for (unsigned c = 0; c < b->ncitations; c++) {
            put_list_start(o, ",\"annotations\":[", n++);
            put_citation(o, buf_span(&b->citations[c].url), buf_span(&b->citations[c].title), start,
                         at);
        }
    }
    if (n > 0)
        json_out_lit(o, "]");
}

/* A refusal in words is an answer like any other here; only a filter's has a word of its own. */
static enum turn_stop whole_stop(const struct turn_answer *a)
{
    enum turn_stop stop = turn_answer_stop(a);
    return stop == STOP_REFUSAL && a->stop != STOP_REFUSAL ? STOP_END : stop;
}

int chat_write_whole(const struct turn_answer *a, const struct answer_identity *who,
                     struct buf *out)
{
    struct json_out o = json_out_to(out);
    json_out_lit(&o, "{");
    put_identity(&o, who, "chat.completion");
    json_out_lit(&o, ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\"");
    put_texts(&o, a, ANSWER_TEXT, ",\"content\":", true);
    put_texts(&o, a, ANSWER_REFUSAL, ",\"refusal\":", true);
    put_texts(&o, a, ANSWER_REASONING, ",\"reasoning\":", false);
    put_texts(&o, a, ANSWER_REASONING, ",\"reasoning_content\":", false);
    chat_details_put_whole(a, &o);
    put_message_signature(&o, a);
    put_calls(&o, a);
    put_annotations(&o, a);
    json_out_lit(&o, "},");
    put_whole_logprobs(&o, a);
    put_finish(&o, whole_stop(a), buf_span(&a->native));
    json_out_lit(&o, "}],");
    usage_put_chat(&o, &a->usage, who);
    usage_put_cost(&o, who);
    json_out_lit(&o, "}");
    return o.rc;
}
