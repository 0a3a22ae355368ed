#include "dialect.h"

#include "sluice/codec/sigv4.h"

/* The oldest of Anthropic's versions that is still understood everywhere, for requests that are ours
 * or whose client did not name one. */
#define ANTHROPIC_VERSION "anthropic-version: 2023-06-01\r\n"

/* What a provider of each protocol answers as it is asked; the rest has to be translated. */
static const struct {
    enum protocol protocol;
    enum api_protocol api;
    const char *path, *version;
} passes[] = {
    {PROTOCOL_OPENAI, API_CHAT, "/chat/completions", ""},
    {PROTOCOL_OPENAI, API_COMPLETIONS, "/completions", ""},
    {PROTOCOL_OPENAI, API_EMBEDDINGS, "/embeddings", ""},
    {PROTOCOL_RESPONSES, API_RESPONSES, "/responses", ""},
    {PROTOCOL_RESPONSES, API_EMBEDDINGS, "/embeddings", ""},
    {PROTOCOL_ANTHROPIC, API_MESSAGES, "/messages", ANTHROPIC_VERSION},
    {PROTOCOL_ANTHROPIC, API_COUNT_TOKENS, "/messages/count_tokens", ANTHROPIC_VERSION},
    {PROTOCOL_DEMO, API_CHAT, "", ""},
    {PROTOCOL_DEMO, API_COMPLETIONS, "", ""},
    {PROTOCOL_DEMO, API_EMBEDDINGS, "", ""},
};

static const struct {
    enum upstream_api api;
    const char *path, *whole, *version;
} translations[] = {
    [PROTOCOL_OPENAI] = {UPSTREAM_CHAT, "/chat/completions", NULL, ""},
    [PROTOCOL_RESPONSES] = {UPSTREAM_RESPONSES, "/responses", NULL, ""},
    [PROTOCOL_ANTHROPIC] = {UPSTREAM_MESSAGES, "/messages", NULL, ANTHROPIC_VERSION},
    [PROTOCOL_GEMINI] = {UPSTREAM_GEMINI, "/models/%s:streamGenerateContent?alt=sse",
                         "/models/%s:generateContent", ""},
    [PROTOCOL_BEDROCK] = {UPSTREAM_CONVERSE, "/model/%s/converse-stream", "/model/%s/converse", ""},
    [PROTOCOL_DEMO] = {UPSTREAM_CHAT, "", NULL, ""},
};

static bool pass(enum api_protocol api, enum protocol protocol, struct dialect *out)
{
    for (unsigned i = 0; i < sizeof passes / sizeof passes[0]; i++) {
        if (passes[i].protocol != protocol || passes[i].api != api)
            continue;
        *out = (struct dialect){.path = passes[i].path, .version = passes[i].version};
        return true;
    }
    return false;
}

bool dialect_translate(enum api_protocol api, const struct provider_options *p, struct dialect *out)
{
    const struct client_codec *client = client_codec_for(api);
    if (client == NULL)
        return false;
    *out = (struct dialect){
        .path = translations[p->protocol].path,
        .whole = translations[p->protocol].whole,
        .version = translations[p->protocol].version,
        .upstream = upstream_codec_for(translations[p->protocol].api),
        .client = client,
    };
    return true;
}

bool dialect_choose(enum api_protocol api, const struct provider_options *p, struct dialect *out)
{
    if (pass(api, p->protocol, out))
        return true;
    if (api == API_RESPONSES && p->has_responses)
        return pass(api, PROTOCOL_RESPONSES, out);
    return dialect_translate(api, p, out);
}

struct span dialect_path(const struct dialect *d, struct span model, bool is_stream,
                         struct arena *a)
{
    if (d->whole == NULL)
        return span_text(d->path);
    struct span rest = span_text(is_stream ? d->path : d->whole);
    size_t at = span_find(rest, SPAN_LIT("%s"));
    struct buf out = {0};
    struct span path = SPAN_NONE;
    if (buf_add(&out, span_sub(rest, 0, at)) == 0 && sigv4_add_segment(&out, model) == 0 &&
        buf_add(&out, span_skip(rest, at + 2)) == 0)
        path = arena_keep(a, buf_span(&out));
    buf_fini(&out);
    return path;
}
