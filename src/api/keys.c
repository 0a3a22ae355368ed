#include "keys.h"

#include "key_request.h"
#include "rows.h"

#include "sluice/admit/minted_key.h"
#include "sluice/base/log.h"

#include <stdio.h>
#include <stdlib.h>

/* Changes of /v1/keys (contract KEY-1, KEY-4 to KEY-6). Who may: manage.h.
 *
 *   what was asked ──▶ the store ──▶ the table, by which keys are known ──▶ the ledger ──▶ the answer */

enum job { JOB_ADD, JOB_CHANGE, JOB_ROTATE, JOB_REMOVE };

/* One request under way. */
struct errand {
    struct exchange_hook hook; /* first */
    struct exchange *x;
    struct gateway *gateway;
    enum job job;
    struct arena arena;
    struct managed_key *before;   /* whose texts the new version shares; NULL: it is new */
    struct managed_key key;       /* as it shall be */
    char secret[MINTED_KEY_SIZE]; /* "": none was made */
    struct record_change *change;
    struct key_uses uses; /* of it, for the answer */
};

/* --- an errand ------------------------------------------------------------------------------------ */

static void errand_free(struct errand *e)
{
    exchange_on_end(e->x, NULL);
    if (e->change != NULL)
        record_change_cancel(e->change);
    key_uses_cancel(&e->uses);
    explicit_bzero(e->secret, sizeof e->secret);
    managed_key_unref(e->before);
    arena_fini(&e->arena);
    free(e);
}

/* The client left: a change that was sent is made all the same. */
static void on_ended(struct exchange_hook *hook)
{
    errand_free((struct errand *)hook);
}

static struct errand *errand_new(struct exchange *x, enum job job)
{
    struct errand *e = xcalloc(1, sizeof *e);
    e->hook.ended = on_ended;
    e->x = x;
    e->gateway = exchange_deployment(x)->gateway;
    e->job = job;
    arena_init(&e->arena, NULL, 512);
    exchange_on_end(x, &e->hook);
    return e;
}

/* --- answers -------------------------------------------------------------------------------------- */

static void give_up(struct errand *e, const struct fault *why)
{
    struct exchange *x = e->x;
    errand_free(e);
    exchange_fail(x, why);
}

static void give_up_for(struct errand *e, enum record_outcome outcome)
{
    static const struct fault absent = {.kind = FAULT_NOT_FOUND, .message = "no key has this id"};
    static const struct fault full = {
        .kind = FAULT_STATE_CONFLICT,
        .message = "there are as many keys as are kept (2000): delete some first"};
    static const struct fault lost = {
        .kind = FAULT_OVERLOADED,
        .message = "the store did not answer: whether it was changed is unknown, list to see"};
    give_up(e, outcome == RECORD_ABSENT ? &absent : outcome == RECORD_FULL ? &full : &lost);
}

static void write_removed(struct json_out *o, const struct errand *e)
{
    json_out_lit(o, "{\"id\":");
    json_out_bytes(o, span_text(e->key.options.id));
    json_out_lit(o, ",\"object\":\"key\",\"deleted\":true}");
}

static void answer(struct errand *e)
{
    struct buf out = {0};
    struct json_out o = json_out_to(&out);
    struct exchange *x = e->x;
    unsigned status = e->job == JOB_ADD ? 201 : 200;
    if (e->job == JOB_REMOVE)
        write_removed(&o, e);
    else
        keys_write(&o, exchange_deployment(x)->snapshot, &e->key, &e->uses.at[0],
                   e->secret[0] != '\0' ? e->secret : NULL);
    errand_free(e);
    exchange_reply_made(x, status, o.rc, &out);
}

static void on_use_known(void *arg)
{
    answer(arg);
}

static void answer_with_use(struct errand *e)
{
    e->uses.keys[e->uses.n++] = &e->key.options;
    e->uses.done = on_use_known;
    e->uses.arg = e;
    key_uses_look(&e->uses, e->gateway->store);
}

static void on_changed(void *arg, enum record_outcome outcome)
{
    static const char *const words[] = {[JOB_ADD] = "key created",
                                        [JOB_CHANGE] = "key changed",
                                        [JOB_ROTATE] = "key rotated",
                                        [JOB_REMOVE] = "key deleted"};
    struct errand *e = arg;
    e->change = NULL;
    if (outcome != RECORD_DONE) {
        give_up_for(e, outcome);
        return;
    }
    log_info(words[e->job], "key_id=%s", e->key.options.id);
    if (e->job == JOB_REMOVE)
        answer(e);
    else
        answer_with_use(e);
}

