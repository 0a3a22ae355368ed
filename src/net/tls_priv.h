/* tls_priv.h: what tls.c (connections) and tls_context.c (certificates, trust, sessions) share. */
#ifndef SLUICE_NET_TLS_PRIV_H
#define SLUICE_NET_TLS_PRIV_H

/* What has no public way in mbedTLS 3.6: which alert the peer sent, that a ticket waits to be
 * looked at, and giving memory back after the handshake (the peer's certificate, pages of the
 * buffers). */
#define MBEDTLS_ALLOW_PRIVATE_ACCESS

#include "sluice/net/tls.h"

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/x509_crt.h>

struct tls_session;

struct tls_context {
    unsigned refs;
    bool is_server;
    bool verifies;
    bool trusts_system; /* its chain is read on first use */
    mbedtls_ssl_config conf;
    mbedtls_x509_crt chain; /* a server's certificates, or a client's ca_file */
    mbedtls_pk_context key;
    mbedtls_ssl_ticket_context tickets;
    struct tls_session *sessions; /* a client's, latest first */
    /* One output for all established connections: emptied after every call. */
    struct buf output;
};

struct tls {
    mbedtls_ssl_context ssl;
    struct tls_context *ctx;
    struct span fed;
    bool established;
    struct buf greeting; /* output of the handshake, which another thread may be computing */
    const char *problem;
    char *problem_text; /* of problems without a fixed phrase */
    char *server_name;  /* of a client */
};

/* The session kept for this name, or none: a full handshake follows. */
void tls_session_offer(struct tls *t);
void tls_session_keep(struct tls *t);

#endif
