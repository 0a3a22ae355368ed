/* passing.h: what the meter must know of an answer that passes through as it came.
 *
 * The pass lane forwards bytes; beside it, each event of a stream, or a whole answer, is looked at for
 * its counts, its end and its errors. Each protocol has its own way of saying these; a `struct passing`
 * is one such way. Looks, never holds: spans lie in the data that was passed in. */
#ifndef SLUICE_CODEC_PASSING_H
#define SLUICE_CODEC_PASSING_H

#include "sluice/codec/fault.h"
#include "sluice/meter/usage.h"

enum passing_kind {
    EVENT_CHUNK,
    EVENT_DONE,      /* the last event of a stream; it may carry usage and a finish as well */
    EVENT_ERROR,     /* an `error` member that is not null */
    EVENT_MALFORMED, /* not a JSON object */
};

struct passing_event {
    enum passing_kind kind;
    bool has_content;    /* it brings, or opens, a part of the answer */
    struct span content; /* the value that does; for `brings_token` */
    struct span type;    /* Messages, Responses: of the event */
    struct span usage;   /* the object, empty when absent or null */
    struct span finish;  /* why the model stopped, in the protocol's word */
    struct span error;   /* EVENT_ERROR: the member's value */
    uint32_t open, end;  /* offsets of the outer braces in the data */
    uint32_t host;       /* of the brace of what has the usage: costs are told there */
    unsigned images;     /* pictures: that are in it, ready */
    uint64_t audio_ms;   /* transcriptions: how long the sound is */
    bool is_empty;       /* {} */
    bool has_request_id, has_provider;  /* members of these names are there already */
    bool has_id, has_object, has_model; /* embeddings: likewise */
    uint64_t sequence;                  /* Responses: the event's number */
    struct span begun;                  /* Responses: the object of response.created */
    bool is_last;                       /* EVENT_ERROR: it ends the stream, too */
};

struct openai_prefix; /* what the chunks of one Chat stream have in common: openai_stream.h */

struct passing {
    struct passing_event (*look)(struct openai_prefix *common,
                                 struct span data); /* common: NULL for a
                                                                            * whole answer */
    bool (*read_usage)(struct usage *u, struct span object);
    /* Is a token in this content, or does it only open the answer? */
    bool (*brings_token)(struct span content);
    /* Does an event of this type, without a token, only open the answer, too? Then it can wait for
     * what it opens. NULL: each that brings no token does. */
    bool (*only_opens)(struct span type);
    /* What ends a stream whose provider left that out after all content had come. */
    struct span terminator;
    /* Appends an event that only shows life, behind the one with this number; NULL: a comment will do. */
    int (*ping)(uint64_t sequence, struct buf *out);
    bool terminates_errors; /* it follows an error event, too */
    bool has_usage_chunk;   /* usage comes in a chunk of its own, and only when asked for */
    struct span bill;       /* type of the event whose usage is the last; empty: any has it */
    /* Bytes of text in a content of a stream: the first that brings a token shows what is around it. */
    size_t (*text_of)(struct span content);
};

/* How answers to requests of this API pass. */
const struct passing *passing_for(enum api_protocol api);

#endif
