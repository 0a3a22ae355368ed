/* fault_proxy.c: a wire that breaks in every way a provider's has been seen to break.
 *
 *     gateway ══ down ══▶ link ══ up ══▶ provider
 *
 *     fault_proxy HOST:PORT…        one listener for each; prints "listening PORT…"
 *
 * What a listener does to its requests is said on stdin, "INDEX FAULT [NUMBER [NUMBER]]", and each line
 * is answered with "ok" on stdout. A request keeps to its end the fault it began under: so a test can
 * change faults at any time and still know that nothing broke in the middle which it did not want to.
 *
 *     pass                   as it comes
 *     delay MS JITTER        every piece of the answer that much later
 *     drip BYTES             so many bytes of the answer a second
 *     crumbs                 the first bytes of the answer one by one, a segment each
 *     refuse                 nobody listens; open connections are reset by the next request
 *     stale                  a connection is good for one request; the next one resets it (not over TLS)
 *     vanish                 nobody answers a connection being made either: SYNs are dropped
 *     asleep                 connections are accepted and not read: windows fill up
 *     silent                 requests are read and not answered
 *     reset N, close N,      after N bytes of the answer, or at the end of its head (-1): RST, FIN, nothing
 *     stall N, garble N      more, a chunk that is none
 *     say NAME [early]       an answer of its own, of sayings.h; early: without waiting for the request's end
 *
 * "INDEX odds N": only N of a hundred requests, by chance, meet the fault; the others pass. A circuit
 * that opened would hide them all. "stats" prints how many requests met which fault.
 *
 * Requests are told apart by their Content-Length. Where they cannot be read (TLS), one begins whenever
 * the gateway speaks after the provider did. */
#include "sayings.h"

#include <uv.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LISTENERS_MAX = 16,
    QUEUE_MAX = 256 * 1024, /* bytes on their way, until the other side is read no more */
    CRUMBS = 400,
    TICK_MS = 20,
    DEAF = 3,
    UNKNOWN = -1,
    HEAD_END = -1, /* a NUMBER: not after so many bytes, but where the head ends */
};

enum fault {
    PASS,
    DELAY,
    DRIP,
    CRUMBLE,
    REFUSE,
    STALE,
    VANISH,
    ASLEEP,
    SILENT,
    RESET,
    CLOSE,
    STALL,
    GARBLE,
    SAY,
    FAULTS
};

static const char *const fault_names[FAULTS] = {
    "pass",   "delay",  "drip",  "crumbs", "refuse", "stale",  "vanish",
    "asleep", "silent", "reset", "close",  "stall",  "garble", "say",
};

struct mode {
    enum fault fault;
    long a, b;
    bool early;
};

static bool is_asleep(enum fault f)
{
    return f == ASLEEP || f == VANISH;
}

/* --- links ---------------------------------------------------------------------------------------- */

struct listener {
    uv_tcp_t tcp;
    int held; /* bound, so that the port stays ours while nobody listens */
    struct sockaddr_in here, there;
    bool listens;
    int deaf[DEAF]; /* a listener whose queue is full, and what fills it */
    struct mode mode;
    int odds;
    struct link *links;
};

struct link {
    uv_tcp_t down, up;
    uv_timer_t timer;
    uv_connect_t connecting;
    unsigned handles;
    struct listener *of;
    struct link *next, **prev;
    struct mode mode; /* of the request under way, or of the last one */
    unsigned requests;
    bool asking; /* in a request */
    long left;   /* bytes of it to come, or UNKNOWN */
    long said;   /* bytes of its answer that were passed on */
    bool closing, has_up, up_ended, is_mute;
    char *held; /* of the answer, not passed on yet */
    size_t nheld;
};

static uv_loop_t *loop;
static struct listener listeners[LISTENERS_MAX];
static unsigned nlisteners;
static unsigned long met[FAULTS], connections, open_links;

static void on_handle_closed(uv_handle_t *h)
{
    struct link *l = h->data;
    if (--l->handles > 0)
        return;
    open_links--;
    free(l->held);
    free(l);
}

