#include "sluice/http/parser.h"

#include "sluice/base/arena.h"

#include <errno.h>
#include <stdlib.h>

/* Offsets of the head under way are counted from its first byte. While a head lies in the bytes being
 * fed, that byte is p->start; once it had to be collected, it is the first of p->collected, and
 * p->head_offset says how much was there before this feed. llhttp is paused after every message,
 * so that each call of llhttp_execute begins either inside a message or at the start of one. */

enum { FIELDS_MAX = 256 };

/* One thread parses one head at a time, and nearly every head comes in one piece: the tables
 * are shared, and a head that is split takes a copy of its part along. */
static struct raw_field shared_raw[FIELDS_MAX];
static struct http_field shared_fields[FIELDS_MAX];

static int refuse(struct parser *p, unsigned status, const char *what)
{
    if (p->problem.status == 0)
        p->problem = (struct parser_problem){status, what};
    llhttp_set_error_reason(&p->engine, what);
    return HPE_USER;
}

static struct parser *parser_of(llhttp_t *engine)
{
    return engine->data;
}

static uint32_t offset_of(const struct parser *p, const char *at)
{
    return (uint32_t)(p->head_offset + (size_t)((const uint8_t *)at - p->start));
}

static int on_message_begin(llhttp_t *engine)
{
    struct parser *p = parser_of(engine);
    p->in_head = p->in_message = true;
    p->value_seen = false;
    p->nraw = 0;
    p->target_at = p->target_len = 0;
    p->body_left = 0;
    p->skipped = 0;
    return 0;
}

static int on_url(llhttp_t *engine, const char *at, size_t len)
{
    struct parser *p = parser_of(engine);
    if (p->target_len == 0)
        p->target_at = offset_of(p, at);
    p->target_len += (uint32_t)len;
    return 0;
}

/* Chunk extensions and trailers are read over, but not without end. */
static int skip(struct parser *p, size_t len)
{
    p->skipped += len;
    if (p->skipped > p->limits.head_max)
        return refuse(p, 400, "too much beside the body: chunk extensions or trailers");
    return 0;
}

static int on_extension(llhttp_t *engine, const char *at, size_t len)
{
    (void)at;
    return skip(parser_of(engine), len);
}

static int on_chunk(llhttp_t *engine)
{
    parser_of(engine)->skipped = 0;
    return 0;
}

static int on_field(llhttp_t *engine, const char *at, size_t len)
{
    struct parser *p = parser_of(engine);
    if (!p->in_head)
        return skip(p, len); /* trailers: wanted by nobody */
    if (p->nraw == 0 || p->value_seen) {
        if (p->nraw == p->limits.field_max)
            return refuse(p, 431, "too many header fields");
        p->raw[p->nraw++] = (struct raw_field){.name_at = offset_of(p, at)};
        p->value_seen = false;
    }
    p->raw[p->nraw - 1].name_len += (uint32_t)len;
    return 0;
}

static int on_value(llhttp_t *engine, const char *at, size_t len)
{
    struct parser *p = parser_of(engine);
    if (!p->in_head)
        return skip(p, len);
    if (p->nraw == 0)
        return 0;
    struct raw_field *f = &p->raw[p->nraw - 1];
    if (f->value_len == 0)
        f->value_at = offset_of(p, at);
    else if (offset_of(p, at) != f->value_at + f->value_len)
        return refuse(p, 400, "a header field is folded over lines"); /* obs-fold, RFC 9112 §5.2 */
    f->value_len += (uint32_t)len;
    return 0;
}

static int on_field_done(llhttp_t *engine)
{
    parser_of(engine)->value_seen = true;
    return 0;
}

static enum http_method method_of(const llhttp_t *engine)
{
    switch (engine->method) {
    case HTTP_GET:
        return METHOD_GET;
    case HTTP_HEAD:
        return METHOD_HEAD;
    case HTTP_POST:
        return METHOD_POST;
    case HTTP_PUT:
        return METHOD_PUT;
    case HTTP_PATCH:
        return METHOD_PATCH;
    case HTTP_DELETE:
        return METHOD_DELETE;
    case HTTP_OPTIONS:
        return METHOD_OPTIONS;
    default:
        return METHOD_OTHER;
    }
}

static bool keeps_alive(const llhttp_t *engine)
{
    if (engine->http_minor == 0)
        return (engine->flags & F_CONNECTION_KEEP_ALIVE) != 0;
    return (engine->flags & F_CONNECTION_CLOSE) == 0;
}

