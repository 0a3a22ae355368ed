/* cloud.h: how Amazon's and Google's clouds name their hosts, regions and projects. */
#ifndef SLUICE_SRC_CONFIG_CLOUD_H
#define SLUICE_SRC_CONFIG_CLOUD_H

#include "sluice/base/arena.h"
#include "sluice/config/snapshot.h"

/* May it be the name of a project or a region? They go into URLs. */
bool cloud_is_name(const char *text);

/* The region in "bedrock-runtime.us-east-1.amazonaws.com", NULL when there is none. */
const char *cloud_aws_region(const char *host, struct arena *a);

/* Where Vertex AI serves this project and region. */
const char *cloud_vertex_url(struct arena *a, const struct google_options *g);
/* Is it one of those hosts? */
bool cloud_is_vertex_host(const char *host);

/* The token endpoint, if there is one, is reached as the provider is. */
void cloud_prepare_tokens(const struct provider_options *p);

#endif
