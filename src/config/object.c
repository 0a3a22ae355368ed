#include "object.h"

#include "address.h"
#include "option.h"
#include "presets.h"
#include "value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <unistd.h>

/* The member's own node when it was written, else the object's: where to point at. */
static const struct node *at_key(const struct node *n, const char *key)
{
    const struct node *value = node_get(n, key);
    return value != NULL ? value : n;
}

static void error_at(struct reader *r, const struct node *n, const char *key, const char *text)
{
    size_t before = reader_enter(r, span_text(key));
    reader_error(r, at_key(n, key), "%s", text);
    reader_leave(r, before);
}

static void warning_at(struct reader *r, const struct node *n, const char *key, const char *text)
{
    size_t before = reader_enter(r, span_text(key));
    reader_warning(r, at_key(n, key), "%s", text);
    reader_leave(r, before);
}

/* Relative to the configuration file, like secrets. Only that it can be read: what is in it says
 * the TLS library. */
static void find_file(struct reader *r, const struct node *n, const char *key, const char **path)
{
    if (*path == NULL)
        return;
    if ((*path)[0] != '/' && r->directory != NULL && strcmp(r->directory, ".") != 0)
        *path = arena_printf(r->arena, "%s/%s", r->directory, *path);
    if (!r->no_secrets && access(*path, R_OK) != 0)
        error_at(r, n, key, arena_printf(r->scratch, "%s: %s", *path, strerror(errno)));
}

/* ── listeners ───────────────────────────────────────────────────────────────────────────────── */

void listener_tls_finish(struct reader *r, const struct node *n, void *at)
{
    struct tls_options *tls = at;
    if (n == NULL)
        return;
    if (tls->cert == NULL)
        error_at(r, n, "cert", "is missing (the PEM file with the certificate)");
    find_file(r, n, "cert", &tls->cert);
    find_file(r, n, "key", &tls->key);
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
            error_at(r, n, "origins",
                     "not an origin: scheme, host and port, without a path or a slash at the end "
                     "(write https://chat.example.org, or \"*\")");
}

static bool is_network(const char *text)
{
    uint8_t ip[16];
    char copy[64];
    uint64_t bits;
    struct span rest = span_text(text), host = span_cut(&rest, '/');
    if (host.len >= sizeof(copy))
        return false;
    memcpy(copy, host.at, host.len);
    copy[host.len] = '\0';
    unsigned most = inet_pton(AF_INET, copy, ip) == 1    ? 32
                    : inet_pton(AF_INET6, copy, ip) == 1 ? 128
                                                         : 0;
    return most != 0 && (rest.at == NULL || (span_to_u64(rest, &bits) && bits <= most));
}

void listener_finish(struct reader *r, const struct node *n, void *at)
{
    struct listener_options *l = at;
    struct listen_address parsed;
    if (l->serves & SERVES_API)
        l->serves |= SERVES_HEALTH;
    for (unsigned i = 0; i < l->trusted_proxies.n; i++)
        if (!is_network(l->trusted_proxies.at[i]))
            error_at(r, n, "trusted_proxies", "not a network (write 10.0.0.0/8 or 192.0.2.7)");
    if (l->address == NULL)
        return; /* reported: it is required */
    const char *problem = address_parse_listen(l->address, r->arena, &parsed);
    if (problem != NULL) {
        error_at(r, n, "address", problem);
        l->address = NULL;
        return;
    }
    l->address = parsed.text;
    if (l->name == NULL)
        l->name = l->address;
    if (parsed.is_any && l->tls.cert == NULL && (l->serves & (SERVES_API | SERVES_ADMIN)) != 0)
        reader_warning(r, n, "every interface without tls (fine behind a proxy that has it)");
}

/* ── providers ───────────────────────────────────────────────────────────────────────────────── */

void upstream_tls_finish(struct reader *r, const struct node *n, void *at)
{
    struct tls_options *tls = at;
    find_file(r, n, "ca", &tls->ca);
    if (tls->insecure)
        warning_at(r, n, "insecure",
                   "the certificate is not verified: anybody in between can read and change all of "
                   "it (name the authority with `ca` instead)");
}

