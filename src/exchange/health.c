#include "health.h"

#include "sluice/base/digest.h"
#include "sluice/base/log.h"
#include "sluice/base/map.h"
#include "sluice/net/loop.h"

#include <stdlib.h>

enum { ID_BYTES = 16 };

struct health {
    struct circuit circuit;
    struct stats *stats; /* of all replicas */
    struct stats *own;   /* of this one, when there may be others; else NULL */
    unsigned refs;
    struct buf identity;  /* "model at provider/variant as upstream-name" */
    uint8_t id[ID_BYTES]; /* of it, for other replicas */
};

struct health_table {
    struct health **of_target, **of_provider; /* by their indices */
    unsigned ntargets, nproviders;
    struct map by_id;
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
    stats_free(h->own);
    buf_fini(&h->identity);
    free(h);
}

struct health *health_ref(struct health *h)
{
    h->refs++;
    return h;
}

static struct health *health_new(struct buf identity, bool is_shared)
{
    uint8_t digest[SHA256_BYTES];
    struct health *h = xcalloc(1, sizeof *h);
    h->refs = 1;
    h->identity = identity;
    h->stats = stats_new();
    h->own = is_shared ? stats_new() : NULL;
    digest_sha256(buf_span(&identity), digest);
    memcpy(h->id, digest, ID_BYTES);
    return h;
}

struct health *health_own_new(const struct target *t)
{
    struct buf identity = identity_of(t);
    must(buf_add_text(&identity, " with a key of the caller's"));
    return health_new(identity, false);
}

/* The one of that identity, which is taken over, or a new one. */
static struct health *health_for(const struct map *known, struct buf identity, bool is_shared)
{
    struct health *h = map_get(known, buf_span(&identity));
    if (h != NULL) {
        buf_fini(&identity);
        return health_ref(h);
    }
    return health_new(identity, is_shared);
}

static void know(struct map *known, struct health *const *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        must(map_put(known, buf_span(&list[i]->identity), list[i]));
}

static struct health *health_at(const struct health_table *t, unsigned i)
{
    return i < t->ntargets ? t->of_target[i] : t->of_provider[i - t->ntargets];
}

