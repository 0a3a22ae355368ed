/* provider_error.h: what a provider says went wrong, inside an answer of status 200.
 *
 * Every protocol has an object (or a bare string) for it, with a message and words for the class of
 * the error under `type`, `code` or `status`; the words overlap enough to be read by one table. */
#ifndef SLUICE_CODEC_PROVIDER_ERROR_H
#define SLUICE_CODEC_PROVIDER_ERROR_H

#include "sluice/codec/fault.h"

/* `error`: the value of the `error` member. Always gives a fault with a message. */
void provider_error_read(struct span error, struct fault *out);

#endif
