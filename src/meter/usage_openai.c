#include "sluice/meter/usage.h"

#include "usage_fit.h"
#include "usage_number.h"

#include "sluice/format/json_walk.h"

#include <stddef.h>

/* Usage objects in the words of OpenAI, of those who took them over, and of Anthropic. They are numbers
 * for the most part, one or two objects deep; so one pass goes from string to string, and a table of each
 * object says which of them mean something. That the text is valid JSON has been seen. */

struct counts {
    struct usage u;
    uint64_t total, write_5m;
    uint64_t beside, quoted; /* Perplexity: reasoning, and pages it cites, in no other count */
    uint32_t stated;         /* bits of rows' members that this object has */
    bool has_iterations;     /* Messages */
};

enum how {
    TAKE,   /* a count; where two names mean the same, the larger one */
    ADD,    /* a count beside others of its kind */
    MILLIS, /* seconds */
    USD,
    TICKS, /* xAI: a ten-billionth of a dollar */
};

struct row {
    struct span key; /* ends a list when empty */
    size_t offset;
    enum how how;
    bool states; /* a usage object without any of these says nothing */
};

/* The members of one object; the first of a protocol is the usage itself. */
struct table {
    struct span key; /* ends a list when empty */
    const struct row *rows;
};

#define WORD(text) {(const uint8_t *)(text), sizeof(text) - 1}
#define ROW(key, member, ...) {WORD(key), offsetof(struct counts, member), __VA_ARGS__}
#define END {.key = {NULL, 0}}

static const struct row chat_rows[] = {
    ROW("prompt_tokens", u.prompt, TAKE, true),
    ROW("completion_tokens", u.completion, TAKE, true),
    ROW("total_tokens", total, TAKE),
    ROW("prompt_cache_hit_tokens", u.cached, TAKE), /* DeepSeek */
    ROW("cached_tokens", u.cached, TAKE),           /* Moonshot */
    ROW("reasoning_tokens", beside, TAKE),
    ROW("citation_tokens", quoted, TAKE),
    ROW("num_search_queries", u.searches, TAKE), /* Perplexity */
    ROW("num_sources_used", u.searches, TAKE),   /* xAI */
    ROW("cost", u.stated_pd, USD),               /* OpenRouter */
    ROW("cost_in_usd_ticks", u.stated_pd, TICKS),
    END,
};
static const struct row responses_rows[] = {
    ROW("input_tokens", u.prompt, TAKE, true),
    ROW("output_tokens", u.completion, TAKE, true),
    ROW("total_tokens", total, TAKE),
    ROW("seconds", u.audio_ms, MILLIS, true),
    ROW("num_sources_used", u.searches, TAKE),
    ROW("cost", u.stated_pd, USD),
    ROW("cost_in_usd_ticks", u.stated_pd, TICKS),
    END,
};
static const struct row messages_rows[] = {
    ROW("input_tokens", u.prompt, TAKE, true),
    ROW("output_tokens", u.completion, TAKE, true),
    ROW("cache_read_input_tokens", u.cached, TAKE),
    ROW("cache_creation_input_tokens", u.cache_write, TAKE),
    END,
};
static const struct row input_rows[] = {
    ROW("cached_tokens", u.cached, TAKE),
    ROW("cache_write_tokens", u.cache_write, TAKE),
    ROW("audio_tokens", u.in.audio, TAKE),
    ROW("image_tokens", u.in.image, TAKE),
    ROW("video_tokens", u.in.video, TAKE),
    ROW("cache_creation_input_tokens", u.cache_write, TAKE), /* Alibaba */
    END,
};
static const struct row output_rows[] = {
    ROW("reasoning_tokens", u.reasoning, TAKE),
    ROW("audio_tokens", u.out.audio, TAKE),
    ROW("image_tokens", u.out.image, TAKE),
    ROW("thinking_tokens", u.reasoning, TAKE), /* Anthropic */
    END,
};
static const struct row written_rows[] = {
    ROW("ephemeral_5m_input_tokens", write_5m, TAKE),
    ROW("ephemeral_1h_input_tokens", u.cache_write_1h, TAKE),
    END,
};
static const struct row tool_rows[] = {
    ROW("web_search_requests", u.searches, TAKE),
    ROW("web_fetch_requests", u.fetches, TAKE),
    END,
};
static const struct row xai_tool_rows[] = {
    ROW("web_search_calls", u.searches, ADD),         ROW("x_search_calls", u.searches, ADD),
    ROW("code_interpreter_calls", u.tool_calls, ADD), ROW("file_search_calls", u.tool_calls, ADD),
    ROW("document_search_calls", u.tool_calls, ADD),  END,
};
static const struct row cost_rows[] = {ROW("total_cost", u.stated_pd, USD), END}; /* Perplexity */

