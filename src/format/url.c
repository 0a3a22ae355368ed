#include "sluice/format/url.h"

#include "sluice/base/network.h"

enum { HOST_MAX = 253 }; /* RFC 1035 §2.3.4, without the root's dot */

/* --- host and port -------------------------------------------------------------------------------- */

bool host_name_is_plain(struct span text)
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

static bool parse_port(struct span text, int *out)
{
    uint64_t n;
    if (text.len > 5 || !span_to_u64(text, &n) || n > 65535)
        return false;
    *out = (int)n;
    return true;
}

enum authority_fault authority_parse(struct span text, struct authority *out)
{
    uint8_t ip[16];
    bool is_v6 = span_starts(text, SPAN_LIT("["));
    size_t end = span_find(text, is_v6 ? SPAN_LIT("]") : SPAN_LIT(":"));
    *out = (struct authority){.is_v6 = is_v6, .port = -1};
    if (is_v6 && end == SIZE_MAX)
        return AUTHORITY_BRACKET;
    out->host = is_v6 ? span_sub(text, 1, end - 1) : span_sub(text, 0, end);
    struct span behind = span_skip(text, is_v6 ? end + 1 : out->host.len);
    if (is_v6 ? network_parse_address(out->host, ip) != NETWORK_V6 : !host_name_is_plain(out->host))
        return AUTHORITY_HOST;
    if (behind.len > 0 && (behind.at[0] != ':' || !parse_port(span_skip(behind, 1), &out->port)))
        return AUTHORITY_PORT;
    return AUTHORITY_OK;
}

const char *authority_write(const struct authority *at, unsigned usual, struct arena *a)
{
    const char *open = at->is_v6 ? "[" : "", *close = at->is_v6 ? "]" : "";
    return at->port < 0 || (unsigned)at->port == usual
               ? arena_printf(a, "%s%.*s%s", open, SPAN_FMT(at->host), close)
               : arena_printf(a, "%s%.*s%s:%d", open, SPAN_FMT(at->host), close, at->port);
}

/* --- %41 ------------------------------------------------------------------------------------------ */

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool percent_decode(uint8_t *text, size_t *len)
{
    size_t n = 0;
    for (size_t i = 0; i < *len; i++) {
        if (text[i] != '%') {
            text[n++] = text[i];
            continue;
        }
        int high = i + 2 < *len ? hex_digit(text[i + 1]) : -1;
        int low = i + 2 < *len ? hex_digit(text[i + 2]) : -1;
        if (high < 0 || low < 0)
            return false;
        text[n++] = (uint8_t)(high << 4 | low);
        i += 2;
    }
    *len = n;
    return true;
}

/* What people and programs leave in URLs although it has no place there. */
static bool needs_encoding(uint8_t c)
{
    return c <= ' ' || c >= 0x7f || memchr("\"<>\\^`{|}", c, 9) != NULL;
}

static char *encode_percent(struct span text, struct arena *a)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = arena_alloc(a, 3 * text.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        if (!needs_encoding(c)) {
            out[n++] = (char)c;
            continue;
        }
        out[n++] = '%';
        out[n++] = digits[c >> 4];
        out[n++] = digits[c & 15];
    }
    return out;
}

/* --- whole URLs ----------------------------------------------------------------------------------- */

static bool has_control(struct span text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] < ' ' || text.at[i] == 0x7f)
            return true;
    }
    return false;
}

static struct span without_fragment(struct span text)
{
    return span_cut(&text, '#');
}

/* Up to the first of / and ?, which is where the path or the query begins. */
static size_t authority_end(struct span text)
{
    size_t i = 0;
    while (i < text.len && text.at[i] != '/' && text.at[i] != '?')
        i++;
    return i;
}

static bool cut_scheme(struct span *text, const char *scheme)
{
    struct span s = span_text(scheme);
    if (!span_ieq(span_sub(*text, 0, s.len), s))
        return false;
    *text = span_skip(*text, s.len);
    return true;
}

