#include "exchange_priv.h"

#include <stddef.h>
#include <stdlib.h>

/* The built-in provider of the model sluice/demo: it needs no account and no network, is
 * deterministic, and says what it is. It answers in OpenAI's shapes through the same lane as
 * any provider, so what a first request shows is the real relay. */

enum { PACE_MS = 20, REPLY_MAX = 4096 };

enum demo_state { DEMO_ROLE, DEMO_TOOL, DEMO_WORDS, DEMO_FINISH, DEMO_DONE };

struct demo {
    struct attempt *a;
    struct deadline pace;
    struct later later;
    enum demo_state state;
    char reply[REPLY_MAX]; /* words separated by spaces, escaped for JSON */
    size_t len, at;
    uint64_t prompt_tokens, words;
    char tool[80]; /* the function it calls, "" for none */
};

/* What a count of four bytes a token comes to; the demo says that it is a demo. */
static uint64_t estimate_tokens(struct span body)
{
    return body.len / 4 + 1;
}

/* The text of the last user message, at most what fits. */
static long last_user_text(struct span body, char *out, size_t size)
{
    struct json_member messages, role, content;
    struct span message;
    size_t cursor = 0;
    long len = -1;
    if (json_get(body, "prompt", &content))
        return json_string(json_value(body, &content), out, size);
    if (!json_get(body, "messages", &messages))
        return -1;
    struct span list = json_value(body, &messages);
    while (json_each(list, &cursor, &message)) {
        if (!json_get(message, "role", &role) ||
            !span_eq(json_value(message, &role), SPAN_LIT("\"user\"")) ||
            !json_get(message, "content", &content))
            continue;
        long found = json_string(json_value(message, &content), out, size);
        if (found >= 0)
            len = found;
    }
    return len;
}

static bool last_message_is_tool(struct span body)
{
    struct json_member messages, role;
    struct span message, last = SPAN_NONE;
    size_t cursor = 0;
    if (!json_get(body, "messages", &messages))
        return false;
    struct span list = json_value(body, &messages);
    while (json_each(list, &cursor, &message))
        last = message;
    return json_get(last, "role", &role) && span_eq(json_value(last, &role), SPAN_LIT("\"tool\""));
}

/* The name of the first tool, when the request offers one and does not bring a result. */
static bool first_tool(struct span body, char *out, size_t size)
{
    struct json_member tools, function, name;
    struct span tool;
    size_t cursor = 0;
    if (!json_get(body, "tools", &tools) || last_message_is_tool(body))
        return false;
    if (!json_each(json_value(body, &tools), &cursor, &tool) ||
        !json_get(tool, "function", &function))
        return false;
    struct span f = json_value(tool, &function);
    if (!json_get(f, "name", &name))
        return false;
    long len = json_string(json_value(f, &name), out, size - 1);
    if (len <= 0)
        return false;
    for (long i = 0; i < len; i++) {
        if (out[i] == '"' || out[i] == '\\' || (uint8_t)out[i] < ' ')
            return false;
    }
    out[len] = '\0';
    return true;
}

static void write_reply(struct demo *d, struct span body)
{
    char asked[400];
    long len = last_user_text(body, asked, sizeof asked);
    struct buf text = {0};
    int rc = buf_add_text(&text,
                          "This is sluice's built-in demo model: no provider was called, and "
                          "these words are fixed. ");
    if (rc == 0 && len > 0) {
        rc = buf_add_text(&text, "You wrote: \\\"");
        if (rc == 0)
            rc = buf_add_json(&text, span_of(asked, (size_t)len));
        if (rc == 0)
            rc = buf_add_text(&text, "\\\". ");
    }
    if (rc == 0)
        rc = buf_add_text(&text,
                          "Set OPENAI_API_KEY, or name a provider in sluice.yaml, and the same "
                          "request reaches a real model.");
    struct span all = rc == 0 ? buf_span(&text) : SPAN_LIT("demo");
    d->len = all.len < sizeof d->reply ? all.len : sizeof d->reply;
    memcpy(d->reply, all.at, d->len);
    buf_fini(&text);
    for (size_t i = 0; i < d->len; i++)
        d->words += d->reply[i] == ' ';
    d->words++;
}

/* --- OpenAI's shapes ---------------------------------------------------------------------------- */

static bool is_legacy(const struct demo *d)
{
    return d->a->x->kind->api == API_COMPLETIONS;
}

