/* network.h: parts of the address space: those an operator names, and the public one.
 *
 * An address is 16 bytes in IPv6's form; IPv4 is mapped (::ffff:a.b.c.d, RFC 4291 §2.5.5.2), so that
 * the two spellings of one host are one address here. */
#ifndef SLUICE_BASE_NETWORK_H
#define SLUICE_BASE_NETWORK_H

#include "sluice/base/span.h"

struct network {
    uint8_t address[16];
    unsigned bits; /* of the 128 that count */
};

struct networks {
    const struct network *at;
    unsigned n;
};

/* A literal address: "192.0.2.7", "2001:db8::1"; no zone, no brackets, no port. */
enum network_family { NETWORK_NEITHER, NETWORK_V4, NETWORK_V6 };
enum network_family network_parse_address(struct span text, uint8_t out[16]);

/* "10.0.0.0/8", "fd00::/8", or a single address; bits behind the mask do not count. False: it is
 * neither. */
bool network_parse(struct span text, struct network *out);
bool network_holds(const struct network *n, const uint8_t address[16]);
bool networks_hold(const struct networks *list, const uint8_t address[16]);

void network_map_v4(const uint8_t v4[4], uint8_t out[16]);

/* Could anybody on the Internet be meant by it? Not this host, this site, this link, this provider's
 * inside, nobody's, everybody's; nor any of those in a form that hides an IPv4 address. */
bool network_is_public(const uint8_t address[16]);

#endif
