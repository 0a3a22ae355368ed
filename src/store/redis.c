/*          dial            signed in, script tried
 *   AWAY ────────▶ DIALING ────▶ GREETING ────────▶ READY
 *    ▲  after a while  │             │                │
 *    └─────────────────┴─────────────┴────────────────┘  refused, hangs, closed, or cannot do the work
 */
#include "redis.h"

#include "decimal.h"
#include "ledger_script.h"
#include "owner.h"
#include "sluice/base/arena.h"
#include "sluice/base/rng.h"
#include "sluice/net/timer.h"

#include <assert.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

enum { DIAL_TIMEOUT_MS = 2000, GREETING_TIMEOUT_MS = 1000 };
enum { RETRY_FIRST_MS = 50, RETRY_MAX_MS = 5000 };
enum { PREFIX_MAX_BYTES = 128 };
_Static_assert(REDIS_NAME_BYTES == PREFIX_MAX_BYTES + 8 + STORE_KEY_MAX_BYTES, "a name has room");
enum { SHA1_HEX = 40, INSTANCE_BYTES = 17, PEERS_MAX = 1000, SAID_MAX = 64 };

enum redis_state { REDIS_AWAY, REDIS_DIALING, REDIS_GREETING, REDIS_READY, REDIS_STATES };

#define TO(s) (1u << REDIS_##s)
static const unsigned may_become[REDIS_STATES] = {
    [REDIS_AWAY] = TO(DIALING),
    [REDIS_DIALING] = TO(GREETING) | TO(AWAY),
    [REDIS_GREETING] = TO(READY) | TO(AWAY),
    [REDIS_READY] = TO(AWAY),
};

struct redis {
    struct loop *loop;
    const struct store_options *options;
    struct span prefix; /* of every key */
    const struct redis_events *events;
    void *owner;
    enum redis_state state;
    struct tls_context *tls;
    struct link *link;     /* NULL while AWAY */
    struct deadline retry; /* while AWAY */
    struct deadline beat;  /* while READY */
    unsigned failures;     /* since it was last ready */
    struct rng rng;
    char sha1[SHA1_HEX + 1]; /* of the script, as Redis told; "" when it would not */
    bool complained;         /* about an error reply on this connection */
    char instance[INSTANCE_BYTES], before[INSTANCE_BYTES]; /* on this connection, on the last one */
    struct peers peers;
    uint64_t run; /* of the server */
    struct link_call sign_in, select, set_name, load, probe, write;
    struct redis_eval beating;
    bool is_beating; /* under way */
    struct later freed;
};

static void become(struct redis *r, enum redis_state next)
{
    assert(may_become[r->state] & (1u << next));
    r->state = next;
}

/* ── error replies ───────────────────────────────────────────────────────────────────────────── */

/* Only a word we know leaves this file: the text after it may repeat arguments, a password among
 * them ("unknown command 'AUTH', with args beginning with: …"). Redis 6 hides the word of an error
 * inside a script in the middle of the text, so it is looked for everywhere. */
struct refusal {
    const char *word;
    bool lasting; /* every other call would get it too */
};
static const struct refusal refusals[] = {
    {"NOSCRIPT", false},  {"WRONGTYPE", false}, {"WRONGPASS", true}, {"NOAUTH", true},
    {"NOPERM", true},     {"READONLY", true},   {"LOADING", true},   {"OOM", true},
    {"MISCONF", true},    {"MASTERDOWN", true}, {"BUSY", true},      {"CLUSTERDOWN", true},
    {"NOREPLICAS", true}, {"MOVED", true},      {"DENIED", true},    {"UNKILLABLE", true},
};

static const struct refusal *refusal_of(const redisReply *reply)
{
    static const struct refusal unknown = {"ERR", false};

    if (reply->type != REDIS_REPLY_ERROR)
        return NULL;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
        if (strstr(reply->str, refusals[i].word) != NULL)
            return &refusals[i];
    }
    return &unknown;
}

/* An error to one call is that call's. What every call would get means that Redis is of no use now:
 * then those that wait are answered without it, too. The last thing a caller does. */
