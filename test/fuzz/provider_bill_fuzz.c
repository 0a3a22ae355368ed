/* Any bytes as a provider's account of usage: read or refused with a word, figures bounded. */
#include "sluice/meter/provider_bill.h"

#include <assert.h>
#include <stddef.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take(void *arg, const struct bill_line *line)
{
    *(unsigned *)arg += 1;
    assert(line->model.len < 1u << 30 && (line->has_cost || line->cost_pd == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err why = {0};
    unsigned n = 0;
    bool is_part;
    if (provider_bill_read(span_of(data, size), take, &n, &is_part, &why) < 0)
        assert(why.text[0] != '\0');
    return 0;
}
