/* parser.h: bytes in, one HTTP/1.1 message after the other out. llhttp, strict, behind one seam.
 *
 * Strict means: what RFC 9112 forbids or leaves open to two readings is an error, never repaired.
 * On top of llhttp's own checks: only HTTP/1.0 and 1.1; no obs-fold; Transfer-Encoding is exactly "chunked", once;
 * at most one Content-Length and one Host; no upgrade is ever taken.
 *
 * A head that arrives in one piece is not copied: its spans lie in the bytes that were fed. One
 * that is split is collected first, up to the limit. Callbacks must not feed or free the parser;
 * `body` and `complete` may be followed by more callbacks of the same feed unless the callback
 * calls parser_stop. */
#ifndef SLUICE_HTTP_PARSER_H
#define SLUICE_HTTP_PARSER_H

#include "sluice/http/head.h"

#include <llhttp.h>

struct parser_events {
    /* A head is complete. False stops the parser (the message is refused or not wanted). */
    bool (*head)(void *owner, const struct http_head *head);
    void (*body)(void *owner, struct span piece);
    void (*complete)(void *owner);
};

struct parser_limits {
    size_t head_max;    /* bytes of one head; of one chunk's extensions, and of all trailers */
    unsigned field_max; /* number of fields */
};

/* Why a message was refused; `status` is what a server should answer. */
struct parser_problem {
    unsigned status;
    const char *what; /* static */
};

struct raw_field {
    uint32_t name_at, name_len, value_at, value_len; /* offsets into the head */
};

struct parser {
    llhttp_t engine;
    const struct parser_events *events;
    void *owner;
    struct parser_limits limits;
    struct parser_problem problem;
    /* the head under way */
    const uint8_t *start;  /* what is being fed now */
    size_t head_offset;    /* of `start` within the head: bytes collected before */
    struct buf collected;  /* a head that came in several pieces */
    struct raw_field *raw; /* the shared table, or our own once a head is split */
    unsigned nraw;
    uint32_t target_at, target_len;
    uint64_t body_left; /* FRAMING_COUNTED: what has not arrived */
    size_t skipped;     /* of one chunk's extensions, or of the trailers */
    bool in_message, in_head, value_seen, stopped;
};

void parser_init(struct parser *p, bool requests, const struct parser_limits *limits,
                 const struct parser_events *events, void *owner);
void parser_fini(struct parser *p);

/* Consumes `*bytes` (moving its start): all of it, or up to where a callback stopped the parser.
 * 0, or -EPROTO with p->problem filled. */
int parser_feed(struct parser *p, struct span *bytes) __attribute__((warn_unused_result));

/* End of input: 0 when no message was under way, or one that ends with the connection (its
 * `complete` is called); -EPROTO when one was cut off. */
int parser_finish(struct parser *p) __attribute__((warn_unused_result));

/* From within `head` or `complete`: stop after it. parser_resume makes feeding possible again. */
void parser_stop(struct parser *p);
void parser_resume(struct parser *p);

/* Has a message begun that is not complete yet? */
static inline bool parser_in_message(const struct parser *p)
{
    return p->in_message;
}

#endif
