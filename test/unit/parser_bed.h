/* parser_bed.h: everything a parser reports as one text, and the ways to feed it.
 *
 *   POST /a keep counted x-a=1      the head; of the fields those whose names begin with "x-"
 *   <hello>                         the body, its pieces joined
 *   .                               complete
 *   !400                            refused with this status
 *   cut                             the input ended inside a message */
#ifndef SLUICE_TEST_PARSER_BED_H
#define SLUICE_TEST_PARSER_BED_H

#include "sluice/http/parser.h"

#include <stdlib.h>

struct parser_bed {
    struct parser parser;
    struct buf report;
    bool in_body;
    bool stops; /* as the server does: stop behind each message, go on from outside */
};

static inline void bed_must(int rc)
{
    if (rc < 0)
        abort();
}

static inline bool bed_on_head(void *owner, const struct http_head *h)
{
    static const char *const framing[] = {"none", "counted", "chunked", "until-close"};
    struct parser_bed *b = owner;
    if (h->status == 0)
        bed_must(buf_addf(&b->report, "%s %.*s", http_method_name(h->method), SPAN_FMT(h->target)));
    else
        bed_must(buf_addf(&b->report, "%u", h->status));
    bed_must(buf_addf(&b->report, "%s %s %s%s", h->minor == 0 ? " 1.0" : "",
                      h->keep_alive ? "keep" : "close", framing[h->framing],
                      h->expects_continue ? " continue" : ""));
    if (h->framing == FRAMING_COUNTED)
        bed_must(buf_addf(&b->report, "=%llu", (unsigned long long)h->content_length));
    for (unsigned i = 0; i < h->nfields; i++) {
        struct span name = h->fields[i].name;
        if (span_ieq(span_sub(name, 0, 2), SPAN_LIT("x-"))) {
            bed_must(buf_addf(&b->report, " %.*s=", SPAN_FMT(name)));
            bed_must(buf_add(&b->report, h->fields[i].value));
        }
    }
    bed_must(buf_add_byte(&b->report, '\n'));
    return true;
}

static inline void bed_on_body(void *owner, struct span piece)
{
    struct parser_bed *b = owner;
    if (!b->in_body)
        bed_must(buf_add_byte(&b->report, '<'));
    b->in_body = true;
    bed_must(buf_add(&b->report, piece));
}

static inline void bed_end_body(struct parser_bed *b)
{
    if (b->in_body)
        bed_must(buf_add_text(&b->report, ">\n"));
    b->in_body = false;
}

static inline void bed_on_complete(void *owner)
{
    struct parser_bed *b = owner;
    bed_end_body(b);
    bed_must(buf_add_text(&b->report, ".\n"));
    if (b->stops)
        parser_stop(&b->parser);
}

static const struct parser_events bed_events = {bed_on_head, bed_on_body, bed_on_complete};

static inline void bed_init(struct parser_bed *b, bool requests, const struct parser_limits *limits)
{
    *b = (struct parser_bed){.stops = false};
    parser_init(&b->parser, requests, limits, &bed_events, b);
}

static inline void bed_fini(struct parser_bed *b)
{
    parser_fini(&b->parser);
    buf_fini(&b->report);
}

/* One piece, in memory of its own size that is gone afterwards. False: refused. */
static inline bool bed_feed(struct parser_bed *b, struct span piece)
{
    uint8_t *memory = malloc(piece.len == 0 ? 1 : piece.len);
    if (memory == NULL)
        abort();
    if (piece.len > 0)
        memcpy(memory, piece.at, piece.len);
    struct span rest = span_of(memory, piece.len);
    int rc;
    while ((rc = parser_feed(&b->parser, &rest)) == 0 && rest.len > 0)
        parser_resume(&b->parser);
    parser_resume(&b->parser);
    free(memory);
    if (rc == 0)
        return true;
    bed_end_body(b);
    bed_must(buf_addf(&b->report, "!%u", b->parser.problem.status));
    return false;
}

static inline void bed_finish(struct parser_bed *b)
{
    if (parser_finish(&b->parser) < 0) {
        bed_end_body(b);
        bed_must(buf_add_text(&b->report, "cut"));
    }
}

#endif
