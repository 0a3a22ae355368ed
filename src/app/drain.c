#include "process.h"

#include "sluice/base/log.h"
#include "sluice/exchange/tracing.h"
#include "sluice/store/history.h"

#include <stdio.h>

/* SIGTERM: not ready at once → keep accepting for drain.delay → close the listeners → answers run until
 * drain.timeout, then end with an in-band error → the last records of calls and spans leave, exit 0. */

enum { TICK_MS = 25, FLUSH_MAX_MS = 2000 };

static void stop(struct process *p)
{
    p->state = PROCESS_STOPPED;
    deadline_clear(&p->drain);
    loop_stop(p->loop);
}

/* A store or a collector that does not take them in time goes without. */
static void on_flush(struct deadline *d)
{
    struct process *p = (struct process *)((char *)d - offsetof(struct process, drain));
    bool is_late = loop_now_ms(p->loop) >= p->drain_until_ms;
    bool is_written = history_flush(store_history(p->gateway.store));
    bool is_sent = tracing_flush(&p->gateway);
    if ((is_written && is_sent) || is_late)
        stop(p);
    else
        deadline_set(&p->drain, TICK_MS);
}

static void finish(struct process *p)
{
    deadline_clear(&p->drain);
    deadline_init(&p->drain, p->loop, on_flush);
    p->drain_until_ms = loop_now_ms(p->loop) + FLUSH_MAX_MS;
    on_flush(&p->drain);
}

static bool all_quiet(const struct process *p)
{
    return p->gateway.inflight == 0 && p->gateway.http.connections == 0;
}

static void end_what_runs(struct process *p)
{
    struct fault why = {.kind = FAULT_SHUTTING_DOWN};
    if (p->gateway.inflight == 0)
        return;
    snprintf(why.message, sizeof why.message, "the gateway is shutting down; try again");
    log_warn("drain limit reached", "requests=%u", p->gateway.inflight);
    exchange_fail_all(&p->gateway, &why);
}

static void on_tick(struct deadline *d)
{
    struct process *p = (struct process *)((char *)d - offsetof(struct process, drain));
    bool is_over = loop_now_ms(p->loop) >= p->drain_until_ms;
    if (is_over)
        end_what_runs(p);
    if (is_over || all_quiet(p))
        finish(p);
    else
        deadline_set(&p->drain, TICK_MS);
}

static void on_delay_over(struct deadline *d)
{
    struct process *p = (struct process *)((char *)d - offsetof(struct process, drain));
    ports_stop_accepting(p);
    p->drain_until_ms = loop_now_ms(p->loop) + p->gateway.now->snapshot->server.drain_timeout_ms;
    deadline_init(&p->drain, p->loop, on_tick);
    deadline_set(&p->drain, 1);
}

void drain_begin(struct process *p)
{
    if (p->state == PROCESS_DRAINING) {
        log_info("stopping now", "requests=%u", p->gateway.inflight);
        stop(p);
        return;
    }
    unsigned delay_ms = p->gateway.now->snapshot->server.drain_delay_ms;
    p->state = PROCESS_DRAINING;
    p->gateway.draining = true;
    notify_systemd("STOPPING=1");
    log_info("draining", "requests=%u streams=%u", p->gateway.inflight, p->gateway.streams);
    deadline_init(&p->drain, p->loop, on_delay_over);
    deadline_set(&p->drain, delay_ms > 0 ? delay_ms : 1);
}
