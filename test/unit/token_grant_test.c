/* What is posted to a token endpoint, to the byte, and everything such an endpoint may answer. */
#include "unit.h"

#include "rsa_key.h"

#include "sluice/base/digest.h"
#include "sluice/base/rsa.h"
#include "sluice/codec/token_grant.h"

#define FORM "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="

static struct token_grant grant(const char *key_id)
{
    return (struct token_grant){
        .issuer = SPAN_LIT("me@project.example.org"),
        .audience = SPAN_LIT("https://tokens.example.org/token"),
        .key_id = span_text(key_id),
        .private_key = SPAN_LIT(RSA_KEY),
        .unix_s = 1790000000,
    };
}

static void add_encoded(struct buf *out, const char *text)
{
    assert_int_equal(digest_base64url(span_text(text), out), 0);
}

static void form_holds_a_signed_statement(void **state)
{
    (void)state;
    static const struct {
        const char *key_id, *header;
    } rows[] = {
        {"abc1", "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"abc1\"}"},
        {"", "{\"alg\":\"RS256\",\"typ\":\"JWT\"}"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf want = {0}, signature = {0}, form = {0};
        struct token_grant g = grant(rows[i].key_id);
        add_encoded(&want, rows[i].header);
        assert_int_equal(buf_add_byte(&want, '.'), 0);
        add_encoded(&want, "{\"iss\":\"me@project.example.org\","
                           "\"scope\":\"https://www.googleapis.com/auth/cloud-platform\","
                           "\"aud\":\"https://tokens.example.org/token\","
                           "\"iat\":1790000000,\"exp\":1790003600}");
        assert_true(rsa_sign_sha256(g.private_key, buf_span(&want), &signature));
        assert_int_equal(buf_add_byte(&want, '.'), 0);
        assert_int_equal(digest_base64url(buf_span(&signature), &want), 0);

        assert_true(token_grant_write(&g, &form));
        assert_true(span_starts(buf_span(&form), SPAN_LIT(FORM)));
        assert_true(span_eq(span_skip(buf_span(&form), strlen(FORM)), buf_span(&want)));
        buf_fini(&want);
        buf_fini(&signature);
        buf_fini(&form);
    }
}

static void key_that_cannot_sign_makes_no_form(void **state)
{
    (void)state;
    struct token_grant g = grant("");
    struct buf form = {0};
    g.private_key = SPAN_LIT(EC_KEY);
    assert_false(token_grant_write(&g, &form));
    assert_int_equal(buf_len(&form), 0);
    buf_fini(&form);
}

static void answers_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *body, *token;
        uint64_t lifetime_s;
    } rows[] = {
        {"{\"access_token\":\"ya29.c\",\"expires_in\":3599,\"token_type\":\"Bearer\"}", "ya29.c",
         3599},
        {"{\"expires_in\":60,\"access_token\":\"a-b_c~d+e/f==\"}", "a-b_c~d+e/f==", 60},
        {"{\"access_token\":\"t\"}", "t", 3600},
        {"{\"access_token\":\"t\",\"expires_in\":\"3599\"}", "t", 3600},
        {"{\"access_token\":\"t\",\"expires_in\":-5}", "t", 3600},
        {"{\"access_token\":\"t\",\"expires_in\":0}", "t", 2},
        {"{\"access_token\":\"t\",\"expires_in\":18446744073709551615}", "t", 86400},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct token_answer a;
        assert_row(i, token_answer_read(200, span_text(rows[i].body), &a));
        assert_span(buf_span(&a.token), rows[i].token);
        assert_row(i, a.lifetime_s == rows[i].lifetime_s);
        assert_row(i, a.problem[0] == '\0');
        buf_fini(&a.token);
    }
}

static void answers_without_a_token_are_explained(void **state)
{
    (void)state;
    static const struct {
        unsigned status;
        const char *body, *problem;
    } rows[] = {
        {400, "{\"error\":\"invalid_grant\",\"error_description\":\"Invalid JWT Signature.\"}",
         "the token endpoint answered 400, invalid_grant: Invalid JWT Signature."},
        {401, "{\"error\":\"invalid_client\"}", "the token endpoint answered 401, invalid_client"},
        {503, "<html>", "the token endpoint answered 503"},
        {500, "", "the token endpoint answered 500"},
        {403, "{\"error\":{\"code\":403}}", "the token endpoint answered 403"},
        {302, "{\"access_token\":\"t\"}", "the token endpoint answered 302"},
        {200, "", "the token endpoint's answer holds no token"},
        {200, "[]", "the token endpoint's answer holds no token"},
        {200, "{\"access_token\":7}", "the token endpoint's answer holds no token"},
        {200, "{\"access_token\":\"\"}", "the token endpoint's answer holds no token"},
        {200, "{\"access_token\":\"a b\"}", "the token endpoint's answer holds no token"},
        {200, "{\"access_token\":\"a\\r\\nX: y\"}", "the token endpoint's answer holds no token"},
        {200, "{\"access_token\":\"a\\u0000\"}", "the token endpoint's answer holds no token"},
        {200, "{\"access_token\":\"\u00e9\"}", "the token endpoint's answer holds no token"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct token_answer a;
        uint8_t *body = exact_copy(span_text(rows[i].body));
        assert_row(i, !token_answer_read(rows[i].status, span_of(body, strlen(rows[i].body)), &a));
        assert_string_equal(a.problem, rows[i].problem);
        assert_row(i, buf_len(&a.token) == 0);
        buf_fini(&a.token);
        free(body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(form_holds_a_signed_statement),
        cmocka_unit_test(key_that_cannot_sign_makes_no_form),
        cmocka_unit_test(answers_are_read),
        cmocka_unit_test(answers_without_a_token_are_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
