/* gen_ai_metrics.h: the metrics of OpenTelemetry's conventions for generative AI (gen_ai.h says which
 * version), in Prometheus's spelling: dots become underscores, seconds are said in the name.
 *
 *     gen_ai_client_token_usage                  tokens a request, by gen_ai_token_type
 *     gen_ai_server_request_duration_seconds     whole requests, with error_type where one failed
 *     gen_ai_server_time_to_first_token_seconds  streams that went well
 *     gen_ai_server_time_per_output_token_seconds  likewise, after the first
 *
 * For dashboards that know these names; sluice's own tell more. Labels come from the configuration. */
#ifndef SLUICE_SRC_EXCHANGE_GEN_AI_METRICS_H
#define SLUICE_SRC_EXCHANGE_GEN_AI_METRICS_H

#include "sluice/exchange/instruments.h"

struct gen_ai_families {
    struct metric_family *tokens, *duration, *first_token, *per_token;
};
void gen_ai_families_init(struct gen_ai_families *f, struct metric_registry *r);

/* Of one operation on one model of one provider. */
struct gen_ai_series {
    struct metric_series *input, *output, *first_token, *per_token;
    struct metric_series *duration[OUTCOMES]; /* made when first needed */
    const char *operation, *provider, *model;
};
/* `model` is borrowed for good. */
void gen_ai_series_init(struct gen_ai_series *s, const struct gen_ai_families *f, const char *api,
                        const struct provider_options *provider, const char *model);
void gen_ai_series_record(struct gen_ai_series *s, const struct gen_ai_families *f,
                          const struct request_figures *r);
void gen_ai_series_meter(struct gen_ai_series *s, const struct usage *u);

#endif
