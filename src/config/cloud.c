#include "cloud.h"

#include <string.h>

bool cloud_is_name(const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || *c == '-' || *c == '.' ||
              *c == ':' || *c == '_'))
            return false;
    return *text != '\0';
}

const char *cloud_aws_region(const char *host, struct arena *a)
{
    static const char service[] = "bedrock-runtime.";
    if (host == NULL || strncmp(host, service, sizeof service - 1) != 0)
        return NULL;
    const char *region = host + sizeof service - 1, *end = strchr(region, '.');
    return end == NULL ? NULL : arena_printf(a, "%.*s", (int)(end - region), region);
}

/* Vertex AI's hosts: one a region, two of several regions, and one of all. */
const char *cloud_vertex_url(struct arena *a, const struct google_options *g)
{
    bool is_multi = strcmp(g->region, "us") == 0 || strcmp(g->region, "eu") == 0;
    const char *host = strcmp(g->region, "global") == 0 ? "aiplatform.googleapis.com"
                       : is_multi ? arena_printf(a, "aiplatform.%s.rep.googleapis.com", g->region)
                                  : arena_printf(a, "%s-aiplatform.googleapis.com", g->region);
    return arena_printf(a, "https://%s/v1/projects/%s/locations/%s", host,
                        g->project != NULL ? g->project : "-", g->region);
}

bool cloud_is_vertex_host(const char *host)
{
    static const char *const ends[] = {"aiplatform.googleapis.com", ".rep.googleapis.com"};
    size_t len = host != NULL ? strlen(host) : 0;
    for (unsigned i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t n = strlen(ends[i]);
        if (len >= n && strcmp(host + len - n, ends[i]) == 0)
            return true;
    }
    return false;
}

void cloud_prepare_tokens(const struct provider_options *p)
{
    struct provider_options *tokens = p->google.tokens;
    if (tokens == NULL)
        return;
    tokens->name = p->name;
    tokens->tls = p->tls;
    tokens->tls.server_name = NULL;
    tokens->connect_timeout_ms = p->connect_timeout_ms;
    tokens->pool_max = 1;
    tokens->pool_idle_timeout_ms = p->pool_idle_timeout_ms;
}
