/* bench/load.c: the load generator: one thread, one epoll.
 *
 * Closed loop  each of C connections sends its next request when the last is answered.
 * Open loop    (--rate) requests are due at fixed times whatever the answers do, and latency counts
 *              from the due time: a stall is charged to every request it delays.
 * Hold         (--hold) opens C streams, waits until each has brought its first chunk, and looks
 *              at the watched processes' memory before and then.
 *
 *     ramp ──▶ warm-up ──▶ window: all figures come from here ──▶ drain: what is open must finish
 */
#include "answer.h"
#include "options.h"
#include "watch.h"
#include "wire.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>

enum {
    READ_MAX = 256 * 1024,
    EVENTS_MAX = 512,
    ERRORS_MAX = 1000, /* give up: the figures would mean nothing */
};

static const uint64_t second_ns = 1000000000u;

enum mode { MODE_CHAT, MODE_STREAM, MODE_EMBEDDINGS };

struct client {
    struct wire wire; /* fd -1: no connection */
    unsigned number;
    enum { IDLE, SENDING, RECEIVING } state;
    size_t sent;
    uint32_t watched;
    struct answer answer;
    struct client *next_idle; /* open loop */
};

static struct {
    struct sockaddr_in to;
    struct ssl_ctx_st *tls;
    enum mode mode;
    enum answer_api api;
    const char *key, *model, *host;
    const char *headers; /* lines to add, each with its CRLF */
    unsigned connections, sources, chunks, gap_us, pad, delay_us, prompt, body;
    double rate, seconds, warmup, ramp, timeout;
    unsigned requests; /* 0: until the window ends */
    bool is_tls, close_each, hold, ask_usage;
    struct watch watch;
} want = {.key = "sk-bench",
          .model = "bench",
          .headers = "",
          .connections = 64,
          .sources = 1,
          .chunks = 20,
          .pad = 8,
          .body = 200,
          .seconds = 5,
          .timeout = 30};

static struct {
    int epoll;
    char *request;
    size_t request_len;
    struct client *clients;
    struct client *idle;
    unsigned started; /* clients whose ramp time has come */
    unsigned active;  /* requests under way */
    uint64_t sent;    /* requests begun */
    uint64_t t0, window_ns, end_ns;
    enum { RAMPING, MEASURING, DRAINING, OVER } phase;
    struct tally tally;
    uint64_t requests_before, chunks_before;
    uint64_t cpu_before, cpu_after, own_cpu_before, own_cpu_after;
    uint64_t window_began, window_ended;
    struct watch_memory memory_before, memory_after;
    unsigned opened; /* streams that have brought a chunk */
    unsigned unfinished;
} run;

static char scratch[READ_MAX];

/* ---- the request, the same for all ---- */

/* Prose with the escapes prose has: a scanner that only likes plain bytes should not shine. */
static char *prompt_text(unsigned bytes)
{
    static const char line[] =
        "The keeper wrote \\\"wind from the west, fog by noon\\\" in the log,"
        " lit the lamp and waited for the boat.\\n";
    char *text = malloc(bytes + sizeof(line));
    size_t len = 0;
    if (text == NULL)
        die("load: no memory");
    while (len + sizeof(line) <= bytes) {
        memcpy(text + len, line, sizeof(line) - 1);
        len += sizeof(line) - 1;
    }
    memset(text + len, '.', bytes - len);
    text[bytes] = '\0';
    return text;
}

static char *request_body(void)
{
    char *prompt = prompt_text(want.prompt), *body = NULL;
    int n;
    if (want.mode == MODE_EMBEDDINGS)
        n = asprintf(&body, "{\"model\":\"%s\",\"input\":\"bench r=%u d=%u. Hello. %s\"}",
                     want.model, want.body, want.delay_us, prompt);
    else
        n = asprintf(
            &body,
            "{\"model\":\"%s\",%s%s"
            "\"messages\":[{\"role\":\"system\",\"content\":\"bench n=%u g=%u p=%u d=%u r=%u. "
            "You are a helpful assistant.\"},{\"role\":\"user\",\"content\":\"Say hello. %s\"}],"
            "\"temperature\":0.7}",
            want.model, want.mode == MODE_STREAM ? "\"stream\":true," : "",
            want.ask_usage ? "\"stream_options\":{\"include_usage\":true}," : "", want.chunks,
            want.gap_us, want.pad, want.delay_us, want.body, prompt);
    if (n < 0)
        die("load: no memory");
    free(prompt);
    return body;
}

