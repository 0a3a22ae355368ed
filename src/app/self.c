#include "process.h"

#include "sluice/base/log.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* What is measured when somebody asks: what Prometheus clients commonly tell of their process, from
 * /proc, and how many connections there are. */

static struct metric_series *declare(struct metric_registry *r, enum metric_kind kind,
                                     const char *name, const char *help)
{
    return metric_series(metric_declare(r, kind, name, help, "", NULL, 0), NULL);
}

void self_declare(struct process *p)
{
    struct metric_registry *r = p->gateway.metrics;
    p->resident = declare(r, METRIC_GAUGE, "process_resident_memory_bytes", "Resident memory.");
    p->cpu = declare(r, METRIC_COUNTER, "process_cpu_seconds_total", "User and system CPU time.");
    p->virtual_memory = declare(r, METRIC_GAUGE, "process_virtual_memory_bytes", "Virtual memory.");
    p->descriptors = declare(r, METRIC_GAUGE, "process_open_fds", "Open file descriptors.");
    p->descriptors_max = declare(r, METRIC_GAUGE, "process_max_fds",
                                 "Most file descriptors it may open.");
    metric_set(declare(r, METRIC_GAUGE, "process_start_time_seconds",
                       "When the process started, in unix time."),
               (double)clock_unix_ms() / 1000);
    p->pools = metric_declare(r, METRIC_GAUGE, "sluice_upstream_connections",
                              "Connections to providers by state.", "endpoint,state", NULL, 0);
    p->endpoint_gauges = endpoint_gauges_new(r);
    struct metric_family *build = metric_declare(r, METRIC_GAUGE, "sluice_build_info",
                                                 "What is running.", "version", NULL, 0);
    metric_set(metric_series(build, (const char *[]){SLUICE_VERSION}), 1);
}

static void measure_memory(struct process *p)
{
    unsigned long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL)
        return;
    if (fscanf(f, "%lu %lu", &pages, &resident) != 2)
        pages = resident = 0;
    fclose(f);
    metric_set(p->virtual_memory, (double)pages * (double)sysconf(_SC_PAGESIZE));
    metric_set(p->resident, (double)resident * (double)sysconf(_SC_PAGESIZE));
}

static double most_descriptors(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (double)limit.rlim_cur : 0;
}

static double open_descriptors(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");
    if (d == NULL)
        return 0;
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n > 3 ? n - 3 : 0; /* ".", ".." and the directory itself */
}

static void measure_pools(struct process *p)
{
    const struct deployment *d = p->gateway.now;
    for (unsigned i = 0; i < d->snapshot->nproviders; i++) {
        const struct provider_runtime *r = &d->providers[i];
        if (r->pool == NULL)
            continue;
        struct pool_stats now = pool_stats(r->pool);
        const struct {
            const char *state;
            unsigned n;
        } rows[] = {{"idle", now.idle}, {"busy", now.busy}, {"connecting", now.dialing}};
        for (unsigned k = 0; k < sizeof rows / sizeof rows[0]; k++)
            metric_set(metric_series(p->pools, (const char *[]){r->options->name, rows[k].state}),
                       rows[k].n);
    }
}

void self_measure(struct process *p)
{
    struct rusage use;
    struct gateway *g = &p->gateway;
    getrusage(RUSAGE_SELF, &use);
    double cpu = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                 (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
    metric_add(p->cpu, cpu - metric_value(p->cpu));
    measure_memory(p);
    metric_set(p->descriptors_max, most_descriptors());
    metric_set(p->descriptors, open_descriptors());
    metric_set(g->instruments.inflight, g->inflight);
    metric_set(g->instruments.streams, g->streams);
    metric_set(g->instruments.connections, g->http.connections);
    metric_set(g->instruments.buffer_bytes[BUFFER_BODY], (double)g->http.bodies.used_bytes);
    metric_set(g->instruments.buffer_bytes[BUFFER_BACKLOG], (double)stream_kept_bytes(p->loop));
    measure_pools(p);
    endpoint_gauges_update(p->endpoint_gauges, g->now);
    metric_set(g->instruments.lag, (double)loop_take_lag_us(p->loop) * 1e-6);
}