static void must(int rc)
{
    if (rc < 0)
        abort(); /* a few hundred bytes of our own */
}

/* `"id":…,"object":…,"created":…,"model":…,` */
static void add_identity(const struct demo *d, const char *object, struct buf *out)
{
    must(buf_addf(out,
                  "\"id\":\"%s-demo\",\"object\":\"%s\",\"created\":%llu,"
                  "\"model\":\"sluice/demo\",",
                  is_legacy(d) ? "cmpl" : "chatcmpl", object,
                  (unsigned long long)(d->a->x->opened_unix_ms / 1000)));
}

static void add_usage(const struct demo *d, struct buf *out)
{
    must(buf_addf(out,
                  "\"usage\":{\"prompt_tokens\":%llu,\"completion_tokens\":%llu,"
                  "\"total_tokens\":%llu}",
                  (unsigned long long)d->prompt_tokens, (unsigned long long)d->words,
                  (unsigned long long)(d->prompt_tokens + d->words)));
}

static void begin_chunk(const struct demo *d, struct buf *out)
{
    must(buf_add_text(out, "data: {"));
    add_identity(d, is_legacy(d) ? "text_completion" : "chat.completion.chunk", out);
}

/* A chunk with one choice: `delta` is the inside of its delta (chat), or of its text (legacy). */
static void add_choice_chunk(const struct demo *d, struct span delta, const char *finish,
                             struct buf *out)
{
    begin_chunk(d, out);
    must(buf_add_text(out, is_legacy(d) ? "\"choices\":[{\"index\":0,\"text\":\""
                                        : "\"choices\":[{\"index\":0,\"delta\":{"));
    must(buf_add(out, delta));
    must(buf_add_text(out, is_legacy(d) ? "\"" : "}"));
    must(buf_add_text(out, ",\"logprobs\":null,\"finish_reason\":"));
    must(finish == NULL ? buf_add_text(out, "null") : buf_addf(out, "\"%s\"", finish));
    must(buf_add_text(out, "}]}\n\n"));
}

static void add_tool_delta(const struct demo *d, struct buf *out)
{
    must(buf_addf(out,
                  "\"tool_calls\":[{\"index\":0,\"id\":\"call_demo\",\"type\":\"function\","
                  "\"function\":{\"name\":\"%s\",\"arguments\":\"{}\"}}]",
                  d->tool));
}

static const char *finish_word(const struct demo *d)
{
    return d->tool[0] != '\0' ? "tool_calls" : "stop";
}

/* --- streamed ------------------------------------------------------------------------------------ */

static struct span next_word(struct demo *d)
{
    size_t from = d->at;
    while (d->at < d->len && d->reply[d->at] != ' ')
        d->at++;
    if (d->at < d->len)
        d->at++; /* the space goes with the word before it */
    return span_of(d->reply + from, d->at - from);
}

static void add_next(struct demo *d, struct buf *out)
{
    struct buf delta = {0};
    if (d->state == DEMO_ROLE) {
        if (!is_legacy(d))
            add_choice_chunk(d, SPAN_LIT("\"role\":\"assistant\",\"content\":\"\""), NULL, out);
        d->state = d->tool[0] != '\0' ? DEMO_TOOL : DEMO_WORDS;
    } else if (d->state == DEMO_TOOL) {
        add_tool_delta(d, &delta);
        add_choice_chunk(d, buf_span(&delta), NULL, out);
        d->state = DEMO_FINISH;
    } else if (d->state == DEMO_WORDS) {
        if (!is_legacy(d))
            must(buf_add_text(&delta, "\"content\":\""));
        must(buf_add(&delta, next_word(d)));
        if (!is_legacy(d))
            must(buf_add_byte(&delta, '"'));
        add_choice_chunk(d, buf_span(&delta), NULL, out);
        if (d->at == d->len)
            d->state = DEMO_FINISH;
    } else {
        add_choice_chunk(d, SPAN_NONE, finish_word(d), out);
        begin_chunk(d, out);
        must(buf_add_text(out, "\"choices\":[],"));
        add_usage(d, out);
        must(buf_add_text(out, "}\n\ndata: [DONE]\n\n"));
        d->state = DEMO_DONE;
    }
    buf_fini(&delta);
}

