/* turn_codec.h: the protocols as the turn lane sees them: one table of functions each.
 *
 * A client codec reads the requests of one client protocol and writes its answers; an upstream codec
 * writes the requests of one upstream protocol and reads its answers. Any of the one goes with any of
 * the other, because between them there are only turn_request.h and turn_event.h. */
#ifndef SLUICE_CODEC_TURN_CODEC_H
#define SLUICE_CODEC_TURN_CODEC_H

#include "sluice/codec/answer_identity.h"
#include "sluice/codec/turn_event.h"
#include "sluice/codec/turn_wire.h"

/* Which upstream protocol a request is translated to. */
enum upstream_api {
    UPSTREAM_CHAT,
    UPSTREAM_MESSAGES,
    UPSTREAM_RESPONSES,
    UPSTREAM_GEMINI,
    UPSTREAM_CONVERSE,
};

/* How the events of a stream are told apart. */
enum upstream_framing {
    UPSTREAM_SSE,          /* server-sent events */
    UPSTREAM_EVENT_STREAM, /* AWS's binary one: format/event_stream.h */
};

struct upstream_codec {
    struct span family;     /* whose reasoning proofs it can check; see proof.h */
    bool knows_json_object; /* it can be told to answer with one JSON object, of any form */
    /* Writes the body; as turn_wire.h says. */
    bool (*write)(const struct turn_request *r, const struct wire_options *o, struct arena *a,
                  struct buf *out, struct turn_notes *notes, struct fault *why);

    /* Does a media part's URL go on as it is, or is refused by `write`? False: it wants the content. */
    bool (*takes_url)(const struct turn_part *p, const struct wire_options *o);

    /* Reads an answer. `r` points to reader_size zeroed bytes, aligned for anything. */
    size_t reader_size;
    enum upstream_framing framing;
    /* `unique`: letters and digits no other answer has. */
    void (*init)(void *r, struct span unique, turn_event_fn emit, void *arg);
    /* One event of the stream: its type, where the framing names it, and its data. */
    void (*event)(void *r, struct span type, struct span data);
    void (*error)(void *r, struct span code, struct span message); /* UPSTREAM_EVENT_STREAM only */
    void (*end)(void *r);                                          /* the stream's bytes ended */
    void (*whole)(void *r, struct span body);                      /* in place of the two above */
    void (*fini)(void *r);
};

struct client_codec {
    bool (*read)(struct span body, const struct translation_options *o, struct arena *a,
                 struct turn_request *out, struct fault *why);

    /* Writes an answer event by event. `w` points to writer_size zeroed bytes. `request` is the
     * client's body; it outlives the writer only where keeps_request says that it must. */
    size_t writer_size;
    bool keeps_request;
    bool tells_families; /* it can say whose a proof is: see proof.h */
    void (*init)(void *w, const struct answer_identity *who, struct span request, struct arena *a);
    int (*event)(void *w, const struct turn_event *e, struct buf *out); /* 0 or -ENOMEM */
    int (*ping)(void *w, struct buf *out); /* NULL: a comment will do */
    void (*fini)(void *w);

    /* Collects an answer and writes it whole. */
    size_t whole_size;
    void (*whole_init)(void *w, const struct answer_identity *who, struct span request,
                       struct arena *a);
    int (*whole_event)(void *w, const struct turn_event *e);
    int (*whole_write)(void *w, struct buf *out);
    void (*whole_fini)(void *w);
};

const struct upstream_codec *upstream_codec_for(enum upstream_api api);
/* NULL for an API that is never translated. */
const struct client_codec *client_codec_for(enum api_protocol api);

#endif
