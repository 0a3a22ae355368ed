#include "unit.h"

#include "parser_bed.h"

#include <errno.h>

static const struct parser_limits roomy = {.head_max = 8192, .field_max = 100};

struct way {
    size_t first, step; /* the first piece, and every later one */
    bool stops;
};

/* The caller frees the report. */
static struct buf parse(bool requests, struct span text, const struct parser_limits *limits,
                        struct way way)
{
    struct parser_bed b;
    bed_init(&b, requests, limits);
    b.stops = way.stops;
    bool going = true;
    for (size_t at = 0, len = way.first; going && at < text.len; at += len, len = way.step)
        going = bed_feed(&b, span_sub(text, at, len));
    if (going)
        bed_finish(&b);
    struct buf report = b.report;
    b.report = (struct buf){0};
    bed_fini(&b);
    return report;
}

static void assert_same(const struct buf *whole, bool requests, struct span text,
                        const struct parser_limits *limits, struct way way)
{
    struct buf other = parse(requests, text, limits, way);
    if (!span_eq(buf_span(whole), buf_span(&other))) {
        print_error("\"%.*s\"\nwhole:\n%.*s\nin pieces (%zu, %zu):\n%.*s\n", SPAN_FMT(text),
                    SPAN_FMT(buf_span(whole)), way.first, way.step, SPAN_FMT(buf_span(&other)));
        fail();
    }
    buf_fini(&other);
}

static struct buf parse_all_ways(bool requests, struct span text,
                                 const struct parser_limits *limits)
{
    struct buf whole = parse(requests, text, limits, (struct way){text.len, 1, false});
    assert_same(&whole, requests, text, limits, (struct way){text.len, 1, true});
    assert_same(&whole, requests, text, limits, (struct way){1, 1, false});
    assert_same(&whole, requests, text, limits, (struct way){1, 1, true});
    assert_same(&whole, requests, text, limits, (struct way){7, 7, false});
    for (size_t cut = 1; cut < text.len; cut++)
        assert_same(&whole, requests, text, limits, (struct way){cut, text.len, cut % 2 == 0});
    return whole;
}

/* How many of the rows are wrong: all of them are said. */
static unsigned check(bool requests, struct span text, const char *report)
{
    struct buf got = parse_all_ways(requests, text, &roomy);
    bool right = span_eq(buf_span(&got), span_text(report));
    if (!right)
        print_error("\"%.*s\"\ngot:\n%.*s\nwanted:\n%s\n", SPAN_FMT(text), SPAN_FMT(buf_span(&got)),
                    report);
    buf_fini(&got);
    return right ? 0 : 1;
}

#define HOST "Host: a\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST
#define POST "POST / HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define WITH_NUL(text) {text, sizeof(text) - 1}

/* --- requests: what is refused ------------------------------------------------------------------- */

