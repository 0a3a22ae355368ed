#include "unit.h"

#include "sluice/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

static char directory[] = "sluice-log-XXXXXX"; /* below the working directory */
static char path[64], moved[64];

static int make_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/log", directory);
    (void)snprintf(moved, sizeof(moved), "%s/log.1", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    (void)unlink(path);
    (void)unlink(moved);
    return rmdir(directory);
}

static const char *content(const char *file)
{
    static char text[4096];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t len = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    assert_true(len >= 0);
    text[len] = '\0';
    return text;
}

static void a_path_that_cannot_be_opened_says_why(void **state)
{
    (void)state;
    assert_null(log_sink_open("/nowhere/at/all/log", 100));
    assert_int_equal(errno, ENOENT);
}

static void nothing_is_written_before_a_flush_and_then_all(void **state)
{
    (void)state;
    struct log_sink *s = log_sink_open(path, 1000);
    assert_non_null(s);
    log_sink_add(s, SPAN_LIT("one\n"));
    uint8_t *room = log_sink_room(s, 100);
    memcpy(room, "two\n", 4);
    log_sink_commit(s, 4);
    assert_string_equal(content(path), "");
    assert_int_equal(log_sink_flush(s), 0);
    assert_string_equal(content(path), "one\ntwo\n");
    log_sink_add(s, SPAN_LIT("three\n"));
    log_sink_close(s); /* flushes */
    assert_string_equal(content(path), "one\ntwo\nthree\n");
}

static void a_file_takes_more_than_the_buffer(void **state)
{
    (void)state;
    (void)unlink(path);
    struct log_sink *s = log_sink_open(path, 10);
    for (unsigned i = 0; i < 100; i++)
        log_sink_add(s, SPAN_LIT("12345\n"));
    assert_true(log_sink_dropped(s) == 0);
    log_sink_add(s, SPAN_LIT("a line longer than the whole buffer\n"));
    assert_true(log_sink_dropped(s) == 1);
    log_sink_close(s);
    assert_int_equal(strlen(content(path)), 600);
}

static void rotation_follows_the_path(void **state)
{
    (void)state;
    (void)unlink(path);
    struct log_sink *s = log_sink_open(path, 1000);
    log_sink_add(s, SPAN_LIT("old\n"));
    assert_int_equal(rename(path, moved), 0);
    assert_int_equal(log_sink_reopen(s), 0);
    log_sink_add(s, SPAN_LIT("new\n"));
    log_sink_close(s);
    assert_string_equal(content(moved), "old\n");
    assert_string_equal(content(path), "new\n");
}

static void a_full_pipe_never_blocks_and_loses_whole_lines_only(void **state)
{
    (void)state;
    int ends[2];
    static char text[1 << 20];
    assert_int_equal(pipe(ends), 0);
    struct log_sink *s = log_sink_open_fd(ends[1], 64 * 1024);
    char line[100];
    for (unsigned i = 0; i < 4000; i++) {
        (void)snprintf(line, sizeof(line), "%098u\n", i);
        log_sink_add(s, span_text(line));
    }
    uint64_t dropped = log_sink_dropped(s);
    assert_true(dropped > 0);
    size_t len = 0;
    do
        len += (size_t)read(ends[0], text + len, sizeof(text) - len);
    while (log_sink_flush(s) > 0);
    log_sink_close(s);
    assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0); /* as it was */
    (void)close(ends[1]);
    for (ssize_t got; (got = read(ends[0], text + len, sizeof(text) - len)) > 0;)
        len += (size_t)got;
    (void)close(ends[0]);
    assert_int_equal(len, (4000 - dropped) * 99);
    for (size_t i = 0; i < len; i += 99)
        assert_int_equal(text[i + 98], '\n');
}

static void a_terminal_that_was_stopped_does_not_block(void **state)
{
    (void)state;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
        skip();
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(terminal >= 0);
    struct log_sink *s = log_sink_open_fd(terminal, 1000);
    log_sink_add(s, SPAN_LIT("one\n"));
    assert_int_equal(tcflow(terminal, TCOOFF), 0);
    assert_int_equal(log_sink_flush(s), 4);
    assert_int_equal(tcflow(terminal, TCOON), 0);
    assert_int_equal(log_sink_flush(s), 0);
    log_sink_close(s);
    (void)close(terminal);
    (void)close(master);
}

static void a_descriptor_that_fails_drops_and_counts(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (full < 0)
        skip();
    struct log_sink *s = log_sink_open_fd(full, 1000);
    log_sink_add(s, SPAN_LIT("one\n"));
    log_sink_add(s, SPAN_LIT("two\n"));
    assert_int_equal(log_sink_flush(s), 0);
    assert_true(log_sink_dropped(s) == 2);
    log_sink_close(s);
    (void)close(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_that_cannot_be_opened_says_why),
        cmocka_unit_test(nothing_is_written_before_a_flush_and_then_all),
        cmocka_unit_test(a_file_takes_more_than_the_buffer),
        cmocka_unit_test(rotation_follows_the_path),
        cmocka_unit_test(a_full_pipe_never_blocks_and_loses_whole_lines_only),
        cmocka_unit_test(a_terminal_that_was_stopped_does_not_block),
        cmocka_unit_test(a_descriptor_that_fails_drops_and_counts),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
