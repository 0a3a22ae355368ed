/* snapshot.c: from a file, or from the environment alone, to a snapshot; and its end. */
#include "sluice/config/snapshot.h"

#include "file.h"
#include "option.h"
#include "presets.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* ── life ────────────────────────────────────────────────────────────────────────────────────── */

static struct snapshot *snapshot_new(void)
{
    struct snapshot *s = xcalloc(1, sizeof(*s));
    s->refs = 1;
    s->text = xcalloc(1, sizeof(*s->text));
    arena_init(&s->text->arena, NULL, 0);
    return s;
}

struct snapshot *snapshot_ref(struct snapshot *s)
{
    s->refs++;
    return s;
}

void snapshot_unref(struct snapshot *s)
{
    if (s == NULL || --s->refs > 0)
        return;
    for (struct secret_link *l = s->text->secrets; l != NULL; l = l->next)
        secret_fini(l->secret); /* admin_token and the store's lie in the snapshot itself */
    map_fini(&s->text->origins);
    arena_fini(&s->text->arena);
    free(s->text);
    free(s);
}

/* ── loading ─────────────────────────────────────────────────────────────────────────────────── */

const char *snapshot_find(const char *explicit_path)
{
    static const char *const usual[] = {"sluice.yaml", "/etc/sluice/sluice.yaml"};
    const char *variable = getenv("SLUICE_CONFIG");
    if (explicit_path != NULL)
        return explicit_path;
    if (variable != NULL && variable[0] != '\0')
        return variable;
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        if (access(usual[i], F_OK) == 0)
            return usual[i];
    return NULL;
}

static const char *directory_of(struct arena *a, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return ".";
    return slash == path ? "/" : arena_printf(a, "%.*s", (int)(slash - path), path);
}

/* The file that nobody wrote: a provider for every key in the environment. */
static int write_environment(struct buf *out)
{
    int rc = buf_add_text(out, "auth: none\nproviders:\n");
    for (unsigned i = 0; rc == 0 && i < npresets; i++) {
        const struct preset *p = &presets[i];
        const char *key = p->variable == NULL ? NULL : getenv(p->variable);
        if (key != NULL && key[0] != '\0' && p->base_url != NULL && !p->is_shared)
            rc = buf_addf(out, "  %s: { any_model: true }\n", p->name);
    }
    return rc;
}

static int get_text(struct reader *r, const char *path, struct buf *text)
{
    struct err why = {0};
    if (path == NULL)
        return write_environment(text);
    r->file = path;
    r->directory = directory_of(r->scratch, path);
    int rc = file_read(path, YAML_TEXT_MAX, text, &r->world_readable, &why);
    if (rc < 0)
        findings_error(r->findings, (struct place){.file = path}, "", "%s", why.text);
    return rc;
}

static int hash_snapshot(struct snapshot *s)
{
    struct buf all = {0};
    uint8_t digest[SHA256_BYTES];
    const struct writer w = {.snap = s, .out = &all, .everything = true};
    int rc = object_write(&w, &root_object, s, NULL);
    if (rc == 0) {
        digest_sha256(buf_span(&all), digest);
        digest_hex(digest, sizeof(digest), s->hash);
    }
    buf_fini(&all);
    return rc;
}

/* Models with all they say, and of providers what a plan looks at. */
static int write_routing(const struct snapshot *s, struct buf *out)
{
    const struct writer w = {.snap = s, .out = out, .everything = true};
    const struct route_weights *weights = &s->routing.weights;
    int rc = buf_addf(out, "%u %u %u %u %d\n", weights->price, weights->throughput,
                      weights->latency, weights->reliability, s->demo);
    for (unsigned i = 0; rc == 0 && i < s->nproviders; i++) {
        const struct provider_options *p = &s->providers[i];
        rc = buf_addf(out, "%s %d %d %d %llu %u\n", p->name, p->any_model, p->data_policy.zdr,
                      p->data_policy.training, (unsigned long long)p->data_policy.retention_ms,
                      p->data_policy.known);
    }
    for (unsigned i = 0; rc == 0 && i < root_object.nrows; i++) {
        const struct option *row = &root_object.rows[i];
        if (strcmp(row->name, "models") == 0)
            rc = row->type->write(&w, row, (const uint8_t *)s + row->offset);
    }
    return rc;
}

