#include "exchange_priv.h"

#include "sluice/codec/invoke_stream.h"
#include "sluice/http/inflate.h"

#include <stdlib.h>

/* Between the provider's bytes and the lane that reads them: compression nobody asked for, and the
 * framing Bedrock puts around Claude's events. The lanes know nothing of either.
 *
 *   bytes ─ inflater ─▶ bytes ─ invoke_stream ─▶ server-sent events ─▶ lane_data */

/* The size of the largest event any lane takes, in base64 and in its frame. */
enum { FRAME_MAX = EVENT_STREAM_MESSAGE_MAX };

/* What one read held goes through one buffer; it is empty between reads, and what made it large is not
 * kept. */
static struct buf out;

static void empty_out(void)
{
    enum { KEPT = 256 * 1024 };
    if (out.cap > KEPT)
        buf_fini(&out);
    buf_clear(&out);
}

/* --- framing ------------------------------------------------------------------------------------- */

/* Converse's events stand in the same framing, and are read by the codec that knows them. */
static bool is_invoked(const struct attempt *a, const struct http_head *head)
{
    return a->dialect.invokes &&
           head_has_type(head, SPAN_LIT("application/vnd.amazon.eventstream"));
}

static void read_frames(struct attempt *a, const struct span *spans, unsigned n, bool last)
{
    bool is_good = true;
    for (unsigned i = 0; is_good && i < n; i++)
        is_good = invoke_stream_read(a->invoked, spans[i], &out);
    const char *problem = a->invoked->problem;
    if (is_good && last && !invoke_stream_is_between(a->invoked))
        problem = "its stream ended inside an event";
    struct span events = buf_span(&out);
    lane_data(a, &events, events.len > 0, last && problem == NULL);
    empty_out();
    if (problem != NULL && a->state == ATTEMPT_STREAMING)
        attempt_on_broken(a, problem);
}

static void pass_on(struct attempt *a, const struct span *spans, unsigned n, bool last)
{
    if (a->invoked != NULL)
        read_frames(a, spans, n, last);
    else
        lane_data(a, spans, n, last);
}

/* --- compression --------------------------------------------------------------------------------- */

/* Decoded piece by piece through one buffer. */
static void inflate_data(struct attempt *a, const struct span *spans, unsigned n, bool last)
{
    static uint8_t room[32 * 1024];
    for (unsigned i = 0; i < n; i++) {
        struct span in = spans[i];
        size_t made;
        do {
            if (inflater_step(a->inflater, &in, room, sizeof room, &made) < 0) {
                attempt_on_broken(a, "its compressed answer is damaged");
                return;
            }
            struct span piece = span_of(room, made);
            if (made > 0)
                pass_on(a, &piece, 1, false);
            if (a->state != ATTEMPT_STREAMING)
                return;
        } while (in.len > 0 || made == sizeof room);
    }
    if (!last)
        return;
    if (inflater_is_complete(a->inflater))
        pass_on(a, NULL, 0, true);
    else
        attempt_on_broken(a, "its compressed answer was cut off");
}

/* --- both ---------------------------------------------------------------------------------------- */

bool unwrap_open(struct attempt *a, const struct http_head *head)
{
    if (inflater_new(head_get(head, FIELD_CONTENT_ENCODING), &a->inflater) < 0) {
        attempt_fail(
            a, RESULT_BROKEN, FAULT_UPSTREAM,
            "it compressed its answer in a way this gateway did not ask for and cannot read");
        return false;
    }
    if (is_invoked(a, head)) {
        a->invoked = xcalloc(1, sizeof *a->invoked);
        invoke_stream_init(a->invoked, FRAME_MAX);
    }
    return true;
}

void unwrap_data(struct attempt *a, const struct span *spans, unsigned n, bool last)
{
    if (a->inflater != NULL)
        inflate_data(a, spans, n, last);
    else
        pass_on(a, spans, n, last);
}

void unwrap_close(struct attempt *a)
{
    inflater_free(a->inflater);
    if (a->invoked != NULL)
        invoke_stream_fini(a->invoked);
    free(a->invoked);
    a->inflater = NULL;
    a->invoked = NULL;
}

void unwrap_free_buffer(void)
{
    buf_fini(&out);
}
