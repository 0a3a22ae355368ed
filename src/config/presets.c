#include "presets.h"

#include "value.h"

/* name, also, variable, base_url, facts. All of these speak OpenAI's chat protocol with a bearer
 * token. */
#define BEARER(name, also, variable, url, yes, no) \
    {name, also, variable, url, PROTOCOL_OPENAI, AUTH_BEARER, NULL, false, yes, no}
/* And these its Responses protocol as well. */
#define BOTH(name, also, variable, url) \
    {name, also, variable, url, PROTOCOL_OPENAI, AUTH_BEARER, NULL, true, 0, 0}
/* Servers people run themselves, at the port they choose when not told otherwise. */
#define LOCAL(name, url, yes) \
    {name, NULL, NULL, url, PROTOCOL_OPENAI, AUTH_NONE, NULL, false, yes, 0}

/* In a conversation with tools they refuse a request that lacks the reasoning of earlier turns, or
 * think worse. */
#define REPLAYS FACT_REPLAYS_REASONING

const struct preset presets[] = {
    BOTH("openai", NULL, "OPENAI_API_KEY", "https://api.openai.com/v1"),
    {"anthropic", NULL, "ANTHROPIC_API_KEY", "https://api.anthropic.com/v1", PROTOCOL_ANTHROPIC,
     AUTH_HEADER, "x-api-key", false, 0, 0},
    {"gemini", "google-ai-studio", "GEMINI_API_KEY",
     "https://generativelanguage.googleapis.com/v1beta", PROTOCOL_GEMINI, AUTH_HEADER,
     "x-goog-api-key", false, 0, 0},
    /* The host names the region: https://bedrock-runtime.us-east-1.amazonaws.com */
    {"bedrock", "amazon-bedrock", "AWS_BEARER_TOKEN_BEDROCK", NULL, PROTOCOL_BEDROCK, AUTH_BEARER,
     NULL, false, 0, 0},
    /* The URL follows from the region and the project. */
    {"vertex", "google-vertex", NULL, NULL, PROTOCOL_VERTEX, AUTH_BEARER, NULL, false, 0, 0},
    BEARER("deepseek", NULL, "DEEPSEEK_API_KEY", "https://api.deepseek.com/v1", REPLAYS,
           FACT_JSON_SCHEMA),
    /* These are strict about members that a model does not know. */
    BEARER("groq", NULL, "GROQ_API_KEY", "https://api.groq.com/openai/v1", FACT_COMPLETION_TOKENS,
           FACT_REASONING | FACT_CACHE_KEY),
    BEARER("mistral", NULL, "MISTRAL_API_KEY", "https://api.mistral.ai/v1", FACT_SHORT_CALL_IDS,
           FACT_REASONING | FACT_CACHE_KEY),
    BEARER("openrouter", NULL, "OPENROUTER_API_KEY", "https://openrouter.ai/api/v1", FACT_TOP_K, 0),
    BEARER("together", NULL, "TOGETHER_API_KEY", "https://api.together.xyz/v1", FACT_TOP_K, 0),
    BEARER("fireworks", NULL, "FIREWORKS_API_KEY", "https://api.fireworks.ai/inference/v1",
           FACT_TOP_K, 0),
    BOTH("xai", "x-ai", "XAI_API_KEY", "https://api.x.ai/v1"),
    BEARER("moonshot", NULL, "MOONSHOT_API_KEY", "https://api.moonshot.ai/v1", REPLAYS, 0),
    BEARER("zai", "z-ai", "ZAI_API_KEY", "https://api.z.ai/api/paas/v4", REPLAYS, 0),
    BEARER("cerebras", NULL, "CEREBRAS_API_KEY", "https://api.cerebras.ai/v1",
           FACT_COMPLETION_TOKENS, FACT_REASONING | FACT_CACHE_KEY),
    BEARER("perplexity", NULL, "PERPLEXITY_API_KEY", "https://api.perplexity.ai", FACT_TOP_K, 0),
    BEARER("cohere", NULL, "COHERE_API_KEY", "https://api.cohere.ai/compatibility/v1", 0, 0),
    BEARER("nvidia", NULL, "NVIDIA_API_KEY", "https://integrate.api.nvidia.com/v1", 0, 0),
    BEARER("sambanova", NULL, "SAMBANOVA_API_KEY", "https://api.sambanova.ai/v1", FACT_TOP_K, 0),
    BEARER("deepinfra", NULL, "DEEPINFRA_API_KEY", "https://api.deepinfra.com/v1/openai",
           FACT_TOP_K, 0),
    BEARER("novita", NULL, "NOVITA_API_KEY", "https://api.novita.ai/openai/v1",
           FACT_TOP_K | REPLAYS, 0),
    BEARER("siliconflow", NULL, "SILICONFLOW_API_KEY", "https://api.siliconflow.com/v1",
           FACT_TOP_K | REPLAYS, 0),
    /* The international site; keys of the mainland one need base_url on dashscope.aliyuncs.com. */
    BEARER("dashscope", "alibaba", "DASHSCOPE_API_KEY",
           "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", FACT_TOP_K, 0),
    {"azure", NULL, "AZURE_OPENAI_API_KEY", NULL, PROTOCOL_OPENAI, AUTH_HEADER, "api-key", true, 0,
     0},
    LOCAL("ollama", "http://127.0.0.1:11434/v1", 0),
    LOCAL("vllm", "http://127.0.0.1:8000/v1", FACT_TOP_K | REPLAYS),
    LOCAL("lmstudio", "http://127.0.0.1:1234/v1", FACT_TOP_K),
    LOCAL("llamacpp", "http://127.0.0.1:8080/v1", FACT_TOP_K | REPLAYS),
    /* Answers by itself: for a first try without an account, and for tests. */
    {"demo", NULL, NULL, "", PROTOCOL_DEMO, AUTH_NONE, NULL, false, 0, 0},
};
const unsigned npresets = sizeof(presets) / sizeof(presets[0]);

const struct preset *preset_find(const char *name)
{
    for (unsigned i = 0; i < npresets; i++)
        if (strcmp(presets[i].name, name) == 0 ||
            (presets[i].also != NULL && strcmp(presets[i].also, name) == 0))
            return &presets[i];
    return NULL;
}

const char *preset_suggest(const char *name)
{
    struct suggestion s = {.text = span_text(name)};
    for (unsigned i = 0; i < npresets; i++)
        suggestion_offer(&s, presets[i].name);
    return s.best;
}
