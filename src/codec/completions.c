#include "sluice/codec/completions.h"

#include "sluice/codec/chat_turn.h"
#include "sluice/format/json_out.h"

#include "turn_reading.h"
#include "usage_wire.h"

/* --- the request ---------------------------------------------------------------------------------- */

/* What Chat does not have, or means something else by. */
static const char *const own[] = {"prompt", "suffix", "echo", "best_of", "logprobs", NULL};

static bool says_nothing(const struct json_walk *w)
{
    return w->kind == JSON_NULL || w->kind == JSON_FALSE ||
           (w->kind == JSON_STRING && json_raw(w->value).len == 0);
}

/* The best of several is an answer like one of one; the others would change what comes back. */
static bool read_own(struct reading *g, const struct json_walk *w, struct span *prompt)
{
    if (json_walk_is(w, "prompt")) {
        *prompt = w->value;
    } else if (json_walk_is(w, "best_of")) {
        if (!span_eq(w->value, SPAN_LIT("1")))
            reading_unread(g, "", w);
    } else if ((json_walk_is(w, "suffix") || json_walk_is(w, "echo") ||
                json_walk_is(w, "logprobs")) &&
               !says_nothing(w)) {
        return turn_refuse(g->why, FAULT_UNSUPPORTED_PARAMETER, arena_keep(g->a, w->key),
                           "this model chats, it does not complete");
    }
    return true;
}

/* A text, or a list of exactly one; tokens and more prompts are for an endpoint that completes. */
static bool read_prompt(struct reading *g, struct span prompt)
{
    struct span only = prompt, next;
    size_t cursor = 0;
    bool is_list = json_each(prompt, &cursor, &only);
    bool is_several = is_list && json_each(prompt, &cursor, &next);
    bool is_text = span_starts(only, SPAN_LIT("\""));
    if (is_list && (is_several || !is_text))
        return turn_refuse(g->why, FAULT_UNSUPPORTED_PARAMETER, SPAN_LIT("prompt"),
                           "this model answers one prompt at a time, and takes it as text");
    if (!is_text)
        return reading_refuse(g, SPAN_LIT("prompt"), "it must be a text");
    struct turn_message *m = reading_add_message(g, ROLE_USER, SPAN_LIT("prompt"));
    if (m == NULL)
        return false;
    struct turn_part **end = &m->parts;
    struct turn_part *p = reading_add_part(g, &end, PART_TEXT, SPAN_LIT("prompt"));
    if (p != NULL)
        p->text = json_raw(only);
    return p != NULL;
}

bool completions_turn_read(struct span body, const struct translation_options *o, struct arena *a,
                           struct turn_request *out, struct fault *why)
{
    struct reading g = {.o = o, .a = a, .r = out, .why = why};
    struct span prompt = SPAN_NONE;
    struct json_walk w;
    /* The other parameters have the same names. */
    if (!chat_turn_read_but(body, own, o, a, out, why))
        return false;
    json_walk_init(&w, body);
    while (json_walk_next(&w)) {
        if (!read_own(&g, &w, &prompt))
            return false;
    }
    return read_prompt(&g, prompt);
}

/* --- the answer ----------------------------------------------------------------------------------- */

void completions_writer_init(struct completions_writer *w, const struct answer_identity *who)
{
    *w = (struct completions_writer){.who = who};
}

void completions_writer_fini(struct completions_writer *w)
{
    (void)w; /* it holds nothing; every writer has this verb */
}

static void put_identity(struct json_out *o, const struct answer_identity *who)
{
    json_out_lit(o, "\"id\":\"gen-");
    json_out_span(o, who->id);
    json_out_lit(o, "\",\"object\":\"text_completion\",\"created\":");
    json_out_u64(o, who->created);
    json_out_lit(o, ",\"model\":");
    json_out_raw(o, who->model);
}

/* All chunks of a stream say the same. */
static void put_chunk_identity(struct json_out *o, const struct answer_identity *who)
{
    json_out_lit(o, "data: {");
    put_identity(o, who);
    if (who->provider.len == 0)
        return;
    json_out_lit(o, ",\"provider\":");
    json_out_raw(o, who->provider);
}

