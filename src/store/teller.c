#include "teller.h"

#include "decimal.h"
#include "ledger_text.h"
#include "owner.h"
#include "sluice/base/rng.h"

#include <stdio.h>

/* When Redis refused what it was told, or the pipeline is full. */
enum { AGAIN_MS = 200 };

static void send_soon(struct teller *t)
{
    if (!t->is_sending && !deadline_armed(&t->again))
        loop_later(t->loop, &t->flush);
}

static void count_waiting(struct teller *t, const struct tally *one, int by)
{
    if (!ring_holds(&one->queued) && !one->is_telling)
        t->waiting = (unsigned)((int)t->waiting + by);
}

void teller_add(struct teller *t, struct tally *one)
{
    if (!ring_holds(&one->queued)) {
        count_waiting(t, one, 1);
        ring_add(&t->queue, &one->queued);
    }
    send_soon(t);
}

/* ── a batch ─────────────────────────────────────────────────────────────────────────────────── */

/* One of another tally than this may have had the scope in this process: each has a name of its own. */
static void begin_part(struct teller *t, struct tally *one, uint64_t era)
{
    if (one->mine.name[0] != '\0')
        parts_see(&one->parts, &one->mine);
    one->mine = (struct part){.era = era};
    snprintf(one->mine.name, sizeof(one->mine.name), "p%s.%llx", t->process,
             (unsigned long long)t->nparts++);
}

static void add_to_mine(struct teller *t, struct tally *one, uint64_t now_unix_ms)
{
    const uint64_t today = period_of(PERIOD_DAY, now_unix_ms);
    const uint64_t open = parts_horizon(&one->parts) + 1;

    if (one->telling.sums.last_used_unix_ms == 0)
        return;
    if (one->mine.name[0] == '\0' || one->mine.era < today)
        begin_part(t, one, today > open ? today : open);
    sums_add(&one->mine.sums, &one->telling.sums);
}

/* What was folded before this was told of it contains none of it: it goes into another part. */
static void begin_anew_when_folded(struct teller *t, struct tally *one)
{
    if (one->mine.name[0] == '\0' || one->mine.era > parts_horizon(&one->parts))
        return;
    one->mine = (struct part){0};
    if (one->telling.sums.last_used_unix_ms == 0)
        return;
    sums_add(&one->untold.sums, &one->telling.sums);
    teller_add(t, one);
}

static void take_batch(struct teller *t)
{
    const uint64_t now = clock_unix_ms();

    while (t->nbatch < TELLER_BATCH_MAX && !ring_is_empty(&t->queue)) {
        struct tally *one = OWNER(struct tally, queued, t->queue.next);
        ring_remove(&one->queued);
        one->is_telling = true;
        one->telling = one->untold;
        one->untold = (struct book){0};
        add_to_mine(t, one, now);
        t->batch[t->nbatch++] = one;
    }
    t->number++;
}

struct telling {
    char names[1 + 2 * TELLER_BATCH_MAX][REDIS_NAME_BYTES];
    struct figures changes[TELLER_BATCH_MAX];
    struct buf parts[TELLER_BATCH_MAX];
    struct span keys[1 + 2 * TELLER_BATCH_MAX], args[2 + 2 * TELLER_BATCH_MAX];
    unsigned nkeys, nargs;
};

static void add_key(struct telling *w, const struct redis *r, const char *kind, const char *name)
{
    w->keys[w->nkeys] = redis_name(r, span_text(kind), span_text(name), w->names[w->nkeys]);
    w->nkeys++;
}

/* "<mine> <parts>": what this process has to say of the sums. */
static int add_parts(struct buf *out, const struct tally *one, bool all)
{
    const struct part *mine = one->mine.name[0] != '\0' ? &one->mine : NULL;

    if (buf_addf(out, "%s ", one->mine.name) < 0 || (mine != NULL && text_add_part(out, mine) < 0))
        return -ENOMEM;
    for (unsigned i = 0; all && i < one->parts.n; i++) {
        if (text_add_part(out, &one->parts.at[i]) < 0)
            return -ENOMEM;
    }
    return 0;
}

static int add_tally(struct telling *w, const struct redis *r, const struct tally *one, unsigned i)
{
    const bool may_be_forgotten = one->run != redis_run(r);

    add_key(w, r, "rate:", one->name);
    add_key(w, r, "sum:", one->name);
    w->args[w->nargs++] = text_of_change(&one->telling, may_be_forgotten ? 0 : one->version,
                                         may_be_forgotten ? &one->book : NULL, &w->changes[i]);
    if (add_parts(&w->parts[i], one, may_be_forgotten || one->born == 0) < 0)
        return -ENOMEM;
    w->args[w->nargs++] = buf_span(&w->parts[i]);
    return 0;
}

static bool send_batch(struct redis_eval *e)
{
    struct teller *t = OWNER(struct teller, eval, e);
    struct redis *r = t->redis;
    struct telling w;
    struct decimal number, run;
    bool is_sent = true;

    w.nkeys = w.nargs = 0;
    memset(w.parts, 0, sizeof(w.parts));
    add_key(&w, r, "seq:", t->process);
    w.args[w.nargs++] = decimal(t->number, &number);
    w.args[w.nargs++] = decimal(redis_run(r), &run);
    for (unsigned i = 0; i < t->nbatch; i++)
        is_sent = is_sent && add_tally(&w, r, t->batch[i], i) == 0;
    is_sent = is_sent && redis_eval(r, e, "tell", w.keys, w.nkeys, w.args, w.nargs);
    for (unsigned i = 0; i < t->nbatch; i++)
        buf_fini(&w.parts[i]);
    return is_sent;
}

