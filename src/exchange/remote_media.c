#include "remote_media.h"

#include "sluice/base/arena.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* A file:  KNOWN ──want──▶ WANTED ──▶ COMING ──▶ HERE
 *            ▲               │           ├─────▶ LOST
 *            └─────stop──────┴───────────┘
 * Few come at a time: one request should not open twenty connections to somebody else's server. */

enum { AT_ONCE = 4, ARENA_BLOCK = 2048 };

enum file_state { FILE_KNOWN, FILE_WANTED, FILE_COMING, FILE_HERE, FILE_LOST };

struct file {
    struct remote_file seen; /* first: what others know of it */
    struct file *next;
    struct remote_media *media;
    enum file_state state;
    struct url url;
    struct fetch *fetch;
    struct body body;
};

struct remote_media {
    unsigned refs;
    struct deployment *deployment; /* whose options these are */
    struct fetch_options options;
    struct arena arena;
    struct file *files, **end;
    unsigned nfiles, ncoming;
    uint64_t bytes; /* of those that are here */
    struct deadline deadline;
    void (*done)(void *arg); /* NULL: nobody waits */
    void *arg;
};

static const struct server_fetch_options *configured(const struct remote_media *m)
{
    return &m->deployment->snapshot->server.fetch;
}

/* --- the end of waiting --------------------------------------------------------------------------- */

static void give_up(struct file *f)
{
    fetch_cancel(f->fetch);
    f->fetch = NULL;
    f->state = FILE_KNOWN;
    f->media->ncoming--;
}

void remote_media_stop(struct remote_media *m)
{
    m->done = NULL;
    deadline_clear(&m->deadline);
    for (struct file *f = m->files; f != NULL; f = f->next) {
        if (f->state == FILE_COMING)
            give_up(f);
        else if (f->state == FILE_WANTED)
            f->state = FILE_KNOWN;
    }
}

/* The last thing whoever calls it does: `done` may end everything. */
static void tell(struct remote_media *m)
{
    void (*done)(void *arg) = m->done;
    void *arg = m->arg;
    remote_media_stop(m);
    done(arg);
}

static void lose(struct file *f, const char *problem)
{
    f->state = FILE_LOST;
    f->seen.problem = arena_printf(&f->media->arena, "%s", problem);
    body_fini(&f->body);
}

/* --- getting -------------------------------------------------------------------------------------- */

static void start_some(struct remote_media *m);

static void keep(struct file *f, const struct fetch_result *r)
{
    struct remote_media *m = f->media;
    size_t size = buf_len(&r->body->bytes);
    if (size > REMOTE_BYTES_MAX - m->bytes) {
        lose(f, REMOTE_BYTES_PROBLEM);
        return;
    }
    m->bytes += size;
    f->state = FILE_HERE;
    body_move(&f->body, r->body);
    f->seen.bytes = buf_span(&f->body.bytes);
    f->seen.type = arena_keep(&m->arena, span_text(r->type));
}

static void on_fetched(void *arg, const struct fetch_result *r)
{
    struct file *f = arg;
    struct remote_media *m = f->media;
    f->fetch = NULL;
    m->ncoming--;
    if (r->problem == NULL) {
        keep(f, r);
    } else {
        lose(f, r->problem);
        f->seen.is_crowded = r->is_crowded;
    }
    if (f->state == FILE_HERE)
        start_some(m);
    if (f->state == FILE_LOST || m->ncoming == 0)
        tell(m);
}

static void start_some(struct remote_media *m)
{
    for (struct file *f = m->files; f != NULL && m->ncoming < AT_ONCE; f = f->next) {
        if (f->state != FILE_WANTED)
            continue;
        f->state = FILE_COMING;
        f->fetch = fetch_start(m->deployment->gateway->loop, &m->options, &f->url, on_fetched, f);
        m->ncoming++;
    }
}

static void on_deadline(struct deadline *d)
{
    struct remote_media *m =
        (struct remote_media *)((char *)d - offsetof(struct remote_media, deadline));
    char problem[80];
    unsigned ms = configured(m)->timeout_ms;
    snprintf(problem, sizeof problem, "it did not come within %u.%u s (server.fetch.timeout)",
             ms / 1000, ms % 1000 / 100);
    for (struct file *f = m->files; f != NULL; f = f->next) {
        if (f->state != FILE_COMING)
            continue;
        give_up(f);
        lose(f, problem);
    }
    tell(m);
}

bool remote_media_get(struct remote_media *m, void (*done)(void *arg), void *arg)
{
    start_some(m);
    if (m->ncoming == 0)
        return false;
    m->done = done;
    m->arg = arg;
    deadline_set(&m->deadline, configured(m)->timeout_ms);
    return true;
}

/* --- files ---------------------------------------------------------------------------------------- */

static struct file *file_new(struct remote_media *m, struct span url)
{
    struct file *f = ARENA_NEW(&m->arena, struct file);
    f->media = m;
    f->seen.url = arena_keep(&m->arena, url);
    body_init(&f->body, m->options.budget);
    const char *problem = url_parse(f->seen.url, &m->arena, &f->url);
    if (problem != NULL)
        lose(f, problem);
    *m->end = f;
    m->end = &f->next;
    f->seen.index = m->nfiles++;
    return f;
}

const struct remote_file *remote_media_want(struct remote_media *m, struct span url)
{
    struct file *f = m->files;
    while (f != NULL && !span_eq(f->seen.url, url))
        f = f->next;
    if (f == NULL && m->nfiles < REMOTE_FILES_MAX)
        f = file_new(m, url);
    if (f == NULL)
        return NULL;
    if (f->state == FILE_KNOWN)
        f->state = FILE_WANTED;
    return &f->seen;
}

/* --- life ----------------------------------------------------------------------------------------- */

struct remote_media *remote_media_new(struct deployment *d)
{
    const struct server_fetch_options *o = &d->snapshot->server.fetch;
    struct remote_media *m = xcalloc(1, sizeof *m);
    m->refs = 1;
    m->deployment = deployment_ref(d);
    m->options = (struct fetch_options){
        .tls = d->fetch_tls,
        .beside_public = &o->networks,
        .budget = &d->gateway->http.bodies,
        .max_bytes = o->max_bytes,
        .connect_timeout_ms = o->timeout_ms,
    };
    m->end = &m->files;
    arena_init(&m->arena, NULL, ARENA_BLOCK);
    deadline_init(&m->deadline, d->gateway->loop, on_deadline);
    return m;
}

struct remote_media *remote_media_ref(struct remote_media *m)
{
    m->refs++;
    return m;
}

void remote_media_unref(struct remote_media *m)
{
    if (m == NULL || --m->refs > 0)
        return;
    remote_media_stop(m);
    for (struct file *f = m->files; f != NULL; f = f->next)
        body_fini(&f->body);
    arena_fini(&m->arena);
    deployment_unref(m->deployment);
    free(m);
}
