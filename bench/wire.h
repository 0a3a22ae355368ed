/* bench/wire.h: one non-blocking connection, plain or TLS, in three verbs.
 *
 * Shared by the scripted upstream and the load generator. TLS here is OpenSSL on purpose: the tools
 * must not share a library, and so a bug, with what they measure.
 *
 * Ownership  a wire owns its descriptor and its TLS state; wire_close gives both back.
 * Units      sizes in bytes, times in nanoseconds of CLOCK_MONOTONIC. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ssl_st;
struct ssl_ctx_st;

/* Answers of wire_read and wire_write besides a count of bytes (which is above 0). */
enum { WIRE_AGAIN = -1, WIRE_CLOSED = -2 };

struct wire {
    int fd;
    struct ssl_st *tls; /* NULL: plain */
};

uint64_t now_ns(void);

/* Ends the program with a message; the tools have nobody to report an error to. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Lifts the soft limit on descriptors to the hard one. Returns the limit. */
size_t wire_raise_limit(void);

/* "127.0.0.1:4000" → address; dies when it is not one. */
struct sockaddr_in wire_address(const char *text);

int wire_listen(const struct sockaddr_in *at); /* dies on failure */

/* A connection on its way, or -1 with errno. `source` 0: the kernel chooses; n: from 127.0.0.(n+1),
 * because one address has only some 28,000 ports. */
int wire_dial(const struct sockaddr_in *to, unsigned source);

struct ssl_ctx_st *wire_server_tls(const char *cert, const char *key);
struct ssl_ctx_st *wire_client_tls(void); /* does not verify: it is a load generator */

/* Takes the descriptor. `tls` NULL: plain. The handshake happens inside read and write. */
void wire_open(struct wire *w, int fd, struct ssl_ctx_st *tls, bool is_server);
ssize_t wire_read(struct wire *w, void *into, size_t len);
ssize_t wire_write(struct wire *w, const void *from, size_t len);

/* After WIRE_AGAIN from wire_write: whether to wait for EPOLLOUT. A TLS handshake waits for the
 * peer's bytes instead, and its socket stays writable all the while. */
bool wire_wants_write(const struct wire *w);

void wire_close(struct wire *w);
void wire_reset(struct wire *w); /* close by RST: leaves no TIME_WAIT behind */

#endif
