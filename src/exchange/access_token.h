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

/* `pool`: to the token endpoint; its reference is taken over. Copies what it needs of `p`. */
struct access_token *access_token_new(struct loop *l, const struct provider_options *p,
                                      struct pool *pool);
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

const char *access_token_problem(const struct access_token *t);

/* One token: whoever sent it keeps it until the answer is over, to find it where it must not be. */
struct bearer;
struct bearer *access_token_bearer(struct access_token *t); /* a reference; NULL: there is none */
void bearer_unref(struct bearer *b);                        /* NULL is fine */
/* "Authorization: Bearer …" with CR LF, and the token alone. Credentials. */
struct span bearer_line(const struct bearer *b); /* empty for NULL */
const struct secret *bearer_secret(const struct bearer *b);

/* The provider refused it: unless there is another one by now, the next request needs one. */
void access_token_forget(struct access_token *t, const struct bearer *refused);

#endif
