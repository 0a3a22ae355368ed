#include "address.h"

#include <arpa/inet.h>
#include <sys/un.h>

enum { HOST_MAX = 253 }; /* RFC 1035 §2.3.4, without the root's dot */

static const char *keep(struct arena *a, struct span s)
{
    return (const char *)arena_keep(a, s).at;
}

static bool starts(struct span *rest, const char *prefix)
{
    struct span p = span_text(prefix);
    if (!span_starts(*rest, p))
        return false;
    *rest = span_skip(*rest, p.len);
    return true;
}

static bool is_port(struct span text, uint16_t *out)
{
    uint64_t n;
    if (text.len > 5 || !span_to_u64(text, &n) || n > 65535)
        return false;
    *out = (uint16_t)n;
    return true;
}

static bool is_ip(struct span text, int family, uint8_t out[16])
{
    char copy[INET6_ADDRSTRLEN];
    if (text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    return inet_pton(family, copy, out) == 1;
}

static bool is_host_name(struct span text)
{
    if (text.len == 0 || text.len > HOST_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') && c != '.' &&
            c != '-' && c != '_') /* _: what container networks call their services */
            return false;
    }
    return true;
}

/* Visible ASCII without what would end or split a request line. */
static bool is_path(struct span text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] <= ' ' || text.at[i] >= 0x7f || text.at[i] == '?' || text.at[i] == '#')
            return false;
    return true;
}

static bool fits_unix_path(struct span path)
{
    return path.len > 1 && path.at[0] == '/' &&
           path.len < sizeof(((struct sockaddr_un *)0)->sun_path);
}

/* "host", "host:port", "[v6]:port" → host without brackets and the text behind it (":port" or
 * nothing). False when the brackets do not close. */
static bool cut_host(struct span text, struct span *host, struct span *behind)
{
    if (text.len > 0 && text.at[0] == '[') {
        size_t close = span_find(text, SPAN_LIT("]"));
        if (close == SIZE_MAX)
            return false;
        *host = span_sub(text, 1, close - 1);
        *behind = span_skip(text, close + 1);
        return true;
    }
    size_t colon = span_find(text, SPAN_LIT(":"));
    *host = span_sub(text, 0, colon == SIZE_MAX ? text.len : colon);
    *behind = span_skip(text, host->len);
    return true;
}

/* ── listeners ───────────────────────────────────────────────────────────────────────────────── */

static const char *listen_tcp(struct span text, struct arena *a, struct listen_address *out)
{
    static const char expected[] =
        "not an address (write 127.0.0.1:4000, [::1]:4000, 0.0.0.0:4000, unix:/path or fd:NAME)";
    struct span host, port;
    uint16_t number;
    uint8_t ip[16];
    if (!cut_host(text, &host, &port) || !starts(&port, ":") || !is_port(port, &number))
        return expected;
    out->kind = LISTEN_TCP;
    out->text = keep(a, text);
    if (span_ieq(host, SPAN_LIT("localhost"))) {
        out->is_local = true;
        out->text = arena_printf(a, "127.0.0.1:%u", number);
    } else if (text.at[0] == '[') {
        if (!is_ip(host, AF_INET6, ip))
            return expected;
        out->is_local = IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)ip);
        out->is_any = IN6_IS_ADDR_UNSPECIFIED((const struct in6_addr *)ip);
    } else {
        if (!is_ip(host, AF_INET, ip))
            return expected;
        out->is_local = ip[0] == 127;
        out->is_any = ip[0] == 0;
    }
    return NULL;
}

const char *address_parse_listen(const char *text, struct arena *a, struct listen_address *out)
{
    struct span rest = span_text(text);
    *out = (struct listen_address){0};
    if (starts(&rest, "unix:")) {
        if (!fits_unix_path(rest))
            return "not the absolute path of a socket, 107 bytes at most (write unix:/run/x.sock)";
        *out = (struct listen_address){LISTEN_UNIX, true, false, keep(a, span_text(text))};
        return NULL;
    }
    if (starts(&rest, "fd:")) {
        if (rest.len == 0 || !is_host_name(rest))
            return "not the name of a passed socket (write fd:NAME, as in FileDescriptorName=)";
        *out = (struct listen_address){LISTEN_FD, false, false, keep(a, span_text(text))};
        return NULL;
    }
    return listen_tcp(rest, a, out);
}

