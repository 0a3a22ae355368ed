#include "health.h"

#include "sluice/base/log.h"
#include "sluice/base/map.h"
#include "sluice/catalog/circuit.h"
#include "sluice/net/loop.h"

#include <stdlib.h>

struct health {
    unsigned refs;
    struct buf identity; /* "model at provider/variant as upstream-name" */
    struct stats *stats;
    struct circuit circuit;
};

struct health_table {
    struct health **of_target, **of_provider; /* by their indices */
    unsigned ntargets, nproviders;
};

/* --- who is the same ------------------------------------------------------------------------------ */

static void must(int rc)
{
    if (rc < 0)
        abort(); /* as large as the configuration */
}

static struct buf identity_of(const struct target *t)
{
    struct buf out = {0};
    must(buf_addf(&out, "%.*s at %.*s as %.*s", SPAN_FMT(t->model_id), SPAN_FMT(t->slug),
                  SPAN_FMT(t->upstream_model)));
    return out;
}

void health_unref(struct health *h)
{
    if (h == NULL || --h->refs > 0)
        return;
    stats_free(h->stats);
    buf_fini(&h->identity);
    free(h);
}

struct health *health_ref(struct health *h)
{
    h->refs++;
    return h;
}

static struct health *health_new(struct buf identity)
{
    struct health *h = xcalloc(1, sizeof *h);
    h->refs = 1;
    h->identity = identity;
    h->stats = stats_new();
    return h;
}

struct health *health_own_new(const struct target *t)
{
    struct buf identity = identity_of(t);
    must(buf_add_text(&identity, " with a key of the caller's"));
    return health_new(identity);
}

/* The one of that identity, which is taken over, or a new one. */
static struct health *health_for(const struct map *known, struct buf identity)
{
    struct health *h = map_get(known, buf_span(&identity));
    if (h != NULL) {
        buf_fini(&identity);
        return health_ref(h);
    }
    return health_new(identity);
}

static void know(struct map *known, struct health *const *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        must(map_put(known, buf_span(&list[i]->identity), list[i]));
}

struct health_table *health_table_new(const struct catalog *c, const struct snapshot *s,
                                      const struct health_table *before)
{
    struct health_table *t = xcalloc(1, sizeof *t);
    struct map known = {0};
    if (before != NULL) {
        know(&known, before->of_target, before->ntargets);
        know(&known, before->of_provider, before->nproviders);
    }
    const struct target *targets = catalog_targets(c, &t->ntargets);
    t->nproviders = s->nproviders;
    t->of_target = xcalloc(t->ntargets + 1, sizeof *t->of_target);
    t->of_provider = xcalloc(t->nproviders + 1, sizeof *t->of_provider);
    for (unsigned i = 0; i < t->ntargets; i++)
        t->of_target[i] = health_for(&known, identity_of(&targets[i]));
    for (unsigned i = 0; i < t->nproviders; i++) {
        struct buf identity = {0};
        must(buf_addf(&identity, "provider %s", s->providers[i].name));
        t->of_provider[i] = health_for(&known, identity);
    }
    map_fini(&known);
    return t;
}

void health_table_free(struct health_table *t)
{
    if (t == NULL)
        return;
    for (unsigned i = 0; i < t->ntargets; i++)
        health_unref(t->of_target[i]);
    for (unsigned i = 0; i < t->nproviders; i++)
        health_unref(t->of_provider[i]);
    free(t->of_target);
    free(t->of_provider);
    free(t);
}

struct health *health_of(const struct health_table *t, const struct target *target)
{
    return target->index == TARGET_UNLISTED ? t->of_provider[target->provider_index]
                                            : t->of_target[target->index];
}

/* --- what is seen --------------------------------------------------------------------------------- */

static uint64_t now_ms(void)
{
    return clock_us() / 1000;
}

void health_begin(struct health *h)
{
    circuit_begin(&h->circuit, now_ms());
}

/* Does it say that the endpoint is not well, or only that the request was not? */
static bool is_failure(enum attempt_result result, unsigned status)
{
    if (result != RESULT_STATUS_4XX)
        return result != RESULT_OK;
    switch (status) {
    case 401:
    case 402:
    case 403:
    case 404:
    case 408:
    case 409:
    case 425:
    case 429:
        return true;
    default:
        return false;
    }
}

void health_end(struct health *h, enum attempt_result result, unsigned status)
{
    uint64_t unix_ms = clock_unix_ms();
    if (result == RESULT_CANCELLED || result == RESULT_UNSUPPORTED) {
        circuit_forget(&h->circuit);
        return;
    }
    bool ok = !is_failure(result, status);
    if (ok == (result == RESULT_OK)) /* a request at fault is no success either */
        stats_note_outcome(h->stats, ok, unix_ms);
    struct outcomes lately = stats_outcomes(h->stats, CIRCUIT_WINDOW_MS, unix_ms);
    if (circuit_note(&h->circuit, ok, lately, now_ms()))
        log_info("circuit", "endpoint=\"%.*s\" state=%s", SPAN_FMT(buf_span(&h->identity)),
                 health_word(h));
}

void health_cool(struct health *h, uint64_t for_ms)
{
    circuit_cool(&h->circuit, for_ms, now_ms());
}

void health_note(struct health *h, const struct health_figures *f)
{
    uint64_t unix_ms = clock_unix_ms();
    uint64_t writing_us = f->total_us;
    if (f->is_stream && f->first_token_us > 0) {
        stats_note(h->stats, STAT_TTFT, f->first_token_us, unix_ms);
        writing_us = f->total_us - f->first_token_us;
    } else if (!f->is_stream) {
        stats_note(h->stats, STAT_DURATION, f->total_us, unix_ms);
    }
    if (f->output_tokens > 1 && writing_us > 0)
        stats_note(h->stats, STAT_THROUGHPUT, f->output_tokens * 1000000000 / writing_us, unix_ms);
}

/* --- what is told --------------------------------------------------------------------------------- */

void health_look(struct health *h, bool is_stream, struct target_health *out)
{
    uint64_t unix_ms = clock_unix_ms();
    const struct quantiles *ttft = stats_quantiles(h->stats, STAT_TTFT, unix_ms);
    const struct quantiles *duration = stats_quantiles(h->stats, STAT_DURATION, unix_ms);
    const struct quantiles *own = is_stream ? ttft : duration, *other = is_stream ? duration : ttft;
    *out = (struct target_health){
        .latency = own->samples > 0 ? own : other,
        .throughput = stats_quantiles(h->stats, STAT_THROUGHPUT, unix_ms),
        .outcomes = stats_outcomes(h->stats, UINT64_MAX, unix_ms),
        .is_open = circuit_is_open(&h->circuit, now_ms()),
    };
}

bool health_is_open(const struct health *h)
{
    return circuit_is_open(&h->circuit, now_ms());
}

const char *health_word(const struct health *h)
{
    return circuit_word(&h->circuit, now_ms());
}
