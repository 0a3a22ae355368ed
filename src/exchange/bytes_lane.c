#include "lanes.h"

#include <string.h>

/* Sound, a picture, subtitles: the client's player reads them, we do not. They go on as they come, with
 * the provider's own type and length, and nothing is held; so that with the first byte no other endpoint
 * can be tried any more. */

static void begin(struct attempt *a)
{
    exchange_begin_answer(a, 200, a->lane.type, a->lane.length);
    a->first_token_us = clock_us();
}

void bytes_lane_data(struct attempt *a, const struct span *spans, unsigned n, bool last)
{
    struct exchange *x = a->x;
    struct emitter e;
    size_t len = 0;
    for (unsigned i = 0; i < n; i++)
        len += spans[i].len;
    if (len == 0 && !last)
        return;
    bool may_be_empty = api_takes_form(x->kind->api); /* nobody said a word */
    if (x->state == EXCHANGE_ATTEMPTING && len == 0 && !may_be_empty) {
        lane_fail(a, "its answer is empty");
        return;
    }
    if (x->state == EXCHANGE_ATTEMPTING)
        begin(a);
    emitter_init(&e, a);
    emitter_pass(&e, spans, n, last);
}

void bytes_lane_open(struct attempt *a, const struct http_head *head)
{
    struct pass_lane *l = &a->lane;
    struct span type = head_get(head, FIELD_CONTENT_TYPE);
    bool is_counted = head->framing == FRAMING_COUNTED && a->inflater == NULL;
    l->type = type.len > 0 ? (const char *)arena_keep(&a->x->sending, type).at
                           : "application/octet-stream";
    l->length = is_counted ? (int64_t)head->content_length : LENGTH_UNKNOWN;
}
