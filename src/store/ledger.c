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

#include <stdlib.h>

enum { CLOSE_MS = 1000 };

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
        struct tally *t = tally_of(&l->tallies, q->hold.scopes[i], q->now_unix_ms);
        book_move(&t->book, q->now_unix_ms);
        book_settle(&t->book, q);
        window_at_least_nothing(&t->book.tokens);
        held_at_least_nothing(&t->book.held);
        if (l->disk != NULL)
            keeper_add(&l->keeper, t);
    }
}

/* ── beside Redis ────────────────────────────────────────────────────────────────────────────── */

static void show_untold(struct ledger *l)
{
    metric_add(l->untold, (double)l->teller.waiting - (double)l->shown);
    l->shown = l->teller.waiting;
}

static struct tally *to_tell(struct ledger *l, const char *name, uint64_t unix_ms)
{
    struct tally *t = tally_of(&l->tallies, name, unix_ms);

    book_move(&t->untold, unix_ms);
    teller_add(&l->teller, t);
    show_untold(l);
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
    metric_add(l->seat.errors, 1);
    if (!l->seat.options->fail_closed) {
        admit_share(l, q, is_counted, out);
        return;
    }
    *out = (struct admit_answer){.retry_after_s = 1, .quality = STORE_LOST};
    for (unsigned i = 0; i < q->nscopes; i++) {
        if (q->scopes[i].rpm > 0 && (out->limit == 0 || q->scopes[i].rpm < out->limit))
            out->limit = q->scopes[i].rpm;
    }
}

/* ── admission ───────────────────────────────────────────────────────────────────────────────── */

enum admit_state {
    ADMIT_WAITING,
    ADMIT_REFUSED_HERE, /* it was late, so this process decided */
    ADMIT_ALLOWED_HERE,
    ADMIT_CANCELLED,
};

struct admit_call {
    struct ledger_call call; /* first */
    enum admit_state state;
    struct admit_query query;
    struct held ended[LEDGER_SCOPES_MAX]; /* places; they come along */
    admit_fn done;
    void *arg;
};

/* Places that are free again are so for whoever comes next: an admission takes along what Redis was still
 * to be told of them. It gets there, or the connection is lost and all is told anew. Money stays reserved
 * until what was spent of it is told, or a budget would be passed in between. */
static void take_ended(struct admit_call *c)
{
    for (unsigned i = 0; i < c->query.nscopes; i++) {
        struct tally *t = tally_find(&c->call.ledger->tallies, c->query.scopes[i].name);
        if (t == NULL)
            continue;
        c->ended[i] = t->untold.held;
        c->ended[i].reserved_pd = 0;
        held_take(&t->untold.held, &c->ended[i]);
    }
}

static void give_ended_back(struct admit_call *c)
{
    for (unsigned i = 0; i < c->query.nscopes; i++) {
        if (!held_is_nothing(&c->ended[i]))
            held_add(&to_tell(c->call.ledger, c->query.scopes[i].name, c->query.now_unix_ms)
                          ->untold.held,
                     &c->ended[i]);
    }
}

static bool send_admit(struct redis_eval *e)
{
    struct admit_call *c = OWNER(struct admit_call, call.eval, e);
    struct ledger *l = c->call.ledger;
    const struct admit_query *q = &c->query;
    char names[1 + 2 * LEDGER_SCOPES_MAX][REDIS_NAME_BYTES];
    struct figures room[1 + 2 * LEDGER_SCOPES_MAX];
    struct span keys[1 + 2 * LEDGER_SCOPES_MAX], args[1 + 2 * LEDGER_SCOPES_MAX];

    keys[0] = ledger_name(l, "alive", "", names[0]);
    args[0] = text_of_query(q, &room[0]);
    for (unsigned i = 0; i < q->nscopes; i++) {
        keys[1 + 2 * i] = ledger_name(l, "rate:", q->scopes[i].name, names[1 + 2 * i]);
        keys[2 + 2 * i] = ledger_name(l, "sum:", q->scopes[i].name, names[2 + 2 * i]);
        args[1 + i] = text_of_limits(&q->scopes[i], &room[1 + i]);
        args[1 + q->nscopes + i] = held_is_nothing(&c->ended[i])
                                       ? SPAN_NONE
                                       : text_of_held(&c->ended[i],
                                                      &room[1 + LEDGER_SCOPES_MAX + i]);
    }
    return redis_eval(l->redis, e, "admit", keys, 1 + 2 * q->nscopes, args, 1 + 2 * q->nscopes);
}

struct verdict {
    enum ledger_limit by;
    unsigned scope;
};

/* Everything is read before anything is believed. */
static bool read_admit(struct ledger *l, const struct admit_query *q, const struct redis_said *said,
                       struct verdict *v)
{
    struct book all[LEDGER_SCOPES_MAX];
    struct held own[LEDGER_SCOPES_MAX];

