#include "sluice/base/log.h"

#include "sluice/base/buf.h"
#include "sluice/base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define WAITING_MAX (64 * 1024)
#define FIELDS_MAX 4096

static struct {
    struct log_sink *sink; /* opened by the first line */
    int fd;
    enum log_level level;
    enum log_format format;
    uint64_t told; /* dropped lines the log has already owned up to */
} the_log = {.fd = STDERR_FILENO, .level = LOG_INFO, .format = LOG_FORMAT_TEXT};

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"};

void log_open(int fd, enum log_level level, enum log_format format)
{
    if (fd != the_log.fd)
        log_close();
    the_log.fd = fd;
    the_log.level = level;
    the_log.format = format;
}

void log_close(void)
{
    log_sink_close(the_log.sink);
    the_log.sink = NULL;
    the_log.told = 0;
}

bool log_enabled(enum log_level level)
{
    return level >= the_log.level;
}

size_t log_flush(void)
{
    return the_log.sink == NULL ? 0 : log_sink_flush(the_log.sink);
}

/* --- one line -------------------------------------------------------------------------------- */

static int add_time(struct buf *out)
{
    struct timeval now;
    struct tm utc;
    (void)gettimeofday(&now, NULL);
    (void)gmtime_r(&now.tv_sec, &utc);
    return buf_addf(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900, utc.tm_mon + 1,
                    utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, (int)(now.tv_usec / 1000));
}

/* C0, DEL and C1 controls, the last as UTF-8 writes them: all of them can drive a terminal. */
static bool is_control(struct span sequence)
{
    uint8_t c = sequence.at[0];
    return c < 0x20 || c == 0x7f || (c == 0xc2 && sequence.at[1] < 0xa0);
}

/* Printable text as it is, everything else as \xNN. */
static int add_visible(struct buf *out, struct span s)
{
    int rc = 0;
    while (rc == 0 && s.len > 0) {
        int n = utf8_sequence(s);
        size_t len = (size_t)(n > 0 ? n : -n);
        if (n > 0 && !is_control(s))
            rc = buf_add(out, span_of(s.at, len));
        else
            for (size_t i = 0; rc == 0 && i < len; i++)
                rc = buf_addf(out, "\\x%02x", s.at[i]);
        s = span_skip(s, len);
    }
    return rc;
}

static int add_text_line(struct buf *out, enum log_level level, const char *event,
                         struct span fields)
{
    int rc = add_time(out);
    if (rc == 0)
        rc = buf_addf(out, " %-5s ", level_names[level]);
    if (rc == 0)
        rc = add_visible(out, span_text(event));
    if (rc == 0 && fields.len > 0)
        rc = buf_add_text(out, "  ");
    return rc < 0 ? rc : add_visible(out, fields);
}

static bool is_key_byte(uint8_t c, bool first)
{
    bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
    return letter || (!first && ((c >= '0' && c <= '9') || c == '_'));
}

/* Length of the word and '=' that `s` starts with, or 0. */
static size_t key_length(struct span s)
{
    size_t n = 0;
    while (n < s.len && is_key_byte(s.at[n], n == 0))
        n++;
    return n > 0 && n < s.len && s.at[n] == '=' ? n + 1 : 0;
}

/* Cuts the value off `*rest`: up to the closing quote when it has one, else up to the blank before
 * the next key. */
static struct span cut_value(struct span *rest)
{
    struct span s = *rest;
    bool quoted = s.len > 0 && s.at[0] == '"';
    for (size_t i = quoted; i < s.len; i++) {
        struct span after = span_skip(s, i + 1);
        if (quoted ? s.at[i] == '"' && (after.len == 0 || after.at[0] == ' ')
                   : s.at[i] == ' ' && key_length(after) > 0) {
            *rest = quoted ? span_skip(after, 1) : after;
            return span_sub(s, quoted, i - quoted);
        }
    }
    *rest = SPAN_NONE;
    return s;
}

static int add_member(struct buf *out, struct span key, struct span value)
{
    int rc = buf_addf(out, ",\"%.*s\":\"", SPAN_FMT(key));
    if (rc == 0)
        rc = buf_add_json(out, value);
    return rc < 0 ? rc : buf_add_byte(out, '"');
}

static int add_json_line(struct buf *out, enum log_level level, const char *event,
                         struct span fields)
{
    int rc = buf_add_text(out, "{\"ts\":\"");
    if (rc == 0)
        rc = add_time(out);
    if (rc == 0)
        rc = buf_addf(out, "\",\"level\":\"%s\"", level_names[level]);
    if (rc == 0)
        rc = add_member(out, SPAN_LIT("msg"), span_text(event));
    while (rc == 0 && fields.len > 0) {
        size_t key = key_length(fields);
        struct span name = key > 0 ? span_sub(fields, 0, key - 1) : SPAN_LIT("detail");
        fields = span_skip(fields, key);
        struct span value = cut_value(&fields);
        rc = add_member(out, name, value);
    }
    return rc < 0 ? rc : buf_add_byte(out, '}');
}

static void put_line(enum log_level level, const char *event, struct span fields)
{
    struct buf line = {0};
    int rc = the_log.format == LOG_FORMAT_JSON ? add_json_line(&line, level, event, fields)
                                               : add_text_line(&line, level, event, fields);
    if (rc == 0)
        rc = buf_add_byte(&line, '\n');
    if (rc == 0)
        log_sink_add(the_log.sink, buf_span(&line));
    buf_fini(&line);
}

/* Lines that were dropped are told about as soon as there is room again. */
static void own_up(void)
{
    uint64_t missing = log_sink_dropped(the_log.sink) - the_log.told;
    if (missing == 0 || log_sink_flush(the_log.sink) > 0)
        return;
    char text[32];
    int len = snprintf(text, sizeof(text), "lines=%llu", (unsigned long long)missing);
    the_log.told += missing;
    put_line(LOG_WARN, "log lines dropped", span_of(text, (size_t)len));
}

void log_line(enum log_level level, const char *event, const char *format, ...)
{
    if (!log_enabled(level))
        return;
    if (the_log.sink == NULL)
        the_log.sink = log_sink_open_fd(the_log.fd, WAITING_MAX);
    if (the_log.sink == NULL)
        return; /* out of memory: there is nowhere left to say so */
    char fields[FIELDS_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(fields, sizeof(fields), format, args);
    va_end(args);
    if (len < 0)
        len = 0;
    if ((size_t)len >= sizeof(fields))
        len = sizeof(fields) - 1;
    own_up();
    put_line(level, event, span_of(fields, (size_t)len));
    (void)log_sink_flush(the_log.sink);
}
