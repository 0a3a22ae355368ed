/*            asked                  made
 *   ASKING ─────────▶ HELD ──keep──────────▶ KEEPING ──sealed, written──▶ gone
 *      │                └───release, forgo──────────────────────────────────▲
 *      └── somebody else's, kept, gone, lost ───────────────────────────────┘
 *
 * The shelf is looked at first, and again when the file has answered: what this process does itself is
 * always right there. */
#include "sluice/store/answers.h"

#include "answer_seal.h"
#include "answer_shelf.h"
#include "answers_priv.h"
#include "owner.h"
#include "redis_answers.h"
#include "sluice/base/arena.h"
#include "sluice/base/log.h"
#include "sluice/base/rng.h"
#include "sluice/net/timer.h"

#include <assert.h>
#include <stdlib.h>

enum { RENEW_MS = ANSWER_LEASE_MS / 3, FILE_PATIENCE_MS = 2000 };

struct answers {
    struct answers_home home;
    struct seal seal;
    struct answer_shelf shelf;
    struct answer_claim *claims;
    struct redis_call errands;
    uint64_t owners; /* so far */
    bool has_warned;
};

enum claim_step { CLAIM_ASKING, CLAIM_HELD, CLAIM_KEEPING };

struct answer_claim {
    struct answer_claim *next, **at; /* *at is this one */
    struct answers *answers;
    enum claim_step step;
    bool makes;   /* else it only looks */
    bool is_here; /* HELD: on the shelf, for nobody else could be asked */
    bool is_dead; /* freed at the end of the turn */
    uint64_t owner;
    answer_fn done; /* NULL: released while it was asked for */
    void *arg;
    struct later soon;
    struct disk_read *read;
    struct deadline late;      /* from the file; Redis keeps its own time */
    struct redis_answer redis; /* with id and print */
    struct deadline renewal;
    struct answer_seal_job *sealing; /* on another thread */
    struct buf answer;               /* KEEPING, with Redis: until that has it */
    bool has_answer;
    bool is_shelved; /* here as well, or here alone */
    uint64_t ttl_ms;
};

void answer_id_of(const struct span *parts, unsigned n, struct answer_id *out)
{
    uint8_t digests[ANSWER_ID_PARTS_MAX][SHA256_BYTES];
    assert(n <= ANSWER_ID_PARTS_MAX);
    for (unsigned i = 0; i < n; i++)
        digest_sha256(parts[i], digests[i]);
    digest_sha256(span_of(digests, (size_t)n * SHA256_BYTES), out->bytes);
}

/* --- life of a claim ---------------------------------------------------------------------------------- */

static void claim_free(struct answer_claim *c)
{
    if (c->is_dead)
        return;
    c->is_dead = true;
    *c->at = c->next;
    if (c->next != NULL)
        c->next->at = c->at;
    if (c->read != NULL)
        disk_forget(c->read);
    if (c->sealing != NULL)
        answer_seal_cancel(c->sealing);
    redis_answer_cancel(&c->redis);
    deadline_clear(&c->late);
    deadline_clear(&c->renewal);
    buf_fini_wiped(&c->answer);
    loop_later(c->answers->home.loop, &c->soon);
}

static void on_renewal(struct deadline *d)
{
    struct answer_claim *c = OWNER(struct answer_claim, renewal, d);
    (void)redis_answer_renew(&c->redis,
                             &c->answers->errands); /* there are two more before it lapses */
    deadline_set(d, RENEW_MS);
}

/* The last thing its caller does. */
static void give(struct answer_claim *c, enum answer_state state, bool is_same, struct span answer)
{
    const struct answer_found found = {.state = state, .is_same = is_same, .answer = answer};
    answer_fn done = c->done;
    c->done = NULL;
    if (state == ANSWER_CLAIMED) {
        c->step = CLAIM_HELD;
        if (c->redis.redis != NULL) /* also one it did not hear of: so it does once it is back */
            deadline_set(&c->renewal, RENEW_MS);
        done(c->arg, &found);
        return;
    }
    if (done != NULL)
        done(c->arg, &found);
    claim_free(c);
}

