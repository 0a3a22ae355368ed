/*   append ──▶ pending ──50 ms──▶ backend (writes, one batch at a time)
 *                 ▲                   │
 *                 └──── history_next ─┘
 */
#include "history_priv.h"

#include "owner.h"
#include "sluice/base/arena.h"
#include "sluice/base/log.h"
#include "sluice/base/metric.h"
#include "sluice/net/timer.h"

#include <stdlib.h>

enum { BATCH_MS = 50, AGAIN_MS = 250 };
enum { PENDING_MAX_BYTES = 2 * 1024 * 1024, KEPT_BYTES = 256 * 1024 };
enum { READS_MAX = 256 };

struct history {
    struct loop *loop;
    const struct history_backend *backend;
    void *self; /* the backend's */
    bool enabled, failing, closing;
    struct history_limits limits;
    struct buf pending;
    struct deadline flush;
    struct metric_series *dropped;
    struct history_read *reads;
    unsigned nreads;
};

/* --- writing -------------------------------------------------------------------------------------- */

unsigned history_count(struct span frames)
{
    struct span frame;
    unsigned n = 0;
    while (history_frame_next(&frames, &frame))
        n++;
    return n;
}

void history_append(struct history *h, const struct history_record *r)
{
    if (!h->enabled)
        return;
    if (buf_len(&h->pending) > PENDING_MAX_BYTES ||
        buf_reserve(&h->pending, HISTORY_FRAME_MAX_BYTES) < 0) {
        metric_add(h->dropped, 1);
        return;
    }
    h->pending.tail += history_frame_write(r, h->pending.at + h->pending.tail);
    if (!deadline_armed(&h->flush))
        deadline_set(&h->flush, BATCH_MS);
}

static void write_pending(struct history *h)
{
    if (buf_len(&h->pending) == 0)
        return;
    bool is_turn = h->closing || h->backend->is_idle(h->self);
    if (!is_turn || !h->backend->write(h->self, &h->pending)) {
        if (!h->closing && !deadline_armed(&h->flush))
            deadline_set(&h->flush, AGAIN_MS);
        return;
    }
    if (h->pending.cap > KEPT_BYTES)
        buf_fini(&h->pending);
    else
        buf_clear(&h->pending);
}

static void on_flush(struct deadline *d)
{
    write_pending(OWNER(struct history, flush, d));
}

bool history_flush(struct history *h)
{
    write_pending(h);
    return buf_len(&h->pending) == 0 && h->backend->is_idle(h->self);
}

void history_lost(struct history *h, unsigned nrecords, const char *problem)
{
    metric_add(h->dropped, nrecords);
    if (!h->failing)
        log_warn("records of calls cannot be kept", "problem=\"%s\"", problem);
    h->failing = true;
}

void history_next(struct history *h)
{
    if (h->failing)
        log_info("records of calls are kept again", "store=1");
    h->failing = false;
    if (buf_len(&h->pending) > 0 && !deadline_armed(&h->flush))
        deadline_set(&h->flush, BATCH_MS);
}

void history_use(struct history *h, const struct history_options *o)
{
    h->enabled = o->enabled;
    h->limits = (struct history_limits){o->retention_ms, o->max_records};
    h->backend->limit(h->self, &h->limits);
}

bool history_is_kept(const struct history *h)
{
    return h->enabled;
}

/* --- reading -------------------------------------------------------------------------------------- */

static struct span copy(struct history_read *r, unsigned which, struct span text)
{
    uint8_t *at = r->texts + (size_t)which * HISTORY_TEXT_MAX_BYTES;
    text = span_sub(text, 0, HISTORY_TEXT_MAX_BYTES);
    if (text.len > 0)
        memcpy(at, text.at, text.len);
    return span_of(at, text.len);
}

static void list_in(struct history *h, struct history_read *r)
{
    r->next = h->reads;
    r->at = &h->reads;
    if (r->next != NULL)
        r->next->at = &r->next;
    h->reads = r;
    h->nreads++;
}

