#include "sluice/codec/messages_writer.h"

#include "usage_wire.h"

#include "sluice/codec/messages_stream.h"
#include "sluice/format/json_out.h"

#include <errno.h>

void messages_writer_init(struct messages_writer *w, const struct answer_identity *who)
{
    *w = (struct messages_writer){.who = who};
    turn_answer_init(&w->held, MESSAGES_HELD_MAX);
}

void messages_writer_fini(struct messages_writer *w)
{
    turn_answer_fini(&w->held);
    buf_fini(&w->stop_sequence);
}

/* --- is the JSON value complete? ---------------------------------------------------------------- */

/* One character of the JSON text itself. */
static void depth_step(struct json_depth *d, uint8_t c)
{
    if (d->in_string) {
        if (d->after_backslash)
            d->after_backslash = false;
        else if (c == '\\')
            d->after_backslash = true;
        else if (c == '"')
            d->in_string = false;
        return;
    }
    if (c == '"') {
        d->in_string = true;
    } else if (c == '{' || c == '[') {
        d->depth++;
        d->has_begun = true;
    } else if ((c == '}' || c == ']') && d->depth > 0) {
        d->depth--;
        d->is_complete = d->depth == 0;
    }
}

enum { ESCAPE_NONE, ESCAPE_OPEN, ESCAPE_HEX };

static void hex_step(struct json_depth *d, uint8_t c)
{
    uint8_t digit = c <= '9' ? c - '0' : (uint8_t)((c | 0x20) - 'a' + 10);
    d->hex = (uint16_t)(d->hex << 4 | (digit & 15));
    if (++d->hex_digits < 4)
        return;
    d->escape = ESCAPE_NONE;
    depth_step(d, d->hex < 0x80 ? (uint8_t)d->hex : 'x');
}

/* The text comes as the inside of a string: its quotes and backslashes are escaped once more. */
static void depth_feed(struct json_depth *d, struct span raw)
{
    for (size_t i = 0; i < raw.len; i++) {
        uint8_t c = raw.at[i];
        if (d->escape == ESCAPE_HEX) {
            hex_step(d, c);
        } else if (d->escape == ESCAPE_OPEN) {
            d->escape = c == 'u' ? ESCAPE_HEX : ESCAPE_NONE;
            d->hex = 0;
            d->hex_digits = 0;
            if (c == '"' || c == '\\')
                depth_step(d, c);
            else if (c != 'u')
                depth_step(d, ' '); /* white space, or a slash: the same to us */
        } else if (c == '\\') {
            d->escape = ESCAPE_OPEN;
        } else {
            depth_step(d, c);
        }
    }
}

/* --- words -------------------------------------------------------------------------------------- */

static const char *stop_word(enum turn_stop stop)
{
    static const char *const words[] = {
        [STOP_NONE] = "end_turn",
        [STOP_END] = "end_turn",
        [STOP_SEQUENCE] = "stop_sequence",
        [STOP_LENGTH] = "max_tokens",
        [STOP_CONTEXT] = "model_context_window_exceeded",
        [STOP_CALLS] = "tool_use",
        [STOP_REFUSAL] = "refusal",
        [STOP_PAUSE] = "pause_turn",
    };
    return words[stop];
}

/* `"stop_reason":…,"stop_sequence":…` and, for a refusal, its details. */
static void put_stop(struct json_out *o, enum turn_stop stop, struct span sequence)
{
    json_out_lit(o, "\"stop_reason\":");
    json_out_raw(o, span_text(stop_word(stop)));
    json_out_lit(o, ",\"stop_sequence\":");
    if (stop == STOP_SEQUENCE && sequence.len > 0)
        json_out_raw(o, sequence);
    else
        json_out_lit(o, "null");
    if (stop == STOP_REFUSAL)
        json_out_lit(o, ",\"stop_details\":{\"type\":\"refusal\",\"category\":null,"
                        "\"explanation\":null}");
}

/* `"id":…,"type":"message","role":"assistant","model":…` */
static void put_identity(struct json_out *o, const struct answer_identity *who)
{
    json_out_lit(o, "\"id\":\"msg_");
    json_out_span(o, who->id);
    json_out_lit(o, "\",\"type\":\"message\",\"role\":\"assistant\",\"model\":");
    json_out_raw(o, who->model);
}

