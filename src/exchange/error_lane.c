#include "lanes.h"

#include "sluice/codec/provider_error.h"

#include <stdio.h>
#include <string.h>

/* What the provider answers with a status of 400 or more: its own body for the client when the
 * request is at fault, a reason to try another endpoint when the provider is. */

enum { ERROR_MAX = 64 * 1024 };

/* Statuses after which another endpoint may do better (contract 2.1, fallback loop). */
static bool next_may_help(unsigned status)
{
    switch (status) {
    case 401:
    case 402:
    case 403:
    case 404:
    case 408:
    case 409:
    case 425:
    case 429:
        return true;
    default:
        return status >= 500;
    }
}

/* A whole number in a field of the provider's answer; 0 when it is not there, or a date. */
static unsigned number_in(const struct exchange *x, struct span name_and_colon)
{
    struct span lines = x->relayed;
    while (lines.len > 0) {
        struct span line = span_cut(&lines, '\n');
        uint64_t n;
        if (span_ieq(span_sub(line, 0, name_and_colon.len), name_and_colon) &&
            span_to_u64(
                span_trim(span_sub(line, name_and_colon.len, line.len - name_and_colon.len - 1)),
                &n))
            return n < 86400000 ? (unsigned)n : 86400000;
    }
    return 0;
}

static void read_retry_after(const struct exchange *x, struct fault *f)
{
    f->retry_after_ms = number_in(x, SPAN_LIT("retry-after-ms:"));
    f->retry_after_s = number_in(x, SPAN_LIT("retry-after:"));
    if (f->retry_after_s == 0)
        f->retry_after_s = (f->retry_after_ms + 999) / 1000;
}

/* The provider's message when it has one, else the first printable part of what it sent. */
static void describe(struct exchange *x, struct span body, char *out, size_t size)
{
    struct json_member error, message;
    char text[240];
    long len = -1;
    if (json_get(body, "error", &error)) {
        struct span value = json_value(body, &error);
        if (error.kind == JSON_STRING)
            len = json_string(value, text, sizeof text);
        else if (json_get(value, "message", &message))
            len = json_string(json_value(value, &message), text, sizeof text);
    } else if (json_get(body, "message", &message)) { /* AWS */
        len = json_string(json_value(body, &message), text, sizeof text);
    }
    if (len < 0) {
        len = 0;
        for (size_t i = 0; i < body.len && len < (long)sizeof text - 1; i++)
            text[len++] = body.at[i] >= ' ' && body.at[i] < 0x7f ? (char)body.at[i] : ' ';
    }
    secret_scrub(attempt_secret(&x->attempt), (uint8_t *)text, (size_t)len);
    snprintf(out, size, "provider %s: it answered %u: %.*s", x->attempt.target->provider->name,
             x->attempt.status, (int)len, len > 0 ? text : "");
}

/* Anybody's words for it; those of the client's protocol are found again when the fault is written. */
static bool is_too_long(struct span body)
{
    struct json_member m;
    struct fault f;
    provider_error_read(json_get(body, "error", &m) ? json_value(body, &m) : body, &f);
    return f.kind == FAULT_CONTEXT_LENGTH;
}

static bool is_error_envelope(struct span body)
{
    struct json_member m;
    return json_get(body, "error", &m) && (m.kind == JSON_OBJECT || m.kind == JSON_STRING);
}

/* A fault of the request's, or one every endpoint would have: the provider's own body, unmodified. */
static void relay_error(struct exchange *x, struct span body)
{
    unsigned status = x->attempt.status;
    x->outcome = status == 429 ? OUTCOME_RATE_LIMITED : OUTCOME_CLIENT_ERROR;
    x->error_type = status == 429 ? "upstream_rate_limited" : "upstream_error";
    struct buf copy = {0};
    if (buf_add(&copy, body) == 0)
        secret_scrub(attempt_secret(&x->attempt), copy.at, copy.tail);
    body = buf_span(&copy);
    exchange_send_head(x, status, "application/json", LENGTH_UNKNOWN);
    exchange_commit(x);
    sink_end(x->sink, &body, 1);
    buf_fini(&copy);
    attempt_end(&x->attempt, RESULT_STATUS_4XX);
    exchange_finish(x);
}

/* Not every server that speaks Anthropic's protocol counts tokens, too. */
static bool cannot_count(const struct exchange *x)
{
    unsigned status = x->attempt.status;
    return x->kind->api == API_COUNT_TOKENS && (status == 404 || status == 405 || status == 501);
}

void error_lane_end(struct exchange *x)
{
    struct span body = buf_span(&x->lane.held);
    unsigned status = x->attempt.status;
    if (cannot_count(x)) {
        attempt_end(&x->attempt, RESULT_STATUS_4XX);
        exchange_count_here(x);
        return;
    }
    struct attempt_failure f = {
        .result = status >= 500 ? RESULT_STATUS_5XX : RESULT_STATUS_4XX,
        .next_may_help = next_may_help(status),
        .fault = {.kind = FAULT_UPSTREAM},
    };
    read_retry_after(x, &f.fault);
    describe(x, body, f.fault.message, sizeof f.fault.message);
    bool is_last = x->nattempts == x->plan.n || !f.next_may_help;
    bool is_ours = status == 401 || status == 402 ||
                   status >= 500; /* our credential or account, or the provider's own trouble */
    bool is_same_protocol = x->attempt.dialect.upstream == NULL;
    if (is_last && !is_ours && !x->head_sent && is_same_protocol && is_error_envelope(body)) {
        relay_error(x, body);
        return;
    }
    if (status == 503 || status == 529) {
        f.fault.kind = FAULT_UPSTREAM_UNAVAILABLE;
        if (f.fault.retry_after_s == 0)
            f.fault.retry_after_s = 30;
    } else if (status == 429) {
        f.fault.kind = FAULT_UPSTREAM_RATE_LIMITED;
    } else if (status == 401) {
        snprintf(f.fault.message, sizeof f.fault.message,
                 "provider %s: it refused the gateway's own credential (401): check its api_key",
                 x->attempt.target->provider->name);
    } else if (status == 402) {
        snprintf(f.fault.message, sizeof f.fault.message,
                 "provider %s: it wants to be paid first (402): check the account",
                 x->attempt.target->provider->name);
    } else if (!is_ours && is_too_long(body)) {
        f.fault.kind = FAULT_CONTEXT_LENGTH;
        f.next_may_help = true; /* one that can read more */
    } else if (!is_ours) {
        f.fault.status = status; /* not JSON: our envelope, their status */
        f.fault.kind = FAULT_INVALID_REQUEST;
    }
    exchange_attempt_failed(x, &f);
}

void error_lane_data(struct exchange *x, const struct span *spans, unsigned n, bool last)
{
    struct pass_lane *l = &x->lane;
    for (unsigned i = 0; i < n; i++) {
        size_t room = ERROR_MAX - buf_len(&l->held);
        if (buf_add(&l->held, span_sub(spans[i], 0, room)) < 0)
            break; /* what is there will do */
    }
    if (last || buf_len(&l->held) == ERROR_MAX)
        error_lane_end(x);
}
