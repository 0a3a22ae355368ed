#include "sluice/config/capabilities.h"

#include "words.h"

const struct word capability_words[] = {
    {"tools", CAN_TOOLS},
    {"tool_choice", CAN_CHOOSE_TOOLS},
    {"parallel_tool_calls", CAN_CALL_IN_PARALLEL},
    {"response_format", CAN_WRITE_JSON},
    {"structured_outputs", CAN_FOLLOW_SCHEMAS},
    {"reasoning", CAN_REASON},
    {"temperature", CAN_TEMPERATURE},
    {"top_p", CAN_TOP_P},
    {"top_k", CAN_TOP_K},
    {"presence_penalty", CAN_PRESENCE_PENALTY},
    {"frequency_penalty", CAN_FREQUENCY_PENALTY},
    {"seed", CAN_SEED},
    {"stop", CAN_STOP},
    {"logprobs", CAN_LOGPROBS},
    {"top_logprobs", CAN_TOP_LOGPROBS},
    {"logit_bias", CAN_LOGIT_BIAS},
    {"web_search_options", CAN_SEARCH},
    {"web_fetch_options", CAN_FETCH},
    {0},
};
const struct word modality_words[] = {
    {"text", MODALITY_TEXT},
    {"image", MODALITY_IMAGE},
    {"file", MODALITY_FILE},
    {"audio", MODALITY_AUDIO},
    {"video", MODALITY_VIDEO},
    {"embedding", MODALITY_EMBEDDING},
    {0},
};
const struct word quantization_words[] = {
    {"none", QUANTIZATION_NONE}, {"fp32", QUANTIZATION_FP32},
    {"bf16", QUANTIZATION_BF16}, {"fp16", QUANTIZATION_FP16},
    {"fp8", QUANTIZATION_FP8},   {"int8", QUANTIZATION_INT8},
    {"int4", QUANTIZATION_INT4}, {0},
};

const struct word category_words[] = {
    {"llm", CATEGORY_LLM},       {"embedding", CATEGORY_EMBEDDING},
    {"rerank", CATEGORY_RERANK}, {"image", CATEGORY_IMAGE},
    {"audio", CATEGORY_AUDIO},   {"video", CATEGORY_VIDEO},
    {"search", CATEGORY_SEARCH}, {0},
};

_Static_assert(sizeof capability_words / sizeof capability_words[0] == CAPABILITIES + 1,
               "in order");
_Static_assert(sizeof modality_words / sizeof modality_words[0] == MODALITIES + 1, "in order");

const char *capability_name(unsigned bit)
{
    return capability_words[bit].text;
}

const char *modality_name(unsigned bit)
{
    return modality_words[bit].text;
}

const char *quantization_name(enum quantization q)
{
    return quantization_words[q].text;
}

const char *category_name(enum category c)
{
    return category_words[c].text;
}

unsigned category_output(enum category c)
{
    switch (c) {
    case CATEGORY_EMBEDDING:
        return MODALITY_EMBEDDING;
    case CATEGORY_IMAGE:
        return MODALITY_IMAGE;
    case CATEGORY_AUDIO: /* out of text, or the other way round */
        return MODALITY_AUDIO | MODALITY_TEXT;
    case CATEGORY_VIDEO:
        return MODALITY_VIDEO;
    case CATEGORY_LLM:
    case CATEGORY_RERANK:
    case CATEGORY_SEARCH:
        break;
    }
    return MODALITY_TEXT;
}

const struct word *word_named(const struct word *words, struct span name)
{
    while (words->text != NULL && !span_eq(span_text(words->text), name))
        words++;
    return words;
}

unsigned capability_of(struct span name)
{
    return word_named(capability_words, name)->value;
}

int quantization_of(struct span name)
{
    const struct word *w = word_named(quantization_words, name);
    return w->text != NULL ? (int)w->value : -1;
}