static void list_out(struct history_read *r)
{
    *r->at = r->next;
    if (r->next != NULL)
        r->next->at = r->at;
    r->at = NULL;
    r->history->nreads--;
}

/* What is older than the retention is gone, whether or not it has been swept out yet. */
static uint64_t oldest_kept(const struct history *h, uint64_t from_unix_ms)
{
    uint64_t now = clock_unix_ms(), kept = h->limits.retention_ms;
    uint64_t oldest = kept > 0 && now > kept ? now - kept : 0;
    return from_unix_ms > oldest ? from_unix_ms : oldest;
}

struct history_read *history_read(struct history *h, const struct history_query *q, history_fn done,
                                  void *arg)
{
    struct history_read *r;
    if (h->nreads >= READS_MAX)
        return NULL;
    r = xcalloc(1, sizeof *r);
    r->history = h;
    r->query = *q;
    r->query.from_unix_ms = oldest_kept(h, q->from_unix_ms);
    r->query.filter.model = copy(r, 0, q->filter.model);
    r->query.filter.provider = copy(r, 1, q->filter.provider);
    r->query.filter.key_id = copy(r, 2, q->filter.key_id);
    r->query.filter.key = copy(r, 3, q->filter.key);
    r->done = done;
    r->arg = arg;
    list_in(h, r);
    h->backend->read(h->self, r);
    return r;
}

void history_read_end(struct history_read *r)
{
    if (r->at != NULL) {
        list_out(r);
        r->page.frames = buf_span(&r->frames);
        r->done(r->arg, &r->page);
    }
    buf_fini(&r->frames);
    free(r);
}

void history_read_cancel(struct history_read *r)
{
    struct history *h = r->history;
    list_out(r);
    h->backend->forget(h->self, r);
}

bool history_read_take(struct history_read *r, struct span frame)
{
    const struct history_query *q = &r->query;
    struct history_page *page = &r->page;
    struct history_record record;
    struct history_place place;
    if (!history_frame_place(frame, &place))
        return true; /* damaged: as if it were not there */
    if (history_place_time(&place) < q->from_unix_ms) {
        page->has_more = false;
        return false;
    }
    if (page->n >= q->most) {
        page->has_more = true;
        return false;
    }
    page->next = place;
    if (history_place_time(&place) >= q->until_unix_ms ||
        (q->has_place && memcmp(place.at, q->place.at, sizeof place.at) >= 0) ||
        (q->has_id && memcmp(place.at + 8, q->id, HISTORY_ID_BYTES) != 0) ||
        !history_frame_read(frame, &record) || !history_filter_takes(&q->filter, &record))
        return true;
    if (buf_add(&r->frames, frame) < 0) {
        page->is_lost = true;
        return false;
    }
    page->n++;
    return true;
}

/* --- life ----------------------------------------------------------------------------------------- */

static struct metric_series *counter(struct metric_registry *metrics, const char *name,
                                     const char *help)
{
    return metric_series(metric_declare(metrics, METRIC_COUNTER, name, help, "", NULL, 0), NULL);
}

struct history *history_new(struct loop *l, const char *path, struct redis *redis,
                            struct metric_registry *metrics, struct err *why)
{
    struct history *h = xcalloc(1, sizeof *h);
    h->loop = l;
    deadline_init(&h->flush, l, on_flush);
    h->backend = redis != NULL  ? &history_in_redis
                 : path != NULL ? &history_on_disk
                                : &history_in_memory;
    h->self = redis != NULL  ? redis_history_open(l, redis, h)
              : path != NULL ? disk_history_open(l, path, h, why)
                             : history_memory_open(l);
    if (h->self == NULL) {
        free(h);
        return NULL;
    }
    h->dropped = counter(metrics, "sluice_history_dropped_total",
                         "Records of calls that could not be kept.");
    return h;
}

void history_free(struct history *h)
{
    if (h == NULL)
        return;
    h->closing = true;
    while (h->reads != NULL)
        history_read_cancel(h->reads);
    deadline_clear(&h->flush);
    write_pending(h);
    h->backend->close(h->self);
    buf_fini(&h->pending);
    free(h);
}
