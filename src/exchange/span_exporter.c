#include "span_exporter.h"

#include "sluice/base/arena.h"
#include "sluice/base/log.h"
#include "sluice/format/otlp_span.h"
#include "sluice/http/retry_after.h"
#include "sluice/net/pump.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    QUEUE_SPANS_MAX = 2048,
    BATCH_SPANS = 512,
    BATCH_MS = 1000,
    BATCH_LIVES_MS = 5 * 60 * 1000,
    CONNECT_MS = 5000,
    CALL_MS = 10000,
    IDLE_MS = 30000,
    RETRY_FIRST_MS = 500,
    RETRY_MOST_MS = 30000,
    FLUSH_MS = 2000,
    ANSWER_MAX = 16 * 1024,
};

/* The attributes' names: the last version before GenAI's conventions moved to a repository without
 * releases. */
#define SCHEMA "https://opentelemetry.io/schemas/1.41.0"

/*   IDLE ──a batch is sealed──▶ CALLING ──taken, or refused for good──▶ IDLE, or WAITING for the next turn
 *                                 ▲  └──to be tried again──▶ WAITING
 *                                 └──────────────────────────────┘                                    */
enum step { IDLE, CALLING, WAITING };

struct batch {
    struct batch *next;
    struct buf text; /* spans, with commas between */
    unsigned nspans;
    uint64_t since_ms; /* when it was sealed */
};

struct span_exporter {
    struct gateway *gateway;
    bool is_https, has_ca;
    struct buf head; /* of every request, up to Content-Length; holds secrets */
    struct buf body; /* of every request, up to the spans */
    struct pool *pool;
    struct batch *open, *first, *last;
    unsigned nspans;     /* in all of them */
    size_t mark;         /* of the open batch, before the span that is being written */
    struct deadline due; /* the open batch has waited long enough */

    /* the request under way */
    enum step step;
    struct deadline deadline;
    struct ticket *ticket;
    struct client *client;
    struct pump sending;
    struct span parts[4];
    char length[32];
    unsigned status, retry_after_ms;
    struct buf answer;
    bool wants_fresh; /* connection: a kept one was dead */

    unsigned failures;       /* in a row */
    bool is_lost;            /* and the log says so */
    uint64_t not_before_ms;  /* as the collector wants it */
    uint64_t flush_until_ms; /* 0: the process goes on */
};

/* --- batches -------------------------------------------------------------------------------------- */

static void batch_free(struct batch *b)
{
    if (b == NULL)
        return;
    buf_fini(&b->text);
    free(b);
}

static struct batch *take_first(struct span_exporter *e)
{
    struct batch *b = e->first;
    e->first = b->next;
    if (e->first == NULL)
        e->last = NULL;
    e->nspans -= b->nspans;
    return b;
}

static void count_dropped(struct span_exporter *e, uint64_t n)
{
    metric_add(e->gateway->instruments.spans_dropped, (double)n);
}

static void drop_first(struct span_exporter *e)
{
    struct batch *b = take_first(e);
    count_dropped(e, b->nspans);
    batch_free(b);
}

static void append(struct span_exporter *e, struct batch *b)
{
    if (e->last != NULL)
        e->last->next = b;
    else
        e->first = b;
    e->last = b;
}

static void wait_for(struct span_exporter *e, unsigned ms);

static void seal(struct span_exporter *e)
{
    struct batch *b = e->open;
    deadline_clear(&e->due);
    if (b == NULL || b->nspans == 0)
        return;
    e->open = NULL;
    b->since_ms = loop_now_ms(e->gateway->loop);
    append(e, b);
    if (e->step == IDLE)
        wait_for(e, 1);
}

static void on_due(struct deadline *d)
{
    seal((struct span_exporter *)((char *)d - offsetof(struct span_exporter, due)));
}

struct buf *span_exporter_room(struct span_exporter *e)
{
    if (e->nspans == QUEUE_SPANS_MAX) {
        count_dropped(e, 1);
        return NULL;
    }
    if (e->open == NULL)
        e->open = xcalloc(1, sizeof *e->open);
    struct buf *text = &e->open->text;
    e->mark = buf_len(text);
    if (e->open->nspans > 0 && buf_add_byte(text, ',') < 0) {
        count_dropped(e, 1);
        return NULL;
    }
    return text;
}

