#include "dialect.h"

#include "sluice/codec/sigv4.h"
#include "sluice/format/json_scan.h"

/* The oldest of Anthropic's versions that is still understood everywhere, for requests that are ours
 * or whose client did not name one. */
#define ANTHROPIC_VERSION "anthropic-version: 2023-06-01\r\n"

/* Vertex AI names models of Anthropic's in the path, and the version in their place. */
#define VERTEX_CLAUDE "/publishers/anthropic/models/"
#define VERTEX_CLAUDE_VERSION "\"anthropic_version\":\"vertex-2023-10-16\""

/* So does Amazon Bedrock's invoke. */
#define BEDROCK_CLAUDE_VERSION "\"anthropic_version\":\"bedrock-2023-05-31\""

/* Which of a provider's models a row is about; the first row that fits counts. */
enum models { ALL, CLAUDE, OF_PUBLISHERS, ANTHROPICS };

/* "anthropic.claude-…", behind a region's prefix ("us.", "global.") or in an ARN that names the model
 * or its profile; other ARNs say nothing of the model. */
static bool is_anthropics(struct span model)
{
    static const struct span maker = {(const uint8_t *)"anthropic.", 10};
    size_t at = span_find(model, maker);
    return at == 0 || (at != SIZE_MAX && memchr("./", model.at[at - 1], 2) != NULL);
}

static bool is_about(enum models which, struct span model)
{
    switch (which) {
    case CLAUDE:
        return span_starts(model, SPAN_LIT("claude"));
    case OF_PUBLISHERS: /* "meta/llama-4-maverick", through Vertex AI's OpenAI-compatible endpoint */
        return memchr(model.at, '/', model.len) != NULL;
    case ANTHROPICS:
        return is_anthropics(model);
    default:
        return true;
    }
}

/* What a provider of each protocol answers as it is asked; the rest has to be translated. */
static const struct {
    enum protocol protocol;
    enum api_protocol api;
    enum models models;
    const char *path, *whole, *version, *model_instead;
    bool invokes;
} passes[] = {
    {PROTOCOL_OPENAI, API_CHAT, ALL, "/chat/completions", NULL, "", NULL},
    {PROTOCOL_OPENAI, API_COMPLETIONS, ALL, "/completions", NULL, "", NULL},
    {PROTOCOL_OPENAI, API_EMBEDDINGS, ALL, "/embeddings", NULL, "", NULL},
    {PROTOCOL_OPENAI, API_IMAGES, ALL, "/images/generations", NULL, "", NULL},
    {PROTOCOL_OPENAI, API_SPEECH, ALL, "/audio/speech", NULL, "", NULL},
    {PROTOCOL_OPENAI, API_TRANSCRIPTIONS, ALL, "/audio/transcriptions", NULL, "", NULL},
    {PROTOCOL_OPENAI, API_TRANSLATIONS, ALL, "/audio/translations", NULL, "", NULL},
    {PROTOCOL_RESPONSES, API_RESPONSES, ALL, "/responses", NULL, "", NULL},
    {PROTOCOL_RESPONSES, API_EMBEDDINGS, ALL, "/embeddings", NULL, "", NULL},
    {PROTOCOL_RESPONSES, API_IMAGES, ALL, "/images/generations", NULL, "", NULL},
    {PROTOCOL_RESPONSES, API_SPEECH, ALL, "/audio/speech", NULL, "", NULL},
    {PROTOCOL_RESPONSES, API_TRANSCRIPTIONS, ALL, "/audio/transcriptions", NULL, "", NULL},
    {PROTOCOL_RESPONSES, API_TRANSLATIONS, ALL, "/audio/translations", NULL, "", NULL},
    {PROTOCOL_ANTHROPIC, API_MESSAGES, ALL, "/messages", NULL, ANTHROPIC_VERSION, NULL},
    {PROTOCOL_ANTHROPIC, API_COUNT_TOKENS, ALL, "/messages/count_tokens", NULL, ANTHROPIC_VERSION,
     NULL},
    {PROTOCOL_BEDROCK, API_MESSAGES, ANTHROPICS, "/model/%s/invoke-with-response-stream",
     "/model/%s/invoke", "", BEDROCK_CLAUDE_VERSION, true},
    {PROTOCOL_VERTEX, API_MESSAGES, CLAUDE, VERTEX_CLAUDE "%s:streamRawPredict",
     VERTEX_CLAUDE "%s:rawPredict", "", VERTEX_CLAUDE_VERSION},
    {PROTOCOL_VERTEX, API_COUNT_TOKENS, CLAUDE, VERTEX_CLAUDE "count-tokens:rawPredict", NULL, "",
     NULL},
    {PROTOCOL_VERTEX, API_CHAT, OF_PUBLISHERS, "/endpoints/openapi/chat/completions", NULL, "",
     NULL},
    {PROTOCOL_DEMO, API_CHAT, ALL, "", NULL, "", NULL},
    {PROTOCOL_DEMO, API_COMPLETIONS, ALL, "", NULL, "", NULL},
    {PROTOCOL_DEMO, API_EMBEDDINGS, ALL, "", NULL, "", NULL},
};

