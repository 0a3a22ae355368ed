#include "explaining.h"

#include "exchange_priv.h"

#include <stdio.h>

bool explaining_is_wanted(struct span value, bool otherwise)
{
    if (span_eq(value, SPAN_LIT("1")) || span_ieq(value, SPAN_LIT("true")))
        return true;
    if (span_eq(value, SPAN_LIT("0")) || span_ieq(value, SPAN_LIT("false")))
        return false;
    return otherwise;
}

/* A status of its own says more than the word for it. */
static const char *result_beside(enum attempt_result r, unsigned status)
{
    bool is_said = status > 0 &&
                   (r == RESULT_OK || r == RESULT_STATUS_4XX || r == RESULT_STATUS_5XX);
    return is_said ? NULL : attempt_result_name(r);
}

static const char *word_beside(const char *word, unsigned status)
{
    for (unsigned r = 0; r < ATTEMPT_RESULTS; r++) {
        if (strcmp(word, attempt_result_name((enum attempt_result)r)) == 0)
            return result_beside((enum attempt_result)r, status);
    }
    return word;
}

static struct explained_attempt failed(const struct exchange *x, unsigned i)
{
    const struct fault_attempt *f = &x->tried[i];
    return (struct explained_attempt){
        .endpoint = span_text(f->endpoint),
        .result = word_beside(f->type, f->status),
        .status = f->status,
        .ms = f->latency_ms,
    };
}

static struct explained_attempt under_way(const struct exchange *x)
{
    const struct attempt *a = x->attempt;
    bool has_ended = a->state == ATTEMPT_ENDED;
    uint64_t until = has_ended ? a->ended_us : x->first_write_us;
    return (struct explained_attempt){
        .endpoint = a->target->slug,
        .result = has_ended ? result_beside(a->result, a->status)
                            : (a->status > 0 ? NULL : "waiting"),
        .status = a->status,
        .ms = (unsigned)((until - a->started_us) / 1000),
    };
}

struct span explaining_field(const struct exchange *x)
{
    static char value[EXPLANATION_FIELD_MAX];
    struct explained_attempt tried[ATTEMPTS_MAX];
    unsigned n = 0;
    for (; n < x->ntried; n++)
        tried[n] = failed(x, n);
    if (x->nattempts > n && n < ATTEMPTS_MAX)
        tried[n++] = under_way(x);
    return explanation_field(&x->plan, tried, n, value);
}

void explaining_reply(struct exchange *x, const struct plan_question *q, const struct fault *why)
{
    struct buf out = {0};
    exchange_reply_made(x, 200, explanation_write(q, &x->plan, why, &out), &out);
}
