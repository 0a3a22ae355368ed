/* The history in the store's SQLite file, over a connection of its own: reading years of it keeps nobody
 * waiting who wants a value (disk.c).
 *
 * One job at a time runs on libuv's threads: it writes a batch in one transaction, takes a step of each
 * read, and now and then sweeps out what is too old. A step looks at ROWS_A_STEP rows at most, so none
 * waits long for another. */
#include "history_priv.h"

#include "owner.h"
#include "sluice/base/arena.h"
#include "sluice/net/offload.h"
#include "sluice/net/timer.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS_A_STEP = 20000, BYTES_A_STEP = 1024 * 1024, BUSY_MS = 5000 };
enum { SWEEP_ROWS = 5000, SWEEP_EVERY_MS = 60 * 1000, SWEEP_AGAIN_MS = 100 };

static const char schema[] =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
    "CREATE TABLE IF NOT EXISTS history (time_ms INTEGER NOT NULL, id BLOB NOT NULL,"
    "  key_id TEXT NOT NULL, model TEXT NOT NULL, frame BLOB NOT NULL,"
    "  PRIMARY KEY (time_ms, id)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS history_by_id ON history (id);"
    "CREATE INDEX IF NOT EXISTS history_by_key ON history (key_id, time_ms, id);"
    "CREATE INDEX IF NOT EXISTS history_by_model ON history (model, time_ms, id);";

enum statement {
    INSERT,
    BY_ID,
    BY_TIME,
    BY_KEY,
    BY_MODEL,
    SWEEP,
    BEGIN,
    COMMIT,
    ROLLBACK,
    STATEMENTS
};

#define PAGE(which)                                                                        \
    "SELECT frame FROM history WHERE " which "(time_ms, id) < (?1, ?2) AND time_ms >= ?3 " \
    "ORDER BY time_ms DESC, id DESC"

static const char *const statement_text[STATEMENTS] = {
    [INSERT] = "INSERT OR REPLACE INTO history (time_ms, id, key_id, model, frame)"
               " VALUES (?1, ?2, ?3, ?4, ?5)",
    [BY_ID] = "SELECT frame FROM history WHERE id = ?1",
    [BY_TIME] = PAGE(""),
    [BY_KEY] = PAGE("key_id = ?4 AND "),
    [BY_MODEL] = PAGE("model = ?4 AND "),
    [SWEEP] = "DELETE FROM history WHERE (time_ms, id) IN"
              " (SELECT time_ms, id FROM history WHERE time_ms < ?1 ORDER BY time_ms LIMIT ?2)",
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
};

struct reads {
    struct history_read *first, **end;
};

struct disk_history {
    struct loop *loop;
    struct history *history; /* NULL once it has closed us */
    sqlite3 *db;             /* the running job's, else ours */
    sqlite3_stmt *statements[STATEMENTS];
    struct buf waiting; /* to be written by the next job */
    struct reads reads; /* likewise to be done */
    struct history_limits limits;
    struct deadline sweep;
    bool running, wants_sweep;
    struct later freed;
};

/* What one visit of a thread does. The thread has it to itself, and the database with it. */
struct job {
    struct disk_history *disk;
    struct buf frames;
    struct reads reads;
    uint64_t swept_before_unix_ms; /* 0: nothing is swept */
    bool swept_all;
    unsigned lost; /* records */
    char problem[128];
};

/* --- on the thread -------------------------------------------------------------------------------- */