/* The same conversation in the words of the other protocols. */
static char *other_body(void)
{
    char *prompt = prompt_text(want.prompt), *body = NULL;
    bool is_messages = want.api == ANSWERS_MESSAGES;
    int n = asprintf(&body,
                     "{\"model\":\"%s\",%s\"%s\":\"bench n=%u g=%u p=%u d=%u r=%u. You are a "
                     "helpful assistant.\",\"%s\":%s{\"role\":\"user\",\"content\":\"Say hello. "
                     "%s\"}],\"%s\":1000}",
                     want.model, want.mode == MODE_STREAM ? "\"stream\":true," : "",
                     is_messages ? "system" : "instructions", want.chunks, want.gap_us, want.pad,
                     want.delay_us, want.body, is_messages ? "messages" : "input", "[", prompt,
                     is_messages ? "max_tokens" : "max_output_tokens");
    if (n < 0)
        die("load: no memory");
    free(prompt);
    return body;
}

static const char *request_path(void)
{
    static const char *const paths[] = {"chat/completions", "messages", "responses"};
    return want.mode == MODE_EMBEDDINGS ? "embeddings" : paths[want.api];
}

static void request_build(void)
{
    char *body = want.api == ANSWERS_CHAT ? request_body() : other_body();
    int n = asprintf(&run.request,
                     "POST /v1/%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench-load/1\r\n"
                     "Accept: application/json\r\nAuthorization: Bearer %s\r\n"
                     "Content-Type: application/json\r\n%s%sContent-Length: %zu\r\n\r\n%s",
                     request_path(), want.host, want.key, want.headers,
                     want.close_each ? "Connection: close\r\n" : "", strlen(body), body);
    if (n < 0)
        die("load: no memory");
    run.request_len = (size_t)n;
    free(body);
}

/* ---- one client ---- */

static void client_watch(struct client *c, uint32_t events)
{
    if (c->watched == events)
        return;
    struct epoll_event e = {.events = events, .data.ptr = c};
    epoll_ctl(run.epoll, c->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, c->wire.fd, &e);
    c->watched = events;
}

static void client_disconnect(struct client *c)
{
    wire_close(&c->wire);
    c->watched = 0;
}

static void client_start(struct client *c, uint64_t start_ns);

/* The answer is in, or failed. `wrong` NULL: judged good. */
static void client_done(struct client *c, const char *wrong, uint64_t now)
{
    c->state = IDLE;
    run.active--;
    if (wrong != NULL) {
        tally_error(&run.tally, wrong);
    } else {
        run.tally.requests++;
        if (run.tally.measuring)
            hist_record(&run.tally.latency, now - c->answer.start_ns);
    }
    if (wrong != NULL || c->answer.close || want.close_each)
        client_disconnect(c);
    /* Too many errors: a refused connection fails inside client_start, which leads back here, and
     * this bound is what ends that. */
    if (run.phase >= DRAINING || run.tally.errors >= ERRORS_MAX)
        return;
    if (want.rate > 0) {
        c->next_idle = run.idle;
        run.idle = c;
    } else if (want.requests == 0 || run.sent < want.requests) {
        client_start(c, now);
    }
}

static void client_send(struct client *c)
{
    ssize_t n = wire_write(&c->wire, run.request + c->sent, run.request_len - c->sent);
    if (n == WIRE_CLOSED) {
        client_disconnect(c);
        client_done(c, "the connection was refused or closed while sending", now_ns());
        return;
    }
    c->sent += n > 0 ? (size_t)n : 0;
    if (c->sent == run.request_len) {
        c->state = RECEIVING;
        client_watch(c, EPOLLIN);
    } else {
        client_watch(c, EPOLLIN | (n > 0 || wire_wants_write(&c->wire) ? EPOLLOUT : 0u));
    }
}

