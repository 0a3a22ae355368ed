/* Credited once for an id: Redis keeps the id for 400 days, the file for ever, memory as long as it can. */
#include "ledger_priv.h"

#include "ledger_text.h"
#include "owner.h"
#include "sluice/base/arena.h"
#include "sluice/base/digest.h"

#include <stdio.h>
#include <stdlib.h>

struct credit_call {
    struct ledger_call call; /* first */
    credit_fn done;
    void *arg;
    struct writing *writing; /* on disk */
    int64_t amount_pd;       /* in Redis */
    char scope[LEDGER_SCOPE_BYTES], id[LEDGER_CREDIT_ID_BYTES];
};

/* A part of the sums of its own (parts.h): whoever sees it twice, it is one. */
static void name_part(const char *id, char out[PART_NAME_BYTES])
{
    uint8_t hash[SHA256_BYTES];

    digest_sha256(span_text(id), hash);
    out[0] = 'c';
    digest_hex(hash, 16, out + 1);
}

static bool send_credit(struct redis_eval *e)
{
    struct credit_call *c = OWNER(struct credit_call, call.eval, e);
    struct ledger *l = c->call.ledger;
    char names[3][REDIS_NAME_BYTES], part[PART_NAME_BYTES];
    struct figures room;
    const struct span keys[] = {ledger_name(l, "paid:", c->id, names[0]),
                                ledger_name(l, "rate:", c->scope, names[1]),
                                ledger_name(l, "sum:", c->scope, names[2])};
    struct span args[] = {text_of_credit(c->amount_pd, &room), SPAN_NONE};

    name_part(c->id, part);
    args[1] = span_text(part);
    return redis_eval(l->redis, e, "credit", keys, 3, args, 2);
}

static bool read_credit(struct credit_call *c, const struct redis_said *said,
                        struct credit_answer *out)
{
    struct ledger *l = c->call.ledger;
    struct tally *one;
    struct book all;
    struct held own;

    if (said->n != 3 || !redis_word_is_within(&said->at[0], 1) ||
        !text_read_book(said->at[1].text, &all, &own) || !text_read_parts(said->at[2].text, NULL))
        return false;
    out->outcome = said->at[0].number == 1 ? CREDIT_DONE : CREDIT_REPEATED;
    out->balance_pd = sums_balance_pd(&all.sums);
    one = tally_of(&l->tallies, c->scope, 0);
    text_read_parts(said->at[2].text, &one->parts);
    tally_follow(one, &all, &own, redis_run(l->redis));
    return true;
}

static void on_credit(struct redis_eval *e, const struct redis_said *said)
{
    struct credit_call *c = OWNER(struct credit_call, call.eval, e);
    credit_fn done = c->done;
    void *arg = c->arg;
    struct credit_answer answer = {.outcome = CREDIT_LOST};

    if (said == NULL || !read_credit(c, said, &answer))
        metric_add(c->call.ledger->seat.errors, 1);
    ledger_call_end(&c->call);
    done(arg, &answer);
}

static struct credit_call *credit_in_redis(struct ledger *l, const char *scope, const char *id,
                                           int64_t amount_pd, credit_fn done, void *arg)
{
    struct credit_call *c;

    if (!l->teller.is_ready || !redis_takes(l->redis))
        return NULL;
    c = xcalloc(1, sizeof(*c));
    ledger_call_start(&c->call, l, ledger_call_drop);
    c->done = done;
    c->arg = arg;
    c->amount_pd = amount_pd;
    memcpy(c->scope, scope, strnlen(scope, sizeof(c->scope) - 1));
    memcpy(c->id, id, strnlen(id, sizeof(c->id) - 1));
    c->call.eval.send = send_credit;
    c->call.eval.done = on_credit;
    if (send_credit(&c->call.eval))
        return c;
    ledger_call_end(&c->call);
    return NULL;
}

/* ── on disk ─────────────────────────────────────────────────────────────────────────────────── */

/* Until it is written: then the tally is credited, whether somebody still waits or not. */
struct writing {
    struct disk_credit credit; /* first */
    struct ring link;          /* in ledger.credits */
    struct ledger *ledger;     /* NULL: closed */
    struct credit_call *call;  /* NULL: nobody waits */
};