static void complain(struct redis *r, const struct refusal *refusal)
{
    char reason[64];

    if (refusal->lasting && r->state == REDIS_READY) {
        snprintf(reason, sizeof(reason), "it answers %s", refusal->word);
        link_fail(r->link, reason);
    } else if (!r->complained) {
        r->complained = true;
        log_warn("store call failed", "reply=\"%s\"", refusal->word);
    }
}

/* ── coming and going ────────────────────────────────────────────────────────────────────────── */

static unsigned retry_ms(struct redis *r)
{
    unsigned doublings = r->failures < 16 ? r->failures : 16;
    unsigned most = RETRY_FIRST_MS << doublings;

    if (most > RETRY_MAX_MS)
        most = RETRY_MAX_MS;
    return most / 2 + (unsigned)rng_below(&r->rng, most / 2 + 1);
}

static void go_away(struct redis *r, const char *reason)
{
    link_close(r->link);
    r->link = NULL;
    become(r, REDIS_AWAY);
    deadline_clear(&r->beat);
    deadline_set(&r->retry, retry_ms(r));
    r->failures++;
    r->events->down(r->owner, reason);
}

static void on_lost(void *owner, const char *reason)
{
    go_away(owner, reason);
}

static void greeting_refused(struct redis *r, const char *step, const redisReply *reply)
{
    char reason[96];

    snprintf(reason, sizeof(reason), "%s refused: %s", step, refusal_of(reply)->word);
    go_away(r, reason);
}

/* The steps below leave NULL (late, lost) to on_probe, which is asked last and hears it too. A refused
 * step closes the link, so that none of the later ones is heard. */
static void on_signed_in(struct link_call *c, const redisReply *reply)
{
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        greeting_refused(OWNER(struct redis, sign_in, c), "signing in", reply);
}

static void on_selected(struct link_call *c, const redisReply *reply)
{
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR)
        greeting_refused(OWNER(struct redis, select, c), "selecting the database", reply);
}

static void on_name_set(struct link_call *c, const redisReply *reply)
{
    (void)c; /* a comfort for CLIENT LIST: nothing depends on it */
    (void)reply;
}

static void on_loaded(struct link_call *c, const redisReply *reply)
{
    struct redis *r = OWNER(struct redis, load, c);

    r->sha1[0] = '\0'; /* SCRIPT may be forbidden: EVAL does the same with more bytes */
    if (reply != NULL && reply->type == REDIS_REPLY_STRING && reply->len == SHA1_HEX)
        memcpy(r->sha1, reply->str, SHA1_HEX + 1);
}

/* What the ledger's script says; a reply of another kind is none. */
static bool read_said(const redisReply *reply, struct redis_word words[SAID_MAX],
                      struct redis_said *said)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements > SAID_MAX)
        return false;
    *said = (struct redis_said){words, (unsigned)reply->elements};
    for (unsigned i = 0; i < said->n; i++) {
        const redisReply *word = reply->element[i];
        if (word->type == REDIS_REPLY_INTEGER)
            words[i] = (struct redis_word){.number = word->integer};
        else if (word->type == REDIS_REPLY_STRING)
            words[i] = (struct redis_word){.is_text = true, .text = span_of(word->str, word->len)};
        else
            return false;
    }
    return true;
}

static bool read_peers(const struct redis_said *said, struct peers *peers, bool *was_alive)
{
    const struct redis_word *w = said->at;

    for (unsigned i = 0; i < said->n; i++) {
        if (!redis_word_is_within(&w[i], INT64_C(1) << 48))
            return false;
    }
    if (said->n != 4 || w[0].number <= w[1].number || w[0].number > PEERS_MAX)
        return false;
    *peers = (struct peers){(unsigned)w[0].number, (unsigned)w[1].number};
    *was_alive = w[2].number == 1;
    return true;
}

