/* Who answers: the backend that was configured, or, when it cannot, the policy.
 *
 *   counts                     ledger.c
 *   notes   memory, sqlite   nobody else is there
 *           redis            redis.c; away: they are lost
 *   values  memory           embedded.c, at once
 *           sqlite           embedded.c, else disk.c; written to both
 *           redis            redis.c; away: embedded.c (what was put while away), or nothing
 *   records                    records.c, from the same backends; away: nothing
 *   history                    history.c, likewise; away: what is new waits
 *   answers                    answers.c, likewise; away: this process alone, or nothing
 */
#include "sluice/store/store.h"

#include "answers_priv.h"
#include "disk.h"
#include "embedded.h"
#include "ledger_priv.h"
#include "history_priv.h"
#include "owner.h"
#include "records_priv.h"
#include "redis_notes.h"
#include "redis_values.h"
#include "sluice/base/arena.h"
#include "sluice/net/timer.h"

#include <stdio.h>
#include <stdlib.h>

/* Whoever waits for an answer. Heads the two kinds of call, so that closing the store finds them. */
struct waiting {
    struct waiting *next, **at; /* *at is this one */
    void (*drop)(struct waiting *w);
};

enum presence { STORE_CONNECTING, STORE_THERE, STORE_AWAY };

struct store {
    struct loop *loop;
    struct store_options options; /* ours, see options_copy */
    struct embedded *memory;
    struct disk *disk;   /* STORE_SQLITE, else NULL */
    struct redis *redis; /* STORE_REDIS, else NULL */
    struct metric_series *errors;
    struct records *records;
    struct ledger *ledger;
    struct history *history;
    struct answers *answers;
    struct waiting *waiting;
    enum presence presence; /* of Redis */
    uint64_t lost_ms;
    bool disk_failing, closing;
    struct later freed;
};

struct value_call {
    struct waiting waiting; /* first, as above */
    struct store *store;
    value_fn done;
    void *arg;
    struct redis_get redis;
    struct disk_read *read; /* from disk: NULL once it has answered */
    struct deadline late;   /* from disk; Redis keeps its own time */
    size_t key_len;
    uint8_t key[STORE_KEY_MAX_BYTES];
};

struct hear_call {
    struct waiting waiting; /* first, as above */
    hear_fn done;
    void *arg;
    struct redis_hear redis;
};

static void wait_for(struct store *s, struct waiting *w)
{
    w->next = s->waiting;
    w->at = &s->waiting;
    if (w->next != NULL)
        w->next->at = &w->next;
    s->waiting = w;
}

static void wait_no_more(struct waiting *w)
{
    *w->at = w->next;
    if (w->next != NULL)
        w->next->at = w->at;
}

/* ── values ──────────────────────────────────────────────────────────────────────────────────── */

static void value_without(struct store *s, struct span key, struct value_answer *out)
{
    metric_add(s->errors, 1);
    *out = (struct value_answer){.quality = s->options.fail_closed ? STORE_LOST : STORE_LOCAL};
    if (!s->options.fail_closed)
        out->found = embedded_find(s->memory, key, clock_unix_ms(), &out->value);
}

static void value_end(struct value_call *call)
{
    deadline_clear(&call->late);
    wait_no_more(&call->waiting);
    free(call);
}

static void value_done(struct value_call *call, const struct value_answer *answer)
{
    value_fn done = call->done;
    void *arg = call->arg;

    value_end(call);
    done(arg, answer);
}

static void on_value(struct redis_get *g, bool answered, bool found, struct span value)
{
    struct value_call *call = OWNER(struct value_call, redis, g);
    struct value_answer answer = {.found = found, .value = value, .quality = STORE_EXACT};

    if (!answered)
        value_without(call->store, span_of(call->key, call->key_len), &answer);
    value_done(call, &answer);
}

static void on_read(void *arg, bool found, struct span value, uint64_t expires_unix_ms)
{
    struct value_call *call = arg;
    const struct value_answer answer = {.found = found, .value = value, .quality = STORE_EXACT};

    call->read = NULL;
    if (found) /* without memory for it the next reader goes to the disk again */
        (void)!embedded_keep(call->store->memory, span_of(call->key, call->key_len), value,
                             expires_unix_ms, clock_unix_ms());
    value_done(call, &answer);
}

