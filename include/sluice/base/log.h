/* log.h: what happened, for the operator.
 *
 * One line and a counter per *change* of a condition, not per occurrence. `key=value` text after
 * the message. Two shapes: JSON lines, or readable lines for a terminal. Secrets are a type this
 * file has no formatter for.
 *
 * Lines are collected in a bounded ring and written by log_flush, which the loop calls once a
 * turn; a full ring drops the line and counts it. Before the loop runs (and in the command line
 * verbs) `log_open` with `direct` writes at once. */
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H

#include "sluice/base/span.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* The process has one log (stderr). `fd` is borrowed. */
void log_open(int fd, enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);

/* `event` is a short fixed phrase ("store lost"); `format` gives key=value pairs, may be "". */
void log_line(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
#define log_debug(...) (log_enabled(LOG_DEBUG) ? log_line(LOG_DEBUG, __VA_ARGS__) : (void)0)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

/* A log file or stream for records that are formatted elsewhere (the access log). Appends whole
 * lines to a bounded buffer (dropping and counting when it is full) that log_sink_flush writes
 * without ever blocking the loop for longer than a pipe that is full: the descriptor is put into
 * non-blocking mode when it is a pipe or a socket, and what it does not take stays buffered. */
struct log_sink;
struct log_sink *log_sink_open(const char *path_or_dash, size_t bytes_max); /* "-" = stdout */
void log_sink_close(struct log_sink *s);                                    /* flushes */
void log_sink_add(struct log_sink *s, struct span line); /* newline included by the caller */
/* Contiguous room for `most` bytes at the tail, or NULL when full (counted); then log_sink_commit. */
uint8_t *log_sink_room(struct log_sink *s, size_t most);
void log_sink_commit(struct log_sink *s, size_t used);
/* Writes what is there; returns bytes still waiting (the loop asks again later). */
size_t log_sink_flush(struct log_sink *s);
uint64_t log_sink_dropped(const struct log_sink *s);
/* Reopens a file by its path (log rotation); a no-op for stdout. 0 or -errno. */
int log_sink_reopen(struct log_sink *s);

#endif
