/* provider_error.h: what a provider says went wrong.
 *
 * Every protocol has an object (or a bare string) for it, with a message and words for the class of
 * the error under `type`, `code`, `status` or `reason`; the words overlap enough to be read by one
 * table. What comes out always has a message: the provider's own, printable and cut to
 * PROVIDER_WORDS_MAX bytes. It may quote a credential, and names no provider: the caller sees to both. */
#ifndef SLUICE_CODEC_PROVIDER_ERROR_H
#define SLUICE_CODEC_PROVIDER_ERROR_H

#include "sluice/codec/fault.h"

enum { PROVIDER_WORDS_MAX = 500 };

/* An error inside an answer of status 200. `error`: the value of the `error` member. */
void provider_error_read(struct span error, struct fault *out);

/* A whole answer of status 400 or more, JSON or not. `word`: the class of the error where the head
 * names it, else empty. True: the body is the envelope of OpenAI's or Anthropic's. */
bool provider_error_read_answer(unsigned status, struct span word, struct span body,
                                struct fault *out);

/* What a word like "ThrottlingException" or "rate_limit_error" means; FAULT_UPSTREAM: no idea. */
enum fault_kind provider_error_kind(struct span word);

#endif