static void give(struct demo *d, struct buf *out)
{
    struct span s = buf_span(out);
    attempt_on_data(d->a, &s, s.len > 0, d->state == DEMO_DONE);
    buf_fini(out);
}

static void on_pace(struct deadline *deadline)
{
    struct demo *d = (struct demo *)((char *)deadline - offsetof(struct demo, pace));
    struct buf out = {0};
    add_next(d, &out);
    if (d->state != DEMO_DONE)
        deadline_set(&d->pace, PACE_MS);
    give(d, &out); /* may end the demo */
}

/* --- whole ---------------------------------------------------------------------------------------- */

static void add_document(const struct demo *d, struct buf *out)
{
    struct span words = span_of(d->reply, d->len);
    must(buf_add_byte(out, '{'));
    add_identity(d, is_legacy(d) ? "text_completion" : "chat.completion", out);
    must(buf_add_text(out, "\"choices\":[{\"index\":0,"));
    if (is_legacy(d)) {
        must(buf_addf(out, "\"text\":\"%.*s\"", SPAN_FMT(words)));
    } else if (d->tool[0] != '\0') {
        must(buf_add_text(out, "\"message\":{\"role\":\"assistant\",\"content\":null,"));
        add_tool_delta(d, out);
        must(buf_add_text(out, ",\"refusal\":null}"));
    } else {
        must(buf_addf(out,
                      "\"message\":{\"role\":\"assistant\",\"content\":\"%.*s\",\"refusal\":null}",
                      SPAN_FMT(words)));
    }
    must(buf_addf(out, ",\"logprobs\":null,\"finish_reason\":\"%s\"}],", finish_word(d)));
    add_usage(d, out);
    must(buf_add_byte(out, '}'));
}

/* A vector of eight fixed numbers a request: enough to see the shape, useless for search. */
static void add_embedding(const struct demo *d, struct buf *out)
{
    must(buf_addf(out,
                  "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,"
                  "\"embedding\":[0.5,-0.5,0.5,-0.5,0.5,-0.5,0.5,-0.5]}],"
                  "\"model\":\"sluice/demo\",\"usage\":{\"prompt_tokens\":%llu,"
                  "\"total_tokens\":%llu}}",
                  (unsigned long long)d->prompt_tokens, (unsigned long long)d->prompt_tokens));
}

static void on_whole(struct deadline *deadline)
{
    struct demo *d = (struct demo *)((char *)deadline - offsetof(struct demo, pace));
    struct buf out = {0};
    if (d->a->x->kind->api == API_EMBEDDINGS)
        add_embedding(d, &out);
    else
        add_document(d, &out);
    d->state = DEMO_DONE;
    give(d, &out);
}

/* --- the attempt's side ---------------------------------------------------------------------------- */

static void on_start(struct deadline *deadline)
{
    struct demo *d = (struct demo *)((char *)deadline - offsetof(struct demo, pace));
    bool stream = d->a->x->wants_stream;
    struct http_field type = {
        .id = FIELD_CONTENT_TYPE,
        .name = SPAN_LIT("content-type"),
        .value = stream ? SPAN_LIT("text/event-stream") : SPAN_LIT("application/json"),
    };
    struct http_head head = {
        .status = 200, .minor = 1, .fields = &type, .nfields = 1, .framing = FRAMING_CHUNKED};
    if (!attempt_on_head(d->a, &head))
        return;
    d->pace.fire = stream ? on_pace : on_whole;
    d->pace.fire(&d->pace);
}

struct demo *demo_start(struct attempt *a, struct span body)
{
    struct demo *d = xcalloc(1, sizeof *d);
    d->a = a;
    d->prompt_tokens = estimate_tokens(body);
    if (!is_legacy(d))
        (void)first_tool(body, d->tool, sizeof d->tool);
    write_reply(d, body);
    deadline_init(&d->pace, a->x->gateway->loop, on_start);
    deadline_set(&d->pace, 1); /* from the loop, like any provider */
    return d;
}

static void free_later(struct later *later)
{
    free((char *)later - offsetof(struct demo, later));
}

void demo_stop(struct demo *d)
{
    deadline_clear(&d->pace);
    d->later.run = free_later;
    loop_later(d->a->x->gateway->loop, &d->later);
}

void demo_pause(struct demo *d, bool paused)
{
    if (paused)
        deadline_clear(&d->pace);
    else if (d->state != DEMO_DONE)
        deadline_set(&d->pace, PACE_MS);
}