static const struct {
    enum protocol protocol;
    enum models models;
    enum upstream_api api;
    const char *path, *whole, *version, *model_instead;
    bool invokes;
} translations[] = {
    {PROTOCOL_OPENAI, ALL, UPSTREAM_CHAT, "/chat/completions", NULL, "", NULL},
    {PROTOCOL_RESPONSES, ALL, UPSTREAM_RESPONSES, "/responses", NULL, "", NULL},
    {PROTOCOL_ANTHROPIC, ALL, UPSTREAM_MESSAGES, "/messages", NULL, ANTHROPIC_VERSION, NULL},
    {PROTOCOL_GEMINI, ALL, UPSTREAM_GEMINI, "/models/%s:streamGenerateContent?alt=sse",
     "/models/%s:generateContent", "", NULL},
    {PROTOCOL_BEDROCK, ANTHROPICS, UPSTREAM_MESSAGES, "/model/%s/invoke-with-response-stream",
     "/model/%s/invoke", "", BEDROCK_CLAUDE_VERSION, true},
    {PROTOCOL_BEDROCK, ALL, UPSTREAM_CONVERSE, "/model/%s/converse-stream", "/model/%s/converse",
     "", NULL},
    {PROTOCOL_VERTEX, CLAUDE, UPSTREAM_MESSAGES, VERTEX_CLAUDE "%s:streamRawPredict",
     VERTEX_CLAUDE "%s:rawPredict", "", VERTEX_CLAUDE_VERSION},
    {PROTOCOL_VERTEX, OF_PUBLISHERS, UPSTREAM_CHAT, "/endpoints/openapi/chat/completions", NULL, "",
     NULL},
    {PROTOCOL_VERTEX, ALL, UPSTREAM_GEMINI,
     "/publishers/google/models/%s:streamGenerateContent?alt=sse",
     "/publishers/google/models/%s:generateContent", "", NULL},
    {PROTOCOL_DEMO, ALL, UPSTREAM_CHAT, "", NULL, "", NULL},
};

static bool pass(enum api_protocol api, enum protocol protocol, struct span model,
                 struct dialect *out)
{
    for (unsigned i = 0; i < sizeof passes / sizeof passes[0]; i++) {
        if (passes[i].protocol != protocol || passes[i].api != api ||
            !is_about(passes[i].models, model))
            continue;
        *out = (struct dialect){
            .path = passes[i].path,
            .whole = passes[i].whole,
            .version = passes[i].version,
            .model_instead = passes[i].model_instead,
            .invokes = passes[i].invokes,
        };
        return true;
    }
    return false;
}

bool dialect_translate(enum api_protocol api, const struct provider_options *p, struct span model,
                       struct dialect *out)
{
    const struct client_codec *client = client_codec_for(api);
    if (client == NULL)
        return false;
    unsigned i = 0;
    while (translations[i].protocol != p->protocol || !is_about(translations[i].models, model))
        i++; /* the last row of a protocol is about all its models */
    *out = (struct dialect){
        .path = translations[i].path,
        .whole = translations[i].whole,
        .version = translations[i].version,
        .model_instead = translations[i].model_instead,
        .invokes = translations[i].invokes,
        .upstream = upstream_codec_for(translations[i].api),
        .client = client,
    };
    return true;
}

