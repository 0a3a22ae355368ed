/* custom_tool.h: free text out of functions that were made of custom tools.
 *
 * A custom tool takes text; where an upstream knows functions only, it is offered as a function of one
 * string, {"input": "…"}, and the calls that come back are unwrapped here, between reader and writer,
 * piece by piece as they arrive (protocols.md §8.6). A call that is no such object goes on as it is. */
#ifndef SLUICE_CODEC_CUSTOM_TOOL_H
#define SLUICE_CODEC_CUSTOM_TOOL_H

#include "sluice/codec/turn_event.h"

enum { CUSTOM_CALLS_MAX = 64, CUSTOM_HEAD_MAX = 64 };

/* Where in {"input": "…"} a call is. */
enum custom_state { CUSTOM_HEAD, CUSTOM_TEXT, CUSTOM_TAIL, CUSTOM_PLAIN };

struct custom_call {
    unsigned slot;
    enum custom_state state;
    uint8_t outer[6], nouter; /* an escape of the event's string that is not complete */
    uint8_t inner[6], ninner; /* one of the wrapped string's */
    uint8_t nhead;
    char head[CUSTOM_HEAD_MAX]; /* what came before the text, unescaped */
};

struct custom_tool {
    const struct span *names; /* raw, of the tools that were wrapped */
    unsigned n;
    struct custom_call *calls; /* made with the first one */
    unsigned ncalls;
    struct buf out;
};

/* `names` outlive it. */
void custom_tool_init(struct custom_tool *c, const struct span *names, unsigned n);
void custom_tool_fini(struct custom_tool *c);

/* Hands `e` on to `next`, unwrapped where that is due; false when `next` said so. */
bool custom_tool_event(struct custom_tool *c, const struct turn_event *e, turn_event_fn next,
                       void *arg);

#endif