static void client_start(struct client *c, uint64_t start_ns)
{
    run.active++;
    run.sent++;
    c->state = SENDING;
    c->sent = 0;
    answer_start(&c->answer, start_ns, want.mode == MODE_STREAM);
    if (c->wire.fd < 0) {
        int fd = wire_dial(&want.to, c->number % want.sources);
        if (fd < 0)
            die("load: cannot connect: %s", strerror(errno));
        wire_open(&c->wire, fd, want.tls, false);
    }
    client_send(c);
}

static void client_received(struct client *c, ssize_t n, uint64_t now)
{
    const char *wrong = NULL;
    bool had_none = c->answer.chunks == 0;
    if (n == WIRE_CLOSED) {
        c->answer.close = true;
        wrong = answer_closed(&c->answer);
    } else {
        wrong = answer_feed(&c->answer, scratch, (size_t)n, now, &run.tally);
    }
    run.opened += had_none && c->answer.chunks > 0;
    if (wrong == NULL && c->answer.at == ANSWER_COMPLETE)
        client_done(c, answer_verdict(&c->answer, want.chunks), now);
    else if (wrong != NULL)
        client_done(c, wrong, now);
}

/* One read a turn. With TLS too: a record is smaller than scratch, so OpenSSL keeps nothing back that
 * would leave no trace on the socket. */
static void client_readable(struct client *c)
{
    ssize_t n = wire_read(&c->wire, scratch, sizeof(scratch));
    if (n == WIRE_AGAIN)
        return;
    if (c->state == RECEIVING)
        client_received(c, n, now_ns());
    else if (n == WIRE_CLOSED)
        client_disconnect(c); /* idle: the peer's right */
}

static void client_event(struct client *c)
{
    if (c->state == SENDING)
        client_send(c);
    else if (c->wire.fd >= 0)
        client_readable(c);
}

/* ---- when requests are due ---- */

static uint64_t ramp_due(unsigned number)
{
    return run.t0 + (uint64_t)(want.ramp * (double)second_ns * number / want.connections);
}

static uint64_t rate_due(uint64_t request)
{
    return run.t0 + (uint64_t)((double)request * (double)second_ns / want.rate);
}

static void start_due(uint64_t now)
{
    if (run.phase >= DRAINING)
        return;
    if (want.rate > 0) {
        while (run.idle != NULL && rate_due(run.sent) <= now) {
            struct client *c = run.idle;
            run.idle = c->next_idle;
            client_start(c, rate_due(run.sent));
        }
        return;
    }
    while (run.started < want.connections && ramp_due(run.started) <= now)
        client_start(&run.clients[run.started++], now);
}

static uint64_t next_due(void)
{
    uint64_t due = run.phase == RAMPING ? run.window_ns : run.end_ns;
    uint64_t start = UINT64_MAX;
    if (run.phase < DRAINING && want.rate > 0 && run.idle != NULL)
        start = rate_due(run.sent);
    else if (run.phase < DRAINING && want.rate <= 0 && run.started < want.connections)
        start = ramp_due(run.started);
    return start < due ? start : due;
}

/* ---- phases ---- */

static void window_begin(uint64_t now)
{
    run.phase = MEASURING;
    if (want.hold)
        run.memory_before = watch_memory(&want.watch);
    run.requests_before = run.tally.requests;
    run.chunks_before = run.tally.chunks;
    run.cpu_before = watch_cpu_ns(&want.watch);
    run.window_began = now;
    run.end_ns = now + (uint64_t)((want.hold ? want.timeout : want.seconds) * (double)second_ns);
    run.tally.measuring = true;
}

static void window_end(uint64_t now)
{
    run.phase = DRAINING;
    run.tally.measuring = false;
    run.window_ended = now;
    run.cpu_after = watch_cpu_ns(&want.watch);
    run.requests_before = run.tally.requests - run.requests_before;
    run.chunks_before = run.tally.chunks - run.chunks_before;
    run.memory_after = watch_memory(&want.watch);
    run.end_ns = now + (want.hold ? 0 : (uint64_t)(want.timeout * (double)second_ns));
}

static bool is_all_done(void)
{
    if (want.requests > 0 && run.sent >= want.requests && run.active == 0)
        return true;
    return run.tally.errors >= ERRORS_MAX;
}

