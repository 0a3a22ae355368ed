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
 * OTLP_TEXT_MAX bytes, so that a span has a size: its room is reserved when it is opened, and what is
 * written then is not checked piece by piece. OTLP_TEXTS_MAX are the most there may be, events and
 * their attributes included. */
#ifndef SLUICE_FORMAT_OTLP_SPAN_H
#define SLUICE_FORMAT_OTLP_SPAN_H

#include "sluice/base/buf.h"
#include "sluice/format/json_line.h"

enum { OTLP_TEXT_MAX = 256, OTLP_STATE_MAX = 512, OTLP_TEXTS_MAX = 36 };

enum otlp_kind { OTLP_SERVER = 2, OTLP_CLIENT = 3 };

struct otlp_head {
    const char *trace;  /* 32 hex digits */
    const char *id;     /* 16 */
    const char *parent; /* 16; NULL: a root */
    struct span state;  /* tracestate, OTLP_STATE_MAX at most */
    unsigned flags;     /* W3C's */
    bool has_remote_parent;
    enum otlp_kind kind;
    const char *verb; /* the name is "verb noun"; a word of ours, and a text */
    struct span noun;
    uint64_t start_us, end_us; /* unix */
};

struct otlp_span {
    struct buf *into;
    struct json_line line;
    bool is_after_one; /* an attribute of the same list */
    bool has_events;
};

/* -ENOMEM: there is no room, and nothing may be written. */
int otlp_span_open(struct otlp_span *s, struct buf *into, const struct otlp_head *h)
    __attribute__((warn_unused_result));

/* One attribute: a literal key, as the text of JSON it becomes. */
#define OTLP_KEY(key, type) SPAN_LIT("{\"key\":\"" key "\",\"value\":{\"" type "\":")
#define otlp_text(s, key, value) otlp_put_text(s, OTLP_KEY(key, "stringValue"), value)
#define otlp_word(s, key, value) otlp_text(s, key, span_text(value)) /* NULL: nothing */
#define otlp_u64(s, key, value) otlp_put_u64(s, OTLP_KEY(key, "intValue"), value)
#define otlp_bool(s, key, value) otlp_put_bool(s, OTLP_KEY(key, "boolValue"), value)
#define otlp_seconds(s, key, us) otlp_put_decimal(s, OTLP_KEY(key, "doubleValue"), us, 6)
#define otlp_usd(s, key, pd) otlp_put_decimal(s, OTLP_KEY(key, "doubleValue"), pd, 12)
#define otlp_list_of_one(s, key, value) otlp_put_list(s, OTLP_KEY(key, "arrayValue"), value)
/* Attributes from here on are the event's. */
#define otlp_event(s, name, at_us) otlp_put_event(s, SPAN_LIT(name), at_us)

void otlp_span_close(struct otlp_span *s, bool has_failed);

/* What the macros call. */
void otlp_put_text(struct otlp_span *s, struct span key, struct span value);
void otlp_put_u64(struct otlp_span *s, struct span key, uint64_t value);
void otlp_put_bool(struct otlp_span *s, struct span key, bool value);
void otlp_put_decimal(struct otlp_span *s, struct span key, uint64_t value, unsigned decimals);
void otlp_put_list(struct otlp_span *s, struct span key, struct span value);
void otlp_put_event(struct otlp_span *s, struct span name, uint64_t at_us);

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
