#include "disk.h"

#include "owner.h"
#include "sluice/base/arena.h"
#include "sluice/base/buf.h"
#include "sluice/net/offload.h"
#include "sluice/net/timer.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH_MS = 100, BATCH_ROWS = 500 };
/* What may wait for a slow disk; beyond it values live in memory only. */
enum { WRITES_MAX = 8192, WRITES_MAX_BYTES = 32 * 1024 * 1024, READS_MAX = 1024 };
enum { PURGE_EVERY_MS = 60 * 1000, PURGE_ROWS = 1000, BUSY_MS = 2000 };

/* migrations[n] leads from version n to n + 1. A released one never changes. */
static const char *const migrations[] = {
    "CREATE TABLE value (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL,"
    "                    expires_unix_ms INTEGER NOT NULL);"
    "CREATE INDEX value_by_expiry ON value (expires_unix_ms);",
    "CREATE TABLE record (kind TEXT NOT NULL, id BLOB NOT NULL, value BLOB NOT NULL,"
    "                     PRIMARY KEY (kind, id)) WITHOUT ROWID;",
    "CREATE TABLE sums (scope TEXT PRIMARY KEY NOT NULL, sums TEXT NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE credit (id TEXT PRIMARY KEY NOT NULL, scope TEXT NOT NULL,"
    "                     amount_pd INTEGER NOT NULL, unix_ms INTEGER NOT NULL) WITHOUT ROWID;",
};
enum { VERSION = sizeof(migrations) / sizeof(*migrations) };

enum statement {
    SELECT_VALUE,
    REPLACE_VALUE,
    PURGE_VALUES,
    REPLACE_RECORD,
    UPDATE_RECORD,
    SELECT_RECORD,
    DELETE_RECORD,
    LIST_RECORDS,
    COUNT_OTHERS,
    BEGIN,
    COMMIT,
    ROLLBACK,
    STATEMENTS
};
static const char *const statement_text[STATEMENTS] = {
    [SELECT_VALUE] = "SELECT value, expires_unix_ms FROM value WHERE key = ?1 AND"
                     " expires_unix_ms > ?2",
    [REPLACE_VALUE] = "INSERT OR REPLACE INTO value (key, value, expires_unix_ms)"
                      " VALUES (?1, ?2, ?3)",
    [PURGE_VALUES] = "DELETE FROM value WHERE rowid IN (SELECT rowid FROM value"
                     " WHERE expires_unix_ms <= ?1 LIMIT ?2)",
    [REPLACE_RECORD] = "INSERT OR REPLACE INTO record (kind, id, value) VALUES (?1, ?2, ?3)",
    [UPDATE_RECORD] = "UPDATE record SET value = ?3 WHERE kind = ?1 AND id = ?2",
    [SELECT_RECORD] = "SELECT id, value FROM record WHERE kind = ?1 AND id = ?2",
    [DELETE_RECORD] = "DELETE FROM record WHERE kind = ?1 AND id = ?2",
    [LIST_RECORDS] = "SELECT id, value FROM record WHERE kind = ?1",
    [COUNT_OTHERS] = "SELECT count(*) FROM record WHERE kind = ?1 AND id <> ?2",
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
};

struct disk_write {
    struct disk_write *next;
    uint64_t expires_unix_ms;
    size_t key_len, value_len;
    uint8_t bytes[]; /* the key, then the value */
};

struct disk_read {
    struct disk_read *next;
    disk_fn done; /* NULL: forgotten */
    void *arg;
    bool found;
    uint64_t expires_unix_ms;
    struct buf value;
    size_t key_len;
    uint8_t key[];
};

struct disk_record {
    struct disk_record *next;
    enum record_op op;
    disk_record_fn done; /* NULL: forgotten */
    void *arg;
    enum record_outcome outcome;
    struct record_set found;
    const char *kind;
    size_t id_len, value_len;
    uint8_t bytes[]; /* the id, then the value */
};

struct writes {
    struct disk_write *first, **end;
    unsigned n;
    size_t size_bytes;
};

struct reads {
    struct disk_read *first, **end;
    unsigned n;
};

struct record_ops {
    struct disk_record *first, **end;
    unsigned n;
};

struct tasks {
    struct disk_task *first, **end;
};

