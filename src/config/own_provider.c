#include "sluice/config/own_provider.h"

#include "address.h"
#include "cloud.h"
#include "service_account.h"

#include "sluice/config/secret_json.h"

/* What is pasted brings its line end along. */
static struct span trimmed(struct span text)
{
    while (text.len > 0 && text.at[text.len - 1] <= ' ')
        text.len--;
    while (text.len > 0 && text.at[0] <= ' ')
        text = span_skip(text, 1);
    return text;
}

/* --- plain keys ----------------------------------------------------------------------------------- */

static bool is_plain(struct span key)
{
    for (size_t i = 0; i < key.len; i++) {
        if (key.at[i] <= ' ' || key.at[i] >= 0x7f)
            return false;
    }
    return key.len > 0;
}

static const char *take_key(struct provider_options *p, struct span key)
{
    if (!is_plain(key))
        return "not a key: one line of visible characters was expected";
    if (p->auth == AUTH_NONE) { /* the operator signs in otherwise, or not at all */
        p->auth = AUTH_BEARER;
        p->auth_header = "Authorization";
    }
    return secret_init(&p->credential, key) < 0 ? "out of memory" : NULL;
}

/* --- Amazon's ------------------------------------------------------------------------------------- */

static struct span member(yyjson_val *root, const char *name)
{
    yyjson_val *value = yyjson_obj_get(root, name);
    return yyjson_is_str(value) ? span_of(yyjson_get_str(value), yyjson_get_len(value)) : SPAN_NONE;
}

/* The host of a region; one that the operator wrote otherwise (a private endpoint) stays. */
static const char *move_to_region(struct arena *a, struct provider_options *p)
{
    if (cloud_aws_region(p->host, a) == NULL)
        return NULL;
    p->base_url = arena_printf(a, "https://bedrock-runtime.%s.amazonaws.com%s", p->aws.region,
                               p->path_prefix);
    return address_parse_base_url(a, p);
}

static const char *take_aws(struct arena *a, struct provider_options *p, yyjson_val *root)
{
    struct span id = member(root, "accessKeyId"), key = member(root, "secretAccessKey");
    struct span region = member(root, "region"), session = member(root, "sessionToken");
    if (p->protocol != PROTOCOL_BEDROCK)
        return "a key of Amazon's is for providers of the protocol bedrock";
    if (!is_plain(id) || !is_plain(key) || region.len == 0)
        return "it needs accessKeyId, secretAccessKey and region";
    if (session.len > 0 && !is_plain(session))
        return "its sessionToken is not one line of visible characters";
    p->auth = AUTH_NONE; /* each request is signed instead */
    p->aws.access_key = (const char *)arena_keep(a, id).at;
    p->aws.region = (const char *)arena_keep(a, region).at;
    if (!cloud_is_name(p->aws.region))
        return "its region is not the name of one (us-east-1)";
    if (secret_init(&p->aws.secret_key, key) < 0 || secret_init(&p->aws.session_token, session) < 0)
        return "out of memory";
    return move_to_region(a, p);
}

/* --- Google's ------------------------------------------------------------------------------------- */

static bool is_googles(const char *host)
{
    static const char end[] = ".googleapis.com";
    size_t n = sizeof end - 1, len = host != NULL ? strlen(host) : 0;
    return len > n && strcmp(host + len - n, end) == 0;
}

static bool may_ask(const struct provider_options *tokens, const struct provider_options *known)
{
    if (is_googles(tokens->host))
        return tokens->https;
    return known != NULL && known->host != NULL && tokens->host != NULL &&
           strcmp(tokens->host, known->host) == 0 && tokens->port == known->port &&
           tokens->https == known->https;
}

/* ".../projects/X/locations/Y" of a host that is not Google's: the operator's, before the real one. */
static const char *other_prefix(struct arena *a, const struct provider_options *p)
{
    struct span prefix = span_text(p->path_prefix);
    size_t at = span_find(prefix, SPAN_LIT("/projects/"));
    if (at == SIZE_MAX)
        return p->path_prefix;
    return arena_printf(a, "%.*s/projects/%s/locations/%s", (int)at, p->path_prefix,
                        p->google.project, p->google.region);
}