static void let_go(struct link *l, bool with_reset)
{
    if (l->closing)
        return;
    l->closing = true;
    *l->prev = l->next;
    if (l->next != NULL)
        l->next->prev = l->prev;
    if (!with_reset || uv_tcp_close_reset(&l->down, on_handle_closed) != 0)
        uv_close((uv_handle_t *)&l->down, on_handle_closed);
    uv_close((uv_handle_t *)&l->up, on_handle_closed);
    uv_close((uv_handle_t *)&l->timer, on_handle_closed);
}

/* --- writing -------------------------------------------------------------------------------------- */

struct writing {
    uv_write_t req;
    struct link *link;
    char bytes[];
};

static void look_at_flow(struct link *l);

static void on_written(uv_write_t *req, int status)
{
    struct writing *w = (struct writing *)req;
    if (status == 0 && !w->link->closing)
        look_at_flow(w->link);
    free(w);
}

static void put(struct link *l, uv_tcp_t *to, const char *bytes, size_t n)
{
    struct writing *w = malloc(sizeof *w + n);
    if (w == NULL)
        abort();
    w->link = l;
    memcpy(w->bytes, bytes, n);
    uv_buf_t b = uv_buf_init(w->bytes, (unsigned)n);
    if (uv_write(&w->req, (uv_stream_t *)to, &b, 1, on_written) != 0)
        free(w);
}

static void on_shut(uv_shutdown_t *req, int status)
{
    (void)status;
    free(req);
}

/* FIN, behind all that was written. What the gateway still sends is read on until it closes, too: bytes
 * that nobody read would make an RST of it, and the answer would be lost with them. */
static void shut(struct link *l)
{
    uv_shutdown_t *req = malloc(sizeof *req);
    if (req == NULL)
        abort();
    l->is_mute = true;
    if (uv_shutdown(req, (uv_stream_t *)&l->down, on_shut) != 0)
        free(req);
}

/* --- answers -------------------------------------------------------------------------------------- */

static void release(struct link *l, size_t n)
{
    if (n == 0)
        return;
    put(l, &l->down, l->held, n);
    l->said += (long)n;
    l->nheld -= n;
    memmove(l->held, l->held + n, l->nheld);
}

static void pump(struct link *l);

static void on_timer(uv_timer_t *t)
{
    struct link *l = t->data;
    size_t some = l->mode.fault == DRIP ? (size_t)l->mode.a * TICK_MS / 1000 + 1 : l->nheld;
    if (l->mode.fault != CRUMBLE)
        release(l, some < l->nheld ? some : l->nheld);
    for (unsigned i = 0; i < 4 && l->mode.fault == CRUMBLE && l->nheld > 0; i++)
        release(l, 1);
    pump(l);
}

static void later(struct link *l, long ms)
{
    if (l->nheld > 0 && !uv_is_active((uv_handle_t *)&l->timer))
        uv_timer_start(&l->timer, on_timer, (uint64_t)ms, 0);
}

/* How much of what is held comes before the place where it breaks, and whether that is in it. */
static bool find_break(const struct link *l, size_t *before)
{
    bool at_line = l->mode.fault == GARBLE;
    const char *mark = l->mode.a == HEAD_END ? "\r\n\r\n" : "\n\r\n"; /* of a head, or of a chunk */
    size_t from = l->mode.a > l->said ? (size_t)(l->mode.a - l->said) : 0;
    *before = l->nheld;
    if (l->mode.a != HEAD_END && !at_line) {
        *before = from < l->nheld ? from : l->nheld;
        return from <= l->nheld;
    }
    char *found = from < l->nheld ? memmem(l->held + from, l->nheld - from, mark, strlen(mark))
                                  : NULL;
    if (found != NULL)
        *before = (size_t)(found - l->held) + strlen(mark);
    return found != NULL;
}

static void break_off(struct link *l)
{
    size_t before;
    bool is_here = find_break(l, &before);
    release(l, before);
    if (!is_here)
        return;
    l->nheld = 0;
    switch (l->mode.fault) {
    case RESET:
        let_go(l, true);
        break;
    case CLOSE:
        shut(l);
        break;
    case GARBLE:
        put(l, &l->down, "zz\r\nno chunk\r\n", 14);
        l->is_mute = true;
        break;
    default: /* STALL */
        l->is_mute = true;
    }
}

