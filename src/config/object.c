#include "object.h"

#include "address.h"
#include "option.h"
#include "value.h"

#include "sluice/base/network.h"
#include "sluice/config/payment.h"
#include "sluice/config/pipeline.h"

#include <limits.h>

/* ── listeners ───────────────────────────────────────────────────────────────────────────────── */

void listener_tls_finish(struct reader *r, const struct node *n, void *at)
{
    struct tls_options *tls = at;
    if (n == NULL)
        return;
    if (tls->cert == NULL)
        reader_error_in(r, n, "cert", "is missing (the PEM file with the certificate)");
    reader_file(r, n, "cert", &tls->cert);
    reader_file(r, n, "key", &tls->key);
    if (tls->key == NULL)
        tls->key = tls->cert;
}

static bool is_origin(struct span text)
{
    struct span rest = text;
    if (span_eq(text, SPAN_LIT("*")) || span_eq(text, SPAN_LIT("null")))
        return true;
    size_t scheme = span_find(rest, SPAN_LIT("://"));
    if (scheme == SIZE_MAX || scheme == 0)
        return false;
    rest = span_skip(rest, scheme + 3);
    return rest.len > 0 && span_find(rest, SPAN_LIT("/")) == SIZE_MAX &&
           span_find(rest, SPAN_LIT("*")) == SIZE_MAX && span_find(rest, SPAN_LIT(" ")) == SIZE_MAX;
}

void cors_finish(struct reader *r, const struct node *n, void *at)
{
    const struct listener_options *l = at;
    for (unsigned i = 0; i < l->cors_origins.n; i++)
        if (!is_origin(span_text(l->cors_origins.at[i])))
            reader_error_in(
                r, n, "origins",
                "not an origin: scheme, host and port, without a path or a slash at the end "
                "(write https://chat.example.org, or \"*\")");
}

void listener_finish(struct reader *r, const struct node *n, void *at)
{
    struct listener_options *l = at;
    struct listen_address parsed;
    struct network proxy;
    if (l->serves & SERVES_API)
        l->serves |= SERVES_HEALTH;
    for (unsigned i = 0; i < l->trusted_proxies.n; i++)
        if (!network_parse(span_text(l->trusted_proxies.at[i]), &proxy))
            reader_error_in(r, n, "trusted_proxies",
                            "not a network (write 10.0.0.0/8 or 192.0.2.7)");
    if (l->address == NULL)
        return; /* reported: it is required */
    const char *problem = address_parse_listen(l->address, r->arena, &parsed);
    if (problem != NULL) {
        reader_error_in(r, n, "address", problem);
        l->address = NULL;
        return;
    }
    l->address = parsed.text;
    if (l->name == NULL)
        l->name = l->address;
    if (parsed.is_any && l->tls.cert == NULL && (l->serves & (SERVES_API | SERVES_ADMIN)) != 0)
        reader_warning(r, n, "every interface without tls (fine behind a proxy that has it)");
}

/* ── server ──────────────────────────────────────────────────────────────────────────────────── */

void fetch_finish(struct reader *r, const struct node *n, void *at)
{
    struct server_fetch_options *f = at;
    struct network *list = ARENA_ARRAY(r->arena, struct network, f->allow.n + 1);
    for (unsigned i = 0; i < f->allow.n; i++)
        if (!network_parse(span_text(f->allow.at[i]), &list[i]))
            reader_error_in(r, n, "allow", "not a network (write 10.0.0.0/8 or 192.0.2.7)");
    f->networks = (struct networks){list, f->allow.n};
    reader_file(r, n, "ca", &f->ca);
}

/* ── models ──────────────────────────────────────────────────────────────────────────────────── */

void endpoint_begin(const struct node *n, void *at)
{
    struct endpoint_options *e = at;
    (void)n;
    e->provider = UINT_MAX; /* nobody: 0 is the first one */
}

