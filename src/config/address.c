#include "address.h"

#include "sluice/base/network.h"
#include "sluice/format/url.h"

#include <netinet/in.h>
#include <sys/un.h>

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

/* ── listeners ───────────────────────────────────────────────────────────────────────────────── */

static const char *listen_tcp(struct span text, struct arena *a, struct listen_address *out)
{
    static const char expected[] =
        "not an address (write 127.0.0.1:4000, [::1]:4000, 0.0.0.0:4000, unix:/path or fd:NAME)";
    struct authority at;
    uint8_t ip[16];
    if (authority_parse(text, &at) != AUTHORITY_OK || at.port < 0)
        return expected;
    out->kind = LISTEN_TCP;
    out->text = keep(a, text);
    if (span_ieq(at.host, SPAN_LIT("localhost"))) {
        out->is_local = true;
        out->text = arena_printf(a, "127.0.0.1:%d", at.port);
        return NULL;
    }
    switch (network_parse_address(at.host, ip)) {
    case NETWORK_NEITHER:
        return expected;
    case NETWORK_V4:
        out->is_local = ip[12] == 127;
        out->is_any = ip[12] == 0;
        break;
    case NETWORK_V6:
        out->is_local = IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)ip);
        out->is_any = IN6_IS_ADDR_UNSPECIFIED((const struct in6_addr *)ip);
        break;
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
        if (rest.len == 0 || !host_name_is_plain(rest))
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
    struct authority at;
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
    switch (authority_parse(authority, &at)) {
    case AUTHORITY_OK:
        break;
    case AUTHORITY_BRACKET:
        return "a [ that is not closed";
    case AUTHORITY_HOST:
        return "no host name in it (write https://host/v1)";
    case AUTHORITY_PORT:
        at.port = 0;
        break;
    }
    if (at.port == 0)
        return "not a port (1 to 65535)";
    uint16_t usual = p->https ? 443 : 80;
    p->port = at.port < 0 ? usual : (uint16_t)at.port;
    p->host = keep(a, at.host);
    p->host_header = authority_write(&at, usual, a);
    p->path_prefix = keep_prefix(a, prefix);
    return NULL;
}

/* ── store ───────────────────────────────────────────────────────────────────────────────────── */

/* In place: the arena's copy is ours. False on %zz and on %00. */
static bool decode(struct span *text)
{
    uint8_t *at = (uint8_t *)(uintptr_t)text->at;
    if (!percent_decode(at, &text->len) || (text->len > 0 && memchr(at, '\0', text->len) != NULL))
        return false;
    at[text->len] = '\0';
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
    if (!decode(&user) || !decode(&password))
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
    struct authority at;
    size_t slash = span_find(rest, SPAN_LIT("/"));
    struct span authority = span_sub(rest, 0, slash == SIZE_MAX ? rest.len : slash);
    struct span database = span_skip(rest, authority.len + 1);
    enum authority_fault fault = authority_parse(authority, &at);
    if (fault == AUTHORITY_BRACKET || fault == AUTHORITY_HOST)
        return "no host name in it (write redis://host:6379/0)";
    if (fault == AUTHORITY_PORT || at.port == 0)
        return "not a port (1 to 65535)";
    s->port = at.port < 0 ? 6379 : (uint16_t)at.port;
    if (database.len > 0 && !is_database(database, &s->database))
        return "not the number of a database (write redis://host:6379/0)";
    s->host = keep(a, at.host);
    s->url = arena_printf(a, at.is_v6 ? "%s://%s%s[%s]:%u/%u" : "%s://%s%s%s:%u/%u",
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

bool address_is_loopback(const char *host)
{
    return strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "::1") == 0;
}
