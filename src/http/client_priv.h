/* client_priv.h: what the pool may see of a client: its place in the list of idle ones. */
#ifndef SLUICE_HTTP_CLIENT_PRIV_H
#define SLUICE_HTTP_CLIENT_PRIV_H

#include "sluice/http/client.h"
#include "sluice/http/pool.h"
#include "sluice/net/timer.h"

#include <stddef.h>

enum client_state { CLIENT_IDLE, CLIENT_WAITING, CLIENT_BODY, CLIENT_DONE, CLIENT_CLOSED };

struct client {
    struct loop *loop;
    struct stream *stream;
    struct pool *home;
    struct client *newer, *older; /* the pool's idle list */
    bool listed;
    struct deadline idle;
    struct parser parser;
    const struct client_events *up;
    void *owner;
    struct span *spans; /* of the read under way, on its stack */
    unsigned nspans;
    struct buf *body_into;
    struct later later;
    enum client_state state;
    bool keep_alive, reused, heard_anything, interim, paused;
};

#endif
