/* Any bytes as a slice of another process: what is taken can be looked at, and packed again as it was. */
#include "sluice/catalog/stats.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { SLICE = 1000, NOW = SLICE * STATS_SLICE_MS };
    uint8_t once[STATS_PACKED_MAX], twice[STATS_PACKED_MAX];
    struct stats *one = stats_new(), *two = stats_new();
    bool taken = stats_add_packed(one, SLICE, data, (unsigned)size, NOW);
    const struct figures *f = stats_figures(one, NOW);
    for (unsigned k = 0; k < STATS; k++) {
        for (unsigned q = 0; q < QUANTILES; q++)
            assert(f->of[k].at[q] >= 0 && (f->of[k].samples > 0 || f->of[k].at[q] == 0));
    }
    unsigned len = stats_pack(one, SLICE, once);
    assert(taken == (len > 0) && len <= sizeof once);
    if (taken) {
        assert(stats_add_packed(two, SLICE, once, len, NOW));
        assert(stats_pack(two, SLICE, twice) == len && memcmp(once, twice, len) == 0);
    }
    stats_free(one);
    stats_free(two);
    return 0;
}
