#include "history_note.h"

#include "exchange_priv.h"

#include "sluice/base/dollars.h"
#include "sluice/store/history.h"

/* Requests without a key that is good are left out: whoever has none could fill the history with them. The
 * access log has them all. */
static bool is_call(const struct exchange *x)
{
    return x->kind->api != API_OTHER && x->kind->take == NULL && !x->kind->explains &&
           x->kind->estimates == ESTIMATES_NOTHING && x->trial == NULL &&
           (x->key != NULL || !x->deployment->snapshot->auth_required);
}

static enum history_status status_of(const struct exchange *x)
{
    if (x->outcome == OUTCOME_OK)
        return CALL_SUCCEEDED;
    if (x->outcome == OUTCOME_CLIENT_GONE)
        return CALL_GIVEN_UP;
    if (x->error_type != NULL && strcmp(x->error_type, "timeout") == 0)
        return CALL_TIMED_OUT;
    return CALL_FAILED;
}

/* What a model's maker calls it, in the words of Chat Completions; those already are go as they came. */
static struct span finish_of(struct span native)
{
#define WORD(text) {(const uint8_t *)(text), sizeof(text) - 1}
    static const struct {
        struct span native, common;
    } words[] = {
        {WORD("end_turn"), WORD("stop")},
        {WORD("stop_sequence"), WORD("stop")},
        {WORD("completed"), WORD("stop")},
        {WORD("STOP"), WORD("stop")},
        {WORD("max_tokens"), WORD("length")},
        {WORD("max_output_tokens"), WORD("length")},
        {WORD("incomplete"), WORD("length")},
        {WORD("MAX_TOKENS"), WORD("length")},
        {WORD("tool_use"), WORD("tool_calls")},
        {WORD("function_call"), WORD("tool_calls")},
        {WORD("refusal"), WORD("content_filter")},
        {WORD("SAFETY"), WORD("content_filter")},
        {WORD("guardrail_intervened"), WORD("content_filter")},
        {WORD("failed"), WORD("error")},
    };
#undef WORD
    for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (span_eq(native, words[i].native))
            return words[i].common;
    }
    return native;
}

static bool was_sticky(const struct exchange *x, const struct target *t)
{
    for (unsigned i = 0; i < x->nattempts && i < x->plan.n; i++) {
        if (x->plan.attempts[i].target == t)
            return x->plan.attempts[i].place == PLACE_CONVERSATION;
    }
    return false;
}

static uint64_t flags_of(const struct exchange *x, const struct target *t)
{
    return (x->is_stream ? CALL_STREAMED : 0) | (x->cost.is_byok ? CALL_ON_OWN_KEY : 0) |
           (t != NULL && was_sticky(x, t) ? CALL_STICKY : 0) |
           (x->cost.is_insured ? CALL_INSURED : 0) |
           (x->attempt->usage.source == USAGE_ESTIMATED ? CALL_USAGE_ESTIMATED : 0);
}

static void note_target(const struct exchange *x, const struct target *t, struct history_record *r)
{
    r->text[HISTORY_MODEL] = t->model_id;
    r->text[HISTORY_UPSTREAM_MODEL] = t->upstream_model;
    r->text[HISTORY_PROVIDER] = catalog_provider_slug(x->deployment->catalog, t->provider_index);
    r->text[HISTORY_ENDPOINT] = t->slug;
    r->number[HISTORY_LIST_COST_PD] = x->cost.list_pd;
    r->number[HISTORY_DISCOUNTED_COST_PD] = dollars_share(x->cost.list_pd,
                                                          exchange_discount_ppm(x));
}

static void note_usage(const struct usage *u, struct history_record *r)
{
    r->number[HISTORY_INPUT_TOKENS] = u->prompt;
    r->number[HISTORY_OUTPUT_TOKENS] = u->completion;
    r->number[HISTORY_CACHED_TOKENS] = u->cached;
    r->number[HISTORY_CACHE_WRITE_TOKENS] = u->cache_write;
    r->number[HISTORY_REASONING_TOKENS] = u->reasoning;
}

static void note_attempt(struct history_record *r, const struct fault_attempt *a)
{
    if (r->nattempts == HISTORY_ATTEMPTS_MAX)
        return;
    r->attempts[r->nattempts++] = (struct history_attempt){
        .endpoint = span_text(a->endpoint),
        .result = span_text(a->type),
        .status = a->status,
        .latency_ms = a->latency_ms,
    };
}

/* Those that came to nothing, and the one that answered. */
static void note_attempts(const struct exchange *x, struct history_record *r)
{
    const struct attempt *a = x->attempt;
    for (unsigned i = 0; i < x->ntried; i++)
        note_attempt(r, &x->tried[i]);
    if (x->nattempts > x->ntried) {
        const struct fault_attempt told = attempt_told(a, a->result, a->ended_us);
        note_attempt(r, &told);
    }
}

void history_note(const struct exchange *x, uint64_t duration_us)
{
    struct history *h = store_history(x->gateway->store);
    const struct attempt *a = x->attempt;
    const struct target *target = x->nattempts > 0 ? a->target : NULL;
    struct history_record r;
    if (!history_is_kept(h) || !is_call(x))
        return;
    memset(&r, 0, offsetof(struct history_record, attempts));
    r.nattempts = 0;
    r.time_unix_ms = x->opened_unix_ms + duration_us / 1000;
    if (!history_id_read(span_of(x->request_id, 32), r.id))
        return;
    r.number[HISTORY_STATUS] = status_of(x);
    r.number[HISTORY_HTTP_STATUS] = x->status;
    r.number[HISTORY_FLAGS] = flags_of(x, target);
    r.number[HISTORY_DURATION_US] = duration_us;
    r.number[HISTORY_TTFT_US] = x->ttft_us;
    r.number[HISTORY_OVERHEAD_US] = x->overhead_us;
    r.number[HISTORY_FINAL_COST_PD] = x->cost.total_pd;
    r.number[HISTORY_BYOK_COST_PD] = x->cost.byok_pd;
    note_usage(&a->usage, &r);
    r.text[HISTORY_CLIENT_REQUEST_ID] = x->client_request_id;
    r.text[HISTORY_ENDPOINT_ROW] = span_text(x->kind->label);
    r.text[HISTORY_KEY_ID] = span_text(x->key != NULL ? x->key->id : NULL);
    r.text[HISTORY_KEY_NAME] = span_text(x->key != NULL ? x->key->name : NULL);
    r.text[HISTORY_ERROR_TYPE] = span_text(x->error_type);
    r.text[HISTORY_NATIVE_FINISH_REASON] = span_of(a->finish_reason, strlen(a->finish_reason));
    r.text[HISTORY_FINISH_REASON] = finish_of(r.text[HISTORY_NATIVE_FINISH_REASON]);
    if (target != NULL)
        note_target(x, target, &r);
    note_attempts(x, &r);
    history_append(h, &r);
}