/* --- events ------------------------------------------------------------------------------------- */

static void put_start(struct messages_writer *w, struct json_out *o)
{
    if (w->has_started)
        return;
    w->has_started = true;
    json_out_lit(o, "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{");
    put_identity(o, w->who);
    json_out_lit(o, ",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,");
    struct usage usage = w->usage;
    if (usage.prompt == 0)
        usage.prompt = w->who->prompt;
    usage_put_messages(o, &usage, NULL);
    json_out_lit(o, "}}\n\n");
}

static void put_block_start(struct messages_writer *w, enum messages_block kind, unsigned slot,
                            struct json_out *o)
{
    w->open = kind;
    w->open_slot = slot;
    w->open_has_ended = w->open_has_proof = false;
    w->depth = (struct json_depth){0};
    json_out_lit(o,
                 "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":");
    json_out_u64(o, w->next_index);
    json_out_lit(o, ",\"content_block\":{\"type\":");
}

static void put_delta(struct messages_writer *w, const char *type, const char *member,
                      struct span raw, struct json_out *o)
{
    json_out_lit(o,
                 "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
    json_out_u64(o, w->next_index);
    json_out_lit(o, ",\"delta\":{\"type\":\"");
    json_out_span(o, span_text(type));
    json_out_lit(o, "\",\"");
    json_out_span(o, span_text(member));
    json_out_lit(o, "\":");
    json_out_raw(o, raw);
    json_out_lit(o, "}}\n\n");
}

static void put_block_stop(struct messages_writer *w, struct json_out *o)
{
    if (w->open == MESSAGES_NONE)
        return;
    w->open = MESSAGES_NONE;
    json_out_lit(o, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":");
    json_out_u64(o, w->next_index++);
    json_out_lit(o, "}\n\n");
}

static bool is_open(const struct messages_writer *w, enum messages_block kind, unsigned slot)
{
    return w->open == kind && w->open_slot == slot;
}

static void put_text(struct messages_writer *w, unsigned slot, struct span text, struct json_out *o)
{
    if (text.len == 0)
        return;
    if (!is_open(w, MESSAGES_TEXT, slot)) {
        put_block_stop(w, o);
        put_block_start(w, MESSAGES_TEXT, slot, o);
        json_out_lit(o, "\"text\",\"text\":\"\"}}\n\n");
    }
    put_delta(w, "text_delta", "text", text, o);
}

static void open_thinking(struct messages_writer *w, unsigned slot, struct json_out *o)
{
    if (is_open(w, MESSAGES_THINKING, slot) && !w->open_has_proof)
        return;
    put_block_stop(w, o);
    put_block_start(w, MESSAGES_THINKING, slot, o);
    json_out_lit(o, "\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\n");
}

static void put_thinking(struct messages_writer *w, unsigned slot, struct span text,
                         struct json_out *o)
{
    if (text.len == 0)
        return;
    open_thinking(w, slot, o);
    put_delta(w, "thinking_delta", "thinking", text, o);
}

static void put_proof(struct messages_writer *w, unsigned slot, struct span proof,
                      struct json_out *o)
{
    if (proof.len == 0)
        return;
    open_thinking(w, slot, o);
    put_delta(w, "signature_delta", "signature", proof, o);
    w->open_has_proof = true; /* it is the last of its block */
}

static void put_redacted(struct messages_writer *w, unsigned slot, struct span data,
                         struct json_out *o)
{
    put_block_stop(w, o);
    put_block_start(w, MESSAGES_THINKING, slot, o);
    json_out_lit(o, "\"redacted_thinking\",\"data\":");
    json_out_raw(o, data);
    json_out_lit(o, "}}\n\n");
    put_block_stop(w, o);
}

static void put_call(struct messages_writer *w, unsigned slot, struct span id, struct span name,
                     struct json_out *o)
{
    put_block_stop(w, o);
    put_block_start(w, MESSAGES_TOOL, slot, o);
    json_out_lit(o, "\"tool_use\",\"id\":");
    json_out_raw(o, id);
    json_out_lit(o, ",\"name\":");
    json_out_raw(o, name);
    json_out_lit(o, ",\"input\":{}}}\n\n");
    w->saw_call = true;
}

static void put_arguments(struct messages_writer *w, struct span piece, struct json_out *o)
{
    if (piece.len == 0)
        return;
    put_delta(w, "input_json_delta", "partial_json", piece, o);
    depth_feed(&w->depth, piece);
}

/* --- one block at a time ------------------------------------------------------------------------ */

/* May the open block give way to another? */
static bool may_close(const struct messages_writer *w)
{
    return w->open != MESSAGES_TOOL || w->open_has_ended || w->depth.is_complete;
}

static void put_held_block(struct messages_writer *w, const struct answer_block *b,
                           struct json_out *o)
{
    switch (b->kind) {
    case ANSWER_TEXT:
    case ANSWER_REFUSAL:
        put_text(w, b->slot, buf_span(&b->text), o);
        break;
    case ANSWER_REASONING:
        put_thinking(w, b->slot, buf_span(&b->text), o);
        put_proof(w, b->slot, buf_span(&b->proof), o);
        break;
    case ANSWER_REDACTED:
        put_redacted(w, b->slot, buf_span(&b->text), o);
        break;
    case ANSWER_CALL:
        put_call(w, b->slot, buf_span(&b->id), buf_span(&b->name), o);
        put_arguments(w, buf_span(&b->text), o);
        w->open_has_ended = b->has_ended;
        break;
    }
}

/* Lets held blocks out while the one that is open may close; with `all`, it may. */
static void release(struct messages_writer *w, bool all, struct json_out *o)
{
    while (w->held.n > 0 && (all || may_close(w))) {
        put_held_block(w, &w->held.blocks[0], o);
        turn_answer_shift(&w->held);
    }
    if (w->held.n == 0)
        w->held.bytes = 0;
}

static void write_direct(struct messages_writer *w, const struct turn_event *e, struct json_out *o)
{
    switch (e->kind) {
    case TURN_TEXT:
    case TURN_REFUSAL:
        put_text(w, e->slot, e->text, o);
        break;
    case TURN_REASONING:
        put_thinking(w, e->slot, e->text, o);
        break;
    case TURN_PROOF:
        put_proof(w, e->slot, e->text, o);
        break;
    case TURN_REDACTED:
        put_redacted(w, e->slot, e->text, o);
        break;
    case TURN_CALL:
        put_call(w, e->slot, e->id, e->name, o);
        break;
    default:
        break;
    }
}

static void put_error(struct messages_writer *w, const struct fault *f, struct json_out *o)
{
    w->is_over = true;
    if (o->rc == 0)
        o->rc = fault_write_stream(f, API_MESSAGES, SPAN_NONE, NULL, o->buf);
}

static void hold(struct messages_writer *w, const struct turn_event *e, struct json_out *o)
{
    int rc = turn_answer_add(&w->held, e);
    if (rc == -E2BIG) {
        struct fault f = {.kind = FAULT_UPSTREAM,
                          .message = "the provider interleaves tool calls too large to be held"};
        put_error(w, &f, o);
    } else if (o->rc == 0) {
        o->rc = rc;
    }
}

/* Anything that is part of a block. */
static void write_content(struct messages_writer *w, const struct turn_event *e, struct json_out *o)
{
    bool is_of_open_call = w->open == MESSAGES_TOOL && e->slot == w->open_slot;
    w->saw_refusal |= e->kind == TURN_REFUSAL;
    if (is_of_open_call && e->kind == TURN_ARGUMENTS) {
        if (!w->open_has_ended)
            put_arguments(w, e->text, o);
    } else if (is_of_open_call && e->kind == TURN_CALL_END) {
        w->open_has_ended = true;
    } else if (e->kind == TURN_ARGUMENTS || e->kind == TURN_CALL_END) {
        if (w->held.n > 0)
            hold(w, e, o);
    } else if (!(is_of_open_call && e->kind == TURN_CALL)) {
        if (w->held.n > 0 || !may_close(w))
            hold(w, e, o);
        else
            write_direct(w, e, o);
    }
    release(w, false, o);
}

/* --- the end ------------------------------------------------------------------------------------ */

static enum turn_stop final_stop(const struct messages_writer *w)
{
    if (w->has_stopped && w->stop != STOP_NONE && w->stop != STOP_END)
        return w->stop;
    if (w->saw_call)
        return STOP_CALLS;
    return w->saw_refusal ? STOP_REFUSAL : STOP_END;
}

static void put_end(struct messages_writer *w, struct json_out *o)
{
    put_start(w, o);
    release(w, true, o);
    put_block_stop(w, o);
    w->is_over = true;
    json_out_lit(o, "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{");
    put_stop(o, final_stop(w), buf_span(&w->stop_sequence));
    json_out_lit(o, "},");
    usage_put_messages(o, &w->usage, w->who);
    usage_put_cost(o, w->who);
    json_out_lit(o, "}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
}

static void take_stop(struct messages_writer *w, const struct turn_event *e, struct json_out *o)
{
    w->has_stopped = true;
    w->stop = e->stop;
    buf_clear(&w->stop_sequence);
    if (o->rc == 0)
        o->rc = buf_add(&w->stop_sequence, e->text);
    release(w, true, o);
    put_block_stop(w, o);
}

int messages_writer_event(struct messages_writer *w, const struct turn_event *e, struct buf *out)
{
    struct json_out o = json_out_to(out);
    if (w->is_over)
        return 0;
    switch (e->kind) {
    case TURN_START:
        put_start(w, &o);
        break;
    case TURN_USAGE:
        w->usage = *e->usage;
        break;
    case TURN_STOP:
        put_start(w, &o);
        take_stop(w, e, &o);
        break;
    case TURN_END:
        put_end(w, &o);
        break;
    case TURN_FAULT:
        put_error(w, e->fault, &o);
        break;
    case TURN_CITATION:
        break; /* what it cites cannot be proved to Anthropic's readers: protocols.md §6.6 */
    default:
        put_start(w, &o);
        write_content(w, e, &o);
        break;
    }
    return o.rc;
}

int messages_writer_ping(const struct messages_writer *w, struct buf *out)
{
    if (!w->has_started || w->is_over)
        return 0;
    return messages_put_ping(out);
}

/* --- whole -------------------------------------------------------------------------------------- */

/* Arguments as the object they stand for; what is no object is kept as a text in one. */
static void put_input(struct json_out *o, struct span raw)
{
    if (raw.len == 0) {
        json_out_lit(o, "{}");
    } else if (!json_out_object(o, raw)) {
        json_out_lit(o, "{\"_raw\":");
        json_out_raw(o, raw);
        json_out_lit(o, "}");
    }
}

static void put_whole_block(struct json_out *o, const struct answer_block *b)
{
    switch (b->kind) {
    case ANSWER_TEXT:
    case ANSWER_REFUSAL:
        json_out_lit(o, "{\"type\":\"text\",\"text\":");
        json_out_raw(o, buf_span(&b->text));
        break;
    case ANSWER_REASONING:
        json_out_lit(o, "{\"type\":\"thinking\",\"thinking\":");
        json_out_raw(o, buf_span(&b->text));
        json_out_lit(o, ",\"signature\":");
        json_out_raw(o, buf_span(&b->proof));
        break;
    case ANSWER_REDACTED:
        json_out_lit(o, "{\"type\":\"redacted_thinking\",\"data\":");
        json_out_raw(o, buf_span(&b->text));
        break;
    case ANSWER_CALL:
        json_out_lit(o, "{\"type\":\"tool_use\",\"id\":");
        json_out_raw(o, buf_span(&b->id));
        json_out_lit(o, ",\"name\":");
        json_out_raw(o, buf_span(&b->name));
        json_out_lit(o, ",\"input\":");
        put_input(o, buf_span(&b->text));
        break;
    }
    json_out_lit(o, "}");
}

int messages_write_whole(const struct turn_answer *a, const struct answer_identity *who,
                         struct buf *out)
{
    struct json_out o = json_out_to(out);
    json_out_lit(&o, "{");
    put_identity(&o, who);
    json_out_lit(&o, ",\"content\":[");
    for (unsigned i = 0; i < a->n; i++) {
        if (i > 0)
            json_out_lit(&o, ",");
        put_whole_block(&o, &a->blocks[i]);
    }
    json_out_lit(&o, "],");
    put_stop(&o, turn_answer_stop(a), buf_span(&a->stop_text));
    json_out_lit(&o, ",");
    usage_put_messages(&o, &a->usage, who);
    usage_put_cost(&o, who);
    json_out_lit(&o, "}");
    return o.rc;
}
