/* uv_queue_work with a way back that can be cut: the request owns itself until libuv is done. */
#include "sluice/net/offload.h"

#include "loop_priv.h"

#include "sluice/base/arena.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

enum { LARGE_BYTES = 4 * 1024 * 1024, LARGE_AT_A_TIME = 2 };

struct offload {
    uv_work_t req;
    struct loop *loop;
    void (*work)(void *arg);
    void (*done)(void *arg);
    void (*dropped)(void *arg);
    void *arg;
    bool cancelled, is_large;
    bool in_line;
    struct offload *next; /* in line */
    struct later later;   /* cancelled there */
};

static void on_work(uv_work_t *req) /* on another thread */
{
    struct offload *o = req->data;
    o->work(o->arg);
}

static void conclude(struct offload *o)
{
    void (*then)(void *arg) = o->cancelled ? o->dropped : o->done;
    void *arg = o->arg;
    free(o);
    if (then != NULL)
        then(arg);
}

static void on_worked(uv_work_t *req, int status);

static void queue(struct offload *o)
{
    o->loop->large_running += o->is_large;
    int rc = uv_queue_work(&o->loop->uv, &o->req, on_work, on_worked);
    assert(rc == 0);
}

static void advance_line(struct loop *l)
{
    struct offload *first = l->line;
    if (first == NULL)
        return;
    l->line = first->next;
    if (l->line == NULL)
        l->line_end = &l->line;
    first->in_line = false;
    queue(first);
}

static void on_worked(uv_work_t *req, int status)
{
    struct offload *o = req->data;
    struct loop *l = o->loop;
    (void)status; /* UV_ECANCELED only ever follows our own cancel */
    loop_busy(l);
    if (o->is_large) {
        l->large_running--;
        advance_line(l);
    }
    conclude(o);
}

static struct offload *offload_new(struct loop *l, void (*work)(void *arg), void (*done)(void *arg),
                                   void (*dropped)(void *arg), void *arg)
{
    struct offload *o = xcalloc(1, sizeof *o);
    *o = (struct offload){.loop = l, .work = work, .done = done, .dropped = dropped, .arg = arg};
    o->req.data = o;
    return o;
}

struct offload *offload_start(struct loop *l, void (*work)(void *arg), void (*done)(void *arg),
                              void (*dropped)(void *arg), void *arg)
{
    struct offload *o = offload_new(l, work, done, dropped, arg);
    queue(o);
    return o;
}

struct offload *offload_start_sized(struct loop *l, size_t bytes, void (*work)(void *arg),
                                    void (*done)(void *arg), void (*dropped)(void *arg), void *arg)
{
    struct offload *o = offload_new(l, work, done, dropped, arg);
    o->is_large = bytes > LARGE_BYTES;
    if (!o->is_large || l->large_running < LARGE_AT_A_TIME) {
        queue(o);
        return o;
    }
    o->in_line = true;
    *l->line_end = o;
    l->line_end = &o->next;
    return o;
}

static void on_left_line(struct later *later)
{
    conclude((struct offload *)((char *)later - offsetof(struct offload, later)));
}

static void leave_line(struct offload *o)
{
    struct loop *l = o->loop;
    struct offload **link = &l->line;
    while (*link != o)
        link = &(*link)->next;
    *link = o->next;
    if (l->line_end == &o->next)
        l->line_end = link;
    o->later.run = on_left_line;
    loop_later(l, &o->later);
}

void offload_cancel(struct offload *o)
{
    o->cancelled = true;
    if (o->in_line)
        leave_line(o);
    else
        uv_cancel((uv_req_t *)&o->req); /* may lose the race with a worker: on_worked runs anyway */
}
