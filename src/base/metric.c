#include "sluice/base/metric.h"

#include "sluice/base/arena.h"
#include "sluice/base/map.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SERIES_MAX 20000

struct metric_series {
    struct metric_series *next;
    enum metric_kind kind;
    const double *bounds; /* histograms: upper bounds, ascending */
    unsigned nbounds;
    char *labels; /* as written: model="a",provider="b"; owned, and the key in family->by_labels */
    double value; /* counter, gauge; histograms: the sum */
    uint64_t count;  /* histograms */
    uint64_t bins[]; /* histograms: nbounds + 1, each counting its own range only */
};

struct metric_family {
    struct metric_registry *registry;
    struct metric_family *next;
    enum metric_kind kind;
    char *name, *help, *label_names;
    const double *bounds;
    unsigned nbounds;
    struct map by_labels;
    struct metric_series *first, **last; /* in order of creation, for a stable page */
};

struct metric_registry {
    struct metric_family *first, **last;
    unsigned nseries;
};

struct metric_registry *metric_registry_new(void)
{
    struct metric_registry *r = xcalloc(1, sizeof(*r));
    r->last = &r->first;
    return r;
}

static void family_free(struct metric_family *f)
{
    while (f->first != NULL) {
        struct metric_series *next = f->first->next;
        free(f->first->labels);
        free(f->first);
        f->first = next;
    }
    map_fini(&f->by_labels);
    free(f->name);
    free(f->help);
    free(f->label_names);
    free(f);
}

void metric_registry_free(struct metric_registry *r)
{
    if (r == NULL)
        return;
    while (r->first != NULL) {
        struct metric_family *next = r->first->next;
        family_free(r->first);
        r->first = next;
    }
    free(r);
}

struct metric_family *metric_declare(struct metric_registry *r, enum metric_kind kind,
                                     const char *name, const char *help, const char *labels,
                                     const double *buckets, unsigned nbuckets)
{
    for (struct metric_family *f = r->first; f != NULL; f = f->next)
        if (strcmp(f->name, name) == 0)
            return f;
    struct metric_family *f = xcalloc(1, sizeof(*f));
    f->registry = r;
    f->kind = kind;
    f->name = xstrdup(name);
    f->help = xstrdup(help);
    f->label_names = xstrdup(labels);
    if (kind == METRIC_HISTOGRAM) {
        f->bounds = buckets;
        f->nbounds = nbuckets;
    }
    f->last = &f->first;
    *r->last = f;
    r->last = &f->next;
    return f;
}

/* --- series ---------------------------------------------------------------------------------- */

/* Prometheus escapes backslash and line feed everywhere, the quote in label values only. */
static int add_escaped(struct buf *b, const char *text, bool quoted)
{
    int rc = 0;
    for (; rc == 0 && *text != '\0'; text++) {
        if (*text == '\n')
            rc = buf_add_text(b, "\\n");
        else if (*text == '\\' || (quoted && *text == '"'))
            rc = buf_addf(b, "\\%c", *text);
        else
            rc = buf_add_byte(b, (uint8_t)*text);
    }
    return rc;
}

/* name="value",… and a NUL; `values` NULL makes every value "other". */
static int render_labels(const struct metric_family *f, const char *const *values, struct buf *out)
{
    struct span rest = span_text(f->label_names);
    for (unsigned i = 0; rest.len > 0; i++) {
        struct span name = span_trim(span_cut(&rest, ','));
        int rc = buf_addf(out, "%s%.*s=\"", i == 0 ? "" : ",", SPAN_FMT(name));
        if (rc == 0)
            rc = add_escaped(out, values == NULL ? "other" : values[i], true);
        if (rc == 0)
            rc = buf_add_byte(out, '"');
        if (rc < 0)
            return rc;
    }
    return buf_add_byte(out, '\0');
}

/* The series with these rendered labels; made when it is new. Takes the buffer over. */
static struct metric_series *series_of(struct metric_family *f, struct buf *labels)
{
    struct span key = span_text((const char *)buf_span(labels).at);
    struct metric_series *s = map_get(&f->by_labels, key);
    if (s != NULL) {
        buf_fini(labels);
        return s;
    }
    unsigned bins = f->kind == METRIC_HISTOGRAM ? f->nbounds + 1 : 0;
    s = xcalloc(1, sizeof(*s) + bins * sizeof(s->bins[0]));
    s->kind = f->kind;
    s->bounds = f->bounds;
    s->nbounds = f->nbounds;
    s->labels = (char *)labels->at; /* never consumed from, so its head is the start */
    if (map_put(&f->by_labels, key, s) < 0)
        abort(); /* as xcalloc: bounded by SERIES_MAX */
    *f->last = s;
    f->last = &s->next;
    f->registry->nseries++;
    return s;
}

