/* openai_stream.h: what one event of an OpenAI stream, or one whole answer, tells the gateway.
 *
 * Looks, never holds: spans lie in the data that was passed in. Shapes and the liberties providers
 * take with them: protocols.md §3.3 and §3.4. */
#ifndef SLUICE_CODEC_OPENAI_STREAM_H
#define SLUICE_CODEC_OPENAI_STREAM_H

#include "sluice/base/span.h"

enum openai_event_kind {
    EVENT_CHUNK,
    EVENT_DONE,      /* [DONE] */
    EVENT_ERROR,     /* an `error` member that is not null */
    EVENT_MALFORMED, /* not a JSON object */
};

struct openai_event {
    enum openai_event_kind kind;
    bool has_choices;      /* `choices` with at least one element */
    struct span usage;     /* the object, empty when absent or null */
    struct span finish;    /* the word of the first finish_reason that is a string */
    struct span error;     /* EVENT_ERROR: the member's value */
    size_t open, end;      /* offsets of the outer braces in the data */
    bool is_empty;         /* {} */
    bool has_request_id, has_provider; /* members of these names are there already */
};

/* `data`: the joined data of an SSE event, or a whole response body. */
struct openai_event openai_event_look(struct span data);

#endif