bool dialect_adapt(enum api_protocol api, struct dialect *d)
{
    switch (api) {
    case API_CHAT:
        d->upstream = upstream_codec_for(UPSTREAM_CHAT);
        break;
    case API_MESSAGES:
        d->upstream = upstream_codec_for(UPSTREAM_MESSAGES);
        break;
    case API_RESPONSES:
        d->upstream = upstream_codec_for(UPSTREAM_RESPONSES);
        break;
    default:
        return false;
    }
    d->client = client_codec_for(api);
    return true;
}

bool dialect_choose(enum api_protocol api, const struct provider_options *p, struct span model,
                    struct dialect *out)
{
    if (pass(api, p->protocol, model, out))
        return true;
    if (api == API_RESPONSES && p->has_responses)
        return pass(api, PROTOCOL_RESPONSES, model, out);
    return dialect_translate(api, p, model, out);
}

/* The inside of an array of strings; false when memory is out. */
static bool add_betas(struct buf *out, struct span betas, struct span also)
{
    const char *comma = "";
    bool is_added = true;
    while (is_added && betas.len > 0) {
        struct span beta = span_trim(span_cut(&betas, ','));
        if (beta.len == 0)
            continue;
        is_added = buf_addf(out, "%s\"", comma) == 0 && buf_add_json(out, beta) == 0 &&
                   buf_add_byte(out, '"') == 0;
        comma = ",";
    }
    if (!json_array_is_filled(also))
        return is_added;
    return is_added && buf_add_text(out, comma) == 0 &&
           buf_add(out, span_sub(also, 1, also.len - 2)) == 0;
}

struct span dialect_instead(const struct dialect *d, struct span betas, struct span also,
                            struct arena *a)
{
    struct buf out = {0};
    struct span made = span_text(d->model_instead);
    if (!d->invokes || (betas.len == 0 && !json_array_is_filled(also)))
        return made;
    if (buf_add(&out, made) == 0 && buf_add_text(&out, ",\"anthropic_beta\":[") == 0 &&
        add_betas(&out, betas, also) && buf_add_byte(&out, ']') == 0)
        made = arena_keep(a, buf_span(&out));
    buf_fini(&out);
    return made;
}

/* Vertex AI's clients leave the '@' of "claude-sonnet-4-5@20250929" as it is. */
static bool add_model(struct buf *out, struct span model)
{
    size_t at = span_find(model, SPAN_LIT("@"));
    bool has_date = at != SIZE_MAX;
    return sigv4_add_segment(out, span_sub(model, 0, has_date ? at : model.len)) == 0 &&
           (!has_date ||
            (buf_add_byte(out, '@') == 0 && sigv4_add_segment(out, span_skip(model, at + 1)) == 0));
}

/* Azure's older URLs: a deployment is a path of its own, but for the Responses protocol. */
static bool add_azure_path(struct buf *out, const char *path, const char *version,
                           struct span model)
{
    bool names_model = strcmp(path, "/responses") != 0;
    return buf_add_text(out, names_model ? "/openai/deployments/" : "/openai") == 0 &&
           (!names_model || add_model(out, model)) && buf_add_text(out, path) == 0 &&
           buf_addf(out, "?api-version=%s", version) == 0;
}

static bool add_path(struct buf *out, const char *path, struct span model)
{
    struct span rest = span_text(path);
    size_t at = span_find(rest, SPAN_LIT("%s"));
    return buf_add(out, span_sub(rest, 0, at)) == 0 &&
           (at == SIZE_MAX ||
            (add_model(out, model) && buf_add(out, span_skip(rest, at + 2)) == 0));
}

struct span dialect_path(const struct dialect *d, const struct provider_options *p,
                         struct span model, bool is_stream, struct arena *a)
{
    const char *path = is_stream || d->whole == NULL ? d->path : d->whole;
    bool is_azure = p->api_version != NULL && p->protocol == PROTOCOL_OPENAI;
    if (d->whole == NULL && !is_azure)
        return span_text(path);
    struct buf out = {0};
    struct span made = SPAN_NONE;
    if (is_azure ? add_azure_path(&out, path, p->api_version, model) : add_path(&out, path, model))
        made = arena_keep(a, buf_span(&out));
    buf_fini(&out);
    return made;
}