static void on_read_late(struct deadline *d)
{
    struct value_call *call = OWNER(struct value_call, late, d);
    struct value_answer answer;

    disk_forget(call->read);
    value_without(call->store, span_of(call->key, call->key_len), &answer);
    value_done(call, &answer);
}

void store_get_cancel(struct value_call *call)
{
    if (call->store->redis != NULL)
        redis_call_cancel(&call->redis.call);
    else
        disk_forget(call->read);
    value_end(call);
}

static void drop_value(struct waiting *w)
{
    store_get_cancel((struct value_call *)w);
}

static struct value_call *ask_for_value(struct store *s, struct span key, value_fn done, void *arg)
{
    struct value_call *call = xcalloc(1, sizeof(*call));
    bool asked;

    call->store = s;
    call->done = done;
    call->arg = arg;
    call->waiting.drop = drop_value;
    call->key_len = key.len;
    memcpy(call->key, key.at, key.len);
    deadline_init(&call->late, s->loop, on_read_late);
    call->redis.done = on_value;
    if (s->redis != NULL) {
        asked = redis_get(s->redis, key, &call->redis);
    } else {
        call->read = disk_get(s->disk, key, on_read, call);
        asked = call->read != NULL;
        if (asked)
            deadline_set(&call->late, s->options.timeout_ms);
    }
    if (!asked) {
        deadline_clear(&call->late);
        free(call);
        return NULL;
    }
    wait_for(s, &call->waiting);
    return call;
}

static bool key_fits(struct span key)
{
    return key.len > 0 && key.len <= STORE_KEY_MAX_BYTES;
}

enum store_answer store_get(struct store *s, struct span key, struct value_answer *out,
                            value_fn done, void *arg, struct value_call **pending)
{
    *pending = NULL;
    *out = (struct value_answer){.quality = STORE_EXACT};
    if (!key_fits(key))
        return STORE_DONE;
    if (s->redis == NULL) {
        out->found = embedded_find(s->memory, key, clock_unix_ms(), &out->value);
        if (out->found || s->disk == NULL)
            return STORE_DONE;
    }
    *pending = ask_for_value(s, key, done, arg);
    if (*pending != NULL)
        return STORE_PENDING;
    value_without(s, key, out);
    return STORE_DONE;
}

static bool put(struct store *s, struct span key, struct span value, uint64_t ttl_ms)
{
    uint64_t now = clock_unix_ms();
    bool kept;

    if (s->redis != NULL && redis_put(s->redis, key, value, ttl_ms))
        return true;
    kept = embedded_keep(s->memory, key, value, now + ttl_ms, now) == 0;
    if (s->disk != NULL)
        kept = disk_put(s->disk, key, value, now + ttl_ms) && kept;
    return kept && s->redis == NULL;
}

void store_put(struct store *s, struct span key, struct span value, uint64_t ttl_ms)
{
    if (!key_fits(key) || value.len > STORE_VALUE_MAX_BYTES || !put(s, key, value, ttl_ms))
        metric_add(s->errors, 1);
}

/* ── notes ───────────────────────────────────────────────────────────────────────────────────── */

struct store_place store_place_at(uint64_t unix_ms)
{
    struct store_place p;

    snprintf(p.id, sizeof(p.id), "%llu-0", (unsigned long long)unix_ms);
    return p;
}

void store_tell(struct store *s, struct span channel, struct span note, uint64_t keep_ms)
{
    if (s->redis == NULL)
        return;
    if (!key_fits(channel) || note.len > STORE_NOTE_MAX_BYTES ||
        !redis_tell(s->redis, channel, note, keep_ms))
        metric_add(s->errors, 1);
}

static void hear_end(struct hear_call *call)
{
    wait_no_more(&call->waiting);
    free(call);
}

static void on_heard(struct redis_hear *h, const struct notes *heard)
{
    struct hear_call *call = OWNER(struct hear_call, redis, h);
    hear_fn done = call->done;
    void *arg = call->arg;

    hear_end(call);
    done(arg, heard);
}

void store_hear_cancel(struct hear_call *call)
{
    redis_call_cancel(&call->redis.call);
    hear_end(call);
}