/* ── providers ───────────────────────────────────────────────────────────────────────────────── */

static const char *keep_prefix(struct arena *a, struct span path)
{
    while (path.len > 0 && path.at[path.len - 1] == '/')
        path.len--;
    return keep(a, path);
}

static const char *unix_base_url(struct span rest, struct arena *a, struct provider_options *p)
{
    size_t colon = span_find(rest, SPAN_LIT(":"));
    struct span path = span_sub(rest, 0, colon == SIZE_MAX ? rest.len : colon);
    struct span prefix = span_skip(rest, path.len + 1);
    if (!fits_unix_path(path) || !is_path(prefix) || (prefix.len > 0 && prefix.at[0] != '/'))
        return "not a socket (write unix:/run/x.sock or unix:/run/x.sock:/v1)";
    p->unix_path = keep(a, path);
    p->path_prefix = keep_prefix(a, prefix);
    p->host_header = "localhost";
    return NULL;
}

const char *address_parse_base_url(struct arena *a, struct provider_options *p)
{
    struct span rest = span_text(p->base_url);
    struct span host, behind;
    uint8_t ip[16];
    p->https = false;
    if (starts(&rest, "unix:"))
        return unix_base_url(rest, a, p);
    if (starts(&rest, "https://"))
        p->https = true;
    else if (!starts(&rest, "http://"))
        return "not a base URL (it starts with https://, http:// or unix:/)";
    size_t slash = span_find(rest, SPAN_LIT("/"));
    struct span authority = span_sub(rest, 0, slash == SIZE_MAX ? rest.len : slash);
    struct span prefix = span_skip(rest, authority.len);
    if (span_find(authority, SPAN_LIT("@")) != SIZE_MAX)
        return "credentials do not belong into a URL (use api_key)";
    if (!is_path(prefix))
        return "only scheme, host, port and path (no query, no fragment, no blanks)";
    if (!cut_host(authority, &host, &behind))
        return "a [ that is not closed";
    bool v6 = authority.len > 0 && authority.at[0] == '[';
    if (v6 ? !is_ip(host, AF_INET6, ip) : !is_host_name(host))
        return "no host name in it (write https://host/v1)";
    p->port = p->https ? 443 : 80;
    if (behind.len > 0 && (!starts(&behind, ":") || !is_port(behind, &p->port) || p->port == 0))
        return "not a port (1 to 65535)";
    bool usual = p->port == (p->https ? 443 : 80);
    p->host = keep(a, host);
    p->host_header = usual ? arena_printf(a, v6 ? "[%s]" : "%s", p->host)
                           : arena_printf(a, v6 ? "[%s]:%u" : "%s:%u", p->host, p->port);
    p->path_prefix = keep_prefix(a, prefix);
    return NULL;
}