static void advance(uint64_t now)
{
    static bool settled;
    if (run.phase == RAMPING && now >= run.window_ns)
        window_begin(now);
    if (want.hold && run.phase == MEASURING && !settled && run.opened == want.connections) {
        settled = true; /* all open: look after they have stayed so for a while */
        run.end_ns = now + (uint64_t)(want.seconds * (double)second_ns);
    }
    if (run.phase == MEASURING && (now >= run.end_ns || is_all_done()))
        window_end(now);
    if (run.phase == DRAINING && (now >= run.end_ns || run.active == 0)) {
        run.phase = OVER;
        run.unfinished = run.active;
    }
}

static void loop(void)
{
    static struct epoll_event events[EVENTS_MAX];
    for (;;) {
        uint64_t now = now_ns();
        advance(now);
        if (run.phase == OVER)
            return;
        start_due(now);
        uint64_t due = next_due();
        now = now_ns();
        uint64_t wait = due > now ? due - now : 0;
        struct timespec room = {(time_t)(wait / second_ns), (long)(wait % second_ns)};
        int n = epoll_pwait2(run.epoll, events, EVENTS_MAX, &room, NULL);
        for (int i = 0; i < n; i++)
            client_event(events[i].data.ptr);
    }
}

/* ---- what came of it ---- */

static void print_hist(const char *name, const struct hist *h)
{
    printf(",\"%s\":{\"count\":%llu,\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f,\"max\":%.2f}", name,
           (unsigned long long)h->count, (double)hist_percentile(h, 50) / 1e3,
           (double)hist_percentile(h, 90) / 1e3, (double)hist_percentile(h, 99) / 1e3,
           (double)h->max / 1e3);
}

static void print_memory(const char *name, const struct watch_memory *m)
{
    printf(",\"%s\":{\"rss_kb\":%llu,\"pss_kb\":%llu,\"anonymous_kb\":%llu}", name,
           (unsigned long long)m->rss_kb, (unsigned long long)m->pss_kb,
           (unsigned long long)m->anonymous_kb);
}

static void print_report(void)
{
    double seconds = (double)(run.window_ended - run.window_began) / 1e9;
    double per_s = seconds > 0 ? 1 / seconds : 0; /* nothing may have been answered at all */
    uint64_t requests = run.requests_before, chunks = run.chunks_before;
    printf("{\"seconds\":%.3f,\"requests\":%llu,\"requests_per_s\":%.1f,\"chunks\":%llu,"
           "\"chunks_per_s\":%.1f,\"errors\":%llu,\"first_error\":\"%s\",\"unfinished\":%u,"
           "\"opened\":%u",
           seconds, (unsigned long long)requests, (double)requests * per_s,
           (unsigned long long)chunks, (double)chunks * per_s, (unsigned long long)run.tally.errors,
           run.tally.first_error, run.unfinished, run.opened);
    print_hist("latency_us", &run.tally.latency);
    print_hist("ttft_us", &run.tally.ttft);
    print_hist("chunk_us", &run.tally.chunk);
    if (want.watch.count > 0) {
        printf(",\"cpu_us\":%.1f", (double)(run.cpu_after - run.cpu_before) / 1e3);
        if (want.hold)
            print_memory("memory_before", &run.memory_before);
        print_memory("memory", &run.memory_after);
    }
    printf("}\n");
}

static const char help[] =
    "bench-load: load for an OpenAI-style endpoint; prints one JSON object\n\n"
    "  --to HOST:PORT     where (127.0.0.1:4000)        --tls             over TLS\n"
    "  --mode M           chat, stream or embeddings    --connections C   (64)\n"
    "  --api A            chat, messages or responses: what mode chat and stream speak\n"
    "  --rate R           open loop, requests a second  --sources N       client addresses (1)\n"
    "  --seconds S        measured window (5)           --warmup S        before it (0)\n"
    "  --ramp S           spread the first requests     --requests N      stop after N\n"
    "  --close            a new connection each request --hold            memory of open streams\n"
    "  --chunks N --gap US --pad BYTES                  the streams asked for\n"
    "  --delay US --body BYTES                          thinking time, size of whole answers\n"
    "  --prompt BYTES     text in the request           --usage           ask for the usage chunk\n"
    "  --key K --model M  credential and model          --header 'N: V'   repeatable\n"
    "  --timeout S        for what is open at the end   --watch PID       repeatable: CPU, memory\n\n"
    "Latencies are microseconds; chunk_us is one way, from the upstream's write to our read.\n"
    "Exit 0 when every answer was complete and in order, 1 when not.\n";

