#include "ledger_priv.h"

#include "ledger_text.h"
#include "owner.h"
#include "sluice/base/arena.h"

struct look_call {
    struct ledger_call call; /* first */
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

    keys[0] = ledger_name(l, "alive", "", names[0]);
    for (unsigned i = 0; i < c->n; i++) {
        keys[1 + 2 * i] = ledger_name(l, "rate:", c->names[i], names[1 + 2 * i]);
        keys[2 + 2 * i] = ledger_name(l, "sum:", c->names[i], names[2 + 2 * i]);
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
        metric_add(l->seat.errors, 1);
        for (unsigned i = 0; i < c->n; i++)
            look_here(l, c->names[i], c->now_unix_ms, &answer.counts[i]);
    }
    ledger_call_end(&c->call);
    done(arg, &answer);
}

static struct look_call *look_in_redis(struct ledger *l, const char *const *names, unsigned n,
                                       uint64_t now_unix_ms, look_fn done, void *arg)
{
    struct look_call *c;

    if (n == 0 || !l->teller.is_ready || !redis_takes(l->redis))
        return NULL;
    c = xcalloc(1, sizeof(*c));
    ledger_call_start(&c->call, l, ledger_call_drop);
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
    ledger_call_end(&c->call);
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
    ledger_call_end(&call->call);
}

void store_glance(struct store *s, const char *name, uint64_t now_unix_ms,
                  struct ledger_counts *out)
{
    look_here(store_ledger(s), name, now_unix_ms, out);
}
