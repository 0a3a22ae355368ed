#include "hedge.h"

#include "retry.h"

#include "sluice/net/offload.h"

#include <stddef.h>
#include <stdlib.h>

enum { KEPT_HEDGES = 10 }; /* what quiet times may save up */

struct hedge {
    struct exchange *x;
    struct deadline due;
    bool has_started;   /* one rival a request */
    struct attempt *at; /* where it lies; NULL: none was started */
};

static const struct hedge_options *options_of(const struct exchange *x)
{
    return &x->deployment->snapshot->routing.hedge;
}

static struct allowance_terms terms_of(const struct exchange *x)
{
    return (struct allowance_terms){
        .each_earns_ppm = options_of(x)->max_share_ppm,
        .most = KEPT_HEDGES,
    };
}

/* --- which requests --------------------------------------------------------------------------------- */

/* The provider would keep both answers. */
static bool is_stored(const struct exchange *x)
{
    if (x->kind->api != API_RESPONSES)
        return false;
    for (unsigned i = 0; i < x->request->nnoted; i++) {
        if (x->request->noted[i].role == NOTED_STORE)
            return x->request->noted[i].member.kind != JSON_FALSE;
    }
    return x->plan.attempts[0].target->provider->stores_responses;
}

/* A large body is translated on another thread, which borrows it: two attempts cannot share that, and
 * what is dear to send is not sent twice. */
static bool may_be_hedged(const struct exchange *x)
{
    bool is_generation = x->kind->api != API_COUNT_TOKENS && x->kind->api != API_OTHER &&
                         !api_is_media(x->kind->api);
    return is_generation && x->may_hedge && x->plan.n > 1 &&
           buf_len(&x->body.bytes) <= OFFLOAD_FROM_BYTES && !is_stored(x);
}

/* --- the second attempt ----------------------------------------------------------------------------- */

/* Asked for the same model, and by the same people's money. */
static bool is_like(const struct planned_attempt *a, const struct planned_attempt *b)
{
    return a->with_own_key == b->with_own_key && span_eq(a->target->model_id, b->target->model_id);
}

static bool has_candidate(struct exchange *x)
{
    const struct planned_attempt *left = &x->plan.attempts[x->nattempts];
    return x->nattempts < x->plan.n && is_like(left - 1, left) && retry_prefers_who_is_well(x);
}

static void on_due(struct deadline *d)
{
    struct hedge *h = (struct hedge *)((char *)d - offsetof(struct hedge, due));
    struct exchange *x = h->x;
    const struct allowance_terms terms = terms_of(x);
    if (x->attempt->state == ATTEMPT_NEW) { /* it is being translated: nobody was asked yet */
        hedge_watch(x);
        return;
    }
    if (!has_candidate(x) ||
        !allowance_take(&x->gateway->hedges, &terms, loop_now_ms(x->gateway->loop)))
        return;
    h->has_started = true;
    h->at = xcalloc(1, sizeof *h->at);
    x->rival = h->at;
    attempt_start(x->rival, x, &x->plan.attempts[x->nattempts++]);
}

void hedge_open(struct exchange *x)
{
    if (!options_of(x)->enabled)
        return;
    const struct allowance_terms terms = terms_of(x);
    allowance_earn(&x->gateway->hedges, &terms);
    if (!may_be_hedged(x))
        return;
    x->hedge = ARENA_NEW(&x->arena, struct hedge);
    x->hedge->x = x;
    deadline_init(&x->hedge->due, x->gateway->loop, on_due);
}

void hedge_watch(struct exchange *x)
{
    struct hedge *h = x->hedge;
    if (h == NULL || h->has_started || x->state != EXCHANGE_ATTEMPTING)
        return;
    const struct target *t = x->plan.attempts[x->nattempts - 1].target;
    unsigned patience = options_of(x)->after;
    if ((patience & HEDGE_AFTER_QUANTILE) != 0)
        patience = health_patience_ms(health_of(x->deployment->health, t), x->wants_stream,
                                      patience & ~HEDGE_AFTER_QUANTILE);
    deadline_set(&h->due, patience); /* 0, for nobody knows: never */
}

/* --- how it ends ------------------------------------------------------------------------------------ */

static void count(struct exchange *x, bool won)
{
    metric_add(x->gateway->instruments.hedges[won], 1);
}

/* What the provider may ask us for a prompt whose answer nobody wanted. */
static uint64_t estimate(const struct attempt *a)
{
    const struct usage read = {.prompt = exchange_prompt_estimate(a->x)};
    return a->sent_us != 0 && a->own == NULL ? cost_of(&read, a->target->price).total_pd : 0;
}

static void cancel(struct attempt *a)
{
    struct exchange *x = a->x;
    uint64_t cost_pd = estimate(a);
    exchange_note_tried(a, RESULT_CANCELLED, cost_pd);
    metric_add(x->gateway->instruments.hedge_cost, (double)cost_pd * 1e-12);
    attempt_end(a, RESULT_CANCELLED);
    lane_reset(&a->lane);
}

/* It took at least so long. Were the slow ones left out because others were quicker, nobody would seem
 * slow, and the patience with them would shrink. */
static void note_slowness(const struct attempt *a)
{
    if (a->health != NULL && a->sent_us != 0)
        health_note_wait(a->health, a->x->wants_stream, clock_us() - a->sent_us);
}

void hedge_decide(struct attempt *winner)
{
    struct exchange *x = winner->x;
    struct attempt *first = x->attempt, *rival = x->rival;
    if (x->hedge == NULL)
        return;
    deadline_clear(&x->hedge->due);
    if (rival == NULL)
        return;
    count(x, winner == rival);
    if (winner == rival)
        note_slowness(first);
    cancel(winner == rival ? first : rival);
    x->attempt = winner;
    x->rival = NULL;
}

bool hedge_takes_back(struct attempt *failed, enum attempt_result result)
{
    struct exchange *x = failed->x;
    bool is_taken_back = failed == x->rival && result == RESULT_UNSUPPORTED;
    if (is_taken_back)
        x->nattempts--;
    return is_taken_back;
}

void hedge_go_on_without(struct attempt *failed)
{
    struct exchange *x = failed->x;
    count(x, failed != x->rival);
    if (failed != x->rival)
        x->attempt = x->rival;
    x->rival = NULL;
}

void hedge_stop(struct exchange *x)
{
    if (x->hedge == NULL)
        return;
    deadline_clear(&x->hedge->due);
    if (x->rival == NULL)
        return;
    count(x, false);
    cancel(x->rival);
    x->rival = NULL;
}

void hedge_close(struct exchange *x)
{
    if (x->hedge == NULL || x->hedge->at == NULL)
        return;
    lane_reset(&x->hedge->at->lane);
    free(x->hedge->at);
}
