#include "sluice/codec/chat_details.h"

#include "sluice/codec/proof.h"
#include "sluice/format/json_walk.h"

struct chat_detail chat_detail_read(struct span element)
{
    struct chat_detail d = {.type = SPAN_NONE};
    struct json_walk w;
    json_walk_init(&w, element);
    while (json_walk_next(&w)) {
        struct span raw = json_raw(w.value);
        if (json_walk_is(&w, "type"))
            d.type = raw;
        else if (json_walk_is(&w, "text") || json_walk_is(&w, "summary"))
            d.text = raw.len > 0 ? raw : d.text;
        else if (json_walk_is(&w, "signature"))
            d.signature = raw;
        else if (json_walk_is(&w, "data"))
            d.data = raw;
        else if (json_walk_is(&w, "id"))
            d.id = raw;
        else if (json_walk_is(&w, "format"))
            d.family = proof_family(raw);
        else if (json_walk_is(&w, "index") && w.kind == JSON_NUMBER)
            d.index = w.value;
    }
    return d;
}

/* --- elements --------------------------------------------------------------------------------------- */

struct element {
    const char *type, *member; /* of `brings` */
    struct span brings, signature, id, family;
    unsigned index;
};

static void put_member(struct json_out *o, const char *key, struct span raw)
{
    json_out_lit(o, ",\"");
    json_out_span(o, span_text(key));
    json_out_lit(o, "\":");
    json_out_raw(o, raw);
}

/* Clients of this list know a few formats and throw away elements of others, but for "unknown". */
static void put_element(struct json_out *o, const struct element *e)
{
    struct span format = proof_format(e->family);
    json_out_lit(o, "{\"type\":\"reasoning.");
    json_out_span(o, span_text(e->type));
    json_out_lit(o, "\"");
    if (e->brings.len > 0)
        put_member(o, e->member, e->brings);
    if (e->signature.len > 0)
        put_member(o, "signature", e->signature);
    if (e->id.len > 0)
        put_member(o, "id", e->id);
    else
        json_out_lit(o, ",\"id\":null");
    put_member(o, "format", format.len > 0 ? format : SPAN_LIT("unknown"));
    json_out_lit(o, ",\"index\":");
    json_out_u64(o, e->index);
    json_out_lit(o, "}");
}

static bool is_openai(struct span family)
{
    return span_eq(family, SPAN_LIT("openai"));
}

static struct element text_element(struct span family, struct span text, struct span signature)
{
    bool is_summary = is_openai(family);
    return (struct element){.type = is_summary ? "summary" : "text",
                            .member = is_summary ? "summary" : "text",
                            .brings = text,
                            .signature = signature,
                            .family = family};
}

static struct element hidden_element(struct span family, struct span data, struct span id)
{
    return (struct element){
        .type = "encrypted", .member = "data", .brings = data, .id = id, .family = family};
}

/* OpenAI encrypts beside what it shows; Gemini's signature without a text of its own is told alike. */
static bool is_apart(struct span family, bool has_text)
{
    return is_openai(family) || (span_eq(family, PROOF_GEMINI) && !has_text);
}

/* --- streams ---------------------------------------------------------------------------------------- */

static bool continues(const struct chat_details *d, const struct turn_event *e)
{
    return d->is_open && d->slot == e->slot && span_eq(d->family, e->family);
}

void chat_details_put(struct chat_details *d, const struct turn_event *e, struct span call,
                      struct json_out *o)
{
    struct element element;
    bool goes_on = continues(d, e);
    bool is_hidden = e->kind == TURN_REDACTED ||
                     (e->kind == TURN_PROOF && is_apart(e->family, goes_on));
    if (is_hidden)
        element = hidden_element(e->family, e->text, call.len > 0 ? call : e->id);
    else if (e->kind == TURN_PROOF)
        element = text_element(e->family, SPAN_NONE, e->text);
    else
        element = text_element(e->family, e->text, SPAN_NONE);
    element.index = goes_on && !is_hidden ? d->n - 1 : d->n++;
    d->is_open = e->kind == TURN_REASONING;
    d->slot = e->slot;
    d->family = e->family;
    json_out_lit(o, "[");
    put_element(o, &element);
    json_out_lit(o, "]");
}

bool chat_details_is_of_message(const struct chat_details *d, const struct turn_event *e)
{
    return e->kind == TURN_PROOF && span_eq(e->family, PROOF_GEMINI) && !e->is_of_call &&
           !continues(d, e);
}

/* --- whole answers ---------------------------------------------------------------------------------- */

static void put_next(struct json_out *o, struct element element, unsigned *n)
{
    element.index = *n;
    json_out_span(o, span_text(*n == 0 ? ",\"reasoning_details\":[" : ","));
    put_element(o, &element);
    ++*n;
}

static bool is_of_call(const struct turn_answer *a, unsigned i)
{
    return a->blocks[i].is_of_call && i + 1 < a->n && a->blocks[i + 1].kind == ANSWER_CALL;
}

static void put_block(struct json_out *o, const struct turn_answer *a, unsigned i, unsigned *n)
{
    const struct answer_block *b = &a->blocks[i];
    struct span text = buf_span(&b->text), proof = buf_span(&b->proof), id = buf_span(&b->id);
    bool apart = is_apart(b->family, text.len > 0);
    if (b->kind == ANSWER_REDACTED) {
        put_next(o, hidden_element(b->family, text, id), n);
        return;
    }
    if (text.len > 0 || (proof.len > 0 && !apart))
        put_next(o, text_element(b->family, text, apart ? SPAN_NONE : proof), n);
    if (is_of_call(a, i))
        id = buf_span(&a->blocks[i + 1].id);
    if (proof.len > 0 && apart)
        put_next(o, hidden_element(b->family, proof, id), n);
}

void chat_details_put_whole(const struct turn_answer *a, struct json_out *o)
{
    unsigned n = 0;
    for (unsigned i = 0; i < a->n; i++) {
        if (a->blocks[i].kind == ANSWER_REASONING || a->blocks[i].kind == ANSWER_REDACTED)
            put_block(o, a, i, &n);
    }
    if (n > 0)
        json_out_lit(o, "]");
}

struct span chat_details_of_message(const struct turn_answer *a)
{
    for (unsigned i = 0; i < a->n; i++) {
        const struct answer_block *b = &a->blocks[i];
        bool is_bare = b->kind == ANSWER_REASONING && buf_len(&b->text) == 0 &&
                       buf_len(&b->proof) > 0;
        if (is_bare && span_eq(b->family, PROOF_GEMINI) && !is_of_call(a, i))
            return buf_span(&b->proof);
    }
    return SPAN_NONE;
}

struct span chat_details_of_call(const struct turn_answer *a, unsigned i)
{
    bool is_proved = i > 0 && is_of_call(a, i - 1) &&
                     span_eq(a->blocks[i - 1].family, PROOF_GEMINI);
    return is_proved ? buf_span(&a->blocks[i - 1].proof) : SPAN_NONE;
}
