/* token_count.h: how many tokens a prompt has, as far as that can be known without asking its provider.
 *
 * Texts are counted by the model's own vocabulary where that is published (token/tokenizer.h), with what
 * OpenAI says stands around them: 3 tokens before each message beside its role, one more for a name, and
 * 3 before the answer (OpenAI cookbook, "How to count tokens with tiktoken"). That is exact for a
 * conversation in text. Nobody says how tools are put to a model, nor what a picture becomes: those are
 * estimates, and so is everything where the vocabulary is nobody's to know: bytes over 3.5, a little more
 * than most tokenizers make of prose and code in English. Estimates are meant to be above rather than
 * below: clients decide by them when a conversation has to be cut. */
#ifndef SLUICE_CODEC_TOKEN_COUNT_H
#define SLUICE_CODEC_TOKEN_COUNT_H

#include "sluice/codec/turn_request.h"
#include "sluice/token/tokenizer.h"

struct token_count {
    uint64_t tokens;
    bool is_exact;
    /* Those up to the last part or tool with cache_control, in the order of a cached prefix: tools, then
     * messages (contract 2.7). Kept for an hour, if that one says so. */
    uint64_t cacheable;
    bool keeps_an_hour;
};

/* `t`: of the model, NULL where there is none. A large prompt is not for the loop. */
struct token_count token_count(const struct turn_request *r, const struct tokenizer *t);

/* Of a text alone, as an estimate. `raw`: between the quotes of a JSON text. */
uint64_t token_count_of_text(struct span raw);

/* The same in a model's own vocabulary, where `t` is one. */
uint64_t token_count_of_raw(struct span raw, const struct tokenizer *t);

#endif
