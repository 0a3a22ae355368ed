#include "sluice/meter/usage.h"

#include <stddef.h>

/* Counts larger than this are no counts; it keeps every later sum and product in 64 bits. */
#define TOKENS_MAX 1000000000u

/* The counts we want, by the names providers give them, and how deep they may stand. */
struct counts {
    uint64_t prompt, completion, total, cached, cache_write, reasoning;
};

static const struct {
    struct span key;
    size_t offset;
    bool states;    /* a usage object without any of these says nothing */
    unsigned depth; /* at most */
} known[] = {
    {{(const uint8_t *)"prompt_tokens", 13}, offsetof(struct counts, prompt), true, 1},
    {{(const uint8_t *)"completion_tokens", 17}, offsetof(struct counts, completion), true, 1},
    {{(const uint8_t *)"total_tokens", 12}, offsetof(struct counts, total), false, 1},
    {{(const uint8_t *)"cached_tokens", 13}, offsetof(struct counts, cached), false, 2},
    {{(const uint8_t *)"cache_write_tokens", 18}, offsetof(struct counts, cache_write), false, 2},
    {{(const uint8_t *)"reasoning_tokens", 16}, offsetof(struct counts, reasoning), false, 2},
    {{(const uint8_t *)"prompt_cache_hit_tokens", 23}, /* DeepSeek */
     offsetof(struct counts, cached),
     false,
     1},
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
static bool take_count(struct counts *c, struct span key, unsigned depth, struct span behind)
{
    for (unsigned k = 0; k < sizeof known / sizeof known[0]; k++) {
        if (depth > known[k].depth || !span_eq(known[k].key, key))
            continue;
        size_t i = 0;
        while (i < behind.len && (is_blank(behind.at[i]) || behind.at[i] == ':'))
            i++;
        return read_count(span_skip(behind, i), (uint64_t *)((char *)c + known[k].offset)) &&
               known[k].states;
    }
    return false;
}

/* Walks the object from string to string, which is quicker than scanning it again as JSON: numbers
 * are most of what it holds, and that it is valid has been seen. */
static bool read_counts(struct span object, struct counts *c)
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
            stated |= take_count(c, word, depth, rest);
            i += word.len + 1;
        }
    }
    return stated;
}

bool usage_read_openai(struct usage *u, struct span object)
{
    struct counts c = {0};
    if (!read_counts(object, &c))
        return false;
    struct usage seen = {
        .prompt = c.prompt,
        .cached = c.cached,
        .cache_write = c.cache_write,
        .completion = c.completion,
        .reasoning = c.reasoning,
    };
    uint64_t total = c.total;
    /* xAI has left reasoning out of completion_tokens: the total tells, or that it cannot be in. */
    bool fits = seen.reasoning <= seen.completion;
    if (seen.reasoning > 0 &&
        (total == seen.prompt + seen.completion + seen.reasoning || (total == 0 && !fits)))
        seen.completion += seen.reasoning;
    if (seen.reasoning > seen.completion)
        seen.reasoning = seen.completion;
    if (seen.cached > seen.prompt)
        seen.cached = seen.prompt;
    if (seen.cache_write > seen.prompt - seen.cached)
        seen.cache_write = seen.prompt - seen.cached;
    seen.source = USAGE_PROVIDER;
    *u = seen;
    return true;
}

const char *usage_source_name(enum usage_source s)
{
    static const char *const names[] = {"none", "provider", "estimated"};
    return names[s];
}
