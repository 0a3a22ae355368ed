#include "sluice/exchange/gateway.h"

#include "access_token.h"
#include "health.h"

#include "sluice/base/arena.h"
#include "sluice/base/log.h"

#include <stdlib.h>

static void must(int rc)
{
    if (rc < 0)
        abort(); /* as large as the configuration */
}

static void add_line(struct buf *out, const char *name, const char *value)
{
    must(buf_addf(out, "%s: %s\r\n", name, value));
}

/* Head lines of every request to this provider. They hold its credential: never logged. */
static struct span constant_lines(const struct provider_options *o)
{
    struct buf out = {0};
    add_line(&out, "Host", o->host_header);
    /* The meter has to read what passes; and compressed tokens would arrive in lumps. */
    add_line(&out, "Accept-Encoding", "identity");
    if (o->auth != AUTH_NONE && secret_is_set(&o->credential)) {
        must(buf_addf(&out, "%s: %s", o->auth_header, o->auth == AUTH_BEARER ? "Bearer " : ""));
        must(buf_add(&out, secret_reveal(&o->credential)));
        must(buf_add_text(&out, "\r\n"));
    }
    for (unsigned i = 0; i < o->nheaders; i++)
        add_line(&out, o->headers[i].name, o->headers[i].value);
    return buf_span(&out); /* owned by the runtime, freed from its first byte */
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Would a connection made for `a` do for `b`? */
static bool same_connection(const struct provider_options *a, const struct provider_options *b)
{
    return same_text(a->host, b->host) && same_text(a->unix_path, b->unix_path) &&
           a->port == b->port && a->https == b->https && same_text(a->tls.ca, b->tls.ca) &&
           same_text(a->tls.server_name, b->tls.server_name) &&
           a->tls.insecure == b->tls.insecure && a->pool_max == b->pool_max &&
           a->pool_idle_timeout_ms == b->pool_idle_timeout_ms &&
           a->connect_timeout_ms == b->connect_timeout_ms;
}

static struct pool *pool_from(const struct deployment *before, const struct provider_options *o)
{
    for (unsigned i = 0; before != NULL && i < before->snapshot->nproviders; i++) {
        const struct provider_runtime *p = &before->providers[i];
        /* With a CA of its own, the file may have changed under the same name. */
        if (p->pool != NULL && o->tls.ca == NULL && same_connection(p->options, o))
            return pool_ref(p->pool);
    }
    return NULL;
}

static struct pool *pool_make(struct gateway *g, const struct provider_options *o, struct err *why)
{
    struct pool_options options = {
        .target = {.host = o->host,
                   .port = o->port,
                   .unix_path = o->unix_path,
                   .server_name = o->tls.server_name != NULL ? o->tls.server_name : o->host,
                   .timeout_ms = o->connect_timeout_ms},
        .connections_max = o->pool_max,
        .idle_timeout_ms = o->pool_idle_timeout_ms,
    };
    if (o->https) {
        struct tls_client_config c = {.ca_file = o->tls.ca, .insecure = o->tls.insecure};
        options.target.tls = tls_context_client(&c, why);
        if (options.target.tls == NULL)
            return NULL;
    }
    struct pool *p = pool_new(g->loop, &options);
    tls_context_unref(options.target.tls); /* the pool has its own reference */
    return p;
}

/* The one that is there, or one that knows how to get one. False and *why. */
static bool token_init(struct provider_runtime *p, struct gateway *g, struct snapshot *s,
                       const struct deployment *before, struct err *why)
{
    for (unsigned i = 0; before != NULL && i < before->snapshot->nproviders; i++) {
        struct access_token *t = before->providers[i].token;
        if (t != NULL && access_token_serves(t, p->options)) {
            p->token = access_token_ref(t);
            return true;
        }
    }
    struct pool *pool = pool_make(g, p->options->google.tokens, why);
    if (pool == NULL)
        return false;
    p->token = access_token_new(g->loop, s, p->options, pool);
    return true;
}

static int provider_init(struct provider_runtime *p, struct gateway *g, struct snapshot *s,
                         const struct provider_options *o, const struct deployment *before,
                         struct err *why)
{
    p->options = o;
    if (o->protocol == PROTOCOL_DEMO)
        return 0;
    p->constant = constant_lines(o);
    p->pool = pool_from(before, o);
    if (p->pool == NULL)
        p->pool = pool_make(g, o, why);
    if (p->pool == NULL)
        return -1;
    return o->google.tokens == NULL || token_init(p, g, s, before, why) ? 0 : -1;
}

/* All that may be counted, from 0 on: what appears with a 1 is no increase to Prometheus. */
static void declare_attempts(struct deployment *d, unsigned number, const char *name)
{
    struct metric_family *f = d->gateway->instruments.attempts;
    for (unsigned r = 0; r < ATTEMPT_RESULTS && d->attempts[number][r] == NULL; r++)
        d->attempts[number][r] = metric_series(f, (const char *[]){name, attempt_result_name(r)});
}

static void attempts_init(struct deployment *d)
{
    unsigned n;
    const struct target *targets = catalog_targets(d->catalog, &n);
    d->attempts = xcalloc(catalog_slugs(d->catalog) + 1, sizeof *d->attempts);
    for (unsigned i = 0; i < n; i++)
        declare_attempts(d, targets[i].slug_number, target_name(&targets[i]));
    for (unsigned i = 0; i < d->snapshot->nproviders; i++) {
        struct span slug = catalog_provider_slug(d->catalog, i);
        if (d->snapshot->providers[i].any_model)
            declare_attempts(d, catalog_slug_number(d->catalog, slug), (const char *)slug.at);
    }
}

struct deployment *deployment_new(struct gateway *g, struct snapshot *s,
                                  const struct deployment *before, struct err *why)
{
    struct deployment *d = xcalloc(1, sizeof *d);
    d->refs = 1;
    d->gateway = g;
    d->since_unix = clock_unix_ms() / 1000;
    d->snapshot = snapshot_ref(s);
    d->catalog = catalog_new(s);
    attempts_init(d);
    d->keyring = keyring_new(s);
    d->health = health_table_new(d->catalog, s, before != NULL ? before->health : NULL);
    d->providers = xcalloc(s->nproviders + 1, sizeof *d->providers);
    const struct tls_client_config fetching = {.ca_file = s->server.fetch.ca};
    d->fetch_tls = tls_context_client(&fetching, why);
    if (d->fetch_tls == NULL) {
        deployment_unref(d);
        return NULL;
    }
    for (unsigned i = 0; i < s->nproviders; i++) {
        if (provider_init(&d->providers[i], g, s, &s->providers[i], before, why) < 0) {
            deployment_unref(d);
            return NULL;
        }
    }
    return d;
}

struct deployment *deployment_ref(struct deployment *d)
{
    d->refs++;
    return d;
}

void deployment_unref(struct deployment *d)
{
    if (d == NULL || --d->refs > 0)
        return;
    for (unsigned i = 0; i < d->snapshot->nproviders; i++) {
        struct provider_runtime *p = &d->providers[i];
        access_token_unref(p->token);
        pool_unref(p->pool);
        if (p->constant.at != NULL)
            explicit_bzero((void *)(uintptr_t)p->constant.at, p->constant.len);
        free((void *)(uintptr_t)p->constant.at);
    }
    free(d->providers);
    free(d->attempts);
    tls_context_unref(d->fetch_tls);
    health_table_free(d->health);
    keyring_free(d->keyring);
    catalog_free(d->catalog);
    snapshot_unref(d->snapshot);
    free(d);
}
