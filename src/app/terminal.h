/* terminal.h: what people see: errors in one shape, styles where they are welcome, a question that
 * shows no answer. */
#ifndef SLUICE_APP_TERMINAL_H
#define SLUICE_APP_TERMINAL_H

#include "sluice/base/buf.h"

#include <stdio.h>

enum style { STYLE_BOLD, STYLE_DIM, STYLE_RED, STYLE_GREEN, STYLE_YELLOW, STYLE_NONE };

/* The sequence that begins a style on this stream, "" unless it is a terminal and NO_COLOR
 * (no-color.org) is not set. STYLE_NONE ends all of them. */
const char *terminal_style(FILE *to, enum style style);

/* "sluice: …" on stderr, with a newline. */
void terminal_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* All of `text` to the stream, at once; what a terminal would obey (escape sequences in a model's
 * answer, say) is left out when it is one. */
void terminal_write(FILE *to, struct span text);

/* One line from the terminal without showing it; the answer without its newline. False when there is
 * no terminal or the input ended. The answer is a secret: the caller zeroises it. */
bool terminal_ask_secret(const char *question, char *out, size_t size);

/* Everything written so far reached stdout: EXIT_OK, else EXIT_FAILED and a word on stderr. */
int terminal_finish(void);

#endif
