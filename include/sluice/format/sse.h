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
    /* about the event just reported; valid until the next call and as long as the input is */
    struct span data; /* joined data; a comment-only block or one without data is not reported */
    struct span
        name; /* of the `event:` line, empty when there was none; at most 63 bytes are kept */
    /* At SSE_MORE: bytes of the current, unfinished block (comments included) consumed so far in all
     * calls. 0 between blocks: blank lines, and a block that ended without data (a comment sent as
     * a keep-alive), are finished. At SSE_EVENT: how many of the event's bytes came in earlier calls. */
    size_t pending;
    bool saw_comment; /* since the last reported event */
    /* private */
    bool swallow_lf; /* the CR of what may be a CRLF was the last byte */
    bool has_data, borrowed, reported;
    uint8_t bom; /* bytes of the BOM seen, or BOM_PAST */
    uint8_t name_len;
    char name_text[63];
    struct buf line;   /* a line the input broke off in */
    struct buf joined; /* data that could not be borrowed */
    size_t limit;
};

/* `limit`: the most bytes one event may have (its joined data, and the line under way), e.g. 16 MiB.
 * No memory is taken before an event is split over two calls or over several `data:` lines. */
void sse_init(struct sse *s, size_t limit);
void sse_fini(struct sse *s);

/* Consumes from `*input` (moving its start) up to and including the blank line that ends an event,
 * or all of it. A CRLF split between two calls leaves the LF to the next call, which takes it before
 * the block that follows. */
enum sse_status sse_next(struct sse *s, struct span *input);

/* At end of input: true when an unfinished event has data that is exactly `[DONE]` or one complete
 * JSON value (providers do end that way, protocols.md §2.1); it is then described as by SSE_EVENT. */
bool sse_finish(struct sse *s);

#endif
