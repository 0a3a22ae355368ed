/* sigv4.h: AWS Signature Version 4, as Bedrock wants its requests signed.
 *
 * Steps and names: "Create a signed AWS API request" in AWS's IAM user guide. The signature covers
 * the method, the path, the query, a few header fields and the whole body, so the body has to be
 * final. Time is passed in; AWS refuses a clock that is more than five minutes off. */
#ifndef SLUICE_CODEC_SIGV4_H
#define SLUICE_CODEC_SIGV4_H

#include "sluice/base/buf.h"
#include "sluice/base/digest.h"

struct sigv4_credentials {
    struct span access_key, secret_key;
    struct span session_token; /* empty for long-term credentials */
};

struct sigv4_scope {
    struct span region, service; /* "us-east-1", "bedrock" */
};

struct sigv4_request {
    struct span method;
    struct span path;  /* as it goes on the wire, percent-encoded once, without dot segments */
    struct span query; /* as it goes on the wire: encoded, sorted by name; without the "?" */
    struct span host, content_type; /* the fields' values; an empty content_type is not signed */
    uint8_t body_sha256[SHA256_BYTES];
};

/* A path segment percent-encoded once, for a model id or an ARN: everything but unreserved
 * characters (RFC 3986 §2.3), so also ':' and '/'. 0 or -ENOMEM. */
int sigv4_add_segment(struct buf *out, struct span segment) __attribute__((warn_unused_result));

/* Appends the field lines that sign the request (X-Amz-Date, Authorization, and X-Amz-Security-Token
 * when there is one), each with CR LF. They are a credential: not for logs. 0 or -ENOMEM. */
int sigv4_sign(const struct sigv4_credentials *who, const struct sigv4_scope *scope,
               uint64_t unix_s, const struct sigv4_request *r, struct buf *out)
    __attribute__((warn_unused_result));

#endif
