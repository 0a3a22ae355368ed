/* bench/relay.c: the floor: what moving bytes between two sockets costs, and nothing else.
 *
 * No HTTP, no policy, no log: a connection in makes a connection out, and what one read brings is
 * written to the other side. What a gateway costs above this is what it spends on being one. */
#include "wire.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum { READ_MAX = 64 * 1024, EVENTS_MAX = 512 };

struct end {
    struct wire wire;
    struct end *peer;
    char *unsent; /* read here, refused by the peer's socket: reading pauses until it is gone */
    size_t nunsent;
    uint32_t watched;
    bool is_closed;
};

struct pair {
    struct end client, upstream; /* client first: a pair is freed through it */
};

static int epoll;
static char scratch[READ_MAX];

static void watch(struct end *e, uint32_t events)
{
    if (e->watched == events)
        return;
    struct epoll_event event = {.events = events, .data.ptr = e};
    epoll_ctl(epoll, e->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, e->wire.fd, &event);
    e->watched = events;
}

/* Reads while nothing it read is left over; waits to write while the peer's leftover is for it. */
static void watch_again(struct end *e)
{
    watch(e, (e->nunsent == 0 ? EPOLLIN : 0u) | (e->peer->nunsent > 0 ? EPOLLOUT : 0u));
}

/* The memory goes when this turn's events are done: one of them may name the other end. */
static struct pair *closing[EVENTS_MAX];
static unsigned nclosing;

static void close_both(struct end *e)
{
    if (e->is_closed)
        return;
    e->is_closed = e->peer->is_closed = true;
    wire_close(&e->wire);
    wire_close(&e->peer->wire);
    struct end *client = e < e->peer ? e : e->peer;
    closing[nclosing++] = (struct pair *)client;
}

static void free_closed(void)
{
    while (nclosing > 0) {
        struct pair *p = closing[--nclosing];
        free(p->client.unsent);
        free(p->upstream.unsent);
        free(p);
    }
}

static void keep(struct end *e, const char *bytes, size_t len)
{
    e->unsent = malloc(len);
    if (e->unsent == NULL)
        die("relay: no memory");
    memcpy(e->unsent, bytes, len);
    e->nunsent = len;
    watch_again(e);
    watch_again(e->peer);
}

static void on_readable(struct end *e)
{
    ssize_t n = wire_read(&e->wire, scratch, sizeof(scratch));
    if (n == WIRE_AGAIN)
        return;
    ssize_t sent = n > 0 ? wire_write(&e->peer->wire, scratch, (size_t)n) : WIRE_CLOSED;
    if (sent == WIRE_CLOSED)
        close_both(e);
    else if (sent < n)
        keep(e, scratch + (sent > 0 ? sent : 0), (size_t)(n - (sent > 0 ? sent : 0)));
}

static void on_writable(struct end *e)
{
    struct end *from = e->peer;
    ssize_t n = wire_write(&e->wire, from->unsent, from->nunsent);
    if (n == WIRE_AGAIN)
        return;
    if (n == WIRE_CLOSED) {
        close_both(e);
        return;
    }
    from->nunsent -= (size_t)n;
    if (from->nunsent > 0) {
        memmove(from->unsent, from->unsent + n, from->nunsent);
        return;
    }
    free(from->unsent);
    from->unsent = NULL;
    watch_again(from);
    watch_again(e);
}

static void on_accept(int listener, const struct sockaddr_in *to)
{
    int in;
    while ((in = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct pair *p = calloc(1, sizeof(*p));
        int out = wire_dial(to, 0);
        if (p == NULL || out < 0)
            die("relay: %s", strerror(errno));
        wire_open(&p->client.wire, in, NULL, true);
        wire_open(&p->upstream.wire, out, NULL, false);
        p->client.peer = &p->upstream;
        p->upstream.peer = &p->client;
        watch_again(&p->client);
        watch_again(&p->upstream);
    }
}

static void on_event(const struct epoll_event *event)
{
    struct end *e = event->data.ptr;
    if (e->is_closed)
        return;
    if ((event->events & EPOLLOUT) && e->peer->nunsent > 0)
        on_writable(e);
    else if (e->nunsent == 0)
        on_readable(e);
    else if (event->events & (EPOLLHUP | EPOLLERR))
        close_both(e);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        die("usage: bench-relay LISTEN_HOST:PORT UPSTREAM_HOST:PORT");
    struct sockaddr_in at = wire_address(argv[1]), to = wire_address(argv[2]);
    signal(SIGPIPE, SIG_IGN);
    wire_raise_limit();
    int listener = wire_listen(&at);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int n = epoll_wait(epoll, events, EVENTS_MAX, -1);
        for (int i = 0; i < n; i++)
            if (events[i].data.ptr == NULL)
                on_accept(listener, &to);
            else
                on_event(&events[i]);
        free_closed();
    }
}
