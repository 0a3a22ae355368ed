#include "unit.h"

#include "sluice/base/digest.h"

static void sha256_agrees_with_the_standard(void **state)
{
    (void)state;
    static const struct {
        const char *text, *hex;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        uint8_t hash[SHA256_BYTES];
        char hex[2 * SHA256_BYTES + 1];
        digest_sha256(span_text(rows[i].text), hash);
        digest_hex(hash, SHA256_BYTES, hex);
        assert_row(i, strcmp(hex, rows[i].hex) == 0);
    }
}

static void only_exactly_that_many_hex_digits_are_read(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "0", "012", "01234", "0g12", "01 2", "/0:0", "@@GG"};
    uint8_t out[2] = {0};
    for (unsigned i = 0; i < ROWS(bad); i++)
        assert_row(i, !digest_unhex(span_text(bad[i]), out, 2));
    assert_true(digest_unhex(SPAN_LIT("aF09"), out, 2));
    assert_int_equal(out[0], 0xaf);
    assert_int_equal(out[1], 0x09);
}

/* RFC 4231, test cases 2 and 6 (a key longer than a block), and nothing at all. */
static void hmac_is_the_rfcs(void **state)
{
    (void)state;
    uint8_t long_key[131], mac[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    memset(long_key, 0xaa, sizeof long_key);
    const struct {
        struct span key, data;
        const char *want;
    } rows[] = {
        {SPAN_LIT("Jefe"), SPAN_LIT("what do ya want for nothing?"),
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {span_of(long_key, sizeof long_key),
         SPAN_LIT("Test Using Larger Than Block-Size Key - Hash Key First"),
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {SPAN_NONE, SPAN_NONE, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        digest_hmac_sha256(rows[i].key, rows[i].data, mac);
        digest_hex(mac, SHA256_BYTES, hex);
        assert_string_equal(hex, rows[i].want);
    }
}

/* RFC 4648 §10, and every six bits there are in both alphabets (§4, §5). */
static void base64_is_the_rfcs(void **state)
{
    (void)state;
    static const uint8_t bits[] = {0x00, 0x10, 0x83, 0x10, 0x51, 0x87, 0x20, 0x92, 0x8b, 0x30,
                                   0xd3, 0x8f, 0x41, 0x14, 0x93, 0x51, 0x55, 0x97, 0x61, 0x96,
                                   0x9b, 0x71, 0xd7, 0x9f, 0x82, 0x18, 0xa3, 0x92, 0x59, 0xa7,
                                   0xa2, 0x9a, 0xab, 0xb2, 0xdb, 0xaf, 0xc3, 0x1c, 0xb3, 0xd3,
                                   0x5d, 0xb7, 0xe3, 0x9e, 0xbb, 0xf3, 0xdf, 0xbf};
#define BASE62 "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    const struct {
        struct span bytes;
        const char *padded, *url;
    } rows[] = {
        {SPAN_NONE, "", ""},
        {SPAN_LIT("f"), "Zg==", "Zg"},
        {SPAN_LIT("fo"), "Zm8=", "Zm8"},
        {SPAN_LIT("foo"), "Zm9v", "Zm9v"},
        {SPAN_LIT("foob"), "Zm9vYg==", "Zm9vYg"},
        {SPAN_LIT("fooba"), "Zm9vYmE=", "Zm9vYmE"},
        {SPAN_LIT("foobar"), "Zm9vYmFy", "Zm9vYmFy"},
        {span_of(bits, sizeof bits), BASE62 "+/", BASE62 "-_"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf padded = {0}, url = {0};
        assert_int_equal(buf_add_text(&url, "+=/"), 0); /* what is there already stays */
        assert_int_equal(digest_base64(rows[i].bytes, &padded), 0);
        assert_int_equal(digest_base64url(rows[i].bytes, &url), 0);
        assert_span(buf_span(&padded), rows[i].padded);
        assert_true(span_starts(buf_span(&url), SPAN_LIT("+=/")));
        assert_span(span_skip(buf_span(&url), 3), rows[i].url);
        buf_fini(&padded);
        buf_fini(&url);
    }
}

static void only_base64_is_decoded(void **state)
{
    (void)state;
    static const char *const bad[] = {"Z",    "Zg",   "Zg=",       "Zg==\n", "Zg==Zg==",
                                      "Z===", "====", "Zm9-",      "Zm9_",   "Z m9v",
                                      "=Zm9", "Zm=v", "Zm\xc3\xa4"};
    static const struct {
        const char *text, *bytes;
    } good[] = {
        {"", ""},
        {"Zg==", "f"},
        {"Zm8=", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg==", "foob"},
        {"Zm9vYmE=", "fooba"},
        {"Zm9vYmFy", "foobar"},
    };
    for (unsigned i = 0; i < ROWS(bad); i++) {
        struct buf out = {0};
        uint8_t *copy = exact_copy(span_text(bad[i]));
        assert_row(i, !digest_unbase64(span_of(copy, strlen(bad[i])), &out) && buf_len(&out) == 0);
        buf_fini(&out);
        free(copy);
    }
    for (unsigned i = 0; i < ROWS(good); i++) {
        struct buf out = {0};
        assert_int_equal(buf_add_byte(&out, '<'), 0); /* what is there already stays */
        assert_row(i, digest_unbase64(span_text(good[i].text), &out));
        assert_span(span_skip(buf_span(&out), 1), good[i].bytes);
        buf_fini(&out);
    }
}

/* Of all lengths, and all bytes at all places of a group. */
static void base64_comes_back_as_it_was(void **state)
{
    (void)state;
    uint8_t bytes[300];
    for (size_t len = 0; len <= sizeof bytes; len++) {
        struct buf text = {0}, back = {0};
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)(i * 7 + len);
        assert_int_equal(digest_base64(span_of(bytes, len), &text), 0);
        assert_true(digest_unbase64(buf_span(&text), &back));
        assert_true(span_eq(buf_span(&back), span_of(bytes, len)));
        buf_fini(&text);
        buf_fini(&back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_agrees_with_the_standard),
        cmocka_unit_test(only_exactly_that_many_hex_digits_are_read),
        cmocka_unit_test(hmac_is_the_rfcs),
        cmocka_unit_test(base64_is_the_rfcs),
        cmocka_unit_test(only_base64_is_decoded),
        cmocka_unit_test(base64_comes_back_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
