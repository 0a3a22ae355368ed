/* request_print.h: what a request's body asks for, in 32 bytes: is a request the same as one before?
 *
 * JSON is compared by what it says (format/json_digest.h), a form part by part whatever its boundary, and
 * what is neither byte by byte. Takes as long as hashing the body: not on the loop when that is large. */
#ifndef SLUICE_CODEC_REQUEST_PRINT_H
#define SLUICE_CODEC_REQUEST_PRINT_H

#include "sluice/base/digest.h"

enum print_of {
    PRINT_OF_REQUEST,  /* all but its idempotency_key */
    PRINT_OF_QUESTION, /* besides without what makes no difference to the answer */
};

/* `boundary`: of a form, else empty. */
void request_print(struct span body, struct span boundary, enum print_of what,
                   uint8_t out[SHA256_BYTES]);

#endif