static void on_probed(struct link_call *c, const redisReply *reply)
{
    struct redis *r = OWNER(struct redis, probe, c);
    struct redis_word words[SAID_MAX];
    struct redis_said said;
    bool was_alive;

    if (reply == NULL) {
        if (link_is_open(r->link))
            go_away(r, "it does not answer in time");
        return; /* otherwise on_lost comes next, and knows why */
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        greeting_refused(r, "counting", reply);
        return;
    }
    if (!read_said(reply, words, &said) || !read_peers(&said, &r->peers, &was_alive)) {
        go_away(r, "it does not count as a Redis does");
        return;
    }
    become(r, REDIS_READY);
    r->failures = 0;
    r->run = (uint64_t)words[3].number;
    deadline_set(&r->beat, LEDGER_BEAT_MS);
    r->events->up(r->owner);
}

static bool sign_in(struct redis *r, unsigned ms)
{
    const struct store_options *o = r->options;
    struct span user = span_text(o->user), password = secret_reveal(&o->password);
    const struct span as_user[] = {SPAN_LIT("AUTH"), user, password};
    const struct span as_default[] = {SPAN_LIT("AUTH"), password};

    if (password.len == 0)
        return true;
    if (user.len == 0)
        return link_send(r->link, as_default, 2, &r->sign_in, ms);
    return link_send(r->link, as_user, 3, &r->sign_in, ms);
}

/* All in one write; what comes back decides, in this order. */
static bool greet(struct redis *r)
{
    const struct store_options *o = r->options;
    char key[REDIS_NAME_BYTES];
    struct decimal database;
    const struct span select[] = {SPAN_LIT("SELECT"), decimal(o->database, &database)};
    const struct span set_name[] = {SPAN_LIT("CLIENT"), SPAN_LIT("SETNAME"), SPAN_LIT("sluice")};
    const struct span load[] = {SPAN_LIT("SCRIPT"), SPAN_LIT("LOAD"), span_text(ledger_script)};
    const struct span probe[] = {
        SPAN_LIT("EVAL"),     span_text(ledger_script),
        SPAN_LIT("1"),        redis_name(r, SPAN_LIT("alive"), SPAN_NONE, key),
        SPAN_LIT("beat"),     span_text(r->instance),
        span_text(r->before), SPAN_LIT("run"),
    };
    unsigned ms = o->timeout_ms > GREETING_TIMEOUT_MS ? o->timeout_ms : GREETING_TIMEOUT_MS;

    return sign_in(r, ms) && (o->database == 0 || link_send(r->link, select, 2, &r->select, ms)) &&
           link_send(r->link, set_name, 3, &r->set_name, ms) &&
           link_send(r->link, load, 3, &r->load, ms) && link_send(r->link, probe, 8, &r->probe, ms);
}

/* What was held on the last connection is told anew on this one, so there it is dead. */
static void new_instance(struct redis *r)
{
    memcpy(r->before, r->instance, INSTANCE_BYTES);
    snprintf(r->instance, INSTANCE_BYTES, "%016llx", (unsigned long long)rng_next(&r->rng));
}

static void on_open(void *owner)
{
    struct redis *r = owner;

    become(r, REDIS_GREETING);
    r->complained = false;
    r->is_beating = false;
    new_instance(r);
    if (!greet(r))
        go_away(r, "out of memory");
}

static void dial(struct redis *r)
{
    static const struct link_events link_events = {on_open, on_lost};
    const struct store_options *o = r->options;
    const struct dial_target target = {
        .host = o->path == NULL ? o->host : NULL,
        .port = o->port,
        .unix_path = o->path,
        .tls = r->tls,
        .server_name = o->tls_options.server_name != NULL ? o->tls_options.server_name : o->host,
        .timeout_ms = DIAL_TIMEOUT_MS,
    };

    become(r, REDIS_DIALING);
    r->link = link_dial(r->loop, &target, &link_events, r);
}

static void on_retry(struct deadline *d)
{
    dial(OWNER(struct redis, retry, d));
}

/* ── counting ────────────────────────────────────────────────────────────────────────────────── */

bool redis_is_ready(const struct redis *r)
{
    return r->state == REDIS_READY;
}

bool redis_takes(const struct redis *r)
{
    return redis_is_ready(r) && link_takes(r->link);
}