/* Callers send ids in JSON, in paths and in headers: no blanks, no controls. */
static bool is_model_id(const char *id)
{
    size_t len = strlen(id);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)id[i] <= ' ' || id[i] == 0x7f || id[i] == '"' || id[i] == '\\')
            return false;
    return len > 0 && len <= 256 && strcmp(id, "*") != 0;
}

static const char *upstream_name(const char *id)
{
    const char *slash = strchr(id, '/');
    return slash != NULL && slash[1] != '\0' ? slash + 1 : id;
}

static void read_short_form(struct reader *r, const struct node *n, struct model_options *m)
{
    m->endpoints = arena_alloc(r->arena, sizeof(*m->endpoints));
    m->nendpoints = 1;
    object_defaults(&endpoint_object, m->endpoints);
    endpoint_begin(n, m->endpoints);
    object_read_shared(r, &endpoint_object, &model_object, n, m->endpoints);
}

/* Of both, `context` say, a key is the model's own. */
static bool has_endpoint_keys(const struct node *n)
{
    for (unsigned i = 0; i < endpoint_object.nrows; i++) {
        const char *name = endpoint_object.rows[i].name;
        if (!object_has_row(&model_object, name) && node_get(n, name) != NULL)
            return true;
    }
    return false;
}

void model_finish(struct reader *r, const struct node *n, void *at)
{
    struct model_options *m = at;
    bool has_list = node_get(n, "endpoints") != NULL, has_alias = node_get(n, "alias") != NULL;
    bool is_short = has_endpoint_keys(n);
    if (!is_model_id(m->id))
        reader_error(r, n, "not a model id (visible characters without quotes, 256 at most)");
    if (has_list + has_alias + is_short > 1)
        reader_error(r, n, "more than one of provider, endpoints and alias (keep one)");
    else if (is_short)
        read_short_form(r, n, m);
    else if (!has_list && !has_alias)
        reader_error(r, n,
                     "nobody answers for it (write provider: NAME, endpoints: […] or "
                     "alias: […])");
    if ((m->known & MODEL_OUTPUT) == 0)
        m->output = category_output(m->category);
    for (unsigned i = 0; i < m->nendpoints; i++)
        if (m->endpoints[i].upstream_model == NULL)
            m->endpoints[i].upstream_model = upstream_name(m->id);
}

/* ── keys ────────────────────────────────────────────────────────────────────────────────────── */

static void refer_models(struct reader *r, const struct node *list, const struct key_options *k)
{
    if (list == NULL || list->kind != NODE_LIST || list->nentries != k->models.n)
        return; /* something about it was reported */
    size_t before = reader_enter(r, SPAN_LIT("models"));
    for (unsigned i = 0; i < k->models.n; i++) {
        size_t inner = reader_enter_item(r, i);
        if (strcmp(k->models.at[i], "*") != 0)
            reader_refer(r, REF_MODEL, list->entries[i].value, k->models.at[i], NULL);
        reader_leave(r, inner);
    }
    reader_leave(r, before);
}

static void refer_pipeline(struct reader *r, const struct node *name, const char *pipeline)
{
    size_t before = reader_enter(r, SPAN_LIT("pipeline"));
    if (pipeline_is_id(span_text(pipeline)))
        reader_refer(r, REF_MODEL, name, pipeline, NULL);
    else
        reader_error(
            r, name,
            "\"%s\" cannot stand in a path (3 to 64 letters, digits, - and _, and no word of "
            "the API's own: make an alias)",
            pipeline);
    reader_leave(r, before);
}

static void check_scope(struct reader *r, const struct node *n, const struct key_options *k)
{
    const struct node *name = node_get(n, "pipeline");
    if (k->scope != SCOPE_PIPELINE && name != NULL)
        reader_error_in(r, n, "pipeline", "the scope is another (write scope: pipeline, too)");
    if (k->scope != SCOPE_PIPELINE)
        return;
    if (name == NULL)
        reader_error(r, n, "scope is pipeline, but of which? (write pipeline: NAME)");
    else if (k->pipeline != NULL)
        refer_pipeline(r, name, k->pipeline);
    if (node_get(n, "models") != NULL)
        reader_error_in(r, n, "models", "pipeline says it already (leave it out)");
}

