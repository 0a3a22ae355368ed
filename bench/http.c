#include "http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* `name` ends in its colon and is written in lower case. */
static const char *value_of(const char *line, size_t len, const char *name, size_t name_len)
{
    if (len < name_len || strncasecmp(line, name, name_len) != 0)
        return NULL;
    line += name_len;
    while (*line == ' ')
        line++;
    return line;
}

static void header_read(struct http_head *head, const char *line, size_t len)
{
    const char *value;
    switch (line[0] | 0x20) {
    case 'c':
        if ((value = value_of(line, len, "content-length:", 15)) != NULL)
            head->length = strtoll(value, NULL, 10);
        else if ((value = value_of(line, len, "connection:", 11)) != NULL)
            head->close = strncasecmp(value, "close", 5) == 0;
        return;
    case 't':
        if ((value = value_of(line, len, "transfer-encoding:", 18)) != NULL)
            head->chunked = strncasecmp(value, "chunked", 7) == 0;
        return;
    case 'e':
        if (value_of(line, len, "expect:", 7) != NULL)
            head->expects_continue = true;
        return;
    }
}

ssize_t http_head_parse(const char *at, size_t len, struct http_head *head)
{
    const char *end = memmem(at, len, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    const char *line_end = memchr(at, '\r', len);
    *head = (struct http_head){.line = at, .line_len = (size_t)(line_end - at), .length = -1};
    if (head->line_len < 12)
        return -1;
    if (memcmp(at, "HTTP/1.", 7) == 0) {
        head->status = (unsigned)strtoul(at + 9, NULL, 10);
        head->close = at[7] == '0';
    }
    while (line_end < end) {
        const char *line = line_end + 2;
        line_end = memchr(line, '\r', (size_t)(end + 4 - line));
        header_read(head, line, (size_t)(line_end - line));
    }
    return end + 4 - at;
}

void http_body_start(struct http_body *body, const struct http_head *head, bool is_request)
{
    *body = (struct http_body){.how = BODY_LENGTH};
    if (head->chunked) {
        body->how = BODY_CHUNKED;
    } else if (head->length >= 0) {
        body->left = (uint64_t)head->length;
    } else if (!is_request && head->status != 204) {
        body->how = BODY_UNTIL_CLOSE;
        return;
    }
    body->done = body->how == BODY_LENGTH && body->left == 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static ssize_t take(struct http_body *body, const char **at, const char *end, const char **data)
{
    size_t n = (size_t)(end - *at);
    if (n > body->left)
        n = (size_t)body->left;
    *data = *at;
    *at += n;
    body->left -= n;
    return (ssize_t)n;
}

/* One byte of framing. False when it cannot be one. */
static bool framing_byte(struct http_body *body, char c)
{
    switch (body->at) {
    case CHUNK_SIZE: {
        int digit = hex_digit(c);
        if (digit >= 0)
            body->left = body->left * 16 + (unsigned)digit;
        else
            body->at = CHUNK_EXTENSION;
        return digit >= 0 || c == '\r' || c == ';' || c == ' ';
    }
    case CHUNK_EXTENSION:
        if (c == '\n')
            body->at = body->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
        return true;
    case CHUNK_DATA:
        return true; /* not framing */
    case CHUNK_DATA_END:
        if (c == '\n')
            body->at = CHUNK_SIZE;
        return c == '\r' || c == '\n';
    case CHUNK_TRAILER:
        if (c == '\n') {
            body->done = !body->line_has_text;
            body->line_has_text = false;
        } else if (c != '\r') {
            body->line_has_text = true;
        }
        return true;
    }
    return false;
}

ssize_t http_body_next(struct http_body *body, const char **at, const char *end, const char **data)
{
    if (body->how == BODY_UNTIL_CLOSE) {
        *data = *at;
        *at = end;
        return end - *data;
    }
    if (body->how == BODY_LENGTH) {
        ssize_t n = take(body, at, end, data);
        body->done = body->left == 0;
        return n;
    }
    while (*at < end && !body->done) {
        if (body->at == CHUNK_DATA) {
            ssize_t n = take(body, at, end, data);
            if (body->left == 0)
                body->at = CHUNK_DATA_END;
            return n;
        }
        if (!framing_byte(body, *(*at)++))
            return -1;
    }
    return 0;
}
