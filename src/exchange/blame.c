#include "blame.h"

/* 401 to 403: our credential, our account, or what they may do; 404: the model is not there. 424: the
 * model failed (Bedrock). */
static enum blame blame_by_status(unsigned status)
{
    switch (status) {
    case 401:
    case 402:
    case 403:
    case 404:
    case 408:
    case 409:
    case 424:
    case 425:
    case 429:
        return BLAME_ENDPOINT;
    default:
        return status >= 500 ? BLAME_ENDPOINT : BLAME_REQUEST;
    }
}

/* An error inside a good answer has no number, or one that lies. */
static enum blame blame_by_words(enum fault_kind said)
{
    switch (said) {
    case FAULT_INVALID_REQUEST:
    case FAULT_UNSUPPORTED_PARAMETER:
    case FAULT_UNSUPPORTED_MEDIA_TYPE:
    case FAULT_PAYLOAD_TOO_LARGE:
    case FAULT_UNPROCESSABLE:
        return BLAME_REQUEST;
    default:
        return BLAME_ENDPOINT;
    }
}

enum blame blame_for(unsigned status, enum fault_kind said)
{
    switch (said) {
    case FAULT_UPSTREAM_CREDENTIAL: /* Gemini's, with status 400 */
    case FAULT_UPSTREAM_QUOTA:      /* Anthropic's, with status 400 */
    case FAULT_MODEL_NOT_FOUND:
        return BLAME_ENDPOINT;
    case FAULT_MODERATION: /* with status 403 as well, which is our credential's else */
        return BLAME_REQUEST;
    case FAULT_CONTEXT_LENGTH:
        return BLAME_MATCH;
    default:
        return status >= 400 ? blame_by_status(status) : blame_by_words(said);
    }
}