struct health_table *health_table_new(const struct catalog *c, const struct snapshot *s,
                                      const struct health_table *before)
{
    struct health_table *t = xcalloc(1, sizeof *t);
    struct map known = {0};
    bool is_shared = s->store.kind == STORE_REDIS;
    if (before != NULL) {
        know(&known, before->of_target, before->ntargets);
        know(&known, before->of_provider, before->nproviders);
    }
    const struct target *targets = catalog_targets(c, &t->ntargets);
    t->nproviders = s->nproviders;
    t->of_target = xcalloc(t->ntargets + 1, sizeof *t->of_target);
    t->of_provider = xcalloc(t->nproviders + 1, sizeof *t->of_provider);
    for (unsigned i = 0; i < t->ntargets; i++)
        t->of_target[i] = health_for(&known, identity_of(&targets[i]), is_shared);
    for (unsigned i = 0; i < t->nproviders; i++) {
        struct buf identity = {0};
        must(buf_addf(&identity, "provider %s", s->providers[i].name));
        t->of_provider[i] = health_for(&known, identity, is_shared);
    }
    map_fini(&known);
    for (unsigned i = 0; is_shared && i < t->ntargets + t->nproviders; i++) {
        struct health *h = health_at(t, i);
        must(map_put(&t->by_id, span_of(h->id, ID_BYTES), h));
    }
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
    map_fini(&t->by_id);
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

void health_end(struct health *h, enum attempt_result result, enum blame blame)
{
    uint64_t unix_ms = clock_unix_ms();
    if (result == RESULT_CANCELLED || result == RESULT_UNSUPPORTED) {
        circuit_forget(&h->circuit);
        return;
    }
    bool ok = result == RESULT_OK || blame != BLAME_ENDPOINT;
    if (ok == (result == RESULT_OK)) { /* a request at fault is no success either */
        stats_note_outcome(h->stats, ok, unix_ms);
        if (h->own != NULL)
            stats_note_outcome(h->own, ok, unix_ms);
    }
    struct stats *own = h->own != NULL ? h->own : h->stats;
    struct outcomes lately = stats_outcomes(own, CIRCUIT_WINDOW_MS, unix_ms);
    if (circuit_note(&h->circuit, ok, lately, now_ms()))
        log_info("circuit", "endpoint=\"%.*s\" state=%s", SPAN_FMT(buf_span(&h->identity)),
                 health_word(h));
}

/* Far later than its answers ever begin? A probe of an open circuit need not be compared. */
static bool is_overdue(const struct health *h, uint64_t waited_us, bool is_stream)
{
    enum { LATE_US = 2000000, TIMES = 4, SAMPLES = 10 };
    const struct quantiles *known = stats_quantiles(h->stats, is_stream ? STAT_TTFT : STAT_DURATION,
                                                    clock_unix_ms());
    if (waited_us < LATE_US)
        return false;
    return h->circuit.is_open ||
           (known->samples >= SAMPLES && (double)waited_us > (double)TIMES * known->at[P99] * 1e6);
}

void health_given_up(struct health *h, uint64_t waited_us, bool is_stream)
{
    bool is_failure = is_overdue(h, waited_us, is_stream);
    health_end(h, is_failure ? RESULT_TIMEOUT : RESULT_CANCELLED, BLAME_ENDPOINT);
}

void health_cool(struct health *h, uint64_t for_ms)
{
    circuit_cool(&h->circuit, for_ms, now_ms());
}

static void note(struct health *h, enum stat_kind which, uint64_t value, uint64_t unix_ms)
{
    stats_note(h->stats, which, value, unix_ms);
    if (h->own != NULL)
        stats_note(h->own, which, value, unix_ms);
}

void health_note(struct health *h, const struct health_figures *f)
{
    uint64_t unix_ms = clock_unix_ms();
    uint64_t writing_us = f->total_us;
    if (f->is_stream && f->first_token_us > 0) {
        note(h, STAT_TTFT, f->first_token_us, unix_ms);
        writing_us = f->total_us - f->first_token_us;
    } else if (!f->is_stream) {
        note(h, STAT_DURATION, f->total_us, unix_ms);
    }
    if (f->output_tokens > 1 && writing_us > 0)
        note(h, STAT_THROUGHPUT, f->output_tokens * 1000000000 / writing_us, unix_ms);
}

/* --- what is told --------------------------------------------------------------------------------- */

struct health_time health_now(void)
{
    return (struct health_time){.unix_ms = clock_unix_ms(), .ms = now_ms()};
}

void health_look(const struct health_table *t, const struct target *target, bool is_stream,
                 const struct health_time *now, struct target_health *out)
{
    struct health *h = health_of(t, target);
    const struct figures *f = stats_figures(h->stats, now->unix_ms);
    const struct quantiles *own = &f->of[is_stream ? STAT_TTFT : STAT_DURATION];
    *out = (struct target_health){
        .latency = own->samples > 0 ? own : &f->of[is_stream ? STAT_DURATION : STAT_TTFT],
        .throughput = &f->of[STAT_THROUGHPUT],
        .outcomes = f->seen,
        .is_open = circuit_is_open(&h->circuit, now->ms),
    };
}

bool health_is_open(const struct health *h)
{
    return circuit_is_open(&h->circuit, now_ms());
}

static enum stat_kind wait_kind(bool is_stream)
{
    return is_stream ? STAT_TTFT : STAT_DURATION;
}

unsigned health_patience_ms(const struct health *h, bool is_stream, unsigned percent)
{
    enum { SAMPLES_MIN = 20 };
    uint32_t samples;
    double seconds = stats_quantile(h->stats, wait_kind(is_stream), percent / 100.0,
                                    clock_unix_ms(), &samples);
    return samples < SAMPLES_MIN ? 0 : (unsigned)(seconds * 1e3) + 1;
}

void health_note_wait(struct health *h, bool is_stream, uint64_t waited_us)
{
    note(h, wait_kind(is_stream), waited_us, clock_unix_ms());
}

const char *health_word(const struct health *h)
{
    return circuit_word(&h->circuit, now_ms());
}

enum circuit_state health_state(const struct health *h)
{
    return circuit_state(&h->circuit, now_ms());
}

const struct figures *health_figures(struct health *h)
{
    return stats_figures(h->stats, clock_unix_ms());
}

/* --- between replicas ----------------------------------------------------------------------------- */

/* An entry: who it is, how many bytes (u16, little-endian), and those. */
enum { ENTRY_HEAD_BYTES = ID_BYTES + 2 };

bool health_pack(const struct health_table *t, uint64_t slice, unsigned *cursor, size_t most,
                 struct buf *out)
{
    const unsigned n = t->ntargets + t->nproviders;
    for (; *cursor < n && buf_len(out) + ENTRY_HEAD_BYTES + STATS_PACKED_MAX <= most; ++*cursor) {
        uint8_t entry[ENTRY_HEAD_BYTES + STATS_PACKED_MAX];
        const struct health *h = health_at(t, *cursor);
        unsigned len = h->own != NULL ? stats_pack(h->own, slice, entry + ENTRY_HEAD_BYTES) : 0;
        if (len == 0)
            continue;
        memcpy(entry, h->id, ID_BYTES);
        entry[ID_BYTES] = (uint8_t)len;
        entry[ID_BYTES + 1] = (uint8_t)(len >> 8);
        if (buf_add(out, span_of(entry, ENTRY_HEAD_BYTES + len)) < 0)
            return false;
    }
    return *cursor < n;
}

void health_add(const struct health_table *t, uint64_t slice, struct span entries)
{
    const uint64_t unix_ms = clock_unix_ms();
    while (entries.len >= ENTRY_HEAD_BYTES) {
        struct span id = span_sub(entries, 0, ID_BYTES);
        unsigned len = entries.at[ID_BYTES] | (unsigned)entries.at[ID_BYTES + 1] << 8;
        entries = span_skip(entries, ENTRY_HEAD_BYTES);
        if (len > entries.len)
            return;
        struct health *h = map_get(&t->by_id, id);
        if (h != NULL) /* what is damaged in it adds nothing */
            (void)stats_add_packed(h->stats, slice, entries.at, len, unix_ms);
        entries = span_skip(entries, len);
    }
}
