/* What a credential of a caller's own changes of a provider, and what it may not. */
#include "unit.h"

#include "rsa_key.h"

#include "sluice/config/own_provider.h"

static const struct provider_options
    plain = {.name = "plain",
             .protocol = PROTOCOL_OPENAI,
             .https = true,
             .host = "api.example.org",
             .host_header = "api.example.org",
             .path_prefix = "/v1",
             .auth = AUTH_BEARER,
             .auth_header = "Authorization"},
    local = {.name = "local", .protocol = PROTOCOL_OPENAI, .host = "127.0.0.1", .auth = AUTH_NONE},
    claude = {.name = "claude",
              .protocol = PROTOCOL_ANTHROPIC,
              .host = "api.example.org",
              .auth = AUTH_HEADER,
              .auth_header = "x-api-key"},
    rock = {.name = "rock",
            .protocol = PROTOCOL_BEDROCK,
            .https = true,
            .host = "bedrock-runtime.us-east-1.amazonaws.com",
            .host_header = "bedrock-runtime.us-east-1.amazonaws.com",
            .path_prefix = "",
            .aws = {.region = "us-east-1", .access_key = "AKIDGATEWAY"}},
    private_rock = {.name = "private",
                    .protocol = PROTOCOL_BEDROCK,
                    .host = "vpce.example.org",
                    .host_header = "vpce.example.org",
                    .path_prefix = "/x"},
    vertex = {.name = "vertex",
              .protocol = PROTOCOL_VERTEX,
              .https = true,
              .host = "europe-west1-aiplatform.googleapis.com",
              .host_header = "europe-west1-aiplatform.googleapis.com",
              .path_prefix = "/v1/projects/gateway/locations/europe-west1",
              .google = {.region = "europe-west1"}},
    private_vertex = {.name = "private-vertex",
                      .protocol = PROTOCOL_VERTEX,
                      .host = "proxy.example.org",
                      .host_header = "proxy.example.org",
                      .path_prefix = "/google/v1/projects/gateway/locations/us"},
    demo = {.name = "demo", .protocol = PROTOCOL_DEMO};

#define AWS(region) \
    "{\"accessKeyId\":\"AKIDOWN\",\"secretAccessKey\":\"s3cret\",\"region\":\"" region "\"}"

/* The JSON key of a service account, with these members besides. */
static const char *account(const char *more)
{
    static char text[4096];
    char key[2600] = "";
    size_t at = 0;
    for (const char *c = RSA_KEY; *c != '\0'; c++)
        at += (size_t)snprintf(key + at, sizeof key - at, *c == '\n' ? "\\n" : "%c", *c);
    snprintf(text, sizeof text,
             "{\"type\":\"service_account\",\"client_email\":\"a@b.example.org\","
             "\"project_id\":\"mine\",\"private_key\":\"%s\"%s}",
             key, more);
    return text;
}

static void check(const struct provider_options *p, const char *credential, enum own_trust trust,
                  const char *wanted)
{
    struct own_provider o;
    char made[512];
    uint8_t *copy = exact_copy(span_text(credential));
    const char *problem = own_provider_init(&o, p, span_of(copy, strlen(credential)), trust);
    free(copy); /* nothing of it is borrowed */
    const struct provider_options *m = &o.options;
    if (problem != NULL)
        snprintf(made, sizeof made, "%s", problem);
    else
        snprintf(made, sizeof made, "%s%s %s %s", m->host_header != NULL ? m->host_header : "",
                 m->path_prefix != NULL ? m->path_prefix : "",
                 m->auth == AUTH_NONE     ? "-"
                 : m->auth == AUTH_BEARER ? "Bearer"
                                          : m->auth_header,
                 m->aws.access_key != NULL       ? m->aws.region
                 : m->google.tokens != NULL      ? m->google.tokens->host
                 : secret_is_set(&m->credential) ? "key"
                                                 : "nothing");
    if (problem != NULL && wanted != NULL)
        assert_non_null(strstr(made, wanted));
    else
        assert_string_equal(made, wanted);
    own_provider_fini(&o);
}

