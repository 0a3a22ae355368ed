/* lanes.h: the ways an answer takes through the gateway, and what they share.
 *
 *   event_lane.c     an event stream: whole events go on in the turn they arrive
 *   document_lane.c  one JSON document: checked before its first byte goes on
 *   bytes_lane.c     sound, pictures, subtitles: nothing is read, nothing is held
 *   turn_lane.c      an answer in another protocol than the client's: translated
 *   error_lane.c     an answer with a status of 400 or more
 *
 * pass_lane.c chooses by the response's head. A stream's events that only open an answer (a role,
 * message_start, response.created) wait in `opening` for the first that brings a part of it: until then
 * another endpoint can be asked. */
#ifndef SLUICE_EXCHANGE_LANES_H
#define SLUICE_EXCHANGE_LANES_H

#include "exchange_priv.h"

#define EVENT_STREAM_TYPE "text/event-stream; charset=utf-8"

/* Spans on their way to the sink: neighbours in memory become one. */
struct emitter {
    struct attempt *a;
    struct span out[SINK_SPANS_MAX];
    unsigned n;
};
static inline void emitter_init(struct emitter *e, struct attempt *a)
{
    e->a = a;
    e->n = 0;
}
void emit(struct emitter *e, struct span s);
void emitter_flush(struct emitter *e);
/* What came goes on as it is; `last` ends the answer. */
void emitter_pass(struct emitter *e, const struct span *spans, unsigned n, bool last);

/* The provider's answer is unusable; another endpoint may be tried. */
void lane_fail(struct attempt *a, const char *problem);
/* It says so itself: the `error` member of a body or an event with status 200. */
void lane_fail_with_error(struct attempt *a, struct span error);
/* Makes what the provider said something to tell a client: who said it, and nothing secret. */
void lane_sign(struct attempt *a, struct fault *said);
/* A finish_reason was seen. */
void lane_note_finish(struct attempt *a, struct span word);
/* What an event, or a whole answer, says of usage; false when that is no count. */
bool lane_read_usage(struct attempt *a, const struct passing *p, const struct passing_event *e);
/* What is counted in other things than tokens: pictures, seconds. */
void lane_note_things(struct attempt *a, const struct passing_event *e);
/* Everything has been handed to the sink. */
void lane_finish(struct attempt *a);

void event_lane_open(struct attempt *a);
void event_lane_data(struct attempt *a, const struct span *spans, unsigned n, bool last);
/* The upstream broke: true when all content was there, and the exchange has finished. */
bool event_lane_broken(struct attempt *a);
/* What has waited for content goes out without. */
void event_lane_release(struct attempt *a);

void document_lane_open(struct attempt *a, const struct http_head *head);
void document_lane_data(struct attempt *a, const struct span *spans, unsigned n, bool last);
void document_lane_go_on(struct pass_lane *l); /* the client takes more */
void document_lane_free(struct pass_lane *l);

void bytes_lane_open(struct attempt *a, const struct http_head *head);
void bytes_lane_data(struct attempt *a, const struct span *spans, unsigned n, bool last);

/* `reads_stream`: what the provider sent; the client gets what it asked for. */
void turn_lane_open(struct attempt *a, bool reads_stream);
void turn_lane_data(struct attempt *a, const struct span *spans, unsigned n, bool last);
/* The upstream broke: false when nobody can tell whether that was all. */
bool turn_lane_broken(struct attempt *a);
/* Sends the protocol's own sign of life; false when it has none, or none now. */
bool turn_lane_ping(struct attempt *a);
/* The attempt goes on with the answer another began: it is read anew, and written by the same writer. */
void turn_lane_go_on(struct attempt *a, bool reads_stream);
/* Ends the stream that was begun, in the protocol's words; false when that cannot be done. */
bool turn_lane_end_with_fault(struct attempt *a, const struct fault *why);
void turn_lane_release(struct attempt *a); /* likewise */
void turn_lane_free(struct turn_lane *t);

void error_lane_open(struct attempt *a, const struct http_head *head);
void error_lane_data(struct attempt *a, const struct span *spans, unsigned n, bool last);
void error_lane_end(struct attempt *a); /* what came will do */
/* Of an attempt that was to go on with an answer: the head says enough. */
void error_lane_skip(struct attempt *a, const struct http_head *head);
/* A fault of the request's, or one every endpoint would have: the provider's own body is the answer. */
void error_lane_relay(struct attempt *a, const struct fault *said);

#endif
