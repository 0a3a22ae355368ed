/* otlp_span.h: spans as OTLP's JSON has them (opentelemetry-proto 1.x, OTLP/HTTP: ids in hex, enums as
 * numbers, 64-bit integers as strings).
 *
 *     otlp_batch_open        {"resourceSpans":[… "spans":[
 *       otlp_span_open         {"traceId": … "attributes":[
 *         otlp_text, otlp_u64, …  of the span,
 *         otlp_event              and then of each event
 *       otlp_span_close        ]}         , between spans is the caller's
 *     OTLP_BATCH_END         ]}]}]}
 *
 * What is empty or unknown is left out by the caller, but for texts: an empty one is. Texts are cut to
 * OTLP_TEXT_MAX bytes, so that a span has a size. The first failure (no memory) stays in out.rc. */
#ifndef SLUICE_FORMAT_OTLP_SPAN_H
#define SLUICE_FORMAT_OTLP_SPAN_H

#include "sluice/format/json_out.h"

#define OTLP_TEXT_MAX 256

enum otlp_kind { OTLP_SERVER = 2, OTLP_CLIENT = 3 };

struct otlp_head {
    const char *trace;  /* 32 hex digits */
    const char *id;     /* 16 */
    const char *parent; /* 16; NULL: a root */
    struct span state;  /* tracestate */
    unsigned flags;     /* W3C's */
    bool has_remote_parent;
    enum otlp_kind kind;
    const char *verb; /* the name is "verb noun" */
    struct span noun;
    uint64_t start_us, end_us; /* unix */
};

struct otlp_span {
    struct json_out out;
    bool is_after_one; /* an attribute of the same list */
    bool has_events;
};

void otlp_span_open(struct otlp_span *s, struct buf *into, const struct otlp_head *h);
void otlp_text(struct otlp_span *s, const char *key, struct span value);
void otlp_word(struct otlp_span *s, const char *key, const char *value); /* NULL: nothing */
void otlp_list_of_one(struct otlp_span *s, const char *key, struct span value);
void otlp_u64(struct otlp_span *s, const char *key, uint64_t value);
void otlp_bool(struct otlp_span *s, const char *key, bool value);
void otlp_seconds(struct otlp_span *s, const char *key, uint64_t us);
void otlp_usd(struct otlp_span *s, const char *key, uint64_t pd); /* of pico-dollars */
/* Attributes from here on are the event's. */
void otlp_event(struct otlp_span *s, const char *name, uint64_t at_us);
/* 0, or -ENOMEM when not all of it found room. */
int otlp_span_close(struct otlp_span *s, bool has_failed) __attribute__((warn_unused_result));

struct otlp_resource {
    const char *service, *version;
    struct span instance;
    const char *schema; /* URL: of which conventions the attributes are */
};
int otlp_batch_open(struct buf *out, const struct otlp_resource *r)
    __attribute__((warn_unused_result));
#define OTLP_BATCH_END SPAN_LIT("]}]}]}")

/* How many spans of a batch were not taken, as the answer to it says. */
uint64_t otlp_rejected(struct span answer);

#endif