/* Passes on what may go now. */
static void pump(struct link *l)
{
    switch (l->is_mute ? SILENT : l->mode.fault) {
    case DELAY:
        later(l, l->mode.a + (l->mode.b > 0 ? rand() % l->mode.b : 0));
        break;
    case DRIP:
        later(l, TICK_MS);
        break;
    case CRUMBLE:
        if (l->said < CRUMBS)
            later(l, 1);
        else
            release(l, l->nheld);
        break;
    case RESET:
    case CLOSE:
    case STALL:
    case GARBLE:
        break_off(l);
        break;
    case SILENT:
        l->nheld = 0;
        break;
    default:
        release(l, l->nheld);
    }
    if (l->closing)
        return;
    if (l->up_ended && l->nheld == 0 && !l->is_mute)
        shut(l);
    look_at_flow(l);
}

static void say(struct link *l)
{
    char head[256] = "";
    const struct saying *s = &sayings[l->mode.a];
    if (s->status != NULL)
        snprintf(head, sizeof head,
                 "HTTP/1.1 %s\r\nContent-Type: %s\r\n%s%sContent-Length: %zu\r\n\r\n", s->status,
                 s->type, s->more, s->cuts ? "Connection: close\r\n" : "", strlen(s->body));
    char *all = NULL;
    int n = asprintf(&all, "%s%s", head, s->body);
    if (n < 0)
        abort();
    put(l, &l->down, all, (size_t)n);
    free(all);
    if (s->cuts || l->asking)
        shut(l);
}

static void on_room(uv_handle_t *h, size_t suggested, uv_buf_t *buf)
{
    static char room[64 * 1024];
    (void)h;
    (void)suggested;
    *buf = uv_buf_init(room, sizeof room);
}

static void on_answer(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct link *l = s->data;
    if (n < 0) {
        l->up_ended = true;
        uv_read_stop(s);
        pump(l);
    } else if (n > 0) {
        if (l->left == UNKNOWN)
            l->asking = false;
        l->held = realloc(l->held, l->nheld + (size_t)n);
        if (l->held == NULL)
            abort();
        memcpy(l->held + l->nheld, buf->base, (size_t)n);
        l->nheld += (size_t)n;
        pump(l);
    }
}

/* --- requests ------------------------------------------------------------------------------------- */

static void on_connected(uv_connect_t *c, int status)
{
    struct link *l = c->data;
    if (l->closing)
        return;
    if (status != 0)
        let_go(l, true);
    else
        look_at_flow(l);
}

static void pass_on(struct link *l, const char *bytes, size_t n)
{
    if (!l->has_up) {
        l->has_up = true;
        l->connecting.data = l;
        if (uv_tcp_connect(&l->connecting, &l->up, (struct sockaddr *)&l->of->there,
                           on_connected) != 0) {
            let_go(l, true);
            return;
        }
        uv_tcp_nodelay(&l->up, 1);
    }
    put(l, &l->up, bytes, n);
}

/* The whole request's length, if it is one whose head is here. */
static long length_of(const char *bytes, size_t n)
{
    static const char field[] = "\r\nContent-Length: ";
    const char *end = n > 5 && memcmp(bytes, "POST ", 5) == 0 ? memmem(bytes, n, "\r\n\r\n", 4)
                                                              : NULL;
    const char *said = end != NULL ? memmem(bytes, (size_t)(end - bytes), field, strlen(field))
                                   : NULL;
    if (said == NULL)
        return UNKNOWN;
    long body = 0;
    for (const char *digit = said + strlen(field); *digit >= '0' && *digit <= '9'; digit++)
        body = body * 10 + *digit - '0'; /* the head's end is behind them */
    return end + 4 - bytes + body;
}

static void begin_request(struct link *l, const char *bytes, size_t n)
{
    l->asking = true;
    l->requests++;
    l->mode = rand() % 100 < l->of->odds ? l->of->mode : (struct mode){.fault = PASS};
    l->left = length_of(bytes, n);
    l->said = 0;
    met[l->mode.fault]++;
}

static bool is_relayed(const struct link *l)
{
    return l->mode.fault != SAY && l->mode.fault != SILENT && !is_asleep(l->mode.fault);
}