static void on_evaluated(struct link_call *c, const redisReply *reply)
{
    struct redis_eval *e = OWNER(struct redis_eval, call, c);
    struct redis *r = e->redis;
    const struct refusal *refusal = reply == NULL ? NULL : refusal_of(reply);
    struct redis_word words[SAID_MAX];
    struct redis_said said;
    bool is_said;

    if (refusal != NULL && strcmp(refusal->word, "NOSCRIPT") == 0 && !e->whole_script) {
        e->whole_script = true; /* Redis was restarted or flushed; this loads it again */
        if (e->send(e))
            return;
    }
    is_said = reply != NULL && refusal == NULL && read_said(reply, words, &said);
    e->is_refused = reply != NULL && !is_said;
    e->done(e, is_said ? &said : NULL); /* it may close us in there: the state tells */
    if (refusal != NULL && r->state == REDIS_READY)
        complain(r, refusal);
}

static void on_evaluated_late(struct link_call *c)
{
    struct redis_eval *e = OWNER(struct redis_eval, call, c);

    e->late(e);
}

bool redis_eval(struct redis *r, struct redis_eval *e, const char *operation,
                const struct span *keys, unsigned nkeys, const struct span *args, unsigned nargs)
{
    struct span words[3 + REDIS_EVAL_KEYS_MAX + 2 + REDIS_EVAL_ARGS_MAX];
    struct decimal count;
    unsigned n = 0;
    bool whole = e->whole_script || r->sha1[0] == '\0';

    assert(nkeys <= REDIS_EVAL_KEYS_MAX && nargs <= REDIS_EVAL_ARGS_MAX);
    if (!redis_takes(r))
        return false;
    e->redis = r;
    e->call.done = on_evaluated;
    e->call.late = e->late != NULL ? on_evaluated_late : NULL;
    words[n++] = whole ? SPAN_LIT("EVAL") : SPAN_LIT("EVALSHA");
    words[n++] = whole ? span_text(ledger_script) : span_of(r->sha1, SHA1_HEX);
    words[n++] = decimal(nkeys, &count);
    for (unsigned i = 0; i < nkeys; i++)
        words[n++] = keys[i];
    words[n++] = span_text(operation);
    words[n++] = span_text(r->instance);
    for (unsigned i = 0; i < nargs; i++)
        words[n++] = args[i];
    return link_send(r->link, words, n, &e->call, r->options->timeout_ms);
}

void redis_eval_cancel(struct redis_eval *e)
{
    if (e->redis->link != NULL)
        link_forget(e->redis->link, &e->call);
}

uint64_t redis_run(const struct redis *r)
{
    return r->run;
}

struct peers redis_peers(const struct redis *r)
{
    return r->peers;
}

static bool send_beat(struct redis_eval *e)
{
    struct redis *r = OWNER(struct redis, beating, e);
    char key[REDIS_NAME_BYTES];
    const struct span keys[] = {redis_name(r, SPAN_LIT("alive"), SPAN_NONE, key)};
    const struct span args[] = {SPAN_NONE, SPAN_NONE};

    return redis_eval(r, e, "beat", keys, 1, args, 2);
}

/* So that neither Redis nor a box in between closes a quiet connection, that a dead one is noticed
 * before a request has to find out (the link does the noticing), and that the others know of us. */
static void on_beat(struct deadline *d)
{
    struct redis *r = OWNER(struct redis, beat, d);

    if (!r->is_beating)
        r->is_beating = send_beat(&r->beating); /* not taken: not quiet at all */
    deadline_set(&r->beat, LEDGER_BEAT_MS);
}

/* Whoever was silent for so long that the others took what it holds for abandoned comes back as one who
 * was away. */
static void on_beaten(struct redis_eval *e, const struct redis_said *said)
{
    struct redis *r = OWNER(struct redis, beating, e);
    bool was_alive = true;

    r->is_beating = false;
    if (said != NULL)
        (void)read_peers(said, &r->peers, &was_alive);
    if (said == NULL && r->link != NULL && link_is_open(r->link))
        deadline_set(&r->beat, 1); /* late: ask again at once */
    else if (!was_alive && r->state == REDIS_READY)
        link_fail(r->link, "it took this process for dead");
}

