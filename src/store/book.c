#include "book.h"

/* ── money and time ──────────────────────────────────────────────────────────────────────────── */

uint64_t pd_add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* A clock that is behind spends in the period that was seen last: an old one is never opened again. */
static void spend_in(struct spent_in *in, uint64_t period, uint64_t pd)
{
    if (period > in->period)
        *in = (struct spent_in){.period = period};
    in->pd = pd_add(in->pd, pd);
}

void sums_spend(struct sums *s, uint64_t pd, uint64_t unix_ms)
{
    s->spent_pd = pd_add(s->spent_pd, pd);
    for (unsigned p = 0; p < CALENDAR_PERIODS; p++)
        spend_in(&s->spent_in[p], period_of((enum budget_period)p, unix_ms), pd);
    if (unix_ms > s->last_used_unix_ms)
        s->last_used_unix_ms = unix_ms;
}

uint64_t sums_spent(const struct sums *s, enum budget_period p, uint64_t unix_ms)
{
    if (p == PERIOD_TOTAL)
        return s->spent_pd;
    return s->spent_in[p].period >= period_of(p, unix_ms) ? s->spent_in[p].pd : 0;
}

void sums_credit(struct sums *s, int64_t pd)
{
    if (pd >= 0)
        s->credited_pd = pd_add(s->credited_pd, (uint64_t)pd);
    else
        s->withdrawn_pd = pd_add(s->withdrawn_pd, 0 - (uint64_t)pd);
}

static int64_t difference(uint64_t a, uint64_t b)
{
    uint64_t d = a > b ? a - b : b - a;

    if (d > INT64_MAX)
        d = INT64_MAX;
    return a > b ? (int64_t)d : -(int64_t)d;
}

int64_t sums_balance_pd(const struct sums *s)
{
    return difference(s->credited_pd, pd_add(s->withdrawn_pd, s->spent_pd));
}

static void keep_larger(uint64_t *a, uint64_t b)
{
    if (b > *a)
        *a = b;
}

void sums_keep_larger(struct sums *s, const struct sums *other)
{
    keep_larger(&s->spent_pd, other->spent_pd);
    for (unsigned p = 0; p < CALENDAR_PERIODS; p++) {
        struct spent_in *mine = &s->spent_in[p];
        const struct spent_in *theirs = &other->spent_in[p];
        if (theirs->period > mine->period)
            *mine = *theirs;
        else if (theirs->period == mine->period)
            keep_larger(&mine->pd, theirs->pd);
    }
    keep_larger(&s->credited_pd, other->credited_pd);
    keep_larger(&s->withdrawn_pd, other->withdrawn_pd);
    keep_larger(&s->last_used_unix_ms, other->last_used_unix_ms);
}

void sums_add(struct sums *s, const struct sums *more)
{
    s->spent_pd = pd_add(s->spent_pd, more->spent_pd);
    for (unsigned p = 0; p < CALENDAR_PERIODS; p++) {
        if (more->spent_in[p].period >= s->spent_in[p].period)
            spend_in(&s->spent_in[p], more->spent_in[p].period, more->spent_in[p].pd);
    }
    s->credited_pd = pd_add(s->credited_pd, more->credited_pd);
    s->withdrawn_pd = pd_add(s->withdrawn_pd, more->withdrawn_pd);
    keep_larger(&s->last_used_unix_ms, more->last_used_unix_ms);
}

static void add(int64_t *to, int64_t n)
{
    if (__builtin_add_overflow(*to, n, to))
        *to = n > 0 ? INT64_MAX : -INT64_MAX;
}

void held_add(struct held *h, const struct held *more)
{
    add(&h->live, more->live);
    add(&h->tasks, more->tasks);
    add(&h->reserved_pd, more->reserved_pd);
}

void held_take(struct held *h, const struct held *less)
{
    const struct held more = {-less->live, -less->tasks, -less->reserved_pd};

    held_add(h, &more);
}

void held_at_least_nothing(struct held *h)
{
    h->live = h->live > 0 ? h->live : 0;
    h->tasks = h->tasks > 0 ? h->tasks : 0;
    h->reserved_pd = h->reserved_pd > 0 ? h->reserved_pd : 0;
}

bool held_is_nothing(const struct held *h)
{
    return h->live == 0 && h->tasks == 0 && h->reserved_pd == 0;
}

/* ── a request ───────────────────────────────────────────────────────────────────────────────── */

void book_move(struct book *b, uint64_t unix_ms)
{
    window_move(&b->requests, unix_ms);
    window_move(&b->tokens, unix_ms);
}

