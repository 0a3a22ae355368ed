/* table_providers.c: the options of `providers` and `models`: where models are, and what callers name. */
#include "object.h"
#include "table_row.h"

/* ── providers ───────────────────────────────────────────────────────────────────────────────── */

static const struct word protocol_words[] = {
    {"openai", PROTOCOL_OPENAI},       {"responses", PROTOCOL_RESPONSES},
    {"anthropic", PROTOCOL_ANTHROPIC}, {"gemini", PROTOCOL_GEMINI},
    {"bedrock", PROTOCOL_BEDROCK},     {"vertex", PROTOCOL_VERTEX},
    {"demo", PROTOCOL_DEMO},           {0}};

const char *protocol_name(enum protocol p)
{
    unsigned i = 0;
    while (protocol_words[i].value != (uint64_t)p)
        i++;
    return protocol_words[i].text;
}

static const struct option provider_tls_rows[] = {
    {"ca", &type_text, MEMBER(struct tls_options, ca),
     .doc = "PEM file with the authorities to trust instead of the system's."},
    {"server_name", &type_text, MEMBER(struct tls_options, server_name),
     .doc = "Name to ask for and to verify. Left out: the host of the URL."},
    {"min_version", &type_word, MEMBER(struct tls_options, tls13_min), .words = tls_words,
     .fallback = "1.2", .doc = "Oldest TLS version that is accepted."},
    {"insecure", &type_bool, MEMBER(struct tls_options, insecure), .fallback = "false",
     .doc = "Do not verify the certificate. Warned about at every load."},
};
const struct object provider_tls = {
    "providers.NAME.tls",
    "How an `https://` provider is verified. The same keys under `store.tls`.",
    ROWS(provider_tls_rows), .size = sizeof(struct tls_options), .finish = upstream_tls_finish};

static const struct option timeouts_rows[] = {
    {"connect", &type_duration, MEMBER(struct provider_options, connect_timeout_ms),
     .fallback = "5s", .max = DAY_MS, .doc = "Name lookup, TCP and TLS together."},
    {"first_byte", &type_duration, MEMBER(struct provider_options, first_byte_timeout_ms),
     .fallback = "5m", .max = DAY_MS,
     .doc = "From the request sent to the first byte of the answer. Without streaming that is the "
            "whole time a model thinks, so it is long."},
    {"idle", &type_duration, MEMBER(struct provider_options, idle_timeout_ms), .fallback = "120s",
     .max = DAY_MS, .doc = "Longest silence inside an answer."},
    {"total", &type_duration, MEMBER(struct provider_options, total_timeout_ms), .fallback = "20m",
     .max = DAY_MS, .doc = "One attempt from beginning to end."},
};
static const struct object timeouts_object = {
    "providers.NAME.timeouts",
    "Deadlines of one attempt, each named in the error it causes. `0`: "
    "none.",
    ROWS(timeouts_rows), .size = sizeof(struct provider_options)};

static const struct option pool_rows[] = {
    {"max", &type_number, MEMBER(struct provider_options, pool_max), .fallback = "10000", .min = 1,
     .max = 65535,
     .doc =
         "Most connections to this provider, busy and idle; a request beyond that waits for one, "
         "as long as `timeouts.connect` allows."},
    {"idle_timeout", &type_duration, MEMBER(struct provider_options, pool_idle_timeout_ms),
     .fallback = "60s", .max = DAY_MS, .doc = "How long an idle connection is kept."},
};
static const struct object pool_object = {"providers.NAME.pool",
                                          "Connections, kept open to be used again.",
                                          ROWS(pool_rows), .size = sizeof(struct provider_options)};

static const struct option data_policy_rows[] = {
    {"zdr", &type_bool, MEMBER(struct data_policy_options, zdr), .fallback = "false",
     .known_bit = POLICY_ZDR, .doc = "The provider keeps nothing (zero data retention)."},
    {"training", &type_bool, MEMBER(struct data_policy_options, training), .fallback = "true",
     .known_bit = POLICY_TRAINING, .doc = "The provider may train on what it is sent."},
    {"retention", &type_duration, MEMBER(struct data_policy_options, retention_ms),
     .max = (uint64_t)3650 * DAY_MS, .known_bit = POLICY_RETENTION,
     .doc = "How long the provider keeps requests: `30d`, or `0s`."},
    {"region", &type_text, MEMBER(struct data_policy_options, region),
     .doc = "Where the provider works: `eu`, `us`."},
};
static const struct object data_policy_object = {
    "providers.NAME.data_policy", "What this provider does with prompts, for routing to choose by.",
    ROWS(data_policy_rows), .size = sizeof(struct data_policy_options),
    .known_offset = offsetof(struct data_policy_options, known)};

