#include "sluice/http/pool.h"

#include "client_priv.h"
#include "sluice/base/arena.h"

#include <stdlib.h>

/* A ticket is either in the queue (the pool is at its limit), or has a dial of its own under way. A
 * connection that becomes free goes to the head of the queue; a failed dial frees a place, so
 * the next in the queue dials. Waiting and connecting share one deadline: the connect timeout. */

struct ticket {
    struct pool *pool;
    struct ticket *next; /* the queue, or the list of those dialing: to find them at the end */
    struct ticket *prev;
    struct dial *dial; /* NULL while queued */
    struct deadline deadline;
    struct later later;
    ticket_fn done;
    void *arg;
    uint64_t since_us;
};

struct pool {
    struct loop *loop;
    unsigned refs;
    struct pool_options options;
    char *host, *unix_path, *server_name;
    struct client *newest, *oldest; /* idle */
    struct ticket *first, *last;    /* queued */
    struct later wake;              /* serve the queue once whoever freed a place has returned */
    unsigned idle, busy, dialing, waiting;
};

static void pool_free_when_unused(struct pool *p)
{
    if (p->refs > 0 || p->idle + p->busy + p->dialing + p->waiting > 0 || p->wake.queued)
        return;
    tls_context_unref(p->options.target.tls);
    free(p->host);
    free(p->unix_path);
    free(p->server_name);
    free(p);
}

struct pool *pool_new(struct loop *l, const struct pool_options *options)
{
    struct pool *p = xcalloc(1, sizeof *p);
    struct dial_target *target = &p->options.target;
    p->loop = l;
    p->refs = 1;
    p->options = *options;
    if (target->host != NULL)
        target->host = p->host = xstrdup(target->host);
    if (target->unix_path != NULL)
        target->unix_path = p->unix_path = xstrdup(target->unix_path);
    if (target->server_name != NULL)
        target->server_name = p->server_name = xstrdup(target->server_name);
    if (target->tls != NULL)
        tls_context_ref(target->tls);
    return p;
}

struct pool *pool_new_with(struct loop *l, const struct pool_options *options,
                           const struct tls_client_config *tls, struct err *why)
{
    struct pool_options own = *options;
    if (tls != NULL) {
        own.target.tls = tls_context_client(tls, why);
        if (own.target.tls == NULL)
            return NULL;
    }
    struct pool *p = pool_new(l, &own);
    if (tls != NULL)
        tls_context_unref(own.target.tls); /* the pool has its own reference */
    return p;
}

struct pool *pool_ref(struct pool *p)
{
    p->refs++;
    return p;
}

void pool_unref(struct pool *p)
{
    if (p == NULL || --p->refs > 0)
        return;
    p->busy++; /* holds the pool while its idle connections leave */
    while (p->newest != NULL)
        client_close(p->newest);
    p->busy--;
    pool_free_when_unused(p);
}

struct pool_stats pool_stats(const struct pool *p)
{
    return (struct pool_stats){p->idle, p->busy, p->dialing, p->waiting};
}

/* --- the idle list ------------------------------------------------------------------------- */

static void list(struct pool *p, struct client *c)
{
    c->newer = NULL;
    c->older = p->newest;
    if (p->newest != NULL)
        p->newest->newer = c;
    else
        p->oldest = c;
    p->newest = c;
    c->listed = true;
    p->idle++;
    deadline_set(&c->idle, p->options.idle_timeout_ms);
}

static void unlist(struct pool *p, struct client *c)
{
    if (c->newer != NULL)
        c->newer->older = c->older;
    else
        p->newest = c->older;
    if (c->older != NULL)
        c->older->newer = c->newer;
    else
        p->oldest = c->newer;
    c->listed = false;
    p->idle--;
}

static struct client *take_idle(struct pool *p)
{
    struct client *c = p->newest;
    unlist(p, c);
    deadline_clear(&c->idle);
    p->busy++;
    return c;
}

/* --- tickets ------------------------------------------------------------------------------- */

static void queue_remove(struct pool *p, struct ticket *t)
{
    if (t->prev != NULL)
        t->prev->next = t->next;
    else
        p->first = t->next;
    if (t->next != NULL)
        t->next->prev = t->prev;
    else
        p->last = t->prev;
    p->waiting--;
}

static void ticket_free(struct later *later)
{
    free((char *)later - offsetof(struct ticket, later));
}

/* Leaves the pool's books; the memory goes at the end of the turn. */
static void ticket_end(struct ticket *t)
{
    deadline_clear(&t->deadline);
    t->later.run = ticket_free;
    loop_later(t->pool->loop, &t->later);
}

