#include "connect.h"

#include "sluice/base/arena.h"
#include "sluice/net/dial.h"

#include <stdio.h>
#include <stdlib.h>

enum { TIMEOUT_MS = 10000 }; /* where the provider's own is off */

struct probe {
    struct connect_result *result;
    struct dial_target target; /* borrowed by the dial */
    uint64_t since_us;
};

static const char *stage_name(enum dial_stage stage)
{
    switch (stage) {
    case DIAL_RESOLVE:
        return "resolve";
    case DIAL_CONNECT:
        return "connect";
    case DIAL_TLS:
        return "tls";
    case DIAL_DONE:
        break;
    }
    return "";
}

static void on_dialed(void *arg, const struct dial_result *r)
{
    struct probe *p = arg;
    struct connect_result *result = p->result;
    result->took_ms = (unsigned)((clock_us() - p->since_us) / 1000);
    result->reached = r->stream != NULL;
    result->stage = stage_name(r->stage);
    if (r->stream == NULL) {
        snprintf(result->problem, sizeof result->problem, "%s",
                 r->problem != NULL ? r->problem : uv_strerror(r->status));
        return;
    }
    result->is_tls = stream_is_tls(r->stream);
    stream_peer(r->stream, result->address);
    stream_close(r->stream);
}

static void begin(struct loop *l, struct probe *p, const struct provider_options *o)
{
    p->target = (struct dial_target){
        .host = o->host,
        .port = o->port,
        .unix_path = o->unix_path,
        .server_name = o->tls.server_name,
        .timeout_ms = o->connect_timeout_ms > 0 ? o->connect_timeout_ms : TIMEOUT_MS,
    };
    p->result->provider = o->name;
    p->result->base_url = o->base_url;
    if (o->https) {
        const struct tls_client_config config = {o->tls.ca, o->tls.insecure};
        struct err why = {0};
        p->target.tls = tls_context_client(&config, &why);
        if (p->target.tls == NULL) {
            p->result->stage = "tls";
            snprintf(p->result->problem, sizeof p->result->problem, "%.100s: %.150s", why.file,
                     why.text);
            return;
        }
    }
    p->since_us = clock_us();
    dial_start(l, &p->target, on_dialed, p);
}

unsigned connect_all(const struct snapshot *s, struct connect_result **results)
{
    struct probe *probes = xcalloc(s->nproviders + 1, sizeof *probes);
    struct loop *l = loop_new();
    unsigned failures = 0;
    *results = xcalloc(s->nproviders + 1, sizeof **results);
    for (unsigned i = 0; i < s->nproviders; i++) {
        probes[i].result = &(*results)[i];
        if (s->providers[i].protocol != PROTOCOL_DEMO)
            begin(l, &probes[i], &s->providers[i]);
    }
    loop_run(l);
    dial_cache_free(l);
    loop_free(l);
    for (unsigned i = 0; i < s->nproviders; i++) {
        tls_context_unref(probes[i].target.tls);
        failures += probes[i].result->provider != NULL && !probes[i].result->reached;
    }
    free(probes);
    return failures;
}
