/* retry_after.h: how long a server's answer asks to wait: Retry-After in either of its forms (RFC 9110
 * §10.2.3), or the field of milliseconds beside it that OpenAI's and Anthropic's clients know. */
#ifndef SLUICE_HTTP_RETRY_AFTER_H
#define SLUICE_HTTP_RETRY_AFTER_H

#include "sluice/http/head.h"

/* Milliseconds; 0: it does not say, says what nobody can read, or says now. A date is held against the
 * server's own clock where it tells it (Date), else against ours. */
unsigned retry_after_read(const struct http_head *head, uint64_t now_unix_ms);

#endif
