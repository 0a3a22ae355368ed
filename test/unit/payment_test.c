/* What a top-up comes to, and the URL it is paid at. */
#include "unit.h"

#include "sluice/base/dollars.h"
#include "sluice/config/payment.h"

static void the_fee_is_a_share_and_some_cents_rounded_up(void **state)
{
    (void)state;
    static const struct {
        const char *amount;
        unsigned ppm;
        const char *usd, *fee, *total;
    } rows[] = {
        {"50", 50000, "0.35", "2.85", "52.85"}, /* contract 2.5's example */
        {"50", 30000, "0", "1.5", "51.5"},
        {"5", 50000, "0.35", "0.6", "5.6"},
        {"5.01", 50000, "0.35", "0.61", "5.62"}, /* 0.6005 */
        {"5", 0, "0", "0", "5"},
        {"1000000", 1000000, "1000000", "2000000", "3000000"},
        {"999999.999999999999", 999999, "0", "999999", "1999998.999999999999"},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct account_options a = {.topup_fee_ppm = rows[i].ppm};
        char fee[DOLLARS_TEXT_BYTES], total[DOLLARS_TEXT_BYTES];
        uint64_t amount;
        assert_null(dollars_read(span_text(rows[i].usd), &a.topup_fee_pd));
        assert_null(dollars_read(span_text(rows[i].amount), &amount));
        struct payment p = payment_of(&a, amount, SPAN_NONE);
        dollars_write(p.fee_pd, fee);
        dollars_write(p.total_pd, total);
        assert_row(i, strcmp(fee, rows[i].fee) == 0);
        assert_row(i, strcmp(total, rows[i].total) == 0);
    }
}

static void a_template_that_cannot_be_filled_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "pay.example.org",
                                      "ftp://pay.example.org/",
                                      "https://x/{sum}",
                                      "https://x/{",
                                      "https://x/{amount",
                                      "https://x/?a={Amount}",
                                      "https://x/ {amount}",
                                      "https://x/\xc3\xa4",
                                      "javascript:{amount}",
                                      "https://x/{{amount}}"};
    for (size_t i = 0; i < ROWS(bad); i++)
        assert_row(i, payment_url_problem(bad[i]) != NULL);
    assert_null(payment_url_problem("https://pay.example.org/?a={amount}&f={fee}&t={total}"));
    assert_null(payment_url_problem("http://127.0.0.1/pay"));
}

static void what_a_caller_says_cannot_leave_its_place_in_the_url(void **state)
{
    (void)state;
    const struct account_options a = {
        .name = "a&b ä",
        .topup_url = "https://pay.example.org/{account}?a={amount}&f={fee}&t={total}&id={id}#end",
        .topup_fee_ppm = 50000,
        .topup_fee_pd = 350000000000};
    struct payment p = payment_of(&a, 50 * (uint64_t)PD_PER_USD, SPAN_LIT("x&total=0{amount}/#"));
    struct buf out = {0};
    assert_int_equal(payment_write_url(&a, &p, &out), 0);
    assert_span(buf_span(&out), "https://pay.example.org/a%26b%20%C3%A4?a=50&f=2.85&t=52.85&"
                                "id=x%26total%3D0%7Bamount%7D%2F%23#end");
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fee_is_a_share_and_some_cents_rounded_up),
        cmocka_unit_test(a_template_that_cannot_be_filled_is_refused),
        cmocka_unit_test(what_a_caller_says_cannot_leave_its_place_in_the_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
