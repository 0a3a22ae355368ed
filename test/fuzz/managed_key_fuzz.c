/* Any bytes as a record of a key: refused, or a key that is written and read again as the same one, with
 * every limit it has. */
#include "sluice/admit/managed_key.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct managed_key *k)
{
    const struct key_options *o = &k->options;
    assert(o->name != NULL && o->models.n > 0 && o->models.n <= KEY_MODELS_MAX);
    assert((o->scope == SCOPE_PIPELINE) == (o->pipeline != NULL));
    assert(k->nearlier <= KEY_EARLIER_MAX);
    for (unsigned i = 0; i < k->nearlier; i++)
        assert(k->earlier[i].until_unix_ms != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct managed_key *one = managed_key_read(SPAN_LIT("key_1"), span_of(data, size));
    struct buf once = {0}, twice = {0};
    managed_key_unref(managed_key_read(span_of(data, size), SPAN_LIT("{}"))); /* as an id, too */
    if (one == NULL)
        return 0;
    check(one);
    assert(managed_key_write(one, &once) == 0);
    struct managed_key *two = managed_key_read(SPAN_LIT("key_1"), buf_span(&once));
    assert(two != NULL && managed_key_write(two, &twice) == 0);
    assert(span_eq(buf_span(&once), buf_span(&twice)));
    managed_key_unref(one);
    managed_key_unref(two);
    buf_fini(&once);
    buf_fini(&twice);
    return 0;
}
