/* Any bytes as what POST, PATCH and rotate of /v1/keys are sent: a fault that can be told, or a key that
 * is kept and read again as it was asked for. */
#include "../../src/api/key_request.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_kept(struct managed_key *k)
{
    struct buf once = {0}, twice = {0};
    assert(managed_key_write(k, &once) == 0);
    struct managed_key *kept = managed_key_read(SPAN_LIT("key_1"), buf_span(&once));
    assert(kept != NULL && managed_key_write(kept, &twice) == 0);
    assert(span_eq(buf_span(&once), buf_span(&twice)));
    managed_key_unref(kept);
    buf_fini(&once);
    buf_fini(&twice);
}

static void check_fault(const struct fault *why)
{
    assert(memchr(why->message, '\0', sizeof why->message) != NULL && why->message[0] != '\0');
    assert(fault_status(why) == 400);
}

static const struct catalog *catalog_of(const struct snapshot *s)
{
    static struct catalog *c; /* once for all inputs */
    if (c == NULL)
        c = catalog_new(s);
    return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model_options models[] = {{.id = "my-bot"}, {.id = "a/b"}};
    static struct snapshot s = {
        .account = {.plan = "pro"}, .models = models, .nmodels = 2, .key_prefix = "sl_live_"};
    const struct key_terms terms = {&s, catalog_of(&s), 1700000000000};
    struct span body = span_of(data, size);
    struct managed_key k;
    struct arena a;
    struct fault why;
    uint64_t overlap_ms;
    arena_init(&a, NULL, 1024);
    for (unsigned is_new = 0; is_new < 2; is_new++) {
        key_request_init(&k, &a);
        if (!is_new)
            k.options.name = "before";
        if (key_request_take(&k, is_new, body, &terms, &a, &why))
            check_kept(&k);
        else
            check_fault(&why);
    }
    if (key_request_overlap(body, &overlap_ms, &why))
        assert(overlap_ms <= KEY_OVERLAP_MAX_S * UINT64_C(1000));
    else
        check_fault(&why);
    arena_fini(&a);
    return 0;
}
