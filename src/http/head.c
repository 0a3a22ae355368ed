#include "sluice/http/head.h"

#include <stdio.h>
#include <time.h>

struct field_name {
    struct span name;
    enum field_id id;
};

#define NAME(text, id) {SPAN_LIT(text), id}

/* Sorted by first letter, so that one look at it leaves a handful to compare. */
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
    NAME("keep-alive", FIELD_HOP),
    NAME("openai-organization", FIELD_X_API_KEY),
    NAME("openai-project", FIELD_X_API_KEY),
    NAME("origin", FIELD_ORIGIN),
    NAME("proxy-authenticate", FIELD_HOP),
    NAME("proxy-authorization", FIELD_HOP),
    NAME("proxy-connection", FIELD_HOP),
    NAME("referer", FIELD_ORIGIN),
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
    NAME("x-goog-api-key", FIELD_X_API_KEY),
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

enum { NAMES = sizeof names / sizeof names[0] };

/* Index of the first name with this letter, filled on first use. */
static uint8_t first_of[27]; /* the last entry is the end */

static void index_names(void)
{
    unsigned at = 0;
    for (unsigned letter = 0; letter < 26; letter++) {
        first_of[letter] = (uint8_t)at;
        while (at < NAMES && names[at].name.at[0] == 'a' + letter)
            at++;
    }
    first_of[26] = NAMES;
}

enum field_id field_identify(struct span name)
{
    if (first_of[26] == 0)
        index_names();
    if (name.len < 2)
        return FIELD_OTHER;
    unsigned letter = (unsigned)(name.at[0] | 0x20) - 'a';
    if (letter >= 26)
        return FIELD_OTHER;
    for (unsigned i = first_of[letter]; i < first_of[letter + 1]; i++) {
        if (names[i].name.len == name.len && span_ieq(names[i].name, name))
            return names[i].id;
    }
    if (letter != 'a' - 'a' && letter != 'x' - 'a')
        return FIELD_OTHER;
    for (unsigned i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (span_ieq(span_sub(name, 0, prefixes[i].name.len), prefixes[i].name))
            return prefixes[i].id;
    }
    return FIELD_OTHER;
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
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 529: return "Overloaded";
    default: return status < 400 ? "OK" : "Error";
    }
}

void http_date(uint64_t unix_seconds, char out[30])
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t t = (time_t)unix_seconds;
    struct tm tm;
    gmtime_r(&t, &tm); /* not strftime: its names follow the locale */
    snprintf(out, 30, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday % 7], tm.tm_mday % 100,
             months[tm.tm_mon % 12], (tm.tm_year + 1900) % 10000, tm.tm_hour % 100, tm.tm_min % 100,
             tm.tm_sec % 100);
}
