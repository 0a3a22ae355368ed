#include "caller.h"

#include "terminal.h"

#include "sluice/base/arena.h"
#include "sluice/format/json_scan.h"
#include "sluice/http/pool.h"
#include "sluice/net/timer.h"

#include <stdio.h>
#include <stdlib.h>

enum { CONNECT_TIMEOUT_MS = 10000 };

struct caller {
    struct base_url url;
    const char *url_text;
    struct loop *loop;
    struct pool *pool;
    struct deadline timeout;
    /* the call under way */
    const struct caller_events *events;
    void *arg;
    struct buf request;
    struct ticket *ticket;
    struct client *client; /* NULL before it is there and after it is gone */
    bool has_head;
    enum call_end end;
    struct err *why;
};

/* ── the call under way ──────────────────────────────────────────────────────────────────────── */

static void call_end(struct caller *c, enum call_end end, const char *problem)
{
    if (c->client != NULL)
        client_close(c->client);
    if (c->ticket != NULL)
        ticket_cancel(c->ticket);
    c->client = NULL;
    c->ticket = NULL;
    deadline_clear(&c->timeout);
    c->end = end;
    if (problem != NULL)
        err_set(c->why, "%s", problem);
    loop_stop(c->loop);
}

static bool on_head(void *owner, const struct http_head *head)
{
    struct caller *c = owner;
    c->has_head = true;
    if (c->events->head != NULL)
        c->events->head(c->arg, head);
    return true;
}

static void on_data(void *owner, const struct span *spans, unsigned n, bool last)
{
    struct caller *c = owner;
    for (unsigned i = 0; i < n; i++) {
        if (!c->events->data(c->arg, spans[i])) {
            call_end(c, CALL_STOPPED, NULL);
            return;
        }
    }
    if (last)
        call_end(c, CALL_ANSWERED, NULL);
}

static void on_failed(void *owner, int status, const char *problem)
{
    struct caller *c = owner;
    (void)status;
    c->client = NULL; /* it has closed itself */
    call_end(c, c->has_head ? CALL_BROKEN : CALL_UNREACHABLE, problem);
}

static const struct client_events client_events = {
    .head = on_head,
    .data = on_data,
    .failed = on_failed,
};

static void on_connected(void *arg, const struct ticket_result *r)
{
    struct caller *c = arg;
    c->ticket = NULL;
    if (r->client == NULL) {
        call_end(c, CALL_UNREACHABLE, r->problem != NULL ? r->problem : uv_strerror(r->status));
        return;
    }
    c->client = r->client;
    client_attach(c->client, &client_events, c);
    struct span request = buf_span(&c->request);
    client_send(c->client, &request, 1);
}

static void on_timeout(struct deadline *d)
{
    struct caller *c = (struct caller *)((char *)d - offsetof(struct caller, timeout));
    call_end(c, c->has_head ? CALL_BROKEN : CALL_UNREACHABLE, "no answer in time");
}

static int write_request(const struct caller *c, const struct caller_request *r, struct buf *out)
{
    int rc = buf_addf(out, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sluice/%s\r\n", r->method,
                      r->path, c->url.host_header, SLUICE_VERSION);
    if (rc == 0)
        rc = buf_add_text(out, "Accept-Encoding: identity\r\nConnection: close\r\n");
    if (rc == 0 && r->key != NULL)
        rc = buf_addf(out, "Authorization: Bearer %s\r\n", r->key);
    if (rc == 0 && r->body.len > 0)
        rc = buf_addf(out, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                      r->body.len);
    if (rc == 0)
        rc = buf_add_text(out, "\r\n");
    return rc == 0 ? buf_add(out, r->body) : rc;
}

enum call_end caller_ask(struct caller *c, const struct caller_request *r,
                         const struct caller_events *events, void *arg, struct err *why)
{
    c->events = events;
    c->arg = arg;
    c->has_head = false;
    c->why = why;
    buf_clear(&c->request);
    if (write_request(c, r, &c->request) < 0) {
        err_set(why, "out of memory");
        return CALL_BROKEN;
    }
    uv_update_time(
        loop_uv(c->loop)); /* it stood still since the last call; deadlines would be over */
    deadline_set(&c->timeout, r->timeout_ms);
    pool_take(c->pool, true, on_connected, c, &c->ticket);
    loop_run(c->loop);
    return c->end;
}