static void drop_hear(struct waiting *w)
{
    store_hear_cancel((struct hear_call *)w);
}

enum store_answer store_hear(struct store *s, struct span channel, const struct store_place *from,
                             struct notes *out, hear_fn done, void *arg, struct hear_call **pending)
{
    struct hear_call *call;

    *pending = NULL;
    *out = (struct notes){.next = *from, .is_heard = s->redis == NULL};
    if (s->redis == NULL || !key_fits(channel) || !redis_takes(s->redis))
        return STORE_DONE;
    call = xcalloc(1, sizeof(*call));
    call->done = done;
    call->arg = arg;
    call->waiting.drop = drop_hear;
    call->redis.from = *from;
    call->redis.done = on_heard;
    if (!redis_hear(s->redis, channel, &call->redis)) {
        free(call);
        return STORE_DONE;
    }
    wait_for(s, &call->waiting);
    *pending = call;
    return STORE_PENDING;
}

/* ── coming and going ────────────────────────────────────────────────────────────────────────── */

static void on_up(void *owner)
{
    ledger_up(((struct store *)owner)->ledger);
}

/* Connected, and the counts of both sides agree. */
static void on_counting(void *owner)
{
    struct store *s = owner;

    if (s->presence == STORE_AWAY)
        log_info("store back", "url=%s away_ms=%llu", s->options.url,
                 (unsigned long long)(loop_now_ms(s->loop) - s->lost_ms));
    else
        log_info("store connected", "url=%s", s->options.url);
    s->presence = STORE_THERE;
}

/* Called for every try that failed: only the first is news. */
static void on_down(void *owner, const char *reason)
{
    struct store *s = owner;

    ledger_down(s->ledger);
    if (s->closing)
        return;
    if (s->presence == STORE_AWAY) {
        log_debug("store still lost", "url=%s reason=\"%s\"", s->options.url, reason);
        return;
    }
    s->presence = STORE_AWAY;
    s->lost_ms = loop_now_ms(s->loop);
    log_warn("store lost", "url=%s reason=\"%s\" until_back=\"%s\"", s->options.url, reason,
             s->options.fail_closed ? "requests are refused" : "limits are counted locally");
}

static void on_missed(void *owner)
{
    metric_add(((struct store *)owner)->errors, 1);
}

static void on_disk_failed(void *owner, unsigned n, const char *problem)
{
    struct store *s = owner;

    metric_add(s->errors, n);
    if (!s->disk_failing)
        log_error("store file fails", "url=%s problem=\"%s\"", s->options.url, problem);
    s->disk_failing = true;
}

static void on_disk_worked(void *owner)
{
    struct store *s = owner;

    if (s->disk_failing)
        log_info("store file works again", "url=%s", s->options.url);
    s->disk_failing = false;
}

/* ── life ────────────────────────────────────────────────────────────────────────────────────── */

static char *text_copy(const char *text)
{
    return text == NULL ? NULL : xstrdup(text);
}

static void options_copy(struct store_options *to, const struct store_options *from)
{
    *to = *from;
    to->url = xstrdup(from->url != NULL ? from->url : "");
    to->path = text_copy(from->path);
    to->host = text_copy(from->host);
    to->user = text_copy(from->user);
    to->prefix = xstrdup(from->prefix != NULL ? from->prefix : "sluice:");
    to->tls_options = (struct tls_options){
        .ca = text_copy(from->tls_options.ca),
        .server_name = text_copy(from->tls_options.server_name),
        .insecure = from->tls_options.insecure,
    };
    if (to->timeout_ms == 0)
        to->timeout_ms = 50; /* none would let requests wait for ever */
    to->password = (struct secret){0};
    if (secret_is_set(&from->password) &&
        secret_init(&to->password, secret_reveal(&from->password)) < 0)
        abort(); /* a small struct of the start-up's, as xcalloc */
}

static void text_free(const char *text)
{
    free((void *)(uintptr_t)text); /* ours since options_copy; const for everybody who reads */
}

static void options_free(struct store_options *o)
{
    text_free(o->url);
    text_free(o->path);
    text_free(o->host);
    text_free(o->user);
    text_free(o->prefix);
    text_free(o->tls_options.ca);
    text_free(o->tls_options.server_name);
    secret_fini(&o->password);
}