static bool has_place(int64_t taken, unsigned limit)
{
    return limit == 0 || taken < (int64_t)limit;
}

/* What is spent and reserved already has to leave something, and enough. */
static bool has_money(uint64_t spent, const struct held *h, uint64_t cost, uint64_t most)
{
    uint64_t gone = pd_add(spent, h->reserved_pd > 0 ? (uint64_t)h->reserved_pd : 0);

    return gone < most && cost <= most - gone;
}

static bool has_balance(const struct book *b, uint64_t cost)
{
    const struct sums *s = &b->sums;
    uint64_t most = s->credited_pd > s->withdrawn_pd ? s->credited_pd - s->withdrawn_pd : 0;

    return has_money(s->spent_pd, &b->held, cost, most);
}

enum ledger_limit book_refuses(const struct book *b, const struct ledger_scope *s,
                               const struct admit_query *q)
{
    uint64_t now = q->now_unix_ms;

    if (!window_allows(&b->requests, s->rpm, 1, now))
        return LIMIT_REQUESTS;
    if (!window_allows(&b->tokens, s->tpm, q->tokens, now))
        return LIMIT_TOKENS;
    if (!has_place(b->held.live, s->concurrency))
        return LIMIT_CONCURRENCY;
    if (q->is_task && !has_place(b->held.tasks, s->tasks))
        return LIMIT_TASKS;
    if (s->has_budget &&
        !has_money(sums_spent(&b->sums, s->period, now), &b->held, q->cost_pd, s->budget_pd))
        return LIMIT_BUDGET;
    if (s->is_prepaid && !has_balance(b, q->cost_pd))
        return LIMIT_BALANCE;
    return LIMIT_NONE;
}

static unsigned until_s(uint64_t then_unix_ms, uint64_t now_unix_ms)
{
    uint64_t s = then_unix_ms > now_unix_ms ? (then_unix_ms - now_unix_ms + 999) / 1000 : 1;

    return s < UINT32_MAX ? (unsigned)s : UINT32_MAX;
}

unsigned book_retry_after_s(const struct book *b, const struct ledger_scope *s,
                            const struct admit_query *q, enum ledger_limit by)
{
    uint64_t now = q->now_unix_ms;

    switch (by) {
    case LIMIT_REQUESTS:
        return window_retry_after_s(&b->requests, s->rpm, 1, now);
    case LIMIT_TOKENS:
        return window_retry_after_s(&b->tokens, s->tpm, q->tokens, now);
    case LIMIT_CONCURRENCY:
    case LIMIT_TASKS:
        return 1; /* nobody knows when one of them ends */
    case LIMIT_BUDGET:
        return s->period == PERIOD_TOTAL ? 0 : until_s(period_end_unix_ms(s->period, now), now);
    case LIMIT_BALANCE:
    case LIMIT_NONE:
        break;
    }
    return 0;
}

static int64_t signed_of(uint64_t n)
{
    return n < INT64_MAX ? (int64_t)n : INT64_MAX;
}

struct held hold_share(const struct ledger_hold *h)
{
    return (struct held){.live = 1, .tasks = h->is_task, .reserved_pd = signed_of(h->cost_pd)};
}

struct ledger_hold hold_of(const struct admit_query *q)
{
    struct ledger_hold h = {
        .nscopes = q->nscopes,
        .at_unix_ms = q->now_unix_ms,
        .tokens = q->tokens,
        .cost_pd = q->cost_pd,
        .is_task = q->is_task,
    };

    for (unsigned i = 0; i < q->nscopes; i++)
        memcpy(h.scopes[i], q->scopes[i].name, sizeof(h.scopes[i]));
    return h;
}

void book_admit(struct book *b, const struct ledger_hold *h)
{
    const struct held share = hold_share(h);

    window_count(&b->requests, 1);
    window_count(&b->tokens, signed_of(h->tokens));
    held_add(&b->held, &share);
}

void window_true_up(struct window *w, const struct settle_query *q)
{
    if (q->tokens >= q->hold.tokens)
        window_count(w, signed_of(q->tokens - q->hold.tokens));
    else
        window_correct(w, q->hold.at_unix_ms, -signed_of(q->hold.tokens - q->tokens));
}

void book_settle(struct book *b, const struct settle_query *q)
{
    const struct held share = hold_share(&q->hold);

    window_true_up(&b->tokens, q);
    held_take(&b->held, &share);
    sums_spend(&b->sums, q->cost_pd, q->now_unix_ms);
}

