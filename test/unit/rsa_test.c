/* Signatures that another implementation made too, and keys that are none. */
#include "unit.h"

#include "rsa_key.h"

#include "sluice/base/digest.h"
#include "sluice/base/rsa.h"

static void signature_is_openssls(void **state)
{
    (void)state;
    static const char *const keys[] = {RSA_KEY, RSA_KEY_PKCS1};
    for (unsigned i = 0; i < ROWS(keys); i++) {
        struct buf out = {0};
        char hex[2 * 256 + 1];
        assert_int_equal(buf_add_text(&out, "before"), 0);
        assert_row(i, rsa_sign_sha256(span_text(keys[i]), SPAN_LIT(RSA_KEY_SIGNED), &out));
        assert_row(i, buf_len(&out) == 6 + 256);
        digest_hex(out.at + 6, 256, hex);
        assert_string_equal(hex, RSA_KEY_SIGNATURE);
        buf_fini(&out);
    }
}

static void what_is_no_private_key_is_known(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "\n",
        "x",
        "-----BEGIN PRIVATE KEY-----\n",
        EC_KEY,
        RSA_KEY_LOCKED,
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    };
    assert_true(rsa_is_private_key(SPAN_LIT(RSA_KEY)));
    for (unsigned i = 0; i < ROWS(bad); i++) {
        struct buf out = {0};
        assert_row(i, !rsa_is_private_key(span_text(bad[i])));
        assert_row(i, !rsa_sign_sha256(span_text(bad[i]), SPAN_LIT("x"), &out));
        assert_row(i, buf_len(&out) == 0);
        buf_fini(&out);
    }
}

static void cut_key_is_none(void **state)
{
    (void)state;
    struct span whole = SPAN_LIT(RSA_KEY);
    for (size_t len = 0; len + 30 < whole.len; len += 7) {
        uint8_t *part = exact_copy(span_sub(whole, 0, len));
        assert_row(len, !rsa_is_private_key(span_of(part, len)));
        free(part);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signature_is_openssls),
        cmocka_unit_test(what_is_no_private_key_is_known),
        cmocka_unit_test(cut_key_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