static int run(struct disk_history *d, enum statement which)
{
    int rc = sqlite3_step(d->statements[which]);
    sqlite3_reset(d->statements[which]);
    sqlite3_clear_bindings(d->statements[which]);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static void bind_bytes(sqlite3_stmt *s, int at, const uint8_t *bytes, size_t len)
{
    sqlite3_bind_blob64(s, at, bytes, len, SQLITE_STATIC);
}

/* A NULL pointer would bind NULL. */
static void bind_text(sqlite3_stmt *s, int at, struct span text)
{
    sqlite3_bind_text64(s, at, text.len > 0 ? (const char *)text.at : "", text.len, SQLITE_STATIC,
                        SQLITE_UTF8);
}

static int write_one(struct disk_history *d, struct span frame)
{
    sqlite3_stmt *s = d->statements[INSERT];
    struct history_record r;
    if (!history_frame_read(frame, &r))
        return SQLITE_OK; /* our own writer's: cannot be */
    sqlite3_bind_int64(s, 1, (sqlite3_int64)r.time_unix_ms);
    bind_bytes(s, 2, r.id, sizeof r.id);
    bind_text(s, 3, r.text[HISTORY_KEY_ID]);
    bind_text(s, 4, r.text[HISTORY_MODEL]);
    bind_bytes(s, 5, frame.at, frame.len);
    return run(d, INSERT);
}

static int sweep(struct job *j)
{
    sqlite3_stmt *s = j->disk->statements[SWEEP];
    sqlite3_bind_int64(s, 1, (sqlite3_int64)j->swept_before_unix_ms);
    sqlite3_bind_int(s, 2, SWEEP_ROWS);
    int rc = run(j->disk, SWEEP);
    j->swept_all = sqlite3_changes(j->disk->db) < SWEEP_ROWS;
    return rc;
}

static void write_all(struct job *j)
{
    struct disk_history *d = j->disk;
    struct span rest = buf_span(&j->frames), frame;
    int rc = run(d, BEGIN);
    while (rc == SQLITE_OK && history_frame_next(&rest, &frame))
        rc = write_one(d, frame);
    if (rc == SQLITE_OK && j->swept_before_unix_ms > 0)
        rc = sweep(j);
    if (rc == SQLITE_OK)
        rc = run(d, COMMIT);
    if (rc == SQLITE_OK)
        return;
    j->lost = history_count(buf_span(&j->frames));
    snprintf(j->problem, sizeof j->problem, "%s", sqlite3_errmsg(d->db));
    if (!sqlite3_get_autocommit(d->db))
        (void)run(d, ROLLBACK);
}

static sqlite3_stmt *statement_for(struct disk_history *d, const struct history_query *q,
                                   struct span *named)
{
    bool by_key = q->filter.key_id.len > 0, by_model = !by_key && q->filter.model.len > 0;
    *named = by_key ? q->filter.key_id : q->filter.model;
    return d->statements[q->has_id ? BY_ID : by_key ? BY_KEY : by_model ? BY_MODEL : BY_TIME];
}

/* SQLite's integers have a sign. */
static sqlite3_int64 time_of(uint64_t unix_ms)
{
    return unix_ms < INT64_MAX ? (sqlite3_int64)unix_ms : INT64_MAX;
}

static void bind_page(sqlite3_stmt *s, const struct history_query *q, struct span named)
{
    bool goes_on = q->has_place && history_place_time(&q->place) < q->until_unix_ms;
    sqlite3_bind_int64(s, 1, time_of(goes_on ? history_place_time(&q->place) : q->until_unix_ms));
    bind_bytes(s, 2, goes_on ? q->place.at + 8 : (const uint8_t *)"",
               goes_on ? HISTORY_ID_BYTES : 0); /* nothing comes before the empty id */
    sqlite3_bind_int64(s, 3, time_of(q->from_unix_ms));
    if (named.len > 0)
        bind_text(s, 4, named);
}

static void read_one(struct disk_history *d, struct history_read *r)
{
    struct span named;
    sqlite3_stmt *s = statement_for(d, &r->query, &named);
    unsigned rows = 0;
    int rc = SQLITE_DONE;
    if (r->query.has_id)
        bind_bytes(s, 1, r->query.id, HISTORY_ID_BYTES);
    else
        bind_page(s, &r->query, named);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct span frames = span_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0));
        struct span frame;
        bool goes_on = !history_frame_next(&frames, &frame) || history_read_take(r, frame);
        if (goes_on && (++rows == ROWS_A_STEP || buf_len(&r->frames) > BYTES_A_STEP))
            r->page.has_more = true; /* behind the last row that was looked at */
        if (!goes_on || r->page.has_more)
            break;
    }
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        r->page.is_lost = true;
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
}

static void work(void *arg)
{
    struct job *j = arg;
    if (buf_len(&j->frames) > 0 || j->swept_before_unix_ms > 0)
        write_all(j);
    for (struct history_read *r = j->reads.first; r != NULL; r = r->queued)
        read_one(j->disk, r);
}

/* --- on the loop ---------------------------------------------------------------------------------- */

