#include "sluice/meter/usage.h"

#include "usage_fit.h"
#include "usage_number.h"

#include "sluice/format/json_walk.h"

/* What Google's and Amazon's own protocols say of usage. */

static uint64_t count_of(struct span value)
{
    uint64_t n = 0;
    return usage_number_count(value, &n) ? n : 0;
}

static uint64_t member_of(struct span object, const char *name)
{
    struct json_member m;
    return json_get(object, name, &m) ? count_of(json_value(object, &m)) : 0;
}

static struct span word_of(struct span object, const char *name)
{
    struct json_member m;
    return json_get(object, name, &m) ? json_raw(json_value(object, &m)) : SPAN_NONE;
}

/* [{"modality":"AUDIO","tokenCount":7}, …]: pages of a document are priced as text is. */
static void add_modalities(struct usage_parts *p, struct span list)
{
    struct span item;
    size_t cursor = 0;
    while (json_each(list, &cursor, &item)) {
        struct span modality = word_of(item, "modality");
        uint64_t n = member_of(item, "tokenCount");
        if (span_eq(modality, SPAN_LIT("AUDIO")))
            p->audio += n;
        else if (span_eq(modality, SPAN_LIT("IMAGE")))
            p->image += n;
        else if (span_eq(modality, SPAN_LIT("VIDEO")))
            p->video += n;
    }
}

bool usage_read_gemini(struct usage *u, struct span object)
{
    struct usage seen = {.searches = u->searches};
    struct json_walk w;
    json_walk_init(&w, object);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "promptTokenCount") || json_walk_is(&w, "toolUsePromptTokenCount"))
            seen.prompt += count_of(w.value);
        else if (json_walk_is(&w, "cachedContentTokenCount"))
            seen.cached = count_of(w.value);
        else if (json_walk_is(&w, "candidatesTokenCount"))
            seen.completion += count_of(w.value);
        else if (json_walk_is(&w, "thoughtsTokenCount"))
            seen.reasoning = count_of(w.value);
        else if (json_walk_is(&w, "promptTokensDetails") ||
                 json_walk_is(&w, "toolUsePromptTokensDetails"))
            add_modalities(&seen.in, w.value);
        else if (json_walk_is(&w, "cacheTokensDetails"))
            add_modalities(&seen.cached_parts, w.value);
        else if (json_walk_is(&w, "candidatesTokensDetails"))
            add_modalities(&seen.out, w.value);
    }
    seen.completion += seen.reasoning;
    if (seen.prompt + seen.completion == 0)
        return false;
    usage_fit(&seen);
    *u = seen;
    return true;
}

/* [{"ttl":"1h","inputTokens":7}, …]: of what was written, by how long it is kept. */
static uint64_t written_for_an_hour(struct span list, uint64_t *all)
{
    struct span item;
    size_t cursor = 0;
    uint64_t hour = 0;
    *all = 0;
    while (json_each(list, &cursor, &item)) {
        uint64_t n = member_of(item, "inputTokens");
        *all += n;
        if (span_eq(word_of(item, "ttl"), SPAN_LIT("1h")))
            hour += n;
    }
    return hour;
}

bool usage_read_converse(struct usage *u, struct span object)
{
    struct usage seen = {.prompt = 0};
    struct json_walk w;
    uint64_t detailed = 0;
    json_walk_init(&w, object);
    while (json_walk_next(&w)) {
        if (json_walk_is(&w, "inputTokens"))
            seen.prompt = count_of(w.value);
        else if (json_walk_is(&w, "outputTokens"))
            seen.completion = count_of(w.value);
        else if (json_walk_is(&w, "cacheReadInputTokens"))
            seen.cached = count_of(w.value);
        else if (json_walk_is(&w, "cacheWriteInputTokens"))
            seen.cache_write = count_of(w.value);
        else if (json_walk_is(&w, "cacheDetails"))
            seen.cache_write_1h = written_for_an_hour(w.value, &detailed);
    }
    if (seen.cache_write < detailed)
        seen.cache_write = detailed;
    seen.prompt += seen.cached + seen.cache_write;
    if (seen.prompt + seen.completion == 0)
        return false;
    usage_fit(&seen);
    *u = seen;
    return true;
}

bool usage_read_seconds(struct usage *u, struct span value)
{
    struct span inside = json_raw(value);
    return usage_number_scaled(inside.len > 0 ? inside : value, 3, &u->audio_ms);
}
