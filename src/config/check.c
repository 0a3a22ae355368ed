/* check.c: what can only be said once everything has been read: names that must exist, and parts
 * that must fit together. */
#include "object.h"

#include "address.h"
#include "cache_price.h"
#include "option.h"
#include "value.h"

#include "sluice/config/own_provider.h"

enum {
    LISTENERS_MAX = 64,
    SUGGESTIONS_MAX = 2000, /* names compared with a misspelt one */
};

/* ── the built-in provider ───────────────────────────────────────────────────────────────────── */

static unsigned provider_named(const struct snapshot *s, const char *name)
{
    unsigned i = 0;
    while (i < s->nproviders && strcmp(s->providers[i].name, name) != 0)
        i++;
    return i;
}

/* Both arrays have a slot to spare, or do not exist yet. */
static void add_demo(struct reader *r)
{
    struct snapshot *s = r->snap;
    unsigned index = provider_named(s, "demo");
    if (index == s->nproviders) {
        if (s->providers == NULL)
            s->providers = ARENA_NEW(r->arena, struct provider_options);
        struct provider_options *p = &s->providers[s->nproviders++];
        object_defaults(&provider_object, p);
        p->name = "demo";
        provider_begin(NULL, p); /* "demo" is a preset */
        s->text->demo_provider = p;
    } else if (s->providers[index].protocol != PROTOCOL_DEMO) {
        s->demo = false; /* somebody's own provider has that name */
        return;
    }
    for (unsigned i = 0; i < s->nmodels; i++)
        if (strcmp(s->models[i].id, "sluice/demo") == 0)
            return;
    if (s->models == NULL)
        s->models = ARENA_NEW(r->arena, struct model_options);
    struct model_options *m = &s->models[s->nmodels++];
    s->text->demo_model = m;
    m->id = "sluice/demo";
    m->name = "Demo (canned answers of sluice itself)";
    m->context = 8192;
    m->output = MODALITY_TEXT;
    m->endpoints = ARENA_NEW(r->arena, struct endpoint_options);
    m->nendpoints = 1;
    *m->endpoints =
        (struct endpoint_options){.provider = index, .upstream_model = "demo", .enabled = true};
}

/* ── references ──────────────────────────────────────────────────────────────────────────────── */

static void report_unresolved(struct reader *r, const struct reference *ref)
{
    const struct snapshot *s = r->snap;
    struct suggestion near = {.text = span_text(ref->name)};
    const char *what = ref->kind == REF_PROVIDER ? "provider" : "model";
    if (ref->kind == REF_PROVIDER)
        for (unsigned i = 0; i < s->nproviders && i < SUGGESTIONS_MAX; i++)
            suggestion_offer(&near, s->providers[i].name);
    else
        for (unsigned i = 0; i < s->nmodels && i < SUGGESTIONS_MAX; i++)
            suggestion_offer(&near, s->models[i].id);
    if (near.best != NULL)
        findings_error(r->findings, ref->place, ref->path,
                       "no %s named \"%s\" (did you mean \"%s\"?)", what, ref->name, near.best);
    else
        findings_error(r->findings, ref->place, ref->path, "no %s named \"%s\" (add it under %ss)",
                       what, ref->name, what);
}

/* `provider/model` of a provider that offers any model. */
static bool is_any_model(const struct map *providers, const char *name)
{
    struct span rest = span_text(name);
    const struct provider_options *p = map_get(providers, span_cut(&rest, '/'));
    return p != NULL && p->any_model && rest.len > 0;
}

static void resolve(struct reader *r, const struct reference *ref, const void *found)
{
    const struct snapshot *s = r->snap;
    if (found == NULL) {
        if (r->findings->errors < FINDINGS_MAX)
            report_unresolved(r, ref);
        else
            findings_error(r->findings, ref->place, "", "unresolved"); /* only counted */
        return;
    }
    if (ref->kind == REF_PROVIDER) {
        *ref->index = (unsigned)((const struct provider_options *)found - s->providers);
        return;
    }
    const struct model_options *m = found;
    if (ref->kind == REF_ALIAS && m->nalias > 0)
        findings_error(r->findings, ref->place, ref->path,
                       "\"%s\" is an alias itself (name the models behind it)", ref->name);
    else if (ref->kind == REF_ALIAS)
        *ref->index = (unsigned)(m - s->models);
}

