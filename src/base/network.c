#include "sluice/base/network.h"

#include <arpa/inet.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

void network_map_v4(const uint8_t v4[4], uint8_t out[16])
{
    memcpy(out, mapped, sizeof mapped);
    memcpy(out + sizeof mapped, v4, 4);
}

enum network_family network_parse_address(struct span text, uint8_t out[16])
{
    char copy[INET6_ADDRSTRLEN];
    uint8_t v4[4];
    if (text.len >= sizeof copy)
        return NETWORK_NEITHER;
    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, v4) == 1) {
        network_map_v4(v4, out);
        return NETWORK_V4;
    }
    return inet_pton(AF_INET6, copy, out) == 1 ? NETWORK_V6 : NETWORK_NEITHER;
}

bool network_parse(struct span text, struct network *out)
{
    struct span rest = text, host = span_cut(&rest, '/');
    enum network_family family = network_parse_address(host, out->address);
    unsigned most = family == NETWORK_V4 ? 32 : 128;
    uint64_t bits = most;
    if (family == NETWORK_NEITHER)
        return false;
    if (rest.at != NULL && (!span_to_u64(rest, &bits) || bits > most))
        return false;
    out->bits = 128 - most + (unsigned)bits;
    return true;
}

static bool is_within(const uint8_t *address, const uint8_t *network, unsigned bits)
{
    unsigned whole = bits / 8, left = bits % 8;
    if (memcmp(address, network, whole) != 0)
        return false;
    return left == 0 || ((address[whole] ^ network[whole]) >> (8 - left)) == 0;
}

bool network_holds(const struct network *n, const uint8_t address[16])
{
    return is_within(address, n->address, n->bits);
}

bool networks_hold(const struct networks *list, const uint8_t address[16])
{
    for (unsigned i = 0; i < list->n; i++) {
        if (network_holds(&list->at[i], address))
            return true;
    }
    return false;
}

/* --- what is public ------------------------------------------------------------------------------- */

/* IANA's IPv4 special-purpose registry (RFC 6890), and what clouds hide in public space. */
static const struct {
    uint8_t network[4];
    unsigned bits;
} special_v4[] = {
    {{0}, 8},                 /* this network, RFC 791 */
    {{10}, 8},                /* RFC 1918 */
    {{100, 64}, 10},          /* carrier-grade NAT, RFC 6598; Alibaba's metadata service */
    {{127}, 8},               /* loopback */
    {{169, 254}, 16},         /* link-local, RFC 3927; the metadata services of most clouds */
    {{172, 16}, 12},          /* RFC 1918 */
    {{192, 0, 0}, 24},        /* protocol assignments; Oracle's metadata service */
    {{192, 0, 2}, 24},        /* documentation, RFC 5737 */
    {{192, 88, 99}, 24},      /* 6to4 relays, RFC 7526 */
    {{192, 168}, 16},         /* RFC 1918 */
    {{198, 18}, 15},          /* benchmarks, RFC 2544 */
    {{198, 51, 100}, 24},     /* documentation */
    {{203, 0, 113}, 24},      /* documentation */
    {{224}, 4},               /* multicast */
    {{240}, 4},               /* reserved, broadcast */
    {{168, 63, 129, 16}, 32}, /* Azure's platform, as seen from inside its machines */
};

static bool is_public_v4(const uint8_t address[4])
{
    for (unsigned i = 0; i < sizeof special_v4 / sizeof special_v4[0]; i++) {
        if (is_within(address, special_v4[i].network, special_v4[i].bits))
            return false;
    }
    return true;
}

/* Of IPv6 only 2000::/3 is handed out at all; these parts of it are special (RFC 6890). */
static const struct {
    uint8_t network[4];
    unsigned bits;
} special_v6[] = {
    {{0x20, 0x01, 0x00}, 23},       /* protocol assignments: Teredo, ORCHID, benchmarks */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation, RFC 3849 */
    {{0x3f, 0xff, 0x00}, 20},       /* documentation, RFC 9637 */
};

static bool is_public_v6(const uint8_t address[16])
{
    if ((address[0] & 0xe0) != 0x20)
        return false;
    for (unsigned i = 0; i < sizeof special_v6 / sizeof special_v6[0]; i++) {
        if (is_within(address, special_v6[i].network, special_v6[i].bits))
            return false;
    }
    return true;
}

bool network_is_public(const uint8_t address[16])
{
    static const uint8_t nat64[12] = {0x00, 0x64, 0xff, 0x9b}; /* RFC 6052 §2.1 */
    static const uint8_t six_to_four[2] = {0x20, 0x02};        /* RFC 3056 §2 */
    if (is_within(address, mapped, 96) || is_within(address, nat64, 96))
        return is_public_v4(address + 12);
    if (is_within(address, six_to_four, 16))
        return is_public_v4(address + 2);
    return is_public_v6(address);
}
