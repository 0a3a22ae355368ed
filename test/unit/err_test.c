#include "unit.h"

#include "sluice/base/err.h"

#include <errno.h>

static void the_first_error_stays(void **state)
{
    (void)state;
    struct err why = {0};
    assert_int_equal(err_set_at(&why, "a.yaml", 3, 7, "no %s", "key"), -EINVAL);
    assert_int_equal(err_set(&why, "later"), -EINVAL);
    assert_string_equal(why.text, "no key");
    assert_int_equal(err_set(NULL, "nobody asked"), -EINVAL);
}

static void it_says_where_as_far_as_known(void **state)
{
    (void)state;
    static const struct {
        struct err why;
        const char *text;
    } rows[] = {
        {{.text = "x"}, "error: x"},
        {{.file = "f", .text = "x"}, "f: error: x"},
        {{.file = "f", .line = 2, .text = "x"}, "f:2: error: x"},
        {{.file = "f", .line = 2, .column = 9, .text = "x"}, "f:2:9: error: x"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        char text[64];
        err_format(&rows[i].why, text, sizeof(text));
        assert_row(i, strcmp(text, rows[i].text) == 0);
        err_format(&rows[i].why, text, 4);
        assert_row(i, strlen(text) == 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_error_stays),
        cmocka_unit_test(it_says_where_as_far_as_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