static const char *take_google(struct arena *a, struct provider_options *p, struct span document,
                               const struct provider_options *known, enum own_trust trust)
{
    struct google_options *g = &p->google;
    if (p->protocol != PROTOCOL_VERTEX)
        return "the key of a service account is for providers of the protocol vertex";
    if (secret_init(&g->credentials, document) < 0)
        return "out of memory";
    const char *problem = service_account_read(a, g);
    if (problem != NULL)
        return problem;
    if (g->region == NULL)
        g->region = "global";
    if (g->project == NULL || !cloud_is_name(g->project) || !cloud_is_name(g->region))
        return "its project_id or region is not the name of one";
    if (trust == OWN_MANAGED && !may_ask(g->tokens, known))
        return "its token_uri is not one of Google's";
    p->auth = AUTH_NONE; /* each request carries a token instead */
    cloud_prepare_tokens(p);
    if (!cloud_is_vertex_host(p->host)) {
        p->path_prefix = other_prefix(a, p);
        return NULL;
    }
    p->base_url = cloud_vertex_url(a, g);
    return address_parse_base_url(a, p);
}

/* --- either --------------------------------------------------------------------------------------- */

static const char *take_object(struct own_provider *o, struct span document,
                               const struct provider_options *known, enum own_trust trust)
{
    struct provider_options *p = &o->options;
    struct secret_json json = secret_json_read(document);
    const char *problem =
        "neither a key of Amazon's (accessKeyId, secretAccessKey, region) nor the "
        "JSON key of a service account";
    if (!yyjson_is_obj(json.root))
        problem = "not JSON, although it begins with a brace";
    else if (yyjson_obj_get(json.root, "accessKeyId") != NULL)
        problem = take_aws(&o->arena, p, json.root);
    else if (yyjson_obj_get(json.root, "type") != NULL)
        problem = take_google(&o->arena, p, document, known, trust);
    secret_json_fini(&json);
    return problem;
}

const char *own_provider_init(struct own_provider *o, const struct provider_options *p,
                              struct span credential, enum own_trust trust)
{
    arena_init(&o->arena, NULL, 0);
    o->options = *p;
    o->options.credential = (struct secret){0};
    o->options.aws = (struct aws_options){0};
    o->options.google = (struct google_options){0};
    credential = trimmed(credential);
    if (p->protocol == PROTOCOL_DEMO)
        return "the demo provider needs no credential";
    if (credential.len > OWN_CREDENTIAL_MAX_BYTES)
        return "longer than 16 KiB";
    if (credential.len > 0 && credential.at[0] == '{')
        return take_object(o, credential, p->google.tokens, trust);
    o->options.google.region = p->google.region; /* a token of one's own, for the same place */
    return take_key(&o->options, credential);
}

static void mask(struct span text, char out[16])
{
    struct secret s;
    if (secret_init(&s, text) < 0)
        s = (struct secret){0};
    secret_mask(&s, out);
    secret_fini(&s);
}

void own_credential_mask(struct span credential, char out[16])
{
    credential = trimmed(credential);
    if (credential.len == 0 || credential.at[0] != '{') {
        mask(credential, out);
        return;
    }
    struct secret_json json = secret_json_read(credential);
    struct span id = member(json.root, "accessKeyId");
    if (id.len == 0)
        id = member(json.root, "private_key_id");
    mask(is_plain(id) ? id : SPAN_NONE, out); /* or half a character might be shown */
    secret_json_fini(&json);
}

void own_provider_fini(struct own_provider *o)
{
    secret_fini(&o->options.credential);
    secret_fini(&o->options.aws.secret_key);
    secret_fini(&o->options.aws.session_token);
    secret_fini(&o->options.google.credentials);
    secret_fini(&o->options.google.private_key);
    arena_fini(&o->arena);
}
