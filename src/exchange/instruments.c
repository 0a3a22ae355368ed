#include "sluice/exchange/instruments.h"

#include "gen_ai_metrics.h"

#include "sluice/base/arena.h"

#include <stdio.h>
#include <stdlib.h>

enum { CODE_CLASSES = 6, TOKEN_TYPES = 11 };

struct route_series {
    char key[256];
    const char *api, *model, *provider; /* label values, in `key` */
    struct instruments *home;
    struct metric_series *requests[OUTCOMES][CODE_CLASSES]; /* made when first needed */
    struct metric_series *duration[2];
    struct metric_series *ttft, *token_seconds, *cost;
    struct metric_series *tokens[TOKEN_TYPES][USAGE_SOURCES];
    bool has_gen_ai;
    struct gen_ai_series gen_ai;
};

static const double seconds[] = {0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
                                 2.5,   5,     10,   25,    60,   120, 300,  600};
static const double overhead[] = {10e-6,  20e-6,  35e-6, 50e-6,  75e-6, 100e-6, 150e-6,
                                  250e-6, 500e-6, 1e-3,  2.5e-3, 5e-3,  10e-3,  50e-3};
static const double first_token[] = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5,
                                     0.75,  1,     2.5,  5,    7.5,  10,   20,   30,  60};
static const double per_token[] = {0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04,
                                   0.05,  0.075,  0.1,   0.15, 0.2,   0.3,  0.5,  1};

#define BUCKETS(table) table, sizeof table / sizeof table[0]
#define NO_BUCKETS NULL, 0

const char *outcome_name(enum outcome o)
{
    static const char *const names[] = {"ok",           "client_error", "upstream_error",
                                        "rate_limited", "rejected",     "client_gone"};
    return names[o];
}

const char *attempt_result_name(enum attempt_result r)
{
    static const char *const names[] = {"ok",  "connect_failed", "timeout",   "4xx",
                                        "5xx", "broken",         "cancelled", "unsupported"};
    return names[r];
}

const char *continuation_outcome_name(enum continuation_outcome o)
{
    static const char *const names[] = {"continued", "refused", "failed"};
    return names[o];
}

static const char *idempotency_result_name(enum idempotency_result r)
{
    static const char *const names[] = {"first", "replayed", "in_flight", "conflict", "lost"};
    return names[r];
}

const char *cache_result_name(enum cache_result r)
{
    static const char *const names[] = {"hit", "miss", "bypass"};
    return names[r];
}

static struct metric_series *plain(struct metric_registry *r, enum metric_kind kind,
                                   const char *name, const char *help)
{
    return metric_series(metric_declare(r, kind, name, help, "", NO_BUCKETS), NULL);
}

static struct metric_series *labelled(struct metric_family *f, const char *value)
{
    return metric_series(f, &value);
}

static const char *const limit_names[LIMITS] = {
    [LIMIT_REQUESTS] = "requests", [LIMIT_TOKENS] = "tokens", [LIMIT_CONCURRENCY] = "concurrency",
    [LIMIT_TASKS] = "tasks",       [LIMIT_BUDGET] = "budget", [LIMIT_BALANCE] = "balance",
};

static void declare_replays(struct instruments *i, struct metric_registry *r)
{
    struct metric_family *keyed = metric_declare(r, METRIC_COUNTER, "sluice_idempotency_total",
                                                 "Requests with an idempotency key.", "result",
                                                 NO_BUCKETS);
    struct metric_family *cached = metric_declare(r, METRIC_COUNTER, "sluice_response_cache_total",
                                                  "Requests with cache_strategy: infrai.", "result",
                                                  NO_BUCKETS);
    for (unsigned k = 0; k < IDEMPOTENCY_RESULTS; k++)
        i->idempotency[k] = labelled(keyed, idempotency_result_name((enum idempotency_result)k));
    for (unsigned k = 0; k < CACHE_RESULTS; k++)
        i->cache[k] = labelled(cached, cache_result_name((enum cache_result)k));
}