static void on_request(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    struct link *l = s->data;
    if (n < 0) {
        let_go(l, false);
        return;
    }
    if (n == 0 || l->is_mute)
        return;
    bool is_new = !l->asking;
    if (is_new)
        begin_request(l, buf->base, (size_t)n);
    if (l->mode.fault == REFUSE || (l->mode.fault == STALE && l->requests > 1)) {
        let_go(l, true);
        return;
    }
    if (l->left != UNKNOWN) {
        l->left -= n;
        l->asking = l->left > 0;
    }
    if (is_relayed(l))
        pass_on(l, buf->base, (size_t)n);
    else if (l->mode.fault == SAY && (l->mode.early || l->left == UNKNOWN ? is_new : !l->asking))
        say(l);
    if (!l->closing)
        look_at_flow(l);
}

/* Who reads whom: each side as long as the other takes what comes. */
static void look_at_flow(struct link *l)
{
    bool sleeps = is_asleep(l->of->mode.fault) && !l->asking;
    bool up_is_full = uv_stream_get_write_queue_size((uv_stream_t *)&l->up) > QUEUE_MAX;
    bool down_is_full = l->nheld > QUEUE_MAX ||
                        uv_stream_get_write_queue_size((uv_stream_t *)&l->down) > QUEUE_MAX;
    if (sleeps || up_is_full)
        uv_read_stop((uv_stream_t *)&l->down);
    else
        uv_read_start((uv_stream_t *)&l->down, on_room, on_request);
    if (l->up_ended || !uv_is_readable((uv_stream_t *)&l->up))
        return;
    if (down_is_full)
        uv_read_stop((uv_stream_t *)&l->up);
    else
        uv_read_start((uv_stream_t *)&l->up, on_room, on_answer);
}

/* --- listeners ------------------------------------------------------------------------------------ */

static void on_accept(uv_stream_t *server, int status)
{
    struct listener *of = server->data;
    struct link *l = calloc(1, sizeof *l);
    if (l == NULL)
        abort();
    uv_tcp_init(loop, &l->down);
    uv_tcp_init(loop, &l->up);
    uv_timer_init(loop, &l->timer);
    l->down.data = l->up.data = l->timer.data = l;
    l->handles = 3;
    l->of = of;
    l->next = of->links;
    l->prev = &of->links;
    if (l->next != NULL)
        l->next->prev = &l->next;
    of->links = l;
    connections++;
    open_links++;
    met[ASLEEP] += is_asleep(of->mode.fault); /* the request is never seen */
    if (status != 0 || uv_accept(server, (uv_stream_t *)&l->down) != 0) {
        let_go(l, false);
        return;
    }
    uv_tcp_nodelay(&l->down, 1);
    look_at_flow(l);
}

static int bound(struct sockaddr_in *here)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    socklen_t len = sizeof *here;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)here, sizeof *here) != 0 ||
        getsockname(fd, (struct sockaddr *)here, &len) != 0) {
        perror("fault_proxy: bind");
        exit(1);
    }
    return fd;
}

static void start_listening(struct listener *l)
{
    if (l->listens)
        return;
    l->listens = true;
    uv_tcp_init(loop, &l->tcp);
    l->tcp.data = l;
    if (uv_tcp_open(&l->tcp, bound(&l->here)) != 0 ||
        uv_listen((uv_stream_t *)&l->tcp, 1024, on_accept) != 0) {
        fprintf(stderr, "fault_proxy: cannot listen\n");
        exit(1);
    }
}

