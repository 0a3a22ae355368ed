/* head.h: a parsed request or response head, and the words of HTTP we act on.
 *
 * Spans of a head lie in the parser's memory and are valid during the callback that brings it. */
#ifndef SLUICE_HTTP_HEAD_H
#define SLUICE_HTTP_HEAD_H

#include "sluice/base/buf.h"

enum http_method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_OTHER, /* a method HTTP knows and we never serve */
};

/* The fields we act on. The parser identifies each field once, so that whoever walks a head asks
 * for a number instead of comparing names. */
enum field_id {
    FIELD_OTHER,
    FIELD_ACCEPT_ENCODING,
    FIELD_AUTHORIZATION,
    FIELD_CONNECTION,
    FIELD_CONTENT_ENCODING,
    FIELD_CONTENT_LENGTH,
    FIELD_CONTENT_TYPE,
    FIELD_COOKIE,
    FIELD_EXPECT,
    FIELD_FORWARDED, /* Forwarded, X-Forwarded-*, X-Real-IP, Via */
    FIELD_HOP, /* hop-by-hop and never relayed: Keep-Alive, TE, Trailer, Upgrade, Proxy-*, … */
    FIELD_HOST,
    FIELD_IDEMPOTENCY_KEY, /* ours to act on: nobody else is told */
    FIELD_ORIGIN,
    FIELD_REFERER,
    FIELD_REQUEST_ID, /* X-Request-Id */
    FIELD_RETRY_AFTER,
    FIELD_SERVER, /* Server, Date, Alt-Svc, Strict-Transport-Security, Set-Cookie and other words between a provider and its own edge */
    FIELD_TRANSFER_ENCODING,
    FIELD_TRACE, /* traceparent, tracestate, baggage: a third party's business only by consent */
    FIELD_X_API_KEY,
    FIELD_ACCOUNT, /* the client's own account with a provider: OpenAI-Organization, … */
    FIELD_CORS,    /* Access-Control-* */
    FIELD_SLUICE,  /* X-Sluice-*, Server-Timing, X-RateLimit-{Limit,Remaining,Tier}: ours to say */
};
struct http_field {
    struct span name, value; /* the value without surrounding white space */
    enum field_id id;
};

/* What the framing of a message says about its body (RFC 9112 §6.3). */
enum http_framing {
    FRAMING_NONE,
    FRAMING_COUNTED, /* Content-Length */
    FRAMING_CHUNKED,
    FRAMING_UNTIL_CLOSE, /* responses only */
};

struct http_head {
    enum http_method method; /* requests */
    struct span target;      /* requests: as sent, query included */
    unsigned status;         /* responses */
    unsigned minor;          /* HTTP/1.minor */
    const struct http_field *fields;
    unsigned nfields;
    enum http_framing framing;
    uint64_t content_length; /* FRAMING_COUNTED */
    bool keep_alive;         /* what the peer's version and Connection field amount to */
    bool expects_continue;
};

/* The first field with this name (any case), or NULL. */
const struct http_field *head_find(const struct http_head *h, const char *name);
/* Its value, or the empty span. */
struct span head_value(const struct http_head *h, const char *name);

/* The same by number: the first field that was identified so. */
static inline struct span head_get(const struct http_head *h, enum field_id id)
{
    for (unsigned i = 0; i < h->nfields; i++) {
        if (h->fields[i].id == id)
            return h->fields[i].value;
    }
    return SPAN_NONE;
}

/* Is that the media type of its content, whatever its parameters (RFC 9110 §8.3.1)? */
bool head_has_type(const struct http_head *h, struct span type);

/* Does a Connection field's value name this field? Then it is for this hop only (RFC 9110 §7.6.1). */
bool connection_names(struct span connection, struct span name);

enum field_id field_identify(struct span name);

const char *http_reason(unsigned status); /* "Not Found" */
const char *http_method_name(enum http_method m);

#endif
