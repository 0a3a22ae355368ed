/* Thousands of texts that are nearly JSON: the scanner and yyjson have to agree on every one. */
#include "unit.h"

#include "../fuzz/json_oracle.h"
#include "sluice/base/rng.h"

#define TEXTS 40000
#define GROWTH 8

static const char *const seeds[] = {
    "{\"a\":1,\"b\":[true,false,null],\"c\":{\"d\":\"e\\n\\u00e9\"}}",
    "[1,-2.5e+10,0,0.1E-2,\"x\",[],{}]",
    "\"a string longer than one step of the scanner, with \\\"quotes\\\" and \\\\ in it\"",
    "  -0.0 ",
    "{ \"k\" : { } ,\r\n\t\"l\" : [ ] }",
    "null",
    "{\"\":\"\",\"\":\"\"}",
    "[[[[{\"a\":[{}]}]]]]",
    "12345678901234567890.5",
    "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"\xc3\xa9\\ud83d\\ude00\"}],\"stream\":true}",
};

static const char alphabet[] = "{}[]:,\"\\ \n\tabtrufalsn0123456789-+.eEu/\x01\x1f\xc3\x80";

/* One byte changed, put in, or taken out. */
static void mutate(struct rng *r, char *text, size_t *len)
{
    char byte = alphabet[rng_below(r, sizeof(alphabet) - 1)];
    size_t at = rng_below(r, *len + 1);
    switch (rng_below(r, 3)) {
    case 0:
        if (at < *len)
            text[at] = byte;
        break;
    case 1:
        memmove(text + at + 1, text + at, *len - at);
        text[at] = byte;
        ++*len;
        break;
    default:
        if (at == *len)
            break;
        memmove(text + at, text + at + 1, *len - at - 1);
        --*len;
    }
}

static void the_scanner_and_a_parser_agree(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 2);
    for (unsigned i = 0; i < TEXTS; i++) {
        const char *seed = seeds[rng_below(&r, ROWS(seeds))];
        char text[256];
        size_t len = strlen(seed);
        assert_true(len + GROWTH < sizeof(text));
        memcpy(text, seed, len);
        for (uint64_t n = rng_below(&r, GROWTH / 2); n > 0; n--)
            mutate(&r, text, &len);
        if (!json_agrees(span_of(text, len), 1 + i % 11))
            fail_msg("they differ over: %.*s", (int)len, text);
    }
}

/* Strings of many blocks, full of escapes, with now and then a byte that is none of its business
 * there: the ways of skipping 64 bytes at a time meet their borders. */
static void they_agree_over_long_strings(void **state)
{
    (void)state;
    static const char *const pieces[] = {"\\n",     "\\\"", "\\\\", "\\t", "\\/",
                                         "\\u0e9A", "\\b",  "x",    "yz",  " a plain run of text ",
                                         "\xc3\xa9"};
    static const char strays[] = {'"', '\\', 'u', '\0', '\x1f', 'q', '\n', '\xff'};
    struct rng r;
    rng_seed(&r, 3);
    for (unsigned i = 0; i < TEXTS; i++) {
        char text[640] = "[\"";
        size_t len = 2, want = rng_below(&r, 560);
        /* few kinds of pieces in one text, so that each way of looking gets long stretches */
        uint64_t kinds = 1 + rng_below(&r, ROWS(pieces)), first = rng_below(&r, ROWS(pieces));
        while (len < want) {
            const char *piece = pieces[(first + rng_below(&r, kinds)) % ROWS(pieces)];
            memcpy(text + len, piece, strlen(piece));
            len += strlen(piece);
        }
        memcpy(text + len, "\",7]", 4);
        len += 4;
        if (i % 2 != 0)
            text[2 + rng_below(&r, len - 2)] = strays[rng_below(&r, sizeof(strays))];
        if (!json_agrees(span_of(text, len), 1 + i % 97))
            fail_msg("they differ over: %.*s", (int)len, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_scanner_and_a_parser_agree),
        cmocka_unit_test(they_agree_over_long_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