/* --- as it is written down -------------------------------------------------------------------------------- */

enum { FILE_KEY_BYTES = 7 + ANSWER_ID_BYTES };

static struct span file_key(const struct answer_id *id, uint8_t out[FILE_KEY_BYTES])
{
    memcpy(out, "answer:", 7);
    memcpy(out + 7, id->bytes, ANSWER_ID_BYTES);
    return span_of(out, FILE_KEY_BYTES);
}

/* `from` is moved out. */
static void start_sealing(struct answer_claim *c, bool opens, struct buf *from, answer_seal_fn done)
{
    const struct answer_seal s = {&c->answers->seal, &c->redis.id, c->redis.print};
    c->sealing = answer_seal_start(c->answers->home.loop, &s, opens, from, done, c);
}

static void on_opened(void *arg, bool is_good, struct buf *in, struct buf *out)
{
    struct answer_claim *c = arg;
    (void)in;
    c->sealing = NULL;
    give(c, is_good ? ANSWER_KEPT : ANSWER_GONE, true, buf_span(out));
}

/* --- asking ------------------------------------------------------------------------------------------- */

static void look_at_shelf(struct answer_claim *c, struct shelf_found *out)
{
    answer_shelf_find(&c->answers->shelf, &c->redis.id, clock_unix_ms(), out);
}

static void take(struct answer_claim *c)
{
    c->is_here = true;
    answer_shelf_claim(&c->answers->shelf, &c->redis.id, c->redis.print, c->owner, clock_unix_ms(),
                       UINT64_MAX); /* as long as this process */
    give(c, ANSWER_CLAIMED, true, SPAN_NONE);
}

/* What this process knows decides. */
static void answer_from_shelf(struct answer_claim *c)
{
    struct shelf_found found;
    look_at_shelf(c, &found);
    bool is_same = !c->makes || memcmp(found.print, c->redis.print, sizeof found.print) == 0;
    switch (found.state) {
    case SHELF_KEPT:
        give(c, ANSWER_KEPT, is_same, found.answer);
        break;
    case SHELF_RUNNING:
        give(c, c->makes ? ANSWER_RUNNING : ANSWER_ABSENT, is_same, SPAN_NONE);
        break;
    case SHELF_BARE:
        give(c, c->makes ? ANSWER_GONE : ANSWER_ABSENT, is_same, SPAN_NONE);
        break;
    case SHELF_EMPTY:
        if (c->makes)
            take(c);
        else
            give(c, ANSWER_ABSENT, false, SPAN_NONE);
        break;
    }
}

static void answer_without_store(struct answer_claim *c)
{
    const struct answers_home *h = &c->answers->home;
    h->missed(h->owner);
    if (h->fail_closed)
        give(c, ANSWER_LOST, false, SPAN_NONE);
    else
        answer_from_shelf(c);
}

static void answer_from_file(struct answer_claim *c, struct span value)
{
    bool is_ours = value.len >= ANSWER_WRITTEN_HEAD_BYTES;
    bool is_same = is_ours &&
                   (!c->makes || memcmp(value.at, c->redis.print, ANSWER_PRINT_BYTES) == 0);
    if (!is_ours || value.at[ANSWER_PRINT_BYTES] == 0 || !is_same) {
        give(c, is_ours && value.at[ANSWER_PRINT_BYTES] != 0 ? ANSWER_KEPT : ANSWER_GONE, is_same,
             SPAN_NONE);
        return;
    }
    struct buf sealed = {0};
    if (buf_add(&sealed, span_skip(value, ANSWER_WRITTEN_HEAD_BYTES)) == 0)
        start_sealing(c, true, &sealed, on_opened);
    else
        give(c, ANSWER_LOST, false, SPAN_NONE);
}

