#include "unit.h"

#include "sluice/base/log.h"

#include <unistd.h>

/* One line through the log and a pipe; the time in front is checked and cut off. */
static const char *logged(enum log_format format, const char *event, const char *fields)
{
    static char text[8192];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    log_open(ends[1], LOG_INFO, format);
    log_warn(event, "%s", fields);
    log_close();
    (void)close(ends[1]);
    ssize_t len = read(ends[0], text, sizeof(text) - 1);
    (void)close(ends[0]);
    assert_true(len > 0);
    text[len] = '\0';
    assert_ptr_equal(strchr(text, '\n'), text + len - 1); /* one line, whatever was in it */
    text[len - 1] = '\0';
    size_t time_at = format == LOG_FORMAT_JSON ? strlen("{\"ts\":\"") : 0;
    assert_int_equal(text[time_at + 10], 'T');
    assert_int_equal(text[time_at + 23], 'Z');
    return text + time_at + 24;
}

static void json_lines_are_json_whatever_the_values(void **state)
{
    (void)state;
    static const struct {
        const char *event, *fields, *line;
    } rows[] = {
        {"a\nb", "k=x\n{\"level\":\"error\"}",
         "\"msg\":\"a\\nb\",\"k\":\"x\\n{\\\"level\\\":\\\"error\\\"}\"}"},
        {"e", "k=\xff\x1b[2J", "\"msg\":\"e\",\"k\":\"\xef\xbf\xbd\\u001b[2J\"}"},
        {"e", "k=\"a b=c\" n=1", "\"msg\":\"e\",\"k\":\"a b=c\",\"n\":\"1\"}"},
        {"e", "k=\"never closed b=c", "\"msg\":\"e\",\"k\":\"\\\"never closed b=c\"}"},
        {"e", "k=\"\" n=", "\"msg\":\"e\",\"k\":\"\",\"n\":\"\"}"},
        {"e", "file=a b.yaml line=3", "\"msg\":\"e\",\"file\":\"a b.yaml\",\"line\":\"3\"}"},
        {"e", "no pairs here", "\"msg\":\"e\",\"detail\":\"no pairs here\"}"},
        {"e", "url=http://h/?a=b", "\"msg\":\"e\",\"url\":\"http://h/?a=b\"}"},
        {"store lost", "", "\"msg\":\"store lost\"}"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        const char *line = logged(LOG_FORMAT_JSON, rows[i].event, rows[i].fields);
        assert_row(i, strncmp(line, "\",\"level\":\"warn\",", 17) == 0);
        assert_row(i, strcmp(line + 17, rows[i].line) == 0);
    }
}

static void text_lines_cannot_drive_a_terminal(void **state)
{
    (void)state;
    assert_string_equal(logged(LOG_FORMAT_TEXT, "store lost", "host=a after_ms=5"),
                        " warn  store lost  host=a after_ms=5");
    assert_string_equal(logged(LOG_FORMAT_TEXT, "e", "k=\x1b[2J\r\n\x7f\xc2\x9b\xff é"),
                        " warn  e  k=\\x1b[2J\\x0d\\x0a\\x7f\\xc2\\x9b\\xff é");
    assert_string_equal(logged(LOG_FORMAT_TEXT, "e", ""), " warn  e");
}

static void an_endless_value_is_cut(void **state)
{
    (void)state;
    char value[6000];
    memset(value, 'x', sizeof(value));
    value[sizeof(value) - 1] = '\0';
    assert_in_range(strlen(logged(LOG_FORMAT_JSON, "e", value)), 4000, 4200);
}

static void a_level_that_is_off_writes_nothing(void **state)
{
    (void)state;
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    log_open(ends[1], LOG_ERROR, LOG_FORMAT_TEXT);
    log_warn("e", "%s", "");
    log_debug("e", "%s", "");
    assert_false(log_enabled(LOG_WARN));
    assert_true(log_enabled(LOG_ERROR));
    log_close();
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 0);
    (void)close(ends[0]);
}

static void lines_lost_to_a_full_pipe_are_owned_up_to(void **state)
{
    (void)state;
    int ends[2];
    static char text[512 * 1024];
    assert_int_equal(pipe(ends), 0);
    log_open(ends[1], LOG_INFO, LOG_FORMAT_TEXT);
    for (unsigned i = 0; i < 300; i++)
        log_info("filling", "text=%01000d", 1); /* nobody reads: this must not block */
    assert_true(log_flush() > 0);
    ssize_t len = read(ends[0], text, sizeof(text));
    assert_int_equal(log_flush(), 0);
    log_info("going on", "%s", "");
    len += read(ends[0], text + len, sizeof(text) - (size_t)len);
    log_close();
    (void)close(ends[1]);
    (void)close(ends[0]);
    assert_true(span_find(span_of(text, (size_t)len), SPAN_LIT("log lines dropped  lines=")) !=
                SIZE_MAX);
    assert_true(span_find(span_of(text, (size_t)len), SPAN_LIT("going on\n")) != SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_lines_are_json_whatever_the_values),
        cmocka_unit_test(text_lines_cannot_drive_a_terminal),
        cmocka_unit_test(an_endless_value_is_cut),
        cmocka_unit_test(a_level_that_is_off_writes_nothing),
        cmocka_unit_test(lines_lost_to_a_full_pipe_are_owned_up_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
