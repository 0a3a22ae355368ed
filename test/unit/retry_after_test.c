#include "unit.h"

#include "sluice/base/wait.h"
#include "sluice/http/retry_after.h"

#define NOW_MS 784111777900u /* Sun, 06 Nov 1994 08:49:37.9 GMT */

static unsigned wait_of(const char *after, const char *after_ms, const char *date)
{
    struct http_field fields[3];
    struct http_head head = {.status = 429, .fields = fields};
    if (date != NULL)
        fields[head.nfields++] = (struct http_field){SPAN_LIT("Date"), span_text(date),
                                                     FIELD_SERVER};
    if (after != NULL)
        fields[head.nfields++] = (struct http_field){SPAN_LIT("Retry-After"), span_text(after),
                                                     FIELD_RETRY_AFTER};
    if (after_ms != NULL)
        fields[head.nfields++] = (struct http_field){SPAN_LIT("Retry-After-Ms"),
                                                     span_text(after_ms), FIELD_OTHER};
    return retry_after_read(&head, NOW_MS);
}

static void whatever_a_server_says_is_a_wait_within_bounds_or_none(void **state)
{
    (void)state;
    static const struct {
        const char *after, *after_ms, *date;
        unsigned ms;
    } rows[] = {
        {NULL, NULL, NULL, 0},
        {"", "", NULL, 0},
        {"soon", "soon", NULL, 0},
        {"-5", "-5", NULL, 0},
        {"0", "0", NULL, 0},
        {"Sun, 06 Nov 1994 08:49:37 GMT", NULL, NULL, 0}, /* now */
        {"Sun, 06 Nov 1994 08:00:00 GMT", NULL, NULL, 0}, /* the past */
        {"Sun, 06 Nov 1994 25:00:00 GMT", NULL, NULL, 0},
        {"7", NULL, NULL, 7000},
        {"1.25", NULL, NULL, 1250},
        {NULL, "20", NULL, 20},
        {"7", "6800", NULL, 6800}, /* the more exact one */
        {"7", "soon", NULL, 7000},
        {"soon", "20", NULL, 20},
        {"Sun, 06 Nov 1994 08:50:07 GMT", NULL, NULL, 30000},
        {"Sun Nov  6 08:50:07 1994", NULL, NULL, 30000},
        {"Sun, 06 Nov 1994 08:50:07 GMT", NULL, "soon", 30000},
        /* a server whose clock is a year behind ours */
        {"Sat, 06 Nov 1993 08:50:07 GMT", NULL, "Sat, 06 Nov 1993 08:50:02 GMT", 5000},
        {"Fri, 31 Dec 9999 23:59:59 GMT", NULL, NULL, WAIT_MAX_MS},
        {"99999999999999999999", NULL, NULL, WAIT_MAX_MS},
        {NULL, "99999999999999999999", NULL, WAIT_MAX_MS},
    };
    for (unsigned i = 0; i < ROWS(rows); i++)
        assert_row(i, wait_of(rows[i].after, rows[i].after_ms, rows[i].date) == rows[i].ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_a_server_says_is_a_wait_within_bounds_or_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
