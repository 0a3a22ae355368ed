/* bench/upstream.c: a scripted provider that costs next to nothing.
 *
 * One thread, one epoll. A connection reads a request, looks at both ends of its body for what to
 * play (script.h), then plays it: a whole answer in one write, or a stream, one write an event.
 *
 *     READING ──request──▶ THINKING ──delay──▶ READING          a whole answer
 *                              │
 *                              └──▶ PLAYING ──last step──▶ READING
 *                                     │  ▲
 *                                   full socket: BLOCKED, until EPOLLOUT
 *
 * Streams with a gap wait in the timer heap, streams without one take turns, a chunk each. */
#include "http.h"
#include "options.h"
#include "script.h"
#include "timers.h"
#include "wire.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

enum {
    READ_MAX = 256 * 1024,
    HEAD_MAX = 16 * 1024, /* a request head that needs more reads than one */
    TURN_WRITES = 64,     /* chunks of unpaced streams between two looks at the sockets */
    EVENTS_MAX = 512,
};

struct conn {
    struct timer timer; /* first: timers hand this address back */
    struct wire wire;
    enum { READING, THINKING, PLAYING } state;
    enum { HEAD, BODY } reading;
    enum script_family family;
    struct http_body body;
    struct script script;
    struct script_probe probe;
    bool last; /* the peer asked for Connection: close */
    unsigned step;
    unsigned turn;    /* 1-based place among those taking turns, 0: not among them */
    uint32_t watched; /* events epoll was asked for */
    char *kept;       /* a head begun in an earlier read, or bytes of a request not yet due */
    size_t nkept;
    char *unsent; /* what a full socket refused */
    size_t nunsent;
};

static struct {
    int epoll, listener;
    struct ssl_ctx_st *tls;
    struct script defaults;
    struct timers timers;
    struct conn **turns; /* turns[1..nturns]: unpaced streams */
    unsigned nturns, turns_room, next_turn;
    struct {
        uint64_t connections, requests, streams, chunks, cancelled;
    } seen;
    volatile sig_atomic_t stopping;
} up;

static char scratch[READ_MAX];

/* ---- a connection's place in the loop ---- */

static void watch(struct conn *c, uint32_t events)
{
    if (c->watched == events)
        return;
    struct epoll_event e = {.events = events, .data.ptr = c};
    epoll_ctl(up.epoll, c->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->wire.fd, &e);
    c->watched = events;
}

static void turns_join(struct conn *c)
{
    if (up.nturns + 1 >= up.turns_room) {
        up.turns_room = up.turns_room ? up.turns_room * 2 : 64;
        up.turns = realloc(up.turns, up.turns_room * sizeof(up.turns[0]));
        if (up.turns == NULL)
            die("turns: no memory");
    }
    c->turn = ++up.nturns;
    up.turns[c->turn] = c;
}

static void turns_leave(struct conn *c)
{
    if (c->turn == 0)
        return;
    struct conn *last = up.turns[up.nturns--];
    up.turns[c->turn] = last;
    last->turn = c->turn;
    c->turn = 0;
}

static void conn_close(struct conn *c)
{
    up.seen.cancelled += c->state != READING;
    timer_clear(&up.timers, &c->timer);
    turns_leave(c);
    wire_close(&c->wire);
    free(c->kept);
    free(c->unsent);
    free(c);
}

/* ---- answering ---- */

/* False when the connection is gone and closed. */
static bool send_or_keep(struct conn *c, const char *bytes, size_t len)
{
    ssize_t n = wire_write(&c->wire, bytes, len);
    if (n == (ssize_t)len)
        return true;
    if (n == WIRE_CLOSED) {
        conn_close(c);
        return false;
    }
    size_t sent = n > 0 ? (size_t)n : 0;
    c->nunsent = len - sent;
    c->unsent = malloc(c->nunsent);
    if (c->unsent == NULL)
        die("upstream: no memory");
    memcpy(c->unsent, bytes + sent, c->nunsent);
    watch(c, EPOLLIN | EPOLLOUT);
    return true;
}

static bool is_blocked(const struct conn *c)
{
    return c->nunsent > 0;
}

static bool play_step(struct conn *c)
{
    const char *bytes;
    size_t len = script_event(c->family, &c->script, c->step++, &bytes);
    up.seen.chunks += c->step >= 2 && c->step <= c->script.chunks + 1;
    if (c->step == script_steps(c->family, &c->script)) {
        turns_leave(c);
        c->state = READING;
    }
    return send_or_keep(c, bytes, len);
}

static bool at_content(const struct conn *c)
{
    return c->step >= 1 && c->step <= c->script.chunks;
}

/* The role chunk goes with the first content chunk, the closing events with the last. */
static bool play_paced(struct conn *c)
{
    do {
        if (!play_step(c))
            return false;
    } while (c->state == PLAYING && !is_blocked(c) && (c->step == 1 || !at_content(c)));
    if (c->state == PLAYING && !is_blocked(c))
        timer_set(&up.timers, &c->timer, c->timer.due_ns + c->script.gap_us * 1000ull);
    return true;
}

