#include "base_url.h"

#include "sluice/base/span.h"

#include <stdio.h>

/* Copies `s` behind what `out` holds; false when it does not fit. */
static bool put(char *out, size_t size, struct span s)
{
    size_t before = strlen(out);
    if (before + s.len >= size)
        return false;
    if (s.len > 0)
        memcpy(out + before, s.at, s.len);
    out[before + s.len] = '\0';
    return true;
}

/* What would end a header line or a URL's path, or carries a secret into argv. */
static const char *forbidden(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] <= ' ' || text.at[i] == 0x7f)
            return "blanks and control characters have no place in a URL";
        if (text.at[i] == '?' || text.at[i] == '#')
            return "a base URL has no query and no fragment";
        if (text.at[i] == '@')
            return "credentials do not belong in a URL: set SLUICE_API_KEY instead";
    }
    return NULL;
}

static bool put_prefix(struct base_url *u, struct span prefix)
{
    const struct span v1 = SPAN_LIT("/v1");
    while (prefix.len > 0 && prefix.at[prefix.len - 1] == '/')
        prefix.len--;
    if (prefix.len == 0)
        prefix = v1;
    struct span root = prefix;
    if (root.len >= v1.len && span_eq(span_skip(root, root.len - v1.len), v1))
        root.len -= v1.len;
    return put(u->prefix, sizeof u->prefix, prefix) && put(u->root, sizeof u->root, root);
}

/* "host", "host:port", "[v6]:port"; *port is the span behind the colon. */
static bool split_host(struct span authority, struct span *host, struct span *port)
{
    *port = SPAN_NONE;
    if (span_starts(authority, SPAN_LIT("["))) {
        *port = authority;
        *host = span_skip(span_cut(port, ']'), 1);
        if (port->at == NULL)
            return false;
        if (port->len == 0)
            return true;
        if (port->at[0] != ':')
            return false;
        *port = span_skip(*port, 1);
        return port->len > 0;
    }
    *port = authority;
    *host = span_cut(port, ':');
    return port->at == NULL || port->len > 0;
}

static int parse_network(struct span rest, struct base_url *u, struct err *why)
{
    size_t slash = span_find(rest, SPAN_LIT("/"));
    struct span authority = span_sub(rest, 0, slash), host, port;
    struct span prefix = slash == SIZE_MAX ? SPAN_NONE : span_skip(rest, slash);
    uint64_t number = u->https ? 443 : 80;
    if (!split_host(authority, &host, &port) || host.len == 0)
        return err_set(why, "a URL needs a host: http://127.0.0.1:4000/v1");
    if (port.len > 0 && (!span_to_u64(port, &number) || number == 0 || number > UINT16_MAX))
        return err_set(why, "a port is a number from 1 to 65535");
    u->port = (uint16_t)number;
    if (!put(u->host, sizeof u->host, host) ||
        !put(u->host_header, sizeof u->host_header, authority) || !put_prefix(u, prefix))
        return err_set(why, "the URL is too long");
    return 0;
}

static int parse_unix(struct span rest, struct base_url *u, struct err *why)
{
    struct span prefix = rest, path = span_cut(&prefix, ':');
    if (path.len == 0 || path.at[0] != '/')
        return err_set(why, "a unix socket's path begins with a slash: unix:/run/sluice.sock");
    if (prefix.len > 0 && prefix.at[0] != '/')
        return err_set(why, "a prefix begins with a slash: unix:/run/sluice.sock:/v1");
    if (!put(u->unix_path, sizeof u->unix_path, path) || !put_prefix(u, prefix))
        return err_set(why, "the path of a unix socket has at most %zu bytes",
                       sizeof u->unix_path - 1);
    snprintf(u->host_header, sizeof u->host_header, "localhost");
    return 0;
}

int base_url_parse(const char *text, struct base_url *out, struct err *why)
{
    struct span all = span_text(text);
    *out = (struct base_url){0};
    const char *problem = forbidden(all);
    if (problem != NULL)
        return err_set(why, "%s", problem);
    if (span_starts(all, SPAN_LIT("unix:")))
        return parse_unix(span_skip(all, 5), out, why);
    if (span_starts(all, SPAN_LIT("http://")))
        return parse_network(span_skip(all, 7), out, why);
    out->https = true;
    if (span_starts(all, SPAN_LIT("https://")))
        return parse_network(span_skip(all, 8), out, why);
    return err_set(why, "write http://host:port/v1, https://host/v1 or unix:/path");
}
