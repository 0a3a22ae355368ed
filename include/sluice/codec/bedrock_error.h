/* bedrock_error.h: what Bedrock says went wrong inside a stream, whatever model it was asked for.
 *
 * A message of AWS's framing is an event, an exception (named by :exception-type, its payload
 * {"message":"…"}) or an error (:error-code and :error-message, plain text); protocols.md §12.2. */
#ifndef SLUICE_CODEC_BEDROCK_ERROR_H
#define SLUICE_CODEC_BEDROCK_ERROR_H

#include "sluice/codec/fault.h"

/* Is that the type of an exception, and not of an event? */
bool bedrock_is_exception(struct span type);

/* Both always give a fault with a message. `type` may be empty. */
void bedrock_exception_read(struct span type, struct span payload, struct fault *out);
void bedrock_error_read(struct span code, struct span message, struct fault *out);

#endif
