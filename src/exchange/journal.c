#include "journal.h"

#include "sluice/exchange/recording.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

enum { WAITING_MAX = 1024 * 1024, FLUSH_MS = 50, RETRY_MS = 20 };

struct journal {
    struct gateway *gateway;
    struct log_sink *sink;
    uint64_t dropped; /* of the sink's, counted so far */
    struct deadline flush;
    struct buf line; /* used again */
    char *path;
};

static void count_dropped(struct journal *j, uint64_t more)
{
    uint64_t dropped = log_sink_dropped(j->sink);
    metric_add(j->gateway->instruments.log_dropped, (double)(dropped - j->dropped + more));
    j->dropped = dropped;
}

static void on_flush(struct deadline *d)
{
    struct journal *j = (struct journal *)((char *)d - offsetof(struct journal, flush));
    if (log_sink_flush(j->sink) > 0)
        deadline_set(d, RETRY_MS);
    count_dropped(j, 0);
}

static bool write_line(struct journal *j, const struct decision_note *n)
{
    buf_clear(&j->line);
    bool fits = decision_write(n, &j->line) == 0;
    uint8_t *room = fits ? log_sink_room(j->sink, buf_len(&j->line)) : NULL;
    if (room != NULL) {
        memcpy(room, j->line.at, buf_len(&j->line));
        log_sink_commit(j->sink, buf_len(&j->line));
    }
    if (j->line.cap > 2 * DECISION_MAX) /* one that was not written, most likely */
        buf_fini(&j->line);
    return fits; /* what found no room the sink has counted */
}

void journal_note(struct journal *j, const struct deployment *d, struct decision_note n)
{
    n.config = span_text(d->snapshot->routing_hash);
    if (!write_line(j, &n))
        count_dropped(j, 1);
    if (!deadline_armed(&j->flush)) /* many lines a write */
        deadline_set(&j->flush, FLUSH_MS);
}

/* --- which file ----------------------------------------------------------------------------------- */

static void close_journal(struct journal *j)
{
    if (j == NULL)
        return;
    deadline_clear(&j->flush);
    log_sink_close(j->sink);
    buf_fini(&j->line);
    free(j->path);
    free(j);
}

int recording_open(struct gateway *g, const char *path, struct journal **out, struct err *why)
{
    *out = NULL;
    if (path == NULL)
        return 0;
    if (g->journal != NULL && strcmp(g->journal->path, path) == 0) {
        *out = g->journal;
        return 0;
    }
    struct log_sink *sink = log_sink_open(path, WAITING_MAX);
    if (sink == NULL) {
        (void)err_set(why, "routing.record: %s cannot be opened: %s", path, strerror(errno));
        return -1;
    }
    struct journal *j = xcalloc(1, sizeof *j);
    *j = (struct journal){.gateway = g, .sink = sink, .path = xstrdup(path)};
    deadline_init(&j->flush, g->loop, on_flush);
    *out = j;
    return 0;
}

void recording_install(struct gateway *g, struct journal *j)
{
    if (g->journal != j)
        close_journal(g->journal);
    g->journal = j;
}

void recording_discard(struct gateway *g, struct journal *j)
{
    if (g->journal != j)
        close_journal(j);
}

void recording_reopen(struct gateway *g)
{
    if (g->journal != NULL && log_sink_reopen(g->journal->sink) < 0)
        log_warn("the record of decisions cannot be opened again", "path=\"%s\"", g->journal->path);
}
