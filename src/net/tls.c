/* One TLS connection over mbedTLS.
 *
 *   tls_feed: a borrowed span ──> on_recv ──> mbedTLS ──> on_send ──> tls_output
 *
 * Nothing is copied on the way in but by the library itself, and an idle connection holds only what
 * the library holds: two record buffers of 16 KiB, of which the kernel backs the pages in use. */
#include "sluice/net/tls.h"

#include "tls_priv.h"

#include "sluice/base/arena.h"

#include <arpa/inet.h>
#include <mbedtls/error.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* ── bytes ───────────────────────────────────────────────────────────────────────────────────── */

static int on_send(void *arg, const unsigned char *bytes, size_t len)
{
    struct tls *t = arg;
    if (buf_add(tls_output(t), span_of(bytes, len)) < 0)
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    return (int)len;
}

static int on_recv(void *arg, unsigned char *into, size_t room)
{
    struct tls *t = arg;
    struct span part = span_sub(t->fed, 0, room);
    if (part.len == 0)
        return MBEDTLS_ERR_SSL_WANT_READ;
    memcpy(into, part.at, part.len);
    t->fed = span_skip(t->fed, part.len);
    return (int)part.len;
}

void tls_feed(struct tls *t, struct span cipher)
{
    t->fed = cipher;
}

struct buf *tls_output(struct tls *t)
{
    return t->established ? &t->ctx->output : &t->greeting;
}

#define PROBLEM_BYTES 160
#define RECORD_HEAD_BYTES 64 /* counter, header, IV */

/* ── what went wrong ─────────────────────────────────────────────────────────────────────────── */

/* The worst first: several flags are often set at once. */
static const char *verify_problem(uint32_t flags)
{
    if (flags & MBEDTLS_X509_BADCERT_EXPIRED)
        return "certificate has expired";
    if (flags & MBEDTLS_X509_BADCERT_FUTURE)
        return "certificate is not valid yet";
    if (flags & MBEDTLS_X509_BADCERT_REVOKED)
        return "certificate was revoked";
    if (flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED)
        return "certificate is not signed by a trusted authority";
    if (flags & MBEDTLS_X509_BADCERT_CN_MISMATCH)
        return "certificate is for another host name";
    if (flags &
        (MBEDTLS_X509_BADCERT_BAD_MD | MBEDTLS_X509_BADCERT_BAD_PK | MBEDTLS_X509_BADCERT_BAD_KEY))
        return "certificate is signed with a weak algorithm or key";
    if (flags & MBEDTLS_X509_BADCERT_MISSING)
        return "the peer sent no certificate";
    if (flags & (MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE |
                 MBEDTLS_X509_BADCERT_NS_CERT_TYPE))
        return "certificate is not meant for this use";
    return "certificate could not be verified";
}

/* RFC 8446 §6.2, those an operator can do something about. */
static const char *alert_problem(const struct tls *t)
{
    if (t->ssl.in_msg == NULL)
        return "the peer refused the connection";
    switch (t->ssl.in_msg[1]) {
    case MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE:
        return "the peer refused: no common TLS parameters";
    case MBEDTLS_SSL_ALERT_MSG_BAD_CERT:
        return "the peer refused: bad certificate";
    case MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED:
        return "the peer refused: certificate expired";
    case MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN:
        return "the peer refused: certificate unknown";
    case MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA:
        return "the peer refused: unknown certificate authority";
    case MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION:
        return "the peer refused: no common TLS version";
    case MBEDTLS_SSL_ALERT_MSG_UNRECOGNIZED_NAME:
        return "the peer refused: unknown server name";
    case MBEDTLS_SSL_ALERT_MSG_NO_APPLICATION_PROTOCOL:
        return "the peer refused: it does not speak http/1.1";
    case 116: /* certificate_required; the library has no name for it */
        return "the peer refused: it wants a client certificate";
    default:
        return "the peer refused with a TLS alert";
    }
}