void book_show(const struct book *b, uint64_t unix_ms, struct ledger_counts *out)
{
    struct held held = b->held;

    held_at_least_nothing(&held);
    *out = (struct ledger_counts){
        .requests = window_used(&b->requests, unix_ms),
        .tokens = window_used(&b->tokens, unix_ms),
        .live = (uint64_t)held.live,
        .tasks = (uint64_t)held.tasks,
        .reserved_pd = (uint64_t)held.reserved_pd,
        .credited_pd = difference(b->sums.credited_pd, b->sums.withdrawn_pd),
        .last_used_unix_ms = b->sums.last_used_unix_ms,
    };
    for (unsigned p = 0; p <= PERIOD_TOTAL; p++)
        out->spent_pd[p] = sums_spent(&b->sums, (enum budget_period)p, unix_ms);
}

/* ── a share of the limits ───────────────────────────────────────────────────────────────────── */

static int64_t times(int64_t a, unsigned n)
{
    int64_t product;

    if (__builtin_mul_overflow(a, (int64_t)n, &product))
        return a > 0 ? INT64_MAX : -INT64_MAX;
    return product;
}

static uint64_t pd_times(uint64_t a, unsigned n)
{
    return a > UINT64_MAX / n ? UINT64_MAX : a * n;
}

static struct window window_of_all(const struct window *common, const struct window *mine,
                                   unsigned n)
{
    struct window w = *common;
    const struct window all = {mine->minute, times(mine->now, n), times(mine->before, n)};

    window_merge(&w, &all);
    return w;
}

/* With one more of each already taken by whoever is before this one, what does not divide evenly is
 * theirs: left = 4, n = 3 gives the first two, the others one. */
struct book book_of_share(const struct book *common, const struct book *mine, const struct peers *p,
                          uint64_t unix_ms)
{
    struct sums spent = mine->sums;
    const struct held held = {times(mine->held.live, p->n) + p->rank,
                              times(mine->held.tasks, p->n) + p->rank,
                              times(mine->held.reserved_pd, p->n)};
    struct book b = *common;

    b.requests = window_of_all(&common->requests, &mine->requests, p->n);
    b.tokens = window_of_all(&common->tokens, &mine->tokens, p->n);
    book_move(&b, unix_ms);
    window_count(&b.requests, p->rank);
    held_add(&b.held, &held);
    spent.spent_pd = pd_times(spent.spent_pd, p->n);
    for (unsigned i = 0; i < CALENDAR_PERIODS; i++)
        spent.spent_in[i].pd = pd_times(spent.spent_in[i].pd, p->n);
    sums_add(&b.sums, &spent);
    return b;
}

struct admit_query query_of_share(const struct admit_query *q, const struct peers *p)
{
    struct admit_query all = *q;

    all.tokens = pd_times(q->tokens, p->n);
    all.cost_pd = pd_times(q->cost_pd, p->n);
    return all;
}

/* ── the answer ──────────────────────────────────────────────────────────────────────────────── */

void admit_answer_windows(struct admit_answer *a, const struct book *const *books,
                          const struct admit_query *q, const struct peers *p)
{
    for (unsigned i = 0; i < q->nscopes; i++) {
        const struct ledger_scope *s = &q->scopes[i];
        uint64_t requests = window_remaining(&books[i]->requests, s->rpm, q->now_unix_ms) / p->n;
        uint64_t tokens = window_remaining(&books[i]->tokens, s->tpm, q->now_unix_ms) / p->n;

        if (s->rpm > 0 && (a->limit == 0 || requests < a->remaining)) {
            a->limit = s->rpm;
            a->remaining = (unsigned)requests;
        }
        if (s->tpm > 0 && (a->tokens_limit == 0 || tokens < a->tokens_remaining)) {
            a->tokens_limit = s->tpm;
            a->tokens_remaining = tokens;
        }
    }
}

void admit_decide(struct admit_answer *a, const struct book *const *books,
                  const struct admit_query *q)
{
    *a = (struct admit_answer){.allowed = true};
    for (unsigned i = 0; i < q->nscopes; i++) {
        enum ledger_limit by = book_refuses(books[i], &q->scopes[i], q);
        if (by == LIMIT_NONE)
            continue;
        a->allowed = false;
        a->refused_by = by;
        a->refused_scope = i;
        a->retry_after_s = book_retry_after_s(books[i], &q->scopes[i], q, by);
        return;
    }
    a->hold = hold_of(q);
}
