#include "unit.h"

#include "sluice/admit/managed_key.h"

#define NOW UINT64_C(1700000000000)
#define DIGEST "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define BASE                                                                                  \
    "\"sha256\":\"" DIGEST "\",\"enabled\":true,\"name\":\"ci\",\"prefix\":\"sl_live_abcd\"," \
    "\"last4\":\"wxyz\",\"created\":1"
#define REACH ",\"scope\":\"workspace\",\"models\":[\"*\"]"

static struct managed_key *read_text(const char *text)
{
    return managed_key_read(SPAN_LIT("key_1"), span_text(text));
}

/* What limits a key must be legible: a key without its limits would be a stronger one. */
static void damaged_records_are_no_keys(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "{",
        "[]",
        "null",
        "{}",
        "{\"name\":\"ci\"}",
        "{" BASE "}",
        "{" BASE ",\"scope\":\"workspace\"}",
        "{" BASE ",\"scope\":\"workspace\",\"models\":[]}",
        "{" BASE ",\"scope\":\"workspace\",\"models\":[7]}",
        "{" BASE ",\"scope\":\"workspace\",\"models\":\"*\"}",
        "{" BASE ",\"scope\":\"workspace\",\"models\":[\"*\\u0000x\"]}",
        "{" BASE ",\"scope\":\"root\",\"models\":[\"*\"]}",
        "{" BASE ",\"scope\":\"pipeline\",\"models\":[\"*\"]}",
        "{" BASE ",\"scope\":\"workspace\",\"pipeline\":\"bot\",\"models\":[\"*\"]}",
        "{" BASE REACH ",\"expires\":\"never\"}",
        "{" BASE REACH ",\"expires\":-1}",
        "{" BASE REACH ",\"rpm\":1.5}",
        "{" BASE REACH ",\"rpm\":4294967296}",
        "{" BASE REACH ",\"tpm\":null}",
        "{" BASE REACH ",\"concurrency\":\"1\"}",
        "{" BASE REACH ",\"budget_pd\":5}",
        "{" BASE REACH ",\"budget_pd\":5,\"budget_period\":\"year\"}",
        "{" BASE REACH ",\"budget_pd\":\"5\",\"budget_period\":\"day\"}",
        "{" BASE REACH ",\"earlier\":{}}",
        "{" BASE REACH ",\"earlier\":[{}]}",
        "{" BASE REACH ",\"earlier\":[{\"sha256\":\"" DIGEST "\"}]}",
        "{" BASE REACH ",\"earlier\":[1,2,3,4,5,6]}",
        "{" BASE REACH "} ,",
    };
    for (unsigned i = 0; i < ROWS(rows); i++)
        assert_row(i, read_text(rows[i]) == NULL);
    static const char *const ids[] = {"", "a b", "\x7f",
                                      "key_0123456789012345678901234567890123456789"};
    for (unsigned i = 0; i < ROWS(ids); i++)
        assert_row(i, managed_key_read(span_text(ids[i]), SPAN_LIT("{" BASE REACH "}")) == NULL);
}

static void what_was_written_is_read_again(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{" BASE REACH "}",
        "{" BASE ",\"scope\":\"pipeline\",\"pipeline\":\"bot\",\"models\":[\"*\"],\"expires\":9}",
        "{" BASE ",\"scope\":\"admin\",\"models\":[\"a/b\",\"c\"],\"rpm\":1,\"tpm\":2,"
        "\"concurrency\":3,\"budget_pd\":18446744073709551615,\"budget_period\":\"total\","
        "\"earlier\":[{\"sha256\":\"" DIGEST "\",\"until\":5}]}",
        "{\"sha256\":\"" DIGEST "\",\"name\":\"\\u00e9\\\"\",\"prefix\":\"\",\"last4\":\"\"" REACH
        "}",
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf one = {0}, other = {0};
        struct managed_key *k = read_text(rows[i]);
        assert_row(i, k != NULL && managed_key_write(k, &one) == 0);
        managed_key_unref(k);
        k = managed_key_read(SPAN_LIT("key_1"), buf_span(&one));
        assert_row(i, k != NULL && managed_key_write(k, &other) == 0);
        assert_row(i, span_eq(buf_span(&one), buf_span(&other)));
        managed_key_unref(k);
        buf_fini(&one);
        buf_fini(&other);
    }
    struct managed_key *k = read_text(rows[2]);
    assert_string_equal(k->options.id, "key_1");
    assert_int_equal(k->options.scope, SCOPE_ADMIN);
    assert_int_equal(k->options.models.n, 2);
    assert_int_equal(k->options.limits.rpm, 1);
    assert_int_equal(k->options.limits.tpm, 2);
    assert_int_equal(k->options.limits.concurrency, 3);
    assert_int_equal(k->options.budget.known, BUDGET_USD);
    assert_true(k->options.budget.usd_pd == UINT64_MAX);
    assert_int_equal(k->options.budget.period, PERIOD_TOTAL);
    assert_int_equal(k->earlier[0].until_unix_ms, 5);
    managed_key_unref(k);
    k = read_text(rows[3]); /* nobody said that it is enabled */
    assert_false(k->options.enabled);
    managed_key_unref(k);
}