static const struct preset *preset_of(const struct node *n, const struct provider_options *p)
{
    const struct node *named = node_get(n, "preset");
    if (p->preset != NULL)
        return preset_find(p->preset);
    if (named != NULL && named->kind == NODE_SCALAR) /* not read yet */
        return preset_find((const char *)named->text.at);
    return preset_find(p->name);
}

void provider_begin(const struct node *n, void *at)
{
    struct provider_options *p = at;
    const struct preset *known = preset_of(n, p);
    p->auth = known == NULL ? AUTH_BEARER : known->auth;
    p->protocol = known == NULL ? PROTOCOL_OPENAI : known->protocol;
    p->has_responses = known != NULL && known->has_responses;
    p->base_url = known == NULL ? NULL : known->base_url;
    p->auth_header = p->auth == AUTH_NONE     ? NULL
                     : p->auth == AUTH_BEARER ? "Authorization"
                                              : known->auth_header;
}

/* Contract 0.8: callers write `slug/model`, so a name must be one. */
static void check_slug(struct reader *r, const struct node *n, const char *name)
{
    char slug[64];
    size_t len = 0;
    bool gap = false;
    for (const char *c = name; *c != '\0' && len < sizeof(slug) - 2; c++) {
        char lower = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
        if ((lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9')) {
            if (gap && len > 0)
                slug[len++] = '-';
            gap = false;
            slug[len++] = lower;
        } else {
            gap = true;
        }
    }
    slug[len] = '\0';
    if (strcmp(slug, name) != 0)
        reader_error(r, n,
                     "not a name for a provider: lowercase letters, digits and single dashes "
                     "(write \"%s\")",
                     len == 0 ? "my-provider" : slug);
}

static void check_base_url(struct reader *r, const struct node *n, struct provider_options *p,
                           const struct preset *known)
{
    size_t before = reader_enter(r, SPAN_LIT("base_url"));
    if (p->base_url == NULL && known != NULL) {
        reader_error(r, n, "is missing (it depends on your account with \"%s\")", known->name);
    } else if (p->base_url == NULL) {
        const char *near = preset_suggest(p->name);
        reader_error(r, n, "is missing, and \"%s\" is not a known provider (%s%s%s)", p->name,
                     near != NULL ? "did you mean \"" : "write https://host/v1",
                     near != NULL ? near : "", near != NULL ? "\"?" : "");
    } else {
        const char *problem = address_parse_base_url(r->arena, p);
        if (problem != NULL)
            reader_error(r, at_key(n, "base_url"), "%s", problem);
    }
    reader_leave(r, before);
}

static void find_credential(struct reader *r, const struct node *n, struct provider_options *p,
                            const struct preset *known)
{
    const char *variable = known == NULL ? NULL : known->variable;
    if (p->auth == AUTH_NONE || node_get(n, "api_key") != NULL)
        return;
    if (variable != NULL && reader_secret_from(r, variable, &p->credential)) {
        reader_owns_secret(r, &p->credential);
        return;
    }
    if (r->no_secrets)
        return;
    size_t before = reader_enter(r, SPAN_LIT("api_key"));
    if (variable != NULL)
        reader_error(r, n, "is missing (set %s, or write api_key: { env: NAME })", variable);
    else
        reader_error(r, n, "is missing (write api_key: { env: NAME }, or auth: none)");
    reader_leave(r, before);
}

/* Without `auth` in the file: what follows from the rest. */
static void infer_auth(const struct node *n, struct provider_options *p)
{
    if (node_get(n, "auth") != NULL)
        return;
    if (p->protocol == PROTOCOL_ANTHROPIC || p->protocol == PROTOCOL_GEMINI) {
        p->auth = AUTH_HEADER;
        p->auth_header = p->protocol == PROTOCOL_GEMINI ? "x-goog-api-key" : "x-api-key";
    } else if (p->aws.access_key != NULL) {
        p->auth = AUTH_NONE; /* each request is signed instead */
    } else if (p->auth == AUTH_NONE && node_get(n, "api_key") != NULL) {
        p->auth = AUTH_BEARER; /* a local server that was given a key */
        p->auth_header = "Authorization";
    }
}

/* "bedrock-runtime.us-east-1.amazonaws.com" names its region. */
static const char *region_in(const char *host, struct arena *a)
{
    static const char service[] = "bedrock-runtime.";
    if (host == NULL || strncmp(host, service, sizeof service - 1) != 0)
        return NULL;
    const char *region = host + sizeof service - 1, *end = strchr(region, '.');
    return end == NULL ? NULL : arena_printf(a, "%.*s", (int)(end - region), region);
}

static void check_aws(struct reader *r, const struct node *n, struct provider_options *p)
{
    if (p->aws.access_key == NULL)
        return;
    if (p->protocol != PROTOCOL_BEDROCK)
        warning_at(r, n, "aws", "has no effect (the protocol is not bedrock)");
    if (!secret_is_set(&p->aws.secret_key) && !r->no_secrets)
        error_at(r, n, "aws", "needs secret_key beside access_key");
    if (p->aws.region == NULL)
        p->aws.region = region_in(p->host, r->arena);
    if (p->aws.region == NULL)
        error_at(r, n, "aws", "needs a region (the URL's host does not name one)");
}

static bool is_loopback_host(const char *host)
{
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "::1") == 0;
}

