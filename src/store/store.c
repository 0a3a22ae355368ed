/* Who answers: the backend that was configured, or, when it cannot, the policy. */
#include "sluice/store/store.h"

#include "embedded.h"
#include "sluice/base/arena.h"

#include <stdlib.h>

struct store {
    struct loop *loop;
    enum store_kind kind;
    struct embedded *memory;
    struct metric_series *errors;
    struct later freed;
};

enum store_answer store_admit(struct store *s, const struct admit_query *q, struct admit_answer *out,
                              admit_fn done, void *arg, struct admit_call **pending)
{
    (void)done;
    (void)arg;
    *pending = NULL;
    embedded_admit(s->memory, q, out);
    out->quality = STORE_EXACT;
    return STORE_DONE;
}

enum store_answer store_get(struct store *s, struct span key, struct value_answer *out, value_fn done,
                            void *arg, struct value_call **pending)
{
    (void)done;
    (void)arg;
    *pending = NULL;
    *out = (struct value_answer){.quality = STORE_EXACT};
    out->found = embedded_find(s->memory, key, clock_unix_ms(), &out->value);
    return STORE_DONE;
}

void store_put(struct store *s, struct span key, struct span value, uint64_t ttl_ms)
{
    uint64_t now = clock_unix_ms();

    if (key.len > STORE_KEY_MAX_BYTES || value.len > STORE_VALUE_MAX_BYTES ||
        embedded_keep(s->memory, key, value, now + ttl_ms, now) < 0)
        metric_add(s->errors, 1);
}

struct store *store_open(struct loop *l, const struct store_options *options,
                         struct metric_registry *metrics, struct err *why)
{
    struct store *s;

    if (options->kind != STORE_MEMORY) {
        err_set(why, "store.url: only memory: works so far");
        return NULL;
    }
    s = xcalloc(1, sizeof(*s));
    s->loop = l;
    s->kind = options->kind;
    s->memory = embedded_new();
    s->errors = metric_series(metric_declare(metrics, METRIC_COUNTER, "sluice_store_errors_total",
                                             "Calls the store did not answer", "", NULL, 0),
                              NULL);
    return s;
}

static void on_freed(struct later *later)
{
    struct store *s = (struct store *)((char *)later - offsetof(struct store, freed));

    embedded_free(s->memory);
    free(s);
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    s->freed.run = on_freed;
    loop_later(s->loop, &s->freed);
}

bool store_usable(const struct store *s, const char **detail)
{
    (void)s;
    *detail = "in memory";
    return true;
}

const char *store_name(const struct store *s)
{
    static const char *const names[] = {
        [STORE_MEMORY] = "memory", [STORE_SQLITE] = "sqlite", [STORE_REDIS] = "redis"};

    return names[s->kind];
}

/* Everything was answered at once: there is no call to cancel. */
void store_cancel(struct admit_call *call)
{
    (void)call;
}

void store_get_cancel(struct value_call *call)
{
    (void)call;
}
