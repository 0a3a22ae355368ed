/* loop_priv.h: what the files of net/ share about the loop. */
#ifndef SLUICE_NET_LOOP_PRIV_H
#define SLUICE_NET_LOOP_PRIV_H

#include "sluice/net/loop.h"

struct handshake_step;
struct offload;
struct names; /* names.c: the resolver's cache */
struct wheel; /* timer.c: deadlines by slot */

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare; /* runs before the loop sleeps: the end of a turn */
    uv_check_t check;     /* runs after the sockets' callbacks */
    struct later *later_first, **later_end;
    uv_idle_t idle;        /* runs while somebody waits for a turn: the loop does not sleep */
    struct ring next, due; /* of struct next_turn: for the turn after this; for this one */
    void (*turn_hook)(void *arg);
    void *turn_hook_arg;
    uint64_t turn_began_us; /* 0: nothing has run in this turn yet */
    uint64_t longest_turn_us;
    size_t kept_bytes; /* of all streams: what their sockets have not taken */
    bool stopping;
    uint8_t *read_buffer;
    uint8_t *plain_in;  /* made with the first TLS stream; see loop_plain_in */
    uint8_t *plain_out; /* likewise; see loop_plain_out */
    struct wheel *wheel;
    struct handshake_step *handshakes, **handshakes_end; /* waiting in line to be computed */
    bool handshake_running;
    struct offload *line, **line_end; /* large work that waits for its turn on a thread */
    unsigned large_running;
    struct names *names; /* made by the first dial that has a name */
};

/* What one socket read decrypts to: its own bytes and the record it completes. One upcall then
 * brings all of it, so that nothing is left behind when the owner pauses in that upcall. */
#define LOOP_PLAIN_IN_BYTES (LOOP_READ_BYTES + 16 * 1024)
uint8_t *loop_plain_in(struct loop *l);

/* Small spans of one write are gathered here: a TLS record costs more than copying 16 KiB. */
#define LOOP_PLAIN_OUT_BYTES (16 * 1024)
uint8_t *loop_plain_out(struct loop *l);

struct wheel *wheel_new(struct loop *l);
void wheel_close(struct wheel *w); /* asynchronous; frees itself */

#endif