/* `text` is what stands behind "//". */
static const char *parse_behind(bool https, struct span text, struct arena *a, struct url *out)
{
    static const char *const problems[] = {
        [AUTHORITY_OK] = NULL,
        [AUTHORITY_BRACKET] = "it has a [ that is not closed",
        [AUTHORITY_HOST] = "it has no host name",
        [AUTHORITY_PORT] = "its port is none",
    };
    struct authority at;
    struct span authority = span_sub(text, 0, authority_end(text));
    struct span target = span_skip(text, authority.len);
    if (span_find(authority, SPAN_LIT("@")) != SIZE_MAX)
        return "it holds a user name or a password";
    enum authority_fault fault = authority_parse(authority, &at);
    if (fault != AUTHORITY_OK)
        return problems[fault];
    if (at.port == 0)
        return problems[AUTHORITY_PORT];
    unsigned usual = https ? 443 : 80, port = at.port < 0 ? usual : (unsigned)at.port;
    *out = (struct url){
        .https = https,
        .host = (const char *)arena_keep(a, at.host).at,
        .port = (uint16_t)port,
        .authority = authority_write(&at, usual, a),
        .target = encode_percent(target, a),
    };
    if (target.len == 0 || target.at[0] == '?')
        out->target = arena_printf(a, "/%s", out->target);
    return NULL;
}

const char *url_parse(struct span text, struct arena *a, struct url *out)
{
    struct span rest = without_fragment(text);
    if (text.len > URL_MAX)
        return "it is longer than 8 KiB";
    if (has_control(text))
        return "it holds a control character";
    if (cut_scheme(&rest, "https://"))
        return parse_behind(true, rest, a, out);
    if (cut_scheme(&rest, "http://"))
        return parse_behind(false, rest, a, out);
    return "it begins with neither https:// nor http://";
}

/* --- references ----------------------------------------------------------------------------------- */

static bool has_scheme(struct span text)
{
    size_t i = 0;
    while (i < text.len && memchr("/?:", text.at[i], 3) == NULL)
        i++;
    return i < text.len && text.at[i] == ':';
}

/* Without "." and ".." (RFC 3986 §5.2.4). `path` begins with a slash. */
static const char *plain_path(struct span path, struct arena *a)
{
    char *out = arena_alloc(a, path.len + 2);
    size_t n = 0;
    struct span rest = span_skip(path, 1);
    while (rest.at != NULL) {
        struct span segment = span_cut(&rest, '/');
        bool is_last = rest.at == NULL, is_up = span_eq(segment, SPAN_LIT(".."));
        bool is_plain = !is_up && !span_eq(segment, SPAN_LIT("."));
        while (is_up && n > 0 && out[n - 1] != '/')
            n--;
        if (is_up && n > 0)
            n--;
        if (is_plain || is_last)
            out[n++] = '/';
        if (is_plain && segment.len > 0)
            memcpy(out + n, segment.at, segment.len);
        n += is_plain ? segment.len : 0;
    }
    out[n] = '\0';
    return n > 0 ? out : "/";
}

/* The path of the reference beside that of the base, and its query. */
static const char *merged(const struct url *base, struct span reference, struct arena *a)
{
    struct span query = reference, path = span_cut(&query, '?');
    struct span old_query = span_text(base->target), old = span_cut(&old_query, '?');
    const char *made;
    size_t directory = old.len;
    while (directory > 0 && old.at[directory - 1] != '/')
        directory--;
    if (path.len == 0)
        made = (const char *)arena_keep(a, old).at;
    else if (path.at[0] == '/')
        made = plain_path(path, a);
    else
        made = plain_path(span_text(arena_printf(a, "%.*s%.*s", (int)directory,
                                                 (const char *)old.at, SPAN_FMT(path))),
                          a);
    if (path.len == 0 && query.at == NULL)
        return base->target;
    return query.at == NULL ? made : arena_printf(a, "%s?%.*s", made, SPAN_FMT(query));
}

const char *url_resolve(const struct url *base, struct span reference, struct arena *a,
                        struct url *out)
{
    struct span rest = without_fragment(reference);
    if (reference.len > URL_MAX)
        return "it is longer than 8 KiB";
    if (has_control(reference))
        return "it holds a control character";
    if (has_scheme(rest))
        return url_parse(reference, a, out);
    if (span_starts(rest, SPAN_LIT("//")))
        return parse_behind(base->https, span_skip(rest, 2), a, out);
    *out = *base;
    out->target = encode_percent(span_text(merged(base, rest, a)), a);
    return NULL;
}