static void on_freed(struct later *later)
{
    struct store *s = OWNER(struct store, freed, later);

    embedded_free(s->memory);
    ledger_free(s->ledger);
    options_free(&s->options);
    free(s);
}

static bool open_backend(struct store *s, struct err *why)
{
    static const struct redis_events redis_events = {on_up, on_down, on_missed};
    static const struct disk_events disk_events = {on_disk_failed, on_disk_worked};

    switch (s->options.kind) {
    case STORE_MEMORY:
        return true;
    case STORE_SQLITE:
        s->disk = disk_open(s->loop, s->options.path, &disk_events, s, why);
        return s->disk != NULL;
    case STORE_REDIS:
        s->redis = redis_open(s->loop, &s->options, &redis_events, s, why);
        return s->redis != NULL;
    }
    return false;
}

static void close_backend(struct store *s)
{
    records_free(s->records);
    history_free(s->history);
    answers_free(s->answers);
    redis_close(s->redis); /* neither calls up any more: they may end after us */
    disk_close(s->disk);
    loop_later(s->loop, &s->freed);
}

struct store *store_open(struct loop *l, const struct store_options *options,
                         struct metric_registry *metrics, struct err *why)
{
    struct store *s = xcalloc(1, sizeof(*s));

    s->loop = l;
    s->freed.run = on_freed;
    options_copy(&s->options, options);
    s->memory = embedded_new();
    s->errors = metric_series(metric_declare(metrics, METRIC_COUNTER, "sluice_store_errors_total",
                                             "Calls the store did not answer, values it did not "
                                             "write",
                                             "", NULL, 0),
                              NULL);
    if (!open_backend(s, why)) {
        on_freed(&s->freed);
        return NULL;
    }
    s->history = history_new(l, s->disk != NULL ? s->options.path : NULL, s->redis, metrics, why);
    if (s->history == NULL) {
        close_backend(s);
        return NULL;
    }
    s->records = records_new(l, s->disk, s->redis, on_missed, s);
    s->answers = answers_new(&(struct answers_home){
        .loop = l,
        .disk = s->disk,
        .redis = s->redis,
        .fail_closed = s->options.fail_closed,
        .timeout_ms = s->options.timeout_ms,
        .missed = on_missed,
        .owner = s,
    });
    s->ledger = ledger_new(&(struct ledger_seat){.loop = l,
                                                 .options = &s->options,
                                                 .memory = s->memory,
                                                 .disk = s->disk,
                                                 .redis = s->redis,
                                                 .metrics = metrics,
                                                 .errors = s->errors,
                                                 .ready = on_counting,
                                                 .owner = s},
                           why);
    if (s->ledger == NULL) {
        close_backend(s);
        return NULL;
    }
    return s;
}

struct history *store_history(struct store *s)
{
    return s->history;
}

struct records *store_records(struct store *s)
{
    return s->records;
}

struct answers *store_answers(struct store *s)
{
    return s->answers;
}

struct ledger *store_ledger(struct store *s)
{
    return s->ledger;
}

static void on_ledger_closed(void *owner)
{
    close_backend(owner);
}

void store_close(struct store *s)
{
    if (s == NULL || s->closing)
        return;
    s->closing = true;
    while (s->waiting != NULL)
        s->waiting->drop(s->waiting);
    records_free(s->records);
    s->records = NULL;
    history_free(s->history);
    s->history = NULL;
    answers_free(s->answers);
    s->answers = NULL;
    ledger_close(s->ledger, on_ledger_closed);
}

bool store_usable(const struct store *s, const char **detail)
{
    *detail = s->disk_failing ? "file fails, values in memory only" : "ready";
    if (s->redis == NULL || s->presence == STORE_THERE)
        return true;
    if (s->presence == STORE_CONNECTING)
        *detail = "connecting";
    else
        *detail = s->options.fail_closed ? "lost, requests are refused" : "lost, limits are local";
    return !s->options.fail_closed;
}

const char *store_name(const struct store *s)
{
    static const char *const names[] = {
        [STORE_MEMORY] = "memory", [STORE_SQLITE] = "sqlite", [STORE_REDIS] = "redis"};

    return names[s->options.kind];
}
