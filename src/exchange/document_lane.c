#include "lanes.h"

#include "whole_answer.h"

#include "sluice/net/offload.h"
#include "sluice/net/pump.h"

#include <stdlib.h>

/* A single document is held until it is complete and is JSON: the client could not use half of
 * it, and another endpoint can still be tried when it turns out broken. A large one is read on another
 * thread, and then handed to the client in pieces:
 *
 *   complete ──small──▶ read ──▶ sent
 *      └─────large────▶ attempt_received ··thread·· on_read ──▶ pump ──▶ sent
 *                                         owns itself           the lane owns it
 *
 * One whose provider does not say what it took goes the same way, and once more to the thread. */

enum {
    WHOLE_MAX = 64 * 1024 * 1024,
    /* 2048 vectors of 3072 numbers, each with all the digits a double has */
    EMBEDDINGS_MAX = 192 * 1024 * 1024,
};

struct large_answer {
    struct attempt *a;
    struct loop *loop;
    struct whole_answer answer;
    struct offload *job; /* while it is on another thread */
    struct pump pump;
    struct buf made;
    struct span spans[WHOLE_ANSWER_SPANS];
};

/* --- what is sent ---------------------------------------------------------------------------------- */

/* False: the lane has failed, and what was read may be gone. */
static bool accept_answer(struct attempt *a, const struct whole_answer *w)
{
    const struct passing_event *e = &w->seen;
    const char *problem = whole_answer_problem(w);
    if (problem != NULL) {
        lane_fail(a, problem);
        return false;
    }
    if (e->kind == EVENT_ERROR) {
        lane_fail_with_error(a, e->error);
        return false;
    }
    if (a->x->trace != NULL)
        trace_look_for_model(a, w->document);
    if (e->finish.len > 0)
        lane_note_finish(a, e->finish);
    lane_note_things(a, e);
    if (w->counted.source != USAGE_NONE)
        a->usage = w->counted;
    if (e->usage.len > 0)
        (void)lane_read_usage(a, w->passing, e);
    return true;
}

/* Lays out the answer; 0 when the lane has failed. */
static unsigned lay_out(struct attempt *a, const struct whole_answer *w, struct buf *made,
                        struct span *out)
{
    if (!accept_answer(a, w))
        return 0;
    unsigned n = whole_answer_spans(w, a, made, out);
    if (n == 0)
        lane_fail(a, "its answer cannot be completed: out of memory");
    return n;
}

/* --- large ones -------------------------------------------------------------------------------------- */

static void large_free(void *arg) /* on any thread */
{
    struct large_answer *l = arg;
    whole_answer_fini(&l->answer);
    buf_fini(&l->made);
    free(l);
}

/* To give back a hundred megabytes takes the kernel some milliseconds. */
static void large_close(struct large_answer *l)
{
    pump_stop(&l->pump);
    offload_start(l->loop, large_free, NULL, NULL, l);
}

static void read_large(void *arg) /* on another thread */
{
    struct large_answer *l = arg;
    whole_answer_read(&l->answer);
}

static enum flow on_piece(void *arg, const struct span *spans, unsigned n, bool last)
{
    struct attempt *a = arg;
    struct exchange *x = a->x;
    if (!last)
        return sink_data(x->sink, spans, n);
    sink_end(x->sink, spans, n);
    lane_finish(a);
    return FLOW_OK;
}

static void send_large(struct large_answer *l)
{
    struct attempt *a = l->a;
    struct exchange *x = a->x;
    int64_t length = 0;
    unsigned n = lay_out(a, &l->answer, &l->made, l->spans);
    if (n == 0)
        return;
    for (unsigned i = 0; i < n; i++)
        length += (int64_t)l->spans[i].len;
    exchange_begin_answer(a, 200, "application/json", length);
    attempt_end(a, RESULT_OK);
    deadline_clear(&x->total); /* the client's pace is for server.write_timeout to judge */
    pump_start(&l->pump, l->loop, l->spans, n, on_piece, a);
}

static void count_large(void *arg) /* on another thread */
{
    struct large_answer *l = arg;
    whole_answer_count(&l->answer);
}

static void on_counted(void *arg)
{
    struct large_answer *l = arg;
    l->job = NULL;
    send_large(l);
}

/* Without memory for its request it goes out uncounted. */
static void on_read(void *arg)
{
    struct large_answer *l = arg;
    struct whole_answer *w = &l->answer;
    l->job = NULL;
    if (!whole_answer_is_uncounted(w) || !whole_answer_keep_request(w, l->a))
        send_large(l);
    else
        l->job = offload_start_sized(l->loop, w->document.len + buf_len(&w->request), count_large,
                                     on_counted, large_free, l);
}

