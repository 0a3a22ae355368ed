#include "object.h"

#include "address.h"
#include "cloud.h"
#include "presets.h"
#include "service_account.h"

void upstream_tls_finish(struct reader *r, const struct node *n, void *at)
{
    struct tls_options *tls = at;
    reader_file(r, n, "ca", &tls->ca);
    if (tls->insecure)
        reader_warning_in(
            r, n, "insecure",
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
    p->preset_yes = known == NULL ? 0 : known->yes;
    p->preset_no = known == NULL ? 0 : known->no;
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

static const char *missing_url(struct reader *r, const struct provider_options *p,
                               const struct preset *known)
{
    if (known != NULL)
        return arena_printf(r->scratch, "is missing (it depends on your account with \"%s\")",
                            known->name);
    const char *near = preset_suggest(p->name);
    return arena_printf(r->scratch, "is missing, and \"%s\" is not a known provider (%s%s%s)",
                        p->name, near != NULL ? "did you mean \"" : "write https://host/v1",
                        near != NULL ? near : "", near != NULL ? "\"?" : "");
}

static void check_base_url(struct reader *r, const struct node *n, struct provider_options *p,
                           const struct preset *known)
{
    const char *problem = p->base_url == NULL ? missing_url(r, p, known)
                                              : address_parse_base_url(r->arena, p);
    if (problem != NULL)
        reader_error_in(r, n, "base_url", problem);
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

static void check_aws(struct reader *r, const struct node *n, struct provider_options *p)
{
    if (p->aws.access_key == NULL)
        return;
    if (p->protocol != PROTOCOL_BEDROCK)
        reader_warning_in(r, n, "aws", "has no effect (the protocol is not bedrock)");
    if (!secret_is_set(&p->aws.secret_key) && !r->no_secrets)
        reader_error_in(r, n, "aws", "needs secret_key beside access_key");
    if (p->aws.region == NULL)
        p->aws.region = cloud_aws_region(p->host, r->arena);
    if (p->aws.region == NULL)
        reader_error_in(r, n, "aws", "needs a region (the URL's host does not name one)");
}

void google_finish(struct reader *r, const struct node *n, void *at)
{
    struct google_options *g = at;
    if (!cloud_is_name(g->region)) {
        reader_error_in(r, n, "region",
                        "not the name of a region (write europe-west1, us, eu or global)");
        g->region = "global";
    }
    if (secret_is_set(&g->credentials)) {
        const char *problem = service_account_read(r->arena, g);
        reader_owns_secret(r, &g->private_key);
        if (problem != NULL)
            reader_error_in(r, n, "credentials", problem);
    }
    if (g->project != NULL && !cloud_is_name(g->project)) {
        reader_error_in(r, n, "project", "not the id of a project (write my-project-123456)");
        g->project = "-";
    }
}

/* Who asks, and the URL when none was written: before that is checked. */
static void prepare_vertex(struct reader *r, const struct node *n, struct provider_options *p)
{
    struct google_options *g = &p->google;
    bool has_account = node_get(node_get(n, "google"), "credentials") != NULL;
    if (has_account)
        p->auth = AUTH_NONE; /* each request carries a token instead */
    else if (node_get(n, "api_key") == NULL && p->auth != AUTH_NONE)
        reader_error_in(r, n, "google",
                        "needs credentials: { file: PATH }, the key of a service account (or write "
                        "an access token as api_key)");
    else if (p->base_url == NULL && g->project == NULL)
        reader_error_in(r, n, "google", "needs a project");
    if (p->base_url == NULL) /* without secrets the project is not known either */
        p->base_url = cloud_vertex_url(r->arena, g);
    cloud_prepare_tokens(p);
}

static void check_api_version(struct reader *r, const struct node *n,
                              const struct provider_options *p)
{
    if (p->api_version == NULL)
        return;
    struct span prefix = span_text(p->path_prefix);
    if (p->protocol != PROTOCOL_OPENAI)
        reader_warning_in(r, n, "api_version", "has no effect (the protocol is not openai)");
    if (!cloud_is_name(p->api_version))
        reader_error_in(r, n, "api_version", "not a version (write 2024-10-21)");
    if (span_find(prefix, SPAN_LIT("/openai")) != SIZE_MAX)
        reader_error_in(
            r, n, "base_url",
            "with api_version it is the resource alone (write https://NAME.openai.azure.com); "
            "URLs that end in /openai/v1 need no api_version");
}

static bool is_clear_text(const struct provider_options *p)
{
    return !p->https && p->host != NULL && !address_is_loopback(p->host);
}

void provider_finish(struct reader *r, const struct node *n, void *at)
{
    struct provider_options *p = at;
    const struct preset *known = preset_of(n, p);
    check_slug(r, n, p->name);
    if (p->preset != NULL && preset_find(p->preset) == NULL) {
        const char *near = preset_suggest(p->preset);
        reader_error_in(
            r, n, "preset",
            near == NULL
                ? "not a known provider (leave it out and write base_url)"
                : arena_printf(r->scratch, "not a known provider (did you mean \"%s\"?)", near));
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
            reader_error_in(r, n, "headers", "one of them carries the key already (see auth)");
    if (p->protocol == PROTOCOL_VERTEX) {
        prepare_vertex(r, n, p);
    } else if (node_get(n, "google") != NULL) {
        reader_warning_in(r, n, "google", "has no effect (the protocol is not vertex)");
        p->google.tokens = NULL;
    }
    check_base_url(r, n, p, known);
    check_api_version(r, n, p);
    check_aws(r, n, p);
    if (p->protocol != PROTOCOL_VERTEX)
        find_credential(r, n, p, known);
    if (p->auth == AUTH_NONE && node_get(n, "api_key") != NULL)
        reader_warning_in(r, n, "api_key", "is not sent to anybody (auth is none)");
    if ((p->auth != AUTH_NONE || p->google.tokens != NULL) && is_clear_text(p))
        reader_warning_in(r, n, "base_url", "the key travels in clear text (use https://)");
    if (p->google.tokens != NULL && is_clear_text(p->google.tokens))
        reader_warning_in(r, n, "google",
                          "tokens travel in clear text (the key's token_uri is not https://)");
}
