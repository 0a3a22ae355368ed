#include "sluice/codec/token_grant.h"

#include "sluice/base/digest.h"
#include "sluice/base/rsa.h"
#include "sluice/config/secret_json.h"

#include <stdio.h>

enum { LIFETIME_S = 3600, SHORTEST_S = 2, TOKEN_MAX = 8192 /* it goes into a head */ };

#define SCOPE "https://www.googleapis.com/auth/cloud-platform"
#define GRANT_TYPE "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="

static bool add_encoded(struct buf *out, struct buf *text)
{
    bool is_added = buf_len(text) > 0 && digest_base64url(buf_span(text), out) == 0;
    buf_clear(text);
    return is_added;
}

static int write_header(const struct token_grant *g, struct buf *out)
{
    if (g->key_id.len == 0)
        return buf_add_text(out, "{\"alg\":\"RS256\",\"typ\":\"JWT\"}");
    return buf_addf(out, "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"%.*s\"}",
                    SPAN_FMT(g->key_id));
}

static int write_claims(const struct token_grant *g, struct buf *out)
{
    return buf_addf(out,
                    "{\"iss\":\"%.*s\",\"scope\":\"" SCOPE "\",\"aud\":\"%.*s\",\"iat\":%llu,"
                    "\"exp\":%llu}",
                    SPAN_FMT(g->issuer), SPAN_FMT(g->audience), (unsigned long long)g->unix_s,
                    (unsigned long long)(g->unix_s + LIFETIME_S));
}

bool token_grant_write(const struct token_grant *g, struct buf *out)
{
    struct buf text = {0}, jwt = {0};
    bool is_written = write_header(g, &text) == 0 && add_encoded(&jwt, &text) &&
                      buf_add_byte(&jwt, '.') == 0 && write_claims(g, &text) == 0 &&
                      add_encoded(&jwt, &text) &&
                      rsa_sign_sha256(g->private_key, buf_span(&jwt), &text) &&
                      buf_add_byte(&jwt, '.') == 0 && add_encoded(&jwt, &text) &&
                      buf_add_text(out, GRANT_TYPE) == 0 && buf_add(out, buf_span(&jwt)) == 0;
    buf_fini(&text);
    buf_fini(&jwt);
    return is_written;
}

/* --- the answer ----------------------------------------------------------------------------------- */

static bool is_token(struct span s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] <= ' ' || s.at[i] >= 0x7f)
            return false;
    }
    return s.len > 0;
}

static const char *text_of(yyjson_val *root, const char *key)
{
    const char *text = yyjson_get_str(yyjson_obj_get(root, key));
    return text != NULL ? text : "";
}

static bool read_error(unsigned status, yyjson_val *root, struct token_answer *out)
{
    const char *code = text_of(root, "error"), *text = text_of(root, "error_description");
    snprintf(out->problem, sizeof out->problem, "the token endpoint answered %u%s%.60s%s%.140s",
             status, code[0] != '\0' ? ", " : "", code, text[0] != '\0' ? ": " : "", text);
    return false;
}

static bool read_token(yyjson_val *root, struct token_answer *out)
{
    yyjson_val *token = yyjson_obj_get(root, "access_token");
    yyjson_val *lifetime = yyjson_obj_get(root, "expires_in");
    struct span text = span_of(yyjson_get_str(token), yyjson_get_len(token));
    if (!yyjson_is_str(token) || !is_token(text) || text.len > TOKEN_MAX ||
        buf_add(&out->token, text) < 0) {
        snprintf(out->problem, sizeof out->problem, "the token endpoint's answer holds no token");
        return false;
    }
    out->lifetime_s = yyjson_is_uint(lifetime) ? yyjson_get_uint(lifetime) : LIFETIME_S;
    if (out->lifetime_s < SHORTEST_S)
        out->lifetime_s = SHORTEST_S; /* asked for again and again otherwise */
    if (out->lifetime_s > (uint64_t)24 * LIFETIME_S)
        out->lifetime_s = (uint64_t)24 * LIFETIME_S;
    return true;
}

bool token_answer_read(unsigned status, struct span body, struct token_answer *out)
{
    *out = (struct token_answer){0};
    struct secret_json json = secret_json_read(body);
    bool is_read = status == 200 ? read_token(json.root, out) : read_error(status, json.root, out);
    secret_json_fini(&json);
    return is_read;
}
