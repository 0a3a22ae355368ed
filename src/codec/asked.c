#include "sluice/codec/asked.h"

#include "sluice/format/json_walk.h"

/* Parameters that are used as soon as they are there. */
static const struct {
    const char *key;
    enum capability param;
} plain[] = {
    {"functions", CAN_TOOLS},
    {"parallel_tool_calls", CAN_CALL_IN_PARALLEL},
    {"reasoning", CAN_REASON},
    {"reasoning_effort", CAN_REASON},
    {"temperature", CAN_TEMPERATURE},
    {"top_p", CAN_TOP_P},
    {"top_k", CAN_TOP_K},
    {"presence_penalty", CAN_PRESENCE_PENALTY},
    {"frequency_penalty", CAN_FREQUENCY_PENALTY},
    {"seed", CAN_SEED},
    {"stop", CAN_STOP},
    {"stop_sequences", CAN_STOP},
    {"output_format", CAN_FOLLOW_SCHEMAS},
    {"web_search_options", CAN_SEARCH},
    {"web_fetch_options", CAN_FETCH},
};

/* The `type` of an object, with its quotes. */
static struct span type_of(struct span object)
{
    struct json_member m;
    return json_get(object, "type", &m) ? json_value(object, &m) : SPAN_NONE;
}

static unsigned of_format(struct span format)
{
    struct span type = type_of(format);
    if (span_eq(type, SPAN_LIT("\"json_object\"")))
        return CAN_WRITE_JSON;
    return span_eq(type, SPAN_LIT("\"json_schema\"")) ? CAN_FOLLOW_SCHEMAS : 0;
}

/* Responses: `text`; Messages: `output_config`. Both hold a format, the second one effort, too. */
static unsigned of_output(struct span value)
{
    struct json_member m;
    unsigned params = 0;
    if (json_get(value, "format", &m))
        params |= of_format(json_value(value, &m));
    if (json_get(value, "effort", &m))
        params |= CAN_REASON;
    return params;
}

static unsigned of_choice(struct span value, enum json_kind kind)
{
    struct span word = kind == JSON_OBJECT ? type_of(value) : value;
    bool is_usual = span_eq(word, SPAN_LIT("\"auto\"")) || span_eq(word, SPAN_LIT("\"none\""));
    return is_usual ? 0 : CAN_CHOOSE_TOOLS;
}

static void note_max_tokens(struct asked *a, struct span value, bool wins)
{
    uint64_t n;
    if (json_u64(value, &n) && (wins || a->max_tokens == 0))
        a->max_tokens = n;
}

void asked_note(struct asked *a, struct span key, struct span value, enum json_kind kind)
{
    if (kind == JSON_NULL)
        return;
    for (unsigned i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (json_key_is(key, plain[i].key)) {
            a->params |= plain[i].param;
            return;
        }
    }
    if (json_key_is(key, "tools"))
        a->params |= json_array_is_filled(value) ? CAN_TOOLS : 0;
    else if (json_key_is(key, "tool_choice") || json_key_is(key, "function_call"))
        a->params |= of_choice(value, kind);
    else if (json_key_is(key, "response_format"))
        a->params |= of_format(value);
    else if (json_key_is(key, "text") || json_key_is(key, "output_config"))
        a->params |= of_output(value);
    else if (json_key_is(key, "thinking"))
        a->params |= span_eq(type_of(value), SPAN_LIT("\"disabled\"")) ? 0 : CAN_REASON;
    else if (json_key_is(key, "logprobs"))
        a->params |= kind == JSON_FALSE ? 0 : CAN_LOGPROBS;
    else if (json_key_is(key, "top_logprobs"))
        a->params |= span_eq(value, SPAN_LIT("0")) ? 0 : CAN_TOP_LOGPROBS;
    else if (json_key_is(key, "logit_bias"))
        a->params |= span_find(value, SPAN_LIT(":")) != SIZE_MAX ? CAN_LOGIT_BIAS : 0;
    else if (json_key_is(key, "max_tokens"))
        note_max_tokens(a, value, false);
    else if (json_key_is(key, "max_completion_tokens") || json_key_is(key, "max_output_tokens"))
        note_max_tokens(a, value, true);
}

/* --- what is shown -------------------------------------------------------------------------------- */

static unsigned of_part(struct span word)
{
    static const struct {
        const char *word;
        enum modality modality;
    } parts[] = {
        {"image_url", MODALITY_IMAGE},   {"image", MODALITY_IMAGE},
        {"input_image", MODALITY_IMAGE}, {"file", MODALITY_FILE},
        {"input_file", MODALITY_FILE},   {"document", MODALITY_FILE},
        {"input_audio", MODALITY_AUDIO}, {"video_url", MODALITY_VIDEO},
    };
    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (span_eq(word, span_text(parts[i].word)))
            return parts[i].modality;
    }
    return 0;
}

/* In a JSON text the bytes "type" with both quotes are that string, key or value: a quote inside of a
 * string has a backslash before it. */
unsigned asked_modalities(struct span body)
{
    unsigned found = 0;
    size_t at;
    while ((at = span_find(body, SPAN_LIT("\"type\""))) != SIZE_MAX) {
        body = span_skip(body, at + 6);
        size_t i = 0;
        while (i < body.len && memchr(" \t\r\n:", body.at[i], 5) != NULL)
            i++;
        if (i == body.len || body.at[i] != '"')
            continue;
        struct span word = span_skip(body, i + 1);
        const uint8_t *end = memchr(word.at, '"', word.len);
        if (end != NULL)
            found |= of_part(span_of(word.at, (size_t)(end - word.at)));
    }
    return found;
}