static void on_written(struct disk_task *t)
{
    struct writing *w = (struct writing *)t;
    struct ledger *l = w->ledger;
    struct credit_call *c = w->call;
    struct credit_answer answer = {.outcome = CREDIT_LOST};
    credit_fn done = c != NULL ? c->done : NULL;
    void *arg = c != NULL ? c->arg : NULL;

    if (l != NULL && !t->is_failed) {
        struct tally *one = tally_of(&l->tallies, w->credit.scope, 0);
        if (w->credit.is_new)
            sums_credit(&one->book.sums, w->credit.amount_pd);
        answer.outcome = w->credit.is_new ? CREDIT_DONE : CREDIT_REPEATED;
        answer.balance_pd = sums_balance_pd(&one->book.sums);
    }
    if (l != NULL)
        ring_remove(&w->link);
    if (c != NULL)
        ledger_call_end(&c->call);
    free(w);
    if (done != NULL)
        done(arg, &answer);
}

static void drop_writing(struct ledger_call *call)
{
    ((struct credit_call *)call)->writing->call = NULL;
    ledger_call_end(call);
}

static struct credit_call *credit_on_disk(struct ledger *l, const char *scope, const char *id,
                                          int64_t amount_pd, credit_fn done, void *arg)
{
    struct credit_call *c = xcalloc(1, sizeof(*c));
    struct writing *w = xcalloc(1, sizeof(*w));

    ledger_call_start(&c->call, l, drop_writing);
    c->done = done;
    c->arg = arg;
    c->writing = w;
    w->ledger = l;
    w->call = c;
    ring_add(&l->credits, &w->link);
    snprintf(w->credit.scope, sizeof(w->credit.scope), "%s", scope);
    snprintf(w->credit.id, sizeof(w->credit.id), "%s", id);
    w->credit.amount_pd = amount_pd;
    w->credit.unix_ms = clock_unix_ms();
    w->credit.task.done = on_written;
    disk_credit_add(l->disk, &w->credit);
    return c;
}

void ledger_credits_close(struct ledger *l)
{
    while (!ring_is_empty(&l->credits)) {
        struct writing *w = OWNER(struct writing, link, l->credits.next);
        ring_remove(&w->link);
        w->ledger = NULL;
    }
}

/* ── in memory ───────────────────────────────────────────────────────────────────────────────── */

static const uint64_t kept_ms = UINT64_C(400) * 86400 * 1000; /* an id, as in Redis */

static void credit_here(struct ledger *l, const char *scope, const char *id, int64_t amount_pd,
                        struct credit_answer *out)
{
    struct sums *s = &tally_of(&l->tallies, scope, 0)->book.sums;
    uint64_t now = clock_unix_ms();
    char name[8 + LEDGER_CREDIT_ID_BYTES];
    struct span value;

    snprintf(name, sizeof(name), "paid:%s", id);
    if (embedded_find(l->seat.memory, span_text(name), now, &value)) {
        out->outcome = CREDIT_REPEATED;
    } else if (embedded_keep(l->seat.memory, span_text(name), SPAN_NONE, now + kept_ms, now) == 0) {
        sums_credit(s, amount_pd);
        out->outcome = CREDIT_DONE;
    }
    out->balance_pd = sums_balance_pd(s);
}

enum store_answer store_credit(struct store *s, const char *scope, const char *id,
                               int64_t amount_pd, struct credit_answer *out, credit_fn done,
                               void *arg, struct credit_call **pending)
{
    struct ledger *l = store_ledger(s);

    *pending = NULL;
    *out = (struct credit_answer){.outcome = CREDIT_LOST};
    if (l->redis != NULL)
        *pending = credit_in_redis(l, scope, id, amount_pd, done, arg);
    else if (l->disk != NULL)
        *pending = credit_on_disk(l, scope, id, amount_pd, done, arg);
    else
        credit_here(l, scope, id, amount_pd, out);
    if (*pending != NULL)
        return STORE_PENDING;
    if (out->outcome == CREDIT_LOST)
        metric_add(l->seat.errors, 1);
    return STORE_DONE;
}

void store_credit_cancel(struct credit_call *call)
{
    call->call.drop(&call->call);
}
