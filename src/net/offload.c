/* uv_queue_work with a way back that can be cut: the request owns itself until libuv is done. */
#include "sluice/net/offload.h"

#include "loop_priv.h"

#include "sluice/base/arena.h"

#include <assert.h>
#include <stdlib.h>

struct offload {
    uv_work_t req;
    struct loop *loop;
    void (*work)(void *arg);
    void (*done)(void *arg);
    void (*dropped)(void *arg);
    void *arg;
    bool cancelled;
};

static void on_work(uv_work_t *req) /* on another thread */
{
    struct offload *o = req->data;
    o->work(o->arg);
}

static void on_worked(uv_work_t *req, int status)
{
    struct offload *o = req->data;
    void (*then)(void *arg) = o->cancelled ? o->dropped : o->done;
    void *arg = o->arg;
    (void)status; /* UV_ECANCELED only ever follows our own cancel */
    loop_busy(o->loop);
    free(o);
    if (then != NULL)
        then(arg);
}

struct offload *offload_start(struct loop *l, void (*work)(void *arg), void (*done)(void *arg),
                              void (*dropped)(void *arg), void *arg)
{
    struct offload *o = xcalloc(1, sizeof *o);
    *o = (struct offload){.loop = l, .work = work, .done = done, .dropped = dropped, .arg = arg};
    o->req.data = o;
    int rc = uv_queue_work(&l->uv, &o->req, on_work, on_worked);
    assert(rc == 0);
    return o;
}

void offload_cancel(struct offload *o)
{
    o->cancelled = true;
    uv_cancel((uv_req_t *)&o->req); /* may lose the race with a worker: on_worked runs anyway */
}
