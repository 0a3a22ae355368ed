#include "sluice/exchange/endpoint_gauges.h"

#include "health.h"

#include "sluice/base/arena.h"

#include <math.h>
#include <stdlib.h>

/* One endpoint of one model. Series are made when there is something to say. */
struct row {
    struct span key; /* model, line end, endpoint */
    const char *model, *endpoint;
    struct metric_series *state, *samples, *latency[QUANTILES], *throughput[QUANTILES];
    uint64_t seen; /* the update that saw it last */
};

struct endpoint_gauges {
    struct metric_family *state, *samples, *latency, *throughput;
    struct map rows;
    struct arena arena; /* rows: they only become more, with the endpoints ever configured */
    uint64_t updates;
};

struct endpoint_gauges *endpoint_gauges_new(struct metric_registry *r)
{
    static const char with_quantile[] = "model,endpoint,quantile";
    struct endpoint_gauges *e = xcalloc(1, sizeof *e);
    arena_init(&e->arena, NULL, 1024);
    e->state = metric_declare(r, METRIC_GAUGE, "sluice_endpoint_state",
                              "0: closed, 1: half open, 2: open, 3: cooling.", "model,endpoint",
                              NULL, 0);
    e->samples = metric_declare(r, METRIC_GAUGE, "sluice_endpoint_samples",
                                "Attempts of the last five minutes that routing knows of.",
                                "model,endpoint", NULL, 0);
    e->latency = metric_declare(r, METRIC_GAUGE, "sluice_endpoint_latency_seconds",
                                "To the first token of streams, else to the whole answer, over the "
                                "last five minutes.",
                                with_quantile, NULL, 0);
    e->throughput = metric_declare(r, METRIC_GAUGE, "sluice_endpoint_throughput",
                                   "Output tokens a second that so many answers reached, over the "
                                   "last five minutes.",
                                   with_quantile, NULL, 0);
    return e;
}

void endpoint_gauges_free(struct endpoint_gauges *e)
{
    if (e == NULL)
        return;
    map_fini(&e->rows);
    arena_fini(&e->arena);
    free(e);
}

static struct row *row_of(struct endpoint_gauges *e, struct span model, struct span endpoint)
{
    struct arena scratch;
    uint8_t room[512];
    arena_init(&scratch, room, sizeof room);
    struct span key =
        span_text(arena_printf(&scratch, "%.*s%c%.*s", SPAN_FMT(model), '\n', SPAN_FMT(endpoint)));
    struct row *row = map_get(&e->rows, key);
    if (row == NULL) {
        row = ARENA_NEW(&e->arena, struct row);
        row->key = arena_keep(&e->arena, key);
        row->model = (const char *)arena_keep(&e->arena, model).at;
        row->endpoint = (const char *)arena_keep(&e->arena, endpoint).at;
        if (map_put(&e->rows, row->key, row) < 0)
            abort(); /* bounded by the configuration */
    }
    arena_fini(&scratch);
    row->seen = e->updates;
    return row;
}

static void set(struct metric_series **at, struct metric_family *f, const struct row *row,
                const char *quantile, double value)
{
    if (*at == NULL)
        *at = metric_series(f, (const char *[]){row->model, row->endpoint, quantile});
    metric_set(*at, value);
}

static void set_quantiles(struct metric_series *at[QUANTILES], struct metric_family *f,
                          const struct row *row, const struct quantiles *known)
{
    static const char *const names[QUANTILES] = {"0.5", "0.75", "0.9", "0.99"};
    for (unsigned q = 0; q < QUANTILES; q++) {
        if (known->samples > 0 || at[q] != NULL)
            set(&at[q], f, row, names[q], known->samples > 0 ? known->at[q] : NAN);
    }
}

static void update(struct endpoint_gauges *e, struct row *row, struct health *h)
{
    const struct figures *f = health_figures(h);
    const struct quantiles *latency = &f->of[STAT_TTFT];
    if (latency->samples == 0)
        latency = &f->of[STAT_DURATION];
    set(&row->state, e->state, row, NULL, health_state(h));
    set(&row->samples, e->samples, row, NULL, (double)f->seen.ok + f->seen.failed);
    set_quantiles(row->latency, e->latency, row, latency);
    set_quantiles(row->throughput, e->throughput, row, &f->of[STAT_THROUGHPUT]);
}

static void forget(struct row *row)
{
    metric_set(row->state, NAN);
    metric_set(row->samples, NAN);
    for (unsigned q = 0; q < QUANTILES; q++) {
        if (row->latency[q] != NULL)
            metric_set(row->latency[q], NAN);
        if (row->throughput[q] != NULL)
            metric_set(row->throughput[q], NAN);
    }
}

void endpoint_gauges_update(struct endpoint_gauges *e, const struct deployment *d)
{
    unsigned n;
    size_t cursor = 0;
    struct row *row;
    const struct target *targets = catalog_targets(d->catalog, &n);
    e->updates++;
    for (unsigned i = 0; i < n; i++) {
        const struct target *t = &targets[i];
        if (t->enabled)
            update(e, row_of(e, t->model_id, t->slug), health_of(d->health, t));
    }
    while ((row = map_next(&e->rows, &cursor)) != NULL) {
        if (row->seen != e->updates)
            forget(row);
    }
}
