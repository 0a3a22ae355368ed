#include "provider_runtime.h"

#include "access_token.h"

#include "sluice/base/arena.h"

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

static struct pool *pool_make(struct gateway *g, const struct provider_options *o, struct err *why)
{
    const struct pool_options options = {
        .target = {.host = o->host,
                   .port = o->port,
                   .unix_path = o->unix_path,
                   .server_name = o->tls.server_name != NULL ? o->tls.server_name : o->host,
                   .timeout_ms = o->connect_timeout_ms},
        .connections_max = o->pool_max,
        .idle_timeout_ms = o->pool_idle_timeout_ms,
    };
    const struct tls_client_config tls = {.ca_file = o->tls.ca, .insecure = o->tls.insecure};
    return pool_new_with(g->loop, &options, o->https ? &tls : NULL, why);
}

static bool token_init(struct provider_runtime *p, struct gateway *g, struct err *why)
{
    struct pool *pool = pool_make(g, p->options->google.tokens, why);
    if (pool == NULL)
        return false;
    p->token = access_token_new(g->loop, p->options, pool);
    return true;
}

void provider_runtime_adopt(struct provider_runtime *p, const struct provider_runtime *from)
{
    const struct provider_options *o = p->options;
    /* With a CA of its own, the file may have changed under the same name. */
    if (p->pool == NULL && from->pool != NULL && o->tls.ca == NULL &&
        same_connection(from->options, o))
        p->pool = pool_ref(from->pool);
    if (p->token == NULL && from->token != NULL && o->google.tokens != NULL &&
        access_token_serves(from->token, o))
        p->token = access_token_ref(from->token);
}

int provider_runtime_start(struct provider_runtime *p, struct gateway *g, struct err *why)
{
    const struct provider_options *o = p->options;
    if (o->protocol == PROTOCOL_DEMO)
        return 0;
    p->constant = constant_lines(o);
    if (p->pool == NULL)
        p->pool = pool_make(g, o, why);
    if (p->pool == NULL)
        return -1;
    return o->google.tokens == NULL || p->token != NULL || token_init(p, g, why) ? 0 : -1;
}

void provider_runtime_stop(struct provider_runtime *p)
{
    access_token_unref(p->token);
    pool_unref(p->pool);
    if (p->constant.at != NULL)
        explicit_bzero((void *)(uintptr_t)p->constant.at, p->constant.len);
    free((void *)(uintptr_t)p->constant.at);
}
