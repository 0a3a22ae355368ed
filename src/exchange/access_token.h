/* access_token.h: the token a provider's requests carry, where a key has to be exchanged for it.
 *
 * Asked for when the first request needs it, and again once four fifths of its life are over, by
 * one request to the token endpoint at a time; the old one serves as long as it lives. A gateway
 * nobody uses asks for nothing. */
#ifndef SLUICE_EXCHANGE_ACCESS_TOKEN_H
#define SLUICE_EXCHANGE_ACCESS_TOKEN_H

#include "sluice/config/snapshot.h"
#include "sluice/http/pool.h"

struct access_token;

/* `pool`: to the token endpoint; its reference is taken over. Keeps the snapshot `p` is in. */
struct access_token *access_token_new(struct loop *l, struct snapshot *s,
                                      const struct provider_options *p, struct pool *pool);
struct access_token *access_token_ref(struct access_token *t);
void access_token_unref(struct access_token *t); /* NULL is fine */
/* Would a token for `p` be the same, got the same way? */
bool access_token_serves(const struct access_token *t, const struct provider_options *p);

/* Someone who waits for a token; embedded, told once. */
struct token_wait {
    struct token_wait *next, **from;                         /* from NULL: not waiting */
    void (*done)(struct token_wait *w, const char *problem); /* NULL: there is one now */
};

enum token_state {
    TOKEN_READY, /* access_token_line has it */
    TOKEN_LATER, /* `w` will be told, from the loop */
    TOKEN_LOST,  /* it could not be got a moment ago: access_token_problem */
};
enum token_state access_token_take(struct access_token *t, struct token_wait *w);
void token_wait_cancel(struct token_wait *w); /* idempotent */

/* "Authorization: Bearer …" with CR LF, valid during this turn; empty for NULL. A credential. */
struct span access_token_line(const struct access_token *t);
/* The token alone: for finding it where it must not be. */
const struct secret *access_token_secret(const struct access_token *t);
const char *access_token_problem(const struct access_token *t);
/* The provider refused it: the next request needs another. */
void access_token_forget(struct access_token *t);

#endif
