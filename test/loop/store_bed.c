#include "store_bed.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ANSWER_MS = 5000, START_MS = 10000 };

/* ── loop ────────────────────────────────────────────────────────────────────────────────────── */

void bed_open(struct bed *b)
{
    char path[128];

    *b = (struct bed){.redis_pid = 0};
    snprintf(b->directory, sizeof(b->directory), P_tmpdir "/sluice-store-XXXXXX");
    assert_non_null(mkdtemp(b->directory));
    snprintf(path, sizeof(path), "%s/log", b->directory);
    b->log_fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(b->log_fd >= 0);
    log_open(b->log_fd, LOG_DEBUG, LOG_FORMAT_TEXT);
    b->loop = loop_new();
    b->metrics = metric_registry_new();
}

static void run_command(const char *command)
{
    assert_int_equal(system(command), 0);
}

void bed_close(struct bed *b)
{
    char command[128];

    dial_cache_free(b->loop);
    loop_free(b->loop);
    metric_registry_free(b->metrics);
    log_close();
    log_open(STDERR_FILENO, LOG_INFO, LOG_FORMAT_TEXT);
    close(b->log_fd);
    if (b->redis_pid != 0)
        bed_redis_kill(b);
    snprintf(command, sizeof(command), "rm -rf %s", b->directory);
    run_command(command);
}

struct run {
    struct loop *loop;
    bed_condition met;
    void *arg;
    uint64_t until_us;
    bool done;
};

static void on_tick(uv_timer_t *t)
{
    struct run *run = t->data;

    run->done = run->met != NULL && run->met(run->arg);
    if (run->done || clock_us() >= run->until_us)
        loop_stop(run->loop);
}

static void on_tick_closed(uv_handle_t *h)
{
    struct run *run = h->data;

    loop_stop(run->loop);
}

bool bed_run_until(struct bed *b, bed_condition met, void *arg, unsigned ms)
{
    struct run run = {b->loop, met, arg, clock_us() + ms * 1000ull, false};
    uv_timer_t tick;

    if (met != NULL && met(arg))
        return true;
    uv_timer_init(loop_uv(b->loop), &tick);
    tick.data = &run;
    uv_timer_start(&tick, on_tick, 1, 1);
    loop_run(b->loop);
    uv_close((uv_handle_t *)&tick, on_tick_closed);
    loop_run(b->loop);
    return run.done;
}

void bed_run_for(struct bed *b, unsigned ms)
{
    bed_run_until(b, NULL, NULL, ms);
}

/* ── log and metrics ─────────────────────────────────────────────────────────────────────────── */

struct hearing {
    bool answered;
    struct notes heard; /* but for the notes themselves */
    char text[STORE_NOTES_MAX * 21 + 1];
};

static void keep_heard(struct hearing *h, const struct notes *heard)
{
    size_t at = 0;
    h->answered = true;
    h->heard = *heard;
    for (unsigned i = 0; i < heard->n; i++) {
        struct span note = span_sub(heard->at[i], 0, 20);
        if (note.len > 0)
            memcpy(h->text + at, note.at, note.len);
        at += note.len;
        h->text[at++] = ' ';
    }
    h->text[at] = '\0';
}

static void on_hear(void *arg, const struct notes *heard)
{
    keep_heard(arg, heard);
}

static bool was_heard(void *arg)
{
    return ((struct hearing *)arg)->answered;
}

const char *bed_hear(struct bed *b, struct store *s, struct store_place *from)
{
    static struct hearing h;
    struct notes out;
    struct hear_call *call;

    h.answered = false;
    if (store_hear(s, SPAN_LIT("talk"), from, &out, on_hear, &h, &call) == STORE_DONE)
        keep_heard(&h, &out);
    else
        assert_true(bed_run_until(b, was_heard, &h, ANSWER_MS));
    *from = h.heard.next;
    return h.heard.is_heard ? h.text : NULL;
}

double bed_errors(struct bed *b)
{
    struct metric_family *f = metric_declare(b->metrics, METRIC_COUNTER,
                                             "sluice_store_errors_total", "", "", NULL, 0);

    return metric_value(metric_series(f, NULL));
}

unsigned bed_log_count(struct bed *b, const char *text)
{
    static char all[1024 * 1024];
    ssize_t n = pread(b->log_fd, all, sizeof(all) - 1, 0);
    unsigned count = 0;

    assert_true(n >= 0);
    all[n] = '\0';
    for (const char *at = strstr(all, text); at != NULL; at = strstr(at + 1, text))
        count++;
    return count;
}

/* ── redis-server ────────────────────────────────────────────────────────────────────────────── */

uint16_t bed_free_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    close(fd);
    return ntohs(a.sin_port);
}