static int hash_routing(struct snapshot *s)
{
    struct buf all = {0};
    uint8_t digest[SHA256_BYTES];
    int rc = write_routing(s, &all);
    if (rc == 0) {
        digest_sha256(buf_span(&all), digest);
        digest_hex(digest, sizeof(digest), s->routing_hash);
    }
    buf_fini(&all);
    return rc;
}

static void read_snapshot(struct reader *r, const struct load_options *o)
{
    struct buf text = {0};
    struct snapshot *s = r->snap;
    if (get_text(r, o->path, &text) == 0) {
        const struct node *root = yaml_parse(buf_span(&text), r->file, r->scratch, r->findings);
        object_defaults(&root_object, s);
        if (root != NULL)
            object_read(r, &root_object, root, s);
    }
    buf_fini_wiped(&text); /* keys may stand in it */
    if (r->findings->errors == 0 && (hash_snapshot(s) < 0 || hash_routing(s) < 0))
        reader_error(r, NULL, "out of memory");
}

int snapshot_load(const struct load_options *o, struct snapshot **out, struct findings *f)
{
    struct arena scratch;
    struct snapshot *s = snapshot_new();
    arena_init(&scratch, NULL, 0);
    struct reader r = {
        .snap = s,
        .arena = &s->text->arena,
        .scratch = &scratch,
        .findings = f,
        .no_secrets = o->no_secrets,
        .listen = o->listen == NULL
                      ? NULL
                      : (const char *)arena_keep(&s->text->arena, span_text(o->listen)).at};
    r.references_end = &r.references;
    if (o->path != NULL)
        s->path = (const char *)arena_keep(&s->text->arena, span_text(o->path)).at;
    unsigned errors_before = f->errors;
    read_snapshot(&r, o);
    arena_fini(&scratch);
    findings_sort(f);
    if (f->errors > errors_before) {
        snapshot_unref(s);
        return -EINVAL;
    }
    *out = s;
    return 0;
}

/* ── comparing ───────────────────────────────────────────────────────────────────────────────── */

static bool is_same(const struct snapshot *now, const struct snapshot *next,
                    const struct option *row, const void *a, const void *b)
{
    struct buf one = {0}, other = {0};
    const struct writer wa = {.snap = now, .out = &one, .everything = true};
    const struct writer wb = {.snap = next, .out = &other, .everything = true};
    /* without memory to compare in, the safe answer is that something changed */
    bool same = row->type->write(&wa, row, a) == 0 && row->type->write(&wb, row, b) == 0 &&
                span_eq(buf_span(&one), buf_span(&other));
    buf_fini(&one);
    buf_fini(&other);
    return same;
}

static const char *needs_restart(const struct snapshot *now, const struct snapshot *next,
                                 const struct object *o, const void *a, const void *b);

static const char *row_needs_restart(const struct snapshot *now, const struct snapshot *next,
                                     const struct option *row, const void *a, const void *b)
{
    const uint8_t *va = (const uint8_t *)a + row->offset, *vb = (const uint8_t *)b + row->offset;
    if (row->type == &type_list) {
        unsigned na, nb;
        const uint8_t *items_a, *items_b;
        memcpy(&na, (const uint8_t *)a + row->count_offset, sizeof(na));
        memcpy(&nb, (const uint8_t *)b + row->count_offset, sizeof(nb));
        memcpy(&items_a, va, sizeof(items_a));
        memcpy(&items_b, vb, sizeof(items_b));
        const char *found = na == nb ? NULL : row->restart;
        for (unsigned i = 0; found == NULL && row->restart != NULL && i < na; i++)
            found = needs_restart(now, next, row->object, items_a + i * row->object->size,
                                  items_b + i * row->object->size);
        return found;
    }
    if (row->restart != NULL)
        return is_same(now, next, row, va, vb) ? NULL : row->restart;
    return row->type == &type_group ? needs_restart(now, next, row->object, va, vb) : NULL;
}

static const char *needs_restart(const struct snapshot *now, const struct snapshot *next,
                                 const struct object *o, const void *a, const void *b)
{
    const char *found = NULL;
    for (unsigned i = 0; found == NULL && i < o->nrows; i++)
        found = row_needs_restart(now, next, &o->rows[i], a, b);
    return found;
}

const char *snapshot_needs_restart(const struct snapshot *now, const struct snapshot *next)
{
    return needs_restart(now, next, &root_object, now, next);
}