/* What one visit of a thread does. The thread has it to itself, and the database with it. */
struct job {
    struct disk *disk;
    struct writes writes;
    struct reads reads;
    struct record_ops records;
    struct tasks tasks;
    uint64_t now_unix_ms;
    bool purge;
    unsigned failures; /* values not written, not looked up */
    char problem[128];
};

struct disk {
    struct loop *loop;
    const struct disk_events *events;
    void *owner;
    sqlite3 *db; /* the running job's, else ours */
    sqlite3_stmt *statements[STATEMENTS];
    struct writes writes; /* collected since the last job started */
    struct reads reads;
    struct record_ops records;
    struct tasks tasks;
    struct deadline batch;
    bool running, closing;
    uint64_t purged_ms;
    struct later freed;
};

static void queues_clear(struct writes *w, struct reads *r, struct record_ops *o)
{
    *w = (struct writes){.end = &w->first};
    *r = (struct reads){.end = &r->first};
    *o = (struct record_ops){.end = &o->first};
}

static void record_free(struct disk_record *r)
{
    record_set_fini(&r->found);
    explicit_bzero(r->bytes, r->id_len + r->value_len);
    free(r);
}

static void queues_free(struct writes *w, struct reads *r, struct record_ops *o)
{
    while (o->first != NULL) {
        struct disk_record *next = o->first->next;
        record_free(o->first);
        o->first = next;
    }
    while (w->first != NULL) {
        struct disk_write *next = w->first->next;
        free(w->first);
        w->first = next;
    }
    while (r->first != NULL) {
        struct disk_read *next = r->first->next;
        buf_fini(&r->first->value);
        free(r->first);
        r->first = next;
    }
}

/* ── on the thread ───────────────────────────────────────────────────────────────────────────── */

static int run(struct disk *d, enum statement which)
{
    int rc = sqlite3_step(d->statements[which]);

    sqlite3_reset(d->statements[which]);
    sqlite3_clear_bindings(d->statements[which]);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static void note_failure(struct job *j, unsigned n)
{
    j->failures += n;
    snprintf(j->problem, sizeof(j->problem), "%s", sqlite3_errmsg(j->disk->db));
}

static int write_one(struct disk *d, const struct disk_write *w)
{
    sqlite3_stmt *s = d->statements[REPLACE_VALUE];

    /* A NULL pointer would bind NULL instead of nothing: bytes[] is never one. */
    sqlite3_bind_blob64(s, 1, w->bytes, w->key_len, SQLITE_STATIC);
    sqlite3_bind_blob64(s, 2, w->bytes + w->key_len, w->value_len, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, (sqlite3_int64)w->expires_unix_ms);
    return run(d, REPLACE_VALUE);
}

static int purge(struct disk *d, uint64_t now_unix_ms)
{
    sqlite3_bind_int64(d->statements[PURGE_VALUES], 1, (sqlite3_int64)now_unix_ms);
    sqlite3_bind_int(d->statements[PURGE_VALUES], 2, PURGE_ROWS);
    return run(d, PURGE_VALUES);
}

/* All or nothing: half a batch would have to be told apart, and its values are in memory anyway. */
static void write_all(struct job *j)
{
    struct disk *d = j->disk;
    int rc = run(d, BEGIN);

    for (const struct disk_write *w = j->writes.first; w != NULL && rc == SQLITE_OK; w = w->next)
        rc = write_one(d, w);
    if (rc == SQLITE_OK && j->purge)
        rc = purge(d, j->now_unix_ms);
    if (rc == SQLITE_OK)
        rc = run(d, COMMIT);
    if (rc == SQLITE_OK)
        return;
    note_failure(j, j->writes.n);
    if (!sqlite3_get_autocommit(d->db))
        (void)run(d, ROLLBACK);
}

static void read_one(struct job *j, struct disk_read *r)
{
    sqlite3_stmt *s = j->disk->statements[SELECT_VALUE];
    int rc;

    sqlite3_bind_blob64(s, 1, r->key, r->key_len, SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, (sqlite3_int64)j->now_unix_ms);
    rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) {
        struct span value = span_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0));
        r->expires_unix_ms = (uint64_t)sqlite3_column_int64(s, 1);
        r->found = buf_add(&r->value, value) == 0;
    } else if (rc != SQLITE_DONE) {
        note_failure(j, 1);
    }
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
}

