/* bench/http.h: just enough HTTP/1.1 to read what a well-behaved peer sends.
 *
 * Trusting and fast: it reads our own tools and the gateways between them. The product's parser,
 * which trusts nobody, is another one. */
#ifndef BENCH_HTTP_H
#define BENCH_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct http_head {
    const char *line; /* the start line, in the caller's buffer */
    size_t line_len;
    unsigned status;       /* of a response; 0 in a request */
    int64_t length;        /* Content-Length, or -1 */
    bool chunked;          /* Transfer-Encoding: chunked */
    bool close;            /* Connection: close, or HTTP/1.0 without keep-alive */
    bool expects_continue; /* Expect: 100-continue */
};

/* Bytes of the head when it is complete, 0 when more must come, -1 when it is not one. */
ssize_t http_head_parse(const char *at, size_t len, struct http_head *head);

/* Where a body ends. Set up by http_body_start from a head, then fed. */
struct http_body {
    enum { BODY_LENGTH, BODY_CHUNKED, BODY_UNTIL_CLOSE } how;
    enum { CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER } at;
    uint64_t left;      /* bytes still to come, of the body or of this chunk */
    bool line_has_text; /* in the trailer: this line is not the empty one */
    bool done;
};

void http_body_start(struct http_body *body, const struct http_head *head, bool is_request);

/* Takes the next run of payload out of [*at, end) and moves *at past everything consumed. Returns
 * the run's length and sets *data; 0 when there is no more payload here (look at body->done);
 * -1 when the chunk framing is broken. Call it until it returns 0 or less. */
ssize_t http_body_next(struct http_body *body, const char **at, const char *end, const char **data);

#endif