/* What llhttp accepts and we do not. Returns false with the problem set. */
static bool check_fields(struct parser *p, struct http_head *h)
{
    unsigned hosts = 0, lengths = 0, codings = 0;
    for (unsigned i = 0; i < h->nfields; i++) {
        switch (h->fields[i].id) {
        case FIELD_HOST:
            hosts++;
            break;
        case FIELD_CONTENT_LENGTH:
            lengths++;
            break;
        case FIELD_TRANSFER_ENCODING:
            codings++;
            if (!span_ieq(h->fields[i].value, SPAN_LIT("chunked"))) {
                refuse(p, 501, "a transfer coding other than chunked");
                return false;
            }
            break;
        case FIELD_EXPECT:
            if (!span_ieq(h->fields[i].value, SPAN_LIT("100-continue"))) {
                refuse(p, 417, "an expectation other than 100-continue");
                return false;
            }
            h->expects_continue = h->minor >= 1;
            break;
        default:
            break;
        }
    }
    if (lengths > 1 || codings > 1 || (lengths > 0 && codings > 0)) {
        refuse(p, 400, "the body's length is stated more than once");
        return false;
    }
    if (p->engine.type == HTTP_REQUEST && (hosts > 1 || (hosts == 0 && h->minor >= 1))) {
        refuse(p, 400, hosts == 0 ? "the Host field is missing" : "more than one Host field");
        return false;
    }
    if (codings > 0 && h->minor == 0) {
        refuse(p, 400, "a transfer coding in HTTP/1.0"); /* RFC 9112 §6.1 */
        return false;
    }
    return true;
}

static enum http_framing framing_of(const struct parser *p, const struct http_head *h)
{
    bool is_request = p->engine.type == HTTP_REQUEST;
    if (!is_request && (h->status < 200 || h->status == 204 || h->status == 304))
        return FRAMING_NONE; /* whatever the fields say */
    if (p->engine.flags & F_CHUNKED)
        return FRAMING_CHUNKED;
    if (p->engine.flags & F_CONTENT_LENGTH)
        return p->engine.content_length > 0 ? FRAMING_COUNTED : FRAMING_NONE;
    return is_request ? FRAMING_NONE : FRAMING_UNTIL_CLOSE;
}

/* Where what has been seen of the head under way ends, its line ends left out. */
static size_t head_extent(const struct parser *p)
{
    if (p->nraw == 0)
        return p->target_at + p->target_len;
    const struct raw_field *last = &p->raw[p->nraw - 1];
    return last->value_len > 0 ? last->value_at + last->value_len : last->name_at + last->name_len;
}

static int refuse_too_large(struct parser *p)
{
    if (p->target_at + p->target_len > p->limits.head_max)
        return refuse(p, 414, "the request target is too long");
    return refuse(p, 431, "the header section is too large");
}

/* Makes the head one piece of memory and returns its first byte; NULL when there is no more. */
static const uint8_t *head_memory(struct parser *p, size_t head_len)
{
    if (buf_len(&p->collected) == 0)
        return p->start;
    /* The empty line at the end may be all that came: then nothing is missing. */
    if (head_len > p->head_offset &&
        buf_add(&p->collected, span_of(p->start, head_len - p->head_offset)) < 0)
        return NULL;
    return buf_span(&p->collected).at;
}

static int on_head(llhttp_t *engine)
{
    struct parser *p = parser_of(engine);
    /* A connection is never anything but HTTP/1 here: an Upgrade field is ignored (RFC 9110 §7.8),
     * and a response that switches is refused by its status. */
    engine->upgrade = 0;
    if (engine->http_major != 1 || engine->http_minor > 1)
        return refuse(p, 505, "an HTTP version other than 1.0 and 1.1");

    size_t head_len = head_extent(p);
    if (head_len > p->limits.head_max)
        return refuse_too_large(p);
    const uint8_t *memory = head_memory(p, head_len);
    if (memory == NULL)
        return refuse(p, 503, "out of memory");

    for (unsigned i = 0; i < p->nraw; i++) {
        const struct raw_field *f = &p->raw[i];
        shared_fields[i].name = span_of(memory + f->name_at, f->name_len);
        shared_fields[i].value = span_trim(span_of(memory + f->value_at, f->value_len));
        shared_fields[i].id = field_identify(shared_fields[i].name);
    }
    struct http_head head = {
        .method = method_of(engine),
        .target = span_of(memory + p->target_at, p->target_len),
        .status = engine->status_code,
        .minor = engine->http_minor,
        .fields = shared_fields,
        .nfields = p->nraw,
        .keep_alive = keeps_alive(engine),
    };
    if (!check_fields(p, &head))
        return HPE_USER;
    head.framing = framing_of(p, &head);
    if (head.framing == FRAMING_COUNTED)
        head.content_length = p->body_left = engine->content_length;
    p->in_head = false;
    if (p->events->head(p->owner, &head))
        return 0;
    p->stopped = true;
    return HPE_PAUSED;
}

static int on_body(llhttp_t *engine, const char *at, size_t len)
{
    struct parser *p = parser_of(engine);
    if (p->body_left > 0)
        p->body_left -= len;
    p->events->body(p->owner, span_of(at, len));
    return 0;
}

