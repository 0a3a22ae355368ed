/* The loop: libuv's, with an end of turn.
 *
 *      timers · sockets ──> callbacks ──> [check] ──> close callbacks ──> [prepare] ──> sleep
 *                                           later                     later, hook, lag
 *
 * Both marks flush what loop_later collected, and `check` runs what waited for this turn. `prepare`
 * comes right before libuv decides how long
 * to sleep, so nothing queued by any phase waits for the next event. */
#include "sluice/net/loop.h"

#include "loop_priv.h"

#include "sluice/base/arena.h"

#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

uint64_t clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_unix_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME_COARSE, &t); /* right to a timer tick, and costs a fifth */
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* What runs may queue more, itself included: the list is read anew each time. */
static void flush_later(struct loop *l)
{
    while (l->later_first != NULL) {
        struct later *what = l->later_first;
        l->later_first = what->next;
        if (l->later_first == NULL)
            l->later_end = &l->later_first;
        what->queued = false;
        what->run(what);
    }
}

/* --- the next turn --------------------------------------------------------------------------- */

static void on_idle(uv_idle_t *h)
{
    (void)h; /* that it is there keeps the loop from sleeping */
}

void loop_next_turn(struct loop *l, struct next_turn *what)
{
    if (ring_holds(&what->link))
        return;
    ring_add(&l->next, &what->link);
    uv_idle_start(&l->idle, on_idle);
}

void loop_forget_turn(struct next_turn *what)
{
    if (ring_holds(&what->link))
        ring_remove(&what->link);
}

static void run_due(struct loop *l)
{
    if (ring_is_empty(&l->due) && ring_is_empty(&l->next)) {
        uv_idle_stop(&l->idle);
        return;
    }
    while (!ring_is_empty(&l->due)) {
        struct next_turn *what = (struct next_turn *)l->due.next;
        ring_remove(&what->link);
        loop_busy(l);
        what->run(what);
    }
}

/* --- the marks of a turn --------------------------------------------------------------------- */

static void on_check(uv_check_t *h)
{
    struct loop *l = h->data;
    flush_later(l);
    run_due(l);
    flush_later(l);
}

static void on_prepare(uv_prepare_t *h)
{
    struct loop *l = h->data;
    flush_later(l);
    ring_move(&l->next, &l->due); /* the sockets come between: only what waits now is due */
    if (l->turn_hook != NULL) {
        l->turn_hook(l->turn_hook_arg);
        flush_later(l);
    }
    if (l->turn_began_us == 0)
        return;
    uint64_t held_us = clock_us() - l->turn_began_us;
    if (held_us > l->longest_turn_us)
        l->longest_turn_us = held_us;
    l->turn_began_us = 0;
}

struct loop *loop_new(void)
{
    struct loop *l = xcalloc(1, sizeof *l);
    int rc = uv_loop_init(&l->uv);
    assert(rc == 0);
    /* libuv writes with writev, which raises SIGPIPE when the peer is gone; EPIPE is enough. */
    signal(SIGPIPE, SIG_IGN);
    l->later_end = &l->later_first;
    l->handshakes_end = &l->handshakes;
    l->line_end = &l->line;
    ring_init(&l->next);
    ring_init(&l->due);
    uv_idle_init(&l->uv, &l->idle);
    uv_prepare_init(&l->uv, &l->prepare);
    uv_check_init(&l->uv, &l->check);
    l->prepare.data = l->check.data = l;
    uv_prepare_start(&l->prepare, on_prepare);
    uv_check_start(&l->check, on_check);
    /* Neither is a reason to go on running. */
    uv_unref((uv_handle_t *)&l->prepare);
    uv_unref((uv_handle_t *)&l->check);
    l->read_buffer = xcalloc(1, LOOP_READ_BYTES);
    l->wheel = wheel_new(l);
    return l;
}

void loop_free(struct loop *l)
{
    flush_later(l);
    uv_run(&l->uv, UV_RUN_DEFAULT); /* handles whose owners closed them; requests under way */
    assert(l->names == NULL);       /* dial_cache_free comes first */
    flush_later(l);
    wheel_close(l->wheel);
    assert(ring_is_empty(&l->next) && ring_is_empty(&l->due));
    uv_close((uv_handle_t *)&l->idle, NULL);
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->check, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    int rc = uv_loop_close(&l->uv);
    assert(rc == 0);
    free(l->read_buffer);
    free(l->plain_in);
    free(l->plain_out);
    free(l);
}

void loop_run(struct loop *l)
{
    l->stopping = false;
    do {
        flush_later(l); /* uv_run does not get as far as `prepare` when only this is left */
        uv_run(&l->uv, UV_RUN_DEFAULT);
    } while (!l->stopping && (l->later_first != NULL || uv_loop_alive(&l->uv)));
}

void loop_stop(struct loop *l)
{
    l->stopping = true;
    uv_stop(&l->uv);
}

uv_loop_t *loop_uv(struct loop *l)
{
    return &l->uv;
}

void loop_later(struct loop *l, struct later *what)
{
    if (what->queued)
        return;
    what->queued = true;
    what->next = NULL;
    *l->later_end = what;
    l->later_end = &what->next;
}

void loop_on_turn(struct loop *l, void (*hook)(void *arg), void *arg)
{
    l->turn_hook = hook;
    l->turn_hook_arg = arg;
}

void loop_busy(struct loop *l)
{
    if (l->turn_began_us == 0)
        l->turn_began_us = clock_us();
}

uint64_t loop_take_lag_us(struct loop *l)
{
    uint64_t longest = l->longest_turn_us;
    l->longest_turn_us = 0;
    return longest;
}

uint8_t *loop_read_buffer(struct loop *l)
{
    return l->read_buffer;
}

uint8_t *loop_plain_in(struct loop *l)
{
    if (l->plain_in == NULL)
        l->plain_in = xcalloc(1, LOOP_PLAIN_IN_BYTES);
    return l->plain_in;
}

uint8_t *loop_plain_out(struct loop *l)
{
    if (l->plain_out == NULL)
        l->plain_out = xcalloc(1, LOOP_PLAIN_OUT_BYTES);
    return l->plain_out;
}
