/* responses_object.h: the response object of OpenAI's Responses, and the items in it.
 *
 * Strict clients want every member there is, and the request's own parameters repeated (protocols.md
 * §5.2). The items follow from the blocks of the answer: texts side by side are parts of one message,
 * everything else is an item of its own. */
#ifndef SLUICE_CODEC_RESPONSES_OBJECT_H
#define SLUICE_CODEC_RESPONSES_OBJECT_H

#include "sluice/codec/answer_identity.h"
#include "sluice/codec/turn_answer.h"
#include "sluice/format/json_out.h"

/* What a response repeats of its request; lexemes, empty where the request was silent. */
struct responses_echo {
    struct span instructions, max_output_tokens, max_tool_calls, metadata, parallel_tool_calls,
        prompt_cache_key, reasoning, safety_identifier, service_tier, temperature, text,
        tool_choice, tools, top_logprobs, top_p, truncation, presence_penalty, frequency_penalty,
        user;
    bool wants_encrypted; /* include: reasoning.encrypted_content */
};

/* `request`: the client's body, which outlives the echo. */
void responses_echo_read(struct responses_echo *e, struct span request);

enum response_status {
    RESPONSE_IN_PROGRESS,
    RESPONSE_COMPLETED,
    RESPONSE_INCOMPLETE,
    RESPONSE_FAILED,
};

/* How an answer that has ended is called. */
enum response_status responses_status(const struct turn_answer *a);

/* The object; `why` only with RESPONSE_FAILED. In progress it has neither items nor usage. */
void responses_put_object(struct json_out *o, const struct answer_identity *who,
                          const struct responses_echo *echo, const struct turn_answer *a,
                          enum response_status status, const struct fault *why);

/* The item that begins with block `i`: `index` is its place in the output. */
void responses_put_item(struct json_out *o, const struct answer_identity *who,
                        const struct responses_echo *echo, const struct turn_answer *a, unsigned i,
                        unsigned index, const char *status);
/* One text or refusal as a part of a message. */
void responses_put_part(struct json_out *o, const struct answer_block *b);
/* The one part of an item of reasoning. */
void responses_put_reasoning_part(struct json_out *o, const struct answer_identity *who,
                                  struct span text);
void responses_put_annotation(struct json_out *o, const struct answer_citation *c, size_t end);
/* An item's id, in quotes. */
void responses_put_item_id(struct json_out *o, const struct answer_identity *who,
                           const struct answer_block *b, unsigned index);

/* How many blocks the item that begins with block `i` has. */
unsigned responses_item_blocks(const struct turn_answer *a, unsigned i);

/* Is the block an item at all? Reasoning that is neither text nor to be shown is none. */
bool responses_is_item(const struct responses_echo *echo, const struct answer_block *b);

#endif