static void bind_record(sqlite3_stmt *s, const struct disk_record *r)
{
    sqlite3_bind_text(s, 1, r->kind, -1, SQLITE_STATIC);
    if (r->op != RECORD_LIST)
        sqlite3_bind_blob64(s, 2, r->bytes, r->id_len, SQLITE_STATIC);
}

/* What SQLite said to the last step. */
static int select_records(struct disk *d, struct disk_record *r, enum statement which)
{
    sqlite3_stmt *s = d->statements[which];
    int rc;

    bind_record(s, r);
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct span id = span_of(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0));
        struct span value = span_of(sqlite3_column_blob(s, 1), (size_t)sqlite3_column_bytes(s, 1));
        if (r->found.n == RECORDS_MAX || record_set_put(&r->found, id, value) < 0)
            break;
    }
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return rc;
}

static bool is_full(struct disk *d, const struct disk_record *r)
{
    sqlite3_stmt *s = d->statements[COUNT_OTHERS];
    bool full;

    bind_record(s, r);
    full = sqlite3_step(s) == SQLITE_ROW && sqlite3_column_int(s, 0) >= RECORDS_MAX;
    sqlite3_reset(s);
    sqlite3_clear_bindings(s);
    return full;
}

static int change_record(struct disk *d, struct disk_record *r)
{
    enum statement which = r->op == RECORD_PUT       ? REPLACE_RECORD
                           : r->op == RECORD_REPLACE ? UPDATE_RECORD
                                                     : DELETE_RECORD;

    if (r->op == RECORD_PUT && is_full(d, r)) {
        r->outcome = RECORD_FULL;
        return SQLITE_DONE;
    }
    bind_record(d->statements[which], r);
    if (r->op != RECORD_DELETE)
        sqlite3_bind_blob64(d->statements[which], 3, r->bytes + r->id_len, r->value_len,
                            SQLITE_STATIC);
    if (run(d, which) != SQLITE_OK)
        return SQLITE_ERROR;
    if (sqlite3_changes(d->db) == 0)
        r->outcome = RECORD_ABSENT;
    return SQLITE_DONE;
}

static void do_record(struct job *j, struct disk_record *r)
{
    int rc = record_op_changes(r->op)
                 ? change_record(j->disk, r)
                 : select_records(j->disk, r, r->op == RECORD_GET ? SELECT_RECORD : LIST_RECORDS);

    if (rc != SQLITE_DONE) {
        r->outcome = RECORD_LOST;
        note_failure(j, 1);
    } else if (r->op == RECORD_GET && r->found.n == 0) {
        r->outcome = RECORD_ABSENT;
    }
}

static void do_task(struct job *j, struct disk_task *t)
{
    t->is_failed = t->run(t, j->disk->db) != SQLITE_OK;
    if (!t->is_failed)
        return;
    note_failure(j, 1);
    if (!sqlite3_get_autocommit(j->disk->db))
        (void)run(j->disk, ROLLBACK);
}

static void work(void *arg)
{
    struct job *j = arg;

    if (j->writes.n > 0 || j->purge)
        write_all(j);
    for (struct disk_read *r = j->reads.first; r != NULL; r = r->next)
        read_one(j, r);
    for (struct disk_record *r = j->records.first; r != NULL; r = r->next)
        do_record(j, r);
    for (struct disk_task *t = j->tasks.first; t != NULL; t = t->next)
        do_task(j, t);
}

/* ── on the loop ─────────────────────────────────────────────────────────────────────────────── */