static void on_read(void *arg, bool found, struct span value, uint64_t expires_unix_ms)
{
    struct answer_claim *c = arg;
    struct shelf_found here;
    (void)expires_unix_ms;
    c->read = NULL;
    deadline_clear(&c->late);
    look_at_shelf(c, &here);
    if (found && (here.state == SHELF_EMPTY || here.state == SHELF_BARE))
        answer_from_file(c, value);
    else
        answer_from_shelf(c);
}

static void on_late(struct deadline *d)
{
    struct answer_claim *c = OWNER(struct answer_claim, late, d);
    disk_forget(c->read);
    c->read = NULL;
    answer_without_store(c);
}

static void on_redis(struct redis_answer *r, enum answer_state state)
{
    struct answer_claim *c = OWNER(struct answer_claim, redis, r);
    if (c->done == NULL) {
        if (state == ANSWER_CLAIMED)
            (void)redis_answer_release(r, &c->answers->errands);
        claim_free(c);
    } else if (state == ANSWER_LOST) {
        answer_without_store(c);
    } else if (state == ANSWER_KEPT && (r->is_same || !c->makes)) {
        start_sealing(c, true, &r->held, on_opened);
    } else if (state == ANSWER_GONE && !c->makes) {
        give(c, ANSWER_ABSENT, false, SPAN_NONE);
    } else {
        give(c, state, r->is_same, SPAN_NONE);
    }
}

static void on_soon(struct later *later)
{
    struct answer_claim *c = OWNER(struct answer_claim, soon, later);
    const struct answers_home *h = &c->answers->home;
    struct shelf_found here;
    if (c->is_dead) {
        free(c);
        return;
    }
    look_at_shelf(c, &here);
    bool knows = here.state == SHELF_RUNNING || here.state == SHELF_KEPT ||
                 (h->redis == NULL && h->disk == NULL);
    if (knows)
        answer_from_shelf(c);
    else
        answer_without_store(c);
}

static bool ask_elsewhere(struct answer_claim *c)
{
    const struct answers_home *h = &c->answers->home;
    uint8_t key[FILE_KEY_BYTES];
    if (h->redis != NULL)
        return redis_answer_ask(&c->redis, c->makes, h->timeout_ms);
    if (h->disk == NULL)
        return false;
    c->read = disk_get(h->disk, file_key(&c->redis.id, key), on_read, c);
    if (c->read != NULL)
        deadline_set(&c->late, FILE_PATIENCE_MS);
    return c->read != NULL;
}

static struct answer_claim *claim_new(struct answers *a, const struct answer_id *id)
{
    struct answer_claim *c = xcalloc(1, sizeof *c);
    c->answers = a;
    c->owner = ++a->owners;
    c->soon.run = on_soon;
    c->redis.redis = a->home.redis;
    c->redis.id = *id;
    c->redis.done = on_redis;
    deadline_init(&c->late, a->home.loop, on_late);
    deadline_init(&c->renewal, a->home.loop, on_renewal);
    c->next = a->claims;
    c->at = &a->claims;
    if (c->next != NULL)
        c->next->at = &c->next;
    a->claims = c;
    return c;
}

static struct answer_claim *ask(struct answer_claim *c, answer_fn done, void *arg)
{
    struct shelf_found here;
    c->done = done;
    c->arg = arg;
    look_at_shelf(c, &here);
    bool knows = here.state == SHELF_RUNNING || here.state == SHELF_KEPT;
    if (knows || !ask_elsewhere(c))
        loop_later(c->answers->home.loop, &c->soon);
    return c;
}

struct answer_claim *answers_claim(struct answers *a, const struct answer_id *id,
                                   const uint8_t print[ANSWER_PRINT_BYTES], answer_fn done,
                                   void *arg)
{
    struct answer_claim *c = claim_new(a, id);
    c->makes = true;
    memcpy(c->redis.print, print, ANSWER_PRINT_BYTES);
    rng_secret_bytes(c->redis.token, ANSWER_TOKEN_BYTES);
    return ask(c, done, arg);
}