static void resolve_references(struct reader *r)
{
    const struct snapshot *s = r->snap;
    struct map providers = {0}, models = {0};
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < s->nproviders; i++)
        rc = map_put(&providers, span_text(s->providers[i].name), &s->providers[i]);
    for (unsigned i = 0; rc == 0 && i < s->nmodels; i++)
        rc = map_put(&models, span_text(s->models[i].id), &s->models[i]);
    if (rc < 0)
        reader_error(r, NULL, "out of memory");
    for (const struct reference *ref = r->references; rc == 0 && ref != NULL; ref = ref->next) {
        const void *found = map_get(ref->kind == REF_PROVIDER ? &providers : &models,
                                    span_text(ref->name));
        if (found != NULL || ref->kind != REF_MODEL || !is_any_model(&providers, ref->name))
            resolve(r, ref, found);
    }
    map_fini(&providers);
    map_fini(&models);
}

/* ── keys ────────────────────────────────────────────────────────────────────────────────────── */

/* Puts it there, too. */
static bool was_there(struct reader *r, struct map *seen, struct span key)
{
    if (map_get(seen, key) != NULL)
        return true;
    if (map_put(seen, key, r) < 0) /* the value only says "there" */
        reader_error(r, NULL, "out of memory");
    return false;
}

static void check_same_keys(struct reader *r, const struct node *list)
{
    static const uint8_t unset[SHA256_BYTES]; /* nothing was given, or not resolved */
    const struct snapshot *s = r->snap;
    struct map names = {0}, digests = {0};
    size_t before = reader_enter(r, SPAN_LIT("keys"));
    for (unsigned i = 0; i < s->nkeys; i++) {
        const struct key_options *k = &s->keys[i];
        const struct node *at = list->entries[i].value;
        struct span digest = span_of(k->sha256, sizeof(k->sha256));
        size_t inner = reader_enter_item(r, i);
        if (k->name != NULL && was_there(r, &names, span_text(k->name)))
            reader_error(r, at, "another key is named \"%s\"", k->name);
        if (!span_eq(digest, span_of(unset, sizeof(unset))) && was_there(r, &digests, digest))
            reader_error(r, at, "the same key as another one (give each its own)");
        reader_leave(r, inner);
    }
    reader_leave(r, before);
    map_fini(&names);
    map_fini(&digests);
}

/* ── credentials of callers' own ─────────────────────────────────────────────────────────────── */

static void check_own_credentials(struct reader *r, const struct node *n,
                                  const struct byok_options *list, unsigned count)
{
    struct own_provider made;
    size_t before = reader_enter(r, SPAN_LIT("byok"));
    for (unsigned i = 0; i < count; i++) {
        const struct byok_options *own = &list[i];
        if (!secret_is_set(&own->credential))
            continue; /* not with no_secrets, or reported */
        const char *problem = own_provider_init(&made, &r->snap->providers[own->provider],
                                                secret_reveal(&own->credential), OWN_CONFIGURED);
        if (problem != NULL)
            reader_error_in(r, n, own->provider_name, problem);
        own_provider_fini(&made);
    }
    reader_leave(r, before);
}

static void check_byok(struct reader *r, const struct node *root)
{
    const struct snapshot *s = r->snap;
    const struct node *keys = node_get(root, "keys");
    if (r->findings->errors > 0)
        return; /* a provider may be missing */
    check_own_credentials(r, node_get(root, "byok"), s->byok, s->nbyok);
    size_t before = reader_enter(r, SPAN_LIT("keys"));
    for (unsigned i = 0; i < s->nkeys; i++) {
        size_t inner = reader_enter_item(r, i);
        check_own_credentials(r, node_get(keys->entries[i].value, "byok"), s->keys[i].byok,
                              s->keys[i].nbyok);
        reader_leave(r, inner);
    }
    reader_leave(r, before);
}

/* ── listeners ───────────────────────────────────────────────────────────────────────────────── */

static void check_listener(struct reader *r, const struct listener_options *l,
                           const struct node *at, bool has_token)
{
    struct listen_address a;
    if (l->address == NULL || address_parse_listen(l->address, r->scratch, &a) != NULL)
        return; /* reported when it was read */
    if ((l->serves & SERVES_API) && !r->snap->auth_required && !a.is_local)
        reader_error(r, at,
                     "auth is none, and others than this machine can reach %s (listen on "
                     "127.0.0.1 or a unix socket, or write auth: required and keys)",
                     l->address);
    if ((l->serves & (SERVES_ADMIN | SERVES_UI)) && !a.is_local &&
        (l->tls.cert == NULL || !has_token))
        reader_error(r, at, "admin on %s needs tls and admin.token (or listen on 127.0.0.1)",
                     l->address);
}

