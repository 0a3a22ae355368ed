#include "access_token.h"

#include "sluice/base/arena.h"
#include "sluice/base/log.h"
#include "sluice/codec/token_grant.h"
#include "sluice/net/offload.h"
#include "sluice/net/timer.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATIENCE_MS = 10000, RETRY_MS = 1000, ANSWER_MAX = 64 * 1024 };

enum step { IDLE, SIGNING, CONNECTING, ASKING };

/* Who asks, and where: outlives the configuration it comes from, for another thread may be signing. */
struct account {
    unsigned refs;
    struct arena arena;
    const char *name; /* of the provider */
    struct google_options google;
    bool has_ca, is_insecure;
};

/* What another thread signs. */
struct signing {
    struct access_token *t;
    struct account *account;
    struct token_grant grant;
    struct buf form;
    bool is_signed;
};

struct bearer {
    unsigned refs;
    struct buf line;
    struct secret secret; /* what `line` carries */
};

struct access_token {
    unsigned refs;
    struct loop *loop;
    struct account *account;
    struct pool *pool;
    enum step step;
    struct offload *job;
    struct ticket *ticket;
    struct client *client;
    struct deadline deadline; /* of the whole request for a token */
    struct buf form, answer;
    struct bearer *bearer; /* NULL: none yet */
    unsigned status;
    uint64_t asked_ms, renew_ms, expires_ms, retry_ms; /* on the loop's clock */
    struct token_wait *waiting;
    char problem[320];
};

/* --- who asks ------------------------------------------------------------------------------------- */

static const char *keep_text(struct arena *a, const char *text)
{
    return text == NULL ? NULL : (const char *)arena_keep(a, span_text(text)).at;
}

static void keep_secret(struct secret *to, const struct secret *from)
{
    if (secret_init(to, secret_reveal(from)) < 0)
        abort(); /* as large as the configuration */
}

static struct account *account_new(const struct provider_options *p)
{
    const struct google_options *g = &p->google;
    struct account *c = xcalloc(1, sizeof *c);
    struct provider_options *tokens;
    c->refs = 1;
    arena_init(&c->arena, NULL, 0);
    c->name = keep_text(&c->arena, p->name);
    c->has_ca = p->tls.ca != NULL;
    c->is_insecure = p->tls.insecure;
    c->google.client_email = keep_text(&c->arena, g->client_email);
    c->google.key_id = keep_text(&c->arena, g->key_id);
    keep_secret(&c->google.credentials, &g->credentials);
    keep_secret(&c->google.private_key, &g->private_key);
    c->google.tokens = tokens = ARENA_NEW(&c->arena, struct provider_options);
    tokens->base_url = keep_text(&c->arena, g->tokens->base_url);
    tokens->host_header = keep_text(&c->arena, g->tokens->host_header);
    tokens->path_prefix = keep_text(&c->arena, g->tokens->path_prefix);
    return c;
}

static struct account *account_ref(struct account *c)
{
    c->refs++;
    return c;
}

static void account_unref(struct account *c)
{
    if (--c->refs > 0)
        return;
    secret_fini(&c->google.credentials);
    secret_fini(&c->google.private_key);
    arena_fini(&c->arena);
    free(c);
}

/* --- those who wait ------------------------------------------------------------------------------- */

void token_wait_cancel(struct token_wait *w)
{
    if (w->from == NULL)
        return;
    *w->from = w->next;
    if (w->next != NULL)
        w->next->from = w->from;
    w->from = NULL;
}

static void enqueue(struct access_token *t, struct token_wait *w)
{
    w->next = t->waiting;
    w->from = &t->waiting;
    if (w->next != NULL)
        w->next->from = &w->next;
    t->waiting = w;
}

/* Whoever is told may wait anew: only those who wait now are told. */
static void tell_all(struct access_token *t, const char *problem)
{
    struct token_wait *list = t->waiting, *w;
    t->waiting = NULL;
    if (list != NULL)
        list->from = &list;
    while ((w = list) != NULL) {
        token_wait_cancel(w);
        w->done(w, problem);
    }
}

/* --- asking for one ------------------------------------------------------------------------------- */

