#include "process.h"

#include "sluice/base/log.h"
#include "sluice/exchange/recording.h"
#include "sluice/exchange/tracing.h"
#include "sluice/store/answers.h"
#include "sluice/store/history.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A new configuration is loaded beside the one that works and takes over only when all of it can:
 * requests that run keep the snapshot they started under. */

enum { QUIET_MS = 150, POLL_MS = 2000 };

static void set_hash_metric(struct process *p, const struct snapshot *s)
{
    if (p->hash_info != NULL)
        metric_set(p->hash_info, 0);
    p->hash_info = metric_series(p->hash_family, (const char *[]){s->hash});
    metric_set(p->hash_info, 1);
}

int reload_install(struct process *p, struct snapshot *s, struct err *why)
{
    struct gateway *g = &p->gateway;
    if (g->vault != NULL)
        vault_use(g->vault, &s->master_keys);
    if (g->store != NULL)
        answers_use(store_answers(g->store), &s->master_keys);
    struct deployment *next = deployment_new(g, s, g->now, why);
    if (next == NULL)
        return -1;
    struct journal *journal;
    if (recording_open(g, s->routing.record, &journal, why) < 0) {
        deployment_unref(next);
        return -1;
    }
    struct span_exporter *spans;
    if (tracing_open(g, &s->observability.tracing, &spans, why) < 0) {
        recording_discard(g, journal);
        deployment_unref(next);
        return -1;
    }
    if (ports_apply(p, s, why) < 0) {
        struct err ignored = {0};
        if (g->now != NULL && ports_apply(p, g->now->snapshot, &ignored) < 0)
            log_error("listeners could not be restored", "problem=\"%s\"", ignored.text);
        recording_discard(g, journal);
        tracing_discard(g, spans);
        deployment_unref(next);
        return -1;
    }
    recording_install(g, journal);
    history_use(store_history(g->store), &s->history);
    tracing_install(g, spans);
    log_follow(&s->observability);
    s->generation = ++p->generation;
    deployment_unref(g->now);
    g->now = next;
    g->http.connections_max = s->server.connections_max;
    g->http.bodies.max_bytes = s->server.bodies_in_flight_max_bytes;
    set_hash_metric(p, s);
    metric_set(p->reload_successful, 1);
    return 0;
}

static void log_findings(const struct findings *f)
{
    char line[1024];
    for (unsigned i = 0; i < f->n; i++) {
        err_format(&f->at[i].err, line, sizeof line);
        log_error("configuration not loaded", "finding=\"%s: %s\"", f->at[i].path, line);
    }
}

static void fail(struct process *p, const char *what)
{
    metric_set(p->reload_successful, 0);
    log_error("reload failed, the old configuration stays", "problem=\"%s\"", what);
}

int reload(struct process *p, struct buf *report)
{
    struct snapshot *s = NULL;
    struct findings findings = {0};
    struct err why = {0};
    notify_reloading();
    int rc = snapshot_load(&p->load, &s, &findings);
    if (rc < 0) {
        log_findings(&findings);
        fail(p, "see the findings above");
    } else {
        const char *needs = snapshot_needs_restart(p->gateway.now->snapshot, s);
        if (needs != NULL)
            log_warn("a setting needs a restart to change", "setting=%s", needs);
        rc = reload_install(p, s, &why);
        if (rc < 0)
            fail(p, why.text);
        else
            log_info("configuration loaded", "generation=%llu hash=%.12s",
                     (unsigned long long)p->generation, s->hash);
    }
    if (report != NULL && why.text[0] != '\0') {
        if (buf_add_text(report, "{\"error\":\"") < 0 ||
            buf_add_json(report, span_text(why.text)) < 0 || buf_add_text(report, "\"}\n") < 0)
            buf_clear(report);
    } else if (report != NULL && findings_write(&findings, true, report) < 0) {
        buf_clear(report);
    }
    findings_fini(&findings);
    snapshot_unref(s);
    notify_systemd("READY=1");
    return rc;
}

/* --- watching ------------------------------------------------------------------------------------ */

static struct file_stamp stamp_of(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return (struct file_stamp){0};
    return (struct file_stamp){
        .inode = st.st_ino,
        .size = (uint64_t)st.st_size,
        .mtime_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec,
    };
}

static void on_quiet(struct deadline *d)
{
    struct process *p = (struct process *)((char *)d - offsetof(struct process, changed));
    struct file_stamp now = stamp_of(p->load.path);
    if (p->state != PROCESS_SERVING || memcmp(&now, &p->loaded, sizeof now) == 0)
        return;
    p->loaded = now;
    (void)reload(p, NULL);
}

static void note_change(struct process *p)
{
    deadline_set(&p->changed, QUIET_MS);
}

/* The file itself, or what a ConfigMap swaps ("..data"). Others live here too: a log of ours in
 * this directory would have every reload cause the next. */
static bool may_be_the_file(const struct process *p, const char *name)
{
    const char *slash = strrchr(p->load.path, '/');
    return name == NULL || strcmp(name, slash == NULL ? p->load.path : slash + 1) == 0 ||
           strncmp(name, "..", 2) == 0;
}

static void on_directory(uv_fs_event_t *handle, const char *name, int events, int status)
{
    (void)events;
    if (status == 0 && may_be_the_file(handle->data, name))
        note_change(handle->data);
}

static void on_file(uv_fs_poll_t *handle, int status, const uv_stat_t *before, const uv_stat_t *now)
{
    (void)before;
    (void)now;
    if (status == 0)
        note_change(handle->data);
}

/* The directory is watched, because that is where ConfigMaps and editors swap things, and the file
 * itself is polled, because not every file system tells. */
void reload_watch(struct process *p)
{
    char directory[4096];
    if (p->load.path == NULL)
        return;
    const char *slash = strrchr(p->load.path, '/');
    snprintf(directory, sizeof directory, "%.*s",
             slash == NULL           ? 1
             : slash == p->load.path ? 1
                                     : (int)(slash - p->load.path),
             slash == NULL ? "." : p->load.path);
    p->loaded = stamp_of(p->load.path);
    deadline_init(&p->changed, p->loop, on_quiet);
    uv_fs_event_init(loop_uv(p->loop), &p->directory);
    uv_fs_poll_init(loop_uv(p->loop), &p->file);
    p->directory.data = p->file.data = p;
    p->watching = true;
    int rc = uv_fs_event_start(&p->directory, on_directory, directory, 0);
    if (rc < 0)
        log_warn("the configuration's directory cannot be watched", "problem=\"%s\"",
                 uv_strerror(rc));
    rc = uv_fs_poll_start(&p->file, on_file, p->load.path, POLL_MS);
    if (rc < 0)
        log_warn("the configuration cannot be watched", "problem=\"%s\"", uv_strerror(rc));
}

void reload_unwatch(struct process *p)
{
    if (!p->watching)
        return;
    p->watching = false;
    deadline_clear(&p->changed);
    uv_close((uv_handle_t *)&p->directory, NULL);
    uv_close((uv_handle_t *)&p->file, NULL);
}
