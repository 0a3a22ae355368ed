/* The first eight bytes choose what happens to each member; the rest is a text that may be an
 * object. What is left has to be JSON with exactly the members that should be there, and every
 * byte that was not edited has to be the original one, in place. */
#include "sluice/base/buf.h"
#include "sluice/format/json_splice.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INSTEAD SPAN_LIT("{\"new\":[1,\"two\"]}")

enum choice { KEEP, ALSO_KEEP, REPLACE, REMOVE };

static enum choice choice_of(uint64_t choices, unsigned member)
{
    return (enum choice)(choices >> 2 * (member % 32) & 3);
}

static bool is_object(struct span text)
{
    struct json_scan scan;
    json_scan_init(&scan);
    enum json_status status;
    while ((status = json_scan_next(&scan, &text)) == JSON_MEMBER)
        continue;
    return status == JSON_DONE && scan.root == JSON_OBJECT;
}

/* Returns how many members the result has to have. */
static unsigned edit(struct json_splice *s, struct span text, uint64_t choices)
{
    struct json_scan scan;
    unsigned left = 0;
    json_scan_init(&scan);
    while (json_scan_next(&scan, &text) == JSON_MEMBER) {
        const struct json_member *m = &scan.member;
        enum choice choice = choice_of(choices, scan.members - 1);
        bool edited = choice == REMOVE    ? splice_remove_member(s, m)
                      : choice == REPLACE ? splice_replace(s, m->value.start, m->value.end, INSTEAD)
                                          : false;
        if ((choice == REMOVE || choice == REPLACE) && !edited && s->nedits < SPLICE_EDITS_MAX)
            abort();
        left += !(edited && choice == REMOVE);
    }
    return left;
}

/* The spans in order are the text with the edits done, byte for byte. */
static void check_bytes(const struct json_splice *s, struct span text, struct span result)
{
    size_t at = 0;
    for (unsigned i = 0; i <= s->nedits; i++) {
        size_t until = i < s->nedits ? s->edit[i].start : text.len;
        struct span kept = span_sub(text, at, until - at);
        struct span instead = i < s->nedits ? s->edit[i].instead : SPAN_NONE;
        if (!span_starts(result, kept) || !span_starts(span_skip(result, kept.len), instead))
            abort();
        result = span_skip(result, kept.len + instead.len);
        at = i < s->nedits ? s->edit[i].end : text.len;
    }
    if (result.len > 0)
        abort();
}

static void check_members(struct span result, unsigned expected)
{
    struct json_scan scan;
    enum json_status status;
    json_scan_init(&scan);
    while ((status = json_scan_next(&scan, &result)) == JSON_MEMBER)
        continue;
    if (status != JSON_DONE || scan.members != expected)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t choices;
    if (size < sizeof(choices))
        return 0;
    memcpy(&choices, data, sizeof(choices));
    struct span text = span_of(data + sizeof(choices), size - sizeof(choices));
    if (!is_object(text))
        return 0;
    struct json_splice s = {0};
    struct span out[2 * SPLICE_EDITS_MAX + 1];
    struct buf result = {0};
    size_t total;
    unsigned left = edit(&s, text, choices);
    unsigned n = splice_spans(&s, text, out, &total);
    for (unsigned i = 0; i < n; i++)
        if (buf_add(&result, out[i]) < 0)
            abort();
    if (total != buf_len(&result))
        abort();
    check_bytes(&s, text, buf_span(&result));
    check_members(buf_span(&result), left);
    buf_fini(&result);
    return 0;
}
