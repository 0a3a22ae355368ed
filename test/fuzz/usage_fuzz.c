/* What a provider says an answer took: the first byte says in whose words, the rest is JSON. However it is
 * meant, the counts fit each other, and what they cost is the sum of its parts. */
#include "sluice/format/json_scan.h"
#include "sluice/meter/cost.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check_counts(const struct usage *u)
{
    must(u->cached + u->cache_write <= u->prompt && u->cache_write_1h <= u->cache_write);
    must(u->reasoning + u->out.audio + u->out.image + u->out.video <= u->completion);
    must(u->in.audio + u->in.image + u->in.video <= u->prompt);
    must(u->cached_parts.audio <= u->in.audio && u->cached_parts.image <= u->in.image);
    must(usage_uncached(u) + u->cached + u->cache_write == u->prompt);
}

static void check_cost(const struct usage *u)
{
    static const struct price_options price = {.input = 2000000,
                                               .output = 10000000,
                                               .cache_read = 200000,
                                               .cache_write = 2500000,
                                               .cache_write_1h = 4000000,
                                               .reasoning = 7,
                                               .audio_input = 11,
                                               .image_output = 13,
                                               .second = 100000000,
                                               .search = 10000000000,
                                               .known = ~0u,
                                               .long_context = true};
    struct cost c = cost_of(u, &price);
    must(c.total_pd == c.prompt_pd + c.cache_read_pd + c.cache_write_pd + c.completion_pd +
                           c.reasoning_pd + c.image_pd + c.audio_pd + c.video_pd + c.search_pd +
                           c.plugin_search_pd + c.tools_pd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool (*const readers[])(struct usage *, struct span) = {
        usage_read_openai,   usage_read_embeddings, usage_read_responses,
        usage_read_messages, usage_read_gemini,     usage_read_converse};
    struct usage u = {.source = USAGE_NONE};
    if (size < 1 || !json_is_object(span_of(data + 1, size - 1)))
        return 0;
    bool (*read)(struct usage *, struct span) = readers[data[0] % 6];
    for (unsigned times = 0; times < 2; times++) { /* a stream says it again */
        bool is_said = read(&u, span_of(data + 1, size - 1));
        must(!is_said || u.source == USAGE_PROVIDER);
        check_counts(&u);
        check_cost(&u);
    }
    usage_read_calls(&u, span_of(data + 1, size - 1));
    return 0;
}