static void send_next(struct teller *t)
{
    if (t->is_sending || !redis_is_ready(t->redis))
        return;
    if (t->nbatch == 0 && ring_is_empty(&t->queue))
        return;
    if (t->nbatch == 0)
        take_batch(t);
    t->eval.whole_script = false;
    t->is_sending = send_batch(&t->eval);
    if (!t->is_sending)
        deadline_set(&t->again, AGAIN_MS);
}

static void on_flush(struct later *later)
{
    send_next(OWNER(struct teller, flush, later));
}

static void on_again(struct deadline *d)
{
    send_next(OWNER(struct teller, again, d));
}

/* ── what became of it ───────────────────────────────────────────────────────────────────────── */

static void end_one(struct teller *t, struct tally *one)
{
    one->telling = (struct book){0};
    one->is_telling = false;
    t->nanew -= one->is_anew;
    one->is_anew = false;
    count_waiting(t, one, -1);
}

/* Parts of another life of them (Redis was flushed, say) miss what only this process remembers. */
static void follow_parts(struct teller *t, struct tally *one, struct span text)
{
    uint64_t version = 0, born = 0;
    bool was_told_all = one->run != redis_run(t->redis) || one->born == 0;

    text_read_version(&text, &version, &born);
    if (!was_told_all && born != one->born && one->parts.n > 0) {
        one->born = one->version = 0;
        teller_add(t, one);
        return;
    }
    one->version = version;
    one->born = born;
    text_read_parts(text, &one->parts);
    begin_anew_when_folded(t, one);
}

static bool is_told(struct span text)
{
    uint64_t version, born;

    return text_read_version(&text, &version, &born) && text_read_parts(text, NULL);
}

static bool read_told(struct teller *t, const struct redis_said *said)
{
    struct book all[TELLER_BATCH_MAX];
    struct held own[TELLER_BATCH_MAX];

    if (said->n != 2 * t->nbatch)
        return false;
    for (unsigned i = 0; i < t->nbatch; i++) {
        if (!text_read_book(said->at[2 * i].text, &all[i], &own[i]) ||
            !is_told(said->at[2 * i + 1].text))
            return false;
    }
    for (unsigned i = 0; i < t->nbatch; i++) {
        follow_parts(t, t->batch[i], said->at[2 * i + 1].text);
        tally_follow(t->batch[i], &all[i], &own[i], redis_run(t->redis));
        end_one(t, t->batch[i]);
    }
    t->nbatch = 0;
    return true;
}

static void on_told(struct redis_eval *e, const struct redis_said *said)
{
    struct teller *t = OWNER(struct teller, eval, e);

    t->is_sending = false;
    if (said == NULL || !read_told(t, said)) {
        deadline_set(&t->again, AGAIN_MS); /* if the connection is lost: teller_up */
        return;
    }
    if (!ring_is_empty(&t->queue))
        send_next(t);
    if (t->nanew == 0 && !t->is_ready) {
        t->is_ready = true;
        t->ready(t->owner);
    }
    if (t->waiting == 0)
        t->told(t->owner);
}

static void on_late(struct redis_eval *e)
{
    (void)e; /* the reply, or the end of the connection, will come */
}

/* ── coming and going ────────────────────────────────────────────────────────────────────────── */

static bool is_worth_telling(const struct tally *one, uint64_t now_unix_ms)
{
    const struct sums *s = &one->book.sums;

    return one->book.requests.minute + 2 > now_unix_ms / WINDOW_MS || s->last_used_unix_ms > 0 ||
           s->credited_pd > 0 || s->withdrawn_pd > 0 || one->parts.n > 0 ||
           one->mine.name[0] != '\0' || ring_holds(&one->queued) || one->is_telling ||
           !held_is_nothing(&one->own);
}

/* What requests hold was held by another instance (ledger_script.h) and dies with it. */
static void tell_anew(struct teller *t, struct tally *one)
{
    one->telling.held = (struct held){0};
    one->untold.held = one->own;
    one->own_in_book = (struct held){0};
    t->nanew += !one->is_anew;
    one->is_anew = true;
    teller_add(t, one);
}

void teller_up(struct teller *t, uint64_t now_unix_ms)
{
    for (struct tally *one = tallies_next(t->tallies, NULL); one != NULL;
         one = tallies_next(t->tallies, one)) {
        if (is_worth_telling(one, now_unix_ms))
            tell_anew(t, one);
    }
    deadline_clear(&t->again);
    t->is_ready = t->nanew == 0;
    send_next(t);
    if (t->is_ready)
        t->ready(t->owner);
}

void teller_down(struct teller *t)
{
    t->is_ready = false;
    deadline_clear(&t->again);
}

void teller_init(struct teller *t, struct loop *l, struct redis *r, struct tallies *tallies)
{
    uint64_t random[1];

    rng_secret_bytes(random, sizeof(random));
    snprintf(t->process, sizeof(t->process), "%016llx", (unsigned long long)random[0]);
    t->loop = l;
    t->redis = r;
    t->tallies = tallies;
    t->flush.run = on_flush;
    t->eval.send = send_batch;
    t->eval.late = on_late;
    t->eval.done = on_told;
    ring_init(&t->queue);
    deadline_init(&t->again, l, on_again);
}

void teller_fini(struct teller *t)
{
    if (t->is_sending)
        redis_eval_cancel(&t->eval);
    t->is_sending = false;
    deadline_clear(&t->again);
}
