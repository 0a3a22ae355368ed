#include "exchange_priv.h"

#include "explaining.h"

#include "sluice/config/plans.h"

#include <assert.h>
#include <stdio.h>

/* The lines of an answer's head. Written by hand into one static buffer, because every request
 * pays for it; used up by sink_head before the next one is made. */

enum { FIELDS_ROOM = 13 * 1024, OURS_ROOM = 4 * 1024 };

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
    const struct attempt *a = x->attempt;
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

/* Of a key; or of the account, where that has fewer left. */
static size_t add_limits(size_t at, const struct exchange *x)
{
    const struct rate_told rate = admission_rate(x);
    if (rate.limit > 0) {
        at = add(at, SPAN_LIT("X-RateLimit-Limit: "));
        at = add_number(at, rate.limit);
        at = add(at, SPAN_LIT("\r\nX-RateLimit-Remaining: "));
        at = add_number(at, rate.remaining);
        at = add(at, SPAN_LIT("\r\n"));
    }
    return add_field(at, SPAN_LIT("X-RateLimit-Tier: "), span_text(rate.tier));
}

/* The next of some field lines, with its end; its name without the colon. */
static struct span next_line(struct span *lines, struct span *name)
{
    struct span from = *lines, rest;
    size_t len = from.len;
    (void)span_cut(lines, '\n');
    struct span line = span_sub(from, 0, len - lines->len);
    rest = line;
    *name = span_cut(&rest, ':');
    return line;
}

static bool has_line(struct span lines, struct span name)
{
    struct span each;
    while (lines.len > 0) {
        (void)next_line(&lines, &each);
        if (span_ieq(each, name))
            return true;
    }
    return false;
}

static size_t add_ids(size_t at, const struct exchange *x, bool has_theirs)
{
    at = add_field(at, SPAN_LIT("X-Request-Id: "), span_of(x->request_id, 32));
    if (api_is_anthropics(x->kind->api) && !has_theirs) /* the name Anthropic's SDKs look for */
        at = add_field(at, SPAN_LIT("Request-Id: "), span_of(x->request_id, 32));
    return at;
}

struct span answer_fields(const struct exchange *x, const char *content_type)
{
    size_t at = add_field(0, SPAN_LIT("Content-Type: "), span_text(content_type));
    if (x->is_stream && span_starts(span_text(content_type), SPAN_LIT("text/event-stream")))
        at = add(at, SPAN_LIT("Cache-Control: no-cache\r\nX-Accel-Buffering: no\r\n"));
    at = add_ids(at, x, x->status >= 400 && has_line(x->attempt->relayed, SPAN_LIT("request-id")));
    bool is_authenticated = x->key != NULL &&
                            x->status != 401; /* a key that expired is known, too */
    if (is_authenticated || x->admission.has_answer)
        at = add_limits(at, x);
    if (x->nattempts > 0) {
        const struct attempt *a = x->attempt;
        const struct target *t = a->target;
        at = add_field(at, SPAN_LIT("X-Sluice-Model: "), span_sub(t->model_id, 0, 512));
        at = add_field(at, SPAN_LIT("X-Sluice-Provider: "), span_text(t->provider->name));
        at = add(at, SPAN_LIT("X-Sluice-Attempts: "));
        at = add_number(at, x->nattempts);
        at = add(at, SPAN_LIT("\r\n"));
        at = add_timing(at, x);
        if (a->dropped.len > 0) {
            at = add_field(at, SPAN_LIT("X-Sluice-Dropped: "), a->dropped);
            at = add_field(at, SPAN_LIT("X-Sluice-Warning: "), a->warning);
        }
    }
    if (response_cache_word(x) != NULL)
        at = add_field(at, SPAN_LIT("X-Sluice-Cache: "), span_text(response_cache_word(x)));
    if (x->wants_reasons && x->plan.nconsidered > 0)
        at = add_field(at, SPAN_LIT("X-Sluice-Explain: "), explaining_field(x));
    at = add(at, x->fields);
    at = add(at, x->attempt->relayed);
    assert(at <= FIELDS_ROOM);
    return span_of(room, at);
}

/* An error passes with the number its provider's support will ask for (Anthropic's field; OpenAI's has
 * the name of ours, and is in the log). Else Request-Id is our own number, too. */