static const struct table chat_tables[] = {
    {WORD("usage"), chat_rows},
    {WORD("prompt_tokens_details"), input_rows},
    {WORD("completion_tokens_details"), output_rows},
    {WORD("server_tool_use"), tool_rows}, /* OpenRouter */
    {WORD("cost"), cost_rows},
    END,
};
static const struct table responses_tables[] = {
    {WORD("usage"), responses_rows},
    {WORD("input_tokens_details"), input_rows},
    {WORD("output_tokens_details"), output_rows},
    {WORD("input_token_details"), input_rows}, /* transcriptions */
    {WORD("server_tool_use"), tool_rows},
    {WORD("server_side_tool_usage_details"), xai_tool_rows},
    END,
};
static const struct table messages_tables[] = {
    {WORD("usage"), messages_rows},
    {WORD("cache_creation"), written_rows},
    {WORD("output_tokens_details"), output_rows},
    {WORD("server_tool_use"), tool_rows},
    END,
};

/* --- one pass ---------------------------------------------------------------------------------------- */

static bool read_number(const struct row *r, struct span value, uint64_t *n)
{
    switch (r->how) {
    case TAKE:
    case ADD:
        return usage_number_count(value, n);
    case MILLIS:
        return usage_number_scaled(value, 3, n);
    case USD:
        return usage_number_scaled(value, 12, n);
    case TICKS:
        return usage_number_scaled(value, 0, n) && !__builtin_mul_overflow(*n, 100u, n);
    }
    return false;
}

