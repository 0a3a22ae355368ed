/* sse.h: an incremental reader of server-sent events that knows where each one lies in the bytes.
 *
 * WHATWG HTML §9.2.6: lines end in LF, CRLF or a lone CR, mixed as they come and split anywhere; an
 * optional BOM first; comments; several `data:` lines joined with LF. The reader is for a relay: it
 * reports the raw extent of every event (so that the bytes can go on as they came, or be withheld)
 * and its data. Data that lies in one piece in the input is borrowed from it; otherwise it is put
 * together in the reader's own bounded buffer. */
#ifndef SLUICE_FORMAT_SSE_H
#define SLUICE_FORMAT_SSE_H

#include "sluice/base/buf.h"

enum sse_status {
    SSE_MORE,      /* all input was consumed; an event may be under way (see sse->pending) */
    SSE_EVENT,     /* an event was completed; sse->data and sse->name describe it */
    SSE_TOO_LARGE, /* an event passed the limit; the reader is of no further use */
};

struct sse {
    /* about the event just reported; valid until the next call */
    struct span data; /* joined data; a comment-only block or one without data is not reported */
    struct span name; /* of the `event:` line, empty when there was none; at most 63 bytes are kept */
    /* bytes of the current, unfinished event block (comments included) consumed so far in all calls */
    size_t pending;
    bool saw_comment; /* since the last reported event */
    /* private */
    uint8_t state, field;
    bool swallow_lf, fresh, has_data, borrowed;
    uint8_t bom;
    uint8_t prefix_len;
    char prefix[8];
    char name_text[64];
    uint8_t name_len;
    struct buf joined;
    size_t limit;
};

/* `limit`: the most bytes one event may have (its joined data), e.g. 16 MiB. */
void sse_init(struct sse *s, size_t limit);
void sse_fini(struct sse *s);

/* Consumes from `*input` (moving its start) up to and including the blank line that ends an event,
 * or all of it. A CRLF split between two calls leaves the LF to the next call, where it counts as
 * part of the block that follows. Blank lines between events are consumed silently as part of the
 * following block. */
enum sse_status sse_next(struct sse *s, struct span *input);

/* At end of input: true when an unfinished event has data that is exactly `[DONE]` or one complete
 * JSON value (providers do end that way, protocols.md §2.1); it is then described as by SSE_EVENT. */
bool sse_finish(struct sse *s);

#endif