/* ── a whole body ────────────────────────────────────────────────────────────────────────────── */

struct fetch {
    unsigned status;
    struct buf *body;
};

static void fetch_head(void *arg, const struct http_head *head)
{
    struct fetch *f = arg;
    f->status = head->status;
}

static bool fetch_data(void *arg, struct span bytes)
{
    struct fetch *f = arg;
    return buf_len(f->body) + bytes.len <= CALLER_BODY_MAX && buf_add(f->body, bytes) == 0;
}

enum call_end caller_fetch(struct caller *c, const struct caller_request *r, unsigned *status,
                           struct buf *body, struct err *why)
{
    static const struct caller_events fetch_events = {fetch_head, fetch_data};
    struct fetch f = {.body = body};
    enum call_end end = caller_ask(c, r, &fetch_events, &f, why);
    *status = f.status;
    if (end != CALL_STOPPED)
        return end;
    err_set(why, "the answer is larger than %u bytes", CALLER_BODY_MAX);
    return CALL_BROKEN;
}

/* ── opening and closing ─────────────────────────────────────────────────────────────────────── */

struct caller *caller_open(const struct cli *cli, int *status)
{
    struct caller *c = xcalloc(1, sizeof *c);
    struct tls_context *tls = NULL;
    struct err why = {0};
    const char *url = cli_text(cli, "url");
    c->url_text = url != NULL ? url : BASE_URL_DEFAULT;
    int rc = base_url_parse(c->url_text, &c->url, &why);
    if (rc == 0 && c->url.https) {
        const struct tls_client_config config = {.ca_file = cli_text(cli, "ca")};
        tls = tls_context_client(&config, &why);
        rc = tls != NULL ? 0 : -1;
    }
    if (rc < 0) {
        terminal_error("%s: %s", why.file[0] != '\0' ? why.file : c->url_text, why.text);
        free(c);
        *status = EXIT_USAGE;
        return NULL;
    }
    const struct pool_options options = {
        .target = {.host = c->url.unix_path[0] == '\0' ? c->url.host : NULL,
                   .port = c->url.port,
                   .unix_path = c->url.unix_path[0] != '\0' ? c->url.unix_path : NULL,
                   .tls = tls,
                   .timeout_ms = CONNECT_TIMEOUT_MS},
        .connections_max = 1,
    };
    c->loop = loop_new();
    c->pool = pool_new(c->loop, &options);
    deadline_init(&c->timeout, c->loop, on_timeout);
    tls_context_unref(tls); /* the pool has its own reference */
    return c;
}

void caller_close(struct caller *c)
{
    if (c == NULL)
        return;
    pool_unref(c->pool);
    dial_cache_free(c->loop);
    loop_free(c->loop);
    buf_fini_wiped(&c->request); /* the key was in its head */
    free(c);
}

const struct base_url *caller_url(const struct caller *c)
{
    return &c->url;
}

const char *caller_url_text(const struct caller *c)
{
    return c->url_text;
}

/* ── words that verbs share ──────────────────────────────────────────────────────────────────── */

bool caller_key(const char *variable, const char **key)
{
    const char *value = getenv(variable);
    *key = value != NULL && value[0] != '\0' ? value : NULL;
    for (const char *at = *key; at != NULL && *at != '\0'; at++) {
        if (*at > ' ' && *at < 0x7f)
            continue;
        terminal_error("$%s holds a blank or a control character; a key has none", variable);
        return false;
    }
    return true;
}

const char *caller_text(struct span value, char *out, size_t size)
{
    long len = json_string(value, out, size - 1);
    out[len < 0 ? 0 : len] = '\0';
    for (char *c = out; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = ' ';
    }
    return out;
}

int caller_exit_code(unsigned status)
{
    return status == 401 || status == 403 ? EXIT_REFUSED : EXIT_FAILED;
}
