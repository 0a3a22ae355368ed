#include "cli.h"
#include "process.h"

#include "sluice/base/log.h"
#include "sluice/exchange/sharing.h"
#include "sluice/exchange/recording.h"
#include "sluice/exchange/tracing.h"
#include "sluice/net/dial.h"

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* `sluice serve`: puts the parts together, in the order in which they need each other, and takes them
 * apart in the opposite one. Nothing in here decides anything about a request. */

enum { ACCESS_LOG_BYTES = 1024 * 1024, HEAP_KEPT_BYTES = 8 * 1024 * 1024 };

/* --- what the api layer asks of the process ------------------------------------------------------- */

static bool is_ready(void *arg, struct buf *detail)
{
    const struct process *p = arg;
    const char *store_detail = NULL;
    bool serving = p->state == PROCESS_SERVING;
    bool store =
        store_usable(p->gateway.store, &store_detail) &&
        vault_is_settled(p->gateway.vault) && /* or callers would pay with our credentials */
        managed_keys_are_settled(p->gateway.keys);
    if (buf_addf(detail, "{\"config\":true,\"listeners\":%s,\"draining\":%s,\"store\":%s}",
                 p->state != PROCESS_STARTING ? "true" : "false",
                 p->state == PROCESS_DRAINING ? "true" : "false", store ? "true" : "false") < 0)
        buf_clear(detail);
    return serving && store;
}

static void before_scrape(void *arg)
{
    self_measure(arg);
}

static int reload_asked(void *arg, struct buf *report)
{
    return reload(arg, report);
}

/* --- signals -------------------------------------------------------------------------------------- */

static void on_signal(uv_signal_t *handle, int number)
{
    struct process *p = handle->data;
    if (number == SIGHUP) {
        (void)reload(p, NULL);
        if (p->gateway.access_log != NULL)
            (void)log_sink_reopen(p->gateway.access_log);
        recording_reopen(&p->gateway);
    } else {
        drain_begin(p);
    }
}

static void signals_start(struct process *p)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
    signal(SIGPIPE, SIG_IGN);
    for (unsigned i = 0; i < 3; i++) {
        uv_signal_init(loop_uv(p->loop), &p->signals[i]);
        p->signals[i].data = p;
        uv_signal_start(&p->signals[i], on_signal, numbers[i]);
    }
}

static void signals_stop(struct process *p)
{
    for (unsigned i = 0; i < 3; i++)
        uv_close((uv_handle_t *)&p->signals[i], NULL);
}

static void on_watchdog(struct deadline *d)
{
    notify_systemd("WATCHDOG=1"); /* from the loop: a loop that hangs is what it is to find */
    deadline_set(d, notify_watchdog_ms());
}

/* --- log ------------------------------------------------------------------------------------------ */

void log_follow(const struct observability_options *o)
{
    bool text = o->format == LOG_TEXT || (o->format == LOG_AUTO && isatty(STDERR_FILENO));
    log_open(STDERR_FILENO, o->level, text ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON);
}

static void on_log_flush(struct deadline *d)
{
    struct gateway *g = (struct gateway *)((char *)d - offsetof(struct gateway, log_flush));
    if (log_sink_flush(g->access_log) > 0)
        deadline_set(d, 20); /* its reader is slow */
}

static int access_log_start(struct gateway *g, const struct observability_options *o)
{
    deadline_init(&g->log_flush, g->loop, on_log_flush);
    if (strcmp(o->access_log, "off") == 0)
        return 0;
    bool to_stdout = strcmp(o->access_log, "stdout") == 0;
    g->access_log_text = to_stdout && (o->format == LOG_TEXT ||
                                       (o->format == LOG_AUTO && isatty(STDOUT_FILENO)));
    g->access_log = log_sink_open(to_stdout ? "-" : o->access_log, ACCESS_LOG_BYTES);
    if (g->access_log != NULL)
        return 0;
    fprintf(stderr, "sluice: the access log %s cannot be opened: %s\n", o->access_log,
            strerror(errno));
    return -1;
}

static void flush_log_each_turn(void *arg)
{
    (void)arg;
    (void)log_flush();
}

/* --- life ------------------------------------------------------------------------------------------ */

/* One descriptor a client and one an upstream connection. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* Bodies of some hundred kilobytes come and go; by default glibc returns each to the kernel and
 * takes fresh, zeroed pages for the next. Up to this much is kept instead, until things are quiet. */
static void heap_start(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, HEAP_KEPT_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT_BYTES);
#endif
}

static void on_quiet(struct deadline *d)
{
    struct gateway *g = (struct gateway *)((char *)d - offsetof(struct gateway, quiet));
    if (g->inflight > 0)
        return; /* its end will set this again */
#ifdef __GLIBC__
    (void)malloc_trim(0);
#endif
}

