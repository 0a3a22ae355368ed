#include "service_account.h"

#include "address.h"

#include "sluice/base/rsa.h"
#include "sluice/config/secret_json.h"

static bool is_plain(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] <= ' ' || text.at[i] >= 0x7f || text.at[i] == '"' || text.at[i] == '\\')
            return false;
    }
    return text.len > 0;
}

/* A member that goes into URLs, claims and messages as it is; NULL when absent or odd. */
static const char *plain_member(struct arena *a, yyjson_val *root, const char *key)
{
    yyjson_val *value = yyjson_obj_get(root, key);
    struct span text = span_of(yyjson_get_str(value), yyjson_get_len(value));
    return yyjson_is_str(value) && is_plain(text) ? (const char *)arena_keep(a, text).at : NULL;
}

static const char *read_private_key(yyjson_val *root, struct google_options *g)
{
    yyjson_val *value = yyjson_obj_get(root, "private_key");
    struct span pem = span_of(yyjson_get_str(value), yyjson_get_len(value));
    if (!yyjson_is_str(value))
        return "not the key of a service account: it has no private_key";
    if (!rsa_is_private_key(pem))
        return "its private_key is not an RSA key in PEM";
    if (secret_init(&g->private_key, pem) < 0)
        return "out of memory";
    return NULL;
}

static const char *read_token_uri(struct arena *a, yyjson_val *root, struct google_options *g)
{
    const char *uri = plain_member(a, root, "token_uri");
    g->tokens = ARENA_NEW(a, struct provider_options);
    g->tokens->base_url = uri != NULL ? uri : "https://oauth2.googleapis.com/token";
    return address_parse_base_url(a, g->tokens) == NULL ? NULL : "its token_uri is not a URL";
}

static const char *read_members(struct arena *a, yyjson_val *root, struct google_options *g)
{
    const char *type = plain_member(a, root, "type");
    if (type == NULL || strcmp(type, "service_account") != 0)
        return arena_printf(a,
                            "not the key of a service account: its type is \"%s\" (make one with "
                            "gcloud iam service-accounts keys create)",
                            type == NULL ? "" : type);
    g->client_email = plain_member(a, root, "client_email");
    if (g->client_email == NULL)
        return "not the key of a service account: it has no client_email";
    g->key_id = plain_member(a, root, "private_key_id");
    if (g->project == NULL)
        g->project = plain_member(a, root, "project_id");
    if (g->region == NULL)
        g->region = plain_member(a, root, "region");
    const char *problem = read_private_key(root, g);
    return problem != NULL ? problem : read_token_uri(a, root, g);
}

const char *service_account_read(struct arena *a, struct google_options *g)
{
    struct secret_json json = secret_json_read(secret_reveal(&g->credentials));
    const char *problem = json.root == NULL
                              ? "not JSON: the key of a service account is a JSON file"
                              : read_members(a, json.root, g);
    secret_json_fini(&json);
    return problem;
}
