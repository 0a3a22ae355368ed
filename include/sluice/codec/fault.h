/* fault.h: what a client is told when its request fails.
 *
 * A fault is made where the cause is known and written here alone, in the words of each protocol:
 * as a body before the response has begun, as an event inside a stream after that. Shapes:
 * contract 0.4 and 0.6, protocols.md §9. */
#ifndef SLUICE_CODEC_FAULT_H
#define SLUICE_CODEC_FAULT_H

#include "sluice/base/buf.h"

enum api_protocol {
    API_CHAT,
    API_COMPLETIONS,
    API_EMBEDDINGS,
    API_MESSAGES,
    API_COUNT_TOKENS, /* of a Messages request */
    API_RESPONSES,
    API_INFRAI, /* infrai's: Chat's words, but a text may stand for the messages (contract 2.16) */
    API_IMAGES,
    API_SPEECH,
    API_TRANSCRIPTIONS, /* of sound into text, like the next: these two come as forms */
    API_TRANSLATIONS,
    API_OTHER,
};

static inline bool api_is_anthropics(enum api_protocol api)
{
    return api == API_MESSAGES || api == API_COUNT_TOKENS;
}

/* Pictures and sound, which only pass: whatever kind of answer comes. */
static inline bool api_is_media(enum api_protocol api)
{
    return api >= API_IMAGES && api <= API_TRANSLATIONS;
}
static inline bool api_takes_form(enum api_protocol api)
{
    return api == API_TRANSCRIPTIONS || api == API_TRANSLATIONS;
}

enum fault_kind {
    FAULT_INVALID_REQUEST,
    FAULT_UNSUPPORTED_PARAMETER,
    FAULT_INVALID_API_KEY,
    FAULT_KEY_SCOPE,
    FAULT_MODEL_NOT_FOUND,
    FAULT_NOT_FOUND,
    FAULT_METHOD_NOT_ALLOWED,
    FAULT_PAYLOAD_TOO_LARGE,
    FAULT_UNSUPPORTED_MEDIA_TYPE,
    FAULT_TIMEOUT,    /* the gateway's own deadline */
    FAULT_RATE_LIMIT, /* ours */
    FAULT_UPSTREAM_RATE_LIMITED,
    FAULT_INTERNAL,
    FAULT_UPSTREAM,         /* failed, or answered what nobody can read */
    FAULT_UPSTREAM_TIMEOUT, /* a deadline towards the provider; the message names it */
    FAULT_UPSTREAM_UNAVAILABLE,
    FAULT_NO_PROVIDER,
    FAULT_OVERLOADED, /* the process holds all it may */
    FAULT_SHUTTING_DOWN,
    FAULT_TRANSPORT,      /* malformed HTTP; carries its own status */
    FAULT_CONTEXT_LENGTH, /* the conversation is longer than the model can read */
    /* what only a provider says */
    FAULT_PERMISSION,
    FAULT_MODERATION,
    FAULT_UNPROCESSABLE,
    FAULT_UPSTREAM_CREDENTIAL, /* the gateway's own is refused: no business of the client's */
    FAULT_UPSTREAM_QUOTA,      /* the gateway's own account is used up: likewise */
    FAULT_INVALID_CURSOR,      /* of a list that comes in pages */
    /* of the account */
    FAULT_CONCURRENT_TASKS,
    FAULT_INSUFFICIENT_CREDIT,
    FAULT_BUDGET_EXCEEDED,
};

struct fault {
    enum fault_kind kind;
    unsigned status;         /* 0: the kind's own */
    const char *param;       /* JSON path of the member at fault, NULL: unknown */
    unsigned retry_after_ms; /* 0: the kind's own */
    char message[640];       /* one sentence, and what to do; no secrets */
};

struct fault_attempt {
    const char *provider, *endpoint, *type;
    unsigned status, latency_ms;
    uint64_t estimated_cost_pd; /* of what was cancelled; 0: nothing, or nobody knows */
};

/* A 404 for a name that nothing has here, or that the caller must take for one. */
void fault_unknown_model(struct fault *out, struct span name, const char *param);

unsigned fault_status(const struct fault *f);
const char *fault_type(const struct fault *f); /* "invalid_request_error", … */
/* When asking again has a point; 0: nobody can say. */
unsigned fault_retry_after_ms(const struct fault *f);
/* Until the gateway's operator has done something, asking again has none. */
bool fault_is_lasting(const struct fault *f);

/* The whole body of an error answer. `attempts` may be NULL. */
int fault_write_body(const struct fault *f, enum api_protocol api, const char *request_id,
                     const struct fault_attempt *attempts, unsigned nattempts, struct buf *out)
    __attribute__((warn_unused_result));

/* Where in a Responses stream it fails. */
struct fault_place {
    uint64_t sequence; /* number of the last event */
    struct span begun; /* the object of response.created as it was sent; empty: unknown */
};

/* What stands for the error inside of it, where several answers come in one: the object's members. */
int fault_write_members(const struct fault *f, enum api_protocol api, struct buf *out)
    __attribute__((warn_unused_result));

/* What ends a stream after its first byte: the in-band error and the protocol's terminator.
 * `request_id` may be empty on Messages, `place` anywhere but on Responses. */
int fault_write_stream(const struct fault *f, enum api_protocol api, struct span request_id,
                       const struct fault_place *place, struct buf *out)
    __attribute__((warn_unused_result));

/* The word OpenAI's clients act on inside a stream: "rate_limit_exceeded", "server_error", … */
const char *fault_openai_code(const struct fault *f);

#endif