static void what_http_forbids_is_refused_and_never_repaired(void **state)
{
    (void)state;
    static const struct {
        const char *text, *report;
    } rows[] = {
        /* line ends */
        {"GET / HTTP/1.1\nHost: a\n\n", "!400"},
        {"GET / HTTP/1.1\rHost: a\r\r", "!400"},
        {"GET / HTTP/1.1\r\nHost: a\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\nHost: a\r\n\n", "!400"},
        {"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\nHost: a\r\rX: b\r\n\r\n", "!400"},
        {GET "X-A: 1\rX-B: 2\r\n\r\n", "!400"},
        {GET "X-A: 1\n2\r\n\r\n", "!400"},
        /* obs-fold, RFC 9112 §5.2 */
        {GET "X-A: 1\r\n 2\r\n\r\n", "!400"},
        {GET "X-A: 1\r\n\t2\r\n\r\n", "!400"},
        {GET "X-A:\r\n 2\r\n\r\n", "!400"},
        {GET "X-A: \r\n \r\n\r\n", "!400"},
        {GET "X-A: 1\r\n \r\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", "!400"},
        {POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", "!400"},
        {POST "Content-Length:\r\n 3\r\n\r\nabc", "!400"},
        {POST "Content-Length: 1\r\n 0\r\n\r\n0123456789", "!400"},
        /* two opinions on where the body ends, RFC 9112 §6.3 */
        {POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "!400"},
        {POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", "!400"},
        {POST "Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc", "!400"},
        {POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "!400"},
        {POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "!400"},
        {POST "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", "!400"},
        {POST "Content-Length: 3, 3\r\n\r\nabc", "!400"},
        /* lengths that are none */
        {POST "Content-Length: +3\r\n\r\nabc", "!400"},
        {POST "Content-Length: -3\r\n\r\nabc", "!400"},
        {POST "Content-Length: 3 3\r\n\r\nabc", "!400"},
        {POST "Content-Length: 3a\r\n\r\nabc", "!400"},
        {POST "Content-Length: 0x3\r\n\r\nabc", "!400"},
        {POST "Content-Length: 3.0\r\n\r\nabc", "!400"},
        {POST "Content-Length: \"3\"\r\n\r\nabc", "!400"},
        {POST "Content-Length:\r\n\r\nabc", "!400"},
        {POST "Content-Length: 18446744073709551616\r\n\r\nabc", "!400"},
        {POST "Content-Length: 99999999999999999999999\r\n\r\nabc", "!400"},
        /* transfer codings */
        {POST "Transfer-Encoding: gzip\r\n\r\n", "!501"},
        {POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "!501"},
        {POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "!400"},
        {POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", "!400"},
        {POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "!501"},
        {POST "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n", "!501"},
        {POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", "!501"},
        {POST "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n", "!501"},
        {POST "Transfer-Encoding:\r\n\r\n", "!501"},
        {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "!400"},
        {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n", "!400"},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "!400"},
        /* names */
        {GET "X-A : 1\r\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "!400"},
        {POST "Content-Length : 3\r\n\r\nabc", "!400"},
        {POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", "!400"},
        {GET "X A: 1\r\n\r\n", "!400"},
        {GET ": 1\r\n\r\n", "!400"},
        {GET "X-A\r\n\r\n", "!400"},
        {GET "X\x01: 1\r\n\r\n", "!400"},
        {GET "X\x7f: 1\r\n\r\n", "!400"},
        {GET "X\xe4: 1\r\n\r\n", "!400"},
        {GET "X(: 1\r\n\r\n", "!400"},
        /* values */
        {GET "X-A: 1\x01\r\n\r\n", "!400"},
        {GET "X-A: \x7f\r\n\r\n", "!400"},
        {GET "X-A: \x1b[0m\r\n\r\n", "!400"},
        /* the request line */
        {"GET /\x01 HTTP/1.1\r\n" HOST "\r\n", "!400"},
        {"GET /\x7f HTTP/1.1\r\n" HOST "\r\n", "!400"},
        {"GET /a b HTTP/1.1\r\n" HOST "\r\n", "!400"},
        {"GET  HTTP/1.1\r\n" HOST "\r\n", "!400"},
        {"GET / HTTP/1.1 \r\n" HOST "\r\n", "!400"},
        {"GET / http/1.1\r\n" HOST "\r\n", "!400"},
        {"GET / HTTP/1,1\r\n" HOST "\r\n", "!400"},
        {"GET / HTTPS/1.1\r\n" HOST "\r\n", "!400"},
        {"GET / HTTP/1.2\r\n" HOST "\r\n", "!505"},
        {"GET / HTTP/3.0\r\n" HOST "\r\n", "!505"},
        {"GET / HTTP/2.0\r\n" HOST "\r\n", "!505"},
        {"GET / HTTP/0.9\r\n" HOST "\r\n", "!505"},
        {"GET /\r\n\r\n", "!505"}, /* HTTP/0.9 */
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "!505"},
        {"get / HTTP/1.1\r\n" HOST "\r\n", "!501"},
        {"BREW / HTTP/1.1\r\n" HOST "\r\n", "!501"},
        {"\x16\x03\x01\x02", "!400"}, /* a TLS hello on a clear port */
        {" GET / HTTP/1.1\r\n" HOST "\r\n", "!400"},
        /* Host, RFC 9112 §3.2 */
        {"GET / HTTP/1.1\r\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", "!400"},
        {"GET / HTTP/1.1\r\n" HOST "host: b\r\n\r\n", "!400"},
        {"GET / HTTP/1.0\r\n" HOST HOST "\r\n", "!400"},
        /* expectations */
        {POST "Expect: 200-ok\r\nContent-Length: 1\r\n\r\na", "!417"},
    };
    unsigned wrong = 0;
    for (unsigned i = 0; i < ROWS(rows); i++)
        wrong += check(true, span_text(rows[i].text), rows[i].report);
    assert_int_equal(wrong, 0);
}

static void a_nul_is_refused_anywhere_in_a_head(void **state)
{
    (void)state;
    static const struct span rows[] = {
        WITH_NUL("GET /\0 HTTP/1.1\r\n" HOST "\r\n"),
        WITH_NUL(GET "X\0: 1\r\n\r\n"),
        WITH_NUL(GET "X-A: 1\0\r\n\r\n"),
        WITH_NUL("\0GET / HTTP/1.1\r\n" HOST "\r\n"),
        WITH_NUL(CHUNKED "\0"
                         "1\r\na\r\n0\r\n\r\n"),
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf got = parse_all_ways(true, rows[i], &roomy);
        struct span report = buf_span(&got);
        assert_row(i, report.len >= 4);
        assert_row(i, span_eq(span_skip(report, report.len - 4), SPAN_LIT("!400")));
        buf_fini(&got);
    }
}

static void a_chunked_body_that_is_not_one_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body, *report; /* behind the head */
    } rows[] = {
        {"x\r\n", "!400"},
        {"-1\r\n", "!400"},
        {"+1\r\na\r\n0\r\n\r\n", "!400"},
        {"0x1\r\na\r\n0\r\n\r\n", "!400"},
        {" 1\r\na\r\n0\r\n\r\n", "!400"},
        {"1 \r\na\r\n0\r\n\r\n", "!400"},
        {"\r\n", "!400"},
        {"10000000000000000\r\n", "!400"},
        {"1\na\r\n0\r\n\r\n", "!400"},
        {"1\ra\r\n0\r\n\r\n", "!400"},
        {"1\r\na0\r\n\r\n", "<a>\n!400"},
        {"1\r\nab\r\n0\r\n\r\n", "<a>\n!400"},
        {"1\r\na\n0\r\n\r\n", "<a>\n!400"},
        {"1\r\na\r\n\r\n", "<a>\n!400"},
        {"1\r\na\r\n0\r\n\n", "<a>\n!400"},
        {"1;a=\x01\r\na\r\n0\r\n\r\n", "!400"},
        {"1;a\nb\r\na\r\n0\r\n\r\n", "!400"},
        {"1\r\na\r\n0\r\nX A: 1\r\n\r\n", "<a>\n!400"},
        {"1\r\na\r\n0\r\nX-A: 1\r\n 2\r\n\r\n", "<a>\n!400"},
        /* cut off */
        {"", "cut"},
        {"1\r\n", "cut"},
        {"2\r\na", "<a>\ncut"},
        {"1\r\na\r\n", "<a>\ncut"},
        {"1\r\na\r\n0\r\n", "<a>\ncut"},
    };
    char text[256], report[256];
    unsigned wrong = 0;
    for (unsigned i = 0; i < ROWS(rows); i++) {
        snprintf(text, sizeof(text), CHUNKED "%s", rows[i].body);
        snprintf(report, sizeof(report), "POST / keep chunked\n%s", rows[i].report);
        wrong += check(true, span_text(text), report);
    }
    assert_int_equal(wrong, 0);
}

/* --- requests: what is understood ---------------------------------------------------------------- */

static void requests_mean_what_rfc_9112_says(void **state)
{
    (void)state;
    static const struct {
        const char *text, *report;
    } rows[] = {
        {"", ""},
        {"\r\n\r\n", ""}, /* empty lines before a request, §2.2 */
        {"\r\n" GET "\r\n", "GET / keep none\n.\n"},
        {GET "\r\n", "GET / keep none\n.\n"},
        {"HEAD /a?b=c&d=%20 HTTP/1.1\r\n" HOST "\r\n", "HEAD /a?b=c&d=%20 keep none\n.\n"},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS * keep none\n.\n"},
        {"GET http://a/b HTTP/1.1\r\n" HOST "\r\n", "GET http://a/b keep none\n.\n"},
        {"PUT / HTTP/1.1\r\n" HOST "\r\n", "PUT / keep none\n.\n"},
        {"PATCH / HTTP/1.1\r\n" HOST "\r\n", "PATCH / keep none\n.\n"},
        {"DELETE / HTTP/1.1\r\n" HOST "\r\n", "DELETE / keep none\n.\n"},
        {"TRACE / HTTP/1.1\r\n" HOST "\r\n", "OTHER / keep none\n.\n"},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / keep none\n.\n"},
        /* values: white space around them is not theirs, bytes above 0x7f are */
        {GET "X-A:1\r\nX-B:   2 \t \r\nX-C:\r\nX-D: \r\n\r\n",
         "GET / keep none X-A=1 X-B=2 X-C= X-D=\n.\n"},
        {GET "X-A: a b\tc\r\nX-B: \xc3\xa4\r\n\r\n",
         "GET / keep none X-A=a b\tc X-B=\xc3\xa4\n.\n"},
        {GET "x-!#$%&'*+.^_`|~9: ,;\"\r\n\r\n", "GET / keep none x-!#$%&'*+.^_`|~9=,;\"\n.\n"},
        /* does the connection live on? */
        {"GET / HTTP/1.0\r\n\r\n", "GET / 1.0 close none\n.\n"},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET / 1.0 keep none\n.\n"},
        {GET "Connection: close\r\n\r\n", "GET / close none\n.\n"},
        {GET "Connection: x, CLOSE\r\n\r\n", "GET / close none\n.\n"},
        {GET "Connection: keep-alive, close\r\n\r\n", "GET / close none\n.\n"},
        {GET "Connection: closed\r\n\r\n", "GET / keep none\n.\n"},
        /* bodies */
        {POST "Content-Length: 0\r\n\r\n", "POST / keep none\n.\n"},
        {POST "Content-Length: 5\r\n\r\nhello", "POST / keep counted=5\n<hello>\n.\n"},
        {POST "Content-Length: 0005\r\n\r\nhello", "POST / keep counted=5\n<hello>\n.\n"},
        {POST "Content-Length:5 \r\n\r\n\r\n\r\nx", "POST / keep counted=5\n<\r\n\r\nx>\n.\n"},
        {POST "Content-Length: 5\r\n\r\nhell", "POST / keep counted=5\n<hell>\ncut"},
        {GET "Content-Length: 2\r\n\r\nhi", "GET / keep counted=2\n<hi>\n.\n"},
        {CHUNKED "5\r\nhello\r\n0\r\n\r\n", "POST / keep chunked\n<hello>\n.\n"},
        {CHUNKED "0\r\n\r\n", "POST / keep chunked\n.\n"},
        {CHUNKED "1\r\na\r\n00A\r\n0123456789\r\n000\r\n\r\n",
         "POST / keep chunked\n<a0123456789>\n.\n"},
        {CHUNKED "1;name=value\r\na\r\n2;q=\"a b\"\r\nbc\r\n0;last\r\n\r\n",
         "POST / keep chunked\n<abc>\n.\n"},
        {CHUNKED "1\r\na\r\n0\r\nX-Sum: 1\r\nX-B: 2\r\n\r\n", "POST / keep chunked\n<a>\n.\n"},
        {POST "transfer-encoding:CHUNKED\r\n\r\n1\r\na\r\n0\r\n\r\n",
         "POST / keep chunked\n<a>\n.\n"},
        {POST "Expect: 100-Continue\r\nContent-Length: 1\r\n\r\na",
         "POST / keep counted continue=1\n<a>\n.\n"},
        {"POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\na",
         "POST / 1.0 close counted=1\n<a>\n.\n"},
        /* other protocols are never switched to, RFC 9110 §7.8 */
        {GET "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "GET / keep none\n.\n"},
        {GET "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n" GET
             "\r\n",
         "GET / keep none\n.\nGET / keep none\n.\n"},
        {POST "Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nhi",
         "POST / keep counted=2\n<hi>\n.\n"},
        {"CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n", "OTHER a:443 keep none\n.\n"},
        /* one behind the other */
        {GET "\r\n" POST "Content-Length: 2\r\n\r\nhi" CHUNKED "1\r\na\r\n0\r\n\r\n" GET "\r\n",
         "GET / keep none\n.\nPOST / keep counted=2\n<hi>\n.\nPOST / keep chunked\n<a>\n.\n"
         "GET / keep none\n.\n"},
        {POST "Content-Length: 2\r\n\r\nhi\r\n" GET "\r\n",
         "POST / keep counted=2\n<hi>\n.\nGET / keep none\n.\n"},
        {GET "\r\nGET", "GET / keep none\n.\ncut"},
        {POST "Content-Length: 1\r\n\r\nabc", "POST / keep counted=1\n<a>\n.\n!501"},
        {"GE", "cut"},
        {"GET / HTTP/1.1\r\nHo", "cut"},
    };
    unsigned wrong = 0;
    for (unsigned i = 0; i < ROWS(rows); i++)
        wrong += check(true, span_text(rows[i].text), rows[i].report);
    assert_int_equal(wrong, 0);
}

/* --- responses ----------------------------------------------------------------------------------- */

static void responses_mean_what_rfc_9112_says(void **state)
{
    (void)state;
    static const struct {
        const char *text, *report;
    } rows[] = {
        /* bad ones */
        {"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "!400"},
        {"HTTP/1.1 200 OK\r\nX-A: 1\r\n 2\r\n\r\n", "!400"},
        {"HTTP/1.1 200 OK\r\nX-A : 1\r\n\r\n", "!400"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "!400"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", "!400"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "!400"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "!501"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc", "!501"},
        {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "!400"},
        {"HTTP/2.0 200 OK\r\n\r\n", "!505"},
        {"HTTP/1.1 20 OK\r\n\r\n", "!400"},
        {"HTTP/1.1 2000 OK\r\n\r\n", "!400"},
        {"HTTP/1.1 abc OK\r\n\r\n", "!400"},
        {"ICY 200 OK\r\n\r\n", "!400"},
        {"<html>", "!400"},
        {"SSH-2.0-OpenSSH_9.2\r\n", "!400"},
        {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nabc",
         "101 keep none\n.\n!400"},
        /* good ones */
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "200 keep counted=2\n<hi>\n.\n"},
        {"HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "200 keep none\n.\n"},
        {"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "200 keep none\n.\n"},
        {"HTTP/1.1 529 \xc3\x9c"
         "berlast!\r\nContent-Length: 0\r\n\r\n",
         "529 keep none\n.\n"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
         "200 keep chunked\n<hi>\n.\n"},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "200 1.0 close counted=2\n<hi>\n.\n"},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
         "200 1.0 keep counted=2\n<hi>\n.\n"},
        {"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi",
         "200 close counted=2\n<hi>\n.\n"},
        /* until close */
        {"HTTP/1.1 200 OK\r\n\r\nhello", "200 keep until-close\n<hello>\n.\n"},
        {"HTTP/1.1 200 OK\r\n\r\n", "200 keep until-close\n.\n"},
        {"HTTP/1.0 500 Oops\r\n\r\nhello", "500 1.0 close until-close\n<hello>\n.\n"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", "200 keep counted=6\n<hello>\ncut"},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
         "200 keep chunked\n<hi>\ncut"},
        /* no body, whatever the fields say */
        {"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
         "204 keep none\n.\n200 keep none\n.\n"},
        {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", "204 keep none\n.\n"},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "304 keep none\n.\n"},
        /* interim responses */
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
         "100 keep none\n.\n200 keep counted=2\n<hi>\n.\n"},
        {"HTTP/1.1 103 Early Hints\r\nX-A: 1\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "103 keep none X-A=1\n.\n102 keep none\n.\n200 keep chunked\n.\n"},
        {"HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\nHTTP/1.1 200 OK\r\n"
         "Content-Length: 0\r\n\r\n",
         "100 keep none\n.\n200 keep none\n.\n"},
    };
    unsigned wrong = 0;
    for (unsigned i = 0; i < ROWS(rows); i++)
        wrong += check(false, span_text(rows[i].text), rows[i].report);
    assert_int_equal(wrong, 0);
}

/* --- limits -------------------------------------------------------------------------------------- */

static struct buf repeat(const char *before, const char *what, unsigned n, const char *after)
{
    struct buf text = {0};
    assert_int_equal(buf_add_text(&text, before), 0);
    for (unsigned i = 0; i < n; i++)
        assert_int_equal(buf_add_text(&text, what), 0);
    assert_int_equal(buf_add_text(&text, after), 0);
    return text;
}

static void limits_are_the_same_however_the_head_arrives(void **state)
{
    (void)state;
    static const struct parser_limits narrow = {.head_max = 100, .field_max = 3};
    static const struct {
        const char *before, *what;
        unsigned n;
        const char *after, *report;
    } rows[] = {
        /* the request line has 16 bytes, Host 9 */
        {"GET /", "a", 200, " HTTP/1.1\r\n" HOST "\r\n", "!414"},
        {"GET /", "a", 86, " HTTP/1.1\r\n" HOST "\r\n", "!431"},
        {"GET /", "a", 98, " HTTP/1.1\r\n" HOST "\r\n", "!414"},
        {GET "X-A: ", "a", 200, "\r\n\r\n", "!431"},
        {GET "X-A: ", "a", 71, "\r\n\r\n", "!431"},
        {GET "", "a", 200, ": 1\r\n\r\n", "!431"},
        {GET "", "X: 1\r\n", 3, "\r\n", "!431"},
        {GET "X-A: ", " ", 200, "a\r\n\r\n", "!431"},
        {GET "", "X: 1\r\n", 2, "\r\n", "GET / keep none\n.\n"},
        {GET "Y: ", "a", 72, "\r\n\r\n", "GET / keep none\n.\n"},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 300\r\n\r\n", "abc", 100, "", NULL},
        /* what nobody looks at has a bound, too */
        {CHUNKED "1", ";abc=def", 20, "\r\na\r\n0\r\n\r\n", "POST / keep chunked\n!400"},
        {CHUNKED "1;", "a", 101, "\r\na\r\n0\r\n\r\n", "POST / keep chunked\n!400"},
        {CHUNKED "0\r\n", "X: 12345\r\n", 20, "\r\n", "POST / keep chunked\n!400"},
        {CHUNKED "", "1;abc\r\na\r\n", 40, "0\r\n\r\n",
         "POST / keep chunked\n<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa>\n.\n"},
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct buf text = repeat(rows[i].before, rows[i].what, rows[i].n, rows[i].after);
        struct buf got = parse_all_ways(true, buf_span(&text), &narrow);
        bool good = rows[i].report == NULL
                        ? span_starts(buf_span(&got), SPAN_LIT("POST / keep counted=300\n<abcabc"))
                        : span_eq(buf_span(&got), span_text(rows[i].report));
        if (!good)
            print_error("row %u got:\n%.*s\n", i, SPAN_FMT(buf_span(&got)));
        assert_row(i, good);
        buf_fini(&got);
        buf_fini(&text);
    }
}

static void every_refusal_says_what_is_wrong(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "GET / HTTP/1.1\r\n\r\n",
        GET "X-A: 1\r\n 2\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "nonsense",
        POST "Content-Length: x\r\n\r\n",
        POST "Transfer-Encoding: gzip\r\n\r\n",
        CHUNKED "x",
    };
    for (unsigned i = 0; i < ROWS(rows); i++) {
        struct parser_bed b;
        bed_init(&b, true, &roomy);
        assert_row(i, !bed_feed(&b, span_text(rows[i])));
        assert_row(i, b.parser.problem.what != NULL && strlen(b.parser.problem.what) > 5);
        /* and stays refused */
        struct span more = SPAN_LIT(GET "\r\n");
        assert_row(i, parser_feed(&b.parser, &more) == -EPROTO);
        bed_fini(&b);
    }
}

/* --- memory and order ---------------------------------------------------------------------------- */

static const uint8_t *target_at;

static bool note_target(void *owner, const struct http_head *h)
{
    (void)owner;
    target_at = h->target.at;
    return true;
}

static void a_head_in_one_piece_is_borrowed_and_costs_no_memory(void **state)
{
    (void)state;
    static const struct parser_events events = {note_target, bed_on_body, bed_on_complete};
    struct parser_bed b = {.stops = false};
    struct span text = SPAN_LIT(GET "X-A: 1\r\n\r\n"), rest = text;
    parser_init(&b.parser, true, &roomy, &events, &b);
    assert_int_equal(parser_feed(&b.parser, &rest), 0);
    assert_ptr_equal(target_at, text.at + 4);
    assert_null(b.parser.collected.at);
    /* one that was split gives its memory back once it is through */
    assert_true(bed_feed(&b, SPAN_LIT("GET / HT")));
    assert_non_null(b.parser.collected.at);
    assert_true(bed_feed(&b, SPAN_LIT("TP/1.1\r\n" HOST "\r\n")));
    assert_null(b.parser.collected.at);
    bed_fini(&b);
}

static void two_split_heads_do_not_mix(void **state)
{
    (void)state;
    struct parser_bed a, b;
    struct span one = SPAN_LIT("GET /one HTTP/1.1\r\n" HOST "X-A: 1\r\nX-B: 2\r\n\r\n");
    struct span two = SPAN_LIT("GET /two HTTP/1.1\r\n" HOST "X-C: 3\r\nX-D: 4\r\n\r\n");
    bed_init(&a, true, &roomy);
    bed_init(&b, true, &roomy);
    for (size_t i = 0; i < one.len; i++) {
        assert_true(bed_feed(&a, span_sub(one, i, 1)));
        assert_true(bed_feed(&b, span_sub(two, i, 1)));
    }
    assert_span(buf_span(&a.report), "GET /one keep none X-A=1 X-B=2\n.\n");
    assert_span(buf_span(&b.report), "GET /two keep none X-C=3 X-D=4\n.\n");
    bed_fini(&a);
    bed_fini(&b);
}

static bool refuse_head(void *owner, const struct http_head *h)
{
    (void)owner;
    (void)h;
    return false;
}

static void a_head_that_is_not_wanted_stops_behind_itself(void **state)
{
    (void)state;
    static const struct parser_events events = {refuse_head, bed_on_body, bed_on_complete};
    struct parser_bed b = {.stops = false};
    struct span rest = SPAN_LIT(POST "Content-Length: 2\r\n\r\nhi");
    parser_init(&b.parser, true, &roomy, &events, &b);
    assert_int_equal(parser_feed(&b.parser, &rest), 0);
    assert_true(rest.len >= 2);
    assert_int_equal(buf_len(&b.report), 0);
    bed_fini(&b);
}

static void a_stop_behind_a_message_leaves_the_next_one_unread(void **state)
{
    (void)state;
    struct parser_bed b;
    struct span next = SPAN_LIT(GET "\r\n"),
                rest = SPAN_LIT(POST "Content-Length: 2\r\n\r\nhi" GET "\r\n");
    bed_init(&b, true, &roomy);
    b.stops = true;
    assert_int_equal(parser_feed(&b.parser, &rest), 0);
    assert_true(span_eq(rest, next));
    assert_false(parser_in_message(&b.parser));
    assert_int_equal(parser_feed(&b.parser, &rest), 0);
    assert_true(span_eq(rest, next)); /* still stopped */
    parser_resume(&b.parser);
    assert_int_equal(parser_feed(&b.parser, &rest), 0);
    assert_int_equal(rest.len, 0);
    bed_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_http_forbids_is_refused_and_never_repaired),
        cmocka_unit_test(a_nul_is_refused_anywhere_in_a_head),
        cmocka_unit_test(a_chunked_body_that_is_not_one_is_refused),
        cmocka_unit_test(requests_mean_what_rfc_9112_says),
        cmocka_unit_test(responses_mean_what_rfc_9112_says),
        cmocka_unit_test(limits_are_the_same_however_the_head_arrives),
        cmocka_unit_test(every_refusal_says_what_is_wrong),
        cmocka_unit_test(a_head_in_one_piece_is_borrowed_and_costs_no_memory),
        cmocka_unit_test(two_split_heads_do_not_mix),
        cmocka_unit_test(a_head_that_is_not_wanted_stops_behind_itself),
        cmocka_unit_test(a_stop_behind_a_message_leaves_the_next_one_unread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
