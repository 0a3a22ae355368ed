/* Who counts:
 *
 *   memory, sqlite   the tallies, at once
 *   redis            Redis; the tallies follow what it says
 *   redis, away      the tallies, by this process's share of what was left; or nobody
 *
 * What this process holds and settles is told to Redis by the teller. */
#include "ledger_priv.h"

#include "ledger_text.h"
#include "owner.h"
#include "sluice/base/arena.h"
#include "teller.h"

#include <stdlib.h>

enum { CLOSE_MS = 1000 };

struct ledger {
    struct loop *loop;
    const struct store_options *options;
    struct redis *redis; /* or NULL */
    struct metric_series *errors, *untold;
    void (*ready)(void *owner);
    void (*closed)(void *owner); /* while closing */
    void *owner;
    struct tallies tallies;
    struct teller teller;
    struct ring calls; /* those that wait, and those nobody waits for any more */
    struct deadline closing;
};

typedef const struct book *const *books;

/* ── in memory ───────────────────────────────────────────────────────────────────────────────── */

static void admit_here(struct ledger *l, const struct admit_query *q, struct admit_answer *out)
{
    static const struct peers alone = {.n = 1};
    struct book *b[LEDGER_SCOPES_MAX];

    for (unsigned i = 0; i < q->nscopes; i++) {
        b[i] = &tally_of(&l->tallies, q->scopes[i].name, q->now_unix_ms)->book;
        book_move(b[i], q->now_unix_ms);
    }
    admit_decide(out, (books)b, q);
    for (unsigned i = 0; i < out->hold.nscopes; i++)
        book_admit(b[i], &out->hold);
    admit_answer_windows(out, (books)b, q, &alone);
    out->quality = STORE_EXACT;
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

/* ── beside Redis ────────────────────────────────────────────────────────────────────────────── */

static struct tally *to_tell(struct ledger *l, const char *name, uint64_t unix_ms)
{
    struct tally *t = tally_of(&l->tallies, name, unix_ms);

    book_move(&t->untold, unix_ms);
    teller_add(&l->teller, t);
    metric_set(l->untold, l->teller.waiting);
    return t;
}

static void hold_own(struct ledger *l, const struct ledger_hold *h)
{
    const struct held share = hold_share(h);

    for (unsigned i = 0; i < h->nscopes; i++)
        held_add(&tally_of(&l->tallies, h->scopes[i], h->at_unix_ms)->own, &share);
}

/* `by` 1: Redis is told that this was admitted; -1: that what it admitted is given back. */
static void tell_held(struct ledger *l, const struct ledger_hold *h, int by)
{
    const struct held share = hold_share(h);

    for (unsigned i = 0; i < h->nscopes; i++) {
        struct tally *t = to_tell(l, h->scopes[i], h->at_unix_ms);
        if (by > 0)
            held_add(&t->untold.held, &share);
        else
            held_take(&t->untold.held, &share);
    }
}

static void tell_counted(struct ledger *l, const struct ledger_hold *h, int requests, int tokens)
{
    for (unsigned i = 0; i < h->nscopes; i++) {
        struct tally *t = to_tell(l, h->scopes[i], h->at_unix_ms);
        window_correct(&t->untold.requests, h->at_unix_ms, requests);
        window_correct(&t->untold.tokens, h->at_unix_ms,
                       tokens *
                           (int64_t)(h->tokens < WINDOW_COUNT_MAX ? h->tokens : WINDOW_COUNT_MAX));
    }
}

static void settle_beside(struct ledger *l, const struct settle_query *q)
{
    const struct held share = hold_share(&q->hold);

    for (unsigned i = 0; i < q->hold.nscopes; i++) {
        struct tally *t = to_tell(l, q->hold.scopes[i], q->now_unix_ms);
        held_take(&t->own, &share);
        book_settle(&t->untold, q);
    }
}

/* ── Redis is away ───────────────────────────────────────────────────────────────────────────── */

static void share_books(struct ledger *l, const struct admit_query *q, const struct peers *p,
                        struct book *out)
{
    for (unsigned i = 0; i < q->nscopes; i++) {
        struct tally *t = tally_of(&l->tallies, q->scopes[i].name, q->now_unix_ms);
        const struct book mine = tally_mine(t);
        out[i] = book_of_share(&t->book, &mine, p, q->now_unix_ms);
    }
}

/* `is_counted`: Redis may have counted it although its answer never came. To count it once more would be
 * wrong for longer than to count it never: the window forgets either within two minutes. */
static void admit_share(struct ledger *l, const struct admit_query *q, bool is_counted,
                        struct admit_answer *out)
{
    const struct peers p = redis_peers(l->redis);
    const struct admit_query all = query_of_share(q, &p);
    struct book share[LEDGER_SCOPES_MAX];
    const struct book *b[LEDGER_SCOPES_MAX] = {&share[0], &share[1]};

    share_books(l, q, &p, share);
    admit_decide(out, b, &all);
    if (out->allowed) {
        out->hold = hold_of(q);
        hold_own(l, &out->hold);
        tell_held(l, &out->hold, 1);
        if (!is_counted)
            tell_counted(l, &out->hold, 1, 1);
        share_books(l, q, &p, share);
    }
    admit_answer_windows(out, b, q, &p);
    out->quality = STORE_LOCAL;
}

static void admit_without(struct ledger *l, const struct admit_query *q, bool is_counted,
                          struct admit_answer *out)
{
    metric_add(l->errors, 1);
    if (!l->options->fail_closed) {
        admit_share(l, q, is_counted, out);
        return;
    }
    *out = (struct admit_answer){.retry_after_s = 1, .quality = STORE_LOST};
    for (unsigned i = 0; i < q->nscopes; i++) {
        if (q->scopes[i].rpm > 0 && (out->limit == 0 || q->scopes[i].rpm < out->limit))
            out->limit = q->scopes[i].rpm;
    }
}

/* ── calls ───────────────────────────────────────────────────────────────────────────────────── */

struct call {
    struct ring link; /* first: in ledger.calls */
    struct ledger *ledger;
    struct redis_eval eval;
};

static void call_start(struct call *c, struct ledger *l)
{
    c->ledger = l;
    ring_add(&l->calls, &c->link);
}

static void call_end(struct call *c)
{
    ring_remove(&c->link);
    free(c);
}

static struct span named(struct ledger *l, const char *kind, const char *name,
                         char room[REDIS_NAME_BYTES])
{
    return redis_name(l->redis, span_text(kind), span_text(name), room);
}

/* ── admission ───────────────────────────────────────────────────────────────────────────────── */

enum admit_state {
    ADMIT_WAITING,
    ADMIT_REFUSED_HERE, /* it was late, so this process decided */
    ADMIT_ALLOWED_HERE,
    ADMIT_CANCELLED,
};

struct admit_call {
    struct call call; /* first */
    enum admit_state state;
    struct admit_query query;
    admit_fn done;
    void *arg;
};

static bool send_admit(struct redis_eval *e)
{
    struct admit_call *c = OWNER(struct admit_call, call.eval, e);
    struct ledger *l = c->call.ledger;
    const struct admit_query *q = &c->query;
    char names[1 + 2 * LEDGER_SCOPES_MAX][REDIS_NAME_BYTES];
    struct figures room[1 + LEDGER_SCOPES_MAX];
    struct span keys[1 + 2 * LEDGER_SCOPES_MAX], args[1 + LEDGER_SCOPES_MAX];

    keys[0] = named(l, "alive", "", names[0]);
    args[0] = text_of_query(q, &room[0]);
    for (unsigned i = 0; i < q->nscopes; i++) {
        keys[1 + 2 * i] = named(l, "rate:", q->scopes[i].name, names[1 + 2 * i]);
        keys[2 + 2 * i] = named(l, "sum:", q->scopes[i].name, names[2 + 2 * i]);
        args[1 + i] = text_of_limits(&q->scopes[i], &room[1 + i]);
    }
    return redis_eval(l->redis, e, "admit", keys, 1 + 2 * q->nscopes, args, 1 + q->nscopes);
}

struct verdict {
    enum ledger_limit by;
    unsigned scope;
};

static bool is_within(const struct redis_word *w, long long most)
{
    return !w->is_text && w->number >= 0 && w->number <= most;
}

/* Everything is read before anything is believed. */
static bool read_admit(struct ledger *l, const struct admit_query *q, const struct redis_said *said,
                       struct verdict *v)
{
    struct book all[LEDGER_SCOPES_MAX];
    struct held own[LEDGER_SCOPES_MAX];

    if (said->n != 2 + q->nscopes || !is_within(&said->at[0], q->nscopes) ||
        !is_within(&said->at[1], LIMIT_BALANCE))
        return false;
    for (unsigned i = 0; i < q->nscopes; i++) {
        if (!text_read_book(said->at[2 + i].text, &all[i], &own[i]))
            return false;
    }
    v->by = (enum ledger_limit)said->at[1].number;
    v->scope = (unsigned)said->at[0].number;
    if ((v->by == LIMIT_NONE) != (v->scope == 0))
        return false;
    for (unsigned i = 0; i < q->nscopes; i++)
        tally_follow(tally_of(&l->tallies, q->scopes[i].name, q->now_unix_ms), &all[i], &own[i]);
    return true;
}

static void answer_exactly(struct ledger *l, const struct admit_query *q, const struct verdict *v,
                           struct admit_answer *out)
{
    static const struct peers alone = {.n = 1};
    const struct book *b[LEDGER_SCOPES_MAX];

    for (unsigned i = 0; i < q->nscopes; i++)
        b[i] = &tally_of(&l->tallies, q->scopes[i].name, q->now_unix_ms)->book;
    *out = (struct admit_answer){.allowed = v->by == LIMIT_NONE, .quality = STORE_EXACT};
    if (out->allowed) {
        out->hold = hold_of(q);
        hold_own(l, &out->hold);
    } else {
        out->refused_by = v->by;
        out->refused_scope = v->scope - 1;
        out->retry_after_s = book_retry_after_s(b[v->scope - 1], &q->scopes[v->scope - 1], q,
                                                v->by);
    }
    admit_answer_windows(out, b, q, &alone);
}

/* Nobody waits for it any more, but what Redis did has to be put right. */
static void put_right(struct admit_call *c, const struct verdict *v)
{
    struct ledger *l = c->call.ledger;
    const struct ledger_hold h = hold_of(&c->query);
    int allowed_here = c->state == ADMIT_ALLOWED_HERE;
    int is_kept = allowed_here || c->state == ADMIT_CANCELLED; /* stays counted as a request */

    if (v->by == LIMIT_NONE) {
        tell_held(l, &h, -1); /* what was allowed here holds its own */
        tell_counted(l, &h, is_kept - 1, allowed_here - 1);
    } else if (allowed_here) {
        tell_counted(l, &h, 1, 1);
    }
}

static void on_admit(struct redis_eval *e, const struct redis_said *said)
{
    struct admit_call *c = OWNER(struct admit_call, call.eval, e);
    struct ledger *l = c->call.ledger;
    admit_fn done = c->state == ADMIT_WAITING ? c->done : NULL;
    void *arg = c->arg;
    struct verdict v;
    struct admit_answer answer;
    bool is_read = said != NULL && read_admit(l, &c->query, said, &v);

    if (done == NULL && is_read)
        put_right(c, &v);
    else if (done != NULL && is_read)
        answer_exactly(l, &c->query, &v, &answer);
    else if (done != NULL)
        admit_without(l, &c->query, said == NULL && !e->is_refused, &answer);
    call_end(&c->call);
    if (done != NULL)
        done(arg, &answer);
}

static void on_admit_late(struct redis_eval *e)
{
    struct admit_call *c = OWNER(struct admit_call, call.eval, e);
    struct admit_answer answer;

    if (c->state != ADMIT_WAITING)
        return;
    admit_without(c->call.ledger, &c->query, true, &answer);
    c->state = answer.allowed ? ADMIT_ALLOWED_HERE : ADMIT_REFUSED_HERE;
    c->done(c->arg, &answer);
}

void store_cancel(struct admit_call *call)
{
    call->state = ADMIT_CANCELLED;
}

static struct admit_call *ask_redis(struct ledger *l, const struct admit_query *q, admit_fn done,
                                    void *arg)
{
    struct admit_call *c;

    if (!l->teller.is_ready || !redis_takes(l->redis))
        return NULL;
    c = xcalloc(1, sizeof(*c));
    call_start(&c->call, l);
    c->query = *q;
    c->done = done;
    c->arg = arg;
    c->call.eval.send = send_admit;
    c->call.eval.late = on_admit_late;
    c->call.eval.done = on_admit;
    if (send_admit(&c->call.eval))
        return c;
    call_end(&c->call);
    return NULL;
}

enum store_answer store_admit(struct store *s, const struct admit_query *q,
                              struct admit_answer *out, admit_fn done, void *arg,
                              struct admit_call **pending)
{
    struct ledger *l = store_ledger(s);

    *pending = NULL;
    if (l->redis == NULL) {
        admit_here(l, q, out);
        return STORE_DONE;
    }
    *pending = ask_redis(l, q, done, arg);
    if (*pending != NULL)
        return STORE_PENDING;
    admit_without(l, q, false, out);
    return STORE_DONE;
}

void store_settle(struct store *s, const struct settle_query *q)
{
    struct ledger *l = store_ledger(s);

    if (l->redis == NULL)
        settle_here(l, q);
    else
        settle_beside(l, q);
}

/* ── showing ─────────────────────────────────────────────────────────────────────────────────── */

struct look_call {
    struct call call; /* first */
    look_fn done;
    void *arg;
    uint64_t now_unix_ms;
    unsigned n;
    char names[LEDGER_LOOK_MAX][LEDGER_SCOPE_BYTES];
};

static void show(struct book b, uint64_t now_unix_ms, struct ledger_counts *out)
{
    book_move(&b, now_unix_ms);
    book_show(&b, now_unix_ms, out);
}

static void look_here(struct ledger *l, const char *name, uint64_t now_unix_ms,
                      struct ledger_counts *out)
{
    static const struct peers alone = {.n = 1};
    const struct tally *t = tally_find(&l->tallies, name);
    struct book mine;

    *out = (struct ledger_counts){0};
    if (t == NULL)
        return;
    mine = l->redis != NULL ? tally_mine(t) : (struct book){0};
    show(book_of_share(&t->book, &mine, &alone, now_unix_ms), now_unix_ms, out);
}

static bool send_look(struct redis_eval *e)
{
    struct look_call *c = OWNER(struct look_call, call.eval, e);
    struct ledger *l = c->call.ledger;
    char names[1 + 2 * LEDGER_LOOK_MAX][REDIS_NAME_BYTES];
    struct span keys[1 + 2 * LEDGER_LOOK_MAX];

    keys[0] = named(l, "alive", "", names[0]);
    for (unsigned i = 0; i < c->n; i++) {
        keys[1 + 2 * i] = named(l, "rate:", c->names[i], names[1 + 2 * i]);
        keys[2 + 2 * i] = named(l, "sum:", c->names[i], names[2 + 2 * i]);
    }
    return redis_eval(l->redis, e, "look", keys, 1 + 2 * c->n, NULL, 0);
}

static bool read_look(const struct look_call *c, const struct redis_said *said,
                      struct look_answer *out)
{
    struct book all;
    struct held own;

    if (said->n != c->n)
        return false;
    for (unsigned i = 0; i < c->n; i++) {
        if (!text_read_book(said->at[i].text, &all, &own))
            return false;
        show(all, c->now_unix_ms, &out->counts[i]);
    }
    out->quality = STORE_EXACT;
    return true;
}

static void on_look(struct redis_eval *e, const struct redis_said *said)
{
    struct look_call *c = OWNER(struct look_call, call.eval, e);
    struct ledger *l = c->call.ledger;
    look_fn done = c->done;
    void *arg = c->arg;
    struct look_answer answer = {.n = c->n, .quality = STORE_LOCAL};

    if (said == NULL || !read_look(c, said, &answer)) {
        metric_add(l->errors, 1);
        for (unsigned i = 0; i < c->n; i++)
            look_here(l, c->names[i], c->now_unix_ms, &answer.counts[i]);
    }
    call_end(&c->call);
    done(arg, &answer);
}

static struct look_call *look_in_redis(struct ledger *l, const char *const *names, unsigned n,
                                       uint64_t now_unix_ms, look_fn done, void *arg)
{
    struct look_call *c;

    if (n == 0 || !l->teller.is_ready || !redis_takes(l->redis))
        return NULL;
    c = xcalloc(1, sizeof(*c));
    call_start(&c->call, l);
    c->done = done;
    c->arg = arg;
    c->now_unix_ms = now_unix_ms;
    c->n = n;
    for (unsigned i = 0; i < n; i++)
        memcpy(c->names[i], names[i], strnlen(names[i], LEDGER_SCOPE_BYTES - 1));
    c->call.eval.send = send_look;
    c->call.eval.done = on_look;
    if (send_look(&c->call.eval))
        return c;
    call_end(&c->call);
    return NULL;
}

enum store_answer store_look(struct store *s, const char *const *names, unsigned n,
                             uint64_t now_unix_ms, struct look_answer *out, look_fn done, void *arg,
                             struct look_call **pending)
{
    struct ledger *l = store_ledger(s);

    if (n > LEDGER_LOOK_MAX)
        n = LEDGER_LOOK_MAX;
    *pending = NULL;
    if (l->redis != NULL)
        *pending = look_in_redis(l, names, n, now_unix_ms, done, arg);
    if (*pending != NULL)
        return STORE_PENDING;
    *out = (struct look_answer){.n = n, .quality = l->redis == NULL ? STORE_EXACT : STORE_LOCAL};
    for (unsigned i = 0; i < n; i++)
        look_here(l, names[i], now_unix_ms, &out->counts[i]);
    return STORE_DONE;
}

void store_look_cancel(struct look_call *call)
{
    redis_eval_cancel(&call->call.eval);
    call_end(&call->call);
}

/* ── crediting ───────────────────────────────────────────────────────────────────────────────── */

struct credit_call {
    struct call call; /* first */
    credit_fn done;
    void *arg;
    int64_t amount_pd;
    char scope[LEDGER_SCOPE_BYTES], id[LEDGER_CREDIT_ID_BYTES];
};

static bool send_credit(struct redis_eval *e)
{
    struct credit_call *c = OWNER(struct credit_call, call.eval, e);
    struct ledger *l = c->call.ledger;
    char names[3][REDIS_NAME_BYTES];
    struct figures room;
    const struct span keys[] = {named(l, "paid:", c->id, names[0]),
                                named(l, "rate:", c->scope, names[1]),
                                named(l, "sum:", c->scope, names[2])};
    const struct span args[] = {text_of_credit(c->amount_pd, &room)};

    return redis_eval(l->redis, e, "credit", keys, 3, args, 1);
}

static bool read_credit(struct credit_call *c, const struct redis_said *said,
                        struct credit_answer *out)
{
    struct book all;
    struct held own;

    if (said->n != 2 || !is_within(&said->at[0], 1) ||
        !text_read_book(said->at[1].text, &all, &own))
        return false;
    out->outcome = said->at[0].number == 1 ? CREDIT_DONE : CREDIT_REPEATED;
    out->balance_pd = sums_balance_pd(&all.sums);
    tally_follow(tally_of(&c->call.ledger->tallies, c->scope, 0), &all, &own);
    return true;
}

static void on_credit(struct redis_eval *e, const struct redis_said *said)
{
    struct credit_call *c = OWNER(struct credit_call, call.eval, e);
    credit_fn done = c->done;
    void *arg = c->arg;
    struct credit_answer answer = {.outcome = CREDIT_LOST};

    if (said == NULL || !read_credit(c, said, &answer))
        metric_add(c->call.ledger->errors, 1);
    call_end(&c->call);
    done(arg, &answer);
}

static struct credit_call *credit_in_redis(struct ledger *l, const char *scope, const char *id,
                                           int64_t amount_pd, credit_fn done, void *arg)
{
    struct credit_call *c;

    if (!l->teller.is_ready || !redis_takes(l->redis))
        return NULL;
    c = xcalloc(1, sizeof(*c));
    call_start(&c->call, l);
    c->done = done;
    c->arg = arg;
    c->amount_pd = amount_pd;
    memcpy(c->scope, scope, strnlen(scope, sizeof(c->scope) - 1));
    memcpy(c->id, id, strnlen(id, sizeof(c->id) - 1));
    c->call.eval.send = send_credit;
    c->call.eval.done = on_credit;
    if (send_credit(&c->call.eval))
        return c;
    call_end(&c->call);
    return NULL;
}

enum store_answer store_credit(struct store *s, const char *scope, const char *id,
                               int64_t amount_pd, struct credit_answer *out, credit_fn done,
                               void *arg, struct credit_call **pending)
{
    struct ledger *l = store_ledger(s);
    struct tally *t;

    *pending = NULL;
    *out = (struct credit_answer){.outcome = CREDIT_LOST};
    if (l->redis != NULL) {
        *pending = credit_in_redis(l, scope, id, amount_pd, done, arg);
        if (*pending == NULL)
            metric_add(l->errors, 1);
        return *pending != NULL ? STORE_PENDING : STORE_DONE;
    }
    t = tally_of(&l->tallies, scope, 0);
    sums_credit(&t->book.sums, amount_pd);
    *out = (struct credit_answer){CREDIT_DONE, sums_balance_pd(&t->book.sums)};
    return STORE_DONE;
}

void store_credit_cancel(struct credit_call *call)
{
    redis_eval_cancel(&call->call.eval);
    call_end(&call->call);
}

/* ── coming and going ────────────────────────────────────────────────────────────────────────── */

void ledger_up(struct ledger *l)
{
    teller_up(&l->teller, clock_unix_ms());
}

static void on_closed(struct ledger *l)
{
    void (*closed)(void *owner) = l->closed;

    l->closed = NULL;
    deadline_clear(&l->closing);
    teller_fini(&l->teller);
    if (l->teller.waiting > 0)
        log_error("store closed with counts it was not told", "scopes=%u", l->teller.waiting);
    closed(l->owner);
}

void ledger_down(struct ledger *l)
{
    teller_down(&l->teller);
    if (l->closed != NULL)
        on_closed(l);
}

static void on_closing_late(struct deadline *d)
{
    on_closed(OWNER(struct ledger, closing, d));
}

static void on_ready(void *owner)
{
    struct ledger *l = owner;

    if (l->closed == NULL)
        l->ready(l->owner);
}

static void on_told(void *owner)
{
    struct ledger *l = owner;

    metric_set(l->untold, 0);
    if (l->closed != NULL)
        on_closed(l);
}

void ledger_close(struct ledger *l, void (*closed)(void *owner))
{
    while (!ring_is_empty(&l->calls)) {
        struct call *c = OWNER(struct call, link, l->calls.next);
        redis_eval_cancel(&c->eval);
        call_end(c);
    }
    l->closed = closed;
    if (l->redis == NULL || l->teller.waiting == 0 || !redis_is_ready(l->redis))
        on_closed(l);
    else
        deadline_set(&l->closing, CLOSE_MS);
}

struct ledger *ledger_new(struct loop *loop, const struct store_options *options,
                          struct redis *redis, struct metric_registry *metrics,
                          struct metric_series *errors, void (*ready)(void *owner), void *owner)
{
    struct ledger *l = xcalloc(1, sizeof(*l));

    l->loop = loop;
    l->options = options;
    l->redis = redis;
    l->errors = errors;
    l->ready = ready;
    l->owner = owner;
    l->untold = metric_series(metric_declare(metrics, METRIC_GAUGE, "sluice_store_untold_scopes",
                                             "Keys and accounts with counts Redis does not "
                                             "have yet",
                                             "", NULL, 0),
                              NULL);
    ring_init(&l->calls);
    deadline_init(&l->closing, loop, on_closing_late);
    teller_init(&l->teller, loop, redis, &l->tallies);
    l->teller.ready = on_ready;
    l->teller.told = on_told;
    l->teller.owner = l;
    return l;
}

void ledger_free(struct ledger *l)
{
    if (l == NULL)
        return;
    tallies_fini(&l->tallies);
    free(l);
}