/* A queue with no room left: what the kernel cannot put there it does not answer. */
static void go_deaf(struct listener *l)
{
    l->deaf[0] = bound(&l->here);
    if (listen(l->deaf[0], 0) != 0)
        perror("fault_proxy: listen");
    for (unsigned i = 1; i < DEAF; i++) {
        l->deaf[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(l->deaf[i], (struct sockaddr *)&l->here, sizeof l->here);
    }
}

static void hear_again(struct listener *l)
{
    for (unsigned i = 0; i < DEAF && l->deaf[0] > 0; i++)
        close(l->deaf[i]);
    l->deaf[0] = 0;
}

static void on_listener_closed(uv_handle_t *h);

static void settle(struct listener *l)
{
    enum fault f = l->mode.fault;
    if (f != VANISH)
        hear_again(l);
    if (f != VANISH && f != REFUSE) {
        start_listening(l);
    } else if (l->listens) {
        if (!uv_is_closing((uv_handle_t *)&l->tcp))
            uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
    } else if (f == VANISH && l->deaf[0] == 0) {
        go_deaf(l);
    }
}

static void on_listener_closed(uv_handle_t *h)
{
    struct listener *l = h->data;
    l->listens = false;
    settle(l);
}

static void set_mode(struct listener *l, struct mode mode)
{
    l->mode = mode;
    settle(l);
    for (struct link *each = l->links; each != NULL; each = each->next)
        look_at_flow(each);
}

/* --- what it is told ------------------------------------------------------------------------------ */

static bool read_mode(char *words, struct mode *m)
{
    char *rest, *name = strtok_r(words, " ", &rest);
    char *a = strtok_r(NULL, " ", &rest), *b = strtok_r(NULL, " ", &rest);
    *m = (struct mode){.fault = FAULTS};
    for (unsigned i = 0; i < FAULTS && name != NULL; i++) {
        if (strcmp(name, fault_names[i]) == 0)
            m->fault = (enum fault)i;
    }
    if (m->fault != SAY) {
        m->a = a != NULL ? strtol(a, NULL, 10) : 0;
        m->b = b != NULL ? strtol(b, NULL, 10) : 0;
        return m->fault != FAULTS;
    }
    m->early = b != NULL && strcmp(b, "early") == 0;
    for (unsigned i = 0; i < sizeof sayings / sizeof sayings[0] && a != NULL; i++) {
        m->a = i;
        if (strcmp(sayings[i].name, a) == 0)
            return true;
    }
    return false;
}

static void print_stats(void)
{
    printf("{\"connections\":%lu,\"open\":%lu", connections, open_links);
    for (unsigned i = 0; i < FAULTS; i++)
        printf(",\"%s\":%lu", fault_names[i], met[i]);
    printf("}\n");
}

static void obey(char *line)
{
    struct mode mode;
    char *words = NULL;
    unsigned long i = strtoul(line, &words, 10);
    if (strcmp(line, "stats") == 0) {
        print_stats();
    } else if (words == line || i >= nlisteners) {
        printf("what?\n");
    } else if (strncmp(words, " odds ", 6) == 0) {
        listeners[i].odds = atoi(words + 6);
        printf("ok\n");
    } else if (read_mode(words, &mode)) {
        set_mode(&listeners[i], mode);
        printf("ok\n");
    } else {
        printf("what?\n");
    }
    fflush(stdout);
}

static void on_words(uv_stream_t *s, ssize_t n, const uv_buf_t *buf)
{
    static char line[256];
    static size_t len;
    (void)s;
    if (n < 0)
        exit(0); /* whoever started it is gone, or done */
    for (ssize_t i = 0; i < n; i++) {
        if (buf->base[i] != '\n' && len < sizeof line - 1) {
            line[len++] = buf->base[i];
            continue;
        }
        line[len] = '\0';
        len = 0;
        obey(line);
    }
}

int main(int argc, char **argv)
{
    uv_pipe_t words;
    loop = uv_default_loop();
    signal(SIGPIPE, SIG_IGN);
    printf("listening");
    for (int i = 1; i < argc && nlisteners < LISTENERS_MAX; i++) {
        struct listener *l = &listeners[nlisteners++];
        char *port = strrchr(argv[i], ':');
        if (port == NULL)
            return 2;
        *port++ = '\0';
        uv_ip4_addr(argv[i], atoi(port), &l->there);
        uv_ip4_addr("127.0.0.1", 0, &l->here);
        l->odds = 100;
        l->held = bound(&l->here);
        start_listening(l);
        printf(" %u", (unsigned)ntohs(l->here.sin_port));
    }
    printf("\n");
    fflush(stdout);
    uv_pipe_init(loop, &words, 0);
    uv_pipe_open(&words, 0);
    uv_read_start((uv_stream_t *)&words, on_room, on_words);
    return uv_run(loop, UV_RUN_DEFAULT);
}