struct metric_series *metric_series(struct metric_family *f, const char *const *values)
{
    struct buf labels = {0};
    if (render_labels(f, values, &labels) < 0)
        abort();
    bool known = map_get(&f->by_labels, span_text((const char *)labels.at)) != NULL;
    if (!known && f->registry->nseries >= SERIES_MAX) {
        buf_clear(&labels);
        if (render_labels(f, NULL, &labels) < 0)
            abort();
    }
    return series_of(f, &labels);
}

/* --- what requests do ------------------------------------------------------------------------ */

void metric_add(struct metric_series *s, double by)
{
    s->value += by;
}

void metric_set(struct metric_series *s, double value)
{
    s->value = value;
}

/* Index of the first bound that is >= value, nbounds when none is. Halving without a branch that
 * depends on the value: latencies are spread, so such a branch would be mispredicted. */
static unsigned bin_of(const struct metric_series *s, double value)
{
    const double *at = s->bounds;
    unsigned n = s->nbounds;
    if (n == 0)
        return 0;
    while (n > 1) {
        unsigned half = n / 2;
        at += half & -(unsigned)(at[half - 1] < value); /* a mask: compilers branch on ?: here */
        n -= half;
    }
    return (unsigned)(at - s->bounds) + (*at < value);
}

void metric_observe(struct metric_series *s, double value)
{
    if (isnan(value))
        return; /* it would poison the sum for good */
    s->bins[bin_of(s, value)]++;
    s->value += value;
    s->count++;
}

double metric_value(const struct metric_series *s)
{
    return s->kind == METRIC_HISTOGRAM ? (double)s->count : s->value;
}

/* --- the page -------------------------------------------------------------------------------- */

static int add_number(struct buf *b, double value)
{
    if (isnan(value))
        return buf_add_text(b, "NaN");
    if (isinf(value))
        return buf_add_text(b, value > 0 ? "+Inf" : "-Inf");
    char text[32];
    (void)snprintf(text, sizeof(text), "%.15g", value);
    if (strtod(text, NULL) != value)
        (void)snprintf(text, sizeof(text), "%.17g", value);
    return buf_add_text(b, text);
}

/* name{labels}, and the blank behind it */
static int add_name(struct buf *out, const struct metric_family *f, const struct metric_series *s,
                    const char *suffix)
{
    if (s->labels[0] == '\0')
        return buf_addf(out, "%s%s ", f->name, suffix);
    return buf_addf(out, "%s%s{%s} ", f->name, suffix, s->labels);
}

static int write_bucket(struct buf *out, const struct metric_family *f,
                        const struct metric_series *s, double bound, uint64_t at_most)
{
    const char *comma = s->labels[0] == '\0' ? "" : ",";
    int rc = buf_addf(out, "%s_bucket{%s%sle=\"", f->name, s->labels, comma);
    if (rc == 0)
        rc = add_number(out, bound);
    return rc < 0 ? rc : buf_addf(out, "\"} %" PRIu64 "\n", at_most);
}

static int write_histogram(struct buf *out, const struct metric_family *f,
                           const struct metric_series *s)
{
    uint64_t at_most = 0;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < f->nbounds; i++) {
        at_most += s->bins[i];
        rc = write_bucket(out, f, s, f->bounds[i], at_most);
    }
    if (rc == 0)
        rc = write_bucket(out, f, s, INFINITY, s->count);
    if (rc == 0)
        rc = add_name(out, f, s, "_sum");
    if (rc == 0)
        rc = add_number(out, s->value);
    if (rc == 0)
        rc = buf_add_byte(out, '\n');
    if (rc == 0)
        rc = add_name(out, f, s, "_count");
    return rc < 0 ? rc : buf_addf(out, "%" PRIu64 "\n", s->count);
}

static int write_series(struct buf *out, const struct metric_family *f,
                        const struct metric_series *s)
{
    if (f->kind == METRIC_HISTOGRAM)
        return write_histogram(out, f, s);
    int rc = add_name(out, f, s, "");
    if (rc == 0)
        rc = add_number(out, s->value);
    return rc < 0 ? rc : buf_add_byte(out, '\n');
}

static int write_family(struct buf *out, const struct metric_family *f)
{
    static const char *const kinds[] = {
        [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_HISTOGRAM] = "histogram"};
    int rc = buf_addf(out, "# HELP %s ", f->name);
    if (rc == 0)
        rc = add_escaped(out, f->help, false);
    if (rc == 0)
        rc = buf_addf(out, "\n# TYPE %s %s\n", f->name, kinds[f->kind]);
    for (const struct metric_series *s = f->first; rc == 0 && s != NULL; s = s->next)
        rc = write_series(out, f, s);
    return rc;
}

int metric_write(const struct metric_registry *r, struct buf *out)
{
    int rc = 0;
    for (const struct metric_family *f = r->first; rc == 0 && f != NULL; f = f->next)
        rc = write_family(out, f);
    return rc;
}
