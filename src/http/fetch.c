#include "sluice/http/fetch.h"

#include "sluice/base/arena.h"
#include "sluice/http/pool.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/*   CONNECTING ──connected──▶ READING ──200, all of it──▶ ENDED
 *        ▲                       │
 *        └──────redirect─────────┘          any failure ──▶ ENDED
 *
 * A connection serves one request: the next fetch is from somewhere else. */

enum { ARENA_BLOCK = 1024 };

enum fetch_state { FETCH_CONNECTING, FETCH_READING, FETCH_ENDED };

struct fetch {
    struct loop *loop;
    const struct fetch_options *options;
    fetch_fn done;
    void *arg;
    enum fetch_state state;
    struct arena arena; /* of the URLs */
    struct url url;
    unsigned redirects;
    struct pool *pool; /* of one connection */
    struct ticket *ticket;
    struct client *client;
    struct body body;
    char type[FETCH_TYPE_MAX];
    char problem[160];
    struct later later;
};

/* --- the end -------------------------------------------------------------------------------------- */

static void disconnect(struct fetch *f)
{
    if (f->ticket != NULL)
        ticket_cancel(f->ticket);
    if (f->client != NULL)
        client_close(f->client);
    pool_unref(f->pool);
    f->ticket = NULL;
    f->client = NULL;
    f->pool = NULL;
}

static void on_free(struct later *later)
{
    struct fetch *f = (struct fetch *)((char *)later - offsetof(struct fetch, later));
    body_fini(&f->body);
    arena_fini(&f->arena);
    free(f);
}

static void release(struct fetch *f)
{
    f->state = FETCH_ENDED;
    disconnect(f);
    f->later.run = on_free;
    loop_later(f->loop, &f->later);
}

void fetch_cancel(struct fetch *f)
{
    release(f);
}

static void finish(struct fetch *f, struct fetch_result r)
{
    r.body = &f->body;
    r.type = f->type;
    release(f);
    f->done(f->arg, &r);
}

static void fail(struct fetch *f, const char *problem)
{
    finish(f, (struct fetch_result){.problem = problem});
}

/* --- what comes ----------------------------------------------------------------------------------- */

static void connect_to(struct fetch *f);

static void fail_at_location(struct fetch *f, const char *problem)
{
    snprintf(f->problem, sizeof f->problem, "it redirects to a URL that cannot be used: %s",
             problem);
    fail(f, f->problem);
}

static void redirect(struct fetch *f, struct span location)
{
    struct url next;
    if (location.len == 0) {
        fail(f, "it redirects to nowhere");
        return;
    }
    if (f->redirects++ == FETCH_REDIRECTS_MAX) {
        fail(f, "it redirects more than three times");
        return;
    }
    const char *problem = url_resolve(&f->url, location, &f->arena, &next);
    if (problem == NULL && f->url.https && !next.https)
        problem = "https must not become http";
    if (problem != NULL) {
        fail_at_location(f, problem);
        return;
    }
    f->url = next;
    disconnect(f);
    connect_to(f);
}