/* Ready for the next step: when it is due, or in turn with the others that never wait. */
static bool play_on(struct conn *c)
{
    if (c->state != PLAYING)
        return true;
    if (c->script.gap_us > 0)
        return play_paced(c);
    turns_join(c);
    return true;
}

static bool answer(struct conn *c)
{
    if (c->family <= SCRIPT_RESPONSES && c->script.stream) {
        up.seen.streams++;
        c->state = PLAYING;
        c->step = 0;
        c->timer.due_ns = now_ns();
        return play_on(c);
    }
    const char *bytes;
    size_t len = script_whole(c->family, &c->script, &bytes);
    c->state = READING;
    return send_or_keep(c, bytes, len);
}

static bool request_complete(struct conn *c)
{
    up.seen.requests++;
    c->reading = HEAD;
    c->script = up.defaults;
    script_read(&c->script, &c->probe);
    if (c->script.delay_us == 0)
        return answer(c);
    c->state = THINKING;
    timer_set(&up.timers, &c->timer, now_ns() + c->script.delay_us * 1000ull);
    return true;
}

/* ---- reading ---- */

static void keep(struct conn *c, const char *at, size_t len)
{
    if (c->nkept + len > READ_MAX)
        die("upstream: a peer sent %zu bytes ahead of its answer", c->nkept + len);
    c->kept = realloc(c->kept, c->nkept + len);
    if (c->kept == NULL)
        die("upstream: no memory");
    memcpy(c->kept + c->nkept, at, len);
    c->nkept += len;
}

/* Moves *at past what it understood. False when the connection was closed. */
static bool read_head(struct conn *c, const char **at, const char *end)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct http_head head;
    ssize_t n = http_head_parse(*at, (size_t)(end - *at), &head);
    if (n < 0 || (n == 0 && end - *at > HEAD_MAX)) {
        conn_close(c);
        return false;
    }
    if (n == 0)
        return true;
    *at += n;
    c->last = head.close;
    c->family = script_family_of(head.line, head.line_len);
    c->probe.nfirst = c->probe.nlast = 0;
    http_body_start(&c->body, &head, true);
    c->reading = BODY;
    return !head.expects_continue || send_or_keep(c, go_on, sizeof(go_on) - 1);
}

static bool read_body(struct conn *c, const char **at, const char *end)
{
    const char *data;
    ssize_t n;
    while ((n = http_body_next(&c->body, at, end, &data)) > 0)
        script_probe(&c->probe, data, (size_t)n);
    if (n < 0) {
        conn_close(c);
        return false;
    }
    return !c->body.done || request_complete(c);
}

/* Requests, as many as are here, while nothing is being answered. What is left is kept. */
static bool take_bytes(struct conn *c, const char *at, size_t len)
{
    const char *end = at + len;
    const char *before = NULL;
    while (c->state == READING && !is_blocked(c) && at != before) {
        before = at;
        if (c->reading == HEAD && at < end && !read_head(c, &at, end))
            return false;
        if (c->reading == BODY && !read_body(c, &at, end))
            return false;
    }
    if (at < end)
        keep(c, at, (size_t)(end - at));
    return true;
}

/* After an answer: closes if that was asked for, else goes on with a request already here. */
static bool read_on(struct conn *c)
{
    if (c->state != READING || is_blocked(c))
        return true;
    if (c->last && c->reading == HEAD) {
        conn_close(c);
        return false;
    }
    if (c->nkept == 0)
        return true;
    char *kept = c->kept;
    size_t len = c->nkept;
    c->kept = NULL;
    c->nkept = 0;
    bool alive = take_bytes(c, kept, len);
    free(kept);
    return alive;
}

/* One read a turn. With TLS too: a record is smaller than scratch, so OpenSSL keeps nothing back that
 * would leave no trace on the socket. */
static void on_readable(struct conn *c)
{
    ssize_t n = wire_read(&c->wire, scratch, sizeof(scratch));
    if (n == WIRE_CLOSED) {
        conn_close(c);
    } else if (n > 0 && c->nkept > 0) {
        keep(c, scratch, (size_t)n);
        read_on(c);
    } else if (n > 0 && take_bytes(c, scratch, (size_t)n)) {
        read_on(c);
    }
}

static void on_writable(struct conn *c)
{
    ssize_t n = wire_write(&c->wire, c->unsent, c->nunsent);
    if (n == WIRE_CLOSED) {
        conn_close(c);
        return;
    }
    if (n <= 0)
        return;
    c->nunsent -= (size_t)n;
    if (c->nunsent > 0) {
        memmove(c->unsent, c->unsent + n, c->nunsent);
        return;
    }
    free(c->unsent);
    c->unsent = NULL;
    watch(c, EPOLLIN);
    if (c->turn == 0 && !play_on(c))
        return;
    read_on(c);
}

