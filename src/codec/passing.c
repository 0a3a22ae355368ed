#include "sluice/codec/passing.h"

#include "sluice/codec/embeddings.h"
#include "sluice/codec/media_stream.h"
#include "sluice/codec/messages_stream.h"
#include "sluice/codec/openai_stream.h"
#include "sluice/codec/responses_stream.h"
#include "sluice/format/json_walk.h"

#define LITERAL(text) {(const uint8_t *)(text), sizeof(text) - 1}

static bool choices_bring_a_token(struct span choices)
{
    return !openai_choices_only_open(choices);
}

static struct passing_event look_at_messages(struct openai_prefix *common, struct span data)
{
    (void)common;
    return messages_event_look(data);
}

static struct passing_event look_at_embeddings(struct openai_prefix *common, struct span data)
{
    (void)common;
    return embeddings_look(data);
}

static struct passing_event look_at_media(struct openai_prefix *common, struct span data)
{
    (void)common;
    return media_event_look(data);
}

static struct passing_event look_at_responses(struct openai_prefix *common, struct span data)
{
    (void)common;
    return responses_event_look(data);
}

/* A delta does; a block that starts does when it is more than an empty text. */
static bool block_brings_a_token(struct span block)
{
    return !json_is_empty_but_for(block, "type");
}

static bool is_any_of(struct span type, const struct span *words, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (span_eq(type, words[i]))
            return true;
    }
    return false;
}

static bool opens_message(struct span type)
{
    static const struct span words[] = {
        LITERAL("message_start"),
        LITERAL("ping"),
        LITERAL("content_block_start"),
    };
    return is_any_of(type, words, sizeof words / sizeof words[0]);
}

static bool opens_response(struct span type)
{
    static const struct span words[] = {
        LITERAL("response.created"),
        LITERAL("response.queued"),
        LITERAL("response.in_progress"),
        LITERAL("response.output_item.added"),
        LITERAL("response.content_part.added"),
        LITERAL("response.reasoning_summary_part.added"),
        LITERAL("keepalive"),
    };
    return is_any_of(type, words, sizeof words / sizeof words[0]);
}

static bool delta_brings_a_token(struct span delta)
{
    return delta.len > 0;
}

static size_t longest_text(struct span object)
{
    struct json_walk w;
    size_t most = 0;
    json_walk_init(&w, object);
    while (json_walk_next(&w)) {
        if (w.kind == JSON_STRING && !json_walk_is(&w, "role") && !json_walk_is(&w, "type") &&
            json_raw(w.value).len > most)
            most = json_raw(w.value).len;
    }
    return most;
}

static size_t text_of_choices(struct span choices)
{
    struct json_member delta;
    struct span choice;
    size_t cursor = 0;
    if (!json_each(choices, &cursor, &choice))
        return 0;
    if (!json_get(choice, "delta", &delta))
        return longest_text(choice); /* Completions */
    return longest_text(json_value(choice, &delta));
}

static size_t text_of_string(struct span value)
{
    return json_raw(value).len;
}

static int ping_messages(uint64_t sequence, struct buf *out)
{
    (void)sequence;
    return messages_put_ping(out);
}

static const struct passing chat = {
    .look = openai_chunk_look,
    .read_usage = usage_read_openai,
    .brings_token = choices_bring_a_token,
    .terminator = LITERAL("data: [DONE]\n\n"),
    .terminates_errors = true,
    .has_usage_chunk = true,
    .text_of = text_of_choices,
};
static const struct passing messages = {
    .look = look_at_messages,
    .read_usage = usage_read_messages,
    .brings_token = block_brings_a_token,
    .only_opens = opens_message,
    .terminator = LITERAL("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
    .ping = ping_messages,
    .bill = LITERAL("message_delta"),
    .text_of = longest_text,
};
static const struct passing embeddings = {
    .look = look_at_embeddings,
    .read_usage = usage_read_embeddings,
};
static const struct passing responses = {
    .look = look_at_responses,
    .read_usage = usage_read_responses,
    .brings_token = delta_brings_a_token,
    .only_opens = opens_response,
    /* The number is that of the event before, as the provider's next one has to follow upon it. */
    .ping = responses_put_keepalive,
    .text_of = text_of_string,
};

static const struct passing media = {
    .look = look_at_media,
    .read_usage = media_read_usage,
    .brings_token = delta_brings_a_token,
};

static const struct passing pictures = {
    .look = look_at_media,
    .read_usage = media_read_usage_of_pictures,
    .brings_token = delta_brings_a_token,
};

const struct passing *passing_for(enum api_protocol api)
{
    switch (api) {
    case API_IMAGES:
        return &pictures;
    case API_SPEECH:
    case API_TRANSCRIPTIONS:
    case API_TRANSLATIONS:
        return &media;
    case API_MESSAGES:
    case API_COUNT_TOKENS:
        return &messages;
    case API_EMBEDDINGS:
        return &embeddings;
    case API_RESPONSES:
        return &responses;
    default:
        return &chat;
    }
}