static enum tls_status fail(struct tls *t, int rc)
{
    switch (rc) {
    case MBEDTLS_ERR_X509_CERT_VERIFY_FAILED:
        t->problem = verify_problem(mbedtls_ssl_get_verify_result(&t->ssl));
        break;
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        t->problem = alert_problem(t);
        break;
    case MBEDTLS_ERR_SSL_INVALID_RECORD:
        t->problem = "the peer does not speak TLS";
        break;
    case MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION:
        t->problem = "no common TLS version";
        break;
    case MBEDTLS_ERR_SSL_ALLOC_FAILED:
        t->problem = "out of memory";
        break;
    default:
        free(t->problem_text);
        t->problem_text = xcalloc(1, PROBLEM_BYTES);
        mbedtls_strerror(rc, t->problem_text, PROBLEM_BYTES);
        t->problem = t->problem_text;
    }
    return TLS_FAILED;
}

const char *tls_problem(const struct tls *t)
{
    return t->problem == NULL ? "" : t->problem;
}

/* ── one connection ──────────────────────────────────────────────────────────────────────────── */

static int parse_ip(const char *name, uint8_t out[16])
{
    if (inet_pton(AF_INET, name, out) == 1)
        return 4;
    return inet_pton(AF_INET6, name, out) == 1 ? 16 : 0;
}

/* For a literal address the library is given no name (RFC 6066 §3: SNI carries host names only), so
 * the iPAddress entries (RFC 5280 §4.2.1.6) are compared here. */
static int on_verify_ip(void *arg, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
    const struct tls *t = arg;
    uint8_t ip[16];
    size_t len = (size_t)parse_ip(t->server_name, ip);
    if (depth != 0)
        return 0;
    for (const mbedtls_x509_sequence *san = &crt->subject_alt_names; san != NULL; san = san->next)
        if ((san->buf.tag & MBEDTLS_ASN1_TAG_VALUE_MASK) == MBEDTLS_X509_SAN_IP_ADDRESS &&
            san->buf.len == len && memcmp(san->buf.p, ip, len) == 0)
            return 0;
    *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
    return 0;
}

static int name_peer(struct tls *t, const char *name)
{
    uint8_t ip[16];
    t->server_name = xstrdup(name);
    if (parse_ip(name, ip) == 0)
        return mbedtls_ssl_set_hostname(&t->ssl, name);
    if (t->ctx->verifies)
        mbedtls_ssl_set_verify(&t->ssl, on_verify_ip, t);
    return mbedtls_ssl_set_hostname(&t->ssl, NULL);
}

struct tls *tls_new(struct tls_context *ctx, const char *server_name)
{
    struct tls *t = xcalloc(1, sizeof *t);
    tls_context_load(ctx);
    t->ctx = tls_context_ref(ctx);
    mbedtls_ssl_init(&t->ssl);
    if (mbedtls_ssl_setup(&t->ssl, &ctx->conf) != 0)
        goto fail;
    if (!ctx->is_server) {
        if (name_peer(t, server_name == NULL ? "" : server_name) != 0)
            goto fail;
        tls_session_offer(t);
    }
    mbedtls_ssl_set_bio(&t->ssl, t, on_send, on_recv, NULL);
    return t;
fail:
    tls_free(t);
    return NULL;
}

void tls_free(struct tls *t)
{
    if (t == NULL)
        return;
    mbedtls_ssl_free(&t->ssl);
    tls_context_unref(t->ctx);
    buf_fini(&t->greeting);
    free(t->problem_text);
    free(t->server_name);
    free(t);
}

/* The verified chain is of no further use, and takes ten kilobytes a connection. */
static void drop_peer_certificate(struct tls *t)
{
#if defined(MBEDTLS_SSL_KEEP_PEER_CERTIFICATE)
    mbedtls_ssl_session *s = t->ssl.session;
    if (s == NULL || s->peer_cert == NULL)
        return;
    mbedtls_x509_crt_free(s->peer_cert);
    free(s->peer_cert);
    s->peer_cert = NULL;
#else
    (void)t;
#endif
}

