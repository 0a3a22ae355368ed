/* Which addresses are anybody's, and which belong to a network. */
#include "unit.h"

#include "sluice/base/network.h"

static struct network parsed(const char *text)
{
    struct network n;
    if (!network_parse(span_text(text), &n)) {
        print_error("not taken: %s\n", text);
        fail();
    }
    return n;
}

static void what_is_no_network_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "/",
        "10",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0/8",
        "010.0.0.0/8",
        "10.0.0.0/8/8",
        "10.0.0.0 /8",
        "::/129",
        "::1%eth0",
        "fe80::/10x",
        "example.org",
        "0x7f.0.0.1",
        "127.0.0.1:443",
        "[::1]",
        "2130706433",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999/12",
    };
    for (unsigned i = 0; i < ROWS(bad); i++) {
        struct network n;
        assert_row(i, !network_parse(span_text(bad[i]), &n));
    }
}

static void a_network_holds_what_begins_as_it_does(void **state)
{
    (void)state;
    static const struct {
        const char *network, *address;
        bool holds;
    } rows[] = {
        {"10.1.0.0/16", "10.1.255.255", true},
        {"10.1.0.0/16", "10.2.0.0", false},
        {"10.1.2.3/16", "10.1.9.9", true},
        {"10.0.0.0/9", "10.127.255.255", true},
        {"10.0.0.0/9", "10.128.0.0", false},
        {"0.0.0.0/0", "255.255.255.255", true},
        {"0.0.0.0/0", "2000::1", false},
        {"127.0.0.1", "127.0.0.1", true},
        {"127.0.0.1", "127.0.0.2", false},
        {"127.0.0.1/32", "::ffff:127.0.0.1", true},
        {"::ffff:10.0.0.0/104", "10.9.9.9", true},
        {"::ffff:10.0.0.0/104", "11.0.0.0", false},
        {"fd00::/8", "fdff::1", true},
        {"fd00::/8", "fc00::1", false},
        {"::1", "::1", true},
        {"::1", "::2", false},
        {"::/0", "10.0.0.1", true},
        {"2001:db8::/33", "2001:db8:7fff::", true},
        {"2001:db8::/33", "2001:db8:8000::", false},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct network n = parsed(rows[i].network), one = parsed(rows[i].address);
        struct networks list = {&n, 1}, none = {NULL, 0};
        assert_row(i, network_holds(&n, one.address) == rows[i].holds);
        assert_row(i, networks_hold(&list, one.address) == rows[i].holds);
        assert_row(i, !networks_hold(&none, one.address));
    }
}

static void inside_addresses_are_not_public(void **state)
{
    (void)state;
    static const char *const inside[] = {
        /* this host, unspecified, broadcast, multicast */
        "0.0.0.0",
        "0.1.2.3",
        "0.255.255.255",
        "127.0.0.0",
        "127.0.0.1",
        "127.255.255.255",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "ff02::1",
        "ff0e::1",
        /* private and shared */
        "10.0.0.0",
        "10.255.255.255",
        "172.16.0.0",
        "172.31.255.255",
        "192.168.0.0",
        "192.168.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "fc00::1",
        "fd00::1",
        "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        /* link-local and site-local */
        "169.254.0.1",
        "169.254.255.255",
        "fe80::1",
        "febf::1",
        "fec0::1",
        /* the metadata services of clouds */
        "169.254.169.254",
        "169.254.170.2",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "fd00:ec2::254",
        /* documentation, benchmarks, assignments */
        "192.0.0.0",
        "192.0.0.255",
        "192.0.2.1",
        "198.51.100.7",
        "203.0.113.9",
        "198.18.0.0",
        "198.19.255.255",
        "192.88.99.1",
        "2001:db8::1",
        "2001:db8:ffff::",
        "3fff::1",
        "3fff:fff:ffff::",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        /* not handed out at all */
        "1::1",
        "100::1",
        "1fff:ffff::1",
        "4000::1",
        "5f00::1",
        "8000::1",
        "e000::1",
        /* IPv4 in disguise: mapped, compatible, translated, NAT64, its local prefix, 6to4, Teredo */
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0.0.0.0",
        "::ffff:192.168.1.1",
        "::127.0.0.1",
        "::10.0.0.1",
        "::8.8.8.8",
        "::ffff:0:127.0.0.1",
        "::ffff:0:8.8.8.8",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::8.8.8.8",
        "64:ff9b:0:1::8.8.8.8",
        "2002:7f00:1::",
        "2002:7f00:0001::1",
        "2002:a00:1::1",
        "2002:a9fe:a9fe::",
        "2002:c0a8:101::1",
        "2002:e000:1::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001::1",
    };
    for (unsigned i = 0; i < ROWS(inside); i++) {
        if (network_is_public(parsed(inside[i]).address)) {
            print_error("public: %s\n", inside[i]);
            fail();
        }
    }
}

static void everybody_elses_addresses_are_public(void **state)
{
    (void)state;
    static const char *const outside[] = {
        "1.1.1.1",           "8.8.8.8",         "9.255.255.255",        "11.0.0.0",
        "100.63.255.255",    "100.128.0.0",     "126.255.255.255",      "128.0.0.0",
        "169.253.255.255",   "169.255.0.0",     "172.15.255.255",       "172.32.0.0",
        "192.0.1.0",         "192.0.3.0",       "192.167.255.255",      "192.169.0.0",
        "198.17.255.255",    "198.20.0.0",      "203.0.112.255",        "203.0.114.0",
        "223.255.255.255",   "168.63.129.15",   "168.63.129.17",        "192.88.98.255",
        "192.88.100.0",      "::ffff:8.8.8.8",  "64:ff9b::8.8.8.8",     "2002:808:808::1",
        "2000::1",           "2001:200::1",     "2001:4860:4860::8888", "2606:4700::1111",
        "2a00:1450:4001::1", "2001:db7:ffff::", "2001:db9::",           "3ffe::1",
        "3fff:1000::",
    };
    for (unsigned i = 0; i < ROWS(outside); i++) {
        if (!network_is_public(parsed(outside[i]).address)) {
            print_error("not public: %s\n", outside[i]);
            fail();
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_network_is_refused),
        cmocka_unit_test(a_network_holds_what_begins_as_it_does),
        cmocka_unit_test(inside_addresses_are_not_public),
        cmocka_unit_test(everybody_elses_addresses_are_public),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
