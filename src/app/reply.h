/* reply.h: one answer of a chat, read while it comes and shown at once: the text on stdout, thoughts
 * on a terminal's stderr, and at the end what it took. */
#ifndef SLUICE_APP_REPLY_H
#define SLUICE_APP_REPLY_H

#include "caller.h"

#include "sluice/format/sse.h"

struct reply {
    unsigned status; /* of HTTP; 0 before the head */
    bool is_stream;
    bool is_done; /* it ended as it should */
    bool in_thought;
    struct sse sse;
    struct buf text;                     /* all of the answer, for the conversation */
    struct buf body;                     /* an answer that is no stream, an error mostly */
    uint64_t sent_us, first_us, last_us; /* clock_us; first_us is 0 before the first text */
    uint64_t tokens_in, tokens_out;
    bool has_usage;
    char cost[32];     /* USD as the gateway wrote it, "" unknown */
    char provider[64]; /* who answered, "" unknown */
    char problem[600]; /* "" none */
};

void reply_init(struct reply *r);
void reply_fini(struct reply *r);

extern const struct caller_events reply_events; /* arg is a struct reply */

/* After the call: finishes the line, explains what went wrong, and gives the exit code. */
int reply_finish(struct reply *r, enum call_end end, const struct err *why, const char *url);
/* "ttft 212 ms, 1.9 s, 63.2 tokens/s, 12 in, 118 out, $0.000235, openai" on stderr. */
void reply_print_stats(const struct reply *r);

#endif