/* Gives the whole pages inside an empty buffer back to the kernel; they read as zeroes again. Its
 * beginning stays in any case: there the library keeps a record counter. */
static void release_pages(uintptr_t buffer, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (buffer + RECORD_HEAD_BYTES + page - 1) & ~(page - 1);
    uintptr_t to = (buffer + size) & ~(page - 1);
    if (from < to)
        (void)madvise((void *)from, to - from, MADV_DONTNEED); /* refused: nothing is lost */
}

/* The two record buffers were cleared, and so backed by the kernel, as a whole: 33 KB. A connection
 * that carries a chat uses the first page of each, and 12 KB of each come back here. */
static void thin_out(struct tls *t)
{
    if (t->ssl.in_left == 0 && t->ssl.in_offt == NULL)
        release_pages((uintptr_t)t->ssl.in_buf, MBEDTLS_SSL_IN_CONTENT_LEN);
    if (t->ssl.out_left == 0)
        release_pages((uintptr_t)t->ssl.out_buf, MBEDTLS_SSL_OUT_CONTENT_LEN);
}

bool tls_is_thread_safe(void)
{
#if defined(MBEDTLS_THREADING_C)
    return true;
#else
    return false;
#endif
}

bool tls_speaks_first(const struct tls *t)
{
    return !t->ctx->is_server;
}

enum tls_status tls_handshake(struct tls *t)
{
    int rc = mbedtls_ssl_handshake(&t->ssl);
    switch (rc) {
    case 0:
        return TLS_OK;
    case MBEDTLS_ERR_SSL_WANT_READ:
        return TLS_WANT;
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
        return TLS_CLOSED;
    default:
        return fail(t, rc);
    }
}

void tls_established(struct tls *t)
{
    t->established = true;
    buf_fini(&t->greeting);
    drop_peer_certificate(t);
    thin_out(t);
    /* TLS 1.2 has its ticket now; that of 1.3 comes later, among the data. */
    if (!t->ctx->is_server && mbedtls_ssl_get_version_number(&t->ssl) == MBEDTLS_SSL_VERSION_TLS1_2)
        tls_session_keep(t);
}

enum tls_status tls_read(struct tls *t, uint8_t *out, size_t size, size_t *n)
{
    bool asked_again = false;
    *n = 0;
    for (;;) {
        int rc = mbedtls_ssl_read(&t->ssl, out, size);
        if (rc > 0) {
            *n = (size_t)rc;
            return TLS_OK;
        }
        switch (rc) {
        case MBEDTLS_ERR_SSL_WANT_READ:
            /* Also said of a ticket that is here and will be looked at by the next call. Left
             * lying, it would fail the next write. */
            if (asked_again || t->ssl.state == MBEDTLS_SSL_HANDSHAKE_OVER)
                return TLS_WANT;
            asked_again = true;
            continue;
        case MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET:
            tls_session_keep(t);
            asked_again = false;
            continue;
        case 0:
        case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
            return TLS_CLOSED;
        default:
            return fail(t, rc);
        }
    }
}

enum tls_status tls_write(struct tls *t, struct span plain)
{
    while (plain.len > 0) {
        int rc = mbedtls_ssl_write(&t->ssl, plain.at, plain.len);
        if (rc < 0)
            return fail(t, rc);
        plain = span_skip(plain, (size_t)rc); /* one record at most */
    }
    return TLS_OK;
}

void tls_close_notify(struct tls *t)
{
    (void)mbedtls_ssl_close_notify(&t->ssl); /* the peer will see the end of file in any case */
}

const char *tls_version(const struct tls *t)
{
    return mbedtls_ssl_get_version(&t->ssl);
}
