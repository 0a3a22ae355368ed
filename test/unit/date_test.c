#include "unit.h"

#include "sluice/http/date.h"

static void a_date_is_written_as_http_wants_it_and_read_again(void **state)
{
    (void)state;
    static const struct {
        uint64_t unix_seconds;
        const char *text;
    } rows[] = {
        {0, "Thu, 01 Jan 1970 00:00:00 GMT"},
        {784111777, "Sun, 06 Nov 1994 08:49:37 GMT"}, /* RFC 9110 §5.6.7 */
        {951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
        {4102444799, "Thu, 31 Dec 2099 23:59:59 GMT"},
    };
    char out[30];
    for (unsigned i = 0; i < ROWS(rows); i++) {
        uint64_t read = 1;
        http_date(rows[i].unix_seconds, out);
        assert_row(i, strcmp(out, rows[i].text) == 0);
        assert_row(i, http_date_read(span_text(out), &read) && read == rows[i].unix_seconds);
    }
}

static void the_obsolete_forms_are_read_too(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    };
    for (unsigned i = 0; i < ROWS(forms); i++) {
        uint64_t read = 0;
        assert_row(i, http_date_read(span_text(forms[i]), &read) && read == 784111777);
    }
}

static void what_is_no_date_is_not_read(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "120",
        "-1",
        "tomorrow",
        ",,,,,,,,",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nov 1994 08:49:37 GMT GMT",
        "Sun, 06 Nov 1994 08:49 GMT",
        "Sun, 06 nov 1994 08:49:37 GMT",
        "Sun, 32 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 19940 08:49:37 GMT",
        "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Wed, 31 Dec 1969 23:59:59 GMT",
        "1994-11-06T08:49:37Z",
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct span text = span_text(rows[i]);
        uint8_t *copy = exact_copy(text);
        uint64_t read = 7;
        assert_row(i, !http_date_read(span_of(copy, text.len), &read) && read == 7);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_date_is_written_as_http_wants_it_and_read_again),
        cmocka_unit_test(the_obsolete_forms_are_read_too),
        cmocka_unit_test(what_is_no_date_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