static void on_freed(struct later *later)
{
    struct disk_history *d = OWNER(struct disk_history, freed, later);
    for (unsigned i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(d->statements[i]);
    sqlite3_close(d->db);
    buf_fini(&d->waiting);
    free(d);
}

static void reads_end(struct reads *reads)
{
    struct history_read *next;
    for (struct history_read *r = reads->first; r != NULL; r = next) {
        next = r->queued;
        history_read_end(r); /* may close us */
    }
}

static void go_on(struct disk_history *d);

static void on_done(void *arg)
{
    struct job *j = arg;
    struct disk_history *d = j->disk;
    d->running = false;
    if (d->history != NULL && j->lost > 0)
        history_lost(d->history, j->lost, j->problem);
    else if (d->history != NULL && buf_len(&j->frames) > 0)
        history_next(d->history);
    if (d->history != NULL && j->swept_before_unix_ms > 0)
        deadline_set(&d->sweep, j->swept_all ? SWEEP_EVERY_MS : SWEEP_AGAIN_MS);
    struct reads reads = j->reads;
    buf_fini(&j->frames);
    free(j);
    reads_end(&reads);
    go_on(d);
}

static uint64_t kept_since(const struct disk_history *d)
{
    uint64_t now = clock_unix_ms();
    return now > d->limits.retention_ms ? now - d->limits.retention_ms : 0;
}

static void start_job(struct disk_history *d)
{
    struct job *j = xcalloc(1, sizeof *j);
    j->disk = d;
    j->frames = d->waiting;
    j->reads = d->reads;
    if (d->wants_sweep)
        j->swept_before_unix_ms = kept_since(d);
    d->waiting = (struct buf){0};
    d->reads = (struct reads){.end = &d->reads.first};
    if (j->reads.first == NULL)
        j->reads.end = &j->reads.first;
    d->wants_sweep = false;
    d->running = true;
    (void)offload_start(d->loop, work, on_done, on_done, j);
}

static void go_on(struct disk_history *d)
{
    if (d->running || d->freed.queued)
        return;
    if (buf_len(&d->waiting) > 0 || d->reads.first != NULL || d->wants_sweep)
        start_job(d);
    else if (d->history == NULL)
        loop_later(d->loop, &d->freed);
}

static bool write_frames(void *self, struct buf *frames)
{
    struct disk_history *d = self;
    if (buf_len(&d->waiting) > 0)
        return false;
    d->waiting = *frames;
    *frames = (struct buf){0};
    go_on(d);
    return true;
}

static bool is_idle(const void *self)
{
    const struct disk_history *d = self;
    return !d->running && buf_len(&d->waiting) == 0;
}

static void read_frames(void *self, struct history_read *r)
{
    struct disk_history *d = self;
    *d->reads.end = r;
    d->reads.end = &r->queued;
    go_on(d);
}

/* Whether it waits or a thread has it: its turn comes, and ends it. */
static void forget(void *self, struct history_read *r)
{
    (void)self;
    (void)r;
}

static void on_sweep(struct deadline *deadline)
{
    struct disk_history *d = OWNER(struct disk_history, sweep, deadline);
    d->wants_sweep = true;
    go_on(d);
}

static void limit(void *self, const struct history_limits *l)
{
    struct disk_history *d = self;
    d->limits = *l;
    deadline_set(&d->sweep, 1);
}

/* --- life ----------------------------------------------------------------------------------------- */

static int prepare(struct disk_history *d, const char *path)
{
    int rc = sqlite3_open_v2(
        path, &d->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(d->db, BUSY_MS);
        rc = sqlite3_exec(d->db, schema, NULL, NULL, NULL);
    }
    for (unsigned i = 0; i < STATEMENTS && rc == SQLITE_OK; i++)
        rc = sqlite3_prepare_v3(d->db, statement_text[i], -1, SQLITE_PREPARE_PERSISTENT,
                                &d->statements[i], NULL);
    return rc;
}

void *disk_history_open(struct loop *l, const char *path, struct history *h, struct err *why)
{
    struct disk_history *d = xcalloc(1, sizeof *d);
    d->loop = l;
    d->history = h;
    d->reads.end = &d->reads.first;
    d->freed.run = on_freed;
    deadline_init(&d->sweep, l, on_sweep);
    if (prepare(d, path) != SQLITE_OK) {
        err_set(why, "%s: %s", path, d->db == NULL ? "out of memory" : sqlite3_errmsg(d->db));
        on_freed(&d->freed);
        return NULL;
    }
    return d;
}

static void close_disk(void *self)
{
    struct disk_history *d = self;
    d->history = NULL;
    deadline_clear(&d->sweep);
    go_on(d); /* writes the rest, and frees itself behind it */
}

const struct history_backend history_on_disk = {
    .write = write_frames,
    .is_idle = is_idle,
    .read = read_frames,
    .forget = forget,
    .limit = limit,
    .close = close_disk,
};
