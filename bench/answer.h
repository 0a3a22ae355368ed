/* bench/answer.h: reads one response and judges it.
 *
 * A whole answer must be 200, complete, and JSON by its ends. A stream must be 200, bring every
 * numbered chunk once and in order, a finish, and the end of its protocol as its last event. */
#ifndef BENCH_ANSWER_H
#define BENCH_ANSWER_H

#include "hist.h"
#include "http.h"

/* What all answers add up to. */
struct tally {
    bool measuring; /* inside the window: histograms are recorded */
    uint64_t requests, chunks, errors;
    char first_error[200];
    struct hist latency, ttft, chunk;
};

struct answer {
    uint64_t start_ns; /* when the request was, or should have been, sent */
    bool is_stream;
    enum { ANSWER_HEAD, ANSWER_BODY, ANSWER_COMPLETE } at;
    struct http_body body;
    unsigned status;
    bool close; /* the connection is not to be used again */
    char last_byte;
    uint32_t chunks; /* seen so far, and so the number the next must carry */
    bool finished, done;
    char *kept; /* the head or the line that began in an earlier read */
    size_t nkept;
};

/* The protocol answers are in; before the first one. */
enum answer_api { ANSWERS_CHAT, ANSWERS_MESSAGES, ANSWERS_RESPONSES };
void answer_speak(enum answer_api api);

void answer_start(struct answer *a, uint64_t start_ns,
                  bool is_stream); /* on a zeroed or used one */
void answer_fini(struct answer *a);

/* NULL, or what is wrong. Complete when a->at says so. Bytes after the end are an error. */
const char *answer_feed(struct answer *a, const char *at, size_t len, uint64_t now,
                        struct tally *tally);

/* The peer closed. NULL when the answer was to end like that. */
const char *answer_closed(struct answer *a);

/* After completion: NULL, or what was missing. */
const char *answer_verdict(const struct answer *a, uint32_t chunks_wanted);

void tally_error(struct tally *tally, const char *what);

#endif