static int on_complete(llhttp_t *engine)
{
    struct parser *p = parser_of(engine);
    p->in_message = false;
    p->events->complete(p->owner);
    return HPE_PAUSED; /* so that the next message starts its own llhttp_execute */
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_message_begin,
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_field_done,
    .on_headers_complete = on_head,
    .on_chunk_extension_name = on_extension,
    .on_chunk_extension_value = on_extension,
    .on_chunk_header = on_chunk,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

void parser_init(struct parser *p, bool requests, const struct parser_limits *limits,
                 const struct parser_events *events, void *owner)
{
    *p = (struct parser){.events = events, .owner = owner, .limits = *limits};
    if (p->limits.field_max > FIELDS_MAX)
        p->limits.field_max = FIELDS_MAX;
    p->raw = shared_raw;
    llhttp_init(&p->engine, requests ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
    p->engine.data = p;
}

static void forget_head(struct parser *p)
{
    if (p->raw == shared_raw)
        return; /* it came in one piece */
    free(p->raw);
    p->raw = shared_raw;
    buf_fini(&p->collected);
    p->head_offset = 0;
}

void parser_fini(struct parser *p)
{
    forget_head(p);
}

/* llhttp's own words, sorted into what a server should answer. It gives one error for a method
 * nobody knows and for bytes that are no word at all (a TLS hello on a clear port), and one for a
 * version nobody speaks and for a request line that goes on behind it. */
static unsigned status_of(const struct parser *p, llhttp_errno_t error)
{
    const llhttp_t *e = &p->engine;
    const char *at = llhttp_get_error_pos(e);
    switch (error) {
    case HPE_INVALID_METHOD:
        return at != NULL && (*at | 0x20) >= 'a' && (*at | 0x20) <= 'z' ? 501 : 400;
    case HPE_INVALID_VERSION:
        return e->http_major != 1 || e->http_minor > 1 ? 505 : 400;
    case HPE_PAUSED_H2_UPGRADE: /* the preface of HTTP/2 by prior knowledge */
        return 505;
    default:
        return 400;
    }
}

static int engine_refused(struct parser *p, llhttp_errno_t error)
{
    const char *what = llhttp_get_error_reason(&p->engine);
    refuse(p, status_of(p, error), what != NULL && what[0] != '\0' ? what : "not HTTP/1.1");
    return -EPROTO;
}

/* The end of the input came inside a head: keep its bytes and its part of the shared table. */
static int keep_head(struct parser *p, const uint8_t *end)
{
    size_t len = (size_t)(end - p->start);
    /* The same limit as for a head in one piece: the empty line at its end does not count. */
    if (head_extent(p) > p->limits.head_max ||
        p->head_offset + len > p->limits.head_max + sizeof "\r\n\r\n" - 1) {
        refuse_too_large(p);
        return -EPROTO;
    }
    if (buf_add(&p->collected, span_of(p->start, len)) < 0) {
        refuse(p, 503, "out of memory");
        return -EPROTO;
    }
    p->head_offset += len;
    if (p->raw == shared_raw) {
        p->raw = xcalloc(p->limits.field_max, sizeof *p->raw);
        memcpy(p->raw, shared_raw, p->nraw * sizeof *p->raw);
    }
    return 0;
}

static int feed_once(struct parser *p, struct span *bytes)
{
    p->start = bytes->at;
    llhttp_errno_t error = llhttp_execute(&p->engine, (const char *)bytes->at, bytes->len);
    if (!p->in_head)
        forget_head(p);
    if (error == HPE_OK) {
        const uint8_t *end = bytes->at + bytes->len;
        *bytes = SPAN_NONE;
        return p->in_head ? keep_head(p, end) : 0;
    }
    if (error != HPE_PAUSED)
        return engine_refused(p, error);
    const uint8_t *stopped_at = (const uint8_t *)llhttp_get_error_pos(&p->engine);
    *bytes = span_skip(*bytes, (size_t)(stopped_at - bytes->at));
    llhttp_resume(&p->engine);
    return 0;
}

int parser_feed(struct parser *p, struct span *bytes)
{
    while (bytes->len > 0 && !p->stopped && p->problem.status == 0) {
        int rc = feed_once(p, bytes);
        if (rc < 0)
            return rc;
    }
    return p->problem.status == 0 ? 0 : -EPROTO;
}

int parser_finish(struct parser *p)
{
    if (p->in_head || p->problem.status != 0)
        return -EPROTO;
    if (!p->in_message)
        return 0;
    llhttp_errno_t error = llhttp_finish(&p->engine);
    return error == HPE_OK || error == HPE_PAUSED ? 0 : -EPROTO;
}

void parser_stop(struct parser *p)
{
    p->stopped = true;
}

void parser_resume(struct parser *p)
{
    p->stopped = false;
}