static const struct option aws_rows[] = {
    {"region", &type_text, MEMBER(struct aws_options, region),
     .doc = "As `us-east-1`. Left out: the one in the URL's host."},
    {"access_key", &type_text, MEMBER(struct aws_options, access_key),
     .doc = "The key's id. Left out: requests are not signed, and `api_key` is sent instead."},
    {"secret_key", &type_secret, MEMBER(struct aws_options, secret_key), .doc = "The key."},
    {"session_token", &type_secret, MEMBER(struct aws_options, session_token),
     .doc = "What makes a temporary key whole."},
};
static const struct object aws_object = {
    "providers.NAME.aws", "How requests to Amazon Bedrock are signed (Signature Version 4).",
    ROWS(aws_rows), .size = sizeof(struct aws_options)};

static const struct option google_rows[] = {
    {"credentials", &type_secret_document, MEMBER(struct google_options, credentials),
     .doc = "The key of a service account, the JSON file Google makes: `{ file: key.json }`. Left "
            "out: `api_key` is sent instead."},
    {"project", &type_text, MEMBER(struct google_options, project),
     .doc = "Left out: the one the credentials name."},
    {"region", &type_text, MEMBER(struct google_options, region), .fallback = "global",
     .doc = "As `europe-west1`, `us` or `eu`."},
};
static const struct object google_object = {
    "providers.NAME.google",
    "Who asks Vertex AI, and where. Access tokens are bought with the key and renewed before they "
    "expire.",
    ROWS(google_rows), .size = sizeof(struct google_options), .finish = google_finish};

#define FACT(key, bit, text) \
    {key, &type_fact, MEMBER(struct fact_options, yes), .known_bit = (bit), .doc = text}

static const struct option fact_rows[] = {
    FACT("reasoning", FACT_REASONING, "It can be told how hard to think."),
    FACT("thinking_budget", FACT_THINKING_BUDGET, "By a number of tokens, not by a word."),
    FACT("thinking_off", FACT_THINKING_OFF, "And not to think at all."),
    FACT("effort_minimal", FACT_EFFORT_MINIMAL,
         "It knows the word `minimal`; otherwise it gets `low`."),
    FACT("effort_xhigh", FACT_EFFORT_XHIGH, "It knows the word `xhigh`; otherwise it gets `high`."),
    FACT("effort_max", FACT_EFFORT_MAX, "It knows the word `max`; otherwise the one below."),
    FACT("sampling", FACT_SAMPLING, "It takes `temperature` and `top_p`."),
    FACT("top_k", FACT_TOP_K, "Chat, Converse: it takes `top_k`."),
    FACT("system_anywhere", FACT_SYSTEM_ANYWHERE,
         "Messages: system messages may stand in the middle."),
    FACT("replays_reasoning", FACT_REPLAYS_REASONING,
         "Chat: it wants `reasoning_content` of earlier turns back."),
    FACT("web_search", FACT_WEB_SEARCH,
         "Chat: it takes `web_search_options`. Messages: it has Anthropic's search."),
    FACT("custom_tools", FACT_CUSTOM_TOOLS, "Chat: it knows tools that take free text."),
    FACT("max_completion_tokens", FACT_COMPLETION_TOKENS, "Chat: what it calls `max_tokens`."),
    FACT("short_call_ids", FACT_SHORT_CALL_IDS,
         "Chat: ids of calls must have nine letters and digits."),
    FACT("prompt_cache_key", FACT_CACHE_KEY, "Chat: it takes `prompt_cache_key`."),
    FACT("encrypted_reasoning", FACT_ENCRYPTED_REASONING,
         "Responses: it gives its reasoning encrypted, to be sent back."),
    FACT("thought_signatures", FACT_THOUGHT_SIGNATURES,
         "Chat: it wants Gemini's signatures back on their calls, as `extra_content`."),
    FACT("cache_prefix", FACT_CACHE_PREFIX,
         "Messages: ask for prompt caching when the client does not."),
    FACT("json_schema", FACT_JSON_SCHEMA, "Its answers can be held to a JSON schema."),
    FACT("prefill", FACT_PREFILL,
         "Chat, Messages: it goes on with an answer that was begun, the last message of the "
         "conversation. For `routing.continue_streams`."),
    FACT("prefill_prefix", FACT_PREFILL_MARK, "Chat: that message has to say `prefix: true`."),
    FACT("prefill_continue", FACT_PREFILL_SWITCH,
         "Chat: the request has to say `continue_final_message: true`."),
    FACT("prefill_echo", FACT_PREFILL_ECHO, "Chat: its answer repeats the beginning."),
};
_Static_assert(sizeof fact_rows / sizeof fact_rows[0] == MODEL_FACTS, "each has a name");

