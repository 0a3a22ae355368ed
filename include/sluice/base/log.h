/* log.h: what happened, for the operator.
 *
 * One line and a counter per *change* of a condition, not per occurrence. `key=value` text after
 * the message. Two shapes: JSON lines, or readable lines for a terminal. Secrets are a type this
 * file has no formatter for.
 *
 * A line is written at once, by one write. What a full pipe does not take waits in a bounded
 * buffer for the next line or log_flush; when that is full too, the line is dropped and counted,
 * and the next one that gets through says how many are missing. */
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H

#include "sluice/base/span.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* The process has one log (stderr, LOG_INFO, text until this is called). `fd` is borrowed; called
 * again, it changes all three. */
void log_open(int fd, enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);
/* Tries again what is still waiting; returns bytes left. log_close does so a last time, gives back
 * the memory and restores the descriptor's mode. */
size_t log_flush(void);
void log_close(void);

/* `event` is a short fixed phrase ("store lost"); `format` gives key=value pairs, may be "". A value
 * that may hold blanks or comes from outside is put in double quotes ("peer=\"%s\""). Control bytes
 * and malformed UTF-8 are escaped, so no value can start a line of its own. At most 4 KB are kept. */
void log_line(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define log_debug(...) (log_enabled(LOG_DEBUG) ? log_line(LOG_DEBUG, __VA_ARGS__) : (void)0)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

/* A log file or stream for records that are formatted elsewhere (the access log). Whole lines go
 * to a bounded buffer (when it is full: one flush, else the line is dropped and counted). A pipe or
 * a socket is put into non-blocking mode until log_sink_close, and a terminal is asked first, so a
 * reader that stalls never stalls the loop: what it does not take stays buffered. Opening fails with NULL and errno. */
struct log_sink;
struct log_sink *log_sink_open(const char *path_or_dash, size_t bytes_max); /* "-" = stdout */
struct log_sink *log_sink_open_fd(int fd, size_t bytes_max);                /* borrows fd */
void log_sink_close(struct log_sink *s);                                    /* flushes */
void log_sink_add(struct log_sink *s, struct span line); /* newline included by the caller */
/* Contiguous room for `most` bytes at the tail, or NULL when full (counted); then log_sink_commit. */
uint8_t *log_sink_room(struct log_sink *s, size_t most);
void log_sink_commit(struct log_sink *s, size_t used);
/* Writes what is there with one write; returns bytes still waiting (the loop asks again later). A
 * write that fails for another reason than a full pipe (ENOSPC, EPIPE) drops and counts the lines;
 * SIGPIPE is the process's to ignore. */
size_t log_sink_flush(struct log_sink *s);
uint64_t log_sink_dropped(const struct log_sink *s);
/* Reopens a file by its path (log rotation); a no-op for stdout. 0 or -errno. */
int log_sink_reopen(struct log_sink *s);

#endif
