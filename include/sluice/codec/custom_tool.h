/* custom_tool.h: free text out of functions that were made of custom tools.
 *
 * A custom tool takes text; where an upstream knows functions only, it is offered as a function of one
 * string, {"input": "…"}, and the calls that come back are unwrapped here, between reader and writer,
 * piece by piece as they arrive (protocols.md §8.6). Held back is what could still become the wrapper's
 * head, CUSTOM_HEAD_MAX bytes at most, and an escape that is not complete.
 *
 * A call that does not begin as the wrapper does goes on as it is, byte for byte. Within the text
 * mistakes are mended: a backslash that escapes nothing stands for itself. So what leaves is always the
 * inside of a JSON string when what came was. */
#ifndef SLUICE_CODEC_CUSTOM_TOOL_H
#define SLUICE_CODEC_CUSTOM_TOOL_H

#include "sluice/codec/turn_event.h"

enum { CUSTOM_CALLS_MAX = 1024, CUSTOM_HEAD_MAX = 96 };

/* Where in {"input": "…"} a call is. */
enum custom_state { CUSTOM_HEAD, CUSTOM_TEXT, CUSTOM_TAIL, CUSTOM_PLAIN };

struct custom_call {
    unsigned slot;
    enum custom_state state;
    uint8_t outer[6], nouter;      /* an escape of the event's string that is not complete */
    uint8_t inner[6], ninner;      /* one of the wrapped string's, decoded once */
    uint8_t matched;               /* how much of the wrapper's head was seen, blanks left out */
    uint8_t head[CUSTOM_HEAD_MAX]; /* as it came, in case that it is none */
    uint8_t nhead;
};

struct custom_tool {
    const struct span *names; /* raw, of the tools that were wrapped */
    unsigned n;
    struct custom_call *calls; /* grows with them */
    unsigned ncalls, room;
    struct buf out;
    bool out_of_memory;
};

/* `names` outlive it. */
void custom_tool_init(struct custom_tool *c, const struct span *names, unsigned n);
void custom_tool_fini(struct custom_tool *c);

/* Hands `e` on to `next`, unwrapped where that is due; false when `next` said so. More than
 * CUSTOM_CALLS_MAX calls, or no memory: `next` gets a TURN_FAULT instead, and false is returned. */
bool custom_tool_event(struct custom_tool *c, const struct turn_event *e, turn_event_fn next,
                       void *arg);

#endif