static void a_secret_shows_its_beginning_and_its_end(void **state)
{
    (void)state;
    struct managed_key k = {.refs = 1};
    uint8_t digest[SHA256_BYTES];
    managed_key_set_secret(&k, SPAN_LIT("sl_live_0123456789ABCDEFGHIJKLmnopqr"));
    assert_string_equal(k.prefix, "sl_live_0123");
    assert_string_equal(k.last4, "opqr");
    digest_sha256(SPAN_LIT("sl_live_0123456789ABCDEFGHIJKLmnopqr"), digest);
    assert_memory_equal(k.options.sha256, digest, SHA256_BYTES);
}

static bool has_earlier(const struct managed_key *k, const char *secret, uint64_t until)
{
    uint8_t digest[SHA256_BYTES];
    digest_sha256(span_text(secret), digest);
    for (unsigned i = 0; i < k->nearlier; i++) {
        if (memcmp(k->earlier[i].sha256, digest, SHA256_BYTES) == 0)
            return k->earlier[i].until_unix_ms == until;
    }
    return false;
}

static void a_replaced_secret_works_as_long_as_was_said(void **state)
{
    (void)state;
    struct managed_key k = {.refs = 1};
    managed_key_set_secret(&k, SPAN_LIT("first-secret"));
    assert_true(managed_key_rotate(&k, SPAN_LIT("second-secret"), 1000, NOW));
    assert_int_equal(k.nearlier, 1);
    assert_true(has_earlier(&k, "first-secret", NOW + 1000));
    assert_true(managed_key_rotate(&k, SPAN_LIT("third-secret"), 50, NOW + 500));
    assert_true(has_earlier(&k, "first-secret", NOW + 1000)); /* as was promised */
    assert_true(has_earlier(&k, "second-secret", NOW + 550));
    assert_true(managed_key_rotate(&k, SPAN_LIT("fourth-secret"), 50, NOW + 999));
    assert_int_equal(k.nearlier, 2); /* the second is over */
    assert_true(managed_key_rotate(&k, SPAN_LIT("fifth-secret"), 0, NOW + 999));
    assert_int_equal(k.nearlier, 0); /* none but the new one, for one of them may have leaked */
    uint8_t digest[SHA256_BYTES];
    digest_sha256(SPAN_LIT("fifth-secret"), digest);
    assert_memory_equal(k.options.sha256, digest, SHA256_BYTES);
}

static void only_so_many_secrets_work_at_once(void **state)
{
    (void)state;
    struct managed_key k = {.refs = 1};
    managed_key_set_secret(&k, SPAN_LIT("first-secret"));
    for (unsigned i = 0; i < KEY_EARLIER_MAX; i++)
        assert_true(managed_key_rotate(&k, SPAN_LIT("another-secret"), 1000 + i, NOW));
    struct managed_key before = k;
    assert_false(managed_key_rotate(&k, SPAN_LIT("one-too-many"), 1000, NOW));
    assert_memory_equal(&k, &before, sizeof k);
    assert_true(managed_key_rotate(&k, SPAN_LIT("later"), 1000, NOW + 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_records_are_no_keys),
        cmocka_unit_test(what_was_written_is_read_again),
        cmocka_unit_test(a_secret_shows_its_beginning_and_its_end),
        cmocka_unit_test(a_replaced_secret_works_as_long_as_was_said),
        cmocka_unit_test(only_so_many_secrets_work_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
