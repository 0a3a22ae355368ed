/* Listening sockets: TCP, unix, and those systemd opened for us. */
#include "address.h"

#include "sluice/base/arena.h"
#include "sluice/base/span.h"
#include "sluice/net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096 /* the kernel lowers it to net.core.somaxconn */
#define ACTIVATED_FIRST_FD 3

static int say(struct err *why, const char *address, int error)
{
    const char *advice = "";
    switch (error) {
    case EADDRINUSE:
        advice = " (another process has it: stop that, or choose another address)";
        break;
    case EADDRNOTAVAIL:
        advice = " (no interface of this machine has this address)";
        break;
    case EACCES:
        advice = " (ports below 1024 need CAP_NET_BIND_SERVICE; socket files a writable directory)";
        break;
    case ENOENT:
        advice = " (the directory does not exist)";
        break;
    default:
        break;
    }
    err_set(why, "cannot listen on %s: %s%s", address, strerror(error), advice);
    return -1;
}

/* ── TCP ─────────────────────────────────────────────────────────────────────────────────────── */

static bool split(const char *address, char host[256], const char **port)
{
    const char *colon = strrchr(address, ':');
    size_t len;
    if (colon == NULL || colon[1] == '\0')
        return false;
    *port = colon + 1;
    len = (size_t)(colon - address);
    if (len >= 2 && address[0] == '[' && colon[-1] == ']') {
        address++;
        len -= 2;
    } else if (memchr(address, ':', len) != NULL) {
        return false; /* an IPv6 address needs its brackets */
    }
    if (len >= 256)
        return false;
    memcpy(host, address, len);
    host[len] = '\0';
    return true;
}

static void describe_tcp(int fd, struct bound *out)
{
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof at;
    char host[INET6_ADDRSTRLEN] = "";
    getsockname(fd, (struct sockaddr *)&at, &size);
    out->family = at.ss_family;
    if (at.ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&at;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(out->text, sizeof out->text, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&at;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(out->text, sizeof out->text, "%s:%u", host, ntohs(v4->sin_port));
    }
}

static void set(int fd, int level, int option)
{
    int on = 1;
    setsockopt(fd, level, option, &on, sizeof on); /* what fails shows in bind and listen */
}

static int listen_tcp(const char *address, bool reuse_port, struct bound *out, struct err *why)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char host[256];
    const char *port;
    if (!split(address, host, &port)) {
        err_set(why, "'%s' is not an address (write host:port, [v6]:port, unix:/path or fd:NAME)",
                address);
        return -1;
    }
    int rc = getaddrinfo(host[0] == '\0' ? NULL : host, port, &hints, &found);
    if (rc != 0) {
        err_set(why, "cannot listen on %s: %s", address, gai_strerror(rc));
        return -1;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        goto fail;
    set(fd, SOL_SOCKET, SO_REUSEADDR);
    set(fd, IPPROTO_TCP, TCP_NODELAY); /* Linux hands it down to what is accepted */
    if (reuse_port)
        set(fd, SOL_SOCKET, SO_REUSEPORT);
    if (bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
        goto fail;
    freeaddrinfo(found);
    describe_tcp(fd, out);
    return fd;
fail:
    rc = errno;
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
    return say(why, address, rc);
}

/* ── unix ────────────────────────────────────────────────────────────────────────────────────── */

/* Does somebody answer there? A socket file outlives its process. */
static bool is_live(const struct sockaddr_un *at)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true; /* not known: leave it alone */
    bool refused = connect(fd, (const struct sockaddr *)at, sizeof *at) < 0 &&
                   (errno == ECONNREFUSED || errno == ENOENT);
    close(fd);
    return !refused;
}

static int listen_unix(const char *address, unsigned mode, struct bound *out, struct err *why)
{
    const char *path = address + strlen("unix:");
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct stat is;
    if (path[0] == '\0' || strlen(path) >= sizeof at.sun_path) {
        err_set(why, "'%s' is not an address: the path must have 1 to %zu bytes", address,
                sizeof at.sun_path - 1);
        return -1;
    }
    memcpy(at.sun_path, path, strlen(path));
    if (lstat(path, &is) == 0) {
        if (!S_ISSOCK(is.st_mode)) {
            err_set(why, "cannot listen on %s: the file exists and is no socket", address);
            return -1;
        }
        if (is_live(&at))
            return say(why, address, EADDRINUSE);
        unlink(path);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return say(why, address, errno);
    /* The mode comes before anyone can connect: between bind and listen they are refused. */
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || (mode != 0 && chmod(path, mode) < 0) ||
        listen(fd, BACKLOG) < 0) {
        int error = errno;
        close(fd);
        return say(why, address, error);
    }
    out->family = AF_UNIX;
    snprintf(out->text, sizeof out->text, "%s", address);
    out->socket_file = xstrdup(path);
    return fd;
}

void address_release(struct bound *b)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (b->socket_file == NULL)
        return;
    memcpy(at.sun_path, b->socket_file, strlen(b->socket_file));
    if (!is_live(&at))
        unlink(b->socket_file);
    free(b->socket_file);
    b->socket_file = NULL;
}

/* ── systemd ─────────────────────────────────────────────────────────────────────────────────── */

/* sd_listen_fds(3): LISTEN_FDS descriptors from 3 on, their names separated by colons, meant for
 * us only if LISTEN_PID says so. */
int listener_activated_fd(const char *name)
{
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    const char *names = getenv("LISTEN_FDNAMES");
    uint64_t count, meant;
    if (pid == NULL || fds == NULL || names == NULL || !span_to_u64(span_text(pid), &meant) ||
        meant != (uint64_t)getpid() || !span_to_u64(span_text(fds), &count))
        return -1;
    struct span rest = span_text(names);
    for (int i = 0; (uint64_t)i < count && rest.at != NULL; i++)
        if (span_eq(span_cut(&rest, ':'), span_text(name)))
            return ACTIVATED_FIRST_FD + i;
    return -1;
}

static int listen_activated(const char *address, struct bound *out, struct err *why)
{
    int listens = 0;
    socklen_t size = sizeof listens;
    int given = listener_activated_fd(address + strlen("fd:"));
    if (given < 0 || getsockopt(given, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) < 0 ||
        !listens) {
        err_set(why,
                "cannot listen on %s: no listening socket of that name was handed over (systemd: "
                "FileDescriptorName= in the .socket unit)",
                address);
        return -1;
    }
    /* A copy is closed with the listener; the original stays for the next reload. */
    int fd = fcntl(given, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return say(why, address, errno);
    fcntl(given, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    struct sockaddr_storage at = {0};
    size = sizeof at;
    getsockname(fd, (struct sockaddr *)&at, &size);
    if (at.ss_family == AF_UNIX) {
        out->family = AF_UNIX;
        snprintf(out->text, sizeof out->text, "%s", address);
    } else {
        set(fd, IPPROTO_TCP, TCP_NODELAY);
        describe_tcp(fd, out);
    }
    return fd;
}

int address_listen(const char *address, bool reuse_port, unsigned unix_mode, struct bound *out,
                   struct err *why)
{
    *out = (struct bound){0};
    if (strncmp(address, "unix:", 5) == 0)
        return listen_unix(address, unix_mode, out, why);
    if (strncmp(address, "fd:", 3) == 0)
        return listen_activated(address, out, why);
    return listen_tcp(address, reuse_port, out, why);
}