const char *model_fact_name(enum model_fact fact)
{
    unsigned i = 0;
    while (fact_rows[i].known_bit != fact)
        i++;
    return fact_rows[i].name;
}

static const struct object facts_object = {
    "facts",
    "What models take and what they do not, of a provider (`providers.NAME.facts`) or of one "
    "endpoint, which overrules it. Only requests that are translated depend on it. Left out: what "
    "sluice knows of the model.",
    ROWS(fact_rows), .size = sizeof(struct fact_options),
    .known_offset = offsetof(struct fact_options, known)};

static const struct option provider_rows[] = {
    {"preset", &type_text, MEMBER(struct provider_options, preset),
     .doc = "Take the facts of this known provider. Left out: those of the name itself."},
    {"protocol", &type_word, MEMBER(struct provider_options, protocol), .words = protocol_words,
     .doc =
         "What it speaks: `openai` (Chat Completions), `responses`, `anthropic` (Messages), "
         "`gemini` (generateContent), `bedrock` (Amazon's, by the model's maker), `vertex` (Google's, by the model's maker) or `demo`. Clients of another protocol are translated. Left out: the preset's, otherwise "
         "`openai`."},
    {"responses", &type_bool, MEMBER(struct provider_options, has_responses),
     .doc =
         "An `openai` provider that answers `/responses` too: Responses clients reach it as they "
         "are, untranslated. On for the presets openai, azure and xai."},
    {"stores_responses", &type_bool, MEMBER(struct provider_options, stores_responses),
     .fallback = "false",
     .doc =
         "A Responses request that does not say `store` is kept by the provider, as OpenAI does. "
         "Off: sluice adds `store: false`, and asks for the reasoning encrypted, so that the "
         "client can send it back."},
    {"base_url", &type_text, MEMBER(struct provider_options, base_url),
     .doc =
         "`https://host/v1`, `http://host:8000/v1` or `unix:/path:/v1`. Left out: the preset's."},
    {"api_key", &type_secret, MEMBER(struct provider_options, credential),
     .doc = "Its credential. Left out: the preset's environment variable."},
    {"auth", &type_provider_auth, MEMBER(struct provider_options, auth),
     .doc = "How the credential is sent: `bearer`, `none`, or `{ header: x-api-key }`."},
    {"aws", &type_group, MEMBER(struct provider_options, aws), .object = &aws_object,
     .doc = "Keys of Amazon's, for the protocol `bedrock`."},
    {"google", &type_group, MEMBER(struct provider_options, google), .object = &google_object,
     .doc = "A service account of Google's, for the protocol `vertex`."},
    {"api_version", &type_text, MEMBER(struct provider_options, api_version),
     .doc =
         "For the older of Azure OpenAI's two URL forms, as `2024-10-21`: `base_url` is then the "
         "resource (`https://NAME.openai.azure.com`), and models are deployments."},
    {"headers", &type_headers, MEMBER(struct provider_options, headers),
     COUNT(struct provider_options, nheaders), .doc = "Sent with every request."},
    {"tls", &type_group, MEMBER(struct provider_options, tls), .object = &provider_tls,
     .doc = "Verification."},
    {"timeouts", &type_group, .object = &timeouts_object, .doc = "Deadlines."},
    {"pool", &type_group, .object = &pool_object, .doc = "Connections."},
    {"facts", &type_group, MEMBER(struct provider_options, facts), .object = &facts_object,
     .doc = "What its models take, where sluice does not know or is wrong."},
    {"any_model", &type_bool, MEMBER(struct provider_options, any_model), .fallback = "false",
     .doc = "Offer every model of this provider as `NAME/model`, without listing it."},
    {"data_policy", &type_group, MEMBER(struct provider_options, data_policy),
     .object = &data_policy_object,
     .doc = "What happens to prompts there. What is not said is taken to be the worst."},
};
const struct object provider_object = {
    "providers.NAME",
    "Where models are, and how to sign in. Names are lowercase letters, digits "
    "and dashes.",
    ROWS(provider_rows),
    .size = sizeof(struct provider_options),
    .begin = provider_begin,
    .finish = provider_finish};

