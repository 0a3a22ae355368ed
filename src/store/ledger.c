/* Who counts: this process's tallies; or Redis, and the tallies while it is away. */
#include "ledger_priv.h"

#include "owner.h"
#include "sluice/base/arena.h"
#include "tally.h"

#include <stdlib.h>

struct ledger {
    const struct store_options *options;
    struct redis *redis; /* or NULL */
    struct metric_series *errors;
    struct tallies tallies;
    struct ring waiting; /* of struct admit_call */
};

struct admit_call {
    struct ring link; /* first: in ledger.waiting */
    struct ledger *ledger;
    struct admit_query query;
    admit_fn done;
    void *arg;
    struct redis_admit redis;
};

/* ── in memory ───────────────────────────────────────────────────────────────────────────────── */

static void admit_here(struct ledger *l, const struct admit_query *q, struct admit_answer *out)
{
    static const struct peers alone = {.n = 1};
    struct book *books[LEDGER_SCOPES_MAX];

    for (unsigned i = 0; i < q->nscopes; i++) {
        books[i] = &tally_of(&l->tallies, q->scopes[i].name, q->now_unix_ms)->book;
        book_move(books[i], q->now_unix_ms);
    }
    admit_decide(out, (const struct book *const *)books, q);
    for (unsigned i = 0; i < out->hold.nscopes; i++)
        book_admit(books[i], &out->hold);
    admit_answer_windows(out, (const struct book *const *)books, q, &alone);
}

static void settle_here(struct ledger *l, const struct settle_query *q)
{
    for (unsigned i = 0; i < q->hold.nscopes; i++) {
        struct book *b = &tally_of(&l->tallies, q->hold.scopes[i], q->now_unix_ms)->book;
        book_move(b, q->now_unix_ms);
        book_settle(b, q);
        window_at_least_nothing(&b->tokens);
        held_at_least_nothing(&b->held);
    }
}

/* ── admission ───────────────────────────────────────────────────────────────────────────────── */

/* The store did not decide. What it cannot have counted is owed to it: this request, and what was owed
 * before and travelled with it. `unheard`: it may have counted all that although its answer never came,
 * and owing it once more would count it twice. */
static void admit_without(struct ledger *l, const struct admit_query *q, const struct window *owed,
                          bool unheard, struct admit_answer *out)
{
    struct tally *t = tally_of(&l->tallies, q->scopes[0].name, q->now_unix_ms);

    metric_add(l->errors, 1);
    if (l->options->fail_closed) {
        *out = (struct admit_answer){
            .limit = q->scopes[0].rpm, .retry_after_s = 1, .quality = STORE_LOST};
        return;
    }
    admit_here(l, q, out);
    out->quality = STORE_LOCAL;
    if (unheard)
        return;
    window_merge(&t->mine.requests, owed);
    window_move(&t->mine.requests, q->now_unix_ms);
    window_count(&t->mine.requests, out->allowed ? 1 : 0);
}

static void admit_end(struct admit_call *call)
{
    ring_remove(&call->link);
    free(call);
}

static void on_admitted(struct redis_admit *a, bool allowed, const struct window *seen)
{
    struct admit_call *call = OWNER(struct admit_call, redis, a);
    struct ledger *l = call->ledger;
    const struct admit_query *q = &call->query;
    admit_fn done = call->done;
    void *arg = call->arg;
    struct admit_answer answer;

    if (seen != NULL) {
        struct book *b = &tally_of(&l->tallies, q->scopes[0].name, q->now_unix_ms)->book;
        b->requests = *seen;
        answer = (struct admit_answer){
            .allowed = allowed, .limit = q->scopes[0].rpm, .quality = STORE_EXACT};
        if (allowed) {
            answer.hold = hold_of(q);
            answer.remaining = (unsigned)window_remaining(seen, q->scopes[0].rpm, q->now_unix_ms);
        } else {
            answer.refused_by = LIMIT_REQUESTS;
            answer.retry_after_s = window_retry_after_s(seen, q->scopes[0].rpm, 1, q->now_unix_ms);
        }
    } else {
        admit_without(l, q, &a->owed, a->unheard, &answer);
    }
    admit_end(call);
    done(arg, &answer);
}

