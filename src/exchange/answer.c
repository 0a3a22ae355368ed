#include "exchange_priv.h"

#include <assert.h>
#include <stdio.h>

/* The lines of an answer's head. Written by hand into one static buffer, because every request
 * pays for it; used up by sink_head before the next one is made. */

enum { FIELDS_ROOM = 12 * 1024, OURS_ROOM = 3 * 1024 };

static uint8_t room[FIELDS_ROOM];

static size_t add(size_t at, struct span s)
{
    if (s.len > FIELDS_ROOM - at)
        return at; /* a provider's field beyond all measure: left out */
    if (s.len > 0)
        memcpy(room + at, s.at, s.len);
    return at + s.len;
}

static size_t add_number(size_t at, uint64_t n)
{
    uint8_t digits[20];
    size_t i = sizeof digits;
    do
        digits[--i] = (uint8_t)('0' + n % 10);
    while ((n /= 10) > 0);
    return add(at, span_of(digits + i, sizeof digits - i));
}

/* Microseconds as the milliseconds Server-Timing wants: 1234 → "1.234". */
static size_t add_ms(size_t at, uint64_t us)
{
    at = add_number(at, us / 1000);
    uint8_t fraction[4] = {'.', (uint8_t)('0' + us / 100 % 10), (uint8_t)('0' + us / 10 % 10),
                           (uint8_t)('0' + us % 10)};
    return add(at, span_of(fraction, sizeof fraction));
}

static size_t add_field(size_t at, struct span name_and_colon, struct span value)
{
    if (name_and_colon.len + value.len + 2 > FIELDS_ROOM - at)
        return at;
    at = add(at, name_and_colon);
    at = add(at, value);
    return add(at, SPAN_LIT("\r\n"));
}

/* What the gateway cost, what connecting cost, what the provider took to its first byte. */
static size_t add_timing(size_t at, const struct exchange *x)
{
    const struct attempt *a = &x->attempt;
    uint64_t now = x->first_write_us, total = now - x->opened_us, upstream = 0;
    if (a->sent_us != 0)
        upstream = (a->head_us != 0 ? a->head_us : now) - a->sent_us;
    uint64_t elsewhere = upstream + a->connect_us;
    at = add(at, SPAN_LIT("Server-Timing: gw;dur="));
    at = add_ms(at, total > elsewhere ? total - elsewhere : 0);
    if (a->sent_us != 0) {
        at = add(at, SPAN_LIT(", connect;dur="));
        at = add_ms(at, a->connect_us);
        at = add(at, SPAN_LIT(", upstream;dur="));
        at = add_ms(at, upstream);
    }
    return add(at, SPAN_LIT("\r\n"));
}

static size_t add_limits(size_t at, const struct exchange *x)
{
    if (x->admitted.limit > 0) {
        at = add(at, SPAN_LIT("X-RateLimit-Limit: "));
        at = add_number(at, x->admitted.limit);
        at = add(at, SPAN_LIT("\r\nX-RateLimit-Remaining: "));
        at = add_number(at, x->admitted.remaining);
        at = add(at, SPAN_LIT("\r\n"));
    }
    return add_field(at, SPAN_LIT("X-RateLimit-Tier: "), SPAN_LIT("config"));
}

struct span answer_fields(const struct exchange *x, const char *content_type)
{
    size_t at = add_field(0, SPAN_LIT("Content-Type: "), span_text(content_type));
    if (x->is_stream && span_starts(span_text(content_type), SPAN_LIT("text/event-stream")))
        at = add(at, SPAN_LIT("Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n"));
    at = add_field(at, SPAN_LIT("X-Request-Id: "), span_of(x->request_id, 32));
    if (x->kind->api == API_MESSAGES ||
        x->kind->api == API_COUNT_TOKENS) /* the name Anthropic's SDKs look for */
        at = add_field(at, SPAN_LIT("Request-Id: "), span_of(x->request_id, 32));
    if (x->has_admitted)
        at = add_limits(at, x);
    if (x->nattempts > 0) {
        const struct target *t = x->attempt.target;
        at = add_field(at, SPAN_LIT("X-Sluice-Model: "), span_sub(t->model_id, 0, 512));
        at = add_field(at, SPAN_LIT("X-Sluice-Provider: "), span_text(t->provider->name));
        at = add(at, SPAN_LIT("X-Sluice-Attempts: "));
        at = add_number(at, x->nattempts);
        at = add(at, SPAN_LIT("\r\n"));
        at = add_timing(at, x);
        if (x->dropped.len > 0)
            at = add_field(at, SPAN_LIT("X-Sluice-Dropped: "), x->dropped);
    }
    at = add(at, x->fields);
    at = add(at, x->relayed);
    assert(at <= FIELDS_ROOM);
    return span_of(room, at);
}

static bool is_relayed(enum field_id id)
{
    switch (id) {
    case FIELD_OTHER:
    case FIELD_RETRY_AFTER:
        return true;
    default:
        return false;
    }
}

struct span answer_forwardable(const struct http_head *head, const struct secret *scrub,
                               struct span *upstream_request_id)
{
    struct span connection = head_get(head, FIELD_CONNECTION);
    size_t at = 0;
    for (unsigned i = 0; i < head->nfields; i++) {
        const struct http_field *f = &head->fields[i];
        enum field_id id = f->id;
        if (id == FIELD_REQUEST_ID)
            *upstream_request_id = f->value;
        if (!is_relayed(id) || span_ieq(f->name, SPAN_LIT("cache-control")) ||
            span_ieq(f->name, SPAN_LIT("request-id")) || /* Anthropic's; ours has that name too */
            (connection.len > 0 && connection_names(connection, f->name)) ||
            f->name.len + f->value.len + 4 > FIELDS_ROOM - OURS_ROOM - at)
            continue;
        at = add(at, f->name);
        at = add(at, SPAN_LIT(": "));
        at = add(at, f->value);
        at = add(at, SPAN_LIT("\r\n"));
    }
    if (secret_is_set(scrub))
        secret_scrub(scrub, room, at);
    return span_of(room, at);
}