static void plain_keys_go_where_the_providers_does(void **state)
{
    (void)state;
    check(&plain, "sk-own", OWN_MANAGED, "api.example.org/v1 Bearer key");
    check(&plain, "  sk-own\n", OWN_MANAGED, "api.example.org/v1 Bearer key");
    check(&claude, "sk-own", OWN_MANAGED, " x-api-key key");
    check(&local, "sk-own", OWN_MANAGED, " Bearer key");
    check(&rock, "bedrock-api-key", OWN_MANAGED,
          "bedrock-runtime.us-east-1.amazonaws.com Bearer key");
    check(&vertex, "ya29.token", OWN_MANAGED,
          "europe-west1-aiplatform.googleapis.com/v1/projects/gateway/locations/europe-west1 "
          "Bearer key");
    check(&demo, "x", OWN_MANAGED, "the demo provider");
    check(&plain, "", OWN_MANAGED, "not a key");
    check(&plain, "a b", OWN_MANAGED, "not a key");
    check(&plain, "a\r\nHost: b", OWN_MANAGED, "not a key");
    check(&plain, "\xc3\xa9", OWN_MANAGED, "not a key");
}

static void keys_of_amazons_bring_their_region(void **state)
{
    (void)state;
    check(&rock, AWS("eu-north-1"), OWN_MANAGED,
          "bedrock-runtime.eu-north-1.amazonaws.com - eu-north-1");
    check(&private_rock, AWS("eu-north-1"), OWN_MANAGED, "vpce.example.org/x - eu-north-1");
    check(&plain, AWS("eu-north-1"), OWN_MANAGED, "protocol bedrock");
    check(&rock, AWS(""), OWN_MANAGED, "region");
    check(&rock, AWS("a/../b"), OWN_MANAGED, "region");
    check(&rock, "{\"accessKeyId\":\"x\",\"region\":\"y\"}", OWN_MANAGED, "secretAccessKey");
    check(&rock, "{\"accessKeyId\":7}", OWN_MANAGED, "it needs");
    check(&rock, "{}", OWN_MANAGED, "neither");
    check(&rock, "{", OWN_MANAGED, "not JSON");
}

static void accounts_of_googles_bring_project_and_region(void **state)
{
    (void)state;
    check(&vertex, account(""), OWN_MANAGED,
          "aiplatform.googleapis.com/v1/projects/mine/locations/global - oauth2.googleapis.com");
    check(&vertex, account(",\"region\":\"us\""), OWN_MANAGED,
          "aiplatform.us.rep.googleapis.com/v1/projects/mine/locations/us - "
          "oauth2.googleapis.com");
    check(&private_vertex, account(",\"region\":\"asia-east1\""), OWN_MANAGED,
          "proxy.example.org/google/v1/projects/mine/locations/asia-east1 - "
          "oauth2.googleapis.com");
    check(&vertex, account(",\"region\":\"a/b\""), OWN_MANAGED, "region");
    check(&plain, account(""), OWN_MANAGED, "protocol vertex");
    check(&vertex, "{\"type\":\"authorized_user\"}", OWN_MANAGED, "its type is");
}

static void only_the_operator_points_at_other_token_endpoints(void **state)
{
    (void)state;
    const char *inside = ",\"token_uri\":\"http://10.0.0.1/token\"";
    struct provider_options tokens = {.host = "10.0.0.1", .port = 80}, known = vertex;
    known.google.tokens = &tokens;
    check(&vertex, account(inside), OWN_MANAGED, "token_uri");
    check(&vertex, account(",\"token_uri\":\"http://oauth2.googleapis.com/token\""), OWN_MANAGED,
          "token_uri");
    check(&vertex, account(",\"token_uri\":\"https://evil-googleapis.com/token\""), OWN_MANAGED,
          "token_uri");
    check(&vertex, account(inside), OWN_CONFIGURED,
          "aiplatform.googleapis.com/v1/projects/mine/locations/global - 10.0.0.1");
    check(&known, account(inside), OWN_MANAGED,
          "aiplatform.googleapis.com/v1/projects/mine/locations/global - 10.0.0.1");
}

static void only_ids_are_shown(void **state)
{
    (void)state;
    static const struct {
        const char *credential, *shown;
    } rows[] = {{"sk-0123456789abcd", "sk-…abcd"},
                {"short", "…"},
                {"{\"accessKeyId\":\"AKIA0123456789AB\"}", "AKI…89AB"},
                {"{\"private_key_id\":\"0123456789abcdef\"}", "012…cdef"},
                {"{\"secret\":\"0123456789abcdef\"}", "…"},
                {"{", "…"},
                {"", "…"}};
    for (unsigned i = 0; i < ROWS(rows); i++) {
        char shown[16];
        own_credential_mask(span_text(rows[i].credential), shown);
        assert_string_equal(shown, rows[i].shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_keys_go_where_the_providers_does),
        cmocka_unit_test(keys_of_amazons_bring_their_region),
        cmocka_unit_test(accounts_of_googles_bring_project_and_region),
        cmocka_unit_test(only_the_operator_points_at_other_token_endpoints),
        cmocka_unit_test(only_ids_are_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
