#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

size_t wire_raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        die("getrlimit: %s", strerror(errno));
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return (size_t)limit.rlim_cur;
}

struct sockaddr_in wire_address(const char *text)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    char host[64];
    unsigned port = 0;
    if (sscanf(text, "%63[0-9.]:%u", host, &port) != 2 || port == 0 || port > 65535 ||
        inet_pton(AF_INET, host, &at.sin_addr) != 1)
        die("%s: not an address such as 127.0.0.1:4000", text);
    at.sin_port = htons((uint16_t)port);
    return at;
}

int wire_listen(const struct sockaddr_in *at)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, (const struct sockaddr *)at, sizeof(*at)) != 0 || listen(fd, 4096) != 0)
        die("listen on port %u: %s", ntohs(at->sin_port), strerror(errno));
    return fd;
}

int wire_dial(const struct sockaddr_in *to, unsigned source)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (source > 0) {
        /* IP_BIND_ADDRESS_NO_PORT: choose the port at connect, so that it need only be unique per
         * destination. */
        struct sockaddr_in from = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK + source)};
        int on = 1;
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
        if (bind(fd, (struct sockaddr *)&from, sizeof(from)) != 0)
            goto failed;
    }
    if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) != 0 && errno != EINPROGRESS)
        goto failed;
    return fd;
failed:
    close(fd);
    return -1;
}

static struct ssl_ctx_st *tls_context(const SSL_METHOD *method)
{
    struct ssl_ctx_st *tls = SSL_CTX_new(method);
    if (tls == NULL)
        die("TLS: no memory");
    /* Thousands of streams are held open: give record buffers back between records. */
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return tls;
}

struct ssl_ctx_st *wire_server_tls(const char *cert, const char *key)
{
    struct ssl_ctx_st *tls = tls_context(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(tls, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
        die("TLS: cannot use %s with %s", cert, key);
    return tls;
}

struct ssl_ctx_st *wire_client_tls(void)
{
    return tls_context(TLS_client_method());
}

void wire_open(struct wire *w, int fd, struct ssl_ctx_st *tls, bool is_server)
{
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    *w = (struct wire){.fd = fd};
    if (tls == NULL)
        return;
    w->tls = SSL_new(tls);
    if (w->tls == NULL || SSL_set_fd(w->tls, fd) != 1)
        die("TLS: no memory");
    if (is_server)
        SSL_set_accept_state(w->tls);
    else
        SSL_set_connect_state(w->tls);
}

static ssize_t plain_result(ssize_t n)
{
    if (n > 0)
        return n;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return WIRE_AGAIN;
    return WIRE_CLOSED;
}

static ssize_t tls_result(struct wire *w, int n)
{
    if (n > 0)
        return n;
    int why = SSL_get_error(w->tls, n);
    /* A record that must be written before one can be read waits for the next readable event; the
     * socket buffers of these tests never stay full over a handshake. */
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        return WIRE_AGAIN;
    ERR_clear_error();
    return WIRE_CLOSED;
}

ssize_t wire_read(struct wire *w, void *into, size_t len)
{
    if (w->tls == NULL)
        return plain_result(recv(w->fd, into, len, 0));
    return tls_result(w, SSL_read(w->tls, into, (int)len));
}

ssize_t wire_write(struct wire *w, const void *from, size_t len)
{
    if (w->tls == NULL)
        return plain_result(send(w->fd, from, len, MSG_NOSIGNAL));
    return tls_result(w, SSL_write(w->tls, from, (int)len));
}

bool wire_wants_write(const struct wire *w)
{
    return w->tls == NULL || SSL_want(w->tls) != SSL_READING;
}

void wire_close(struct wire *w)
{
    if (w->tls != NULL)
        SSL_free(w->tls);
    if (w->fd >= 0)
        close(w->fd);
    *w = (struct wire){.fd = -1};
}

void wire_reset(struct wire *w)
{
    struct linger none = {.l_onoff = 1, .l_linger = 0};
    setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
    wire_close(w);
}