static void wake_queue(struct pool *p);

static void on_dialed(void *arg, const struct dial_result *dialed)
{
    struct ticket *t = arg;
    struct pool *p = t->pool;
    struct ticket_result r = {
        .stage = dialed->stage,
        .status = dialed->status,
        .problem = dialed->problem,
        .connect_us = (uint32_t)(clock_us() - t->since_us),
    };
    p->dialing--;
    if (dialed->stream != NULL) {
        r.client = client_new(p->loop, dialed->stream, p);
        p->busy++;
    }
    ticket_fn done = t->done;
    void *owner = t->arg;
    ticket_end(t);
    if (r.client == NULL)
        wake_queue(p);
    pool_ref(p);
    done(owner, &r);
    pool_unref(p);
}

static void ticket_dial(struct ticket *t)
{
    struct pool *p = t->pool;
    p->dialing++;
    t->dial = dial_start(p->loop, &p->options.target, on_dialed, t);
}

static void on_waited_too_long(struct deadline *d)
{
    struct ticket *t = (struct ticket *)((char *)d - offsetof(struct ticket, deadline));
    struct pool *p = t->pool;
    struct ticket_result r = {
        .stage = DIAL_DONE, /* it never came to a dial */
        .status = UV_ETIMEDOUT,
        .problem = "all connections are busy",
    };
    queue_remove(p, t);
    ticket_fn done = t->done;
    void *owner = t->arg;
    ticket_end(t);
    pool_ref(p);
    done(owner, &r);
    pool_unref(p);
}

static void serve(struct pool *p, struct ticket *t)
{
    queue_remove(p, t);
    if (p->newest == NULL) {
        deadline_clear(&t->deadline);
        ticket_dial(t);
        return;
    }
    struct ticket_result r = {.client = take_idle(p), .stage = DIAL_DONE};
    ticket_fn done = t->done;
    void *owner = t->arg;
    ticket_end(t);
    done(owner, &r);
}

static void on_wake(struct later *later)
{
    struct pool *p = (struct pool *)((char *)later - offsetof(struct pool, wake));
    pool_ref(p);
    while (p->first != NULL &&
           (p->newest != NULL || p->busy + p->dialing < p->options.connections_max))
        serve(p, p->first);
    pool_unref(p);
}

/* A connection became idle, or a place for one free: the longest waiting ticket gets it. Those
 * who wait keep the pool alive. */
static void wake_queue(struct pool *p)
{
    if (p->first == NULL)
        return;
    p->wake.run = on_wake;
    loop_later(p->loop, &p->wake);
}

struct client *pool_take(struct pool *p, bool fresh, ticket_fn done, void *arg,
                         struct ticket **ticket)
{
    /* What is free while others wait is theirs: the wake-up is on its way. */
    bool is_next = p->first == NULL;
    *ticket = NULL;
    if (is_next && !fresh && p->newest != NULL)
        return take_idle(p);
    struct ticket *t = xcalloc(1, sizeof *t);
    t->pool = p;
    t->done = done;
    t->arg = arg;
    t->since_us = clock_us();
    deadline_init(&t->deadline, p->loop, on_waited_too_long);
    *ticket = t;
    if (is_next && p->newest != NULL &&
        p->idle + p->busy + p->dialing >= p->options.connections_max)
        client_close(p->oldest); /* it would have been as dead as its sibling, likely */
    if (is_next && p->idle + p->busy + p->dialing < p->options.connections_max) {
        ticket_dial(t);
        return NULL;
    }
    t->prev = p->last;
    if (p->last != NULL)
        p->last->next = t;
    else
        p->first = t;
    p->last = t;
    p->waiting++;
    deadline_set(&t->deadline, p->options.target.timeout_ms);
    return NULL;
}

void ticket_cancel(struct ticket *t)
{
    struct pool *p = t->pool;
    if (t->dial != NULL) {
        dial_cancel(t->dial);
        p->dialing--;
        ticket_end(t);
        wake_queue(p);
    } else {
        queue_remove(p, t);
        ticket_end(t);
    }
    pool_free_when_unused(p);
}

void pool_give(struct pool *p, struct client *c)
{
    p->busy--;
    list(p, c);
    wake_queue(p);
    if (p->refs == 0 && p->first == NULL)
        client_close(c);
}

void pool_forget(struct pool *p, struct client *c)
{
    if (c->listed)
        unlist(p, c);
    else
        p->busy--;
    wake_queue(p);
    pool_free_when_unused(p);
}
