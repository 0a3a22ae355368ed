#include "whole_answer.h"

#include "bill.h"
#include "exchange_priv.h"

#include "sluice/catalog/facts.h"
#include "sluice/codec/embeddings.h"
#include "sluice/codec/usage_count.h"
#include "sluice/net/offload.h"

enum {
    RECODED_FROM_BYTES = 64 * 1024
}; /* a number of a vector takes longer than reading its digits */

void whole_answer_init(struct whole_answer *w, const struct attempt *a, struct span document)
{
    const struct exchange *x = a->x;
    *w = (struct whole_answer){
        .document = document,
        .passing = passing_for(x->kind->api),
        .is_embeddings = x->kind->api == API_EMBEDDINGS,
        .wants_base64 = x->request->wants_base64,
        .api = x->kind->api,
    };
}

void whole_answer_fini(struct whole_answer *w)
{
    buf_fini(&w->held);
    buf_fini(&w->recoded);
    buf_fini(&w->request);
}

static bool needs_recoding(const struct whole_answer *w)
{
    return w->is_embeddings && embeddings_need_recoding(w->wants_base64, w->document);
}

bool whole_answer_is_small(const struct whole_answer *w)
{
    return w->document.len <= RECODED_FROM_BYTES ||
           (w->document.len <= OFFLOAD_FROM_BYTES && !needs_recoding(w));
}

void whole_answer_read(struct whole_answer *w)
{
    if (needs_recoding(w) && embeddings_recode(w->wants_base64, w->document, &w->recoded)) {
        buf_fini(&w->held);
        w->document = buf_span(&w->recoded);
    }
    w->seen = w->passing->look(NULL, w->document);
}

bool whole_answer_is_uncounted(const struct whole_answer *w)
{
    return api_writes_text(w->api) && w->seen.kind == EVENT_CHUNK && w->seen.usage.len == 0 &&
           w->counted.source == USAGE_NONE;
}

bool whole_answer_keep_request(struct whole_answer *w, const struct attempt *a)
{
    const struct exchange *x = a->x;
    w->vocabulary = facts_vocabulary(a->target);
    w->translation = x->deployment->snapshot->translation;
    return buf_add(&w->request, buf_span(&x->body.bytes)) == 0;
}

void whole_answer_count(struct whole_answer *w)
{
    w->counted = usage_count(w->api, buf_span(&w->request), w->document, &w->translation,
                             tokenizer_for(w->vocabulary));
}

const char *whole_answer_problem(const struct whole_answer *w)
{
    if (w->seen.kind == EVENT_ERROR)
        return NULL;
    if (w->seen.kind != EVENT_CHUNK)
        return "its answer is not a JSON object";
    if (w->is_embeddings && !w->seen.has_content)
        return "its answer holds no embeddings";
    return NULL;
}

/* Members this answer lacks, each with its comma: those that need to be made first. */
static bool make(const struct whole_answer *w, const struct attempt *a, struct buf *made)
{
    const struct exchange *x = a->x;
    if (x->wants_cost) {
        if (bill_write_cost(a, made) < 0 || buf_add_byte(made, ',') < 0)
            return false;
    }
    return !w->is_embeddings || embeddings_write_missing(&w->seen, span_of(x->request_id, 32),
                                                         a->target->model_id, made) == 0;
}

/* Members its usage lacks. */
static bool make_of_usage(const struct whole_answer *w, const struct attempt *a, struct buf *made)
{
    struct span usage = w->seen.usage;
    if (w->is_embeddings)
        return embeddings_write_missing_usage(usage, made) == 0;
    return !a->x->wants_cost || bill_write_usage(a, usage, made) == 0;
}

static unsigned add_own(const struct whole_answer *w, const struct attempt *a, struct span made,
                        struct span *out)
{
    const struct passing_event *e = &w->seen;
    unsigned n = 0;
    if (!e->has_request_id) {
        out[n++] = SPAN_LIT("\"request_id\":\"");
        out[n++] = span_of(a->x->request_id, 32);
        out[n++] = SPAN_LIT("\",");
    }
    if (!e->has_provider) { /* a provider's name is a slug: nothing in it needs escapes */
        out[n++] = SPAN_LIT("\"provider\":\"");
        out[n++] = span_text(a->target->provider->name);
        out[n++] = SPAN_LIT("\",");
    }
    if (made.len > 0)
        out[n++] = made;
    if (e->is_empty && n > 0)
        out[n - 1].len--; /* nothing follows the last comma */
    return n;
}

unsigned whole_answer_spans(const struct whole_answer *w, const struct attempt *a, struct buf *made,
                            struct span out[WHOLE_ANSWER_SPANS])
{
    const struct passing_event *e = &w->seen;
    size_t open = e->open + 1;
    if (!make(w, a, made))
        return 0;
    size_t until = buf_len(made);
    if (e->usage.len > 0 && !make_of_usage(w, a, made))
        return 0;
    struct span of_top = span_sub(buf_span(made), 0, until);
    struct span of_usage = span_skip(buf_span(made), until);
    unsigned n = 0;
    out[n++] = span_sub(w->document, 0, open);
    n += add_own(w, a, of_top, out + n);
    if (of_usage.len > 0) {
        size_t usage = (size_t)(e->usage.at - w->document.at) + 1;
        out[n++] = span_sub(w->document, open, usage - open);
        out[n++] = of_usage;
        open = usage;
    }
    out[n++] = span_skip(w->document, open);
    return n;
}