static bool is_relayed(const struct http_head *head, const struct http_field *f)
{
    switch (f->id) {
    case FIELD_OTHER:
        return !span_ieq(f->name, SPAN_LIT("cache-control"));
    case FIELD_RETRY_AFTER:
        return true;
    case FIELD_REQUEST_ID:
        return head->status >= 400 && span_ieq(f->name, SPAN_LIT("request-id"));
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
        if (f->id == FIELD_REQUEST_ID)
            *upstream_request_id = f->value;
        if (!is_relayed(head, f) || (connection.len > 0 && connection_names(connection, f->name)) ||
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

/* --- given again ---------------------------------------------------------------------------------- */

static bool begins_with(struct span name, struct span prefix)
{
    return span_ieq(span_sub(name, 0, prefix.len), prefix);
}

/* What says something of one request: its numbers and times, what was left of its limits, which page may
 * read it. */
static bool is_of_request(struct span name)
{
    static const char *const names[] = {"x-request-id",   "request-id",          "server-timing",
                                        "x-sluice-cache", "x-sluice-explain",    "retry-after",
                                        "retry-after-ms", "x-should-retry",      "vary",
                                        "traceparent",    "idempotency-replayed"};
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (span_ieq(name, span_text(names[i])))
            return true;
    }
    return begins_with(name, SPAN_LIT("x-ratelimit-")) ||
           begins_with(name, SPAN_LIT("anthropic-ratelimit-")) ||
           begins_with(name, SPAN_LIT("access-control-"));
}

int answer_lasting_fields(struct span lines, struct buf *out)
{
    struct span name;
    int rc = 0;
    while (rc == 0 && lines.len > 0) {
        struct span line = next_line(&lines, &name);
        if (!is_of_request(name))
            rc = buf_add(out, line);
    }
    return rc;
}

struct span answer_replayed_fields(const struct exchange *x, struct span lasting, struct span more)
{
    size_t at = add(0, lasting);
    at = add(at, more);
    at = add_ids(at, x, false);
    if (x->admission.has_answer)
        at = add_limits(at, x);
    if (response_cache_word(x) != NULL)
        at = add_field(at, SPAN_LIT("X-Sluice-Cache: "), span_text(response_cache_word(x)));
    return span_of(room, add(at, x->fields));
}

/* --- with errors ---------------------------------------------------------------------------------- */

static size_t add_wait(size_t at, unsigned ms)
{
    at = add(at, SPAN_LIT("Retry-After: "));
    at = add_number(at, ms / 1000 + (ms % 1000 != 0));
    at = add(at, SPAN_LIT("\r\nRetry-After-Ms: "));
    at = add_number(at, ms);
    return add(at, SPAN_LIT("\r\n"));
}

struct span answer_with_wait(struct attempt *a, unsigned retry_after_ms)
{
    struct span lines = a->relayed, name;
    size_t at = 0;
    while (lines.len > 0) {
        struct span line = next_line(&lines, &name);
        if (!span_ieq(name, SPAN_LIT("retry-after")) && !span_ieq(name, SPAN_LIT("retry-after-ms")))
            at = add(at, line);
    }
    at = add_wait(at, retry_after_ms);
    return arena_keep(&a->x->sending, span_of(room, at));
}

/* Limits of a provider that spells them as the client's own would. */
static bool is_known_limit(const struct exchange *x, struct span name)
{
    if (api_is_anthropics(x->kind->api))
        return begins_with(name, SPAN_LIT("anthropic-ratelimit-"));
    return begins_with(name, SPAN_LIT("x-ratelimit-")) || begins_with(name, SPAN_LIT("x-codex-"));
}

/* Has all been tried that could be, and nobody said that waiting helps? SDKs ask again on any 408 and
 * 5xx, and each time every endpoint would be asked once more. */
static bool is_pointless_to_retry(const struct exchange *x, const struct fault *why)
{
    switch (why->kind) {
    case FAULT_TIMEOUT:
        return x->nattempts > 0; /* it would take as long again */
    case FAULT_UPSTREAM:
    case FAULT_UPSTREAM_TIMEOUT:
        return x->ntried > 1 && x->retry_after_ms == 0;
    default:
        return fault_is_lasting(why);
    }
}

static unsigned wait_of(const struct exchange *x, const struct fault *why)
{
    bool is_providers = why->kind == FAULT_UPSTREAM_RATE_LIMITED ||
                        why->kind == FAULT_UPSTREAM_UNAVAILABLE;
    return is_providers && x->retry_after_ms != 0 ? x->retry_after_ms : fault_retry_after_ms(why);
}

struct span answer_fault_fields(struct exchange *x, const struct fault *why)
{
    struct span lines = x->attempt->relayed, name;
    unsigned wait_ms = wait_of(x, why);
    size_t at = 0;
    while (lines.len > 0) {
        struct span line = next_line(&lines, &name);
        if (is_known_limit(x, name))
            at = add(at, line);
    }
    if (wait_ms > 0)
        at = add_wait(at, wait_ms);
    else if (is_pointless_to_retry(x, why))
        at = add(at, SPAN_LIT("X-Should-Retry: false\r\n"));
    return arena_keep(&x->sending, span_of(room, at));
}