static bool is_redirect(unsigned status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static void fail_too_large(struct fetch *f)
{
    snprintf(f->problem, sizeof f->problem, "it is larger than %llu bytes (server.fetch.max_size)",
             (unsigned long long)f->options->max_bytes);
    fail(f, f->problem);
}

static bool is_plain(struct span coding)
{
    return coding.len == 0 || span_ieq(coding, SPAN_LIT("identity"));
}

static bool on_head(void *owner, const struct http_head *head)
{
    struct fetch *f = owner;
    struct span type = head_get(head, FIELD_CONTENT_TYPE);
    if (is_redirect(head->status)) {
        redirect(f, head_value(head, "Location"));
        return false;
    }
    if (head->status != 200) {
        snprintf(f->problem, sizeof f->problem, "it was answered with status %u", head->status);
        fail(f, f->problem);
        return false;
    }
    if (!is_plain(head_get(head, FIELD_CONTENT_ENCODING))) {
        fail(f, "it came compressed, which was not asked for");
        return false;
    }
    if (head->framing == FRAMING_COUNTED && head->content_length > f->options->max_bytes) {
        fail_too_large(f);
        return false;
    }
    snprintf(f->type, sizeof f->type, "%.*s", SPAN_FMT(span_sub(type, 0, sizeof f->type - 1)));
    return true;
}

static bool take(struct fetch *f, struct span piece)
{
    if (piece.len > f->options->max_bytes - buf_len(&f->body.bytes)) {
        fail_too_large(f);
        return false;
    }
    int rc = body_add(&f->body, piece);
    if (rc < 0)
        finish(f, (struct fetch_result){.is_crowded = true,
                                        .problem = "too many request bodies are in flight"});
    return rc == 0;
}

static void on_data(void *owner, const struct span *spans, unsigned n, bool last)
{
    struct fetch *f = owner;
    for (unsigned i = 0; i < n; i++) {
        if (!take(f, spans[i]))
            return;
    }
    if (last && buf_len(&f->body.bytes) == 0)
        fail(f, "it is empty");
    else if (last)
        finish(f, (struct fetch_result){0});
}

static void on_failed(void *owner, int status, const char *problem)
{
    struct fetch *f = owner;
    f->client = NULL;
    snprintf(f->problem, sizeof f->problem, "%s",
             status == UV_EOF ? "the connection closed before all of it came" : problem);
    fail(f, f->problem);
}

static const struct client_events events = {
    .head = on_head,
    .data = on_data,
    .failed = on_failed,
};

/* --- asking --------------------------------------------------------------------------------------- */

static void ask(struct fetch *f, struct client *c)
{
    struct buf head = {0};
    f->state = FETCH_READING;
    f->client = c;
    client_attach(c, &events, f);
    int rc = buf_addf(&head,
                      "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sluice/" SLUICE_VERSION "\r\n"
                      "Accept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n",
                      f->url.target, f->url.authority);
    struct span text = buf_span(&head);
    if (rc == 0)
        (void)client_send(c, &text, 1);
    buf_fini(&head);
    if (rc < 0)
        fail(f, "out of memory");
}

static void on_ticket(void *arg, const struct ticket_result *r)
{
    struct fetch *f = arg;
    f->ticket = NULL;
    if (r->client != NULL) {
        ask(f, r->client);
        return;
    }
    snprintf(f->problem, sizeof f->problem, "%s",
             r->problem != NULL ? r->problem : uv_strerror(r->status));
    fail(f, f->problem);
}

static void connect_to(struct fetch *f)
{
    const struct pool_options options = {
        .target = {.host = f->url.host,
                   .port = f->url.port,
                   .tls = f->url.https ? f->options->tls : NULL,
                   .server_name = f->url.host,
                   .timeout_ms = f->options->connect_timeout_ms,
                   .beside_public = f->options->beside_public},
        .connections_max = 1,
    };
    f->state = FETCH_CONNECTING;
    f->pool = pool_new(f->loop, &options);
    (void)pool_take(f->pool, true, on_ticket, f, &f->ticket);
}

static void copy_url(struct fetch *f, const struct url *from)
{
    f->url = *from;
    f->url.host = (const char *)arena_keep(&f->arena, span_text(from->host)).at;
    f->url.authority = (const char *)arena_keep(&f->arena, span_text(from->authority)).at;
    f->url.target = (const char *)arena_keep(&f->arena, span_text(from->target)).at;
}

struct fetch *fetch_start(struct loop *l, const struct fetch_options *o, const struct url *url,
                          fetch_fn done, void *arg)
{
    struct fetch *f = xcalloc(1, sizeof *f);
    f->loop = l;
    f->options = o;
    f->done = done;
    f->arg = arg;
    arena_init(&f->arena, NULL, ARENA_BLOCK);
    body_init(&f->body, o->budget);
    copy_url(f, url);
    connect_to(f);
    return f;
}
