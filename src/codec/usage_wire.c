#include "usage_wire.h"

#include "sluice/codec/usage_extras.h"

static void put(struct json_out *o, const char *before, uint64_t n)
{
    json_out_span(o, span_text(before));
    json_out_u64(o, n);
}

static void put_extras(struct json_out *o, const struct usage *u, const struct answer_identity *who,
                       enum api_protocol api)
{
    if (who != NULL && who->tells_cost)
        usage_put_extras(o, u, who->ttft_ms, api, SPAN_NONE);
}

void usage_put_chat(struct json_out *o, const struct usage *u, const struct answer_identity *who)
{
    json_out_lit(o, "\"usage\":{");
    put_extras(o, u, who, API_CHAT);
    put(o, "\"prompt_tokens\":", u->prompt);
    put(o, ",\"completion_tokens\":", u->completion);
    put(o, ",\"total_tokens\":", u->prompt + u->completion);
    put(o, ",\"prompt_tokens_details\":{\"cached_tokens\":", u->cached);
    put(o, ",\"cache_write_tokens\":", u->cache_write);
    put(o, ",\"text_tokens\":", usage_text(u));
    put(o, ",\"audio_tokens\":", u->in.audio);
    put(o, ",\"image_tokens\":", u->in.image);
    put(o, ",\"video_tokens\":", u->in.video);
    put(o, "},\"completion_tokens_details\":{\"reasoning_tokens\":", u->reasoning);
    put(o, ",\"audio_tokens\":", u->out.audio);
    put(o, ",\"image_tokens\":", u->out.image);
    json_out_lit(o, "}}");
}

void usage_put_responses(struct json_out *o, const struct usage *u,
                         const struct answer_identity *who)
{
    json_out_lit(o, "\"usage\":{");
    put_extras(o, u, who, API_RESPONSES);
    put(o, "\"input_tokens\":", u->prompt);
    put(o, ",\"input_tokens_details\":{\"cached_tokens\":", u->cached);
    put(o, ",\"cache_write_tokens\":", u->cache_write);
    put(o, "},\"output_tokens\":", u->completion);
    put(o, ",\"output_tokens_details\":{\"reasoning_tokens\":", u->reasoning);
    put(o, "},\"total_tokens\":", u->prompt + u->completion);
    json_out_lit(o, "}");
}

void usage_put_messages(struct json_out *o, const struct usage *u,
                        const struct answer_identity *who)
{
    json_out_lit(o, "\"usage\":{");
    put_extras(o, u, who, API_MESSAGES);
    put(o, "\"input_tokens\":", usage_uncached(u));
    put(o, ",\"cache_creation_input_tokens\":", u->cache_write);
    put(o, ",\"cache_read_input_tokens\":", u->cached);
    put(o,
        ",\"cache_creation\":{\"ephemeral_5m_input_tokens\":", u->cache_write - u->cache_write_1h);
    put(o, ",\"ephemeral_1h_input_tokens\":", u->cache_write_1h);
    put(o, "},\"output_tokens\":", u->completion);
    if (u->reasoning > 0) {
        put(o, ",\"output_tokens_details\":{\"thinking_tokens\":", u->reasoning);
        json_out_lit(o, "}");
    }
    if (u->searches + u->fetches > 0 && (who == NULL || !who->tells_cost))
        usage_put_tools(o, u, ",\"server_tool_use\":");
    json_out_lit(o, "}");
}

void usage_put_cost(struct json_out *o, const struct answer_identity *who)
{
    if (!who->tells_cost || who->cost.len == 0)
        return;
    json_out_lit(o, ",");
    json_out_span(o, who->cost);
}