struct answer_claim *answers_look(struct answers *a, const struct answer_id *id, answer_fn done,
                                  void *arg)
{
    return ask(claim_new(a, id), done, arg);
}

/* --- ending ------------------------------------------------------------------------------------------- */

void answer_claim_release(struct answer_claim *c)
{
    struct answers *a = c->answers;
    if (c->step == CLAIM_ASKING && c->redis.is_waiting && c->makes) {
        c->done = NULL; /* it may be ours by now: on_redis gives it back */
        return;
    }
    if (c->step == CLAIM_HELD && c->is_here)
        answer_shelf_remove(&a->shelf, &c->redis.id);
    if (c->step == CLAIM_HELD && c->redis.redis != NULL)
        (void)redis_answer_release(&c->redis, &a->errands); /* else it lapses */
    claim_free(c);
}

/* `answer` is moved out; NULL: that there was one. */
static void keep_here(struct answer_claim *c, struct buf *answer, bool is_elsewhere)
{
    uint64_t now = clock_unix_ms();
    c->is_shelved = true;
    answer_shelf_keep(&c->answers->shelf, &c->redis.id, c->redis.print, answer, is_elsewhere, now,
                      now + c->ttl_ms);
}

/* --- writing -------------------------------------------------------------------------------------------- */

/* `value` begins with print and flag. */
static bool write_file(struct answers *a, const struct answer_id *id, struct span value,
                       uint64_t ttl_ms)
{
    uint8_t key[FILE_KEY_BYTES];
    return disk_put(a->home.disk, file_key(id, key), value, clock_unix_ms() + ttl_ms);
}

/* What Redis did not take this process still knows, for as long as it can. */
static void on_written(struct redis_answer *r, enum answer_state state)
{
    struct answer_claim *c = OWNER(struct answer_claim, redis, r);
    const struct answers_home *h = &c->answers->home;
    if (state == ANSWER_LOST) {
        h->missed(h->owner);
        if (!c->is_shelved)
            keep_here(c, c->has_answer ? &c->answer : NULL, false);
    }
    claim_free(c);
}

/* `value` as the file has it; it is moved out. */
static void write_out(struct answer_claim *c, struct buf *value)
{
    struct answers *a = c->answers;
    c->redis.held = *value;
    *value = (struct buf){0};
    struct span bytes = buf_span(&c->redis.held);
    if (a->home.redis == NULL) {
        if (!write_file(a, &c->redis.id, bytes, c->ttl_ms))
            a->home.missed(a->home.owner);
        claim_free(c);
        return;
    }
    c->redis.done = on_written;
    if (!redis_answer_keep(&c->redis, span_skip(bytes, ANSWER_WRITTEN_HEAD_BYTES), c->ttl_ms))
        on_written(&c->redis, ANSWER_LOST);
}

/* Elsewhere is told that there was one, and no more. */
static void write_nothing(struct answer_claim *c)
{
    struct buf value = {0};
    if (answer_seal_head(&value, c->redis.print, false) == 0) {
        write_out(c, &value);
        return;
    }
    c->answers->home.missed(c->answers->home.owner);
    claim_free(c);
}

/* The claim held until now, so nobody saw that it was made and could not get it. */
static void on_sealed(void *arg, bool is_good, struct buf *in, struct buf *out)
{
    struct answer_claim *c = arg;
    bool is_here = c->answers->home.redis == NULL || c->is_here || !is_good;
    c->sealing = NULL;
    c->answer = *in;
    *in = (struct buf){0};
    if (is_here)
        keep_here(c, &c->answer, is_good);
    c->has_answer = !is_here;
    if (is_good)
        write_out(c, out);
    else
        write_nothing(c);
}

