/* instruments.h: the metrics of requests: declared once, resolved to series before they are needed.
 *
 * Names and labels are those of config.md. Label values come from the configuration only; what no
 * model of the configuration has is "other". */
#ifndef SLUICE_EXCHANGE_INSTRUMENTS_H
#define SLUICE_EXCHANGE_INSTRUMENTS_H

#include "sluice/base/map.h"
#include "sluice/base/metric.h"
#include "sluice/catalog/catalog.h"
#include "sluice/meter/cost.h"
#include "sluice/store/ledger.h"

enum outcome {
    OUTCOME_OK,
    OUTCOME_CLIENT_ERROR,
    OUTCOME_UPSTREAM_ERROR,
    OUTCOME_RATE_LIMITED,
    OUTCOME_REJECTED, /* ours: overloaded, shutting down, no provider */
    OUTCOME_CLIENT_GONE,
    OUTCOMES,
};
const char *outcome_name(enum outcome o);

enum attempt_result {
    RESULT_OK,
    RESULT_CONNECT_FAILED,
    RESULT_TIMEOUT,
    RESULT_STATUS_4XX,
    RESULT_STATUS_5XX,
    RESULT_BROKEN, /* reset, truncated, malformed */
    RESULT_CANCELLED,
    RESULT_UNSUPPORTED, /* it cannot be told what the client asks */
    ATTEMPT_RESULTS,
};
const char *attempt_result_name(enum attempt_result r);

/* A stream that broke, of those that may be gone on with. */
enum continuation_outcome {
    CONTINUATION_CONTINUED,
    CONTINUATION_REFUSED, /* nobody tried */
    CONTINUATION_FAILED,
    CONTINUATION_OUTCOMES,
};
const char *continuation_outcome_name(enum continuation_outcome o);

enum { LIMITS = LIMIT_BALANCE + 1 };
struct gen_ai_families;
/* What became of a request with an idempotency key. */
enum idempotency_result {
    IDEMPOTENCY_FIRST,
    IDEMPOTENCY_REPLAYED,
    IDEMPOTENCY_IN_FLIGHT,
    IDEMPOTENCY_CONFLICT,
    IDEMPOTENCY_LOST, /* the store is away */
    IDEMPOTENCY_RESULTS,
};
/* ... of one that may be answered from the gateway's own memory. */
enum cache_result {
    CACHE_HIT,
    CACHE_MISS,
    CACHE_BYPASS, /* it must not be kept */
    CACHE_RESULTS,
};
const char *cache_result_name(enum cache_result r);

struct instruments {
    struct metric_registry *registry;
    struct metric_family *requests, *duration, *ttft, *token_seconds, *tokens, *cost, *attempts;
    struct metric_series *overhead[3];                  /* admit, dispatch, first_write */
    struct metric_series *ratelimit_rejections[LIMITS]; /* by enum ledger_limit */
    struct metric_series *inflight, *streams, *stalls[2], *lag, *log_dropped, *fields_dropped,
        *retry_budget_exhausted, *hedges[2], *hedge_cost; /* hedges: lost, won */
    struct metric_series *connections, *buffer_bytes[2], *replicas, *spans_exported, *spans_dropped,
        *continuations[CONTINUATION_OUTCOMES], *idempotency[IDEMPOTENCY_RESULTS],
        *cache[CACHE_RESULTS];
    struct gen_ai_families *gen_ai; /* the same in OpenTelemetry's words */
    struct map by_route;            /* struct route_series by its key */
};

enum { OVERHEAD_ADMIT, OVERHEAD_DISPATCH, OVERHEAD_FIRST_WRITE };
enum { STALL_CLIENT, STALL_UPSTREAM };
enum { BUFFER_BODY, BUFFER_BACKLOG };

/* All series one route (API × model × provider) writes to. */
struct route_series;

void instruments_init(struct instruments *i, struct metric_registry *registry);
void instruments_fini(struct instruments *i);

/* `t` may be NULL: the request never reached a target. */
struct route_series *instruments_route(struct instruments *i, const char *api,
                                       const struct target *t);

struct request_figures {
    enum outcome outcome;
    unsigned status;
    bool stream;
    uint64_t duration_us, ttft_us; /* ttft 0: no token was seen */
    const struct usage *usage;
    const struct cost *cost;
};
/* Of a stream, after the first one; 0: nobody can tell. */
double request_seconds_per_token(const struct request_figures *f);
void route_series_record(struct route_series *r, const struct request_figures *f);
/* Only what was used, and what is charged for it, of a part of a request that another route ends. */
void route_series_meter(struct route_series *r, const struct usage *u);
void route_series_charge(struct route_series *r, uint64_t pd);

#endif