/* Of a choice: `,"logprobs":…`, and the members behind it; `finish` NULL: it goes on. */
static void put_finish(struct json_out *o, const char *finish, struct span native)
{
    json_out_lit(o, ",\"logprobs\":null,\"finish_reason\":");
    if (finish == NULL) {
        json_out_lit(o, "null");
        return;
    }
    json_out_raw(o, span_text(finish));
    json_out_lit(o, ",\"native_finish_reason\":");
    if (native.len > 0)
        json_out_raw(o, native);
    else
        json_out_lit(o, "null");
}

static const char *finish_word(enum turn_stop stop)
{
    if (stop == STOP_REFUSAL)
        return "content_filter";
    return stop == STOP_LENGTH || stop == STOP_CONTEXT ? "length" : "stop";
}

static void put_chunk(struct json_out *o, const struct answer_identity *who, struct span text,
                      const char *finish, struct span native)
{
    put_chunk_identity(o, who);
    json_out_lit(o, ",\"choices\":[{\"index\":0,\"text\":");
    json_out_raw(o, text);
    put_finish(o, finish, native);
    json_out_lit(o, "}]}\n\n");
}

static void put_end(struct completions_writer *w, struct json_out *o)
{
    if (!w->has_finished)
        put_chunk(o, w->who, SPAN_NONE, "stop", SPAN_NONE);
    if (w->who->wants_usage) {
        put_chunk_identity(o, w->who);
        json_out_lit(o, ",\"choices\":[],");
        usage_put_chat(o, &w->usage, w->who);
        json_out_lit(o, ",\"request_id\":\"");
        json_out_span(o, w->who->id);
        json_out_lit(o, "\"");
        usage_put_cost(o, w->who);
        json_out_lit(o, "}\n\n");
    }
    json_out_lit(o, "data: [DONE]\n\n");
    w->is_over = true;
}

static void put_fault(struct completions_writer *w, const struct fault *f, struct json_out *o)
{
    w->is_over = true;
    o->rc = fault_write_stream(f, API_COMPLETIONS, w->who->id, NULL, o->buf);
}

int completions_writer_event(struct completions_writer *w, const struct turn_event *e,
                             struct buf *out)
{
    struct json_out o = json_out_to(out);
    if (w->is_over)
        return 0;
    if (e->kind == TURN_FAULT) {
        put_fault(w, e->fault, &o);
    } else if (e->kind == TURN_END) {
        put_end(w, &o);
    } else if (e->kind == TURN_USAGE) {
        w->usage = *e->usage;
    } else if (e->kind == TURN_STOP && !w->has_finished) {
        w->has_finished = true;
        put_chunk(&o, w->who, SPAN_NONE, finish_word(e->stop), e->native);
    } else if ((e->kind == TURN_TEXT || e->kind == TURN_REFUSAL) && !w->has_finished &&
               e->text.len > 0) {
        put_chunk(&o, w->who, e->text, NULL, SPAN_NONE);
    }
    return o.rc;
}

int completions_write_whole(const struct turn_answer *a, const struct answer_identity *who,
                            struct buf *out)
{
    struct json_out o = json_out_to(out);
    json_out_lit(&o, "{");
    put_identity(&o, who);
    json_out_lit(&o, ",\"choices\":[{\"index\":0,\"text\":\"");
    for (unsigned i = 0; i < a->n; i++) {
        if (a->blocks[i].kind == ANSWER_TEXT || a->blocks[i].kind == ANSWER_REFUSAL)
            json_out_span(&o, buf_span(&a->blocks[i].text));
    }
    json_out_lit(&o, "\"");
    put_finish(&o, finish_word(turn_answer_stop(a)), buf_span(&a->native));
    json_out_lit(&o, "}],");
    usage_put_chat(&o, &a->usage, who);
    usage_put_cost(&o, who);
    json_out_lit(&o, "}");
    return o.rc;
}
