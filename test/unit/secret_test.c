#include "unit.h"

#include "sluice/base/secret.h"

static void a_mask_never_gives_much_away(void **state)
{
    (void)state;
    static const struct {
        const char *value, *mask;
    } rows[] = {
        {"", "…"},
        {"1234567", "…"},
        {"12345678", "1…78"},
        {"12345678901", "1…01"},
        {"sk-abcdefghi3f2a", "sk-…3f2a"},
        {"\n\x1b[31mabcdef\x80\xff\x01", "**[…f***"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct secret s;
        char mask[16];
        assert_int_equal(secret_init(&s, span_text(rows[i].value)), 0);
        secret_mask(&s, mask);
        assert_row(i, strcmp(mask, rows[i].mask) == 0);
        assert_row(i, secret_is_set(&s) == (rows[i].value[0] != '\0'));
        secret_fini(&s);
        assert_row(i, !secret_is_set(&s));
    }
}

static void scrubbing_leaves_no_occurrence(void **state)
{
    (void)state;
    static const struct {
        const char *secret, *text, *clean;
    } rows[] = {
        {"short", "a short text", "a short text"}, /* too common to be worth hiding */
        {"longsecret", "", ""},
        {"longsecret", "longsecre", "longsecre"},
        {"longsecret", "longsecret", "**********"},
        {"longsecret", "a longsecret, longsecretlongsecret", "a **********, ********************"},
        {"abababab", "xabababababx", "x**********x"}, /* two that overlap */
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct secret s;
        char text[64];
        (void)snprintf(text, sizeof(text), "%s", rows[i].text);
        assert_int_equal(secret_init(&s, span_text(rows[i].secret)), 0);
        secret_scrub(&s, (uint8_t *)text, strlen(text));
        assert_row(i, strcmp(text, rows[i].clean) == 0);
        secret_fini(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mask_never_gives_much_away),
        cmocka_unit_test(scrubbing_leaves_no_occurrence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