/* The last connection to a file folds the log into it, here on the loop: nothing is served any more. */
static void on_freed(struct later *later)
{
    struct disk *d = OWNER(struct disk, freed, later);

    for (unsigned i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(d->statements[i]);
    sqlite3_close(d->db);
    queues_free(&d->writes, &d->reads, &d->records);
    free(d);
}

static void tasks_clear(struct tasks *t)
{
    *t = (struct tasks){.end = &t->first};
}

static void on_done(void *arg);

static void start_job(struct disk *d)
{
    struct job *j = xcalloc(1, sizeof(*j));
    uint64_t now_ms = loop_now_ms(d->loop);

    deadline_clear(&d->batch);
    queues_clear(&j->writes, &j->reads, &j->records);
    if (d->writes.n > 0)
        j->writes = d->writes;
    if (d->reads.n > 0)
        j->reads = d->reads;
    if (d->records.n > 0)
        j->records = d->records;
    queues_clear(&d->writes, &d->reads, &d->records);
    j->tasks = d->tasks;
    tasks_clear(&d->tasks);
    j->disk = d;
    j->now_unix_ms = clock_unix_ms();
    j->purge = now_ms - d->purged_ms >= PURGE_EVERY_MS;
    if (j->purge)
        d->purged_ms = now_ms;
    d->running = true;
    /* Never cancelled: a closing disk waits for its job. */
    (void)offload_start(d->loop, work, on_done, on_done, j);
}

static void answer_reads(struct job *j)
{
    for (struct disk_read *r = j->reads.first; r != NULL; r = r->next) {
        if (r->done != NULL && !j->disk->closing)
            r->done(r->arg, r->found, buf_span(&r->value), r->expires_unix_ms);
    }
}

static void answer_records(struct job *j)
{
    for (struct disk_record *r = j->records.first; r != NULL; r = r->next) {
        if (r->done != NULL && !j->disk->closing)
            r->done(r->arg, r->outcome, &r->found);
    }
}

static void end_tasks(struct job *j)
{
    for (struct disk_task *t = j->tasks.first, *next; t != NULL; t = next) {
        next = t->next; /* it may be gone */
        t->done(t);
    }
}

/* Anything below may close us: `closing` is looked at again each time. */
static void on_done(void *arg)
{
    struct job *j = arg;
    struct disk *d = j->disk;

    d->running = false;
    if (!d->closing && j->failures > 0)
        d->events->failed(d->owner, j->failures, j->problem);
    else if (!d->closing)
        d->events->worked(d->owner);
    answer_reads(j);
    answer_records(j);
    end_tasks(j);
    queues_free(&j->writes, &j->reads, &j->records);
    free(j);

    if (d->running || d->freed.queued)
        return; /* somebody above asked for more, or closed us with nothing left to write */
    if (d->reads.n > 0 || d->records.n > 0 || d->tasks.first != NULL || d->writes.n >= BATCH_ROWS ||
        (d->closing && d->writes.n > 0))
        start_job(d);
    else if (d->closing)
        loop_later(d->loop, &d->freed);
    else if (d->writes.n > 0 && !deadline_armed(&d->batch))
        deadline_set(&d->batch, BATCH_MS);
}

static void on_batch(struct deadline *deadline)
{
    struct disk *d = OWNER(struct disk, batch, deadline);

    if (!d->running)
        start_job(d);
}

bool disk_put(struct disk *d, struct span key, struct span value, uint64_t expires_unix_ms)
{
    size_t size = sizeof(struct disk_write) + key.len + value.len;
    struct disk_write *w;

    if (d->writes.n >= WRITES_MAX || d->writes.size_bytes + size > WRITES_MAX_BYTES)
        return false;
    w = malloc(size);
    if (w == NULL)
        return false;
    *w = (struct disk_write){
        .expires_unix_ms = expires_unix_ms, .key_len = key.len, .value_len = value.len};
    memcpy(w->bytes, key.at, key.len);
    if (value.len > 0)
        memcpy(w->bytes + key.len, value.at, value.len);

    *d->writes.end = w;
    d->writes.end = &w->next;
    d->writes.n++;
    d->writes.size_bytes += size;
    if (d->running)
        return true; /* on_done looks at what has collected */
    if (d->writes.n >= BATCH_ROWS)
        start_job(d);
    else if (!deadline_armed(&d->batch))
        deadline_set(&d->batch, BATCH_MS);
    return true;
}

struct disk_read *disk_get(struct disk *d, struct span key, disk_fn done, void *arg)
{
    struct disk_read *r;

    if (d->reads.n >= READS_MAX)
        return NULL;
    r = calloc(1, sizeof(*r) + key.len + 1); /* + 1: an empty key has an address too */
    if (r == NULL)
        return NULL;
    r->done = done;
    r->arg = arg;
    r->key_len = key.len;
    memcpy(r->key, key.at, key.len);

    *d->reads.end = r;
    d->reads.end = &r->next;
    d->reads.n++;
    if (!d->running)
        start_job(d);
    return r;
}

void disk_forget(struct disk_read *r)
{
    r->done = NULL;
}

struct disk_record *disk_record(struct disk *d, enum record_op op, const char *kind, struct span id,
                                struct span value, disk_record_fn done, void *arg)
{
    struct disk_record *r;

    if (d->records.n >= READS_MAX)
        return NULL;
    r = calloc(1, sizeof(*r) + id.len + value.len + 1); /* + 1: an empty blob has an address too */
    if (r == NULL)
        return NULL;
    r->op = op;
    r->kind = kind;
    r->done = done;
    r->arg = arg;
    r->id_len = id.len;
    r->value_len = value.len;
    if (id.len > 0)
        memcpy(r->bytes, id.at, id.len);
    if (value.len > 0)
        memcpy(r->bytes + id.len, value.at, value.len);

    *d->records.end = r;
    d->records.end = &r->next;
    d->records.n++;
    if (!d->running)
        start_job(d);
    return r;
}

void disk_record_forget(struct disk_record *r)
{
    r->done = NULL;
}

void disk_run(struct disk *d, struct disk_task *t)
{
    t->next = NULL;
    *d->tasks.end = t;
    d->tasks.end = &t->next;
    if (!d->running)
        start_job(d);
}

struct sqlite3 *disk_database(struct disk *d)
{
    return d->db;
}

/* ── life ────────────────────────────────────────────────────────────────────────────────────── */

static int version_of(sqlite3 *db, int *version)
{
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &s, NULL);

    if (rc == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
        *version = sqlite3_column_int(s, 0);
    sqlite3_finalize(s);
    return rc;
}

static int migrate_one(sqlite3 *db, int from)
{
    char *sql = sqlite3_mprintf("BEGIN IMMEDIATE; %s PRAGMA user_version = %d; COMMIT;",
                                migrations[from], from + 1);
    int rc = sql == NULL ? SQLITE_NOMEM : sqlite3_exec(db, sql, NULL, NULL, NULL);

    sqlite3_free(sql);
    return rc;
}

static int prepare(struct disk *d, const char *path, struct err *why)
{
    int version = 0;
    int rc = sqlite3_exec(d->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL", NULL,
                          NULL, NULL);

    if (rc == SQLITE_OK)
        rc = version_of(d->db, &version);
    if (rc == SQLITE_OK && version > VERSION)
        return err_set(why, "%s: written by a newer sluice (schema %d, this one knows %d)", path,
                       version, VERSION);
    while (rc == SQLITE_OK && version < VERSION)
        rc = migrate_one(d->db, version++);
    for (unsigned i = 0; i < STATEMENTS && rc == SQLITE_OK; i++)
        rc = sqlite3_prepare_v3(d->db, statement_text[i], -1, SQLITE_PREPARE_PERSISTENT,
                                &d->statements[i], NULL);
    if (rc == SQLITE_OK && sqlite3_db_readonly(d->db, "main") == 1)
        return err_set(why, "%s: not writable", path);
    if (rc != SQLITE_OK)
        return err_set(why, "%s: %s", path, sqlite3_errmsg(d->db));
    return 0;
}

struct disk *disk_open(struct loop *l, const char *path, const struct disk_events *events,
                       void *owner, struct err *why)
{
    struct disk *d = xcalloc(1, sizeof(*d));
    int rc = sqlite3_open_v2(
        path, &d->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);

    d->loop = l;
    d->events = events;
    d->owner = owner;
    d->freed.run = on_freed;
    queues_clear(&d->writes, &d->reads, &d->records);
    tasks_clear(&d->tasks);
    deadline_init(&d->batch, l, on_batch);
    d->purged_ms = loop_now_ms(l);
    if (rc != SQLITE_OK) {
        err_set(why, "%s: %s (does its directory exist, and may sluice write there?)", path,
                d->db == NULL ? "out of memory" : sqlite3_errmsg(d->db));
    } else {
        sqlite3_busy_timeout(d->db, BUSY_MS);
        rc = prepare(d, path, why);
    }
    if (rc != SQLITE_OK) {
        on_freed(&d->freed);
        return NULL;
    }
    return d;
}

void disk_close(struct disk *d)
{
    if (d == NULL || d->closing)
        return;
    d->closing = true;
    deadline_clear(&d->batch);
    for (struct disk_read *r = d->reads.first; r != NULL; r = r->next)
        r->done = NULL;
    for (struct disk_record *r = d->records.first; r != NULL; r = r->next)
        r->done = NULL;
    if (d->running)
        return; /* on_done writes the rest */
    if (d->writes.n > 0 || d->records.n > 0)
        start_job(d);
    else
        loop_later(d->loop, &d->freed);
}
