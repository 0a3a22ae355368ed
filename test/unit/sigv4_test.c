/* Signatures against those AWS publishes: its test suite and the examples of its documentation. */
#include "unit.h"

#include "sluice/codec/sigv4.h"

#define MOMENT 1440938160u /* 2015-08-30T12:36:00Z */

static const struct sigv4_credentials example = {
    .access_key = {(const uint8_t *)"AKIDEXAMPLE", 11},
    .secret_key = {(const uint8_t *)"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 40},
};

static void published_signatures_come_out(void **state)
{
    (void)state;
    static const struct {
        const char *service, *method, *path, *query, *host, *type, *body, *want;
    } rows[] = {
        /* aws-sig-v4-test-suite: get-vanilla */
        {"service", "GET", "/", "", "example.amazonaws.com", "", "",
         "X-Amz-Date: 20150830T123600Z\r\n"
         "Authorization: AWS4-HMAC-SHA256 "
         "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
         "SignedHeaders=host;x-amz-date, "
         "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31\r\n"},
        /* the example of the signing steps in the documentation: ListUsers of IAM */
        {"iam", "GET", "/", "Action=ListUsers&Version=2010-05-08", "iam.amazonaws.com",
         "application/x-www-form-urlencoded; charset=utf-8", "",
         "X-Amz-Date: 20150830T123600Z\r\n"
         "Authorization: AWS4-HMAC-SHA256 "
         "Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
         "SignedHeaders=content-type;host;x-amz-date, "
         "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7\r\n"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct sigv4_scope scope = {SPAN_LIT("us-east-1"), span_text(rows[i].service)};
        struct sigv4_request r = {
            .method = span_text(rows[i].method),
            .path = span_text(rows[i].path),
            .query = span_text(rows[i].query),
            .host = span_text(rows[i].host),
            .content_type = span_text(rows[i].type),
        };
        struct buf out = {0};
        digest_sha256(span_text(rows[i].body), r.body_sha256);
        assert_int_equal(sigv4_sign(&example, &scope, MOMENT, &r, &out), 0);
        assert_span(buf_span(&out), rows[i].want);
        buf_fini(&out);
    }
}

static struct buf sign(const struct sigv4_credentials *who, const char *path, const char *body)
{
    struct sigv4_scope scope = {SPAN_LIT("eu-central-1"), SPAN_LIT("bedrock")};
    struct sigv4_request r = {
        .method = SPAN_LIT("POST"),
        .path = span_text(path),
        .host = SPAN_LIT("bedrock-runtime.eu-central-1.amazonaws.com"),
        .content_type = SPAN_LIT("application/json"),
    };
    struct buf out = {0};
    digest_sha256(span_text(body), r.body_sha256);
    assert_int_equal(sigv4_sign(who, &scope, MOMENT, &r, &out), 0);
    return out;
}

static void everything_signed_changes_the_signature(void **state)
{
    (void)state;
    struct sigv4_credentials other = example;
    other.secret_key = SPAN_LIT("another");
    struct buf all[] = {
        sign(&example, "/model/a%3A0/converse", "{}"),
        sign(&example, "/model/a%3A0/converse", "{ }"),
        sign(&example, "/model/a%3a0/converse", "{}"),
        sign(&example, "/model/a:0/converse", "{}"),
        sign(&other, "/model/a%3A0/converse", "{}"),
    };
    for (unsigned i = 0; i < ROWS(all); i++) {
        for (unsigned k = i + 1; k < ROWS(all); k++)
            assert_false(span_eq(buf_span(&all[i]), buf_span(&all[k])));
    }
    for (unsigned i = 0; i < ROWS(all); i++)
        buf_fini(&all[i]);
}

static void a_session_token_is_sent_and_signed(void **state)
{
    (void)state;
    struct sigv4_credentials temporary = example;
    temporary.session_token = SPAN_LIT("the-token");
    struct buf out = sign(&temporary, "/model/m/converse", "{}");
    assert_true(span_find(buf_span(&out), SPAN_LIT("\r\nX-Amz-Security-Token: the-token\r\n")) !=
                SIZE_MAX);
    assert_true(
        span_find(buf_span(&out),
                  SPAN_LIT("SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,")) !=
        SIZE_MAX);
    buf_fini(&out);
}

/* Nor does the secret go anywhere. */
static void the_secret_stays(void **state)
{
    (void)state;
    struct buf out = sign(&example, "/model/m/converse", "{}");
    assert_true(span_find(buf_span(&out), SPAN_LIT("wJalrXUtn")) == SIZE_MAX);
    buf_fini(&out);
}

static void a_model_id_is_one_segment(void **state)
{
    (void)state;
    static const struct {
        const char *id, *segment;
    } rows[] = {
        {"", ""},
        {"anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-3-haiku-20240307-v1%3A0"},
        {"arn:aws:bedrock:us-east-1:1:inference-profile/us.x",
         "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.x"},
        {"a b%~_", "a%20b%25~_"},
        {"\xc3\xa9\x01", "%C3%A9%01"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf out = {0};
        assert_int_equal(sigv4_add_segment(&out, span_text(rows[i].id)), 0);
        assert_span(buf_span(&out), rows[i].segment);
        buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_signatures_come_out),
        cmocka_unit_test(everything_signed_changes_the_signature),
        cmocka_unit_test(a_session_token_is_sent_and_signed),
        cmocka_unit_test(the_secret_stays),
        cmocka_unit_test(a_model_id_is_one_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