void span_exporter_commit(struct span_exporter *e, int rc)
{
    struct batch *b = e->open;
    if (rc < 0) {
        b->text.tail = b->text.head + e->mark;
        count_dropped(e, 1);
        return;
    }
    b->nspans++;
    e->nspans++;
    if (b->nspans == BATCH_SPANS)
        deadline_set(&e->due, 1); /* from the loop: a request is being settled here */
    else if (!deadline_armed(&e->due))
        deadline_set(&e->due, BATCH_MS);
}

/* --- one request after another -------------------------------------------------------------------- */

static void hang_up(struct span_exporter *e)
{
    bool has_asked = pump_is_through(&e->sending);
    deadline_clear(&e->deadline);
    pump_stop(&e->sending);
    if (e->ticket != NULL)
        ticket_cancel(e->ticket);
    if (e->client != NULL && has_asked)
        client_release(e->client);
    else if (e->client != NULL)
        client_close(e->client);
    e->ticket = NULL;
    e->client = NULL;
    buf_fini(&e->answer);
}

/* The next request leaves from the loop, never from within the answer to the last one. */
static void wait_for(struct span_exporter *e, unsigned ms)
{
    uint64_t now_ms = loop_now_ms(e->gateway->loop);
    hang_up(e);
    e->step = e->first != NULL ? WAITING : IDLE;
    if (e->step == IDLE)
        return;
    if (now_ms + ms < e->not_before_ms)
        ms = (unsigned)(e->not_before_ms - now_ms);
    deadline_set(&e->deadline, ms);
}

static void note_lost(struct span_exporter *e, const char *problem)
{
    if (!e->is_lost) /* one line a change */
        log_warn("spans are not delivered", "problem=\"%s\"", problem);
    e->is_lost = true;
}

static unsigned pause_ms(struct span_exporter *e)
{
    unsigned doublings = e->failures < 8 ? e->failures : 8;
    unsigned ms = RETRY_FIRST_MS << doublings;
    ms = ms < RETRY_MOST_MS ? ms : RETRY_MOST_MS;
    return ms / 2 + (unsigned)rng_below(&e->gateway->rng, ms / 2);
}

/* Too old by then; who leaves asks again only where the collector said when. */
static bool is_hopeless(const struct span_exporter *e, uint64_t then_ms)
{
    if (e->flush_until_ms != 0)
        return e->retry_after_ms == 0 || then_ms >= e->flush_until_ms;
    return then_ms - e->first->since_ms > BATCH_LIVES_MS;
}

static void try_again(struct span_exporter *e, const char *problem)
{
    unsigned wait_ms = e->retry_after_ms != 0 ? e->retry_after_ms : pause_ms(e);
    uint64_t then_ms = loop_now_ms(e->gateway->loop) + wait_ms;
    e->failures++;
    e->not_before_ms = e->retry_after_ms != 0 ? then_ms : 0;
    note_lost(e, problem);
    while (e->first != NULL && is_hopeless(e, then_ms))
        drop_first(e);
    wait_for(e, wait_ms);
}

static void take_answer(struct span_exporter *e)
{
    uint64_t rejected = otlp_rejected(buf_span(&e->answer));
    struct batch *b = take_first(e);
    if (rejected > b->nspans)
        rejected = b->nspans;
    metric_add(e->gateway->instruments.spans_exported, (double)(b->nspans - rejected));
    count_dropped(e, rejected);
    batch_free(b);
    if (rejected > 0)
        note_lost(e, "the collector rejects some of them");
    else if (e->is_lost)
        log_info("spans are delivered again", "waiting=%u", e->nspans);
    e->is_lost = rejected > 0;
    e->failures = 0;
    e->wants_fresh = false;
    wait_for(e, 1);
}