void store_cancel(struct admit_call *call)
{
    redis_admit_cancel(&call->redis);
    admit_end(call);
}

static struct admit_call *ask_redis(struct ledger *l, const struct admit_query *q, admit_fn done,
                                    void *arg)
{
    struct tally *t;
    struct admit_call *call;

    if (q->nscopes == 0 || !redis_takes(l->redis))
        return NULL;
    t = tally_of(&l->tallies, q->scopes[0].name, q->now_unix_ms);
    call = xcalloc(1, sizeof(*call));
    call->ledger = l;
    call->query = *q;
    call->done = done;
    call->arg = arg;
    call->redis.scope = call->query.scopes[0].name;
    call->redis.rpm = q->scopes[0].rpm;
    call->redis.now_unix_ms = q->now_unix_ms;
    window_move(&t->mine.requests, q->now_unix_ms);
    call->redis.owed = t->mine.requests;
    call->redis.done = on_admitted;
    if (!redis_admit(l->redis, &call->redis)) {
        free(call);
        return NULL;
    }
    t->mine.requests = (struct window){0};
    ring_add(&l->waiting, &call->link);
    return call;
}

enum store_answer store_admit(struct store *s, const struct admit_query *q,
                              struct admit_answer *out, admit_fn done, void *arg,
                              struct admit_call **pending)
{
    static const struct window nothing;
    struct ledger *l = store_ledger(s);

    *pending = NULL;
    if (l->redis == NULL) {
        admit_here(l, q, out);
        out->quality = STORE_EXACT;
        return STORE_DONE;
    }
    *pending = ask_redis(l, q, done, arg);
    if (*pending != NULL)
        return STORE_PENDING;
    admit_without(l, q, &nothing, false, out);
    return STORE_DONE;
}

void store_settle(struct store *s, const struct settle_query *q)
{
    settle_here(store_ledger(s), q);
}

/* ── showing and crediting ───────────────────────────────────────────────────────────────────── */

enum store_answer store_look(struct store *s, const char *const *names, unsigned n,
                             uint64_t now_unix_ms, struct look_answer *out, look_fn done, void *arg,
                             struct look_call **pending)
{
    struct ledger *l = store_ledger(s);

    (void)done;
    (void)arg;
    *pending = NULL;
    *out = (struct look_answer){.n = n < LEDGER_LOOK_MAX ? n : LEDGER_LOOK_MAX};
    out->quality = l->redis == NULL ? STORE_EXACT : STORE_LOCAL;
    for (unsigned i = 0; i < out->n; i++) {
        struct tally *t = tally_find(&l->tallies, names[i]);
        if (t == NULL)
            continue;
        book_move(&t->book, now_unix_ms);
        book_show(&t->book, now_unix_ms, &out->counts[i]);
    }
    return STORE_DONE;
}

void store_look_cancel(struct look_call *call)
{
    (void)call;
}

enum store_answer store_credit(struct store *s, const char *scope, const char *id,
                               int64_t amount_pd, struct credit_answer *out, credit_fn done,
                               void *arg, struct credit_call **pending)
{
    struct ledger *l = store_ledger(s);
    struct tally *t = tally_of(&l->tallies, scope, 0);

    (void)id;
    (void)done;
    (void)arg;
    *pending = NULL;
    sums_credit(&t->book.sums, amount_pd);
    *out = (struct credit_answer){CREDIT_DONE, sums_balance_pd(&t->book.sums)};
    return STORE_DONE;
}

void store_credit_cancel(struct credit_call *call)
{
    (void)call;
}

/* ── life ────────────────────────────────────────────────────────────────────────────────────── */

struct ledger *ledger_new(struct loop *loop, const struct store_options *options,
                          struct redis *redis, struct metric_series *errors)
{
    struct ledger *l = xcalloc(1, sizeof(*l));

    (void)loop;
    l->options = options;
    l->redis = redis;
    l->errors = errors;
    ring_init(&l->waiting);
    return l;
}

void ledger_free(struct ledger *l)
{
    if (l == NULL)
        return;
    while (!ring_is_empty(&l->waiting))
        store_cancel((struct admit_call *)l->waiting.next);
    tallies_fini(&l->tallies);
    free(l);
}