/* ── models ──────────────────────────────────────────────────────────────────────────────────── */

#define PRICE(key, bit, text) \
    {#key, &type_money, MEMBER(struct price_options, key), .known_bit = (bit), .doc = text}
#define FEE(key, bit, text) \
    {#key, &type_dollars, MEMBER(struct price_options, key), .known_bit = (bit), .doc = text}

static const struct option price_rows[] = {
    /* in the order of enum price_part: price_part_name finds them by their place */
    PRICE(input, PRICE_INPUT, "Prompt tokens."),
    PRICE(output, PRICE_OUTPUT, "Generated tokens."),
    PRICE(cache_read, PRICE_CACHE_READ,
          "Prompt tokens read from the provider's cache. Left out: the share of `input` that the "
          "model's maker asks ([metering](metering.md#multipliers))."),
    PRICE(cache_write, PRICE_CACHE_WRITE, "Prompt tokens written to it. Left out: likewise."),
    PRICE(cache_write_1h, PRICE_CACHE_WRITE_1H,
          "Prompt tokens written to be kept for an hour. Left out: likewise."),
    PRICE(reasoning, PRICE_REASONING, "Reasoning tokens, where they cost other than output."),
    PRICE(audio_input, PRICE_AUDIO_INPUT, "Prompt tokens that are sound, where they cost other."),
    PRICE(audio_output, PRICE_AUDIO_OUTPUT, "Generated tokens that are sound, likewise."),
    PRICE(image_input, PRICE_IMAGE_INPUT, "Prompt tokens that are pictures, likewise."),
    PRICE(image_output, PRICE_IMAGE_OUTPUT, "Generated tokens that are pictures, likewise."),
    PRICE(video_input, PRICE_VIDEO_INPUT, "Prompt tokens that are video, likewise."),
    PRICE(character, PRICE_CHARACTER, "Characters of a text that is spoken."),
    FEE(image, PRICE_IMAGE, "USD for each picture that is made."),
    FEE(second, PRICE_SECOND, "USD for each second of sound that is transcribed."),
    FEE(request, PRICE_REQUEST, "USD for each request, beside all else."),
    FEE(search, PRICE_SEARCH, "USD for each web search the provider does for an answer."),
    FEE(tool_call, PRICE_TOOL_CALL,
        "USD for each call of another tool that the provider runs itself and charges for."),
    {"long_context", &type_bool, MEMBER(struct price_options, long_context), .fallback = "false",
     .doc =
         "`true`: with more than 200,000 prompt tokens, all that is read costs twice as much and "
         "what is written one and a half times."},
};
static const struct object price_object = {
    "models.ID.endpoints[].price",
    "USD per million tokens, as decimal text: `\"0.25\"`. Six "
    "decimals at most, so that every price is a whole number of pico-dollars per token. From `image` "
    "on: USD for one, twelve decimals at most. [Metering](metering.md) tells what is counted.",
    ROWS(price_rows), .size = sizeof(struct price_options),
    .known_offset = offsetof(struct price_options, known)};

const char *price_part_name(unsigned part)
{
    return price_rows[part].name;
}

uint64_t price_part_pd(const struct price_options *p, unsigned part)
{
    uint64_t pd;
    memcpy(&pd, (const uint8_t *)p + price_rows[part].offset, sizeof pd);
    return pd;
}

void price_part_set(struct price_options *p, enum price_part bit, uint64_t pd)
{
    unsigned part = (unsigned)__builtin_ctz(bit);
    memcpy((uint8_t *)p + price_rows[part].offset, &pd, sizeof pd);
    p->known |= (unsigned)bit;
}

bool price_part_is_each(unsigned part)
{
    return price_rows[part].type == &type_dollars;
}

static const struct option endpoint_rows[] = {
    {"provider", &type_provider_name, MEMBER(struct endpoint_options, provider), .required = true,
     .doc = "Which of `providers` answers."},
    {"upstream_model", &type_text, MEMBER(struct endpoint_options, upstream_model),
     .doc = "What that provider calls the model. Left out: the id behind its first slash."},
    {"variant", &type_text, MEMBER(struct endpoint_options, variant),
     .doc = "Tells endpoints of one provider apart: `fp8` makes `provider/fp8`."},
    {"price", &type_group, MEMBER(struct endpoint_options, price), .object = &price_object,
     .doc = "What it costs."},
    {"enabled", &type_bool, MEMBER(struct endpoint_options, enabled), .fallback = "true",
     .doc = "`false` takes it out of every plan without forgetting it."},
    {"context", &type_number, MEMBER(struct endpoint_options, context), .min = 1,
     .doc = "Tokens of prompt and answer together. Left out: the model's."},
    {"max_output", &type_number, MEMBER(struct endpoint_options, max_output), .min = 1,
     .doc = "Most tokens of one answer."},
    {"quantization", &type_word, MEMBER(struct endpoint_options, quantization),
     .words = quantization_words, .fallback = "none", .doc = "Of the weights."},
    {"params", &type_words, MEMBER(struct endpoint_options, params), .words = capability_words,
     .may_be_empty = true, .known_bit = ENDPOINT_PARAMS,
     .doc = "The parameters it takes. Left out: all of them."},
    {"input", &type_words, MEMBER(struct endpoint_options, input), .words = modality_words,
     .known_bit = ENDPOINT_INPUT, .doc = "What it can be shown. Left out: the model's."},
    {"data_policy", &type_group, MEMBER(struct endpoint_options, data_policy),
     .object = &data_policy_object,
     .doc = "What happens to prompts there. Left out: the provider's."},
    {"facts", &type_group, MEMBER(struct endpoint_options, facts), .object = &facts_object,
     .doc = "What the model takes, where sluice does not know or is wrong."},
};
const struct object endpoint_object = {
    "models.ID.endpoints[]",
    "Who can answer for a model. With one endpoint these keys may stand "
    "in the model itself.",
    ROWS(endpoint_rows),
    .size = sizeof(struct endpoint_options),
    .begin = endpoint_begin,
    .known_offset = offsetof(struct endpoint_options, known)};

static const struct option model_rows[] = {
    {"name", &type_text, MEMBER(struct model_options, name),
     .doc = "For people. Left out: the id."},
    {"context", &type_number, MEMBER(struct model_options, context), .min = 1,
     .doc = "Tokens of prompt and answer together."},
    {"created", &type_number, MEMBER(struct model_options, created), .min = 1,
     .doc = "When it came out, in unix seconds, for lists of models."},
    {"category", &type_word, MEMBER(struct model_options, category), .words = category_words,
     .fallback = "llm", .known_bit = MODEL_CATEGORY, .doc = "What it is for."},
    {"input", &type_words, MEMBER(struct model_options, input), .words = modality_words,
     .known_bit = MODEL_INPUT, .doc = "What it can be shown. Left out: anything."},
    {"output", &type_words, MEMBER(struct model_options, output), .words = modality_words,
     .known_bit = MODEL_OUTPUT,
     .doc =
         "What it makes. Left out: what its category is about, and `text` without one. Pictures and "
         "sound are only asked of models that are said to make them, or of which nothing is said."},
    {"distillable", &type_bool, MEMBER(struct model_options, distillable), .fallback = "false",
     .doc = "Its author allows other models to be trained on what it writes."},
    {"endpoints", &type_list, MEMBER(struct model_options, endpoints),
     COUNT(struct model_options, nendpoints), .object = &endpoint_object, .doc = "Who can answer."},
    {"alias", &type_alias, MEMBER(struct model_options, alias), COUNT(struct model_options, nalias),
     .doc = "Instead of endpoints: other models, tried in this order."},
};
const struct object model_object = {"models.ID",
                                    "What a caller names. The id is `author/name`, or any word.",
                                    ROWS(model_rows),
                                    .size = sizeof(struct model_options),
                                    .known_offset = offsetof(struct model_options, known),
                                    .shorthand = &endpoint_object,
                                    .finish = model_finish};