/* OTLP/HTTP, "Retryable Response Codes". */
static bool may_be_retried(unsigned status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

static void take_status(struct span_exporter *e)
{
    char problem[64];
    if (e->status >= 200 && e->status < 300) {
        take_answer(e);
        return;
    }
    snprintf(problem, sizeof problem, "the collector answered %u", e->status);
    if (may_be_retried(e->status)) {
        try_again(e, problem);
        return;
    }
    note_lost(e, problem);
    drop_first(e);
    wait_for(e, 1);
}

static bool on_head(void *owner, const struct http_head *head)
{
    struct span_exporter *e = owner;
    e->status = head->status;
    e->retry_after_ms = retry_after_read(head, clock_unix_ms());
    return true;
}

/* Of a longer answer the rest is not read: it only says how many were rejected. */
static void on_data(void *owner, const struct span *spans, unsigned n, bool last)
{
    struct span_exporter *e = owner;
    for (unsigned i = 0; i < n; i++) {
        if (buf_add(&e->answer, span_sub(spans[i], 0, ANSWER_MAX - buf_len(&e->answer))) < 0)
            break;
    }
    if (last)
        take_status(e);
}

static void on_failed(void *owner, int status, const char *problem)
{
    struct span_exporter *e = owner;
    bool was_dead = client_was_reused(e->client) && !client_heard_anything(e->client) &&
                    !e->wants_fresh;
    (void)status;
    e->client = NULL;
    e->retry_after_ms = 0;
    if (!was_dead) {
        try_again(e, problem);
        return;
    }
    e->wants_fresh = true; /* the collector closed it while we were writing */
    wait_for(e, 1);
}

static void on_writable(void *owner)
{
    struct span_exporter *e = owner;
    pump_go_on(&e->sending);
}

static const struct client_events events = {
    .head = on_head,
    .data = on_data,
    .failed = on_failed,
    .writable = on_writable,
};

static enum flow on_piece(void *arg, const struct span *spans, unsigned n, bool last)
{
    struct span_exporter *e = arg;
    (void)last;
    return client_send(e->client, spans, n);
}

static void ask(struct span_exporter *e, struct client *c)
{
    const struct span end = OTLP_BATCH_END;
    struct span opening = buf_span(&e->body), text = buf_span(&e->first->text);
    int len = snprintf(e->length, sizeof e->length, "%zu\r\n\r\n",
                       opening.len + text.len + end.len);
    e->client = c;
    e->status = e->retry_after_ms = 0;
    client_attach(c, &events, e);
    const struct span head[] = {buf_span(&e->head), span_of(e->length, (size_t)len)};
    (void)client_send(c, head, 2);
    e->parts[0] = opening;
    e->parts[1] = text;
    e->parts[2] = end;
    pump_start(&e->sending, e->gateway->loop, e->parts, 3, on_piece, e);
}

static void on_ticket(void *arg, const struct ticket_result *r)
{
    struct span_exporter *e = arg;
    e->ticket = NULL;
    if (r->client != NULL) {
        ask(e, r->client);
        return;
    }
    e->retry_after_ms = 0;
    try_again(e, r->problem != NULL ? r->problem : uv_strerror(r->status));
}

static void call(struct span_exporter *e)
{
    e->step = CALLING;
    deadline_set(&e->deadline, CALL_MS);
    struct client *c = pool_take(e->pool, e->wants_fresh, on_ticket, e, &e->ticket);
    if (c != NULL)
        ask(e, c);
}

static void on_deadline(struct deadline *d)
{
    struct span_exporter *e =
        (struct span_exporter *)((char *)d - offsetof(struct span_exporter, deadline));
    if (e->step == WAITING) {
        call(e);
        return;
    }
    if (e->client != NULL)
        client_close(e->client); /* what is half answered is not to be used again */
    e->client = NULL;
    e->retry_after_ms = 0;
    try_again(e, "the collector did not answer within 10 s");
}

/* --- life ----------------------------------------------------------------------------------------- */

static void must(int rc)
{
    if (rc < 0)
        abort(); /* as large as the configuration */
}

static void write_head(struct buf *out, const struct tracing_options *o)
{
    must(buf_addf(out,
                  "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sluice/" SLUICE_VERSION
                  "\r\nContent-Type: application/json\r\nAccept-Encoding: identity\r\n",
                  o->url.target, o->url.authority));
    for (unsigned i = 0; i < o->nheaders; i++) {
        must(buf_addf(out, "%s: ", o->headers[i].name));
        must(buf_add(out, secret_reveal(&o->headers[i].value)));
        must(buf_add_text(out, "\r\n"));
    }
    must(buf_add_text(out, "Content-Length: "));
}

static void write_opening(struct buf *out, const struct gateway *g, const struct tracing_options *o)
{
    must(otlp_batch_open(out, &(struct otlp_resource){
                                  .service = o->service,
                                  .version = SLUICE_VERSION,
                                  .instance = span_of(g->instance, sizeof g->instance - 1),
                                  .schema = SCHEMA,
                              }));
}

static struct pool *pool_make(struct gateway *g, const struct tracing_options *o, struct err *why)
{
    const struct pool_options options = {
        .target = {.host = o->url.host,
                   .port = o->url.port,
                   .server_name = o->url.host,
                   .timeout_ms = CONNECT_MS},
        .connections_max = 1,
        .idle_timeout_ms = IDLE_MS,
    };
    const struct tls_client_config tls = {.ca_file = o->ca};
    return pool_new_with(g->loop, &options, o->url.https ? &tls : NULL, why);
}

static void exporter_close(struct span_exporter *e)
{
    if (e == NULL)
        return;
    hang_up(e);
    deadline_clear(&e->due);
    while (e->first != NULL)
        drop_first(e);
    if (e->open != NULL)
        count_dropped(e, e->open->nspans);
    batch_free(e->open);
    pool_unref(e->pool);
    buf_fini_wiped(&e->head);
    buf_fini(&e->body);
    free(e);
}

/* With a CA of its own, the file may have changed under the same name. */
static bool is_same(const struct span_exporter *a, const struct span_exporter *b)
{
    return a != NULL && a->is_https == b->is_https && !a->has_ca && !b->has_ca &&
           span_eq(buf_span(&a->head), buf_span(&b->head)) &&
           span_eq(buf_span(&a->body), buf_span(&b->body));
}

int tracing_open(struct gateway *g, const struct tracing_options *o, struct span_exporter **out,
                 struct err *why)
{
    *out = NULL;
    if (o->otlp == NULL)
        return 0;
    struct span_exporter *e = xcalloc(1, sizeof *e);
    e->gateway = g;
    e->is_https = o->url.https;
    e->has_ca = o->ca != NULL;
    deadline_init(&e->due, g->loop, on_due);
    deadline_init(&e->deadline, g->loop, on_deadline);
    write_head(&e->head, o);
    write_opening(&e->body, g, o);
    if (is_same(g->spans, e)) {
        exporter_close(e);
        *out = g->spans;
        return 0;
    }
    e->pool = pool_make(g, o, why);
    if (e->pool == NULL) {
        exporter_close(e);
        return -1;
    }
    *out = e;
    return 0;
}

static void take_over(struct span_exporter *e, struct span_exporter *before)
{
    hang_up(before);
    e->open = before->open;
    e->first = before->first;
    e->last = before->last;
    e->nspans = before->nspans;
    before->open = before->first = before->last = NULL;
    before->nspans = 0;
    wait_for(e, 1);
    if (e->open != NULL)
        deadline_set(&e->due, BATCH_MS);
}

void tracing_install(struct gateway *g, struct span_exporter *e)
{
    struct span_exporter *before = g->spans;
    if (before == e)
        return;
    if (before != NULL && e != NULL)
        take_over(e, before);
    exporter_close(before);
    g->spans = e;
}

void tracing_discard(struct gateway *g, struct span_exporter *e)
{
    if (g->spans != e)
        exporter_close(e);
}

bool tracing_flush(struct gateway *g)
{
    struct span_exporter *e = g->spans;
    if (e == NULL)
        return true;
    uint64_t now_ms = loop_now_ms(g->loop);
    bool is_first = e->flush_until_ms == 0;
    if (is_first)
        e->flush_until_ms = now_ms + FLUSH_MS;
    seal(e);
    if (is_first && e->step == WAITING)
        wait_for(e, 1);
    if (now_ms >= e->flush_until_ms) {
        while (e->first != NULL)
            drop_first(e);
        wait_for(e, 1);
    }
    return e->first == NULL;
}