void bed_redis_cli(struct bed *b, const char *words, char *out, size_t size)
{
    char command[512];
    FILE *f;
    size_t n;

    snprintf(command, sizeof(command), "%s -s %s/redis.sock %s 2>&1",
             b->redis_users ? "REDISCLI_AUTH=" BED_PASSWORD " redis-cli --user " BED_USER
                            : "redis-cli",
             b->directory, words);
    f = popen(command, "r");
    assert_non_null(f);
    n = fread(out, 1, size - 1, f);
    out[n] = '\0';
    pclose(f);
}

static void make_certificate(struct bed *b)
{
    char command[512];

    snprintf(command, sizeof(command),
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
             "-subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 "
             "-keyout %s/key.pem -out %s/cert.pem 2>/dev/null",
             b->directory, b->directory);
    run_command(command);
}

static void write_config(struct bed *b)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "%s/redis.conf", b->directory);
    f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f, "bind 127.0.0.1\nsave \"\"\nappendonly no\nloglevel warning\ndir %s\n",
            b->directory);
    fprintf(f, "unixsocket %s/redis.sock\nlogfile %s/redis.log\n", b->directory, b->directory);
    if (b->redis_tls)
        fprintf(f,
                "port 0\ntls-port %u\ntls-cert-file %s/cert.pem\ntls-key-file %s/key.pem\n"
                "tls-ca-cert-file %s/cert.pem\ntls-auth-clients no\n",
                b->redis_port, b->directory, b->directory, b->directory);
    else
        fprintf(f, "port %u\n", b->redis_port);
    if (b->redis_users)
        fprintf(f, "user default off\nuser %s on >%s ~* +@all\n", BED_USER, BED_PASSWORD);
    fclose(f);
}

void bed_redis_start_again(struct bed *b)
{
    char config[128], out[256] = "";

    snprintf(config, sizeof(config), "%s/redis.conf", b->directory);
    b->redis_pid = fork();
    assert_true(b->redis_pid >= 0);
    if (b->redis_pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves no server behind */
        execlp("redis-server", "redis-server", config, (char *)NULL);
        _exit(127);
    }
    for (unsigned ms = 0; ms < START_MS; ms += 10) {
        bed_redis_cli(b, "PING", out, sizeof(out));
        if (strcmp(out, "PONG\n") == 0)
            return;
        usleep(10 * 1000);
    }
    fail_msg("redis-server (apt: redis-server) does not start: %s", out);
}

void bed_redis_start(struct bed *b, bool tls, bool users)
{
    b->redis_port = bed_free_port();
    b->redis_tls = tls;
    b->redis_users = users;
    if (tls)
        make_certificate(b);
    write_config(b);
    bed_redis_start_again(b);
}

void bed_redis_signal(struct bed *b, int signal)
{
    assert_int_equal(kill(b->redis_pid, signal), 0);
}

void bed_redis_kill(struct bed *b)
{
    bed_redis_signal(b, SIGKILL);
    assert_int_equal(waitpid(b->redis_pid, NULL, 0), b->redis_pid);
    b->redis_pid = 0;
}

struct store_options bed_redis_options(struct bed *b, bool over_unix)
{
    static char path[128], ca[128];
    static uint8_t password[] = BED_PASSWORD;
    struct store_options o = {
        .kind = STORE_REDIS,
        .url = "redis://…@the-test",
        .host = "127.0.0.1",
        .port = b->redis_port,
        .prefix = "test:",
        .timeout_ms = 1000, /* the machine is shared: tests about time set their own */
    };

    snprintf(path, sizeof(path), "%s/redis.sock", b->directory);
    snprintf(ca, sizeof(ca), "%s/cert.pem", b->directory);
    if (over_unix)
        o.path = path;
    o.tls = b->redis_tls && !over_unix;
    o.tls_options.ca = ca;
    if (b->redis_users) {
        o.user = BED_USER;
        o.password = (struct secret){password, sizeof(password) - 1};
    }
    return o;
}

/* ── calls ───────────────────────────────────────────────────────────────────────────────────── */

struct store *bed_store_open(struct bed *b, const struct store_options *o)
{
    struct err why = {0};
    struct store *s = store_open(b->loop, o, b->metrics, &why);

    if (s == NULL)
        fail_msg("%s", why.text);
    return s;
}

static bool is_ready(void *arg)
{
    const char *detail = "";

    return store_usable(arg, &detail) && strcmp(detail, "ready") == 0;
}

void bed_store_connected(struct bed *b, struct store *s)
{
    assert_true(bed_run_until(b, is_ready, s, ANSWER_MS));
}

struct waited {
    bool answered;
    struct admit_answer admit;
    struct value_answer value;
    struct look_answer look;
    struct credit_answer credit;
    uint8_t bytes[STORE_VALUE_MAX_BYTES];
};