/* ── store ───────────────────────────────────────────────────────────────────────────────────── */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3986 §2.1, in place: the arena's copy is ours. False on %zz and on %00. */
static bool decode_percent(struct span *text)
{
    uint8_t *to = (uint8_t *)(uintptr_t)text->at;
    size_t n = 0;
    for (size_t i = 0; i < text->len; i++) {
        if (text->at[i] != '%') {
            to[n++] = text->at[i];
            continue;
        }
        int high = i + 2 < text->len ? hex_digit(text->at[i + 1]) : -1;
        int low = i + 2 < text->len ? hex_digit(text->at[i + 2]) : -1;
        if (high < 0 || low < 0 || high + low == 0)
            return false;
        to[n++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    text->len = n;
    to[n] = '\0';
    return true;
}

/* "user:password@" before the host; either may be missing. The user "" and "default" are Redis's
 * own default. */
static const char *cut_credentials(struct span *rest, struct arena *a, struct store_options *s)
{
    size_t slash = span_find(*rest, SPAN_LIT("/"));
    struct span authority = span_sub(*rest, 0, slash == SIZE_MAX ? rest->len : slash);
    size_t at = span_find(authority, SPAN_LIT("@"));
    if (at == SIZE_MAX)
        return NULL;
    struct span password = arena_keep(a, span_sub(*rest, 0, at));
    *rest = span_skip(*rest, at + 1);
    if (span_find(*rest, SPAN_LIT("@")) != SIZE_MAX)
        return "more than one @ (write %40 for one in a password)";
    struct span user = span_cut(&password, ':');
    user = arena_keep(a, user);
    password = arena_keep(a, password);
    if (!decode_percent(&user) || !decode_percent(&password))
        return "% is not followed by two hexadecimal digits (write %25 for a %)";
    s->user = user.len == 0 ? NULL : (const char *)user.at;
    int rc = secret_init(&s->password, password);
    return rc < 0 ? "out of memory" : NULL;
}

static bool is_database(struct span text, unsigned *out)
{
    uint64_t n;
    if (!span_to_u64(text, &n) || n > 65535)
        return false;
    *out = (unsigned)n;
    return true;
}

static const char *redis_tcp(struct span rest, struct arena *a, struct store_options *s)
{
    struct span host, behind;
    uint8_t ip[16];
    size_t slash = span_find(rest, SPAN_LIT("/"));
    struct span authority = span_sub(rest, 0, slash == SIZE_MAX ? rest.len : slash);
    struct span database = span_skip(rest, authority.len + 1);
    bool v6 = authority.len > 0 && authority.at[0] == '[';
    if (!cut_host(authority, &host, &behind) ||
        (v6 ? !is_ip(host, AF_INET6, ip) : !is_host_name(host)))
        return "no host name in it (write redis://host:6379/0)";
    s->port = 6379;
    if (behind.len > 0 && (!starts(&behind, ":") || !is_port(behind, &s->port) || s->port == 0))
        return "not a port (1 to 65535)";
    if (database.len > 0 && !is_database(database, &s->database))
        return "not the number of a database (write redis://host:6379/0)";
    s->host = keep(a, host);
    s->url = arena_printf(a, v6 ? "%s://%s%s[%s]:%u/%u" : "%s://%s%s%s:%u/%u",
                          s->tls ? "rediss" : "redis", s->user == NULL ? "" : s->user,
                          secret_is_set(&s->password) ? ":***@"
                          : s->user == NULL           ? ""
                                                      : "@",
                          s->host, s->port, s->database);
    return NULL;
}

static const char *redis_unix(struct span rest, struct arena *a, struct store_options *s)
{
    struct span path = span_cut(&rest, '?');
    if (rest.len > 0 && (!starts(&rest, "db=") || !is_database(rest, &s->database)))
        return "after ? comes db=NUMBER";
    if (!fits_unix_path(path))
        return "not the absolute path of a socket (write redis+unix:///run/redis.sock)";
    s->path = keep(a, path);
    s->url = arena_printf(a, "redis+unix://%s%s%s?db=%u", s->user == NULL ? "" : s->user,
                          secret_is_set(&s->password) ? ":***@"
                          : s->user == NULL           ? ""
                                                      : "@",
                          s->path, s->database);
    return NULL;
}

const char *address_parse_store(struct arena *a, struct store_options *s)
{
    struct span rest = span_text(s->url);
    if (span_eq(rest, SPAN_LIT("memory:")) || span_eq(rest, SPAN_LIT("memory"))) {
        s->kind = STORE_MEMORY;
        s->url = "memory:";
        return NULL;
    }
    if (starts(&rest, "sqlite://") || starts(&rest, "sqlite:")) {
        if (rest.len == 0)
            return "no path in it (write sqlite:///var/lib/sluice/sluice.db)";
        s->kind = STORE_SQLITE;
        s->path = keep(a, rest);
        return NULL;
    }
    bool is_unix = starts(&rest, "redis+unix://");
    s->tls = !is_unix && starts(&rest, "rediss://");
    if (!is_unix && !s->tls && !starts(&rest, "redis://")) {
        s->url = "";
        return "not a store (write memory:, sqlite:///path, redis://host:6379/0, "
               "rediss://host:6380/0 or redis+unix:///path)";
    }
    s->kind = STORE_REDIS;
    s->url = ""; /* whatever goes wrong from here on, the password is out of this text */
    const char *problem = cut_credentials(&rest, a, s);
    if (problem != NULL)
        return problem;
    return is_unix ? redis_unix(rest, a, s) : redis_tcp(rest, a, s);
}
