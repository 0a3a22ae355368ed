#include "sluice/codec/sigv4.h"

#include <errno.h>
#include <time.h>

#define ALGORITHM "AWS4-HMAC-SHA256"

enum { HEX_BYTES = 2 * SHA256_BYTES + 1 };

/* What the moment is called in a signature: "20150830T123600Z", and its first eight letters. */
struct moment {
    char text[17];
};

static struct span moment_day(const struct moment *m)
{
    return span_of(m->text, 8);
}

static struct moment moment_of(uint64_t unix_s)
{
    struct moment m;
    time_t t = (time_t)unix_s;
    struct tm utc;
    gmtime_r(&t, &utc);
    strftime(m.text, sizeof m.text, "%Y%m%dT%H%M%SZ", &utc);
    return m;
}

/* --- percent-encoding ------------------------------------------------------------------------ */

static bool is_unreserved(uint8_t c)
{
    uint8_t letter = c | 0x20;
    return (letter >= 'a' && letter <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

static int add_encoded(struct buf *out, struct span s, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.at[i];
        uint8_t coded[3] = {'%', (uint8_t)digits[c >> 4], (uint8_t)digits[c & 15]};
        bool as_is = is_unreserved(c) || (keep_slash && c == '/');
        if (buf_add(out, as_is ? span_of(&c, 1) : span_of(coded, 3)) < 0)
            return -ENOMEM;
    }
    return 0;
}

int sigv4_add_segment(struct buf *out, struct span segment)
{
    return add_encoded(out, segment, false);
}

/* --- what is signed -------------------------------------------------------------------------- */

/* The fields that are signed, in the order of their names. */
static const char *signed_names(const struct sigv4_credentials *who, const struct sigv4_request *r)
{
    bool has_type = r->content_type.len > 0, has_token = who->session_token.len > 0;
    if (has_type)
        return has_token ? "content-type;host;x-amz-date;x-amz-security-token"
                         : "content-type;host;x-amz-date";
    return has_token ? "host;x-amz-date;x-amz-security-token" : "host;x-amz-date";
}

static int add_field(struct buf *out, const char *name, struct span value)
{
    struct span trimmed = span_trim(value);
    return trimmed.len == 0 ? 0 : buf_addf(out, "%s:%.*s\n", name, SPAN_FMT(trimmed));
}

/* The path is encoded once more than on the wire: every service but S3 wants it so. */
static int add_canonical_request(struct buf *out, const struct sigv4_credentials *who,
                                 const struct sigv4_request *r, const struct moment *m)
{
    char body[HEX_BYTES];
    digest_hex(r->body_sha256, SHA256_BYTES, body);
    if (buf_addf(out, "%.*s\n", SPAN_FMT(r->method)) < 0 || add_encoded(out, r->path, true) < 0 ||
        buf_addf(out, "\n%.*s\n", SPAN_FMT(r->query)) < 0 ||
        add_field(out, "content-type", r->content_type) < 0 ||
        add_field(out, "host", r->host) < 0 ||
        add_field(out, "x-amz-date", span_text(m->text)) < 0 ||
        add_field(out, "x-amz-security-token", who->session_token) < 0)
        return -ENOMEM;
    return buf_addf(out, "\n%s\n%s", signed_names(who, r), body);
}

static int add_scope(struct buf *out, const struct sigv4_scope *scope, const struct moment *m)
{
    return buf_addf(out, "%.*s/%.*s/%.*s/aws4_request", SPAN_FMT(moment_day(m)),
                    SPAN_FMT(scope->region), SPAN_FMT(scope->service));
}

/* --- the signature ---------------------------------------------------------------------------- */

/* A key for one day, one region and one service, made of the secret. */
static int signing_key(const struct sigv4_credentials *who, const struct sigv4_scope *scope,
                       const struct moment *m, uint8_t key[SHA256_BYTES])
{
    struct buf first = {0};
    if (buf_addf(&first, "AWS4%.*s", SPAN_FMT(who->secret_key)) < 0)
        return -ENOMEM;
    digest_hmac_sha256(buf_span(&first), moment_day(m), key);
    buf_fini_wiped(&first);
    const struct span steps[] = {scope->region, scope->service, SPAN_LIT("aws4_request")};
    for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        uint8_t next[SHA256_BYTES];
        digest_hmac_sha256(span_of(key, SHA256_BYTES), steps[i], next);
        memcpy(key, next, SHA256_BYTES);
    }
    return 0;
}

static int make_signature(const struct sigv4_credentials *who, const struct sigv4_scope *scope,
                          const struct sigv4_request *r, const struct moment *m,
                          char signature[HEX_BYTES])
{
    uint8_t hash[SHA256_BYTES], key[SHA256_BYTES];
    char hex[HEX_BYTES];
    struct buf text = {0};
    int rc = add_canonical_request(&text, who, r, m);
    if (rc == 0) {
        digest_sha256(buf_span(&text), hash);
        digest_hex(hash, SHA256_BYTES, hex);
        buf_clear(&text);
        rc = buf_addf(&text, ALGORITHM "\n%s\n", m->text);
    }
    if (rc == 0)
        rc = add_scope(&text, scope, m);
    if (rc == 0)
        rc = buf_addf(&text, "\n%s", hex);
    if (rc == 0)
        rc = signing_key(who, scope, m, key);
    if (rc == 0) {
        digest_hmac_sha256(span_of(key, SHA256_BYTES), buf_span(&text), hash);
        digest_hex(hash, SHA256_BYTES, signature);
        explicit_bzero(key, sizeof key);
    }
    buf_fini(&text);
    return rc;
}

int sigv4_sign(const struct sigv4_credentials *who, const struct sigv4_scope *scope,
               uint64_t unix_s, const struct sigv4_request *r, struct buf *out)
{
    struct moment m = moment_of(unix_s);
    char signature[HEX_BYTES];
    if (make_signature(who, scope, r, &m, signature) < 0 ||
        buf_addf(out, "X-Amz-Date: %s\r\n", m.text) < 0 ||
        (who->session_token.len > 0 &&
         buf_addf(out, "X-Amz-Security-Token: %.*s\r\n", SPAN_FMT(who->session_token)) < 0) ||
        buf_addf(out, "Authorization: " ALGORITHM " Credential=%.*s/", SPAN_FMT(who->access_key)) <
            0 ||
        add_scope(out, scope, &m) < 0)
        return -ENOMEM;
    return buf_addf(out, ", SignedHeaders=%s, Signature=%s\r\n", signed_names(who, r), signature);
}