static struct waited waited;

static bool has_answered(void *arg)
{
    return ((struct waited *)arg)->answered;
}

static void on_admit(void *arg, const struct admit_answer *a)
{
    struct waited *w = arg;

    assert_false(w->answered);
    w->answered = true;
    w->admit = *a;
}

struct admit_query bed_query(const char *scope, unsigned rpm, uint64_t now_unix_ms)
{
    struct admit_query q = {.nscopes = 1, .now_unix_ms = now_unix_ms};

    q.scopes[0].rpm = rpm;
    snprintf(q.scopes[0].name, sizeof(q.scopes[0].name), "%s", scope);
    return q;
}

struct admit_answer bed_ask(struct bed *b, struct store *s, const struct admit_query *q)
{
    struct admit_call *call;

    waited.answered = false;
    if (store_admit(s, q, &waited.admit, on_admit, &waited, &call) == STORE_DONE) {
        assert_null(call);
        return waited.admit;
    }
    assert_non_null(call);
    assert_true(bed_run_until(b, has_answered, &waited, ANSWER_MS));
    return waited.admit;
}

struct admit_answer bed_admit(struct bed *b, struct store *s, const char *scope, unsigned rpm,
                              uint64_t now_unix_ms)
{
    const struct admit_query q = bed_query(scope, rpm, now_unix_ms);

    return bed_ask(b, s, &q);
}

void bed_settle(struct store *s, const struct admit_answer *a, uint64_t now_unix_ms,
                uint64_t tokens, uint64_t cost_pd)
{
    store_settle(s, &(struct settle_query){a->hold, now_unix_ms, tokens, cost_pd});
}

static void on_look(void *arg, const struct look_answer *a)
{
    struct waited *w = arg;

    w->answered = true;
    w->look = *a;
}

struct ledger_counts bed_look(struct bed *b, struct store *s, const char *scope,
                              uint64_t now_unix_ms)
{
    struct look_call *call;

    waited.answered = false;
    if (store_look(s, &scope, 1, now_unix_ms, &waited.look, on_look, &waited, &call) ==
        STORE_PENDING)
        assert_true(bed_run_until(b, has_answered, &waited, ANSWER_MS));
    assert_int_equal(waited.look.n, 1);
    return waited.look.counts[0];
}

static void on_credit(void *arg, const struct credit_answer *a)
{
    struct waited *w = arg;

    w->answered = true;
    w->credit = *a;
}

struct credit_answer bed_credit(struct bed *b, struct store *s, const char *scope, const char *id,
                                int64_t pd)
{
    struct credit_call *call;

    waited.answered = false;
    if (store_credit(s, scope, id, pd, &waited.credit, on_credit, &waited, &call) == STORE_PENDING)
        assert_true(bed_run_until(b, has_answered, &waited, ANSWER_MS));
    return waited.credit;
}

static bool is_all_told(void *arg)
{
    struct metric_family *f = metric_declare(arg, METRIC_GAUGE, "sluice_store_untold_scopes", "",
                                             "", NULL, 0);

    return metric_value(metric_series(f, NULL)) == 0;
}

void bed_all_told(struct bed *b)
{
    assert_true(bed_run_until(b, is_all_told, b->metrics, ANSWER_MS));
}

static void keep_value(struct waited *w, const struct value_answer *a)
{
    w->answered = true;
    w->value = *a;
    assert_in_range(a->value.len, 0, sizeof(w->bytes));
    if (a->value.len > 0)
        memcpy(w->bytes, a->value.at, a->value.len);
    w->value.value = span_of(w->bytes, a->value.len);
}

static void on_value(void *arg, const struct value_answer *a)
{
    assert_false(((struct waited *)arg)->answered);
    keep_value(arg, a);
}

struct value_answer bed_get(struct bed *b, struct store *s, struct span key)
{
    struct value_answer out;
    struct value_call *call;

    waited.answered = false;
    if (store_get(s, key, &out, on_value, &waited, &call) == STORE_DONE)
        keep_value(&waited, &out);
    else
        assert_true(bed_run_until(b, has_answered, &waited, ANSWER_MS));
    return waited.value;
}

int bed_run_cases(const char *name, void *backend, const struct bed_case *cases, unsigned n,
                  CMFixtureFunction start, CMFixtureFunction stop)
{
    struct CMUnitTest tests[BED_CASES_MAX];
    char names[BED_CASES_MAX][128];

    assert_true(n <= BED_CASES_MAX);
    for (unsigned i = 0; i < n; i++) {
        snprintf(names[i], sizeof(names[i]), "%s: %s", name, cases[i].name);
        tests[i] = (struct CMUnitTest){names[i], cases[i].run, start, stop, backend};
    }
    return _cmocka_run_group_tests(name, tests, n, NULL, NULL);
}
