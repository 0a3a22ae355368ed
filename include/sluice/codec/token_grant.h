/* token_grant.h: a service account's key exchanged for an access token.
 *
 * RFC 7523 §2.1: a JSON Web Token (RFC 7519) that the account signs with RS256 (RFC 7518 §3.3) is
 * posted to the token endpoint; claims as Google's "Using OAuth 2.0 for Server to Server
 * Applications" wants them. The answer is that of RFC 6749 §5. */
#ifndef SLUICE_CODEC_TOKEN_GRANT_H
#define SLUICE_CODEC_TOKEN_GRANT_H

#include "sluice/base/buf.h"

struct token_grant {
    struct span issuer;      /* the account's client_email; plain ASCII, as all of these */
    struct span audience;    /* the token endpoint's URL */
    struct span key_id;      /* may be empty */
    struct span private_key; /* PEM */
    uint64_t unix_s;         /* now */
};

/* Appends the form to be posted. False when the key cannot sign or memory is out. Takes
 * milliseconds: not for the loop. */
bool token_grant_write(const struct token_grant *g, struct buf *out);

struct token_answer {
    struct buf token;    /* owned: free it wiped */
    uint64_t lifetime_s; /* from when it was asked for */
    char problem[240];   /* for people; "" when there is a token */
};

/* What the token endpoint answered. False with a problem. */
bool token_answer_read(unsigned status, struct span body, struct token_answer *out);

#endif
