#include "manage.h"
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>

/* Probes, scrapes and the process's own administration: answered without an exchange. */

static void must(int rc)
{
    if (rc < 0)
        abort(); /* as large as the configuration */
}

void operate_live(const struct row *row, const struct call *call)
{
    (void)row; /* the loop turns: that is all liveness means */
    reply(call->sink, 200, "application/json", SPAN_NONE, SPAN_LIT("{\"status\":\"ok\"}\n"));
}

void operate_ready(const struct row *row, const struct call *call)
{
    (void)row;
    struct buf checks = {0}, out = {0};
    bool ready = call->api->process->ready(call->api->process->arg, &checks);
    bool verbose = span_starts(call->query, SPAN_LIT("verbose"));
    must(buf_addf(&out, "{\"status\":\"%s\"", ready ? "ready" : "not ready"));
    if (verbose || !ready)
        must(buf_addf(&out, ",\"checks\":%.*s", SPAN_FMT(buf_span(&checks))));
    must(buf_add_text(&out, "}\n"));
    reply(call->sink, ready ? 200 : 503, "application/json", SPAN_NONE, buf_span(&out));
    buf_fini(&checks);
    buf_fini(&out);
}

void operate_metrics(const struct row *row, const struct call *call)
{
    (void)row;
    struct buf out = {0};
    call->api->process->before_scrape(call->api->process->arg);
    if (metric_write(call->api->gateway->metrics, &out) < 0)
        reply(call->sink, 503, "text/plain", SPAN_NONE, SPAN_LIT("out of memory\n"));
    else
        reply(call->sink, 200, "text/plain; version=0.0.4; charset=utf-8", SPAN_NONE,
              buf_span(&out));
    buf_fini(&out);
}

/* --- administration ------------------------------------------------------------------------------ */

static bool refused(const struct call *call)
{
    if (manage_is_operator(call))
        return false;
    reply(
        call->sink, 401, "application/json", SPAN_NONE,
        SPAN_LIT("{\"error\":{\"message\":\"the admin token is needed: send Authorization: Bearer "
                 "<token>\",\"type\":\"invalid_api_key\",\"param\":\"\",\"code\":401,"
                 "\"reason\":\"INVALID_API_KEY\"}}\n"));
    return true;
}

void operate_reload(const struct row *row, const struct call *call)
{
    (void)row;
    if (refused(call))
        return;
    struct buf report = {0};
    int rc = call->api->process->reload(call->api->process->arg, &report);
    reply(call->sink, rc == 0 ? 200 : 400, "application/json", SPAN_NONE, buf_span(&report));
    buf_fini(&report);
}

static void add_provider(struct buf *out, const struct provider_runtime *p, bool first)
{
    must(buf_add_text(out, first ? "{\"name\":\"" : ",{\"name\":\""));
    must(buf_add_json(out, span_text(p->options->name)));
    must(buf_add_byte(out, '"'));
    if (p->pool != NULL) {
        struct pool_stats stats = pool_stats(p->pool);
        must(buf_addf(out,
                      ",\"connections\":{\"idle\":%u,\"busy\":%u,\"connecting\":%u,"
                      "\"waiting\":%u}",
                      stats.idle, stats.busy, stats.dialing, stats.waiting));
    }
    must(buf_add_byte(out, '}'));
}

void operate_status(const struct row *row, const struct call *call)
{
    (void)row;
    if (refused(call))
        return;
    const struct gateway *g = call->api->gateway;
    const struct deployment *d = g->now;
    const char *detail;
    struct buf out = {0};
    bool usable = store_usable(g->store, &detail);
    must(
        buf_addf(&out,
                 "{\"config\":{\"generation\":%llu,\"hash\":\"%s\"},\"inflight\":%u,\"streams\":%u,"
                 "\"client_connections\":%u,\"body_bytes\":%llu,\"draining\":%s,"
                 "\"store\":{\"name\":\"%s\",\"usable\":%s,\"detail\":\"%s\"},\"providers\":[",
                 (unsigned long long)d->snapshot->generation, d->snapshot->hash, g->inflight,
                 g->streams, g->http.connections, (unsigned long long)g->http.bodies.used_bytes,
                 g->draining ? "true" : "false", store_name(g->store), usable ? "true" : "false",
                 detail != NULL ? detail : ""));
    for (unsigned i = 0; i < d->snapshot->nproviders; i++)
        add_provider(&out, &d->providers[i], i == 0);
    must(buf_add_text(&out, "]}\n"));
    reply(call->sink, 200, "application/json", SPAN_NONE, buf_span(&out));
    buf_fini(&out);
}

void operate_config(const struct row *row, const struct call *call)
{
    (void)row;
    if (refused(call))
        return;
    struct buf out = {0};
    if (snapshot_write_yaml(call->api->gateway->now->snapshot, &out) < 0)
        reply(call->sink, 503, "text/plain", SPAN_NONE, SPAN_LIT("out of memory\n"));
    else
        reply(call->sink, 200, "application/yaml", SPAN_NONE, buf_span(&out));
    buf_fini(&out);
}
