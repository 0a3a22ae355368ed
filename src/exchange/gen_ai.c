#include "gen_ai.h"

#include <string.h>

struct pair {
    const char *ours, *theirs;
};

static const char *translate(const struct pair *pairs, size_t n, const char *ours)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(pairs[i].ours, ours) == 0)
            return pairs[i].theirs;
    }
    return NULL;
}

#define TRANSLATE(pairs, ours) translate(pairs, sizeof(pairs) / sizeof((pairs)[0]), ours)

const char *gen_ai_operation(const char *api)
{
    static const struct pair pairs[] = {
        {"messages", "chat"},
        {"responses", "chat"},
        {"completions", "text_completion"},
        {"images", "generate_content"},
        {"speech", "generate_content"},
    };
    const char *known = TRANSLATE(pairs, api);
    return known != NULL ? known : api;
}

const char *gen_ai_provider(const struct provider_options *p)
{
    static const struct pair pairs[] = {
        {"azure", "azure.ai.openai"},
        {"cohere", "cohere"},
        {"deepseek", "deepseek"},
        {"groq", "groq"},
        {"mistral", "mistral_ai"},
        {"perplexity", "perplexity"},
        {"xai", "x_ai"},
    };
    static const char *const by_protocol[] = {
        [PROTOCOL_OPENAI] = "openai",       [PROTOCOL_RESPONSES] = "openai",
        [PROTOCOL_ANTHROPIC] = "anthropic", [PROTOCOL_GEMINI] = "gcp.gemini",
        [PROTOCOL_BEDROCK] = "aws.bedrock", [PROTOCOL_VERTEX] = "gcp.vertex_ai",
        [PROTOCOL_DEMO] = "sluice",
    };
    const char *known = TRANSLATE(pairs, p->preset != NULL ? p->preset : p->name);
    return known != NULL ? known : by_protocol[p->protocol];
}
