#include "access_record.h"
#include "exchange_priv.h"
#include "history_note.h"

/* After the last byte: what it cost, what the metrics say, and the one record of the request. */

/* What routing learns of it. */
static void note_figures(const struct exchange *x)
{
    const struct attempt *a = x->attempt;
    bool is_answer = x->trial == NULL && a->health != NULL && a->result == RESULT_OK &&
                     x->kind->api != API_OTHER;
    if (!is_answer || a->sent_us == 0 || a->ended_us <= a->sent_us)
        return;
    health_note(
        health_of(x->deployment->health, a->target), /* as fast with any key */
        &(struct health_figures){
            .is_stream = x->is_stream,
            .first_token_us = a->first_token_us > a->sent_us ? a->first_token_us - a->sent_us : 0,
            .total_us = a->ended_us - a->sent_us,
            .output_tokens = a->usage.completion,
        });
}

void settle_times(struct exchange *x)
{
    const struct attempt *a = x->attempt;
    if (x->has_times)
        return;
    uint64_t until = x->first_write_us != 0 ? x->first_write_us : clock_us();
    uint64_t elsewhere = a->connect_us;
    if (a->sent_us != 0)
        elsewhere += (a->head_us != 0 ? a->head_us : until) - a->sent_us;
    x->has_times = true;
    x->overhead_us = until - x->opened_us > elsewhere ? until - x->opened_us - elsewhere : 0;
    if (a->first_token_us != 0 && a->sent_us != 0)
        x->ttft_us = a->first_token_us - a->sent_us;
}

void settle(struct exchange *x)
{
    struct instruments *i = &x->gateway->instruments;
    uint64_t duration_us = clock_us() - x->opened_us;
    struct attempt *a = x->attempt;
    const struct target *target = x->nattempts > 0 ? a->target : NULL;

    settle_times(x);
    if (x->outcome == OUTCOME_CLIENT_GONE && !x->head_sent)
        x->status = 499; /* nginx's word for it: no status was ever sent */
    attempt_estimate_usage(a, x->outcome == OUTCOME_OK);
    note_figures(x);
    if (a->health != NULL && a->result == RESULT_OK)
        sticky_remember(x);
    if (target != NULL)
        x->cost = attempt_cost(a);
    struct request_figures figures = {
        .outcome = x->outcome,
        .status = x->status,
        .stream = x->is_stream,
        .duration_us = duration_us,
        .ttft_us = continuation_is_on(x) ? 0 : x->ttft_us, /* it was another one's */
        .usage = &a->usage,
        .cost = &x->cost,
    };
    route_series_record(instruments_route(i, x->kind->label, target), &figures);
    if (x->trace != NULL && x->nattempts > x->ntried)
        trace_attempt(a, a->result);
    continuation_settle(x);
    admission_settle(x);
    if (x->dispatched_us != 0) {
        metric_observe(i->overhead[OVERHEAD_DISPATCH],
                       (double)(x->dispatched_us - x->opened_us) * 1e-6);
        if (a->head_us != 0 && x->first_write_us > a->head_us)
            metric_observe(i->overhead[OVERHEAD_FIRST_WRITE],
                           (double)(x->first_write_us - a->head_us) * 1e-6);
    }
    if (x->trace != NULL)
        trace_settle(x, duration_us);
    access_record_write(x, duration_us);
    history_note(x, duration_us);
}
