#include "disk_ledger.h"

#include "ledger_text.h"

#include <sqlite3.h>

static int execute(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* ── writing ─────────────────────────────────────────────────────────────────────────────────── */

static int write_one(sqlite3_stmt *s, const struct disk_sum *one)
{
    struct figures room;
    struct span text = text_of_sums(&one->sums, &room);
    int rc;

    sqlite3_bind_text(s, 1, one->scope, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, (const char *)text.at, (int)text.len, SQLITE_STATIC);
    rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

static int write_all(struct disk_task *t, sqlite3 *db)
{
    struct disk_sums *w = (struct disk_sums *)t;
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO sums (scope, sums) VALUES (?1, ?2)", -1,
                                &s, NULL);

    if (rc == SQLITE_OK)
        rc = execute(db, "BEGIN IMMEDIATE");
    for (unsigned i = 0; i < w->n && rc == SQLITE_OK; i++)
        rc = write_one(s, &w->at[i]);
    sqlite3_finalize(s);
    return rc == SQLITE_OK ? execute(db, "COMMIT") : rc;
}

void disk_sums_write(struct disk *d, struct disk_sums *w)
{
    w->task.run = write_all;
    disk_run(d, &w->task);
}

static int insert_credit(struct disk_task *t, sqlite3 *db)
{
    struct disk_credit *c = (struct disk_credit *)t;
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db,
                                "INSERT OR IGNORE INTO credit (id, scope, amount_pd, unix_ms)"
                                " VALUES (?1, ?2, ?3, ?4)",
                                -1, &s, NULL);

    if (rc != SQLITE_OK)
        return rc;
    sqlite3_bind_text(s, 1, c->id, -1, SQLITE_STATIC);
    sqlite3_bind_text(s, 2, c->scope, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s, 3, c->amount_pd);
    sqlite3_bind_int64(s, 4, (sqlite3_int64)c->unix_ms);
    rc = sqlite3_step(s);
    sqlite3_finalize(s);
    c->is_new = rc == SQLITE_DONE && sqlite3_changes(db) == 1;
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

void disk_credit_add(struct disk *d, struct disk_credit *c)
{
    c->task.run = insert_credit;
    disk_run(d, &c->task);
}

/* ── reading ─────────────────────────────────────────────────────────────────────────────────── */

static struct span text_at(sqlite3_stmt *s, int column)
{
    return span_of(sqlite3_column_text(s, column), (size_t)sqlite3_column_bytes(s, column));
}

/* One row for each scope of either table. Sums that cannot be read are an error: what was spent would
 * be forgotten. */
static int load_row(sqlite3_stmt *s, void (*each)(void *, const char *, const struct sums *),
                    void *arg)
{
    struct sums sums = {0};
    struct span scope = text_at(s, 0);
    char name[LEDGER_SCOPE_BYTES] = "";

    if (scope.len >= sizeof(name) ||
        (sqlite3_column_type(s, 1) != SQLITE_NULL && !text_read_sums(text_at(s, 1), &sums)))
        return SQLITE_CORRUPT;
    memcpy(name, scope.at, scope.len);
    sums.credited_pd = (uint64_t)sqlite3_column_int64(s, 2);
    sums.withdrawn_pd = (uint64_t)sqlite3_column_int64(s, 3);
    each(arg, name, &sums);
    return SQLITE_ROW;
}

int disk_sums_load(struct disk *d, void (*each)(void *arg, const char *scope, const struct sums *s),
                   void *arg, struct err *why)
{
    static const char select[] =
        "SELECT scope, max(sums), sum(max(amount_pd, 0)), sum(max(-amount_pd, 0)) FROM"
        " (SELECT scope, sums, 0 AS amount_pd FROM sums"
        "  UNION ALL SELECT scope, NULL, amount_pd FROM credit) GROUP BY scope";
    sqlite3 *db = disk_database(d);
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(db, select, -1, &s, NULL);

    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(s);
        if (rc == SQLITE_ROW)
            rc = load_row(s, each, arg);
    }
    sqlite3_finalize(s);
    if (rc != SQLITE_DONE)
        return err_set(why, "the store's file: what was spent cannot be read: %s",
                       rc == SQLITE_CORRUPT ? "damaged" : sqlite3_errmsg(db));
    return 0;
}