void instruments_init(struct instruments *i, struct metric_registry *r)
{
    *i = (struct instruments){.registry = r};
    declare_replays(i, r);
    i->requests = metric_declare(r, METRIC_COUNTER, "sluice_requests_total",
                                 "Requests by what became of them.",
                                 "api,model,provider,code,outcome", NO_BUCKETS);
    i->duration = metric_declare(r, METRIC_HISTOGRAM, "sluice_request_duration_seconds",
                                 "From the request's head to the last byte of its answer.",
                                 "api,model,stream", BUCKETS(seconds));
    struct metric_family *phases = metric_declare(r, METRIC_HISTOGRAM, "sluice_overhead_seconds",
                                                  "Time the gateway itself added, by phase.",
                                                  "phase", BUCKETS(overhead));
    i->overhead[OVERHEAD_ADMIT] = labelled(phases, "admit");
    i->overhead[OVERHEAD_DISPATCH] = labelled(phases, "dispatch");
    i->overhead[OVERHEAD_FIRST_WRITE] = labelled(phases, "first_write");
    i->ttft = metric_declare(r, METRIC_HISTOGRAM, "sluice_time_to_first_token_seconds",
                             "From dispatch to the first token of a stream.", "model,provider",
                             BUCKETS(first_token));
    i->token_seconds = metric_declare(r, METRIC_HISTOGRAM, "sluice_output_token_seconds",
                                      "Time per output token after the first.", "model,provider",
                                      BUCKETS(per_token));
    i->tokens = metric_declare(r, METRIC_COUNTER, "sluice_tokens_total", "Tokens metered.",
                               "model,provider,type,source", NO_BUCKETS);
    i->cost = metric_declare(r, METRIC_COUNTER, "sluice_cost_usd_total",
                             "Cost at the configured prices, in US dollars.", "model,provider",
                             NO_BUCKETS);
    i->attempts = metric_declare(r, METRIC_COUNTER, "sluice_upstream_attempts_total",
                                 "Attempts at an endpoint by result.", "endpoint,result",
                                 NO_BUCKETS);
    struct metric_family *refused =
        metric_declare(r, METRIC_COUNTER, "sluice_ratelimit_rejections_total",
                       "Requests refused by a limit.", "limit", NO_BUCKETS);
    for (unsigned limit = LIMIT_NONE + 1; limit < LIMITS; limit++)
        i->ratelimit_rejections[limit] = labelled(refused, limit_names[limit]);
    struct metric_family *stalls = metric_declare(r, METRIC_COUNTER, "sluice_stream_stalls_total",
                                                  "Times a side had to wait for the other.", "side",
                                                  NO_BUCKETS);
    i->stalls[STALL_CLIENT] = labelled(stalls, "client");
    i->stalls[STALL_UPSTREAM] = labelled(stalls, "upstream");
    i->inflight = plain(r, METRIC_GAUGE, "sluice_inflight_requests", "Requests being answered.");
    i->streams = plain(r, METRIC_GAUGE, "sluice_active_streams", "Event streams being relayed.");
    struct metric_family *buffers = metric_declare(r, METRIC_GAUGE, "sluice_stream_buffer_bytes",
                                                   "Bytes held in memory: request bodies, and what "
                                                   "sockets have not taken yet.",
                                                   "kind", NO_BUCKETS);
    i->buffer_bytes[BUFFER_BODY] = labelled(buffers, "body");
    i->buffer_bytes[BUFFER_BACKLOG] = labelled(buffers, "backlog");
    i->connections = plain(r, METRIC_GAUGE, "sluice_client_connections",
                           "Open client connections.");
    i->lag = plain(r, METRIC_GAUGE, "sluice_eventloop_lag_seconds",
                   "The longest turn of the event loop since the last scrape.");
    i->log_dropped =
        plain(r, METRIC_COUNTER, "sluice_log_dropped_total",
              "Access records and recorded decisions dropped because their reader was too slow.");
    i->spans_exported = plain(r, METRIC_COUNTER, "sluice_trace_spans_exported_total",
                              "Spans that the collector has taken.");
    i->spans_dropped = plain(r, METRIC_COUNTER, "sluice_trace_spans_dropped_total",
                             "Spans that were left out because the collector took no more, or "
                             "refused them.");
    i->replicas = plain(r, METRIC_GAUGE, "sluice_replicas",
                        "Other replicas that told of their endpoints in the last minute.");
    i->fields_dropped = plain(r, METRIC_COUNTER, "sluice_dropped_fields_total",
                              "Members of requests that translations left out.");
    struct metric_family *hedges = metric_declare(r, METRIC_COUNTER, "sluice_hedges_total",
                                                  "Attempts made beside a slow one.", "result",
                                                  NO_BUCKETS);
    i->hedges[false] = labelled(hedges, "lost");
    i->hedges[true] = labelled(hedges, "won");
    i->hedge_cost = plain(r, METRIC_COUNTER, "sluice_hedge_cost_usd_total",
                          "What the prompts of cancelled attempts may cost, estimated, in US "
                          "dollars; no client is charged for them.");
    i->retry_budget_exhausted = plain(r, METRIC_COUNTER, "sluice_retry_budget_exhausted_total",
                                      "Requests for which nobody else was asked, because nobody "
                                      "is well and the retry budget is used up.");
    struct metric_family *continued =
        metric_declare(r, METRIC_COUNTER, "sluice_stream_continuations_total",
                       "Streams that broke, and that another endpoint was allowed to go on with.",
                       "result", NO_BUCKETS);
    for (unsigned o = 0; o < CONTINUATION_OUTCOMES; o++)
        i->continuations[o] = labelled(continued,
                                       continuation_outcome_name((enum continuation_outcome)o));
    i->gen_ai = xcalloc(1, sizeof *i->gen_ai);
    gen_ai_families_init(i->gen_ai, r);
}

