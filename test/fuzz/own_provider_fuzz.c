/* Any bytes as a credential of a caller's, for each kind of provider: taken or refused, and nothing of it
 * in a request's head that could end a line there, or in what is shown. */
#include "sluice/config/own_provider.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        assert((unsigned char)*text > ' ' && (unsigned char)*text < 0x7f);
}

static void check_secret(const struct secret *s)
{
    struct span text = secret_reveal(s);
    for (size_t i = 0; i < text.len; i++)
        assert(text.at[i] > ' ' && text.at[i] < 0x7f);
}

static void try_with(enum protocol protocol, const char *host, struct span credential,
                     enum own_trust trust)
{
    const struct provider_options p = {.name = "p",
                                       .protocol = protocol,
                                       .https = true,
                                       .host = host,
                                       .host_header = host,
                                       .path_prefix = "/v1/projects/a/locations/b"};
    struct own_provider o;
    const char *problem = own_provider_init(&o, &p, credential, trust);
    if (problem == NULL) {
        check_text(o.options.host_header);
        check_text(o.options.path_prefix);
        check_text(o.options.aws.access_key);
        check_text(o.options.aws.region);
        check_secret(&o.options.credential);
        check_secret(&o.options.aws.session_token);
        if (o.options.google.tokens != NULL)
            check_text(o.options.google.tokens->host_header);
    }
    own_provider_fini(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span credential = span_of(data, size);
    char masked[16];
    own_credential_mask(credential, masked);
    assert(memchr(masked, '\0', sizeof masked) != NULL);
    for (unsigned trust = OWN_CONFIGURED; trust <= OWN_MANAGED; trust++) {
        try_with(PROTOCOL_OPENAI, "api.example.org", credential, trust);
        try_with(PROTOCOL_BEDROCK, "bedrock-runtime.us-east-1.amazonaws.com", credential, trust);
        try_with(PROTOCOL_VERTEX, "aiplatform.googleapis.com", credential, trust);
        try_with(PROTOCOL_VERTEX, "proxy.example.org", credential, trust);
    }
    return 0;
}
