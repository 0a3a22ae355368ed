/* url.h: URLs somebody else wrote, taken apart (RFC 3986).
 *
 * Text in, parts out; nothing is looked up. What could be read in two ways is refused, so that no
 * other program sees another host in the same text. */
#ifndef SLUICE_FORMAT_URL_H
#define SLUICE_FORMAT_URL_H

#include "sluice/base/arena.h"

#define URL_MAX 8192

/* Letters, digits, dots, hyphens and underscores; an IPv4 address is a name, too. */
bool host_name_is_plain(struct span text);

/* "host", "host:port", "[v6]:port" */
struct authority {
    struct span host; /* without brackets */
    bool is_v6;
    int port; /* 0 to 65535; -1: none was said */
};
enum authority_fault { AUTHORITY_OK, AUTHORITY_BRACKET, AUTHORITY_HOST, AUTHORITY_PORT };
enum authority_fault authority_parse(struct span text, struct authority *out);
/* For a Host field: an IPv6 address in brackets, and the port unless it is `usual` (or none). */
const char *authority_write(const struct authority *at, unsigned usual, struct arena *a);

/* "%41" → "A", in place; *len shrinks. False on a % without two hexadecimal digits. */
bool percent_decode(uint8_t *text, size_t *len);

/* What can be asked for over HTTP. Strings are in the arena. */
struct url {
    bool https;
    const char *host; /* without brackets */
    uint16_t port;
    const char *authority; /* for the Host field: "example.org", "[::1]:8080" */
    const char *target;    /* for the request line: path and query, visible ASCII */
};

/* http:// and https:// only, without credentials; the fragment is left out, what a path may not hold
 * is percent-encoded. NULL, or a phrase that says what is wrong with it ("it holds a password"). */
const char *url_parse(struct span text, struct arena *a, struct url *out);

/* The same for a reference that was found at `base`: a Location (RFC 9110 §10.2.2). */
const char *url_resolve(const struct url *base, struct span reference, struct arena *a,
                        struct url *out);

#endif
