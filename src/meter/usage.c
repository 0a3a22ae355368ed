#include "sluice/meter/usage.h"

#include "sluice/format/json_scan.h"

/* Counts larger than this are no counts; it keeps every later sum and product in 64 bits. */
#define TOKENS_MAX 1000000000u

static bool read_count(struct span value, uint64_t *out)
{
    uint64_t n;
    if (!json_u64(value, &n) || n > TOKENS_MAX)
        return false;
    *out = n;
    return true;
}

static void read_details(struct span object, const char *key, uint64_t *out)
{
    struct json_member m;
    if (json_get(object, key, &m))
        (void)read_count(json_value(object, &m), out);
}

bool usage_read_openai(struct usage *u, struct span object)
{
    struct json_scan scan;
    struct span rest = object;
    struct usage seen = {0};
    uint64_t total = 0;
    bool stated = false;

    json_scan_init(&scan);
    enum json_status status;
    while ((status = json_scan_next(&scan, &rest)) == JSON_MEMBER) {
        struct span key = span_sub(object, scan.member.key.start,
                                   scan.member.key.end - scan.member.key.start);
        struct span value = json_value(object, &scan.member);
        if (span_eq(key, SPAN_LIT("prompt_tokens"))) {
            stated |= read_count(value, &seen.prompt);
        } else if (span_eq(key, SPAN_LIT("completion_tokens"))) {
            stated |= read_count(value, &seen.completion);
        } else if (span_eq(key, SPAN_LIT("total_tokens"))) {
            (void)read_count(value, &total);
        } else if (span_eq(key, SPAN_LIT("prompt_tokens_details"))) {
            read_details(value, "cached_tokens", &seen.cached);
            read_details(value, "cache_write_tokens", &seen.cache_write);
        } else if (span_eq(key, SPAN_LIT("completion_tokens_details"))) {
            read_details(value, "reasoning_tokens", &seen.reasoning);
        } else if (span_eq(key, SPAN_LIT("prompt_cache_hit_tokens")) || /* DeepSeek */
                   span_eq(key, SPAN_LIT("cached_tokens"))) {           /* Moonshot */
            (void)read_count(value, &seen.cached);
        }
    }
    if (status != JSON_DONE || !stated)
        return false;
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