void instruments_fini(struct instruments *i)
{
    size_t cursor = 0;
    struct route_series *r;
    while ((r = map_next(&i->by_route, &cursor)) != NULL)
        free(r);
    map_fini(&i->by_route);
    free(i->gen_ai);
}

struct route_series *instruments_route(struct instruments *i, const char *api,
                                       const struct target *t)
{
    const char *model = t != NULL && t->model != NULL ? t->model->id : "other";
    const char *provider = t != NULL ? t->provider->name : "none";
    char key[256];
    size_t api_len = strlen(api), model_len = strlen(model), provider_len = strlen(provider);
    if (api_len + model_len + provider_len + 3 > sizeof key) {
        model = "other";
        model_len = 5;
    }
    /* "api\0model\0provider\0" */
    memcpy(key, api, api_len + 1);
    memcpy(key + api_len + 1, model, model_len + 1);
    memcpy(key + api_len + model_len + 2, provider, provider_len + 1);
    size_t len = api_len + model_len + provider_len + 3;

    struct route_series *r = map_get(&i->by_route, span_of(key, len));
    if (r != NULL)
        return r;
    r = xcalloc(1, sizeof *r);
    memcpy(r->key, key, len);
    r->home = i;
    r->api = r->key;
    r->model = r->key + api_len + 1;
    r->provider = r->key + api_len + model_len + 2;
    r->has_gen_ai = t != NULL;
    if (t != NULL)
        gen_ai_series_init(&r->gen_ai, i->gen_ai, r->api, t->provider, r->model);
    if (map_put(&i->by_route, span_of(r->key, len), r) < 0)
        abort(); /* bounded by the configuration */
    return r;
}

static void count_request(struct route_series *r, const struct request_figures *f)
{
    unsigned class = f->status / 100 < CODE_CLASSES ? f->status / 100 : 0;
    struct metric_series **s = &r->requests[f->outcome][class];
    if (*s == NULL) {
        static const char *const codes[] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
        *s = metric_series(r->home->requests,
                           (const char *[]){r->api, r->model, r->provider, codes[class],
                                            outcome_name(f->outcome)});
    }
    metric_add(*s, 1);
}

static void count_tokens(struct route_series *r, unsigned type, uint64_t n, enum usage_source from)
{
    static const char *const types[TOKEN_TYPES] = {"input",        "output",       "cache_read",
                                                   "reasoning",    "cache_write",  "cache_write_1h",
                                                   "audio_input",  "audio_output", "image_input",
                                                   "image_output", "video_input"};
    if (n == 0)
        return;
    struct metric_series **s = &r->tokens[type][from];
    if (*s == NULL)
        *s = metric_series(r->home->tokens, (const char *[]){r->model, r->provider, types[type],
                                                             usage_source_name(from)});
    metric_add(*s, (double)n);
}

static void record_first_use(struct route_series *r)
{
    const char *const target[] = {r->model, r->provider};
    r->ttft = metric_series(r->home->ttft, target);
    r->token_seconds = metric_series(r->home->token_seconds, target);
    r->cost = metric_series(r->home->cost, target);
    r->duration[0] = metric_series(r->home->duration, (const char *[]){r->api, r->model, "false"});
    r->duration[1] = metric_series(r->home->duration, (const char *[]){r->api, r->model, "true"});
}

void route_series_meter(struct route_series *r, const struct usage *u)
{
    if (r->ttft == NULL)
        record_first_use(r);
    const uint64_t counts[TOKEN_TYPES] = {
        u->prompt,   u->completion, u->cached,   u->reasoning, u->cache_write, u->cache_write_1h,
        u->in.audio, u->out.audio,  u->in.image, u->out.image, u->in.video};
    for (unsigned type = 0; type < TOKEN_TYPES; type++)
        count_tokens(r, type, counts[type], u->source);
    if (r->has_gen_ai)
        gen_ai_series_meter(&r->gen_ai, u);
}

void route_series_charge(struct route_series *r, uint64_t pd)
{
    if (pd > 0)
        metric_add(r->cost, (double)pd * 1e-12);
}

double request_seconds_per_token(const struct request_figures *f)
{
    if (f->usage->completion < 2 || f->duration_us <= f->ttft_us)
        return 0;
    return (double)(f->duration_us - f->ttft_us) * 1e-6 / (double)(f->usage->completion - 1);
}

void route_series_record(struct route_series *r, const struct request_figures *f)
{
    if (r->ttft == NULL)
        record_first_use(r);
    count_request(r, f);
    metric_observe(r->duration[f->stream], (double)f->duration_us * 1e-6);
    if (f->ttft_us > 0) {
        double each = request_seconds_per_token(f);
        metric_observe(r->ttft, (double)f->ttft_us * 1e-6);
        if (each > 0)
            metric_observe(r->token_seconds, each);
    }
    if (r->has_gen_ai)
        gen_ai_series_record(&r->gen_ai, r->home->gen_ai, f);
    route_series_meter(r, f->usage);
    route_series_charge(r, f->cost->total_pd);
}
