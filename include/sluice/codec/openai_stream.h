/* openai_stream.h: what one event of an OpenAI stream, or one whole answer, tells the gateway.
 *
 * Looks, never holds: spans lie in the data that was passed in. Shapes and the liberties providers
 * take with them: protocols.md §3.3 and §3.4. */
#ifndef SLUICE_CODEC_OPENAI_STREAM_H
#define SLUICE_CODEC_OPENAI_STREAM_H

#include "sluice/codec/passing.h"
#include "sluice/format/json_scan.h"

/* Do these choices only open the answer? The first chunk names the role and brings no token yet. */
bool openai_choices_only_open(struct span choices);

/* `data`: the joined data of an SSE event, or a whole response body. */
struct passing_event openai_event_look(struct span data);

/* The chunks of one stream begin alike: id, object, created and model come again and again. What is
 * common to them is read once and remembered with the scanner's state behind it, so that looking at
 * a chunk costs what is new in it. The answer is the same as openai_event_look's. */
#define OPENAI_PREFIX_MAX 232

struct openai_prefix {
    struct json_scan behind; /* the scanner's state after the prefix */
    uint16_t len;            /* 0: nothing learned yet */
    uint16_t skipped;        /* chunks to pass before learning: the first one differs */
    uint8_t bytes[OPENAI_PREFIX_MAX];
};

void openai_prefix_init(struct openai_prefix *p);
/* `p` may be NULL: nothing is remembered. */
struct passing_event openai_chunk_look(struct openai_prefix *p, struct span data);

#endif