    if (said->n != 2 + q->nscopes || !redis_word_is_within(&said->at[0], q->nscopes) ||
        !redis_word_is_within(&said->at[1], LIMIT_BALANCE))
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
        tally_follow(tally_of(&l->tallies, q->scopes[i].name, q->now_unix_ms), &all[i], &own[i],
                     redis_run(l->redis));
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

    if (e->is_refused)
        give_ended_back(c);
    if (done == NULL && is_read)
        put_right(c, &v);
    else if (done != NULL && is_read)
        answer_exactly(l, &c->query, &v, &answer);
    else if (done != NULL)
        admit_without(l, &c->query, said == NULL && !e->is_refused, &answer);
    ledger_call_end(&c->call);
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
    ledger_call_start(&c->call, l, ledger_call_drop);
    c->query = *q;
    c->done = done;
    c->arg = arg;
    c->call.eval.send = send_admit;
    c->call.eval.late = on_admit_late;
    c->call.eval.done = on_admit;
    take_ended(c);
    if (send_admit(&c->call.eval))
        return c;
    give_ended_back(c);
    ledger_call_end(&c->call);
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

/* ── coming and going ────────────────────────────────────────────────────────────────────────── */

void ledger_up(struct ledger *l)
{
    teller_up(&l->teller, clock_unix_ms());
    show_untold(l);
}

/* ── life ────────────────────────────────────────────────────────────────────────────────────── */

void ledger_call_start(struct ledger_call *c, struct ledger *l, void (*drop)(struct ledger_call *c))
{
    c->ledger = l;
    c->drop = drop;
    ring_add(&l->calls, &c->link);
}

void ledger_call_end(struct ledger_call *c)
{
    ring_remove(&c->link);
    free(c);
}

void ledger_call_drop(struct ledger_call *c)
{
    redis_eval_cancel(&c->eval);
    ledger_call_end(c);
}

struct span ledger_name(const struct ledger *l, const char *kind, const char *name,
                        char room[REDIS_NAME_BYTES])
{
    return redis_name(l->redis, span_text(kind), span_text(name), room);
}

static void on_closed(struct ledger *l)
{
    void (*closed)(void *owner) = l->closed;

    l->closed = NULL;
    deadline_clear(&l->closing);
    teller_fini(&l->teller);
    if (l->teller.waiting > 0)
        log_error("store closed with counts it was not told", "scopes=%u", l->teller.waiting);
    closed(l->seat.owner);
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
        l->seat.ready(l->seat.owner);
}

static void on_told(void *owner)
{
    struct ledger *l = owner;

    show_untold(l);
    if (l->closed != NULL)
        on_closed(l);
}

void ledger_close(struct ledger *l, void (*closed)(void *owner))
{
    while (!ring_is_empty(&l->calls)) {
        struct ledger_call *c = (struct ledger_call *)l->calls.next;
        c->drop(c);
    }
    ledger_credits_close(l);
    if (l->disk != NULL)
        keeper_close(&l->keeper);
    l->closed = closed;
    if (l->redis == NULL || l->teller.waiting == 0 || !redis_is_ready(l->redis))
        on_closed(l);
    else
        deadline_set(&l->closing, CLOSE_MS);
}

static void on_loaded(void *arg, const char *scope, const struct sums *sums)
{
    struct ledger *l = arg;

    tally_of(&l->tallies, scope, 0)->book.sums = *sums;
}

static void start_teller(struct ledger *l)
{
    teller_init(&l->teller, l->loop, l->redis, &l->tallies);
    l->teller.ready = on_ready;
    l->teller.told = on_told;
    l->teller.owner = l;
}

struct ledger *ledger_new(const struct ledger_seat *seat, struct err *why)
{
    struct ledger *l = xcalloc(1, sizeof(*l));

    l->seat = *seat;
    l->loop = seat->loop;
    l->redis = seat->redis;
    l->disk = seat->disk;
    l->untold = metric_series(metric_declare(seat->metrics, METRIC_GAUGE,
                                             "sluice_store_untold_scopes",
                                             "Keys and accounts with counts Redis does not "
                                             "have yet",
                                             "", NULL, 0),
                              NULL);
    l->tallies.are_the_truth = l->redis == NULL;
    ring_init(&l->calls);
    ring_init(&l->credits);
    deadline_init(&l->closing, l->loop, on_closing_late);
    start_teller(l);
    if (l->disk == NULL)
        return l;
    keeper_init(&l->keeper, l->loop, l->disk, &l->tallies);
    if (disk_sums_load(l->disk, on_loaded, l, why) == 0)
        return l;
    ledger_free(l);
    return NULL;
}

void ledger_free(struct ledger *l)
{
    if (l == NULL)
        return;
    tallies_fini(&l->tallies);
    free(l);
}
