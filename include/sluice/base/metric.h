/* metric.h: counters, gauges and histograms, and their Prometheus text.
 *
 * Families are declared once (a table in app/), series are made when a configuration is loaded
 * and looked up then, never on the hot path: what a request does is `metric_add(series, 1)`.
 * Label values come from the loaded configuration only, so the number of series is bounded.
 * One thread. Series live until the registry is freed. */
#ifndef SLUICE_BASE_METRIC_H
#define SLUICE_BASE_METRIC_H

#include "sluice/base/buf.h"

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_family; /* name, help, label names, buckets */
struct metric_series; /* one combination of label values */
struct metric_registry;

struct metric_registry *metric_registry_new(void);
void metric_registry_free(struct metric_registry *r);

/* `labels` is a comma separated list of label names ("model,provider"), "" for none.
 * `buckets` (histograms) are upper bounds in ascending order in the metric's own unit; borrowed for
 * the registry's life. A name that exists returns the family that is there. */
struct metric_family *metric_declare(struct metric_registry *r, enum metric_kind kind,
                                     const char *name, const char *help, const char *labels,
                                     const double *buckets, unsigned nbuckets);

/* The series with these label values (as many as label names), made when it is new. A registry
 * holds at most 20,000 series; past that everything lands in one series labelled "other". */
struct metric_series *metric_series(struct metric_family *f, const char *const *values);

void metric_add(struct metric_series *s, double by);        /* counters, gauges */
void metric_set(struct metric_series *s, double value);     /* gauges */
void metric_observe(struct metric_series *s, double value); /* histograms */
double metric_value(const struct metric_series *s);         /* histograms: the count */

/* Prometheus text format 0.0.4, families in order of declaration. 0 or -ENOMEM. */
int metric_write(const struct metric_registry *r, struct buf *out)
    __attribute__((warn_unused_result));

#endif
