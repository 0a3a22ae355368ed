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

void error_lane_end(struct attempt *a)
{
    struct span body = buf_span(&a->lane.held);
    unsigned status = a->status;
    if (cannot_count(a)) {
        a->blame = BLAME_MATCH;
        attempt_end(a, RESULT_STATUS_4XX);
        exchange_count_here(a->x);
        return;
    }
    struct attempt_failure f = {.result = status >= 500 ? RESULT_STATUS_5XX : RESULT_STATUS_4XX};
    bool has_envelope = provider_error_read_answer(status, a->lane.error_word, body, &f.fault);
    if (a->lane.retry_after_ms != 0)
        f.fault.retry_after_ms = a->lane.retry_after_ms;
    f.passes = a->dialect.upstream == NULL && has_envelope && !is_ours(status);
    f.blame = blame_for(status, f.fault.kind);
    if (f.passes && f.fault.kind == FAULT_CONTEXT_LENGTH)
        f.blame = BLAME_REQUEST; /* its own words tell the client what to do */
    lane_sign(a, &f.fault);
    exchange_attempt_failed(a, &f);
}

void error_lane_skip(struct attempt *a, const struct http_head *head)
{
    unsigned status = a->status;
    struct attempt_failure f = {.result = status >= 500 ? RESULT_STATUS_5XX : RESULT_STATUS_4XX};
    (void)provider_error_read_answer(status, SPAN_NONE, SPAN_NONE, &f.fault);
    f.fault.retry_after_ms = retry_after_read(head, clock_unix_ms());
    f.blame = blame_for(status, f.fault.kind);
    lane_sign(a, &f.fault);
    exchange_attempt_failed(a, &f);
}

void error_lane_relay(struct attempt *a, const struct fault *said)
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
    if (buf_add(&copy, buf_span(&a->lane.held)) == 0)
        secret_scrub(attempt_secret(a), copy.at, copy.tail);
    struct span body = buf_span(&copy);
    exchange_begin_answer(a, a->status, "application/json", LENGTH_UNKNOWN);
    sink_end(x->sink, &body, 1);
    buf_fini(&copy);
    attempt_end(a, RESULT_STATUS_4XX);
    exchange_finish(x);
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
