#include "sluice/codec/token_count.h"

#include "sluice/format/json_out.h"
#include "sluice/format/json_scan.h"

enum {
    AROUND_MESSAGE = 3, /* and its role, one token in every vocabulary */
    AROUND_NAME = 1,
    BEFORE_ANSWER = 3,
    TOOL_TOKENS = 12,
    IMAGE_TOKENS = 1600,         /* what Anthropic charges at most for one it does not shrink */
    DOCUMENT_BYTES_A_TOKEN = 40, /* of base64: a page is some 100 KB and 2,500 tokens */
};

struct counting {
    const struct tokenizer *t;
    struct buf plain; /* a text without escapes, while it is counted */
    struct token_count n;
};

static uint64_t of_bytes(size_t n)
{
    return (n * 2 + 6) / 7;
}

uint64_t token_count_of_text(struct span raw)
{
    return of_bytes(raw.len);
}

/* `raw`: between the quotes of a JSON text. */
static void count_text(struct counting *c, struct span raw)
{
    if (c->t == NULL || raw.len == 0) {
        c->n.tokens += of_bytes(raw.len);
        return;
    }
    struct span plain = raw;
    if (memchr(raw.at, '\\', raw.len) != NULL) {
        buf_clear(&c->plain);
        struct json_out o = json_out_to(&c->plain);
        bool is_good = json_out_unescaped(&o, raw) && o.rc == 0;
        c->n.is_exact = c->n.is_exact && is_good;
        plain = is_good ? buf_span(&c->plain) : raw;
    }
    c->n.tokens += tokenizer_count(c->t, plain);
}

uint64_t token_count_of_raw(struct span raw, const struct tokenizer *t)
{
    struct counting c = {.t = t};
    count_text(&c, raw);
    buf_fini(&c.plain);
    return c.n.tokens;
}

/* What a model is shown that is no text of the conversation. */
static void estimate(struct counting *c, uint64_t tokens)
{
    c->n.tokens += tokens;
    c->n.is_exact = false;
}

/* Ends what a cache is asked to keep: the last one counts. */
static void note_cache(struct counting *c, struct span control)
{
    struct json_member m;
    if (control.len == 0)
        return;
    struct span ttl = json_get(control, "ttl", &m) ? json_value(control, &m) : SPAN_NONE;
    c->n.cacheable = c->n.tokens;
    c->n.keeps_an_hour = span_eq(ttl, SPAN_LIT("\"1h\"")) || span_eq(ttl, SPAN_LIT("3600"));
}

static void count_part(struct counting *c, const struct turn_part *p)
{
    switch (p->kind) {
    case PART_TEXT:
        count_text(c, p->text);
        break;
    case PART_IMAGE:
        estimate(c, IMAGE_TOKENS);
        break;
    case PART_DOCUMENT:
    case PART_AUDIO:
    case PART_VIDEO:
        estimate(c, p->data.len / DOCUMENT_BYTES_A_TOKEN + AROUND_MESSAGE);
        count_text(c, p->text);
        break;
    default:
        estimate(c, 0);
        count_text(c, p->text);
        count_text(c, p->name);
        count_text(c, p->arguments_text);
        count_text(c, p->arguments_object);
    }
}

/* Results hold parts of their own, and those no further ones. */
static void count_parts(struct counting *c, const struct turn_part *p)
{
    for (; p != NULL; p = p->next) {
        count_part(c, p);
        for (const struct turn_part *i = p->inside; i != NULL; i = i->next)
            count_part(c, i);
        note_cache(c, p->cache_control);
    }
}

static void count_message(struct counting *c, const struct turn_message *m)
{
    c->n.tokens += AROUND_MESSAGE + 1;
    count_parts(c, m->parts);
    if (m->name.len == 0)
        return;
    c->n.tokens += AROUND_NAME;
    count_text(c, m->name);
}

static void count_tool(struct counting *c, const struct turn_tool *t)
{
    estimate(c, TOOL_TOKENS);
    count_text(c, t->name);
    count_text(c, t->description);
    count_text(c, t->schema);
    note_cache(c, t->cache_control);
}

struct token_count token_count(const struct turn_request *r, const struct tokenizer *t)
{
    struct counting c = {.t = t, .n = {.tokens = BEFORE_ANSWER, .is_exact = t != NULL}};
    for (const struct turn_tool *tool = r->tools; tool != NULL; tool = tool->next)
        count_tool(&c, tool);
    for (const struct turn_message *m = r->messages; m != NULL; m = m->next)
        count_message(&c, m);
    buf_fini(&c.plain);
    return c.n;
}