static void on_accept(void)
{
    int fd;
    while ((fd = accept4(up.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct conn *c = calloc(1, sizeof(*c));
        if (c == NULL)
            die("upstream: no memory");
        up.seen.connections++;
        wire_open(&c->wire, fd, up.tls, true);
        watch(c, EPOLLIN);
    }
}

/* ---- the loop ---- */

static void run_due(void)
{
    struct timer *t;
    uint64_t now = now_ns();
    while ((t = timer_first(&up.timers)) != NULL && t->due_ns <= now) {
        struct conn *c = (struct conn *)t;
        timer_clear(&up.timers, t);
        bool alive = c->state == THINKING ? answer(c) : play_on(c);
        if (alive)
            read_on(c);
    }
}

/* A chunk each for streams that never wait, going round. */
static void run_turns(void)
{
    for (unsigned writes = 0; writes < TURN_WRITES && up.nturns > 0; writes++) {
        if (++up.next_turn > up.nturns)
            up.next_turn = 1;
        struct conn *c = up.turns[up.next_turn];
        if (is_blocked(c)) {
            turns_leave(c); /* on_writable joins again */
            continue;
        }
        if (play_step(c) && c->state == READING)
            read_on(c);
    }
}

static const struct timespec *wait_for(struct timespec *room)
{
    *room = (struct timespec){0};
    if (up.nturns > 0)
        return room;
    struct timer *first = timer_first(&up.timers);
    if (first == NULL)
        return NULL;
    uint64_t now = now_ns();
    if (first->due_ns > now) {
        room->tv_sec = (time_t)((first->due_ns - now) / 1000000000u);
        room->tv_nsec = (long)((first->due_ns - now) % 1000000000u);
    }
    return room;
}

static void on_event(const struct epoll_event *e)
{
    struct conn *c = e->data.ptr;
    if (c == NULL)
        on_accept();
    else if ((e->events & EPOLLOUT) && is_blocked(c))
        on_writable(c); /* may close it: what is readable comes again next turn */
    else
        on_readable(c);
}

static void loop(void)
{
    static struct epoll_event events[EVENTS_MAX];
    struct timespec room;
    while (!up.stopping) {
        int n = epoll_pwait2(up.epoll, events, EVENTS_MAX, wait_for(&room), NULL);
        for (int i = 0; i < n; i++)
            on_event(&events[i]);
        run_due();
        run_turns();
    }
}

static void on_signal(int signal_number)
{
    (void)signal_number;
    up.stopping = 1;
}

static const char help[] =
    "bench-upstream: a scripted OpenAI-style provider\n\n"
    "  --listen HOST:PORT   where (127.0.0.1:9000)\n"
    "  --cert F --key F     speak TLS\n"
    "  --chunks N           content chunks in a stream (20)\n"
    "  --gap US             microseconds between them, 0: as fast as they go (0)\n"
    "  --pad BYTES          text in a chunk besides its stamp (8)\n"
    "  --delay US           before the first byte (0)\n"
    "  --body BYTES         text in an answer that is no stream (200)\n\n"
    "A request overrides these by a string that begins so: \"bench n=20 g=50000 p=8 d=0 r=200\".\n"
    "On SIGTERM it prints what it saw as one JSON object.\n";

static const char *at = "127.0.0.1:9000", *cert, *key;

static const struct option_row options[] = {
    {"listen", OPTION_TEXT, &at, NULL},
    {"cert", OPTION_TEXT, &cert, NULL},
    {"key", OPTION_TEXT, &key, NULL},
    {"chunks", OPTION_COUNT, &up.defaults.chunks, NULL},
    {"gap", OPTION_COUNT, &up.defaults.gap_us, NULL},
    {"pad", OPTION_COUNT, &up.defaults.pad, NULL},
    {"delay", OPTION_COUNT, &up.defaults.delay_us, NULL},
    {"body", OPTION_COUNT, &up.defaults.body, NULL},
    {0},
};

int main(int argc, char **argv)
{
    up.defaults = (struct script){.chunks = 20, .pad = 8, .body = 200};
    options_parse(options, argc, argv, help);
    if (up.defaults.pad > SCRIPT_PAD_MAX)
        die("--pad: at most %d", SCRIPT_PAD_MAX);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    prctl(PR_SET_TIMERSLACK, 1ul); /* pacing to the microsecond: the default slack is 50 */
    wire_raise_limit();
    if (cert != NULL && key != NULL)
        up.tls = wire_server_tls(cert, key);
    struct sockaddr_in address = wire_address(at);
    up.listener = wire_listen(&address);
    up.epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(up.epoll, EPOLL_CTL_ADD, up.listener, &e);
    loop();
    printf("{\"connections\":%llu,\"requests\":%llu,\"streams\":%llu,\"chunks\":%llu,"
           "\"cancelled\":%llu}\n",
           (unsigned long long)up.seen.connections, (unsigned long long)up.seen.requests,
           (unsigned long long)up.seen.streams, (unsigned long long)up.seen.chunks,
           (unsigned long long)up.seen.cancelled);
    return 0;
}