/* Takes over what the lane has held, or a copy. */
static void read_elsewhere(struct attempt *a, struct whole_answer *w)
{
    struct exchange *x = a->x;
    if (buf_len(&a->lane.held) == 0 && buf_add(&a->lane.held, w->document) < 0) {
        lane_fail(a, "its answer cannot be held: out of memory");
        return;
    }
    struct large_answer *l = xcalloc(1, sizeof *l);
    l->a = a;
    l->loop = x->gateway->loop;
    l->answer = *w;
    l->answer.held = a->lane.held;
    l->answer.document = buf_span(&l->answer.held);
    a->lane.held = (struct buf){0};
    a->lane.large = l;
    attempt_received(a);
    l->job = offload_start_sized(l->loop, l->answer.document.len, read_large, on_read, large_free,
                                 l);
}

void document_lane_go_on(struct pass_lane *l)
{
    if (l->large != NULL && l->large->job == NULL)
        pump_go_on(&l->large->pump);
}

void document_lane_let_go(struct pass_lane *l)
{
    if (l->large == NULL || l->large->job == NULL)
        return;
    offload_cancel(l->large->job); /* it frees itself */
    l->large = NULL;
}

void document_lane_free(struct pass_lane *l)
{
    document_lane_let_go(l);
    if (l->large != NULL)
        large_close(l->large);
    l->large = NULL;
}

static void send_small(struct attempt *a, struct whole_answer *w)
{
    struct exchange *x = a->x;
    struct buf made = {0};
    struct span spans[WHOLE_ANSWER_SPANS];
    unsigned n = lay_out(a, w, &made, spans);
    if (n > 0) {
        exchange_begin_answer(a, 200, "application/json", LENGTH_UNKNOWN);
        sink_end(x->sink, spans, n);
        lane_finish(a);
    }
    buf_fini(&made);
}

/* --- what comes ---------------------------------------------------------------------------------------- */

static void pass_document(struct attempt *a, struct span document)
{
    struct whole_answer w;
    whole_answer_init(&w, a, document);
    if (!whole_answer_is_small(&w)) {
        read_elsewhere(a, &w);
        return;
    }
    whole_answer_read(&w);
    if (whole_answer_is_uncounted(&w)) { /* a vocabulary may have to be unpacked first */
        read_elsewhere(a, &w);
        return;
    }
    send_small(a, &w);
    whole_answer_fini(&w);
}

/* Too large to hold: it goes through unread, in the framing its length allows. */
static void pass_through(struct attempt *a, const struct span *spans, unsigned n, bool last)
{
    struct pass_lane *l = &a->lane;
    struct emitter e;
    emitter_init(&e, a);
    if (!l->unread) {
        l->unread = true;
        exchange_begin_answer(a, 200, "application/json", LENGTH_UNKNOWN);
        emit(&e, buf_span(&l->held));
        emitter_flush(&e);
        buf_fini(&l->held);
    }
    emitter_pass(&e, spans, n, last);
}

static bool hold(struct pass_lane *l, const struct span *spans, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        bool in_place = l->held.at != NULL && spans[i].at == l->held.at + l->held.tail;
        if (in_place)
            l->held.tail += spans[i].len;
        else if (buf_add(&l->held, spans[i]) < 0)
            return false;
    }
    return true;
}

static size_t most_of(const struct attempt *a)
{
    const struct exchange *x = a->x;
    return x->kind->api == API_EMBEDDINGS ? EMBEDDINGS_MAX : WHOLE_MAX;
}

void document_lane_data(struct attempt *a, const struct span *spans, unsigned n, bool last)
{
    struct pass_lane *l = &a->lane;
    size_t len = buf_len(&l->held);
    for (unsigned i = 0; i < n; i++)
        len += spans[i].len;
    if (l->unread || len > most_of(a)) {
        pass_through(a, spans, n, last);
    } else if (last && n == 1 && buf_len(&l->held) == 0) {
        pass_document(a, spans[0]); /* the usual case: one read, no copy */
    } else if (!hold(l, spans, n)) {
        lane_fail(a, "its answer cannot be held: out of memory");
    } else if (last) {
        pass_document(a, buf_span(&l->held));
    }
}

void document_lane_open(struct attempt *a, const struct http_head *head)
{
    struct pass_lane *l = &a->lane;
    bool large = head->framing == FRAMING_COUNTED && head->content_length > LOOP_READ_BYTES / 2 &&
                 head->content_length <= most_of(a) && a->inflater == NULL;
    if (large && a->client != NULL && buf_reserve_exact(&l->held, head->content_length) == 0)
        client_read_into(a->client, &l->held);
}