/* --- what is asked -------------------------------------------------------------------------------- */

static void store(struct errand *e)
{
    e->change = managed_keys_put(e->gateway->keys, &e->key, on_changed, e);
}

static void make_secret(struct errand *e)
{
    minted_key_make(exchange_deployment(e->x)->snapshot->key_prefix, e->secret);
}

static bool take_body(struct errand *e, struct span body)
{
    const struct deployment *d = exchange_deployment(e->x);
    const struct key_terms terms = {d->snapshot, d->catalog, clock_unix_ms()};
    struct fault why;
    if (key_request_take(&e->key, e->job == JOB_ADD, body, &terms, &e->arena, &why))
        return true;
    give_up(e, &why);
    return false;
}

static void add(struct exchange *x, struct span body)
{
    struct gateway *g = exchange_deployment(x)->gateway;
    char id[33];
    if (!keys_are_known(x, g))
        return;
    struct errand *e = errand_new(x, JOB_ADD);
    key_request_init(&e->key, &e->arena);
    if (!take_body(e, body))
        return;
    e->key.created_unix_ms = clock_unix_ms();
    rng_request_id(&g->rng, e->key.created_unix_ms, id);
    snprintf(e->key.options.id, sizeof e->key.options.id, "key_%s", id);
    make_secret(e);
    managed_key_set_secret(&e->key, span_text(e->secret));
    store(e);
}

static struct fault why_not(const struct exchange *x)
{
    struct fault why = {.kind = FAULT_NOT_FOUND, .message = "no key has this id"};
    const struct key_options *p = keys_configured(exchange_deployment(x)->snapshot,
                                                  exchange_subject(x));
    if (p == NULL)
        return why;
    why.kind = FAULT_STATE_CONFLICT;
    snprintf(why.message, sizeof why.message,
             "the key %.100s stands in the configuration: change it there, and reload", p->name);
    return why;
}

/* With what the path names; NULL: there is none, and the exchange has failed. */
static struct errand *errand_for(struct exchange *x, enum job job)
{
    struct gateway *g = exchange_deployment(x)->gateway;
    if (!keys_are_known(x, g))
        return NULL;
    struct managed_key *found = managed_keys_find(g->keys, exchange_subject(x));
    if (found == NULL) {
        struct fault why = why_not(x);
        exchange_fail(x, &why);
        return NULL;
    }
    struct errand *e = errand_new(x, job);
    e->before = managed_key_ref(found);
    e->key = *found;
    return e;
}

static void change(struct exchange *x, struct span body)
{
    struct errand *e = errand_for(x, JOB_CHANGE);
    if (e != NULL && take_body(e, body))
        store(e);
}

static void rotate(struct exchange *x, struct span body)
{
    static const struct fault too_many = {
        .kind = FAULT_STATE_CONFLICT,
        .param = "overlap_seconds",
        .message = "four replaced secrets still work: wait for one of them to end, or send 0 and "
                   "end them all now"};
    struct errand *e = errand_for(x, JOB_ROTATE);
    struct fault why;
    uint64_t overlap_ms;
    if (e == NULL)
        return;
    if (!key_request_overlap(body, &overlap_ms, &why)) {
        give_up(e, &why);
        return;
    }
    make_secret(e);
    if (managed_key_rotate(&e->key, span_text(e->secret), overlap_ms, clock_unix_ms()))
        store(e);
    else
        give_up(e, &too_many);
}

static void remove_one(struct exchange *x, struct span body)
{
    (void)body;
    struct errand *e = errand_for(x, JOB_REMOVE);
    if (e != NULL)
        e->change = managed_keys_delete(e->gateway->keys, e->key.options.id, on_changed, e);
}

const struct exchange_kind key_add = {.api = API_OTHER, .label = "keys", .take = add};
const struct exchange_kind key_change = {.api = API_OTHER, .label = "keys", .take = change};
const struct exchange_kind key_rotate = {.api = API_OTHER, .label = "keys", .take = rotate};
const struct exchange_kind key_remove = {.api = API_OTHER, .label = "keys", .take = remove_one};
