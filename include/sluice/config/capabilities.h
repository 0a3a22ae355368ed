/* capabilities.h: what a model may be able to do, and what may be said of an endpoint, as callers
 * (contract 2.1, META-1) and configurations call it. One table of words each. */
#ifndef SLUICE_CONFIG_CAPABILITIES_H
#define SLUICE_CONFIG_CAPABILITIES_H

#include "sluice/base/span.h"

/* Parameters of a request that not every endpoint takes: one bit each. */
enum capability {
    CAN_TOOLS = 1 << 0,
    CAN_CHOOSE_TOOLS = 1 << 1,
    CAN_CALL_IN_PARALLEL = 1 << 2,
    CAN_WRITE_JSON = 1 << 3,
    CAN_FOLLOW_SCHEMAS = 1 << 4,
    CAN_REASON = 1 << 5,
    CAN_TEMPERATURE = 1 << 6,
    CAN_TOP_P = 1 << 7,
    CAN_TOP_K = 1 << 8,
    CAN_PRESENCE_PENALTY = 1 << 9,
    CAN_FREQUENCY_PENALTY = 1 << 10,
    CAN_SEED = 1 << 11,
    CAN_STOP = 1 << 12,
    CAN_LOGPROBS = 1 << 13,
    CAN_TOP_LOGPROBS = 1 << 14,
    CAN_LOGIT_BIAS = 1 << 15,
    CAN_SEARCH = 1 << 16,
    CAN_FETCH = 1 << 17,
};
enum { CAPABILITIES = 18 };

enum modality {
    MODALITY_TEXT = 1 << 0,
    MODALITY_IMAGE = 1 << 1,
    MODALITY_FILE = 1 << 2,
    MODALITY_AUDIO = 1 << 3,
    MODALITY_VIDEO = 1 << 4,
    MODALITY_EMBEDDING = 1 << 5, /* as output */
};
enum { MODALITIES = 6 };

enum quantization {
    QUANTIZATION_NONE, /* not known, or none */
    QUANTIZATION_FP32,
    QUANTIZATION_BF16,
    QUANTIZATION_FP16,
    QUANTIZATION_FP8,
    QUANTIZATION_INT8,
    QUANTIZATION_INT4,
};

/* What a model is for. */
enum category {
    CATEGORY_LLM,
    CATEGORY_EMBEDDING,
    CATEGORY_RERANK,
    CATEGORY_IMAGE,
    CATEGORY_AUDIO,
    CATEGORY_VIDEO,
    CATEGORY_SEARCH,
};

/* The name of one bit, by its number; of one value. */
const char *capability_name(unsigned bit);
const char *modality_name(unsigned bit);
const char *quantization_name(enum quantization q);
const char *category_name(enum category c);

/* What models of a category make, bits of enum modality. */
unsigned category_output(enum category c);

/* The bit or the value of that name; 0 or -1 when there is none. */
unsigned capability_of(struct span name);
int quantization_of(struct span name);

#endif
