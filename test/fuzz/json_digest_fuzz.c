/* A JSON text: with the members of every object turned round and blanks between, it says the same; with
 * one value changed, it does not. */
#include "sluice/format/json_digest.h"
#include "sluice/format/json_scan.h"
#include "sluice/format/json_walk.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const nothing[] = {NULL};

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void add(struct buf *out, struct span s)
{
    must(buf_add(out, s) == 0);
}

static bool has_twins(struct span object)
{
    struct json_walk w, v;
    char name[256], other[256];
    json_walk_init(&w, object);
    for (unsigned i = 0; json_walk_next(&w); i++) {
        long n = json_unescape(w.key, name, sizeof name);
        json_walk_init(&v, object);
        for (unsigned k = 0; k < i && json_walk_next(&v); k++) {
            long m = json_unescape(v.key, other, sizeof other);
            if (n < 0 || m < 0 || (n == m && memcmp(name, other, (size_t)n) == 0))
                return true;
        }
    }
    return false;
}

/* The outermost object, its members in the opposite order. */
static void write_turned(struct span object, struct buf *out)
{
    struct span members[64];
    unsigned n = 0;
    struct json_walk w;
    json_walk_init(&w, object);
    while (n < 64 && json_walk_next(&w)) {
        const uint8_t *start = w.key.at - 1;
        members[n++] = span_of(start, (size_t)(w.value.at + w.value.len - start));
    }
    add(out, SPAN_LIT(" {"));
    while (n > 0) {
        add(out, members[--n]);
        add(out, n > 0 ? SPAN_LIT("\n,\t") : SPAN_LIT(" "));
    }
    add(out, SPAN_LIT("}\r\n"));
}

/* The first member has another value. */
static void write_changed(struct span object, struct buf *out)
{
    struct json_walk w;
    json_walk_init(&w, object);
    must(json_walk_next(&w));
    size_t value = (size_t)(w.value.at - object.at);
    add(out, span_sub(object, 0, value));
    add(out, span_eq(w.value, SPAN_LIT("0")) ? SPAN_LIT("[0]") : SPAN_LIT("0"));
    add(out, span_skip(object, value + w.value.len));
}

static unsigned count(struct span object)
{
    struct json_walk w;
    unsigned n = 0;
    json_walk_init(&w, object);
    while (json_walk_next(&w))
        n++;
    return json_walk_is_complete(&w) ? n : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size);
    uint8_t one[SHA256_BYTES], other[SHA256_BYTES];
    struct buf turned = {0}, inside = {0}, changed = {0};
    if (!json_digest(text, nothing, one))
        return 0;
    add(&inside, SPAN_LIT("["));
    add(&inside, text);
    add(&inside, SPAN_LIT("]"));
    if (json_digest(buf_span(&inside), nothing, other)) /* it may be too deep for it */
        must(memcmp(one, other, sizeof one) != 0);
    unsigned n = count(text);
    if (n > 0 && n <= 64 && !has_twins(text)) {
        write_turned(text, &turned);
        must(json_digest(buf_span(&turned), nothing, other));
        must(memcmp(one, other, sizeof one) == 0);
        write_changed(text, &changed);
        must(json_digest(buf_span(&changed), nothing, other));
        must(memcmp(one, other, sizeof one) != 0);
    }
    buf_fini(&changed);
    buf_fini(&turned);
    buf_fini(&inside);
    return 0;
}
