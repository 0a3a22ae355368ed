#include "sluice/codec/completions.h"

#include "sluice/codec/chat_turn.h"
#include "sluice/format/json_out.h"

#include "turn_reading.h"

/* --- the request ---------------------------------------------------------------------------------- */

/* Members that would change what comes back. */
static bool check_expressible(struct reading *g, const struct json_walk *w)
{
    static const char *const names[] = {"suffix", "echo", "best_of", "logprobs"};
    bool says_nothing = w->kind == JSON_NULL || w->kind == JSON_FALSE ||
                        (span_eq(w->value, SPAN_LIT("1")) && json_walk_is(w, "best_of"));
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (json_walk_is(w, names[i]) && !says_nothing)
            return turn_refuse(g->why, FAULT_UNSUPPORTED_PARAMETER, span_text(names[i]),
                               "this model chats, it does not complete");
    }
    return true;
}

/* A text, or a list of exactly one. */
static bool read_prompt(struct reading *g, struct span prompt)
{
    struct span only = prompt, next;
    size_t cursor = 0;
    bool is_list = json_each(prompt, &cursor, &only);
    if (is_list && json_each(prompt, &cursor, &next))
        return reading_refuse(g, SPAN_LIT("prompt"), "this model answers one prompt at a time");
    if (!span_starts(only, SPAN_LIT("\"")))
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

/* What is read here was nobody's before. */
static void forget_unread(struct turn_notes *notes, const char *name)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < notes->n; i++) {
        if (strcmp(notes->dropped[i], name) != 0)
            notes->dropped[kept++] = notes->dropped[i];
    }
    notes->n = kept;
}

bool completions_turn_read(struct span body, const struct translation_options *o, struct arena *a,
                           struct turn_request *out, struct fault *why)
{
    struct reading g = {.o = o, .a = a, .r = out, .why = why};
    struct span prompt = SPAN_NONE;
    struct json_walk w;
    if (!chat_turn_read(body, o, a, out, why)) /* its parameters have the same names */
        return false;
    json_walk_init(&w, body);
    while (json_walk_next(&w)) {
        if (!check_expressible(&g, &w))
            return false;
        if (json_walk_is(&w, "prompt"))
            prompt = w.value;
    }
    forget_unread(&out->unread, "prompt");
    forget_unread(&out->unread, "best_of"); /* 1, or it would be refused */
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

static void put_usage(struct json_out *o, const struct usage *u)
{
    json_out_lit(o, "\"usage\":{\"prompt_tokens\":");
    json_out_u64(o, u->prompt);
    json_out_lit(o, ",\"completion_tokens\":");
    json_out_u64(o, u->completion);
    json_out_lit(o, ",\"total_tokens\":");
    json_out_u64(o, u->prompt + u->completion);
    json_out_lit(o, "}");
}

static const char *finish_word(enum turn_stop stop)
{
    if (stop == STOP_REFUSAL)
        return "content_filter";
    return stop == STOP_LENGTH || stop == STOP_CONTEXT ? "length" : "stop";
}

static void put_chunk(struct json_out *o, const struct answer_identity *who, struct span text,
                      const char *finish)
{
    json_out_lit(o, "data: {");
    put_identity(o, who);
    json_out_lit(o, ",\"choices\":[{\"index\":0,\"text\":");
    json_out_raw(o, text);
    json_out_lit(o, ",\"logprobs\":null,\"finish_reason\":");
    if (finish == NULL)
        json_out_lit(o, "null");
    else
        json_out_raw(o, span_text(finish));
    json_out_lit(o, "}]}\n\n");
}

static void put_end(struct completions_writer *w, struct json_out *o)
{
    if (!w->has_finished)
        put_chunk(o, w->who, SPAN_NONE, "stop");
    if (w->who->wants_usage) {
        json_out_lit(o, "data: {");
        put_identity(o, w->who);
        json_out_lit(o, ",\"choices\":[],");
        put_usage(o, &w->usage);
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
        w->usage = e->usage;
    } else if (e->kind == TURN_STOP && !w->has_finished) {
        w->has_finished = true;
        put_chunk(&o, w->who, SPAN_NONE, finish_word(e->stop));
    } else if ((e->kind == TURN_TEXT || e->kind == TURN_REFUSAL) && !w->has_finished &&
               e->text.len > 0) {
        put_chunk(&o, w->who, e->text, NULL);
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
    json_out_lit(&o, "\",\"logprobs\":null,\"finish_reason\":");
    json_out_raw(&o, span_text(finish_word(turn_answer_stop(a))));
    json_out_lit(&o, "}],");
    put_usage(&o, &a->usage);
    json_out_lit(&o, "}");
    return o.rc;
}