static void parse_api(const char *text)
{
    static const char *const names[] = {"chat", "messages", "responses"};
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            want.api = (enum answer_api)i;
            return;
        }
    }
    die("--api %s: chat, messages or responses", text);
}

static void parse_mode(const char *text)
{
    static const char *const names[] = {"chat", "stream", "embeddings"};
    for (unsigned i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            want.mode = (enum mode)i;
            return;
        }
    die("--mode %s: chat, stream or embeddings", text);
}

static void parse_watch(const char *text)
{
    if (want.watch.count == WATCH_MAX)
        die("--watch: at most %d processes", WATCH_MAX);
    want.watch.pid[want.watch.count++] = atoi(text);
}

static void parse_header(const char *text)
{
    char *all;
    if (asprintf(&all, "%s%s\r\n", want.headers, text) < 0)
        die("load: no memory");
    want.headers = all;
}

static void parse_to(const char *text)
{
    want.to = wire_address(text);
    want.host = text;
}

static const struct option_row options[] = {
    {"to", OPTION_CALL, NULL, parse_to},
    {"tls", OPTION_FLAG, &want.is_tls, NULL},
    {"mode", OPTION_CALL, NULL, parse_mode},
    {"api", OPTION_CALL, NULL, parse_api},
    {"connections", OPTION_COUNT, &want.connections, NULL},
    {"rate", OPTION_REAL, &want.rate, NULL},
    {"sources", OPTION_COUNT, &want.sources, NULL},
    {"seconds", OPTION_REAL, &want.seconds, NULL},
    {"warmup", OPTION_REAL, &want.warmup, NULL},
    {"ramp", OPTION_REAL, &want.ramp, NULL},
    {"requests", OPTION_COUNT, &want.requests, NULL},
    {"close", OPTION_FLAG, &want.close_each, NULL},
    {"hold", OPTION_FLAG, &want.hold, NULL},
    {"chunks", OPTION_COUNT, &want.chunks, NULL},
    {"gap", OPTION_COUNT, &want.gap_us, NULL},
    {"pad", OPTION_COUNT, &want.pad, NULL},
    {"delay", OPTION_COUNT, &want.delay_us, NULL},
    {"body", OPTION_COUNT, &want.body, NULL},
    {"prompt", OPTION_COUNT, &want.prompt, NULL},
    {"usage", OPTION_FLAG, &want.ask_usage, NULL},
    {"key", OPTION_TEXT, &want.key, NULL},
    {"model", OPTION_TEXT, &want.model, NULL},
    {"timeout", OPTION_REAL, &want.timeout, NULL},
    {"header", OPTION_CALL, NULL, parse_header},
    {"watch", OPTION_CALL, NULL, parse_watch},
    {0},
};

static void open_clients(void)
{
    run.clients = calloc(want.connections, sizeof(run.clients[0]));
    if (run.clients == NULL)
        die("load: no memory");
    for (unsigned i = want.connections; i-- > 0;) {
        run.clients[i].number = i;
        run.clients[i].wire.fd = -1;
        run.clients[i].next_idle = run.idle;
        run.idle = &run.clients[i];
    }
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    parse_to("127.0.0.1:4000");
    options_parse(options, argc, argv, help);
    answer_speak(want.api);
    if (want.connections == 0 || want.sources == 0)
        die("--connections and --sources are at least 1");
    if (want.is_tls)
        want.tls = wire_client_tls();
    prctl(PR_SET_TIMERSLACK, 1ul);
    size_t limit = wire_raise_limit();
    if (want.connections + 64 > limit)
        die("load: %u connections need more than the %zu descriptors allowed", want.connections,
            limit);
    request_build();
    open_clients();
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    run.t0 = now_ns();
    /* Hold looks at memory before the first stream, everything else once it runs steadily. */
    run.window_ns = run.t0;
    if (!want.hold)
        run.window_ns += (uint64_t)((want.ramp + want.warmup) * (double)second_ns);
    loop();
    print_report();
    return run.tally.errors > 0 || run.unfinished > (want.hold ? want.connections : 0);
}