void key_finish(struct reader *r, const struct node *n, void *at)
{
    struct key_options *k = at;
    bool has_secret = node_get(n, "secret") != NULL, has_hash = node_get(n, "hash") != NULL;
    if (has_secret == has_hash)
        reader_error(r, n,
                     has_secret ? "both secret and hash (keep one)"
                                : "neither secret nor hash (write secret: { env: NAME }, or "
                                  "hash: with what `sluice keys hash` prints)");
    digest_hex(k->sha256, SHA256_BYTES / 2, k->id);
    check_scope(r, n, k);
    refer_models(r, node_get(n, "models"), k);
    if (k->models.n == 0) {
        k->models.at = ARENA_NEW(r->arena, const char *);
        k->models.at[0] = "*";
        k->models.n = 1;
    }
}

void account_finish(struct reader *r, const struct node *n, void *at)
{
    const struct account_options *a = at;
    const char *problem = a->topup_url != NULL ? payment_url_problem(a->topup_url) : NULL;
    if (problem != NULL)
        reader_error_in(r, n, "topup_url", problem);
}

/* ── store ───────────────────────────────────────────────────────────────────────────────────── */

void store_finish(struct reader *r, const struct node *n, void *at)
{
    struct store_options *s = at;
    struct secret given = s->password; /* the URL may bring one of its own */
    s->password = (struct secret){0};
    const char *problem = address_parse_store(r->arena, s);
    if (problem != NULL)
        reader_error_in(r, n, "url", problem);
    if (secret_is_set(&given)) {
        if (secret_is_set(&s->password))
            reader_error_in(r, n, "password", "there is one in url, too (keep one)");
        secret_fini(&s->password);
        s->password = given;
    } else if (secret_is_set(&s->password)) {
        reader_owns_secret(r, &s->password);
        const struct node *url = node_get(n, "url");
        if (r->world_readable && url != NULL && strchr((const char *)url->text.at, '$') == NULL)
            reader_warning_in(r, n, "url",
                              "a password in a file that everybody on this machine may read "
                              "(chmod o-r, or write password: { env: NAME })");
    }
}

/* ── observability ───────────────────────────────────────────────────────────────────────────── */

/* The base URL, as OpenTelemetry's own exporters want it, or what follows from it (OTLP §OTLP/HTTP). */
static const char *signal_path(struct arena *a, const char *path)
{
    static const char traces[] = "/v1/traces";
    size_t len = strlen(path), end = sizeof(traces) - 1;
    if (len >= end && strcmp(path + len - end, traces) == 0)
        return path;
    while (len > 0 && path[len - 1] == '/')
        len--;
    return arena_printf(a, "%.*s%s", (int)len, path, traces);
}

void tracing_finish(struct reader *r, const struct node *n, void *at)
{
    struct tracing_options *t = at;
    if (t->otlp == NULL) {
        if (n != NULL && n->nentries > 0)
            reader_warning(r, n, "has no effect (there is no otlp)");
        return;
    }
    reader_file(r, n, "ca", &t->ca);
    const char *problem = url_parse(span_text(t->otlp), r->arena, &t->url);
    if (problem == NULL && strchr(t->url.target, '?') != NULL)
        problem = "it has a query, and should have none";
    if (problem != NULL) {
        reader_error_in(r, n, "otlp", problem);
        return;
    }
    t->url.target = signal_path(r->arena, t->url.target);
    if (t->nheaders > 0 && !t->url.https && !address_is_loopback(t->url.host))
        reader_warning_in(r, n, "otlp", "the headers travel in clear text (use https://)");
}