/* Where one was written: the item, the short form, or nowhere. */
static const struct node *listener_node(const struct reader *r, const struct node *root, unsigned i)
{
    const struct node *list = node_get(root, "listeners");
    if (r->listen != NULL)
        return NULL;
    return list != NULL && i < list->nentries ? list->entries[i].value : node_get(root, "listen");
}

static size_t enter_listener(struct reader *r, const struct node *root, unsigned i)
{
    if (r->listen != NULL)
        return reader_enter(r, SPAN_LIT("--listen"));
    if (node_get(root, "listeners") == NULL)
        return reader_enter(r, SPAN_LIT("listen"));
    size_t before = reader_enter(r, SPAN_LIT("listeners"));
    reader_enter_item(r, i);
    return before;
}

static void check_listeners(struct reader *r, const struct node *root)
{
    const struct snapshot *s = r->snap;
    if (s->nlisteners > LISTENERS_MAX) {
        reader_error(r, node_get(root, "listeners"), "more than %d listeners", LISTENERS_MAX);
        return;
    }
    bool has_token = secret_is_set(&s->admin_token) || origin_of(s, &s->admin_token) != NULL;
    for (unsigned i = 0; i < s->nlisteners; i++) {
        const struct node *at = listener_node(r, root, i);
        size_t before = enter_listener(r, root, i);
        check_listener(r, &s->listeners[i], at, has_token);
        for (unsigned j = 0; j < i; j++)
            if (s->listeners[i].address != NULL && s->listeners[j].address != NULL &&
                strcmp(s->listeners[i].address, s->listeners[j].address) == 0)
                reader_error(r, at, "the same address as listeners[%u]", j);
        reader_leave(r, before);
    }
}

void snapshot_listen_on(struct reader *r, const struct node *at, const char *address)
{
    struct snapshot *s = r->snap;
    struct listen_address parsed;
    struct listener_options *l = ARENA_NEW(r->arena, struct listener_options);
    object_defaults(&listener_object, l);
    l->name = "api";
    l->serves = SERVES_API | SERVES_HEALTH | SERVES_METRICS;
    const char *problem = address_parse_listen(address, r->scratch, &parsed);
    if (problem != NULL)
        reader_error(r, at, "%s", problem);
    else
        l->address = address;
    listener_finish(r, at, l);
    s->listeners = l;
    s->nlisteners = 1;
}

/* ── all of it ───────────────────────────────────────────────────────────────────────────────── */

static void check_auth(struct reader *r, const struct node *root)
{
    const struct snapshot *s = r->snap;
    const struct node *auth = node_get(root, "auth");
    size_t before = reader_enter(r, SPAN_LIT("auth"));
    if (s->auth_required && s->nkeys == 0)
        reader_warning(r, auth,
                       "nobody can call but with managed keys: there are none here (add some under "
                       "keys, or write auth: none)");
    if (!s->auth_required && s->nkeys > 0)
        reader_warning(r, auth, "is none, so keys are not asked for");
    reader_leave(r, before);
}

/* What was credited must be there after a restart. */
static void check_account(struct reader *r, const struct node *root)
{
    const struct snapshot *s = r->snap;
    size_t before = reader_enter(r, SPAN_LIT("account"));
    if (s->account.is_prepaid && s->store.kind == STORE_MEMORY)
        reader_warning_in(r, node_get(root, "account"), "prepaid",
                          "the store is memory, which forgets all credit at exit (write store: { "
                          "url: sqlite:///PATH }, or a Redis)");
    reader_leave(r, before);
}

void root_finish(struct reader *r, const struct node *n, void *at)
{
    struct snapshot *s = at;
    const struct node *listen = node_get(n, "listen");
    if (listen != NULL && node_get(n, "listeners") != NULL) {
        size_t before = reader_enter(r, SPAN_LIT("listen"));
        reader_error(r, listen, "listeners is there, too (keep one)");
        reader_leave(r, before);
    }
    if (r->listen != NULL) {
        size_t before = reader_enter(r, SPAN_LIT("--listen"));
        snapshot_listen_on(r, NULL, r->listen);
        reader_leave(r, before);
    } else if (s->nlisteners == 0) {
        snapshot_listen_on(r, NULL, "127.0.0.1:4000");
    }
    if (s->demo)
        add_demo(r);
    resolve_references(r);
    cache_price_fill(s);
    check_listeners(r, n);
    check_auth(r, n);
    plans_check(r, n);
    check_account(r, n);
    check_byok(r, n);
    if (s->nkeys > 0)
        check_same_keys(r, node_get(n, "keys"));
}
