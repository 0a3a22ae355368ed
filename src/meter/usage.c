#include "sluice/meter/usage.h"

#include <stddef.h>

/* Counts larger than this are no counts; it keeps every later sum and product in 64 bits. */
#define TOKENS_MAX 1000000000u

/* The counts we want, by the names a protocol gives them, and how deep they may stand. */
struct counts {
    uint64_t prompt, completion, total, cached, cache_write, reasoning;
};

struct name {
    struct span key; /* ends a list when empty */
    size_t offset;
    bool states;    /* a usage object without any of these says nothing */
    unsigned depth; /* at most */
};

#define NAME(text, count, states, depth) \
    {{(const uint8_t *)(text), sizeof(text) - 1}, offsetof(struct counts, count), states, depth}

static const struct name chat_names[] = {
    NAME("prompt_tokens", prompt, true, 1),
    NAME("completion_tokens", completion, true, 1),
    NAME("total_tokens", total, false, 1),
    NAME("cached_tokens", cached, false, 2),
    NAME("cache_write_tokens", cache_write, false, 2),
    NAME("reasoning_tokens", reasoning, false, 2),
    NAME("prompt_cache_hit_tokens", cached, false, 1), /* DeepSeek */
    {.key = {NULL, 0}},
};
static const struct name responses_names[] = {
    NAME("input_tokens", prompt, true, 1),
    NAME("output_tokens", completion, true, 1),
    NAME("total_tokens", total, false, 1),
    NAME("cached_tokens", cached, false, 2),
    NAME("cache_write_tokens", cache_write, false, 2),
    NAME("reasoning_tokens", reasoning, false, 2),
    {.key = {NULL, 0}},
};
static const struct name messages_names[] = {
    NAME("input_tokens", prompt, true, 1),
    NAME("output_tokens", completion, true, 1),
    NAME("cache_read_input_tokens", cached, false, 1),
    NAME("cache_creation_input_tokens", cache_write, false, 1),
    NAME("thinking_tokens", reasoning, false, 2),
    {.key = {NULL, 0}},
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* Digits at the start of `s`, ended by what may follow a number that is an integer. */
static bool read_count(struct span s, uint64_t *out)
{
    uint64_t n = 0;
    size_t i = 0;
    for (; i < s.len && s.at[i] >= '0' && s.at[i] <= '9'; i++) {
        n = n * 10 + (uint64_t)(s.at[i] - '0');
        if (n > TOKENS_MAX)
            return false;
    }
    if (i == 0 || (i < s.len && s.at[i] != ',' && s.at[i] != '}' && !is_blank(s.at[i])))
        return false;
    *out = n;
    return true;
}

/* What stands behind a key's closing quote, if it is a number and we know the key. */
static bool take_count(struct counts *c, const struct name *names, struct span key, unsigned depth,
                       struct span behind)
{
    for (const struct name *n = names; n->key.len > 0; n++) {
        if (depth > n->depth || !span_eq(n->key, key))
            continue;
        size_t i = 0;
        while (i < behind.len && (is_blank(behind.at[i]) || behind.at[i] == ':'))
            i++;
        return read_count(span_skip(behind, i), (uint64_t *)((char *)c + n->offset)) && n->states;
    }
    return false;
}

/* Walks the object from string to string, which is quicker than scanning it again as JSON: numbers
 * are most of what it holds, and that it is valid has been seen. */
static bool read_counts(struct span object, const struct name *names, struct counts *c)
{
    bool stated = false;
    unsigned depth = 0;
    for (size_t i = 0; i < object.len; i++) {
        uint8_t byte = object.at[i];
        if (byte == '{' || byte == '[') {
            depth++;
        } else if (byte == '}' || byte == ']') {
            depth--;
        } else if (byte == '"') {
            struct span rest = span_skip(object, i + 1), word = span_cut(&rest, '"');
            if (rest.at == NULL || memchr(word.at, '\\', word.len) != NULL)
                return stated; /* a text with escapes: where it ends cannot be told so simply */
            stated |= take_count(c, names, word, depth, rest);
            i += word.len + 1;
        }
    }
    return stated;
}

/* What a provider says is made consistent: no part is larger than its whole. */
static void set_usage(struct usage *u, const struct counts *c)
{
    struct usage seen = {
        .prompt = c->prompt,
        .cached = c->cached,
        .cache_write = c->cache_write,
        .completion = c->completion,
        .reasoning = c->reasoning,
        .source = USAGE_PROVIDER,
    };
    if (seen.reasoning > seen.completion)
        seen.reasoning = seen.completion;
    if (seen.cached > seen.prompt)
        seen.cached = seen.prompt;
    if (seen.cache_write > seen.prompt - seen.cached)
        seen.cache_write = seen.prompt - seen.cached;
    *u = seen;
}

bool usage_read_openai(struct usage *u, struct span object)
{
    struct counts c = {0};
    if (!read_counts(object, chat_names, &c))
        return false;
    /* xAI has left reasoning out of completion_tokens: the total tells, or that it cannot be in. */
    bool fits = c.reasoning <= c.completion;
    if (c.reasoning > 0 &&
        (c.total == c.prompt + c.completion + c.reasoning || (c.total == 0 && !fits)))
        c.completion += c.reasoning;
    set_usage(u, &c);
    return true;
}

/* Voyage says total_tokens only: of vectors nothing is written, so that is what was read. */
bool usage_read_embeddings(struct usage *u, struct span object)
{
    struct counts c = {0};
    bool is_stated = read_counts(object, chat_names, &c) || c.total > 0;
    if (c.prompt == 0)
        c.prompt = c.total;
    if (is_stated)
        set_usage(u, &c);
    return is_stated;
}

bool usage_read_responses(struct usage *u, struct span object)
{
    struct counts c = {0};
    if (!read_counts(object, responses_names, &c))
        return false;
    set_usage(u, &c);
    return true;
}

bool usage_read_messages(struct usage *u, struct span object)
{
    /* What is not stated again stands: a stream names its input first and its output last. */
    struct counts c = {
        .prompt = u->prompt - u->cached - u->cache_write,
        .cached = u->cached,
        .cache_write = u->cache_write,
        .completion = u->completion,
        .reasoning = u->reasoning,
    };
    if (!read_counts(object, messages_names, &c))
        return false;
    c.prompt += c.cached + c.cache_write; /* input_tokens leaves them out */
    set_usage(u, &c);
    return true;
}

void usage_add(struct usage *u, const struct usage *more)
{
    u->prompt += more->prompt;
    u->cached += more->cached;
    u->cache_write += more->cache_write;
    u->completion += more->completion;
    u->reasoning += more->reasoning;
    if (more->source > u->source) /* in the order of their uncertainty */
        u->source = more->source;
}

const char *usage_source_name(enum usage_source s)
{
    static const char *const names[] = {"none", "provider", "estimated"};
    return names[s];
}