static bool may_write(struct answers *a, bool in_memory)
{
    if (in_memory || a->seal.n > 0)
        return !in_memory;
    if (!a->has_warned)
        log_warn("answers stay in memory",
                 "reason=\"secrets.master_key is not set: what idempotency keys and cache_strategy "
                 "keep is not written to the store, and is gone with this process\"");
    a->has_warned = true;
    return false;
}

void answer_claim_keep(struct answer_claim *c, struct buf *answer, uint64_t ttl_ms, bool in_memory)
{
    struct answers *a = c->answers;
    bool writes = a->home.redis != NULL || a->home.disk != NULL;
    assert(c->step == CLAIM_HELD);
    if (buf_len(answer) > ANSWER_MAX_BYTES) {
        buf_fini(answer);
        answer_claim_forgo(c, ttl_ms);
        return;
    }
    c->step = CLAIM_KEEPING;
    c->ttl_ms = ttl_ms;
    if (writes && may_write(a, in_memory)) {
        start_sealing(c, false, answer, on_sealed);
        return;
    }
    keep_here(c, answer, false);
    if (writes)
        write_nothing(c);
    else
        claim_free(c);
}

void answer_claim_forgo(struct answer_claim *c, uint64_t ttl_ms)
{
    struct answers *a = c->answers;
    c->step = CLAIM_KEEPING;
    c->ttl_ms = ttl_ms;
    if (a->home.redis == NULL || c->is_here)
        keep_here(c, NULL, false);
    if (a->home.redis != NULL || a->home.disk != NULL)
        write_nothing(c);
    else
        claim_free(c);
}

/* --- without a claim ------------------------------------------------------------------------------------ */

/* Small enough to be sealed here and now. */
static bool put_elsewhere(struct answers *a, const struct answer_id *id, struct span answer,
                          uint64_t ttl_ms)
{
    struct redis_answer r = {.redis = a->home.redis, .id = *id};
    const struct answer_seal seal = {&a->seal, id, r.print};
    struct buf out = {0};
    bool is_put = answer_seal_now(&seal, answer, &out);
    struct span value = buf_span(&out);
    if (is_put && a->home.redis == NULL)
        is_put = write_file(a, id, value, ttl_ms);
    else if (is_put)
        is_put = redis_answer_put(&r, span_skip(value, ANSWER_WRITTEN_HEAD_BYTES), ttl_ms,
                                  &a->errands);
    buf_fini(&out);
    return is_put;
}

void answers_put(struct answers *a, const struct answer_id *id, struct buf *answer, uint64_t ttl_ms)
{
    static const uint8_t no_print[ANSWER_PRINT_BYTES];
    bool is_shared = a->home.redis != NULL, writes = is_shared || a->home.disk != NULL;
    uint64_t now = clock_unix_ms();
    bool fits = buf_len(answer) <= ANSWER_PUT_MAX_BYTES;
    bool seals = fits && writes && may_write(a, false);
    if (seals && !put_elsewhere(a, id, buf_span(answer), ttl_ms))
        a->home.missed(a->home.owner);
    if (fits && (!is_shared || !seals))
        answer_shelf_keep(&a->shelf, id, no_print, answer, seals, now, now + ttl_ms);
    buf_fini_wiped(answer);
}

/* --- life --------------------------------------------------------------------------------------------- */

void answers_use(struct answers *a, const struct master_keys *keys)
{
    seal_fini(&a->seal);
    for (unsigned i = 0; i < keys->n; i++) {
        if (secret_is_set(&keys->at[i]))
            seal_add(&a->seal, secret_reveal(&keys->at[i]).at, "answers");
    }
}

struct answers *answers_new(const struct answers_home *home)
{
    struct answers *a = xcalloc(1, sizeof *a);
    a->home = *home;
    return a;
}

void answers_free(struct answers *a)
{
    if (a == NULL)
        return;
    while (a->claims != NULL)
        claim_free(a->claims);
    answer_shelf_fini(&a->shelf);
    seal_fini(&a->seal);
    free(a);
}