static void metrics_start(struct process *p)
{
    struct gateway *g = &p->gateway;
    g->metrics = metric_registry_new();
    instruments_init(&g->instruments, g->metrics);
    p->reload_successful = metric_series(
        metric_declare(g->metrics, METRIC_GAUGE, "sluice_config_last_reload_successful",
                       "1 when the configuration on disk is the one in use.", "", NULL, 0),
        NULL);
    p->hash_family = metric_declare(g->metrics, METRIC_GAUGE, "sluice_config_hash_info",
                                    "1 for the configuration in use.", "hash", NULL, 0);
    self_declare(p);
}

static void on_vault(void *arg)
{
    struct gateway *g = arg;
    if (g->now != NULL)
        deployment_follow_vault(g->now);
}

static int gateway_start(struct process *p, struct snapshot *s)
{
    struct gateway *g = &p->gateway;
    struct err why = {0};
    uint64_t seed;
    g->loop = g->http.loop = p->loop;
    deadline_init(&g->quiet, p->loop, on_quiet);
    rng_secret_bytes(&seed, sizeof seed);
    rng_seed(&g->rng, seed);
    rng_request_id(&g->rng, clock_unix_ms(), g->instance);
    if (access_log_start(g, &s->observability) < 0)
        return -1;
    g->store = store_open(p->loop, &s->store, g->metrics, &why);
    if (g->store != NULL)
        g->keys = managed_keys_new(p->loop, store_records(g->store));
    if (g->store != NULL)
        g->vault = vault_new(p->loop, store_records(g->store), on_vault, g);
    if (g->store != NULL && reload_install(p, s, &why) == 0) {
        g->sharing = sharing_open(g);
        return 0;
    }
    fprintf(stderr, "sluice: %s\n", why.text);
    return -1;
}

static void gateway_stop(struct process *p)
{
    struct gateway *g = &p->gateway;
    struct fault why = {.kind = FAULT_SHUTTING_DOWN};
    exchange_fail_all(g, &why);
    tracing_install(g, NULL);
    ports_close(p);
    sharing_close(g->sharing);
    deployment_unref(g->now);
    g->now = NULL;
    recording_install(g, NULL);
    vault_free(g->vault);
    g->vault = NULL;
    managed_keys_free(g->keys);
    g->keys = NULL;
    if (g->store != NULL)
        store_close(g->store);
    deadline_clear(&g->log_flush);
    deadline_clear(&g->quiet);
    dial_cache_free(p->loop);
}

static int run(struct process *p, struct snapshot *s)
{
    unsigned watchdog_ms = notify_watchdog_ms();
    signals_start(p); /* before anything slow: as PID 1, an unhandled SIGTERM is ignored */
    log_follow(&s->observability);
    loop_on_turn(p->loop, flush_log_each_turn, NULL);
    metrics_start(p);
    p->api = (struct api_process){is_ready, before_scrape, reload_asked, p};
    int rc = gateway_start(p, s);
    if (rc == 0) {
        p->state = PROCESS_SERVING;
        notify_systemd("READY=1\nSTATUS=serving");
        deadline_init(&p->watchdog, p->loop, on_watchdog);
        deadline_set(&p->watchdog, watchdog_ms);
        loop_run(p->loop);
        deadline_clear(&p->watchdog);
    }
    reload_unwatch(p);
    gateway_stop(p);
    signals_stop(p);
    loop_free(p->loop);
    exchange_free_spares();
    if (p->gateway.access_log != NULL)
        log_sink_close(p->gateway.access_log);
    endpoint_gauges_free(p->endpoint_gauges);
    instruments_fini(&p->gateway.instruments);
    metric_registry_free(p->gateway.metrics);
    log_close();
    return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int serve(const struct load_options *load, bool watch)
{
    struct process p = {.load = *load, .state = PROCESS_STARTING};
    struct snapshot *s = NULL;
    struct findings findings = {0};
    struct buf report = {0};

    if (snapshot_load(load, &s, &findings) < 0) {
        if (findings_write(&findings, false, &report) == 0)
            fprintf(stderr, "%.*s", SPAN_FMT(buf_span(&report)));
        buf_fini(&report);
        findings_fini(&findings);
        return EXIT_BAD_CONFIG;
    }
    if (findings.n > 0 && findings_write(&findings, false, &report) == 0)
        fprintf(stderr, "%.*s", SPAN_FMT(buf_span(&report)));
    buf_fini(&report);
    findings_fini(&findings);

    raise_descriptor_limit();
    heap_start();
    p.loop = loop_new();
    if (watch)
        reload_watch(&p);
    int code = run(&p, s);
    snapshot_unref(s);
    return code;
}
