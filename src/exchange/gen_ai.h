/* gen_ai.h: what OpenTelemetry calls the things of this gateway: the semantic conventions for generative
 * AI, in the form of version 1.41.0 (status: Development), the last one before they moved to
 * open-telemetry/semantic-conventions-genai, which has no releases. */
#ifndef SLUICE_SRC_EXCHANGE_GEN_AI_H
#define SLUICE_SRC_EXCHANGE_GEN_AI_H

#include "sluice/config/snapshot.h"

/* gen_ai.operation.name, by what metrics and log call the API ("messages"): one of the well-known names
 * where there is one, else that word. */
const char *gen_ai_operation(const char *api);

/* gen_ai.provider.name: whose dialect is spoken, not who runs the machines; never NULL. */
const char *gen_ai_provider(const struct provider_options *p);

#endif
