#include "key_use.h"

#include "sluice/admit/limits.h"

/* How many keys the next look is about. */
static unsigned at_once(const struct key_uses *u)
{
    unsigned left = u->n - u->nlooked;
    return left < LEDGER_LOOK_MAX ? left : LEDGER_LOOK_MAX;
}

static void take(struct key_uses *u, const struct look_answer *a)
{
    for (unsigned i = 0; i < a->n; i++, u->nlooked++) {
        const struct budget_options *b = &u->keys[u->nlooked]->budget;
        u->at[u->nlooked] = (struct key_use){
            .last_used_unix_ms = a->counts[i].last_used_unix_ms,
            .spent_pd = b->known & BUDGET_USD ? a->counts[i].spent_pd[b->period] : 0,
        };
    }
}

static void go_on(struct key_uses *u);

static void on_looked(void *arg, const struct look_answer *a)
{
    struct key_uses *u = arg;
    u->call = NULL;
    take(u, a);
    go_on(u);
}

static void go_on(struct key_uses *u)
{
    char text[LEDGER_LOOK_MAX][LEDGER_SCOPE_BYTES];
    const char *names[LEDGER_LOOK_MAX];
    struct look_answer answer;
    for (unsigned n; (n = at_once(u)) > 0; take(u, &answer)) {
        for (unsigned i = 0; i < n; i++) {
            limits_name_key(u->keys[u->nlooked + i], text[i]);
            names[i] = text[i];
        }
        if (store_look(u->store, names, n, clock_unix_ms(), &answer, on_looked, u, &u->call) ==
            STORE_PENDING)
            return;
    }
    u->done(u->arg);
}

void key_uses_look(struct key_uses *u, struct store *s)
{
    u->store = s;
    u->nlooked = 0;
    go_on(u);
}

void key_uses_cancel(struct key_uses *u)
{
    if (u->call != NULL)
        store_look_cancel(u->call);
    u->call = NULL;
}