/* True when that states a count. */
static bool take(struct counts *c, const struct row *r, struct span value)
{
    uint64_t n, *into = (uint64_t *)(void *)((uint8_t *)c + r->offset);
    uint32_t bit = UINT32_C(1) << (r->offset / sizeof(uint64_t));
    if (!read_number(r, value, &n))
        return false;
    bool is_first = (c->stated & bit) == 0;
    c->stated |= bit;
    if (is_first || (r->how != ADD && n > *into))
        *into = n;
    else if (r->how == ADD && *into <= USAGE_COUNT_MAX)
        *into += n;
    return r->states;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* What stands behind a colon; nothing when it was no key. */
static struct span value_behind(struct span rest)
{
    size_t i = 0;
    while (i < rest.len && is_blank(rest.at[i]))
        i++;
    if (i == rest.len || rest.at[i] != ':')
        return SPAN_NONE;
    i++;
    while (i < rest.len && is_blank(rest.at[i]))
        i++;
    return span_skip(rest, i);
}

/* Length of the string whose inside begins here. */
static size_t string_length(struct span s)
{
    const uint8_t *end = memchr(s.at, '"', s.len);
    if (end != NULL && memchr(s.at, '\\', (size_t)(end - s.at)) == NULL)
        return (size_t)(end - s.at);
    size_t i = 0;
    while (i < s.len && s.at[i] != '"')
        i += s.at[i] == '\\' ? 2 : 1;
    return i < s.len ? i : s.len;
}

static bool read_member(struct counts *c, const struct row *rows, struct span key,
                        struct span value)
{
    for (const struct row *r = rows; r->key.len > 0; r++) {
        if (r->key.len == key.len && span_eq(r->key, key))
            return take(c, r, value);
    }
    return false;
}

static const struct row *rows_of(const struct table *tables, struct span key)
{
    for (const struct table *t = tables; t->key.len > 0; t++) {
        if (span_eq(t->key, key))
            return t->rows;
    }
    return NULL;
}

static bool read_counts(struct span object, const struct table *tables, struct counts *c)
{
    bool stated = false;
    unsigned depth = 0;
    struct span last = SPAN_NONE;   /* key of the usage itself */
    const struct row *inner = NULL; /* of the object behind it, while we are in it */
    for (size_t i = 0; i < object.len; i++) {
        uint8_t byte = object.at[i];
        if (byte == '{' || byte == '[') {
            depth++;
            inner = depth == 2 && byte == '{' ? rows_of(tables + 1, last) : NULL;
        } else if (byte == '}' || byte == ']') {
            depth -= depth > 0;
            inner = NULL;
        } else if (byte == '"') {
            struct span rest = span_skip(object, i + 1);
            struct span word = span_sub(rest, 0, string_length(rest));
            const struct row *rows = depth == 1 ? tables->rows : inner;
            struct span value = rows == NULL ? SPAN_NONE
                                             : value_behind(span_skip(rest, word.len + 1));
            if (value.len > 0)
                stated |= read_member(c, rows, word, value);
            if (depth == 1)
                last = word;
            c->has_iterations |= depth == 1 && span_eq(word, SPAN_LIT("iterations"));
            i += word.len + 1;
        }
    }
    return stated;
}

/* --- what each means by it --------------------------------------------------------------------------- */

bool usage_read_openai(struct usage *u, struct span object)
{
    struct counts c = {.total = 0};
    if (!read_counts(object, chat_tables, &c))
        return false;
    c.u.prompt += c.quoted;
    c.u.completion += c.beside;
    c.u.reasoning += c.beside;
    /* xAI has left reasoning out of completion_tokens: the total tells, or that it cannot be in. */
    bool fits = c.u.reasoning <= c.u.completion;
    if (c.u.reasoning > 0 && c.beside == 0 &&
        (c.total == c.u.prompt + c.u.completion + c.u.reasoning || (c.total == 0 && !fits)))
        c.u.completion += c.u.reasoning;
    usage_fit(&c.u);
    *u = c.u;
    return true;
}

/* Voyage says total_tokens only: of vectors nothing is written, so that is what was read. */
bool usage_read_embeddings(struct usage *u, struct span object)
{
    struct counts c = {.total = 0};
    if (!read_counts(object, chat_tables, &c) && c.total == 0)
        return false;
    if (c.u.prompt == 0)
        c.u.prompt = c.total;
    usage_fit(&c.u);
    *u = c.u;
    return true;
}

bool usage_read_responses(struct usage *u, struct span object)
{
    struct counts c = {.total = 0};
    if (!read_counts(object, responses_tables, &c))
        return false;
    usage_fit(&c.u);
    *u = c.u;
    return true;
}

static void raise_to(uint64_t *n, uint64_t least)
{
    if (*n < least)
        *n = least;
}

/* Where the parts say more than their sum, they are right. */
static void settle_writes(struct counts *c)
{
    raise_to(&c->u.cache_write, c->write_5m + c->u.cache_write_1h);
}

/* Each pass of the model over the conversation is billed, and the outer counts are the last one's only
 * (Anthropic, "Compaction": the sum of iterations is what is charged). An advisor's are not: it is
 * another model, with prices of its own. */
static void add_iterations(struct counts *c, struct span object)
{
    struct usage sum = {.prompt = 0};
    struct json_member type;
    struct span item;
    size_t cursor = 0;
    if (!c->has_iterations)
        return;
    struct span list = json_find(object, "iterations");
    while (json_each(list, &cursor, &item)) {
        struct counts one = {.total = 0};
        bool is_advisor = json_get(item, "type", &type) &&
                          span_starts(json_raw(json_value(item, &type)), SPAN_LIT("advisor"));
        if (is_advisor || !read_counts(item, messages_tables, &one))
            continue;
        settle_writes(&one);
        usage_add(&sum, &one.u);
    }
    raise_to(&c->u.prompt, sum.prompt);
    raise_to(&c->u.cached, sum.cached);
    raise_to(&c->u.cache_write, sum.cache_write);
    raise_to(&c->u.cache_write_1h, sum.cache_write_1h);
    raise_to(&c->u.completion, sum.completion);
}

bool usage_read_messages(struct usage *u, struct span object)
{
    /* What is not stated again stands: a stream names its input first and its output last. */
    struct counts c = {.u = *u};
    c.u.prompt = usage_uncached(u);
    c.write_5m = u->cache_write - u->cache_write_1h;
    if (!read_counts(object, messages_tables, &c))
        return false;
    settle_writes(&c);
    add_iterations(&c, object);
    c.u.prompt += c.u.cached + c.u.cache_write; /* input_tokens leaves them out */
    usage_fit(&c.u);
    *u = c.u;
    return true;
}

/* --- tools that are items of an answer ------------------------------------------------------------------- */

/* Looking around in a page it has found is no search. */
static bool is_search(struct span item)
{
    struct json_member action, type;
    if (!json_get(item, "action", &action) || action.kind != JSON_OBJECT)
        return true;
    struct span inside = json_value(item, &action);
    return !json_get(inside, "type", &type) ||
           span_eq(json_raw(json_value(inside, &type)), SPAN_LIT("search"));
}

void usage_read_calls(struct usage *u, struct span output)
{
    struct json_member m;
    struct span item;
    size_t cursor = 0;
    uint64_t searches = 0, calls = 0;
    while (json_each(output, &cursor, &item)) {
        struct span type = SPAN_NONE;
        if (json_get(item, "type", &m))
            type = json_raw(json_value(item, &m));
        if (span_eq(type, SPAN_LIT("web_search_call")))
            searches += is_search(item);
        else
            calls += span_eq(type, SPAN_LIT("file_search_call")) ||
                     span_eq(type, SPAN_LIT("code_interpreter_call"));
    }
    raise_to(&u->searches, searches);
    raise_to(&u->tool_calls, calls);
}