/* ── any other command ───────────────────────────────────────────────────────────────────────── */

struct span redis_name(const struct redis *r, struct span kind, struct span name,
                       char out[REDIS_NAME_BYTES])
{
    const struct span parts[] = {r->prefix, kind, name};
    size_t n = 0;

    for (unsigned i = 0; i < 3; i++) {
        if (parts[i].len > 0)
            memcpy(out + n, parts[i].at, parts[i].len);
        n += parts[i].len;
    }
    return span_of(out, n);
}

static void on_called(struct link_call *k, const redisReply *reply)
{
    struct redis_call *c = OWNER(struct redis_call, call, k);
    struct redis *r = c->redis;
    const struct refusal *refusal = reply == NULL ? NULL : refusal_of(reply);

    c->done(c, refusal == NULL ? reply : NULL);
    if (refusal != NULL && r->state == REDIS_READY)
        complain(r, refusal);
}

bool redis_send(struct redis *r, const struct span *words, unsigned nwords, struct redis_call *c,
                unsigned timeout_ms)
{
    c->redis = r;
    c->call.done = on_called;
    return redis_takes(r) && link_send(r->link, words, nwords, &c->call, timeout_ms);
}

void redis_call_cancel(struct redis_call *c)
{
    link_forget(c->redis->link, &c->call);
}

unsigned redis_patience_ms(const struct redis *r)
{
    return r->options->timeout_ms;
}

static void on_written(struct link_call *c, const redisReply *reply)
{
    struct redis *r = OWNER(struct redis, write, c);

    if (reply != NULL && reply->type != REDIS_REPLY_ERROR)
        return;
    r->events->missed(r->owner);
    if (reply != NULL && r->state == REDIS_READY)
        complain(r, refusal_of(reply));
}

bool redis_write(struct redis *r, const struct span *words, unsigned nwords)
{
    return redis_takes(r) && link_send(r->link, words, nwords, &r->write, r->options->timeout_ms);
}

/* ── life ────────────────────────────────────────────────────────────────────────────────────── */

struct redis *redis_open(struct loop *l, const struct store_options *options,
                         const struct redis_events *events, void *owner, struct err *why)
{
    struct redis *r;
    struct tls_context *tls = NULL;
    uint64_t seed;

    if (strlen(options->prefix) > PREFIX_MAX_BYTES) {
        err_set(why, "store.prefix: longer than %d bytes", PREFIX_MAX_BYTES);
        return NULL;
    }
    if (options->tls) {
        const struct tls_client_config c = {.ca_file = options->tls_options.ca,
                                            .insecure = options->tls_options.insecure};
        tls = tls_context_client(&c, why);
        if (tls == NULL)
            return NULL;
    }
    r = xcalloc(1, sizeof(*r));
    r->loop = l;
    r->options = options;
    r->prefix = span_text(options->prefix);
    r->events = events;
    r->owner = owner;
    r->tls = tls;
    r->sign_in.done = on_signed_in;
    r->select.done = on_selected;
    r->set_name.done = on_name_set;
    r->load.done = on_loaded;
    r->probe.done = on_probed;
    r->beating.send = send_beat;
    r->beating.done = on_beaten;
    r->peers = (struct peers){.n = 1};
    r->write.done = on_written;
    rng_secret_bytes(&seed, sizeof(seed));
    rng_seed(&r->rng, seed);
    deadline_init(&r->retry, l, on_retry);
    deadline_init(&r->beat, l, on_beat);
    dial(r);
    return r;
}

static void on_freed(struct later *later)
{
    struct redis *r = OWNER(struct redis, freed, later);

    tls_context_unref(r->tls);
    free(r);
}

void redis_close(struct redis *r)
{
    if (r == NULL)
        return;
    deadline_clear(&r->retry);
    deadline_clear(&r->beat);
    link_close(r->link);
    r->link = NULL;
    r->state = REDIS_AWAY;
    r->freed.run = on_freed;
    loop_later(r->loop, &r->freed);
}
