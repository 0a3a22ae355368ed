/* loop.h: the one event loop of the process, its clock, and "after this turn".
 *
 * One thread. A turn is one round of libuv's loop: its timers, then the sockets that are ready.
 * Work given to loop_later runs once the callbacks of the current phase have returned, before the
 * loop sleeps: that is where objects without a handle are freed, so memory never vanishes under a
 * function that is still running. */
#ifndef SLUICE_NET_LOOP_H
#define SLUICE_NET_LOOP_H

#include "sluice/base/ring.h"
#include "sluice/base/span.h"

#include <uv.h>

struct loop;

/* Embedded in whatever waits for the end of the turn; queued at most once at a time. */
struct later {
    struct later *next;
    void (*run)(struct later *);
    bool queued;
};

/* Embedded in whatever goes on in the next turn. */
struct next_turn {
    struct ring link; /* first; among those who wait */
    void (*run)(struct next_turn *);
};

struct loop *loop_new(void); /* aborts when the kernel has no epoll left; ignores SIGPIPE */
/* Closes what the loop itself owns, runs until every handle is closed, and frees it. Everybody
 * else's handles must be closed or closing by now, and dial_cache_free called. */
void loop_free(struct loop *l);
void loop_run(struct loop *l); /* until loop_stop, or nothing is left to wait for */
void loop_stop(struct loop *l);
uv_loop_t *loop_uv(struct loop *l);

void loop_later(struct loop *l, struct later *what);

/* Runs once the sockets have had a turn of their own: for work in pieces that must not keep anybody
 * waiting. Idempotent while it waits; it may ask for the turn after that when it runs. */
void loop_next_turn(struct loop *l, struct next_turn *what);
void loop_forget_turn(struct next_turn *what); /* idempotent; required before freeing */

/* Called at the end of every turn that did something (log flushing). One hook; may be NULL. */
void loop_on_turn(struct loop *l, void (*hook)(void *arg), void *arg);

/* Milliseconds, monotonic, as of the start of this turn. */
static inline uint64_t loop_now_ms(struct loop *l)
{
    return uv_now(loop_uv(l));
}
/* Microseconds, monotonic, now: one clock_gettime. */
uint64_t clock_us(void);
/* Wall clock, for records. */
uint64_t clock_unix_ms(void);

/* The longest time in microseconds that one turn has held the loop since the last call. A turn is
 * measured from its first stream, deadline or accept on; callbacks of other handles (the Redis
 * adapter) call loop_busy first so that their time counts. Costs two clock_gettime a turn. */
uint64_t loop_take_lag_us(struct loop *l);
void loop_busy(struct loop *l);

/* One read buffer for all sockets of the loop: what arrives is used or copied before the callback
 * returns, so an open connection costs no buffer. */
#define LOOP_READ_BYTES (64 * 1024)
uint8_t *loop_read_buffer(struct loop *l);

#endif
