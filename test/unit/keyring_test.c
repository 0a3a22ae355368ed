#include "unit.h"

#include "sluice/admit/keyring.h"

#define NOW UINT64_C(1700000000000)

static struct key_options keys[] = {
    {.name = "good", .enabled = true},
    {.name = "disabled", .enabled = false},
    {.name = "expired", .enabled = true, .expires_unix_ms = NOW},
    {.name = "still", .enabled = true, .expires_unix_ms = NOW + 1},
    {.name = "both", .enabled = false, .expires_unix_ms = 1},
};
static const char *const secrets[] = {"sl_good", "sl_disabled", "sl_expired", "sl_still",
                                      "sl_both"};

static struct keyring *ring(void)
{
    static struct snapshot snapshot = {.keys = keys, .nkeys = ROWS(keys)};
    for (unsigned i = 0; i < ROWS(keys); i++)
        digest_sha256(span_text(secrets[i]), keys[i].sha256);
    return keyring_new(&snapshot, NULL);
}

static void a_key_is_found_by_what_the_client_presents(void **state)
{
    (void)state;
    static const struct {
        const char *presented;
        enum key_verdict verdict;
        const char *name; /* NULL: not known */
    } rows[] = {
        {"", KEY_MISSING, NULL},
        {"x", KEY_UNKNOWN, NULL},
        {"sl_goo", KEY_UNKNOWN, NULL},
        {"sl_good ", KEY_UNKNOWN, NULL},
        {"SL_GOOD", KEY_UNKNOWN, NULL},
        {"good", KEY_UNKNOWN, NULL},
        {"sl_disabled", KEY_DISABLED, "disabled"},
        {"sl_expired", KEY_EXPIRED, "expired"},
        {"sl_both", KEY_DISABLED, "both"},
        {"sl_still", KEY_ACCEPTED, "still"},
        {"sl_good", KEY_ACCEPTED, "good"},
    };
    struct keyring *k = ring();
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct known_key found = {.key = &keys[0]};
        assert_row(i,
                   keyring_find(k, span_text(rows[i].presented), NOW, &found) == rows[i].verdict);
        assert_row(i, (found.key == NULL) == (rows[i].name == NULL));
        if (found.key != NULL)
            assert_row(i, strcmp(found.key->name, rows[i].name) == 0);
    }
    keyring_free(k);
    keyring_free(NULL);
}

/* Accepted keys are remembered; what makes them unacceptable is not. */
static void a_key_that_was_accepted_is_looked_at_again(void **state)
{
    (void)state;
    struct keyring *k = ring();
    struct known_key found;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(keyring_find(k, SPAN_LIT("sl_still"), NOW, &found), KEY_ACCEPTED);
    assert_int_equal(keyring_find(k, SPAN_LIT("sl_still"), NOW + 1, &found), KEY_EXPIRED);
    assert_string_equal(found.key->name, "still");
    assert_int_equal(keyring_find(k, SPAN_LIT("sl_stil"), NOW, &found), KEY_UNKNOWN);
    assert_null(found.key);
    keyring_free(k);
}

/* However many keys there are, each is known as itself. */
static void many_keys_are_not_mistaken_for_each_other(void **state)
{
    (void)state;
    enum { MANY = 3000 };
    static struct key_options many[MANY];
    static char names[MANY][16];
    struct snapshot snapshot = {.keys = many, .nkeys = MANY};
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof(names[i]), "key-%u", i);
        many[i] = (struct key_options){.name = names[i], .enabled = true};
        digest_sha256(span_text(names[i]), many[i].sha256);
    }
    struct keyring *k = keyring_new(&snapshot, NULL);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < MANY; i++) {
            struct known_key found;
            assert_row(i, keyring_find(k, span_text(names[i]), NOW, &found) == KEY_ACCEPTED);
            assert_row(i, found.key == &many[i]);
        }
    }
    keyring_free(k);
}

/* The table is entered with half of the digest: the other half decides all the same. */
static void half_a_digest_is_not_enough(void **state)
{
    (void)state;
    struct keyring *k = ring();
    struct known_key found;
    keys[0].sha256[SHA256_BYTES - 1] ^= 1;
    assert_int_equal(keyring_find(k, SPAN_LIT("sl_good"), NOW, &found), KEY_UNKNOWN);
    assert_null(found.key);
    keyring_free(k);
}

static void the_scheme_may_be_there_in_any_case_or_be_missing(void **state)
{
    (void)state;
    static const struct {
        const char *value, *key;
    } rows[] = {
        {"", ""},
        {"Bearer", "Bearer"}, /* a key of that name, as unlikely as it is */
        {"Bearer ", ""},
        {"Bearer k", "k"},
        {"bearer k", "k"},
        {"BEARER   k  ", "k"},
        {"Bearerk", "Bearerk"},
        {"k", "k"},
        {"Basic a2V5", "Basic a2V5"},
        {"Bearer Bearer k", "Bearer k"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++)
        assert_row(
            i, span_eq(key_from_authorization(span_text(rows[i].value)), span_text(rows[i].key)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_found_by_what_the_client_presents),
        cmocka_unit_test(a_key_that_was_accepted_is_looked_at_again),
        cmocka_unit_test(many_keys_are_not_mistaken_for_each_other),
        cmocka_unit_test(half_a_digest_is_not_enough),
        cmocka_unit_test(the_scheme_may_be_there_in_any_case_or_be_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
