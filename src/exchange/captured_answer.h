/* captured_answer.h: an answer that is kept on its way to the client, and given again to another.
 *
 * Capturing puts a sink in front of the client's: what passes is copied, up to a bound for one answer and
 * one for all, and nothing else changes. Signs of life are not part of an answer; they go to exchange_bare_sink. Exchanges that nobody
 * captures pay nothing.
 *
 * As kept: a version, the status, whether it is an event stream, the field lines that belong to the answer
 * rather than to the request (answer_lasting_fields), the body. */
#ifndef SLUICE_SRC_EXCHANGE_CAPTURED_ANSWER_H
#define SLUICE_SRC_EXCHANGE_CAPTURED_ANSWER_H

#include "sluice/base/buf.h"
#include "sluice/http/sink.h"

struct exchange;
struct gateway;

/* All captures and replays together; beyond that an answer is not kept, and a large one not given again. */
enum { CAPTURED_MAX_BYTES = 128 * 1024 * 1024 };

struct captured_answer {
    struct sink sink; /* first: it stands in front of the next */
    struct sink *behind;
    struct gateway *gateway;
    struct buf bytes; /* as kept */
    size_t counted;   /* in gateway->captured_bytes */
    unsigned status;
    bool is_too_large, is_complete;
};

/* From now on, to x->captured; idempotent. */
void captured_answer_start(struct exchange *x);
/* The client's own sink is the exchange's again. NULL is fine for x->captured. */
void captured_answer_stop(struct exchange *x);
void captured_answer_free(struct exchange *x);

/* Did all of it go out, and is it one to be given again: 2xx, or a 4xx that would come again? */
bool captured_answer_lasts(const struct exchange *x);

/* --- given again ------------------------------------------------------------------------------------ */

/* Answers with `kept`, which is copied; `more` are field lines of this exchange's. The exchange ends,
 * within this call or once the client has taken it all. False: it is no answer, and nothing happened. */
bool captured_answer_replay(struct exchange *x, struct span kept, struct span more);
void captured_answer_go_on(struct exchange *x); /* the client takes more */
void captured_answer_replay_stop(struct exchange *x);

#endif
