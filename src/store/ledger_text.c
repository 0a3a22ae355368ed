#include "ledger_text.h"

#include "decimal.h"

#include <errno.h>

#define PICO UINT64_C(1000000000000)
enum { SUMS_NUMBERS = 16, BOOK_NUMBERS = 14 + SUMS_NUMBERS };

/* ── writing ─────────────────────────────────────────────────────────────────────────────────── */

struct writing {
    char *at;
    size_t n;
};

static void write_sign(struct writing *w)
{
    w->at[w->n++] = '-';
}

static void write_digits(struct writing *w, uint64_t number)
{
    struct decimal room;
    struct span digits = decimal(number, &room);

    memcpy(w->at + w->n, digits.at, digits.len);
    w->n += digits.len;
    w->at[w->n++] = ' ';
}

static void write_signed(struct writing *w, int64_t number)
{
    if (number < 0)
        write_sign(w);
    write_digits(w, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

static void write_money(struct writing *w, uint64_t pd)
{
    write_digits(w, pd / PICO);
    write_digits(w, pd % PICO);
}

/* Both halves have the sign. */
static void write_signed_money(struct writing *w, int64_t pd)
{
    uint64_t amount = pd < 0 ? 0 - (uint64_t)pd : (uint64_t)pd;

    if (pd < 0)
        write_sign(w);
    write_digits(w, amount / PICO);
    if (pd < 0)
        write_sign(w);
    write_digits(w, amount % PICO);
}

static void write_window(struct writing *w, const struct window *window)
{
    write_digits(w, window->minute);
    write_signed(w, window->now);
    write_signed(w, window->before);
}

static void write_sums(struct writing *w, const struct sums *s)
{
    write_money(w, s->spent_pd);
    for (unsigned p = 0; p < CALENDAR_PERIODS; p++) {
        write_digits(w, s->spent_in[p].period);
        write_money(w, s->spent_in[p].pd);
    }
    write_money(w, s->credited_pd);
    write_money(w, s->withdrawn_pd);
    write_digits(w, s->last_used_unix_ms);
}

static struct span written(const struct writing *w)
{
    return span_of(w->at, w->n - 1); /* without the last blank */
}

struct span text_of_query(const struct admit_query *q, struct figures *room)
{
    struct writing w = {room->text, 0};

    write_digits(&w, q->now_unix_ms);
    write_digits(&w, q->tokens);
    write_money(&w, q->cost_pd);
    write_digits(&w, q->is_task);
    for (unsigned p = 0; p < CALENDAR_PERIODS; p++)
        write_digits(&w, period_of((enum budget_period)p, q->now_unix_ms));
    return written(&w);
}

struct span text_of_limits(const struct ledger_scope *s, struct figures *room)
{
    struct writing w = {room->text, 0};

    write_digits(&w, s->rpm);
    write_digits(&w, s->tpm);
    write_digits(&w, s->concurrency);
    write_digits(&w, s->tasks);
    write_digits(&w, s->has_budget ? (uint64_t)s->period + 1 : 0);
    write_money(&w, s->budget_pd);
    write_digits(&w, s->is_prepaid);
    return written(&w);
}

static void write_held(struct writing *w, const struct held *h)
{
    write_signed(w, h->live);
    write_signed(w, h->tasks);
    write_signed_money(w, h->reserved_pd);
}

struct span text_of_change(const struct book *change, uint64_t version, const struct book *seen,
                           struct figures *room)
{
    struct writing w = {room->text, 0};

    write_window(&w, &change->requests);
    write_window(&w, &change->tokens);
    write_held(&w, &change->held);
    write_digits(&w, version);
    if (seen != NULL) {
        write_window(&w, &seen->requests);
        write_window(&w, &seen->tokens);
    }
    return written(&w);
}

struct span text_of_held(const struct held *change, struct figures *room)
{
    struct writing w = {room->text, 0};

    write_held(&w, change);
    return written(&w);
}

struct span text_of_sums(const struct sums *s, struct figures *room)
{
    struct writing w = {room->text, 0};

    write_sums(&w, s);
    return written(&w);
}

int text_add_part(struct buf *out, const struct part *one)
{
    struct figures room;
    struct writing w = {room.text, 0};

    write_digits(&w, one->era);
    write_sums(&w, &one->sums);
    if (buf_reserve(out, PART_NAME_BYTES + 1 + w.n) < 0)
        return -ENOMEM;
    return buf_addf(out, "%s %.*s;", one->name, SPAN_FMT(written(&w)));
}

struct span text_of_credit(int64_t pd, struct figures *room)
{
    struct writing w = {room->text, 0};

    write_signed(&w, pd < 0 ? -1 : 1);
    write_money(&w, pd < 0 ? 0 - (uint64_t)pd : (uint64_t)pd);
    return written(&w);
}

/* ── reading ─────────────────────────────────────────────────────────────────────────────────── */

static bool read_numbers(struct span text, uint64_t *numbers, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (!span_to_u64(span_cut(&text, ' '), &numbers[i]))
            return false;
    }
    return text.at == NULL;
}

static int64_t signed_of(uint64_t n)
{
    return n < INT64_MAX ? (int64_t)n : INT64_MAX;
}

static uint64_t money_of(const uint64_t *two)
{
    if (two[0] > UINT64_MAX / PICO)
        return UINT64_MAX;
    return pd_add(two[0] * PICO, two[1]);
}

static int64_t count_of(uint64_t n)
{
    return n < WINDOW_COUNT_MAX ? (int64_t)n : WINDOW_COUNT_MAX;
}

static struct window window_of(const uint64_t *three)
{
    return (struct window){three[0], count_of(three[1]), count_of(three[2])};
}

static struct held held_of(const uint64_t *four)
{
    return (struct held){signed_of(four[0]), signed_of(four[1]), signed_of(money_of(four + 2))};
}

static struct sums sums_of(const uint64_t *n)
{
    struct sums s = {.spent_pd = money_of(n)};

    for (unsigned p = 0; p < CALENDAR_PERIODS; p++) {
        const uint64_t *three = n + 2 + 3 * p;
        s.spent_in[p] = (struct spent_in){three[0], money_of(three + 1)};
    }
    s.credited_pd = money_of(n + 11);
    s.withdrawn_pd = money_of(n + 13);
    s.last_used_unix_ms = n[15];
    return s;
}

bool text_read_sums(struct span text, struct sums *s)
{
    uint64_t n[SUMS_NUMBERS];

    if (!read_numbers(text, n, SUMS_NUMBERS))
        return false;
    *s = sums_of(n);
    return true;
}

static bool read_part(struct span text, struct part *one)
{
    struct span name = span_cut(&text, ' ');

    if (name.len == 0 || name.len >= sizeof(one->name))
        return false;
    *one = (struct part){0};
    memcpy(one->name, name.at, name.len);
    return span_to_u64(span_cut(&text, ' '), &one->era) && text_read_sums(text, &one->sums);
}

bool text_read_parts(struct span text, struct parts *out)
{
    struct part one;

    while (text.len > 0) {
        if (!read_part(span_cut(&text, ';'), &one))
            return false;
        if (out != NULL)
            parts_see(out, &one);
    }
    return true;
}

bool text_read_version(struct span *text, uint64_t *version, uint64_t *born)
{
    struct span two = span_cut(text, ';');

    return span_to_u64(span_cut(&two, ' '), version) && span_to_u64(two, born);
}

bool text_read_book(struct span text, struct book *all, struct held *own)
{
    uint64_t n[BOOK_NUMBERS];

    if (!read_numbers(text, n, BOOK_NUMBERS))
        return false;
    all->requests = window_of(n);
    all->tokens = window_of(n + 3);
    all->held = held_of(n + 6);
    *own = held_of(n + 10);
    all->sums = sums_of(n + 14);
    return true;
}