void provider_finish(struct reader *r, const struct node *n, void *at)
{
    struct provider_options *p = at;
    const struct preset *known = preset_of(n, p);
    check_slug(r, n, p->name);
    if (p->preset != NULL && preset_find(p->preset) == NULL) {
        const char *near = preset_suggest(p->preset);
        error_at(r, n, "preset",
                 near == NULL ? "not a known provider (leave it out and write base_url)"
                              : arena_printf(r->scratch,
                                             "not a known provider (did you mean \"%s\"?)", near));
        return;
    }
    if (p->protocol == PROTOCOL_DEMO) {
        p->auth = AUTH_NONE;
        p->base_url = "";
        return;
    }
    infer_auth(n, p);
    for (unsigned i = 0; i < p->nheaders && p->auth != AUTH_NONE; i++)
        if (span_ieq(span_text(p->headers[i].name), span_text(p->auth_header)))
            error_at(r, n, "headers", "one of them carries the key already (see auth)");
    check_base_url(r, n, p, known);
    check_aws(r, n, p);
    find_credential(r, n, p, known);
    if (p->auth == AUTH_NONE && node_get(n, "api_key") != NULL)
        warning_at(r, n, "api_key", "is not sent to anybody (auth is none)");
    if (p->auth != AUTH_NONE && !p->https && p->host != NULL && !is_loopback_host(p->host))
        warning_at(r, n, "base_url", "the key travels in clear text (use https://)");
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
    object_read_shared(r, &endpoint_object, n, m->endpoints);
}

static bool has_endpoint_keys(const struct node *n)
{
    for (unsigned i = 0; i < endpoint_object.nrows; i++)
        if (node_get(n, endpoint_object.rows[i].name) != NULL)
            return true;
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

void key_finish(struct reader *r, const struct node *n, void *at)
{
    struct key_options *k = at;
    bool has_secret = node_get(n, "secret") != NULL, has_hash = node_get(n, "hash") != NULL;
    if (has_secret == has_hash)
        reader_error(r, n,
                     has_secret ? "both secret and hash (keep one)"
                                : "neither secret nor hash (write secret: { env: NAME }, or "
                                  "hash: with what `sluice keys hash` prints)");
    refer_models(r, node_get(n, "models"), k);
    if (k->models.n == 0) {
        k->models.at = ARENA_NEW(r->arena, const char *);
        k->models.at[0] = "*";
        k->models.n = 1;
    }
}

/* ── store ───────────────────────────────────────────────────────────────────────────────────── */

void store_finish(struct reader *r, const struct node *n, void *at)
{
    struct store_options *s = at;
    struct secret given = s->password; /* the URL may bring one of its own */
    s->password = (struct secret){0};
    const char *problem = address_parse_store(r->arena, s);
    if (problem != NULL)
        error_at(r, n, "url", problem);
    if (secret_is_set(&given)) {
        if (secret_is_set(&s->password))
            error_at(r, n, "password", "there is one in url, too (keep one)");
        secret_fini(&s->password);
        s->password = given;
    } else if (secret_is_set(&s->password)) {
        reader_owns_secret(r, &s->password);
        const struct node *url = node_get(n, "url");
        if (r->world_readable && url != NULL && strchr((const char *)url->text.at, '$') == NULL)
            warning_at(r, n, "url",
                       "a password in a file that everybody on this machine may read "
                       "(chmod o-r, or write password: { env: NAME })");
    }
}
