#include "presets.h"

#include "value.h"

#include "sluice/config/known_providers.h"

/* What most of them are: OpenAI's chat protocol, with a bearer token. `names` are other ones in use. */
#define BEARER(called, names, key, url)                                      \
    .name = (called), .also = (names), .variable = (key), .base_url = (url), \
    .protocol = PROTOCOL_OPENAI, .auth = AUTH_BEARER
/* And these its Responses protocol as well. */
#define BOTH(called, names, key, url) BEARER(called, names, key, url), .has_responses = true
/* Servers people run themselves, at the port they choose when not told otherwise. */
#define LOCAL(called, url) \
    .name = (called), .base_url = (url), .protocol = PROTOCOL_OPENAI, .auth = AUTH_NONE

/* In a conversation with tools they refuse a request that lacks the reasoning of earlier turns, or
 * think worse. */
#define REPLAYS FACT_REPLAYS_REASONING

/* They go on with an answer that was begun: Mistral's repeats it first, as others' servers do not. */
#define MARKED_PREFILL (FACT_PREFILL | FACT_PREFILL_MARK | FACT_PREFILL_ECHO)
#define SWITCHED_PREFILL (FACT_PREFILL | FACT_PREFILL_SWITCH)

const struct preset presets[] = {
    {BOTH("openai", NULL, "OPENAI_API_KEY", "https://api.openai.com/v1")},
    {.name = "anthropic",
     .variable = "ANTHROPIC_API_KEY",
     .base_url = "https://api.anthropic.com/v1",
     .protocol = PROTOCOL_ANTHROPIC,
     .auth = AUTH_HEADER,
     .auth_header = "x-api-key"},
    {.name = "gemini",
     .slug = "google-ai-studio",
     .also = "google-ai",
     .variable = "GEMINI_API_KEY",
     .base_url = "https://generativelanguage.googleapis.com/v1beta",
     .protocol = PROTOCOL_GEMINI,
     .auth = AUTH_HEADER,
     .auth_header = "x-goog-api-key"},
    /* The host names the region: https://bedrock-runtime.us-east-1.amazonaws.com */
    {.name = "bedrock",
     .slug = "amazon-bedrock",
     .also = "bedrock-converse",
     .variable = "AWS_BEARER_TOKEN_BEDROCK",
     .protocol = PROTOCOL_BEDROCK,
     .auth = AUTH_BEARER},
    /* The URL follows from the region and the project. */
    {.name = "vertex",
     .slug = "google-vertex",
     .also = "vertex-ai",
     .protocol = PROTOCOL_VERTEX,
     .auth = AUTH_BEARER},
    {BEARER("deepseek", NULL, "DEEPSEEK_API_KEY", "https://api.deepseek.com/v1"), .yes = REPLAYS,
     .no = FACT_JSON_SCHEMA},
    /* These are strict about members that a model does not know. */
    {BEARER("groq", NULL, "GROQ_API_KEY", "https://api.groq.com/openai/v1"),
     .yes = FACT_COMPLETION_TOKENS, .no = FACT_REASONING | FACT_CACHE_KEY},
    {BEARER("mistral", NULL, "MISTRAL_API_KEY", "https://api.mistral.ai/v1"),
     .yes = FACT_SHORT_CALL_IDS | MARKED_PREFILL, .no = FACT_REASONING | FACT_CACHE_KEY},
    {BEARER("openrouter", NULL, "OPENROUTER_API_KEY", "https://openrouter.ai/api/v1"),
     .yes = FACT_TOP_K},
    {BEARER("together", "together-ai togetherai", "TOGETHER_API_KEY",
            "https://api.together.xyz/v1"),
     .yes = FACT_TOP_K},
    {BEARER("fireworks", "fireworks-ai", "FIREWORKS_API_KEY",
            "https://api.fireworks.ai/inference/v1"),
     .yes = FACT_TOP_K},
    {BOTH("xai", NULL, "XAI_API_KEY", "https://api.x.ai/v1"), .slug = "x-ai"},
    {BEARER("moonshot", "moonshotai", "MOONSHOT_API_KEY", "https://api.moonshot.ai/v1"),
     .slug = "moonshot-ai", .yes = REPLAYS},
    {BEARER("zai", "zhipuai", "ZAI_API_KEY", "https://api.z.ai/api/paas/v4"), .slug = "z-ai",
     .yes = REPLAYS},
    {BEARER("cerebras", NULL, "CEREBRAS_API_KEY", "https://api.cerebras.ai/v1"),
     .yes = FACT_COMPLETION_TOKENS, .no = FACT_REASONING | FACT_CACHE_KEY},
    {BEARER("perplexity", NULL, "PERPLEXITY_API_KEY", "https://api.perplexity.ai"),
     .yes = FACT_TOP_K},
    {BEARER("cohere", NULL, "COHERE_API_KEY", "https://api.cohere.ai/compatibility/v1")},
    {BEARER("nvidia", "nvidia-nim", "NVIDIA_API_KEY", "https://integrate.api.nvidia.com/v1")},
    {BEARER("sambanova", NULL, "SAMBANOVA_API_KEY", "https://api.sambanova.ai/v1"),
     .yes = FACT_TOP_K},
    {BEARER("deepinfra", NULL, "DEEPINFRA_API_KEY", "https://api.deepinfra.com/v1/openai"),
     .yes = FACT_TOP_K},
    {BEARER("novita", "novita-ai", "NOVITA_API_KEY", "https://api.novita.ai/openai/v1"),
     .yes = FACT_TOP_K | REPLAYS},
    {BEARER("siliconflow", NULL, "SILICONFLOW_API_KEY", "https://api.siliconflow.com/v1"),
     .yes = FACT_TOP_K | REPLAYS},
    /* The international site, and the mainland's, whose keys are its own. */
    {BEARER("dashscope", "alibaba-cloud-int", "DASHSCOPE_API_KEY",
            "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
     .slug = "alibaba", .yes = FACT_TOP_K},
    {BEARER("alibaba-cn", "alibaba-cloud-int-cn", "DASHSCOPE_API_KEY",
            "https://dashscope.aliyuncs.com/compatible-mode/v1"),
     .yes = FACT_TOP_K, .is_shared = true},
    {.name = "azure",
     .variable = "AZURE_OPENAI_API_KEY",
     .protocol = PROTOCOL_OPENAI,
     .auth = AUTH_HEADER,
     .auth_header = "api-key",
     .has_responses = true},

    /* As people's lists of providers have them, by name. */
    {BEARER("ai21", NULL, "AI21_API_KEY", "https://api.ai21.com/studio/v1")},
    {BEARER("aionlabs", "aion-labs", "AIONLABS_API_KEY", "https://api.aionlabs.ai/v1")},
    {BEARER("ambient", NULL, "AMBIENT_API_KEY", "https://api.ambient.xyz/v1")},
    {BEARER("arcee-ai", "arcee", "ARCEEAI_API_KEY", "https://api.arcee.ai/api/v1")},
    {BEARER("atlascloud", "atlas-cloud", "ATLASCLOUD_API_KEY", "https://api.atlascloud.ai/v1")},
    {BEARER("baseten", NULL, "BASETEN_API_KEY", "https://inference.baseten.co/v1")},
    {BEARER("byteplus", NULL, "ARK_API_KEY", "https://ark.ap-southeast.bytepluses.com/api/v3"),
     .is_shared = true}, /* with Volcengine, the same service elsewhere */
    {BEARER("canopywave", NULL, "CANOPYWAVE_API_KEY", "https://inference.canopywave.io/v1")},
    {BEARER("chutes", NULL, "CHUTES_API_KEY", "https://llm.chutes.ai/v1")},
    {BEARER("clarifai", NULL, "CLARIFAI_PAT", "https://api.clarifai.com/v2/ext/openai/v1"),
     .is_shared = true},
    /* https://api.cloudflare.com/client/v4/accounts/ACCOUNT/ai/v1 */
    {BEARER("cloudflare", NULL, "CLOUDFLARE_API_TOKEN", NULL)},
    {BEARER("crusoe", NULL, "CRUSOE_API_KEY",
            "https://managed-inference-api-proxy.crusoecloud.com/v1")},
    /* https://WORKSPACE/serving-endpoints */
    {BEARER("databricks", NULL, "DATABRICKS_TOKEN", NULL)},
    {BEARER("digital-ocean", "digitalocean gradient-ai", "DIGITALOCEAN_ACCESS_TOKEN",
            "https://inference.do-ai.run/v1"),
     .is_shared = true},
    {BEARER("exa", NULL, "EXA_API_KEY", "https://api.exa.ai")},
    {BEARER("featherless", "featherless-ai", "FEATHERLESS_API_KEY",
            "https://api.featherless.ai/v1"),
     .yes = FACT_TOP_K},
    {BEARER("friendli", "friendliai", "FRIENDLI_TOKEN", "https://api.friendli.ai/serverless/v1"),
     .yes = FACT_TOP_K},
    {BEARER("gmicloud", "gmi", "GMI_API_KEY", "https://api.gmi-serving.com/v1")},
    {BEARER("hf-inference", "huggingface", "HF_TOKEN", "https://router.huggingface.co/v1"),
     .is_shared = true},
    {BEARER("hyperbolic", NULL, "HYPERBOLIC_API_KEY", "https://api.hyperbolic.xyz/v1")},
    {BEARER("inception", NULL, "INCEPTION_API_KEY", "https://api.inceptionlabs.ai/v1")},
    {BEARER("inceptron", NULL, "INCEPTRON_API_KEY", "https://api.inceptron.io/v1")},
    {BEARER("inference-net", NULL, "INFERENCE_API_KEY", "https://api.inference.net/v1")},
    {BEARER("infermatic", NULL, "INFERMATIC_API_KEY", "https://api.totalgpt.ai/v1")},
    /* Embeddings; its search models are on a host of their own. */
    {BEARER("jina", "jina-ai", "JINA_API_KEY", "https://api.jina.ai/v1")},
    {BEARER("mancer", NULL, "MANCER_API_KEY", "https://neuro.mancer.tech/oai/v1")},
    {BEARER("meituan", "longcat", "LONGCAT_API_KEY", "https://api.longcat.chat/openai/v1")},
    {BEARER("minimax", NULL, "MINIMAX_API_KEY", "https://api.minimax.io/v1")},
    {BEARER("morph", NULL, "MORPH_API_KEY", "https://api.morphllm.com/v1")},
    {BEARER("nebius", NULL, "NEBIUS_API_KEY", "https://api.tokenfactory.nebius.com/v1"),
     .slug = "nebius-token-factory", .yes = FACT_TOP_K},
    {BEARER("nscale", NULL, "NSCALE_API_KEY", "https://inference.api.nscale.com/v1")},
    {BEARER("ovhcloud", NULL, "OVHCLOUD_API_KEY",
            "https://oai.endpoints.kepler.ai.cloud.ovh.net/v1")},
    {BEARER("parasail", NULL, "PARASAIL_API_KEY", "https://api.parasail.io/v1"), .yes = FACT_TOP_K},
    {BEARER("phala", "redpill", "REDPILL_API_KEY", "https://api.redpill.ai/v1")},
    {BEARER("public-ai", "publicai", "PUBLICAI_API_KEY", "https://api.publicai.co/v1")},
    /* Pictures only. */
    {BEARER("recraft", NULL, "RECRAFT_API_KEY", "https://external.api.recraft.ai/v1")},
    {BEARER("routeway", NULL, "ROUTEWAY_API_KEY", "https://api.routeway.ai/v1")},
    /* https://api.runpod.ai/v2/ENDPOINT/openai/v1 */
    {BEARER("runpod", NULL, "RUNPOD_API_KEY", NULL)},
    {BEARER("scaleway", NULL, "SCW_SECRET_KEY", "https://api.scaleway.ai/v1"), .is_shared = true},
    {BEARER("stepfun", NULL, "STEPFUN_API_KEY", "https://api.stepfun.com/v1")},
    {BEARER("upstage", NULL, "UPSTAGE_API_KEY", "https://api.upstage.ai/v1")},
    {BEARER("v0", NULL, "V0_API_KEY", "https://api.v0.dev/v1"), .slug = "vercel"},
    {BEARER("vercel-ai-gateway", NULL, "AI_GATEWAY_API_KEY", "https://ai-gateway.vercel.sh/v1")},
    {BEARER("venice", "veniceai", "VENICE_API_KEY", "https://api.venice.ai/api/v1")},
    /* Embeddings only. */
    {BEARER("voyage", "voyageai", "VOYAGE_API_KEY", "https://api.voyageai.com/v1")},
    {BEARER("wandb", NULL, "WANDB_API_KEY", "https://api.inference.wandb.ai/v1"),
     .slug = "weights-biases", .is_shared = true},
    {BEARER("wavespeed", NULL, "WAVESPEED_API_KEY", "https://llm.wavespeed.ai/v1")},
    {BEARER("xiaomi", "xiaomi-mimo", "XIAOMI_API_KEY", "https://api.xiaomimimo.com/v1")},

    {LOCAL("ollama", "http://127.0.0.1:11434/v1")},
    {LOCAL("vllm", "http://127.0.0.1:8000/v1"), .also = "hosted-vllm",
     .yes = FACT_TOP_K | REPLAYS | SWITCHED_PREFILL},
    {LOCAL("lmstudio", "http://127.0.0.1:1234/v1"), .also = "lm-studio", .yes = FACT_TOP_K},
    {LOCAL("llamacpp", "http://127.0.0.1:8080/v1"), .yes = FACT_TOP_K | REPLAYS | SWITCHED_PREFILL},
    /* Answers by itself: for a first try without an account, and for tests. */
    {.name = "demo", .base_url = "", .protocol = PROTOCOL_DEMO, .auth = AUTH_NONE},
};
const unsigned npresets = sizeof(presets) / sizeof(presets[0]);

static bool is_among(const char *words, struct span name)
{
    struct span rest = span_text(words != NULL ? words : "");
    while (rest.len > 0) {
        if (span_eq(span_cut(&rest, ' '), name))
            return true;
    }
    return false;
}

static bool is_called(const struct preset *p, struct span name)
{
    return span_eq(span_text(p->name), name) ||
           (p->slug != NULL && span_eq(span_text(p->slug), name)) || is_among(p->also, name);
}

static const struct preset *find(struct span name)
{
    for (unsigned i = 0; i < npresets; i++) {
        if (is_called(&presets[i], name))
            return &presets[i];
    }
    return NULL;
}

const struct preset *preset_find(const char *name)
{
    return find(span_text(name));
}

const char *preset_suggest(const char *name)
{
    struct suggestion s = {.text = span_text(name)};
    for (unsigned i = 0; i < npresets; i++)
        suggestion_offer(&s, presets[i].name);
    return s.best;
}

/* --- as others know them --------------------------------------------------------------------------- */

/* Providers that callers may name, and that nothing else is known of: their address depends on the
 * account, they have protocols of their own, or nobody could be asked. */
static const char *const unconfirmed[] = {
    "amazon-sagemaker",
    "anyscale",
    "beam",
    "bento-cloud",
    "black-forest-labs",
    "cirrascale",
    "cloudsway",
    "coreweave",
    "cyfuture",
    "elevenlabs",
    "fal-ai",
    "firecrawl",
    "huawei-cloud",
    "hyperstack",
    "inferx",
    "inflection",
    "infronai",
    "kling-ai",
    "lambda-labs",
    "leftnorth",
    "liquid",
    "loveon",
    "modal",
    "nexgen-cloud",
    "nextbit",
    "openinference",
    "prodia",
    "rafay",
    "relace",
    "replicate",
    "runware",
    "sourceful",
    "streamlake",
    "switchpoint",
    "tavily",
    "verda",
};
enum { UNCONFIRMED = sizeof unconfirmed / sizeof unconfirmed[0] };

static const char *slug_of(const struct preset *p)
{
    return p->slug != NULL ? p->slug : p->name;
}

const char *known_provider_slug(struct span name)
{
    const struct preset *p = find(name);
    return p != NULL ? slug_of(p) : NULL;
}

bool known_provider_at(unsigned i, struct known_provider *out)
{
    if (i < UNCONFIRMED) {
        *out = (struct known_provider){.slug = unconfirmed[i]};
        return true;
    }
    i -= UNCONFIRMED;
    if (i >= npresets || presets[i].protocol == PROTOCOL_DEMO) /* the last one, and nobody's */
        return false;
    *out = (struct known_provider){
        .slug = slug_of(&presets[i]),
        .name = presets[i].name,
        .also = presets[i].also,
        .needs_more = presets[i].base_url == NULL,
    };
    return true;
}
