#include "lanes.h"

#include "sluice/base/wait.h"
#include "sluice/codec/provider_error.h"
#include "sluice/http/retry_after.h"

/* What the provider answers with a status of 400 or more: its own body for the client when the
 * request is at fault, a reason to try another endpoint when the provider is. */

enum { ERROR_MAX = 64 * 1024 };

void error_lane_open(struct attempt *a, const struct http_head *head)
{
    struct exchange *x = a->x;
    a->lane.retry_after_ms = retry_after_read(head, clock_unix_ms());
    a->lane.error_word = arena_keep(&x->sending, head_value(head, "x-amzn-errortype"));
}

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
    case 424:
    case 425:
    case 429:
        return true;
    default:
        return status >= 500;
    }
}

/* A fault of the request's, or one every endpoint would have: the provider's own body, unmodified. */
static void relay_error(struct attempt *a, struct span body, const struct fault *said)
{
    struct exchange *x = a->x;
    bool is_limited = said->kind == FAULT_UPSTREAM_RATE_LIMITED;
    x->outcome = is_limited               ? OUTCOME_RATE_LIMITED
                 : fault_is_lasting(said) ? OUTCOME_UPSTREAM_ERROR
                                          : OUTCOME_CLIENT_ERROR;
    x->error_type = is_limited ? fault_type(said) : "upstream_error";
    if (is_limited && x->retry_after_ms != 0 &&
        wait_shorter(x->retry_after_ms, said->retry_after_ms) != said->retry_after_ms)
        a->relayed = answer_with_wait(a, x->retry_after_ms); /* another endpoint is free earlier */
    struct buf copy = {0};
    if (buf_add(&copy, body) == 0)
        secret_scrub(attempt_secret(a), copy.at, copy.tail);
    body = buf_span(&copy);
    exchange_begin_answer(a, a->status, "application/json", LENGTH_UNKNOWN);
    sink_end(x->sink, &body, 1);
    buf_fini(&copy);
    attempt_end(a, RESULT_STATUS_4XX);
    exchange_finish(x);
}

/* Not every server that speaks Anthropic's protocol counts tokens, too. */
static bool cannot_count(const struct attempt *a)
{
    const struct exchange *x = a->x;
    unsigned status = a->status;
    return x->kind->api == API_COUNT_TOKENS && (status == 404 || status == 405 || status == 501);
}

/* About our credential or account, or the provider's own trouble: nothing a client could act on. */
static bool is_ours(unsigned status)
{
    return status == 401 || status == 402 || status == 424 || status >= 500;
}

/* Who says when to come back is not asked before, as long as there are others. */
static void leave_alone(struct attempt *a, const struct fault *said)
{
    bool is_busy = said->kind == FAULT_UPSTREAM_RATE_LIMITED ||
                   said->kind == FAULT_UPSTREAM_UNAVAILABLE;
    if (is_busy && said->retry_after_ms > 0 && a->health != NULL)
        health_cool(a->health, said->retry_after_ms);
}

void error_lane_end(struct attempt *a)
{
    struct exchange *x = a->x;
    struct span body = buf_span(&a->lane.held);
    unsigned status = a->status;
    if (cannot_count(a)) {
        attempt_end(a, RESULT_STATUS_4XX);
        exchange_count_here(x);
        return;
    }
    struct attempt_failure f = {
        .result = status >= 500 ? RESULT_STATUS_5XX : RESULT_STATUS_4XX,
        .next_may_help = next_may_help(status),
    };
    bool has_envelope = provider_error_read_answer(status, a->lane.error_word, body, &f.fault);
    if (a->lane.retry_after_ms != 0)
        f.fault.retry_after_ms = a->lane.retry_after_ms;
    leave_alone(a, &f.fault);
    bool passes = a->dialect.upstream == NULL && has_envelope && !is_ours(status);
    f.next_may_help |= fault_is_lasting(&f.fault) ||
                       (!passes && f.fault.kind == FAULT_CONTEXT_LENGTH);
    bool is_last = x->nattempts == x->plan.n || !f.next_may_help;
    if (passes && is_last && !x->head_sent) {
        relay_error(a, body, &f.fault);
        return;
    }
    lane_sign(a, &f.fault);
    exchange_attempt_failed(a, &f);
}

void error_lane_data(struct attempt *a, const struct span *spans, unsigned n, bool last)
{
    struct pass_lane *l = &a->lane;
    for (unsigned i = 0; i < n; i++) {
        size_t room = ERROR_MAX - buf_len(&l->held);
        if (buf_add(&l->held, span_sub(spans[i], 0, room)) < 0)
            break; /* what is there will do */
    }
    if (last || buf_len(&l->held) == ERROR_MAX)
        error_lane_end(a);
}
