/* gateway.h: what every exchange of the process shares, and what a configuration became at run time. */
#ifndef SLUICE_EXCHANGE_GATEWAY_H
#define SLUICE_EXCHANGE_GATEWAY_H

#include "sluice/admit/keyring.h"
#include "sluice/admit/vault.h"
#include "sluice/base/allowance.h"
#include "sluice/base/metric.h"
#include "sluice/base/rng.h"
#include "sluice/catalog/catalog.h"
#include "sluice/exchange/instruments.h"
#include "sluice/http/pool.h"
#include "sluice/http/server.h"
#include "sluice/net/timer.h"
#include "sluice/store/store.h"

struct access_token;
struct health_table;
struct sharing;
struct journal;
struct own_keys;
struct span_exporter;

/* A provider with its connections. */
struct provider_runtime {
    const struct provider_options *options;
    struct pool *pool;          /* NULL for the demo provider */
    struct access_token *token; /* NULL: its credential never changes */
    struct span constant; /* head lines that never change: Host, credential, Accept-Encoding, … */
};

/* A snapshot put to work. Immutable but for its counters; every exchange holds the one it started
 * under, so a reload changes nothing for what is running. */
struct deployment {
    unsigned refs;
    struct snapshot *snapshot; /* one reference */
    struct catalog *catalog;
    struct keyring *keyring;
    struct provider_runtime *providers; /* as many, in the order of snapshot->providers */
    struct metric_series *(*attempts)[ATTEMPT_RESULTS]; /* by slug_number of a target */
    struct tls_context *fetch_tls;                      /* for files that requests name by URL */
    struct health_table *health;                        /* how every endpoint does */
    struct own_keys *own_keys;                          /* credentials of callers' own, as of now */
    struct gateway *gateway;
    uint64_t since_unix; /* seconds: when it was put to work */
};

struct gateway {
    struct loop *loop;
    struct server_shared http;
    struct store *store;
    struct sharing *sharing;   /* of statistics with other replicas; NULL: there are none */
    struct vault *vault;       /* credentials that callers brought; NULL: nobody manages any */
    struct managed_keys *keys; /* beside those of the configuration; NULL: there are none */
    struct metric_registry *metrics;
    struct instruments instruments;
    struct log_sink *access_log; /* NULL: off */
    bool access_log_text;        /* readable lines for a terminal instead of JSON */
    struct journal *journal;     /* of decisions (recording.h); NULL: they are not recorded */
    struct span_exporter *spans; /* of traces (tracing.h); NULL: nobody wants them */
    char instance[33];           /* of this process, among those that send spans */
    struct deadline log_flush;   /* armed while records wait to be written */
    struct deadline quiet;       /* a while after the last request has ended */
    struct rng rng;
    struct allowance retries; /* attempts at endpoints that are not well */
    struct allowance hedges;  /* attempts beside slow ones */
    struct deployment *now;
    struct exchange *exchanges; /* all that are open, for drain and for shutdown */
    unsigned inflight, streams;
    size_t captured_bytes; /* of answers on their way to be kept, or given again */
    bool draining;
};

/* Connections of providers that stay the same are taken over from `before` (may be NULL). Takes a
 * reference on the snapshot. NULL and *why when a file a provider needs cannot be used. */
struct deployment *deployment_new(struct gateway *g, struct snapshot *s,
                                  const struct deployment *before, struct err *why);
/* Credentials of callers' own were changed: what is planned from now on knows them. */
void deployment_follow_vault(struct deployment *d);
struct deployment *deployment_ref(struct deployment *d);
void deployment_unref(struct deployment *d); /* NULL is fine */

#endif
