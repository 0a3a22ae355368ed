#include "sluice/codec/logprobs.h"

#include "sluice/format/json_walk.h"

struct token {
    struct span token, logprob, bytes, top; /* lexemes */
};

static struct token read_token(struct span object)
{
    struct token t = {.token = SPAN_LIT("\"\""), .logprob = SPAN_LIT("0")};
    struct json_walk w;
    json_walk_init(&w, object);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "token") && w.kind == JSON_STRING)
            t.token = w.value;
        else if ((json_walk_is(&w, "logprob") || json_walk_is(&w, "logProbability")) &&
                 w.kind == JSON_NUMBER)
            t.logprob = w.value;
        else if (json_walk_is(&w, "bytes") && w.kind == JSON_ARRAY)
            t.bytes = w.value;
        else if (json_walk_is(&w, "top_logprobs") && w.kind == JSON_ARRAY)
            t.top = w.value;
    }
    return t;
}

/* A part of a character is no text: OpenAI spells such a token bytes:\xe2\x80, others show U+FFFD. */
static bool is_text(struct span token)
{
    return !span_starts(token, SPAN_LIT("bytes:\\x")) &&
           span_find(token, SPAN_LIT("\xef\xbf\xbd")) == SIZE_MAX;
}

static void put_bytes_of(struct json_out *o, struct span token)
{
    struct buf text = {0};
    struct json_out plain = json_out_to(&text);
    bool is_known = json_out_unescaped(&plain, json_raw(token)) && is_text(buf_span(&text));
    struct span bytes = is_known ? buf_span(&text) : SPAN_NONE;
    json_out_span(o, is_known ? SPAN_LIT("[") : SPAN_LIT("null"));
    for (size_t i = 0; bytes.at != NULL && i < bytes.len; i++) {
        if (i > 0)
            json_out_lit(o, ",");
        json_out_u64(o, bytes.at[i]);
    }
    if (is_known)
        json_out_lit(o, "]");
    if (o->rc == 0)
        o->rc = plain.rc;
    buf_fini(&text);
}

static void put_members(struct json_out *o, const struct token *t)
{
    json_out_lit(o, "{\"token\":");
    json_out_span(o, t->token);
    json_out_lit(o, ",\"logprob\":");
    json_out_span(o, t->logprob);
    json_out_lit(o, ",\"bytes\":");
    if (t->bytes.len > 0)
        json_out_line(o, t->bytes);
    else
        put_bytes_of(o, t->token);
}

static void put_alternatives(struct json_out *o, struct span list)
{
    struct span element;
    size_t cursor = 0;
    for (unsigned n = 0; json_each(list, &cursor, &element); n++) {
        struct token t = read_token(element);
        if (n > 0)
            json_out_lit(o, ",");
        put_members(o, &t);
        json_out_lit(o, "}");
    }
}

static void put_token(struct json_out *o, unsigned n, const struct token *t, struct span tops)
{
    if (n > 0)
        json_out_lit(o, ",");
    put_members(o, t);
    json_out_lit(o, ",\"top_logprobs\":[");
    put_alternatives(o, tops);
    json_out_lit(o, "]}");
}

void logprobs_put(struct json_out *o, struct span list)
{
    struct span element;
    size_t cursor = 0;
    for (unsigned n = 0; json_each(list, &cursor, &element); n++) {
        struct token t = read_token(element);
        put_token(o, n, &t, t.top);
    }
}

/* --- Gemini's --------------------------------------------------------------------------------------- */

static struct span list_of(struct span object, const char *name)
{
    struct json_member m;
    return json_get(object, name, &m) && m.kind == JSON_ARRAY ? json_value(object, &m) : SPAN_NONE;
}

/* What was chosen and what stood beside it are two lists, a token each in both. */
int logprobs_from_gemini(struct span result, struct buf *out)
{
    struct json_out o = json_out_to(out);
    struct span chosen = list_of(result, "chosenCandidates"),
                tops = list_of(result, "topCandidates");
    struct span element, top;
    size_t at = 0, at_top = 0;
    json_out_lit(&o, "[");
    for (unsigned n = 0; json_each(chosen, &at, &element); n++) {
        struct token t = read_token(element);
        bool has_tops = json_each(tops, &at_top, &top);
        put_token(&o, n, &t, has_tops ? list_of(top, "candidates") : SPAN_NONE);
    }
    json_out_lit(&o, "]");
    return o.rc;
}
