#include "sluice/http/head.h"

struct field_name {
    struct span name;
    enum field_id id;
};

#define NAME(text, id) {SPAN_LIT(text), id}

static const struct field_name names[] = {
    NAME("accept-encoding", FIELD_ACCEPT_ENCODING),
    NAME("alt-svc", FIELD_SERVER),
    NAME("authorization", FIELD_AUTHORIZATION),
    NAME("baggage", FIELD_TRACE),
    NAME("connection", FIELD_CONNECTION),
    NAME("content-encoding", FIELD_CONTENT_ENCODING),
    NAME("content-length", FIELD_CONTENT_LENGTH),
    NAME("content-type", FIELD_CONTENT_TYPE),
    NAME("cookie", FIELD_COOKIE),
    NAME("cookie2", FIELD_COOKIE),
    NAME("date", FIELD_SERVER),
    NAME("expect", FIELD_EXPECT),
    NAME("forwarded", FIELD_FORWARDED),
    NAME("host", FIELD_HOST),
    NAME("http2-settings", FIELD_HOP),
    NAME("idempotency-key", FIELD_IDEMPOTENCY_KEY),
    NAME("keep-alive", FIELD_HOP),
    NAME("openai-organization", FIELD_ACCOUNT),
    NAME("openai-project", FIELD_ACCOUNT),
    NAME("origin", FIELD_ORIGIN),
    NAME("proxy-authenticate", FIELD_HOP),
    NAME("proxy-authorization", FIELD_HOP),
    NAME("proxy-connection", FIELD_HOP),
    NAME("referer", FIELD_REFERER),
    NAME("request-id", FIELD_REQUEST_ID),
    NAME("retry-after", FIELD_RETRY_AFTER),
    NAME("server", FIELD_SERVER),
    NAME("server-timing", FIELD_SLUICE),
    NAME("set-cookie", FIELD_SERVER),
    NAME("set-cookie2", FIELD_SERVER),
    NAME("strict-transport-security", FIELD_SERVER),
    NAME("te", FIELD_HOP),
    NAME("traceparent", FIELD_TRACE),
    NAME("tracestate", FIELD_TRACE),
    NAME("trailer", FIELD_HOP),
    NAME("transfer-encoding", FIELD_TRANSFER_ENCODING),
    NAME("upgrade", FIELD_HOP),
    NAME("via", FIELD_FORWARDED),
    NAME("x-api-key", FIELD_X_API_KEY),
    NAME("x-goog-api-key", FIELD_ACCOUNT),
    NAME("x-ratelimit-limit", FIELD_SLUICE),
    NAME("x-ratelimit-remaining", FIELD_SLUICE),
    NAME("x-ratelimit-tier", FIELD_SLUICE),
    NAME("x-real-ip", FIELD_FORWARDED),
    NAME("x-request-id", FIELD_REQUEST_ID),
};

static const struct field_name prefixes[] = {
    NAME("access-control-", FIELD_CORS),
    NAME("x-forwarded-", FIELD_FORWARDED),
    NAME("x-sluice-", FIELD_SLUICE),
};

enum { NAMES = sizeof names / sizeof names[0], SLOTS = 128 };

/* An open hash of the names by length and three of their letters: nearly every field of a head is
 * found, or found to be unknown, with one look. Holds index + 1; filled on first use. */
static uint8_t slots[SLOTS];

static unsigned slot_of(struct span name)
{
    unsigned first = name.at[0] | 0x20u, middle = name.at[name.len / 2] | 0x20u,
             last = name.at[name.len - 1] | 0x20u;
    return ((unsigned)name.len * 7 + first * 3 + middle * 5 + last * 11) % SLOTS;
}

static void fill_slots(void)
{
    for (unsigned i = 0; i < NAMES; i++) {
        unsigned at = slot_of(names[i].name);
        while (slots[at] != 0)
            at = (at + 1) % SLOTS;
        slots[at] = (uint8_t)(i + 1);
    }
}

/* `known` is in lower case. Field names are tokens (RFC 9110 §5.6.2), and no two characters of a
 * token differ in the bit 0x20 alone but the two cases of a letter. */
static bool same_name(struct span name, struct span known)
{
    size_t i = 0;
    for (; i + 8 <= known.len; i += 8) {
        uint64_t a, b;
        memcpy(&a, name.at + i, 8);
        memcpy(&b, known.at + i, 8);
        if ((a | 0x2020202020202020u) != b)
            return false;
    }
    for (; i < known.len; i++) {
        if ((name.at[i] | 0x20) != known.at[i])
            return false;
    }
    return true;
}

static enum field_id identify_by_prefix(struct span name)
{
    for (unsigned i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (name.len > prefixes[i].name.len && same_name(name, prefixes[i].name))
            return prefixes[i].id;
    }
    return FIELD_OTHER;
}

enum field_id field_identify(struct span name)
{
    if (slots[slot_of(names[0].name)] == 0)
        fill_slots();
    if (name.len == 0)
        return FIELD_OTHER;
    for (unsigned at = slot_of(name); slots[at] != 0; at = (at + 1) % SLOTS) {
        const struct field_name *known = &names[slots[at] - 1];
        if (known->name.len == name.len && same_name(name, known->name))
            return known->id;
    }
    unsigned first = name.at[0] | 0x20u;
    return first == 'a' || first == 'x' ? identify_by_prefix(name) : FIELD_OTHER;
}

const struct http_field *head_find(const struct http_head *h, const char *name)
{
    struct span wanted = span_text(name);
    for (unsigned i = 0; i < h->nfields; i++) {
        if (h->fields[i].name.len == wanted.len && span_ieq(h->fields[i].name, wanted))
            return &h->fields[i];
    }
    return NULL;
}

struct span head_value(const struct http_head *h, const char *name)
{
    const struct http_field *f = head_find(h, name);
    return f == NULL ? SPAN_NONE : f->value;
}

bool head_has_type(const struct http_head *h, struct span type)
{
    struct span value = head_get(h, FIELD_CONTENT_TYPE);
    return span_ieq(span_trim(span_cut(&value, ';')), type);
}

bool connection_names(struct span connection, struct span name)
{
    while (connection.len > 0) {
        if (span_ieq(span_trim(span_cut(&connection, ',')), name))
            return true;
    }
    return false;
}

const char *http_method_name(enum http_method m)
{
    static const char *const text[] = {
        [METHOD_GET] = "GET",         [METHOD_HEAD] = "HEAD",   [METHOD_POST] = "POST",
        [METHOD_PUT] = "PUT",         [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE",
        [METHOD_OPTIONS] = "OPTIONS", [METHOD_OTHER] = "OTHER",
    };
    return text[m];
}

const char *http_reason(unsigned status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 402:
        return "Payment Required";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 417:
        return "Expectation Failed";
    case 422:
        return "Unprocessable Content";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    case 529:
        return "Overloaded";
    default:
        return status < 400 ? "OK" : "Error";
    }
}
