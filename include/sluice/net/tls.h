/* tls.h: the seam behind which the TLS library lives (mbedTLS 3.6 today). Bytes in, bytes out; no
 * sockets, no loop, and no type of the library's above this header.
 *
 * A context is shared by connections and counted; a `struct tls` is one connection. */
#ifndef SLUICE_NET_TLS_H
#define SLUICE_NET_TLS_H

#include "sluice/base/buf.h"
#include "sluice/base/err.h"

struct tls_context;
struct tls;

struct tls_server_config {
    const char *cert_file, *key_file; /* PEM; the chain in cert_file */
    bool tls13_min;
};
struct tls_client_config {
    const char
        *ca_file;  /* PEM; NULL: the system's bundle ($SSL_CERT_FILE, then the usual places) */
    bool insecure; /* do not verify */
};

/* NULL and *why (with the file's name) when files are missing, malformed or do not match. */
struct tls_context *tls_context_server(const struct tls_server_config *c, struct err *why);
struct tls_context *tls_context_client(const struct tls_client_config *c, struct err *why);
struct tls_context *tls_context_ref(struct tls_context *ctx);
void tls_context_unref(struct tls_context *ctx);

/* The system's certificates are read when they are first needed, and once for all contexts: that
 * costs ten milliseconds and half a megabyte. tls_context_load does it and may run on any thread;
 * tls_new does it when nobody has. Other contexts are always loaded. */
bool tls_context_is_loaded(const struct tls_context *ctx);
void tls_context_load(struct tls_context *ctx);

/* `server_name`: SNI and the name to verify (client contexts; a literal IP address is verified
 * against iPAddress names and not sent as SNI); NULL for servers. ALPN is http/1.1. Sessions
 * are resumed per context and name. NULL when memory is out. */
struct tls *tls_new(struct tls_context *ctx, const char *server_name);
void tls_free(struct tls *t);

enum tls_status {
    TLS_OK,
    TLS_WANT,   /* more bytes from the peer are needed */
    TLS_CLOSED, /* the peer said close_notify */
    TLS_FAILED, /* tls_problem says what; the connection is of no further use */
};

/* Bytes from the peer, borrowed: all of them are consumed once tls_handshake or tls_read says
 * TLS_WANT. */
void tls_feed(struct tls *t, struct span cipher);
bool tls_speaks_first(const struct tls *t); /* a client: its first tls_handshake needs no bytes */
enum tls_status tls_handshake(struct tls *t);
/* Once, after tls_handshake said TLS_OK and its output has been taken. */
void tls_established(struct tls *t);
/* Handshakes take milliseconds. When this is true, tls_feed and tls_handshake may be called on
 * another thread, while nobody else touches this connection. */
bool tls_is_thread_safe(void);
/* Decrypts up to `size` bytes; *n of them. Call until it says TLS_WANT. */
enum tls_status tls_read(struct tls *t, uint8_t *out, size_t size, size_t *n);
enum tls_status tls_write(struct tls *t, struct span plain);
void tls_close_notify(struct tls *t);
/* What has to go to the peer. Connections share it: the caller empties it after every call
 * above. */
struct buf *tls_output(struct tls *t);

/* A phrase for the operator and the client-side error ("certificate has expired"): no secrets. */
const char *tls_problem(const struct tls *t);
const char *tls_version(const struct tls *t); /* "TLSv1.3" */

#endif