static void stop(struct access_token *t)
{
    deadline_clear(&t->deadline);
    if (t->job != NULL)
        offload_cancel(t->job);
    if (t->ticket != NULL)
        ticket_cancel(t->ticket);
    if (t->client != NULL)
        client_release(t->client);
    t->job = NULL;
    t->ticket = NULL;
    t->client = NULL;
    buf_fini_wiped(&t->form);
    buf_fini_wiped(&t->answer);
    t->step = IDLE;
}

static void lose(struct access_token *t, const char *problem)
{
    if (t->problem[0] == '\0') /* one line a change */
        log_warn("access token lost", "provider=%s problem=\"%s\"", t->account->name, problem);
    snprintf(t->problem, sizeof t->problem, "no access token: %s", problem);
}

static void fail(struct access_token *t, const char *problem)
{
    stop(t);
    t->retry_ms = loop_now_ms(t->loop) + RETRY_MS;
    lose(t, problem);
    tell_all(t, t->problem);
}

static bool keep_bearer(struct access_token *t, struct span token)
{
    struct bearer *b = xcalloc(1, sizeof *b);
    b->refs = 1;
    bool is_kept = secret_init(&b->secret, token) == 0 &&
                   buf_add_text(&b->line, "Authorization: Bearer ") == 0 &&
                   buf_add(&b->line, token) == 0 && buf_add_text(&b->line, "\r\n") == 0;
    bearer_unref(is_kept ? t->bearer : b);
    t->bearer = is_kept ? b : t->bearer;
    return is_kept;
}

static void take_answer(struct access_token *t)
{
    struct token_answer answer;
    bool is_read = token_answer_read(t->status, buf_span(&t->answer), &answer);
    if (is_read && keep_bearer(t, buf_span(&answer.token))) {
        t->renew_ms = t->asked_ms + answer.lifetime_s * 800;
        t->expires_ms = t->asked_ms + answer.lifetime_s * 1000;
        if (t->problem[0] != '\0')
            log_info("access token regained", "provider=%s", t->account->name);
        t->problem[0] = '\0';
        stop(t);
        tell_all(t, NULL);
    } else {
        fail(t, is_read ? "out of memory" : answer.problem);
    }
    buf_fini_wiped(&answer.token);
}

static bool on_head(void *owner, const struct http_head *head)
{
    struct access_token *t = owner;
    t->status = head->status;
    return true;
}

static void on_data(void *owner, const struct span *spans, unsigned n, bool last)
{
    struct access_token *t = owner;
    for (unsigned i = 0; i < n; i++) {
        if (buf_len(&t->answer) + spans[i].len > ANSWER_MAX || buf_add(&t->answer, spans[i]) < 0) {
            fail(t, "the token endpoint's answer is too long");
            return;
        }
    }
    if (last)
        take_answer(t);
}

static void on_failed(void *owner, int status, const char *problem)
{
    struct access_token *t = owner;
    char text[200];
    (void)status;
    t->client = NULL;
    snprintf(text, sizeof text, "the token endpoint: %s", problem);
    fail(t, text);
}

static const struct client_events events = {
    .head = on_head,
    .data = on_data,
    .failed = on_failed,
};

static void ask(struct access_token *t, struct client *c)
{
    const struct provider_options *at = t->account->google.tokens;
    struct buf head = {0};
    t->step = ASKING;
    t->client = c;
    client_attach(c, &events, t);
    if (buf_addf(&head,
                 "POST %s HTTP/1.1\r\nHost: %s\r\nAccept: application/json\r\n"
                 "Accept-Encoding: identity\r\n"
                 "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %zu\r\n\r\n",
                 at->path_prefix[0] != '\0' ? at->path_prefix : "/", at->host_header,
                 buf_len(&t->form)) < 0) {
        fail(t, "out of memory");
    } else {
        const struct span spans[] = {buf_span(&head), buf_span(&t->form)};
        (void)client_send(c, spans, 2);
    }
    buf_fini(&head);
}

static void on_ticket(void *arg, const struct ticket_result *r)
{
    struct access_token *t = arg;
    char text[200];
    t->ticket = NULL;
    if (r->client != NULL) {
        ask(t, r->client);
        return;
    }
    snprintf(text, sizeof text, "the token endpoint %s cannot be reached: %s",
             t->account->google.tokens->host_header,
             r->problem != NULL ? r->problem : uv_strerror(r->status));
    fail(t, text);
}

static void sign(void *arg)
{
    struct signing *s = arg;
    s->is_signed = token_grant_write(&s->grant, &s->form);
}

static void free_signing(void *arg)
{
    struct signing *s = arg;
    buf_fini_wiped(&s->form);
    account_unref(s->account);
    free(s);
}

static void on_signed(void *arg)
{
    struct signing *s = arg;
    struct access_token *t = s->t;
    t->job = NULL;
    if (!s->is_signed) {
        fail(t, "the key cannot sign");
    } else {
        t->form = s->form;
        s->form = (struct buf){0};
        t->step = CONNECTING;
        /* A fresh one: an hour is longer than any idle connection lives. */
        (void)pool_take(t->pool, true, on_ticket, t, &t->ticket);
    }
    free_signing(s);
}

static void start(struct access_token *t)
{
    const struct google_options *g = &t->account->google;
    struct signing *s = xcalloc(1, sizeof *s);
    s->t = t;
    s->account = account_ref(t->account);
    s->grant = (struct token_grant){
        .issuer = span_text(g->client_email),
        .audience = span_text(g->tokens->base_url),
        .key_id = span_text(g->key_id),
        .private_key = secret_reveal(&g->private_key),
        .unix_s = clock_unix_ms() / 1000,
    };
    t->step = SIGNING;
    t->asked_ms = loop_now_ms(t->loop);
    deadline_set(&t->deadline, PATIENCE_MS);
    t->job = offload_start(t->loop, sign, on_signed, free_signing, s);
}

static void on_deadline(struct deadline *d)
{
    struct access_token *t =
        (struct access_token *)((char *)d - offsetof(struct access_token, deadline));
    fail(t, "the token endpoint did not answer within 10 s");
}

/* --- what others see ------------------------------------------------------------------------------ */

struct access_token *access_token_new(struct loop *l, const struct provider_options *p,
                                      struct pool *pool)
{
    struct access_token *t = xcalloc(1, sizeof *t);
    t->refs = 1;
    t->loop = l;
    t->account = account_new(p);
    t->pool = pool;
    deadline_init(&t->deadline, l, on_deadline);
    return t;
}

struct access_token *access_token_ref(struct access_token *t)
{
    t->refs++;
    return t;
}

void access_token_unref(struct access_token *t)
{
    if (t == NULL || --t->refs > 0)
        return;
    stop(t); /* nobody waits: whoever could holds a reference */
    pool_unref(t->pool);
    bearer_unref(t->bearer);
    account_unref(t->account);
    free(t);
}

bool access_token_serves(const struct access_token *t, const struct provider_options *p)
{
    const struct secret *mine = &t->account->google.credentials;
    return span_eq(secret_reveal(mine), secret_reveal(&p->google.credentials)) &&
           !t->account->has_ca && p->tls.ca == NULL && t->account->is_insecure == p->tls.insecure;
}

enum token_state access_token_take(struct access_token *t, struct token_wait *w)
{
    uint64_t now = loop_now_ms(t->loop);
    bool is_alive = t->bearer != NULL && now < t->expires_ms;
    bool may_ask = t->step == IDLE && now >= t->retry_ms;
    if (may_ask && (!is_alive || now >= t->renew_ms))
        start(t);
    if (is_alive)
        return TOKEN_READY;
    if (t->step == IDLE)
        return TOKEN_LOST;
    enqueue(t, w);
    return TOKEN_LATER;
}

const char *access_token_problem(const struct access_token *t)
{
    return t->problem;
}

/* --- one token ------------------------------------------------------------------------------------ */

struct bearer *access_token_bearer(struct access_token *t)
{
    if (t->bearer != NULL)
        t->bearer->refs++;
    return t->bearer;
}

void bearer_unref(struct bearer *b)
{
    if (b == NULL || --b->refs > 0)
        return;
    buf_fini_wiped(&b->line);
    secret_fini(&b->secret);
    free(b);
}

struct span bearer_line(const struct bearer *b)
{
    return b == NULL ? SPAN_NONE : buf_span(&b->line);
}

const struct secret *bearer_secret(const struct bearer *b)
{
    return &b->secret;
}

void access_token_forget(struct access_token *t, const struct bearer *refused)
{
    if (t->bearer != refused || t->expires_ms == 0)
        return;
    t->expires_ms = 0;
    t->retry_ms = t->asked_ms + RETRY_MS; /* a provider that takes none costs one a second */
    lose(t, "the provider refused the last one");
}
